/**
 * Introductions on all three sides: made by our operator, put before it, answered, and what ends them.
 * It never befriends anybody: a yes is an errand to the holder of a key, and `Meeting` agrees with whoever proves it.
 * What an introducer says is kept apart from what is proven; nothing it says changes a friend, and its end ends its word.
 */
import { HashMap, Result } from "effect"
import type * as Verdict from "../admission/Verdict.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { utf8Length } from "../bytes/Bytes.ts"
import * as Introduction from "../friend/Introduction.ts"
import * as Roster from "../friend/Roster.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Introduce } from "../wire/Message.ts"
import * as Decisions from "./Decisions.ts"
import * as Errands from "./Errands.ts"
import type { Command, Turn } from "./Input.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>

const withIntroductions = (state: State.State, introductions: Introduction.Introductions): State.State =>
  introductions === state.durable.introductions ? state : State.withDurable(state, { introductions })

/** A friend that our operator can introduce: one whose key is in no doubt, and that takes messages of ours. */
const introducible = (
  state: State.State,
  { keyPrefix, name }: Extract<Command, { _tag: "Introduce" }>["one"]
): Result.Result<Roster.Friend, Rejection.Rejection> =>
  Result.flatMap(Roster.findFriend(state.durable.roster, name, keyPrefix), (friend) => {
    const { alarmed, allowsUs = ["message"] } = friend
    if (alarmed || Sending.isHeld(friend)) return Result.fail(Rejection.make("key-doubtful", name))
    return allowsUs.includes("message") ? Result.succeed(friend) : Result.fail(Rejection.make("no-capability", name))
  })

/** Our operator introduces two friends: each is told of the other, or neither is. */
export const introduce = (
  state: State.State,
  command: Extract<Command, { _tag: "Introduce" }>,
  turn: Turn
): Outcome => {
  const { note } = command
  if (Array.from(note).length > Limits.connectNoteMax) return Result.fail(Rejection.make("note-too-long"))
  const [one, other] = [introducible(state, command.one), introducible(state, command.other)]
  if (Result.isFailure(one)) return Result.fail(one.failure)
  if (Result.isFailure(other)) return Result.fail(other.failure)
  if (one.success.peerId === other.success.peerId) return Result.fail(Rejection.make("introduction-invalid"))
  const id = Sending.messageId(turn)
  const expiresAtMs = turn.nowMs + Limits.requestAgeMs
  const tell = (current: State.State, to: Roster.Friend, of: Roster.Friend): Outcome => {
    const about = { id, key: of.identityKey, name: of.name, yours: to.identityKey, expiresAtMs }
    const said = note === "" ? about : { ...about, note }
    const draft = { id, textBytes: utf8Length(note), expiresAtMs }
    const make = (place: { readonly stream: string; readonly number: number }): Introduce => ({
      kind: "Introduce",
      ...place,
      ...said
    })
    return Sending.enqueue(current, to.peerId, { ...draft, make }, turn)
  }
  return Result.flatMap(tell(state, one.success, other.success), (first) =>
    Result.map(tell(first[0], other.success, one.success), (second) => [second[0], [...first[1], ...second[1]]])
  )
}

/** Whether a friend who is here now has shown that this key led to the one we know it by: its record need not say so. */
const isOfSession = ({ durable, passing }: State.State, key: RemoteIdentityKey): boolean =>
  [...HashMap.entries(passing.sessions)].some(
    ([peerId, { opened }]) =>
      opened !== undefined &&
      Roster.friend(durable.roster, peerId as PeerId) !== undefined &&
      KeyHistory.leads(opened.peer.value.history, { key })
  )

/** Whose a key is, as far as we know it, before anybody has proven it. */
const standingOf = (state: State.State, key: RemoteIdentityKey): "stranger" | "friend" | "former" | "retired" => {
  const { friends } = state.durable.roster
  const holders = Table.values(friends).filter(({ identityKey }) => identityKey === key)
  const left = Table.values(friends).filter(
    ({ earlier = [], lost = [] }) => earlier.some((one) => one.key === key) || lost.includes(key)
  )
  const isFriend = [...holders, ...left].some(({ standing }) => standing === "Friend")
  if (isFriend || isOfSession(state, key)) return "friend"
  return holders.length > 0 ? "former" : left.length > 0 ? "retired" : "stranger"
}

