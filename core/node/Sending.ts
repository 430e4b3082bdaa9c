/**
 * From the outbox to the session and from receipts back: what is due goes out, what is settled is told.
 * It never decides what a message means and never reads a clock of its own.
 * Online and away are one path: a dial is wanted where a session is missing, and the rest is the same.
 */
import { Result } from "effect"
import { hex } from "../bytes/Bytes.ts"
import * as Forgotten from "../delivery/Forgotten.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as PeerKey from "../friend/PeerKey.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Greeting, Receipt, Reject, Skip } from "../wire/Message.ts"
import type { Turn } from "./Input.ts"
import * as Outcomes from "./Outcomes.ts"
import type { Outgoing, Output } from "./Output.ts"
import * as State from "./State.ts"

/** The id for a new message: the first half of the turn's entropy, so at most one per turn. */
export const messageId = (turn: Turn): string => hex(turn.entropy.subarray(0, 16))
/** The id for a new stream: the second half of the turn's entropy, so at most one per turn. */
export const streamId = (turn: Turn): string => hex(turn.entropy.subarray(16, 32))

/** Whether what is queued for a friend waits for the operator, because the friend's key is in doubt. */
export const isHeld = (record: Roster.Friend): boolean =>
  record.standing === "Friend" && !PeerKey.isOpen(Roster.keyState(record))

/** Sends what is due to a peer, or asks for a dial when there is no session and a dial is due. */
export const flush = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const record = Table.get(state.durable.roster.friends, peerId)
  if (record === undefined || Outbox.waitingFor(state.durable.outbox, peerId).entries.length === 0) return [state, []]
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
  const { addresses, identityKey, peerId, swarmKey } = record
  const contact = State.contact(state, peerId)
  if (contact.dialing || turn.nowMs < contact.nextDialMs) return [state, []]
  const output = { _tag: "Dial" as const, peerId, identityKey, swarmKey, ...(addresses && { addresses }) }
  return [State.withContact(state, peerId, { dialing: true }), [output]]
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
export const tell = (
  state: State.State,
  peerId: PeerId,
  make: Outbox.Draft["make"],
  turn: Turn,
  id: string = messageId(turn)
): State.Stepped => {
  const draft = { id, textBytes: 0, expiresAtMs: turn.nowMs + Limits.outboxAgeMs, make }
  const queued = enqueue(state, peerId, draft, turn)
  return Result.isSuccess(queued) ? queued.success : [state, []]
}

/**
 * Tells a peer all that it may do now. While as many of these wait as may, the oldest that never left goes for it: the
 * newest says everything, and a withdrawal must never be refused.
 */
export const tellGrants = (
  state: State.State,
  peerId: PeerId,
  capabilities: ReadonlyArray<string>,
  turn: Turn
): State.Stepped => {
  const waiting = Outbox.entriesFor(state.durable.outbox, peerId).filter(
    ({ kind, place }) => kind === "GrantChanged" && place === undefined
  )
  const needless = waiting.slice(0, Math.max(0, waiting.length + 1 - Limits.grantChangesWaitingMax))
  const outbox = Outbox.takeOut(state.durable.outbox, peerId, needless)
  const make = (place: Parameters<Outbox.Draft["make"]>[0]) => ({
    kind: "GrantChanged" as const,
    ...place,
    capabilities
  })
  return tell(State.withDurable(state, { outbox }), peerId, make, turn)
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
  const reachOf = (name: string): Forgotten.Reach => {
    const { mark = 0, top = 0 } = greeting.streams.find(({ stream }) => stream === name) ?? {}
    return { mark, top: Math.max(mark, top) }
  }
  const older = lane !== undefined && reachOf(lane.stream).top >= lane.next
  return State.chain(
    State.withSession(state, peerId, { ...session, greeted: true }),
    (current) => (older ? beginStream(current, peerId, turn) : remind(current, peerId, session, reachOf, turn)),
    (current) => flush(current, peerId, turn)
  )
}

/**
 * A new stream to a peer, because it says that our own memory of the old one cannot be trusted; the operator is told. A
 * peer that says so again and again contradicts itself: what waits for it goes on waiting, and that is told instead.
 */
const beginStream = (before: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const { state, waitMs } = State.drawPassing(before, peerId, "older", turn.nowMs)
  if (waitMs > 0) return contradicted(state, peerId, waitMs, turn)
  const { gone, outbox } = Outbox.open(state.durable.outbox, peerId, streamId(turn))
  return State.chain(
    left(State.withDurable(state, { outbox }), peerId, gone),
    (current) => tellOlder(current, peerId, "ours", turn),
    ...gone.map(
      (entry) => (current: State.State) => Outcomes.giveUp(current, peerId, entry, Rejection.make("unresolved"), turn)
    )
  )
}

const contradicted = (state: State.State, peerId: PeerId, waitMs: number, turn: Turn): State.Stepped => {
  const isTold = State.contact(state, peerId).pausedUntilMs > turn.nowMs
  const rejection = Rejection.make("self-contradiction")
  const event = { _tag: "Alarm" as const, peerId, name: Outcomes.nameOf(state, peerId), rejection }
  const [paused] = pause(state, peerId, waitMs, turn)
  return [paused, isTold ? [] : [{ _tag: "Tell", event }]]
}

