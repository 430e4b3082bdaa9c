/**
 * What the canary has proven, looked for again and again as long as a sandbox lives.
 * It never takes an old proof for a new one: what the last look found is what holds.
 * Whoever waits for the first proof may give up without ending it, because it is taken in a fiber of its own.
 */
import { Clock, Deferred, Effect, Exit } from "effect"
import { type Confinement, SandboxError } from "../../ports/Sandbox.ts"
import type { Attested } from "./Attestation.ts"

/** When the confinement was last proven from inside; undefined where no canary looks. */
export interface Proof {
  readonly atMs: number | undefined
  /** Whether the image has a shell; undefined where no canary looks. */
  readonly shell: boolean | undefined
  /** Under what the canary ran. */
  readonly confinement?: Confinement
}

/** How long until the next look, after one that proved the confinement and after one that did not. */
export interface Looks {
  readonly everyMs: number
  readonly afterFailureMs: number
}

/** No canary looks. */
export const none: Proof = { atMs: undefined, shell: undefined }

/** Every day; after a proof that failed the next is tried soon: an engine may have been repaired. */
const daily: Looks = { everyMs: 86_400_000, afterFailureMs: 60_000 }

const notProven = (differences: ReadonlyArray<string>): SandboxError =>
  new SandboxError({
    code: "flags-not-applied",
    message: `the canary in the sandbox was not confined, so nothing is run: ${differences.join("; ")}`
  })

/** Looks now and from then on, in the current scope. Gives what holds now; before the first look has ended it waits. */
export const proving = Effect.fnUntraced(function* (
  attest: Effect.Effect<Attested, SandboxError>,
  { afterFailureMs, everyMs }: Looks = daily
) {
  const prove = attest.pipe(
    Effect.flatMap(({ confinement, loose, shell }) =>
      loose.length > 0
        ? Effect.fail(notProven(loose))
        : Effect.map(Clock.currentTimeMillis, (atMs): Proof => ({ atMs, shell, confinement }))
    ),
    Effect.exit
  )
  const first = yield* Deferred.make<void>()
  let now: Exit.Exit<Proof, SandboxError> = Exit.fail(notProven(["it has not looked yet"]))
  const look = Effect.flatMap(prove, (exit) => {
    now = exit
    return Effect.andThen(
      Deferred.succeed(first, undefined),
      Effect.sleep(Exit.isSuccess(exit) ? everyMs : afterFailureMs)
    )
  })
  yield* Effect.forkScoped(Effect.forever(look))
  return Effect.andThen(Deferred.await(first), () => now)
})
