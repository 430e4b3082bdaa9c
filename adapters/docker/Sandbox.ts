/**
 * Runs each job in a Docker container of its own, under the flags of `isolation.ts`, and removes it whatever happens.
 * It must never start a container whose confinement the engine has not confirmed, nor pull an image, nor mount anything.
 * The engine's word is taken after creation and before the start, because an engine may drop a flag with a warning only.
 */
import type { Readable } from "node:stream"
import type Docker from "dockerode"
import { Clock, Effect, Exit, Layer, Scope, Semaphore } from "effect"
import {
  type Answer,
  type Conversation,
  type Job,
  type Program,
  Sandbox,
  SandboxError,
  type SandboxShape,
  type Status
} from "../../ports/Sandbox.ts"
import * as Attestation from "./Attestation.ts"
import {
  ask,
  attached,
  connect,
  defaultSocketPath,
  type Facts,
  facts,
  failedBy,
  imagePresent,
  wasKilled
} from "./Engine.ts"
import { confinementOf } from "./Facts.ts"
import { notApplied, notEnforceable, runtimeOf } from "./isolation.ts"
import * as Kept from "./Kept.ts"
import { created, jobLabel, ownerLabel, sweeper } from "./Lifetime.ts"
import { collect, lines, type Printed, said } from "./Output.ts"
import * as Proof from "./Proof.ts"
import { clearedAway } from "./Slots.ts"
import * as Warm from "./Warm.ts"

export interface Options {
  /** An image the engine already holds. Its entry point, user and health check are not used. */
  readonly image: string
  /** What runs in it: an absolute path, then arguments. It reads the job's input from its standard input. */
  readonly program: ReadonlyArray<string>
  /** Names the data folder in the containers' labels. Leftovers with this label are removed when the layer starts. */
  readonly ownerId: string
  readonly socketPath?: string
  /** Jobs at once, 4 unless told. A job's wait for its turn does not count in its time limit. */
  readonly concurrency?: number
  /** How long the engine may take over one answer, and over one start, before the job is given up. 10 seconds. */
  readonly engineLimitMs?: number
  /**
   * A program of the image that looks around from inside (`canary.js`). Given, nothing runs before it has proven that the
   * confinement holds, at the start and every day; absent, the engine's word is all there is.
   */
  readonly canary?: ReadonlyArray<string>
  /** How often the canary looks while it proves the confinement, and how soon again after it could not: a day, a minute. */
  readonly looks?: Proof.Looks
  /** The engine's runtime to run everything with, such as gVisor's `runsc`. Absent: the engine's default. */
  readonly runtime?: string
  /** Containers kept started ahead for talks, one talk each. None unless told. */
  readonly warm?: number
  /** Containers kept for the next talk with the same `reuse`. Absent: none, every job has its own. */
  readonly keep?: Kept.Keeping
}

/** Everything one run needs, settled once. */
interface Setting {
  readonly docker: Docker
  readonly options: Options
  readonly socketPath: string
  readonly limitMs: number
  readonly layerScope: Scope.Scope
  readonly swept: Effect.Effect<void, SandboxError>
  /** What the canary has proven: waits for the first proof, bounded by the canary's own time. */
  readonly proven: Effect.Effect<Proof.Proof, SandboxError>
}

const statusLimitMs = 1_900
const reasonCharactersMax = 300
const jobIdPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,99}$/

/** The sandbox over the engine at `socketPath`. Building it never fails; without an engine every run is refused. */
export const layer = (options: Options): Layer.Layer<Sandbox> => Layer.effect(Sandbox, make(options))

const make = Effect.fnUntraced(function* (options: Options) {
  const socketPath = options.socketPath ?? defaultSocketPath
  const docker = yield* connect(socketPath)
  const limitMs = options.engineLimitMs ?? 10_000
  const swept = yield* sweeper(docker, socketPath, options.ownerId, limitMs)
  const layerScope = yield* Effect.scope
  const slots = yield* Semaphore.make(options.concurrency ?? 4)
  const unproven: Setting = {
    docker,
    options,
    socketPath,
    limitMs,
    layerScope,
    swept,
    proven: Effect.succeed(Proof.none)
  }
  yield* Effect.ignore(swept)
  const setting: Setting = { ...unproven, proven: yield* proving(unproven) }
  const warm = yield* warmed(setting)
  const kept = keeping(setting)
  const inSlot = clearedAway(slots, layerScope)
  const shape: SandboxShape = {
    status: status(setting),
    run: (job) => admitted(job, inSlot(confined(setting, job))),
    converse: (job, talk) => admitted(job, inSlot(conversed(setting, { warm, kept }, job, talk)))
  }
  return shape
})

