/**
 * Containers that stay for the next talk of the same conversation, where the owner wants that: one each, few, and not for long.
 * It never gives one to another key, nor to two talks at once, nor keeps one whose talk did not end well.
 * Between two talks a container is frozen: what was left running in it gets no processor, and ends with it.
 */
import { Clock, Effect, Exit, Scope } from "effect"
import type { SandboxError } from "../../ports/Sandbox.ts"
import type { Lines } from "./Output.ts"
import type { Running } from "./Warm.ts"

/** How many are kept at most, how long unused, and how long in all. */
export interface Keeping {
  readonly count: number
  readonly idleMs: number
  readonly ageMs: number
}

/** A container in use, or kept; its scope removes it. */
export interface Kept {
  readonly running: Running
  readonly lines: Lines
  readonly scope: Scope.Closeable
  readonly bornMs: number
}

export interface Keeper {
  /** The one kept for a key, thawed and alive, and kept no more; undefined where there is none. */
  readonly take: (key: string) => Effect.Effect<Kept | undefined>
  /** Keeps one for a key, frozen, or removes it. */
  readonly put: (key: string, kept: Kept) => Effect.Effect<void>
}

const removed = ({ scope }: Kept): Effect.Effect<void> => Scope.close(scope, Exit.void)

/** What keeps containers as long as `layerScope` is open. `freeze` and `thaw` fail where a container is not as it was left. */
export const keeper = (
  { ageMs, count, idleMs }: Keeping,
  freeze: (running: Running) => Effect.Effect<void, SandboxError>,
  thaw: (running: Running) => Effect.Effect<void, SandboxError>,
  layerScope: Scope.Scope
): Keeper => {
  const waiting = new Map<string, Kept>()
  const endLater = (key: string, kept: Kept, afterMs: number) =>
    Effect.sleep(afterMs).pipe(
      Effect.andThen(
        Effect.suspend(() => {
          if (waiting.get(key) !== kept) return Effect.void
          waiting.delete(key)
          return removed(kept)
        })
      ),
      Effect.forkIn(layerScope)
    )
  const take: Keeper["take"] = (key) =>
    Effect.suspend(() => {
      const kept = waiting.get(key)
      if (kept === undefined) return Effect.succeed(undefined)
      waiting.delete(key)
      return thaw(kept.running).pipe(
        Effect.as<Kept | undefined>(kept),
        Effect.catch(() => Effect.as(removed(kept), undefined)),
        Effect.onInterrupt(() => removed(kept))
      )
    })
  const put: Keeper["put"] = (key, kept) =>
    Effect.gen(function* () {
      const leftMs = Math.min(idleMs, kept.bornMs + ageMs - (yield* Clock.currentTimeMillis))
      const isFrozen = leftMs > 0 && Exit.isSuccess(yield* Effect.exit(freeze(kept.running)))
      // Another talk of this key may have ended meanwhile: one is kept, not two.
      if (!isFrozen || waiting.has(key)) return yield* removed(kept)
      const [oldest] = waiting
      if (waiting.size >= count && oldest !== undefined) {
        waiting.delete(oldest[0])
        yield* Effect.forkIn(removed(oldest[1]), layerScope)
      }
      waiting.set(key, kept)
      yield* endLater(key, kept, leftMs)
    })
  return { take, put }
}
