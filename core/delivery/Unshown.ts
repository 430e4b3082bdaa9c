/**
 * Entries that are accepted and not yet confirmed by the conversation log: a table that knows their order and how much
 * text they hold. It never decides how much may wait; the gate asks before each text, and hundreds may wait, so nobody
 * counts them anew. Neither the time (a turn has one, and a clock can go back) nor the ids (streams are random) are an order.
 */
import { Schema } from "effect"
import type { Entry } from "../../ports/ConversationLog.ts"
import * as Table from "../Table.ts"

/** An entry as it is kept, with its place among those that wait. */
export const Kept = Schema.Struct({
  id: Schema.String,
  conversation: Schema.String,
  label: Schema.String,
  atMs: Schema.Int,
  from: Schema.String,
  ours: Schema.optionalKey(Schema.Literal(true)),
  text: Schema.String,
  /** Greater than that of every entry that was accepted before and waits. Absent: kept by an earlier version. */
  order: Schema.optionalKey(Schema.Int)
})
export type Kept = typeof Kept.Type

export interface Unshown extends Table.Table<Kept> {
  /** Derived: UTF-16 code units of all texts together. */
  readonly characters: number
  /** Derived: the order of the next entry. */
  readonly next: number
}

/** What waits according to a stored table. */
export const load = (table: Table.Table<Kept>): Unshown => {
  let [characters, next] = [0, 1]
  for (const [, { order = 0, text }] of table.entries) {
    characters += text.length
    next = Math.max(next, order + 1)
  }
  return { ...table, characters, next }
}

/** Nothing waits. */
export const empty: Unshown = load(Table.empty())

const lengthOf = (unshown: Unshown, id: string): number => Table.get(unshown, id)?.text.length ?? 0

/** One entry more, behind all others; one of the same id is replaced. */
export const add = (unshown: Unshown, entry: Entry): Unshown => ({
  ...Table.set(unshown, entry.id, { ...entry, order: unshown.next }),
  characters: unshown.characters + entry.text.length - lengthOf(unshown, entry.id),
  next: unshown.next + 1
})

/** Without an entry; one that does not wait changes nothing. */
export const remove = (unshown: Unshown, id: string): Unshown =>
  Table.has(unshown, id)
    ? { ...unshown, ...Table.remove(unshown, id), characters: unshown.characters - lengthOf(unshown, id) }
    : unshown

/** All that waits, in the order in which it was accepted. */
export const inOrder = (unshown: Unshown): ReadonlyArray<Entry> =>
  [...Table.values(unshown)]
    .sort((a, b) => (a.order ?? 0) - (b.order ?? 0) || a.atMs - b.atMs)
    .map(({ order: _, ...entry }) => entry)

/** The same entries with nothing left to commit. */
export const settled = (unshown: Unshown): Unshown => ({ ...unshown, ...Table.settled(unshown) })
