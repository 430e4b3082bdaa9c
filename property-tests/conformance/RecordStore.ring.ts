/**
 * Numbered batches whose traces in a store tell exactly how many of them were carried out.
 * It never tolerates a gap: what is not the trace of batches 1 to n, for one n, is a broken promise and throws.
 * Batches overwrite a ring of keys, so that the live state stays small and the journal has something to forget.
 */
import type { Change, StoredRecord } from "../../ports/RecordStore.ts"

const ringSize = 20
const collections = ["left", "middle", "right"]

/** Batch `number` (from 1): the same value in three collections. Its size varies with the number; the first are small. */
export const batch = (number: number): ReadonlyArray<Change> =>
  collections.map((collection) => ({
    collection,
    key: `k${number % ringSize}`,
    value: JSON.stringify({ number, filler: "x".repeat(number < 10 ? number : (number * 37) % 900) })
  }))

/** The n for which these records are those of batches 1 to n. Throws when there is none. */
export const found = (records: ReadonlyArray<StoredRecord>): number => {
  const numberIn = (value: string): number => Number(JSON.parse(value).number)
  const last = records.reduce((most, { value }) => Math.max(most, numberIn(value)), 0)
  const expected = new Map<string, string>()
  for (let number = Math.max(1, last - ringSize + 1); number <= last; number++) {
    for (const { collection, key, value } of batch(number)) expected.set(`${collection}/${key}`, value ?? "")
  }
  if (records.length !== expected.size) throw new Error(`${records.length} records, expected ${expected.size}`)
  for (const { collection, key, value } of records) {
    if (expected.get(`${collection}/${key}`) === value) continue
    throw new Error(`batch ${last} was found, but ${collection}/${key} holds batch ${numberIn(value)}`)
  }
  return last
}
