/**
 * Who our friends are, who asked, whom we asked: the tables of the friend room and how they are looked up.
 * It never decides to befriend; `friend/Friendship` has the transitions and `admission/Verdict` the gate.
 * Friends are keyed by PeerId and requests by channel and key, so that no name can ever replace another's record.
 */
import { Result, Schema } from "effect"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey, RemoteSwarmKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Addresses from "./Addresses.ts"
import type { Rule } from "./AutoAccept.ts"
import { Origin } from "./Introduction.ts"
import type * as PeerKey from "./PeerKey.ts"
import { Mark } from "./Trust.ts"

const text = Schema.String
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(schema)

/** A friend, or one who was. `name` is what the line claimed; the keys are what was proven. */
export const Friend = Schema.Struct({
  peerId: text,
  name: text,
  /** What our operator calls it, if not by that name. */
  called: optional(text),
  standing: Schema.Literals(["Friend", "Former"]),
  identityKey: text,
  agreementKey: text,
  /** Rendezvous topic of the identity key, base64url. */
  topic: text,
  /** Learnt in the first session; absent before it. */
  swarmKey: optional(text),
  /** Where it was met lately, newest first: for us to dial, and told to nobody. */
  addresses: optional(Addresses.Addresses),
  channel: text,
  evidence: Schema.Literals(["same", "different", "unproven"]),
  sinceMs: Schema.Int,
  /** The accept line that made the friendship, to tell a second copy from a second, different one. */
  acceptSignature: optional(text),
  /** Signatures of the requests this friendship came of, the newest last: which friendship a late end speaks of. */
  cameOf: Schema.Array(text),
  /** Our request that this friendship answered. */
  requestSignature: optional(text),
  /** What the friend has told us we may do; `message` until it says otherwise. */
  allowsUs: optional(Schema.Array(text)),
  /** Set when a second, different acceptance was seen: inject stops until the operator looks. */
  alarmed: Schema.Boolean,
  /** Keys before the current one, each followed by the next; `settled`: nothing else can follow it any more. */
  earlier: optional(Schema.Array(Schema.Struct({ key: text, settled: Schema.Boolean }))),
  /** Keys of branches that lost a fork. */
  lost: optional(Schema.Array(text)),
  /** The commitment to the friend's recovery key as the first session brought it, null if it brought none. */
  recovery: optional(Schema.NullOr(text)),
  /** What makes the key doubtful, and the key that does. */
  doubt: optional(Schema.Struct({ state: Schema.Literals(["Forked", "Changed", "Mismatched"]), key: text })),
  /** What our operator has made sure of; absent = nobody has compared. */
  trust: optional(Mark),
  /** The key of ours that the friend is known to have accepted. */
  knowsKey: optional(text),
  /** Who introduced us, if that is what made us friends. */
  introducedBy: optional(Origin),
  /** Runs of its program that have greeted us, newest last; see `Runs`. */
  runs: optional(Schema.Array(text)),
  /** Its texts go into the conversation, and nobody is told. */
  muted: optional(Schema.Literal(true)),
  /** When it was last told that one identity is on two machines: the friend's as we saw it, ours as the friend says. */
  twoMachines: optional(Schema.Struct({ ours: optional(Schema.Int), theirs: optional(Schema.Int) }))
})
export type Friend = Omit<typeof Friend.Type, "peerId" | "identityKey" | "swarmKey"> & {
  readonly peerId: PeerId
  readonly identityKey: RemoteIdentityKey
  readonly swarmKey?: RemoteSwarmKey
}

/** How sure we are of a friend's key. */
export const keyState = (friend: Friend): PeerKey.State => friend.doubt?.state ?? "Known"

/** What we have accepted of a friend's keys, for comparing with a history. */
export const accepted = (friend: Friend): KeyHistory.Accepted => ({
  current: friend.identityKey,
  earlier: (friend.earlier ?? []).map(({ key, settled }) => ({ key: key as RemoteIdentityKey, settled })),
  lost: (friend.lost ?? []) as ReadonlyArray<RemoteIdentityKey>,
  recovery: friend.recovery ?? undefined
})

