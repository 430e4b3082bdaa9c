/**
 * A message on a friend's session: budget, duplicate check, gate, effect and memory, in this order and in one turn.
 * It never sees a message that is not authentic, and never acknowledges what is not committed with it.
 * The duplicate check comes before the budget, so that honest repetition costs a friend nothing.
 */
import { HashMap, Option, Result } from "effect"
import * as Grants from "../admission/Grants.ts"
import * as Verdict from "../admission/Verdict.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Calls from "../delivery/Calls.ts"
import * as Inbox from "../delivery/Inbox.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type * as Message from "../wire/Message.ts"
import * as Answering from "./Answering.ts"
import * as Connecting from "./Connecting.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

type Received = Extract<Input, { _tag: "Received" }>
/** A numbered message that arrived, with what the inbox needs to remember it. */
interface Numbered {
  readonly peerId: PeerId
  readonly friend: Roster.Friend
  readonly connection: string
  readonly message: Message.Durable | Message.Unknown
  readonly bytes: number
  readonly hash: string
}

const say = (connection: string, message: Message.Message): Output => ({
  _tag: "Transmit",
  connection,
  messages: [{ message }]
})

/** One message of an open session. What arrives on a link that has no session any more is dropped. */
export const receive = (state: State.State, input: Received, turn: Turn): State.Stepped => {
  const peerId = Option.getOrUndefined(HashMap.get(state.passing.connections, input.connection))
  const friend = peerId === undefined ? undefined : Roster.friend(state.durable.roster, peerId)
  if (peerId === undefined || friend === undefined) return [state, []]
  const message = input.message.value
  // Everything a peer sends draws from the cheap budget first: who exceeds it ignores every refusal and is not honest.
  const drawn = State.drawControl(state, peerId, turn.nowMs)
  if (drawn.waitMs > 0) {
    return Connecting.violated(state, input.connection, Rejection.make("flooding"), turn)
  }
  switch (message.kind) {
    case "Log":
    case "Inject":
    case "Done":
    case "Skip":
    case "Unknown":
      return onNumbered(drawn.state, { ...input, peerId, friend, message }, turn)
    default:
      return onControl(drawn.state, peerId, input.connection, message, turn)
  }
}

/** A message of the session: it is acted on at once and remembered nowhere. */
const onControl = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  message: Exclude<Message.Message, Message.Durable>,
  turn: Turn
): State.Stepped => {
  switch (message.kind) {
    case "Receipt":
      return Sending.onReceipt(state, peerId, message, turn)
    case "Reject":
      return onReject(state, peerId, connection, message, turn)
    case "Chunk":
      return [addChunk(state, peerId, message), []]
    case "Ping":
      return [state, [say(connection, { kind: "Pong", nonce: message.nonce })]]
    case "Pong":
      return [state, []]
    case "Close":
      return [state, [{ _tag: "HangUp", connection, code: null }]]
  }
}

const onReject = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  reject: Message.Reject,
  turn: Turn
): State.Stepped => {
  const { number, stream } = reject
  if (stream !== undefined && number !== undefined) {
    return Sending.onReject(state, peerId, { ...reject, stream, number }, turn)
  }
  return Connecting.turnedAway(state, peerId, connection, reject, turn)
}

/** A piece of an answer we wait for; pieces nobody asked for are dropped. */
const addChunk = (state: State.State, peerId: PeerId, chunk: Message.Chunk): State.State => {
  const bytes = Base64url.decode(chunk.bytes)
  if (Table.get(state.durable.calls, chunk.id)?.peerId !== peerId || bytes === undefined) return state
  return State.withPassing(state, { pieces: Calls.addChunk(state.passing.pieces, chunk.id, chunk.offset, bytes) })
}

const onNumbered = (state: State.State, numbered: Numbered, turn: Turn): State.Stepped => {
  const { connection, hash, message, peerId } = numbered
  const sighting = Inbox.look(state.durable.inbox, peerId, message.stream, message.number, hash)
  if (Result.isFailure(sighting)) {
    // A number given up may have arrived before it was given up: that is no conflict, it is known.
    if (sighting.failure.code === "sequence-conflict" && message.kind === "Skip") return confirm(state, numbered)
    return refuse(state, numbered, sighting.failure, turn)
  }
  if (sighting.success.kind === "known") {
    const { code } = sighting.success
    return code === undefined
      ? confirm(state, numbered)
      : [
          state,
          [say(connection, rejectOf(numbered, Rejection.make(Rejection.isCode(code) ? code : "unsupported-kind")))]
        ]
  }
  switch (message.kind) {
    case "Log":
      return onLog(state, numbered, message, turn)
    case "Inject":
      return onInject(state, numbered, message, turn)
    case "Done":
      return onDone(state, numbered, message, turn)
    case "Skip":
      return confirm(remember(state, numbered, undefined, turn), numbered)
    case "Unknown":
      return refuse(state, numbered, Rejection.make("unsupported-kind", message.name), turn)
  }
}

/** The receipt that says what has taken effect so far. */
const confirm = (state: State.State, { connection, message, peerId }: Numbered): State.Stepped => [
  state,
  [say(connection, Inbox.receipt(state.durable.inbox, peerId, message.stream))]
]

const remember = (
  state: State.State,
  numbered: Numbered,
  code: Rejection.Code | undefined,
  turn: Turn
): State.State => {
  const { hash, message, peerId } = numbered
  const outcome = code === undefined ? { hash } : { hash, code }
  const recorded = State.withDurable(state, {
    inbox: Inbox.record(state.durable.inbox, peerId, message.stream, message.number, outcome, turn.nowMs)
  })
  return releaseHold(recorded, numbered)
}

