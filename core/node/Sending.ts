/**
 * From the outbox to the session and from receipts back: what is due goes out, what is settled is told.
 * It never decides what a message means and never reads a clock of its own.
 * Online and away are one path: a dial is wanted where a session is missing, and the rest is the same.
 */
import { HashMap, Result } from "effect"
import { hex } from "../bytes/Bytes.ts"
import type * as Calls from "../delivery/Calls.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Refusals from "../delivery/Refusals.ts"
import * as PeerKey from "../friend/PeerKey.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Greeting, Receipt, Reject, Skip } from "../wire/Message.ts"
import type { Event } from "./Event.ts"
import type { Turn } from "./Input.ts"
import type { Outgoing, Output } from "./Output.ts"
import * as State from "./State.ts"

/** The id for a new message: the first half of the turn's entropy, so at most one per turn. */
export const messageId = (turn: Turn): string => hex(turn.entropy.subarray(0, 16))
/** The id for a new stream: the second half of the turn's entropy, so at most one per turn. */
export const streamId = (turn: Turn): string => hex(turn.entropy.subarray(16, 32))

const nameOf = (state: State.State, peerId: PeerId): string =>
  Table.get(state.durable.roster.friends, peerId)?.name ?? peerId.slice(0, 8)

/** Whether what is queued for a friend waits for the operator, because the friend's key is in doubt. */
export const isHeld = (record: Roster.Friend): boolean =>
  record.standing === "Friend" && !PeerKey.isOpen(Roster.keyState(record))

/** Sends what is due to a peer, or asks for a dial when there is no session and a dial is due. */
export const flush = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const record = Table.get(state.durable.roster.friends, peerId)
  if (record === undefined || Outbox.waitingFor(state.durable.outbox, peerId).orders.length === 0) return [state, []]
  if (isHeld(record)) return [state, []]
  const contact = State.contact(state, peerId)
  if (turn.nowMs < contact.pausedUntilMs) return [state, []]
  const session = State.session(state, peerId)
  if (session !== undefined) {
    return transmit(State.withContact(state, peerId, { pausedUntilMs: 0 }), peerId, session, turn)
  }
  return dial(state, record, turn)
}

/** Asks for a dial unless one is under way or not yet due. */
export const dial = (state: State.State, record: Roster.Friend, turn: Turn): State.Stepped => {
  const { identityKey, peerId, swarmKey } = record
  const contact = State.contact(state, peerId)
  if (contact.dialing || turn.nowMs < contact.nextDialMs) return [state, []]
  return [State.withContact(state, peerId, { dialing: true }), [{ _tag: "Dial", peerId, identityKey, swarmKey }]]
}

/** Nothing numbered leaves before the peer's greeting: only then is it known that our numbers are new to it. */
const transmit = (state: State.State, peerId: PeerId, session: State.Session, turn: Turn): State.Stepped => {
  if (!session.greeted) return [state, []]
  const { underWay, underWayBytes } = session
  const { entries, outbox } = Outbox.due(state.durable.outbox, peerId, underWay, underWayBytes, turn.nowMs)
  if (entries.length === 0) return [state, []]
  const next = {
    ...session,
    underWay: new Set([...underWay, ...entries.map((entry) => entry.order)]),
    underWayBytes: entries.reduce((bytes, entry) => bytes + Outbox.sendSize(entry), underWayBytes)
  }
  const sent = State.withSession(State.withDurable(state, { outbox }), peerId, next)
  return [
    sent,
    [
      {
        _tag: "Transmit",
        connection: session.connection,
        messages: entries.flatMap((entry) => outgoing(state, peerId, entry))
      }
    ]
  ]
}

/**
 * An entry as it goes out: its body, or the question what became of it if we have given it up. An answer's first bytes
 * go ahead of its end, so that a short one needs no asking.
 */
