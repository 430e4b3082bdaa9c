/**
 * Links that have become sessions, and the ones that have not: who is let in, which of two links stays, when to redial.
 * It never opens or closes anything itself and never lets an unknown identity reach the tables of friends.
 * One session per peer: of two, both sides keep the one whose initiator has the smaller identity key.
 */
import { HashMap, Option } from "effect"
import * as Inbox from "../delivery/Inbox.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Addresses from "../friend/Addresses.ts"
import type * as Roster from "../friend/Roster.ts"
import * as Sas from "../friend/Sas.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Reject } from "../wire/Message.ts"
import * as Answering from "./Answering.ts"
import * as Decisions from "./Decisions.ts"
import * as Errands from "./Errands.ts"
import * as Farewell from "./Farewell.ts"
import * as Guests from "./Guests.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Telling from "./Telling.ts"
import * as Topics from "./Topics.ts"

/** Turns that time alone brings about are at least this far apart. */
const wakeMsMin = 10

type Opened = Extract<Input, { _tag: "Opened" }>

/** A link has authenticated its far end. */
export const opened = (state: State.State, input: Opened, turn: Turn): State.Stepped => {
  const { roster } = state.durable
  const { known, standing, stepped } = Rotating.meet(state, input.peer, turn)
  const peerId = known?.peerId ?? input.peer.signer.peerId
  const question = {
    kind: "session" as const,
    standing,
    farewell: Outbox.waitingFor(state.durable.outbox, peerId).entries.length > 0,
    banned: State.isBanned(state, peerId, turn.nowMs),
    awaitingAcceptance: Table.size(roster.asked) > 0,
    guest: false
  }
  const isKnown = Decisions.would(question).admitted
  const verdict = Decisions.would({ ...question, guest: Guests.isWelcome(state, input) })
  const who = { key: input.peer.signer.key, peerId }
  const refused = verdict.admitted ? Rejection.make("not-a-friend") : verdict.rejection
  return State.chain(
    Decisions.note(stepped[0], who, "session", verdict).state,
    (current) => [current, stepped[1]],
    (current) => {
      if (isKnown && known !== undefined) return admit(current, input, known, turn)
      if (verdict.admitted) return Guests.welcome(current, input, turn)
      return [current, turnAway(input, peerId, known?.name, refused)]
    }
  )
}

/** What a guest hears that takes us for a friend: what it had heard without a reason to stay. */
export const notAFriend = (state: State.State): Rejection.Rejection => {
  const verdict = Decisions.would({
    kind: "session",
    standing: "stranger",
    farewell: false,
    banned: false,
    awaitingAcceptance: Table.size(state.durable.roster.asked) > 0,
    guest: false
  })
  return verdict.admitted ? Rejection.make("not-a-friend") : verdict.rejection
}

/** Says why (unless it is not to be told) and hangs up. A banned peer gets silence and a closed door. */
const turnAway = (
  input: Opened,
  peerId: PeerId,
  name: string | undefined,
  rejection: Rejection.Rejection
): ReadonlyArray<Output> => {
  const { connection } = input
  const retry = rejection.retryAfterMs > 0 ? { retryAfterMs: rejection.retryAfterMs } : {}
  const reject: Reject = { kind: "Reject", code: rejection.code, ...retry }
  const said: ReadonlyArray<Output> = Rejection.isTold(rejection.code)
    ? [{ _tag: "Transmit", connection, messages: [{ message: reject }] }]
    : [{ _tag: "Block", swarmKey: input.peer.value.swarmKey }]
  const event = {
    _tag: "PeerRefused" as const,
    peerId,
    name: name ?? `stranger ${peerId.slice(0, 8)}`,
    kind: "session",
    rejection
  }
  return [...said, { _tag: "HangUp", connection, code: null }, { _tag: "Tell", event }]
}

