/**
 * Sessions that stand still while something waits: the peer never greets, or never confirms the first thing under way.
 * It never judges a link on which nothing is due; ends that are gone are noticed below, by the transport.
 * Such a link looks alive from there; on a new one everything that is not settled comes again.
 */
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import type { Turn } from "./Input.ts"
import * as State from "./State.ts"

/** The earliest place that is under way, and since when it has been that, as far as we have looked. */
const oldestOf = ({ oldest, underWay }: State.Session, turn: Turn): State.Session["oldest"] => {
  if (underWay.size === 0) return undefined
  const order = Math.min(...underWay)
  return oldest?.order === order ? oldest : { order, sinceMs: turn.nowMs }
}

/** A clock that went back says as much as one that went on: nobody knows for how long it was. */
const isLongAgo = (sinceMs: number, limitMs: number, turn: Turn): boolean => Math.abs(turn.nowMs - sinceMs) >= limitMs

const endOf = (state: State.State, peerId: PeerId, turn: Turn): State.Stepped => {
  const session = State.session(state, peerId)
  if (session === undefined || session.leaveByMs !== undefined) return [state, []]
  const oldest = oldestOf(session, turn)
  const stalls = session.greeted
    ? oldest !== undefined && isLongAgo(oldest.sinceMs, Limits.receiptDueMs, turn)
    : isLongAgo(session.openedMs, Limits.greetingDueMs, turn)
  const { connection } = session
  return [
    oldest === session.oldest ? state : State.withSession(state, peerId, { ...session, oldest }),
    stalls ? [{ _tag: "HangUp", connection, code: null }] : []
  ]
}

/** Hangs up where one of the peers that something waits for stands still. Looked at with every tick, once a minute or more. */
export const end = (state: State.State, waiting: ReadonlyArray<PeerId>, turn: Turn): State.Stepped =>
  State.chain(state, ...waiting.map((peerId) => (current: State.State) => endOf(current, peerId, turn)))
