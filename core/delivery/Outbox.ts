/**
 * What waits for each peer: numbered, bounded, in order, until the peer's inbox says that it took effect.
 * It never sends and never dials; it says what is due and forgets only what has a final outcome.
 * Stream and number are part of the body, so the bytes a peer remembers are the same at every attempt.
 */
import { HashMap, Option, Result, Schema } from "effect"
import { text, utf8 } from "../bytes/Bytes.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Codec from "../wire/Codec.ts"
import type { Durable } from "../wire/Message.ts"

/** The stream we send a peer, and the next number in it. */
export const Lane = Schema.Struct({ peerId: Schema.String, stream: Schema.String, next: Schema.Int })
export type Lane = typeof Lane.Type

export const Entry = Schema.Struct({
  peerId: Schema.String,
  stream: Schema.String,
  number: Schema.Int,
  /** The message's id for our operator and tools; for an inject and its end, the inject's id. */
  id: Schema.String,
  kind: Schema.Literals(["Log", "Inject", "Done", "Skip"]),
  /** The body as it is sent, JSON text. */
  body: Schema.String,
  /** UTF-8 bytes of what the operator wrote. */
  textBytes: Schema.Int,
  expiresAtMs: Schema.Int
})
export type Entry = typeof Entry.Type

/** What waits for one peer: numbers ascending, and their bodies' bytes together. Derived from the entries. */
export interface Waiting {
  readonly numbers: ReadonlyArray<number>
  readonly size: number
}

export interface Outbox {
  readonly lanes: Table.Table<Lane>
  readonly entries: Table.Table<Entry>
  readonly waiting: HashMap.HashMap<string, Waiting>
}

export const empty: Outbox = { lanes: Table.empty(), entries: Table.empty(), waiting: HashMap.empty() }

const none: Waiting = { numbers: [], size: 0 }

/** The record key of an entry; numbers are padded so that keys sort like numbers. */
export const entryKey = (peerId: string, number: number): string => `${peerId}/${String(number).padStart(16, "0")}`

/** An outbox from its stored tables. */
export const load = (lanes: Table.Table<Lane>, entries: Table.Table<Entry>): Outbox => {
  let waiting = HashMap.empty<string, Waiting>()
  for (const [, entry] of Table.pairs(entries)) waiting = add(waiting, entry)
  return { lanes, entries, waiting }
}

const add = (waiting: Outbox["waiting"], entry: Entry): Outbox["waiting"] => {
  const before = Option.getOrElse(HashMap.get(waiting, entry.peerId), () => none)
  return HashMap.set(waiting, entry.peerId, {
    numbers: [...before.numbers, entry.number],
    size: before.size + bodyBytes(entry).length
  })
}

/** What waits for a peer. */
export const waitingFor = (outbox: Outbox, peerId: PeerId): Waiting =>
  Option.getOrElse(HashMap.get(outbox.waiting, peerId), () => none)

export const entry = (outbox: Outbox, peerId: PeerId, number: number): Entry | undefined =>
  Table.get(outbox.entries, entryKey(peerId, number))

/** Begins a new stream to a peer. What waited in an older one is numbered anew, in order; what was given up is gone. */
export const open = (outbox: Outbox, peerId: PeerId, stream: string): Outbox => {
  const cleared = clear(outbox, peerId)
  const begun = { ...cleared.outbox, lanes: Table.set(cleared.outbox.lanes, peerId, { peerId, stream, next: 1 }) }
  return cleared.dropped.filter((one) => one.kind !== "Skip").reduce(append, begun)
}

/** Puts an entry of an older stream at the end of the lane's new one. */
const append = (outbox: Outbox, old: Entry): Outbox => {
  const lane = Table.get(outbox.lanes, old.peerId)
  const message = Codec.decode(utf8(old.body))
  if (lane === undefined || Result.isFailure(message) || message.success === undefined) return outbox
  if (!("number" in message.success) || message.success.kind === "Unknown") return outbox
  const moved = { ...message.success, stream: lane.stream, number: lane.next } as Durable
  const entry = { ...old, stream: lane.stream, number: lane.next, body: text(Codec.encode(moved)) ?? "" }
  return {
    lanes: Table.set(outbox.lanes, old.peerId, { ...lane, next: lane.next + 1 }),
    entries: Table.set(outbox.entries, entryKey(old.peerId, entry.number), entry),
    waiting: add(outbox.waiting, entry)
  }
}

/** Takes everything that waits for a peer out. */
export const clear = (
  outbox: Outbox,
  peerId: PeerId
): { readonly outbox: Outbox; readonly dropped: ReadonlyArray<Entry> } => {
  const dropped = waitingFor(outbox, peerId).numbers.flatMap((number) => entry(outbox, peerId, number) ?? [])
  let entries = outbox.entries
  for (const { number } of dropped) entries = Table.remove(entries, entryKey(peerId, number))
  return { outbox: { ...outbox, entries, waiting: HashMap.remove(outbox.waiting, peerId) }, dropped }
}

/** A message without its place: the outbox gives it stream and number. */
export interface Draft {
  readonly id: string
  readonly textBytes: number
  readonly expiresAtMs: number
  readonly make: (stream: string, number: number) => Durable
}

/**
 * Queues a message. Refused with `outbox-full` or `body-too-large`; `unknown-peer` where there is no stream to the peer.
 * An inject's end (`Done`) is always taken: it is bounded by the jobs it ends.
 */
