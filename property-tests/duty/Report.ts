/**
 * A story of two friends in numbers: how long things took, how often the two met, what happened in between.
 * It never leaves out what went wrong, and says with which command it goes wrong again.
 * Two clocks are read: how long a text took in all, which is the friend's absence, and how long once both were there,
 * which is ours.
 */
import * as Presence from "../simulation/Presence.ts"
import * as Check from "./Check.ts"
import type { Results } from "./DutyCycle.ts"

/** Of a list of times. All 0 for an empty one. */
export interface Distribution {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

const round = (number: number): number => Number(number.toFixed(number < 10 ? 2 : 1))

/** A distribution of times in a unit of so many milliseconds. */
export const distribution = (timesMs: ReadonlyArray<number>, unitMs: number): Distribution => {
  const sorted = [...timesMs].sort((a, b) => a - b)
  const at = (share: number) => round((sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0) / unitMs)
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

/** A wait, and what of it lay after the first moment at which both were up. */
interface Wait {
  readonly tookMs: number
  readonly onceMetMs: number
  readonly togetherMs: number
}

const wait = (met: ReadonlyArray<Presence.Interval>, fromMs: number, toMs: number): Wait => ({
  tookMs: toMs - fromMs,
  onceMetMs: toMs - (Presence.firstFrom(met, fromMs) ?? toMs),
  togetherMs: Presence.totalMs(Presence.within(met, { fromMs, toMs }))
})

const hour = 3_600_000
const second = 1_000

const distributions = (waits: ReadonlyArray<Wait>) => ({
  hours: distribution(
    waits.map(({ tookMs }) => tookMs),
    hour
  ),
  secondsOnceMet: distribution(
    waits.map(({ onceMetMs }) => onceMetMs),
    second
  ),
  secondsTogether: distribution(
    waits.map(({ togetherMs }) => togetherMs),
    second
  )
})

const delivered = (results: Results, met: ReadonlyArray<Presence.Interval>): ReadonlyArray<Wait> =>
  Check.follow(results).flatMap(({ atMs, kind, shownAtMs: [shownAtMs] }) =>
    kind === "message" && shownAtMs !== undefined ? [wait(met, atMs, shownAtMs)] : []
  )

/** Rotations of the storm; the one at the very end is there for the checks. */
const rotationsOf = ({ ledger, span }: Results) => ledger.rotations.filter(({ atMs }) => atMs <= span.toMs)

const learnt = (results: Results, met: ReadonlyArray<Presence.Interval>): ReadonlyArray<Wait> =>
  rotationsOf(results).flatMap(({ atMs, learntAtMs }) =>
    learntAtMs === undefined ? [] : [wait(met, atMs, learntAtMs)]
  )

/** How often each thing occurs, the most frequent first. */
const tally = (things: ReadonlyArray<string>): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...Map.groupBy(things, (one) => one)].map(([one, all]) => [one, all.length] as const).sort((a, b) => b[1] - a[1])
  )

/** Everything a program may want to know of a story. */
export const summarise = (results: Results) => {
  const { hash, houses, ledger, settings, span, traffic } = results
  const { days, duty, seed } = settings
  const met = Check.meetings(results)
  const rotations = rotationsOf(results)
  const inStorm = Presence.within(met, span)
  const followed = Check.follow(results)
  const endings = houses.flatMap(({ name }) => ledger.endings.get(name) ?? [])
  const outcomes = (kind: "message" | "inject") =>
    tally(
      followed.flatMap((one) =>
        one.kind === kind && one.id !== undefined
          ? [one.outcomes[0]?.code || one.outcomes[0]?.tag.toLowerCase() || "none"]
          : []
      )
    )
  return {
    seed,
    days,
    duty,
    up: Object.fromEntries(
      houses.map(({ name }) => [
        name,
        round(Presence.totalMs(Presence.within(ledger.presence.get(name) ?? [], span)) / (span.toMs - span.fromMs))
      ])
    ),
    meetings: inStorm.length,
    hoursTogether: round(Presence.totalMs(inStorm) / hour),
    stops: endings.filter((one) => one === "stop").length,
    crashes: endings.filter((one) => one === "crash").length,
    turns: ledger.counts.turns,
    turnsUndone: ledger.counts.undoneTurns,
    turnsTorn: ledger.counts.tornTurns,
    dials: traffic.dials,
    links: traffic.links,
    linksBroken: traffic.breaks,
    sessions: ledger.counts.sessions,
    messages: outcomes("message"),
    injects: outcomes("inject"),
    responderCalls: [...ledger.calls.values()].reduce((sum, calls) => sum + calls, 0),
    rotations: rotations.length,
    rotationsWhileBothAway: rotations.filter(({ friendAway }) => friendAway).length,
    rotationsInARow: rotations.filter(({ ahead }) => ahead > 0).length,
    rotationsCrossed: rotations.filter(({ crossed }) => crossed).length,
    delivery: distributions(delivered(results, met)),
    news: distributions(learnt(results, met)),
    violations: Check.violations(results).length,
    hash
  }
}
export type Summary = ReturnType<typeof summarise>

