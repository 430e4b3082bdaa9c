/**
 * How a report of the mutation tool is read: what died, what lives for a reason, what lives for none.
 * The tool itself runs for a quarter of an hour and more; `npm run mutation` does that.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { reasons, report, summarise, type ToolReport } from "./Report.ts"

const source = "export const more = (a: number) =>\n  a > 0 &&\n  a < 9\n"
const mutant = (
  status: string,
  start: readonly [number, number],
  end: readonly [number, number],
  replacement: string
) => ({
  mutatorName: "any",
  status,
  replacement,
  location: { start: { line: start[0], column: start[1] }, end: { line: end[0], column: end[1] } }
})
const found: ToolReport = {
  files: {
    "core/a.ts": {
      source,
      mutants: [
        mutant("Killed", [2, 3], [2, 8], "true"),
        mutant("Timeout", [2, 3], [2, 8], "false"),
        mutant("Survived", [3, 3], [3, 8], "a <= 9"),
        mutant("NoCoverage", [2, 3], [3, 8], "true"),
        mutant("Ignored", [1, 1], [1, 3], "")
      ]
    }
  }
}

describe("a report of mutants", () => {
  it("counts the dead, and names each that lives by place, text and replacement", () => {
    const summary = summarise(found, [])
    expect(summary).toMatchObject({ mutants: 4, killed: 2 })
    expect(report("a", summary)).toEqual([
      "a: 2 of 4 mutants died, 0 live for a reason, 2 for none",
      "  core/a.ts:3  a < 9  →  a <= 9",
      "  core/a.ts:2  a > 0 && a < 9  →  true"
    ])
  })
  it("finds the reason why one may live, wherever its line is, and tells of reasons that nothing needs", () => {
    const known = [
      { file: "core/a.ts", original: "a < 9", replacement: "a <= 9", why: "9 never comes" },
      { file: "core/a.ts", original: "gone", replacement: "true", why: "it was there once" },
      { file: "core/elsewhere.ts", original: "other", replacement: "true", why: "not of this room" }
    ]
    const summary = summarise(found, known)
    expect(summary.survivors.map(({ why }) => why)).toEqual(["9 never comes", undefined])
    expect(summary.idle.map(({ original }) => original)).toEqual(["gone"])
  })
})

describe("the committed reasons", () => {
  it("are about text that is there, and say why", () => {
    for (const { file, original, why } of reasons()) {
      const path = fileURLToPath(new URL(`../../${file}`, import.meta.url))
      expect(existsSync(path), file).toBe(true)
      const flat = readFileSync(path, "utf8").replace(/\s+/g, " ")
      expect(flat, `${file}: ${original}`).toContain(original.replace(/\s+/g, " "))
      expect(why.length).toBeGreaterThan(15)
    }
  })
})

describe("npm run mutation", () => {
  it("refuses what it does not know, with its usage", () => {
    const program = fileURLToPath(new URL("mutation.ts", import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [program, "kitchen"], { encoding: "utf8" })
    expect(status).toBe(2)
    expect(stderr).toContain("npm run mutation -- ROOM")
  })
})
