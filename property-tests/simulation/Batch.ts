/**
 * Many seeds one after the other, and what they come to together.
 * It never keeps a run: a line for each is enough, since the seed brings everything back.
 */
import { ofSeed } from "./Options.ts"
import { type Outcome, play } from "./Simulator.ts"

/** What is kept of a run. */
export interface Line {
  readonly seed: number
  readonly hash: string
  readonly turns: number
  readonly virtualHours: number
  readonly checks: number
  readonly nodes: number
  readonly faults: Readonly<Record<string, number>>
  readonly violations: ReadonlyArray<string>
}

const lineOf = ({ checks, faults, hash, options, turns, violations, virtualHours }: Outcome): Line => ({
  seed: options.seed,
  hash,
  turns,
  virtualHours,
  checks,
  nodes: options.nodes,
  faults,
  violations: violations.map(({ checker, what }) => `${checker}: ${what}`)
})

/** Plays a seed with what its number decides. */
export const runSeed = (seed: number): Line => lineOf(play(ofSeed(seed)))

export interface Summary {
  readonly seeds: number
  readonly turns: number
  readonly virtualHours: number
  readonly checks: number
  readonly faults: Readonly<Record<string, number>>
  readonly violations: number
}

/** All lines together. */
export const summarise = (lines: ReadonlyArray<Line>): Summary => {
  const faults: Record<string, number> = {}
  for (const line of lines) {
    for (const [what, count] of Object.entries(line.faults)) faults[what] = (faults[what] ?? 0) + count
  }
  const sum = (of: (line: Line) => number) => lines.reduce((total, line) => total + of(line), 0)
  return {
    seeds: lines.length,
    turns: sum(({ turns }) => turns),
    virtualHours: Math.round(sum(({ virtualHours }) => virtualHours)),
    checks: sum(({ checks }) => checks),
    faults,
    violations: sum(({ violations }) => violations.length)
  }
}

/** The summary for people, and what was wrong with which seed. */
export const report = (lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const { checks, faults, seeds, turns, virtualHours } = summarise(lines)
  const least = (of: (line: Line) => number) => Math.min(...lines.map(of))
  const kinds = Object.entries(faults).sort(([, a], [, b]) => b - a)
  const wrong = lines.filter(({ violations }) => violations.length > 0)
  return [
    `${seeds} seeds, ${virtualHours} virtual hours, ${turns} turns, ${checks} looks of checkers`,
    ...(lines.length === 0
      ? []
      : [
          `a seed at least: ${least(({ virtualHours }) => virtualHours)} virtual hours, ${least(({ turns }) => turns)} turns, ${least(({ faults }) => Object.keys(faults).length)} kinds of trouble`
        ]),
    `troubles made: ${kinds.map(([what, count]) => `${count} ${what}`).join(", ")}`,
    ...wrong.flatMap(({ seed, violations }) => [
      `seed ${seed}: ${violations[0]}${violations.length > 1 ? ` (and ${violations.length - 1} more)` : ""}`,
      `  again: npm run simulate -- --seed ${seed} --verbose`
    ]),
    wrong.length === 0 ? "Everything was as it must be." : `${wrong.length} of ${seeds} seeds found something.`
  ]
}
