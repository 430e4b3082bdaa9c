/**
 * Engines that are set up otherwise than the machine's: another runtime, remapped users, gVisor where there is one.
 * It must never change the machine's engine: each is a process of this test, with a folder of its own.
 * A real gVisor is tried where `RUNSC` names its program; elsewhere a second name for runc shows what does not depend on it.
 */
import { Effect, ManagedRuntime, Result } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { looseIn } from "../../adapters/docker/Attestation.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { definition, notApplied, notEnforceable } from "../../adapters/docker/isolation.ts"
import { layer, type Options } from "../../adapters/docker/Sandbox.ts"
import { type Answer, Sandbox, type SandboxError, type Status } from "../../ports/Sandbox.ts"
import { callOf, question, textOf } from "./agent-question.ts"
import { type OwnEngine, type Settings, start, whyNot } from "./own-engine.ts"

/** Tests on an engine with these settings; skipped by name where none can be had. */
const withOwnEngine = (name: string, settings: Settings, tests: (engine: () => OwnEngine) => void): void => {
  const lacking = whyNot(settings)
  if (lacking !== undefined) {
    console.warn(`SKIPPED: ${name}: no engine of its own: ${lacking}`)
    describe.skip(`${name} (${lacking})`, () => tests(() => expect.fail(lacking)))
    return
  }
  describe(name, () => {
    let engine: OwnEngine
    beforeAll(async () => {
      engine = await start(settings)
    }, 60_000)
    afterAll(async () => {
      const left = await engine.docker.listContainers({ all: true })
      await engine.end()
      expect(left).toEqual([])
    }, 60_000)
    tests(() => engine)
  })
}

const imageAt = ({ socketPath }: OwnEngine) =>
  Effect.runPromise(Effect.map(assemble(Agent.recipe({ socketPath })), ({ imageId }) => imageId))

interface Tried {
  readonly result: Result.Result<Answer, SandboxError>
  readonly status: Status
  readonly answer: string
}

/** A run, the status, and a talk of an agent that uses its shell. */
const tried = async ({ socketPath }: OwnEngine, image: string, options: Partial<Options> = {}): Promise<Tried> => {
  const all = { image, program: Agent.program, canary: Agent.canary, ownerId: `own-${process.pid}`, socketPath }
  const runtime = ManagedRuntime.make(layer({ ...all, ...options }))
  const sandbox = await runtime.runPromise(Effect.flatMap(Sandbox, Effect.succeed))
  const job = { id: `o-${crypto.randomUUID()}`, input: new Uint8Array(0), timeLimitMs: 20_000, outputBytesMax: 1_000 }
  const result = await runtime.runPromise(Effect.result(sandbox.run(job)))
  const told = await question(sandbox, "c", [callOf("a", "shell", { command: "id -u" }), textOf("done")])
  const status = await runtime.runPromise(sandbox.status)
  await runtime.dispose()
  return { result, status, answer: `${told.outcome}: ${told.heard.at(-1) ?? ""}` }
}

const other = { runtimes: { "runc-too": { path: "runc" } } }

