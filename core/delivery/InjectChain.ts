/**
 * What ends circles of agents: how often an agent's own tools may make injects of ours, and when not at all.
 * It never knows who called a tool, because a host cannot tell; every tool call therefore counts as a fresh origin.
 * While a friend's question runs or waits here, what we would ask that friend may be its echo; longer circles end at the
 * budgets, of one friend and of all together, which a refused inject does not draw from.
 */
import { Result } from "effect"
import * as RateLimit from "../admission/RateLimit.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Jobs } from "./Jobs.ts"

/** What is left for tools: of one friend, and of all together. */
export interface Left {
  readonly ofPeer: RateLimit.Budgets
  readonly ofAll: RateLimit.Budgets
}

/** Whether a question of this peer runs or waits for our owner. Derived from the jobs, so nothing can forget to clear it. */
const isBusy = (jobs: Jobs, peerId: PeerId): boolean =>
  Table.values(jobs).some((job) => job.peerId === peerId && (job.state === "running" || job.state === "held"))

/**
 * One more tool-made inject to a peer: what is left after it; or `chain-busy`, or `chain-budget` with when to come back.
 * Draws from both budgets or from neither.
 */
export const admit = (
  jobs: Jobs,
  peerId: PeerId,
  left: Left,
  nowMs: number,
  rates: RateLimit.Rates = RateLimit.rates
): Result.Result<Left, Rejection.Rejection> => {
  if (isBusy(jobs, peerId)) return Result.fail(Rejection.make("chain-busy"))
  const ofPeer = RateLimit.draw(left.ofPeer, "toolInject", nowMs, rates)
  const ofAll = RateLimit.draw(left.ofAll, "toolInjects", nowMs, rates)
  const waitMs = Math.max(ofPeer.waitMs, ofAll.waitMs)
  return waitMs > 0
    ? Result.fail(Rejection.make("chain-budget", "", waitMs))
    : Result.succeed({ ofPeer: ofPeer.budgets, ofAll: ofAll.budgets })
}
