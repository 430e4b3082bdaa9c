/**
 * Who our friends are, who asked, whom we asked: the tables of the friend room and how they are looked up.
 * It never decides to befriend; `friend/Friendship` has the transitions and `admission/Verdict` the gate.
 * Friends are keyed by PeerId and requests by channel and key, so that no name can ever replace another's record.
 */
import { Result, Schema } from "effect"
import type { RemoteIdentityKey, RemoteSwarmKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Rule } from "./AutoAccept.ts"

const text = Schema.String
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(schema)

/** A friend, or one who was. `name` is what the line claimed; the keys are what was proven. */
export const Friend = Schema.Struct({
  peerId: text,
  name: text,
  standing: Schema.Literals(["Friend", "Former"]),
  identityKey: text,
  agreementKey: text,
  /** Rendezvous topic of the identity key, base64url. */
  topic: text,
  /** Learnt in the first session; absent before it. */
  swarmKey: optional(text),
  channel: text,
  evidence: Schema.Literals(["same", "different", "unproven"]),
  sinceMs: Schema.Int,
  /** The accept line that made the friendship, to tell a second copy from a second, different one. */
  acceptSignature: optional(text),
  /** Our request that this friendship answered. */
  requestSignature: optional(text),
  /** What the friend has told us we may do; `message` until it says otherwise. */
  allowsUs: optional(Schema.Array(text)),
  /** Set when a second, different acceptance was seen: inject stops until the operator looks. */
  alarmed: Schema.Boolean
})
export type Friend = Omit<typeof Friend.Type, "peerId" | "identityKey" | "swarmKey"> & {
  readonly peerId: PeerId
  readonly identityKey: RemoteIdentityKey
  readonly swarmKey?: RemoteSwarmKey
}

/** A request of ours that waits for an answer. `signature` is absent until the line has been signed. */
export const Asked = Schema.Struct({
  channel: text,
  to: text,
  tsMs: Schema.Int,
  signature: optional(text),
  expiresAtMs: Schema.Int,
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

/** Which identity keys may answer under a topic or transport key: those of friends found that way. */
export const expectedAt = (
  roster: Roster,
  topics: ReadonlyArray<string>,
  swarmKey: string,
  /** A former friend is only reached by a dial of ours, to be told that it is one. */
  dialled: boolean
): ReadonlyArray<RemoteIdentityKey> =>
  Table.values(roster.friends)
    .filter((record) => dialled || record.standing === "Friend")
    .filter((record) => topics.includes(record.topic) || record.swarmKey === swarmKey)
    .map((record) => record.identityKey)

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
export const isOpen = (request: AskedBy): boolean => request.acceptedAtMs === undefined

const one = <A>(found: ReadonlyArray<A>, name: string): Result.Result<A, Rejection.Rejection> =>
  found.length === 1
    ? Result.succeed(found[0]!)
    : Result.fail(Rejection.make(found.length === 0 ? "unknown-peer" : "ambiguous-name", name))

/** The friend an operator means, by name and perhaps the first characters of the key; `not-a-friend` for a former one. */
export const findFriend = (
  roster: Roster,
  name: string,
  keyPrefix: string
): Result.Result<Friend, Rejection.Rejection> => {
  const named = Table.values(roster.friends).filter(
    (record) => Name.fold(record.name) === Name.fold(name) && record.identityKey.startsWith(keyPrefix)
  )
  const friends = named.filter((record) => record.standing === "Friend")
  return friends.length === 0 && named.length > 0
    ? Result.fail(Rejection.make("not-a-friend", name))
    : one(friends, name)
}

/**
 * The request an operator means: by claimed name, or by name and the first characters of the key. One that is accepted
 * and waits to be posted is meant no more; to accept it once `again`, its acceptance must have failed to be posted.
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
      .filter((record) => Name.fold(record.name) === Name.fold(name) && record.identityKey.startsWith(keyPrefix)),
    name
  )

/** Drops requests whose time is over. */
export const expire = (roster: Roster, nowMs: number): Roster => ({
  ...roster,
  asked: Table.removeWhere(roster.asked, (record) => record.expiresAtMs <= nowMs),
  askedBy: Table.removeWhere(roster.askedBy, (record) => record.expiresAtMs <= nowMs)
})
