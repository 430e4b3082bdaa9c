/**
 * Fresh both ways and never seen before: the memory that makes a recorded friend line worthless.
 * It accepts authentic statements only and never forgets one that could still be fresh; when full it refuses.
 * It survives restarts, because five minutes are longer than a restart takes.
 */
import { Result } from "effect"
import type { Authentic } from "../identity/Authentic.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"

/** Signature → when it can be forgotten, milliseconds since the epoch. */
export type ReplayWindow = Table.Table<number>

/** What a statement must carry to be admitted once. */
export interface Once {
  /** The time that was signed. */
  readonly tsMs: number
  /** The signature: one statement, one signature (Ed25519 is deterministic, and malleable ones are refused). */
  readonly signature: string
}

/** Whether a signed time is fresh; if not, the rejection names the difference in seconds. */
export const freshness = (tsMs: number, nowMs: number): Rejection.Rejection | undefined => {
  const differenceMs = tsMs - nowMs
  if (Math.abs(differenceMs) <= Limits.freshnessMs) return undefined
  const direction = differenceMs > 0 ? "ahead of" : "behind"
  return Rejection.make("clock-difference", `${Math.round(Math.abs(differenceMs) / 1000)} s ${direction} our clock`)
}

/** Admits a statement once: `clock-difference`, `line-seen`, `line-rate` (memory full), or the window that knows it. */
export const admit = (
  window: ReplayWindow,
  statement: Authentic<Once>,
  nowMs: number
): Result.Result<ReplayWindow, Rejection.Rejection> => {
  const { signature, tsMs } = statement.value
  const stale = freshness(tsMs, nowMs)
  if (stale !== undefined) return Result.fail(stale)
  if (Table.has(window, signature)) return Result.fail(Rejection.make("line-seen"))
  const room = Table.size(window) < Limits.replayEntriesMax ? window : forget(window, nowMs)
  if (Table.size(room) >= Limits.replayEntriesMax) return Result.fail(Rejection.make("line-rate"))
  return Result.succeed(Table.set(room, signature, tsMs + Limits.freshnessMs))
}

/** Drops what can no longer be fresh. */
export const forget = (window: ReplayWindow, nowMs: number): ReplayWindow =>
  Table.removeWhere(window, (untilMs) => untilMs < nowMs)
