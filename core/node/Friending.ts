/**
 * Friend lines, both ways: what arrives in a channel, what the operator asks for, what is posted.
 * It never sees a line whose signature does not hold, and never compares a name with anything but other names.
 * A line is signed after the turn that decided on it is committed; the same fields give the same signature after a crash.
 */
import { Result } from "effect"
import * as Grants from "../admission/Grants.ts"
import * as RateLimit from "../admission/RateLimit.ts"
import * as ReplayWindow from "../admission/ReplayWindow.ts"
import type * as Verdict from "../admission/Verdict.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as AutoAccept from "../friend/AutoAccept.ts"
import * as Friendship from "../friend/Friendship.ts"
import * as Roster from "../friend/Roster.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import * as Name from "../identity/Name.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Accept, FriendLine, Request } from "../wire/FriendLine.ts"
import * as Answering from "./Answering.ts"
import * as Decisions from "./Decisions.ts"
import type { Input, Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import * as Outcomes from "./Outcomes.ts"
import type { Output } from "./Output.ts"
import * as Parting from "./Parting.ts"
import * as Posting from "./Posting.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

type Line = Extract<Input, { _tag: "Line" }>
interface Seen<L> extends Rotating.Claim {
  readonly line: Authentic<L>
  readonly channel: string
  readonly author: string | null
  readonly evidence: Verdict.AuthorEvidence
}

/**
 * What the channel's word about the author says of the name in the line (PROTOCOL.md §4). What is equal as names are
 * compared, and not as accounts are, proves nothing either way: it may be another's account, or an honest spelling.
 */
export const evidenceOf = (author: string | null, claimed: string): Verdict.AuthorEvidence => {
  if (author === null) return "unproven"
  if (Name.account(author) === Name.account(claimed)) return "same"
  return Name.fold(author) === Name.fold(claimed) ? "unproven" : "different"
}

const refused = (seen: Line, rejection: Rejection.Rejection): Output => ({
  _tag: "Tell",
  event: {
    _tag: "LineRefused",
    channel: seen.channel,
    author: seen.author,
    claimed: seen.line.value.from,
    rejection
  }
})

/** An authentic friend line. Lines for others, echoes and second copies are ignored in silence. */
export const onLine = (state: State.State, input: Line, turn: Turn): State.Stepped => {
  const { signer, value } = input.line
  const forUs = Name.fold(value.to) === Name.fold(state.self.name) && !State.isOwnKey(state.self, signer.key)
  if (!forUs) return [state, []]
  const once = ReplayWindow.admit(state.durable.replay, input.line, turn.nowMs)
  if (Result.isFailure(once)) {
    // An old line of whoever is a friend by now says nothing: after a restart a room's file is read again.
    const isOld = Roster.byKey(state.durable.roster, signer.key)?.standing === "Friend"
    return [state, once.failure.code === "line-seen" || isOld ? [] : [refused(input, once.failure)]]
  }
  const drawn = RateLimit.draw(state.passing.lineBudget, "line", turn.nowMs)
  const evidence = evidenceOf(input.author, value.from)
  const question = { kind: "line" as const, evidence, lineWaitMs: drawn.waitMs, ...standingOf(state, input) }
  const who = Decisions.whoIs(state, signer)
  const { state: asked, verdict } = Decisions.decide(state, who, `line ${value.kind}`, question)
  // A line over the rate is not remembered: it may be read again when the sender posts it again.
  if (drawn.waitMs > 0) return [asked, verdict.admitted ? [] : [refused(input, verdict.rejection)]]
  // Nor is one that came under another's account: a copy posted ahead by somebody else must not burn the honest line.
  const replay = evidence === "different" ? state.durable.replay : once.success
  const counted = State.withPassing(State.withDurable(asked, { replay }), { lineBudget: drawn.budgets })
  if (!verdict.admitted) return [counted, [refused(input, verdict.rejection)]]
  const claimed = Rotating.claimedBy(counted, input.channel, value.from, signer.key)
  const waits = Table.values(counted.durable.roster.askedBy).some(
    (request) => request.channel === input.channel && request.identityKey === signer.key
  )
  const seen = { channel: input.channel, author: input.author, evidence, claimed, waits }
  return isRequest(input.line)
    ? onRequest(counted, { ...seen, line: input.line }, turn)
    : onAccept(counted, { ...seen, line: input.line as Authentic<Accept> }, input, turn)
}

const isRequest = (line: Authentic<FriendLine>): line is Authentic<Request> => line.value.kind === "request"

/** The facts about the sender that the gate asks for. */
const standingOf = (state: State.State, { channel, line }: Line) => {
  const { roster } = state.durable
  const { signer, value } = line
  const known = Roster.byKey(roster, signer.key)
  const waiting = Table.values(roster.askedBy).filter(Roster.isOpen)
  const ofName = waiting.filter(
    (request) => request.channel === channel && Name.fold(request.name) === Name.fold(value.from)
  )
  const already = Table.has(roster.askedBy, Roster.askedByKey(channel, signer.peerId))
  const retired = known === undefined && Roster.isRetired(roster, signer.key)
  return {
    known: retired
      ? ("retired" as const)
      : already
        ? ("asked-by" as const)
        : known === undefined
          ? ("stranger" as const)
          : known.standing === "Friend"
            ? ("friend" as const)
            : ("former" as const),
    openRequests: value.kind === "accept" ? 0 : waiting.length,
    openRequestsOfName: value.kind === "accept" ? 0 : ofName.length
  }
}

const onRequest = (state: State.State, seen: Seen<Request>, turn: Turn): State.Stepped => {
  const { author, channel, evidence, line } = seen
  const { signer, value } = line
  const known = Roster.byKey(state.durable.roster, signer.key)
  const peerId = known?.peerId ?? signer.peerId
  const key = Roster.askedByKey(channel, peerId)
  const request: Roster.AskedBy = {
    peerId,
    channel,
    author,
    evidence,
    name: value.from,
    identityKey: signer.key,
    agreementKey: value.encryptPub,
    topic: signer.topic,
    signature: value.signature,
    receivedAtMs: turn.nowMs,
    expiresAtMs: turn.nowMs + Limits.requestAgeMs
  }
  const asked = State.withRoster(state, { askedBy: Table.set(state.durable.roster.askedBy, key, request) })
  const facts = { key: signer.key, channel, author, evidence }
  // Whom the operator has sent away, or turned down as introduced, no rule brings back: that takes the operator again.
  const isSentAway = known?.standing === "Former" || Introducing.isTurnedDown(state, KeyHistory.unrotated(signer.key))
  const rules = isSentAway ? [] : Table.values(state.durable.roster.rules)
  const namesakes = Roster.namesakes(state.durable.roster, channel, value.from, signer.key)
  const rule = rules.find((one) => AutoAccept.matches(one, facts))
  // A friend asks again when it has lost its records: our decision stands, so it gets a fresh acceptance.
  if (known?.standing === "Friend" || (rule !== undefined && namesakes.length === 0)) {
    const accepted = accept(asked, key, request, "rule", turn)
    if (Result.isSuccess(accepted)) return accepted.success
  }
  const others = Table.values(asked.durable.roster.askedBy).filter(
    (other) => other.channel === channel && other.peerId !== peerId && Name.fold(other.name) === Name.fold(value.from)
  )
  // A friend of that name there is an alarm of its own.
  const rivals = others.length + namesakes.length - seen.claimed.length
  const event = {
    _tag: "RequestReceived" as const,
    peerId,
    name: value.from,
    channel,
    author,
    evidence,
    identityKey: signer.key,
    rivals
  }
  return State.chain(
    asked,
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => Rotating.doubtAll(current, seen, turn)
  )
}

const refuseAndDoubt = (state: State.State, seen: Seen<Accept>, input: Line, code: Rejection.Code, turn: Turn) =>
  State.chain(
    state,
    (current) => [current, [refused(input, Rejection.make(code))]],
    (current) => Rotating.doubtAll(current, seen, turn)
  )

/** An acceptance counts in the channel of its request, from whom we asked, for the very line we posted, once. */
const onAccept = (state: State.State, seen: Seen<Accept>, input: Line, turn: Turn): State.Stepped => {
  const { channel, line } = seen
  const { signer, value } = line
  const { roster } = state.durable
  const key = Roster.askedKey(channel, value.from)
  const asked = Table.get(roster.asked, key)
  if (asked === undefined || asked.signature !== value.requestSignature) {
    const answered = Table.values(roster.friends).find((friend) => friend.requestSignature === value.requestSignature)
    if (answered !== undefined && contradicts(answered, seen)) return alarm(state, answered, turn)
    return refuseAndDoubt(state, seen, input, "accept-unexpected", turn)
  }
  if (seen.claimed.length > 0) return refuseAndDoubt(state, seen, input, "key-change", turn)
  const known = Roster.byKey(roster, signer.key)
  const peerId = known?.peerId ?? signer.peerId
  const leaving = Roster.leavingFor(roster, peerId)
  if (leaving === "nobody") return [state, [refused(input, Rejection.make("friends-full"))]]
  const answered = State.withRoster(state, {
    asked: Table.remove(roster.asked, key),
    askedBy: Table.remove(roster.askedBy, Roster.askedByKey(channel, peerId))
  })
  const friend = {
    peerId,
    name: value.from,
    standing: "Friend" as const,
    identityKey: signer.key,
    agreementKey: value.encryptPub,
    topic: signer.topic,
    channel,
    evidence: seen.evidence,
    sinceMs: turn.nowMs,
    cameOf: [value.requestSignature],
    acceptSignature: value.signature,
    requestSignature: value.requestSignature,
    alarmed: false,
    knowsKey: asked.key ?? state.self.identityKey
  }
  return State.chain(
    answered,
    (current) => Parting.forget(current, leaving),
    (current) => befriend(current, friend, "peer", turn)
  )
}

/**
 * Whether another key has answered a request in the friend's place: in the channel and under the name that were asked.
 * Anywhere else the same line would have been refused before the friend answered as well, so it says nothing of the friend.
 */
const contradicts = (friend: Roster.Friend, { channel, line: { signer, value } }: Seen<Accept>): boolean =>
  friend.identityKey !== signer.key && friend.channel === channel && Name.fold(friend.name) === Name.fold(value.from)

/**
 * Two keys answered one request: one of them lies. Inject stops for the friend, also what runs now, until the operator
 * befriends anew.
 */
const alarm = (state: State.State, friend: Roster.Friend, turn: Turn): State.Stepped => {
  const friends = Table.set(state.durable.roster.friends, friend.peerId, { ...friend, alarmed: true })
  const event = {
    _tag: "Alarm" as const,
    peerId: friend.peerId,
    name: friend.name,
    rejection: Rejection.make("second-accept")
  }
  return State.chain(
    State.withRoster(state, { friends }),
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => Answering.stopAll(current, friend.peerId, "revoked", turn),
    (current) => Trusting.change(current, friend.peerId, "doubts", turn)
  )
}

/** What is told of a new friend, or of one that has agreed again. */
const friendshipMade = (record: Roster.Friend, by: "operator" | "rule" | "peer" | "invite"): Output => {
  const { channel, evidence, identityKey, introducedBy, name, peerId } = record
  const introduced = introducedBy === undefined ? {} : { introducedBy: introducedBy.name }
  const event = { _tag: "FriendshipMade" as const, peerId, name, channel, identityKey, evidence, by, ...introduced }
  return { _tag: "Tell", event }
}

/** Records a friend: `message` and nothing else, a new stream, and a door that is open again if it was shut. */
export const befriend = (
  state: State.State,
  friend: Roster.Friend,
  by: "operator" | "rule" | "peer" | "invite",
  turn: Turn
): State.Stepped => {
  const { peerId } = friend
  const before = Table.get(state.durable.roster.friends, peerId)
  const swarmKey = friend.swarmKey ?? before?.swarmKey
  // Asking again is no way to another name, nor out of an alarm or its cause: those are the operator's to change.
  const { agreementKey, knowsKey = state.self.identityKey } = friend
  const asksAgain = before?.standing === "Friend" && by === "rule"
  const { cameOf, sinceMs } = friend
  // Who asks again begins anew; a second acceptance while we are friends is the other half of two who asked at once.
  const twice = before?.standing === "Friend" && !asksAgain
  const both = twice ? [...before.cameOf, ...cameOf].slice(-Limits.requestsPerFriendshipMax) : cameOf
  // Whoever answers for somebody else whom we have asked is still the friend we know it as.
  const same = twice && by === "peer" ? { name: before.name, channel: before.channel, alarmed: before.alarmed } : {}
  const renewed = asksAgain
    ? { ...before, agreementKey, knowsKey, sinceMs, cameOf }
    : { ...friend, ...same, cameOf: both }
  const record = { ...renewed, ...Roster.keysKept(before), ...(swarmKey === undefined ? {} : { swarmKey }) }
  // A friend who is befriended again keeps what the operator granted; everybody else starts with `message`.
  const grants =
    before?.standing === "Friend"
      ? state.durable.grants
      : Grants.allow(Grants.withdrawAll(state.durable.grants, peerId), peerId, Grants.own, "message", turn.nowMs)
  // Nothing that waited for a former friend is meant for the new one, least of all the end of the old friendship.
  const cleared =
    before?.standing === "Friend" ? state.durable.outbox : Outbox.clear(state.durable.outbox, peerId).outbox
  const { gone, outbox } = Outbox.open(cleared, peerId, Sending.streamId(turn))
  const outputs: ReadonlyArray<Output> = [
    ...(swarmKey === undefined || asksAgain ? [] : [{ _tag: "Unblock" as const, swarmKey }]),
    friendshipMade(record, by)
  ]
  const befriended = State.withDurable(
    State.withRoster(state, { friends: Table.set(state.durable.roster.friends, peerId, record) }),
    // Nor is it a way out of a ban, which has an end of its own.
    { grants, outbox, bans: asksAgain ? state.durable.bans : Table.remove(state.durable.bans, peerId) }
  )
  return State.chain(
    // How often it was looked for to say farewell does not count against a friend.
    before?.standing === "Former" ? State.withContact(befriended, peerId, { attempt: 0, nextDialMs: 0 }) : befriended,
    (current) => [current, outputs],
    ...gone.map(
      (entry) => (current: State.State) => Outcomes.giveUp(current, peerId, entry, Rejection.make("unresolved"), turn)
    )
  )
}

/** A request is accepted: the friend is recorded, and the line that says so is wanted. Refused with `friends-full`. */
export const accept = (
  state: State.State,
  key: string,
  request: Roster.AskedBy,
  by: "operator" | "rule",
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  const { roster } = state.durable
  const leaving = Roster.leavingFor(roster, request.peerId)
  if (leaving === "nobody") return Result.fail(Rejection.make("friends-full"))
  const standing = Roster.friend(roster, request.peerId) === undefined ? "AskedBy" : "Friend"
  if (Friendship.next(standing, "weAccept") !== "Friend") throw new Error("an acceptance has no place here")
  const { notPosted: _, ...asked } = request
  const accepted = { ...asked, acceptedAtMs: turn.nowMs, acceptedKey: state.self.identityKey }
  const chosen = State.withRoster(state, { askedBy: Table.set(roster.askedBy, key, accepted) })
  const made = State.chain(
    chosen,
    (current) => Parting.forget(current, leaving),
    (current) =>
      befriend(
        current,
        {
          peerId: request.peerId,
          name: request.name,
          standing: "Friend",
          identityKey: request.identityKey,
          agreementKey: request.agreementKey,
          topic: request.topic,
          channel: request.channel,
          evidence: request.evidence,
          sinceMs: turn.nowMs,
          cameOf: [request.signature],
          alarmed: false,
          knowsKey: state.self.identityKey
        },
        by,
        turn
      ),
    (current) => [current, [Posting.acceptance(key, accepted)]]
  )
  return Result.succeed(made)
}

/** The operator asks somebody to be friends. Asking again posts a new line and voids the older one. */
export const ask = (
  state: State.State,
  channel: string,
  to: string,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  const { roster } = state.durable
  if (Name.fold(to) === Name.fold(state.self.name)) return Result.fail(Rejection.make("own-name"))
  const isFriend = Table.values(roster.friends).some(
    (friend) => friend.standing === "Friend" && friend.channel === channel && Name.fold(friend.name) === Name.fold(to)
  )
  if (isFriend) return Result.fail(Rejection.make("already-friends", to))
  const key = Roster.askedKey(channel, to)
  if (!Table.has(roster.asked, key) && Table.size(roster.asked) >= Limits.askedMax) {
    return Result.fail(Rejection.make("requests-full"))
  }
  const expiresAtMs = turn.nowMs + Limits.requestAgeMs
  const asked = { channel, to, tsMs: turn.nowMs, expiresAtMs, key: state.self.identityKey, posted: false }
  return Result.succeed([
    State.withRoster(state, { asked: Table.set(roster.asked, key, asked) }),
    [Posting.request(key, asked)]
  ])
}
