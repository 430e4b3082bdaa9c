/**
 * What arrived: the memory that makes a second copy harmless, per peer and stream, bounded.
 * It never judges a message; it says whether a number is new, known or in conflict, and remembers its outcome.
 * The memory and the effect of a message are committed together, which is what exactly once means.
 */
import { Result, Schema } from "effect"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"

/** One stream of a peer: everything up to `mark` is done, and the numbers in `sparse` above it, in ascending order. */
export const Stream = Schema.Struct({
  peerId: Schema.String,
  stream: Schema.String,
  mark: Schema.Int,
  sparse: Schema.Array(Schema.Int),
  sinceMs: Schema.Int
})
export type Stream = typeof Stream.Type

/** What became of a number: a hash of its body, and the code if it was finally refused. */
export const Outcome = Schema.Struct({ hash: Schema.String, code: Schema.optionalKey(Schema.String) })
export type Outcome = typeof Outcome.Type

export interface Inbox {
  readonly streams: Table.Table<Stream>
  readonly outcomes: Table.Table<Outcome>
}

export const empty: Inbox = { streams: Table.empty(), outcomes: Table.empty() }

const streamKey = (peerId: PeerId, stream: string): string => `${peerId}/${stream}`
const outcomeKey = (peerId: PeerId, stream: string, number: number): string =>
  `${peerId}/${stream}/${String(number).padStart(16, "0")}`

const streamOf = (inbox: Inbox, peerId: PeerId, stream: string, nowMs: number): Stream =>
  Table.get(inbox.streams, streamKey(peerId, stream)) ?? { peerId, stream, mark: 0, sparse: [], sinceMs: nowMs }

/** `new`: not seen. `known`: took effect, or was refused with the code, earlier. */
export type Sighting = { readonly kind: "new" } | { readonly kind: "known"; readonly code: string | undefined }

/** Whether a number was seen before: `sequence-conflict` for another body, `too-far-ahead` beyond the memory's reach. */
export const look = (
  inbox: Inbox,
  peerId: PeerId,
  stream: string,
  number: number,
  hash: string
): Result.Result<Sighting, Rejection.Rejection> => {
  const { mark, sparse } = streamOf(inbox, peerId, stream, 0)
  if (number > mark + Limits.inboxAheadMax) return Result.fail(Rejection.make("too-far-ahead", "", Limits.retryPauseMs))
  if (number > mark && !has(sparse, number)) return Result.succeed({ kind: "new" })
  const outcome = Table.get(inbox.outcomes, outcomeKey(peerId, stream, number))
  // A number that was given up unseen has no body to be in conflict with: a copy on an older link may still come.
  if (outcome !== undefined && outcome.hash !== "" && outcome.hash !== hash)
    return Result.fail(Rejection.make("sequence-conflict"))
  return Result.succeed({ kind: "known", code: outcome?.code })
}

/** What became of a number, whatever its body: for a sender that has given it up and asks. */
export const whatBecameOf = (inbox: Inbox, peerId: PeerId, stream: string, number: number): Sighting => {
  const { mark, sparse } = streamOf(inbox, peerId, stream, 0)
  if (number > mark && !has(sparse, number)) return { kind: "new" }
  return { kind: "known", code: Table.get(inbox.outcomes, outcomeKey(peerId, stream, number))?.code }
}

/**
 * Closes numbers right above the mark that the sender says were settled before: we have forgotten them, which means
 * that our disk is older than it was. Gives undefined when they are not right above the mark or all known.
 */
export const closeForgotten = (
  inbox: Inbox,
  peerId: PeerId,
  stream: string,
  from: number,
  to: number,
  nowMs: number
): Inbox | undefined => {
  const before = orBegun(inbox, peerId, stream, nowMs)
  if (from > before.mark + 1 || to <= before.mark) return undefined
  return advance(inbox, before, { ...before, mark: to })
}

/** Whether anything of a stream is remembered. */
export const knows = (inbox: Inbox, peerId: PeerId, stream: string): boolean =>
  Table.has(inbox.streams, streamKey(peerId, stream))

/** How far our memory of a peer's streams reaches, for the greeting of a session. */
export const marks = (
  inbox: Inbox,
  peerId: PeerId
): ReadonlyArray<{ readonly stream: string; readonly mark: number; readonly top?: number }> =>
  Table.values(inbox.streams)
    .filter((stream) => stream.peerId === peerId)
    .map(({ mark, sparse, stream }) => ({ stream, mark, ...(sparse.length === 0 ? {} : { top: sparse.at(-1)! }) }))

/** Remembers that a number took effect, or was finally refused with a code. */
export const record = (
  inbox: Inbox,
  peerId: PeerId,
  stream: string,
  number: number,
  outcome: Outcome,
  nowMs: number
): Inbox => {
  const before = orBegun(inbox, peerId, stream, nowMs)
  const outcomes = Table.set(inbox.outcomes, outcomeKey(peerId, stream, number), outcome)
  const next =
    number === before.mark + 1 ? { ...before, mark: number } : { ...before, sparse: inserted(before.sparse, number) }
  return advance({ ...inbox, outcomes }, before, next)
}

