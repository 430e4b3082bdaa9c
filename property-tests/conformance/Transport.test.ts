/// <reference path="../../adapters/hyperswarm/hyperswarm.d.ts" />
/**
 * The table: every adapter of the Transport port, run through the acceptance suite, and what only one of them promises.
 * Nothing here leaves the machine: every DHT is a loopback one of the test's own.
 * Real processes are used where the claim is about processes: a kill -9 cannot be played inside one.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createSocket } from "node:dgram"
import { fileURLToPath } from "node:url"
import { Context, Effect, Exit, Fiber, Layer, Queue, Redacted, Schedule, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import HyperDHT, { type NoiseSocket } from "hyperdht"
import { describe, expect, it } from "vitest"
import { placesOf, usualPort } from "../../adapters/hyperswarm/Hints.ts"
import { type DhtAddress, localTiming, testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import { layer as hyperswarm } from "../../adapters/hyperswarm/Transport.ts"
import { makeNetwork, layer as memory, type Network } from "../../adapters/memory/Transport.ts"
import { type Link, Transport } from "../../ports/Transport.ts"
import { type Node, read, start, suite, topic } from "./Transport.suite.ts"

const endLookupsOf = (network: Network) =>
  Effect.sync(() => {
    network.lookups = false
  })

suite(
  "memory",
  Effect.sync(() => {
    const network = makeNetwork()
    return { node: (n) => memory(network, topic(n)), endLookups: endLookupsOf(network) }
  }),
  { settleMs: 3_000, quietMs: 30, unreadBytesMax: 512 * 1024, dialLimitMs: 1_000 }
)

suite(
  "memory, 5 ms away",
  Effect.sync(() => {
    const network = makeNetwork({ latencyMs: 5 })
    return { node: (n) => memory(network, topic(n)), endLookups: endLookupsOf(network) }
  }),
  { settleMs: 3_000, quietMs: 40, unreadBytesMax: 512 * 1024, dialLimitMs: 1_000 }
)

suite(
  "hyperswarm",
  Effect.gen(function* () {
    // Ends with the test, or before it.
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const bootstrap = yield* Scope.provide(testnet, scope)
    return {
      node: (n: number) => hyperswarm({ swarmSeed: Redacted.make(topic(n)), bootstrap, ...localTiming }),
      endLookups: Scope.close(scope, Exit.void)
    }
  }),
  { settleMs: 8_000, quietMs: 250, unreadBytesMax: 2 * 1024 * 1024, dialLimitMs: 6_000 }
)

const run = (body: Effect.Effect<void, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(body))

const within = <A, E, R>(limitMs: number, what: string, effect: Effect.Effect<A, E, R>) =>
  effect.pipe(
    Effect.timeoutOrElse({
      duration: limitMs,
      orElse: () => Effect.fail(new Error(`${what}: not within ${limitMs} ms`))
    })
  )

describe("Transport: memory, alone", () => {
  it("sheds new links when nobody takes them, at both ends", () =>
    run(
      Effect.gen(function* () {
        const network = makeNetwork({ unclaimedLinksMax: 2 })
        const lazy = Context.get(yield* Layer.build(memory(network, topic(1))), Transport)
        const busy = { key: lazy.localKey, kind: "key" } as const
        const diallers = yield* Effect.forEach([2, 3, 4, 5], (n) => start(memory(network, topic(n))))
        yield* Effect.forEach(diallers, (node) => node.transport.dial(busy), { discard: true })
        yield* Effect.sleep(20)
        const alive = yield* Effect.filter(
          diallers.flatMap((node) => node.seen),
          (link: Link) => Effect.isSuccess(link.send(topic(1)))
        )
        expect(alive.length).toBe(2)
        expect((yield* Stream.runCollect(Stream.take(lazy.links, 2))).length).toBe(2)
      })
    ))

  it("knows no time but the Clock's: a second of latency passes when the test says so", () =>
    run(
      Effect.gen(function* () {
        const network = makeNetwork({ latencyMs: 1_000 })
        const [a, b] = [yield* start(memory(network, topic(1))), yield* start(memory(network, topic(2)))]
        const dialling = yield* Effect.forkChild(a.transport.dial({ kind: "key", key: b.transport.localKey }))
        yield* TestClock.adjust(999)
        expect(a.seen.length).toBe(0)
        yield* TestClock.adjust(1)
        yield* Fiber.join(dialling)
        const [ofA, ofB] = [yield* Queue.take(a.links), yield* Queue.take(b.links)]
        yield* ofA.send(topic(3))
        const reading = yield* Effect.forkChild(read(ofB, 32))
        yield* TestClock.adjust(999)
        expect(reading.pollUnsafe()).toBeUndefined()
        yield* TestClock.adjust(1)
        expect(yield* Fiber.join(reading)).toEqual(topic(3))
      }).pipe(Effect.provide(TestClock.layer()))
    ))
})

const poll = Schedule.spaced(20)

const script = fileURLToPath(new URL("./Transport.process.ts", import.meta.url))

/** A child process and the lines it said; killed with the scope. */
const child = (...argv: ReadonlyArray<string | number>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const running: ChildProcess = spawn(process.execPath, [script, ...argv.map(String)], {
        stdio: ["pipe", "pipe", "inherit"]
      })
      const lines: Array<string> = []
      let exited = false
      running.once("exit", () => {
        exited = true
      })
      running.stdout?.setEncoding("utf8").on("data", (text: string) => lines.push(...text.split("\n").filter(Boolean)))
      const says = (what: string, limitMs: number) =>
        within(
          limitMs,
          `process ${argv.join(" ")} says ${what}`,
          Effect.suspend(() =>
            lines.some((line) => line.startsWith(what)) ? Effect.void : Effect.fail("not yet" as const)
          ).pipe(Effect.retry({ schedule: poll }))
        )
      return { kill: () => running.kill("SIGKILL"), lines, says, hasExited: () => exited }
    }),
    (open) => Effect.sync(() => void open.kill())
  )

