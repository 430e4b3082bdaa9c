/**
 * The bench of the sandbox as anybody runs it: few turns, and no word about speed, which belongs to the machine.
 * It must leave no container, and count both ends of every turn: the answer, and that its container is gone.
 * A measure that is never run is broken by the time it is needed.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { docker, withEngine } from "./docker-engine.ts"

const bench = (...args: ReadonlyArray<string>) =>
  spawnSync(process.execPath, [fileURLToPath(new URL("../../bench/sandbox.ts", import.meta.url)), ...args], {
    encoding: "utf8",
    timeout: 100_000
  })

it("the sandbox's bench has a help and refuses what it does not know", () => {
  expect(bench("--help")).toMatchObject({ status: 0, stdout: expect.stringContaining("bench:sandbox") as unknown })
  expect(bench("--runs", "1").status).toBe(2)
})

withEngine("the sandbox's bench", () => {
  it("measures bare, cold and warm turns until the answer and until the container is gone, and leaves nothing", async () => {
    const { status, stderr, stdout } = bench("--runs", "3", "--json")
    expect([status, stderr]).toEqual([0, ""])
    const result = JSON.parse(stdout) as Record<string, Record<string, Record<string, number>>>
    expect(result["runs"]).toBe(3)
    for (const kind of ["bare", "cold", "warm"]) {
      for (const until of ["answer", "gone"]) {
        const { p50 = 0, p95 = 0 } = result[kind]![until]!
        expect(p50).toBeGreaterThan(0)
        expect(p95).toBeGreaterThanOrEqual(p50)
      }
      expect(result[kind]!["gone"]!["p50"]).toBeGreaterThanOrEqual(result[kind]!["answer"]!["p50"]!)
    }
    const left = await docker.listContainers({ all: true, filters: { label: ["wopr-p2p.owner"] } })
    expect(left.filter(({ Labels }) => Labels["wopr-p2p.owner"]?.startsWith("bench-"))).toEqual([])
  }, 120_000)
})
