/**
 * A disk as a map: the records of a node as text, so that every restart goes through `Records.load` like a real one.
 * It never keeps anything but what was committed, and knows nothing of the nodes whose disk it is.
 */
import { Result } from "effect"
import type { State } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"

/** A noon in 2027 at which the clock of every model and simulation starts. */
export const noonMs = 1_800_000_000_000

const diskKey = (collection: string, key: string): string => `${collection}\u0000${key}`

/** Everything durable of a state, as plain values; written without the rooms' own listing of their tables. */
export const durableOf = ({ durable }: State.State): Readonly<Record<string, unknown>> => {
  const plain = (table: { readonly entries: Iterable<readonly [string, unknown]> }) =>
    [...table.entries].sort(([a], [b]) => (a < b ? -1 : 1))
  const { inbox, outbox, roster, ...rest } = durable
  return {
    ...Object.fromEntries(
      Object.entries({ ...roster, ...rest, ...inbox }).map(([name, table]) => [name, plain(table)])
    ),
    lanes: plain(outbox.lanes),
    entries: plain(outbox.entries),
    waiting: [...outbox.waiting].filter(([, one]) => one.entries.length > 0).sort(([a], [b]) => (a < b ? -1 : 1))
  }
}

/** The durable state that a disk holds. */
export const loadDisk = (disk: ReadonlyMap<string, string>): State.Durable => {
  const records = [...disk].map(([place, value]) => {
    const [collection = "", key = ""] = place.split("\u0000")
    return { collection, key, value }
  })
  return Result.getOrThrow(Records.load(records))
}

/** Applies changes as a store does. */
export const commit = (disk: Map<string, string>, changes: ReturnType<typeof Records.diff>): void => {
  for (const { collection, key, value } of changes) {
    if (value === null) disk.delete(diskKey(collection, key))
    else disk.set(diskKey(collection, key), value)
  }
}
