/// <reference path="./hyperswarm.d.ts" />
/**
 * One dial by topic: asks the DHT who announces it, and dials every key that turns up, as it turns up.
 * It never believes an announcement: anybody may announce any topic, so a key is only somebody to try.
 * Announced relay addresses are ignored on purpose: a DHT node keeps the oldest of a key, which a restart makes stale.
 */

import { Effect } from "effect"
import type HyperDHT from "hyperdht"
import type { Query } from "hyperdht"
import { lookupKeysMax, TransportError } from "../../ports/Transport.ts"
import type { Pairs } from "./Pairs.ts"

/** Keys tried in one dial: whoever floods a topic costs us this many attempts, no more. */
const keysMax = 64

/** Nodes that a lookup found and that give no answer hold it up; who announces is known long before. */
const lookupLimitMs = 4_000

/**
 * Who announces a topic: every key that some DHT node names, but ours. Ends with the query, when there are enough, or in
 * time, with what was found. Fails `unreachable` when no DHT node answered.
 */
export const lookUp = (
  dht: HyperDHT,
  localKey: Uint8Array,
  topic: Uint8Array
): Effect.Effect<ReadonlyArray<Uint8Array>, TransportError> =>
  Effect.suspend(() => {
    const own = Buffer.from(localKey).toString("hex")
    const found = new Map<string, Uint8Array>()
    const search = Effect.callback<void, TransportError>((resume) => {
      const query = dht.lookup(Buffer.from(topic))
      const collect = async () => {
        for await (const reply of query) {
          for (const { publicKey } of reply.peers) {
            const name = publicKey.toString("hex")
            if (name !== own && found.size < lookupKeysMax) found.set(name, new Uint8Array(publicKey))
          }
          if (found.size >= lookupKeysMax) return
        }
      }
      collect().then(
        () => resume(Effect.void),
        (cause) => {
          const message = `the lookup found no DHT node: ${String(cause)}`
          resume(Effect.fail(new TransportError({ code: "unreachable", message })))
        }
      )
      return Effect.sync(() => query.destroy())
    })
    return search.pipe(
      Effect.timeoutOption(lookupLimitMs),
      Effect.map(() => [...found.values()])
    )
  })

/**
 * Looks a topic up and dials what it finds; over when every attempt is, or after `limitMs` milliseconds. Fails
 * `unreachable` when no DHT node answered the lookup; finding nobody is no failure.
 */
export const lookupAndDial = (
  dht: HyperDHT,
  pairs: Pairs,
  topic: Uint8Array,
  limitMs: number
): Effect.Effect<void, TransportError> =>
  Effect.callback<void, TransportError>((resume) => {
    const tried = new Map<string, () => void>()
    let running = 1
    let stopped = false
    let query: Query | undefined
    const settle = () => {
      running--
      if (running === 0) resume(Effect.void)
    }
    const tryKey = (key: Buffer) => {
      const name = key.toString("hex")
      if (stopped || tried.has(name) || tried.size >= keysMax) return
      running++
      tried.set(name, () => {})
      tried.set(name, pairs.dial(key, topic, settle))
    }
    const search = async () => {
      query = dht.lookup(Buffer.from(topic))
      for await (const reply of query) for (const peer of reply.peers) tryKey(peer.publicKey)
    }
    const lost = (cause: unknown) => {
      const message = `the lookup found no DHT node: ${String(cause)}`
      resume(Effect.fail(new TransportError({ code: "unreachable", message })))
    }
    search().then(settle, lost)
    return Effect.sync(() => {
      stopped = true
      query?.destroy()
      for (const stop of tried.values()) stop()
    })
  }).pipe(Effect.timeoutOption(limitMs), Effect.asVoid)
