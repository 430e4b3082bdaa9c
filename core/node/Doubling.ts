/**
 * One identity alive on two machines, noticed from greetings: a friend's by the runs that take turns, ours by what a
 * friend tells us of our runs.
 * It never ends anything and never decides which machine is the right one; that takes whoever can walk up to them.
 * What a friend says of us proves nothing, so it is told as the friend's word, and no more than once a day.
 */
import type * as Roster from "../friend/Roster.ts"
import * as Runs from "../friend/Runs.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import type { Greeting } from "../wire/Message.ts"
import type { Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

type Whose = "ours" | "theirs"
type Seen = NonNullable<Roster.Friend["twoMachines"]>

const isDue = (seen: Seen, whose: Whose, nowMs: number): boolean =>
  nowMs >= (seen[whose] ?? Number.NEGATIVE_INFINITY) + Limits.twoMachinesAgainMs

/** What the first greeting of a session says of both ends' runs. It counts on the peer's one session only. */
export const greeted = (
  state: State.State,
  peerId: PeerId,
  connection: string,
  greeting: Greeting,
  turn: Turn
): State.Stepped => {
  const session = State.session(state, peerId)
  const friend = Table.get(state.durable.roster.friends, peerId)
  if (friend === undefined || session?.connection !== connection || session.greeted) return [state, []]
  const { returned, runs } = Runs.greeted(friend.runs ?? [], greeting.run)
  const before = friend.twoMachines ?? {}
  const found: ReadonlyArray<Whose> = [
    ...(returned ? (["theirs"] as const) : []),
    ...(Runs.isReplaced(greeting.yours ?? [], state.passing.run) ? (["ours"] as const) : [])
  ]
  const told = found.filter((whose) => isDue(before, whose, turn.nowMs))
  if (told.length === 0 && runs === friend.runs) return [state, []]
  const seen = Object.fromEntries(told.map((whose) => [whose, turn.nowMs]))
  const twoMachines = told.length === 0 ? {} : { twoMachines: { ...before, ...seen } }
  const friends = Table.set(state.durable.roster.friends, peerId, { ...friend, runs, ...twoMachines })
  return [
    State.withRoster(state, { friends }),
    told.map((whose): Output => ({ _tag: "Tell", event: { _tag: "TwoMachines", peerId, name: friend.name, whose } }))
  ]
}

/**
 * When the alarm about one identity on two machines was last raised, null if never or so long ago that it must be over:
 * while it lasts it is raised again every day.
 */
export const lastSeenMs = (friend: Roster.Friend, whose: Whose, nowMs: number): number | null => {
  const atMs = friend.twoMachines?.[whose]
  return atMs === undefined || nowMs >= atMs + 2 * Limits.twoMachinesAgainMs ? null : atMs
}
