/**
 * Proof from the inside that a sandbox confines: what the canary found, judged, and why it does not suffice where it does not.
 * It never takes the engine's word; that is asked for as well, for each container, but an engine could be wrong.
 * What the canary cannot tell counts as not confined: silence proves nothing.
 */
import { Effect, Result, Schema } from "effect"
import type { Answer, Confinement, Job, SandboxError } from "../../ports/Sandbox.ts"
import { bounds, isGvisor, user } from "./isolation.ts"

const Found = Schema.fromJsonString(
  Schema.Struct({
    uid: Schema.Int,
    capabilities: Schema.Array(Schema.String),
    noNewPrivileges: Schema.String,
    seccomp: Schema.String,
    kernel: Schema.String,
    interfaces: Schema.Array(Schema.String),
    routes: Schema.Array(Schema.String),
    reached: Schema.Array(Schema.String),
    writable: Schema.Array(Schema.String),
    sockets: Schema.Array(Schema.String),
    mounts: Schema.Array(Schema.String),
    executes: Schema.Boolean,
    tmpBytes: Schema.Int,
    processes: Schema.Int,
    openFiles: Schema.Int,
    cpus: Schema.Finite,
    shell: Schema.Boolean
  })
)
const decode = Schema.decodeUnknownResult(Found)

const some = (what: string, found: ReadonlyArray<string>): ReadonlyArray<string> =>
  found.length === 0 ? [] : [`${what} ${found.slice(0, 5).join(", ")}`]
const unless = (holds: boolean, what: string): ReadonlyArray<string> => (holds ? [] : [what])

/**
 * What gVisor says of its kernel, always the same: a kernel of a host has another version and another date. Its processes show no
 * seccomp mode, and older ones do not say whether they could gain privileges: every system call of theirs ends in that kernel,
 * and it is that one which a filter holds, outside.
 */
const gvisorKernel = /^Linux version 4\.4\.0 .*Sun Jan 10 15:06:54 PST 2016/

/** All five sets are empty. An older gVisor does not tell the last, the ambient one, which is part of the others. */
const hasNone = (sets: ReadonlyArray<string>, gvisor: boolean): boolean =>
  sets.length === 5 && sets.every((set, index) => /^0+$/.test(set) || (gvisor && index === 4 && set === ""))

const heldBack = (found: typeof Found.Type, gvisor: boolean): ReadonlyArray<string> =>
  gvisor
    ? [
        ...unless(gvisorKernel.test(found.kernel), `its kernel is not gVisor's: ${found.kernel.slice(0, 80)}`),
        ...unless(["1", ""].includes(found.noNewPrivileges), "it could gain privileges")
      ]
    : [
        ...unless(found.noNewPrivileges === "1", "it could gain privileges"),
        ...unless(found.seccomp === "2", "no seccomp filter holds it")
      ]

/** What a canary's report shows to be loose under that runtime; empty where everything holds. Takes anything. */
export const looseIn = (report: string, runtime = "runc"): ReadonlyArray<string> => {
  const read = decode(report)
  if (Result.isFailure(read)) return ["the canary's report cannot be read"]
  const found = read.success
  return [
    ...unless(String(found.uid) === user.split(":")[0], `it runs as user ${found.uid}`),
    ...unless(hasNone(found.capabilities, isGvisor(runtime)), `it has capabilities: ${found.capabilities.join(" ")}`),
    ...heldBack(found, isGvisor(runtime)),
    ...some("it has the network interface", found.interfaces),
    ...some("it has the route", found.routes),
    ...some("it reaches", found.reached),
    ...some("it writes to", found.writable),
    ...some("it sees the engine's socket", found.sockets),
    ...some("it sees of the host", found.mounts),
    ...unless(!found.executes, "it runs programs that it wrote"),
    ...unless(found.tmpBytes > 0 && found.tmpBytes <= bounds.tmpBytes, `its /tmp takes ${found.tmpBytes} bytes`),
    ...unless(found.processes > 0 && found.processes <= bounds.pids, `it starts ${found.processes} processes`),
    ...unless(found.openFiles > 0 && found.openFiles <= bounds.openFiles, `it opens ${found.openFiles} files`),
    // gVisor shows its own control groups; there the engine's word, and the limit on the whole of it, are all there is.
    ...unless(
      isGvisor(runtime) || (found.cpus > 0 && found.cpus <= bounds.cpus),
      `it may use ${found.cpus === 0 ? "any number of" : found.cpus} processors`
    )
  ]
}

const jobOf = (kind: string): Job => ({
  id: `canary-${kind}-${crypto.randomUUID()}`,
  input: new Uint8Array(0),
  timeLimitMs: 20_000,
  outputBytesMax: 64 * 1024
})

/** Runs a command as any job runs; `run` must confine as every other run does. */
export type Run = (job: Job, program: ReadonlyArray<string>) => Effect.Effect<Answer, SandboxError>

/** What a canary's visit came to: what is loose, and whether the image has a shell. */
export interface Attested {
  readonly loose: ReadonlyArray<string>
  readonly shell: boolean
  /** What the engine confirmed of the container it looked from. */
  readonly confinement: Confinement
}

/** Whether the image has a shell, as a report says; what cannot be read says no. */
const shellIn = (report: string): boolean =>
  Result.getOrElse(
    Result.map(decode(report), ({ shell }) => shell),
    () => false
  )

/**
 * gVisor counts processes by the threads it has outside, and dies of too many, with all that is in it: that is a limit too, and
 * it is looked for apart.
 */
const bombHeld = (run: Run, canary: ReadonlyArray<string>): Effect.Effect<boolean> =>
  Effect.match(run(jobOf("processes"), [...canary, "processes"]), {
    onFailure: ({ code }) => code === "exit-code" || code === "out-of-memory",
    onSuccess: ({ output }) => {
      const count = Number(new TextDecoder().decode(output))
      return count > 0 && count <= bounds.pids
    }
  })

/** Lets the canary look around, and then die of want of memory. Fails where it could not run. */
export const attest = (
  run: Run,
  canary: ReadonlyArray<string>,
  runtime = "runc"
): Effect.Effect<Attested, SandboxError> =>
  Effect.gen(function* () {
    const apart = isGvisor(runtime)
    const { confinement, output } = yield* run(jobOf("look"), apart ? [...canary, "apart"] : canary)
    const bomb = !apart || (yield* bombHeld(run, canary))
    const hungry = yield* Effect.result(run(jobOf("memory"), [...canary, "memory"]))
    const held = Result.isFailure(hungry) && hungry.failure.code === "out-of-memory"
    const report = new TextDecoder().decode(output)
    const loose = [
      ...looseIn(report, runtime),
      ...unless(bomb, "it starts more processes than it may"),
      ...unless(held, "it takes more memory than it may have")
    ]
    return { loose, shell: shellIn(report), confinement }
  })
