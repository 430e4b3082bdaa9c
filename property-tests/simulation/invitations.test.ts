/**
 * Invites in a network that breaks, over a few seeds; many, and all planted mistakes, are in the slow tier.
 * An invite is used at most as often as it says, by whom it says, never when it is over, and gives no more than it says;
 * and what was claimed and confirmed is a friendship on both sides.
 */
import { expect, it } from "vitest"
import { isFound, plants } from "./InvitationPlants.ts"
import { playInvitations } from "./Invitations.ts"

it("a seed is one history, in which invites hold what they say", { timeout: 120_000 }, () => {
  const first = playInvitations(7)
  expect(first.violations).toEqual([])
  expect(first.redeemed).toBeGreaterThan(5)
  expect(playInvitations(7)).toEqual(first)
})

it("a mistake is found", { timeout: 120_000 }, () => {
  const [name, says, plant] = plants[0]!
  expect(isFound(plant, says, [1, 2, 3]), name).toBe(true)
})
