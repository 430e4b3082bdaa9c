/**
 * Sessions of identities that are no friends: why one is let in, how long it stays, and what it costs at most.
 * It never says what a guest's words mean (`Visiting` has the table) and never touches a table of friends.
 * Guests are let in for a reason of ours and no other: without one a stranger hears what it always heard.
 */
import { HashMap, Option } from "effect"
import * as Errand from "../friend/Errand.ts"
import * as Introduction from "../friend/Introduction.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import type * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Message } from "../wire/Message.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

/** Our errands that the far end of a link can settle. */
export const errandsOf = (state: State.State, opened: State.Opened): ReadonlyArray<Errand.Errand> =>
  Errand.servedBy(state.durable.errands, opened.peer.value.history)

/** Whether a link to this transport key is one that we dial for a topic: whoever answers there may be anybody. */
export const isSought = (state: State.State, swarmKey: string): boolean =>
  [...HashMap.values(state.passing.topics)].some(({ dials }) => HashMap.has(dials, swarmKey)) ||
  [...HashMap.values(state.passing.leaving)].some(({ keys }) => keys.includes(swarmKey))

/** Why somebody who is no friend may stay for a while, each asked about the link that has opened. A new reason is a row. */
const reasons: ReadonlyArray<(state: State.State, opened: State.Opened) => boolean> = [
  (state, opened) => errandsOf(state, opened).length > 0,
  // Whether one is open still: who asks about one that is over hears the same word as everybody.
  (state, opened) => !opened.initiator && Table.size(state.durable.invites) > 0,
  // Who dials us while we are in a topic may be a member of it; whom we dial for one is taken as one.
  (state, { initiator, peer }) =>
    initiator ? isSought(state, peer.value.swarmKey) : Table.size(state.durable.topics) > 0,
  // Whom a friend has introduced may ask, unless our operator has turned that down.
  (state, { peer }) => Introduction.of(state.durable.introductions, peer.value.history) !== undefined,
  // Whoever waits for our operator's word may come back for it.
  (state, { peer }) =>
    Table.values(state.durable.roster.askedBy).some(
      ({ connect, identityKey }) => connect !== undefined && KeyHistory.leads(peer.value.history, { key: identityKey })
    )
]

/** Whether we have a reason to let this identity in that is no friend. */
export const isWelcome = (state: State.State, opened: State.Opened): boolean =>
  reasons.some((reason) => reason(state, opened))

/** The guest on a link, unless we have hung up on it. */
export const at = (state: State.State, connection: string): State.Guest | undefined => {
  const guest = Option.getOrUndefined(HashMap.get(state.passing.guests, connection))
  return guest?.gone === true ? undefined : guest
}

/** How a link has opened that is now a guest's, or the one session of a friend. */
export const openedAt = (state: State.State, connection: string): State.Opened | undefined => {
  const guest = at(state, connection)
  if (guest !== undefined) return guest.opened
  const peerId = Option.getOrUndefined(HashMap.get(state.passing.connections, connection))
  const session = peerId === undefined ? undefined : State.session(state, peerId)
  return session?.connection === connection ? session.opened : undefined
}

/** Every link on which an errand's holder is spoken to now, friend or guest. */
export const linksTo = (state: State.State, { key }: Errand.Errand): ReadonlyArray<string> => {
  const links: Array<string> = []
  const look = (opened: State.Opened | undefined) => {
    if (opened !== undefined && KeyHistory.leads(opened.peer.value.history, { key })) links.push(opened.connection)
  }
  for (const { opened } of HashMap.values(state.passing.guests)) look(opened)
  for (const { opened } of HashMap.values(state.passing.sessions)) look(opened)
  return links.sort()
}

const withGuest = (state: State.State, guest: State.Guest): State.State =>
  State.withPassing(state, { guests: HashMap.set(state.passing.guests, guest.opened.connection, guest) })

/** Hangs up on a guest: the last words leave, and nothing it says counts any more. */
export const hangUp = (state: State.State, connection: string, code: Rejection.Code | null): State.Stepped => {
  const guest = at(state, connection)
  if (guest === undefined) return [state, []]
  const gone = withGuest(state, { ...guest, gone: true, leaveByMs: Number.POSITIVE_INFINITY })
  return [gone, [{ _tag: "HangUp", connection, code }]]
}

type Row = readonly [string, State.Guest]

/** Oldest first; of two of one moment the smaller name of a link, so that the order is everywhere the same. */
const byAge = ([a, one]: Row, [b, other]: Row): number => one.sinceMs - other.sinceMs || (a < b ? -1 : 1)

/**
 * Who must leave for one more guest: links of the same identity beyond a few, and the oldest of those who came for reasons
 * of their own. Whom we have an errand to is not crowded out; there are never more of these than errands.
 */