const outgoing = (state: State.State, peerId: PeerId, entry: Outbox.Placed): ReadonlyArray<Outgoing> => {
  const { number, stream } = entry.place
  if (entry.withdrawn !== undefined) {
    return [{ message: { kind: "Skip", stream, from: number, to: number } satisfies Skip }]
  }
  const body = { stored: Outbox.bodyBytes(entry), kind: entry.kind, stream, number }
  return entry.kind === "Done" ? [...Jobs.chunks(state.durable.jobs, peerId, entry.id, 0, 1), body] : [body]
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

/** Queues a message that is never refused where there is a stream to the peer; without one there is nobody to tell. */
export const tell = (state: State.State, peerId: PeerId, make: Outbox.Draft["make"], turn: Turn): State.Stepped => {
  const draft = { id: messageId(turn), textBytes: 0, expiresAtMs: turn.nowMs + Limits.outboxAgeMs, make }
  const queued = enqueue(state, peerId, draft, turn)
  return Result.isSuccess(queued) ? queued.success : [state, []]
}

/** Entries that left the outbox are no longer under way. */
const left = (state: State.State, peerId: PeerId, entries: ReadonlyArray<Outbox.Entry>): State.State => {
  const session = State.session(state, peerId)
  if (session === undefined || entries.length === 0) return state
  const underWay = new Set(session.underWay)
  let underWayBytes = session.underWayBytes
  for (const entry of entries) if (underWay.delete(entry.order)) underWayBytes -= Outbox.sendSize(entry)
  return State.withSession(state, peerId, { ...session, underWay, underWayBytes: Math.max(0, underWayBytes) })
}

/**
 * The peer's greeting: sending may begin. Should the peer remember more of our stream than we have sent, our disk is
 * older than it was: a new stream begins. Should it have forgotten what it had confirmed, its disk is the older one.
 */
export const onGreeting = (state: State.State, peerId: PeerId, greeting: Greeting, turn: Turn): State.Stepped => {
  const session = State.session(state, peerId)
  if (session === undefined || session.greeted) return [state, []]
  const lane = Table.get(state.durable.outbox.lanes, peerId)
  const markOf = (name: string) => greeting.streams.find(({ stream }) => stream === name)?.mark ?? 0
  const greeted = State.withSession(state, peerId, { ...session, greeted: true })
  const known = greeting.streams.find(({ stream }) => stream === lane?.stream)
  const older = lane !== undefined && Math.max(known?.mark ?? 0, known?.top ?? 0) >= lane.next
  return State.chain(
    greeted,
    (current) => (older ? beginStream(current, peerId, turn) : remind(current, peerId, session, markOf)),
    (current) => flush(current, peerId, turn)
  )
}

/** A new stream to a peer, because our own memory of the old one cannot be trusted; the operator is told. */
export const beginStream = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const { gone, outbox } = Outbox.open(state.durable.outbox, peerId, streamId(turn))
  const told: Output = {
    _tag: "Tell",
    event: { _tag: "DiskOlder", peerId, name: nameOf(state, peerId), whose: "ours" }
  }
  return State.chain(
    left(State.withDurable(state, { outbox }), peerId, gone),
    (current) => [current, [told]],
    ...gone.map((entry) => (current: State.State) => giveUp(current, peerId, entry, Rejection.make("unresolved"), turn))
  )
}

/** Tells a peer which settled numbers it has forgotten, so that its mark can pass them. */
const remind = (
  state: State.State,
  peerId: PeerId,
  session: State.Session,
  markOf: (stream: string) => number
): State.Stepped => {
  const forgotten = Outbox.forgottenBy(state.durable.outbox, peerId, markOf)
  if (forgotten.length === 0) return [state, []]
  const messages = forgotten.map((range) => ({ message: { kind: "Skip", ...range } satisfies Skip }))
  return [state, [{ _tag: "Transmit", connection: session.connection, messages }]]
}

/** An inject that was given up and had arrived all the same: it runs at the peer, and its caller wants no answer. */
const isToBeStopped = (state: State.State, { id, kind, withdrawn }: Outbox.Entry): boolean =>
  kind === "Inject" && withdrawn === "cancelled" && Table.has(state.durable.calls, id)

/** A receipt: everything it confirms has taken effect at the peer. */
export const onReceipt = (state: State.State, peerId: PeerId, receipt: Receipt, turn: Turn): State.Stepped => {
  const { gone, outbox } = Outbox.settle(state.durable.outbox, peerId, receipt.stream, receipt.mark, receipt.also)
  const jobs = gone
    .filter((entry) => entry.kind === "Done")
    .reduce((before, entry) => Jobs.settle(before, peerId, entry.id), state.durable.jobs)
  const told = gone
    .filter(({ id, kind }) => kind === "Log" || (kind === "Inject" && Table.has(state.durable.calls, id)))
    .map(({ id, kind, textBytes }): Output => {
      const name = nameOf(state, peerId)
      return { _tag: "Tell", event: { _tag: "Delivered", peerId, name, id, kind, bytes: textBytes } }
    })
  return State.chain(
    left(State.withDurable(state, { outbox, jobs }), peerId, gone),
    (current) => [current, told],
    ...gone
      .filter((entry) => isToBeStopped(state, entry))
      .map(
        ({ id }) =>
          (current: State.State) =>
            tell(current, peerId, (place) => ({ kind: "Cancel", ...place, id }), turn)
      ),
    (current) => flush(current, peerId, turn),
    (current) => partIfOver(current, peerId)
  )
}

/** A former friend who has confirmed the end has nothing more to say to us. */
const partIfOver = (state: State.State, peerId: PeerId): State.Stepped => {
  const session = State.session(state, peerId)
  const over =
    session !== undefined &&
    Roster.friend(state.durable.roster, peerId) === undefined &&
    Outbox.waitingFor(state.durable.outbox, peerId).orders.length === 0
  return [state, over ? [{ _tag: "HangUp", connection: session.connection, code: null }] : []]
}

