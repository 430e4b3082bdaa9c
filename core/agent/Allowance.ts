/**
 * What a friend's questions may cost the owner: calls of the model, its tokens, and time, for a turn and for a day.
 * It never measures anything; what a turn spent is told to it, and what it may spend is taken away before it begins.
 * Taken first and given back after: a crash or a hasty cancellation costs the friend the whole turn, never the owner more.
 */
import { Schema } from "effect"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"

/** Calls, tokens read and written, milliseconds of running. */
export const Allowance = Schema.Struct({ calls: Schema.Int, tokens: Schema.Int, ms: Schema.Int })
export type Allowance = typeof Allowance.Type

/** What one turn may cost at most, and all turns of a friend in one day. */
export interface Allowances {
  readonly turn: Allowance
  readonly day: Allowance
  /** What the turns of all friends together may cost in one day; absent: only each friend's own day is counted. */
  readonly everybody?: Allowance
}

/** Under which the day of all friends together is counted; no friend's id, which is a hash. */
const everybodyId = "everybody" as PeerId

/** What a friend has spent on a day, counted in days since the epoch, UTC. */
export const Spent = Schema.Struct({ day: Schema.Int, ...Allowance.fields })
export type Spent = typeof Spent.Type
export type Spents = Table.Table<Spent>

const dayMs = 86_400_000

/** The day of a time: days since the epoch, UTC. */
export const dayOf = (nowMs: number): number => Math.floor(nowMs / dayMs)

const combined = (a: Allowance, b: Allowance, with_: (a: number, b: number) => number): Allowance => ({
  calls: with_(a.calls, b.calls),
  tokens: with_(a.tokens, b.tokens),
  ms: with_(a.ms, b.ms)
})

const nothing: Allowance = { calls: 0, tokens: 0, ms: 0 }

/** What a peer has spent today, calls, tokens and milliseconds; what runs counts in full. */
export const today = (spents: Spents, peerId: PeerId, nowMs: number): Allowance => {
  const { calls, ms, tokens } = spentToday(spents, peerId, nowMs)
  return { calls, tokens, ms }
}

/** What a peer has spent today. A day that a clock went back to counts as today: nothing is forgotten by turning clocks. */
const spentToday = (spents: Spents, peerId: PeerId, nowMs: number): Spent => {
  const spent = Table.get(spents, peerId)
  return spent !== undefined && spent.day >= dayOf(nowMs) ? spent : { day: dayOf(nowMs), ...nothing }
}

/** What the next turn of a peer may cost: a turn's allowance, or what is left of its day, or of everybody's. */
export const left = (
  spents: Spents,
  peerId: PeerId,
  { day, everybody, turn }: Allowances,
  nowMs: number
): Allowance => {
  const restOf = (whose: PeerId, allowance: Allowance) =>
    combined(allowance, spentToday(spents, whose, nowMs), (a, b) => Math.max(0, a - b))
  const own = combined(turn, restOf(peerId, day), Math.min)
  return everybody === undefined ? own : combined(own, restOf(everybodyId, everybody), Math.min)
}

/** Whether there is enough of each for a turn to begin at all. */
export const isEnough = ({ calls, ms, tokens }: Allowance): boolean => calls > 0 && tokens > 0 && ms >= 1_000

/** Takes an allowance away from the day: what is spent after it, and the day it was taken from. */
export const take = (
  spents: Spents,
  peerId: PeerId,
  allowance: Allowance,
  nowMs: number
): { readonly spents: Spents; readonly day: number } => {
  const taken = (from: Spents, whose: PeerId): Spents => {
    const before = spentToday(from, whose, nowMs)
    return Table.set(from, whose, { day: before.day, ...combined(before, allowance, (a, b) => a + b) })
  }
  return { day: spentToday(spents, peerId, nowMs).day, spents: taken(taken(spents, peerId), everybodyId) }
}

/**
 * Gives back what a turn did not spend, if the day in which it was taken is still the one that is counted. What it spent
 * beyond what was taken, a negative number, is counted too.
 */
export const giveBack = (spents: Spents, peerId: PeerId, day: number, unspent: Allowance): Spents => {
  // Whoever is forgotten meanwhile gets nothing back, and neither does the day of all.
  if (Table.get(spents, peerId)?.day !== day) return spents
  return [peerId, everybodyId].reduce((left, whose) => {
    const before = Table.get(left, whose)
    if (before === undefined || before.day !== day) return left
    return Table.set(left, whose, { day, ...combined(before, unspent, (a, b) => Math.max(0, a - b)) })
  }, spents)
}
