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
})
