/**
 * The gate on numbered messages of a friend: what each kind needs, what the grants and the budget say, which texts wait.
 * It never acts on a message and never remembers one; `Receiving` asks it once, before any effect.
 * Apart from Receiving so that no kind can have an effect without a row in the table here: the compiler asks for it.
 */
import type { Capability } from "../admission/Capability.ts"
import * as Grants from "../admission/Grants.ts"
import type * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Durable } from "../wire/Message.ts"
import * as Decisions from "./Decisions.ts"
import type { Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

/**
 * What each durable kind needs of what its sender was granted. Null: it begins nothing here; it ends, answers or tells of
 * what its receiver began or holds itself, and draws from no budget but the one of all messages.
 */
export const needs: { readonly [Kind in Durable["kind"]]: Capability | null } = {
  Log: "message",
  Inject: "inject",
  Cancel: null,
  Done: null,
  Held: null,
  GrantChanged: null,
  Unfriend: null,
  Introduce: "message"
}

/** What the gate is asked: who sends what, in how many bytes. */
export interface Asking {
  readonly peerId: PeerId
  readonly friend: Roster.Friend
  readonly bytes: number
}

/** Whether a message may take effect; noted, and the state with the budget that was drawn. */
export const ask = (state: State.State, asking: Asking, message: Durable, turn: Turn): Decisions.Answer => {
  const answer = judge(state, asking, message, turn)
  const who = { peerId: asking.peerId, key: asking.friend.identityKey }
  return Decisions.note(answer.state, who, `message ${message.kind}`, answer.verdict, asking.bytes)
}

/** What the grants say, and the budget, which is drawn only if all else holds. */
const judge = (state: State.State, asking: Asking, message: Durable, turn: Turn): Decisions.Answer => {
  const needed = needs[message.kind]
  if (needed === null) return { state, verdict: { admitted: true } }
  if (message.kind === "Log" && isBehind(state, asking.peerId, message, turn)) {
    const rejection = Rejection.make("rate-limited", "behind an earlier one", Limits.retryPauseMs)
    return { state, verdict: { admitted: false, rejection } }
  }
  const { bytes, friend, peerId } = asking
  const { grants } = state.durable
  const where = ("conversation" in message ? message.conversation : undefined) ?? Grants.own
  const stopped = needed === "inject" && (friend.alarmed || Sending.isHeld(friend))
  const granted = Grants.covers(grants, peerId, where, needed, turn.nowMs) && !stopped
  const conversationKnown = where === Grants.own || Table.has(grants, Grants.keyOf(peerId, where))
  const unshown = Table.size(state.durable.unshown)
  const unshownCharacters = state.durable.unshown.characters
  const trusted = Trusting.suffices(state, peerId, needed)
  const facts = { needs: needed, granted, trusted, conversationKnown, bytes, unshown, unshownCharacters }
  const question = { kind: "message" as const, ...facts, waitMs: 0 }
  const free = Decisions.would(question)
  if (!free.admitted) return { state, verdict: free }
  const asked = message.kind === "Introduce" ? Introducing.ask(state, friend, message, turn) : free
  if (!asked.admitted) return { state, verdict: asked }
  const drawn = State.draw(state, peerId, needed, turn.nowMs)
  return { state: drawn.state, verdict: Decisions.would({ ...question, waitMs: drawn.waitMs }) }
}

/**
 * Whether a text waits behind one that was refused for now. Of another stream: until that one was due again and a while
 * longer, for who sends in order repeats it first; one that does not come by then was given up with its stream.
 */
const isBehind = (
  state: State.State,
  peerId: PeerId,
  { number, stream }: { readonly stream: string; readonly number: number },
  turn: Turn
): boolean => {
  const held = State.session(state, peerId)?.held
  if (held === undefined) return false
  return held.stream === stream ? number > held.number : turn.nowMs < held.untilMs
}

/** Remembers for this session that later texts must wait behind this one; an inject does not block what follows. */
export const hold = (
  state: State.State,
  peerId: PeerId,
  message: { readonly kind: string; readonly stream: string; readonly number: number },
  rejection: Rejection.Rejection,
  turn: Turn
): State.State => {
  const session = State.session(state, peerId)
  if (session === undefined || message.kind !== "Log" || isBehind(state, peerId, message, turn)) return state
  const { number, stream } = message
  // What left before its sender heard of the refusal may reach us late, when the disk or the link is slow.
  const held = { stream, number, untilMs: turn.nowMs + rejection.retryAfterMs + Limits.heldLongerMs }
  return State.withSession(state, peerId, { ...session, held })
}

/** Whatever became of the message that held up others, once it is remembered nothing waits for it. */
export const release = (state: State.State, peerId: PeerId, stream: string, number: number): State.State => {
  const session = State.session(state, peerId)
  const isHeld = session?.held?.stream === stream && session.held.number === number
  return session !== undefined && isHeld ? State.withSession(state, peerId, { ...session, held: undefined }) : state
}
