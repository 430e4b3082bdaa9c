/**
 * The newest outcomes of our messages that were not delivery: what an operator missed who was not looking, or whose
 * process died while it was told.
 * It never holds a text, and forgets the oldest; what neither waits nor is listed here was delivered.
 * Deliveries are not kept: they are the many, and their absence here and in the queue says the same.
 */
import { Schema } from "effect"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"

export const Refusal = Schema.Struct({
  id: Schema.String,
  peerId: Schema.String,
  kind: Schema.String,
  code: Schema.String,
  atMs: Schema.Int
})
export type Refusal = typeof Refusal.Type
export type Refusals = Table.Table<Refusal>

/** Keys sort by time. */
const keyOf = ({ atMs, id }: Refusal): string => `${String(atMs).padStart(16, "0")}/${id}`

/** Adds an outcome; the oldest goes when there are too many. */
export const add = (refusals: Refusals, refusal: Refusal): Refusals => {
  const added = Table.set(refusals, keyOf(refusal), refusal)
  if (Table.size(added) <= Limits.refusalsRememberedMax) return added
  const oldest = Table.pairs(added)[0]
  return oldest === undefined ? added : Table.remove(added, oldest[0])
}
