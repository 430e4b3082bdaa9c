/**
 * What waits for each peer: bounded, in order, until the peer's inbox says that it took effect.
 * It never sends and never dials; it says what is due and forgets only what has a final outcome.
 * A message gets its stream and number when it is first sent, not when it is queued: what was never sent can be given up
 * without a trace, and what was sent is the same bytes at every attempt.
 */
import { HashMap, Option, Result, Schema } from "effect"
import { utf8, utf8Length } from "../bytes/Bytes.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Codec from "../wire/Codec.ts"
import type { Durable, Inject } from "../wire/Message.ts"

/** The stream we send a peer now and the one before it, the next number in it, and the next place in the queue. */
export const Lane = Schema.Struct({
  peerId: Schema.String,
  stream: Schema.String,
  next: Schema.Int,
  previous: Schema.optionalKey(Schema.String),
  /** The highest number of the stream that left the queue without an answer: whether it arrived is not known. */
  unanswered: Schema.optionalKey(Schema.Int),
  order: Schema.Int
})
export type Lane = typeof Lane.Type

export const Entry = Schema.Struct({
  peerId: Schema.String,
  /** Place in the queue: order of acceptance. */
  order: Schema.Int,
  /** The message's id for our operator and tools; for an inject, its end and its `Cancel`, the inject's id. */
  id: Schema.String,
  kind: Schema.Literals(["Log", "Inject", "Cancel", "Done", "Held", "GrantChanged", "Unfriend", "Introduce"]),
  /** The body, JSON text: as it is sent once it has a place, with an empty place before. */
  body: Schema.String,
  /** Its length as UTF-8: most scripts take two or three bytes a character, and a link counts bytes. */
  bodyBytes: Schema.Int,
  /** UTF-8 bytes of what the operator wrote. */
  textBytes: Schema.Int,
  expiresAtMs: Schema.Int,
  /** Given at the first attempt. */
  place: Schema.optionalKey(Schema.Struct({ stream: Schema.String, number: Schema.Int })),
  /** Given up by us after an attempt: the peer is asked whether it had taken effect. */
  withdrawn: Schema.optionalKey(Schema.Literals(["expired", "cancelled"]))
})
export type Entry = typeof Entry.Type

/** What waits for one peer: the entries in the order of the queue, and their bodies' bytes together. */
export interface Waiting {
  readonly entries: ReadonlyArray<Entry>
  readonly size: number
}

export interface Outbox {
  readonly lanes: Table.Table<Lane>
  readonly entries: Table.Table<Entry>
  /** Derived from the entries. */
  readonly waiting: HashMap.HashMap<string, Waiting>
  /** Derived: bytes of all bodies together, and no entry expires before this time. */
  readonly size: number
  readonly soonestMs: number
}

export const empty: Outbox = {
  lanes: Table.empty(),
  entries: Table.empty(),
  waiting: HashMap.empty(),
  size: 0,
  soonestMs: Number.POSITIVE_INFINITY
}

const none: Waiting = { entries: [], size: 0 }

/** The place of a message that has none yet. It is as long as any, so that a body never grows when it is placed. */
export const unplaced = { stream: "0".repeat(32), number: Number.MAX_SAFE_INTEGER }

/** The record key of an entry; orders are padded so that keys sort like numbers. */
export const entryKey = (peerId: string, order: number): string => `${peerId}/${String(order).padStart(16, "0")}`

/** An outbox from its stored tables. */
export const load = (lanes: Table.Table<Lane>, entries: Table.Table<Entry>): Outbox =>
  Table.values(entries).reduce(count, { ...empty, lanes, entries })

/** Counts an entry that is in the table. */
const count = (outbox: Outbox, entry: Entry): Outbox => {
  const before = waitingFor(outbox, entry.peerId as PeerId)
  return {
    ...outbox,
    waiting: HashMap.set(outbox.waiting, entry.peerId, {
      entries: [...before.entries, entry],
      size: before.size + entry.bodyBytes
    }),
    size: outbox.size + entry.bodyBytes,
    soonestMs: Math.min(outbox.soonestMs, entry.expiresAtMs)
  }
}

/** What waits for a peer. */
export const waitingFor = (outbox: Outbox, peerId: PeerId): Waiting =>
  Option.getOrElse(HashMap.get(outbox.waiting, peerId), () => none)

/** The entries that wait for a peer, in order. */
export const entriesFor = (outbox: Outbox, peerId: PeerId): ReadonlyArray<Entry> => waitingFor(outbox, peerId).entries

