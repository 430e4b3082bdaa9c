/// <reference path="./hyperswarm.d.ts" />
/**
 * The Transport port over Hyperswarm: one swarm and one DHT node of our own for each node of ours.
 * It never decides who a peer is or whether to dial again, and it never touches the public network unless told to.
 * The swarm announces, listens and accepts; dialling goes to the DHT directly, because a dial must try now, every time.
 */

import { type Cause, Effect, Layer, Queue, Redacted, type Scope, Stream } from "effect"
import HyperDHT, { type NoiseSocket } from "hyperdht"
import Hyperswarm, { type DiscoverySession } from "hyperswarm"
import { type DialTarget, type Link, Transport, TransportError, type TransportShape } from "../../ports/Transport.ts"
import { dialHints, usualPort } from "./Hints.ts"
import { type LinkOptions, makeLink } from "./Link.ts"
import { lookUp, lookupAndDial } from "./Lookup.ts"
import { makePairs, type Pairs } from "./Pairs.ts"

/** How the swarm is reached and kept. Times in milliseconds. Everything but the seed has a default. */
export interface HyperswarmOptions {
  /** 32 bytes from which the transport key pair is made. */
  readonly swarmSeed: Redacted.Redacted<Uint8Array>
  /** DHT nodes to start from. Absent: the public network. Empty: nobody. */
  readonly bootstrap?: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** Address to bind. A loopback network needs `127.0.0.1`; default all interfaces. */
  readonly host?: string
  /** UDP port to bind, or if it is taken another. Default: one that the transport key decides, the same at each start. */
  readonly port?: number
  /** Whether the DHT node only uses the DHT. Absent: hyperdht finds out, and helps to carry the DHT where it can. */
  readonly ephemeral?: boolean
  /** Whether to assume a firewall in front of us. Absent: hyperdht finds out. */
  readonly firewalled?: boolean
  /** Default 5,000. */
  readonly keepAliveMs?: number
  /** Default 12,000; more than twice the far end's `keepAliveMs`. */
  readonly deadAfterMs?: number
  /** An attempt to dial is over after this. Default 8,000. */
  readonly dialLimitMs?: number
  /** Before it, the addresses where the peer was met have this long. Default 3,000; dead ones take a third of it. */
  readonly hintLimitMs?: number
  /** How long a start waits to be announced, and an end to be taken back, where no DHT node answers. Default 5,000. */
  readonly announceLimitMs?: number
  /** Announcements are repeated this often. Default ten minutes; a DHT node forgets after twenty. */
  readonly reannounceEveryMs?: number
  /** Links kept at once. Default 256. */
  readonly linksMax?: number
}

const topicLimitMs = 15_000
const withdrawLimitMs = 3_000
const unclaimedLinksMax = 64

const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const failure = (code: TransportError["code"], message: string) => Effect.fail(new TransportError({ code, message }))

/** Whether a promise settled in time. For finalizers: they cannot be interrupted, so no Effect timeout ends them. */
const within = (limitMs: number, work: Promise<unknown>): Promise<boolean> => {
  const settled = work.then(
    () => true,
    () => true
  )
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), limitMs)
    void settled.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}

const linkOptions = (options: HyperswarmOptions): LinkOptions => ({
  keepAliveMs: options.keepAliveMs ?? 5_000,
  deadAfterMs: options.deadAfterMs ?? 12_000,
  sendBytesMax: 4 * 1024 * 1024,
  closeLimitMs: 2_000
})

/** Only the options that were given: `bootstrap: undefined` would mean the public network even to a test. */
const dhtOptions = (options: HyperswarmOptions, key: Uint8Array) => ({
  port: options.port ?? usualPort(key),
  connectionKeepAlive: options.keepAliveMs ?? 5_000,
  ...(options.bootstrap === undefined ? {} : { bootstrap: options.bootstrap }),
  ...(options.host === undefined ? {} : { host: options.host }),
  ...(options.ephemeral === undefined ? {} : { ephemeral: options.ephemeral }),
  ...(options.firewalled === undefined ? {} : { firewalled: options.firewalled })
})

