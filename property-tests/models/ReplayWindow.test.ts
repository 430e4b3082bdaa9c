/**
 * The replay memory against a list of everything that was ever admitted.
 * The oracle never forgets, so it knows better than any bounded memory what must not be admitted twice.
 * Only the clock's own steps back are left out: a memory that forgets by time cannot survive a clock that lies by hours.
 */
import { Result } from "effect"
import fc from "fast-check"
import { expect, it } from "vitest"
import * as ReplayWindow from "../../core/admission/ReplayWindow.ts"
import { Limits } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { noonMs, person, signedLine } from "../arbitraries/state.ts"

const mallory = person("mallory")
const freshMs = 300_000
/** Offsets of signed times in steps of half a minute; the lines are signed once for all runs. */
const lines = Array.from({ length: 60 }, (_, index) => signedLine(mallory, "alice", noonMs + (index - 10) * 30_000))

interface Model {
  nowMs: number
  readonly admitted: Map<string, number>
}
interface Real {
  window: ReplayWindow.ReplayWindow
}

const admit = (index: number): fc.Command<Model, Real> => ({
  check: () => true,
  run: (model, real) => {
    const line = lines[index]!
    const { signature, tsMs } = line.value
    const outcome = ReplayWindow.admit(real.window, line, model.nowMs)
    const fresh = Math.abs(tsMs - model.nowMs) <= freshMs
    const code = Result.isFailure(outcome) ? outcome.failure.code : "admitted"
    expect(code).toBe(!fresh ? "clock-difference" : model.admitted.has(signature) ? "line-seen" : "admitted")
    if (Result.isFailure(outcome)) return
    real.window = outcome.success
    model.admitted.set(signature, tsMs)
  },
  toString: () => `admit line ${index}`
})

const pass = (ms: number): fc.Command<Model, Real> => ({
  check: () => true,
  run: (model, real) => {
    model.nowMs += ms
    real.window = ReplayWindow.forget(real.window, model.nowMs)
    const fresh = [...model.admitted].filter(([, tsMs]) => Math.abs(tsMs - model.nowMs) <= freshMs)
    for (const [signature] of fresh) expect(Table.has(real.window, signature)).toBe(true)
    expect(Table.size(real.window)).toBeLessThanOrEqual(Limits.replayEntriesMax)
    // What is kept is kept for a reason: it can still be fresh.
    for (const [signature] of Table.pairs(real.window)) {
      expect(model.admitted.get(signature)! + freshMs).toBeGreaterThanOrEqual(model.nowMs)
    }
  },
  toString: () => `${ms} ms pass`
})

it("admits nothing twice while it is fresh, and forgets only what cannot be fresh again", () => {
  const commands = fc.commands(
    [fc.nat(lines.length - 1).map(admit), fc.constantFrom(1, 30_000, freshMs, freshMs + 1).map(pass)],
    { maxCommands: 60, size: "max" }
  )
  fc.assert(
    fc.property(commands, (story) =>
      fc.modelRun(
        () => ({ model: { nowMs: noonMs, admitted: new Map() }, real: { window: Table.empty<number>() } }),
        story
      )
    ),
    { numRuns: 200 }
  )
})