const node = (n: number, bootstrap: ReadonlyArray<DhtAddress>, timing = {}) =>
  hyperswarm({ swarmSeed: Redacted.make(topic(n)), bootstrap, ...localTiming, ...timing })

/** As on the public network: a dead peer is known for dead after 12 s, too late for these tests to profit from it. */
const patient = { keepAliveMs: 5_000, deadAfterMs: 12_000 }

/** Seeds 1 and 2, the one with the smaller key first: its dial is the one that yields when two cross. */
const keyOf = (n: number) => HyperDHT.keyPair(Buffer.from(topic(n))).publicKey
const [smaller, greater] = Buffer.compare(keyOf(1), keyOf(2)) < 0 ? [1, 2] : [2, 1]

/** A place for a DHT node where none answers yet: gives who asks there first, and puts the node there when told to. */
const lateDht = Effect.gen(function* () {
  const host = "127.0.0.1"
  const ear = yield* Effect.acquireRelease(
    Effect.sync(() => createSocket("udp4")),
    (open) =>
      Effect.promise(() => new Promise<void>((resolve) => open.close(resolve))).pipe(
        Effect.catchDefect(() => Effect.void)
      )
  )
  yield* Effect.promise(() => new Promise<void>((resolve) => ear.bind(0, host, resolve)))
  const port = ear.address().port
  const asked = Effect.callback<DhtAddress>((resume) => {
    ear.once("message", (_bytes, from) => resume(Effect.succeed({ host, port: from.port })))
  })
  const appear = Effect.acquireRelease(
    Effect.promise(async () => {
      await new Promise<void>((resolve) => ear.close(resolve))
      return HyperDHT.bootstrapper(port, host, { host })
    }),
    (dht) => Effect.promise(() => dht.destroy())
  )
  return { address: { host, port }, asked, appear }
})

/** A foreign node that speaks Noise and nothing else of ours; its socket to a key, open. */
const rawSocket = (
  bootstrap: ReadonlyArray<DhtAddress>,
  key: Uint8Array,
  first = Buffer.from([2, 1]),
  directly?: DhtAddress
) =>
  Effect.gen(function* () {
    const dht = yield* Effect.acquireRelease(
      Effect.sync(() => new HyperDHT({ bootstrap, host: "127.0.0.1", ephemeral: true })),
      (open) => Effect.promise(() => open.destroy())
    )
    return yield* Effect.callback<NoiseSocket, Error>((resume) => {
      const socket = dht.connect(Buffer.from(key), directly === undefined ? {} : { relayAddresses: [directly] })
      socket.on("error", (cause: Error) => resume(Effect.fail(cause)))
      socket.once("open", () => {
        // Unless told otherwise the hello of the adapter's link rules, without which nothing else is listened to.
        socket.write(first)
        resume(Effect.succeed(socket))
      })
    })
  })

