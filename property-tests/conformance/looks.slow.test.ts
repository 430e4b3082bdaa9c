/**
 * The canary looks again and again: what it finds loose later turns the sandbox off, and what it then finds held turns it on.
 * It must not need a restart for either, nor run anything in between.
 * The image is changed under its name, so that the same canary tells another report: the engine and its containers are real.
 */
import { Effect, ManagedRuntime, Result } from "effect"
import { afterAll, expect, it } from "vitest"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer } from "../../adapters/docker/Sandbox.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"

const tag = "wopr-p2p-looks:1"
const ownerId = `looks-${process.pid}`
const honest = {
  uid: 65534,
  capabilities: Array.from({ length: 5 }, () => "0000000000000000"),
  ...{ noNewPrivileges: "1", seccomp: "2", kernel: "" },
  ...{ interfaces: [], routes: [], reached: [], writable: [], sockets: [], mounts: [] },
  ...{ executes: false, tmpBytes: 1_048_576, processes: 90, openFiles: 1_000, cpus: 0.5, shell: true }
}
/** What stands in for the canary: it says what it is told, and is as hungry. */
const script = 'if [ "$1" = memory ]; then tail /dev/zero; exit $?; fi; cat /report.json'

/** Every image it was: one that a container still uses keeps its id when it loses its name. */
const made = new Set<string>()
const says = async (report: object): Promise<void> => {
  const { imageId } = await Effect.runPromise(
    assemble({
      tag,
      files: [
        { path: "/canary.sh", text: script },
        { path: "/report.json", text: JSON.stringify(report) }
      ]
    })
  )
  made.add(imageId)
}

withEngine("the canary's later looks", () => {
  afterAll(async () => {
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
    for (const imageId of made)
      await docker
        .getImage(imageId)
        .remove({ force: true })
        .catch(() => undefined)
  })

  it("turn the sandbox off with the reason, and on again", async () => {
    await says(honest)
    const looks = { everyMs: 200, afterFailureMs: 200 }
    const canary = ["/bin/sh", "/canary.sh"]
    const runtime = ManagedRuntime.make(layer({ image: tag, program: ["/bin/echo", "ran"], canary, ownerId, looks }))
    const sandbox = await runtime.runPromise(Effect.flatMap(Sandbox, Effect.succeed))
    const job = () => ({
      id: `l-${crypto.randomUUID()}`,
      input: new Uint8Array(0),
      timeLimitMs: 9_000,
      outputBytesMax: 99
    })
    const ran = () => runtime.runPromise(Effect.map(Effect.result(sandbox.run(job())), Result.isSuccess))
    const becomes = async (ready: boolean) => {
      for (let tries = 0; tries < 150; tries++) {
        const status = await runtime.runPromise(sandbox.status)
        if (status.ready === ready) return status.reason
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return expect.fail(`it did not become ${ready ? "ready" : "unready"}`)
    }
    expect(await becomes(true)).toContain("proven from inside")
    expect(await ran()).toBe(true)
    await says({ ...honest, interfaces: ["eth0"] })
    expect(await becomes(false)).toContain("it has the network interface eth0")
    expect(await ran()).toBe(false)
    await says(honest)
    expect(await becomes(true)).toContain("proven from inside")
    expect(await ran()).toBe(true)
    await runtime.dispose()
  }, 90_000)
})
