/**
 * Rotations, ours and theirs: who a history speaks for, what is doubted and settled, who has still to hear of our key.
 * It never changes a name, a grant, a conversation or a queue: those name the PeerId, and a rotation leaves it alone.
 * Ours is done when the vault holds the new keys; what is left here is to be found under the old ones until all know.
 */
import { HashMap, Result } from "effect"
import type * as Verdict from "../admission/Verdict.ts"
import * as Invite from "../friend/Invite.ts"
import * as PeerKey from "../friend/PeerKey.ts"
import * as Roster from "../friend/Roster.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { Proof } from "../session/Proof.ts"
import * as Table from "../Table.ts"
import * as Answering from "./Answering.ts"
import type { Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import type { Output } from "./Output.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

const withFriend = (state: State.State, friend: Roster.Friend): State.State =>
  State.withRoster(state, { friends: Table.set(state.durable.roster.friends, friend.peerId, friend) })

/** Whom an authenticated far end is, as the gate asks for it; what its history taught us is in the state already. */
export interface Met {
  readonly stepped: State.Stepped
  readonly known: Roster.Friend | undefined
  readonly standing: Extract<Verdict.Question, { readonly kind: "session" }>["standing"]
}

/** Recognises the far end of a link by its key or by a history that leads to it, and learns from it. */
export const meet = (state: State.State, peer: Authentic<Proof>, turn: Turn): Met => {
  const { history } = peer.value
  if (KeyHistory.keysOf(history).some((key) => State.isOwnKey(state.self, key))) {
    return { stepped: [state, []], known: undefined, standing: "entangled" }
  }
  const found = Roster.recognise(state.durable.roster, history)
  if (found.kind === "nobody") return { stepped: [state, []], known: undefined, standing: "stranger" }
  const { friend } = found
  if (found.kind === "several") return { stepped: [state, []], known: friend, standing: "entangled" }
  switch (found.relation.kind) {
    case "unrelated":
      return { stepped: [state, []], known: undefined, standing: "stranger" }
    case "retired":
      return { stepped: [state, []], known: friend, standing: "retired" }
    case "forked": {
      const stepped = doubt(state, friend, "contradicts", peer.signer.key, turn)
      return { stepped, known: friend, standing: "forked" }
    }
    case "same":
      return { stepped: [state, []], known: friend, standing: standingOf(friend) }
    case "rotated": {
      const stepped = follow(state, friend, found.relation, peer, turn)
      const known = Table.get(stepped[0].durable.roster.friends, friend.peerId)
      return { stepped, known, standing: standingOf(friend) }
    }
  }
}

const standingOf = ({ standing }: Roster.Friend) => (standing === "Friend" ? ("friend" as const) : ("former" as const))

type Rotated = Extract<KeyHistory.Relation, { readonly kind: "rotated" }>

/** A peer has moved on to another key: its record follows, and whatever was open under the old one ends. */
const follow = (
  state: State.State,
  friend: Roster.Friend,
  { accepted, reason, recovered }: Rotated,
  peer: Authentic<Proof>,
  turn: Turn
): State.Stepped => {
  const { name, peerId } = friend
  const { agreementKey, history, swarmKey } = peer.value
  const claimed = friend.doubt?.state === "Changed" ? friend.doubt.key : undefined
  const vouched = claimed !== undefined && KeyHistory.keysOf(history).some((key) => key === claimed)
  const after = PeerKey.next(Roster.keyState(friend), recovered ? "recovers" : vouched ? "vouches" : "rotates")
  const moved = { ...Roster.withAccepted(friend, accepted), agreementKey, swarmKey, topic: peer.signer.topic }
  const record = after === "Known" ? Roster.withoutDoubt(moved) : moved
  // Under this key somebody may have asked for a friendship that there is already.
  const askedBy = Table.removeWhere(state.durable.roster.askedBy, (one) => one.identityKey === accepted.current)
  const told: Output = {
    _tag: "Tell",
    event: {
      _tag: "KeyRotated",
      whose: "theirs",
      peerId,
      name,
      from: friend.identityKey,
      to: accepted.current,
      reason,
      byRecoveryKey: recovered
    }
  }
  const settled = friend.doubt !== undefined && after === "Known"
  const known = new Set([friend.identityKey, ...(friend.earlier ?? []).map(({ key }) => key)])
  const stolen = history.steps.some((step) => step.reason === "compromise" && !known.has(step.to))
  return State.chain(
    State.withRoster(withFriend(state, record), { askedBy }),
    (current) => hangUpAll(current, peerId),
    (current) => (stolen ? Introducing.compromised(current, peerId) : [current, []]),
    (current) => Trusting.change(current, peerId, stolen ? "compromises" : "rotates", turn),
    (current) => [current, settled ? [told, settledBy(friend, recovered ? "recovery-key" : "history")] : [told]]
  )
}

/** Ends every session of a peer: nothing that still comes on them counts. */
const hangUpAll = (state: State.State, peerId: PeerId): State.Stepped => {
  const open = [...state.passing.connections].filter(([, of]) => of === peerId).map(([connection]) => connection)
  const connections = HashMap.filter(state.passing.connections, (of) => of !== peerId)
  const sessions = HashMap.remove(state.passing.sessions, peerId)
  return [
    State.withPassing(state, { connections, sessions }),
    open.sort().map((connection): Output => ({ _tag: "HangUp", connection, code: null }))
  ]
}

const settledBy = ({ name, peerId }: Roster.Friend, by: "operator" | "recovery-key" | "history"): Output => ({
  _tag: "Tell",
  event: { _tag: "AlarmEnded", peerId, name, by }
})

const alarms = { Forked: "key-fork", Changed: "key-change", Mismatched: "sas-mismatch" } as const

/**
 * A friend's key is in doubt: its messages wait and injects stop, and the operator is asked. Nothing is replaced. `key` is
 * the one that puts it in doubt; where people found a difference there is none.
 */
export const doubt = (
  state: State.State,
  friend: Roster.Friend,
  event: "contradicts" | "claims" | "mismatches",
  key: RemoteIdentityKey | undefined,
  turn: Turn
): State.Stepped => {
  const before = Roster.keyState(friend)
  const next = PeerKey.next(before, event)
  if (next === undefined || next === "Known" || next === before) return [state, []]
  const { name, peerId } = friend
  const rejection = Rejection.make(alarms[next], key === undefined ? "" : `the other key is ${key}`)
  return State.chain(
    withFriend(state, { ...friend, doubt: { state: next, key: key ?? "" } }),
    (current) => Answering.stopAll(current, peerId, "revoked", turn),
    (current) => Trusting.change(current, peerId, event === "mismatches" ? event : "doubts", turn),
    (current) => [current, [{ _tag: "Tell", event: { _tag: "Alarm", peerId, name, rejection } }]]
  )
}

/** The friends whose name a line uses in their channel, under a key that is none of theirs and nobody's we know. */
export const claimedBy = (
  state: State.State,
  channel: string,
  name: string,
  key: RemoteIdentityKey
): ReadonlyArray<Roster.Friend> =>
  Roster.namesakes(state.durable.roster, channel, name, key).filter(
    (friend) => friend.channel === channel && Name.fold(friend.name) === Name.fold(name)
  )

/** What a line that uses friends' names says about their keys. */
export interface Claim {
  readonly claimed: ReadonlyArray<Roster.Friend>
  readonly line: { readonly signer: { readonly key: RemoteIdentityKey } }
  /** Whether a request under this key waits already: it raised its alarm when it came, and the operator has looked. */
  readonly waits: boolean
}

/** Another key under the name of friends: the operator has to look before anything more passes between us and them. */
export const doubtAll = (state: State.State, { claimed, line, waits }: Claim, turn: Turn): State.Stepped =>
  State.chain(
    state,
    ...(waits ? [] : claimed).map(
      (friend) => (current: State.State) => doubt(current, friend, "claims", line.signer.key, turn)
    )
  )

/** The operator has compared fingerprints and keeps the key we hold; what waited goes out. */
export const confirm = (
  state: State.State,
  friend: Roster.Friend,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  if (friend.doubt === undefined && !friend.alarmed) return Result.fail(Rejection.make("nothing-to-confirm"))
  const against = friend.doubt?.state === "Forked" ? (friend.doubt.key as RemoteIdentityKey) : undefined
  const settled = KeyHistory.settle(Roster.accepted(friend), against)
  const record = { ...Roster.withAccepted(Roster.withoutDoubt(friend), settled), alarmed: false }
  return Result.succeed(
    State.chain(
      withFriend(state, record),
      (current) => Trusting.change(current, friend.peerId, "confirms", turn),
      (current) => [current, [settledBy(friend, "operator")]],
      (current) => Sending.sendAgain(current, friend.peerId, turn)
    )
  )
}

/** After a start: records of an earlier key of ours become ours, in the turn that is committed before anything is done. */
export const adopt = (state: State.State): State.Stepped => {
  const { earlier, identityKey, name } = state.self
  const before = Table.get(state.durable.owner, "identity")
  if (before === identityKey) return [state, []]
  const owned = State.withDurable(state, { owner: Table.set(state.durable.owner, "identity", identityKey) })
  const at = earlier.findIndex((one) => one.key === before)
  const left = earlier[at]
  if (left === undefined) return [owned, []]
  const event = {
    _tag: "KeyRotated" as const,
    whose: "ours" as const,
    peerId: null,
    name,
    from: left.key,
    to: identityKey,
    reason: left.reason,
    byRecoveryKey: left.byRecoveryKey
  }
  // A scheduled rotation keeps invites: our history leads on from the key in the link. A thief may have read the links.
  const compromised = earlier.slice(at).some((one) => one.reason === "compromise")
  const invites = compromised ? Invite.revokeAll(state.durable.invites) : state.durable.invites
  return State.chain(
    State.withDurable(owned, { invites }),
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => (compromised ? Introducing.compromised(current, null) : [current, []])
  )
}

/** Whether a key that we have left is still worth being found under. */
const isFoundUnder = ({ leftAtMs }: State.OwnKey, nowMs: number): boolean => leftAtMs + Limits.keyAnnounceMs > nowMs

/** The key of ours that a friend looks us up under, if we have left it and it is worth being found there. */
const oldKeyOf = (self: State.Self, knows: string | undefined, nowMs: number): State.OwnKey | undefined => {
  if (knows === self.identityKey) return undefined
  const left = knows === undefined ? self.earlier[0] : self.earlier.find((one) => one.key === knows)
  return left !== undefined && isFoundUnder(left, nowMs) ? left : undefined
}

/** Keys that members of topics may have read in a profile of ours and asked to be friends with: such a request waits a week. */
const keysOfProfiles = ({ durable, self }: State.State, nowMs: number): ReadonlyArray<RemoteIdentityKey> =>
  Table.size(durable.topics) === 0
    ? []
    : self.earlier.filter(({ leftAtMs }) => leftAtMs + Limits.requestAgeMs > nowMs).map(({ key }) => key)

/**
 * The keys we are found under: the current one, and the newest of those that a friend may still know. What we know of it may
 * be as old as our disk, so the oldest one counts together with all that came after it.
 */
const keysToAnnounce = (state: State.State, nowMs: number): ReadonlyArray<RemoteIdentityKey> => {
  const { self } = state
  if (self.earlier.length === 0) return [self.identityKey]
  const { asked, friends } = state.durable.roster
  const known = [
    ...Table.values(friends).flatMap((friend) => (friend.standing === "Friend" ? [friend.knowsKey] : [])),
    ...Table.values(asked).flatMap(({ key }) => (key === undefined ? [] : [key])),
    ...Table.values(state.durable.invites).flatMap(({ issuer, state }) => (state === "Open" ? [issuer] : [])),
    ...keysOfProfiles(state, nowMs),
    ...Table.values(state.durable.introductions).flatMap(({ ours, state }) => (state === "Denied" ? [] : [ours]))
  ]
  const wanted = new Set(known.map((key) => key ?? self.earlier[0]!.key))
  const oldest = self.earlier.findIndex(({ key }) => wanted.has(key))
  const old = oldest < 0 ? [] : self.earlier.slice(oldest).filter((left) => isFoundUnder(left, nowMs))
  return [self.identityKey, ...old.slice(1 - Limits.keysAnnouncedMax).map(({ key }) => key)]
}

/** Announces what has to be announced now, and takes back what has not. */
export const announce = (state: State.State, turn: Turn): State.Stepped => {
  const wanted = keysToAnnounce(state, turn.nowMs)
  const { announced } = state.passing
  const added = wanted.filter((key) => !announced.has(key)).map((key): Output => ({ _tag: "Announce", key }))
  const gone = [...announced].filter((key) => !wanted.includes(key)).map((key): Output => ({ _tag: "Withdraw", key }))
  return added.length + gone.length === 0
    ? [state, []]
    : [State.withPassing(state, { announced: new Set(wanted) }), [...added, ...gone]]
}

/** A peer has said something that only who verified our proof, and stored what it taught, can say. */
export const seenBy = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const friend = Table.get(state.durable.roster.friends, peerId)
  if (friend === undefined || friend.knowsKey === state.self.identityKey) return [state, []]
  return announce(withFriend(state, { ...friend, knowsKey: state.self.identityKey }), turn)
}