/**
 * A stream goes from `before` to `next`: its mark moves as far as it can, and what lies too far below is forgotten. Only
 * numbers that were known have outcomes, however far the mark jumps.
 */
const advance = (inbox: Inbox, before: Stream, next: Stream): Inbox => {
  const peerId = before.peerId as PeerId
  const after = absorb(next)
  const keptAbove = after.mark - Limits.inboxOutcomesMax
  let { outcomes } = inbox
  const drop = (number: number) => {
    if (number <= keptAbove) outcomes = Table.remove(outcomes, outcomeKey(peerId, before.stream, number))
  }
  for (let old = before.mark - Limits.inboxOutcomesMax + 1; old <= Math.min(before.mark, keptAbove); old++) drop(old)
  // Only a mark that has jumped leaves any of these behind.
  for (const old of next.sparse) {
    if (old > keptAbove) break
    drop(old)
  }
  const streams = Table.set(inbox.streams, streamKey(peerId, before.stream), after)
  const isNew = Table.size(streams) > Table.size(inbox.streams)
  return isNew ? forgetOldStreams({ streams, outcomes }, peerId) : { streams, outcomes }
}

/** An inbox without anything of a peer. */
export const forget = (inbox: Inbox, peerId: PeerId): Inbox => ({
  streams: Table.removeWhere(inbox.streams, (stream) => stream.peerId === peerId),
  outcomes: Table.removeWhere(inbox.outcomes, (_, key) => key.startsWith(`${peerId}/`))
})

/** How many of the numbers, which ascend, are at most `upTo`; found by halving, because there may be a thousand. */
const countUpTo = (sparse: ReadonlyArray<number>, upTo: number): number => {
  let [low, high] = [0, sparse.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sparse[middle]! <= upTo) low = middle + 1
    else high = middle
  }
  return low
}

const has = (sparse: ReadonlyArray<number>, number: number): boolean => sparse[countUpTo(sparse, number) - 1] === number

/** The numbers with one more, each once. */
const inserted = (sparse: ReadonlyArray<number>, number: number): ReadonlyArray<number> =>
  has(sparse, number) ? sparse : sparse.toSpliced(countUpTo(sparse, number), 0, number)

/**
 * Moves the mark over the numbers that follow it without a gap. A message costs what it changes: above a gap there may be
 * a thousand numbers, and the usual one joins the mark below them.
 */
const absorb = (stream: Stream): Stream => {
  const { sparse } = stream
  let { mark } = stream
  let known = 0
  while (known < sparse.length && sparse[known]! <= mark + 1) mark = Math.max(mark, sparse[known++]!)
  return known === 0 ? { ...stream, mark } : { ...stream, mark, sparse: sparse.slice(known) }
}

/**
 * A stream, or one that begins now. It is newer than the others of the peer: a clock that went back must not make the one
 * that began last look like the oldest.
 */
const orBegun = (inbox: Inbox, peerId: PeerId, stream: string, nowMs: number): Stream => {
  const known = Table.get(inbox.streams, streamKey(peerId, stream))
  if (known !== undefined) return known
  const newestMs = Table.values(inbox.streams)
    .filter((one) => one.peerId === peerId)
    .reduce((newest, { sinceMs }) => Math.max(newest, sinceMs), Number.NEGATIVE_INFINITY)
  return { peerId, stream, mark: 0, sparse: [], sinceMs: Math.max(nowMs, newestMs + 1) }
}

/** Keeps the newest streams of a peer (PROTOCOL.md §10: two). */
const forgetOldStreams = (inbox: Inbox, peerId: PeerId): Inbox => {
  const mine = Table.values(inbox.streams)
    .filter((stream) => stream.peerId === peerId)
    .sort((a, b) => b.sinceMs - a.sinceMs)
  return mine.slice(Limits.streamsPerPeer).reduce((left, old) => {
    const prefix = `${streamKey(peerId, old.stream)}/`
    return {
      streams: Table.remove(left.streams, streamKey(peerId, old.stream)),
      outcomes: Table.removeWhere(left.outcomes, (_, key) => key.startsWith(prefix))
    }
  }, inbox)
}

/**
 * The receipt for one number of a stream: what is done up to it, and nothing beyond. Beyond it there may be one that was
 * refused and whose refusal was lost: its sender asks again, in order, and must hear the refusal first.
 */
export const receipt = (inbox: Inbox, peerId: PeerId, stream: string, upTo: number) => {
  const { mark, sparse } = streamOf(inbox, peerId, stream, 0)
  return {
    kind: "Receipt" as const,
    stream,
    mark: Math.min(mark, upTo),
    also: sparse.slice(0, countUpTo(sparse, upTo))
  }
}

/** Whether a number is so far above what is done that nothing is remembered about it. */
export const isTooFar = (inbox: Inbox, peerId: PeerId, stream: string, number: number): boolean =>
  number > streamOf(inbox, peerId, stream, 0).mark + Limits.inboxAheadMax
