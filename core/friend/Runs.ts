/**
 * The runs of a peer's program that have greeted us, newest last: whether one that was replaced has come back.
 * It never takes a new run for more than a restart; only the return of an earlier one proves that two are alive.
 * A run is a random number made at each start, so no two machines share one, copied folder or not.
 */
import * as Limits from "../Limits.ts"

/** The runs after one more greeting, and whether its run had been replaced by another before. */
export const greeted = (
  runs: ReadonlyArray<string>,
  run: string
): { readonly runs: ReadonlyArray<string>; readonly returned: boolean } => {
  if (runs.at(-1) === run) return { runs, returned: false }
  const others = runs.filter((one) => one !== run)
  return { runs: [...others, run].slice(-Limits.runsRememberedMax), returned: others.length < runs.length }
}

/** Whether another run has greeted after this one. */
export const isReplaced = (runs: ReadonlyArray<string>, run: string): boolean =>
  runs.includes(run) && runs.at(-1) !== run
