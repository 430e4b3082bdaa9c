/**
 * Regression 26: peers in a topic find each other, also those that join within 100 ms of each other, which used to miss
 * each other for good. Real Hyperswarm on a local DHT, whole nodes, and the shipped pace of looking.
 * Each pair has a topic of its own, and the time between its two joins is another for each.
 */
import { Effect, Exit, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { localTiming, testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import { layer as hyperswarm } from "../../adapters/hyperswarm/Transport.ts"
import * as Presence from "../../core/discovery/Presence.ts"
import type { Keys } from "../../core/index.ts"
import { type Actor, makeWorld, pause, until } from "../world/World.ts"

const pairsMax = 8

describe("26 · peers in a topic find each other", () => {
  it("pairs that join within 100 ms of each other all meet within five seconds, over Hyperswarm", async () => {
    const scope = Effect.runSync(Scope.make())
    const bootstrap = await Effect.runPromise(Scope.provide(testnet, scope))
    const world = makeWorld()
    const transportOf = ({ swarmSeed }: Keys.LocalKeys) => hyperswarm({ swarmSeed, bootstrap, ...localTiming })
    const pairs: Array<readonly [Actor, Actor]> = []
    for (let index = 0; index < pairsMax; index++) {
      const [one, other] = [`p${index}a`, `p${index}b`]
      pairs.push(await Promise.all([world.start(one, { transportOf }), world.start(other, { transportOf })]))
    }
    const meet = async ([one, other]: readonly [Actor, Actor], index: number): Promise<number> => {
      const join = (actor: Actor) => actor.command({ _tag: "JoinTopic", topic: { name: `pair${index}`, secret: null } })
      const startedMs = performance.now()
      const first = join(one)
      await pause((index * 100) / (pairsMax - 1))
      await Promise.all([first, join(other)])
      const isMet = async (actor: Actor) => (await actor.describe()).discovered.length === 1
      await until(`pair ${index} meets`, async () => (await isMet(one)) && (await isMet(other)), 5_000)
      return performance.now() - startedMs
    }
    const tookMs = await Promise.all(pairs.map(meet))
    process.stderr.write(`${pairsMax} pairs met, the last after ${Math.round(Math.max(...tookMs))} ms\n`)
    await world.end()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }, 120_000)

  it("the first looks lie 0.3, 0.7, 1.5 and 3 s after joining, each a fifth earlier or later", () => {
    for (const byte of [0, 128, 255]) {
      let [presence, nowMs] = [Presence.begin(0), 0]
      for (const dueMs of [0, 300, 700, 1_500, 3_000, 9_000]) {
        expect(nowMs).toBeGreaterThanOrEqual(dueMs * 0.79)
        expect(nowMs).toBeLessThanOrEqual(dueMs * 1.21)
        presence = { ...Presence.look(presence, nowMs, new Uint8Array(32).fill(byte)), looking: false }
        nowMs = presence.nextLookMs
      }
    }
  })
})
