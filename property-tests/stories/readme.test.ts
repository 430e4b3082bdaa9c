/**
 * The README against the program: every slash command and every npm script that one of them names is in the other.
 * It never runs a command; what commands do is told by the stories beside it.
 * A table that people keep by hand is the first thing to go stale.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import * as Limits from "../../core/Limits.ts"
import * as Commands from "../../plugin/Commands.ts"
import { projectRoot } from "../tidy/Tree.ts"

const readme = readFileSync(join(projectRoot, "README.md"), "utf8")
const { scripts } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
}

it("lists every slash command, and no other", () => {
  const rows = readme.split("\n").filter((line) => line.startsWith("| `/"))
  const listed = rows.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`\/([a-z-]+)/g)].map(([, name]) => name!))
  expect([...new Set(listed)].sort()).toEqual(Commands.table.map(({ name }) => name).sort())
})

it("names only npm scripts that are there, and every one that people run", () => {
  const named = new Set([...readme.matchAll(/npm run ([a-z:-]+)/g)].map(([, name]) => name!))
  for (const name of named) expect(Object.keys(scripts), name).toContain(name)
  const internal = ["prepack", "postpack", "build", "fix", "start", "test", "test:watch"]
  for (const name of Object.keys(scripts).filter((one) => !internal.includes(one)))
    expect([...named], name).toContain(name)
})

it("says of a turn and a day of an agent what the limits say", () => {
  const told = readme.replaceAll("\n", " ")
  const thousands = (value: number) => value.toLocaleString("en")
  expect(told).toContain(
    `A turn may take ${Limits.injectTimeMs / 1_000} seconds, ask the model ${Limits.agentTurnCallsMax} times and cost ` +
      `${thousands(Limits.agentTurnTokensMax)} tokens; all turns of a friend ${thousands(Limits.agentDayTokensMax)} tokens, ` +
      `${Limits.agentDayCallsMax} requests and an hour a day (UTC)`
  )
  expect(Limits.agentDayMs).toBe(3_600_000)
})