/** The link of a friend becomes its one session, unless the other one stays. */
export const admit = (state: State.State, input: Opened, friend: Roster.Friend, turn: Turn): State.Stepped => {
  const { peerId } = friend
  const old = State.session(state, peerId)
  const oursFirst = state.self.identityKey < friend.identityKey
  if (old !== undefined && old.initiator !== input.initiator && old.initiator === oursFirst) {
    return [state, [{ _tag: "HangUp", connection: input.connection, code: null }]]
  }
  const session: State.Session = {
    connection: input.connection,
    initiator: input.initiator,
    swarmKey: input.peer.value.swarmKey,
    handshakeHash: input.handshakeHash,
    openedMs: turn.nowMs,
    greeted: false,
    underWay: new Set(),
    underWayBytes: 0,
    held: undefined,
    opened: input
  }
  const listed = State.withPassing(State.withSession(learn(state, input, friend), peerId, session), {
    connections: HashMap.set(state.passing.connections, input.connection, peerId)
  })
  const former = friend.standing === "Former"
  // An open link is no talk yet: until something comes of it each dial counts, or who turns us away is dialled for ever.
  const { attempt } = State.contact(state, peerId)
  const quiet = State.withContact(former ? Farewell.begin(listed, peerId, turn) : listed, peerId, {
    attempt,
    dialing: false,
    nextDialMs: 0,
    pausedUntilMs: 0
  })
  const replaced: ReadonlyArray<Output> =
    old === undefined ? [] : [{ _tag: "HangUp", connection: old.connection, code: null }]
  const event = {
    _tag: "Connected" as const,
    peerId,
    name: friend.name,
    initiator: input.initiator,
    version: input.version
  }
  return State.chain(
    quiet,
    (current) => [current, [...replaced, greet(current, input.connection, friend), { _tag: "Tell", event }]],
    (current) => Sending.flush(current, peerId, turn)
  )
}

/** The first thing said in a session: how far our memory of the peer's streams reaches, and which runs of it we know. */
const greet = (state: State.State, connection: string, { peerId, runs = [] }: Roster.Friend): Output => {
  const streams = Inbox.marks(state.durable.inbox, peerId)
  const yours = runs.length === 0 ? {} : { yours: runs }
  return {
    _tag: "Transmit",
    connection,
    messages: [{ message: { kind: "Greeting", streams, run: state.passing.run, ...yours } }]
  }
}

/** The proof replaces the line's agreement key and tells the transport key (PROTOCOL.md §7); the link, where it is. */
const learn = (state: State.State, input: Opened, friend: Roster.Friend): State.State => {
  const { agreementKey, recovery = null, swarmKey } = input.peer.value
  // Written when a session opens somewhere new, and at no other time: no message costs a write for it.
  const addresses = friend.standing === "Friend" ? Addresses.meet(friend.addresses, input.address) : friend.addresses
  const isKnown = friend.agreementKey === agreementKey && friend.swarmKey === swarmKey && friend.recovery !== undefined
  if (isKnown && addresses === friend.addresses) return state
  // The commitment to the recovery key counts as the first session brings it; later only that key can change it.
  const learnt = {
    ...friend,
    agreementKey,
    swarmKey,
    recovery: friend.recovery === undefined ? recovery : friend.recovery,
    ...(addresses && { addresses })
  }
  return State.withRoster(state, { friends: Table.set(state.durable.roster.friends, friend.peerId, learnt) })
}