/** A friend with other keys accepted; everything else about it stays. */
export const withAccepted = (friend: Friend, { current, earlier, lost, recovery }: KeyHistory.Accepted): Friend => ({
  ...friend,
  identityKey: current,
  ...(earlier.length === 0 ? {} : { earlier }),
  ...(lost.length === 0 ? {} : { lost }),
  ...(recovery === undefined ? {} : { recovery })
})

/** A peer that is no friend any more: where it can be found is not kept. */
export const asFormer = ({ addresses: _, ...friend }: Friend): Friend => ({ ...friend, standing: "Former" })

/** A friend about whose key there is no doubt. */
export const withoutDoubt = ({ doubt: _, ...friend }: Friend): Friend => friend

/**
/**
 * What stays of a peer's keys when it is befriended again: those it has left are left for ever, and so is what was made
 * sure of. A recovery key, a doubt and where it was met stay with a friend; with a former one a new friendship begins, and
 * its first session brings them anew.
 */
export const keysKept = (before: Friend | undefined): Partial<Friend> => {
  if (before === undefined) return {}
  const { addresses, called, doubt, earlier, lost, muted, recovery, trust } = before
  const left = {
    ...(called === undefined ? {} : { called }),
    ...(earlier === undefined ? {} : { earlier }),
    ...(lost === undefined ? {} : { lost }),
    ...(muted === undefined ? {} : { muted }),
    ...(trust === undefined ? {} : { trust })
  }
  if (before.standing !== "Friend") return left
  const kept = { ...(doubt === undefined ? {} : { doubt }), ...(addresses === undefined ? {} : { addresses }) }
  return { ...left, ...(recovery === undefined ? {} : { recovery }), ...kept }
}

/** A request of ours that waits for an answer. `signature` is absent until the line has been signed. */
export const Asked = Schema.Struct({
  channel: text,
  to: text,
  tsMs: Schema.Int,
  signature: optional(text),
  expiresAtMs: Schema.Int,
  /** The identity key of ours that signs it: who accepts knows that one. */
  key: optional(text),
  /** How often this line has been handed to the channel: a crash in between posts the same line again. */
  posted: Schema.Boolean
})
export type Asked = typeof Asked.Type

/** A request of theirs that waits for the operator, or for our acceptance to be posted. */
export const AskedBy = Schema.Struct({
  peerId: text,
  channel: text,
  author: Schema.NullOr(text),
  evidence: Schema.Literals(["same", "different", "unproven"]),
  name: text,
  identityKey: text,
  agreementKey: text,
  topic: text,
  signature: text,
  receivedAtMs: Schema.Int,
  expiresAtMs: Schema.Int,
  /** Time in our acceptance once the operator has accepted; the record goes when the line is posted. */
  acceptedAtMs: optional(Schema.Int),
  /** The identity key of ours that signs our acceptance: no other may, or the requester sees two of us. */
  acceptedKey: optional(text),
  /** It came in a session, not as a line: its id there, the transport key, and whether the operator has turned it down. */
  connect: optional(
    Schema.Struct({
      id: text,
      swarmKey: text,
      note: text,
      /** The first key of whoever asks, where it is not the one it asked under. */
      first: optional(text),
      denied: optional(Schema.Literal(true))
    })
  ),
  /** It came from somebody whom a friend has introduced. */
  introducedBy: optional(Origin),
  /** Our acceptance was refused by the channel: the operator can accept once more. */
  notPosted: optional(Schema.Boolean)
})
export type AskedBy = Omit<typeof AskedBy.Type, "peerId" | "identityKey"> & {
  readonly peerId: PeerId
  readonly identityKey: RemoteIdentityKey
}

export interface Roster {
  readonly friends: Table.Table<Friend>
  readonly asked: Table.Table<Asked>
  readonly askedBy: Table.Table<AskedBy>
  readonly rules: Table.Table<Rule>
}

export const empty: Roster = {
  friends: Table.empty(),
  asked: Table.empty(),
  askedBy: Table.empty(),
  rules: Table.empty()
}

/** The key of a request of ours. A newline cannot occur in a channel's name or a display name. */
export const askedKey = (channel: string, to: string): string => `${channel}\n${Name.fold(to)}`
/** The key of a request of theirs: by who asked, not by the name they claim. */
export const askedByKey = (channel: string, peerId: PeerId): string => `${channel}\n${peerId}`

