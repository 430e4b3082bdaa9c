/**
 * Topics that we are in: joined and left by our operator alone, announced, looked through, and members met one by one.
 * It never reads what a member says; `Members` does. It never dials more at a time, or in a minute, than the pace allows.
 * Leaving is said: to those linked at once, to a few others by a last meeting, and to the rest by what these pass on.
 */
import { HashMap, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import * as Directory from "../discovery/Directory.ts"
import * as Presence from "../discovery/Presence.ts"
import type { Content } from "../discovery/Profile.ts"
import * as Topic from "../discovery/Topic.ts"
import type { RemoteSwarmKey } from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Input, Turn } from "./Input.ts"
import * as Leaving from "./Leaving.ts"
import * as Members from "./Members.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>

/** What we say of ourselves in topics. */
export const contentOf = (state: State.State): Content =>
  Table.get(state.durable.profile, "own") ?? { name: state.self.name, description: "", tags: [] }

/** Wants a new profile of ours signed, under a version that none of ours had. */
const renew = (state: State.State, joined: Topic.Joined, turn: Turn): State.Stepped => {
  const next = { ...joined, version: Math.max(turn.nowMs, joined.version + 1) }
  const topics = Table.set(state.durable.topics, joined.hash, next)
  return [
    State.withDurable(state, { topics }),
    [{ _tag: "SignProfile", joined: next, content: contentOf(state), issuedMs: turn.nowMs }]
  ]
}

/** Takes up being in a topic: after joining it, and after a start. */
const enter = (state: State.State, joined: Topic.Joined, turn: Turn): State.Stepped =>
  State.chain(
    Members.withPresence(state, joined.hash, Presence.begin(turn.nowMs)),
    (current) => renew(current, joined, turn),
    (current) => [current, [{ _tag: "AnnounceTopic", topic: joined.hash }]],
    (current) => look(current, joined.hash, turn)
  )

/** Joins a topic. One that we are in already changes nothing. Refused with `topics-full`. */
export const join = (state: State.State, topic: Topic.Topic, turn: Turn): Outcome => {
  const hash = Base64url.encode(Topic.rendezvous(turn.sha256, topic))
  if (Table.has(state.durable.topics, hash)) return Result.succeed([state, []])
  if (Table.size(state.durable.topics) >= Limits.topicsMax) return Result.fail(Rejection.make("topics-full"))
  const version = (Table.get(state.durable.left, hash)?.version ?? 0) + 1
  const joined = { name: topic.name, key: topic.secret, hash, sinceMs: turn.nowMs, version }
  return Result.succeed(enter(Leaving.end(state, hash), joined, turn))
}

/** The topic an operator means: with its key exactly one, without it the one of that name. */
const find = (state: State.State, topic: Topic.Topic, turn: Turn): Result.Result<Topic.Joined, Rejection.Rejection> => {
  const hash = Base64url.encode(Topic.rendezvous(turn.sha256, topic))
  const named = Table.values(state.durable.topics).filter(
    (one) => one.hash === hash || (topic.secret === null && one.name === topic.name)
  )
  const exact = named.find((one) => one.hash === hash) ?? (named.length === 1 ? named[0] : undefined)
  return exact === undefined ? Result.fail(Rejection.make("unknown-topic", topic.name)) : Result.succeed(exact)
}

/** Leaves a topic: nobody finds us there any more, and members are told. Refused with `unknown-topic`. */
export const leave = (state: State.State, topic: Topic.Topic, turn: Turn): Outcome =>
  Result.map(find(state, topic, turn), (joined): State.Stepped => {
    const { hash } = joined
    const presence = Members.presence(state, hash) ?? Presence.begin(turn.nowMs)
    const known = Directory.members(presence.directory).map((one) => one.profile.swarmKey)
    const without = State.withDurable(state, { topics: Table.remove(state.durable.topics, hash) })
    const topics = HashMap.remove(state.passing.topics, hash)
    return State.chain(
      State.withPassing(without, { topics }),
      (current) => [current, [{ _tag: "WithdrawTopic", topic: hash }]],
      (current) => Leaving.begin(current, joined, known, turn)
    )
  })

/** Says something else of ourselves in every topic. */
export const setProfile = (state: State.State, content: Content, turn: Turn): State.Stepped => {
  const changed = State.withDurable(state, { profile: Table.set(state.durable.profile, "own", content) })
  return State.chain(
    changed,
    ...Table.values(changed.durable.topics).map((joined) => (current: State.State) => renew(current, joined, turn))
  )
}

