/**
 * Conversations as the panel shows them: what a friend wrote and what we sent, in order, by pages, searched, exported, forgotten.
 * It never shows a conversation but a friend's own, named by the friend's id, and never builds a path of anything.
 * Both logs are read from their ends, because people look at what is new; how far back is bounded.
 */
import { Effect } from "effect"
import type { Describe } from "../../core/index.ts"
import type { ConversationLogShape, Entry, LogError } from "../../ports/ConversationLog.ts"
import * as Present from "../Present.ts"
import * as Bounds from "./Bounds.ts"
import type { Conversation } from "./Contract.ts"
import { type Fault, fault } from "./Fault.ts"
import { handleOf } from "./View.ts"
import { sentTo } from "./Watched.ts"

type Page = typeof Conversation.Type

export interface Wanted {
  readonly before?: string
  readonly limit?: string
  readonly search?: string
}

/** The friend of an id. */
export const friendOf = (
  { friends }: Describe.Description,
  peerId: string
): Effect.Effect<Describe.FriendView, Fault> => {
  const friend = friends.find((one) => one.peerId === peerId)
  return friend === undefined ? Effect.fail(fault("unknown-peer")) : Effect.succeed(friend)
}

const failed = ({ message }: LogError) =>
  Effect.andThen(Effect.logWarning(`a conversation for the panel: ${message}`), Effect.fail(fault("log-failed")))

/** The newest of both logs, oldest first. */
const newest = (log: ConversationLogShape, peerId: string, most: number): Effect.Effect<ReadonlyArray<Entry>, Fault> =>
  Effect.all([log.read(peerId, most), log.read(sentTo(peerId), most)]).pipe(
    Effect.map(([theirs, ours]) => [...theirs, ...ours].sort((a, b) => a.atMs - b.atMs).slice(-most)),
    Effect.catch(failed)
  )

const limitOf = (text: string | undefined): number =>
  text !== undefined && /^[1-9]\d{0,3}$/.test(text)
    ? Math.min(Number(text), Bounds.pageEntriesMax)
    : Bounds.pageEntriesUsual

/** Where a message of ours stands: waiting, refused, or nothing more is known of it and so it was delivered. */
const stateOf = ({ queue, refusals }: Describe.Description): ((entry: Entry) => string | null) => {
  const waiting = new Map(queue.map(({ id, state }) => [id, state as string]))
  const refused = new Set(refusals.map(({ id }) => id))
  return ({ conversation, id, ours }) => {
    if (!conversation.endsWith("-sent") || ours !== true) return null
    return waiting.get(id) ?? (refused.has(id) ? "refused" : "delivered")
  }
}

/** A page of a conversation, or of the texts in it that contain something. */
export const page = (
  node: Describe.Description,
  log: ConversationLogShape,
  friend: Describe.FriendView,
  { before, limit, search = "" }: Wanted
): Effect.Effect<Page, Fault> =>
  Effect.map(newest(log, friend.peerId, Bounds.entriesLookedAtMax), (all) => {
    const end =
      before === undefined
        ? all.length
        : Math.max(
            0,
            all.findIndex(({ id }) => id === before)
          )
    const sought = search.toLowerCase()
    const found = all.slice(0, end).filter(({ text }) => text.toLowerCase().includes(sought))
    const shown = found.slice(-limitOf(limit))
    const state = stateOf(node)
    return {
      handle: handleOf(friend),
      name: friend.called ?? friend.name,
      label: friend.conversation,
      entries: shown.map((entry) => ({
        id: entry.id,
        atMs: entry.atMs,
        from: entry.from,
        ours: entry.ours === true,
        state: state(entry),
        text: entry.text
      })),
      before: shown.length < found.length ? shown[0]!.id : null
    }
  })

/** The whole conversation, as JSON lines or as text whose every line says who wrote it. */
export const exported = (
  log: ConversationLogShape,
  friend: Describe.FriendView,
  format: "jsonl" | "text"
): Effect.Effect<string, Fault> =>
  Effect.map(newest(log, friend.peerId, Bounds.exportEntriesMax), (all) =>
    all
      .map(({ atMs, from, id, ours, text }) =>
        format === "jsonl"
          ? `${Present.json({ id, atMs, from, ours: ours === true, text })}\n`
          : text
              .split("\n")
              .map((line) => `${new Date(atMs).toISOString()} ${Present.harmless(from)}: ${Present.harmless(line)}\n`)
              .join("")
      )
      .join("")
  )

/** Forgets a conversation here, both halves. */
export const forget = (log: ConversationLogShape, friend: Describe.FriendView): Effect.Effect<void, Fault> =>
  Effect.all([log.remove(friend.peerId), log.remove(sentTo(friend.peerId))]).pipe(Effect.asVoid, Effect.catch(failed))
