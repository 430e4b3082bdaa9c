/**
 * One whole node in a process of its own, for the bench: bob serves, alice drives and measures.
 * It leaves nothing out to be faster: the shipped composition, real files, every message signed, stored and flushed.
 * It is told what to do on standard input, a word a line, and answers in JSON, a line each, because it is killed at the
 * end and everything it says must be out by then.
 */
import { createInterface } from "node:readline"
import { Deferred, Effect, Exit, PubSub, Stream } from "effect"
import type { Event, Input, Node } from "../core/index.ts"
import * as Layers from "../plugin/Layers.ts"
import { type Link, Transport } from "../ports/Transport.ts"
import { countFlushes } from "./Flushes.ts"
import { percentile } from "./Percentile.ts"

const unlimited = [{ capacity: 10_000_000, windowMs: 1_000 }]
/** Messages under way from the operator's point of view: enough to keep the window of 512 full. */
const outstandingMax = 640
const text = "x".repeat(1_024)
const say: Input.Command = { _tag: "Message", name: "bob", keyPrefix: "", text }

/** What alice measured. Times in milliseconds. */
export interface Driven {
  readonly coldFirstMessageMs: number
  readonly acknowledgedP50Ms: number
  readonly acknowledgedP95Ms: number
  readonly messagesPerSecond: number
  readonly firstMessageP50Ms: number
  /** All messages that were confirmed, and those of them that were sent one at a time and many at a time. */
  readonly delivered: number
  readonly sequential: { readonly messages: number; readonly flushes: number }
  readonly pipelined: { readonly messages: number; readonly flushes: number }
}

interface Running {
  readonly node: Node.Node
  readonly link: () => Link | undefined
  readonly next: (matches: (event: Event.Event) => boolean) => Promise<Event.Event>
  readonly listen: (listener: (event: Event.Event) => void) => () => void
}

/** A node of the shipped composition; every event goes to the listeners, and the newest link is at hand. */
const open = (name: string, folder: string, port: number): Promise<Running> => {
  const settings: Layers.Settings = {
    dataFolder: `${folder}/${name}`,
    rooms: [{ name: "lobby", file: `${folder}/room.txt` }],
    network: { kind: "bootstrap", nodes: [{ host: "127.0.0.1", port }] },
    sandbox: "off"
  }
  const listeners = new Set<(event: Event.Event) => void>()
  let newest: Link | undefined
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
  const started = Deferred.makeUnsafe<Running>()
  const program = Effect.gen(function* () {
    const transport = yield* Transport
    const links = Stream.tap(transport.links, (link) =>
      Effect.sync(() => {
        newest = link
      })
    )
    const node = yield* Effect.provideService(
      Layers.start(name, settings, { message: unlimited, control: unlimited }),
      Transport,
      { ...transport, links }
    )
    const events = yield* node.events
    yield* Deferred.succeed(started, { node, link: () => newest, next, listen })
    for (;;) for (const event of yield* PubSub.takeAll(events)) for (const listener of [...listeners]) listener(event)
  }).pipe(Effect.provide(Layers.layers(settings)), Effect.scoped)
  Effect.runFork(program).addObserver((exit) => {
    if (Exit.isFailure(exit)) process.stderr.write(`${name} ended: ${String(exit.cause)}\n`)
    process.exit(1)
  })
  return Effect.runPromise(Deferred.await(started))
}

const command = async ({ node }: Running, one: Input.Command): Promise<void> => {
  const reply = await Effect.runPromise(node.command(one))
  if (!reply.ok) throw new Error(`refused: ${reply.rejection.code}`)
}

const tell = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`)

const serve = async (folder: string, port: number): Promise<void> => {
  const bob = await open("bob", folder, port)
  const asked = bob.next((event) => event._tag === "RequestReceived")
  tell("ready")
  await asked
  await command(bob, { _tag: "Accept", name: "alice", keyPrefix: "" })
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

/** The link breaks; once both ends have settled, the first message to a friend that is up and not connected. */
const deliverUnconnected = async (alice: Running): Promise<number> => {
  const gone = alice.next((event) => event._tag === "Disconnected")
  const link = alice.link()
  if (link === undefined) throw new Error("there is no link to break")
  await Effect.runPromise(link.abort)
  await gone
  // Longer than the pause before a lost link may be dialled again, which is not what is measured here.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const { friends } = await Effect.runPromise(alice.node.describe)
  if (friends[0]?.connected !== false) throw new Error("still connected")
  return deliver(alice)
}

const drive = async (folder: string, port: number, scale: number): Promise<Driven> => {
  const flushes = await countFlushes()
  const alice = await open("alice", folder, port)
  const friends = alice.next((event) => event._tag === "FriendshipMade")
  await command(alice, { _tag: "Friend", channel: "room:lobby", to: "bob" })
  await friends
  const coldFirstMessageMs = await deliver(alice)
  const samples: Array<number> = []
  const [warmUp, sequential, many] = [500, Math.round(1_000 * scale), Math.round(20_000 * scale)]
  for (let index = 0; index < warmUp; index++) await deliver(alice)
  const before = flushes()
  for (let index = 0; index < sequential; index++) samples.push(await deliver(alice))
  const between = flushes()
  await pipeline(alice, Math.round(many / 4))
  const pipelinedFrom = flushes()
  const messagesPerSecond = await pipeline(alice, many)
  const after = flushes()
  const firsts: Array<number> = []
  for (let index = 0; index < 11; index++) firsts.push(await deliverUnconnected(alice))
  return {
    coldFirstMessageMs,
    acknowledgedP50Ms: percentile(samples, 0.5),
    acknowledgedP95Ms: percentile(samples, 0.95),
    messagesPerSecond,
    firstMessageP50Ms: percentile(firsts, 0.5),
    delivered: 1 + warmUp + sequential + Math.round(many / 4) + many + firsts.length,
    sequential: { messages: sequential, flushes: between - before },
    pipelined: { messages: many, flushes: after - pipelinedFrom }
  }
}

const [role = "", folder = "", port = "", scale = "1"] = process.argv.slice(2)
createInterface({ input: process.stdin }).on("close", () => process.exit(0))
if (role === "serve") await serve(folder, Number(port))
else tell(await drive(folder, Number(port), Number(scale)))