/** The peer refuses our key itself: as one we have left, or as one of two. Our operator has to know. */
export const refusedBy = (state: State.State, peerId: PeerId, code: string, turn: Turn): State.Stepped => {
  const name = Table.get(state.durable.roster.friends, peerId)?.name ?? ""
  const alarm = code === "key-retired" ? "key-retired" : code === "key-fork" ? "key-disputed" : undefined
  const told: ReadonlyArray<Output> =
    alarm === undefined
      ? []
      : [{ _tag: "Tell", event: { _tag: "Alarm", peerId, name, rejection: Rejection.make(alarm, "said by the peer") } }]
  return State.chain(
    state,
    (current) => [current, told],
    // Who has refused our key for good has seen it, and need not be looked for.
    (current) => (Rejection.isCode(code) && Rejection.isTransient(code) ? [current, []] : seenBy(current, peerId, turn))
  )
}

/** A pause between half and all of the doubled one, so that friends who are away are not all dialled at once. */
const newsPauseMs = (attempt: number, turn: Turn): number => {
  const longest = Math.min(Limits.newsDialPauseMaxMs, Limits.dialPauseFirstMs * 2 ** Math.min(attempt, 24))
  return Math.round(longest * (0.5 + (turn.entropy[30] ?? 0) / 512))
}

