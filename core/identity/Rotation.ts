/**
 * Making and verifying one step from a key to its successor, and the offline key that can vouch for one.
 * It never knows who follows a step, nor keeps a key that was left: after a rotation its secret is gone.
 * All signatures of a step are over one statement, so that none can be moved to another step; which of them are there
 * is signed by the proof of each session.
 */
import { Redacted, Result } from "effect"
import type { CryptoShape, SecretBytes } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Keys from "./Keys.ts"
import type { Link, Reason } from "./Link.ts"
import * as Statement from "./Statement.ts"

/** A step whose every signature holds. */
export interface Step {
  readonly from: Keys.RemoteIdentityKey
  readonly to: Keys.RemoteIdentityKey
  readonly agreementKey: Keys.RemoteAgreementKey
  readonly swarmKey: Keys.RemoteSwarmKey
  readonly reason: Reason
  readonly tsMs: number
  /** Whether the key that is left vouches for the step. */
  readonly byOld: boolean
  /** The commitment to the recovery key that vouches for it, and the one that takes its place. */
  readonly recovery: { readonly commitment: string; readonly next: string } | undefined
}

type Unsigned = Omit<Link, "oldSignature" | "newSignature" | "recovery"> & {
  readonly recovery?: { readonly key: string; readonly next: string }
}

const bytesOr = (text: string | undefined): Uint8Array => Base64url.decode(text ?? "") ?? new Uint8Array(0)

const fieldsOf = (link: Unsigned): ReadonlyArray<Transcript.Field> => [
  bytesOr(link.from),
  bytesOr(link.to),
  bytesOr(link.agreement),
  bytesOr(link.swarm),
  link.reason,
  link.tsMs,
  bytesOr(link.recovery?.key),
  bytesOr(link.recovery?.next)
]

/** What old key, new key and recovery key sign. */
export const statement = (link: Unsigned): Statement.Statement => ({ purpose: "rotation", fields: fieldsOf(link) })

/** A step as bytes, signatures included: what a proof's signature covers of it. */
export const transcript = (link: Link): Uint8Array =>
  Transcript.encode("wop/3 link", [
    ...fieldsOf(link),
    bytesOr(link.oldSignature),
    bytesOr(link.newSignature),
    bytesOr(link.recovery?.signature)
  ])

/** What friends keep of a recovery key until it is used. */
const commitmentOf = (crypto: CryptoShape, publicKey: Uint8Array): string =>
  Base64url.encode(crypto.sha256(Transcript.encode("wop/3 recovery", [publicKey])))

/** A new recovery key. The secret is shown once and kept nowhere; the commitment is what stays. */
export const newRecoveryKey = (crypto: CryptoShape): { readonly secret: SecretBytes; readonly commitment: string } => {
  const secret = Redacted.make(crypto.randomBytes(32), { label: "recovery key" })
  return { secret, commitment: commitmentOf(crypto, crypto.ed25519PublicKey(secret)) }
}

/** A recovery key as a person has written it down: 43 characters base64url. */
export const parseRecoveryKey = (text: string): SecretBytes | undefined => {
  const bytes = Base64url.decodeExact(text.trim(), 32)
  return bytes === undefined ? undefined : Redacted.make(bytes, { label: "recovery key" })
}

const invalid = (detail: string) => Result.fail(Rejection.make("history-invalid", detail))

