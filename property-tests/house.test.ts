/**
 * The fences of the house, tried: what is planted in a copy makes the very commands of `npm run check` fail by name.
 * It never plants anything in the project itself.
 * A fence nobody has run into may have been open all along; the untouched copy shows that it is the plant that fails.
 */
import { appendFileSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { copy, printed, run } from "./tidy/Copy.ts"

/** The three commands of `npm run check`, on a part of the house where that is enough. */
const types = (folder: string, part: string) =>
  run(folder, process.execPath, "node_modules/typescript/bin/tsc", "-b", part)
const lint = (folder: string, path: string) =>
  run(folder, process.execPath, "node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", path)
const tidy = (folder: string) =>
  run(folder, process.execPath, "node_modules/vitest/vitest.mjs", "run", "--project", "tidy")

/** Appends a line to a file and gives its number. */
const plant = (folder: string, path: string, line: string): number => {
  const before = readFileSync(join(folder, path), "utf8").trimEnd().split("\n").length
  appendFileSync(join(folder, path), `${line}\n`)
  return before + 1
}

it("is what npm run check runs", () => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"))
  expect(scripts.check).toBe("tsc -b && biome check --error-on-warnings && vitest run --project tidy")
})

it("an untouched copy passes", () => {
  const folder = copy("untouched", true)
  const results = [types(folder, "core"), lint(folder, "core/friend/Roster.ts"), tidy(folder)]
  for (const result of results) expect(result.status, printed(result)).toBe(0)
})

it("an adapter imported by the core fails the lint and the types", () => {
  const folder = copy("import", true)
  const path = "core/friend/Roster.ts"
  const line = plant(folder, path, `export { layer } from "../../adapters/noble/Crypto.ts"`)
  const linted = lint(folder, path)
  expect(linted.status).not.toBe(0)
  expect(printed(linted)).toContain(`${path}:${line}`)
  expect(printed(linted)).toContain("core may import only effect, ports and core")
  const typed = types(folder, "core")
  expect(typed.status).not.toBe(0)
  expect(printed(typed)).toContain(`${path}(${line}`)
})

it("a clock in the core and state in an adapter fail the tidy, each with file and line", () => {
  const folder = copy("plants", true)
  const clock = plant(folder, "core/friend/Roster.ts", "/** Now. */\nexport const now = (): number => Date.now()") + 1
  const state = plant(folder, "adapters/noble/Crypto.ts", "let calls = 0")
  const wall = plant(folder, "core/wire/Codec.ts", `export * from "../session/Seal.ts"`)
  const result = tidy(folder)
  expect(result.status).not.toBe(0)
  expect(printed(result)).toContain(`core/friend/Roster.ts:${clock} Date in core`)
  expect(printed(result)).toContain(`adapters/noble/Crypto.ts:${state} a module-level let`)
  expect(printed(result)).toContain(`core/wire/Codec.ts:${wall} core/wire imports core/session`)
})