/** The record of a peer that is a friend now. */
export const friend = (roster: Roster, peerId: PeerId): Friend | undefined => {
  const record = Table.get(roster.friends, peerId)
  return record?.standing === "Friend" ? record : undefined
}

/** A peer by its current identity key, friends and former ones. */
export const byKey = (roster: Roster, key: RemoteIdentityKey): Friend | undefined =>
  Table.values(roster.friends).find((record) => record.identityKey === key)

/** Whether a key is one that a peer of ours has left, or of a branch that lost: nothing under it counts any more. */
export const isRetired = (roster: Roster, key: RemoteIdentityKey): boolean =>
  byKey(roster, key) === undefined &&
  Table.values(roster.friends).some(
    ({ earlier, lost }) => earlier?.some((left) => left.key === key) === true || lost?.includes(key) === true
  )

/** Whom a proven history belongs to: nobody we know, or several at once, or one peer and how it stands to its record. */
export type Recognised =
  | { readonly kind: "nobody" }
  | { readonly kind: "several"; readonly friend: Friend }
  | { readonly kind: "one"; readonly friend: Friend; readonly relation: KeyHistory.Relation }

/**
 * Finds the peer that a history speaks for. The holder of a key we hold now is that peer, whatever its past says of
 * others; a key that was left by anybody is retired for all; two friends can never become one. A friend who was one before,
 * under an earlier key of the same history, is the friend of today.
 */
export const recognise = (roster: Roster, history: KeyHistory.History): Recognised => {
  const present = byKey(roster, history.current)
  if (present !== undefined) {
    return { kind: "one", friend: present, relation: KeyHistory.relate(accepted(present), history) }
  }
  const keys = new Set<string>(KeyHistory.keysOf(history))
  const related = Table.values(roster.friends)
    .filter(({ earlier = [], identityKey, lost = [] }) =>
      [identityKey, ...lost, ...earlier.map((left) => left.key)].some((key) => keys.has(key))
    )
    .map((friend) => ({ kind: "one" as const, friend, relation: KeyHistory.relate(accepted(friend), history) }))
    .filter(({ relation }) => relation.kind !== "unrelated")
  const retired = related.find(({ relation }) => relation.kind === "retired")
  const friends = related.filter(({ friend }) => friend.standing === "Friend")
  const found = retired ?? friends[0] ?? related[0]
  if (found === undefined) return { kind: "nobody" }
  if (retired === undefined && friends.length === 1) return found
  return related.length > 1 && retired === undefined ? { kind: "several", friend: found.friend } : found
}

/** Which keys may answer under a topic or transport key, or what follows from them: those of friends found that way. */
export const expectedAt = (
  roster: Roster,
  topics: ReadonlyArray<string>,
  swarmKey: string,
  /** A former friend is only reached by a dial of ours, to be told that it is one. */
  dialled: boolean
): ReadonlyArray<KeyHistory.Anchor> =>
  Table.values(roster.friends)
    .filter((record) => dialled || record.standing === "Friend")
    .filter((record) => topics.includes(record.topic) || record.swarmKey === swarmKey)
    .map((record) => ({ key: record.identityKey, recovery: record.recovery ?? undefined }))

/**
 * Who must be forgotten before this peer can have a record: undefined where there is room, `nobody` where every record is
 * a friend's. The oldest former friend leaves: that it is told "not a friend" is what a stranger is told as well.
 */
export const leavingFor = (roster: Roster, peerId: PeerId): Friend | undefined | "nobody" => {
  if (Table.has(roster.friends, peerId) || Table.size(roster.friends) < Limits.friendsMax) return undefined
  const former = Table.values(roster.friends)
    .filter((record) => record.standing === "Former")
    .sort((a, b) => a.sinceMs - b.sinceMs)[0]
  return former ?? "nobody"
}

/** Whether a request waits for the operator's decision. */
export const isOpen = (request: AskedBy): boolean =>
  request.acceptedAtMs === undefined && request.connect?.denied !== true

/** Peers of one name that a refusal lists for the operator to choose from: what is read at a glance. */
const candidatesShownMax = 8

type Named = { readonly name: string; readonly called?: string; readonly identityKey: string }