withOwnEngine("an engine with a second runtime", other, (engine) => {
  it("runs with the one that is asked for, says so, and refuses one it does not list before anything is created", async () => {
    const image = await imageAt(engine())
    const chosen = await tried(engine(), image, { runtime: "runc-too" })
    expect(Result.getOrThrow(chosen.result).confinement.runtime).toBe("runc-too")
    expect(chosen.status).toMatchObject({ ready: true, reason: expect.stringContaining("runc-too") as unknown })
    expect(chosen.answer).toBe("done: 65534\n\n[exit code 0]")
    const plain = await tried(engine(), image)
    expect(Result.getOrThrow(plain.result).confinement.runtime).toBe("runc")
    const created: Array<string> = []
    const stream = await engine().docker.getEvents({ filters: JSON.stringify({ event: ["create"] }) })
    stream.on("data", (chunk: Buffer) => created.push(chunk.toString()))
    const missing = await tried(engine(), image, { runtime: "runsc" })
    expect(missing.result).toMatchObject({ failure: { code: "flags-not-applied" } })
    expect(missing.status.reason).toContain("the engine has no runtime runsc; it lists")
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(created).toEqual([])
    ;(stream as unknown as { destroy(): void }).destroy()
  }, 120_000)

  it("inspects the runtime: another one than was asked for is not run", async () => {
    const image = await imageAt(engine())
    const program = ["/bin/true"]
    const name = `wopr-p2p-runtime-${process.pid}`
    const container = await engine().docker.createContainer(
      definition({ name, image, program, labels: {}, runtime: "runc-too" })
    )
    const found = await container.inspect()
    await container.remove({ force: true })
    expect(notApplied(found, program, "runc-too")).toEqual([])
    expect(notApplied(found, program, "runsc")).toEqual(['Runtime is "runc-too", not "runsc"'])
    expect(
      notApplied({ ...found, HostConfig: { ...found.HostConfig, Runtime: undefined } }, program, "runsc")
    ).toHaveLength(1)
    const info = await engine().docker.info()
    expect(notEnforceable(info, "runc-too")).toEqual([])
    for (const nonsense of ["toString", "", "runsc"]) expect(notEnforceable(info, nonsense)).toHaveLength(1)
  }, 60_000)
})

withOwnEngine("an engine whose default runtime is another one", { ...other, defaultRuntime: "runc-too" }, (engine) => {
  it("is used as it is, and named", async () => {
    const { result, status } = await tried(engine(), await imageAt(engine()))
    expect(Result.getOrThrow(result).confinement.runtime).toBe("runc-too")
    expect(status.reason).toContain("runc-too")
  }, 120_000)
})

const runsc = process.env["RUNSC"]
const gvisor = { runsc: { path: runsc ?? "", runtimeArgs: ["--platform=ptrace", "--network=none"] } }
if (runsc === undefined) console.warn("SKIPPED: a real gVisor: RUNSC names no program")
else
  withOwnEngine("a real gVisor", { runtimes: gvisor }, (engine) => {
    it("is proven from inside by its own marks, and an agent answers in it", async () => {
      const { answer, result, status } = await tried(engine(), await imageAt(engine()), { runtime: "runsc" })
      expect(Result.getOrThrow(result).confinement.runtime).toBe("runsc")
      expect(status.reason).toMatch(/runsc.*proven from inside/)
      expect(answer).toBe("done: 65534\n\n[exit code 0]")
    }, 120_000)
  })

describe("the judge of a canary under gVisor", () => {
  const report = {
    uid: 65534,
    capabilities: [...Array.from({ length: 4 }, () => "0000000000000000"), ""],
    noNewPrivileges: "",
    seccomp: "0",
    kernel: "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016",
    ...{ interfaces: [], routes: [], reached: [], writable: [], sockets: [], mounts: [] },
    executes: false,
    tmpBytes: 16_773_120,
    processes: 1,
    openFiles: 1_000,
    cpus: 0,
    shell: true
  }
  const judged = (changed: object, runtime = "runsc") => looseIn(JSON.stringify({ ...report, ...changed }), runtime)
  it("asks for its kernel's marks, and takes them from nobody else", () => {
    expect(judged({})).toEqual([])
    expect(judged({ kernel: "Linux version 6.1.0 (somebody) #1 SMP" })).toEqual([
      expect.stringContaining("not gVisor's")
    ])
    expect(judged({ kernel: "" })).toHaveLength(1)
    expect(judged({ noNewPrivileges: "0" })).toHaveLength(1)
    expect(judged({ capabilities: ["0", "0", "0", "", "0"] })).toHaveLength(1)
    expect(judged({}, "runc")).toHaveLength(4)
  })
})

withOwnEngine("an engine with remapped users", { remapped: true }, (engine) => {
  it("makes the image, is proven from inside, has an agent answer, and says that it remaps", async () => {
    const { answer, result, status } = await tried(engine(), await imageAt(engine()))
    const { confinement } = Result.getOrThrow(result)
    expect(confinement.engine).toMatch(/^docker [\d.]+ userns$/)
    expect(confinement.users).toBe("remapped")
    expect(status).toMatchObject({ ready: true, engine: confinement.engine })
    expect(answer).toBe("done: 65534\n\n[exit code 0]")
  }, 120_000)
})
