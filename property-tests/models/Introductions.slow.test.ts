/**
 * Many lives of introductions against the clerk, and nodes with a mistake each, all of which it finds.
 * The lives, the clerk and the mistakes are in `introducing`; here are only the numbers.
 * Apart from the fast tier because a mistake that shows once in a hundred lives takes a hundred lives to find.
 */
import fc from "fast-check"
import { expect, it } from "vitest"
import { anyLife, live, mistakes } from "./introducing.ts"

it("a clerk with slips of paper agrees with many lives", { timeout: 600_000 }, () => {
  fc.assert(
    fc.property(anyLife, (steps) => live(steps)),
    { numRuns: 1_000 }
  )
})

it.each(Object.entries(mistakes))("and would find a node that %s", { timeout: 300_000 }, (_, step) => {
  const lives = fc.property(anyLife, (steps) => live(steps, step))
  expect(fc.check(lives, { numRuns: 1_000, seed: 1, endOnFailure: true }).failed).toBe(true)
})
