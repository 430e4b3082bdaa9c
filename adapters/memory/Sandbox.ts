/**
 * A sandbox that runs a script of the test's own instead of a program: the port's specification in code.
 * It must never be composed into a real node, for a script is confined by nothing.
 * It keeps the limits of a job by Effect's clock, so that a simulation can let hours of them pass at once.
 */
import { Effect, Exit, Layer, Semaphore } from "effect"
import { type Answer, type Confinement, type Job, Sandbox, SandboxError } from "../../ports/Sandbox.ts"

/** What a job comes to. An answer in bytes, at once or after the effect's own time, or a refusal. */
export type Script = (job: Job) => Uint8Array | SandboxError | Effect.Effect<Uint8Array, SandboxError>

/** How a run ended: with its answer, with the code it failed with, or because nobody wanted it any more. */
export type Ending = "answered" | "interrupted" | SandboxError["code"]

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

const limited = (script: Script, job: Job): Effect.Effect<Answer, SandboxError> =>
  outcome(script, job).pipe(
    Effect.timeoutOrElse({
      duration: job.timeLimitMs,
      orElse: () =>
        Effect.fail(
          new SandboxError({
            code: "timed-out",
            message: `the program did not end within ${job.timeLimitMs} milliseconds`
          })
        )
    }),
    Effect.flatMap((output) =>
      output.length <= job.outputBytesMax
        ? Effect.succeed({ output, confinement: confinementOf(job) })
        : Effect.fail(
            new SandboxError({
              code: "output-too-long",
              message: `the program printed more than ${job.outputBytesMax} bytes of output`
            })
          )
    )
  )

const endingOf = (exit: Exit.Exit<Answer, SandboxError>): Ending => {
  if (Exit.isSuccess(exit)) return "answered"
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return failure === undefined ? "interrupted" : failure.error.code
}

const recorded = (run: Effect.Effect<Answer, SandboxError>, jobId: string, { runs }: Ledger) =>
  Effect.suspend(() => {
    const entry: Run = { jobId, ending: undefined }
    runs.push(entry)
    return Effect.onExit(run, (exit) =>
      Effect.sync(() => {
        entry.ending = endingOf(exit)
      })
    )
  })

/** A sandbox whose every run is `script`'s doing, under the job's own time limit and output cap. */
export const layer = (script: Script, options: Options = {}): Layer.Layer<Sandbox> =>
  Layer.effect(
    Sandbox,
    Effect.map(Semaphore.make(options.concurrency ?? 4), (slots) => {
      const book = options.ledger ?? ledger()
      const { absent } = options
      return {
        status: Effect.succeed({ ready: absent === undefined, engine: "memory", reason: absent ?? "runs a script" }),
        run: (job) =>
          absent === undefined
            ? slots.withPermits(1)(recorded(limited(script, job), job.id, book))
            : Effect.fail(new SandboxError({ code: "no-engine", message: absent }))
      }
    })
  )
