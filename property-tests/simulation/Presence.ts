/**
 * Who was up when, as intervals, and what follows: when two met, and how much of that a message had to arrive in.
 * It never says what should have happened in a meeting; it measures.
 * Time is counted, not guessed at: a claim that a message was late has to name the meeting in which it could have come.
 */

export interface Interval {
  readonly fromMs: number
  readonly toMs: number
}

/** The intervals that lie in both lists. Each is in order and without overlaps. */
export const common = (one: ReadonlyArray<Interval>, other: ReadonlyArray<Interval>): ReadonlyArray<Interval> => {
  const found: Array<Interval> = []
  for (let a = 0, b = 0; a < one.length && b < other.length; ) {
    const fromMs = Math.max(one[a]!.fromMs, other[b]!.fromMs)
    const toMs = Math.min(one[a]!.toMs, other[b]!.toMs)
    if (fromMs < toMs) found.push({ fromMs, toMs })
    if (one[a]!.toMs < other[b]!.toMs) a++
    else b++
  }
  return found
}

/** What lies between two times. */
export const within = (intervals: ReadonlyArray<Interval>, span: Interval): ReadonlyArray<Interval> =>
  common(intervals, [span])

/** How long intervals are together. */
export const totalMs = (intervals: ReadonlyArray<Interval>): number =>
  intervals.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0)

/** The longest interval there is. */
export const longestMs = (intervals: ReadonlyArray<Interval>): number =>
  intervals.reduce((longest, { fromMs, toMs }) => Math.max(longest, toMs - fromMs), 0)

/** The first moment from a time on that lies in an interval. */
export const firstFrom = (intervals: ReadonlyArray<Interval>, ms: number): number | undefined => {
  const next = intervals.find(({ toMs }) => toMs > ms)
  return next === undefined ? undefined : Math.max(ms, next.fromMs)
}
