/**
 * What two members of a topic say to each other: whom they know in which version, and the profiles that the other lacks.
 * It never believes a profile that its signer did not sign, and nothing that it learns here grants anything.
 * A meeting is short: a hello and some profiles each way, then whoever dialled hangs up, unless the link has another reason.
 */
import { HashMap, Option, Result } from "effect"
import * as Directory from "../discovery/Directory.ts"
import * as Presence from "../discovery/Presence.ts"
import * as Profile from "../discovery/Profile.ts"
import * as Topic from "../discovery/Topic.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import * as PeerId from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Message, Profiles, TopicHello, TopicLeft } from "../wire/Message.ts"
import * as Guests from "./Guests.ts"
import type { Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

/** What we know in a topic, if we are in it. */
export const presence = (state: State.State, hash: string): Presence.Presence | undefined =>
  Option.getOrUndefined(HashMap.get(state.passing.topics, hash))

/** The state with this known in a topic. */
export const withPresence = (state: State.State, hash: string, next: Presence.Presence): State.State =>
  State.withPassing(state, { topics: HashMap.set(state.passing.topics, hash, next) })

const keyOf = (connection: string, topic: string): string => `${connection}\n${topic}`

const exchange = (state: State.State, connection: string, topic: string): State.Exchange =>
  Option.getOrElse(HashMap.get(state.passing.exchanges, keyOf(connection, topic)), () => ({
    connection,
    topic,
    saidMs: undefined,
    heardMs: undefined,
    profiles: 0
  }))

const withExchange = (state: State.State, next: State.Exchange): State.State =>
  State.withPassing(state, {
    exchanges: HashMap.set(state.passing.exchanges, keyOf(next.connection, next.topic), next)
  })

/** Links on which a topic was spoken of. */
export const linksIn = (state: State.State, topic: string): ReadonlyArray<string> =>
  [...HashMap.values(state.passing.exchanges)]
    .filter((one) => one.topic === topic)
    .map(({ connection }) => connection)
    .filter((connection) => Guests.openedAt(state, connection) !== undefined)
    .sort()

/** The link on which the holder of a transport key is spoken to now, friend or guest. */
export const linkTo = (state: State.State, swarmKey: string): string | undefined => {
  const guests = [...HashMap.values(state.passing.guests)].map(({ opened }) => opened)
  const friends = [...HashMap.values(state.passing.sessions)].flatMap(({ opened }) => opened ?? [])
  return [...guests, ...friends]
    .filter(({ connection, peer }) => {
      return peer.value.swarmKey === swarmKey && Guests.openedAt(state, connection) !== undefined
    })
    .map(({ connection }) => connection)
    .sort()[0]
}

const say = (connection: string, ...messages: ReadonlyArray<Message>): Output => ({
  _tag: "Transmit",
  connection,
  messages: messages.map((message) => ({ message }))
})

/** Our hello: ourselves first, and some of those we know. */
const hello = (known: Presence.Presence, topic: string, turn: Turn): TopicHello => {
  const own = known.own === undefined ? [] : [known.own]
  const others = Presence.some(known, Limits.topicHaveMax - 1, turn.entropy).map((one) => one.profile)
  return {
    kind: "TopicHello",
    topic,
    have: [...own, ...others].map(({ mark, version }) => ({ mark, version }))
  }
}

/** Says hello on a link, unless that was just done. */
export const sayHello = (state: State.State, connection: string, topic: string, turn: Turn): State.Stepped => {
  const known = presence(state, topic)
  const before = exchange(state, connection, topic)
  if (known === undefined || turn.nowMs - (before.saidMs ?? -Infinity) < Limits.topicHelloAgainMs) return [state, []]
  const said = withExchange(state, { ...before, saidMs: turn.nowMs, profiles: 0 })
  return [said, [say(connection, hello(known, topic, turn))]]
}

/** Says that we have left a topic; a link that had no other reason ends with it. */
export const sayLeft = (state: State.State, connection: string, topic: string, profile: string): State.Stepped =>
  State.chain(
    state,
    (current) => [current, [say(connection, { kind: "TopicLeft", topic, profile })]],
    (current) => [forgetExchange(current, connection, topic), []],
    (current) => endIfIdle(current, connection)
  )

/** A link has opened: if we dialled it for a topic, we say so. */
export const onOpened = (state: State.State, opened: State.Opened, turn: Turn): State.Stepped => {
  const { connection } = opened
  if (Guests.openedAt(state, connection) === undefined) return [state, []]
  const swarmKey = opened.peer.value.swarmKey as string
  const topics = [...state.passing.topics].filter(([, { dials }]) => HashMap.has(dials, swarmKey)).map(([hash]) => hash)
  return State.chain(
    state,
    ...topics.sort().map((hash) => (current: State.State) => sayHello(current, connection, hash, turn))
  )
}

const forgetExchange = (state: State.State, connection: string, topic: string): State.State =>
  State.withPassing(state, { exchanges: HashMap.remove(state.passing.exchanges, keyOf(connection, topic)) })

/** A link is gone: what was said on it is forgotten, and whom we met on it makes room for the next. */
export const closed = (state: State.State, connection: string): State.State => {
  if (HashMap.isEmpty(state.passing.exchanges)) return state
  const exchanges = HashMap.filter(state.passing.exchanges, (one) => one.connection !== connection)
  return HashMap.size(exchanges) === HashMap.size(state.passing.exchanges)
    ? state
    : State.withPassing(state, { exchanges })
}

/** Ends a guest's link on which nothing is left to be said: ours to end only if we dialled, or have just left. */
const endIfIdle = (state: State.State, connection: string): State.Stepped => {
  const guest = Guests.at(state, connection)
  const spoken = [...HashMap.values(state.passing.exchanges)].some((one) => one.connection === connection)
  if (guest === undefined || spoken || Guests.errandsOf(state, guest.opened).length > 0) return [state, []]
  return Guests.hangUp(state, connection, null)
}

/** What the other side lacks of what we know: ourselves, last words, then some members; never more than one message holds. */
const lacking = (known: Presence.Presence, { have }: TopicHello, turn: Turn): ReadonlyArray<Profile.Profile> => {
  const held = new Map(have.map(({ mark, version }) => [mark, version]))
  const isLacking = ({ mark, version }: Profile.Profile) => (held.get(mark) ?? -1) < version
  const others = Presence.some(known, Number.POSITIVE_INFINITY, turn.entropy).map((one) => one.profile)
  // Last words are for those who still believe the member to be there.
  const farewells = known.farewells.filter(({ mark }) => held.has(mark))
  const own = known.own === undefined ? [] : [known.own]
  return [...own, ...farewells, ...others].filter(isLacking).slice(0, Limits.profilesPerMessageMax)
}

/** What is known once the far end of a link has named its own profile as we hold it, which it will not say again. */
const metBy = (
  known: Presence.Presence,
  { peer }: State.Opened,
  { have }: TopicHello,
  turn: Turn
): Presence.Presence => {
  const held = Directory.member(known.directory, peer.signer.key)
  const isNamed = have.some(({ mark, version }) => mark === held?.profile.mark && version === held.profile.version)
  if (held === undefined || !isNamed || held.profile.swarmKey !== peer.value.swarmKey) return known
  return { ...known, directory: Directory.meet(known.directory, held, turn.nowMs, turn.entropy) }
}

/** Somebody is in a topic. If we are too, it hears what it lacks. */
export const onHello = (state: State.State, opened: State.Opened, message: TopicHello, turn: Turn): State.Stepped => {
  const { connection } = opened
  const { topic } = message
  const known = presence(state, topic)
  if (known === undefined) return notThere(state, connection, topic)
  const before = exchange(state, connection, topic)
  if (turn.nowMs - (before.heardMs ?? -Infinity) < Limits.topicHelloAgainMs) return [state, []]
  const met = withPresence(state, topic, metBy(known, opened, message, turn))
  const heard = withExchange(met, { ...before, heardMs: turn.nowMs })
  const profiles = lacking(known, message, turn).map(({ wire }) => wire)
  return State.chain(
    heard,
    (current) => sayHello(current, connection, topic, turn),
    (current) => [current, [say(connection, { kind: "Profiles", topic, profiles })]],
    (current) => endIfMet(current, opened, topic, turn)
  )
}

/** We are not in that topic, and who believes it hears so; a guest that came for nothing else has no reason to stay. */
const notThere = (state: State.State, connection: string, topic: string): State.Stepped =>
  State.chain(
    state,
    (current) => [current, [say(connection, { kind: "TopicLeft", topic })]],
    (current) => endIfIdle(current, connection)
  )

/** A meeting is over when both have said hello and what the other lacked: the place is free, and who dialled hangs up. */
const endIfMet = (state: State.State, opened: State.Opened, topic: string, turn: Turn): State.Stepped => {
  const { connection, initiator } = opened
  const { heardMs, profiles, saidMs } = exchange(state, connection, topic)
  const known = presence(state, topic)
  if (heardMs === undefined || saidMs === undefined || profiles === 0 || known === undefined) return [state, []]
  const free = withPresence(state, topic, Presence.endMeeting(known, opened.peer.value.swarmKey, undefined))
  const others = [...HashMap.values(free.passing.topics)].some(({ dials }) =>
    HashMap.has(dials, opened.peer.value.swarmKey as string)
  )
  const guest = Guests.at(free, connection)
  // An errand that waits for its answer keeps the link; one that was answered with "later" is dialled again.
  const awaited = Guests.errandsOf(free, opened).some(
    ({ peerId }) => State.contact(free, peerId).pausedUntilMs <= turn.nowMs
  )
  if (!initiator || others || guest === undefined || awaited) return [free, []]
  return Guests.hangUp(free, connection, null)
}

/** Profiles that we asked for: each is read as if a stranger had made it, which it may have. */
export const onProfiles = (state: State.State, opened: State.Opened, message: Profiles, turn: Turn): State.Stepped => {
  const { connection } = opened
  const before = exchange(state, connection, message.topic)
  if (presence(state, message.topic) === undefined || before.saidMs === undefined) return [state, []]
  if (before.profiles >= Limits.profileMessagesMax) return broken(state, opened, Rejection.make("guest-flooding"))
  return State.chain(
    withExchange(state, { ...before, profiles: before.profiles + 1 }),
    ...message.profiles.map((wire) => (current: State.State) => takeOne(current, opened, message.topic, wire, turn)),
    (current) => endIfMet(current, opened, message.topic, turn)
  )
}

/** A member has left, as its last profile says; without one whoever says so speaks for itself alone. */
export const onLeft = (state: State.State, opened: State.Opened, message: TopicLeft, turn: Turn): State.Stepped => {
  const { profile, topic } = message
  if (presence(state, topic) === undefined) return [state, []]
  return State.chain(
    state,
    (current) =>
      profile === undefined ? absent(current, opened, topic) : takeOne(current, opened, topic, profile, turn),
    (current) => [forgetExchange(current, opened.connection, topic), []],
    (current) => endIfIdle(current, opened.connection)
  )
}

/** The holder of a key is not in a topic: it has proven the key, and says so itself. */
const absent = (state: State.State, { peer }: State.Opened, topic: string): State.Stepped => {
  const known = presence(state, topic)
  const member = known && Directory.member(known.directory, peer.signer.key)
  const name = Table.get(state.durable.topics, topic)?.name ?? ""
  if (known === undefined || member === undefined) return [state, []]
  const about = { peerId: peer.signer.peerId, name: member.profile.content?.name ?? "", topic: name }
  const directory = Directory.leave(known.directory, peer.signer.key)
  const ended = Presence.endMeeting({ ...known, directory }, peer.value.swarmKey, undefined)
  return [withPresence(state, topic, ended), [{ _tag: "Tell", event: { _tag: "MemberLeft", ...about } }]]
}

/** Whether a topic is being spoken of on a link, and not all of it is said. */
export const isTalking = (state: State.State, connection: string): boolean =>
  [...HashMap.values(state.passing.exchanges)].some(
    (one) =>
      one.connection === connection && one.saidMs !== undefined && (one.heardMs === undefined || one.profiles === 0)
  )

/** Whom we took for a member turns us away: it is in none of the topics that we came for. */
export const onReject = (state: State.State, opened: State.Opened): State.Stepped =>
  State.chain(
    state,
    ...[...HashMap.values(state.passing.exchanges)]
      .filter(({ connection, heardMs }) => connection === opened.connection && heardMs === undefined)
      .map(({ topic }) => topic)
      .sort()
      .map((topic) => (current: State.State) => absent(current, opened, topic))
  )

/** What no honest member sends ends a guest's link; a friend's goes on without it. */
const broken = (
  state: State.State,
  { connection, peer }: State.Opened,
  rejection: Rejection.Rejection
): State.Stepped => {
  const { peerId } = peer.signer
  const name = `stranger ${PeerId.short(peerId)}`
  return State.chain(
    state,
    (current) => [
      current,
      [{ _tag: "Tell", event: { _tag: "PeerRefused", peerId, name, kind: "Profiles", rejection } }]
    ],
    (current) => Guests.hangUp(current, connection, rejection.code)
  )
}

const takeOne = (state: State.State, opened: State.Opened, hash: string, wire: string, turn: Turn): State.Stepped => {
  const joined = Table.get(state.durable.topics, hash)
  const known = presence(state, hash)
  // Once it has broken a rule nothing more of this link counts.
  if (joined === undefined || known === undefined || Guests.openedAt(state, opened.connection) === undefined)
    return [state, []]
  const read = Profile.read(turn.pure, Topic.of(joined), hash, wire, turn.nowMs)
  if (Result.isFailure(read)) return unread(state, opened, read.failure)
  const { identityKey } = read.success.value
  if (State.isOwnKey(state.self, identityKey)) return [state, []]
  // By whom it is about, and about the node that says it: a profile may name anybody's transport key.
  const met = opened.peer.signer.key === identityKey && opened.peer.value.swarmKey === read.success.value.swarmKey
  const before = met
    ? Directory.retire(known.directory, KeyHistory.earlier(opened.peer.value.history), turn.nowMs)
    : known.directory
  const { directory, outcome } = Directory.admit(before, read.success, met, turn.nowMs, turn.entropy)
  const told = outcomeOf(opened, joined, known, read.success, outcome)
  const farewells =
    outcome === "left" ? [read.success.value, ...known.farewells].slice(0, Limits.topicFarewellsMax) : known.farewells
  const learnt = { ...known, directory, farewells }
  // Whoever is only heard of is to be met: it may not be there at all, and who is met finds a place where hearsay finds none.
  const unmet = (outcome === "new" || outcome === "full") && !met
  return [withPresence(state, hash, unmet ? Presence.heardOf(learnt, read.success.value.swarmKey) : learnt), told]
}

const unread = (state: State.State, opened: State.Opened, rejection: Rejection.Rejection): State.Stepped => {
  if (Rejection.isViolation(rejection.code)) return broken(state, opened, rejection)
  return [state, [refusedOf(opened, rejection)]]
}

const refusedOf = ({ peer }: State.Opened, rejection: Rejection.Rejection): Output => {
  const { peerId } = peer.signer
  const name = `stranger ${PeerId.short(peerId)}`
  return { _tag: "Tell", event: { _tag: "PeerRefused", peerId, name, kind: "Profiles", rejection } }
}

/** What the operator hears of a profile. An older one that somebody else passed on is no news: they have not heard yet. */
const outcomeOf = (
  opened: State.Opened,
  joined: Topic.Joined,
  known: Presence.Presence,
  { signer, value }: Authentic<Profile.Profile>,
  outcome: Directory.Outcome
): ReadonlyArray<Output> => {
  const { peerId } = signer
  const before = Directory.member(known.directory, signer.key)?.profile
  const name = value.content?.name ?? before?.content?.name ?? ""
  const about = { peerId, name, topic: joined.name }
  switch (outcome) {
    case "new":
      return [{ _tag: "Tell", event: { _tag: "Discovered", ...about, identityKey: signer.key } }]
    case "left":
      return before === undefined ? [] : [{ _tag: "Tell", event: { _tag: "MemberLeft", ...about } }]
    case "conflict":
      return [{ _tag: "Tell", event: { _tag: "ProfileConflict", ...about } }]
    case "older":
      return opened.peer.signer.key === signer.key
        ? [refusedOf(opened, Rejection.make("profile-rolled-back", joined.name))]
        : []
    case "newer":
    case "same":
    case "full":
      return []
  }
}

/** A new profile of ours goes to whoever is linked in its topic. */
export const spread = (state: State.State, profile: Profile.Profile): ReadonlyArray<Output> =>
  linksIn(state, profile.topic).map((connection) =>
    say(connection, { kind: "Profiles", topic: profile.topic, profiles: [profile.wire] })
  )
