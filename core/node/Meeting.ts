/**
 * Requests to connect, both ways: made to a member of a topic, put before its operator, answered in a session.
 * It never befriends anybody but whom our operator accepted or asked: what a peer says only answers a question of ours.
 * A request is idempotent and a refusal by the operator looks like no answer yet, so that asking again tells nothing.
 */
import { HashMap, Option, Result } from "effect"
import * as Verdict from "../admission/Verdict.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { concat } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Directory from "../discovery/Directory.ts"
import * as AutoAccept from "../friend/AutoAccept.ts"
import type { Errand } from "../friend/Errand.ts"
import * as Roster from "../friend/Roster.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import { keyBytes, type RemoteIdentityKey, type RemoteSwarmKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { ConnectRequest, ConnectResponse } from "../wire/Message.ts"
import * as Acquainting from "./Acquainting.ts"
import * as Connecting from "./Connecting.ts"
import * as Errands from "./Errands.ts"
import * as Friending from "./Friending.ts"
import * as Guests from "./Guests.ts"
import type { Command, Turn } from "./Input.ts"
import * as Members from "./Members.ts"
import * as Parting from "./Parting.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>
type Connect = Extract<Errand, { readonly kind: "connect" }>

/**
 * Where a friendship came from that was made in a topic, in the place of a chat channel. The hash of a secret topic is known
 * to whoever carries it: only a profile under the topic's key says that somebody is in there, and no rule must think so else.
 */
const channelOf = (state: State.State, hash: string, key: RemoteIdentityKey): string => {
  const joined = Table.get(state.durable.topics, hash)
  if (joined === undefined) return "topic"
  if (joined.key === null) return `topic:${joined.name}`
  const known = Option.getOrUndefined(HashMap.get(state.passing.topics, hash))
  const isMember = known !== undefined && Directory.member(known.directory, key) !== undefined
  return isMember ? `topic:${joined.name}#` : "topic"
}

/**
 * What names the friendship that a request leads to: the same on both sides, in the place of a line's signature. By the
 * first keys of both, which stay the same however often either rotates while the request waits.
 */
const friendshipOf = (turn: Turn, asker: RemoteIdentityKey, asked: RemoteIdentityKey, id: string): string => {
  const half = (part: string) =>
    turn.sha256(Transcript.encode("wop/3 connect", [keyBytes(asker), keyBytes(asked), id, part]))
  return Base64url.encode(concat(half("1"), half("2")))
}

/** The first key of whoever has proven this history. */
const firstOf = ({ peer }: State.Opened): RemoteIdentityKey => KeyHistory.first(peer.value.history)
const ourFirst = ({ self }: State.State): RemoteIdentityKey => self.earlier[0]?.key ?? self.identityKey

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
  const already = Table.values(state.durable.errands).find((one) => one.kind === "connect" && one.key === key)
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

const answer = (
  state: State.State,
  { connection }: State.Opened,
  id: string,
  outcome: ConnectResponse["outcome"],
  code?: Rejection.Code
): State.Stepped => {
  const message: ConnectResponse = { kind: "ConnectResponse", id, outcome, ...(code === undefined ? {} : { code }) }
  return [state, [{ _tag: "Transmit", connection, messages: [{ message }] }]]
}

/** The same request as it was made before, perhaps under a key that its maker has left since. */
const madeBefore = (state: State.State, { peer }: State.Opened, { id }: ConnectRequest): Roster.AskedBy | undefined =>
  Table.values(state.durable.roster.askedBy).find(
    ({ connect, identityKey }) => connect?.id === id && KeyHistory.leads(peer.value.history, { key: identityKey })
  )

