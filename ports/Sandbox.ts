/**
 * Runs what a peer asked for, confined, and brings back what it printed.
 * A sandbox never runs anything unconfined: what it cannot enforce, it refuses with a code.
 * The job's input is opaque bytes, so that this port knows nothing of agents, models or messages.
 */
import { Context, Data, Effect, Layer } from "effect"

export interface Job {
  /** Unique; names the container, so that a leftover can be recognised. Letters, digits and `-`. */
  readonly id: string
  /** Given to the program on its standard input, which is then closed, unless it is talked with. */
  readonly input: Uint8Array
  /** Wall-clock limit; the job is killed when it ends. */
  readonly timeLimitMs: number
  /** More output than this is a failure, not a truncation. */
  readonly outputBytesMax: number
}

/** A running program, as whoever talks with it sees it: lines both ways, in UTF-8, without their ends. */
export interface Program {
  /**
   * The next line that it prints, of at most `lineBytesMax` bytes; undefined once it has ended well. What is not asked for
   * is not read: a program that prints faster has to wait. Bytes that are no UTF-8 come as U+FFFD.
   */
  readonly hear: Effect.Effect<string | undefined, SandboxError>
  /** Gives it a line, which must hold no line feed. Waits while it does not read; what it does not take `hear` explains. */
  readonly say: (line: string) => Effect.Effect<void>
}

/** The longest line that a program may print, in bytes. */
export const lineBytesMax = 2 * 1024 * 1024

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
  /** What runs the container for the engine: `runc`, gVisor's `runsc`, … */
  readonly runtime?: string
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
  | "killed"
  | "exit-code"
  | "engine-failed"

export class SandboxError extends Data.TaggedError("SandboxError")<{
  readonly code: SandboxCode
  readonly message: string
}> {}

export interface Status {
  readonly ready: boolean
  readonly engine: string
  readonly reason: string
  /** Not ready, and nothing is wrong: the sandbox is still finding out. Absent: it has found out. */
  readonly pending?: boolean
}

export interface SandboxShape {
  /** What is in force now, or why nothing can run. Bounded in time. */
  readonly status: Effect.Effect<Status>
  /** Runs one job to its end. Interrupting it kills and removes the container. */
  run(job: Job): Effect.Effect<Answer, SandboxError>
  /**
   * Runs one job and talks with it. The job ends with the talk, however either ends: what still runs is killed and removed.
   * The job's limits hold for the talk: its time, and its bytes for everything that the program prints.
   */
  converse<A, E>(
    job: Job,
    talk: (program: Program) => Effect.Effect<A, E>
  ): Effect.Effect<Conversation<A>, E | SandboxError>
}

/** What a talk came to, and under what the program ran. */
export interface Conversation<A> {
  readonly value: A
  readonly confinement: Confinement
}

export class Sandbox extends Context.Service<Sandbox, SandboxShape>()("ports/Sandbox") {
  /** The null object: refuses everything, for a reason. */
  static readonly refuse = (reason: string): Layer.Layer<Sandbox> =>
    Layer.succeed(Sandbox, {
      status: Effect.succeed({ ready: false, engine: "none", reason }),
      run: () => Effect.fail(new SandboxError({ code: "no-engine", message: reason })),
      converse: () => Effect.fail(new SandboxError({ code: "no-engine", message: reason }))
    })
  static readonly refuseAll = Sandbox.refuse("no sandbox is configured")
}