const untilClosed = (socket: NoiseSocket) =>
  Effect.callback<void>((resume) => {
    if (socket.destroyed) resume(Effect.void)
    socket.resume()
    socket.once("close", () => resume(Effect.void))
  })

describe.concurrent("Transport: hyperswarm, alone", () => {
  it("notices within 4 s that a peer was killed, and reaches it again when it is back", () =>
    run(
      Effect.gen(function* () {
        const bootstrap = yield* testnet
        const a = yield* start(node(1, bootstrap))
        const peer = () => child("peer", bootstrap[0]!.port, 2, 7)
        const first = yield* peer()
        yield* first.says("ready", 20_000)
        yield* a.transport.dial({ kind: "topic", topic: topic(7) })
        const link = yield* within(2_000, "a link", Queue.take(a.links))
        yield* link.send(topic(3))
        expect(yield* within(2_000, "the echo", read(link, 32))).toEqual(topic(3))
        first.kill()
        yield* within(4_000, "the end of reading", Effect.exit(read(link, 1)))
        expect((yield* Effect.flip(link.send(topic(1)))).code).toBe("closed")
        const second = yield* peer()
        yield* second.says("ready", 20_000)
        yield* a.transport.dial({ kind: "topic", topic: topic(7) })
        const again = yield* within(2_000, "the next link", Queue.take(a.links))
        expect(again.remoteKey).toEqual(link.remoteKey)
      })
    ))

  const returns = (before: string, peerDialledBefore: boolean) =>
    it(`lets a killed peer back in before it knows the old link, ${before}, to be dead`, () =>
      run(
        Effect.gen(function* () {
          const bootstrap = yield* testnet
          const a = yield* start(node(greater, bootstrap, patient))
          yield* a.transport.announce(topic(8))
          const port = bootstrap[0]!.port
          const first = yield* child("patient", port, smaller, 7, peerDialledBefore ? 8 : 0)
          yield* first.says("ready", 20_000)
          if (!peerDialledBefore) yield* a.transport.dial({ kind: "topic", topic: topic(7) })
          const link = yield* within(8_000, "a link", Queue.take(a.links))
          expect(link.initiator).toBe(!peerDialledBefore)
          // Older than any dial that could still be crossing with it.
          yield* Effect.sleep(3_200)
          first.kill()
          yield* child("patient", port, smaller, 7, 8)
          const again = yield* within(7_000, "the link of the new process", Queue.take(a.links))
          expect(again.remoteKey).toEqual(link.remoteKey)
          yield* again.send(topic(5))
          expect(yield* within(2_000, "its echo", read(again, 32))).toEqual(topic(5))
          expect((yield* Effect.flip(link.send(topic(1)))).code).toBe("closed")
        })
      ))
  returns("which we dialled", false)
  returns("which it dialled", true)

  it("takes no reader for dead that only does not read: a full link outlives the limit for silence", () =>
    run(
      Effect.gen(function* () {
        const bootstrap = yield* testnet
        const [a, b] = [yield* start(node(1, bootstrap)), yield* start(node(2, bootstrap))]
        yield* a.transport.dial({ kind: "key", key: b.transport.localKey })
        const [ofA, ofB] = [yield* Queue.take(a.links), yield* Queue.take(b.links)]
        const sending = yield* Effect.forkChild(ofA.send(new Uint8Array(3_000_000).fill(1)))
        yield* Effect.sleep(localTiming.deadAfterMs + 1_500)
        expect(sending.pollUnsafe()).toBeUndefined()
        expect((yield* within(3_000, "all of it", read(ofB, 3_000_000))).length).toBe(3_000_000)
        yield* within(1_000, "the sender", Fiber.join(sending))
      })
    ))

  it("takes in whom comes before it has announced itself", () =>
    run(
      Effect.gen(function* () {
        const dht = yield* lateDht
        const starting = yield* Effect.forkScoped(start(node(1, [dht.address])))
        const door = yield* within(2_000, "its first question", dht.asked)
        // The far end finds us by what a DHT node still knows of our last life, or is told by one that we told first.
        const early = yield* within(2_000, "a socket", rawSocket([], keyOf(1), Buffer.from([2, 1]), door))
        const answered = Effect.callback<Buffer>((resume) => {
          early.once("data", (bytes: Buffer) => resume(Effect.succeed(bytes)))
        })
        expect(yield* within(1_000, "the answer to our hello", answered)).toEqual(Buffer.from([2, 1]))
        expect(starting.pollUnsafe()).toBeUndefined()
        yield* dht.appear
        const a = yield* within(4_000, "the start", Fiber.join(starting))
        yield* within(1_000, "the link", Queue.take(a.links))
      })
    ))

  it("finds who is on its network with no DHT at all, by host and key: the port is the key's own, at each start", () =>
    run(
      Effect.gen(function* () {
        // As on the public network each believes in a firewall, and dials from a port that is another at each start.
        const { firewalled: _, ...timing } = localTiming
        const lone = (n: number) => hyperswarm({ swarmSeed: Redacted.make(topic(n)), bootstrap: [], ...timing })
        const hints = [{ host: "127.0.0.1", port: 9 }]
        const meet = (from: Node, to: Node) =>
          Effect.gen(function* () {
            yield* from.transport.dial({ kind: "key", key: to.transport.localKey, hints })
            const link = yield* within(1_000, "a link", Queue.take(from.links))
            expect(Buffer.compare(link.remoteKey, to.transport.localKey)).toBe(0)
            expect(link.remoteAddress).toEqual({ host: "127.0.0.1", port: usualPort(to.transport.localKey) })
            yield* link.abort
          })
        const [a, b] = [yield* start(lone(21)), yield* start(lone(22))]
        yield* meet(a, b)
        yield* Effect.all([a.stop, b.stop], { concurrency: 2 })
        yield* meet(yield* start(lone(22)), yield* start(lone(21)))
      })
    ))

  it("does not wait long for those who hold a remembered place, answer and then are silent", () =>
    run(
      Effect.gen(function* () {
        const bootstrap = yield* testnet
        // Not at its usual port, where it would be found at once, nor at one that the system gives to whoever asks for any.
        const elsewhere = start(node(1, bootstrap, { port: 20_000 + (process.pid % 10_000) }))
        // Long enough that a busy machine still hears who answers.
        const hintLimitMs = 3_000
        const [a, b] = [yield* elsewhere, yield* start(node(2, bootstrap, { hintLimitMs }))]
        const swallowed: Array<unknown> = []
        const silent = Effect.acquireRelease(
          Effect.promise(async () => {
            const dht = new HyperDHT({ bootstrap: [], host: "127.0.0.1", ephemeral: true, firewalled: false })
            Object.assign(dht, { onrequest: (request: unknown) => swallowed.push(request) > 0 })
            await dht.bind()
            return dht
          }),
          (dht) => Effect.promise(() => dht.destroy())
        ).pipe(Effect.map((dht) => ({ host: "127.0.0.1", port: dht.address()!.port })))
        const hints = yield* Effect.all(Array.from({ length: 6 }, () => silent))
        // On a busy machine the silent ones may answer too late to be dialled at all: then once more.
        for (let dials = 0; dials < 8 && swallowed.length === 0; dials++) {
          const startedAtMs = performance.now()
          yield* b.transport.dial({ kind: "key", key: a.transport.localKey, hints })
          const link = yield* within(1_000, "the one who was meant", Queue.take(b.links))
          expect(performance.now() - startedAtMs).toBeLessThan(hintLimitMs + localTiming.dialLimitMs)
          yield* link.abort
        }
        expect(swallowed.length).toBeGreaterThan(0)
      })
    ))

  it("knocks at few places: the first hints that are places, and their hosts at the key's own port", () => {
    const host = fc.constantFrom("127.0.0.1", "192.0.2.1", "192.0.2.2", "", "::1", "host.example", "1.2.3", "0x7f.1")
    const port = fc.constantFrom(0, -1, 1.5, Number.NaN, 65_536, 1, 9, 65_535)
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(key, fc.array(fc.record({ host, port }), { maxLength: 12 }), (of, hints) => {
        const places = placesOf(of, hints)
        expect(places.length).toBeLessThanOrEqual(8)
        const named = hints.slice(0, 4)
        for (const place of places) {
          expect(named.some((hint) => hint.host === place.host)).toBe(true)
          expect(place.host).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
          expect(place.port === usualPort(of) || named.some((hint) => hint.port === place.port)).toBe(true)
          expect(Number.isInteger(place.port) && place.port > 0 && place.port < 65_536).toBe(true)
        }
        expect(new Set(places.map((place) => `${place.host}:${place.port}`)).size).toBe(places.length)
        expect(usualPort(of)).toBeGreaterThanOrEqual(61_000)
        expect(usualPort(of)).toBeLessThan(65_500)
      })
    )
  })

  it("leaves nothing behind: a process that closed its transport ends by itself", () =>
    run(
      Effect.gen(function* () {
        const bootstrap = yield* testnet
        const brief = yield* child("brief", bootstrap[0]!.port, 5)
        yield* brief.says("closed", 8_000)
        yield* within(
          2_000,
          "its exit",
          Effect.suspend(() => (brief.hasExited() ? Effect.void : Effect.fail("running"))).pipe(
            Effect.retry({ schedule: poll })
          )
        )
      })
    ))

  it("drops whoever sends more than the window, speaks otherwise, or is silent without a sign of life", () =>
    run(
      Effect.gen(function* () {
        const bootstrap = yield* testnet
        const a = yield* start(node(1, bootstrap))
        const flood = yield* rawSocket(bootstrap, a.transport.localKey)
        const piece = Buffer.alloc(64 * 1024)
        const pour = () => {
          while (!flood.destroying && flood.write(piece)) {}
        }
        flood.on("drain", pour)
        pour()
        yield* within(2_000, "the end of a flood", untilClosed(flood))
        const tiny = yield* rawSocket(bootstrap, a.transport.localKey)
        for (let count = 0; count < 20_000; count++) tiny.write(Buffer.from([0]))
        yield* within(2_000, "the end of a flood of nothing", untilClosed(tiny))
        const foreign = yield* rawSocket(bootstrap, a.transport.localKey)
        foreign.write(Buffer.from("GET / HTTP/1.1"))
        yield* within(2_000, "the end of a foreign tongue", untilClosed(foreign))
        const rude = yield* rawSocket(bootstrap, a.transport.localKey, Buffer.from("GET / HTTP/1.1"))
        yield* within(2_000, "the end of whom says no hello", untilClosed(rude))
        const mute = yield* rawSocket(bootstrap, a.transport.localKey, Buffer.alloc(0))
        yield* within(3_000, "the end of whom says nothing", untilClosed(mute))
        const silent = yield* rawSocket(bootstrap, a.transport.localKey)
        yield* within(4_500, "the end of silence", untilClosed(silent))
        // The two without a hello were never links; of the others, at most a window was accepted.
        const lengths = yield* Effect.forEach(a.seen, (link) =>
          Effect.map(read(link, Number.POSITIVE_INFINITY), (bytes) => bytes.length)
        )
        expect(lengths.length).toBe(4)
        expect(Math.max(...lengths)).toBeGreaterThan(0)
        expect(Math.max(...lengths)).toBeLessThanOrEqual(512 * 1024)
      })
    ))
})

