/**
 * A persistent map from text to values that remembers which keys changed since the last commit.
 * It never performs a commit and never knows how a value is written; `node/Records` asks it what changed.
 * The memory of changes makes a commit's size proportional to the turn, not to the state.
 */
import { HashMap, Option } from "effect"

/**
 * Keys that changed and what they were set to, the last one first; a key may be in it several times. A list, because adding
 * to it costs nothing.
 */
interface Touched<V> {
  readonly key: string
  readonly value: V | undefined
  readonly before: Touched<V> | undefined
}

export interface Table<V> {
  readonly entries: HashMap.HashMap<string, V>
  readonly touched: Touched<V> | undefined
}

/** A table with nothing in it and nothing to commit. */
export const empty = <V>(): Table<V> => ({ entries: HashMap.empty(), touched: undefined })

/** A table as loaded from the store: nothing to commit. */
export const loaded = <V>(pairs: Iterable<readonly [string, V]>): Table<V> => ({
  entries: HashMap.fromIterable(pairs),
  touched: undefined
})

/** The value under a key. */
export const get = <V>(table: Table<V>, key: string): V | undefined =>
  Option.getOrUndefined(HashMap.get(table.entries, key))

/** Whether there is a value under a key. */
export const has = <V>(table: Table<V>, key: string): boolean => HashMap.has(table.entries, key)

/** The table with a value under a key; the key has changed, whatever was there before. */
export const set = <V>(table: Table<V>, key: string, value: V): Table<V> => ({
  entries: HashMap.set(table.entries, key, value),
  touched: { key, value, before: table.touched }
})

/** The table without a key; a key that is not there changes nothing. */
export const remove = <V>(table: Table<V>, key: string): Table<V> => {
  const entries = HashMap.remove(table.entries, key)
  return entries === table.entries ? table : { entries, touched: { key, value: undefined, before: table.touched } }
}

/** Removes every key for which the predicate holds. */
export const removeWhere = <V>(table: Table<V>, predicate: (value: V, key: string) => boolean): Table<V> => {
  if (size(table) === 0) return table
  let next = table
  for (const [key, value] of table.entries) if (predicate(value, key)) next = remove(next, key)
  return next
}

/** How many keys there are. */
export const size = <V>(table: Table<V>): number => HashMap.size(table.entries)

/** All values, ordered by key so that the order never depends on a hash. */
export const values = <V>(table: Table<V>): ReadonlyArray<V> => pairs(table).map(([, value]) => value)

/** All pairs, ordered by key. */
export const pairs = <V>(table: Table<V>): ReadonlyArray<readonly [string, V]> =>
  size(table) === 0 ? [] : [...table.entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

/** What changed since the last `settled`: the new value, or undefined for a removed key. Ordered by key. */
export const changes = <V>(table: Table<V>): ReadonlyArray<readonly [string, V | undefined]> => {
  if (table.touched === undefined) return []
  const newest = new Map<string, V | undefined>()
  for (let one: Touched<V> | undefined = table.touched; one !== undefined; one = one.before) {
    if (!newest.has(one.key)) newest.set(one.key, one.value)
  }
  return [...newest].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Whether anything changed since the last `settled`. */
export const isTouched = <V>(table: Table<V>): boolean => table.touched !== undefined

/** The same table with nothing left to commit. */
export const settled = <V>(table: Table<V>): Table<V> =>
  table.touched === undefined ? table : { entries: table.entries, touched: undefined }
