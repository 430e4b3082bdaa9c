/**
 * How often a link may begin: strangers share one budget, each friend has one of its own.
 * It never knows a link or who is a friend; it is told under which name to count, or under none.
 * An opening costs a handshake on our side whoever asks for it, so that a friend's links that come and go need a bound too.
 */
import { HashMap, Option } from "effect"
import * as Limits from "../Limits.ts"
import * as RateLimit from "./RateLimit.ts"

/** What strangers together and each friend have left. A friend that is not listed has everything. */
export interface Openings {
  readonly strangers: RateLimit.Budgets
  readonly friends: HashMap.HashMap<string, RateLimit.Budgets>
}

export const none: Openings = { strangers: {}, friends: HashMap.empty() }

/** Whether one more link may begin, of this friend or of a stranger (undefined); counted if it may. */
export const admit = (
  openings: Openings,
  friend: string | undefined,
  nowMs: number
): { readonly openings: Openings; readonly admitted: boolean } => {
  if (friend === undefined) {
    const { budgets, waitMs } = RateLimit.draw(openings.strangers, "opening", nowMs)
    return { openings: { ...openings, strangers: budgets }, admitted: waitMs === 0 }
  }
  const before = Option.getOrElse(HashMap.get(openings.friends, friend), (): RateLimit.Budgets => ({}))
  const { budgets, waitMs } = RateLimit.draw(before, "reopening", nowMs)
  const friends = HashMap.set(forgetFull(openings.friends, nowMs), friend, budgets)
  return { openings: { ...openings, friends }, admitted: waitMs === 0 }
}

/** Budgets that are full again say nothing; they are dropped once there are many. */
const forgetFull = (friends: Openings["friends"], nowMs: number): Openings["friends"] =>
  HashMap.size(friends) < Limits.openingsRememberedMax
    ? friends
    : HashMap.filter(friends, ({ reopening = [] }) =>
        reopening.some(({ atMs }) => Math.abs(nowMs - atMs) < Limits.friendOpeningsWindowMs)
      )
