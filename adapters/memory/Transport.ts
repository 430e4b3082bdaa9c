/**
 * The Transport port inside one process: a Network object, and a node on it for every transport key.
 * It never touches a socket or a timer of its own; the only time it knows is Effect's Clock.
 * It has no channel binding and says so with empty bytes: whatever it made up, anybody in the process could make up too.
 */
import { Cause, Clock, Effect, Layer, Queue, type Scope, Semaphore, Stream } from "effect"
import {
  type Address,
  type DialTarget,
  type Link,
  lookupKeysMax,
  Transport,
  TransportError,
  type TransportShape
} from "../../ports/Transport.ts"

export interface NetworkOptions {
  /** How long a dial takes, and how long sent bytes are under way. Default 0. */
  readonly latencyMs?: number
  /** A send waits while this much is under way unread. Default 256 KiB. */
  readonly bufferBytes?: number
  /** New links a node may leave unclaimed before more are shed. Default 64. */
  readonly unclaimedLinksMax?: number
}

const sendBytesMax = 4 * 1024 * 1024

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const fail = (code: TransportError["code"], message: string) => Effect.fail(new TransportError({ code, message }))

const closed = fail("closed", "the link is closed")

/** One direction of a link: what is under way, in order, and the two who may wait at its ends. */
const makePipe = (latencyMs: number, bufferBytes: number) => {
  const turn = Semaphore.makeUnsafe(1)
  let underWay: Array<{ readonly bytes: Uint8Array; readonly arrivesAtMs: number }> = []
  let bufferedBytes = 0
  let ended = false
  const waiting = new Set<() => void>()

  const change = () => {
    for (const look of [...waiting]) look()
  }
  const until = (condition: () => boolean): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const look = () => {
        if (!condition()) return
        waiting.delete(look)
        resume(Effect.void)
      }
      waiting.add(look)
      look()
      return Effect.sync(() => waiting.delete(look))
    })
  const append = (bytes: Uint8Array) =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      if (ended) return closed
      underWay.push({ bytes: bytes.slice(), arrivesAtMs: nowMs + latencyMs })
      bufferedBytes += bytes.length
      change()
      return Effect.void
    })
  const write = (bytes: Uint8Array): Effect.Effect<void, TransportError> =>
    turn.withPermits(1)(
      Effect.andThen(
        until(() => ended || bufferedBytes < bufferBytes),
        append(bytes)
      )
    )

  const pull: Effect.Effect<readonly [Uint8Array], Cause.Done> = Effect.gen(function* () {
    yield* until(() => ended || underWay.length > 0)
    const first = underWay[0]
    if (first === undefined) return yield* Cause.done()
    const waitMs = first.arrivesAtMs - (yield* Clock.currentTimeMillis)
    if (waitMs > 0) {
      // Not taken yet: an interrupted reader leaves it for the next.
      yield* Effect.sleep(waitMs)
      return yield* pull
    }
    underWay.shift()
    bufferedBytes -= first.bytes.length
    change()
    return [first.bytes] as const
  })
  return {
    write,
    pull,
    end: () => {
      ended = true
      change()
    },
    drop: () => {
      ended = true
      underWay = []
      bufferedBytes = 0
      change()
    }
  }
}

type Pipe = ReturnType<typeof makePipe>

/** A node as the network sees it. */
interface Station {
  readonly key: Uint8Array
  readonly blocked: Set<string>
  /** Ends the link with a key, at once. */
  readonly open: Map<string, () => void>
  offer(link: Link): boolean
}

/** Everything the nodes of one network share. */
export interface Network {
  readonly options: Required<NetworkOptions>
  readonly stations: Map<string, Station>
  readonly topics: Map<string, Set<string>>
  /** Whether keys and topics are found; without that only who is dialled where it is can be reached. */
  lookups: boolean
  /** The address of a key: the same whenever its station is there. */
  addressOf(key: string): Address
  nextLink(): number
  /** Where the next lookup of a crowded topic begins, so many further than the last. */
  nextLookup(step: number): number
}

/** A network without nodes. */
export const makeNetwork = (options: NetworkOptions = {}): Network => {
  let count = 0
  let lookedUp = 0
  const ports = new Map<string, number>()
  return {
    options: {
      latencyMs: options.latencyMs ?? 0,
      bufferBytes: options.bufferBytes ?? 256 * 1024,
      unclaimedLinksMax: options.unclaimedLinksMax ?? 64
    },
    stations: new Map(),
    topics: new Map(),
    lookups: true,
    addressOf: (key) => {
      const port = ports.get(key) ?? ports.size + 1
      ports.set(key, port)
      return { host: "memory", port }
    },
    nextLink: () => ++count,
    nextLookup: (step) => {
      const from = lookedUp
      lookedUp += step
      return from
    }
  }
}

/** One end of a link. `forget` takes the link out of both stations. */
const makeEnd = (
  end: Pick<Link, "id" | "initiator" | "remoteKey" | "remoteAddress" | "topics">,
  out: Pipe,
  into: Pipe,
  forget: () => void
): Link => ({
  ...end,
  binding: new Uint8Array(0),
  send: (bytes) => {
    if (bytes.length > sendBytesMax) return fail("too-large", `${bytes.length} bytes, at most ${sendBytesMax}`)
    return out.write(bytes)
  },
  receive: Stream.fromPull(Effect.succeed(into.pull)),
  close: Effect.sync(() => {
    forget()
    out.end()
    into.drop()
  }),
  abort: Effect.sync(() => {
    forget()
    out.drop()
    into.drop()
  })
})

