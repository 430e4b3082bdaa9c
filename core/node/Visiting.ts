/**
 * Where a message goes that arrived on a link: to the friend's room, or, from a guest, to the one room it may speak to.
 * It never lets a guest's word reach a table of friends except through that room's own question to the gate.
 * One table says what needs no friendship; friends may say the same, so it is asked before a friend's room is.
 */
import { HashMap, Option } from "effect"
import * as Roster from "../friend/Roster.ts"
import * as Rejection from "../Rejection.ts"
import { isVisit, type Message, type Reject, type Visit } from "../wire/Message.ts"
import * as Connecting from "./Connecting.ts"
import * as Errands from "./Errands.ts"
import * as Guests from "./Guests.ts"
import type { Input, Turn } from "./Input.ts"
import * as Inviting from "./Inviting.ts"
import * as Meeting from "./Meeting.ts"
import * as Members from "./Members.ts"
import * as Receiving from "./Receiving.ts"
import * as State from "./State.ts"
import * as Wishing from "./Wishing.ts"

type Received = Extract<Input, { _tag: "Received" }>
type Take<M> = (state: State.State, opened: State.Opened, message: M, turn: Turn) => State.Stepped

/** The words between identities that need not be friends, and the room that takes each: `Visit` says which there are. */
const words: { readonly [K in Visit["kind"]]: Take<Extract<Message, { readonly kind: K }>> } = {
  Claim: Inviting.onClaim,
  ClaimAnswer: Inviting.onAnswer,
  TopicHello: Members.onHello,
  Profiles: Members.onProfiles,
  TopicLeft: Members.onLeft,
  ConnectRequest: Meeting.onRequest,
  ConnectResponse: Wishing.onResponse
}

/** One message of an open session, whoever is on it. */
export const arrive = (state: State.State, input: Received, turn: Turn): State.Stepped => {
  if (HashMap.has(state.passing.guests, input.connection)) return visit(state, input, turn)
  const { value } = input.message
  if (value.kind === "Reject" && value.number === undefined) return turnedAway(state, input, value, turn)
  return isVisit(value) ? fromFriend(state, input, value, turn) : Receiving.receive(state, input, turn)
}

/** A friend refuses the whole session: what we want of it besides is over, too, or waits. */
const turnedAway = (state: State.State, input: Received, reject: Reject, turn: Turn): State.Stepped => {
  const opened = Guests.openedAt(state, input.connection)
  return State.chain(
    state,
    (current) => Receiving.receive(current, input, turn),
    (current) => (opened === undefined ? [current, []] : Errands.onReject(current, opened, reject, turn))
  )
}

const take = (state: State.State, opened: State.Opened, message: Message, turn: Turn): State.Stepped =>
  isVisit(message)
    ? (words[message.kind] as Take<Message>)(state, opened, message, turn)
    : Guests.hangUp(state, opened.connection, "guest-out-of-place")

/** A word that needs no friendship, from a friend: on its one session it counts like a guest's. */
const fromFriend = (state: State.State, input: Received, message: Message, turn: Turn): State.Stepped => {
  const { connection } = input
  const peerId = Option.getOrUndefined(HashMap.get(state.passing.connections, connection))
  const friend = peerId === undefined ? undefined : Roster.friend(state.durable.roster, peerId)
  if (friend === undefined || State.isBanned(state, friend.peerId, turn.nowMs)) return [state, []]
  const drawn = State.drawPassing(state, friend.peerId, "control", turn.nowMs)
  if (drawn.waitMs > 0) return Connecting.violated(state, connection, Rejection.make("flooding"), turn)
  const opened = Guests.openedAt(drawn.state, connection)
  return opened === undefined ? [drawn.state, []] : take(drawn.state, opened, message, turn)
}

/** A guest's word; if it has become a friend by it, its greeting counts that came before. */
const visit = (state: State.State, input: Received, turn: Turn): State.Stepped => {
  const { connection } = input
  const { greeting } = Guests.at(state, connection) ?? {}
  return State.chain(
    state,
    (current) => hear(current, input, turn),
    (current) =>
      greeting !== undefined && HashMap.has(current.passing.connections, connection)
        ? Receiving.receive(current, greeting, turn)
        : [current, []]
  )
}

const hear = (state: State.State, input: Received, turn: Turn): State.Stepped => {
  const { bytes, connection } = input
  const guest = Guests.at(state, connection)
  if (guest === undefined) return [state, []]
  if (State.isBanned(state, input.message.signer.peerId, turn.nowMs)) return Guests.hangUp(state, connection, null)
  const counted = Guests.count(state, connection, bytes)
  if (counted === undefined) return Guests.hangUp(state, connection, "guest-flooding")
  const message = input.message.value
  switch (message.kind) {
    case "Ignored":
      return [counted, []]
    case "Close":
      return Guests.hangUp(counted, connection, null)
    case "Greeting":
      return [Guests.greeted(counted, input, Connecting.notAFriend(state), turn), []]
    case "Unknown":
      return Guests.hangUp(counted, connection, "guest-out-of-place")
    case "Reject":
      if (message.number !== undefined) return Guests.hangUp(counted, connection, "guest-out-of-place")
      return State.chain(
        counted,
        (current) => Errands.onReject(current, guest.opened, message, turn),
        (current) => Members.onReject(current, guest.opened),
        (current) => Guests.hangUp(current, connection, null)
      )
    default:
      return take(counted, guest.opened, message, turn)
  }
}
