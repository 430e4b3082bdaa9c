/**
 * Rows of seeds: the committed hashes, in this process and in others, in another place and language; all planted bugs;
 * seeds that nobody has seen before.
 * A seed that finds something is printed with the command that shows it again.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { report, runSeed } from "./Batch.ts"
import { seeds, table } from "./hash-table.ts"
import * as Options from "./Options.ts"
import { plants } from "./Plants.ts"
import { plantsOfTrust } from "./PlantsOfTrust.ts"
import { play } from "./Simulator.ts"

const elsewhere = (env: Readonly<Record<string, string>>, node = process.execPath) =>
  spawnSync(node, [fileURLToPath(new URL("hash-table.ts", import.meta.url)), ...seeds.slice(0, 3).map(String)], {
    encoding: "utf8",
    env: { ...process.env, ...env }
  }).stdout.trimEnd()

describe("twenty seeds", () => {
  it("have the histories that are committed", () => {
    expect(Object.fromEntries(seeds.map((seed) => [seed, play(Options.ofSeed(seed)).hash]))).toEqual(table())
  })
  it("have them in another process, time zone and language", () => {
    const expected = seeds
      .slice(0, 3)
      .map((seed) => table()[seed])
      .join("\n")
    expect(elsewhere({})).toBe(expected)
    expect(elsewhere({ TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" })).toBe(expected)
  })
  const node22 = process.env["NODE_22"]
  it.skipIf(node22 === undefined)("have them on Node 22 (NODE_22 names it)", () => {
    expect(elsewhere({}, node22)).toBe(
      seeds
        .slice(0, 3)
        .map((seed) => table()[seed])
        .join("\n")
    )
  })
})

describe("planted bugs", () => {
  for (const planted of [...plants, ...plantsOfTrust]) {
    it(`are found: ${planted.name}`, () => {
      const startedAtMs = performance.now()
      for (let seed = 1; seed <= 30; seed++) {
        const { violations } = play((planted.options ?? Options.ofSeed)(seed), { plant: planted.make() })
        if (!violations.some(({ checker }) => checker === planted.foundBy)) continue
        const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
        process.stdout.write(`${planted.name.padEnd(28)} seed ${seed}  ${planted.foundBy}  ${seconds} s\n`)
        return
      }
      expect.fail(`thirty seeds did not show ${planted.foundBy} that ${planted.says}`)
    })
  }
})

describe("outages", () => {
  it("are survived by what friends remember of each other, forty times", () => {
    const wrong = Array.from({ length: 40 }, (_, index) => 1 + index).flatMap((seed) =>
      play(Options.outage(seed)).violations.map(({ checker, what }) => `outage ${seed}: ${checker}: ${what}`)
    )
    expect(wrong).toEqual([])
  })
})

describe("seeds", () => {
  it("with operators who compare are clean, and people do come to verify each other", () => {
    let verified = 0
    for (let seed = 1; seed <= 8; seed++) {
      let count = 0
      const log = (line: string) => void (/ → .*TrustChanged/.test(line) && count++)
      const { violations } = play({ ...Options.ofSeed(seed), verifies: true }, { log })
      expect([seed, violations]).toEqual([seed, []])
      verified += count
    }
    expect(verified).toBeGreaterThan(20)
  })
  it("are clean: a fixed row, and some that nobody has seen before", () => {
    const fresh = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000)
    const lines = [
      ...Array.from({ length: 12 }, (_, index) => 1 + index),
      ...[0, 1, 2, 3].map((one) => fresh + one)
    ].map(runSeed)
    for (const line of report(lines)) process.stdout.write(`${line}\n`)
    // What a seed is worth at least, whatever its number.
    for (const { faults, seed, turns, virtualHours } of lines)
      expect([seed, turns >= 2_000, virtualHours >= 6, Object.keys(faults).length >= 3]).toEqual([
        seed,
        true,
        true,
        true
      ])
    expect(lines.flatMap(({ seed, violations }) => violations.map((what) => `seed ${seed}: ${what}`))).toEqual([])
  })
})
