/**
 * A message on a friend's session: duplicate check, gate with its budget, effect and memory, in this order, in one turn.
 * It never sees a message that is not authentic, and never acknowledges what is not committed with it.
 * The duplicate check comes before the budget of texts and injects, so that honest repetition costs a friend nothing of it.
 */
import { HashMap, Option, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import * as Calls from "../delivery/Calls.ts"
import * as Inbox from "../delivery/Inbox.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Message from "../wire/Message.ts"
import * as Answering from "./Answering.ts"
import * as Comparing from "./Comparing.ts"
import * as Connecting from "./Connecting.ts"
import * as Doubling from "./Doubling.ts"
import * as Farewell from "./Farewell.ts"
import * as Gate from "./Gate.ts"
import * as Holding from "./Holding.ts"
import type { Input, Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import type { Output } from "./Output.ts"
import * as Parting from "./Parting.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

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
  const friend = peerId === undefined ? undefined : Table.get(state.durable.roster.friends, peerId)
  if (peerId === undefined || friend === undefined) return [state, []]
  // What was under way when the peer was shut out is shut out with it.
  if (State.isBanned(state, peerId, turn.nowMs)) return [state, []]
  const message = input.message.value
  if (Message.isVisit(message)) return [state, []]
  // Everything a peer sends draws from the cheap budget first: who exceeds it ignores every refusal and is not honest.
  const drawn = State.drawPassing(state, peerId, "control", turn.nowMs)
  if (drawn.waitMs > 0) {
    return Connecting.violated(state, input.connection, Rejection.make("flooding"), turn)
  }
  switch (message.kind) {
    case "Log":
    case "Inject":
    case "Cancel":
    case "Done":
    case "Held":
    case "GrantChanged":
    case "Unfriend":
    case "Introduce":
    case "Unknown":
      return withinStreams(
        drawn.state,
        { peerId, connection: input.connection, stream: message.stream },
        (current) => onNumbered(current, { ...input, peerId, friend, message }, turn),
        turn
      )
    case "Ignored":
      return [drawn.state, []]
    default:
      return Farewell.isHeard(friend.standing, message.kind)
        ? onControl(drawn.state, friend, input.connection, message, turn)
        : [drawn.state, []]
  }
}

/**
 * A message, unless it is the first that is remembered of one stream too many. Each is written, and the oldest is looked
 * for among all that is remembered of anybody; the budget of all messages alone would let that fill every turn.
 */
const withinStreams = (
  state: State.State,
  about: { readonly peerId: PeerId; readonly connection: string; readonly stream: string },
  take: (state: State.State) => State.Stepped,
  turn: Turn
): State.Stepped => {
  const { connection, peerId, stream } = about
  const taken = take(state)
  const begun = (one: State.State) => Inbox.knows(one.durable.inbox, peerId, stream)
  if (begun(state) || !begun(taken[0])) return taken
  const drawn = State.drawPassing(taken[0], peerId, "stream", turn.nowMs)
  return drawn.waitMs > 0
    ? Connecting.violated(state, connection, Rejection.make("flooding", "streams"), turn)
    : [drawn.state, taken[1]]
}

/** A message of the session: it is acted on at once and remembered nowhere. */
const onControl = (
  state: State.State,
  friend: Roster.Friend,
  connection: string,
  message: Exclude<Message.Message, Message.Durable | Message.Visit>,
  turn: Turn
): State.Stepped => {
  const { peerId } = friend
  if (Comparing.isPart(message)) return Comparing.hear(state, friend, connection, message, turn)
  switch (message.kind) {
    case "Receipt":
      return Sending.onReceipt(state, peerId, message, turn)
    case "Reject":
      return onReject(state, peerId, connection, message, turn)
    case "Greeting":
      // One that comes late, on a link that another session has replaced, says nothing of this one.
      if (State.session(state, peerId)?.connection !== connection) return [state, []]
      return State.chain(
        state,
        (current) => Rotating.seenBy(current, peerId, turn),
        (current) => Doubling.greeted(current, peerId, connection, message, turn),
        (current) => Sending.onGreeting(current, peerId, message, turn)
      )
    case "Skip":
      return withinStreams(
        state,
        { peerId, connection, stream: message.stream },
        (current) => onSkip(current, peerId, connection, message, turn),
        turn
      )
    case "Chunk":
      return onChunk(state, peerId, connection, message, turn)
    case "Resume":
      return [state, Answering.resume(state, friend, connection, message)]
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
  return State.chain(
    state,
    (current) => Rotating.refusedBy(current, peerId, reject.code, turn),
    (current) => Connecting.turnedAway(current, peerId, connection, reject, turn)
  )
}

/**
 * The sender has given numbers up. One: what became of it is answered, and unseen it never will take effect. What was
 * settled before we have forgotten, and the operator is told that our disk is older than it was.
 */
const onSkip = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  skip: Message.Skip,
  turn: Turn
): State.Stepped => {
  const { from, stream, to } = skip
  const { inbox } = state.durable
  const { settled = from !== to } = skip
  const isQuestion = from === to && !settled
  if (isQuestion && Inbox.isTooFar(inbox, peerId, stream, from)) return [state, []]
  if (!isQuestion) {
    const closed = Inbox.closeForgotten(inbox, peerId, stream, from, to, turn.nowMs)
    if (closed === undefined) return [state, []]
    const passed = State.withDurable(state, { inbox: closed })
    return settled ? Sending.tellOlder(passed, peerId, "ours", turn) : [passed, []]
  }
  const sighting = Inbox.whatBecameOf(inbox, peerId, stream, from)
  if (sighting.kind === "known" && sighting.code === undefined) {
    return [state, [say(connection, Inbox.receipt(inbox, peerId, stream, from))]]
  }
  const code = sighting.kind === "known" ? (sighting.code ?? "withdrawn") : "withdrawn"
  const closed =
    sighting.kind === "known" ? inbox : Inbox.record(inbox, peerId, stream, from, { hash: "", code }, turn.nowMs)
  const reject: Message.Reject = { kind: "Reject", code, stream, number: from }
  return [Gate.release(State.withDurable(state, { inbox: closed }), peerId, stream, from), [say(connection, reject)]]
}

/** A piece of an answer we wait for; pieces nobody asked for are dropped. The last one lets the end take effect. */
const onChunk = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  chunk: Message.Chunk,
  turn: Turn
): State.Stepped => {
  const bytes = Base64url.decode(chunk.bytes)
  const friend = Roster.friend(state.durable.roster, peerId)
  const call = Table.get(state.durable.calls, chunk.id)
  if (call?.peerId !== peerId || friend === undefined || bytes === undefined) return [state, []]
  const pieces = Calls.addChunk(state.passing.pieces, chunk.id, chunk.offset, bytes)
  const added = State.withPassing(state, { pieces })
  const end = Calls.endOf(pieces, chunk.id)
  if (end === undefined) return [added, []]
  if (Calls.lengthOf(pieces, chunk.id) < end.done.length) return askOn(added, connection, chunk.id)
  return onDone(added, { ...end, peerId, friend, connection, message: end.done }, end.done, turn)
}