/** A link is gone. If it was a peer's session, the peer is dialled again as soon as something waits for it. */
export const closed = (
  state: State.State,
  connection: string,
  rejection: Rejection.Rejection | null,
  turn: Turn
): State.Stepped => {
  const peerId = Option.getOrUndefined(HashMap.get(state.passing.connections, connection))
  if (peerId === undefined) return guestLeft(state, connection, turn)
  const forgotten = State.withPassing(state, { connections: HashMap.remove(state.passing.connections, connection) })
  const counted: State.Stepped =
    rejection !== null && Rejection.isViolation(rejection.code)
      ? countViolation(forgotten, peerId, connection, rejection, turn)
      : [forgotten, []]
  const session = State.session(state, peerId)
  if (session?.connection !== connection) return counted
  const [ended, outputs] = counted
  const held = session.greeted && turn.nowMs - session.openedMs >= Limits.sessionHoldsMs
  const current = held ? Sending.worked(ended, peerId) : ended
  const without = State.withPassing(current, { sessions: HashMap.remove(current.passing.sessions, peerId) })
  const name = Table.get(state.durable.roster.friends, peerId)?.name ?? ""
  const event = { _tag: "Disconnected" as const, peerId, name, code: rejection?.code ?? null }
  const later = redialLater(without, peerId, turn)
  // Whoever is gone before it has seen our new key is looked for again, like anybody who is away.
  const newsDueMs = Math.min(later.passing.newsDueMs, State.contact(later, peerId).nextDialMs)
  return [State.withPassing(later, { newsDueMs }), [...outputs, { _tag: "Tell", event }]]
}

/** A guest's link is gone. Whom we had an errand to is dialled again later. */
const guestLeft = (state: State.State, connection: string, turn: Turn): State.Stepped => {
  const guest = Option.getOrUndefined(HashMap.get(state.passing.guests, connection))
  if (guest === undefined) return [state, []]
  const without = Guests.forget(state, connection)
  const again = new Set(Guests.errandsOf(state, guest.opened).map(({ peerId }) => peerId))
  const unreached = [...again].filter((peerId) => !Guests.isReached(without, peerId))
  return [unreached.reduce((current, peerId) => redialLater(current, peerId, turn), without), []]
}

/** Pause before the next dial: doubled at each attempt up to the longest, then between half and all of it at random. */
const redialLater = (state: State.State, peerId: PeerId, turn: Turn): State.State => {
  const { attempt } = State.contact(state, peerId)
  const longest = Math.min(Farewell.dialPauseMaxMs(state, peerId), Limits.dialPauseFirstMs * 2 ** Math.min(attempt, 16))
  const jitter = 0.5 + (turn.entropy[31] ?? 0) / 512
  return State.withContact(state, peerId, {
    attempt: attempt + 1,
    dialing: false,
    nextDialMs: turn.nowMs + Math.round(longest * jitter)
  })
}

/** A dial is over; if it brought no session, the next one is due later. */
export const dialEnded = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => [
  State.session(state, peerId) === undefined && !Guests.isReached(state, peerId)
    ? redialLater(state, peerId, turn)
    : State.withContact(state, peerId, { dialing: false }),
  []
]

/** A peer with a session did what honest software never does: the link ends, and it counts towards a ban. */
export const violated = (
  state: State.State,
  connection: string,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const peerId = Option.getOrUndefined(HashMap.get(state.passing.connections, connection))
  if (peerId === undefined) return [state, [{ _tag: "HangUp", connection, code: rejection.code }]]
  return State.chain(
    state,
    (current) => [current, [{ _tag: "HangUp", connection, code: rejection.code }]],
    (current) => countViolation(current, peerId, connection, rejection, turn)
  )
}

/** Counts a violation on a link that ends with it. The one that leaves nothing of the budget ends in a ban. */
const countViolation = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const counted = State.draw(state, peerId, "violation", turn.nowMs).state
  const isLast = State.draw(counted, peerId, "violation", turn.nowMs).waitMs > 0
  return isLast ? ban(counted, peerId, connection, rejection, turn) : [counted, []]
}

/** Shuts a peer out for a while. The record survives a restart; running jobs and other links than the broken one end. */
const ban = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const untilMs = turn.nowMs + Limits.banMs
  const friend = Table.get(state.durable.roster.friends, peerId)
  const bans = Table.set(state.durable.bans, peerId, { peerId, code: rejection.code, untilMs })
  const event = { _tag: "Banned" as const, peerId, name: friend?.name ?? "", untilMs, rejection }
  const blocked: ReadonlyArray<Output> =
    friend?.swarmKey === undefined ? [] : [{ _tag: "Block", swarmKey: friend.swarmKey }]
  const others = [...state.passing.connections].filter(([link, owner]) => owner === peerId && link !== connection)
  const hungUp = others.sort().map(([link]): Output => ({ _tag: "HangUp", connection: link, code: null }))
  return State.chain(
    State.withDurable(state, { bans }),
    (current) => Answering.stopAll(current, peerId, "revoked", turn),
    (current) => [current, [...hungUp, ...blocked, { _tag: "Tell", event }]]
  )
}

