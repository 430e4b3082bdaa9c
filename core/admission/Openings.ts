/**
 * How often a link may begin: strangers share one budget, of which nobody gets more than a part; each friend has its own.
 * It never knows a link or who is a friend; it is told under which names to count.
 * An opening costs a handshake on our side whoever asks for it, so that a friend's links that come and go need a bound too.
 */
import { HashMap, Option } from "effect"
import * as Limits from "../Limits.ts"
import * as RateLimit from "./RateLimit.ts"

/** Whom a link comes from: a friend, or a stranger by its transport key and, where the transport tells, its host. */
export type Source =
  | { readonly friend: string }
  | { readonly friend?: undefined; readonly key: string; readonly host?: string | undefined }

type Shares = HashMap.HashMap<string, RateLimit.Budgets>

/** What strangers together, each of them, and each friend have left. Who is not listed has everything. */
export interface Openings {
  readonly strangers: RateLimit.Budgets
  /** By `key …` and `host …`. */
  readonly shares: Shares
  readonly friends: Shares
}

export const none: Openings = { strangers: {}, shares: HashMap.empty(), friends: HashMap.empty() }

const drawnFrom = (shares: Shares, name: string, budget: "reopening" | "ofKey" | "ofHost", nowMs: number) =>
  RateLimit.draw(
    Option.getOrElse(HashMap.get(shares, name), (): RateLimit.Budgets => ({})),
    budget,
    nowMs
  )

/** Whether one more link may begin, from this source; counted if it may. A refused one costs nobody anything. */
export const admit = (
  openings: Openings,
  source: Source,
  nowMs: number
): { readonly openings: Openings; readonly admitted: boolean } => {
  if (source.friend !== undefined) {
    const { budgets, waitMs } = drawnFrom(openings.friends, source.friend, "reopening", nowMs)
    const friends = HashMap.set(
      forgetFull(openings.friends, Limits.friendOpeningsWindowMs, nowMs),
      source.friend,
      budgets
    )
    return { openings: { ...openings, friends }, admitted: waitMs === 0 }
  }
  const draws = [
    [`key ${source.key}`, drawnFrom(openings.shares, `key ${source.key}`, "ofKey", nowMs)] as const,
    ...(source.host === undefined
      ? []
      : [[`host ${source.host}`, drawnFrom(openings.shares, `host ${source.host}`, "ofHost", nowMs)] as const])
  ]
  const all = RateLimit.draw(openings.strangers, "opening", nowMs)
  if (all.waitMs > 0 || draws.some(([, { waitMs }]) => waitMs > 0)) return { openings, admitted: false }
  const shares = draws.reduce(
    (left, [name, { budgets }]) => HashMap.set(left, name, budgets),
    forgetFull(openings.shares, Limits.strangerOpeningsWindowMs, nowMs)
  )
  return { openings: { ...openings, strangers: all.budgets, shares }, admitted: true }
}

/** Budgets that are full again say nothing; they are dropped once there are many. */
const forgetFull = (shares: Shares, windowMs: number, nowMs: number): Shares =>
  HashMap.size(shares) < Limits.openingsRememberedMax
    ? shares
    : HashMap.filter(shares, (budgets) =>
        Object.values(budgets).some((buckets) => buckets.some(({ atMs }) => Math.abs(nowMs - atMs) < windowMs))
      )
