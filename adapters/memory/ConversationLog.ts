/**
 * A ConversationLog in memory.
 * It never shows an id twice, and never fails by itself; what goes wrong is what a test asked for.
 * What survives is apart from the layer, in an `Archive`, which is also where a test reads what the owner would see.
 */
import { Effect, Layer } from "effect"
import { ConversationLog, type Entry, LogError } from "../../ports/ConversationLog.ts"

/** What a restart finds again: every conversation's entries in the order in which they were appended. */
export class Archive {
  readonly #conversations = new Map<string, Map<string, Entry>>()
  #failures: Array<string> = []

  /** The entries of a conversation, oldest first. */
  entries(conversation: string): ReadonlyArray<Entry> {
    return [...(this.#conversations.get(conversation)?.values() ?? [])]
  }

  /** The names of all conversations with entries. */
  get conversations(): ReadonlyArray<string> {
    return [...this.#conversations.keys()]
  }

  /** Forgets a conversation. */
  forget(conversation: string): void {
    this.#conversations.delete(conversation)
  }

  /** The next append that has no fault yet fails with this sentence and changes nothing. */
  failNextAppend(message: string): void {
    this.#failures.push(message)
  }

  /** Keeps an entry, or gives the sentence with which a test wanted this to fail. */
  keep(entry: Entry): string | undefined {
    const failure = this.#failures.shift()
    if (failure !== undefined) return failure
    const entries = this.#conversations.get(entry.conversation) ?? new Map<string, Entry>()
    this.#conversations.set(entry.conversation, entries)
    if (!entries.has(entry.id)) entries.set(entry.id, { ...entry })
    return undefined
  }
}

const refuse = (message: string): Effect.Effect<never, LogError> => Effect.fail(new LogError({ message }))

const named = <A>(conversation: string, then: Effect.Effect<A, LogError>): Effect.Effect<A, LogError> =>
  /^[A-Za-z0-9-]{1,128}$/.test(conversation)
    ? then
    : refuse("a conversation's name has 1 to 128 letters, digits and hyphens, nothing else")

/** A log on an archive, by default a new one of its own. */
export const layer = (archive: Archive = new Archive()): Layer.Layer<ConversationLog> =>
  Layer.succeed(ConversationLog, {
    append: (entries) =>
      Effect.forEach(
        entries,
        (entry) =>
          named(
            entry.conversation,
            Effect.suspend(() => {
              const failure = archive.keep(entry)
              return failure === undefined ? Effect.void : refuse(failure)
            })
          ),
        { discard: true }
      ),
    remove: (conversation) =>
      named(
        conversation,
        Effect.sync(() => archive.forget(conversation))
      ),
    read: (conversation, limit) =>
      named(
        conversation,
        Effect.sync(() => (limit >= 1 ? archive.entries(conversation).slice(-Math.floor(limit)) : []))
      )
  })
