/**
 * What our operator has made sure of about a friend's key: one table, and when a comparison still counts.
 * It never looks at a key or a history itself; `PeerKey` says whether a key is in doubt, the node's turns what happened.
 * Only a comparison of people verifies; a chain of keys keeps it, because who was compared vouches for what follows.
 */
import { Schema } from "effect"
import type { RemoteIdentityKey } from "../identity/Keys.ts"

/**
 * `unverified`: nobody has compared. `verified`: the operator has, and the key that was compared leads to today's.
 * `changed`: it was, and something has happened since that asks for a new comparison, or a comparison failed.
 * `revoked`: the operator took it back, or the friendship in which it was made has ended.
 */
export type State = "unverified" | "verified" | "changed" | "revoked"

/**
 * `compares`: the operator has compared fingerprints. `matches`: the interactive comparison came to one string and both
 * operators said so. `mismatches`: either comparison came to a difference. `rotates`: a key that the one before vouches
 * for. `compromises`: the same, because the one before may be in other hands, so that what it vouches for is worth less.
 * `doubts`: a key that nobody vouches for, or two successors of one. `confirms`: the operator keeps the key we hold.
 */
export type Event =
  | "compares"
  | "matches"
  | "mismatches"
  | "rotates"
  | "compromises"
  | "doubts"
  | "confirms"
  | "takesBack"
  | "ends"

/** state → event → next state. What is not in the table leaves the state as it is. */
export const transitions: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>> = {
  unverified: { compares: "verified", matches: "verified", mismatches: "changed" },
  verified: {
    compares: "verified",
    matches: "verified",
    mismatches: "changed",
    rotates: "verified",
    compromises: "changed",
    doubts: "changed",
    takesBack: "revoked",
    ends: "revoked"
  },
  changed: {
    compares: "verified",
    matches: "verified",
    mismatches: "changed",
    confirms: "unverified",
    takesBack: "revoked",
    ends: "revoked"
  },
  revoked: { compares: "verified", matches: "verified", mismatches: "changed" }
}

/** What is stored with a friend; a record without it is unverified. */
export const Mark = Schema.Struct({
  state: Schema.Literals(["verified", "changed", "revoked"]),
  /** The key that was compared; for a difference, the key that it was found at. */
  key: Schema.String,
  /** What brought it to this state, and when. */
  by: Schema.Literals(["compares", "matches", "mismatches", "compromises", "doubts", "takesBack", "ends"]),
  atMs: Schema.Int
})
export type Mark = typeof Mark.Type

/** What this module needs of a friend: its mark, and the keys that lead to the one it has. */
export interface Marked {
  readonly identityKey: RemoteIdentityKey
  readonly earlier?: ReadonlyArray<{ readonly key: string }>
  readonly trust?: Mark
}

/** The state after an event; the same state where the table has no row. */
export const next = (state: State, event: Event): State => transitions[state][event] ?? state

/**
 * The state of a friend. A verified mark counts only while the key that was compared is the friend's or leads to it: a
 * record that was written otherwise, by whatever mistake, is not believed.
 */
export const of = ({ earlier = [], identityKey, trust }: Marked): State => {
  if (trust?.state !== "verified") return trust?.state ?? "unverified"
  return trust.key === identityKey || earlier.some(({ key }) => key === trust.key) ? "verified" : "changed"
}

/** Whether the operator has made sure of the key that a friend has now. */
export const isVerified = (friend: Marked): boolean => of(friend) === "verified"

/** A friend after an event, at a time in milliseconds; the same record where nothing changes. */
export const after = <F extends Marked>(friend: F, event: Event, atMs: number): F => {
  const before = of(friend)
  const state = next(before, event)
  const isAnew = event === "compares" || event === "matches"
  if (state === before && !isAnew) return friend
  const { trust, ...rest } = friend
  if (state === "unverified") return rest as F
  const key = isAnew || trust === undefined ? friend.identityKey : trust.key
  return { ...friend, trust: { state, key, by: event as Mark["by"], atMs } }
}

/** The table as a Mermaid state diagram. */
export const diagram = (): string => {
  const rows = Object.entries(transitions).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
  )
  return ["stateDiagram-v2", "  [*] --> unverified", ...rows].join("\n")
}
