/**
 * Where a friend's words are shown to the owner: one log per conversation.
 * A log never decides whether something may be shown; that was decided, and made durable, before it is asked.
 * Appending is idempotent by entry id: after a crash the core asks again, and nothing may appear twice.
 */
import { Context, Data, type Effect } from "effect"

export interface Entry {
  /** Unique for ever; appending an id that the conversation's log already holds changes nothing. */
  readonly id: string
  /** Stable name of the conversation: 1 to 128 letters, digits and `-`; any other is refused. */
  readonly conversation: string
  /** How the conversation is called on the owner's screen, such as `friend:p2p:bob(1f2e3d)`. */
  readonly label: string
  /** Milliseconds since the epoch. */
  readonly atMs: number
  /** Display name of who speaks. */
  readonly from: string
  /** The words are our own agent's. Absent: they are the friend's, whatever name the friend goes by. */
  readonly ours?: true
  readonly text: string
}

export class LogError extends Data.TaggedError("LogError")<{ readonly message: string }> {}

export interface ConversationLogShape {
  /**
   * Keeps entries, in this order within a conversation; durable when it returns. After a failure some of them may be kept
   * and others not: asking again is harmless.
   */
  append(entries: ReadonlyArray<Entry>): Effect.Effect<void, LogError>
  /** The newest `limit` entries of a conversation, oldest first; empty for an unknown one or no positive limit. */
  read(conversation: string, limit: number): Effect.Effect<ReadonlyArray<Entry>, LogError>
  /** Forgets a conversation whole, durably when it returns; what comes later begins it anew. Harmless for an unknown one. */
  remove(conversation: string): Effect.Effect<void, LogError>
}

export class ConversationLog extends Context.Service<ConversationLog, ConversationLogShape>()(
  "ports/ConversationLog"
) {}
