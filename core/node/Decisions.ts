/**
 * What the gate was asked and what it said, noted for whoever keeps account of it.
 * It never decides and never keeps a text, a name or a reason in words: who asked, what kind of wish it was, and a code.
 * Noted in the state and taken out with the turn they belong to: a decision whose turn was not stored did not happen.
 */
import * as Verdict from "../admission/Verdict.ts"
import * as Roster from "../friend/Roster.ts"
import type { Signer } from "../identity/Authentic.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import type { PeerId } from "../identity/PeerId.ts"
import type { Code } from "../Rejection.ts"
import type { FriendLine } from "../wire/FriendLine.ts"
import type { Durable } from "../wire/Message.ts"
import * as State from "./State.ts"

/** What was asked for: the kind of the question, with the kind of the line or of the message. */
export type Asked =
  | Exclude<Verdict.Question["kind"], "line" | "message">
  | `line ${FriendLine["kind"]}`
  | `message ${Durable["kind"]}`

/** Who asked: the peer as this node names it, and the identity key that it has proven. */
export interface Who {
  readonly peerId: PeerId
  readonly key: RemoteIdentityKey
}

/** One decision; `code` is null where the gate said yes. */
export interface Decided extends Who {
  readonly asked: Asked
  readonly code: Code | null
  /** Of a message: how long its body is. */
  readonly bytes?: number
  /** Refused, and nobody we know: no friend, now or before. Asking to be one makes nobody known: keys can ask for nothing. */
  readonly stranger?: true
}

/** A decision of a stored turn: the how-manieth since the start, and when. */
export interface Accounted extends Decided {
  readonly number: number
  readonly atMs: number
}

/** What the gate said, and the state in which that is noted. */
export interface Answer {
  readonly state: State.State
  readonly verdict: Verdict.Verdict
}

/** Whoever holds a key: the peer that is known under it, else the peer it would be. */
export const whoIs = (state: State.State, { key, peerId }: Pick<Signer, "key" | "peerId">): Who => ({
  key,
  peerId: Roster.byKey(state.durable.roster, key)?.peerId ?? peerId
})

const isStranger = ({ durable: { roster } }: State.State, key: RemoteIdentityKey): boolean =>
  Roster.byKey(roster, key) === undefined && !Roster.isRetired(roster, key)

/** A verdict that has been given, noted. */
export const note = (state: State.State, who: Who, asked: Asked, verdict: Verdict.Verdict, bytes?: number): Answer => {
  const { key, peerId } = who
  const code = verdict.admitted ? null : verdict.rejection.code
  const stranger = code !== null && isStranger(state, key) ? { stranger: true as const } : {}
  const decided: Decided = { peerId, key, asked, code, ...(bytes === undefined ? {} : { bytes }), ...stranger }
  return { state: State.withPassing(state, { decided: [...state.passing.decided, decided] }), verdict }
}

/** Asks the gate, and notes what it says. */
export const decide = (state: State.State, who: Who, asked: Asked, question: Verdict.Question): Answer =>
  note(state, who, asked, Verdict.decide(question))

/** What the gate would say; nobody has asked for it yet, and nothing is noted. */
export const would = (question: Verdict.Question): Verdict.Verdict => Verdict.decide(question)

/** The state without what earlier turns noted. */
export const begin = (state: State.State): State.State =>
  state.passing.decided.length === 0 ? state : State.withPassing(state, { decided: [] })
