/**
 * What a seed decides before anything happens: how many nodes, for how long, in which weather, and what goes wrong.
 * It never draws from anything but the seed, so that a number is a whole story.
 * Everything it decides can be printed, and whoever reads it knows what the run was about.
 */
import * as Chance from "./Chance.ts"
import { calm, type Mischief, mischiefs, type Weather } from "./Network.ts"

/** What can go wrong besides the packets on their way. */
export const troubles = [
  "crash",
  "rotate",
  "older disk",
  "lost writes",
  "full disk",
  "slow disk",
  "skew",
  "jump",
  "freeze",
  "bad channel"
] as const
export type Trouble = (typeof troubles)[number]

/** Who means no good. The last is a friend of somebody, and speaks inside its sessions. */
export const liars = [
  "impostor",
  "replayer",
  "flooder",
  "mute",
  "oversize",
  "wrong version",
  "forger",
  "traitor"
] as const
export type Liar = (typeof liars)[number]

export interface Options {
  readonly seed: number
  readonly nodes: number
  /** Hours of trouble at least, before the world heals. */
  readonly hours: number
  /** Turns that must have been taken by then; a small network, or one that is seldom up, takes longer. */
  readonly turns: number
  /** Kinds of trouble that must have happened by then. */
  readonly kinds: number
  /** The share of time that each node is up. */
  readonly duty: number
  /** Minutes between two texts of a node, and between two of its questions, on average. */
  readonly writesEveryMin: number
  readonly asksEveryMin: number
  readonly weather: Weather
  readonly troubles: ReadonlyArray<Trouble>
  readonly liars: ReadonlyArray<Liar>
  /** Whether operators make sure of each other's keys, and demand it. */
  readonly verifies: boolean
  /** Whether everybody is everybody's friend. */
  readonly clique?: true
  /** From when until when nobody answers a lookup, in milliseconds from the start; see `Outage`. */
  readonly outage?: { readonly fromMs: number; readonly toMs: number }
}

const minute = 60_000

const some = <A>(chance: Chance.Chance, list: ReadonlyArray<A>, share: number): ReadonlyArray<A> =>
  list.filter(() => chance.happens(share))

const weatherOf = (chance: Chance.Chance, happen: ReadonlyArray<Mischief>): Weather => ({
  latencyMs: chance.pick([
    [1, 20],
    [10, 400],
    [200, 1_500]
  ] as const),
  dialFails: chance.pick([0, 0.1, 0.4]),
  breaksAfterMs: chance.pick([Number.POSITIVE_INFINITY, 60 * minute, 15 * minute]),
  noticesAfterMs: chance.pick([
    [500, 2_000],
    [2_000, 12_000]
  ] as const),
  mischief: Object.fromEntries(happen.map((one) => [one, chance.pick([0.0005, 0.003])]))
})

/** Before the world heals. What is left of two thousand is taken while it does, whatever the seed. */
const turnsMin = 1_700

/**
 * Everything about a run, from its seed. At least three things go wrong; with the two hours of healing it takes six hours and
 * two thousand turns at least. Small networks are drawn more often: most bugs need three nodes, and more seeds find more than
 * more nodes.
 */
export const ofSeed = (seed: number): Options => {
  const chance = Chance.of(`options ${seed}`)
  const nodes = Math.min(chance.whole(3, 12), chance.whole(3, 12), chance.whole(3, 12))
  const duty = chance.pick([1, 0.8, 0.5])
  const happen = some(chance, mischiefs, 0.25)
  const chosen = some(chance, troubles, 0.4)
  // The first three are sure to happen; what changes packets may not, in a short story.
  const wrong = chosen.length >= 3 ? chosen : troubles.slice(0, 3)
  return {
    seed,
    nodes,
    hours: 4,
    turns: turnsMin,
    kinds: 3,
    duty,
    writesEveryMin: chance.pick([5, 15]),
    asksEveryMin: chance.pick([20, 60]),
    weather: weatherOf(chance, happen),
    troubles: wrong,
    liars: some(chance, liars, 0.3),
    // By a stream of its own, and not in the first hundred and twenty seeds: those are the histories that are committed.
    verifies: seed > 120 && Chance.of(`comparisons ${seed}`).happens(0.5)
  }
}

/** Nothing goes wrong: many agents, who write twenty texts and ask two questions a day. */
export const peaceful = (seed: number, nodes: number, hours: number): Options => ({
  seed,
  nodes,
  hours,
  turns: 0,
  kinds: 0,
  duty: 1,
  writesEveryMin: 72,
  asksEveryMin: 720,
  weather: calm,
  troubles: [],
  liars: [],
  verifies: false
})

/** Everybody is everybody's friend, in peace, and no person asks or writes: what happens is the agents'. */
export const clique = (seed: number, nodes: number): Options => ({
  ...peaceful(seed, nodes, 3),
  writesEveryMin: 1e9,
  asksEveryMin: 1e9,
  clique: true
})

/** Friends in peace, and for three hours nobody answers a lookup while they move, start anew and lose their links. */
export const outage = (seed: number): Options => {
  const chance = Chance.of(`outage ${seed}`)
  return {
    ...peaceful(seed, chance.whole(3, 8), 5),
    writesEveryMin: chance.pick([5, 15]),
    weather: {
      ...calm,
      dialFails: chance.pick([0, 0.2]),
      breaksAfterMs: chance.pick([Number.POSITIVE_INFINITY, 15 * minute])
    },
    outage: { fromMs: 75 * minute, toMs: 255 * minute }
  }
}

/** Whether somebody on the path changes bytes: what real transports keep from us, and what breaks sessions here. */
export const isTampered = ({ weather }: Options): boolean =>
  (["corrupt", "truncate", "duplicate", "reorder", "replay"] as const).some((one) => weather.mischief?.[one])

/** The command that plays the same run once more. A peaceful one is not decided by its seed alone. */
const again = ({ hours, nodes, outage, seed, turns }: Options, mistake: string | undefined): string => {
  if (outage !== undefined) return `npm run simulate -- --seed ${seed} --outage`
  const size = turns === 0 ? ` --nodes ${nodes} --days ${Number((hours / 24).toFixed(6))}` : ""
  return `npm run simulate -- --seed ${seed}${size}${mistake === undefined ? "" : ` --mistake ${mistake}`}`
}

/** The options in words, a line each; `mistake` is one that is built in. */
export const inWords = (options: Options, mistake?: string): ReadonlyArray<string> => {
  const { duty, hours, liars: lying, nodes, seed, troubles: wrong, weather } = options
  const { breaksAfterMs, dialFails, latencyMs, mischief = {} } = weather
  const packets = Object.entries(mischief).map(([what, often]) => `${what} ${often}`)
  const breaks = Number.isFinite(breaksAfterMs) ? `links break after ${breaksAfterMs / minute} min` : "links hold"
  return [
    `seed ${seed}: ${nodes} nodes, up ${Math.round(duty * 100)} % of ${hours} hours${options.turns > 0 ? ` or longer, until ${options.turns} turns` : ""}`,
    `network: ${latencyMs.join("–")} ms, ${Math.round(dialFails * 100)} % of dials fail, ${breaks}`,
    `packets: ${packets.length === 0 ? "arrive as they were sent" : packets.join(", ")}`,
    `troubles: ${wrong.length === 0 ? "none" : wrong.join(", ")}`,
    `liars: ${lying.length === 0 ? "none" : lying.join(", ")}`,
    ...(options.verifies ? ["operators: compare, and demand it"] : []),
    `again: ${again(options, mistake)}`
  ]
}
