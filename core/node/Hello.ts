/**
 * The dials of a start: every friend once, so that what waits for us at them comes at once, and some of them again.
 * It never dials a friend that nothing is known of but a key: who has no address is found by a lookup when it is needed.
 * Again, because we may be where nobody has met us: until a friend has seen us here, it looks for us where we were.
 */
import { HashMap } from "effect"
import type * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { Turn } from "./Input.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

const say = (state: State.State, friend: Roster.Friend, turn: Turn, hellosLeft: number): State.Stepped => {
  const [next, outputs] = Sending.dial(state, friend, turn)
  return [outputs.length === 0 ? next : State.withContact(next, friend.peerId, { hellosLeft }), outputs]
}

/** After a start: dials the newest friends, within a bound. */
export const begin = (state: State.State, turn: Turn): State.Stepped => {
  const friends = Table.values(state.durable.roster.friends)
    .filter((friend) => friend.standing === "Friend" && friend.swarmKey !== undefined)
    .sort((a, b) => b.sinceMs - a.sinceMs)
    .slice(0, Limits.helloDialsMax)
  const left = (friend: Roster.Friend) => (friend.addresses === undefined ? 0 : Limits.helloTriesMax - 1)
  return State.chain(state, ...friends.map((one) => (current: State.State) => say(current, one, turn, left(one))))
}

/** Dials again whom the hellos of this start have not reached, when it is due and as often as it is allowed. */
export const again = (state: State.State, turn: Turn): State.Stepped => {
  const missing = [...state.passing.contacts].flatMap(
    ([key, { dialing, hellosLeft = 0, nextDialMs, pausedUntilMs }]) => {
      if (hellosLeft === 0 || dialing || turn.nowMs < Math.max(nextDialMs, pausedUntilMs)) return []
      const friend = Table.get(state.durable.roster.friends, key as PeerId)
      const isMet = HashMap.has(state.passing.sessions, key)
      return friend?.standing !== "Friend" || isMet || Sending.isHeld(friend) ? [] : [{ friend, hellosLeft }]
    }
  )
  return State.chain(
    state,
    ...missing
      .sort((a, b) => (a.friend.peerId < b.friend.peerId ? -1 : 1))
      .map((one) => (current: State.State) => say(current, one.friend, turn, one.hellosLeft - 1))
  )
}
