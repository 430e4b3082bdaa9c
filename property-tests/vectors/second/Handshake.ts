/**
 * The second implementation's preface, Noise XX and proofs (PROTOCOL.md §6 and §7), step by step as the page has them.
 * It never draws a key: ephemeral keys are given to it, or vectors could not be made again.
 * It is written as straight lines and not as a table of tokens, so that a mistake in the core's table cannot be here too.
 */
import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto"
import { fromBase64url, hkdf, type Role, sha256, text, transcript } from "./Bytes.ts"
import { nonceOf, open, seal } from "./Sealing.ts"
import { holds, isValidKey, sign } from "./Signature.ts"

const nothing = Buffer.alloc(0)

const privateKey = (scalar: Buffer) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b656e04220420", "hex"), scalar]),
    format: "der",
    type: "pkcs8"
  })

export const agreementKey = (scalar: Buffer): Buffer =>
  createPublicKey(privateKey(scalar)).export({ format: "der", type: "spki" }).subarray(-32)

/** The shared secret; node throws for an all-zero one. */
const agree = (scalar: Buffer, key: Buffer): Buffer =>
  diffieHellman({
    privateKey: privateKey(scalar),
    publicKey: createPublicKey({ key: { kty: "OKP", crv: "X25519", x: key.toString("base64url") }, format: "jwk" })
  })

interface Symmetric {
  readonly h: Buffer
  readonly ck: Buffer
  readonly k: Buffer
  readonly n: number
}

const mixHash = (state: Symmetric, bytes: Buffer): Symmetric => ({
  ...state,
  h: sha256(Buffer.concat([state.h, bytes]))
})

const mixKey = (state: Symmetric, secret: Buffer): Symmetric => {
  const derived = hkdf(secret, state.ck, nothing, 64)
  return { h: state.h, ck: derived.subarray(0, 32), k: derived.subarray(32), n: 0 }
}

const encrypt = (state: Symmetric, plaintext: Buffer): readonly [Symmetric, Buffer] => {
  const sealed = seal(state.k, nonceOf(state.n), state.h, plaintext)
  return [mixHash({ ...state, n: state.n + 1 }, sealed), sealed]
}

const decrypt = (state: Symmetric, sealed: Buffer): readonly [Symmetric, Buffer] => {
  const plaintext = open(state.k, nonceOf(state.n), state.h, sealed)
  return [mixHash({ ...state, n: state.n + 1 }, sealed), plaintext]
}

export const prologue = (preface: Buffer, binding: Buffer): Buffer => transcript("wop/3 prologue", [preface, binding])

export const preface = (versions: ReadonlyArray<number>): Buffer =>
  Buffer.concat([Buffer.from("wop/p2p"), Buffer.of(versions.length, ...versions)])

const start = (mixed: Buffer): Symmetric => {
  const name = Buffer.concat([Buffer.from("Noise_XX_25519_AESGCM_SHA256"), Buffer.alloc(4)])
  return mixHash({ h: name, ck: name, k: nothing, n: 0 }, mixed)
}

/** What both sides bring: their secrets and the facts of the link. */
export interface Side {
  readonly identitySeed: Buffer
  readonly identityKey: Buffer
  readonly agreementScalar: Buffer
  readonly ephemeralScalar: Buffer
  readonly transportKey: Buffer
  readonly remoteTransportKey: Buffer
  readonly prologue: Buffer
}

/** What one side knows of the other after its proof. */
export interface Proven {
  readonly identityKey: Buffer
  readonly staticKey: Buffer
  readonly payload: string
  readonly proofHash: Buffer
}

export interface Keys {
  readonly handshakeHash: Buffer
  readonly initiatorKey: Buffer
  readonly responderKey: Buffer
}

const proofFields = (role: Role, hash: Buffer, staticKey: Buffer, identityKey: Buffer, transportKey: Buffer) => {
  const history = sha256(transcript("wop/3 key history", []))
  return [role, hash, staticKey, identityKey, history, transportKey, Buffer.alloc(0)]
}