/** Puts entries of one peer in place of those of the same order, whose bodies together have grown by so many bytes. */
const replace = (outbox: Outbox, peerId: PeerId, changed: ReadonlyArray<Entry>, grown: number): Outbox => {
  if (changed.length === 0) return outbox
  const byOrder = new Map(changed.map((entry) => [entry.order, entry]))
  const before = waitingFor(outbox, peerId)
  const after = before.entries.map((entry) => byOrder.get(entry.order) ?? entry)
  let { entries } = outbox
  for (const entry of changed) entries = Table.set(entries, entryKey(peerId, entry.order), entry)
  return {
    ...outbox,
    entries,
    waiting: HashMap.set(outbox.waiting, peerId, { entries: after, size: before.size + grown }),
    size: outbox.size + grown
  }
}

/** Takes entries of one peer out, in one pass over what waits for it. */
export const takeOut = (outbox: Outbox, peerId: PeerId, gone: ReadonlyArray<Entry>): Outbox => {
  if (gone.length === 0) return outbox
  const orders = new Set(gone.map((entry) => entry.order))
  const freed = gone.reduce((size, entry) => size + entry.bodyBytes, 0)
  const before = waitingFor(outbox, peerId)
  let entries = outbox.entries
  for (const order of orders) entries = Table.remove(entries, entryKey(peerId, order))
  const left = { entries: before.entries.filter(({ order }) => !orders.has(order)), size: before.size - freed }
  return {
    ...outbox,
    entries,
    waiting:
      left.entries.length === 0 ? HashMap.remove(outbox.waiting, peerId) : HashMap.set(outbox.waiting, peerId, left),
    size: outbox.size - freed
  }
}

/** Takes entries out that the peer has not answered for: the lane remembers up to where that is so. */
const takeOutUnanswered = (outbox: Outbox, peerId: PeerId, gone: ReadonlyArray<Entry>): Outbox => {
  const left = takeOut(outbox, peerId, gone)
  const lane = Table.get(left.lanes, peerId)
  const numbers = gone.flatMap(({ place }) =>
    place !== undefined && place.stream === lane?.stream ? place.number : []
  )
  if (lane === undefined || numbers.length === 0) return left
  const unanswered = Math.max(lane.unanswered ?? 0, ...numbers)
  return { ...left, lanes: Table.set(left.lanes, peerId, { ...lane, unanswered }) }
}

/** An outbox with some entries gone, and which. */
export interface Taken {
  readonly outbox: Outbox
  readonly gone: ReadonlyArray<Entry>
}

/**
 * Begins a new stream to a peer. What was sent in the stream before keeps its place there, for the peer remembers two
 * streams; what was sent in a still older one can be told apart no more and is gone, its arrival unknown.
 */
export const open = (outbox: Outbox, peerId: PeerId, stream: string): Taken => {
  const lane = Table.get(outbox.lanes, peerId)
  const gone = entriesFor(outbox, peerId).filter(
    (entry) => entry.place !== undefined && entry.place.stream !== lane?.stream
  )
  const previous = lane === undefined ? {} : { previous: lane.stream }
  const begun = { peerId, stream, next: 1, order: lane?.order ?? 1, ...previous }
  return { outbox: { ...takeOut(outbox, peerId, gone), lanes: Table.set(outbox.lanes, peerId, begun) }, gone }
}

/** Takes everything that waits for a peer out. */
export const clear = (outbox: Outbox, peerId: PeerId): Taken => {
  const gone = entriesFor(outbox, peerId)
  return { outbox: takeOutUnanswered(outbox, peerId, gone), gone }
}

/** An outbox without anything of a peer: nothing waits for it, and no stream leads to it. */
export const forget = (outbox: Outbox, peerId: PeerId): Outbox => {
  const cleared = clear(outbox, peerId).outbox
  return { ...cleared, lanes: Table.remove(cleared.lanes, peerId) }
}

/** A message without its place: the outbox gives it one when it is first sent. */
export interface Draft {
  readonly id: string
  readonly textBytes: number
  readonly expiresAtMs: number
  readonly make: (place: { readonly stream: string; readonly number: number }) => Durable
}

/**
 * What our operator says: it is listed, can be given up, and has an outcome that is told. All else is always taken, however
 * full the outbox is: it is bounded by what it ends, and by who queues it.
 */
export const isSaid = (kind: Durable["kind"]): kind is "Log" | "Inject" | "Introduce" =>
  kind === "Log" || kind === "Inject" || kind === "Introduce"

