/**
 * The sandbox that agents run in: the Docker adapter in the approved image, opened as soon as there is an engine and an image.
 * It never runs in an image that nobody approved, and never holds up a node's start for longer than making one takes.
 * An engine may be started after the node: whoever asks for the status has it looked for again, and a question finds it then.
 */
import { Cause, Effect, Fiber, Layer, Result, type Scope, Semaphore } from "effect"
import * as Agent from "../adapters/docker/Agent.ts"
import type { Engine } from "../adapters/docker/Image.ts"
import { sweepAlone } from "../adapters/docker/Lifetime.ts"
import * as DockerSandbox from "../adapters/docker/Sandbox.ts"
import { Sandbox, SandboxError, type SandboxShape } from "../ports/Sandbox.ts"
import * as SandboxImage from "./SandboxImage.ts"

export interface Options extends Engine {
  readonly dataFolder: string
  /** Marks the folder's containers. */
  readonly ownerId: string
  /** Containers kept started ahead. */
  readonly warm?: number
  /** Minutes that a container stays for the friend's next question; 0 or absent: not at all. */
  readonly keepMinutes?: number
  /** The engine's runtime; absent: its default. */
  readonly runtime?: string
}

/** At most so many containers stay for a next question, each for an hour in all however often it is used. */
const kept = { count: 4, ageMs: 3_600_000 }

/** How long a start waits for an image to be made; what takes longer goes on behind it. */
const startWaitMs = 20_000

/** The sandbox in the scope of this layer; refuses, with what is missing, until it could be opened. */
export const layer = (options: Options): Layer.Layer<Sandbox> => Layer.effect(Sandbox, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const scope = yield* Effect.scope
  const gate = yield* Semaphore.make(1)
  let inner: SandboxShape | undefined
  let reason = "the image of the sandbox is being made"
  let isTidy = false
  // Leftovers go also where no image may be used; the first engine that answers is enough.
  const tidy = sweepAlone(options.ownerId, options.socketPath).pipe(
    Effect.andThen(
      Effect.sync(() => {
        isTidy = true
      })
    ),
    Effect.ignore
  )
  const look = Effect.gen(function* () {
    if (inner !== undefined) return
    if (!isTidy) yield* tidy
    const opened = yield* Effect.result(open(options, scope))
    if (Result.isSuccess(opened)) inner = opened.success
    else if (reason !== opened.failure.message) {
      reason = opened.failure.message
      yield* Effect.logInfo(`inject is off: ${reason}`)
    }
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the sandbox broke", cause)
    )
  )
  /** One look at a time; whoever comes while one is under way does not queue up behind it. */
  const lookSoon = Effect.asVoid(Effect.forkIn(gate.withPermitsIfAvailable(1)(look), scope))
  const first = yield* Effect.forkIn(gate.withPermits(1)(look), scope)
  yield* Effect.timeoutOption(Fiber.await(first), startWaitMs)
  const absent = Effect.suspend(() => Effect.fail(new SandboxError({ code: "no-engine", message: reason })))
  const shape: SandboxShape = {
    status: Effect.suspend(() =>
      inner === undefined ? Effect.as(lookSoon, { ready: false, engine: "none", reason }) : inner.status
    ),
    run: (job) => Effect.suspend(() => (inner === undefined ? absent : inner.run(job))),
    converse: (job, talk) => Effect.suspend(() => (inner === undefined ? absent : inner.converse(job, talk)))
  }
  return shape
})

/** The Docker sandbox in the approved image, for as long as the scope is open. */
const open = ({ dataFolder, ownerId, warm = 0, keepMinutes = 0, runtime, ...engine }: Options, scope: Scope.Scope) => {
  const { canary, program } = Agent
  const run = {
    ...(runtime === undefined ? {} : { runtime }),
    ...(keepMinutes === 0 ? {} : { keep: { ...kept, idleMs: keepMinutes * 60_000 } })
  }
  return Effect.gen(function* () {
    const image = yield* SandboxImage.forRuns(dataFolder, engine)
    const context = yield* Layer.buildWithScope(
      DockerSandbox.layer({ image, program, canary, ownerId, warm, ...run, ...engine }),
      scope
    )
    return yield* Effect.provideContext(Effect.flatMap(Sandbox, Effect.succeed), context)
  })
}
