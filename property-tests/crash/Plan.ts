/**
 * Which points a recorded story has, and which of them are tried in the time there is.
 * It never draws lots without a seed, and says of every point it leaves out that it did.
 * First comes one point for every call, moment, phase and side, the calls that change something before those that look;
 * then further ordinals in the same order: the hundredth look at the room is like the ninety-ninth.
 */
import * as Point from "./Point.ts"
import type { Call } from "./Run.ts"

export interface Planned {
  readonly point: Point.Point
  /** The ordinal of the call in the whole story: how often its side had made it before, in all phases. */
  readonly storyOrdinal: number
}

/** The calls of one phase, in order for each side. */
export interface Recorded {
  readonly phase: string
  readonly calls: ReadonlyArray<Call>
}

/** Every point of a story. */
export const all = (story: ReadonlyArray<Recorded>): ReadonlyArray<Planned> => {
  const counts = new Map<string, number>()
  return story.flatMap(({ calls, phase }) =>
    calls.flatMap(({ operation, ordinal, side, tears }) => {
      const key = `${side} ${operation}`
      const storyOrdinal = (counts.get(key) ?? 0) + 1
      counts.set(key, storyOrdinal)
      return Point.modes
        .filter((mode) => mode !== "torn" || tears)
        .map((mode) => ({ point: { phase, side, operation, ordinal, mode }, storyOrdinal }))
    })
  )
}

/** What a point has in common with its like: everything but the ordinal. */
const kindOf = ({ mode, operation, phase, side }: Point.Point): string => `${phase}/${side}/${operation}:${mode}`

const shuffled = (points: ReadonlyArray<Planned>, seed: number): ReadonlyArray<Planned> => {
  const drawn = points.map((one) => ({ one, lot: Point.hashOf(`${seed} ${Point.print(one.point)}`) }))
  return drawn.sort((a, b) => a.lot - b.lot).map(({ one }) => one)
}

/** Calls that leave a trace outside of the process. Of the others a crash can only stop what comes next. */
const changes =
  /^(write|append|rename|unlink|rm|mkdir|link|truncate|sync|datasync|fsync|fdatasync|chmod|utimes|end|call|send)/

/** All points in the order in which they are tried: each kind once, then round by round the next one of each kind. */
export const inOrder = (points: ReadonlyArray<Planned>, seed: number): ReadonlyArray<Planned> => {
  const kinds = Map.groupBy(shuffled(points, seed), ({ point }) => kindOf(point))
  const turns = [...kinds.values()].flatMap((like) =>
    like.map((one, round) => {
      const looks = changes.test(one.point.operation) ? 0 : 1
      return { one, turn: round === 0 ? looks : 2 + looks * points.length + round }
    })
  )
  return turns.sort((a, b) => a.turn - b.turn).map(({ one }) => one)
}

/** The points of one of `of` shards; which shard a point is in follows from its name alone. */
export const shard = (points: ReadonlyArray<Planned>, index: number, of: number): ReadonlyArray<Planned> =>
  points.filter(({ point }) => Point.hashOf(Point.print(point)) % of === index - 1)

/** How many kinds there are among points. */
export const kindsOf = (points: ReadonlyArray<Planned>): number =>
  new Set(points.map(({ point }) => kindOf(point))).size
