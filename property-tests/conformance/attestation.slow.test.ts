/**
 * The canary is a proof only if it can fail: it looks around in containers that lack one protection each, and must say so.
 * The loosened containers run nothing but the canary, never a peer's text, and have limits of their own.
 * What the judge makes of a report is tried apart from any engine: what it cannot read it must take for loose.
 */
import type { Duplex } from "node:stream"
import type { HostConfig } from "dockerode"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { attest, looseIn } from "../../adapters/docker/Attestation.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { definition, hostConfig } from "../../adapters/docker/isolation.ts"
import { collect } from "../../adapters/docker/Output.ts"
import { layer } from "../../adapters/docker/Sandbox.ts"
import { Sandbox, SandboxError } from "../../ports/Sandbox.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"

const ownerId = `attestation-${process.pid}`
const honest = {
  uid: 65534,
  capabilities: Array.from({ length: 5 }, () => "0000000000000000"),
  noNewPrivileges: "1",
  seccomp: "2",
  kernel: "Linux version 6.1.0",
  ...{ interfaces: [], routes: [], reached: [], writable: [], sockets: [], mounts: [] },
  executes: false,
  tmpBytes: 16 * 1024 * 1024,
  processes: 93,
  openFiles: 1_000,
  cpus: 0.5,
  shell: true
}

describe("the judge of a canary's report", () => {
  it("finds nothing in an honest one, and every single thing that is loose", () => {
    expect(looseIn(JSON.stringify(honest))).toEqual([])
    const worse: Readonly<Record<keyof typeof honest, ReadonlyArray<unknown>>> = {
      shell: [],
      kernel: [],
      openFiles: [0, 1025],
      cpus: [0, 0.51, -1],
      uid: [0, 1000],
      capabilities: [[], ["0", "0", "0", "1", "0"], ["0", "0", "0", "0"], ["x", "0", "0", "0", "0"]],
      noNewPrivileges: ["0", ""],
      seccomp: ["0", "1", ""],
      interfaces: [["eth0"]],
      routes: [["eth0 00000000"]],
      reached: [["192.0.2.1:80"]],
      writable: [["/canary"]],
      sockets: [["/var/run/docker.sock"]],
      mounts: [["/host (ext4)"]],
      executes: [true],
      tmpBytes: [0, 16 * 1024 * 1024 + 1],
      processes: [0, 101, 400]
    }
    expect(looseIn(JSON.stringify({ ...honest, shell: false }))).toEqual([])
    for (const [field, values] of Object.entries(worse)) {
      for (const value of values) expect(looseIn(JSON.stringify({ ...honest, [field]: value })), field).toHaveLength(1)
      expect(looseIn(JSON.stringify({ ...honest, [field]: undefined })), field).toEqual([
        "the canary's report cannot be read"
      ])
    }
  })
  it("takes whatever is no report for loose", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(looseIn(text).length).toBeGreaterThan(0)
      })
    )
  })
  it("counts a canary that lives in spite of its hunger, or dies of something else, as loose", async () => {
    const answer = { output: new TextEncoder().encode(JSON.stringify(honest)), confinement: {} as never }
    const ends = (hungry: Effect.Effect<typeof answer, SandboxError>) =>
      Effect.runPromise(
        Effect.map(
          attest((_, program) => (program.at(-1) === "memory" ? hungry : Effect.succeed(answer)), ["canary"]),
          ({ loose }) => loose
        )
      )
    const failing = (code: SandboxError["code"]) => Effect.fail(new SandboxError({ code, message: "" }))
    expect(await ends(failing("out-of-memory"))).toEqual([])
    expect(await ends(failing("exit-code"))).toHaveLength(1)
    expect(await ends(Effect.succeed(answer))).toHaveLength(1)
  })
})

let image = ""

