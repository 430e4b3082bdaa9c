/**
 * Cliques of agents that answer everything by asking somebody: they fall silent of their own, whatever their number.
 * Nothing here is slowed down or told to stop; what ends them is a budget that each has for what its tools ask. Two hundred
 * are 19,900 friendships, each of two nodes with sessions, disks and operators of their own: minutes of a core.
 */
import { describe, expect, it } from "vitest"
import { Limits } from "../../core/index.ts"
import { Agents } from "./Agents.ts"
import * as Options from "./Options.ts"
import { play } from "./Simulator.ts"
import { hour } from "./Stage.ts"

/** A clique played: what the core let through, and what was wrong. */
const circle = (seed: number, nodes: number) => {
  let agents: Agents | undefined
  const { violations } = play(Options.clique(seed, nodes), {
    agents: (stage) => {
      agents = new Agents(stage)
      return agents
    }
  })
  return { agents: agents!, violations }
}

describe("a clique of agents that answer everything by asking", () => {
  it.each([3, 4, 8, 20, 60, 200])("of %i falls silent, and nobody asks more than the printed bound", (nodes) => {
    const { agents, violations } = circle(1, nodes)
    expect(violations).toEqual([])
    const { ofAll, ofOne } = agents.most()
    const { asked, refused } = agents
    const lasted = (asked.at(-1)!.atMs - asked[0]!.atMs) / 60_000
    process.stdout.write(
      `${nodes} agents: ${asked.length} questions in ${lasted.toFixed(1)} min, ${JSON.stringify(refused)}\n`
    )
    // It did go round, and what ended it is the budget and nothing else.
    expect(asked.length).toBeGreaterThan(nodes)
    expect(refused["chain-budget"]).toBeGreaterThan(0)
    const each = Math.min(Limits.toolInjectsPerHour, (nodes - 1) * Limits.toolInjectsPerPeerPerHour)
    expect(asked.length).toBeLessThanOrEqual(nodes * each)
    expect(ofAll).toBeLessThanOrEqual(Limits.toolInjectsPerHour)
    expect(ofOne).toBeLessThanOrEqual(Limits.toolInjectsPerPeerPerHour)
    expect(lasted).toBeLessThan(hour / 60_000)
  })
})
