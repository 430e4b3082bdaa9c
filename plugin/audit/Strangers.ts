/**
 * Refusals of strangers as numbers: once a minute a line for each kind and code says how many they were, and of how many keys.
 * It never counts what concerns a friend, present or former: their refusals are lines of their own.
 * Keys cost nothing: a line for each refusal would let anybody push the history of months out of the log within days.
 */
import { type Decisions, PeerId } from "../../core/index.ts"
import type { Said } from "./AuditLine.ts"
import * as Bounds from "./Bounds.ts"

interface Count {
  readonly first: Decisions.Accounted
  /** No more than the bound of them. */
  readonly keys: Set<string>
  times: number
  lastMs: number
}

/** What is counted and not written yet. */
export interface Strangers {
  /** Counts a refusal of a stranger; false for everything else, which is not counted. */
  readonly count: (one: Decisions.Accounted) => boolean
  /** Whether something is counted. */
  readonly waits: () => boolean
  /** What was counted for a minute, or all of it, as lines; it is counted anew from then on. */
  readonly take: (nowMs: number, all?: boolean) => ReadonlyArray<{ readonly at: number; readonly said: Said }>
}

/** Who it was, where it was one alone. */
const whoOf = ({ first, keys }: Count) =>
  keys.size > 1 ? { peer: "", key: "", keys: keys.size } : { peer: PeerId.short(first.peerId), key: first.key }

const lineOf = (count: Count) => {
  const { first, lastMs, times } = count
  const many = times > 1 ? { times } : {}
  return { at: lastMs, said: { asked: first.asked, verdict: first.code ?? "", ...whoOf(count), ...many } }
}

/** A count that has not begun. */
export const make = (): Strangers => {
  const counts = new Map<string, Count>()
  return {
    count: (one) => {
      if (one.stranger !== true) return false
      const kind = `${one.asked}\n${one.code}`
      const count = counts.get(kind) ?? { first: one, keys: new Set(), times: 0, lastMs: one.atMs }
      if (count.keys.size < Bounds.strangerKeysMax) count.keys.add(one.key)
      count.times++
      count.lastMs = one.atMs
      counts.set(kind, count)
      return true
    },
    waits: () => counts.size > 0,
    take: (nowMs, all = false) => {
      const due = [...counts].filter(
        ([, { first }]) => all || Math.abs(nowMs - first.atMs) >= Bounds.strangersCountedMs
      )
      for (const [kind] of due) counts.delete(kind)
      return due.map(([, count]) => lineOf(count))
    }
  }
}