/** The canary's report from a container that is as loose as this makes it; its name is in nobody's way. */
const lookAround = async (loose: Partial<HostConfig>, config: Record<string, unknown> = {}): Promise<string> => {
  const wanted = definition({
    name: `wopr-p2p-loose-${crypto.randomUUID()}`,
    image,
    program: Agent.canary,
    labels: { "wopr-p2p.owner": ownerId }
  })
  const container = await docker.createContainer({ ...wanted, ...config, HostConfig: { ...hostConfig, ...loose } })
  try {
    const outputs = (await container.attach({ stream: true, hijack: true, stdout: true, stderr: true })) as Duplex
    outputs.on("error", () => undefined)
    await container.start()
    const { output } = await Effect.runPromise(collect(outputs, 65_536))
    return new TextDecoder().decode(output)
  } finally {
    await container.remove({ force: true, v: true })
  }
}

withEngine("the canary in a container", () => {
  beforeAll(async () => {
    image = (await Effect.runPromise(assemble(Agent.recipe({})))).imageId
  })
  afterAll(async () => {
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  })

  it("finds nothing loose under our flags", async () => {
    expect(looseIn(await lookAround({}))).toEqual([])
  }, 30_000)

  const cases: ReadonlyArray<readonly [string, Partial<HostConfig>, RegExp, Record<string, unknown>?]> = [
    ["a root user", {}, /runs as user 0/, { User: "0:0" }],
    ["a capability", { CapAdd: ["NET_RAW"] }, /has capabilities/],
    ["privileges to gain", { SecurityOpt: [] }, /could gain privileges/],
    ["no seccomp", { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] }, /no seccomp/],
    ["a writable root", { ReadonlyRootfs: false }, /writes to|sees of the host/, { User: "0:0" }],
    ["a folder of the host", { Binds: ["/usr/share:/host:ro"] }, /sees of the host \/host/],
    ["the engine's socket", { Binds: ["/var/run/docker.sock:/var/run/docker.sock"] }, /engine's socket/],
    ["programs in /tmp", { Tmpfs: { "/tmp": "rw,exec,nosuid,nodev,size=16777216,mode=1777" } }, /runs programs/],
    ["a large /tmp", { Tmpfs: { "/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777" } }, /\/tmp takes/],
    ["many processes", { PidsLimit: 300 }, /starts \d+ processes/],
    ["more of the processor", { NanoCpus: 1.5e9 }, /may use 1.5 processors/],
    ["no limit of the processor", { NanoCpus: 0 }, /may use any number of processors/],
    ["more open files", { Ulimits: [{ Name: "nofile", Soft: 2048, Hard: 2048 }] }, /opens 2\d\d\d files/],
    ["the host's network", { NetworkMode: "host" }, /network interface|reaches|route/, { NetworkDisabled: false }]
  ]
  for (const [what, loose, says, config] of cases) {
    it(`notices ${what}`, async () => {
      const found = looseIn(await lookAround(loose, config))
      expect(found.join("; ")).toMatch(says)
    }, 30_000)
  }

  it("turns inject off, with the reason, when it is not confined; and on where it is", async () => {
    const job = { id: `t-${crypto.randomUUID()}`, input: new Uint8Array(0), timeLimitMs: 5_000, outputBytesMax: 1_000 }
    const run = (canary: ReadonlyArray<string>) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox
          const result = yield* Effect.result(sandbox.run(job))
          return { result, status: yield* sandbox.status }
        }).pipe(Effect.provide(layer({ image, program: ["/bin/echo", "ran"], canary, ownerId })))
      )
    const bad = await run(["/bin/echo", "no report"])
    expect(bad.result).toMatchObject({ failure: { code: "flags-not-applied" } })
    expect(bad.status).toMatchObject({ ready: false })
    expect(bad.status.reason).toContain("canary")
    const good = await run(Agent.canary)
    expect(Result.isSuccess(good.result)).toBe(true)
    expect(good.status.reason).toMatch(/proven from inside \d{4}-/)
  }, 60_000)
})
