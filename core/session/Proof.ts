/**
 * The payload of handshake messages 2 and 3: who holds the static key, proven by the identity key (protocol §4).
 * It never outlives its handshake: what is signed contains that handshake's hash and the role.
 * Key history and recovery commitment have their place in the format; a node that has never rotated sends none.
 */
import { Result, Schema } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { text, utf8 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as Keys from "../identity/Keys.ts"
import * as Statement from "../identity/Statement.ts"
import * as Rejection from "../Rejection.ts"
import type { Role } from "./Handshake.ts"

/** What a peer has proven about itself when a session opens. */
export interface Proof {
  readonly identityKey: Keys.RemoteIdentityKey
  /** The static key of the handshake; it replaces the line's `encryptPub`. */
  readonly agreementKey: Keys.RemoteAgreementKey
  readonly swarmKey: Keys.RemoteSwarmKey
}

const key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
const Payload = Schema.Struct({
  identity: key,
  swarm: key,
  history: Schema.Array(Schema.Unknown).check(Schema.isMaxLength(64)),
  signature: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/)),
  versions: Schema.optionalKey(Schema.Array(Schema.Int).check(Schema.isMaxLength(16))),
  version: Schema.optionalKey(Schema.Int)
})
const decodePayload = Schema.decodeUnknownResult(Schema.fromJsonString(Payload))

/** A history as text, or undefined where a stranger nested it deeper than the runtime can write (it can read it). */
const historyText = (history: ReadonlyArray<unknown>): string | undefined => {
  try {
    return JSON.stringify(history)
  } catch {
    return undefined
  }
}

const statement = (
  crypto: CryptoShape,
  role: Role,
  hash: Uint8Array,
  staticKey: Uint8Array,
  proof: { readonly identityKey: Uint8Array; readonly swarmKey: Uint8Array; readonly history: string }
): Statement.Statement => {
  const historyHash = crypto.sha256(Transcript.encode("wop/3 key history", [proof.history]))
  return { purpose: "proof", fields: [role, hash, staticKey, proof.identityKey, historyHash, proof.swarmKey] }
}

/** The responder repeats its versions and its choice, under the handshake's protection. */
export interface VersionChoice {
  readonly versions: ReadonlyArray<number>
  readonly version: number
}

/** Our payload for a handshake whose hash (before the payload) is `hash`. */
export const write = (
  crypto: CryptoShape,
  keys: Keys.LocalKeys,
  swarmKey: Uint8Array,
  role: Role,
  hash: Uint8Array,
  choice: VersionChoice | undefined
): Uint8Array => {
  const signed = statement(crypto, role, hash, keys.agreementKey, {
    identityKey: keys.identityKey,
    swarmKey,
    history: "[]"
  })
  return utf8(
    JSON.stringify({
      identity: Base64url.encode(keys.identityKey),
      swarm: Base64url.encode(swarmKey),
      history: [],
      signature: Base64url.encode(Statement.sign(crypto, keys, signed)),
      ...choice
    })
  )
}

const invalid = (detail: string) => Result.fail(Rejection.make("proof-invalid", detail))

/** Checks the far end's payload: shape, keys, signature over this very handshake and role. */
export const read = (
  crypto: CryptoShape,
  role: Role,
  hash: Uint8Array,
  remoteStatic: Uint8Array,
  payload: Uint8Array
): Result.Result<
  { readonly proof: Authentic<Proof>; readonly choice: VersionChoice | undefined },
  Rejection.Rejection
> => {
  const json = text(payload)
  if (json === undefined) return invalid("not text")
  const parsed = decodePayload(json)
  if (Result.isFailure(parsed)) return invalid("shape")
  const { history, identity, signature, swarm, version, versions } = parsed.success
  const identityKey = Keys.remoteIdentityKey(crypto, identity)
  if (Result.isFailure(identityKey)) return Result.fail(identityKey.failure)
  const swarmKey = Keys.remoteSwarmKey(swarm)
  const agreementKey = Keys.remoteAgreementKey(Base64url.encode(remoteStatic))
  const signatureBytes = Base64url.decodeExact(signature, 64)
  if (Result.isFailure(swarmKey) || Result.isFailure(agreementKey) || signatureBytes === undefined)
    return invalid("key")
  const historySigned = historyText(history)
  if (historySigned === undefined) return invalid("history")
  const signed = statement(crypto, role, hash, remoteStatic, {
    identityKey: Keys.keyBytes(identityKey.success),
    swarmKey: Keys.keyBytes(swarmKey.success),
    history: historySigned
  })
  const value = {
    identityKey: identityKey.success,
    agreementKey: agreementKey.success,
    swarmKey: swarmKey.success
  }
  const choice = versions === undefined || version === undefined ? undefined : { versions, version }
  return Result.map(
    Statement.verify(crypto, identityKey.success, signed, signatureBytes, value, "proof-invalid"),
    (proof) => ({ proof, choice })
  )
}
