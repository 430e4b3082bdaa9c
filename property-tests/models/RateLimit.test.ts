/**
 * Token buckets against a list of the times at which something was admitted.
 * The oracle has no buckets: it counts, over every stretch of time that ends now, what a bucket may let through.
 * That a wait is exact is tried a millisecond before and at its end, on the same value.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import { noonMs } from "../arbitraries/state.ts"

const capacity = fc.integer({ min: 1, max: 12 })
const windowMs = fc.integer({ min: 1, max: 5_000 })
const rate = fc.record({ capacity, windowMs })
const ratesOf = (limits: ReadonlyArray<RateLimit.Rate>): RateLimit.Rates => ({ ...RateLimit.rates, message: limits })

/** Tries at growing times: mostly bunched, so that buckets run empty. */
const tries = fc.array(
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1) }, { weight: 2, arbitrary: fc.nat(2_000) }),
  { minLength: 1, maxLength: 60 }
)

/** Whether one more at `nowMs` keeps every stretch of the log within a bucket's size and its refill. */
const mayAdmit = (log: ReadonlyArray<number>, { capacity, windowMs }: RateLimit.Rate, nowMs: number): boolean =>
  [...log, nowMs].every((sinceMs, index, all) => {
    const admitted = all.length - index
    return admitted <= capacity + ((nowMs - sinceMs) * capacity) / windowMs + 1e-6
  })

describe("token buckets", () => {
  it("admit exactly what every stretch of time allows, and their waits are exact", () => {
    fc.assert(
      fc.property(fc.array(rate, { minLength: 1, maxLength: 3 }), tries, (limits, pauses) => {
        const rates = ratesOf(limits)
        const log: Array<number> = []
        let nowMs = noonMs
        let budgets: RateLimit.Budgets = {}
        for (const pauseMs of pauses) {
          nowMs += pauseMs
          const drawn = RateLimit.draw(budgets, "message", nowMs, rates)
          const allowed = limits.every((limit) => mayAdmit(log, limit, nowMs))
          expect(drawn.waitMs === 0).toBe(allowed)
          if (drawn.waitMs === 0) {
            budgets = drawn.budgets
            log.push(nowMs)
            continue
          }
          expect(Number.isSafeInteger(drawn.waitMs)).toBe(true)
          expect(RateLimit.draw(budgets, "message", nowMs + drawn.waitMs, rates).waitMs).toBe(0)
          expect(RateLimit.draw(budgets, "message", nowMs + drawn.waitMs - 1, rates).waitMs).toBeGreaterThan(0)
        }
      }),
      { numRuns: 400 }
    )
  })
  it("a clock that goes back neither fills nor empties: what was left can be drawn, and no more", () => {
    fc.assert(
      fc.property(rate, fc.nat(20), fc.integer({ min: 1, max: 10_000_000 }), (limit, drawnBefore, backMs) => {
        const rates = ratesOf([limit])
        let budgets: RateLimit.Budgets = {}
        let left = limit.capacity
        for (let index = 0; index < Math.min(drawnBefore, limit.capacity); index++, left--) {
          budgets = RateLimit.draw(budgets, "message", noonMs, rates).budgets
        }
        let more = 0
        for (; more <= limit.capacity; more++) {
          const drawn = RateLimit.draw(budgets, "message", noonMs - backMs, rates)
          if (drawn.waitMs > 0) break
          budgets = drawn.budgets
        }
        // A bucket that was never drawn from knows no time, so it is full at any.
        expect(more).toBe(left)
      })
    )
  })
})
