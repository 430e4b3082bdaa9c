/**
 * Introductions in a network that breaks, over many seeds; and nodes with a mistake each, all of which are found.
 * It never asks a node what was agreed: what must hold follows from what operators wished, said and were told.
 */
import { expect, it } from "vitest"
import { isFound, plants } from "./IntroductionPlants.ts"
import { playIntroductions } from "./Introductions.ts"

const seeds = Array.from({ length: 24 }, (_, index) => index + 1)

it("introductions ask, and give nothing by themselves, while everything breaks", { timeout: 600_000 }, () => {
  const outcomes = seeds.map((seed) => playIntroductions(seed))
  const wrong = outcomes.flatMap(({ violations }, index) => violations.map((what) => `seed ${seeds[index]}: ${what}`))
  expect(wrong).toEqual([])
  const sum = (of: "introduced" | "befriended" | "denied" | "voided" | "crashes") =>
    outcomes.reduce((all, outcome) => all + outcome[of], 0)
  // Enough has happened for that to say something.
  expect(sum("introduced")).toBeGreaterThan(300)
  expect(sum("befriended")).toBeGreaterThan(60)
  expect(sum("denied")).toBeGreaterThan(30)
  expect(sum("voided")).toBeGreaterThan(20)
  expect(sum("crashes")).toBeGreaterThan(200)
})

it.each(plants)("a mistake is found: %s", { timeout: 300_000 }, (_, says, plant) => {
  expect(isFound(plant, says, seeds)).toBe(true)
})