/** Asks for more of an answer: as soon as half of what was asked for has come, so that the peer need not wait. */
const askOn = (state: State.State, connection: string, id: string): State.Stepped => {
  const { pieces, resume } = Calls.askOn(state.passing.pieces, id)
  return [
    State.withPassing(state, { pieces }),
    resume === undefined ? [] : [say(connection, { kind: "Resume", id, ...resume })]
  ]
}

const onNumbered = (state: State.State, numbered: Numbered, turn: Turn): State.Stepped => {
  const { connection, hash, message, peerId } = numbered
  const sighting = Inbox.look(state.durable.inbox, peerId, message.stream, message.number, hash)
  if (Result.isFailure(sighting)) return refuse(state, numbered, sighting.failure, turn)
  if (sighting.success.kind === "known") {
    const { code } = sighting.success
    if (code === undefined) return confirm(state, numbered)
    const again = Rejection.make(Rejection.isCode(code) ? code : "unsupported-kind")
    return [state, [say(connection, rejectOf(numbered, again))]]
  }
  // A former friend is let in only to learn that it is one: nothing it says is remembered or told.
  if (numbered.friend.standing !== "Friend" && message.kind !== "Unfriend") {
    return [state, [say(connection, rejectOf(numbered, Rejection.make("not-a-friend")))]]
  }
  if (message.kind === "Unknown") {
    return refuse(state, numbered, Rejection.make("unsupported-kind", message.name), turn)
  }
  // A new text that was under way on a link which another has replaced comes again on that one, in order.
  if (message.kind === "Log" && State.session(state, peerId)?.connection !== connection) return [state, []]
  const asked = Gate.ask(state, numbered, message, turn)
  return asked.verdict.admitted
    ? takeEffect(asked.state, numbered, message, turn)
    : refuse(asked.state, numbered, asked.verdict.rejection, turn)
}

/** A message that has an effect and is remembered and confirmed with it. */
const simply = (
  state: State.State,
  numbered: Numbered,
  effect: (state: State.State) => State.Stepped,
  turn: Turn
): State.Stepped =>
  State.chain(remember(state, numbered, undefined, turn), effect, (current) => confirm(current, numbered))

