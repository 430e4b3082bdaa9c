/**
 * From the outbox to the session and from receipts back: what is due goes out, what is settled is told.
 * It never decides what a message means and never reads a clock of its own.
 * Online and away are one path: a dial is wanted where a session is missing, and the rest is the same.
 */
import { HashMap, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import { hex } from "../bytes/Bytes.ts"
import type * as Calls from "../delivery/Calls.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Chunk, Receipt, Reject } from "../wire/Message.ts"
import type { Turn } from "./Input.ts"
import type { Outgoing, Output } from "./Output.ts"
import * as State from "./State.ts"

/** The id for a new message: the first half of the turn's entropy, so at most one per turn. */
export const messageId = (turn: Turn): string => hex(turn.entropy.subarray(0, 16))
/** The id for a new stream: the second half of the turn's entropy, so at most one per turn. */
export const streamId = (turn: Turn): string => hex(turn.entropy.subarray(16, 32))

const nameOf = (state: State.State, peerId: PeerId): string =>
  Table.get(state.durable.roster.friends, peerId)?.name ?? peerId.slice(0, 8)

/** Sends what is due to a peer, or asks for a dial when there is no session and a dial is due. */
export const flush = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const friend = Roster.friend(state.durable.roster, peerId)
  if (friend === undefined || Outbox.waitingFor(state.durable.outbox, peerId).numbers.length === 0) return [state, []]
  const contact = State.contact(state, peerId)
  if (turn.nowMs < contact.pausedUntilMs) return [state, []]
  const session = State.session(state, peerId)
  if (session !== undefined) return transmit(State.withContact(state, peerId, { pausedUntilMs: 0 }), peerId, session)
  if (contact.dialing || turn.nowMs < contact.nextDialMs) return [state, []]
  return [
    State.withContact(state, peerId, { dialing: true }),
    [{ _tag: "Dial", peerId, identityKey: friend.identityKey, swarmKey: friend.swarmKey }]
  ]
}

const transmit = (state: State.State, peerId: PeerId, session: State.Session): State.Stepped => {
  const due = Outbox.due(state.durable.outbox, peerId, session.underWay, session.underWayBytes)
  if (due.length === 0) return [state, []]
  const next = {
    ...session,
    underWay: new Set([...session.underWay, ...due.map((entry) => entry.number)]),
    underWayBytes: due.reduce((bytes, entry) => bytes + entry.body.length, session.underWayBytes)
  }
  const messages = due.flatMap((entry) => outgoing(state, peerId, entry))
  return [State.withSession(state, peerId, next), [{ _tag: "Transmit", connection: session.connection, messages }]]
}

/** An entry as it goes out; the end of an inject is preceded by its answer in chunks, each time it is sent. */
const outgoing = (state: State.State, peerId: PeerId, entry: Outbox.Entry): ReadonlyArray<Outgoing> => {
  const stored = {
    stored: Outbox.bodyBytes(entry),
    kind: entry.kind,
    stream: entry.stream,
    number: entry.number
  }
  if (entry.kind !== "Done") return [stored]
  const job = Table.get(state.durable.jobs, Jobs.keyOf(peerId, entry.id))
  return [...chunksOf(entry.id, Base64url.decode(job?.answer ?? "") ?? new Uint8Array(0)), stored]
}

const chunksOf = (id: string, answer: Uint8Array): ReadonlyArray<Outgoing> => {
  const count = Math.ceil(answer.length / Limits.chunkBytes)
  return Array.from({ length: count }, (_, index) => {
    const offset = index * Limits.chunkBytes
    const bytes = Base64url.encode(answer.subarray(offset, offset + Limits.chunkBytes))
    const message: Chunk = { kind: "Chunk", id, offset, bytes }
    return { message }
  })
}

