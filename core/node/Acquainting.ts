/**
 * Becoming friends over a session, without a line in a channel: both ends have proven who they are, and both agree.
 * It never asks whether they may: an invite that was redeemed or a request that was accepted has answered that.
 * The record, the grant and whatever it came of are one turn and so one commit; the link becomes the friend's session.
 */
import { Result } from "effect"
import type { Capability } from "../admission/Capability.ts"
import * as Grants from "../admission/Grants.ts"
import * as Friendship from "../friend/Friendship.ts"
import * as Roster from "../friend/Roster.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Connecting from "./Connecting.ts"
import * as Friending from "./Friending.ts"
import * as Guests from "./Guests.ts"
import type { Turn } from "./Input.ts"
import * as Parting from "./Parting.ts"
import * as State from "./State.ts"

/** What both ends know of the friendship they begin. */
export interface Terms {
  readonly opened: State.Opened
  /** What the far end calls itself: a claim, like the name in a line. */
  readonly name: string
  /** What the friendship came by, where a line names its channel. */
  readonly channel: string
  /** What names this friendship on both sides, in the form of a line's signature. */
  readonly of: string
  /** What we allow; `message` is always among it. */
  readonly allows: ReadonlyArray<Capability>
  /** What the far end has said that it allows us. */
  readonly allowsUs?: ReadonlyArray<string>
  /** The key of the far end that we knew before, whose history led to the one it has. */
  readonly anchor?: RemoteIdentityKey
}

/** The record of whoever is on a link, friend or former, and the id it has here. */
export const recordOf = (
  state: State.State,
  { peer }: State.Opened
): { readonly peerId: PeerId; readonly record: Roster.Friend | undefined } => {
  const found = Roster.recognise(state.durable.roster, peer.value.history)
  return found.kind === "one"
    ? { peerId: found.friend.peerId, record: found.friend }
    : { peerId: peer.signer.peerId, record: undefined }
}

/** Makes the far end of a link a friend. Refused with `friends-full`. Who is one already is allowed more, and that is all. */
export const agree = (
  state: State.State,
  terms: Terms,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  const { peerId, record } = recordOf(state, terms.opened)
  const leaving = Roster.leavingFor(state.durable.roster, peerId)
  if (leaving === "nobody") return Result.fail(Rejection.make("friends-full"))
  if (Friendship.next(record?.standing ?? "Stranger", "agree") !== "Friend") throw new Error("no place to agree")
  return Result.succeed(
    State.chain(
      state,
      (current) => Parting.forget(current, leaving),
      (current) =>
        record?.standing === "Friend"
          ? [renew(current, record, terms), []]
          : Friending.befriend(current, recordFrom(state, peerId, terms, turn), "invite", turn),
      (current) => [allowed(current, peerId, terms, turn), []],
      (current) => settleIn(current, peerId, terms, turn)
    )
  )
}

/** The keys that led from the one we knew to the one it has: it has left them for ever. */
export const leftKeys = ({ anchor, opened }: Pick<Terms, "anchor" | "opened">): Partial<Roster.Friend> => {
  const keys = KeyHistory.keysOf(opened.peer.value.history)
  const at = anchor === undefined ? -1 : keys.indexOf(anchor)
  const left = at < 0 ? [] : keys.slice(at, -1).map((key) => ({ key, settled: false }))
  return left.length === 0 ? {} : { earlier: left }
}

const recordFrom = (state: State.State, peerId: PeerId, terms: Terms, turn: Turn): Roster.Friend => {
  const { signer, value } = terms.opened.peer
  return {
    ...leftKeys(terms),
    peerId,
    name: terms.name,
    standing: "Friend",
    identityKey: signer.key,
    agreementKey: value.agreementKey,
    topic: signer.topic,
    channel: terms.channel,
    // Nobody but the link says who this is; a fingerprint does.
    evidence: "unproven",
    sinceMs: turn.nowMs,
    cameOf: [terms.of],
    alarmed: false,
    knowsKey: state.self.identityKey,
    ...(terms.allowsUs === undefined ? {} : { allowsUs: terms.allowsUs })
  }
}

/** One more name for a friendship that there is, and what the far end has said that it allows us. */
export const renew = (
  state: State.State,
  record: Roster.Friend,
  { allowsUs, of }: Pick<Terms, "allowsUs" | "of">
): State.State => {
  const others = record.cameOf.filter((one) => one !== of)
  const renewed = {
    ...record,
    cameOf: [...others, of].slice(-Limits.requestsPerFriendshipMax),
    ...(allowsUs === undefined ? {} : { allowsUs })
  }
  return State.withRoster(state, { friends: Table.set(state.durable.roster.friends, record.peerId, renewed) })
}

const allowed = (state: State.State, peerId: PeerId, { allows }: Terms, turn: Turn): State.State => {
  const missing = allows.filter(
    (capability) => !Grants.covers(state.durable.grants, peerId, Grants.own, capability, turn.nowMs)
  )
  const grants = missing.reduce(
    (current, capability) => Grants.allow(current, peerId, Grants.own, capability, turn.nowMs),
    state.durable.grants
  )
  return missing.length === 0 ? state : State.withDurable(state, { grants })
}

/** The guest's link is the friend's session from now on; open requests between the two are answered by it. */
const settleIn = (state: State.State, peerId: PeerId, { opened }: Terms, turn: Turn): State.Stepped => {
  const askedBy = Table.removeWhere(state.durable.roster.askedBy, (request) => request.peerId === peerId)
  const answered = State.withRoster(state, { askedBy })
  const friend = Roster.friend(answered.durable.roster, peerId)
  if (friend === undefined || Guests.at(answered, opened.connection) === undefined) return [answered, []]
  return Connecting.admit(Guests.forget(answered, opened.connection), opened, friend, turn)
}