/** Whether a key of ours is one that somebody may still be told: ours, and not left because it was stolen. */
const isGood = ({ earlier, identityKey }: State.Self, key: string): boolean => {
  const at = earlier.findIndex((left) => left.key === key)
  return key === identityKey || (at >= 0 && !earlier.slice(at).some(({ reason }) => reason === "compromise"))
}

/** Whether a friend's introduction is put before our operator. */
export const ask = (
  state: State.State,
  friend: Roster.Friend,
  { expiresAtMs, key, name, yours }: Introduce,
  turn: Turn
): Verdict.Verdict => {
  const bytes = Base64url.decodeExact(key, 32)
  const another = key as RemoteIdentityKey
  const { introductions } = state.durable
  const theirs = [friend.identityKey, ...(friend.earlier ?? []).map((left) => left.key)]
  return Decisions.would({
    kind: "introduction",
    isTimely: expiresAtMs + Limits.freshnessMs > turn.nowMs,
    isOurs: isGood(state.self, yours),
    isAnother:
      bytes !== undefined &&
      turn.pure.ed25519ValidKey(bytes) &&
      !State.isOwnKey(state.self, another) &&
      !theirs.includes(key),
    isNamed: Result.isSuccess(Name.parse(name)),
    isDoubtful: friend.alarmed || Sending.isHeld(friend),
    again: Table.has(introductions, Introduction.keyOf(friend.peerId, another)),
    hasRoom: Introduction.makeRoom(introductions, friend.peerId) !== undefined
  })
}

/**
 * A friend introduces somebody: a question for our operator, asked once. Who is a friend already, or has left that key, is
 * no question; the introducer hears the same, so that it learns nothing of our friends.
 */
export const onIntroduce = (
  state: State.State,
  friend: Roster.Friend,
  { expiresAtMs, id, key, name, note = "", yours }: Introduce,
  turn: Turn
): State.Stepped => {
  const { durable } = state
  const another = key as RemoteIdentityKey
  const by = { peerId: friend.peerId, name: friend.name }
  const place = Introduction.keyOf(by.peerId, another)
  const before = Table.get(durable.introductions, place)
  const untilMs = Math.min(expiresAtMs + Limits.freshnessMs, turn.nowMs + Limits.requestAgeMs)
  if (before !== undefined) {
    if (before.state !== "Open" || before.expiresAtMs >= untilMs) return [state, []]
    const longer = Table.set(durable.introductions, place, { ...before, expiresAtMs: untilMs })
    return [withIntroductions(state, longer), []]
  }
  const standing = standingOf(state, another)
  const rivals = Table.values(durable.roster.friends).filter(
    (one) => one.standing === "Friend" && one.identityKey !== key && Roster.goesBy(one, name)
  ).length
  const about = { introduced: name, identityKey: another, note, standing, rivals, expiresAtMs: untilMs }
  const event = { _tag: "IntroductionReceived" as const, ...by, ...about, peerId: friend.peerId }
  const room = Introduction.makeRoom(durable.introductions, friend.peerId)
  if (standing === "friend" || standing === "retired" || room === undefined) {
    return [state, [{ _tag: "Tell", event }]]
  }
  const ours = yours as RemoteIdentityKey
  const times = { receivedAtMs: turn.nowMs, expiresAtMs: untilMs }
  const asked: Introduction.Introduction = { id, by, key: another, name, note, ours, state: "Open", ...times }
  return [withIntroductions(state, Table.set(room, place, asked)), [{ _tag: "Tell", event }]]
}