const makeRoom = (state: State.State, opened: State.Opened): ReadonlyArray<string> => {
  const rows = [...state.passing.guests].filter(([, { gone }]) => gone !== true).sort(byAge)
  const same = rows.filter(([, guest]) => guest.opened.peer.signer.key === opened.peer.signer.key)
  const surplus = same.slice(0, Math.max(0, same.length + 1 - Limits.guestLinksPerIdentityMax))
  const left = rows.filter((row) => !surplus.includes(row))
  const visitors = left.filter(([, guest]) => errandsOf(state, guest.opened).length === 0)
  const needed = Math.max(0, visitors.length + 1 - Limits.guestsMax)
  return [...surplus, ...visitors.slice(0, needed)].map(([connection]) => connection)
}

/** Lets a guest in, for a time. */
export const welcome = (state: State.State, opened: State.Opened, turn: Turn): State.Stepped => {
  const leaving = makeRoom(state, opened)
  const guest: State.Guest = {
    opened,
    sinceMs: turn.nowMs,
    leaveByMs: turn.nowMs + Limits.guestMs,
    messages: 0,
    bytes: 0
  }
  return State.chain(
    state,
    ...leaving.map((connection) => (current: State.State) => hangUp(current, connection, null)),
    (current) => [withGuest(current, guest), []]
  )
}

/** Whoever was on a link is no guest any more: the link is gone, or a friend's. */
export const forget = (state: State.State, connection: string): State.State =>
  HashMap.has(state.passing.guests, connection)
    ? State.withPassing(state, { guests: HashMap.remove(state.passing.guests, connection) })
    : state

/** A guest is told why, if it may know, and its link ends. */
const turnOut = (state: State.State, connection: string, rejection: Rejection.Rejection): State.Stepped => {
  if (at(state, connection) === undefined) return [state, []]
  const retry = rejection.retryAfterMs > 0 ? { retryAfterMs: rejection.retryAfterMs } : {}
  const message: Message = { kind: "Reject", code: rejection.code, ...retry }
  return State.chain(
    state,
    (current) => [current, [{ _tag: "Transmit", connection, messages: [{ message }] }]],
    (current) => hangUp(current, connection, null)
  )
}

type Received = Extract<Input, { _tag: "Received" }>

/** Counts what a guest says. Undefined: more than any honest peer says that is no friend. */
export const count = (state: State.State, connection: string, bytes: number): State.State | undefined => {
  const guest = at(state, connection)
  if (guest === undefined) return undefined
  const counted = { ...guest, messages: guest.messages + 1, bytes: guest.bytes + bytes }
  if (counted.messages > Limits.guestMessagesMax || counted.bytes > Limits.guestBytesMax) return undefined
  return withGuest(state, counted)
}

/**
 * A guest greets: it takes us for a friend. Its greeting waits for the case that it becomes one in a moment; if it does not,
 * it hears why, as it would have without a reason to stay.
 */
export const greeted = (
  state: State.State,
  input: Received,
  rejection: Rejection.Rejection,
  turn: Turn
): State.State => {
  const guest = at(state, input.connection)
  if (guest === undefined || guest.greeting !== undefined) return state
  const errand = errandsOf(state, guest.opened).length > 0
  const leaving = errand
    ? {}
    : { leaving: rejection, leaveByMs: Math.min(guest.leaveByMs, turn.nowMs + Limits.guestGreetedMs) }
  return withGuest(state, { ...guest, ...leaving, greeting: input })
}

/** Says something at a later time, whatever it is by then. */
export const sayLater = (state: State.State, connection: string, message: Message, dueMs: number): State.State =>
  State.withPassing(state, {
    later: [...state.passing.later, { connection, dueMs, message }].sort((a, b) => a.dueMs - b.dueMs)
  })

/** What time brings about: answers that are due leave, and so do guests who have been here long enough. */
export const tick = (state: State.State, turn: Turn): State.Stepped => {
  const { guests, later } = state.passing
  const due = later.filter(({ dueMs }) => dueMs <= turn.nowMs)
  const over = [...guests].filter(([, { leaveByMs }]) => leaveByMs <= turn.nowMs).sort(byAge)
  if (due.length === 0 && over.length === 0) return [state, []]
  return State.chain(
    State.withPassing(state, { later: later.slice(due.length) }),
    (current) => [
      current,
      due.map(({ connection, message }): Output => ({ _tag: "Transmit", connection, messages: [{ message }] }))
    ],
    ...over.map(
      ([connection, { leaving }]) =>
        (current: State.State) =>
          leaving === undefined ? hangUp(current, connection, null) : turnOut(current, connection, leaving)
    )
  )
}

/** When the first answer or end is due; never if there is none. */
export const nextMs = (state: State.State): number => {
  let next = state.passing.later[0]?.dueMs ?? Number.POSITIVE_INFINITY
  for (const { leaveByMs } of HashMap.values(state.passing.guests)) next = Math.min(next, leaveByMs)
  return next
}

/** Whether an errand's holder is spoken to now that is dialled under this id. */
export const isReached = (state: State.State, peerId: PeerId): boolean =>
  [...HashMap.values(state.durable.errands.entries)].some(
    (errand) => errand.peerId === peerId && linksTo(state, errand).length > 0
  )