/** A disk is older than it was. A peer can make us say so at will, so it is said once in a while only. */
export const tellOlder = (state: State.State, peerId: PeerId, whose: "ours" | "theirs", turn: Turn): State.Stepped => {
  const { olderToldMs } = State.contact(state, peerId)
  if (turn.nowMs < (olderToldMs[whose] ?? Number.NEGATIVE_INFINITY) + Limits.olderAgainMs) return [state, []]
  const event = { _tag: "DiskOlder" as const, peerId, name: Outcomes.nameOf(state, peerId), whose }
  const told = State.withContact(state, peerId, { olderToldMs: { ...olderToldMs, [whose]: turn.nowMs } })
  return [told, [{ _tag: "Tell", event }]]
}

/**
 * Tells a peer which settled numbers lie above its marks, so that they can pass them; and our operator, if the peer had
 * answered for them and has forgotten it.
 */
const remind = (
  state: State.State,
  peerId: PeerId,
  session: State.Session,
  reachOf: (stream: string) => Forgotten.Reach,
  turn: Turn
): State.Stepped => {
  const forgotten = Forgotten.by(state.durable.outbox, peerId, reachOf)
  if (forgotten.length === 0) return [state, []]
  const messages = forgotten.map((range) => ({ message: { kind: "Skip", ...range } satisfies Skip }))
  return State.chain(
    state,
    (current) => [current, [{ _tag: "Transmit", connection: session.connection, messages }]],
    (current) =>
      forgotten.some(({ settled }) => settled === true) ? tellOlder(current, peerId, "theirs", turn) : [current, []]
  )
}

/** An inject that was given up and had arrived all the same: it runs at the peer, and its caller wants no answer. */
const isToBeStopped = (state: State.State, { id, kind, withdrawn }: Outbox.Entry): boolean =>
  kind === "Inject" && withdrawn === "cancelled" && Table.has(state.durable.calls, id)

/** A session was good for something: the next dial is like the first. With a former friend only the end of it is. */
export const worked = (state: State.State, peerId: PeerId): State.State => {
  const { attempt, hellosLeft = 0 } = State.contact(state, peerId)
  const isFirst = attempt === 0 && hellosLeft === 0
  if (isFirst || Roster.friend(state.durable.roster, peerId) === undefined) return state
  return State.withContact(state, peerId, { attempt: 0, ...(hellosLeft > 0 && { hellosLeft: 0 }) })
}

/** A receipt: everything it confirms has taken effect at the peer. */
export const onReceipt = (state: State.State, peerId: PeerId, receipt: Receipt, turn: Turn): State.Stepped => {
  const { gone, outbox } = Outbox.settle(state.durable.outbox, peerId, receipt.stream, receipt.mark, receipt.also)
  const jobs = gone
    .filter((entry) => entry.kind === "Done")
    .reduce((before, entry) => Jobs.settle(before, peerId, entry.id), state.durable.jobs)
  const told = gone
    .filter(({ id, kind }) => Outbox.isSaid(kind) && (kind !== "Inject" || Table.has(state.durable.calls, id)))
    .map(({ id, kind, textBytes }): Output => {
      const name = Outcomes.nameOf(state, peerId)
      return { _tag: "Tell", event: { _tag: "Delivered", peerId, name, id, kind, bytes: textBytes } }
    })
  return State.chain(
    left(State.withDurable(gone.length === 0 ? state : worked(state, peerId), { outbox, jobs }), peerId, gone),
    (current) => [current, told],
    ...gone
      .filter((entry) => isToBeStopped(state, entry))
      .map(
        ({ id }) =>
          (current: State.State) =>
            tell(current, peerId, (place) => ({ kind: "Cancel", ...place, id }), turn, id)
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
    Outbox.waitingFor(state.durable.outbox, peerId).entries.length === 0
  return [state, over ? [{ _tag: "HangUp", connection: session.connection, code: null }] : []]
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
    (current) => Outcomes.giveUp(current, peerId, entry, rejection, turn),
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
  return [State.withContact(nothingUnderWay(state, peerId), peerId, { pausedUntilMs: until }), []]
}

const nothingUnderWay = (state: State.State, peerId: PeerId): State.State => {
  const session = State.session(state, peerId)
  return session === undefined
    ? state
    : State.withSession(state, peerId, { ...session, underWay: new Set(), underWayBytes: 0 })
}

/** Sends everything not settled again, in order: while a peer was in doubt, what it asked for was not answered. */
export const sendAgain = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped =>
  flush(nothingUnderWay(state, peerId), peerId, turn)

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
      return Outcomes.giveUp(current, peerId, entry, known, turn)
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
    ...gone.map(
      (one) => (current: State.State) => Outcomes.giveUp(current, peerId, one, Rejection.make("cancelled"), turn)
    ),
    (current) => flush(current, peerId, turn)
  )
}

/** Messages that waited too long and calls whose answer did not come: each gets its end. */
export const expire = (state: State.State, turn: Turn): State.Stepped => {
  const { asked, gone, outbox } = Outbox.expire(state.durable.outbox, turn.nowMs)
  const late = Table.values(state.durable.calls).filter((call) => call.deadlineMs <= turn.nowMs)
  if (outbox === state.durable.outbox && late.length === 0) return [state, []]
  return State.chain(
    asked.reduce(
      (current, entry) => left(current, entry.peerId as PeerId, [entry]),
      State.withDurable(state, { outbox })
    ),
    ...gone.map((entry) => (current: State.State) => {
      const code = entry.withdrawn !== undefined ? "unresolved" : entry.kind === "Inject" ? "timed-out" : "expired"
      return Outcomes.giveUp(current, entry.peerId as PeerId, entry, Rejection.make(code), turn)
    }),
    ...late.map((call) => (current: State.State) => Outcomes.endCall(current, call, Rejection.make("timed-out"), turn))
  )
}
