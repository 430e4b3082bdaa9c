/**
 * Changes of a node's identity at rest: a rotation and a recovery key, each one save of the vault.
 * It never touches a running node: who changes the keys ends the node first and starts it on the new ones.
 * The save is the whole commit: before it the old identity stands, after it the new one, and both find their records.
 */
import { Clock, Effect, type Redacted } from "effect"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import * as Keys from "../identity/Keys.ts"
import type { Reason } from "../identity/Link.ts"
import * as Rotation from "../identity/Rotation.ts"
import * as Rejection from "../Rejection.ts"
import { loadKeys, StartError } from "./Node.ts"

const save = Effect.fnUntraced(function* (keys: Keys.LocalKeys) {
  const vault = yield* KeyVault
  yield* vault
    .save(Keys.toDocument(keys))
    .pipe(Effect.catch((error) => Effect.fail(new StartError({ code: "keys", message: error.message }))))
})

/**
 * Rotates identity, agreement and transport key together. With the recovery key, the step also wins against a thief's;
 * the result then holds the recovery key that replaces it, to be shown once.
 */
export const rotate = Effect.fnUntraced(function* (
  reason: Reason,
  recoveryKey?: Redacted.Redacted<Uint8Array>
): Effect.fn.Return<Rotation.Rotated, StartError | Rejection.Rejection, Crypto | KeyVault> {
  const crypto = yield* Crypto
  const keys = yield* loadKeys
  const nowMs = yield* Clock.currentTimeMillis
  const rotated = yield* Effect.fromResult(Rotation.rotate(crypto, keys, reason, nowMs, recoveryKey))
  yield* save(rotated.keys)
  return rotated
})

/** Makes a recovery key and keeps its commitment only. Refused with `recovery-exists`: the old one replaces itself. */
export const addRecoveryKey: Effect.Effect<
  Redacted.Redacted<Uint8Array>,
  StartError | Rejection.Rejection,
  Crypto | KeyVault
> = Effect.gen(function* () {
  const crypto = yield* Crypto
  const keys = yield* loadKeys
  if (keys.recoveryCommitment !== undefined) return yield* Effect.fail(Rejection.make("recovery-exists"))
  const { commitment, secret } = Rotation.newRecoveryKey(crypto)
  yield* save({ ...keys, recoveryCommitment: commitment })
  return secret
})