const rejectOf = ({ message }: Numbered, rejection: Rejection.Rejection): Message.Reject => ({
  kind: "Reject",
  code: rejection.code,
  stream: message.stream,
  number: message.number,
  ...(rejection.retryAfterMs > 0 ? { retryAfterMs: rejection.retryAfterMs } : {})
})

/** No: remembered if it is final, told to both operators, and counted if honest software never does this. */
const refuse = (state: State.State, numbered: Numbered, rejection: Rejection.Rejection, turn: Turn): State.Stepped => {
  const { connection, friend, message, peerId } = numbered
  const answer = say(connection, rejectOf(numbered, rejection))
  if (Rejection.isTransient(rejection.code)) return [hold(state, numbered), [answer]]
  const event = {
    _tag: "PeerRefused" as const,
    peerId,
    name: friend.name,
    kind: message.kind,
    rejection
  }
  if (Rejection.isViolation(rejection.code)) {
    return State.chain(
      state,
      (current) => [current, [answer, { _tag: "Tell", event }]],
      (current) => Connecting.violated(current, connection, rejection, turn)
    )
  }
  return [remember(state, numbered, rejection.code, turn), [answer, { _tag: "Tell", event }]]
}

/** Remembers for this session that later texts must wait behind this one; an inject does not block what follows. */
const hold = (state: State.State, { message, peerId }: Numbered): State.State => {
  const session = State.session(state, peerId)
  if (session === undefined || message.kind !== "Log") return state
  const heldAt = Math.min(session.heldAt ?? message.number, message.number)
  return State.withSession(state, peerId, { ...session, heldAt })
}

/** Whatever became of the message that held up others, once it is remembered nothing waits for it. */
const releaseHold = (state: State.State, { message, peerId }: Numbered): State.State => {
  const session = State.session(state, peerId)
  return session?.heldAt === message.number
    ? State.withSession(state, peerId, { ...session, heldAt: undefined })
    : state
}

/** The gate for texts: what the grants say, and the budget, which is drawn only if all else holds. */
const gate = (
  state: State.State,
  numbered: Numbered,
  needs: "message" | "inject",
  conversation: string | undefined,
  turn: Turn
): { readonly state: State.State; readonly verdict: Verdict.Verdict } => {
  const { bytes, friend, peerId } = numbered
  const { grants } = state.durable
  const where = conversation ?? Grants.own
  const granted = Grants.covers(grants, peerId, where, needs, turn.nowMs) && !(friend.alarmed && needs === "inject")
  const conversationKnown = where === Grants.own || Table.has(grants, Grants.keyOf(peerId, where))
  const question = { kind: "message" as const, needs, granted, conversationKnown, bytes, waitMs: 0 }
  const free = Verdict.decide(question)
  if (!free.admitted) return { state, verdict: free }
  const drawn = State.draw(state, peerId, needs, turn.nowMs)
  return { state: drawn.state, verdict: Verdict.decide({ ...question, waitMs: drawn.waitMs }) }
}

const onLog = (state: State.State, numbered: Numbered, log: Message.Log, turn: Turn): State.Stepped => {
  const { friend, peerId } = numbered
  const heldAt = State.session(state, peerId)?.heldAt
  if (heldAt !== undefined && log.number > heldAt) {
    return refuse(state, numbered, Rejection.make("rate-limited", "behind an earlier one", Limits.retryPauseMs), turn)
  }
  const asked = gate(state, numbered, "message", log.conversation, turn)
  if (!asked.verdict.admitted) return refuse(asked.state, numbered, asked.verdict.rejection, turn)
  return State.chain(
    remember(asked.state, numbered, undefined, turn),
    (current) => Answering.show(current, friend, log.stream, log.number, friend.name, log.text, turn),
    (current) => confirm(current, numbered)
  )
}

const onInject = (state: State.State, numbered: Numbered, inject: Message.Inject, turn: Turn): State.Stepped => {
  const asked = gate(state, numbered, "inject", inject.conversation, turn)
  if (!asked.verdict.admitted) return refuse(asked.state, numbered, asked.verdict.rejection, turn)
  const may = Answering.mayRun(asked.state, numbered.peerId, inject.id)
  if (!may.admitted) return refuse(asked.state, numbered, may.rejection, turn)
  return State.chain(
    remember(asked.state, numbered, undefined, turn),
    (current) => Answering.begin(current, numbered.friend, inject, turn),
    (current) => confirm(current, numbered)
  )
}

/**
 * The end of an inject of ours. An answer whose pieces are missing or do not match is not confirmed: the peer sends
 * pieces and end again on the next session. An end nobody waits for is confirmed and forgotten.
 */
const onDone = (state: State.State, numbered: Numbered, done: Message.Done, turn: Turn): State.Stepped => {
  const { connection, friend, peerId } = numbered
  const call = Table.get(state.durable.calls, done.id)
  if (call === undefined || call.peerId !== peerId) return confirm(remember(state, numbered, undefined, turn), numbered)
  const answer = Calls.joined(state.passing.pieces, done.id)
  const whole = answer.length === done.length && Base64url.encode(turn.sha256(answer)) === done.sha256
  if (done.outcome === "answered" && !whole) {
    return [state, [{ _tag: "HangUp", connection, code: "answer-damaged" }]]
  }
  return State.chain(
    remember(state, numbered, undefined, turn),
    (current) => Answering.end(current, friend, call, done, answer, turn),
    (current) => confirm(current, numbered)
  )
}
