/**
 * The payload of handshake messages 2 and 3: who holds the static key, proven by the identity key (PROTOCOL.md §7).
 * It never outlives its handshake: what is signed contains that handshake's hash and the role.
 * It carries the whole key history, because a friend who was away knows an older key and has no other way to learn.
 */
import { Result, Schema } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { text, utf8 } from "../bytes/Bytes.ts"
import * as Authentic from "../identity/Authentic.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import * as Keys from "../identity/Keys.ts"
import { Commitment, Link } from "../identity/Link.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { Role } from "./Handshake.ts"

/** What a peer has proven about itself when a session opens. */
export interface Proof {
  readonly identityKey: Keys.RemoteIdentityKey
  /** The static key of the handshake; it replaces the line's `encryptPub`. */
  readonly agreementKey: Keys.RemoteAgreementKey
  readonly swarmKey: Keys.RemoteSwarmKey
  /** How the peer came to these keys, every step verified; of whom they are the keys is the roster's to say. */
  readonly history: KeyHistory.History
  /** The commitment to the peer's recovery key, if it has one. */
  readonly recovery: string | undefined
}

const key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
const Payload = Schema.Struct({
  identity: key,
  swarm: key,
  history: Schema.Array(Link).check(Schema.isMaxLength(Limits.historyLinksMax)),
  recovery: Schema.optionalKey(Commitment),
  signature: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/)),
  versions: Schema.optionalKey(Schema.Array(Schema.Int).check(Schema.isMaxLength(16))),
  version: Schema.optionalKey(Schema.Int)
})
const decodePayload = Schema.decodeUnknownResult(Schema.fromJsonString(Payload))

const statement = (
  crypto: CryptoShape,
  role: Role,
  hash: Uint8Array,
  staticKey: Uint8Array,
  proof: {
    readonly identityKey: Uint8Array
    readonly swarmKey: Uint8Array
    readonly history: ReadonlyArray<Link>
    readonly recovery: string | undefined
  }
): Statement.Statement => ({
  purpose: "proof",
  fields: [
    role,
    hash,
    staticKey,
    proof.identityKey,
    KeyHistory.digest(crypto, proof.history),
    proof.swarmKey,
    Base64url.decode(proof.recovery ?? "") ?? new Uint8Array(0)
  ]
})

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
  const { history, identityKey, recoveryCommitment } = keys
  const recovery = recoveryCommitment
  const signed = statement(crypto, role, hash, keys.agreementKey, { identityKey, swarmKey, history, recovery })
  return utf8(
    JSON.stringify({
      identity: Base64url.encode(identityKey),
      swarm: Base64url.encode(swarmKey),
      history,
      ...(recovery === undefined ? {} : { recovery }),
      signature: Base64url.encode(Statement.sign(crypto, keys, signed)),
      ...choice
    })
  )
}

const invalid = (detail: string) => Result.fail(Rejection.make("proof-invalid", detail))

/** Checks the far end's payload: shape, keys, signature over this very handshake and role, then the key history. */
export const read = (
  crypto: CryptoShape,
  role: Role,
  hash: Uint8Array,
  remoteStatic: Uint8Array,
  payload: Uint8Array
): Result.Result<
  { readonly proof: Authentic.Authentic<Proof>; readonly choice: VersionChoice | undefined },
  Rejection.Rejection
> => {
  const json = text(payload)
  if (json === undefined) return invalid("not text")
  const parsed = decodePayload(json)
  if (Result.isFailure(parsed)) return invalid("shape")
  const { history, identity, recovery, signature, swarm, version, versions } = parsed.success
  const identityKey = Keys.remoteIdentityKey(crypto, identity)
  if (Result.isFailure(identityKey)) return Result.fail(identityKey.failure)
  const swarmKey = Keys.remoteSwarmKey(swarm)
  const agreementKey = Keys.remoteAgreementKey(Base64url.encode(remoteStatic))
  const signatureBytes = Base64url.decodeExact(signature, 64)
  if (Result.isFailure(swarmKey) || Result.isFailure(agreementKey) || signatureBytes === undefined)
    return invalid("key")
  if (recovery !== undefined && Base64url.decodeExact(recovery, 32) === undefined) return invalid("recovery")
  const signed = statement(crypto, role, hash, remoteStatic, {
    identityKey: Keys.keyBytes(identityKey.success),
    swarmKey: Keys.keyBytes(swarmKey.success),
    history,
    recovery
  })
  const present = {
    identityKey: identityKey.success,
    agreementKey: agreementKey.success,
    swarmKey: swarmKey.success
  }
  const choice = versions === undefined || version === undefined ? undefined : { versions, version }
  // The proof's own signature first: it is one, and a history can cost two hundred.
  return Result.gen(function* () {
    const signer = yield* Statement.verify(
      crypto,
      identityKey.success,
      signed,
      signatureBytes,
      present,
      "proof-invalid"
    )
    const verified = yield* KeyHistory.verify(crypto, history, present)
    return { proof: Authentic.map(signer, (keys) => ({ ...keys, history: verified, recovery })), choice }
  })
}
