/**
 * One step from a key to its successor, as it is stored and sent: a shape with bounds and nothing else.
 * It never says whether a step is true; `identity/Rotation` makes and verifies steps.
 * It is a file of its own because our own secret document holds our steps, and keys are what steps are made of.
 */
import { Schema } from "effect"

const key = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
const signature = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/))

/** Why a key was left. `compromise`: somebody else may hold it. */
export const Reason = Schema.Literals(["scheduled", "compromise"])
export type Reason = typeof Reason.Type

/** A commitment to a recovery key: SHA-256, base64url. */
export const Commitment = key

/** The offline recovery key that vouches for a step, and the commitment to the one that takes its place. */
export const Recovery = Schema.Struct({ key, next: Commitment, signature })

/** The new identity, agreement and transport key of a node, and who vouches for them. At least one of the two does. */
export const Link = Schema.Struct({
  from: key,
  to: key,
  agreement: key,
  swarm: key,
  reason: Reason,
  tsMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  /** By the key that is left; absent where only the recovery key is at hand. */
  oldSignature: Schema.optionalKey(signature),
  /** By the new key, so that nobody can be made the successor of a key against their will. */
  newSignature: signature,
  recovery: Schema.optionalKey(Recovery)
})
export type Link = typeof Link.Type
