/**
 * The last session with a former friend: open for one word and its confirmation, and for a short time.
 * It never lets anything else a former friend says take effect, be told or be remembered.
 * A former friend that will not confirm would otherwise keep its session, and all that a session carries, for days.
 */
import { HashMap } from "effect"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { Message } from "../wire/Message.ts"
import type { Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

/** The words of a session that a former friend may still say: those by which it hears of the end, or confirms it. */
const heard: ReadonlySet<Message["kind"]> = new Set(["Greeting", "Receipt", "Reject", "Close"])

/** Whether a message of the session means anything now, from a friend or from one who was. */
export const isHeard = (standing: "Friend" | "Former", kind: Message["kind"]): boolean =>
  standing === "Friend" || heard.has(kind)

/** Until when a session with a former friend that begins now, or becomes one now, may last. */
export const begin = (state: State.State, peerId: PeerId, turn: Turn): State.State => {
  const session = State.session(state, peerId)
  if (session === undefined) return state
  return State.withSession(state, peerId, { ...session, leaveByMs: turn.nowMs + Limits.farewellMs })
}

/** The sessions that have been open for their farewell long enough. The word waits, and is brought again later. */
export const end = (state: State.State, turn: Turn): State.Stepped => {
  if (nextMs(state) > turn.nowMs) return [state, []]
  const late = [...state.passing.sessions].filter(([, { leaveByMs = Infinity }]) => leaveByMs <= turn.nowMs)
  return State.chain(
    state,
    ...late.sort().map(([peerId, { leaveByMs: _, ...session }]) => (current: State.State): State.Stepped => {
      const isFriend = Table.get(current.durable.roster.friends, peerId)?.standing === "Friend"
      const hangUp: Output = { _tag: "HangUp", connection: session.connection, code: null }
      return [State.withSession(current, peerId as PeerId, session), isFriend ? [] : [hangUp]]
    })
  )
}

/** When the first farewell is over; never if there is none. */
export const nextMs = (state: State.State): number => {
  let next = Number.POSITIVE_INFINITY
  for (const { leaveByMs } of HashMap.values(state.passing.sessions)) {
    if (leaveByMs !== undefined && leaveByMs < next) next = leaveByMs
  }
  return next
}

/** The longest pause between two dials of a peer: a former friend is not worth one a minute for days. */
export const dialPauseMaxMs = (state: State.State, peerId: PeerId): number =>
  Table.get(state.durable.roster.friends, peerId)?.standing === "Former"
    ? Limits.farewellPauseMaxMs
    : Limits.dialPauseMaxMs