/** What the canary proves as long as the layer lives; nothing where there is none. */
const proving = (setting: Setting) => {
  const { docker, limitMs, options, socketPath } = setting
  const { canary, looks } = options
  if (canary === undefined) return Effect.succeed(setting.proven)
  const run: Attestation.Run = (job, program) =>
    Effect.scoped(confined({ ...setting, options: { ...options, program } }, job))
  const attest = Effect.flatMap(facts(docker, socketPath, limitMs), ({ info }) =>
    Attestation.attest(run, canary, runtimeOf(info, options.runtime))
  )
  return Proof.proving(attest, looks)
}

const admitted = <A, E>(job: Job, run: Effect.Effect<A, E>): Effect.Effect<A, E | SandboxError> =>
  jobIdPattern.test(job.id)
    ? run
    : Effect.fail(refusal("create-refused", "a job's id is 1 to 100 letters, digits and hyphens"))

const refusal = (code: SandboxError["code"], message: string): SandboxError => new SandboxError({ code, message })

const loose = (differences: ReadonlyArray<string>): SandboxError =>
  refusal("flags-not-applied", `the engine does not confine as asked, so nothing was run: ${differences.join("; ")}`)

const noShell = "; no shell in the image: the shell tool is not offered"

const beingLookedAt = "the sandbox is being looked at from inside; a moment"

const status = ({ docker, options, proven, socketPath }: Setting): SandboxShape["status"] =>
  Effect.gen(function* (): Effect.fn.Return<Status, SandboxError> {
    const { engine, info } = yield* facts(docker, socketPath, statusLimitMs)
    const lacking = notEnforceable(info, options.runtime)
    if (lacking.length > 0) {
      const { code, message } = loose(lacking)
      return { ready: false, engine, code, reason: message }
    }
    yield* imagePresent(docker, socketPath, options.image, statusLimitMs)
    const proof = yield* Effect.timeoutOrElse(proven, {
      duration: statusLimitMs / 2,
      orElse: () => Effect.succeed(undefined)
    })
    if (proof === undefined)
      return { ready: false, pending: true, engine, code: "engine-failed", reason: beingLookedAt }
    const { atMs, confinement, shell } = proof
    const looked = atMs === undefined ? "" : `, proven from inside ${new Date(atMs).toISOString()}`
    const held =
      confinement === undefined || atMs === undefined ? {} : { confinement: { ...confinement, provenAtMs: atMs } }
    const without = shell === false ? noShell : ""
    const runtime = runtimeOf(info, options.runtime)
    const by = runtime === "runc" || runtime === "" ? "" : ` by the runtime ${runtime}`
    return { ready: true, engine, reason: `runs ${options.image}, confined${by}${looked}${without}`, ...held }
  }).pipe(
    Effect.timeoutOrElse({
      duration: statusLimitMs,
      orElse: () =>
        Effect.fail(refusal("engine-failed", `the engine did not answer within ${statusLimitMs} milliseconds`))
    }),
    Effect.catch(({ code, message }) =>
      Effect.succeed<Status>({ ready: false, engine: code === "no-engine" ? "none" : "docker", code, reason: message })
    )
  )

/** A container for a job, created and confirmed, not started. It is gone with the scope. */
const prepared = Effect.fnUntraced(function* (setting: Setting, id: string) {
  const { docker, options, socketPath, limitMs, layerScope } = setting
  const { atMs } = yield* setting.proven
  const { engine, info } = yield* facts(docker, socketPath, limitMs)
  const lacking = notEnforceable(info, options.runtime)
  if (lacking.length > 0) return yield* Effect.fail(loose(lacking))
  yield* setting.swept
  const definition = {
    name: `wopr-p2p-${id}`,
    image: options.image,
    program: options.program,
    labels: { [ownerLabel]: options.ownerId, [jobLabel]: id },
    ...(options.runtime === undefined ? {} : { runtime: options.runtime })
  }
  const container = yield* created(docker, socketPath, definition, limitMs, layerScope)
  const confinement = yield* confirmed(container, setting, { engine, info }, atMs)
  return { container, confinement }
})