/** A request follows whoever made it to the next key: it stays one question, with the answer it may have. */
const followed = (state: State.State, before: Roster.AskedBy | undefined, { peer }: State.Opened): State.State => {
  const { agreementKey, swarmKey } = peer.value
  const { key, topic } = peer.signer
  if (before?.connect === undefined || before.identityKey === key) return state
  const first = before.connect.first ?? before.identityKey
  const moved = { ...before, identityKey: key, agreementKey, topic, connect: { ...before.connect, swarmKey, first } }
  const at = Roster.askedByKey(before.channel, before.peerId)
  return State.withRoster(state, { askedBy: Table.set(state.durable.roster.askedBy, at, moved) })
}

/** The facts about who asks that the gate wants to know. */
const factsOf = (
  state: State.State,
  opened: State.Opened,
  request: ConnectRequest,
  before: Roster.AskedBy | undefined
) => {
  const { roster } = state.durable
  const { key } = opened.peer.signer
  const { peerId } = Acquainting.recordOf(state, opened)
  const waiting = Table.values(roster.askedBy).filter(Roster.isOpen)
  const asking = waiting.filter(({ connect }) => connect !== undefined).length
  return {
    kind: "connect" as const,
    retired: Roster.isRetired(roster, key),
    again:
      before !== undefined ||
      Table.has(roster.askedBy, Roster.askedByKey(channelOf(state, request.topic ?? "", key), peerId)),
    inTopic: request.topic !== undefined && Table.has(state.durable.topics, request.topic),
    nameValid: Result.isSuccess(Name.parse(request.name)) && !request.name.startsWith("@"),
    // Strangers of topics fill their own part, so that who asks in a room still finds a place.
    openRequests: Math.max(waiting.length, asking + Limits.askedByMax - Limits.connectAskedMax),
    openRequestsOfName: waiting.filter((one) => Name.fold(one.name) === Name.fold(request.name)).length
  }
}

/** Somebody wants to be friends. Whoever is one already hears so; everybody else is a question for our operator. */
export const onRequest = (
  state: State.State,
  opened: State.Opened,
  request: ConnectRequest,
  turn: Turn
): State.Stepped => {
  const { peerId } = Acquainting.recordOf(state, opened)
  if (HashMap.has(state.passing.connections, opened.connection)) return answer(state, opened, request.id, "accepted")
  const before = madeBefore(state, opened, request)
  const facts = factsOf(state, opened, request, before)
  const verdict = Verdict.decide(facts)
  if (!verdict.admitted) {
    const { code } = verdict.rejection
    return State.chain(
      state,
      (current) => answer(current, opened, request.id, "refused", Rejection.isTold(code) ? code : "not-a-friend"),
      // Where we want something of it ourselves, the link stays for that.
      (current) =>
        Guests.errandsOf(current, opened).length > 0 ? [current, []] : Guests.hangUp(current, opened.connection, null)
    )
  }
  if (facts.again) return answer(followed(state, before, opened), opened, request.id, "asked")
  const channel = channelOf(state, request.topic ?? "", opened.peer.signer.key)
  const first = firstOf(opened)
  const asked: Roster.AskedBy = {
    peerId,
    channel,
    author: null,
    evidence: "unproven",
    name: request.name,
    identityKey: opened.peer.signer.key,
    agreementKey: opened.peer.value.agreementKey,
    topic: opened.peer.signer.topic,
    signature: friendshipOf(turn, firstOf(opened), ourFirst(state), request.id),
    receivedAtMs: turn.nowMs,
    expiresAtMs: turn.nowMs + Limits.requestAgeMs,
    connect: {
      id: request.id,
      swarmKey: opened.peer.value.swarmKey,
      note: request.note ?? "",
      ...(first === opened.peer.signer.key ? {} : { first })
    }
  }
  return putBefore(state, opened, asked, facts.openRequestsOfName, turn)
}

