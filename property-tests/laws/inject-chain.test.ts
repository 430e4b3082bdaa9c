/**
 * Laws of what ends circles of agents: over any schedule of asking, tools get no more than their budgets.
 * It never asks how a budget refills; a clerk counts what was admitted in each hour.
 * The jobs are as the core keeps them, so that whoever changes their states is asked here what busy means.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as InjectChain from "../../core/delivery/InjectChain.ts"
import * as Jobs from "../../core/delivery/Jobs.ts"
import { Limits, type PeerId } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"

const peers = ["p", "q", "r", "s"].map((letter) => letter.repeat(64) as PeerId.PeerId)
const job = (peerId: PeerId.PeerId, state: Jobs.Job["state"], id = "1"): Jobs.Job => ({
  peerId,
  id,
  state,
  startedAtMs: 0
})
const jobsOf = (...jobs: ReadonlyArray<Jobs.Job>): Jobs.Jobs =>
  jobs.reduce((all, one) => Table.set(all, Jobs.keyOf(one.peerId, one.id), one), Table.empty<Jobs.Job>())

const nothing: InjectChain.Left = { ofPeer: {}, ofAll: {} }
const hourMs = 3_600_000

describe("an inject chain", () => {
  it("lets tools ask one friend and all friends no more than so often: twice the budget in any hour, counted anew", () => {
    const asks = fc.array(fc.tuple(fc.nat({ max: peers.length - 1 }), fc.nat({ max: 400_000 })), { maxLength: 300 })
    fc.assert(
      fc.property(asks, (schedule) => {
        const left = new Map<string, InjectChain.Left["ofPeer"]>()
        let [all, nowMs]: [InjectChain.Left["ofAll"], number] = [{}, 0]
        const admitted: Array<readonly [string, number]> = []
        for (const [index, pauseMs] of schedule) {
          nowMs += pauseMs
          const peer = peers[index]!
          const asked = InjectChain.admit(Table.empty(), peer, { ofPeer: left.get(peer) ?? {}, ofAll: all }, nowMs)
          if (Result.isFailure(asked)) {
            expect(asked.failure.code).toBe("chain-budget")
            expect(asked.failure.retryAfterMs).toBeGreaterThan(0)
            continue
          }
          left.set(peer, asked.success.ofPeer)
          all = asked.success.ofAll
          admitted.push([peer, nowMs])
        }
        for (const [, sinceMs] of admitted) {
          const hour = admitted.filter(([, atMs]) => atMs >= sinceMs && atMs < sinceMs + hourMs)
          expect(hour.length).toBeLessThanOrEqual(2 * Limits.toolInjectsPerHour)
          for (const peer of peers) {
            expect(hour.filter(([one]) => one === peer).length).toBeLessThanOrEqual(
              2 * Limits.toolInjectsPerPeerPerHour
            )
          }
        }
      })
    )
  })

  it("is busy exactly while a question of that very friend runs or waits", () => {
    const states = fc.constantFrom<Jobs.Job["state"]>("held", "running", "finished", "settled")
    const jobs = fc.array(fc.tuple(fc.constantFrom(...peers), states), { maxLength: 12 })
    fc.assert(
      fc.property(jobs, (list) => {
        const all = jobsOf(...list.map(([peer, state], index) => job(peer, state, String(index))))
        for (const peer of peers) {
          const open = list.some(([one, state]) => one === peer && (state === "running" || state === "held"))
          const asked = InjectChain.admit(all, peer, nothing, 0)
          expect(Result.isFailure(asked) && asked.failure.code).toBe(open ? "chain-busy" : false)
        }
      })
    )
  })

  it("ends a clique of 3 to 200 agents that answer everything by asking: nobody asks more than its budget, and then all rest", () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 200 }), fc.nat(), (count, seed) => {
        const { asked, lastMs, refused } = clique(count, seed)
        expect(refused.has("chain-budget")).toBe(true)
        const each = Math.min(Limits.toolInjectsPerHour, (count - 1) * Limits.toolInjectsPerPeerPerHour)
        expect(Math.max(...asked)).toBeLessThanOrEqual(each)
        expect(asked.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(count)
        expect(lastMs).toBeLessThan(hourMs / 2)
      }),
      {
        numRuns: 5,
        examples: [
          [3, 1],
          [200, 1]
        ]
      }
    )
  })
})

/** Agents who each ask somebody when they are asked, when they have answered, and when they are answered; until all rest. */
const clique = (count: number, seed: number) => {
  let luck = (seed % 2_147_483_646) + 1
  const whole = (max: number): number => {
    luck = (luck * 48_271) % 2_147_483_647
    return luck % max
  }
  const everybody = Array.from({ length: count }, (_, index) => index.toString(16).padStart(64, "0") as PeerId.PeerId)
  const jobs = everybody.map(() => Table.empty<Jobs.Job>())
  const budgets = everybody.map(() => ({
    ofAll: {} as InjectChain.Left["ofAll"],
    ofPeer: new Map<number, InjectChain.Left["ofPeer"]>()
  }))
  const asked = everybody.map(() => 0)
  const refused = new Set<string>()
  const later: Array<{ readonly atMs: number; readonly act: () => void }> = []
  const after = (fromMs: number, act: (atMs: number) => void) => {
    const atMs = fromMs + 1 + whole(2_000)
    later.push({ atMs, act: () => act(atMs) })
  }
  let lastMs = 0
  const ask = (by: number, nowMs: number): void => {
    const of = (by + 1 + whole(count - 1)) % count
    const { ofAll, ofPeer } = budgets[by]!
    const peer = everybody[of]!
    const verdict = InjectChain.admit(jobs[by]!, peer, { ofPeer: ofPeer.get(of) ?? {}, ofAll }, nowMs)
    if (Result.isFailure(verdict)) {
      refused.add(verdict.failure.code)
      return
    }
    budgets[by] = { ofAll: verdict.success.ofAll, ofPeer: ofPeer.set(of, verdict.success.ofPeer) }
    asked[by]!++
    lastMs = Math.max(lastMs, nowMs)
    after(nowMs, (startedMs) => {
      const key = Jobs.keyOf(everybody[by]!, `${by} ${asked[by]}`)
      jobs[of] = Table.set(jobs[of]!, key, job(everybody[by]!, "running"))
      ask(of, startedMs)
      after(startedMs, (endedMs) => {
        jobs[of] = Table.remove(jobs[of]!, key)
        ask(of, endedMs)
        after(endedMs, (answeredMs) => ask(by, answeredMs))
      })
    })
  }
  ask(0, 0)
  while (later.length > 0) {
    let soonest = 0
    for (let index = 1; index < later.length; index++) if (later[index]!.atMs < later[soonest]!.atMs) soonest = index
    later.splice(soonest, 1)[0]?.act()
  }
  return { asked, refused, lastMs }
}
