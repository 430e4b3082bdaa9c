/// <reference path="./hyperswarm.d.ts" />
/**
 * One dial by topic: asks the DHT who announces it, and dials every key that turns up, as it turns up.
 * It never believes an announcement: anybody may announce any topic, so a key is only somebody to try.
 * Announced relay addresses are ignored on purpose: a DHT node keeps the oldest of a key, which a restart makes stale.
 */

import { Effect } from "effect"
import type HyperDHT from "hyperdht"
import type { Query } from "hyperdht"
import { TransportError } from "../../ports/Transport.ts"
import type { Pairs } from "./Pairs.ts"

/** Keys tried in one dial: whoever floods a topic costs us this many attempts, no more. */
const keysMax = 64

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
