/// <reference path="./hyperswarm.d.ts" />
/**
 * Dialling a key where its holder was met before, with no lookup: no DHT node has to be alive but the two themselves.
 * It never takes an answer for proof: the Noise handshake is with the key that was dialled, whoever has the address now.
 * An address is asked first whether anything is there: hyperdht itself waits four seconds for each that is dead, in turn.
 */
import { isIPv4 } from "node:net"
import { Effect, Semaphore } from "effect"
import type HyperDHT from "hyperdht"
import type { Address } from "../../ports/Transport.ts"
import type { Pairs } from "./Pairs.ts"

/** Hints that are tried, the first ones; and as many hosts' usual ports at most. */
const hintsMax = 4

/** Above what Linux gives to sockets that do not care, so that it is free when a node comes back for it. */
const portFirst = 61_000
const portCount = 4_500

/**
 * The UDP port that the node of a transport key binds, if it is free (else one of the next four, else any): made of the
 * key, so that it is the same after a restart, two nodes of one machine keep out of each other's way, and who knows key
 * and host knows where to knock. Between 61,000 and 65,499.
 */
export const usualPort = (key: Uint8Array): number => portFirst + (((key[0] ?? 0) * 256 + (key[1] ?? 0)) % portCount)

const isDialable = ({ host, port }: Address): boolean =>
  isIPv4(host) && Number.isInteger(port) && port > 0 && port < 65_536

/**
 * Where to knock for a key: the hints themselves, then their hosts at the key's usual port. The port seen of a node that
 * believes in a firewall is another after each start; the usual one is not.
 */
export const placesOf = (key: Uint8Array, hints: ReadonlyArray<Address>): ReadonlyArray<Address> => {
  const meant = hints.slice(0, hintsMax).filter(isDialable)
  const places = [...meant, ...meant.map(({ host }) => ({ host, port: usualPort(key) }))]
  return [...new Map(places.map(({ host, port }) => [`${host}:${port}`, { host, port }])).values()]
}

const dialAt = (pairs: Pairs, key: Uint8Array, place: Address): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const stop = pairs.dial(key, undefined, () => resume(Effect.void), place)
    return Effect.sync(stop)
  })

/**
 * Tries the places of a key: all are asked at once whether anything answers, those that do are dialled one after the other,
 * as they answered, until there is a link. Over after `limitMs` milliseconds; an answer and a dial have a third of it each,
 * so that one who answers and then is silent does not keep the next from its turn.
 */
export const dialHints = (
  dht: HyperDHT,
  pairs: Pairs,
  key: Uint8Array,
  hints: ReadonlyArray<Address>,
  limitMs: number
): Effect.Effect<void> => {
  const turn = Semaphore.makeUnsafe(1)
  const answers = (place: Address) =>
    Effect.promise(() =>
      dht.ping(place, { retry: false }).then(
        () => true,
        () => false
      )
    ).pipe(Effect.timeoutOrElse({ duration: limitMs / 3, orElse: () => Effect.succeed(false) }))
  const attempt = (place: Address) =>
    Effect.andThen(
      Effect.timeoutOption(dialAt(pairs, key, place), limitMs / 3),
      Effect.suspend(() => (pairs.isOpen(key) ? Effect.fail("linked" as const) : Effect.void))
    )
  // The first link ends it all, as a failure does: nobody waits for places that are still silent.
  return Effect.forEach(
    placesOf(key, hints),
    (place) => Effect.flatMap(answers(place), (alive) => (alive ? turn.withPermits(1)(attempt(place)) : Effect.void)),
    { concurrency: "unbounded", discard: true }
  ).pipe(Effect.timeoutOption(limitMs), Effect.ignore)
}
