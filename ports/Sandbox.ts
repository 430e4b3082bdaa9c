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
  /**
   * Talks with the same value may follow each other in one container, where the sandbox is set up to keep some. Absent: nothing of
   * an earlier job is there, and nothing of this one stays. Never sent to the program.
   */
  readonly reuse?: string
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
  /** Capabilities taken away and given, as the engine names them: `ALL`, and nothing. */
  readonly capabilitiesDropped?: string
  readonly capabilitiesAdded?: string
  readonly noNewPrivileges?: boolean
  /** The name of the profile that filters system calls. */
  readonly seccomp?: string
  /** Swap beyond the memory. */
  readonly swapBytes?: number
  /** The size of the one place that can be written to. */
  readonly tmpfsBytes?: number
  /** Where the container's users are on the host: `host` the same, `remapped` or `rootless` others. */
  readonly users?: string
  readonly imageId?: string
  /** When a look from inside last proved that all of this holds; absent: no look was taken. */
  readonly provenAtMs?: number
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`

/** A confinement as one line for a person. What it does not tell is left out; the words are the engine's, or a peer's. */
export const inWords = (told: Confinement): string => {
  const { capabilitiesAdded: added, capabilitiesDropped: dropped, provenAtMs, swapBytes } = told
  const parts: ReadonlyArray<string | undefined> = [
    told.engine + (told.runtime === undefined ? "" : `/${told.runtime}`),
    `user ${told.user}${told.users === undefined || told.users === "host" ? "" : ` (${told.users})`}`,
    `network ${told.network}`,
    told.readOnlyRoot ? "read-only root" : "writable root",
    dropped === undefined ? undefined : `capabilities without ${dropped || "none"}${added ? `, with ${added}` : ""}`,
    told.noNewPrivileges === undefined ? undefined : `${told.noNewPrivileges ? "no" : "may gain"} new privileges`,
    told.seccomp === undefined ? undefined : `seccomp ${told.seccomp}`,
    `${mebibytes(told.memoryBytes)} memory${swapBytes === undefined ? "" : `, ${swapBytes === 0 ? "no" : mebibytes(swapBytes)} swap`}`,
    told.tmpfsBytes === undefined ? undefined : `${mebibytes(told.tmpfsBytes)} /tmp`,
    `${told.pids} processes, ${told.cpus} processors`,
    told.imageId === undefined ? undefined : `image ${told.imageId.replace(/^sha256:/, "").slice(0, 12)}`,
    provenAtMs === undefined ? undefined : `proven from inside ${isoOf(provenAtMs)}`
  ]
  return parts.filter((part) => part !== undefined).join(", ")
}

/** A time that may be a peer's, and then anything. */
const isoOf = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "at no time")

export interface Answer {
  readonly output: Uint8Array
  readonly confinement: Confinement
}

export type SandboxCode =
  | "no-engine"
  | "no-image"
  /** There is an image, but not the one that was approved. */
  | "image-changed"
  /** The engine has no disk space left. */
  | "disk-full"
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
  /** Why not, as a run would be refused now. Absent where it is ready. */
  readonly code?: SandboxCode
  /** What a look from inside, or the engine, last confirmed; absent where nothing has. */
  readonly confinement?: Confinement
  /** Not ready, and nothing is wrong: the sandbox is still finding out. Absent: it has found out. */
  readonly pending?: boolean
}

export interface SandboxShape {
  /** What is in force now, or why nothing can run. Bounded in time. */
  readonly status: Effect.Effect<Status>
  /**
   * Runs one job to its end. Interrupting it kills and removes the container. An answer does not wait until the container of a job
   * that ended well is gone; a failure does, and so does the end of the sandbox.
   */
  run(job: Job): Effect.Effect<Answer, SandboxError>
  /**
   * Runs one job and talks with it. The job ends with the talk, however either ends: what still runs is killed and removed, as
   * after a run.
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
      status: Effect.succeed<Status>({ ready: false, engine: "none", code: "no-engine", reason }),
      run: () => Effect.fail(new SandboxError({ code: "no-engine", message: reason })),
      converse: () => Effect.fail(new SandboxError({ code: "no-engine", message: reason }))
    })
  static readonly refuseAll = Sandbox.refuse("no sandbox is configured")
}
