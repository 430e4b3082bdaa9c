/**
 * Invites in a network that breaks, over many seeds; and nodes with a mistake each, all of which are found.
 * It never asks a node what was agreed: what must hold follows from what operators wished and were told.
 */
import { expect, it } from "vitest"
import { eager, isFound, plants } from "./InvitationPlants.ts"
import { playInvitations } from "./Invitations.ts"

const seeds = Array.from({ length: 24 }, (_, index) => index + 1)

it("invites hold what they say while everything breaks", { timeout: 600_000 }, () => {
  const outcomes = seeds.map((seed) => playInvitations(seed))
  const wrong = outcomes.flatMap(({ violations }, index) => violations.map((what) => `seed ${seeds[index]}: ${what}`))
  expect(wrong).toEqual([])
  const sum = (of: "invites" | "redeemed" | "refused" | "crashes") =>
    outcomes.reduce((all, outcome) => all + outcome[of], 0)
  // Enough has happened for that to say something.
  expect(sum("invites")).toBeGreaterThan(400)
  expect(sum("redeemed")).toBeGreaterThan(200)
  expect(sum("refused")).toBeGreaterThan(100)
  expect(sum("crashes")).toBeGreaterThan(200)
})

it("and so they do where claimers do not look whom a link is for", { timeout: 300_000 }, () => {
  const outcomes = seeds.slice(0, 6).map((seed) => playInvitations(seed, eager))
  expect(outcomes.flatMap(({ violations }) => violations)).toEqual([])
})

it.each(plants)("a mistake is found: %s", { timeout: 300_000 }, (_, says, plant) => {
  expect(isFound(plant, says, seeds.slice(0, 12))).toBe(true)
})
