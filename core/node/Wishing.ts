/**
 * Requests to connect of ours: made to a member of a topic whom our operator names, and what comes of them.
 * It never takes an answer for more than one: it counts from the very key that was asked, for a request that is open.
 * They are errands, said on every new link until there is an outcome; the other side answers alike each time.
 */
import { Result } from "effect"
import * as Directory from "../discovery/Directory.ts"
import type { Errand } from "../friend/Errand.ts"
import { channel as introduction } from "../friend/Introduction.ts"
import * as Roster from "../friend/Roster.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { ConnectResponse } from "../wire/Message.ts"
import * as Acquainting from "./Acquainting.ts"
import * as Errands from "./Errands.ts"
import * as Guests from "./Guests.ts"
import type { Command, Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import * as Meeting from "./Meeting.ts"
import * as Members from "./Members.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>
type Connect = Extract<Errand, { readonly kind: "connect" }>

/** Everybody known in topics, each key once, by hash of the topic. */
const known = (state: State.State) =>
  [...state.passing.topics]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([hash, { directory }]) => Directory.members(directory).map(({ profile }) => ({ hash, profile })))

/** The operator wants to be friends with a member of a topic. */
export const connect = (
  state: State.State,
  command: Extract<Command, { readonly _tag: "Connect" }>,
  turn: Turn
): Outcome => {
  const { keyPrefix, name, note, topic } = command
  const meant = known(state).filter(
    ({ hash, profile }) =>
      Name.fold(profile.content?.name ?? "") === Name.fold(name) &&
      profile.identityKey.startsWith(keyPrefix) &&
      (topic === "" || Table.get(state.durable.topics, hash)?.name === topic)
  )
  const [first] = meant
  if (first === undefined) return Result.fail(Rejection.make("unknown-member", name))
  const key = first.profile.identityKey
  const others = meant.filter(({ profile }) => profile.identityKey !== key)
  if (others.length > 0) {
    const keys = new Set([first, ...others].map(({ profile }) => profile.identityKey))
    return Result.fail(Roster.ambiguous([...keys].map((identityKey) => ({ name, identityKey }))))
  }
  const friend = Roster.byKey(state.durable.roster, key)
  if (friend?.standing === "Friend") return Result.fail(Rejection.make("already-friends", name))
  if (Array.from(note).length > Limits.connectNoteMax) return Result.fail(Rejection.make("note-too-long"))
  const already = Table.values(state.durable.errands).find(
    (one) => one.kind === "connect" && (one.key === key || one.current === key)
  )
  if (already !== undefined) return Result.succeed([state, []])
  const { peerId, topic: rendezvous } = Statement.signerOf(turn.pure, key)
  const errand: Connect = {
    kind: "connect",
    id: Sending.messageId(turn),
    key,
    peerId: friend?.peerId ?? peerId,
    topic: rendezvous,
    madeAtMs: turn.nowMs,
    expiresAtMs: turn.nowMs + Limits.requestAgeMs,
    name: first.profile.content?.name ?? name,
    note,
    in: first.hash
  }
  return Errands.add(state, errand, turn)
}

/** An answer. It counts for a request of ours to that very key, and for nothing else. */
export const onResponse = (
  state: State.State,
  opened: State.Opened,
  response: ConnectResponse,
  turn: Turn
): State.Stepped => {
  const errand = Guests.errandsOf(state, opened).find(({ id }) => id === response.id)
  if (errand === undefined || !Meeting.isWish(errand))
    return [State.withPassing(state, { unasked: state.passing.unasked + 1 }), []]
  switch (response.outcome) {
    case "asked":
      return State.chain(
        state,
        (current) => Sending.pause(current, errand.peerId, Limits.connectAgainMs, turn),
        // What was begun on it about a topic is said to its end.
        (current) =>
          opened.initiator && !Members.isTalking(current, opened.connection)
            ? Guests.hangUp(current, opened.connection, null)
            : [current, []]
      )
    case "refused": {
      const code = response.code !== undefined && Rejection.isCode(response.code) ? response.code : "not-a-friend"
      return State.chain(
        state,
        // Who was introduced may not have heard of it yet.
        (current) =>
          errand.kind === "introduced" && code === "not-a-friend"
            ? Sending.pause(current, errand.peerId, Limits.connectAgainMs, turn)
            : Errands.end(current, errand, Rejection.make(code, "said by the peer")),
        (current) => Guests.hangUp(current, opened.connection, null)
      )
    }
    case "accepted":
      return accepted(state, opened, errand, turn)
  }
}

/** What the same peer had asked us is answered with that. */
const withoutQuestions = (state: State.State, peerId: PeerId, key: RemoteIdentityKey): State.State => {
  const { askedBy } = state.durable.roster
  const left = Table.removeWhere(askedBy, (one) => one.peerId === peerId || one.identityKey === key)
  return left === askedBy ? state : State.withRoster(state, { askedBy: left })
}

/** Whoever is a friend by now stays the friend it is: it goes by this name, too, and nothing else of it changes. */
const confirmed = (
  state: State.State,
  opened: State.Opened,
  errand: Meeting.Wish,
  friend: Roster.Friend,
  turn: Turn
): State.Stepped => {
  const of = Meeting.friendshipOf(turn, Meeting.ourFirst(state), Meeting.firstOf(opened), errand.id)
  const { key } = opened.peer.signer
  // A link under a key that is not the friend's now is no session of it: how the two stand is for the next opening.
  const isTheirs = friend.identityKey === key
  return State.chain(
    isTheirs ? Acquainting.renew(state, friend, { of }) : state,
    (current) => [isTheirs ? withoutQuestions(current, friend.peerId, key) : current, []],
    (current) => Errands.end(current, errand, null),
    (current) => Introducing.shown(current, opened.peer.value.history),
    (current) =>
      isTheirs && Guests.at(current, opened.connection) !== undefined
        ? Meeting.become(current, opened, friend, turn)
        : Guests.hangUp(current, opened.connection, null)
  )
}

const accepted = (state: State.State, opened: State.Opened, errand: Meeting.Wish, turn: Turn): State.Stepped => {
  const { agreementKey, swarmKey } = opened.peer.value
  const { key, topic } = opened.peer.signer
  const { peerId, record } = Acquainting.recordOf(state, opened)
  if (record?.standing === "Friend") return confirmed(state, opened, errand, record, turn)
  const of = {
    peerId,
    name: errand.name,
    identityKey: key,
    agreementKey,
    topic,
    ...(errand.kind === "introduced"
      ? { channel: introduction, introducedBy: { ...errand.by, key: errand.key } }
      : { channel: Meeting.channelOf(state, errand.in, key) })
  }
  const cameOf = Meeting.friendshipOf(turn, Meeting.ourFirst(state), Meeting.firstOf(opened), errand.id)
  const fresh = Meeting.friendOf(turn, of, [cameOf], swarmKey, state.self.identityKey)
  const friend = { ...fresh, ...Acquainting.leftKeys({ anchor: errand.key, opened }) }
  const made = Meeting.befriend(state, friend, "peer", turn)
  if (Result.isFailure(made)) return Errands.end(state, errand, made.failure)
  const isGuest = Guests.at(state, opened.connection) !== undefined
  return State.chain(
    made.success[0],
    (current) => [current, made.success[1]],
    (current) => [withoutQuestions(current, peerId, key), []],
    (current) => Errands.end(current, errand, null),
    (current) => (isGuest ? Meeting.become(current, opened, friend, turn) : [current, []])
  )
}