describe.concurrent("Transport: hyperswarm, a DHT shared by the processes of one machine", () => {
  it("is taken over within 5 s of the death of its host, and newcomers and old-timers meet on it", () =>
    run(
      Effect.gen(function* () {
        const port = 20_000 + (process.pid % 10_000)
        const probe = yield* Effect.acquireRelease(
          Effect.sync(() => new HyperDHT({ bootstrap: [], host: "127.0.0.1", ephemeral: true })),
          (open) => Effect.promise(() => open.destroy())
        )
        const hosted = Effect.tryPromise(() => probe.ping({ host: "127.0.0.1", port }, { retry: false }))
        const host = yield* child("local", port, 1, 11)
        yield* host.says("ready", 20_000)
        const [old, other] = [yield* child("local", port, 2, 12, 11), yield* child("local", port, 3, 13)]
        yield* Effect.all([old.says("link", 20_000), other.says("ready", 20_000)], { concurrency: 2 })
        host.kill()
        yield* within(5_000, "the take-over", Effect.retry(hosted, { schedule: poll }))
        const fresh = [yield* child("local", port, 4, 14, 15), yield* child("local", port, 5, 15, 14)]
        const finder = yield* child("local", port, 6, 16, 13)
        yield* Effect.all([...fresh.map((one) => one.says("link", 5_000)), finder.says("link", 5_000)], {
          concurrency: 3
        })
      })
    ))
})