/** The swarm, deaf yet; destroyed with the scope, by force if it does not go in time. */
const openSwarm = (options: HyperswarmOptions, blocked: ReadonlySet<string>) =>
  Effect.gen(function* () {
    const seed = Redacted.value(options.swarmSeed)
    if (seed.length !== 32) return yield* failure("network", "the swarm seed must be 32 bytes")
    const swarm = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const keyPair = HyperDHT.keyPair(Buffer.from(seed))
        const dht = new HyperDHT(dhtOptions(options, keyPair.publicKey))
        return new Hyperswarm({ dht, keyPair, firewall: (key) => blocked.has(hex(key)) })
      }),
      (open) =>
        Effect.promise(async () => {
          const limitMs = options.announceLimitMs ?? 5_000
          if (await within(limitMs, open.destroy())) return
          await within(limitMs, open.dht.destroy({ force: true }))
        })
    )
    // The swarm would refuse a key for ever that was refused once; who is refused is our set's to say, each time.
    swarm.on("ban", (peer) => peer.ban(false))
    return swarm
  })

/**
 * Binds, and announces our key, as far as that goes in time. Peers come as soon as we are bound, long before this is
 * over: whoever takes their sockets must be there already, or the first that is reset ends the process.
 */
const listen = (swarm: Hyperswarm, limitMs: number) =>
  Effect.tryPromise({
    try: () => swarm.listen(),
    catch: (cause) => new TransportError({ code: "network", message: `cannot listen: ${String(cause)}` })
  }).pipe(Effect.timeoutOption(limitMs))

/** Announcements: one session of the swarm a topic, repeated on a timer because DHT nodes forget and die. */
const openAnnouncements = (swarm: Hyperswarm, everyMs: number) =>
  Effect.gen(function* () {
    const sessions = new Map<string, DiscoverySession>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        setInterval(() => {
          // The record by which we are dialled by key is the server's own; it knows no loss of a node that came back.
          swarm.server.refresh()
          for (const session of sessions.values()) session.refresh().catch(() => {})
        }, everyMs).unref()
      ),
      (timer) => Effect.sync(() => clearInterval(timer))
    )
    const attempt = async (topic: Uint8Array): Promise<boolean> => {
      const known = sessions.get(hex(topic))
      if (known !== undefined) return known.refresh()
      const session = swarm.join(Buffer.from(topic), { server: true, client: false })
      sessions.set(hex(topic), session)
      return session.flushed()
    }
    const announce = (topic: Uint8Array): Effect.Effect<void, TransportError> =>
      Effect.promise(() => attempt(topic).catch(() => false)).pipe(
        Effect.flatMap((done) =>
          done ? Effect.void : failure("unreachable", "no DHT node accepted the announcement; it is tried again later")
        ),
        Effect.timeoutOrElse({
          duration: topicLimitMs,
          orElse: () => failure("timed-out", `not announced within ${topicLimitMs} ms; it is tried again later`)
        })
      )
    const withdraw = (topic: Uint8Array): Effect.Effect<void> =>
      Effect.suspend(() => {
        const session = sessions.get(hex(topic))
        sessions.delete(hex(topic))
        if (session === undefined) return Effect.void
        return Effect.promise(() => session.destroy().catch(() => {})).pipe(
          Effect.timeoutOption(withdrawLimitMs),
          Effect.asVoid
        )
      })
    return { announce, withdraw }
  })

