/**
 * Making an image goes wrong in the middle: the engine refuses or hangs up, a program changes, vanishes or shrinks meanwhile.
 * The engine is a socket of this test that says what it is told to; what the real one takes is told in the slow stories.
 * Whatever happens, it ends with a reason, in time, and nothing of this machine stays open.
 */
import { readdirSync, readlinkSync } from "node:fs"
import { appendFile, copyFile, mkdtemp, rm, truncate } from "node:fs/promises"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { assemble } from "../../adapters/docker/Image.ts"

const cleanups: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const place = async () => {
  const folder = await mkdtemp(join(tmpdir(), "image-"))
  cleanups.push(() => rm(folder, { recursive: true }))
  return folder
}

/** A program of some megabytes, so that it is still being read when the engine has the beginning of it. */
const program = async (folder: string): Promise<string> => {
  const path = join(folder, "program")
  await copyFile("/bin/sh", path)
  await appendFile(path, new Uint8Array(8 * 1024 * 1024))
  return path
}

interface Mood {
  /** Between the hash of the archive and the archive. */
  readonly asked?: () => Promise<unknown>
  /** When the first bytes of the archive are there. */
  readonly begun?: (request: IncomingMessage, response: ServerResponse) => void
}

/** An engine that holds no image and takes any. */
const engine = async (folder: string, { asked, begun }: Mood): Promise<string> => {
  const server = createServer(async (request, response) => {
    if (request.method === "GET" && request.url?.includes("/images/") === true) {
      await asked?.()
      return void response.writeHead(404, { "content-type": "application/json" }).end('{"message":"no such image"}')
    }
    if (request.method !== "POST") return void response.end("OK")
    request.once("data", () => begun?.(request, response))
    request.on("error", () => undefined)
    request.on("end", () => response.end('{"status":"taken"}\n'))
  })
  const path = join(folder, "engine.sock")
  await new Promise<void>((resolve) => server.listen(path, resolve))
  cleanups.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return path
}

const openFiles = (path: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  }).length

describe("an image whose making goes wrong in the middle", () => {
  const moods: ReadonlyArray<readonly [string, RegExp, (path: string) => Mood]> = [
    [
      "the engine refuses",
      /no room/,
      () => ({ begun: (_, response) => response.writeHead(500).end('{"message":"no room"}') })
    ],
    [
      "the engine hangs up",
      /cannot assemble|no container engine/,
      () => ({ begun: (request) => request.socket.destroy() })
    ],
    ["a program has grown", /changed meanwhile/, (path) => ({ asked: () => appendFile(path, "more") })],
    [
      "a program is gone",
      /cannot take .*program along: ENOENT/,
      (path) => ({ asked: () => rm(path, { force: true }) })
    ],
    ["a program shrinks while it is read", /Size mismatch/, (path) => ({ begun: () => void truncate(path, 1_000) })],
    ["the engine has taken it and does not hold it", /does not show it/, () => ({})]
  ]
  it.each(moods)("says so and leaves nothing open: %s", async (_, why, of) => {
    const folder = await place()
    const path = await program(folder)
    const socketPath = await engine(folder, of(path))
    const programs = { "/bin/program": path }
    const recipe = { tag: "image-test:1", socketPath, programs, commands: [], shell: false }
    const made = await Effect.runPromise(Effect.result(assemble(recipe)))
    expect(Result.isFailure(made) && made.failure.message).toMatch(why)
    await expect.poll(() => openFiles(path)).toBe(0)
  })
})
