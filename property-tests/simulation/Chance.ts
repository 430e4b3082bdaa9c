/**
 * Chance as a tree of named streams, all drawn from one seed: how long, how often, which one.
 * It never asks the system for randomness, so a seed is the whole of a simulation's luck.
 * Each subject draws from a stream of its own: one draw more in the network does not move what the houses do.
 */
import { makeRandom } from "../stories/seeded.ts"

export interface Chance {
  /** From `min` up to `max`, whole. */
  whole(min: number, max: number): number
  /** Whole, with this mean, as the gap between events that know nothing of each other. */
  gap(mean: number): number
  happens(probability: number): boolean
  pick<A>(list: ReadonlyArray<A>): A
  /** A stream that depends on this one's name and its own, and on nothing that was drawn. */
  stream(name: string): Chance
}

/** FNV-1a over UTF-16 units: spreads names over the 32 bits that a generator starts from. */
const spread = (name: string): number =>
  [...name].reduce((hash, one) => Math.imul(hash ^ (one.codePointAt(0) ?? 0), 0x01000193), 0x811c9dc5)

/** The stream of a name. */
export const of = (name: string): Chance => {
  const draw = makeRandom(spread(name))
  return {
    whole: (min, max) => min + Math.floor(draw() * (max - min + 1)),
    gap: (mean) => Math.round(-Math.log(1 - draw()) * mean),
    happens: (probability) => draw() < probability,
    pick: (list) => list[Math.floor(draw() * list.length)]!,
    stream: (inner) => of(`${name}/${inner}`)
  }
}
