/**
 * A small world in rough weather, for stories about strangers who become friends: links fail and break, and nobody has an agent.
 * It must not say when the weather ends: the story makes it calm, and demands liveness from then on.
 * What kind of bad weather it is the seed decides, once for a story.
 */
import type * as Chance from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { Plant, World } from "./House.ts"
import { calm, Network } from "./Network.ts"
import { minute } from "./Stage.ts"

/** A network under a sky of its own, drawn from `chance`, and a world of houses on it, each turn of which `watch` sees. */
export const rough = (
  chance: Chance.Chance,
  clock: Clock,
  plant: Plant | undefined,
  watch: World["watch"]
): { readonly network: Network; readonly world: World } => {
  const weather = {
    ...calm,
    latencyMs: [10, 400] as const,
    dialFails: chance.pick([0, 0.2, 0.5]),
    breaksAfterMs: chance.pick([Number.POSITIVE_INFINITY, 10 * minute, minute])
  }
  const network = new Network(clock, chance.stream("network"), weather)
  const world: World = {
    ...(plant === undefined ? {} : { plant }),
    clock,
    network,
    post: () => undefined,
    run: () => ({ afterMs: 1, result: { ok: false, code: "sandbox-failed", detail: "" } }),
    watch,
    ended: () => undefined
  }
  return { network, world }
}