/** A profile of ours is signed. The newest one is what we say from now on; the last one ends it. */
export const onSigned = (state: State.State, { profile }: Extract<Input, { _tag: "ProfileSigned" }>, turn: Turn) => {
  if (profile.content === null) return Leaving.onSigned(state, profile)
  const presence = Members.presence(state, profile.topic)
  const joined = Table.get(state.durable.topics, profile.topic)
  if (presence === undefined || joined?.version !== profile.version) return nothing(state)
  const isFirst = presence.own === undefined
  const told = isFirst ? [] : Presence.some(presence, Limits.topicToldMax, turn.entropy)
  const owned = { ...presence, own: profile }
  const seeking = Presence.seek(
    owned,
    told.map((one) => one.profile.swarmKey)
  )
  return State.chain(
    Members.withPresence(state, profile.topic, seeking),
    (current) => [current, Members.spread(current, profile)],
    (current) => meet(current, profile.topic, turn)
  )
}

const nothing = (state: State.State): State.Stepped => [state, []]

/** Looks for members, if that is due. */
const look = (state: State.State, hash: string, turn: Turn): State.Stepped => {
  const presence = Members.presence(state, hash)
  if (presence === undefined || presence.looking || presence.nextLookMs > turn.nowMs) return [state, []]
  const looking = Presence.look(presence, turn.nowMs, turn.entropy)
  return [Members.withPresence(state, hash, looking), [{ _tag: "LookUp", topic: hash }]]
}

/** Members were found, or none: the next are met. */
export const onFound = (
  state: State.State,
  { keys, topic }: Extract<Input, { _tag: "TopicFound" }>,
  turn: Turn
): State.Stepped => {
  const presence = Members.presence(state, topic)
  if (presence === undefined) return Leaving.onFound(state, topic, keys)
  const found = Presence.foundAlso(presence, keys, turn.entropy)
  return meet(Members.withPresence(state, topic, found), topic, turn)
}

/** Meets whom there is room and time for: on the link there is, or by a dial. */
const meet = (state: State.State, hash: string, turn: Turn): State.Stepped => {
  let current = state
  const outputs: Array<Output> = []
  for (;;) {
    const presence = Members.presence(current, hash)
    // Before our own profile is signed there is nothing to say.
    const chosen = presence?.own === undefined ? undefined : Presence.next(presence, turn.nowMs)
    if (chosen === undefined) return [current, outputs]
    current = Members.withPresence(current, hash, chosen.presence)
    const connection = Members.linkTo(current, chosen.key)
    if (connection === undefined) outputs.push({ _tag: "DialMember", swarmKey: chosen.key as RemoteSwarmKey })
    else {
      const [next, wanted] = Members.sayHello(current, connection, hash, turn)
      current = next
      outputs.push(...wanted)
    }
  }
}

/** A dial is over: if a link came of it, it opens within a moment. */
export const dialed = (
  state: State.State,
  { swarmKey }: Extract<Input, { _tag: "MemberDialed" }>,
  turn: Turn
): State.Stepped => {
  if (Members.linkTo(state, swarmKey) !== undefined) return [state, []]
  const untilMs = turn.nowMs + Limits.topicHelloAgainMs / 4
  const topics = HashMap.map(state.passing.topics, (presence) => Presence.endMeeting(presence, swarmKey, untilMs))
  return [State.withPassing(state, { topics }), []]
}

/** After a start we are back in every topic that we had not left. */
export const started = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    state,
    ...Table.values(state.durable.topics).map((joined) => (current: State.State) => enter(current, joined, turn)),
    ...Table.values(state.durable.left).map(
      (joined) => (current: State.State) => Leaving.begin(current, joined, [], turn)
    )
  )

const tickOne = (state: State.State, joined: Topic.Joined, turn: Turn): State.Stepped => {
  const { hash } = joined
  const before = Members.presence(state, hash)
  if (before === undefined) return [state, []]
  const presence = Presence.expire(before, turn.nowMs)
  const isRound = presence.nextRoundMs <= turn.nowMs
  const [known] = isRound ? Presence.some(presence, 1, turn.entropy) : []
  const rounded = isRound
    ? Presence.seek(
        { ...presence, nextRoundMs: turn.nowMs + Limits.topicRoundMs },
        known === undefined ? [] : [known.profile.swarmKey]
      )
    : presence
  const isOld = presence.own !== undefined && Presence.renewMs(presence.own) <= turn.nowMs
  return State.chain(
    rounded === before ? state : Members.withPresence(state, hash, rounded),
    (current) => (isOld && joined.version === presence.own?.version ? renew(current, joined, turn) : [current, []]),
    (current) => look(current, hash, turn),
    (current) => meet(current, hash, turn)
  )
}

/** What time brings about in topics. */
export const tick = (state: State.State, turn: Turn): State.Stepped => {
  if (Table.size(state.durable.topics) === 0 && HashMap.isEmpty(state.passing.leaving)) return [state, []]
  return State.chain(
    state,
    (current) => Leaving.tick(current, turn),
    ...Table.values(state.durable.topics).map((joined) => (current: State.State) => tickOne(current, joined, turn))
  )
}

/** When something is due in a topic; never if we are in none. */
export const nextMs = (state: State.State, nowMs: number): number => {
  let next = Leaving.nextMs(state)
  for (const presence of HashMap.values(state.passing.topics)) next = Math.min(next, Presence.dueMs(presence, nowMs))
  return next
}
