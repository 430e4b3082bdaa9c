/**
 * Noise_XX_25519_AESGCM_SHA256 (Noise Protocol Framework, revision 34) as a table of tokens and a pure interpreter.
 * It never knows what the payloads mean, whom it talks to, or where its ephemeral key came from: that is an argument.
 * Every step works on a copy; a message that fails to authenticate leaves no trace in the state one holds.
 */
import { Redacted, Result } from "effect"
import type { CryptoShape, SecretBytes } from "../../ports/Crypto.ts"
import { concat, utf8 } from "../bytes/Bytes.ts"
import * as Rejection from "../Rejection.ts"
import * as KeySchedule from "./KeySchedule.ts"

export type Role = "initiator" | "responder"
type Token = "e" | "s" | "ee" | "es" | "se"

/** Message → tokens, message i sent by the initiator when i is even. This table is the whole pattern. */
export const pattern: ReadonlyArray<ReadonlyArray<Token>> = [["e"], ["e", "ee", "s", "es"], ["s", "se"]]
const protocolName = "Noise_XX_25519_AESGCM_SHA256"

export interface KeyPair {
  readonly scalar: SecretBytes
  readonly publicKey: Uint8Array
}

/** The symmetric state: chaining key, hash, and the cipher once there is one. */
interface Symmetric {
  readonly chainingKey: SecretBytes
  readonly hash: Uint8Array
  readonly key: SecretBytes | undefined
  readonly nonce: number
}

export interface Handshake {
  readonly role: Role
  /** Index of the next message. */
  readonly message: number
  readonly symmetric: Symmetric
  readonly staticKey: KeyPair
  readonly ephemeralKey: KeyPair
  readonly remoteStatic: Uint8Array | undefined
  readonly remoteEphemeral: Uint8Array | undefined
}

/** What a finished handshake gives: one key per direction, the hash both sides share, the far end's static key. */
export interface Secrets {
  readonly sendKey: SecretBytes
  readonly receiveKey: SecretBytes
  readonly handshakeHash: Uint8Array
  readonly remoteStatic: Uint8Array
}

/** A key pair from 32 bytes of entropy. */
export const keyPair = (crypto: CryptoShape, entropy: Uint8Array): KeyPair => {
  const scalar = Redacted.make(entropy, { label: "ephemeral scalar" })
  return { scalar, publicKey: crypto.x25519PublicKey(scalar) }
}

const mixHash = (crypto: CryptoShape, state: Symmetric, bytes: Uint8Array): Symmetric => ({
  ...state,
  hash: crypto.sha256(concat(state.hash, bytes))
})

const mixKey = (crypto: CryptoShape, state: Symmetric, secret: Uint8Array): Symmetric => {
  const [chainingKey, key] = KeySchedule.split(crypto, state.chainingKey, secret)
  return { ...state, chainingKey, key, nonce: 0 }
}

const encryptAndHash = (crypto: CryptoShape, state: Symmetric, plaintext: Uint8Array) => {
  if (state.key === undefined) return { state: mixHash(crypto, state, plaintext), bytes: plaintext }
  const bytes = crypto.aes256GcmSeal(Redacted.value(state.key), KeySchedule.nonce(state.nonce), state.hash, plaintext)
  return { state: mixHash(crypto, { ...state, nonce: state.nonce + 1 }, bytes), bytes }
}

const decryptAndHash = (crypto: CryptoShape, state: Symmetric, bytes: Uint8Array) => {
  if (state.key === undefined) return { state: mixHash(crypto, state, bytes), plaintext: bytes }
  const plaintext = crypto.aes256GcmOpen(Redacted.value(state.key), KeySchedule.nonce(state.nonce), state.hash, bytes)
  if (plaintext === undefined) return undefined
  return { state: mixHash(crypto, { ...state, nonce: state.nonce + 1 }, bytes), plaintext }
}

/** A handshake before its first message. `prologue` is what both sides must have seen alike. */
export const start = (
  crypto: CryptoShape,
  role: Role,
  prologue: Uint8Array,
  staticKey: KeyPair,
  ephemeralKey: KeyPair
): Handshake => {
  const name = utf8(protocolName)
  const hash = concat(name, new Uint8Array(32 - name.length))
  const symmetric: Symmetric = { chainingKey: KeySchedule.secret(hash.slice()), hash, key: undefined, nonce: 0 }
  return {
    role,
    message: 0,
    symmetric: mixHash(crypto, symmetric, prologue),
    staticKey,
    ephemeralKey,
    remoteStatic: undefined,
    remoteEphemeral: undefined
  }
}

/** Whether the next message is ours to write. */
export const isOurTurn = (state: Handshake): boolean =>
  state.message < pattern.length && (state.message % 2 === 0) === (state.role === "initiator")

