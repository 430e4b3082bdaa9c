/**
 * Every attempt on the sandbox, in it and where its protection is missing: none gets through, and each is a real one.
 * It needs a container engine on this machine, and system calls as x86-64 numbers them; elsewhere it is skipped aloud.
 * What is counted is the campaign's own report; that the report can say otherwise is tried with attempts made up here.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { docker, withEngine } from "../conformance/docker-engine.ts"
import type { Attempt } from "./Attempt.ts"
import { attempts, report, tryAll } from "./Campaign.ts"

const seen = (through: boolean) => ({ through, seen: "" })
const made = (confined: boolean, control: boolean) => {
  const attempt: Attempt = {
    name: "made up",
    means: "nothing",
    make: async () => ({ confined: seen(confined), control: seen(control) })
  }
  return { attempt, confined: seen(confined), control: seen(control) }
}

describe("the red team's report", () => {
  it("counts what got through, and takes no attempt for proven that gets through nowhere", () => {
    expect(report([made(false, true), made(false, true)])).toEqual({ attempts: 2, succeeded: 0, kitProven: true })
    expect(report([made(true, true), made(false, false)])).toEqual({ attempts: 2, succeeded: 1, kitProven: false })
  })
  it("names sixty attempts and more, no two alike", () => {
    expect(attempts.length).toBeGreaterThanOrEqual(60)
    expect(new Set(attempts.map(({ name }) => name)).size).toBe(attempts.length)
    expect(attempts.map(({ name }) => name)).toContain("leave something for the next turn")
  })
  it("is a command with help, which refuses what it does not know", () => {
    const run = (...args: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [fileURLToPath(new URL("red-team.ts", import.meta.url)), ...args], {
        encoding: "utf8"
      })
    expect(run("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("sandbox:red-team") })
    expect(run("--list").stdout.trimEnd().split("\n")).toHaveLength(attempts.length)
    expect(run("--only", "nothing of the kind").status).toBe(2)
    expect(run("--loud").status).toBe(2)
  })
})

withEngine("the red team", () => {
  it.skipIf(process.arch !== "x64")(
    "gets through nowhere, and would everywhere",
    async () => {
      const outcomes = await tryAll(attempts, () => undefined)
      const through = outcomes
        .filter(({ confined }) => confined.through)
        .map(({ attempt, confined }) => [attempt.name, confined.seen])
      const unproven = outcomes
        .filter(({ control }) => !control.through)
        .map(({ attempt, control }) => [attempt.name, control.seen])
      expect({ through, unproven }).toEqual({ through: [], unproven: [] })
      const left = await docker.listContainers({ all: true, filters: { name: ["wopr-p2p-red-"] } })
      expect(left.map(({ Names }) => Names)).toEqual([])
    },
    240_000
  )
})
