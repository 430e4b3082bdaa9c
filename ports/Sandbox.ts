/**
 * Runs what a peer asked for, confined, and brings back what it printed.
 * A sandbox never runs anything unconfined: what it cannot enforce, it refuses with a code.
 * The job's input is opaque bytes, so that this port knows nothing of agents, models or messages.
 */
import { Context, Data, Effect, Layer } from "effect"

export interface Job {
  /** Unique; names the container, so that a leftover can be recognised. Letters, digits and `-`. */
  readonly id: string
  /** Given to the program on its standard input, which is then closed. */
  readonly input: Uint8Array
  /** Wall-clock limit; the job is killed when it ends. */
  readonly timeLimitMs: number
  /** More output than this is a failure, not a truncation. */
  readonly outputBytesMax: number
}

/** What ran and under what: facts the engine confirmed, for the answer's metadata. */
export interface Confinement {
  readonly engine: string
  readonly containerId: string
  readonly user: string
  readonly network: string
  readonly readOnlyRoot: boolean
  readonly memoryBytes: number
  readonly pids: number
  readonly cpus: number
}

export interface Answer {
  readonly output: Uint8Array
  readonly confinement: Confinement
}

export type SandboxCode =
  | "no-engine"
  | "no-image"
  | "create-refused"
  | "flags-not-applied"
  | "start-failed"
  | "timed-out"
  | "output-too-long"
  | "out-of-memory"
  | "exit-code"
  | "engine-failed"

export class SandboxError extends Data.TaggedError("SandboxError")<{
  readonly code: SandboxCode
  readonly message: string
}> {}

export interface SandboxShape {
  /** What is in force now, or why nothing can run. Bounded in time. */
  readonly status: Effect.Effect<{ readonly ready: boolean; readonly engine: string; readonly reason: string }>
  /** Runs one job to its end. Interrupting it kills and removes the container. */
  run(job: Job): Effect.Effect<Answer, SandboxError>
}

export class Sandbox extends Context.Service<Sandbox, SandboxShape>()("ports/Sandbox") {
  /** The null object: refuses everything, for a reason. */
  static readonly refuse = (reason: string): Layer.Layer<Sandbox> =>
    Layer.succeed(Sandbox, {
      status: Effect.succeed({ ready: false, engine: "none", reason }),
      run: () => Effect.fail(new SandboxError({ code: "no-engine", message: reason }))
    })
  static readonly refuseAll = Sandbox.refuse("no sandbox is configured")
}