const proof = (side: Side, role: Role, hash: Buffer): Buffer => {
  const staticKey = agreementKey(side.agreementScalar)
  const fields = proofFields(role, hash, staticKey, side.identityKey, side.transportKey)
  const members = {
    identity: side.identityKey.toString("base64url"),
    swarm: side.transportKey.toString("base64url"),
    history: [],
    signature: sign(side.identitySeed, "wop/3 proof", fields).toString("base64url"),
    ...(role === "responder" ? { versions: [3], version: 3 } : {})
  }
  return Buffer.from(JSON.stringify(members))
}

/** Checks a proof of the far end, in the page's order; throws the code of a refusal. */
const prove = (side: Side, role: Role, hash: Buffer, staticKey: Buffer, payload: Buffer): Proven => {
  const { identity, signature, swarm, version, versions } = JSON.parse(text(payload)) as Record<string, unknown>
  const identityKey = fromBase64url(String(identity))
  const transportKey = fromBase64url(String(swarm))
  const signed = fromBase64url(String(signature))
  if (identityKey === undefined || !isValidKey(identityKey)) throw new Error("key-invalid")
  if (transportKey?.length !== 32 || signed?.length !== 64) throw new Error("proof-invalid")
  const fields = proofFields(role, hash, staticKey, identityKey, transportKey)
  if (!holds(identityKey, "wop/3 proof", fields, signed)) throw new Error("proof-invalid")
  if (!transportKey.equals(side.remoteTransportKey)) throw new Error("proof-invalid")
  if (identityKey.equals(side.identityKey)) throw new Error("self-dial")
  const shared = Array.isArray(versions) && versions.includes(3) && version === 3
  if (role === "responder" && !shared) throw new Error("version-downgraded")
  return { identityKey, staticKey, payload: text(payload), proofHash: hash }
}

const finish = ({ ck, h }: Symmetric): Keys => {
  const derived = hkdf(nothing, ck, nothing, 64)
  return { handshakeHash: h, initiatorKey: derived.subarray(0, 32), responderKey: derived.subarray(32) }
}

const firstState = (side: Side, ephemeral: Buffer): Symmetric =>
  mixHash(mixHash(start(side.prologue), ephemeral), nothing)

export const message1 = (side: Side): Buffer => agreementKey(side.ephemeralScalar)

/** Answers message 1: message 2, and how to read message 3. */
export const message2 = (side: Side, first: Buffer) => {
  const remote = first.subarray(0, 32)
  const own = agreementKey(side.ephemeralScalar)
  const read = mixHash(mixHash(start(side.prologue), remote), first.subarray(32))
  const agreed = mixKey(mixHash(read, own), agree(side.ephemeralScalar, remote))
  const [named, sealedStatic] = encrypt(agreed, agreementKey(side.agreementScalar))
  const keyed = mixKey(named, agree(side.agreementScalar, remote))
  const [done, sealedProof] = encrypt(keyed, proof(side, "responder", keyed.h))
  const last = (third: Buffer): { readonly proven: Proven; readonly keys: Keys } => {
    const [known, staticKey] = decrypt(done, third.subarray(0, 48))
    const mixed = mixKey(known, agree(side.ephemeralScalar, staticKey))
    const [end, payload] = decrypt(mixed, third.subarray(48))
    return { proven: prove(side, "initiator", mixed.h, staticKey, payload), keys: finish(end) }
  }
  return { bytes: Buffer.concat([own, sealedStatic, sealedProof]), last }
}

/** Answers message 2 with message 3; what the far end has proven, and the keys. */
export const message3 = (side: Side, second: Buffer) => {
  const remote = second.subarray(0, 32)
  const begun = mixHash(firstState(side, message1(side)), remote)
  const agreed = mixKey(begun, agree(side.ephemeralScalar, remote))
  const [named, staticKey] = decrypt(agreed, second.subarray(32, 80))
  const keyed = mixKey(named, agree(side.ephemeralScalar, staticKey))
  const [proved, payload] = decrypt(keyed, second.subarray(80))
  const proven = prove(side, "responder", keyed.h, staticKey, payload)
  const [told, sealedStatic] = encrypt(proved, agreementKey(side.agreementScalar))
  const mixed = mixKey(told, agree(side.agreementScalar, remote))
  const [end, sealedProof] = encrypt(mixed, proof(side, "initiator", mixed.h))
  return { bytes: Buffer.concat([sealedStatic, sealedProof]), proven, keys: finish(end) }
}
