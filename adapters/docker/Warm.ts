/**
 * Containers that are created, confirmed and started ahead, so that a turn need not wait for that: one turn each.
 * It never gives one out twice, and never one that has ended meanwhile; what it cannot give is made as without it.
 * They belong to the layer until they are taken, and to whoever took them from then on.
 */
import type { Duplex } from "node:stream"
import type Docker from "dockerode"
import { Effect, Exit, Schedule, Scope } from "effect"
import type { Confinement, SandboxError } from "../../ports/Sandbox.ts"

/** A container whose program runs and waits for its first line. */
export interface Running {
  readonly container: Docker.Container
  readonly confinement: Confinement
  readonly input: Duplex
  readonly outputs: Duplex
}

/** One that waits to be taken, and the scope that removes it. */
interface Waiting {
  readonly running: Running
  readonly scope: Scope.Closeable
}

/** An engine that fails is asked again after this, not at once. */
const again = Schedule.spaced("15 seconds")

/**
 * Keeps `count` of what `make` makes ready, as long as `layerScope` is open. Gives an effect that takes one, in the caller's
 * scope, or undefined where none is ready; `isAlive` is asked of each before it is given out.
 */
export const pool = (
  count: number,
  make: Effect.Effect<Running, SandboxError, Scope.Scope>,
  isAlive: (running: Running) => Effect.Effect<boolean>,
  layerScope: Scope.Scope
): Effect.Effect<Effect.Effect<Running | undefined, never, Scope.Scope>> =>
  Effect.suspend(() => {
    const waiting: Array<Waiting> = []
    let making = 0
    const makeOne = Effect.gen(function* () {
      const scope = yield* Scope.fork(layerScope)
      const exit = yield* Effect.exit(Scope.provide(make, scope))
      if (Exit.isSuccess(exit)) waiting.push({ running: exit.value, scope })
      else yield* Effect.andThen(Scope.close(scope, Exit.void), Effect.failCause(exit.cause))
    })
    const fill: Effect.Effect<void> = Effect.suspend(() => {
      if (waiting.length + making >= count) return Effect.void
      making++
      const one = makeOne.pipe(
        Effect.retry(again),
        Effect.ignore,
        Effect.ensuring(
          Effect.sync(() => {
            making--
          })
        )
      )
      return Effect.andThen(Effect.forkIn(one, layerScope), fill)
    })
    const take: Effect.Effect<Running | undefined, never, Scope.Scope> = Effect.gen(function* () {
      const found = waiting.shift()
      yield* fill
      if (found === undefined) return undefined
      yield* Effect.addFinalizer(() => Scope.close(found.scope, Exit.void))
      return (yield* isAlive(found.running)) ? found.running : yield* take
    })
    return Effect.as(fill, take)
  })