/** The requests and open introductions that a name means to our operator: all of one key, or it has to say which. */
export interface Meant {
  readonly request: Roster.AskedBy | undefined
  readonly introductions: ReadonlyArray<Introduction.Introduction>
}

/** Whom an operator means that has asked, or was introduced; `request` is who has asked, as the roster finds it. */
export const meant = (
  state: State.State,
  name: string,
  keyPrefix: string,
  request: Result.Result<Roster.AskedBy, Rejection.Rejection>
): Result.Result<Meant, Rejection.Rejection> => {
  const asked = Result.isSuccess(request) ? request.success : undefined
  // Who has asked may have left the introduced key: what is said to the one is said to the other.
  const introductions = Table.values(state.durable.introductions).filter(
    (one) =>
      one.state === "Open" &&
      (one.key === asked?.introducedBy?.key ||
        name === "" ||
        Roster.isMeant({ name: one.name, identityKey: one.key }, name, keyPrefix))
  )
  const isUnclear = Result.isFailure(request) && request.failure.code !== "unknown-peer"
  if (isUnclear || introductions.length === 0) return Result.map(request, (one) => ({ request: one, introductions }))
  const names = new Map<string, string>(introductions.map((one) => [one.key, one.name]))
  if (asked !== undefined) names.set(asked.introducedBy?.key ?? asked.identityKey, asked.name)
  return names.size === 1
    ? Result.succeed({ request: asked, introductions })
    : Result.fail(Roster.ambiguous([...names].map(([identityKey, called]) => ({ name: called, identityKey }))))
}

/** Our operator wants to be the friend of whoever holds the introduced key: it is looked for until it has said yes too. */
export const accept = (state: State.State, introduction: Introduction.Introduction, turn: Turn): Outcome => {
  const { by, expiresAtMs, key, name } = introduction
  const introducer = Roster.friend(state.durable.roster, by.peerId as PeerId)
  if (introducer === undefined || introducer.alarmed || Sending.isHeld(introducer)) {
    return Result.fail(Rejection.make("key-doubtful", by.name))
  }
  if (standingOf(state, key) === "friend") return Result.fail(Rejection.make("already-friends", name))
  const { peerId, topic } = Statement.signerOf(turn.pure, key)
  const id = Sending.messageId(turn)
  const accepted = Introduction.move(state.durable.introductions, introduction, "accept", { errand: id })
  const known = Roster.byKey(state.durable.roster, key)?.peerId ?? peerId
  const wish = { id, key, peerId: known, topic, madeAtMs: turn.nowMs, expiresAtMs, name, by }
  return Errands.add(withIntroductions(state, accepted), { kind: "introduced", ...wish }, turn)
}

/** Our operator turns introductions down; nobody is told. */
export const deny = (state: State.State, introductions: ReadonlyArray<Introduction.Introduction>): State.State =>
  withIntroductions(
    state,
    introductions.reduce((all, one) => Introduction.move(all, one, "deny"), state.durable.introductions)
  )

/** Whether our operator has turned down whoever shows this history, as introduced, and that is remembered: no rule undoes it. */
export const isTurnedDown = ({ durable }: State.State, history: KeyHistory.History): boolean =>
  Introduction.leading(durable.introductions, history).some(({ state }) => state === "Denied") ||
  Table.values(durable.roster.askedBy).some(
    ({ connect, identityKey, introducedBy }) =>
      introducedBy !== undefined && connect?.denied === true && KeyHistory.leads(history, { key: identityKey })
  )