/** The Diffie-Hellman of a token, from the point of view of either role; undefined for an all-zero secret. */
const agree = (crypto: CryptoShape, state: Handshake, token: "ee" | "es" | "se"): Uint8Array | undefined => {
  const initiator = state.role === "initiator"
  const localIsStatic = token !== "ee" && (token === "se") === initiator
  const remoteIsStatic = token !== "ee" && (token === "es") === initiator
  const local = localIsStatic ? state.staticKey : state.ephemeralKey
  const remote = remoteIsStatic ? state.remoteStatic : state.remoteEphemeral
  return remote === undefined ? undefined : crypto.x25519(local.scalar, remote)
}

const mixAgreement = (crypto: CryptoShape, state: Handshake, token: "ee" | "es" | "se"): Handshake | undefined => {
  const secret = agree(crypto, state, token)
  return secret === undefined ? undefined : { ...state, symmetric: mixKey(crypto, state.symmetric, secret) }
}

const failed = (detail: string) => Result.fail(Rejection.make("handshake-failed", detail))

/**
 * Writes the next message. The payload is computed from the handshake hash as it stands right before the payload is
 * encrypted, because the proof in it signs that hash (PROTOCOL.md §7). Calling it out of turn is a defect of ours.
 */
export const write = (
  crypto: CryptoShape,
  state: Handshake,
  payload: (hash: Uint8Array) => Uint8Array
): Result.Result<{ readonly state: Handshake; readonly bytes: Uint8Array }, Rejection.Rejection> => {
  if (!isOurTurn(state)) throw new Error("handshake message written out of turn")
  let next = state
  const parts: Array<Uint8Array> = []
  for (const token of pattern[state.message]!) {
    if (token === "e") {
      parts.push(next.ephemeralKey.publicKey)
      next = { ...next, symmetric: mixHash(crypto, next.symmetric, next.ephemeralKey.publicKey) }
    } else if (token === "s") {
      const sealed = encryptAndHash(crypto, next.symmetric, next.staticKey.publicKey)
      parts.push(sealed.bytes)
      next = { ...next, symmetric: sealed.state }
    } else {
      const mixed = mixAgreement(crypto, next, token)
      if (mixed === undefined) return failed("degenerate key")
      next = mixed
    }
  }
  const sealed = encryptAndHash(crypto, next.symmetric, payload(next.symmetric.hash))
  parts.push(sealed.bytes)
  return Result.succeed({
    state: { ...next, symmetric: sealed.state, message: state.message + 1 },
    bytes: concat(...parts)
  })
}

/** Reads a public key off a message: clear for `e`, sealed for `s` once there is a key. */
const readKey = (
  crypto: CryptoShape,
  state: Handshake,
  token: "e" | "s",
  bytes: Uint8Array
): { readonly state: Handshake; readonly rest: Uint8Array } | undefined => {
  const length = token === "s" && state.symmetric.key !== undefined ? 48 : 32
  if (bytes.length < length) return undefined
  const part = bytes.subarray(0, length)
  const rest = bytes.subarray(length)
  if (token === "e") {
    const remoteEphemeral = part.slice()
    return { state: { ...state, remoteEphemeral, symmetric: mixHash(crypto, state.symmetric, part) }, rest }
  }
  const opened = decryptAndHash(crypto, state.symmetric, part)
  if (opened === undefined) return undefined
  return { state: { ...state, remoteStatic: opened.plaintext.slice(), symmetric: opened.state }, rest }
}

/**
 * Reads the next message of the far end. Gives the payload and the hash its proof must have signed; a message that is
 * short, out of turn or does not authenticate is `handshake-failed` and changes nothing.
 */
export const read = (
  crypto: CryptoShape,
  state: Handshake,
  bytes: Uint8Array
): Result.Result<
  { readonly state: Handshake; readonly payload: Uint8Array; readonly hash: Uint8Array },
  Rejection.Rejection
> => {
  if (isOurTurn(state) || state.message >= pattern.length) return failed("out of turn")
  let next = state
  let rest = bytes
  for (const token of pattern[state.message]!) {
    if (token === "e" || token === "s") {
      const taken = readKey(crypto, next, token, rest)
      if (taken === undefined) return failed("key")
      next = taken.state
      rest = taken.rest
    } else {
      const mixed = mixAgreement(crypto, next, token)
      if (mixed === undefined) return failed("degenerate key")
      next = mixed
    }
  }
  const hash = next.symmetric.hash
  const opened = decryptAndHash(crypto, next.symmetric, rest)
  if (opened === undefined) return failed("payload")
  return Result.succeed({
    state: { ...next, symmetric: opened.state, message: state.message + 1 },
    payload: opened.plaintext,
    hash
  })
}

/** The secrets of a finished handshake; undefined before its last message. */
export const finish = (crypto: CryptoShape, state: Handshake): Secrets | undefined => {
  if (state.message < pattern.length || state.remoteStatic === undefined) return undefined
  const [first, second] = KeySchedule.split(crypto, state.symmetric.chainingKey, new Uint8Array(0))
  const initiator = state.role === "initiator"
  return {
    sendKey: initiator ? first : second,
    receiveKey: initiator ? second : first,
    handshakeHash: state.symmetric.hash,
    remoteStatic: state.remoteStatic
  }
}
