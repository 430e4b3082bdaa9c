/**
 * Two nodes with a 30 % duty cycle in simulated time: all messages and all rotations arrive; the report shows how fast.
 * It never waits for anything and asserts no speed of the machine; the weeks that pass are virtual.
 * A checker that finds nothing proves little, so that it is also shown stories in which somebody tampered.
 */
import { afterAll, describe, expect, it } from "vitest"
import type { House } from "../simulation/House.ts"
import * as Presence from "../simulation/Presence.ts"
import { seed as fresh } from "../stories/seeded.ts"
import * as Check from "./Check.ts"
import { play, type Results, type Settings } from "./DutyCycle.ts"
import * as Report from "./Report.ts"

const week = (seed: number): Settings => ({ seed, days: 7, duty: 0.3 })
// Weeks that hold all of the last case below, keys changed on both sides at once among it.
const fixed = [11, 14, 17]
const told = (results: Results): string => Report.report(results).join("\n")

/** What all stories together had, so that none of it can go missing unnoticed. */
const seen: Array<Report.Summary> = []
const arrives = (settings: Settings): Report.Summary => {
  const results = play(settings)
  expect(Check.violations(results), told(results)).toEqual([])
  const summary = Report.summarise(results)
  seen.push(summary)
  return summary
}

describe("two friends who are up 30 % of the time, for a week", () => {
  for (const seed of fixed) {
    it(`lose, double, reorder and leave open nothing, and know each other's keys: ${Report.again(week(seed))}`, () => {
      const { delivery, messages, news, rotations } = arrives(week(seed))
      // They meet every week, so nothing may expire: every message there is was delivered.
      expect(Object.keys(messages)).toEqual(["delivered"])
      expect(delivery.hours.count).toBe(messages["delivered"])
      expect(news.hours.count).toBe(rotations)
    })
  }
  it(`neither do those of a fresh seed: ${Report.again(week(fresh))}`, () => {
    arrives(week(fresh))
  })
  it("went through all that makes it hard", () => {
    const known = seen.filter(({ seed }) => fixed.includes(seed))
    const sum = (count: (one: Report.Summary) => number) => known.reduce((all, one) => all + count(one), 0)
    const had = {
      crashes: sum((one) => one.crashes),
      "turns undone by a crash": sum((one) => one.turnsUndone),
      "turns whose outputs were torn off": sum((one) => one.turnsTorn),
      "links that broke": sum((one) => one.linksBroken),
      "answered injects": sum((one) => one.injects["answered"] ?? 0),
      "injects that nobody was there for": sum((one) => one.injects["timed-out"] ?? 0),
      "rotations while both were away": sum((one) => one.rotationsWhileBothAway),
      "rotations before the last was known": sum((one) => one.rotationsInARow),
      "rotations that crossed the friend's": sum((one) => one.rotationsCrossed),
      "messages that waited for hours": sum((one) => (one.delivery.hours.p90 > 3 ? 1 : 0))
    }
    for (const [what, count] of Object.entries(had)) expect([what, count > 0]).toEqual([what, true])
    const shares = known.flatMap(({ up }) => Object.values(up))
    const average = shares.reduce((all, share) => all + share, 0) / shares.length
    expect(average).toBeGreaterThan(0.22)
    expect(average).toBeLessThan(0.38)
  })
})

describe("the report", () => {
  const results = play({ ...week(4), days: 1 })
  it("shows how long messages and keys took, each as a distribution", () => {
    const lines = told(results)
    const { delivery } = Report.summarise(results)
    const { count, max, p50, p90, p99 } = delivery.hours
    expect(count).toBeGreaterThan(20)
    expect([p50, p90, p99, max].toSorted((a, b) => a - b)).toEqual([p50, p90, p99, max])
    expect(lines).toMatch(new RegExp(`message shown, hours +${p50} +${p90} +${p99} +${max}\n`))
    expect(lines).toMatch(/once both were up, seconds( +[\d.]+){4}\n/)
    expect(lines).toMatch(/new key learnt, hours( +[\d.]+){4}\n/)
  })
  it("counts by rank, and puts every time on exactly one line", () => {
    const times = Array.from({ length: 200 }, (_, index) => (200 - index) * 1_000)
    expect(Report.distribution(times, 1_000)).toEqual({ count: 200, p50: 100, p90: 180, p99: 198, max: 200 })
    expect(Report.distribution([], 1_000)).toEqual({ count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
    const counts = Report.histogram([...times, 0, 10 ** 12]).map((line) => Number(/ (\d+)/.exec(line.slice(12))?.[1]))
    expect(counts.reduce((all, count) => all + count, 0)).toBe(202)
  })
  it("measures a wait by the time both were up", () => {
    const met = Presence.common(
      [
        { fromMs: 0, toMs: 10 },
        { fromMs: 20, toMs: 40 }
      ],
      [
        { fromMs: 5, toMs: 25 },
        { fromMs: 30, toMs: 35 }
      ]
    )
    expect(met.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [5, 10],
      [20, 25],
      [30, 35]
    ])
    expect([0, 7, 10, 35].map((ms) => Presence.firstFrom(met, ms))).toEqual([5, 7, 20, undefined])
    expect(Presence.totalMs(Presence.within(met, { fromMs: 7, toMs: 22 }))).toBe(5)
  })
  it("is of one history: the same seed gives the same, another another", () => {
    expect(play({ ...week(4), days: 1 }).hash).toBe(results.hash)
    expect(play({ ...week(5), days: 1 }).hash).not.toBe(results.hash)
  })
})

describe("a story in which somebody tampers with what a house has left is found out:", () => {
  const short = { ...week(6), days: 2 }
  const tampered = (atRest: (house: House) => void) => Check.violations(play({ ...short, atRest }))
  it("nothing is, where nobody does", () => {
    expect(tampered(() => undefined)).toEqual([])
  })
  it("a queue that is lost", () => {
    const breaches = tampered(({ disk }) => {
      for (const place of [...disk.keys()]) if (place.startsWith("outbox\u0000")) disk.delete(place)
    })
    expect(breaches).toContainEqual(expect.stringMatching(/^message \d+ of \w+ has no outcome$/))
    expect(breaches).toContainEqual(expect.stringMatching(/^message \d+ of \w+ was shown 0 times$/))
  })
  it("texts that are shown again", () => {
    const breaches = tampered(({ log }) => {
      const last = [...log.values()].at(-1)
      if (last !== undefined) log.set(`${last.id} again`, { ...last, id: `${last.id} again` })
    })
    expect(breaches).toContainEqual(expect.stringMatching(/^message \d+ of \w+ was shown \d times$/))
  })
  it("a disk that is put back to the first morning", () => {
    const first = new Map<string, ReadonlyMap<string, string>>()
    let starts = 0
    const breaches = tampered(({ disk, name }) => {
      if (!first.has(name) && disk.size > 0) first.set(name, new Map(disk))
      if (++starts !== 12) return
      disk.clear()
      for (const [place, value] of first.get(name) ?? []) disk.set(place, value)
    })
    expect(breaches.length).toBeGreaterThan(0)
  })
})

afterAll(() => {
  for (const { seed, delivery } of seen)
    process.stdout.write(`seed ${seed}: hours until shown ${JSON.stringify(delivery.hours)}\n`)
})
