/**
 * All attempts, made one after the other, and what they come to.
 * It never stops at the first that gets through: whoever repairs one hole wants to know of the others.
 * Two at a time, because most of an attempt is waiting for a container to start.
 */
import { type Arena, open } from "./Arena.ts"
import type { Attempt, Seen } from "./Attempt.ts"
import { bridge } from "./bridge.ts"
import { files } from "./files.ts"
import { network } from "./network.ts"
import { privileges } from "./privileges.ts"
import { resources } from "./resources.ts"

export const attempts: ReadonlyArray<Attempt> = [...network, ...files, ...privileges, ...resources, ...bridge]

export interface Outcome {
  readonly attempt: Attempt
  readonly confined: Seen
  readonly control: Seen
}

export interface Summary {
  readonly attempts: number
  readonly succeeded: number
  /** Whether each got through where the protection is missing. */
  readonly kitProven: boolean
}

/** An attempt that could not be made proves nothing, and is not a success. */
const broken = (error: unknown): { readonly confined: Seen; readonly control: Seen } => {
  const seen = { through: false, seen: error instanceof Error ? error.message : String(error) }
  return { confined: seen, control: seen }
}

/** Makes attempts in an arena of their own; `told` hears of each as it ends. */
export const tryAll = async (
  chosen: ReadonlyArray<Attempt>,
  told: (outcome: Outcome) => void
): Promise<ReadonlyArray<Outcome>> => {
  const arena: Arena = await open()
  const outcomes: Array<Outcome> = []
  const waiting = [...chosen]
  const worker = async (): Promise<void> => {
    for (let attempt = waiting.shift(); attempt !== undefined; attempt = waiting.shift()) {
      const outcome = { attempt, ...(await attempt.make(arena).catch(broken)) }
      outcomes.push(outcome)
      told(outcome)
    }
  }
  try {
    await Promise.all([worker(), worker()])
  } finally {
    await arena.close()
  }
  return outcomes
}

/** What they came to. */
export const report = (outcomes: ReadonlyArray<Outcome>): Summary => ({
  attempts: outcomes.length,
  succeeded: outcomes.filter(({ confined }) => confined.through).length,
  kitProven: outcomes.every(({ control }) => control.through)
})
