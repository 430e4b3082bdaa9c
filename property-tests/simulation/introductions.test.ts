/**
 * Introductions in a network that breaks, over a few seeds; many, and all planted mistakes, are in the slow tier.
 * Nobody becomes a friend without two yeses and an introduction that still counts, and gets no more than `message`;
 * and two who have both said yes, with nothing in the way, are friends on both sides.
 */
import { expect, it } from "vitest"
import { isFound, plants } from "./IntroductionPlants.ts"
import { playIntroductions } from "./Introductions.ts"

it("a seed is one history, in which introductions ask and give nothing by themselves", { timeout: 120_000 }, () => {
  const first = playIntroductions(12)
  expect(first.violations).toEqual([])
  expect(first.befriended).toBeGreaterThan(2)
  expect(playIntroductions(12)).toEqual(first)
})

it("a mistake is found", { timeout: 120_000 }, () => {
  const [name, says, plant] = plants[0]!
  expect(isFound(plant, says, [12, 2]), name).toBe(true)
})
