/**
 * The sandbox that a node's agent gets: which image it may run in, and what happens while there is no engine.
 * It must never run in an image that nobody approved, whatever the image is called.
 * An engine that comes later is a socket that comes later; the engine behind it is the real one.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer as dockerLayer } from "../../adapters/docker/Sandbox.ts"
import * as AgentSandbox from "../../plugin/AgentSandbox.ts"
import * as SandboxImage from "../../plugin/SandboxImage.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { docker, socketPath, withEngine } from "./docker-engine.ts"

const folders: Array<string> = []
const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "agent-sandbox-"))
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.result(effect))
const messageOf = (result: Result.Result<unknown, { readonly message: string }>): string =>
  Result.isFailure(result) ? result.failure.message : "no failure"

describe("the approved image", () => {
  it("is none in a new folder, and a damaged or foreign record approves none", async () => {
    const folder = makeFolder()
    expect(await run(SandboxImage.approved(folder))).toEqual(Result.succeed(undefined))
    for (const text of ["", "{}", '{"imageId":5,"runner":"x"}', "\u0000"]) {
      writeFileSync(join(folder, "sandbox.json"), text)
      expect(messageOf(await run(SandboxImage.forRuns(folder, {})))).toMatch(/damaged.*wopr-p2p sandbox image/)
    }
  })
  it("is refused once this program is another version, until the owner approves today's", async () => {
    const folder = makeFolder()
    writeFileSync(join(folder, "sandbox.json"), JSON.stringify({ imageId: "sha256:old", runner: "another" }))
    expect(messageOf(await run(SandboxImage.forRuns(folder, {})))).toMatch(/another version.*wopr-p2p sandbox image/)
  })
  it("names what is missing where there is no engine", async () => {
    const folder = makeFolder()
    const nowhere = { socketPath: join(folder, "nothing.sock") }
    expect(messageOf(await run(SandboxImage.forRuns(folder, nowhere)))).toMatch(
      /no container engine answers at .*ENOENT/
    )
    expect(await run(SandboxImage.approved(folder))).toEqual(Result.succeed(undefined))
  })
})

const job = (id: string) => ({ id, input: new Uint8Array(0), timeLimitMs: 10_000, outputBytesMax: 1_000 })

withEngine("the agent's sandbox", () => {
  it("makes and approves its first image, for its owner's eyes alone, and goes on in that one", async () => {
    const folder = makeFolder()
    const first = Result.getOrThrow(await run(SandboxImage.make(folder, {})))
    const file = join(folder, "sandbox.json")
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      imageId: first.imageId,
      runner: Agent.runnerHash(),
      made: first.imported ? [first.imageId] : []
    })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await run(SandboxImage.forRuns(folder, {}))).toEqual(Result.succeed(first.imageId))
    expect((await docker.getImage(first.imageId).inspect()).Id).toBe(first.imageId)
  }, 30_000)
  it("can be built on another image, runs there, and says what to do where that one cannot be had", async () => {
    const folder = makeFolder()
    const base = Agent.recipe({}).tag
    const { imageId } = Result.getOrThrow(await run(SandboxImage.buildOn(folder, base, {})))
    expect(await run(SandboxImage.forRuns(folder, {}))).toEqual(Result.succeed(imageId))
    const { Config } = await docker.getImage(imageId).inspect()
    expect([Config.User, Config.Labels[Agent.runnerLabel]]).toEqual(["65534:65534", Agent.runnerHash()])
    const status = Effect.flatMap(Sandbox, (sandbox) => Effect.andThen(sandbox.run(job("built")), sandbox.status))
    const options = { image: imageId, program: ["/bin/true"], canary: Agent.canary, ownerId: `built-${process.pid}` }
    expect(await Effect.runPromise(status.pipe(Effect.provide(dockerLayer(options))))).toMatchObject({ ready: true })
    const missing = messageOf(await run(SandboxImage.buildOn(makeFolder(), "no-such-image.invalid/x:1", {})))
    expect(missing).toMatch(/cannot build on no-such-image.*without --from/)
    for (const bad of ["", "a b", "x\nRUN y", "-x", "$(id)"]) {
      expect(messageOf(await run(SandboxImage.buildOn(folder, bad, {})))).toContain("is no name of an image")
    }
    await docker.getImage(imageId).remove({ force: true })
  }, 60_000)
  it("removes the images that were made for this folder before, and no other, and none that is used", async () => {
    const folder = makeFolder()
    const old = async (name: string, labels: Readonly<Record<string, string>>) =>
      (
        await Effect.runPromise(
          assemble({ tag: `wopr-p2p-old-${name}:1`, labels, files: [{ path: "/x", text: name }] })
        )
      ).imageId
    const labels = { [Agent.runnerLabel]: "older" }
    const [ours, used] = [await old("ours", labels), await old("used", labels)]
    const [others, unlabelled] = [await old("others", labels), await old("unlabelled", {})]
    const user = await docker.createContainer({ Image: used, Entrypoint: ["/bin/true"], NetworkDisabled: true })
    const record = { imageId: ours, runner: "older", made: [unlabelled, used, ours] }
    writeFileSync(join(folder, "sandbox.json"), JSON.stringify(record))
    const { imageId } = Result.getOrThrow(await run(SandboxImage.make(folder, {})))
    const there = (id: string) =>
      docker
        .getImage(id)
        .inspect()
        .then(Boolean, () => false)
    expect(await Promise.all([ours, used, others, unlabelled, imageId].map(there))).toEqual([
      false,
      true,
      true,
      true,
      true
    ])
    expect(JSON.parse(readFileSync(join(folder, "sandbox.json"), "utf8"))).toMatchObject({ imageId })
    await user.remove({ force: true })
    Result.getOrThrow(await run(SandboxImage.make(folder, {})))
    expect(await there(used)).toBe(false)
    for (const id of [others, unlabelled]) await docker.getImage(id).remove({ force: true })
  }, 60_000)
  it("refuses while there is no engine, with the reason, and opens by itself when there is one", async () => {
    const folder = makeFolder()
    const later = join(folder, "engine.sock")
    const options = { dataFolder: folder, ownerId: `later-${process.pid}`, socketPath: later }
    const story = Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const before = yield* sandbox.status
      const refused = yield* Effect.flip(sandbox.run(job("early")))
      const talk = yield* Effect.flip(sandbox.converse(job("early-too"), () => Effect.void))
      yield* Effect.sync(() => symlinkSync(socketPath, later))
      let after = yield* sandbox.status
      for (let tries = 0; tries < 200 && !after.ready; tries++) {
        yield* Effect.sleep(100)
        after = yield* sandbox.status
      }
      return { before, refused: refused.code, talk: talk.code, after }
    })
    const told = await Effect.runPromise(story.pipe(Effect.provide(AgentSandbox.layer(options))))
    expect(told.before).toMatchObject({ ready: false, reason: expect.stringContaining("no container engine answers") })
    expect([told.refused, told.talk]).toEqual(["no-engine", "no-engine"])
    expect(told.after).toMatchObject({ ready: true, reason: expect.stringContaining("proven from inside") })
  }, 40_000)
  it("does not run in an image of the right name that is not the approved one", async () => {
    const folder = makeFolder()
    writeFileSync(
      join(folder, "sandbox.json"),
      JSON.stringify({ imageId: `sha256:${"0".repeat(64)}`, runner: Agent.runnerHash() })
    )
    const story = Effect.gen(function* () {
      const sandbox = yield* Sandbox
      return { status: yield* sandbox.status, refused: yield* Effect.flip(sandbox.run(job("never"))) }
    })
    const options = { dataFolder: folder, ownerId: `wrong-${process.pid}` }
    const { refused, status } = await Effect.runPromise(story.pipe(Effect.provide(AgentSandbox.layer(options))))
    expect(status.ready).toBe(false)
    expect(refused.code).toBe("no-image")
  }, 30_000)
})
