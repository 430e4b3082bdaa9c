/**
 * The interactive comparison between two operators, on the open session of two friends; and what each of them says of it.
 * It never says for an operator that two strings are the same, never sends a nonce that no operator asked for, and lets
 * no peer's word alone change a mark.
 * It lives as long as its session: the string is of that session, and whoever loses it begins anew.
 */
import { HashMap, Option, Redacted, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import * as Roster from "../friend/Roster.ts"
import * as Sas from "../friend/Sas.ts"
import * as Trust from "../friend/Trust.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { Message, Sas as SasMessage } from "../wire/Message.ts"
import * as Answering from "./Answering.ts"
import * as Connecting from "./Connecting.ts"
import type { Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>

/** The comparison under way with a peer. */
export const checkOf = (state: State.State, peerId: string): Sas.Check | undefined =>
  Option.getOrUndefined(HashMap.get(state.passing.checks, peerId))

const withCheck = (state: State.State, peerId: PeerId, check: Sas.Check): State.State =>
  State.withPassing(state, { checks: HashMap.set(state.passing.checks, peerId, check) })

const without = (state: State.State, peerId: PeerId): State.State =>
  State.withPassing(state, { checks: HashMap.remove(state.passing.checks, peerId) })

const say = (connection: string, message: Message): Output => ({
  _tag: "Transmit",
  connection,
  messages: [{ message }]
})

/** Whether a message belongs to a comparison. */
export const isPart = (message: { readonly kind: string }): message is SasMessage =>
  message.kind === "SasCommit" || message.kind === "SasReveal" || message.kind === "SasEnd"

const told = (
  { name, peerId }: Roster.Friend,
  event:
    | { readonly _tag: "SasOffered" | "SasAwaited"; readonly expiresAtMs: number }
    | ({ readonly _tag: "SasShown"; readonly expiresAtMs: number } & Sas.Short)
    | { readonly _tag: "SasEnded"; readonly code: Rejection.Code | null }
): Output => ({ _tag: "Tell", event: { peerId, name, ...event } })

/** Begins a comparison, or takes up the one that the friend has begun. One that is under way is shown again. */
export const begin = (state: State.State, friend: Roster.Friend, turn: Turn): Outcome => {
  const { peerId } = friend
  const session = State.session(state, peerId)
  if (session === undefined) return Result.fail(Rejection.make("not-connected", friend.name))
  const check = checkOf(state, peerId)
  const stage = Sas.next(check?.stage ?? "idle", "weBegin")
  if (stage === undefined) return Result.succeed([state, check === undefined ? [] : shown(friend, check)])
  const drawn = State.drawPassing(state, peerId, "sas", turn.nowMs)
  if (drawn.waitMs > 0) return Result.fail(Rejection.make("sas-rate", friend.name))
  return Result.succeed(
    check === undefined ? commit(drawn.state, friend, session, turn) : answer(drawn.state, friend, check, turn)
  )
}

const shown = (friend: Roster.Friend, { expiresAtMs, short }: Sas.Check): ReadonlyArray<Output> =>
  short === undefined ? [] : [told(friend, { _tag: "SasShown", ...short, expiresAtMs })]

const commit = (state: State.State, friend: Roster.Friend, session: State.Session, turn: Turn): State.Stepped => {
  const { connection } = session
  const nonce = Sas.nonceOf(turn.sha256, turn.entropy)
  const id = Sending.messageId(turn)
  const expiresAtMs = turn.nowMs + Limits.sasMs
  const check: Sas.Check = { stage: "committed", id, connection, expiresAtMs, nonce: Redacted.make(nonce) }
  const commitment = Sas.commitment(turn.sha256, termsOf(state, friend, id, "ours"), nonce)
  return [withCheck(state, friend.peerId, check), [say(connection, { kind: "SasCommit", id, commitment })]]
}

/** Our nonce against a commitment: from here on the string is decided, and neither side can choose it. */
const answer = (state: State.State, friend: Roster.Friend, check: Sas.Check, turn: Turn): State.Stepped => {
  const { connection, id } = check
  const nonce = Sas.nonceOf(turn.sha256, turn.entropy)
  return [
    withCheck(state, friend.peerId, { ...check, stage: "answered", nonce: Redacted.make(nonce) }),
    [say(connection, { kind: "SasReveal", id, nonce: Base64url.encode(nonce) })]
  ]
}

/** What this side holds the string to: both keys as it knows them, and the session as it sees it. */
const termsOf = (state: State.State, friend: Roster.Friend, id: string, whose: "ours" | "theirs"): Sas.Terms => {
  const { identityKey } = state.self
  const handshakeHash = State.session(state, friend.peerId)?.handshakeHash ?? ""
  return whose === "ours"
    ? { id, handshakeHash, initiator: identityKey, responder: friend.identityKey }
    : { id, handshakeHash, initiator: friend.identityKey, responder: identityKey }
}

/** A message of a comparison, from a friend. On a link that another session has replaced it says nothing. */
export const hear = (
  state: State.State,
  friend: Roster.Friend,
  connection: string,
  message: SasMessage,
  turn: Turn
): State.Stepped => {
  if (State.session(state, friend.peerId)?.connection !== connection) return [state, []]
  const check = checkOf(state, friend.peerId)
  if (message.kind === "SasCommit") return onCommit(state, friend, connection, message, turn)
  // What is late, or of another comparison, has no place any more.
  if (check === undefined || check.id !== message.id) return [state, []]
  return message.kind === "SasReveal"
    ? onReveal(state, friend, check, message.nonce, turn)
    : onEnd(state, friend, check, message.outcome, turn)
}

const onCommit = (
  state: State.State,
  friend: Roster.Friend,
  connection: string,
  { commitment, id }: Extract<SasMessage, { kind: "SasCommit" }>,
  turn: Turn
): State.Stepped => {
  const { peerId } = friend
  const before = checkOf(state, peerId)
  const stage = Sas.next(before?.stage ?? "idle", "theyCommit")
  // Both have begun: the smaller key is the initiator. Its own commitment stands, and the other side answers it.
  if (before?.stage === "committed" && state.self.identityKey < friend.identityKey) return [state, []]
  const expiresAtMs = before?.stage === "committed" ? before.expiresAtMs : turn.nowMs + Limits.sasMs
  const check = { id, connection, expiresAtMs, commitment }
  if (stage === "answered") return answer(state, friend, { ...check, stage }, turn)
  const drawn = State.drawPassing(state, peerId, "sasOffer", turn.nowMs)
  if (stage !== "invited" || drawn.waitMs > 0) {
    return [drawn.state, [say(connection, { kind: "SasEnd", id, outcome: "ended" })]]
  }
  return [withCheck(drawn.state, peerId, { ...check, stage }), [told(friend, { _tag: "SasOffered", expiresAtMs })]]
}

const onReveal = (
  state: State.State,
  friend: Roster.Friend,
  check: Sas.Check,
  nonce: string,
  turn: Turn
): State.Stepped => {
  const ours = check.nonce && Redacted.value(check.nonce)
  const theirs = Base64url.decode(nonce)
  if (Sas.next(check.stage, "theyReveal") !== "comparing" || ours === undefined) return [state, []]
  const weBegan = check.stage === "committed"
  const terms = termsOf(state, friend, check.id, weBegan ? "ours" : "theirs")
  if (theirs === undefined || (!weBegan && Sas.commitment(turn.sha256, terms, theirs) !== check.commitment)) {
    return broken(state, friend, check, turn)
  }
  const [first, second] = weBegan ? [ours, theirs] : [theirs, ours]
  const short = Sas.short(Sas.digest(turn.sha256, terms, first, second))
  const { connection, expiresAtMs, id } = check
  const comparing: Sas.Check = { stage: "comparing", id, connection, expiresAtMs, short }
  const reveal = say(connection, { kind: "SasReveal", id, nonce: Base64url.encode(ours) })
  return [withCheck(state, friend.peerId, comparing), [...(weBegan ? [reveal] : []), ...shown(friend, comparing)]]
}

/** The nonce is not what was committed to: no honest program does that, and whoever chose it late chose the string. */
const broken = (state: State.State, friend: Roster.Friend, check: Sas.Check, turn: Turn): State.Stepped => {
  const rejection = Rejection.make("sas-broken")
  return State.chain(
    without(state, friend.peerId),
    (current) => [current, [told(friend, { _tag: "SasEnded", code: rejection.code })]],
    (current) => Connecting.violated(current, check.connection, rejection, turn)
  )
}

/** What the friend's operator says, or that its side has ended the comparison. */
const onEnd = (
  state: State.State,
  friend: Roster.Friend,
  check: Sas.Check,
  outcome: "same" | "different" | "ended",
  turn: Turn
): State.Stepped => {
  const events = { same: "theyAgree", different: "theyDiffer", ended: "breaksOff" } as const
  const stage = Sas.next(check.stage, events[outcome])
  const { expiresAtMs } = check
  switch (stage) {
    case "awaited":
      return [withCheck(state, friend.peerId, { ...check, stage }), [told(friend, { _tag: "SasAwaited", expiresAtMs })]]
    case "matched":
      return matched(state, friend, turn)
    case "differed":
      return differed(state, friend, turn)
    case "idle":
      return [without(state, friend.peerId), [told(friend, { _tag: "SasEnded", code: "sas-ended" })]]
    default:
      return [state, []]
  }
}

/** Our operator has compared the strings. */
export const compared = (state: State.State, friend: Roster.Friend, same: boolean, turn: Turn): Outcome => {
  const check = checkOf(state, friend.peerId)
  const stage = check && Sas.next(check.stage, same ? "weAgree" : "weDiffer")
  if (check === undefined || stage === undefined) return Result.fail(Rejection.make("sas-unknown", friend.name))
  const { connection, id } = check
  const word = say(connection, { kind: "SasEnd", id, outcome: same ? "same" : "different" })
  if (stage === "agreed") return Result.succeed([withCheck(state, friend.peerId, { ...check, stage }), [word]])
  return Result.succeed(
    State.chain(
      state,
      (current) => [current, [word]],
      (current) => (stage === "matched" ? matched(current, friend, turn) : differed(current, friend, turn))
    )
  )
}

const matched = (state: State.State, friend: Roster.Friend, turn: Turn): State.Stepped =>
  State.chain(
    without(state, friend.peerId),
    (current) => verify(current, friend, "matches", turn),
    (current) => [current, [told(friend, { _tag: "SasEnded", code: null })]]
  )

const differed = (state: State.State, friend: Roster.Friend, turn: Turn): State.Stepped =>
  State.chain(
    without(state, friend.peerId),
    (current) => Rotating.doubt(current, friend, "mismatches", undefined, turn),
    (current) => [current, [told(friend, { _tag: "SasEnded", code: "sas-mismatch" })]]
  )

/**
 * The key we hold was compared and is right, which also settles any doubt about it: the mark first, so that nobody is told
 * of a state in between.
 */
const verify = (state: State.State, friend: Roster.Friend, why: "compares" | "matches", turn: Turn): State.Stepped => {
  const [marked, outputs] = Trusting.change(state, friend.peerId, why, turn)
  const settled = Rotating.confirm(marked, Roster.friend(marked.durable.roster, friend.peerId) ?? friend, turn)
  return State.chain(
    marked,
    (current) => [current, outputs],
    (current) => (Result.isSuccess(settled) ? settled.success : [current, []])
  )
}

/** Our operator has compared fingerprints over another channel. */
export const fingerprints = (state: State.State, friend: Roster.Friend, same: boolean, turn: Turn): State.Stepped =>
  same ? verify(state, friend, "compares", turn) : Rotating.doubt(state, friend, "mismatches", undefined, turn)

/** Our operator takes a verification back. */
export const takeBack = (state: State.State, friend: Roster.Friend, turn: Turn): Outcome => {
  const before = Trust.of(friend)
  return Trust.next(before, "takesBack") === before
    ? Result.fail(Rejection.make("nothing-to-take-back", friend.name))
    : Result.succeed(Trusting.change(state, friend.peerId, "takesBack", turn))
}

/** Comparisons whose session, friendship or time is over are over with it. After every turn; nearly always there is none. */
export const sweep = ([state, outputs]: State.Stepped, turn: Turn): State.Stepped => {
  if (HashMap.isEmpty(state.passing.checks)) return [state, outputs]
  const ended = [...state.passing.checks].sort().map(([peerId, check]) => (current: State.State): State.Stepped => {
    const friend = Roster.friend(current.durable.roster, peerId as PeerId)
    const isOpen = State.session(current, peerId as PeerId)?.connection === check.connection
    if (friend !== undefined && isOpen && turn.nowMs < check.expiresAtMs) return [current, []]
    const rest = without(current, peerId as PeerId)
    if (friend === undefined) return [rest, []]
    const end = say(check.connection, { kind: "SasEnd", id: check.id, outcome: "ended" })
    const code = isOpen ? "sas-unanswered" : "sas-ended"
    return [rest, [...(isOpen ? [end] : []), told(friend, { _tag: "SasEnded", code })]]
  })
  return State.chain(state, (current) => [current, outputs], ...ended)
}

/** Whoever may not have it any more because of a mark or a demand: what runs and waits ends, and what was answered is taken back. */
export const enforce = (before: State.State, [state, outputs]: State.Stepped, turn: Turn): State.Stepped => {
  const peers = Trusting.fallen(before, state)
  if (peers.length === 0) return [state, outputs]
  return State.chain(
    state,
    (current) => [current, outputs],
    ...peers.flatMap((peerId) => [
      (current: State.State) => Answering.stopAll(current, peerId, "not-verified", turn),
      (current: State.State) => Answering.takeBackAll(current, peerId, "not-verified", turn)
    ])
  )
}
