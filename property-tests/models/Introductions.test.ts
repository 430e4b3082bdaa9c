/**
 * Introductions against a naive clerk: who is asked, who has come and who is whose friend, held after every step.
 * The lives and the clerk are in `introducing`; mistakes that it finds are planted in the slow tier, one of them here.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyLife, type Doing, Life, live, mistakes, type Name } from "./introducing.ts"

describe("introductions and a clerk with slips of paper", () => {
  it("agree on who is asked, who has come and who is whose friend, whatever is said, met, parted and restarted", {
    timeout: 120_000
  }, () => {
    fc.assert(
      fc.property(anyLife, (steps) => live(steps)),
      { numRuns: 40 }
    )
  })
  it("would find a node that says yes by itself", { timeout: 120_000 }, () => {
    const lives = fc.property(anyLife, (steps) => live(steps, mistakes["says yes by itself"]))
    expect(fc.check(lives, { numRuns: 50, seed: 1, endOnFailure: true }).failed).toBe(true)
  })
  it("two yeses and a meeting are enough, in every order of the yeses and the meeting", () => {
    const [one, other] = ["alice", "bob"] as const
    const yes = (a: Name, b: Name): Doing => ({ do: "accept", one: a, other: b })
    const meet: Doing = { do: "meet", one: other, other: one }
    for (const steps of [
      [yes(one, other), yes(other, one), meet],
      [yes(other, one), meet, yes(one, other), meet],
      [yes(one, other), meet, yes(other, one), meet]
    ]) {
      const life = new Life()
      for (const step of [{ do: "introduce", one, other } as const, ...steps]) life.run(step)
      expect(life.friends.size).toBe(2)
    }
  })
})
