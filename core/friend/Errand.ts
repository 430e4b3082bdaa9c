/**
 * Durable wishes of ours to reach the holder of a key that is no friend yet: what for, and until when.
 * It never dials and never decides what an answer means; the node's turns do, and an errand ends with one outcome.
 * A stranger has no stream, so nothing here is numbered: the same request is made again until it is answered.
 */
import { Schema } from "effect"
import * as KeyHistory from "../identity/KeyHistory.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import { Introducer } from "./Introduction.ts"

const text = Schema.String

/** What every errand has. Only who follows from `key` is spoken to. */
const common = {
  id: text,
  key: text,
  /** The id that the holder of the key would have here, under which it is dialled. */
  peerId: text,
  /** Rendezvous topic of the key, base64url. */
  topic: text,
  madeAtMs: Schema.Int,
  expiresAtMs: Schema.Int
}

/** To redeem an invite of that id, with the key derived from its secret: it makes the claim and checks the answer. */
export const Claim = Schema.Struct({
  kind: Schema.Literal("claim"),
  ...common,
  proofKey: Schema.RedactedFromValue(text, { label: "invite" })
})

/** To be friends with a member of a topic. */
export const Connect = Schema.Struct({
  kind: Schema.Literal("connect"),
  ...common,
  /** What it calls itself, and will be called here. */
  name: text,
  note: text,
  /** The key that its holder had when it was last met, where it has left `key` since. */
  current: Schema.optionalKey(text),
  /** Hash of the topic in which it was found. */
  in: text
})

/** To be friends with somebody whom a friend has introduced. */
export const Introduced = Schema.Struct({
  kind: Schema.Literal("introduced"),
  ...common,
  /** What its introducer calls it, and what it will be called here. */
  name: text,
  by: Introducer
})

/** An errand of any kind. A new kind is one more member here, and a row in `node/Errands`. */
export const Errand = Schema.Union([Claim, Connect, Introduced])
type Keyed<E> = E extends unknown
  ? Omit<E, "key" | "peerId"> & { readonly key: RemoteIdentityKey; readonly peerId: PeerId }
  : never
export type Errand = Keyed<typeof Errand.Type>
export type Errands = Table.Table<Errand>

/** Which keys a link that we dialled may lead to, or what follows from them: those of errands found at its topics. */
export const expectedAt = (errands: Errands, topics: ReadonlyArray<string>): ReadonlyArray<KeyHistory.Anchor> =>
  Table.values(errands)
    .filter(({ topic }) => topics.includes(topic))
    .map(({ key }) => ({ key }))

/** The errands that the holder of a proven history can settle. */
export const servedBy = (errands: Errands, history: KeyHistory.History): ReadonlyArray<Errand> =>
  Table.size(errands) === 0 ? [] : Table.values(errands).filter(({ key }) => KeyHistory.leads(history, { key }))
