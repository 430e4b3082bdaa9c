/**
 * A sandbox that runs a script of the test's own instead of a program: the port's specification in code.
 * It must never be composed into a real node, for a script is confined by nothing.
 * It keeps the limits of a job by Effect's clock, so that a simulation can let hours of them pass at once.
 */
import { Cause, Effect, Exit, Layer, Queue, Semaphore } from "effect"
import {
  type Answer,
  type Confinement,
  type Conversation,
  type Job,
  lineBytesMax,
  type Program,
  Sandbox,
  SandboxError,
  type SandboxShape
} from "../../ports/Sandbox.ts"

/** What a job comes to. An answer in bytes, at once or after the effect's own time, or a refusal. */
export type Script = (job: Job) => Uint8Array | SandboxError | Effect.Effect<Uint8Array, SandboxError>

/** A program that is talked with, from its own side: it reads lines (undefined: no more will come) and prints some. */
export type Talker = (
  job: Job,
  ends: {
    readonly read: Effect.Effect<string | undefined>
    readonly print: (line: string) => Effect.Effect<void>
  }
) => Effect.Effect<void, SandboxError>

/**
 * How a run ended: with its answer, with the code it failed with, because nobody wanted it any more, or because whoever
 * talked with it failed.
 */
export type Ending = "answered" | "interrupted" | "hung-up" | SandboxError["code"]

/** What was run, in order: one entry a run, without an ending while it is running. */
export interface Run {
  readonly jobId: string
  ending: Ending | undefined
}

/** The runs a layer made; give it to `layer` and read it in the test. */
export interface Ledger {
  readonly runs: Array<Run>
}

export const ledger = (): Ledger => ({ runs: [] })

/** How often a job was started; more than once is what the protocol forbids. */
export const timesStarted = ({ runs }: Ledger, jobId: string): number =>
  runs.filter((run) => run.jobId === jobId).length

export interface Options {
  readonly ledger?: Ledger
  /** Jobs at once, 4 unless told. A job's wait for its turn does not count in its time limit. */
  readonly concurrency?: number
  /** Why nothing can run; `run` then refuses with `no-engine`. */
  readonly absent?: string
  /** The program that is talked with; one that ends at once, unless told. */
  readonly talker?: Talker
}

const confinementOf = (job: Job): Confinement => ({
  engine: "memory",
  containerId: job.id,
  user: "nobody",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 512 * 1024 * 1024,
  pids: 100,
  cpus: 0.5
})

const outcome = (script: Script, job: Job): Effect.Effect<Uint8Array, SandboxError> =>
  Effect.suspend(() => {
    const result = script(job)
    if (Effect.isEffect(result)) return result
    return result instanceof SandboxError ? Effect.fail(result) : Effect.succeed(result)
  })

const tooLong = (bytesMax: number): SandboxError =>
  new SandboxError({ code: "output-too-long", message: `the program printed more than ${bytesMax} bytes of output` })

const timed = <A, E>(work: Effect.Effect<A, E>, { timeLimitMs }: Job): Effect.Effect<A, E | SandboxError> =>
  Effect.timeoutOrElse(work, {
    duration: timeLimitMs,
    orElse: () =>
      Effect.fail(
        new SandboxError({ code: "timed-out", message: `the program did not end within ${timeLimitMs} milliseconds` })
      )
  })

const limited = (script: Script, job: Job): Effect.Effect<Answer, SandboxError> =>
  timed(outcome(script, job), job).pipe(
    Effect.flatMap((output) =>
      output.length <= job.outputBytesMax
        ? Effect.succeed({ output, confinement: confinementOf(job) })
        : Effect.fail(tooLong(job.outputBytesMax))
    )
  )

const bytesOf = (line: string): number => new TextEncoder().encode(line).length

/** Both sides of a talk: the program in a fiber of its own, which ends with the talk. */
const conversed = <A, E>(talker: Talker, job: Job, talk: (program: Program) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    // Lines end as the program does: well, or with its failure.
    const printed = yield* Queue.bounded<string, SandboxError | Cause.Done>(1)
    const said = yield* Queue.unbounded<string>()
    let bytes = 0
    const print = (line: string): Effect.Effect<void> => {
      bytes += bytesOf(line) + 1
      const fits = bytes <= job.outputBytesMax && bytesOf(line) <= lineBytesMax
      return Effect.asVoid(fits ? Queue.offer(printed, line) : Queue.fail(printed, tooLong(job.outputBytesMax)))
    }
    yield* talker(job, { read: Queue.take(said), print }).pipe(
      Effect.matchEffect({
        onFailure: (error) => Queue.fail(printed, error),
        onSuccess: () => Queue.end(printed)
      }),
      Effect.forkScoped
    )
    const program: Program = {
      hear: Queue.take(printed).pipe(Effect.catchIf(Cause.isDone, () => Effect.succeed(undefined))) as Effect.Effect<
        string | undefined,
        SandboxError
      >,
      say: (line) => Effect.asVoid(Queue.offer(said, line))
    }
    const conversation: Conversation<A> = { value: yield* timed(talk(program), job), confinement: confinementOf(job) }
    return conversation
  })

const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) return "answered"
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  if (failure === undefined) return "interrupted"
  return failure.error instanceof SandboxError ? failure.error.code : "hung-up"
}

const recorded = <A, E>(run: Effect.Effect<A, E>, jobId: string, { runs }: Ledger) =>
  Effect.suspend(() => {
    const entry: Run = { jobId, ending: undefined }
    runs.push(entry)
    return Effect.onExit(run, (exit) =>
      Effect.sync(() => {
        entry.ending = endingOf(exit)
      })
    )
  })

/** A sandbox whose every run is `script`'s doing, and every talk `talker`'s, under the job's own limits. */
export const layer = (script: Script, options: Options = {}): Layer.Layer<Sandbox> =>
  Layer.effect(
    Sandbox,
    Effect.map(Semaphore.make(options.concurrency ?? 4), (slots) => {
      const book = options.ledger ?? ledger()
      const { absent, talker = () => Effect.void } = options
      const present = <A, E>(job: Job, run: Effect.Effect<A, E>): Effect.Effect<A, E | SandboxError> =>
        absent === undefined
          ? slots.withPermits(1)(recorded(run, job.id, book))
          : Effect.fail(new SandboxError({ code: "no-engine", message: absent }))
      const shape: SandboxShape = {
        status: Effect.succeed({ ready: absent === undefined, engine: "memory", reason: absent ?? "runs a script" }),
        run: (job) => present(job, limited(script, job)),
        converse: (job, talk) => present(job, Effect.scoped(conversed(talker, job, talk)))
      }
      return shape
    })
  )
