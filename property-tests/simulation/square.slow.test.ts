/**
 * The square for longer, every bug that is planted on it, and a topic that ten thousand made-up keys have filled.
 * The honest two must find each other there, within a time that follows from the pace, and nobody's memory may grow.
 */
import { HashMap } from "effect"
import { describe, expect, it } from "vitest"
import { Base64url, Directory, Limits, Topic } from "../../core/index.ts"
import { noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import { Sybil } from "./Crowd.ts"
import { House, type World } from "./House.ts"
import { calm, Network } from "./Network.ts"
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

const minute = 60_000

describe("ten thousand made-up keys in a topic", () => {
  it("do not keep two honest members from finding each other, nor push anybody out, nor fill anybody's memory", () => {
    const clock = new Clock(noonMs, 4_000_000)
    const chance = Chance.of("ten thousand")
    const network = new Network(clock, chance.stream("network"), calm)
    const world: World = {
      clock,
      network,
      post: () => undefined,
      run: () => ({ afterMs: 1, result: { ok: false, code: "no-model", detail: "" } }),
      watch: () => undefined,
      ended: () => undefined
    }
    const [early, friend, late] = ["early", "friend", "late"].map(
      (name) => new House(world, name, "ten thousand", chance.stream(name))
    ) as [House, House, House]
    const topic = topics[0]!
    const hash = Base64url.encode(Topic.rendezvous(early.engine.sha256, topic))
    const join = (house: House) => {
      house.start()
      house.command("operator", { _tag: "JoinTopic", topic })
    }
    const directory = (house: House) => {
      const [, presence] = [...house.process!.state.passing.topics].find(([one]) => one === hash)!
      return presence.directory
    }
    const knows = (house: House, other: House) => Directory.member(directory(house), other.identityKey)?.met === true
    join(early)
    join(friend)
    clock.runUntil(clock.nowMs + minute)
    expect(knows(early, friend)).toBe(true)

    const around = { clock, network, chance: chance.stream("crowd"), crypto: early.engine, topic, hash }
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
    join(late)
    const joinedMs = clock.nowMs
    let foundMs = Number.POSITIVE_INFINITY
    // Each meets sixty a minute, whoever they are: all of them in under three hours.
    while (foundMs > clock.nowMs && clock.nowMs - joinedMs < 180 * minute) {
      clock.runUntil(clock.nowMs + minute)
      if (knows(late, early) || knows(early, late)) foundMs = clock.nowMs
      for (const house of [early, friend, late]) {
        const { marks, newcomers, settled } = directory(house)
        expect(HashMap.size(settled)).toBeLessThanOrEqual(Limits.topicSettledMax)
        expect(HashMap.size(newcomers)).toBeLessThanOrEqual(Limits.topicNewcomersMax)
        expect(HashMap.size(marks)).toBeLessThanOrEqual(Limits.topicMarksMax)
        expect(HashMap.size(house.process!.state.passing.guests)).toBeLessThanOrEqual(2 * Limits.guestsMax)
      }
      expect(knows(early, friend) && knows(friend, early), "a settled member was pushed out").toBe(true)
    }
    process.stderr.write(`found after ${(foundMs - joinedMs) / minute} minutes\n`)
    expect(foundMs).toBeLessThan(Number.POSITIVE_INFINITY)
  }, 2_400_000)
})
