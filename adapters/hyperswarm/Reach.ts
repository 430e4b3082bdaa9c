/**
 * Whether anybody of a DHT answers, for whoever only wants to know that.
 * It never announces, looks up or keeps anything; the node it makes for the question is gone with the answer.
 * Bounded in time: a network that drops everything gives no error.
 */

import { Effect } from "effect"
import HyperDHT, { type Address } from "hyperdht"

const ask = async (bootstrap: ReadonlyArray<Address> | undefined, signal: AbortSignal): Promise<boolean> => {
  const isLocal = bootstrap?.every(({ host }) => host.startsWith("127.")) === true
  const dht = new HyperDHT({
    ...(bootstrap === undefined ? {} : { bootstrap }),
    ...(isLocal ? { host: "127.0.0.1", firewalled: false } : {}),
    ephemeral: true
  })
  const stop = () => void dht.destroy({ force: true }).catch(() => undefined)
  signal.addEventListener("abort", stop, { once: true })
  try {
    await dht.fullyBootstrapped()
    const known = bootstrap ?? []
    if (known.length === 0) return (dht as unknown as { readonly online?: boolean }).online !== false
    const answers = known.map((node) =>
      dht.ping(node).then(
        () => true,
        () => false
      )
    )
    return (await Promise.all(answers)).includes(true)
  } catch {
    return false
  } finally {
    signal.removeEventListener("abort", stop)
    await dht.destroy({ force: true }).catch(() => undefined)
  }
}

/** Whether one of these nodes, or of the public DHT's, answers within `limitMs`. */
export const answers = (bootstrap: ReadonlyArray<Address> | undefined, limitMs: number): Effect.Effect<boolean> =>
  Effect.promise((signal) => ask(bootstrap, signal)).pipe(
    Effect.timeoutOption(limitMs),
    Effect.map((found) => found._tag === "Some" && found.value)
  )
