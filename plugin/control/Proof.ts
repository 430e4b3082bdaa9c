/**
 * How both ends of a control connection prove that they know the key: HMAC-SHA-256 over two nonces, each under its own label.
 * It never says the key, and never proves anything about a nonce that was not drawn for this connection.
 * The node proves first: whoever put up a socket in its place learns nothing from a client, not even what it came for.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import { Redacted } from "effect"
import { Base64url, Transcript } from "../../core/index.ts"

/** The version that both ends must name. A newer one is another number here and another label. */
export const version = 1
export const keyBytes = 32
export const nonceBytes = 32

/** Which end proves. */
export type Role = "node" | "client"

/** The two nonces of a connection, each drawn by one end. */
export interface Nonces {
  readonly client: Uint8Array
  readonly node: Uint8Array
}

/** The proof of one end. */
export const prove = (key: Redacted.Redacted<Uint8Array>, role: Role, nonces: Nonces): Uint8Array =>
  Uint8Array.from(
    createHmac("sha256", Redacted.value(key))
      .update(Transcript.encode(`wopr-p2p control ${version} ${role}`, [nonces.client, nonces.node]))
      .digest()
  )

/** Whether this is the proof of that end, for these nonces, under this key. */
export const holds = (key: Redacted.Redacted<Uint8Array>, role: Role, nonces: Nonces, proof: Uint8Array): boolean => {
  const right = prove(key, role, nonces)
  return proof.length === right.length && timingSafeEqual(proof, right)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const bytesOf = (value: unknown, length: number): Uint8Array | undefined =>
  typeof value === "string" ? Base64url.decodeExact(value, length) : undefined

/** The client's first frame. */
export const hello = (nonce: Uint8Array) => ({ v: version, nonce: Base64url.encode(nonce) })

/** The nonce of a client's first frame, if it is one of this version. */
export const readHello = (value: unknown): Uint8Array | undefined =>
  isRecord(value) && value["v"] === version ? bytesOf(value["nonce"], nonceBytes) : undefined

/** The node's first frame: its nonce, and its proof over both. */
export const welcome = (nonce: Uint8Array, proof: Uint8Array) => ({
  v: version,
  nonce: Base64url.encode(nonce),
  proof: Base64url.encode(proof)
})

/** Nonce and proof of the node's first frame. */
export const readWelcome = (value: unknown): { readonly nonce: Uint8Array; readonly proof: Uint8Array } | undefined => {
  if (!isRecord(value) || value["v"] !== version) return undefined
  const [nonce, proof] = [bytesOf(value["nonce"], nonceBytes), bytesOf(value["proof"], 32)]
  return nonce === undefined || proof === undefined ? undefined : { nonce, proof }
}

/** The client's second frame. */
export const answer = (proof: Uint8Array) => ({ proof: Base64url.encode(proof) })

/** The proof of a client's second frame. */
export const readAnswer = (value: unknown): Uint8Array | undefined =>
  isRecord(value) ? bytesOf(value["proof"], 32) : undefined
