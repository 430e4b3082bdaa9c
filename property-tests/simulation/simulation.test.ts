/**
 * That the simulator is what it says: one seed is one history, checkers can fail, and its commands can be understood.
 * The long rows of seeds and all planted bugs are in the slow tier.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { report, runSeed, summarise } from "./Batch.ts"
import * as Options from "./Options.ts"
import { mistakes, plants } from "./Plants.ts"
import { plantsOfTrust } from "./PlantsOfTrust.ts"
import { checkers, healMs, play } from "./Simulator.ts"
import { townsOf } from "./Towns.ts"

const run = (command: string, ...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(command, import.meta.url)), ...args], { encoding: "utf8" })

describe("a seed", () => {
  it("is one history, and another seed is another", () => {
    const quick = { ...Options.ofSeed(4), hours: 6 }
    const first = play(quick)
    expect(play(quick).hash).toBe(first.hash)
    expect(play({ ...quick, seed: 5 }).hash).not.toBe(first.hash)
    expect(first.violations).toEqual([])
    expect(first.turns).toBeGreaterThan(2_000)
  })
  it("decides for three to twelve nodes, six hours or more, and three kinds of trouble or more", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const { hours, nodes, troubles, weather } = Options.ofSeed(seed)
      expect(nodes).toBeGreaterThanOrEqual(3)
      expect(nodes).toBeLessThanOrEqual(12)
      expect(hours + healMs / 3_600_000).toBeGreaterThanOrEqual(6)
      expect(troubles.length + Object.keys(weather.mischief ?? {}).length).toBeGreaterThanOrEqual(3)
    }
  })
})

describe("agents in peace", () => {
  it("write to their friends, ask them, and nothing is wrong; a log has a line for each turn that did something", () => {
    const lines: Array<string> = []
    const outcome = play(Options.peaceful(1, 12, 6), { log: (line) => lines.push(line) })
    expect(outcome.violations).toEqual([])
    expect(outcome.faults).toEqual({})
    expect(lines.some((line) => / n\d+ +Inject.* → .*JobStarted/.test(line))).toBe(true)
    expect(lines.some((line) => line.includes("§text"))).toBe(false)
  })
  it("live in towns of equal size, which are all there", () => {
    expect(townsOf(7, 1_000, 1).map(({ nodes }) => nodes)).toEqual([250, 250, 250, 250])
    expect(townsOf(7, 1_201, 1).reduce((sum, { nodes }) => sum + nodes, 0)).toBe(1_201)
  })
})

describe("a planted bug", () => {
  it("is there for every checker, and each says who must find it", () => {
    const named = new Set([...plants, ...plantsOfTrust].map(({ foundBy }) => foundBy))
    expect(checkers.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([])
    expect(checkers.length).toBeGreaterThanOrEqual(15)
    expect(plants.length).toBeGreaterThanOrEqual(20)
  })
  for (const planted of plants.filter(({ name }) =>
    ["message-is-inject", "loses-a-record", "same-nonce"].includes(name)
  )) {
    it(`is found: ${planted.says}`, () => {
      const { violations } = play(Options.ofSeed(1), { plant: planted.make() })
      expect(violations.map(({ checker }) => checker)).toContain(planted.foundBy)
    })
  }
})

describe("operators who compare", () => {
  it("come to verify each other in a peaceful town, and nothing is wrong", () => {
    const lines: Array<string> = []
    const options = { ...Options.peaceful(1, 4, 6), verifies: true }
    expect(play(options, { log: (line) => lines.push(line) }).violations).toEqual([])
    expect(lines.some((line) => line.includes("SasShown"))).toBe(true)
    expect(lines.some((line) => line.includes("SasEnded"))).toBe(true)
    expect(lines.some((line) => line.includes("TrustChanged"))).toBe(true)
  })
  it.each(plantsOfTrust)("are shown what is planted: $name", (planted) => {
    for (let seed = 1; seed <= 12; seed++) {
      const { violations } = play((planted.options ?? Options.ofSeed)(seed), { plant: planted.make() })
      if (violations.some(({ checker }) => checker === planted.foundBy)) return
    }
    expect.fail(`twelve seeds did not show ${planted.foundBy} that ${planted.says}`)
  })
})

describe("an outage", () => {
  it("is survived by what friends remember of each other, and by nothing else", () => {
    const outcome = play(Options.outage(1))
    expect(outcome.violations).toEqual([])
    expect(outcome.faults).toMatchObject({ "lookups down": 1, "restart of all": 1, move: outcome.options.nodes })
    for (const planted of plants.filter(({ foundBy }) => foundBy === "reached")) {
      const { violations } = play(Options.outage(1), { plant: planted.make() })
      expect([planted.name, violations.map(({ checker }) => checker)]).toEqual([
        planted.name,
        expect.arrayContaining(["reached"])
      ])
    }
  })
})

describe("what many seeds come to", () => {
  it("adds up, and says how to see again what was wrong", () => {
    const line = { ...runSeed(4), violations: ["granted: somebody ran something"] }
    expect(summarise([line, line])).toMatchObject({ seeds: 2, turns: 2 * line.turns, violations: 2 })
    expect(report([line]).join("\n")).toContain("npm run simulate -- --seed 4 --verbose")
  })
})

describe("npm run simulate", () => {
  it("says what it can, refuses what it does not know, and ends with one line of JSON", () => {
    expect(run("simulate.ts", "--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("--seed N") })
    expect(run("simulate.ts", "--sed", "1").status).toBe(2)
    expect(run("simulate.ts", "--mistake", "none").stderr).toContain("there is none")
    const { status, stdout } = run("simulate.ts", "--seed", "4", "--json")
    expect(status).toBe(0)
    expect(JSON.parse(stdout.trimEnd().split("\n").at(-1)!)).toMatchObject({
      seed: 4,
      nodes: Options.ofSeed(4).nodes,
      violations: 0
    })
    expect(run("simulate-batch.ts", "--help")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("--shard I/N")
    })
    expect(run("simulate-batch.ts", "--shard", "3/2").status).toBe(2)
  })
  it("names the whole command that plays a run again, and refuses what towns of agents cannot show", () => {
    expect(Options.inWords(Options.ofSeed(9)).at(-1)).toBe("again: npm run simulate -- --seed 9")
    expect(Options.inWords(Options.peaceful(9, 50, 168), "grants-only-grow").at(-1)).toBe(
      "again: npm run simulate -- --seed 9 --nodes 50 --days 7 --mistake grants-only-grow"
    )
    for (const extra of [["--verbose"], ["--page", "none.html"], ["--mistake", "grants-only-grow"]]) {
      const { status, stderr } = run("simulate.ts", "--nodes", "251", ...extra)
      expect(status).toBe(2)
      expect(stderr).toContain("not with more than 250 nodes")
    }
  })
  it("catches a mistake of the former design", () => {
    expect(mistakes.length).toBeGreaterThanOrEqual(5)
    const { status, stdout } = run("simulate.ts", "--seed", "2", "--mistake", "grants-only-grow")
    expect(status).toBe(1)
    expect(stdout).toContain("granted: ")
  })
})