const confined = Effect.fnUntraced(function* (setting: Setting, job: Job) {
  const { confinement, container, input, outputs } = yield* running(setting, job.id)
  // A program may stop reading whenever it likes: how much of the input it took is nobody's business.
  input.end(job.input)
  const { output } = yield* finished(setting.docker, outputs, container, job)
  const answer: Answer = { output, confinement }
  return answer
})

/** Containers for talks, ready before they are wanted; or a wish that is never granted. */
const warmed = (setting: Setting): Effect.Effect<Effect.Effect<Warm.Running | undefined, never, Scope.Scope>> => {
  const { warm = 0 } = setting.options
  if (warm === 0) return Effect.succeed(Effect.succeed(undefined))
  const make = Effect.suspend(() => running(setting, `warm-${crypto.randomUUID()}`))
  // It was confirmed when it was made; that it still runs, and as it was, is asked again.
  const isAlive = ({ container }: Warm.Running): Effect.Effect<boolean> =>
    inspected(container, setting.limitMs).pipe(
      Effect.map(
        (found) =>
          found.State.Running && notApplied(found, setting.options.program, setting.options.runtime).length === 0
      ),
      Effect.catch(() => Effect.succeed(false))
    )
  return Warm.pool(warm, make, isAlive, setting.layerScope)
}

/** A container whose program runs: created, confirmed, connected, started. It is gone with the scope. */
const running = Effect.fnUntraced(function* (setting: Setting, id: string) {
  const { confinement, container } = yield* prepared(setting, id)
  const { input, outputs } = yield* started(container, setting.limitMs)
  return { confinement, container, input, outputs }
})

const conversed = <A, E>(setting: Setting, stock: Stock, job: Job, talk: (program: Program) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const { atMs } = yield* setting.proven
    const { lines: printed, running: taken } = yield* container(setting, stock, job)
    const { container: box, input } = taken
    // One that was started ahead may have been proven anew since.
    const confinement = { ...taken.confinement, ...(atMs === undefined ? {} : { provenAtMs: atMs }) }
    if (job.input.length > 0) input.write(job.input)
    const program: Program = {
      hear: Effect.tap(printed.next, (line) =>
        line === undefined ? ended(setting.docker, box, job, printed.error) : Effect.void
      ),
      say: (line) => said(input, line)
    }
    const conversation: Conversation<A> = { value: yield* timed(talk(program), job), confinement }
    return conversation
  })

/** What talks are taken from before a container is made for them. */
interface Stock {
  readonly warm: Effect.Effect<Warm.Running | undefined, never, Scope.Scope>
  readonly kept: Kept.Keeper | undefined
}

/** Keeps containers for next talks, if the options say so. */
const keeping = (setting: Setting): Kept.Keeper | undefined => {
  const { keep } = setting.options
  if (keep === undefined || keep.count === 0) return undefined
  const freeze = ({ container }: Warm.Running) =>
    ask("freeze the container", setting.limitMs, () => container.pause(), failedBy("engine-failed"))
  const thaw = ({ container }: Warm.Running) =>
    ask("thaw the container", setting.limitMs, () => container.unpause(), failedBy("engine-failed")).pipe(
      Effect.andThen(inspected(container, setting.limitMs)),
      Effect.flatMap((found) => {
        const { program, runtime } = setting.options
        return found.State.Running && notApplied(found, program, runtime).length === 0
          ? Effect.void
          : Effect.fail(refusal("start-failed", "the kept container is not as it was left"))
      })
    )
  return Kept.keeper(keep, freeze, thaw, setting.layerScope)
}

/** The container of a talk, and what reads it: the one kept for its key, one started ahead, or a new one. */
const container = Effect.fnUntraced(function* (setting: Setting, { kept: keeper, warm }: Stock, job: Job) {
  const { outputBytesMax, reuse } = job
  const fresh = Effect.map(
    Effect.flatMap(warm, (ahead) => (ahead === undefined ? running(setting, job.id) : Effect.succeed(ahead))),
    (running) => ({ running, lines: lines(running.outputs, outputBytesMax) })
  )
  if (keeper === undefined || reuse === undefined) return yield* fresh
  const own = yield* Scope.fork(setting.layerScope)
  let taken: Kept.Kept | undefined
  yield* Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) && taken !== undefined ? keeper.put(reuse, taken) : Scope.close(taken?.scope ?? own, Exit.void)
  )
  const take = Effect.map(keeper.take(reuse), (kept) => {
    taken = kept
    return kept
  })
  // Once it is taken nobody but us knows of it.
  const again = yield* Effect.uninterruptible(take)
  if (again !== undefined) {
    again.lines.renew(outputBytesMax)
    yield* Scope.close(own, Exit.void)
    return again
  }
  const made: Kept.Kept = { ...(yield* Scope.provide(fresh, own)), scope: own, bornMs: yield* Clock.currentTimeMillis }
  taken = made
  return made
})

