/**
 * core/README.md shows the core as it is: every diagram as the tables have it, every file in its list; plugin's names its files too.
 * It never writes the page; the failure names the command that does.
 * The generator is tried on a page that is behind, because one that changes nothing would always agree.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { expect, it } from "vitest"
import * as Friendship from "../core/friend/Friendship.ts"
import { command, diagrams, places, render } from "./diagrams.ts"
import { rooms } from "./tidy/Imports.ts"
import { paths, projectRoot } from "./tidy/Tree.ts"

const page = readFileSync(join(projectRoot, "core/README.md"), "utf8")

it("core/README.md has every diagram, as the code has it", () => {
  expect([...places(page)].sort()).toEqual(Object.keys(diagrams()).sort())
  if (render(page) !== page) expect.fail(`core/README.md is behind the code; bring it up to date with: ${command}`)
})

it("the command checks without --write, and does not write", () => {
  const script = join(projectRoot, "property-tests/diagrams.ts")
  expect(execFileSync(process.execPath, [script], { encoding: "utf8" })).toBe("")
  const { scripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"))
  expect(scripts.diagrams).toBe(command)
})

it("a page that is behind is brought up to date, around its own words", () => {
  const behind = "before\n<!-- diagram: friendship -->\nStranger --> Foe\n<!-- end -->\nafter\n"
  const current = render(behind)
  expect(current).toContain(Friendship.diagram())
  expect(current).not.toContain("Foe")
  expect(current.startsWith("before\n") && current.endsWith("\nafter\n")).toBe(true)
  expect(render(current)).toBe(current)
  expect(() => render("<!-- diagram: wishes -->\n<!-- end -->")).toThrow("wishes")
})

it("every row of the tables is drawn, and the opening ends in a session on both sides", () => {
  const { friendship = "", jobs = "", opening = "" } = diagrams()
  for (const [from, row] of Object.entries(Friendship.transitions)) {
    for (const [event, to] of Object.entries(row)) expect(friendship).toContain(`${from} --> ${to}: ${event}`)
  }
  expect(jobs).toContain("running --> finished\n  finished --> settled")
  for (const side of ["Dialled", "Accepted"]) expect(opening).toContain(`Note over ${side}: session`)
})

it("core/README.md lists the rooms in the order that the imports must keep", () => {
  expect([...page.matchAll(/^\| `(\w+)\/` \| (?!\|)/gm)].map((match) => match[1])).toEqual(rooms)
})

it("core/README.md names every file of the core", () => {
  const files = paths(projectRoot, true).filter((path) => /^core\/.*\.ts$/.test(path))
  expect(files.length).toBeGreaterThan(40)
  const missing = files.filter((path) => !page.includes(`\`${basename(path, ".ts")}\``))
  expect(missing, "give it a row in the list of rooms").toEqual([])
})

it("the READMEs of plugin name every file of it, among those of its folder", () => {
  const linesOf = (path: string) => readFileSync(join(projectRoot, path), "utf8").split("\n")
  const rows = linesOf("plugin/README.md").filter((line) => line.startsWith("| `"))
  const web = linesOf("plugin/web/README.md")
  const files = paths(projectRoot, true).filter((path) => /^plugin\/.*(?<!\.d)\.ts$/.test(path))
  expect(files.length).toBeGreaterThan(80)
  const missing = files.filter((path) => {
    const [, folder = "", name = ""] = /^plugin\/(?:(.*)\/)?([^/]+)$/.exec(path) ?? []
    if (folder === "web") return !web.some((line) => line.includes(`\`${name}\``))
    const near = rows.filter((row) => (/^\| `(\w+)\//.exec(row)?.[1] ?? "") === folder)
    return (
      !near.some((row) => row.includes(`\`${name}\``)) && !rows.some((row) => row.includes(`\`${folder}/${name}\``))
    )
  })
  expect(missing, "give it a row in the list of files").toEqual([])
})