/** Joins two stations, unless they are joined, are one, or one refuses the other. */
const join = (network: Network, dialler: Station, remote: Station, topics: ReadonlyArray<Uint8Array>): void => {
  const [here, there] = [hex(dialler.key), hex(remote.key)]
  if (here === there || dialler.open.has(there)) return
  if (dialler.blocked.has(there) || remote.blocked.has(here)) return
  const { bufferBytes, latencyMs } = network.options
  const [going, coming] = [makePipe(latencyMs, bufferBytes), makePipe(latencyMs, bufferBytes)]
  const id = network.nextLink()
  const forget = () => {
    if (dialler.open.get(there) === sever) dialler.open.delete(there)
    if (remote.open.get(here) === sever) remote.open.delete(here)
  }
  const sever = () => {
    forget()
    going.drop()
    coming.drop()
  }
  dialler.open.set(there, sever)
  remote.open.set(here, sever)
  const [ofDialler, ofRemote] = [network.addressOf(here), network.addressOf(there)]
  const ours = makeEnd(
    { id: `memory-${id}a`, initiator: true, remoteKey: remote.key, remoteAddress: ofRemote, topics },
    going,
    coming,
    forget
  )
  const theirs = makeEnd(
    { id: `memory-${id}b`, initiator: false, remoteKey: dialler.key, remoteAddress: ofDialler, topics: [] },
    coming,
    going,
    forget
  )
  if (!remote.offer(theirs) || !dialler.offer(ours)) sever()
}

/** The station of a key, on the network until the scope closes; then its links are gone and so are its topics. */
const enter = (network: Network, key: Uint8Array) =>
  Effect.gen(function* () {
    const unclaimed = yield* Queue.dropping<Link, Cause.Done>(network.options.unclaimedLinksMax)
    const station: Station = {
      key,
      blocked: new Set(),
      open: new Map(),
      offer: (link) => Queue.offerUnsafe(unclaimed, link)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => network.stations.set(hex(key), station)),
      () =>
        Effect.suspend(() => {
          if (network.stations.get(hex(key)) === station) network.stations.delete(hex(key))
          for (const keys of network.topics.values()) keys.delete(hex(key))
          for (const sever of [...station.open.values()]) sever()
          return Queue.end(unclaimed)
        })
    )
    return { station, links: Stream.fromQueue(unclaimed) }
  })

/** Who announces a topic. With more than a lookup gives, the next lookup goes on where this one ended, and chance has no part. */
const lookUp = (network: Network, own: string, topic: Uint8Array): ReadonlyArray<Uint8Array> => {
  const found = [...(network.topics.get(hex(topic)) ?? [])].filter((key) => key !== own)
  const from = found.length > lookupKeysMax ? network.nextLookup(lookupKeysMax) % found.length : 0
  const turned = [...found.slice(from), ...found.slice(0, from)]
  return turned.slice(0, lookupKeysMax).map((key) => new Uint8Array(Buffer.from(key, "hex")))
}

/** Builds a node's transport in the caller's scope. */
export const make = (network: Network, key: Uint8Array): Effect.Effect<TransportShape, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { links, station } = yield* enter(network, key.slice())
    const joinByKey = (remoteKey: string, topics: ReadonlyArray<Uint8Array>) => {
      const remote = network.stations.get(remoteKey)
      if (remote !== undefined) join(network, station, remote, topics)
    }
    const dialNow = (target: DialTarget) =>
      Effect.sync(() => {
        if (target.kind === "key") {
          const key = hex(target.key)
          const { host, port } = network.addressOf(key)
          const isHinted = (target.hints ?? []).some((hint) => hint.host === host && hint.port === port)
          if (network.lookups || isHinted) joinByKey(key, [])
          return
        }
        if (!network.lookups) return
        for (const remoteKey of network.topics.get(hex(target.topic)) ?? []) joinByKey(remoteKey, [target.topic])
      })
    return {
      localKey: station.key,
      links,
      announce: (topic) =>
        Effect.sync(() => {
          const keys = network.topics.get(hex(topic)) ?? new Set()
          network.topics.set(hex(topic), keys.add(hex(key)))
        }),
      withdraw: (topic) => Effect.sync(() => void network.topics.get(hex(topic))?.delete(hex(key))),
      dial: (target) => {
        const { latencyMs } = network.options
        return latencyMs > 0 ? Effect.andThen(Effect.sleep(latencyMs), dialNow(target)) : dialNow(target)
      },
      lookup: (topic) => {
        const found = Effect.sync(() => lookUp(network, hex(key), topic))
        const { latencyMs } = network.options
        return latencyMs > 0 ? Effect.andThen(Effect.sleep(latencyMs), found) : found
      },
      block: (remoteKey) =>
        Effect.sync(() => {
          station.blocked.add(hex(remoteKey))
          station.open.get(hex(remoteKey))?.()
        }),
      unblock: (remoteKey) => Effect.sync(() => void station.blocked.delete(hex(remoteKey)))
    }
  })

/** A node with the given transport key (32 bytes) on a network. */
export const layer = (network: Network, key: Uint8Array): Layer.Layer<Transport> =>
  Layer.effect(Transport, make(network, key))
