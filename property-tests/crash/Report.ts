/**
 * A campaign as a table and a summary: every point that counts, what was left out, and what went wrong.
 * It never hides a point that was planned: it died there, it was not reached, or there was no time for it.
 * A point counts when its process died there; how the story ended after that is counted apart.
 */
import type { Results } from "./Campaign.ts"
import type { Kind } from "./Check.ts"
import * as Plan from "./Plan.ts"
import * as Point from "./Point.ts"

export interface Summary {
  readonly points: number
  readonly lost: number
  readonly doubled: number
  readonly respondedTwice: number
  readonly hung: number
  /** Injects that ended because their responder's node died while it answered: an outcome, and told. */
  readonly interrupted: number
  /** Points that were tried and not reached, and those that were planned and not tried. */
  readonly notReached: number
  readonly leftOut: number
  readonly seed: number
}

export const summarise = ({ planned, seed, verdicts }: Results): Summary => {
  const tried = [...verdicts.values()]
  const violations = tried.flatMap((verdict) => verdict.violations)
  const count = (kind: Kind) => violations.filter((violation) => violation.kind === kind).length
  return {
    points: tried.filter(({ died }) => died).length,
    lost: count("lost"),
    doubled: count("doubled"),
    respondedTwice: count("respondedTwice"),
    hung: count("hung"),
    interrupted: tried.flatMap(({ outcomes }) => outcomes).filter((outcome) => outcome === "interrupted").length,
    notReached: tried.filter(({ died }) => !died).length,
    leftOut: planned.filter(({ point }) => !verdicts.has(Point.print(point))).length,
    seed
  }
}

/** Whether a campaign found nothing, and did something. */
export const isClean = ({ doubled, hung, lost, points, respondedTwice }: Summary): boolean =>
  points > 0 && lost + doubled + respondedTwice + hung === 0

const numbers = (planned: ReadonlyArray<Plan.Planned>, mode: Point.Mode): string =>
  planned
    .filter(({ point }) => point.mode === mode)
    .map(({ point }) => point.ordinal)
    .sort((a, b) => a - b)
    .join(",") || "-"

/** One row for each phase, side and call: at which of its ordinals the process died, before, torn and after. */
export const table = ({ planned, verdicts }: Results): ReadonlyArray<string> => {
  const dead = planned.filter(({ point }) => verdicts.get(Point.print(point))?.died === true)
  const rows = Map.groupBy(dead, ({ point }) => `${point.phase}\t${point.side}\t${point.operation}`)
  const cells = [...rows].map(([row, points]) => [
    ...row.split("\t"),
    // Story ordinal minus phase ordinal: how often the side had made the call before the phase.
    String(points[0]!.storyOrdinal - points[0]!.point.ordinal),
    ...Point.modes.map((mode) => numbers(points, mode))
  ])
  const whole = [
    ["phase", "side", "I/O call", "earlier", ...Point.modes],
    ...cells.sort((a, b) => (a.join() < b.join() ? -1 : 1))
  ]
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...whole.map((row) => row[column]!.length)))
  return whole.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  )
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

/** What was planned and is not in the table, by kind of call. */
const missing = ({ planned, verdicts }: Results): ReadonlyArray<string> => {
  const untried = planned.filter(({ point }) => !verdicts.has(Point.print(point)))
  const unreached = [...verdicts.values()].filter(({ died }) => !died)
  const kinds = Plan.kindsOf(planned) - Plan.kindsOf(planned.filter(({ point }) => verdicts.has(Point.print(point))))
  const bySide = [...Map.groupBy(untried, ({ point }) => `${point.phase}/${point.side}`)].map(([side, points]) => {
    const calls = [...Map.groupBy(points, ({ point }) => point.operation)]
    return `  ${side}: ${calls.map(([call, each]) => `${call} ${each.length}`).join(", ")}`
  })
  return [
    ...(untried.length === 0
      ? ["no planned point was left out"]
      : [
          `left out for want of time: ${plural(untried.length, "point")}, ` +
            (kinds === 0
              ? "all further ordinals of calls that were tried"
              : `among them all ordinals of ${plural(kinds, "kind")}`)
        ]),
    ...bySide,
    ...unreached.map(({ point }) => `  not reached, not counted: ${point}`)
  ]
}

const failures = ({ seed, verdicts }: Results): ReadonlyArray<string> =>
  [...verdicts.values()]
    .filter(({ violations }) => violations.length > 0)
    .flatMap(({ point, told, violations }) => [
      "",
      ...violations.map(({ kind, what }) => `${kind.toUpperCase()} at ${point}: ${what}`),
      `  again: npm run crash-test -- --seed ${seed} --only '${point}'`,
      ...(told ?? []).map((line) => `  ${line}`)
    ])

/** The report for a person. */
export const report = (results: Results): ReadonlyArray<string> => {
  const found = summarise(results)
  return [
    ...table(results),
    "",
    "Numbers are ordinals of the call in its phase at which the process died; `earlier` is how often its side had made",
    "the call in the phases before: the sum of both is the ordinal in the story.",
    "",
    ...missing(results),
    ...failures(results),
    "",
    `${plural(found.points, "crash point")} in ${results.minutes.toFixed(1)} minutes, seed ${found.seed}: ${found.lost} lost, ` +
      `${found.doubled} shown twice, ${found.respondedTwice} answered twice, ${found.hung} hanging; ` +
      `${plural(found.interrupted, "inject")} ended as interrupted`
  ]
}
