/**
 * Token buckets as values: how much a peer may do, and when it may do the next thing.
 * It never sleeps and never punishes; a refusal names when to come back and costs nothing.
 * Several buckets are drawn from together, all or none, so that "30 a minute and 300 an hour" is one question.
 */
import * as Limits from "../Limits.ts"

/** A bucket's size and the time in which it fills from empty. */
export interface Rate {
  readonly capacity: number
  readonly windowMs: number
}

export interface Bucket {
  readonly level: number
  readonly atMs: number
}

/** The budgets of one peer; a budget that was never used is full. */
export type Budgets = Readonly<Partial<Record<keyof typeof rates, ReadonlyArray<Bucket>>>>

/** What is counted, and by which buckets together, unless a node is configured otherwise. */
export const rates = {
  message: [
    { capacity: Limits.messagesPerMinute, windowMs: 60_000 },
    { capacity: Limits.messagesPerHour, windowMs: 3_600_000 }
  ],
  inject: [
    { capacity: Limits.injectsPerMinute, windowMs: 60_000 },
    { capacity: Limits.injectsPerHour, windowMs: 3_600_000 }
  ],
  /** What an agent's own tools may ask of one friend, and of all together; see `delivery/InjectChain`. */
  toolInject: [{ capacity: Limits.toolInjectsPerPeerPerHour, windowMs: 3_600_000 }],
  toolInjects: [{ capacity: Limits.toolInjectsPerHour, windowMs: 3_600_000 }],
  control: [{ capacity: Limits.controlPerSecond, windowMs: 1_000 }],
  stream: [{ capacity: Limits.streamsPerHour, windowMs: 3_600_000 }],
  older: [{ capacity: Limits.olderDisksMax, windowMs: Limits.olderDiskWindowMs }],
  sas: [{ capacity: Limits.sasPerHour, windowMs: 3_600_000 }],
  sasOffer: [{ capacity: Limits.sasOffersPerHour, windowMs: 3_600_000 }],
  line: [{ capacity: Limits.linesPerMinute, windowMs: 60_000 }],
  opening: [{ capacity: Limits.strangerOpeningsPerMinute, windowMs: Limits.strangerOpeningsWindowMs }],
  ofKey: [{ capacity: Limits.strangerOpeningsOfKeyPerMinute, windowMs: Limits.strangerOpeningsWindowMs }],
  ofHost: [{ capacity: Limits.strangerOpeningsOfHostPerMinute, windowMs: Limits.strangerOpeningsWindowMs }],
  reopening: [{ capacity: Limits.friendOpeningsMax, windowMs: Limits.friendOpeningsWindowMs }],
  claim: [{ capacity: Limits.claimsPerMinute, windowMs: 60_000 }],
  claims: [{ capacity: Limits.claimsTotalPerMinute, windowMs: 60_000 }],
  meeting: [{ capacity: Limits.topicMeetingsPerMinute, windowMs: 60_000 }],
  violation: [{ capacity: Limits.violationsMax, windowMs: Limits.violationWindowMs }]
} satisfies Record<string, ReadonlyArray<Rate>>
export type Budget = keyof typeof rates
export type Rates = Readonly<Record<Budget, ReadonlyArray<Rate>>>

/** Parts of one draw that are lost or won by computing with fractions. */
const rounding = 1e-9

const refill = (rate: Rate, bucket: Bucket | undefined, nowMs: number): number => {
  if (bucket === undefined) return rate.capacity
  // A clock that went back must neither fill nor empty a bucket.
  const elapsedMs = Math.max(0, nowMs - bucket.atMs)
  return Math.min(rate.capacity, bucket.level + (elapsedMs * rate.capacity) / rate.windowMs)
}

/** Draws one from a budget: the budgets left, or how long to wait until one can be drawn (whole milliseconds, ≥ 1). */
export const draw = (
  budgets: Budgets,
  budget: Budget,
  nowMs: number,
  configured: Rates = rates
): { readonly budgets: Budgets; readonly waitMs: number } => {
  const limits = configured[budget]
  const levels = limits.map((rate, index) => refill(rate, budgets[budget]?.[index], nowMs))
  const waits = limits.map((rate, index) => {
    const missing = 1 - levels[index]!
    // What rounding may have taken is forgiven in both places alike, or a wait would end a millisecond late.
    return missing <= rounding ? 0 : Math.max(1, Math.ceil(((missing - rounding) * rate.windowMs) / rate.capacity))
  })
  const waitMs = Math.max(...waits)
  if (waitMs > 0) return { budgets, waitMs }
  return { budgets: { ...budgets, [budget]: levels.map((level) => ({ level: level - 1, atMs: nowMs })) }, waitMs: 0 }
}