/** Bans that are over: the peer can connect again at once. */
export const pardon = (state: State.State, turn: Turn): State.Stepped => {
  const over = Table.values(state.durable.bans).filter((one) => one.untilMs <= turn.nowMs)
  if (over.length === 0) return [state, []]
  const bans = over.reduce((left, one) => Table.remove(left, one.peerId), state.durable.bans)
  const unblocked = over.flatMap(({ peerId }): ReadonlyArray<Output> => {
    const swarmKey = Table.get(state.durable.roster.friends, peerId)?.swarmKey
    return swarmKey === undefined ? [] : [{ _tag: "Unblock", swarmKey }]
  })
  return [State.withDurable(state, { bans }), unblocked]
}

/** The peer refuses the whole session. */
export const turnedAway = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  reject: Reject,
  turn: Turn
): State.Stepped => {
  // Only "not a friend" empties the queue; whatever else it is, also what only a later version knows, passes.
  const over = reject.code === "not-a-friend"
  return State.chain(
    state,
    (current) =>
      over
        ? Sending.onTurnedAway(current, peerId, Rejection.make("not-a-friend", "said by the peer"), turn)
        : Sending.pause(current, peerId, reject.retryAfterMs ?? Limits.dialPauseMaxMs, turn),
    (current) => [current, [{ _tag: "HangUp", connection, code: null }]]
  )
}

/** A link that never became a session. An impostor is named; everything else is the log's business. */
export const linkRefused = (state: State.State, input: Extract<Input, { _tag: "LinkRefused" }>): State.Stepped => {
  const names = Table.values(state.durable.roster.friends)
    .filter((friend) => input.topics.includes(friend.topic) || friend.swarmKey === input.swarmKey)
    .map((friend) => friend.name)
  const { rejection, swarmKey } = input
  return [state, [{ _tag: "Tell", event: { _tag: "LinkRefused", names, swarmKey, rejection } }]]
}

/** When the next turn is due without any input, milliseconds since the epoch. At most a minute away. */
export const nextWakeMs = (state: State.State, nowMs: number): number => {
  let next = Math.min(
    nowMs + 60_000,
    state.durable.outbox.soonestMs,
    Farewell.nextMs(state),
    Telling.nextMs(state),
    Sas.soonestMs(state.passing.checks),
    Guests.nextMs(state),
    Errands.nextMs(state),
    Topics.nextMs(state, nowMs),
    state.passing.showAgainAtMs ?? Number.POSITIVE_INFINITY,
    state.self.earlier.length === 0 ? Number.POSITIVE_INFINITY : state.passing.newsDueMs
  )
  for (const peerId of HashMap.keys(state.durable.outbox.waiting)) {
    const contact = Option.getOrUndefined(HashMap.get(state.passing.contacts, peerId))
    if (contact === undefined || contact.dialing) continue
    const friend = Table.get(state.durable.roster.friends, peerId)
    if (friend === undefined || Sending.isHeld(friend)) continue
    const open = HashMap.has(state.passing.sessions, peerId)
    // With a session only the end of a pause is worth a turn; without one, the next dial.
    const dueMs = open ? contact.pausedUntilMs : Math.max(contact.pausedUntilMs, contact.nextDialMs)
    if (dueMs > 0) next = Math.min(next, dueMs)
  }
  for (const [, call] of state.durable.calls.entries) next = Math.min(next, call.deadlineMs)
  for (const { question } of Jobs.held(state.durable.jobs)) next = Math.min(next, question?.expiresAtMs ?? next)
  return Math.max(next, nowMs + wakeMsMin)
}
