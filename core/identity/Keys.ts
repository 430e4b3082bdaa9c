/**
 * The kinds of key there are, who holds them, and how they are spelt.
 * A remote key never comes into being except through a check here; a local secret never leaves `Redacted`.
 * Keys of peers are text, because they are compared, stored and used as map keys far more often than computed with.
 */
import { type Brand, Redacted, Result, Schema } from "effect"
import type { CryptoShape, SecretBytes } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { utf8 } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import { Commitment, Link } from "./Link.ts"

/** A peer's Ed25519 key, admitted by the rule of PROTOCOL.md §2: 43 characters base64url. */
export type RemoteIdentityKey = string & Brand.Brand<"RemoteIdentityKey">
/** A peer's X25519 key: 43 characters base64url. */
export type RemoteAgreementKey = string & Brand.Brand<"RemoteAgreementKey">
/** A peer's transport key: 43 characters base64url. Proven by the transport only. */
export type RemoteSwarmKey = string & Brand.Brand<"RemoteSwarmKey">

/** Our own keys: three secrets and their public halves. */
export interface LocalKeys {
  readonly identitySeed: SecretBytes
  readonly identityKey: Uint8Array
  readonly agreementScalar: SecretBytes
  readonly agreementKey: Uint8Array
  readonly swarmSeed: SecretBytes
  readonly createdAtMs: number
  /** Our rotations that led to these keys, oldest first, at most 64; empty for a node that has never rotated. */
  readonly history: ReadonlyArray<Link>
  /** SHA-256 of our offline recovery key, base64url; absent where there is none. */
  readonly recoveryCommitment?: string
}

/** Admits an identity key: one spelling, and a valid point as every engine must see it. */
export const remoteIdentityKey = (
  crypto: Pick<CryptoShape, "ed25519ValidKey">,
  text: string
): Result.Result<RemoteIdentityKey, Rejection.Rejection> => {
  const bytes = Base64url.decodeExact(text, 32)
  return bytes !== undefined && crypto.ed25519ValidKey(bytes)
    ? Result.succeed(text as RemoteIdentityKey)
    : Result.fail(Rejection.make("key-invalid", "identity key"))
}

/** Admits an agreement key: one spelling. Points that give an all-zero secret are refused when they are used. */
export const remoteAgreementKey = (text: string): Result.Result<RemoteAgreementKey, Rejection.Rejection> =>
  Base64url.decodeExact(text, 32) === undefined
    ? Result.fail(Rejection.make("key-invalid", "agreement key"))
    : Result.succeed(text as RemoteAgreementKey)

/** Admits a transport key: one spelling. */
export const remoteSwarmKey = (text: string): Result.Result<RemoteSwarmKey, Rejection.Rejection> =>
  Base64url.decodeExact(text, 32) === undefined
    ? Result.fail(Rejection.make("key-invalid", "transport key"))
    : Result.succeed(text as RemoteSwarmKey)

/** The bytes of an admitted key. */
export const keyBytes = (key: RemoteIdentityKey | RemoteAgreementKey | RemoteSwarmKey): Uint8Array => {
  const bytes = Base64url.decodeExact(key, 32)
  if (bytes === undefined) throw new Error("a key was admitted that has no bytes")
  return bytes
}

/** The swarm seed is derived from the identity seed and equal to nothing else (PROTOCOL.md, appendix A). */
const swarmSeedOf = (crypto: CryptoShape, identitySeed: Uint8Array): Uint8Array => {
  const seed = crypto.hkdfSha256(identitySeed, utf8("wop/3"), Transcript.encode("wop/3 swarm key", []), 32)
  if (seed === undefined) throw new Error("HKDF refused 32 bytes")
  return seed
}

const assemble = (crypto: CryptoShape, seed: Uint8Array, scalar: Uint8Array, createdAtMs: number): LocalKeys => {
  const identitySeed = Redacted.make(seed, { label: "identity seed" })
  const agreementScalar = Redacted.make(scalar, { label: "agreement scalar" })
  return {
    identitySeed,
    identityKey: crypto.ed25519PublicKey(identitySeed),
    agreementScalar,
    agreementKey: crypto.x25519PublicKey(agreementScalar),
    swarmSeed: Redacted.make(swarmSeedOf(crypto, seed), { label: "swarm seed" }),
    createdAtMs,
    history: []
  }
}

/** Our transport key: the public half of the seed that the transport is given. */
export const swarmKey = (crypto: CryptoShape, keys: LocalKeys): Uint8Array => crypto.ed25519PublicKey(keys.swarmSeed)

/** New keys from the Crypto port's entropy. */
export const generate = (crypto: CryptoShape, nowMs: number): LocalKeys =>
  assemble(crypto, crypto.randomBytes(32), crypto.randomBytes(32), nowMs)

const Document = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(3),
    identitySeed: Schema.String,
    agreementScalar: Schema.String,
    createdAtMs: Schema.Int,
    history: Schema.optionalKey(Schema.Array(Link).check(Schema.isMaxLength(Limits.historyLinksMax))),
    recoveryCommitment: Schema.optionalKey(Commitment)
  })
)

/** The secret document for the KeyVault: JSON with base64url secrets. */
export const toDocument = (keys: LocalKeys): Redacted.Redacted<string> =>
  Redacted.make(
    Schema.encodeSync(Document)({
      version: 3,
      identitySeed: Base64url.encode(Redacted.value(keys.identitySeed)),
      agreementScalar: Base64url.encode(Redacted.value(keys.agreementScalar)),
      createdAtMs: keys.createdAtMs,
      history: keys.history,
      ...(keys.recoveryCommitment === undefined ? {} : { recoveryCommitment: keys.recoveryCommitment })
    }),
    { label: "identity document" }
  )

/** The keys of a vault's document, or undefined if it is not one of ours. */
export const fromDocument = (crypto: CryptoShape, document: Redacted.Redacted<string>): LocalKeys | undefined => {
  const parsed = Schema.decodeUnknownResult(Document)(Redacted.value(document))
  if (Result.isFailure(parsed)) return undefined
  const seed = Base64url.decodeExact(parsed.success.identitySeed, 32)
  const scalar = Base64url.decodeExact(parsed.success.agreementScalar, 32)
  if (seed === undefined || scalar === undefined) return undefined
  const { createdAtMs, history = [], recoveryCommitment } = parsed.success
  const keys = { ...assemble(crypto, seed, scalar, createdAtMs), history }
  return recoveryCommitment === undefined ? keys : { ...keys, recoveryCommitment }
}