const full = (outbox: Outbox, peerId: PeerId, bytes: number): boolean => {
  const before = waitingFor(outbox, peerId)
  return (
    before.entries.length >= Limits.outboxEntriesMax ||
    before.size + bytes > Limits.outboxBytesMax ||
    outbox.size + bytes > Limits.outboxTotalBytesMax
  )
}

/**
 * Queues a message. Refused with `outbox-full` or `body-too-large`; `unknown-peer` where there is no stream to the peer.
 */
export const enqueue = (
  outbox: Outbox,
  peerId: PeerId,
  draft: Draft
): Result.Result<{ readonly outbox: Outbox; readonly entry: Entry }, Rejection.Rejection> => {
  const lane = Table.get(outbox.lanes, peerId)
  if (lane === undefined) return Result.fail(Rejection.make("unknown-peer"))
  const message = draft.make(unplaced)
  const body = Codec.print(message)
  const bytes = utf8Length(body)
  if (bytes > Limits.bodyBytesMax) return Result.fail(Rejection.make("body-too-large", `${bytes} bytes`))
  if (isSaid(message.kind) && full(outbox, peerId, bytes)) return Result.fail(Rejection.make("outbox-full"))
  const entry: Entry = {
    peerId,
    order: lane.order,
    id: draft.id,
    kind: message.kind,
    body,
    bodyBytes: bytes,
    textBytes: draft.textBytes,
    expiresAtMs: draft.expiresAtMs
  }
  const queued = {
    ...outbox,
    lanes: Table.set(outbox.lanes, peerId, { ...lane, order: lane.order + 1 }),
    entries: Table.set(outbox.entries, entryKey(peerId, entry.order), entry)
  }
  return Result.succeed({ outbox: count(queued, entry), entry })
}

/** What sending an entry takes of the window, in bytes. */
export const sendSize = (entry: Entry): number => (entry.withdrawn === undefined ? entry.bodyBytes : 128)

/** The next entries to send, in order, that are not under way and fit the rest of the window. */
const next = (
  outbox: Outbox,
  peerId: PeerId,
  underWay: ReadonlySet<number>,
  windowBytesUsed: number
): ReadonlyArray<Entry> => {
  const found: Array<Entry> = []
  if (underWay.size >= Limits.sendWindowEntries) return found
  let used = windowBytesUsed
  for (const candidate of entriesFor(outbox, peerId)) {
    if (underWay.has(candidate.order)) continue
    const fits = used === 0 || used + sendSize(candidate) <= Limits.sendWindowBytes
    if (!fits || underWay.size + found.length >= Limits.sendWindowEntries) break
    found.push(candidate)
    used += sendSize(candidate)
  }
  return found
}

/** An entry with some members of its body changed. The body is our own text: `enqueue` has printed it. */
const rewritten = (entry: Entry, change: Partial<Pick<Inject, "stream" | "number" | "timeLimitMs">>): Entry => {
  const body = JSON.stringify({ ...(JSON.parse(entry.body) as Durable), ...change })
  // Only digits and ids have changed, and each character of these is one byte.
  return { ...entry, body, bodyBytes: entry.bodyBytes + body.length - entry.body.length }
}

const placeText = ({ stream, number }: typeof unplaced): string => `"stream":"${stream}","number":${number}`

/** An entry with another place. A place follows the kind in every body, so that it is found without reading the text. */
const replaced = (entry: Entry, from: typeof unplaced, to: typeof unplaced): Entry => {
  const [before, after] = [placeText(from), placeText(to)]
  const at = `{"kind":"${entry.kind}",`.length
  if (!entry.body.startsWith(before, at)) return rewritten(entry, to)
  const body = entry.body.slice(0, at) + after + entry.body.slice(at + before.length)
  return { ...entry, body, bodyBytes: entry.bodyBytes + after.length - before.length }
}

/** Gives an entry its place; an inject learns how long its caller still waits. */
const place = (entry: Entry, lane: Lane, nowMs: number): Entry => {
  const at = { stream: lane.stream, number: lane.next }
  if (entry.kind !== "Inject") return { ...replaced(entry, unplaced, at), place: at }
  return { ...rewritten(entry, { ...at, timeLimitMs: Math.max(1, entry.expiresAtMs - nowMs) }), place: at }
}

/** An entry that has been sent at least once. */
export type Placed = Entry & { readonly place: { readonly stream: string; readonly number: number } }

/**
 * The next entries to send to a peer, each with its place: `underWay` are those sent on this session already, with
 * their size. To be committed before the first byte of them leaves.
 */
