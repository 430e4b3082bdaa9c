/**
 * Questions that wait for an owner, over random schedules: no late grant, no second run, no orphan.
 * The schedules and what must hold are in `holding.ts`; a hundred thousand of them are in the slow tier.
 * A few stories with names stand beside, for what a reader would ask first.
 */
import { describe, expect, it } from "vitest"
import * as HoldRule from "../../core/agent/HoldRule.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import * as Table from "../../core/Table.ts"
import { Desk, trySchedules } from "./holding.ts"

describe("questions that wait for an owner", () => {
  it("end once, by a word or by time, and run by nothing but the owner's word", () => trySchedules(400))
  it("are held under `always`, run once approved, and are refused a day later", () => {
    const desk = new Desk()
    desk.setRule("always")
    desk.ask()
    desk.ask()
    desk.meet()
    expect([...desk.notes.values()].map(({ heldUntilMs, runs }) => [heldUntilMs !== undefined, runs])).toEqual([
      [true, 0],
      [true, 0]
    ])
    desk.decide(0, true, false)
    const runs = () => [...desk.notes.values()].map((note) => note.runs).sort()
    expect(runs()).toEqual([0, 1])
    desk.rest()
    expect(runs()).toEqual([0, 1])
  })
})

describe("the owner's rule", () => {
  const bob = "bob" as PeerId
  const none: HoldRule.HoldRules = Table.empty()
  it("holds every question, the first ones, those beyond the allowance, or none", () => {
    const reasons = (rules: HoldRule.HoldRules) =>
      [true, false].map((affordable) => HoldRule.reason(rules, bob, affordable, false))
    expect(reasons(none)).toEqual([undefined, undefined])
    expect(reasons(HoldRule.set(none, bob, "always"))).toEqual(["always", "always"])
    expect(reasons(HoldRule.set(none, bob, "over-budget"))).toEqual([undefined, "over-budget"])
    const first = HoldRule.set(none, bob, "first")
    expect(reasons(first)).toEqual(["first", "first"])
    expect(reasons(HoldRule.approve(first, bob))).toEqual([undefined, undefined])
    expect(reasons(HoldRule.set(HoldRule.approve(first, bob), bob, "first"))).toEqual(["first", "first"])
    expect(reasons(HoldRule.set(first, bob, "never"))).toEqual([undefined, undefined])
    expect(HoldRule.approve(none, bob)).toBe(none)
    const unverified = HoldRule.set(none, bob, "unverified")
    expect([true, false].map((verified) => HoldRule.reason(unverified, bob, true, verified))).toEqual([
      undefined,
      "unverified"
    ])
  })
})