/** Remembers an outcome for an operator who is not looking now. */
const noted = (
  state: State.State,
  { id, kind, peerId, rejection }: Extract<Event, { _tag: "Refused" }>,
  turn: Turn
): State.State => {
  const refusal = { id, peerId, kind, code: rejection.code, atMs: turn.nowMs }
  return State.withDurable(state, { refusals: Refusals.add(state.durable.refusals, refusal) })
}

/** A final outcome of ours that is not delivery: told, and an inject's call ends with it. */
export const giveUp = (
  state: State.State,
  peerId: PeerId,
  entry: Outbox.Entry,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const { id, kind } = entry
  // The outcome of an inject is the outcome of its call: told once, whichever of the two ends first.
  const untold = kind === "Log" || (kind === "Inject" && Table.has(state.durable.calls, id))
  const calls = kind === "Inject" ? Table.remove(state.durable.calls, id) : state.durable.calls
  const jobs = kind === "Done" ? Jobs.settle(state.durable.jobs, peerId, id) : state.durable.jobs
  const event = { _tag: "Refused" as const, peerId, name: nameOf(state, peerId), id, kind, rejection }
  const given = State.withDurable(state, { calls, jobs })
  return untold ? [noted(given, event, turn), [{ _tag: "Tell", event }]] : [given, []]
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
  if (Rejection.isTransient(code)) return pause(state, peerId, reject.retryAfterMs ?? 0, turn)
  const { gone, outbox } = Outbox.take(state.durable.outbox, peerId, reject.stream, reject.number)
  const entry = gone[0]
  if (entry === undefined) return [state, []]
  // The peer knows another message under this number: ours was numbered by an older disk and never arrived.
  if (code === "sequence-conflict" && entry.withdrawn === undefined) return displace(state, peerId, entry, turn)
  const rejection = Rejection.make(entry.withdrawn ?? code, entry.withdrawn === undefined ? detail : "")
  return State.chain(
    left(State.withDurable(state, { outbox }), peerId, gone),
    (current) => giveUp(current, peerId, entry, rejection, turn),
    (current) => flush(current, peerId, turn)
  )
}

const displace = (state: State.State, peerId: PeerId, entry: Outbox.Entry, turn: Turn): State.Stepped => {
  const lane = Table.get(state.durable.outbox.lanes, peerId)
  const displaced = left(State.withDurable(state, { outbox: Outbox.displace(state.durable.outbox, entry) }), peerId, [
    entry
  ])
  return State.chain(
    displaced,
    (current) => (entry.place?.stream === lane?.stream ? beginStream(current, peerId, turn) : [current, []]),
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

/**
 * There is no friendship any more: what never left is refused with its reason. What had left may have arrived before,
 * and there is nobody left to ask.
 */
export const onTurnedAway = (
  state: State.State,
  peerId: PeerId,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const { gone, outbox } = Outbox.clear(state.durable.outbox, peerId)
  return State.chain(
    left(State.withDurable(state, { outbox }), peerId, gone),
    ...gone.map((entry) => (current: State.State) => {
      const known = entry.place === undefined ? rejection : Rejection.make("unresolved", rejection.code)
      return giveUp(current, peerId, entry, known, turn)
    })
  )
}

/** Gives a message up on behalf of its sender: gone at once if it never left, else once the peer has answered. */
export const withdraw = (state: State.State, entry: Outbox.Entry, turn: Turn): State.Stepped => {
  const peerId = entry.peerId as PeerId
  const { gone, outbox } = Outbox.withdraw(state.durable.outbox, entry, "cancelled", turn.nowMs)
  // Not under way any more: what is sent next for this entry is the question what became of it.
  return State.chain(
    left(State.withDurable(state, { outbox }), peerId, [entry]),
    ...gone.map((one) => (current: State.State) => giveUp(current, peerId, one, Rejection.make("cancelled"), turn)),
    (current) => flush(current, peerId, turn)
  )
}

/** Messages that waited too long and calls whose answer did not come: each gets its end. */
export const expire = (state: State.State, turn: Turn): State.Stepped => {
  const { asked, gone, outbox } = Outbox.expire(state.durable.outbox, turn.nowMs)
  const late = Table.values(state.durable.calls).filter((call) => call.deadlineMs <= turn.nowMs)
  return State.chain(
    asked.reduce(
      (current, entry) => left(current, entry.peerId as PeerId, [entry]),
      State.withDurable(state, { outbox })
    ),
    ...gone.map((entry) => (current: State.State) => {
      const code = entry.withdrawn !== undefined ? "unresolved" : entry.kind === "Inject" ? "timed-out" : "expired"
      return giveUp(current, entry.peerId as PeerId, entry, Rejection.make(code), turn)
    }),
    ...late.map((call) => (current: State.State) => endCall(current, call, Rejection.make("timed-out"), turn))
  )
}

/** Ends a call that got no answer. A second end of the same call changes nothing. */
export const endCall = (
  state: State.State,
  call: Calls.Call,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
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
  return [noted(ended, event, turn), [{ _tag: "Tell", event }]]
}
