/**
 * Introductions that friends have made to us: whom, under which key, until when, and what our operator has said.
 * It never takes a friend's word for a key: what is introduced is a question, and its answer holds for who proves the key.
 * One for each introducer and key: whatever else a second one says, it asks nothing that was not asked.
 */
import { Schema } from "effect"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"

/** `Over`: it is forgotten. `Denied` is remembered, so that asking again is not asking anew. */
export type State = "Open" | "Accepted" | "Denied" | "Over"

/**
 * `accept`, `deny`: our operator. `giveUp`: what was wanted of the introduced has ended without them. `befriend`: they are a
 * friend, whatever made them one. `void`: the introducer is no friend any more, or a key may be in other hands.
 */
export type Event = "accept" | "deny" | "giveUp" | "befriend" | "expire" | "void"

/** state → event → next state. Nothing leads back to Open. */
export const transitions: Readonly<Record<State, Readonly<Partial<Record<Event, State>>>>> = {
  Open: { accept: "Accepted", deny: "Denied", befriend: "Over", expire: "Over", void: "Over" },
  Accepted: { giveUp: "Denied", befriend: "Over", expire: "Over", void: "Over" },
  Denied: { befriend: "Over", expire: "Over", void: "Over" },
  Over: {}
}

/** What stands where a line's friend has its channel. */
export const channel = "(introduction)"

const text = Schema.String

/** Who introduced somebody, and what they were called here then: a fact about a peer, and no word for it. */
export const Introducer = Schema.Struct({ peerId: text, name: text })
export type Introducer = typeof Introducer.Type

/** The same of somebody who has asked, or became a friend: `key` was introduced, and may have led on to another since. */
export const Origin = Schema.Struct({ ...Introducer.fields, key: text })

export const Introduction = Schema.Struct({
  /** As its introducer numbers it: the same at both ends. */
  id: text,
  by: Introducer,
  /** The key of the introduced, and what its introducer calls it. */
  key: text,
  name: text,
  note: text,
  /** The key of ours that the introduced was told. */
  ours: text,
  state: Schema.Literals(["Open", "Accepted", "Denied"]),
  receivedAtMs: Schema.Int,
  expiresAtMs: Schema.Int,
  /** Accepted: the errand by which the introduced is looked for. */
  errand: Schema.optionalKey(text)
})
export type Introduction = Omit<typeof Introduction.Type, "key" | "ours"> & {
  readonly key: RemoteIdentityKey
  readonly ours: RemoteIdentityKey
}
export type Introductions = Table.Table<Introduction>

/** The record key: by who introduced which key. */
export const keyOf = (by: PeerId | string, key: RemoteIdentityKey): string => `${by}/${key}`

/** Whether somebody came by an introduction. */
export const isOf = ({ by, key }: Introduction, origin: typeof Origin.Type | undefined): boolean =>
  origin?.peerId === by.peerId && origin.key === key

/** The table with a state of one changed as the machine allows; as it was where there is no row. */
export const move = (
  introductions: Introductions,
  one: Introduction,
  event: Event,
  more: Partial<Introduction> = {}
): Introductions => {
  const state = transitions[one.state][event]
  if (state === undefined) return introductions
  const key = keyOf(one.by.peerId, one.key)
  return state === "Over" ? Table.remove(introductions, key) : Table.set(introductions, key, { ...one, ...more, state })
}

/** Introductions of a key that leads to a proven history, in the order of the table. */
export const leading = (introductions: Introductions, history: KeyHistory.History): ReadonlyArray<Introduction> =>
  Table.size(introductions) === 0
    ? []
    : Table.values(introductions).filter(({ key }) => KeyHistory.leads(history, { key }))

/** Whether a history left the introduced key because it may be in other hands: then nobody knows who leads on from it. */
const isStolen = ({ key }: Introduction, history: KeyHistory.History): boolean =>
  history.steps.slice(KeyHistory.keysOf(history).indexOf(key)).some(({ reason }) => reason === "compromise")

/** Those that say nothing any more, now that the holder of their key has shown its history. */
export const stolen = (introductions: Introductions, history: KeyHistory.History): ReadonlyArray<Introduction> =>
  leading(introductions, history).filter((one) => isStolen(one, history))

/** The introduction of whoever has proven a history, unless our operator has turned it down: an accepted one first. */
export const of = (introductions: Introductions, history: KeyHistory.History): Introduction | undefined => {
  const found = leading(introductions, history).filter((one) => one.state !== "Denied" && !isStolen(one, history))
  return found.find(({ state }) => state === "Accepted") ?? found[0]
}

/** Room for one more of an introducer: its oldest that was turned down goes for it. Undefined where there is none. */
export const makeRoom = (introductions: Introductions, by: PeerId): Introductions | undefined => {
  const theirs = Table.values(introductions).filter((one) => one.by.peerId === by)
  const isFull = theirs.length >= Limits.introductionsPerFriendMax
  if (!isFull && Table.size(introductions) < Limits.introductionsMax) return introductions
  const over = theirs.filter(({ state }) => state === "Denied").sort((a, b) => a.receivedAtMs - b.receivedAtMs)[0]
  return over === undefined ? undefined : Table.remove(introductions, keyOf(by, over.key))
}