export const due = (
  outbox: Outbox,
  peerId: PeerId,
  underWay: ReadonlySet<number>,
  windowBytesUsed: number,
  nowMs: number
): { readonly outbox: Outbox; readonly entries: ReadonlyArray<Placed> } => {
  let lane = Table.get(outbox.lanes, peerId)
  if (lane === undefined) return { outbox, entries: [] }
  const entries: Array<Placed> = []
  const numbered: Array<Placed> = []
  let grown = 0
  for (const entry of next(outbox, peerId, underWay, windowBytesUsed)) {
    const sent = (entry.place === undefined ? place(entry, lane, nowMs) : entry) as Placed
    entries.push(sent)
    if (sent === entry) continue
    numbered.push(sent)
    grown += sent.bodyBytes - entry.bodyBytes
    lane = { ...lane, next: lane.next + 1 }
  }
  if (numbered.length === 0) return { outbox, entries }
  const placed = replace(outbox, peerId, numbered, grown)
  return { outbox: { ...placed, lanes: Table.set(placed.lanes, peerId, lane) }, entries }
}

/** The entries that were sent in a stream under numbers of a kind, in order. */
const sentOf = (
  outbox: Outbox,
  peerId: PeerId,
  stream: string,
  isMeant: (number: number) => boolean
): ReadonlyArray<Entry> => {
  return entriesFor(outbox, peerId).filter(({ place }) => place?.stream === stream && isMeant(place.number))
}

/** Takes one sent entry out, whatever its outcome was. */
export const take = (outbox: Outbox, peerId: PeerId, stream: string, number: number): Taken => {
  const gone = sentOf(outbox, peerId, stream, (one) => one === number).slice(0, 1)
  return { outbox: takeOut(outbox, peerId, gone), gone }
}

/** Takes out everything a receipt confirms: sent entries with numbers up to the mark, and those in `also`. */
export const settle = (
  outbox: Outbox,
  peerId: PeerId,
  stream: string,
  mark: number,
  also: ReadonlyArray<number>
): Taken => {
  const confirmed = new Set(also)
  const gone = sentOf(outbox, peerId, stream, (number) => number <= mark || confirmed.has(number))
  return { outbox: takeOut(outbox, peerId, gone), gone }
}

/** The place an entry of an older disk gets anew, because the peer knows another message under its number. */
export const displace = (outbox: Outbox, entry: Entry): Outbox => {
  const { place: _, ...rest } = entry
  const displaced = rewritten(rest, unplaced)
  return replace(outbox, entry.peerId as PeerId, [displaced], displaced.bodyBytes - entry.bodyBytes)
}

/**
 * Gives a message up. One that was never sent is gone at once. One that was keeps its place, without its text, until the
 * peer has said whether it had taken effect: only then is its outcome known.
 */
export const withdraw = (outbox: Outbox, entry: Entry, reason: "expired" | "cancelled", nowMs: number): Taken => {
  if (entry.place === undefined) return { outbox: takeOut(outbox, entry.peerId as PeerId, [entry]), gone: [entry] }
  const asked = { ...entry, body: "", bodyBytes: 0, withdrawn: reason, expiresAtMs: nowMs + Limits.outboxAgeMs }
  return { outbox: replace(outbox, entry.peerId as PeerId, [asked], -entry.bodyBytes), gone: [] }
}

/**
 * Gives up what waited too long: `gone` was never sent, or the peer was asked what became of it and did not come back
 * in time; what became of `asked` has to be asked of the peer.
 */
export const expire = (outbox: Outbox, nowMs: number): Taken & { readonly asked: ReadonlyArray<Entry> } => {
  if (nowMs < outbox.soonestMs) return { outbox, gone: [], asked: [] }
  let left: Outbox = outbox
  const gone: Array<Entry> = []
  const asked: Array<Entry> = []
  let soonestMs = Number.POSITIVE_INFINITY
  for (const entry of Table.values(outbox.entries)) {
    if (entry.expiresAtMs > nowMs) {
      soonestMs = Math.min(soonestMs, entry.expiresAtMs)
    } else if (entry.withdrawn !== undefined || entry.place === undefined) {
      left = takeOutUnanswered(left, entry.peerId as PeerId, [entry])
      gone.push(entry)
    } else {
      left = withdraw(left, entry, "expired", nowMs).outbox
      asked.push(entry)
      soonestMs = Math.min(soonestMs, nowMs + Limits.outboxAgeMs)
    }
  }
  return { outbox: { ...left, soonestMs }, gone, asked }
}

/** The body's bytes, exactly as they were hashed when first sent. */
export const bodyBytes = (entry: Entry): Uint8Array => utf8(entry.body)