/** Checks keys, spelling and every signature of a step. It is true of the keys in it; of whom is `KeyHistory`'s to say. */
export const verify = (crypto: CryptoShape, link: Link): Result.Result<Step, Rejection.Rejection> =>
  Result.gen(function* () {
    const from = yield* Keys.remoteIdentityKey(crypto, link.from)
    const to = yield* Keys.remoteIdentityKey(crypto, link.to)
    const agreementKey = yield* Keys.remoteAgreementKey(link.agreement)
    const swarmKey = yield* Keys.remoteSwarmKey(link.swarm)
    if (from === to) return yield* invalid("a key cannot follow itself")
    if (link.oldSignature === undefined && link.recovery === undefined) return yield* invalid("nobody vouches for it")
    const signed = statement(link)
    const holds = (key: Keys.RemoteIdentityKey, signature: string) => {
      const bytes = Base64url.decodeExact(signature, 64)
      return bytes !== undefined && Statement.holds(crypto, key, signed, bytes)
    }
    if (!holds(to, link.newSignature)) return yield* invalid("the new key's signature")
    if (link.oldSignature !== undefined && !holds(from, link.oldSignature)) {
      return yield* invalid("the old key's signature")
    }
    const recovery = link.recovery === undefined ? undefined : yield* verifyRecovery(crypto, link.recovery, holds)
    const { reason, tsMs } = link
    return { from, to, agreementKey, swarmKey, reason, tsMs, byOld: link.oldSignature !== undefined, recovery }
  })

const verifyRecovery = (
  crypto: CryptoShape,
  recovery: NonNullable<Link["recovery"]>,
  holds: (key: Keys.RemoteIdentityKey, signature: string) => boolean
): Result.Result<NonNullable<Step["recovery"]>, Rejection.Rejection> =>
  Result.flatMap(Keys.remoteIdentityKey(crypto, recovery.key), (key) =>
    Base64url.decodeExact(recovery.next, 32) !== undefined && holds(key, recovery.signature)
      ? Result.succeed({ commitment: commitmentOf(crypto, Keys.keyBytes(key)), next: recovery.next })
      : invalid("the recovery key's signature")
  )

/** What a rotation gives: the keys from now on, and the recovery key that replaces the one that was used. */
export interface Rotated {
  readonly keys: Keys.LocalKeys
  readonly link: Link
  readonly recoverySecret: SecretBytes | undefined
}

/**
 * New identity, agreement and transport key, and the step that leads to them, all at once. Refused with
 * `recovery-unknown` for a recovery key that is not ours. Nothing has happened until the new keys are in the vault.
 */
export const rotate = (
  crypto: CryptoShape,
  keys: Keys.LocalKeys,
  reason: Reason,
  nowMs: number,
  recoveryKey?: SecretBytes
): Result.Result<Rotated, Rejection.Rejection> => {
  const publicKey = recoveryKey === undefined ? undefined : crypto.ed25519PublicKey(recoveryKey)
  if (publicKey !== undefined && commitmentOf(crypto, publicKey) !== keys.recoveryCommitment) {
    return Result.fail(Rejection.make("recovery-unknown"))
  }
  const next = Keys.generate(crypto, nowMs)
  // A recovery key that was typed into a machine is not offline any more: each use brings its successor.
  const successor = publicKey === undefined ? undefined : newRecoveryKey(crypto)
  const unsigned: Unsigned = {
    from: Base64url.encode(keys.identityKey),
    to: Base64url.encode(next.identityKey),
    agreement: Base64url.encode(next.agreementKey),
    swarm: Base64url.encode(Keys.swarmKey(crypto, next)),
    reason,
    tsMs: nowMs,
    ...(publicKey === undefined || successor === undefined
      ? {}
      : { recovery: { key: Base64url.encode(publicKey), next: successor.commitment } })
  }
  const sign = (seed: SecretBytes) => Base64url.encode(Statement.signWith(crypto, seed, statement(unsigned)))
  const { recovery, ...rest } = unsigned
  const link: Link = {
    ...rest,
    oldSignature: sign(keys.identitySeed),
    newSignature: sign(next.identitySeed),
    ...(recovery === undefined || recoveryKey === undefined
      ? {}
      : { recovery: { ...recovery, signature: sign(recoveryKey) } })
  }
  const commitment = successor?.commitment ?? keys.recoveryCommitment
  return Result.succeed({
    keys: {
      ...next,
      history: [...keys.history, link].slice(-Limits.historyLinksMax),
      ...(commitment === undefined ? {} : { recoveryCommitment: commitment })
    },
    link,
    recoverySecret: successor?.secret
  })
}