/** New links on their way to the core, and those that are open, to be ended with the scope. */
const openLinks = (options: LinkOptions) =>
  Effect.gen(function* () {
    const unclaimed = yield* Queue.dropping<Link, Cause.Done>(unclaimedLinksMax)
    const open = new Set<Link>()
    let count = 0
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => Effect.forEach([...open], (link) => link.close, { concurrency: "unbounded" })).pipe(
        Effect.andThen(Queue.end(unclaimed))
      )
    )
    const wrap = (socket: NoiseSocket, topics: ReadonlyArray<Uint8Array>): Link =>
      makeLink(socket, `hyperswarm-${++count}`, topics, options)
    const admit = (socket: NoiseSocket, link: Link): boolean => {
      open.add(link)
      socket.once("close", () => open.delete(link))
      return Queue.offerUnsafe(unclaimed, link)
    }
    return { wrap, admit, links: Stream.fromQueue(unclaimed) }
  })

const dialKey = (pairs: Pairs, key: Uint8Array, limitMs: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const stop = pairs.dial(key, undefined, () => resume(Effect.void))
    return Effect.sync(stop)
  }).pipe(Effect.timeoutOption(limitMs), Effect.asVoid)

const malformed = (bytes: Uint8Array): boolean => bytes.length !== 32

/** Builds the transport in the caller's scope. */
export const make = (options: HyperswarmOptions): Effect.Effect<TransportShape, TransportError, Scope.Scope> =>
  Effect.gen(function* () {
    const blocked = new Set<string>()
    const swarm = yield* openSwarm(options, blocked)
    const { admit, links, wrap } = yield* openLinks(linkOptions(options))
    // hyperdht remembers by which addresses it last reached a key. After a restart they are dead, and tried first, for
    // seconds. Giving addresses of our own overrides that memory; a network of ours has some, the public one its own.
    const pairs = makePairs({
      localKey: swarm.keyPair.publicKey,
      linksMax: options.linksMax ?? 256,
      glareHoldMs: 1_000,
      attemptFreshMs: 1_500,
      crossingMs: 3_000,
      helloLimitMs: 2_000,
      connect: (key, place) => {
        const relayAddresses = place === undefined ? (options.bootstrap ?? []) : [place]
        return swarm.dht.connect(key, { keyPair: swarm.keyPair, relayAddresses })
      },
      blocked: (key) => blocked.has(key),
      wrap,
      admit
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => pairs.shut()))
    swarm.on("connection", (socket) => pairs.accept(socket))
    yield* listen(swarm, options.announceLimitMs ?? 5_000)
    const { announce, withdraw } = yield* openAnnouncements(swarm, options.reannounceEveryMs ?? 600_000)
    const limitMs = options.dialLimitMs ?? 8_000
    const hintLimitMs = options.hintLimitMs ?? 3_000

    const dial = (target: DialTarget): Effect.Effect<void, TransportError> => {
      if (malformed(target.kind === "key" ? target.key : target.topic)) {
        return failure("unreachable", "a dial target is 32 bytes")
      }
      if (target.kind === "key") {
        const { hints = [], key } = target
        // With a link the second is over at once.
        return Effect.andThen(dialHints(swarm.dht, pairs, key, hints, hintLimitMs), dialKey(pairs, key, limitMs))
      }
      return lookupAndDial(swarm.dht, pairs, target.topic, limitMs)
    }
    return {
      localKey: new Uint8Array(swarm.keyPair.publicKey),
      links,
      announce: (topic) => (malformed(topic) ? failure("network", "a topic is 32 bytes") : announce(topic)),
      withdraw,
      dial,
      lookup: (topic) =>
        malformed(topic)
          ? failure("unreachable", "a topic is 32 bytes")
          : lookUp(swarm.dht, swarm.keyPair.publicKey, topic),
      block: (key) =>
        Effect.sync(() => {
          blocked.add(hex(key))
          pairs.drop(hex(key))
        }),
      unblock: (key) => Effect.sync(() => void blocked.delete(hex(key)))
    }
  })

/**
 * The Transport over Hyperswarm. Fails `network` when the seed is not 32 bytes or the address cannot be bound; being
 * offline is no failure. When the scope closes, links are ended in order (2 s at most) and nothing stays open.
 */
export const layer = (options: HyperswarmOptions): Layer.Layer<Transport, TransportError> =>
  Layer.effect(Transport, make(options))
