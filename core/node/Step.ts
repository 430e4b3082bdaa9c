/**
 * The peer as one pure function: what a node does with one input. Routing only; the rooms decide.
 * It never waits, never throws on what a peer sent, and knows no port.
 * A new input is a new case here, and the compiler names every place that has to know of it.
 */

import { HashMap } from "effect"
import * as ReplayWindow from "../admission/ReplayWindow.ts"
import * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import * as Answering from "./Answering.ts"
import * as Comparing from "./Comparing.ts"
import * as Connecting from "./Connecting.ts"
import * as Decisions from "./Decisions.ts"
import * as Errands from "./Errands.ts"
import * as Farewell from "./Farewell.ts"
import * as Friending from "./Friending.ts"
import * as Guests from "./Guests.ts"
import * as Hello from "./Hello.ts"
import * as Holding from "./Holding.ts"
import type { Input, Turn } from "./Input.ts"
import * as Intents from "./Intents.ts"
import * as Introducing from "./Introducing.ts"
import * as Inviting from "./Inviting.ts"
import * as Leaving from "./Leaving.ts"
import * as Members from "./Members.ts"
import * as Operating from "./Operating.ts"
import type { Output } from "./Output.ts"
import * as Posting from "./Posting.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as Stalling from "./Stalling.ts"
import * as State from "./State.ts"
import * as Telling from "./Telling.ts"
import * as Topics from "./Topics.ts"
import * as Visiting from "./Visiting.ts"

/** One input → the next state, and what is wanted from the world once it is committed. */
export const step = (state: State.State, input: Input, turn: Turn): State.Stepped =>
  Telling.bound(
    Introducing.sweep(
      state,
      Comparing.enforce(state, Comparing.sweep(route(Decisions.begin(state), input, turn), turn), turn),
      turn
    ),
    input,
    turn
  )

const route = (state: State.State, input: Input, turn: Turn): State.Stepped => {
  switch (input._tag) {
    case "Started":
      return started(state, turn)
    case "Tick":
      return tick(state, turn)
    case "Operator":
      return input.intent === undefined
        ? Operating.operate(state, input.ref, input.command, turn)
        : Intents.operate(state, input.ref, input.command, input.intent, turn)
    case "Line":
      return Friending.onLine(state, input, turn)
    case "LineRefused": {
      const { author, channel, claimed, rejection } = input
      return [state, [{ _tag: "Tell", event: { _tag: "LineRefused", author, channel, claimed, rejection } }]]
    }
    case "LineSigned":
      return Posting.onSigned(state, input)
    case "LinePosted":
      return Posting.onPosted(state, input)
    case "Opened":
      return State.chain(
        state,
        (current) => Introducing.shown(current, input.peer.value.history),
        (current) => Connecting.opened(current, input, turn),
        (current) => Errands.onOpened(current, input, turn),
        (current) => Members.onOpened(current, input, turn),
        (current) => Leaving.onOpened(current, input)
      )
    case "Received":
      return Visiting.arrive(state, input, turn)
    case "LinkRefused":
      return Connecting.linkRefused(state, input)
    case "Closed":
      return Connecting.closed(Members.closed(state, input.connection), input.connection, input.rejection, turn)
    case "DialEnded":
      return Connecting.dialEnded(state, input.peerId, turn)
    case "TopicFound":
      return Topics.onFound(state, input, turn)
    case "MemberDialed":
      return Topics.dialed(state, input, turn)
    case "ProfileSigned":
      return Topics.onSigned(state, input, turn)
    case "Shown":
      return Answering.onShown(state, input, turn)
    case "Ran":
      return Answering.onRan(state, input, turn)
    case "SandboxStatus":
      return sandboxIs(state, input)
  }
}

const sandboxIs = (
  state: State.State,
  { _tag, ...sandbox }: Extract<Input, { _tag: "SandboxStatus" }>
): State.Stepped => [State.withPassing(state, { sandbox }), []]

/** After a start: what a crash may have cut off is taken up again. */
const started = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    State.withPassing(state, { run: Sending.streamId(turn) }),
    (current) => Rotating.adopt(current),
    (current) => Rotating.announce(current, turn),
    (current) => [current, blocked(current, turn)],
    (current) => Answering.interruptAll(current, turn),
    (current) => Posting.repost(current, turn),
    (current) => Answering.showAgain(current, turn),
    (current) => tick(current, turn),
    (current) => Hello.begin(current, turn),
    (current) => Topics.started(current, turn)
  )

const blocked = (state: State.State, turn: Turn): ReadonlyArray<Output> =>
  Table.values(state.durable.bans).flatMap(({ peerId, untilMs }): ReadonlyArray<Output> => {
    const swarmKey = Table.get(state.durable.roster.friends, peerId)?.swarmKey
    return swarmKey === undefined || untilMs <= turn.nowMs ? [] : [{ _tag: "Block", swarmKey }]
  })

/** What time alone brings about: ends that are due, and dials. */
const tick = (state: State.State, turn: Turn): State.Stepped => {
  const { outbox } = state.durable
  const roster = Roster.expire(state.durable.roster, turn.nowMs)
  const replay = ReplayWindow.forget(state.durable.replay, turn.nowMs)
  const isSwept = roster !== state.durable.roster || replay !== state.durable.replay
  const waiting = ([...HashMap.keys(outbox.waiting)] as Array<PeerId>).sort()
  return State.chain(
    isSwept ? State.withDurable(state, { roster, replay }) : state,
    (current) => Telling.sumUp(current, turn),
    (current) => Connecting.pardon(current, turn),
    (current) => Sending.expire(current, turn),
    (current) => Holding.expire(current, turn),
    (current) => Farewell.end(current, turn),
    (current) => Stalling.end(current, waiting, turn),
    (current) => Answering.showAgain(current, turn),
    (current) => Guests.tick(current, turn),
    (current) => Inviting.tick(current, turn),
    (current) => Errands.tick(current, turn),
    (current) => Topics.tick(current, turn),
    (current) => Rotating.announce(current, turn),
    (current) => Rotating.bringNews(current, turn),
    (current) => Hello.again(current, turn),
    ...waiting.map((peerId) => (current: State.State) => Sending.flush(current, peerId, turn))
  )
}

/** Re-exported for the turn loop: when to step again without an input. */
export const nextWakeMs = Connecting.nextWakeMs