/** Records the question, unless a rule of the operator's or a request of ours to the same key has answered it. */
const putBefore = (
  state: State.State,
  opened: State.Opened,
  asked: Roster.AskedBy,
  rivals: number,
  turn: Turn
): State.Stepped => {
  const { channel, identityKey, name, peerId } = asked
  const key = Roster.askedByKey(channel, peerId)
  const id = asked.connect?.id ?? ""
  const recorded = State.withRoster(state, { askedBy: Table.set(state.durable.roster.askedBy, key, asked) })
  const mutual = Guests.errandsOf(state, opened).some((one) => one.kind === "connect")
  const facts = { key: identityKey, channel, author: null, evidence: asked.evidence }
  // Whom the operator has sent away, no rule brings back: that takes the operator again.
  const former = Acquainting.recordOf(state, opened).record !== undefined
  // Nor does one let in who goes by the name of a friend from there: the operator has to look.
  const namesakes = Rotating.claimedBy(state, channel, (one) => Name.fold(one) === Name.fold(name), identityKey)
  const ruled =
    !former &&
    namesakes.length === 0 &&
    Table.values(state.durable.roster.rules).some((rule) => AutoAccept.matches(rule, facts))
  if (mutual || ruled) {
    const accepted = accept(recorded, key, asked, mutual ? "operator" : "rule", turn)
    if (Result.isSuccess(accepted)) return accepted.success
  }
  const note = asked.connect?.note ?? ""
  const claimed = rivals + namesakes.length
  const event = { _tag: "ConnectAsked" as const, peerId, name, where: channel, note, identityKey, rivals: claimed }
  return State.chain(
    recorded,
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => answer(current, opened, id, "asked")
  )
}

/** A friend of these keys from now on, with `message` and nothing else. */
const friendOf = (
  turn: Turn,
  of: Pick<Roster.Friend, "peerId" | "name" | "identityKey" | "agreementKey" | "topic" | "channel">,
  cameOf: ReadonlyArray<string>,
  swarmKey: string,
  ours: RemoteIdentityKey
): Roster.Friend => ({
  peerId: of.peerId,
  name: of.name,
  standing: "Friend",
  identityKey: of.identityKey,
  agreementKey: of.agreementKey,
  topic: of.topic,
  channel: of.channel,
  evidence: "unproven",
  sinceMs: turn.nowMs,
  cameOf,
  alarmed: false,
  knowsKey: ours,
  swarmKey: swarmKey as RemoteSwarmKey
})

/** Befriends, and lets a guest's link be the friend's session from now on. */
const befriend = (
  state: State.State,
  friend: Roster.Friend,
  by: "operator" | "rule" | "peer",
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  const leaving = Roster.leavingFor(state.durable.roster, friend.peerId)
  if (leaving === "nobody") return Result.fail(Rejection.make("friends-full"))
  return Result.succeed(
    State.chain(
      state,
      (current) => Parting.forget(current, leaving),
      (current) => Friending.befriend(current, friend, by, turn)
    )
  )
}

/** The guest's links of an identity, the newest first. */
const guestsOf = (state: State.State, key: RemoteIdentityKey): ReadonlyArray<State.Opened> =>
  [...HashMap.values(state.passing.guests)]
    .filter(({ gone, opened }) => gone !== true && opened.peer.signer.key === key)
    .sort((a, b) => b.sinceMs - a.sinceMs || (a.opened.connection < b.opened.connection ? -1 : 1))
    .map(({ opened }) => opened)