/** Takes an introduction away with what hangs on it: who was looked for by it, and who has asked because of it. */
const end = (
  state: State.State,
  one: Introduction.Introduction,
  event: "befriend" | "expire" | "void"
): State.Stepped => {
  const { durable } = state
  const errand = one.errand === undefined ? undefined : Table.get(durable.errands, one.errand)
  const askedBy = Table.removeWhere(durable.roster.askedBy, ({ introducedBy }) => Introduction.isOf(one, introducedBy))
  const gone = withIntroductions(state, Introduction.move(durable.introductions, one, event))
  const code = event === "expire" ? ("introduction-over" as const) : ("introduction-void" as const)
  const outcome = event === "befriend" ? null : Rejection.make(event === "expire" ? "errand-expired" : code)
  const about = { peerId: one.by.peerId as PeerId, name: one.by.name, introduced: one.name, identityKey: one.key, code }
  const isTold = event !== "befriend" && one.state === "Open"
  return State.chain(
    askedBy === durable.roster.askedBy ? gone : State.withRoster(gone, { askedBy }),
    (current) => [current, isTold ? [{ _tag: "Tell", event: { _tag: "IntroductionEnded", ...about } }] : []],
    (current) => (errand === undefined ? [current, []] : Errands.end(current, errand, outcome))
  )
}

const endAll = (
  state: State.State,
  ended: ReadonlyArray<Introduction.Introduction>,
  event: "befriend" | "expire" | "void"
): State.Stepped => State.chain(state, ...ended.map((one) => (current: State.State) => end(current, one, event)))

/** A key of ours may be in other hands (null), or one of an introducer's: nobody knows any more who said what. */
export const compromised = (state: State.State, by: PeerId | null): State.Stepped =>
  endAll(
    state,
    Table.values(state.durable.introductions).filter((one) => by === null || one.by.peerId === by),
    "void"
  )

/**
 * Somebody has shown a history. A friend's answers every introduction of a key in it, whatever key we knew the friend by;
 * anybody else's voids those of a key that may be in other hands.
 */
export const shown = (state: State.State, history: KeyHistory.History): State.Stepped => {
  const { introductions, roster } = state.durable
  if (Table.size(introductions) === 0) return [state, []]
  const found = Roster.recognise(roster, history)
  const isFriend = found.kind === "one" && found.friend.standing === "Friend" && isTheirs[found.relation.kind]
  return isFriend
    ? endAll(state, Introduction.leading(introductions, history), "befriend")
    : endAll(state, Introduction.stolen(introductions, history), "void")
}

/** Whether a history is the friend's own. */
const isTheirs: { readonly [K in KeyHistory.Relation["kind"]]: boolean } = {
  same: true,
  rotated: true,
  unrelated: false,
  retired: false,
  forked: false
}

/** Every key that leads, or has led, to a friend, or by which it was introduced. */
const keysOfFriends = ({ friends }: Roster.Roster): ReadonlySet<string> =>
  new Set(
    Table.values(friends)
      .filter(({ standing }) => standing === "Friend")
      .flatMap(({ earlier = [], identityKey, introducedBy }) => [
        identityKey,
        ...earlier.map(({ key }) => key),
        ...(introducedBy === undefined ? [] : [introducedBy.key])
      ])
  )

/**
 * What is over after a turn: the introduced is a friend, its introducer is none, its time has passed, or what was wanted of
 * it has ended. Looked for after every turn, so that no path to any of these can forget an introduction.
 */
export const sweep = (before: State.State, stepped: State.Stepped, turn: Turn): State.Stepped => {
  const { introductions, roster } = stepped[0].durable
  if (Table.size(introductions) === 0) return stepped
  const isSame = before.durable.roster.friends === roster.friends && before.durable.introductions === introductions
  const friends = isSame ? undefined : keysOfFriends(roster)
  const turns = Table.values(introductions).map((one) => (current: State.State): State.Stepped => {
    if (friends?.has(one.key) === true) return end(current, one, "befriend")
    if (Roster.friend(roster, one.by.peerId as PeerId) === undefined) return end(current, one, "void")
    if (one.expiresAtMs <= turn.nowMs) return end(current, one, "expire")
    const isLookedFor = one.errand !== undefined && Table.has(current.durable.errands, one.errand)
    if (one.state !== "Accepted" || isLookedFor) return [current, []]
    const { errand: _, ...given } = one
    return [withIntroductions(current, Introduction.move(current.durable.introductions, given, "giveUp")), []]
  })
  return State.chain(stepped[0], (current) => [current, stepped[1]], ...turns)
}