export const enqueue = (
  outbox: Outbox,
  peerId: PeerId,
  draft: Draft
): Result.Result<{ readonly outbox: Outbox; readonly entry: Entry }, Rejection.Rejection> => {
  const lane = Table.get(outbox.lanes, peerId)
  if (lane === undefined) return Result.fail(Rejection.make("unknown-peer"))
  const message = draft.make(lane.stream, lane.next)
  const bytes = Codec.encode(message)
  if (bytes.length > Limits.bodyBytesMax) return Result.fail(Rejection.make("body-too-large", `${bytes.length} bytes`))
  const before = waitingFor(outbox, peerId)
  const full = before.numbers.length >= Limits.outboxEntriesMax || before.size + bytes.length > Limits.outboxBytesMax
  if (full && message.kind !== "Done") return Result.fail(Rejection.make("outbox-full"))
  const queued: Entry = {
    peerId,
    stream: lane.stream,
    number: lane.next,
    id: draft.id,
    kind: message.kind,
    body: text(bytes) ?? "",
    textBytes: draft.textBytes,
    expiresAtMs: draft.expiresAtMs
  }
  return Result.succeed({
    outbox: {
      lanes: Table.set(outbox.lanes, peerId, { ...lane, next: lane.next + 1 }),
      entries: Table.set(outbox.entries, entryKey(peerId, queued.number), queued),
      waiting: add(outbox.waiting, queued)
    },
    entry: queued
  })
}

/**
 * What sending an entry takes, in bytes: its body, and for the end of an inject the answer that precedes it.
 * Characters will not do: most scripts take two or three bytes each, and a link counts bytes.
 */
export const sendSize = (one: Entry): number => {
  const { length } = bodyBytes(one)
  return one.kind === "Done" ? length + Math.ceil((one.textBytes * 4) / 3) : length
}

/** The next entries to send, in order, that are not under way and fit the rest of the window. */
export const due = (
  outbox: Outbox,
  peerId: PeerId,
  underWay: ReadonlySet<number>,
  windowBytesUsed: number
): ReadonlyArray<Entry> => {
  const found: Array<Entry> = []
  let used = windowBytesUsed
  for (const number of waitingFor(outbox, peerId).numbers) {
    if (underWay.has(number)) continue
    const candidate = entry(outbox, peerId, number)
    if (candidate === undefined) continue
    const fits = used === 0 || used + sendSize(candidate) <= Limits.sendWindowBytes
    if (!fits || underWay.size + found.length >= Limits.sendWindowEntries) break
    found.push(candidate)
    used += sendSize(candidate)
  }
  return found
}

/** Takes one entry out, whatever its outcome was. */
export const take = (
  outbox: Outbox,
  peerId: PeerId,
  stream: string,
  number: number
): { readonly outbox: Outbox; readonly entry: Entry | undefined } => {
  const found = entry(outbox, peerId, number)
  if (found === undefined || found.stream !== stream) return { outbox, entry: undefined }
  const before = waitingFor(outbox, peerId)
  const left = {
    numbers: before.numbers.filter((other) => other !== number),
    size: before.size - bodyBytes(found).length
  }
  return {
    outbox: {
      ...outbox,
      entries: Table.remove(outbox.entries, entryKey(peerId, number)),
      waiting: HashMap.set(outbox.waiting, peerId, left)
    },
    entry: found
  }
}

/** Takes out everything a receipt confirms: numbers up to the mark and those beyond it. */
export const settle = (
  outbox: Outbox,
  peerId: PeerId,
  stream: string,
  mark: number,
  also: ReadonlyArray<number>
): { readonly outbox: Outbox; readonly settled: ReadonlyArray<Entry> } => {
  const confirmed = new Set(also)
  const numbers = waitingFor(outbox, peerId).numbers.filter((number) => number <= mark || confirmed.has(number))
  let left = outbox
  const settled: Array<Entry> = []
  for (const number of numbers) {
    const taken = take(left, peerId, stream, number)
    left = taken.outbox
    if (taken.entry !== undefined) settled.push(taken.entry)
  }
  return { outbox: left, settled }
}

/**
 * Gives up what waited too long: the entry becomes a `Skip` under the same number, so that the peer's mark can pass it.
 * Gives the entries that expired; the end of an inject does not (its answer has its own bound).
 */
export const expire = (
  outbox: Outbox,
  nowMs: number
): { readonly outbox: Outbox; readonly expired: ReadonlyArray<Entry> } => {
  const expired = Table.values(outbox.entries).filter((one) => one.expiresAtMs <= nowMs && one.kind !== "Skip")
  return { outbox: expired.reduce(skip, outbox), expired }
}

const skip = (outbox: Outbox, given: Entry): Outbox => {
  const bytes = Codec.encode({ kind: "Skip", stream: given.stream, number: given.number })
  const body = text(bytes) ?? ""
  const before = Option.getOrElse(HashMap.get(outbox.waiting, given.peerId), () => none)
  return {
    ...outbox,
    entries: Table.set(outbox.entries, entryKey(given.peerId, given.number), { ...given, kind: "Skip", body }),
    waiting: HashMap.set(outbox.waiting, given.peerId, {
      numbers: before.numbers,
      size: before.size - bodyBytes(given).length + bytes.length
    })
  }
}

/** The body's bytes, exactly as they were hashed when first sent. */
export const bodyBytes = (one: Entry): Uint8Array => utf8(one.body)
