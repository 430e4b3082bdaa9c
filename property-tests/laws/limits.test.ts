/**
 * Laws of the bounds: each is a number one can rely on, and the relations that make them true together hold.
 * It never repeats a bound's value; what is checked here are promises of the protocol that a bound could break.
 * The numbers written down here are the protocol's own, so that a change of a bound that breaks it does not go unseen.
 */
import { describe, expect, it } from "vitest"
import { Limits } from "../../core/index.ts"
import * as Relations from "../../core/Relations.ts"

const numbers = Object.entries(Limits).filter((entry): entry is [string, number] => typeof entry[1] === "number")

describe("bounds", () => {
  it.each(numbers)("%s is a positive safe integer", (_, value) => {
    expect(Number.isSafeInteger(value) && value > 0).toBe(true)
  })
  it("are all there is", () => {
    expect(numbers.length).toBe(Object.keys(Limits).length)
    expect(numbers.length).toBeGreaterThan(40)
  })
  it.each(Relations.relations.map(({ holds, why }) => [why, holds] as const))("relation: %s", (_, holds) => {
    expect(holds).toBe(true)
  })
  it("say each relation once, with a reason", () => {
    const reasons = Relations.relations.map(({ why }) => why)
    expect(new Set(reasons).size).toBe(reasons.length)
    for (const why of reasons) expect(why.split(" ").length).toBeGreaterThan(3)
  })
  it("have a unit or a thing counted in their name", () => {
    const counted = /(Ms|Max|Bytes|PerMinute|PerHour|PerSecond|PerEpoch|Entries|PerPeer|Reserved)$/
    expect(numbers.map(([name]) => name).filter((name) => !counted.test(name))).toEqual([])
  })
  it("keep what the protocol writes down", () => {
    expect(Limits).toMatchObject({
      bodyBytesMax: 2 ** 20,
      frameBytesMax: 2 ** 20 + 4 * 1024,
      freshnessMs: 5 * 60 * 1000,
      recordsPerEpoch: 2 ** 16,
      epochAgeMs: 10 * 60 * 1000,
      sessionAgeMs: 24 * 3600 * 1000,
      requestAgeMs: 7 * 24 * 3600 * 1000,
      askedByMax: 100,
      nameCodePointsMax: 64,
      messagesPerMinute: 30,
      messagesPerHour: 300,
      injectsPerMinute: 30,
      injectsPerHour: 300,
      inboxAheadMax: 1024,
      streamsPerPeer: 2
    })
  })
  it("remember every line that a budget with its burst can admit while one is fresh", () => {
    const burst = Limits.linesPerMinute
    const admitted = burst + (2 * Limits.freshnessMs * Limits.linesPerMinute) / 60_000
    expect(Limits.replayEntriesMax).toBeGreaterThanOrEqual(admitted)
  })
})
