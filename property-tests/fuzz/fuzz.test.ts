/**
 * Every reader, with its corpus and a few hundred mutations of a written seed; and readers with mistakes, which are found.
 * The long runs are `npm run fuzz`; here the promises are held on every commit.
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import * as Chance from "../simulation/Chance.ts"
import * as Corpus from "./Corpus.ts"
import { Coverage } from "./Coverage.ts"
import { examine } from "./Examine.ts"
import { fuzz } from "./Fuzzer.ts"
import { refused, type Target, value } from "./Target.ts"
import { targets } from "./Targets.ts"

const program = fileURLToPath(new URL("fuzz.ts", import.meta.url))
const run = (...args: ReadonlyArray<string>) =>
  execFileSync(process.execPath, [program, ...args], { encoding: "utf8", stdio: "pipe" })

describe.each(targets.map((target) => [target.name, target] as const))("%s", (name, target) => {
  it("takes honest input for a value", async () => {
    const luck = Chance.of(`honest ${name}`)
    const readings = await Promise.all(Array.from({ length: 10 }, () => target.read(target.samples(luck))))
    expect(readings.filter((reading) => reading.startsWith("value")).length).toBeGreaterThan(0)
  })
  it("makes a value or a refusal of every input that ever reached something new", async () => {
    const corpus = Corpus.load(name)
    expect(corpus.length).toBeGreaterThan(0)
    expect(corpus.length).toBeLessThanOrEqual(Corpus.inputsMax)
    for (const input of corpus) expect((await examine(target, input, Chance.of("corpus"))).wrong).toBeUndefined()
  })
  it("and of mutations", async () => {
    const { findings, inputs } = await fuzz(target, { seed: 1, corpus: [], goOn: (done) => done < 300 })
    expect(findings.map(({ input, what }) => `${what}: ${Buffer.from(input).toString("base64")}`)).toEqual([])
    expect(inputs).toBeGreaterThanOrEqual(300)
  })
})

/** A reader of three bytes "abc" with a mistake in it. */
const mistaken = (mistakes: Partial<Target>): Target => ({
  name: "mistaken",
  says: "abc",
  samples: () => Uint8Array.from(Buffer.from("abc")),
  words: ["abc", "X"],
  read: (input) => (Buffer.from(input).toString() === "abc" ? value("abc") : refused("body-malformed")),
  ...mistakes
})

describe("a reader with a mistake is found out", () => {
  const cases: ReadonlyArray<readonly [string, Partial<Target>, RegExp]> = [
    [
      "that throws",
      {
        read: (input) => {
          if (input.includes(88)) throw new Error("X")
          return value(0)
        }
      },
      /throws Error: X/
    ],
    ["whose refusal has no code", { read: () => refused("because") }, /neither a value nor a refusal/],
    ["that takes what stands behind the end", { read: () => value(0), refusesTrailing: true }, /behind it/],
    ["that reads pieces as something else", { readPieces: (pieces) => value(pieces.length) }, /is read as value/],
    [
      "that fails later",
      { read: (input) => (input.includes(88) ? Promise.reject(new Error("late")) : value(0)) },
      /late/
    ]
  ]
  it.each(cases)("%s", async (_, mistakes, expected) => {
    const { findings } = await fuzz(mistaken(mistakes), { seed: 1, corpus: [], goOn: (done) => done < 500 })
    expect(findings.map(({ what }) => what).join("\n")).toMatch(expected)
  })
  it("with the shortest input that shows it", async () => {
    const throws = (input: Uint8Array) => {
      if (input.includes(88)) throw new Error("X")
      return value(0)
    }
    const { findings } = await fuzz(mistaken({ read: throws }), { seed: 1, corpus: [], goOn: (done) => done < 500 })
    expect(Buffer.from(findings[0]!.input).toString()).toBe("X")
  })
})

describe("coverage", () => {
  it("tells what reached code of ours that nothing had reached before", () => {
    const coverage = new Coverage()
    const target = targets.find(({ name }) => name === "message")!
    const read = (text: string) => target.read(Uint8Array.from(Buffer.from(text)))
    // Twice: the first time some code runs that runs once in a process.
    for (const _ of [1, 2]) {
      read("{}")
      coverage.take()
    }
    read("{}")
    expect(coverage.take()).toBe(0)
    read('{"kind":"FromTomorrow","stream":"00000000000000000000000000000000","number":1}')
    expect(coverage.take()).toBeGreaterThan(0)
    coverage.end()
  })
})

describe("npm run fuzz", () => {
  it("fuzzes a target for a while, and reads one input alone", () => {
    const lines = run("message", "--minutes", "0.02", "--seed", "3", "--json").trim().split("\n")
    expect(lines[0]).toBe("seed 3")
    expect(JSON.parse(lines.at(-1)!)).toMatchObject([{ target: "message", findings: 0 }])
    expect(run("message", "--input", Buffer.from("{").toString("base64"))).toBe("refused body-malformed\n")
  })
  it("refuses what it does not know, with its usage", () => {
    expect(() => run("pigeons")).toThrow(/pigeons[\s\S]*npm run fuzz/)
  })
})