/** What the engine says is in force on the created container; anything looser than asked fails with its name. */
const confirmed = Effect.fnUntraced(function* (
  container: Docker.Container,
  { limitMs, options: { program, runtime } }: Setting,
  told: Facts,
  provenAtMs: number | undefined
) {
  const found = yield* inspected(container, limitMs)
  const differences = notApplied(found, program, runtime)
  if (differences.length > 0) return yield* Effect.fail(loose(differences))
  return confinementOf(found, told, provenAtMs)
})

const inspected = (container: Docker.Container, limitMs: number) =>
  ask("describe the container", limitMs, (abortSignal) => container.inspect({ abortSignal }), failedBy("engine-failed"))

/** Connects both ends and starts the program. */
const started = Effect.fnUntraced(function* (container: Docker.Container, limitMs: number) {
  const outputs = yield* attached(container, "outputs", limitMs)
  const input = yield* attached(container, "input", limitMs)
  yield* ask(
    "start the container",
    limitMs,
    (abortSignal) => container.start({ abortSignal }),
    failedBy("start-failed"),
    "start-failed"
  )
  return { input, outputs }
})

/** Within the job's time limit, which begins now. */
const timed = <A, E>(work: Effect.Effect<A, E>, job: Job): Effect.Effect<A, E | SandboxError> =>
  Effect.timeoutOrElse(work, {
    duration: job.timeLimitMs,
    orElse: () => Effect.fail(refusal("timed-out", `the program did not end within ${job.timeLimitMs} milliseconds`))
  })

/** The program's answer once it ended well within its limits. */
const finished = (
  docker: Docker,
  outputs: Readable,
  container: Docker.Container,
  job: Job
): Effect.Effect<Printed, SandboxError> =>
  collect(outputs, job.outputBytesMax).pipe(
    Effect.tap(({ error }) => ended(docker, container, job, () => error)),
    (work) => timed(work, job)
  )

/** Waits for the end of a program that has closed its outputs; fails unless it ended well. */
const ended = Effect.fnUntraced(function* (
  docker: Docker,
  container: Docker.Container,
  job: Job,
  error: () => Uint8Array
) {
  const exit = yield* ask(
    "tell how the program ended",
    job.timeLimitMs,
    (abortSignal) => container.wait({ abortSignal }) as Promise<{ readonly StatusCode: number }>,
    failedBy("engine-failed"),
    "timed-out"
  )
  if (exit.StatusCode === 0) return
  const { Id, State } = yield* inspected(container, job.timeLimitMs)
  if (exit.StatusCode === killedCode && !State.OOMKilled) {
    const nowMs = yield* Clock.currentTimeMillis
    if (yield* wasKilled(docker, Id, Date.parse(State.StartedAt), nowMs, killedLookMs))
      return yield* Effect.fail(refusal("killed", "somebody had the engine kill the container"))
  }
  return yield* Effect.fail(failure(exit.StatusCode, State.OOMKilled, error()))
})

/** The engine's log is asked once, after the fact, and gets no longer than this. */
const killedLookMs = 3_000

/** 128 + SIGKILL: what the kernel does for want of memory, and nobody else does before a limit of ours ends the job. */
const killedCode = 137

/**
 * What a non-zero exit means. An engine that cannot watch every control group misses the kernel's report of an
 * exhausted memory; a kill that was not ours is then taken for one, and the message says that it is a guess.
 */
const failure = (exitCode: number, outOfMemory: boolean, error: Uint8Array): SandboxError => {
  if (outOfMemory) return refusal("out-of-memory", "the program needed more memory than it may use")
  return exitCode === killedCode
    ? refusal("out-of-memory", `the program was killed (code 137), most likely for want of memory${reason(error)}`)
    : refusal("exit-code", `the program ended with code ${exitCode}${reason(error)}`)
}

/** The end of what it printed as errors, fit for a person's screen: no control or invisible characters. */
const reason = (error: Uint8Array): string => {
  const text = new TextDecoder()
    .decode(error)
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
  const end = Array.from(text).slice(-reasonCharactersMax).join("")
  return end === "" ? "" : `: ${end}`
}
