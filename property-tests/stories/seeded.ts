/**
 * Chance for the stories that kill processes: everything drawn from one printed seed.
 * It never asks the clock or the system for randomness once it has its seed.
 * Real processes do not repeat to the microsecond; the seed repeats the plan, which has been enough to find things again.
 */

/** The seed of this run: `SEED` from the environment, or a fresh one to be printed. */
export const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000)

/** Mulberry32: small, seeded, good enough to choose moments. Gives numbers in [0, 1). */
export const makeRandom = (start: number): (() => number) => {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
