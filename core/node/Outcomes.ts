/**
 * Outcomes of ours that are no delivery: told to the operator, remembered for one who is not looking, once each.
 * It never decides that something is over; whoever calls it has decided.
 * Apart from Sending because answers, partings and time end messages too.
 */
import { HashMap } from "effect"
import type * as Calls from "../delivery/Calls.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Refusals from "../delivery/Refusals.ts"
import type { PeerId } from "../identity/PeerId.ts"
import type * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Event } from "./Event.ts"
import type { Turn } from "./Input.ts"
import * as State from "./State.ts"

/** What a peer is called here; its short id when it is no friend any more. */
export const nameOf = (state: State.State, peerId: PeerId | string): string =>
  Table.get(state.durable.roster.friends, peerId)?.name ?? peerId.slice(0, 8)

/** Remembers an outcome for an operator who is not looking now. */
const noted = (
  state: State.State,
  { id, kind, peerId, rejection }: Extract<Event, { _tag: "Refused" }>,
  turn: Turn
): State.State => {
  const refusal = { id, peerId, kind, code: rejection.code, atMs: turn.nowMs }
  return State.withDurable(state, { refusals: Refusals.add(state.durable.refusals, refusal) })
}

/** A final outcome of ours that is not delivery: told, and an inject's call ends with it. */
export const giveUp = (
  state: State.State,
  peerId: PeerId,
  entry: Outbox.Entry,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  const { id, kind } = entry
  // The outcome of an inject is the outcome of its call: told once, whichever of the two ends first.
  const untold = Outbox.isSaid(kind) && (kind !== "Inject" || Table.has(state.durable.calls, id))
  const calls = kind === "Inject" ? Table.remove(state.durable.calls, id) : state.durable.calls
  const jobs = kind === "Done" ? Jobs.settle(state.durable.jobs, peerId, id) : state.durable.jobs
  const event = { _tag: "Refused" as const, peerId, name: nameOf(state, peerId), id, kind, rejection }
  // Its answer may have begun to arrive: nobody waits for the rest, so nothing would ever take the pieces away.
  const pieces = kind === "Inject" ? HashMap.remove(state.passing.pieces, id) : state.passing.pieces
  const given = State.withPassing(State.withDurable(state, { calls, jobs }), { pieces })
  return untold ? [noted(given, event, turn), [{ _tag: "Tell", event }]] : [given, []]
}

/** Ends a call that got no answer. A second end of the same call changes nothing. */
export const endCall = (
  state: State.State,
  call: Calls.Call,
  rejection: Rejection.Rejection,
  turn: Turn
): State.Stepped => {
  if (!Table.has(state.durable.calls, call.id)) return [state, []]
  const peerId = call.peerId as PeerId
  const ended = State.withPassing(State.withDurable(state, { calls: Table.remove(state.durable.calls, call.id) }), {
    pieces: HashMap.remove(state.passing.pieces, call.id)
  })
  const event = {
    _tag: "Refused" as const,
    peerId,
    name: nameOf(state, peerId),
    id: call.id,
    kind: "Inject",
    rejection
  }
  return [noted(ended, event, turn), [{ _tag: "Tell", event }]]
}
