/**
 * The square for longer, every bug that is planted on it, and a topic that ten thousand made-up keys have filled.
 * The honest two must find each other there, within a time that follows from the pace, and nobody's memory may grow.
 */
import { HashMap } from "effect"
import { describe, expect, it } from "vitest"
import { Limits } from "../../core/index.ts"
import { Sybil } from "./Crowd.ts"
import { Gathering, minute } from "./Gathering.ts"
import type { House } from "./House.ts"
import { Square } from "./Square.ts"
import { squarePlants } from "./SquarePlants.ts"
import { topics } from "./SquareTopics.ts"

describe("the square", () => {
  it("holds for ten seeds", () => {
    for (let seed = 11; seed <= 20; seed++) {
      expect(new Square({ seed, nodes: 5, minutes: 60 }).run().breaches, `seed ${seed}`).toEqual([])
    }
  }, 900_000)
  for (const { foundBy, name, plant, says } of squarePlants) {
    it(`finds a planted bug (${name}): ${says}`, () => {
      const checkers = new Set<string>()
      for (let seed = 1; seed <= 6 && !checkers.has(foundBy); seed++) {
        for (const { checker } of new Square({ seed, nodes: 4, minutes: 40 }, plant).run().breaches)
          checkers.add(checker)
      }
      expect([...checkers]).toContain(foundBy)
    }, 600_000)
  }
})

describe("ten thousand made-up keys in a topic", () => {
  it("do not keep two honest members from finding each other, nor push anybody out, nor fill anybody's memory", () => {
    const place = new Gathering("ten thousand", topics[0]!)
    const { clock } = place
    const [early, friend, late] = ["early", "friend", "late"].map((name) => place.house(name)) as [House, House, House]
    place.join(early)
    place.join(friend)
    clock.runUntil(clock.nowMs + minute)
    expect(place.hasMet(early, friend)).toBe(true)

    const around = place.around(early)
    const crowd = Array.from({ length: 10_000 }, () => new Sybil(around))
    // Some of them call, all the time.
    const call = () =>
      clock.after(3_000, () => {
        const victim = around.chance.pick([early, friend, late]).process?.swarmKey
        if (victim !== undefined) around.chance.pick(crowd).visit(victim)
        call()
      })
    call()
    clock.runUntil(clock.nowMs + 10 * minute)
    place.join(late)
    const joinedMs = clock.nowMs
    let foundMs = Number.POSITIVE_INFINITY
    // Each meets sixty a minute, whoever they are: all of them in under three hours.
    while (foundMs > clock.nowMs && clock.nowMs - joinedMs < 180 * minute) {
      clock.runUntil(clock.nowMs + minute)
      if (place.hasMet(late, early) || place.hasMet(early, late)) foundMs = clock.nowMs
      for (const house of [early, friend, late]) {
        const { marks, newcomers, settled } = place.presence(house).directory
        expect(HashMap.size(settled)).toBeLessThanOrEqual(Limits.topicSettledMax)
        expect(HashMap.size(newcomers)).toBeLessThanOrEqual(Limits.topicNewcomersMax)
        expect(HashMap.size(marks)).toBeLessThanOrEqual(Limits.topicMarksMax)
        expect(HashMap.size(house.process!.state.passing.guests)).toBeLessThanOrEqual(2 * Limits.guestsMax)
      }
      expect(place.hasMet(early, friend) && place.hasMet(friend, early), "a settled member was pushed out").toBe(true)
    }
    process.stderr.write(`found after ${(foundMs - joinedMs) / minute} minutes\n`)
    expect(foundMs).toBeLessThan(Number.POSITIVE_INFINITY)
  }, 2_400_000)
})