/** Queues a message and sends it if it can go now. */
export const enqueue = (
  state: State.State,
  peerId: PeerId,
  draft: Outbox.Draft,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> =>
  Result.map(Outbox.enqueue(state.durable.outbox, peerId, draft), ({ outbox }) =>
    flush(State.withDurable(state, { outbox }), peerId, turn)
  )

/** Numbers that left the outbox are no longer under way. */
const settled = (state: State.State, peerId: PeerId, entries: ReadonlyArray<Outbox.Entry>): State.State => {
  const session = State.session(state, peerId)
  if (session === undefined) return state
  const underWay = new Set(session.underWay)
  let underWayBytes = session.underWayBytes
  for (const entry of entries) if (underWay.delete(entry.number)) underWayBytes -= entry.body.length
  return State.withSession(state, peerId, { ...session, underWay, underWayBytes: Math.max(0, underWayBytes) })
}

/** A receipt: everything it confirms has taken effect at the peer. */
export const onReceipt = (state: State.State, peerId: PeerId, receipt: Receipt, turn: Turn): State.Stepped => {
  const { outbox, settled: entries } = Outbox.settle(
    state.durable.outbox,
    peerId,
    receipt.stream,
    receipt.mark,
    receipt.also
  )
  const jobs = entries
    .filter((entry) => entry.kind === "Done")
    .reduce((left, entry) => Jobs.settle(left, peerId, entry.id), state.durable.jobs)
  const told = entries
    .filter((entry) => entry.kind === "Log" || entry.kind === "Inject")
    .map(
      (entry): Output => ({
        _tag: "Tell",
        event: {
          _tag: "Delivered",
          peerId,
          name: nameOf(state, peerId),
          id: entry.id,
          kind: entry.kind,
          bytes: entry.textBytes
        }
      })
    )
  const after = settled(State.withDurable(state, { outbox, jobs }), peerId, entries)
  return State.chain(
    after,
    (current) => [current, told],
    (current) => flush(current, peerId, turn)
  )
}

/** A final outcome of ours that is not delivery: told, and an inject's call ends with it. */
export const giveUp = (
  state: State.State,
  peerId: PeerId,
  entry: Outbox.Entry,
  rejection: Rejection.Rejection
): State.Stepped => {
  const calls = entry.kind === "Inject" ? Table.remove(state.durable.calls, entry.id) : state.durable.calls
  const jobs = entry.kind === "Done" ? Jobs.settle(state.durable.jobs, peerId, entry.id) : state.durable.jobs
  const event = {
    _tag: "Refused" as const,
    peerId,
    name: nameOf(state, peerId),
    id: entry.id,
    kind: entry.kind,
    rejection
  }
  const told: ReadonlyArray<Output> = entry.kind === "Log" || entry.kind === "Inject" ? [{ _tag: "Tell", event }] : []
  return [State.withDurable(state, { calls, jobs }), told]
}

/** The peer refused one message: later (keep it and pause) or for good (take it out and say so). */
export const onReject = (
  state: State.State,
  peerId: PeerId,
  reject: Reject & { readonly stream: string; readonly number: number },
  turn: Turn
): State.Stepped => {
  const code = Rejection.isCode(reject.code) ? reject.code : "unsupported-kind"
  const detail = Rejection.isCode(reject.code) ? "said by the peer" : `the peer says ${reject.code}`
  const rejection = Rejection.make(code, detail, reject.retryAfterMs ?? 0)
  if (Rejection.isTransient(code)) return pause(state, peerId, rejection.retryAfterMs, turn)
  const { entry, outbox } = Outbox.take(state.durable.outbox, peerId, reject.stream, reject.number)
  if (entry === undefined) return [state, []]
  return State.chain(
    settled(State.withDurable(state, { outbox }), peerId, [entry]),
    (current) => giveUp(current, peerId, entry, rejection),
    (current) => flush(current, peerId, turn)
  )
}

/** Sends nothing to a peer for a while; then everything not settled is sent again, in order. */
export const pause = (state: State.State, peerId: PeerId, waitMs: number, turn: Turn): State.Stepped => {
  const boundedMs = Math.min(Math.max(waitMs, Limits.dialPauseFirstMs), Limits.violationWindowMs)
  const until = Math.max(State.contact(state, peerId).pausedUntilMs, turn.nowMs + boundedMs)
  const session = State.session(state, peerId)
  const quiet = State.withContact(state, peerId, { pausedUntilMs: until })
  return [
    session === undefined
      ? quiet
      : State.withSession(quiet, peerId, { ...session, underWay: new Set(), underWayBytes: 0 }),
    []
  ]
}

/** The peer has told us that we are not friends: everything that waits for it is refused, and told. */
export const onTurnedAway = (state: State.State, peerId: PeerId, rejection: Rejection.Rejection): State.Stepped => {
  const { dropped, outbox } = Outbox.clear(state.durable.outbox, peerId)
  return State.chain(
    settled(State.withDurable(state, { outbox }), peerId, dropped),
    ...dropped.map((entry) => (current: State.State) => giveUp(current, peerId, entry, rejection))
  )
}

/** Messages that waited too long and calls whose answer did not come: each gets its end. */
export const expire = (state: State.State, turn: Turn): State.Stepped => {
  const { expired, outbox } = Outbox.expire(state.durable.outbox, turn.nowMs)
  const late = Table.values(state.durable.calls).filter((call) => call.deadlineMs <= turn.nowMs)
  return State.chain(
    State.withDurable(state, { outbox }),
    ...expired.map(
      (entry) => (current: State.State) =>
        giveUp(
          current,
          entry.peerId as PeerId,
          entry,
          Rejection.make(entry.kind === "Inject" ? "timed-out" : "expired")
        )
    ),
    ...late.map((call) => (current: State.State) => endCall(current, call, Rejection.make("timed-out")))
  )
}

/** Ends a call that got no answer. A second end of the same call changes nothing. */
export const endCall = (state: State.State, call: Calls.Call, rejection: Rejection.Rejection): State.Stepped => {
  if (!Table.has(state.durable.calls, call.id)) return [state, []]
  const peerId = call.peerId as PeerId
  const ended = State.withPassing(State.withDurable(state, { calls: Table.remove(state.durable.calls, call.id) }), {
    pieces: HashMap.remove(state.passing.pieces, call.id)
  })
  const event = {
    _tag: "Refused" as const,
    peerId,
    name: nameOf(state, peerId),
    id: call.id,
    kind: "Inject",
    rejection
  }
  return [ended, [{ _tag: "Tell", event }]]
}
