/**
 * What the doctor found, kept for a while: it reads files and knocks at the engine, which no view should wait for.
 * It never asks the network, and never looks twice at once.
 * The first view has nothing of it; the look that it began is in the next.
 */
import { Deferred, Effect, type Scope } from "effect"
import * as Doctor from "../doctor/Doctor.ts"
import { table } from "../doctor/Finding.ts"
import * as Bounds from "./Bounds.ts"
import type { View } from "./Contract.ts"
import { type Fault, fault } from "./Fault.ts"

type Found = NonNullable<View["doctor"]>

export interface Doctoring {
  /** What was found last; begins another look behind it when that is old. */
  readonly lately: (nowMs: number) => Effect.Effect<Found | null>
  /** Looks now, or waits for the look that is going on. */
  readonly now: (nowMs: number) => Effect.Effect<Found, Fault>
}

const look = (dataFolder: string, atMs: number): Effect.Effect<Found, Fault> =>
  Effect.tryPromise({
    try: () => Doctor.examine({ dataFolder, offline: true, json: true }, process.env, atMs),
    catch: () => fault("internal")
  }).pipe(
    Effect.map(({ findings, unknown }) => ({
      atMs,
      findings: findings.map((one) => ({ ...one, ...table[one.code] })),
      unknown
    }))
  )

/** A doctor for a data folder, for the scope. */
export const make = (dataFolder: string): Effect.Effect<Doctoring, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let last: Found | null = null
    let looking: Deferred.Deferred<Found, Fault> | undefined
    const now = (nowMs: number): Effect.Effect<Found, Fault> =>
      Effect.gen(function* () {
        if (looking !== undefined) return yield* Deferred.await(looking)
        const end = yield* Deferred.make<Found, Fault>()
        looking = end
        const looked = Effect.flatMap(Effect.exit(look(dataFolder, nowMs)), (exit) => {
          looking = undefined
          if (exit._tag === "Success") last = exit.value
          return Deferred.done(end, exit)
        })
        yield* Effect.forkIn(looked, scope)
        return yield* Deferred.await(end)
      })
    return {
      now,
      lately: (nowMs) => {
        const isOld = last === null || nowMs - last.atMs > Bounds.doctorMs
        const behind = isOld ? Effect.asVoid(Effect.forkIn(Effect.ignore(now(nowMs)), scope)) : Effect.void
        return Effect.map(behind, () => last)
      }
    }
  })