/** The refusal where several are meant: it names a few of them as they can be typed. */
export const ambiguous = (found: ReadonlyArray<Named>): Rejection.Rejection => {
  const shown = found.slice(0, candidatesShownMax).map((peer) => `@${peer.name}#${peer.identityKey.slice(0, 8)}`)
  return Rejection.make("ambiguous-name", [...shown, ...(found.length > shown.length ? ["…"] : [])].join(", "))
}

const one = <A extends Named>(found: ReadonlyArray<A>, name: string): Result.Result<A, Rejection.Rejection> =>
  found.length === 1
    ? Result.succeed(found[0]!)
    : Result.fail(found.length === 0 ? Rejection.make("unknown-peer", name) : ambiguous(found))

/** Whether a record goes by a name: the one it claims, or the one that our operator gave it. */
export const goesBy = (record: Omit<Named, "identityKey">, name: string): boolean =>
  Name.fold(record.name) === Name.fold(name) ||
  (record.called !== undefined && Name.fold(record.called) === Name.fold(name))

/** Whether name and key prefix mean a record. A name may itself look like both; then it is meant too, and may be ambiguous. */
export const isMeant = (record: Named, name: string, keyPrefix: string): boolean =>
  (goesBy(record, name) && record.identityKey.startsWith(keyPrefix)) ||
  (keyPrefix !== "" && goesBy(record, `${name}#${keyPrefix}`))

/**
 * The friends that a stranger's key must not be taken for by its name: those of that name where it is used, and whom our
 * operator calls so anywhere. A friend's own key is nobody's namesake.
 */
export const namesakes = (
  { friends }: Roster,
  channel: string,
  name: string,
  key: RemoteIdentityKey
): ReadonlyArray<Friend> => {
  const ours = Table.values(friends).filter(({ standing }) => standing === "Friend")
  if (ours.some(({ identityKey }) => identityKey === key)) return []
  return ours.filter(
    (friend) => goesBy(friend, name) && (friend.channel === channel || Name.fold(friend.name) !== Name.fold(name))
  )
}

/** A friend under a name of our operator's choice, which nobody else may go by; its own name again takes that away. */
export const call = (roster: Roster, friend: Friend, called: string): Result.Result<Friend, Rejection.Rejection> => {
  const others = Table.values(roster.friends).filter(
    ({ peerId, standing }) => standing === "Friend" && peerId !== friend.peerId
  )
  if (others.some((other) => goesBy(other, called))) return Result.fail(Rejection.make("name-taken", called))
  const { called: _, ...plain } = friend
  return Result.succeed(Name.fold(called) === Name.fold(friend.name) ? plain : { ...plain, called })
}

/** The friend an operator means, by name and perhaps the first characters of the key; `not-a-friend` for a former one. */
export const findFriend = (
  roster: Roster,
  name: string,
  keyPrefix: string
): Result.Result<Friend, Rejection.Rejection> => {
  const named = Table.values(roster.friends).filter((record) => isMeant(record, name, keyPrefix))
  const friends = named.filter((record) => record.standing === "Friend")
  return friends.length === 0 && named.length > 0
    ? Result.fail(Rejection.make("not-a-friend", name))
    : one(friends, name)
}

/**
 * The request an operator means: by claimed name, or by name and the first characters of the key; with an empty name the
 * only one there is. One that is accepted and waits to be posted is meant no more; to accept it once `again`, its acceptance must have failed to be posted.
 */
export const findAskedBy = (
  roster: Roster,
  name: string,
  keyPrefix: string,
  again = false
): Result.Result<AskedBy, Rejection.Rejection> =>
  one(
    Table.values(roster.askedBy)
      .filter((record) => isOpen(record) || (again && record.notPosted === true))
      .filter((record) => name === "" || isMeant(record, name, keyPrefix)),
    name === "" ? "nobody has asked" : name
  )

/** Drops requests whose time is over; the same roster if there are none. */
export const expire = (roster: Roster, nowMs: number): Roster => {
  const asked = Table.removeWhere(roster.asked, (record) => record.expiresAtMs <= nowMs)
  const askedBy = Table.removeWhere(roster.askedBy, (record) => record.expiresAtMs <= nowMs)
  return asked === roster.asked && askedBy === roster.askedBy ? roster : { ...roster, asked, askedBy }
}
