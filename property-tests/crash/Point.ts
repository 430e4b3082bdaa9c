/**
 * A crash point: in which phase of the story, on which side, at which I/O call, and in which moment of it.
 * It never says what a call does; a call is its name and how often that name was called before.
 * A point is written as one word, so that it can be pasted behind `--only` and kept in a file of what is done.
 */
export const sides = ["alice", "bob"] as const
export type SideName = (typeof sides)[number]

/** Dead before the call; with half of its bytes out; or after it, before anybody learns that it is done. */
export const modes = ["before", "torn", "after"] as const
export type Mode = (typeof modes)[number]

export interface Point {
  readonly phase: string
  readonly side: SideName
  readonly operation: string
  /** Which call of this name, from 1, since the counting of the phase began. */
  readonly ordinal: number
  readonly mode: Mode
}

/** A point without its phase and side: all that a process needs to know of its own death. */
export const printDeath = ({ operation, ordinal, mode }: Pick<Point, "operation" | "ordinal" | "mode">): string =>
  `${operation}#${ordinal}:${mode}`

/** The point as one word. */
export const print = (point: Point): string => `${point.phase}/${point.side}/${printDeath(point)}`

const isOneOf = <A extends string>(all: ReadonlyArray<A>, text: string | undefined): text is A =>
  all.some((one) => one === text)

/** Reads what `printDeath` wrote. */
export const parseDeath = (word: string): Pick<Point, "operation" | "ordinal" | "mode"> | undefined => {
  const match = /^(.+)#(\d+):([a-z]+)$/.exec(word)
  const mode = match?.[3]
  return match === null || !isOneOf(modes, mode) ? undefined : { operation: match[1]!, ordinal: Number(match[2]), mode }
}

/** Reads what `print` wrote. */
export const parse = (word: string): Point | undefined => {
  const match = /^([a-z-]+)\/([a-z]+)\/(.+)$/.exec(word)
  const side = match?.[2]
  const death = parseDeath(match?.[3] ?? "")
  return match === null || death === undefined || !isOneOf(sides, side)
    ? undefined
    : { phase: match[1]!, side, ...death }
}

/** A number that follows from a text alone: for shards and for a choice that a seed decides. FNV-1a. */
export const hashOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0)!, 0x01000193)
  // FNV's low bits of short texts are close together; one more mixing spreads them.
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
