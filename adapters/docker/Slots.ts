/**
 * Jobs in their slots: so many at once, and each slot is free again when what ran in it is gone.
 * It never leaves anything behind: what an answer does not wait for, the layer waits for before it ends.
 * Taking a container down takes as long as starting one, and an answer that is there need not wait for it.
 */
import { Effect, Exit, Scope, type Semaphore } from "effect"

/**
 * Gives how to run a job in one of these slots, with a scope for what it makes. When it has succeeded, its scope is closed in the
 * background of `layerScope`, which cannot be closed before that is done; a job that failed or was interrupted waits for it.
 */
export const clearedAway =
  (slots: Semaphore.Semaphore, layerScope: Scope.Scope) =>
  <A, E>(job: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        yield* restore(slots.take(1))
        const scope = yield* Scope.make()
        const exit = yield* Effect.exit(restore(Scope.provide(job, scope)))
        const closing = Effect.ensuring(Scope.close(scope, exit), slots.release(1))
        if (Exit.isSuccess(exit)) {
          yield* Effect.forkIn(Effect.uninterruptible(closing), layerScope, { startImmediately: true })
        } else yield* closing
        return yield* exit
      })
    )