/** What a message does that is new and may. */
const takeEffect = (state: State.State, numbered: Numbered, message: Message.Durable, turn: Turn): State.Stepped => {
  switch (message.kind) {
    case "Log":
      return onLog(state, numbered, message, turn)
    case "Inject":
      return onInject(state, numbered, message, turn)
    case "Done":
      return onDone(state, numbered, message, turn)
    case "Cancel":
      return simply(state, numbered, (current) => Answering.cancel(current, numbered.peerId, message.id, turn), turn)
    case "Held":
      return simply(state, numbered, (current) => Holding.onHeld(current, numbered.friend, message, turn), turn)
    case "GrantChanged":
      return simply(state, numbered, (current) => Trusting.allowedBy(current, numbered.friend, message), turn)
    case "Unfriend":
      return onUnfriend(remember(state, numbered, undefined, turn), numbered, message, turn)
    case "Introduce":
      return simply(state, numbered, (at) => Introducing.onIntroduce(at, numbered.friend, message, turn), turn)
  }
}

/** The receipt that says what has taken effect so far. */
const confirm = (state: State.State, { connection, message, peerId }: Numbered): State.Stepped => [
  state,
  [say(connection, Inbox.receipt(state.durable.inbox, peerId, message.stream, message.number))]
]

/** Remembers what became of a number. Whatever it was, texts behind it have no reason to wait any more. */
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
  return Gate.release(recorded, peerId, message.stream, message.number)
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
  if (Rejection.isTransient(rejection.code)) return [Gate.hold(state, peerId, message, rejection, turn), [answer]]
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

const onLog = (state: State.State, numbered: Numbered, log: Message.Log, turn: Turn): State.Stepped => {
  const { friend } = numbered
  return State.chain(
    remember(state, numbered, undefined, turn),
    // First out is the receipt: its sender waits for it, and the conversation log takes its time.
    (current) => confirm(current, numbered),
    (current) => Answering.show(current, friend, log.stream, log.number, friend.name, log.text, turn)
  )
}

const onInject = (state: State.State, numbered: Numbered, inject: Message.Inject, turn: Turn): State.Stepped => {
  const { friend, peerId } = numbered
  const held = Holding.reason(state, peerId, inject.id, turn)
  const may =
    held === undefined ? Answering.mayRun(state, friend, inject.id, turn) : Holding.mayHold(state, friend, inject)
  if (!may.verdict.admitted) return refuse(may.state, numbered, may.verdict.rejection, turn)
  const effect = (current: State.State) =>
    held === undefined
      ? Answering.begin(current, friend, inject, turn)
      : Holding.hold(current, friend, inject, held, turn)
  return simply(may.state, numbered, effect, turn)
}

/** The friend has ended the friendship: it is over here too, with everything granted and everything that waited. */
const onUnfriend = (state: State.State, numbered: Numbered, unfriend: Message.Unfriend, turn: Turn): State.Stepped => {
  const { connection, friend, peerId } = numbered
  const ours = friend.standing === "Friend" && friend.cameOf.some((request) => unfriend.of.includes(request))
  if (!ours) return confirm(state, numbered)
  return State.chain(
    state,
    (current) => Parting.part(current, friend, "peer", turn),
    (current) => confirm(current, { ...numbered, peerId }),
    (current) => [current, [{ _tag: "HangUp", connection, code: null }]]
  )
}

/**
 * The end of an inject of ours. While its answer is not whole the end is kept, not confirmed, and the missing bytes are
 * asked for; a whole answer of another hash begins anew. An end nobody waits for is confirmed and forgotten.
 */
const onDone = (state: State.State, numbered: Numbered, done: Message.Done, turn: Turn): State.Stepped => {
  const { bytes, connection, friend, hash, peerId } = numbered
  const call = Table.get(state.durable.calls, done.id)
  if (call === undefined || call.peerId !== peerId) return confirm(remember(state, numbered, undefined, turn), numbered)
  const { pieces } = state.passing
  const waited = State.withPassing(state, { pieces: Calls.expectEnd(pieces, done.id, { done, bytes, hash }) })
  if (done.outcome === "answered" && Calls.lengthOf(pieces, done.id) < done.length) {
    return askOn(waited, connection, done.id)
  }
  const answer = Calls.joined(pieces, done.id)
  const whole = answer.length === done.length && Base64url.encode(turn.sha256(answer)) === done.sha256
  if (done.outcome === "answered" && !whole) {
    return [
      State.withPassing(state, { pieces: Calls.drop(pieces, done.id) }),
      [{ _tag: "HangUp", connection, code: "answer-damaged" }]
    ]
  }
  return simply(state, numbered, (current) => Answering.end(current, friend, call, done, answer, turn), turn)
}
