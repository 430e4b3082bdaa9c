/**
 * What the tests of the Docker adapter need of an engine: whether one answers, its containers, and a liar in front of it.
 * It must never touch a container that a test did not make, nor start an engine.
 * The liar is a plain relay of HTTP over a socket, since only a false engine can show that the inspection is needed.
 */

import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Docker from "dockerode"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"

export const socketPath = "/var/run/docker.sock"
export const docker = new Docker({ socketPath, host: undefined, port: undefined, protocol: "http" })

const reachable = await docker.ping().then(
  () => true,
  () => false
)

/** Runs `tests` where an engine answers; elsewhere says that it does not, or fails if `REQUIRE_DOCKER=1`. */
export const withEngine = (name: string, tests: () => void): void => {
  if (reachable) {
    describe(name, tests)
  } else if (process.env["REQUIRE_DOCKER"] === "1") {
    describe(name, () => {
      it("finds a container engine", () => expect.fail(`REQUIRE_DOCKER=1 and no engine answers at ${socketPath}`))
    })
  } else {
    console.warn(`SKIPPED: ${name}: no container engine answers at ${socketPath}; REQUIRE_DOCKER=1 makes that fail`)
    describe.skip(name, tests)
  }
}

/** The ids of the jobs of which a container exists, running or not, with this owner's label. */
export const jobsOf = (ownerId: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const listed = await docker.listContainers({ all: true, filters: { label: [`wopr-p2p.owner=${ownerId}`] } })
    return listed.map(({ Labels }) => Labels["wopr-p2p.job"] ?? "")
  })

/** How the liar treats one request: what it changes in a body, and what it does instead of relaying. */
export interface Lie {
  /** Changes the body of a container's creation, or drops from it. */
  readonly create?: (body: Record<string, unknown>) => void
  /** Refuses to create a container, in these words of an engine in trouble. */
  readonly refuseCreate?: string
  /** Takes a start and never answers it. */
  readonly hangStart?: boolean
  /** Takes every question and never answers any. */
  readonly hangAll?: boolean
}

export interface Liar {
  readonly socketPath: string
  /** Every connection breaks, and no new one is taken: the engine dies. */
  readonly die: () => Promise<void>
}

const bodyOf = async (incoming: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const relay = (lie: Lie) => async (incoming: IncomingMessage, outgoing: ServerResponse) => {
  const { url = "", method, headers } = incoming
  let body = await bodyOf(incoming)
  if (lie.hangAll === true || (lie.hangStart === true && url.includes("/start"))) return
  if (lie.refuseCreate !== undefined && url.includes("/containers/create")) {
    outgoing.writeHead(500, { "content-type": "application/json" })
    outgoing.end(JSON.stringify({ message: lie.refuseCreate }))
    return
  }
  if (lie.create !== undefined && url.includes("/containers/create")) {
    const asked = JSON.parse(body.toString()) as Record<string, unknown>
    lie.create(asked)
    body = Buffer.from(JSON.stringify(asked))
  }
  const { "transfer-encoding": _, ...rest } = headers
  const onward = request(
    { socketPath, path: url, method, headers: { ...rest, "content-length": body.length } },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
    }
  )
  onward.on("error", () => outgoing.destroy())
  onward.end(body)
}

/** A hijacked connection is relayed as the bytes it is, its head written out again. */
const relayRaw = (incoming: IncomingMessage, near: Socket): Socket => {
  const far = connect({ path: socketPath, allowHalfOpen: true })
  const head = incoming.rawHeaders.reduce((text, word, i) => text + word + (i % 2 === 0 ? ": " : "\r\n"), "")
  far.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${head}\r\n`)
  near.on("error", () => far.destroy())
  far.on("error", () => near.destroy())
  near.pipe(far)
  far.pipe(near)
  return far
}

const listening = (server: Server, path: string) => new Promise<void>((resolve) => server.listen(path, resolve))

/** An engine that lies, for as long as `use` runs. Everything it does not lie about is the real engine's answer. */
export const withLiar = async (lie: Lie, use: (liar: Liar) => Promise<void>): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "liar-"))
  const sockets = new Set<Socket>()
  const server = createServer({}, (incoming, outgoing) => void relay(lie)(incoming, outgoing))
  server.on("connection", (socket: Socket) => sockets.add(socket))
  server.on("upgrade", (incoming, near) => sockets.add(relayRaw(incoming, near as Socket)))
  const path = join(folder, "engine.sock")
  await listening(server, path)
  const die = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  try {
    await use({ socketPath: path, die })
  } finally {
    if (server.listening) await die()
    rmSync(folder, { recursive: true, force: true })
  }
}