/** A request is accepted: the friend is recorded, and told on the link there is, or on the next. `friends-full`. */
export const accept = (
  state: State.State,
  key: string,
  asked: Roster.AskedBy,
  by: "operator" | "rule",
  turn: Turn
): Outcome => {
  const { connect, identityKey, peerId } = asked
  const done = State.withRoster(state, { askedBy: Table.remove(state.durable.roster.askedBy, key) })
  const first = (connect?.first ?? identityKey) as RemoteIdentityKey
  const ours = Table.values(state.durable.errands).filter(
    (one) => one.kind === "connect" && (one.peerId === peerId || one.key === identityKey || one.key === first)
  )
  // Where both have asked, either may be told first: the friendship goes by the names of both requests.
  const cameOf = ours.map((one) => friendshipOf(turn, ourFirst(state), first, one.id))
  const friend = friendOf(turn, asked, [asked.signature, ...cameOf], connect?.swarmKey ?? "", state.self.identityKey)
  const [link] = guestsOf(state, identityKey)
  return Result.map(befriend(done, friend, by, turn), (made) =>
    State.chain(
      made[0],
      (current) => [current, made[1]],
      (current) => (link === undefined ? [current, []] : answer(current, link, connect?.id ?? "", "accepted")),
      (current) => become(current, link, friend, turn),
      // The link may be ending, and the asker pauses: what waits in the queue is what we dial for until it is heard.
      (current) => Sending.tellGrants(current, peerId, ["message"], turn),
      // What we ourselves wanted of the same peer is had.
      ...ours.map((one) => (current: State.State) => Errands.end(current, one, null))
    )
  )
}

/** A guest's link becomes the friend's. */
const become = (
  state: State.State,
  link: State.Opened | undefined,
  friend: Roster.Friend,
  turn: Turn
): State.Stepped => {
  if (link === undefined) return [state, []]
  const record = Roster.friend(state.durable.roster, friend.peerId) ?? friend
  return Connecting.admit(Guests.forget(state, link.connection), link, record, turn)
}

/** The operator turns a request down. It stays as one until it is over, so that asking again is not asking anew. */
export const deny = (state: State.State, asked: Roster.AskedBy): State.Stepped => {
  const { askedBy } = state.durable.roster
  const denied = Table.values(askedBy)
    .filter((one) => one.connect?.denied === true)
    .sort((a, b) => a.receivedAtMs - b.receivedAtMs)
  const oldest = denied.length < Limits.askedByMax ? undefined : denied[0]
  const left = oldest === undefined ? askedBy : Table.remove(askedBy, Roster.askedByKey(oldest.channel, oldest.peerId))
  const { connect, ...rest } = asked
  const kept = connect === undefined ? asked : { ...rest, connect: { ...connect, denied: true as const } }
  const key = Roster.askedByKey(asked.channel, asked.peerId)
  return [State.withRoster(state, { askedBy: Table.set(left, key, kept) }), []]
}

/** An answer. It counts for a request of ours to that very key, and for nothing else. */
export const onResponse = (
  state: State.State,
  opened: State.Opened,
  response: ConnectResponse,
  turn: Turn
): State.Stepped => {
  const errand = Guests.errandsOf(state, opened).find((one) => one.kind === "connect" && one.id === response.id)
  if (errand?.kind !== "connect") return [State.withPassing(state, { unasked: state.passing.unasked + 1 }), []]
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
        (current) => Errands.end(current, errand, Rejection.make(code, "said by the peer")),
        (current) => Guests.hangUp(current, opened.connection, null)
      )
    }
    case "accepted":
      return accepted(state, opened, errand, turn)
  }
}

const accepted = (state: State.State, opened: State.Opened, errand: Connect & Errand, turn: Turn): State.Stepped => {
  const { agreementKey, swarmKey } = opened.peer.value
  const { key, topic } = opened.peer.signer
  const { peerId } = Acquainting.recordOf(state, opened)
  const of = {
    peerId,
    name: errand.name,
    identityKey: key,
    agreementKey,
    topic,
    channel: channelOf(state, errand.in, key)
  }
  const cameOf = friendshipOf(turn, ourFirst(state), firstOf(opened), errand.id)
  const friend = friendOf(turn, of, [cameOf], swarmKey, state.self.identityKey)
  const made = befriend(state, friend, "peer", turn)
  if (Result.isFailure(made)) return Errands.end(state, errand, made.failure)
  const isGuest = Guests.at(state, opened.connection) !== undefined
  return State.chain(
    made.success[0],
    (current) => [current, made.success[1]],
    (current) => Errands.end(current, errand, null),
    (current) => (isGuest ? become(current, opened, friend, turn) : [current, []])
  )
}
