/// <reference path="./hyperswarm.d.ts" />
/**
 * DHTs that never leave this machine: one that lives as long as a test, and one that all local nodes keep up together.
 * Nothing here binds another address than 127.0.0.1 or speaks to the public network.
 * A shared DHT is one node on a known port: binding the port is the lock, which the kernel frees even after a kill -9.
 */
import { createSocket } from "node:dgram"
import { Effect, Layer, type Redacted, type Scope } from "effect"
import HyperDHT from "hyperdht"
import createTestnet from "hyperdht/testnet.js"
import { type Transport, TransportError } from "../../ports/Transport.ts"
import { layer } from "./Transport.ts"

export interface DhtAddress {
  readonly host: string
  readonly port: number
}

const loopback = "127.0.0.1"
const checkEveryMs = 500
const joinTriesMax = 8

/** A loopback DHT of a few nodes, gone with the scope. Gives its addresses, for `bootstrap`. */
export const testnet: Effect.Effect<ReadonlyArray<DhtAddress>, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => createTestnet(3)),
  (net) => Effect.promise(() => net.destroy().catch(() => {}))
).pipe(Effect.map((net) => net.bootstrap.map(({ host, port }) => ({ host, port }))))

/** Whether nobody holds the UDP port. A DHT node that fails to bind leaks a timer, so the port is asked about first. */
const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createSocket("udp4")
    probe.once("error", () => {
      probe.close()
      resolve(false)
    })
    probe.bind({ port, address: loopback, exclusive: true }, () => probe.close(() => resolve(true)))
  })

/** Hosts the DHT on the port, if nobody does. When another process was quicker, ours landed elsewhere and goes again. */
const tryToHost = async (port: number): Promise<HyperDHT | undefined> => {
  if (!(await portIsFree(port))) return undefined
  const dht = HyperDHT.bootstrapper(port, loopback, { host: loopback, anyPort: true })
  await dht.fullyBootstrapped().catch(() => {})
  if (dht.address()?.port === port) return dht
  await dht.destroy().catch(() => {})
  return undefined
}

/** Whether a DHT node answers on the port: something else may hold it. */
const answers = async (port: number): Promise<boolean> => {
  const dht = new HyperDHT({ bootstrap: [], host: loopback, ephemeral: true })
  try {
    await dht.bind()
    await dht.ping({ host: loopback, port }, { retry: false })
    return true
  } catch {
    return false
  } finally {
    await dht.destroy().catch(() => {})
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * The DHT that the nodes of this machine share on one UDP port of 127.0.0.1: hosted by whoever comes first, taken over
 * by another within a second or so when the host's process ends, however it ends. Gives the address for `bootstrap`. Its
 * memory dies with the host, so whoever announces must do so again every few seconds (`reannounceEveryMs`). Fails
 * `network` when something else holds the port.
 */
export const sharedDht = (port: number): Effect.Effect<ReadonlyArray<DhtAddress>, TransportError, Scope.Scope> =>
  Effect.gen(function* () {
    let host: HyperDHT | undefined
    const stop = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (controller) =>
        Effect.promise(async () => {
          controller.abort()
          await watching
          await host?.destroy().catch(() => {})
        })
    )
    let watching: Promise<void> = Promise.resolve()
    const found = yield* Effect.promise(async () => {
      for (let tries = 0; tries < joinTriesMax; tries++) {
        host = await tryToHost(port)
        if (host !== undefined || (await answers(port))) return true
      }
      return false
    })
    if (!found) {
      const message = `UDP port ${port} of ${loopback} is held by something that is no DHT node; choose another port`
      return yield* Effect.fail(new TransportError({ code: "network", message }))
    }
    const watch = async () => {
      while (!stop.signal.aborted && host === undefined) {
        await pause(checkEveryMs * (0.5 + Math.random()))
        if (!stop.signal.aborted) host = await tryToHost(port).catch(() => undefined)
      }
    }
    watching = watch()
    return [{ host: loopback, port }]
  })

/** The Transport for nodes of this machine only: loopback, the shared DHT, fast detection of dead peers. */
export const layerLocal = (options: {
  readonly swarmSeed: Redacted.Redacted<Uint8Array>
  /** UDP port of the shared DHT. Default 49736. */
  readonly port?: number
}): Layer.Layer<Transport, TransportError> =>
  Layer.unwrap(
    Effect.map(sharedDht(options.port ?? 49_736), (bootstrap) =>
      layer({ swarmSeed: options.swarmSeed, bootstrap, ...localTiming })
    )
  )

/**
 * What a loopback network allows: everything fast, and announcements often enough to survive a change of host.
 * `firewalled: false` because there is none, and because a DHT of so few nodes cannot tell what kind there is: the
 * accepting end then gives up after the dialling end has opened (12 of 12 times between two processes, measured).
 */
export const localTiming = {
  host: loopback,
  ephemeral: true,
  firewalled: false,
  keepAliveMs: 1_000,
  deadAfterMs: 3_000,
  dialLimitMs: 4_000,
  hintLimitMs: 900,
  announceLimitMs: 2_000,
  reannounceEveryMs: 2_000
} as const
