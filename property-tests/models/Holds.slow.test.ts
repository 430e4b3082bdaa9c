/**
 * A hundred thousand schedules of questions that wait for an owner: no late grant, no second run, no orphan.
 * What must hold is in `holding.ts`; here is only the number.
 * They are tried in slices, so that a runner that kills what is silent for long hears of each.
 */
import { it } from "vitest"
import { trySchedules } from "./holding.ts"

for (let slice = 1; slice <= 10; slice++) {
  it(`ten thousand schedules, ${slice} of 10`, () => trySchedules(10_000), 300_000)
}
