/**
 * What two whole nodes do between two processes of one machine: real files, real Hyperswarm, both ends durable.
 * Nothing is left out to be faster: every message is signed, verified, stored and synced at both ends before it counts.
 * The rates of the protocol are for people; here they are configured away, and the figures say so.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Exit, Fiber, PubSub, Scope } from "effect"
import { testnet } from "../adapters/hyperswarm/LocalDht.ts"
import type { Event, Input, Node } from "../core/index.ts"
import * as Layers from "../plugin/Layers.ts"

const self = fileURLToPath(import.meta.url)
const text = "x".repeat(1_024)
const unlimited = [{ capacity: 10_000_000, windowMs: 1_000 }]
/** Messages under way from the operator's point of view; the outbox takes 1,000. */
const outstandingMax = 500

export interface OurFigures {
  /** From the command to the event that a 1 KiB message was delivered, one at a time, milliseconds. */
  readonly acknowledgedP50Ms: number
  readonly acknowledgedP95Ms: number
  /** Acknowledged 1 KiB messages a second, many at a time. */
  readonly messagesPerSecond: number
  /** From the first message to a friend that is up but not connected, to its acknowledgement, milliseconds. */
  readonly firstMessageMs: number
}

const percentile = (samples: ReadonlyArray<number>, part: number): number =>
  [...samples].sort((a, b) => a - b)[Math.min(samples.length - 1, Math.floor(samples.length * part))] ?? Number.NaN

interface Running {
  readonly node: Node.Node
  readonly next: (matches: (event: Event.Event) => boolean) => Promise<Event.Event>
  readonly listen: (listener: (event: Event.Event) => void) => () => void
}

/** A node of the shipped composition, with every event handed to listeners. */
const open = async (name: string, folder: string, port: number, scope: Scope.Scope): Promise<Running> => {
  const settings: Layers.Settings = {
    dataFolder: join(folder, name),
    rooms: [{ name: "lobby", file: join(folder, "room.txt") }],
    network: { kind: "bootstrap", nodes: [{ host: "127.0.0.1", port }] },
    sandbox: "off"
  }
  const listeners = new Set<(event: Event.Event) => void>()
  const started = await new Promise<Node.Node>((resolve, reject) => {
    const program = Effect.gen(function* () {
      const node = yield* Layers.start(name, { message: unlimited, control: unlimited })
      const events = yield* node.events
      resolve(node)
      for (;;) {
        const event = yield* PubSub.take(events)
        for (const listener of [...listeners]) listener(event)
      }
    }).pipe(Effect.provide(Layers.layers(settings)), Effect.scoped)
    const fiber = Effect.runFork(program)
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) reject(new Error(String(exit.cause)))
    })
    Effect.runSync(Scope.addFinalizer(scope, Fiber.interrupt(fiber)))
  })
  const listen = (listener: (event: Event.Event) => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }
  const next = (matches: (event: Event.Event) => boolean) =>
    new Promise<Event.Event>((resolve) => {
      const stop = listen((event) => {
        if (!matches(event)) return
        stop()
        resolve(event)
      })
    })
  return { node: started, next, listen }
}

const command = async ({ node }: Running, one: Input.Command): Promise<string> => {
  const reply = await Effect.runPromise(node.command(one))
  if (!reply.ok) throw new Error(`refused: ${reply.rejection.code}`)
  return reply.id
}

const say: Input.Command = { _tag: "Message", name: "bob", keyPrefix: "", text }

/** The far process: accepts whoever asks. */
const serve = async (folder: string, port: number): Promise<void> => {
  const bob = await open("bob", folder, port, Effect.runSync(Scope.make()))
  const asked = bob.next((event) => event._tag === "RequestReceived")
  process.once("SIGTERM", () => process.exit(0))
  // Whoever measures may be gone without a farewell.
  process.stdin.on("end", () => process.exit(0)).resume()
  process.stdout.write("ready\n")
  await asked
  await command(bob, { _tag: "Accept", name: "alice", keyPrefix: "" })
  setInterval(() => {}, 60_000)
}

const startServer = async (folder: string, port: number): Promise<ChildProcess> => {
  const server = spawn(process.execPath, [self, "serve", folder, String(port)], { stdio: ["pipe", "pipe", "inherit"] })
  await new Promise<void>((resolve, reject) => {
    server.stdout?.once("data", () => resolve())
    server.once("exit", (code) => reject(new Error(`the serving process ended with ${code}`)))
  })
  return server
}

const deliver = async (alice: Running): Promise<number> => {
  const startedAt = performance.now()
  const delivered = alice.next((event) => event._tag === "Delivered")
  await command(alice, say)
  await delivered
  return performance.now() - startedAt
}

const pipeline = (alice: Running, count: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const startedAt = performance.now()
    let sent = 0
    let delivered = 0
    const feed = () => {
      while (sent < count && sent - delivered < outstandingMax) {
        sent++
        command(alice, say).catch(reject)
      }
    }
    const stop = alice.listen((event) => {
      if (event._tag !== "Delivered") return
      delivered++
      if (delivered < count) return feed()
      stop()
      resolve(count / ((performance.now() - startedAt) / 1_000))
    })
    feed()
  })

/** All of it: a DHT and alice here, bob in a process of his own, folders in the system's temporary place. */
export const measure = async (
  options: { readonly messages?: number; readonly pipelined?: number } = {}
): Promise<OurFigures> => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-bench-"))
  const scope = Effect.runSync(Scope.make())
  const dht = await Effect.runPromise(Scope.provide(testnet, scope))
  const server = await startServer(folder, dht[0]!.port)
  try {
    const alice = await open("alice", folder, dht[0]!.port, scope)
    const friends = alice.next((event) => event._tag === "FriendshipMade")
    await command(alice, { _tag: "Friend", channel: "room:lobby", to: "bob" })
    await friends
    const firstMessageMs = await deliver(alice)
    for (let index = 0; index < 50; index++) await deliver(alice)
    const samples: Array<number> = []
    for (let index = 0; index < (options.messages ?? 500); index++) samples.push(await deliver(alice))
    const messagesPerSecond = await pipeline(alice, options.pipelined ?? 5_000)
    return {
      acknowledgedP50Ms: percentile(samples, 0.5),
      acknowledgedP95Ms: percentile(samples, 0.95),
      messagesPerSecond,
      firstMessageMs
    }
  } finally {
    const ended = new Promise((resolve) => server.once("exit", resolve))
    if (server.exitCode === null && server.kill()) await ended
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[2] === "serve") await serve(process.argv[3]!, Number(process.argv[4]))
