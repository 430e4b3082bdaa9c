/**
 * The birth and the end of the containers this adapter makes, and the sweeping of those a dead process left behind.
 * It must never remove a container that does not carry our owner's label, nor one it did not make itself.
 * Creation is not interrupted but awaited and then undone: an aborted request may still leave a container.
 */
import type Docker from "dockerode"
import { Effect, Schedule, type Scope, Semaphore } from "effect"
import type { SandboxError } from "../../ports/Sandbox.ts"
import { ask, connect, defaultSocketPath, type Fault, failedBy, faultOf, noImage, refusedBy } from "./Engine.ts"
import { type Definition, definition } from "./isolation.ts"

/** Labels say whose a container is; `wopr.sandbox` is not one of them, the host removes whatever carries that. */
export const ownerLabel = "wopr-p2p.owner"
export const jobLabel = "wopr-p2p.job"

/** An end of a job waits this long for its container to be gone; after that the removal goes on behind its back. */
const removalLimitMs = 1_800
/** The sweep holds up a start, so an engine gets no longer than this for either half of it. */
const sweepLimitMs = 3_000

const isGone = (fault: Fault): boolean => fault.status === 404

/** Kills and removes one container with its anonymous volumes; one that is gone already is a success. */
const remove = (container: Docker.Container): Effect.Effect<void, SandboxError> =>
  Effect.tryPromise({ try: () => container.remove({ force: true, v: true }), catch: faultOf }).pipe(
    Effect.asVoid,
    Effect.catch((fault) => (isGone(fault) ? Effect.void : Effect.fail(failedBy("engine-failed")(fault))))
  )

type Birth = { readonly container: Docker.Container } | { readonly cause: unknown }

/** Once more and again, while the layer lives: first soon, then every half minute. */
const persistently = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("30 seconds")])

const undo = (birth: Promise<Birth>, layerScope: Scope.Scope): Effect.Effect<void> => {
  const removal = Effect.flatMap(
    Effect.promise(() => birth),
    (born) => ("container" in born ? remove(born.container) : Effect.void)
  )
  return removal.pipe(
    Effect.timeout(removalLimitMs),
    Effect.catch((cause) =>
      Effect.logWarning("a sandbox container is not removed yet, trying on", cause.message).pipe(
        Effect.andThen(removal.pipe(Effect.retry(persistently), Effect.ignore, Effect.forkIn(layerScope))),
        Effect.asVoid
      )
    )
  )
}

const judged =
  (socketPath: string, image: string) =>
  (fault: Fault): SandboxError =>
    fault.status === 404 ? noImage(image) : refusedBy(socketPath, "create-refused")(fault)

/**
 * A container that was created and not started, killed and removed when the scope closes, for whatever reason.
 * Fails with `no-image`, `create-refused`, `no-engine` or `engine-failed`; a slow removal goes on in `layerScope`.
 */
export const created = (
  docker: Docker,
  socketPath: string,
  wanted: Definition,
  limitMs: number,
  layerScope: Scope.Scope
): Effect.Effect<Docker.Container, SandboxError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      docker.createContainer(definition(wanted)).then(
        (container): Birth => ({ container }),
        (cause: unknown): Birth => ({ cause })
      )
    ),
    (birth) => undo(birth, layerScope)
  ).pipe(
    Effect.flatMap((birth) =>
      ask(
        "create the container",
        limitMs,
        async () => {
          const born = await birth
          if ("container" in born) return born.container
          throw born.cause
        },
        judged(socketPath, wanted.image)
      )
    )
  )

const sweep = Effect.fnUntraced(function* (docker: Docker, socketPath: string, ownerId: string, limitMs: number) {
  const listed = yield* ask(
    "list the containers left behind",
    limitMs,
    (abortSignal) =>
      docker.listContainers({ all: true, filters: { label: [`${ownerLabel}=${ownerId}`] }, abortSignal }),
    refusedBy(socketPath, "engine-failed")
  )
  const ours = listed.filter((container) => container.Labels[ownerLabel] === ownerId)
  yield* Effect.forEach(ours, ({ Id }) => remove(docker.getContainer(Id)), { concurrency: 4, discard: true }).pipe(
    Effect.timeout(limitMs),
    Effect.catch((cause) => Effect.logWarning("some containers left behind are not removed", cause.message))
  )
})

/**
 * An effect that removes, the first time the engine answers, every container labelled with `ownerId`, and then rests.
 * Run it before the first job: what it finds then cannot be a job of this process. Bounded to 6 seconds.
 */
export const sweeper = (docker: Docker, socketPath: string, ownerId: string, limitMs: number) =>
  Effect.map(Semaphore.make(1), (gate) => {
    let swept = false
    return gate.withPermits(1)(
      Effect.suspend(() =>
        swept
          ? Effect.void
          : Effect.tap(sweep(docker, socketPath, ownerId, Math.min(limitMs, sweepLimitMs)), () =>
              Effect.sync(() => {
                swept = true
              })
            )
      )
    )
  })

/**
 * Removes what an owner left, without a sandbox: for a node that starts with none and may have had one before. Only for whoever
 * holds the owner's lock. Bounded to 6 seconds; fails with `no-engine` or `engine-failed` where no engine answers.
 */
export const sweepAlone = (ownerId: string, socketPath = defaultSocketPath): Effect.Effect<void, SandboxError> =>
  Effect.flatMap(connect(socketPath), (docker) => sweep(docker, socketPath, ownerId, sweepLimitMs))
