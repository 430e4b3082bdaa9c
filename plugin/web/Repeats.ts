/**
 * Wishes that may be asked for twice: a page whose answer was lost asks again under the same id, and gets the first answer.
 * It never carries out a second time, and never gives one wish's answer to another that took its id.
 * What was begun goes on when the page hangs up: a command cut off in the middle would leave nobody knowing.
 */
import { createHash } from "node:crypto"
import { Cause, Deferred, Effect, Exit, type Scope } from "effect"
import * as Bounds from "./Bounds.ts"
import { type Fault, fault } from "./Fault.ts"

interface Remembered {
  readonly wish: string
  readonly untilMs: number
  readonly end: Deferred.Deferred<unknown, Fault>
}

export interface Repeats {
  /** Carries a wish out, once for an id. `repeated` says that the answer is an earlier request's. */
  readonly once: <A>(
    id: string,
    wish: unknown,
    nowMs: number,
    carryOut: Effect.Effect<A, Fault>
  ) => Effect.Effect<{ readonly answer: A; readonly repeated: boolean }, Fault>
}

/** A memory for the scope; what is being carried out ends with it. */
export const make: Effect.Effect<Repeats, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const remembered = new Map<string, Remembered>()
  const tidy = (nowMs: number) => {
    for (const [id, { untilMs }] of remembered) if (untilMs <= nowMs) remembered.delete(id)
    for (const id of remembered.keys()) {
      if (remembered.size < Bounds.commandsRememberedMax) return
      remembered.delete(id)
    }
  }
  const begun = Effect.fnUntraced(function* (one: Remembered, carryOut: Effect.Effect<unknown, Fault>) {
    const settle = (exit: Exit.Exit<unknown, Fault>) =>
      Exit.isFailure(exit) && !Cause.hasFails(exit.cause)
        ? Effect.andThen(
            Effect.logError(`a command of the panel: ${Cause.pretty(exit.cause)}`),
            Deferred.fail(one.end, fault("internal"))
          )
        : Deferred.done(one.end, exit)
    yield* Effect.forkIn(Effect.flatMap(Effect.exit(carryOut), settle), scope)
  })
  return {
    once: <A>(id: string, wish: unknown, nowMs: number, carryOut: Effect.Effect<A, Fault>) =>
      Effect.gen(function* () {
        // A wish may hold a secret, such as an invite's link; its digest tells it from another as well.
        const digest = createHash("sha256").update(JSON.stringify(wish)).digest("hex")
        const before = remembered.get(id)
        if (before !== undefined && before.untilMs > nowMs) {
          if (before.wish !== digest) return yield* Effect.fail(fault("id-taken"))
          return { answer: (yield* Deferred.await(before.end)) as A, repeated: true }
        }
        tidy(nowMs)
        const end = yield* Deferred.make<unknown, Fault>()
        const one = { wish: digest, untilMs: nowMs + Bounds.commandsRememberedMs, end }
        remembered.set(id, one)
        yield* begun(one, carryOut)
        return { answer: (yield* Deferred.await(end)) as A, repeated: false }
      })
  }
})
