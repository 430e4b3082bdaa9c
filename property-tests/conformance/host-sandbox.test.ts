/**
 * The sandbox as other plugins of a host see it, over a real engine: what they run is as confined as a friend's question.
 * It must never be more than the sandbox is: no engine, no host folder, nothing that stays.
 * What the host's contract leaves open is written down here: exit codes, time-outs, and what is refused.
 */
import { Effect, ManagedRuntime } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer } from "../../adapters/docker/Sandbox.ts"
import * as HostSandbox from "../../plugin/HostSandbox.ts"
import { Sandbox, SandboxError } from "../../ports/Sandbox.ts"
import { jobsOf, withEngine } from "./docker-engine.ts"

const ownerId = `host-sandbox-${process.pid}`

describe("the sandbox of a host without one of its own", () => {
  const absent = HostSandbox.make({
    status: Effect.succeed({ ready: false, engine: "none", reason: "no engine" }),
    run: () => Effect.fail(new SandboxError({ code: "no-engine", message: "start Docker" })),
    converse: () => Effect.die("not asked")
  })
  it("confines everybody but the owner, and no tool of the host is for who is confined", async () => {
    const session = { sessionName: "friend" }
    expect([absent.shouldSandbox(session), absent.shouldSandbox({ ...session, trustLevel: "untrusted" })]).toEqual([
      true,
      true
    ])
    expect(absent.shouldSandbox({ ...session, trustLevel: "owner" })).toBe(false)
    expect(await absent.resolveSandboxContext({ ...session, trustLevel: "owner" })).toBe(null)
    expect(await absent.resolveSandboxContext(session)).toMatchObject({ enabled: true, workspaceAccess: "none" })
    expect(absent.filterToolsByPolicy(["Bash", "Read"])).toEqual([])
    expect(absent.isToolAllowed("Bash")).toBe(false)
  })
  it("refuses with the reason: without an engine, and the engine itself to everybody", async () => {
    await expect(absent.execInContainer("x", "true")).rejects.toThrow(/refused: no-engine: start Docker/)
    await expect(absent.execDocker()).rejects.toThrow(/refused/)
    for (const options of [{ workdir: "/etc" }, { workdir: "/tmp/../etc" }, { timeout: 0 }, { env: { "a b": "c" } }])
      await expect(absent.execInContainer("x", "true", options)).rejects.toThrow(/refused: (workdir|timeout|env)/)
    expect(await absent.pruneAllSandboxes()).toBe(0)
  })
})

withEngine("a command of another plugin", () => {
  let runtime: ManagedRuntime.ManagedRuntime<Sandbox, never>
  let sandbox: HostSandbox.HostSandbox
  beforeAll(async () => {
    const { imageId } = await Effect.runPromise(assemble(Agent.recipe({})))
    runtime = ManagedRuntime.make(layer({ image: imageId, program: ["/bin/sh"], ownerId }))
    sandbox = HostSandbox.make(await runtime.runPromise(Effect.flatMap(Sandbox, Effect.succeed)))
  })
  afterAll(async () => {
    await runtime.dispose()
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  })

  it("is told apart in output, errors and exit code, in its folder and with its variables", async () => {
    const command = 'pwd; printf "%s" "$WHO"; echo oops >&2; id -u; exit 3'
    expect(await sandbox.execInContainer("any", command, { workdir: "/tmp/a", env: { WHO: "it's me\n" } })).toEqual({
      stdout: "/tmp/a\nit's me\n65534\n",
      stderr: "oops\n",
      exitCode: 3
    })
    expect(await sandbox.execInContainerRaw("any", ["printf", "%s|", "a b", "$HOME", "it's; exit 9"])).toEqual({
      stdout: "a b|$HOME|it's; exit 9|",
      stderr: "",
      exitCode: 0
    })
  })
  it("has no network, no host, and finds nothing of the command before", async () => {
    await sandbox.execInContainer("same", "echo mine > /tmp/mine")
    const { stdout } = await sandbox.execInContainer(
      "same",
      "cat /tmp/mine; cat /proc/net/route | wc -l; echo x > /x",
      {}
    )
    expect(stdout).toMatch(/^[01]\n$/)
  })
  it("is stopped in time, by its limit and by a prune, and says so", async () => {
    expect(await sandbox.execInContainer("slow", "sleep 30", { timeout: 1 })).toMatchObject({
      exitCode: 124,
      stderr: expect.stringContaining("1000 milliseconds") as unknown
    })
    const pruned = sandbox.execInContainer("slow", "sleep 30").then(
      () => "ended",
      () => "stopped"
    )
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect(await sandbox.pruneAllSandboxes()).toBe(1)
    expect(await pruned).toBe("stopped")
  })
})
