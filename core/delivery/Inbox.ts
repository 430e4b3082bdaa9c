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

/** One stream of a peer: everything up to `mark` is done, and the numbers in `sparse` above it. */
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
  if (number > mark && !sparse.includes(number)) return Result.succeed({ kind: "new" })
  const outcome = Table.get(inbox.outcomes, outcomeKey(peerId, stream, number))
  if (outcome !== undefined && outcome.hash !== hash) return Result.fail(Rejection.make("sequence-conflict"))
  return Result.succeed({ kind: "known", code: outcome?.code })
}

/** Remembers that a number took effect, or was finally refused with a code. */
export const record = (
  inbox: Inbox,
  peerId: PeerId,
  stream: string,
  number: number,
  outcome: Outcome,
  nowMs: number
): Inbox => {
  const before = streamOf(inbox, peerId, stream, Math.max(nowMs, newestMs(inbox, peerId, stream) + 1))
  const above = new Set([...before.sparse, number])
  let mark = before.mark
  while (above.delete(mark + 1)) mark++
  const after = { ...before, mark, sparse: [...above].filter((one) => one > mark).sort((a, b) => a - b) }
  const streams = Table.set(inbox.streams, streamKey(peerId, stream), after)
  let outcomes = Table.set(inbox.outcomes, outcomeKey(peerId, stream, number), outcome)
  for (let old = before.mark + 1; old <= mark; old++) {
    outcomes = Table.remove(outcomes, outcomeKey(peerId, stream, old - Limits.inboxOutcomesMax))
  }
  const recorded = { streams, outcomes }
  return before.mark === 0 && before.sparse.length === 0 ? forgetOldStreams(recorded, peerId) : recorded
}

/**
 * When the newest other stream of a peer began, for a stream that begins now: a clock that went back must not make the
 * one that began last look like the oldest.
 */
const newestMs = (inbox: Inbox, peerId: PeerId, stream: string): number =>
  Table.has(inbox.streams, streamKey(peerId, stream))
    ? Number.NEGATIVE_INFINITY
    : Table.values(inbox.streams)
        .filter((one) => one.peerId === peerId)
        .reduce((newest, { sinceMs }) => Math.max(newest, sinceMs), Number.NEGATIVE_INFINITY)

/** Keeps the newest streams of a peer (protocol §6: two). */
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

/** What a receipt for this stream says now. */
export const receipt = (inbox: Inbox, peerId: PeerId, stream: string) => {
  const { mark, sparse } = streamOf(inbox, peerId, stream, 0)
  return { kind: "Receipt" as const, stream, mark, also: sparse }
}
