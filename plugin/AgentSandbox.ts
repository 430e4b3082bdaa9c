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
import { Sandbox, SandboxError, type SandboxShape, type Status } from "../ports/Sandbox.ts"
import * as SandboxImage from "./SandboxImage.ts"

export interface Options extends Engine {
  readonly dataFolder: string
  /** Marks the folder's containers. */
  readonly ownerId: string
  /** Containers kept started ahead. */
  readonly warm?: number
  /** Begin so long after the start, and do not wait: making an image holds up the whole process for a moment. */
  readonly afterMs?: number
  /** Minutes that a container stays for the friend's next question; 0 or absent: not at all. */
  readonly keepMinutes?: number
  /** The engine's runtime; absent: its default. */
  readonly runtime?: string
  /** What runs in the image; the agent unless told. */
  readonly program?: ReadonlyArray<string>
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
  let why = new SandboxError({ code: "no-image", message: "the image of the sandbox is being made" })
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
    else if (why.message !== opened.failure.message) {
      const { code, message } = opened.failure
      why = new SandboxError({ code, message })
      yield* Effect.logInfo(`inject is off: ${message}`)
    }
  }).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("the sandbox broke", cause)
    )
  )
  /** One look at a time; whoever comes while one is under way does not queue up behind it. */
  const lookSoon = Effect.asVoid(Effect.forkIn(gate.withPermitsIfAvailable(1)(look), scope))
  const { afterMs = 0 } = options
  const first = yield* Effect.forkIn(gate.withPermits(1)(Effect.andThen(Effect.sleep(afterMs), look)), scope)
  if (afterMs === 0) yield* Effect.timeoutOption(Fiber.await(first), startWaitMs)
  const absent = Effect.suspend(() => Effect.fail(why))
  const notYet = Effect.suspend(() => {
    const { code, message } = why
    return Effect.as(lookSoon, { ready: false, engine: "none", code, reason: message })
  })
  const shape: SandboxShape = {
    status: Effect.suspend(() => (inner === undefined ? notYet : Effect.map(inner.status, withNextStep))),
    run: (job) => Effect.suspend(() => (inner === undefined ? absent : inner.run(job))),
    converse: (job, talk) => Effect.suspend(() => (inner === undefined ? absent : inner.converse(job, talk)))
  }
  return shape
})

/** An approved image that is gone from the engine is made again by a command of ours, which the adapter cannot know. */
const withNextStep = (status: Status): Status =>
  status.code === "no-image" ? { ...status, reason: `${status.reason}; make it with: wopr-p2p sandbox image` } : status

/** The Docker sandbox in the approved image, for as long as the scope is open. */
const open = (
  { afterMs: _, dataFolder, ownerId, warm = 0, keepMinutes = 0, program = Agent.program, runtime, ...engine }: Options,
  scope: Scope.Scope
) => {
  const { canary } = Agent
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
