/**
 * Requests to connect that others make: put before our operator, or a rule of theirs, and answered in a session.
 * It never befriends anybody but whom our operator accepted: those of ours are `Wishing`.
 * A request is idempotent and a refusal by the operator looks like no answer yet, so that asking again tells nothing.
 */
import { HashMap, Option, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import { concat } from "../bytes/Bytes.ts"
import * as Transcript from "../bytes/Transcript.ts"
import * as Directory from "../discovery/Directory.ts"
import * as AutoAccept from "../friend/AutoAccept.ts"
import type { Errand } from "../friend/Errand.ts"
import { type Introduction, channel as introduction, isOf, of } from "../friend/Introduction.ts"
import * as Roster from "../friend/Roster.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import { keyBytes, type RemoteIdentityKey, type RemoteSwarmKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { ConnectRequest, ConnectResponse } from "../wire/Message.ts"
import * as Acquainting from "./Acquainting.ts"
import * as Connecting from "./Connecting.ts"
import * as Decisions from "./Decisions.ts"
import * as Errands from "./Errands.ts"
import * as Friending from "./Friending.ts"
import * as Guests from "./Guests.ts"
import type { Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import * as Parting from "./Parting.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>
type Connect = Extract<Errand, { readonly kind: "connect" }>
/** An errand that ends in a friendship, if its holder has the same wish. */
export type Wish = Connect | Extract<Errand, { readonly kind: "introduced" }>

/** What our operator has said yes to: it wants to be friends with whoever serves it. */
export const isWish = (errand: Errand): errand is Wish => errand.kind === "connect" || errand.kind === "introduced"

/**
 * Where a friendship came from that was made in a topic, in the place of a chat channel. The hash of a secret topic is known
 * to whoever carries it: only a profile under the topic's key says that somebody is in there, and no rule must think so else.
 */
export const channelOf = (state: State.State, hash: string, key: RemoteIdentityKey): string => {
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
export const friendshipOf = (turn: Turn, asker: RemoteIdentityKey, asked: RemoteIdentityKey, id: string): string => {
  const half = (part: string) =>
    turn.sha256(Transcript.encode("wop/3 connect", [keyBytes(asker), keyBytes(asked), id, part]))
  return Base64url.encode(concat(half("1"), half("2")))
}

/** The first key of whoever has proven this history. */
export const firstOf = ({ peer }: State.Opened): RemoteIdentityKey => KeyHistory.first(peer.value.history)
/** The first key of ours. */
export const ourFirst = ({ self }: State.State): RemoteIdentityKey => self.earlier[0]?.key ?? self.identityKey

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

/**
 * The same request as it was made before, perhaps under a key that its maker has left since; and what an introduction has
 * led to already: whoever leads on from that is the same, and who leads elsewhere from the introduced key is another.
 */
const madeBefore = (
  state: State.State,
  { peer }: State.Opened,
  { id }: ConnectRequest,
  introduced: Introduction | undefined
): { readonly before: Roster.AskedBy | undefined; readonly asksAlready: boolean } => {
  const all = Table.values(state.durable.roster.askedBy)
  const isTheirs = ({ identityKey }: Roster.AskedBy) => KeyHistory.leads(peer.value.history, { key: identityKey })
  const ofIt = introduced && all.find((one) => isOf(introduced, one.introducedBy))
  const before =
    all.find((one) => one.connect?.id === id && isTheirs(one)) ??
    (ofIt !== undefined && isTheirs(ofIt) ? ofIt : undefined)
  return { before, asksAlready: ofIt !== undefined && before === undefined }
}

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
  {
    asksAlready,
    before,
    channel,
    introduced
  }: {
    readonly asksAlready: boolean
    readonly before: Roster.AskedBy | undefined
    readonly channel: string
    readonly introduced: boolean
  }
) => {
  const { roster } = state.durable
  const { key } = opened.peer.signer
  const { peerId } = Acquainting.recordOf(state, opened)
  const waiting = Table.values(roster.askedBy).filter(Roster.isOpen)
  const asking = waiting.filter(({ connect }) => connect !== undefined).length
  return {
    kind: "connect" as const,
    retired: Roster.isRetired(roster, key),
    again: before !== undefined || Table.has(roster.askedBy, Roster.askedByKey(channel, peerId)),
    inTopic: request.topic !== undefined && Table.has(state.durable.topics, request.topic),
    introduced,
    asksAlready,
    nameValid: Result.isSuccess(Name.parse(request.name)) && !request.name.startsWith("@"),
    // Strangers of topics fill their own part, so that who asks in a room still finds a place; and what friends have
    // introduced is bounded as introductions, each of which asks once, so that no stranger can keep it out.
    openRequests: introduced ? 0 : Math.max(waiting.length, asking + Limits.askedByMax - Limits.connectAskedMax),
    openRequestsOfName: introduced ? 0 : waiting.filter((one) => Name.fold(one.name) === Name.fold(request.name)).length
  }
}

/** A friend asks that does not know yet, or not any more, that it is one: from now on the friendship goes by this name, too. */
const confirm = (
  state: State.State,
  opened: State.Opened,
  { id }: ConnectRequest,
  record: Roster.Friend | undefined,
  turn: Turn
): State.Stepped => {
  const of = friendshipOf(turn, firstOf(opened), ourFirst(state), id)
  const isNew = record?.standing === "Friend" && !record.cameOf.includes(of)
  return answer(isNew ? Acquainting.renew(state, record, { of }) : state, opened, id, "accepted")
}

/** It became a friend while it was a guest: the link is its session, unless its key is not the one it is our friend by. */
const becameOne = (
  state: State.State,
  opened: State.Opened,
  request: ConnectRequest,
  record: Roster.Friend,
  turn: Turn
): State.Stepped =>
  record.identityKey === opened.peer.signer.key
    ? State.chain(
        state,
        (current) => confirm(current, opened, request, record, turn),
        (current) => become(current, opened, record, turn)
      )
    : Guests.hangUp(state, opened.connection, null)

/** Somebody wants to be friends. Whoever is one already hears so; everybody else is a question for our operator. */
export const onRequest = (
  given: State.State,
  opened: State.Opened,
  request: ConnectRequest,
  turn: Turn
): State.Stepped => {
  const { peerId, record } = Acquainting.recordOf(given, opened)
  if (HashMap.has(given.passing.connections, opened.connection)) return confirm(given, opened, request, record, turn)
  if (record?.standing === "Friend") return becameOne(given, opened, request, record, turn)
  const { topic } = request
  const known = of(given.durable.introductions, opened.peer.value.history)
  // Who names a topic asks for reasons of its own, unless our operator has said yes to the introduction.
  const introduced = topic === undefined || known?.state === "Accepted" ? known : undefined
  const { asksAlready, before } = madeBefore(given, opened, request, introduced)
  const channel = introduced ? introduction : channelOf(given, topic ?? "", opened.peer.signer.key)
  const facts = factsOf(given, opened, request, { asksAlready, before, channel, introduced: introduced !== undefined })
  const who = { key: opened.peer.signer.key, peerId }
  const { state, verdict } = Decisions.decide(given, who, "connect", facts)
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
  const first = firstOf(opened)
  const asked: Roster.AskedBy = {
    peerId,
    channel,
    author: null,
    evidence: "unproven",
    // As it was introduced: that is the name under which our operator was, or is, asked.
    name: introduced?.name ?? request.name,
    identityKey: opened.peer.signer.key,
    agreementKey: opened.peer.value.agreementKey,
    topic: opened.peer.signer.topic,
    signature: friendshipOf(turn, firstOf(opened), ourFirst(state), request.id),
    receivedAtMs: turn.nowMs,
    expiresAtMs: introduced?.expiresAtMs ?? turn.nowMs + Limits.requestAgeMs,
    ...(introduced === undefined ? {} : { introducedBy: { ...introduced.by, key: introduced.key } }),
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
  const mutual = Guests.errandsOf(state, opened).some(isWish)
  const facts = { key: identityKey, channel, author: null, evidence: asked.evidence }
  // Whom the operator has sent away, no rule brings back: that takes the operator again. So does whom a friend introduced,
  // and whom the operator has turned down as introduced, wherever it asks then.
  const isOperators =
    Acquainting.recordOf(state, opened).record !== undefined ||
    asked.introducedBy !== undefined ||
    Introducing.isTurnedDown(state, opened.peer.value.history)
  // Nor does one let in who goes by the name of a friend from there, or by what our operator calls one: it has to look.
  const namesakes = Roster.namesakes(state.durable.roster, channel, name, identityKey)
  const ruled =
    !isOperators &&
    namesakes.length === 0 &&
    Table.values(state.durable.roster.rules).some((rule) => AutoAccept.matches(rule, facts))
  if (mutual || ruled) {
    const accepted = accept(recorded, key, asked, mutual ? "operator" : "rule", turn)
    if (Result.isSuccess(accepted)) return accepted.success
  }
  const note = asked.connect?.note ?? ""
  const claimed = rivals + namesakes.length
  const about = { note, identityKey, rivals: claimed, introducedBy: asked.introducedBy?.name ?? null }
  const event = { _tag: "ConnectAsked" as const, peerId, name, where: channel, ...about }
  return State.chain(
    recorded,
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => answer(current, opened, id, "asked")
  )
}

/** A friend of these keys from now on, with `message` and nothing else. */
export const friendOf = (
  turn: Turn,
  of: Pick<Roster.Friend, "peerId" | "name" | "identityKey" | "agreementKey" | "topic" | "channel" | "introducedBy">,
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
  swarmKey: swarmKey as RemoteSwarmKey,
  ...(of.introducedBy === undefined ? {} : { introducedBy: of.introducedBy })
})

/** Befriends, and lets a guest's link be the friend's session from now on. */
export const befriend = (
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
    (one) => isWish(one) && (one.peerId === peerId || one.key === identityKey || one.key === first)
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
export const become = (
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
