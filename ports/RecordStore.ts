/**
 * A node's durable memory: small named records in named collections, changed in atomic batches.
 * A store never interprets a value, and never acknowledges a commit that a crash could still take back.
 * Loading everything at once is deliberate: the state of a node fits in memory, and its bounds are the core's.
 */
import { Context, Data, type Effect } from "effect"

/**
 * One record to put (`value` is text) or to delete (`value` is null). All three are any string of JavaScript and come back
 * as they were, also empty, with NUL, or with halves of surrogate pairs, which UTF-8 cannot say.
 */
export interface Change {
  readonly collection: string
  readonly key: string
  readonly value: string | null
}

export interface StoredRecord {
  readonly collection: string
  readonly key: string
  readonly value: string
}

/**
 * Why the store refused: `locked` to whoever opens a medium that another one holds, `closed` after the end of its scope.
 * After any failed commit the store holds exactly what it held before it.
 */
export class StoreError extends Data.TaggedError("StoreError")<{
  readonly code: "disk-full" | "locked" | "damaged" | "unwritable" | "closed"
  readonly message: string
}> {}

export interface RecordStoreShape {
  /** Every record, in no particular order. */
  readonly load: Effect.Effect<ReadonlyArray<StoredRecord>, StoreError>
  /**
   * All changes or none, as the array was when it was called, also if the caller is interrupted; durable when it returns.
   * Later changes of a batch win over earlier ones of the same key, and later commits over earlier ones still under way.
   */
  commit(changes: ReadonlyArray<Change>): Effect.Effect<void, StoreError>
}

export class RecordStore extends Context.Service<RecordStore, RecordStoreShape>()("ports/RecordStore") {}
