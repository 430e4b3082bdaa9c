/**
 * An image without a shell: the agent works with files alone, and everybody is told so.
 * It must never be found unconfined for want of a shell to try things with.
 * The image is a real one that lacks /bin/sh, and the canary looks at it as at any other.
 */
import type { Duplex } from "node:stream"
import { Effect, ManagedRuntime } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { looseIn } from "../../adapters/docker/Attestation.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { definition, hostConfig } from "../../adapters/docker/isolation.ts"
import { collect } from "../../adapters/docker/Output.ts"
import { layer } from "../../adapters/docker/Sandbox.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { callOf, question, textOf } from "./agent-question.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"

const tag = "wopr-p2p-no-shell:1"
const ownerId = `no-shell-${process.pid}`

withEngine("an agent in an image without a shell", () => {
  let image = ""
  beforeAll(async () => {
    image = (await Effect.runPromise(assemble({ ...Agent.recipe({}), tag, shell: false, commands: [] }))).imageId
  })
  afterAll(async () => {
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
    await docker.getImage(tag).remove({ force: true })
  })

  it("answers with its file tools, is offered no shell, and status says so", async () => {
    const runtime = ManagedRuntime.make(layer({ image, program: Agent.program, canary: Agent.canary, ownerId }))
    const sandbox = await runtime.runPromise(Effect.flatMap(Sandbox, Effect.succeed))
    const told = await question(sandbox, "c", [
      callOf("a", "write_file", { path: "x.txt", text: "one" }),
      callOf("b", "read_file", { path: "x.txt" }),
      callOf("c", "shell", { command: "id" }),
      textOf("done")
    ])
    expect(told.outcome).toBe("done")
    expect(told.tools).toEqual(["read_file", "write_file", "list_files"])
    expect(told.heard.slice(1)).toEqual([
      "3 characters written",
      "one",
      'there is no tool "shell"; there are read_file, write_file, list_files'
    ])
    const status = await runtime.runPromise(sandbox.status)
    expect(status).toMatchObject({ ready: true, confinement: { imageId: image, capabilitiesDropped: "ALL" } })
    expect(told.confinement).toMatchObject({
      ...{
        capabilitiesDropped: "ALL",
        capabilitiesAdded: "",
        noNewPrivileges: true,
        seccomp: "default",
        users: "host"
      },
      ...{ swapBytes: 0, tmpfsBytes: 16 * 1024 * 1024, runtime: "runc", imageId: image },
      provenAtMs: status.confinement?.provenAtMs
    })
    expect(status.reason).toMatch(/proven from inside .*; no shell in the image: the shell tool is not offered$/)
    await runtime.dispose()
  }, 60_000)

  it("has its processes counted all the same, by threads", async () => {
    const labels = { "wopr-p2p.owner": ownerId }
    const wanted = definition({ name: `wopr-p2p-loose-${ownerId}`, image, program: Agent.canary, labels })
    const container = await docker.createContainer({ ...wanted, HostConfig: { ...hostConfig, PidsLimit: 130 } })
    try {
      const outputs = (await container.attach({ stream: true, hijack: true, stdout: true, stderr: true })) as Duplex
      await container.start()
      const { output } = await Effect.runPromise(collect(outputs, 65_536))
      expect(looseIn(new TextDecoder().decode(output))).toEqual([expect.stringMatching(/starts 1\d\d processes/)])
    } finally {
      await container.remove({ force: true, v: true })
    }
  }, 30_000)
})
