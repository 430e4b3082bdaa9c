/**
 * Entries that are accepted and not yet confirmed by the conversation log: a table that knows how much text it holds.
 * It never decides how much may wait; the gate asks before each text, and hundreds may wait, so nobody counts them anew.
 */
import type { Entry } from "../../ports/ConversationLog.ts"
import * as Table from "../Table.ts"

export interface Unshown extends Table.Table<Entry> {
  /** Derived: UTF-16 code units of all texts together. */
  readonly characters: number
}

/** What waits according to a stored table. */
export const load = (table: Table.Table<Entry>): Unshown => {
  let characters = 0
  for (const [, { text }] of table.entries) characters += text.length
  return { ...table, characters }
}

/** Nothing waits. */
export const empty: Unshown = load(Table.empty())

const lengthOf = (unshown: Unshown, id: string): number => Table.get(unshown, id)?.text.length ?? 0

/** One entry more; one of the same id is replaced. */
export const add = (unshown: Unshown, entry: Entry): Unshown => ({
  ...Table.set(unshown, entry.id, entry),
  characters: unshown.characters + entry.text.length - lengthOf(unshown, entry.id)
})

/** Without an entry; one that does not wait changes nothing. */
export const remove = (unshown: Unshown, id: string): Unshown =>
  Table.has(unshown, id)
    ? { ...Table.remove(unshown, id), characters: unshown.characters - lengthOf(unshown, id) }
    : unshown

/** The same entries with nothing left to commit. */
export const settled = (unshown: Unshown): Unshown => ({
  ...Table.settled(unshown),
  characters: unshown.characters
})