const steps: ReadonlyArray<readonly [string, number]> = [
  ["within 1 s", second],
  ["10 s", 10 * second],
  ["1 min", 60 * second],
  ["10 min", 600 * second],
  ["1 h", hour],
  ["3 h", 3 * hour],
  ["6 h", 6 * hour],
  ["12 h", 12 * hour],
  ["1 day", 24 * hour],
  ["2 days", 48 * hour],
  ["later", Number.POSITIVE_INFINITY]
]

/** One line a step: how many took no longer than it and longer than the one before. */
export const histogram = (timesMs: ReadonlyArray<number>): ReadonlyArray<string> => {
  const counts = steps.map(([name, toMs], index) => {
    const fromMs = steps[index - 1]?.[1] ?? Number.NEGATIVE_INFINITY
    return { name, count: timesMs.filter((ms) => ms > fromMs && ms <= toMs).length }
  })
  const most = Math.max(1, ...counts.map(({ count }) => count))
  return counts.map(({ count, name }) =>
    `  ${name.padStart(10)} ${String(count).padStart(6)} ${"█".repeat(Math.ceil((count / most) * 40))}`.trimEnd()
  )
}

const row = (name: string, { max, p50, p90, p99 }: Distribution): string =>
  `  ${name.padEnd(34)}${[p50, p90, p99, max].map((one) => String(one).padStart(10)).join("")}`

const table = ({ delivery, news }: Summary): ReadonlyArray<string> => [
  `  ${"".padEnd(34)}${["p50", "p90", "p99", "max"].map((one) => one.padStart(10)).join("")}`,
  row("message shown, hours", delivery.hours),
  row("… once both were up, seconds", delivery.secondsOnceMet),
  row("… of time together, seconds", delivery.secondsTogether),
  row("new key learnt, hours", news.hours),
  row("… once both were up, seconds", news.secondsOnceMet),
  row("… of time together, seconds", news.secondsTogether)
]

const inWords = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(", ") || "none"

/** The command that plays a story again. */
export const again = ({ days, duty, seed }: Results["settings"]): string =>
  `npm run duty-cycle -- --seed ${seed} --days ${days}${duty === 0.3 ? "" : ` --duty ${duty}`}`

const percent = (share: number): string => `${Math.round(share * 100)} %`

/** The report for a person. */
export const report = (results: Results): ReadonlyArray<string> => {
  const one = summarise(results)
  const breaches = Check.violations(results)
  const times = delivered(results, Check.meetings(results)).map(({ tookMs }) => tookMs)
  return [
    `${one.days} days, seed ${one.seed}: ${Object.entries(one.up)
      .map(([name, share]) => `${name} up ${percent(share)}`)
      .join(", ")}; ` + `${one.meetings} meetings, ${one.hoursTogether} hours together`,
    `  ${one.stops} clean stops, ${one.crashes} crashes (${one.turnsUndone} turns undone, ${one.turnsTorn} torn off)`,
    `  ${one.dials} dials, ${one.links} links (${one.linksBroken} broke), ${one.turns} turns`,
    `  messages: ${inWords(one.messages)}`,
    `  injects: ${inWords(one.injects)}; the responder was called ${one.responderCalls} times`,
    `  rotations: ${one.rotations}, ${one.rotationsWhileBothAway} with both away, ${one.rotationsInARow} before the last was ` +
      `known, ${one.rotationsCrossed} crossing the friend's`,
    "",
    "Messages, from written to shown:",
    ...histogram(times),
    "",
    ...table(one),
    "",
    ...(breaches.length === 0
      ? ["Nothing lost, doubled, out of order or unanswered; every key is known."]
      : [...breaches.map((breach) => `WRONG: ${breach}`), `  again: ${again(results.settings)}`])
  ]
}
