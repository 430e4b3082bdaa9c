/**
 * Everything that is signed with an identity key: one label table, one way to sign, one way to verify.
 * A statement never carries JSON and never decides whether a fresh thing is fresh; `admission/ReplayWindow` does.
 * A label binds a signature to one purpose and version, so that none can be moved to another.
 */
import { Result } from "effect"
import type { CryptoShape, SecretBytes } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Rejection from "../Rejection.ts"
import { type Authentic, prove, type Signer } from "./Authentic.ts"
import { keyBytes, type LocalKeys, type RemoteIdentityKey } from "./Keys.ts"
import * as PeerId from "./PeerId.ts"

/** Purpose → label. A new kind of statement is a new row. */
export const labels = {
  friendRequest: "wop/3 friend-request",
  friendAccept: "wop/3 friend-accept",
  proof: "wop/3 proof",
  message: "wop/3 message",
  rotation: "wop/3 rotation",
  profile: "wop/3 profile",
  auditHead: "wop/3 audit-head"
} as const

export type Purpose = keyof typeof labels

/** What is signed: the purpose, and the fields in the order the protocol lists them. */
export interface Statement {
  readonly purpose: Purpose
  readonly fields: ReadonlyArray<Transcript.Field>
}

const bytesOf = (statement: Statement): Uint8Array => Transcript.encode(labels[statement.purpose], statement.fields)

/** A signature over a statement by the holder of a seed, 64 bytes (Ed25519, deterministic). */
export const signWith = (crypto: CryptoShape, seed: SecretBytes, statement: Statement): Uint8Array =>
  crypto.ed25519Sign(seed, bytesOf(statement))

/** Our signature over a statement. */
export const sign = (crypto: CryptoShape, keys: LocalKeys, statement: Statement): Uint8Array =>
  signWith(crypto, keys.identitySeed, statement)

/** The signer of a key, with what follows from the key. */
export const signerOf = (crypto: Pick<CryptoShape, "sha256">, key: RemoteIdentityKey): Signer => ({
  key,
  peerId: PeerId.of(crypto, key),
  topic: Base64url.encode(PeerId.topicOf(crypto, keyBytes(key)))
})

/**
 * Checks a signature under the rule of PROTOCOL.md §2 and hands the value on as authentic.
 * Fails with `refusal` (which row of the table depends on where the statement came from).
 */
export const verify = <A>(
  crypto: Pick<CryptoShape, "sha256" | "ed25519Verify">,
  key: RemoteIdentityKey,
  statement: Statement,
  signature: Uint8Array,
  value: A,
  refusal: Rejection.Code
): Result.Result<Authentic<A>, Rejection.Rejection> =>
  crypto.ed25519Verify(keyBytes(key), bytesOf(statement), signature)
    ? Result.succeed(prove(signerOf(crypto, key), value))
    : Result.fail(Rejection.make(refusal))

/** Whether a statement was signed by a signer already known: for each message of a session, without deriving again. */
export const holds = (
  crypto: CryptoShape,
  key: RemoteIdentityKey,
  statement: Statement,
  signature: Uint8Array
): boolean => crypto.ed25519Verify(keyBytes(key), bytesOf(statement), signature)