/** Dials friends that have not seen our key, like a message that waits, until each has. */
export const bringNews = (state: State.State, turn: Turn): State.Stepped => {
  const { nowMs } = turn
  if (state.self.earlier.length === 0 || nowMs < state.passing.newsDueMs) return [state, []]
  const dueMs = ({ peerId }: Roster.Friend) => {
    if (State.session(state, peerId) !== undefined) return nowMs + Limits.newsCheckMs
    const { dialing, nextDialMs, nextNewsMs, pausedUntilMs } = State.contact(state, peerId)
    return dialing ? nowMs + Limits.retryPauseMs : Math.max(nextDialMs, nextNewsMs, pausedUntilMs)
  }
  const waiting = Table.values(state.durable.roster.friends)
    .filter((friend) => friend.standing === "Friend" && oldKeyOf(state.self, friend.knowsKey, nowMs) !== undefined)
    .map((friend) => ({ friend, dueMs: dueMs(friend) }))
    .sort((a, b) => a.dueMs - b.dueMs)
  const underWay = [...state.passing.contacts].filter(([, contact]) => contact.dialing).length
  const due = waiting.filter((one) => one.dueMs <= nowMs).slice(0, Math.max(0, Limits.newsDialsMax - underWay))
  const next = waiting.find((one) => !due.includes(one))?.dueMs ?? nowMs + Limits.newsCheckMs
  const newsDueMs = due.length > 0 ? nowMs + Limits.dialPauseFirstMs : Math.max(next, nowMs + Limits.dialPauseFirstMs)
  return State.chain(
    State.withPassing(state, { newsDueMs }),
    ...due.map(
      ({ friend }) =>
        (current: State.State) =>
          dialWithNews(current, friend, turn)
    )
  )
}

const dialWithNews = (state: State.State, friend: Roster.Friend, turn: Turn): State.Stepped => {
  const { newsAttempt } = State.contact(state, friend.peerId)
  const next = { newsAttempt: newsAttempt + 1, nextNewsMs: turn.nowMs + newsPauseMs(newsAttempt + 1, turn) }
  return Sending.dial(State.withContact(state, friend.peerId, next), friend, turn)
}
