/**
 * Many agents on several cores: towns that know nothing of each other, each a simulation in a thread of its own.
 * It never shares anything between towns, so that the same seed is the same history on any number of cores.
 */
import { createHash } from "node:crypto"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { peaceful } from "./Options.ts"
import { type Outcome, play } from "./Simulator.ts"

/** Agents of one town at most: larger ones outgrow the caches of a core. */
export const townMax = 250

interface Town {
  readonly seed: number
  readonly nodes: number
  readonly hours: number
}

/** How so many agents are spread: towns of equal size, as few as may be. */
export const townsOf = (seed: number, nodes: number, hours: number): ReadonlyArray<Town> => {
  const count = Math.ceil(nodes / townMax)
  return Array.from({ length: count }, (_, index) => ({
    seed: seed + index,
    nodes: Math.floor((nodes + index) / count),
    hours
  }))
}

const inThread = (town: Town, progress: (share: number) => void): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: town })
    worker.on("message", (said: number | Outcome) => (typeof said === "number" ? progress(said) : resolve(said)))
    worker.on("error", reject)
    worker.on("exit", (code) => reject(new Error(`the thread of a town ended with ${code}`)))
  })

const together = (seed: number, outcomes: ReadonlyArray<Outcome>): Outcome => {
  const sum = (of: (one: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0)
  const hash = createHash("sha256")
  for (const one of outcomes) hash.update(one.hash)
  return {
    options: { ...outcomes[0]!.options, seed, nodes: sum(({ options }) => options.nodes) },
    hash: outcomes.length === 1 ? outcomes[0]!.hash : hash.digest("hex"),
    turns: sum(({ turns }) => turns),
    texts: sum(({ texts }) => texts),
    checks: sum(({ checks }) => checks),
    virtualHours: Math.max(...outcomes.map(({ virtualHours }) => virtualHours)),
    violations: outcomes.flatMap(({ violations }) => violations),
    faults: {}
  }
}

/** Plays all towns, so many at a time. `progress` is told the share of all that is done. */
export const playTowns = async (
  towns: ReadonlyArray<Town>,
  cores: number,
  progress: (share: number) => void
): Promise<Outcome> => {
  const shares = towns.map(() => 0)
  const outcomes: Array<Outcome> = []
  let next = 0
  const work = async () => {
    for (let index = next++; index < towns.length; index = next++) {
      outcomes[index] = await inThread(towns[index]!, (share) => {
        shares[index] = share
        progress(shares.reduce((sum, one) => sum + one, 0) / towns.length)
      })
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.min(cores, towns.length)) }, work))
  return together(towns[0]!.seed, outcomes)
}

if (!isMainThread && parentPort !== null) {
  const { hours, nodes, seed } = workerData as Town
  const port = parentPort
  port.postMessage(play(peaceful(seed, nodes, hours), { progress: (share) => port.postMessage(share) }))
}
