/**
 * The square: members who join, leave, speak, crash and connect among liars, and a bug planted for each checker.
 * The long row of seeds, and the crowd of ten thousand, are in the slow tier.
 */
import { describe, expect, it } from "vitest"
import { Square } from "./Square.ts"
import { squarePlants } from "./SquarePlants.ts"

describe("the square", () => {
  it("grants nothing that no operator granted, shows nothing that nobody signed, finds who is there and nobody who left", () => {
    const square = new Square({ seed: 1, nodes: 4, minutes: 40 }).run()
    expect(square.breaches).toEqual([])
    expect(square.turns).toBeGreaterThan(1_000)
  }, 120_000)
  it("is one history for a seed", () => {
    const turns = (seed: number) => new Square({ seed, nodes: 3, minutes: 10 }).run().turns
    expect(turns(7)).toBe(turns(7))
    expect(turns(7)).not.toBe(turns(8))
  }, 120_000)
  for (const { foundBy, name, plant, says } of squarePlants.slice(0, 1)) {
    it(`finds a planted bug (${name}): ${says}`, () => {
      const { breaches } = new Square({ seed: 1, nodes: 3, minutes: 20 }, plant).run()
      expect(breaches.map(({ checker }) => checker)).toContain(foundBy)
    }, 120_000)
  }
  it("has a planted bug for every checker, and each plant says who must find it", () => {
    const named = ["ungranted", "gone", "rolled back", "bounded", "forged", "found", "discreet", "sparing"]
    expect([...new Set(squarePlants.map(({ foundBy }) => foundBy))].sort()).toEqual(named.sort())
  })
})
