/**
 * The whole test: records the story, makes the plan, tries point after point until all are done or time is up.
 * It never counts a point at which nobody died; one that was not reached is tried once more and then named.
 * Every verdict is written down at once, so that a campaign that is interrupted itself can be resumed.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Plan from "./Plan.ts"
import * as Point from "./Point.ts"
import { record, runPoint, snapshotOf, type Verdict } from "./Run.ts"
import { phases } from "./Story.ts"

export interface Settings {
  readonly seed: number
  readonly shard: { readonly index: number; readonly of: number }
  /** No new point is begun after this. */
  readonly minutes: number
  /** At most so many points. */
  readonly pointsMax: number
  /** Pairs of processes at a time, each with a recorded story of its own. */
  readonly parallel: number
  /** Only these points, in words; empty for the plan. */
  readonly only: ReadonlyArray<Point.Point>
  /** Verdicts, one JSON object a line. */
  readonly stateFile: string
  readonly resume: boolean
  readonly progress: (line: string) => void
}

export interface Results {
  readonly seed: number
  readonly planned: ReadonlyArray<Plan.Planned>
  /** Those that were tried. */
  readonly verdicts: ReadonlyMap<string, Verdict>
  readonly minutes: number
}

const readState = (settings: Settings): { readonly seed: number; readonly verdicts: Map<string, Verdict> } => {
  const verdicts = new Map<string, Verdict>()
  if (!settings.resume || !existsSync(settings.stateFile)) {
    writeFileSync(settings.stateFile, `${JSON.stringify({ seed: settings.seed })}\n`)
    return { seed: settings.seed, verdicts }
  }
  const text = readFileSync(settings.stateFile, "utf8")
  // A line that an interruption left unfinished is no verdict; it must not spoil the next one either.
  if (!text.endsWith("\n")) writeFileSync(settings.stateFile, text.slice(0, text.lastIndexOf("\n") + 1))
  const [head, ...lines] = text.split("\n").slice(0, -1)
  for (const line of lines) {
    const verdict = JSON.parse(line) as Verdict
    verdicts.set(verdict.point, verdict)
  }
  return { seed: (JSON.parse(head ?? "{}") as { seed?: number }).seed ?? settings.seed, verdicts }
}

/** Plays the story once without a crash, in a lane's own folder: its calls, and a snapshot before each phase. */
const recordStory = async (lane: string, progress: Settings["progress"]): Promise<ReadonlyArray<Plan.Recorded>> => {
  mkdirSync(join(lane, "runs"), { recursive: true })
  mkdirSync(snapshotOf(lane, phases[0]!), { recursive: true })
  const story: Array<Plan.Recorded> = []
  for (const phase of phases) {
    const calls = await record(lane, phase)
    progress(`recorded ${phase.name}: ${calls.length} I/O calls`)
    story.push({ phase: phase.name, calls })
  }
  return story
}

/** A point that nobody reached is tried once more: calls shift a little from run to run. */
const attempt = async (lane: string, point: Point.Point): Promise<Verdict> => {
  const first = await runPoint(lane, point)
  return first.died || first.violations.length > 0 ? first : runPoint(lane, point)
}

const plan = (settings: Settings, seed: number, story: ReadonlyArray<Plan.Recorded>): ReadonlyArray<Plan.Planned> => {
  const ordered = Plan.inOrder(Plan.all(story), seed)
  if (settings.only.length === 0) return Plan.shard(ordered, settings.shard.index, settings.shard.of)
  return settings.only.map(
    (point) =>
      ordered.find((one) => Point.print(one.point) === Point.print(point)) ?? { point, storyOrdinal: point.ordinal }
  )
}

const progressEveryMs = 5_000

const campaign = async (work: string, settings: Settings): Promise<Results> => {
  const startedAtMs = performance.now()
  const minutes = () => (performance.now() - startedAtMs) / 60_000
  const { seed, verdicts } = readState(settings)
  // Pairs that run side by side need keys of their own, and so a story of their own: a node's port is made of its key,
  // and friends look for each other there, so that pairs from one story would meet each other's doubles.
  const lanes = Array.from({ length: settings.parallel }, (_, at) => join(work, `lane-${at + 1}`))
  const stories = await Promise.all(lanes.map((lane, at) => recordStory(lane, at === 0 ? settings.progress : () => {})))
  const planned = plan(settings, seed, stories[0]!)
  const waiting = planned.filter(({ point }) => !verdicts.has(Point.print(point)))
  let seenMs = 0
  const work1 = async (lane: string): Promise<void> => {
    while (minutes() < settings.minutes && verdicts.size < settings.pointsMax) {
      const next = waiting.shift()
      if (next === undefined) return
      const verdict = await attempt(lane, next.point)
      verdicts.set(verdict.point, verdict)
      appendFileSync(settings.stateFile, `${JSON.stringify(verdict)}\n`)
      for (const { kind, what } of verdict.violations) settings.progress(`${kind} at ${verdict.point}: ${what}`)
      if (performance.now() - seenMs < progressEveryMs) continue
      seenMs = performance.now()
      settings.progress(
        `${verdicts.size} of ${planned.length} points, ${minutes().toFixed(1)} min, at ${verdict.point}`
      )
    }
  }
  await Promise.all(lanes.map(work1))
  return { seed, planned, verdicts, minutes: minutes() }
}

/** Runs a campaign in a temporary folder of its own, gone afterwards. */
export const run = async (settings: Settings): Promise<Results> => {
  const work = mkdtempSync(join(tmpdir(), "wopr-p2p-crash-"))
  try {
    return await campaign(work, settings)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
