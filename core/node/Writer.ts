/**
 * The sending half of one open link: messages in, sealed records out, in order, within a bound.
 * It never decides what is sent, and never lets a peer that stops reading cost more than the bound.
 * Everything that waits at one moment leaves in as few records as fit: one seal for many small messages.
 */
import { Deferred, Effect, Queue } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Link } from "../../ports/Transport.ts"
import type { LocalKeys } from "../identity/Keys.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import type { Code } from "../Rejection.ts"
import * as KeySchedule from "../session/KeySchedule.ts"
import * as Seal from "../session/Seal.ts"
import * as Codec from "../wire/Codec.ts"
import { isSigned, type Receipt } from "../wire/Message.ts"
import type { Outgoing } from "./Output.ts"
import * as Talk from "./Talk.ts"

type Item =
  | { readonly kind: "message"; readonly outgoing: Outgoing }
  | { readonly kind: "hangUp"; readonly code: Code | null }

/** How long what was handed over before a hang-up may take to leave. */
const lastWordsMs = 5_000

export interface Writer {
  /**
   * Hands messages over without waiting. False when they exceed the bound: then the link must be dropped, and whatever is
   * handed over later is too.
   */
  send(messages: ReadonlyArray<Outgoing>): boolean
  /** Ends the link after what was handed over before. */
  hangUp(code: Code | null): void
  /** The writing itself; ends after a hang-up or when the link is gone. */
  readonly run: Effect.Effect<void>
}

/** A number of a receipt: as text, or in memory while it waits. */
const receiptNumberBytes = 17

const sizeOf = (outgoing: Outgoing): number =>
  "stored" in outgoing
    ? outgoing.stored.length + 128
    : outgoing.message.kind === "Chunk"
      ? outgoing.message.bytes.length + 128
      : outgoing.message.kind === "Receipt"
        ? outgoing.message.also.length * receiptNumberBytes + 256
        : 256

/** Whether a receipt says everything that an earlier one of its stream said: none speaks beyond the number it answers. */
const covers = (later: Receipt, earlier: Receipt): boolean =>
  later.mark >= earlier.mark && earlier.also.every((one) => one <= later.mark || later.also.includes(one))

/** Drops receipts that the newest receipt of the same stream repeats. */
export const withoutOldReceipts = (batch: ReadonlyArray<Outgoing>): ReadonlyArray<Outgoing> => {
  const newest = new Map<string, Receipt>()
  for (const one of batch) {
    if ("message" in one && one.message.kind === "Receipt") newest.set(one.message.stream, one.message)
  }
  return batch.filter((one) => {
    if (!("message" in one) || one.message.kind !== "Receipt") return true
    const last = newest.get(one.message.stream)
    return last === undefined || last === one.message || !covers(last, one.message)
  })
}

/** A message in its envelope: what waited in the outbox carries a signature over this very session if its kind has one. */
export const envelope = (
  crypto: CryptoShape,
  keys: LocalKeys,
  session: Seal.Session,
  outgoing: Outgoing
): Codec.Envelope => {
  if ("message" in outgoing) return { body: Codec.encode(outgoing.message), signature: undefined }
  if (!isSigned(outgoing.kind)) return { body: outgoing.stored, signature: undefined }
  const statement = Talk.messageStatement(session, session.role, outgoing, outgoing.stored)
  return { body: outgoing.stored, signature: Statement.sign(crypto, keys, statement) }
}

/** Splits envelopes so that each group fits one record. */
export const records = (envelopes: ReadonlyArray<Codec.Envelope>): ReadonlyArray<ReadonlyArray<Codec.Envelope>> => {
  const groups: Array<Array<Codec.Envelope>> = []
  let bytes = 0
  for (const envelope of envelopes) {
    const size = envelope.body.length + 69
    const last = groups.at(-1)
    if (last === undefined || last.length === Limits.recordMessagesMax || bytes + size > Limits.frameBytesMax - 64) {
      groups.push([envelope])
      bytes = size
      continue
    }
    last.push(envelope)
    bytes += size
  }
  return groups
}

/** A writer for a session that has just opened. */
export const make = Effect.fnUntraced(function* (
  crypto: CryptoShape,
  keys: LocalKeys,
  session: Seal.Session,
  link: Link,
  nowMs: Effect.Effect<number>
) {
  const queue = yield* Queue.unbounded<Item>()
  const ending = yield* Deferred.make<void>()
  let waiting = 0
  let ended = false
  let direction = session.send

  const wrap = (outgoing: Outgoing) => envelope(crypto, keys, session, outgoing)

  const write = Effect.fnUntraced(function* (batch: ReadonlyArray<Outgoing>) {
    for (const group of records(withoutOldReceipts(batch).map(wrap))) {
      const sealed = Seal.seal(crypto, direction, yield* nowMs, Codec.pack(group))
      direction = KeySchedule.leave(crypto, direction, sealed.direction)
      yield* link.send(sealed.bytes)
    }
  })

  const writing = Effect.gen(function* () {
    for (;;) {
      const items = yield* Queue.takeAll(queue)
      const end = items.findIndex((item) => item.kind === "hangUp")
      const batch = (end < 0 ? items : items.slice(0, end)).flatMap((item) =>
        item.kind === "message" ? [item.outgoing] : []
      )
      yield* write(batch)
      waiting -= batch.reduce((bytes, one) => bytes + sizeOf(one), 0)
      const last = items[end]
      if (last?.kind === "hangUp") {
        if (last.code !== null) yield* write([{ message: { kind: "Close", code: last.code } }])
        return yield* link.close
      }
    }
  })
  // Who does not take the last words in time is not waited for: a far end must not keep alive what we have ended.
  const overdue = Effect.andThen(Effect.andThen(Deferred.await(ending), Effect.sleep(lastWordsMs)), link.abort)
  const run = Effect.raceFirst(writing, overdue).pipe(Effect.catch(() => link.abort))

  return {
    send: (messages) => {
      if (ended) return true
      waiting += messages.reduce((bytes, one) => bytes + sizeOf(one), 0)
      // Said once: until the link is gone a peer may still ask for a lot, and none of it is kept.
      if (waiting > Limits.linkQueueBytesMax) {
        ended = true
        return false
      }
      for (const outgoing of messages) Queue.offerUnsafe(queue, { kind: "message", outgoing })
      return true
    },
    hangUp: (code) => {
      if (ended) return
      ended = true
      Deferred.doneUnsafe(ending, Effect.void)
      Queue.offerUnsafe(queue, { kind: "hangUp", code })
    },
    run
  } satisfies Writer as Writer
})
