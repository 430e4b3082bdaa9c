/**
 * The live records of a store in memory: what the journal says when it is read to its end.
 * It never interprets a value, and never uses a plain object for names that others choose (`__proto__` is a name too).
 * Apart from the journal because a checkpoint, a view and a load all walk the same records.
 */
import type { Change, StoredRecord } from "../../ports/RecordStore.ts"

export interface Records {
  readonly collections: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Carries changes out, in order. */
  readonly apply: (changes: ReadonlyArray<Change>) => void
}

/** No records yet. */
export const emptyRecords = (): Records => {
  const collections = new Map<string, Map<string, string>>()
  const applyOne = ({ collection, key, value }: Change): void => {
    const records = collections.get(collection)
    if (value !== null) {
      if (records === undefined) collections.set(collection, new Map([[key, value]]))
      else records.set(key, value)
      return
    }
    if (records?.delete(key) === true && records.size === 0) collections.delete(collection)
  }
  return {
    collections,
    apply: (changes) => {
      for (const change of changes) applyOne(change)
    }
  }
}

/** Every record, collection by collection. */
export function* recordsOf(records: Records): Generator<StoredRecord> {
  for (const [collection, entries] of records.collections) {
    for (const [key, value] of entries) yield { collection, key, value }
  }
}
