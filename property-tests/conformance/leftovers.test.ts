/**
 * Whose a container is that nobody runs any more: the folder's id tells, and nothing else does.
 * It must never take a path for a name: two folders may have one, and one folder may have many.
 * What a start removes, and what it must leave alone, is looked for at the engine.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Layer, Scope } from "effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { assemble } from "../../adapters/docker/Image.ts"
import { definition } from "../../adapters/docker/isolation.ts"
import { layer as dockerLayer } from "../../adapters/docker/Sandbox.ts"
import * as FolderId from "../../adapters/filesystem/FolderId.ts"
import * as AgentSandbox from "../../plugin/AgentSandbox.ts"
import * as Layers from "../../plugin/Layers.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"

const folders: Array<string> = []
const makeFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "leftovers-"))
  folders.push(folder)
  return folder
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const obtain = (folder: string) => Effect.runPromise(FolderId.obtain(folder))
const existing = (folder: string) => Effect.runPromise(FolderId.existing(folder))

/** The id of a folder by a path that is the same text in both roots. */
const samePath = async (root: string): Promise<string> => {
  const before = process.cwd()
  process.chdir(root)
  try {
    return await obtain("data/p2p")
  } finally {
    process.chdir(before)
  }
}

describe("a folder's id", () => {
  it("is random, made once, for its owner's eyes alone, and the same by every path", async () => {
    const folder = join(makeFolder(), "data")
    expect(await existing(folder)).toBeUndefined()
    expect(existsSync(folder)).toBe(false)
    const id = await obtain(folder)
    expect(id).toMatch(/^[0-9a-f]{24}$/)
    expect([await obtain(folder), await existing(folder)]).toEqual([id, id])
    expect(statSync(join(folder, FolderId.fileName)).mode & 0o777).toBe(0o600)
    symlinkSync(folder, `${folder}-link`)
    expect(await obtain(`${folder}-link`)).toBe(id)
    expect(readdirSync(folder)).toEqual([FolderId.fileName])
  })
  it("differs where two roots have the same path, and goes along with a copy of the folder", async () => {
    const [one, two] = [makeFolder(), makeFolder()]
    const ids = [await samePath(one), await samePath(two)]
    expect(new Set(ids).size).toBe(2)
    cpSync(join(one, "data"), join(one, "copy"), { recursive: true })
    expect(await obtain(join(one, "copy/p2p"))).toBe(ids[0])
  })
  it("is one for all who make it at once, and is made where a crash left a draft or less than an id", async () => {
    const folder = makeFolder()
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => obtain(folder)))).size).toBe(1)
    for (const text of ["", "0123", "x".repeat(24), `${"a".repeat(24)}\nmore`]) {
      const damaged = makeFolder()
      writeFileSync(join(damaged, FolderId.fileName), text)
      writeFileSync(join(damaged, `.${FolderId.fileName}.0123456789ab.new`), "012")
      const id = await obtain(damaged)
      expect(id).toMatch(/^[0-9a-f]{24}$/)
      expect(await obtain(damaged)).toBe(id)
    }
  })
  it("fails with a sentence where it can be neither read nor made", async () => {
    const file = join(makeFolder(), "file")
    writeFileSync(file, "")
    await expect(obtain(file)).rejects.toThrow(/folder.id cannot be read or made/)
  })
})

const image = "wopr-p2p-leftovers:1"
const sleep = ["/bin/sleep", "600"]

/** A container of a process that is gone, running. */
const leave = async (ownerId: string): Promise<void> => {
  const labels = { "wopr-p2p.owner": ownerId, "wopr-p2p.job": "left" }
  const container = await docker.createContainer(
    definition({ name: `wopr-p2p-left-${crypto.randomUUID()}`, image, program: sleep, labels })
  )
  await container.start()
}
const left = (ownerId: string) => Effect.runPromise(jobsOf(ownerId))

/** Builds a sandbox, uses it, and closes it. */
const built = async <A>(sandbox: Layer.Layer<Sandbox>, use: () => Promise<A>): Promise<A> => {
  const scope = Effect.runSync(Scope.make())
  try {
    await Effect.runPromise(Layer.buildWithScope(sandbox, scope))
    return await use()
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const gone = async (ownerId: string): Promise<boolean> => {
  for (let tries = 0; tries < 100; tries++) {
    if ((await left(ownerId)).length === 0) return true
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return false
}

withEngine("leftovers at the engine", () => {
  beforeAll(async () => {
    await Effect.runPromise(assemble({ tag: image }))
  })
  afterAll(async () => {
    await docker.getImage(image).remove({ force: true })
  })

  it("of a folder with the same path in another root are left alone, running jobs too", async () => {
    const [one, two] = [await samePath(makeFolder()), await samePath(makeFolder())]
    const nap = { id: `n-${crypto.randomUUID()}`, input: new Uint8Array(0), timeLimitMs: 10_000, outputBytesMax: 100 }
    const running = Effect.flatMap(Sandbox, (sandbox) => sandbox.run(nap)).pipe(
      Effect.provide(dockerLayer({ image, program: ["/bin/sh", "-c", "sleep 1; echo well"], ownerId: one }))
    )
    const answer = Effect.runPromise(running)
    while (!(await left(one)).includes(nap.id)) await new Promise((resolve) => setTimeout(resolve, 20))
    await built(dockerLayer({ image, program: sleep, ownerId: two }), () => Promise.resolve())
    expect(new TextDecoder().decode((await answer).output)).toBe("well\n")
  }, 20_000)

  const settings = (dataFolder: string, sandbox: "agent" | "off"): Layers.Settings => ({
    dataFolder,
    rooms: [],
    network: { kind: "public" },
    sandbox
  })
  it("are found through a link to the folder, and go when the next start has no model or no sandbox", async () => {
    for (const sandbox of ["agent", "off"] as const) {
      const folder = makeFolder()
      const id = await obtain(folder)
      symlinkSync(folder, `${folder}-link`)
      folders.push(`${folder}-link`)
      const other = await obtain(makeFolder())
      await Promise.all([leave(id), leave(other)])
      expect(await built(Layers.sandbox(settings(`${folder}-link`, sandbox)), () => gone(id))).toBe(true)
      expect(await left(other)).toEqual(["left"])
      await built(dockerLayer({ image, program: sleep, ownerId: other }), () => Promise.resolve())
      expect(await left(other)).toEqual([])
    }
  }, 30_000)

  it("go where the image is not approved for this version, and cost a start nothing where no engine answers", async () => {
    const folder = makeFolder()
    const ownerId = await obtain(folder)
    writeFileSync(join(folder, "sandbox.json"), JSON.stringify({ imageId: "sha256:old", runner: "another" }))
    await leave(ownerId)
    await built(AgentSandbox.layer({ dataFolder: folder, ownerId }), () => Promise.resolve())
    expect(await left(ownerId)).toEqual([])
    const startedMs = performance.now()
    const engineSocket = join(folder, "nothing.sock")
    await built(Layers.sandbox({ ...settings(folder, "off"), engineSocket }), () => Promise.resolve())
    mkdirSync(join(folder, "empty"))
    await built(Layers.sandbox(settings(join(folder, "empty"), "off")), () => Promise.resolve())
    expect(readdirSync(join(folder, "empty"))).toEqual([])
    expect(performance.now() - startedMs).toBeLessThan(1_500)
  }, 20_000)
})
