/**
 * One run of one phase, from a copy of a snapshot, in a folder and a network of its own: recorded, or with a death in it.
 * It never judges by itself: what was left is handed to the checks, and what did not come in time is a hang.
 * A run counts as a crash only if the process was seen to die by SIGKILL with its own note of where.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Effect, Exit, Scope } from "effect"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import { Limits } from "../../core/index.ts"
import { check, type Violation } from "./Check.ts"
import { notShownYet } from "./Left.ts"
import * as Point from "./Point.ts"
import { type Arming, Mishap, makeSide, type Place, recordOf, type Side } from "./Side.ts"
import { Hung, makeStage, type Stage } from "./Stage.ts"
import { type Phase, phases, proof } from "./Story.ts"

/** How long a run may take before it hangs: many times what it takes on a busy machine. */
export const runLimitMs = 45_000
/** What is only forgotten is written within this; a death there is waited for. */
const tidyMs = Limits.tidyUpMs + 300

/** How long after the end of the story a text may be on its way into the conversation. */
const showLimitMs = 8_000

/** What came of a point. */
export interface Verdict {
  readonly point: string
  /** Whether the process died there. If not, the point does not count. */
  readonly died: boolean
  readonly violations: ReadonlyArray<Violation>
  /** How the injects of the run ended. */
  readonly outcomes: ReadonlyArray<string>
  readonly tookMs: number
  /** What both sides told, if something was wrong. */
  readonly told?: ReadonlyArray<string>
}

/** Where snapshots lie: one folder for each phase, as it was before the phase. */
export const snapshotOf = (work: string, phase: Phase): string => join(work, "snapshots", phase.name)

/** Copies a world. Node gives copied folders the mode of new ones, and the nodes rightly refuse to live in those. */
const copyWorld = (from: string, to: string): void => {
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700)
  }
}

const withNetwork = async <A>(use: (bootstrap: string) => Promise<A>): Promise<A> => {
  const scope = Effect.runSync(Scope.make())
  try {
    const nodes = await Effect.runPromise(Scope.provide(testnet, scope))
    return await use(`${nodes[0]!.host}:${nodes[0]!.port}`)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** A fresh copy of a snapshot, gone afterwards. */
const withPlace = async <A>(work: string, phase: Phase, use: (place: Place) => Promise<A>): Promise<A> => {
  const root = mkdtempSync(join(work, "runs", "run-"))
  const [world, notes] = [join(root, "world"), join(root, "notes")]
  try {
    copyWorld(snapshotOf(work, phase), world)
    mkdirSync(notes)
    return await withNetwork((bootstrap) => use({ world, notes, bootstrap, code: join(work, "code") }))
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** Both sides begin to count, those that wait for it; a side may die of its first call. */
const beginCounting = (stage: Stage, waiting: ReadonlyArray<Side>) => async (): Promise<void> => {
  for (const side of waiting) {
    side.count()
    await stage.until(`${side.name} counts`, () => side.told().some((told) => told.event === "counting"))
  }
}

const armingOf = (phase: Phase, side: Point.SideName, point: Point.Point | undefined): Arming => ({
  death: point?.side === side ? Point.printDeath(point) : "",
  waits: !phase.countsStart.includes(side)
})

const makeStageAt = (place: Place, phase: Phase, point: Point.Point | undefined) => {
  const sides = Point.sides.map((name) => {
    const counts = point === undefined || point.side === name
    return makeSide(place, name, counts ? armingOf(phase, name, point) : undefined)
  })
  const stage = makeStage(sides[0]!, sides[1]!, runLimitMs)
  const waiting = sides.filter(
    ({ name }) => !phase.countsStart.includes(name) && (point === undefined || point.side === name)
  )
  return { stage, begin: beginCounting(stage, waiting) }
}

/** Plays the phase to its end and lets a death that is due late come. */
const playOut = async (stage: Stage, phase: Phase, begin: () => Promise<void>, point: Point.Point): Promise<void> => {
  const armed = stage[point.side]
  await phase.play(stage, begin)
  await proof(stage, phase.name)
  for (let waitedMs = 0; waitedMs < tidyMs && !armed.died(); waitedMs += 50) await pause(50)
  await stage.until("both are up again", () => stage.alice.isUp() && stage.bob.isUp())
}

/** Waits for what still has to be shown, as long as it takes a restart to find it. The checks say if it never came. */
const letShow = async (stage: Stage, place: Place): Promise<void> => {
  for (let waitedMs = 0; waitedMs < showLimitMs && notShownYet(stage, place).length > 0; waitedMs += 20) await pause(20)
}

/** What two looks at the processes, with a question in between, say about why nothing comes. */
const examine = async (stage: Stage): Promise<ReadonlyArray<string>> => {
  const sides = [stage.alice, stage.bob].filter((side) => side.lives() > 0)
  const before = await Promise.all(sides.map((side) => side.whereabouts()))
  const counts = sides.map((side) => side.toldNow().length)
  for (const side of sides) side.type("/friends")
  await pause(2_000)
  const after = await Promise.all(sides.map((side) => side.whereabouts()))
  return sides.map((side, at) => {
    const answer = side
      .toldNow()
      .slice(counts[at])
      .map((told) => JSON.stringify(told))
      .join(" ")
    return `${before[at]}; two seconds later: ${after[at]}; /friends: ${answer || "no answer"}`
  })
}

/** What a person reads to understand what went wrong. Questions that were asked over and over are left out. */
const toldBy = (stage: Stage): ReadonlyArray<string> =>
  [stage.alice, stage.bob].flatMap((side) => [
    ...side
      .told()
      .filter((told) => told.event !== "reply" || told["lines"] === undefined)
      .map((told) => `${side.name} ${JSON.stringify(told).slice(0, 300)}`),
    ...side.muttered().map((line) => `${side.name} printed: ${line}`)
  ])

const asViolation = (error: unknown): Violation => {
  if (error instanceof Hung || error instanceof Mishap) return { kind: "hung", what: error.message }
  throw error
}

/** Plays a point's phase with its death in it, and says what came of it. */
export const runPoint = async (work: string, point: Point.Point): Promise<Verdict> => {
  const startedAtMs = performance.now()
  const phase = phases.find(({ name }) => name === point.phase)
  if (phase === undefined) throw new Error(`there is no phase ${point.phase}`)
  return withPlace(work, phase, async (place) => {
    const { begin, stage } = makeStageAt(place, phase, point)
    const hung = await playOut(stage, phase, begin, point).then(
      async () => {
        await letShow(stage, place)
        return []
      },
      (error) => [asViolation(error)]
    )
    const told = toldBy(stage)
    const state = hung.length > 0 ? await examine(stage) : []
    await Promise.all([stage.alice.kill(), stage.bob.kill()])
    const { outcomes, violations } = await check(stage, place)
    // A run that hangs has not lost what it still waits for.
    const found = hung.length > 0 ? violations.filter(({ kind }) => kind !== "lost") : violations
    const wrong = [...hung, ...found]
    return {
      point: Point.print(point),
      died: stage[point.side].died(),
      violations: wrong,
      outcomes,
      tookMs: Math.round(performance.now() - startedAtMs),
      ...(wrong.length > 0 ? { told: [...state, ...told] } : {})
    }
  })
}

/** A call as it was recorded: of which side, by which name, and whether half of it makes sense. */
export interface Call {
  readonly side: Point.SideName
  readonly operation: string
  readonly ordinal: number
  readonly tears: boolean
}

const callsIn = (side: Point.SideName, lines: ReadonlyArray<string>): ReadonlyArray<Call> => {
  const counts = new Map<string, number>()
  return lines.map((line) => {
    const operation = line.slice(2)
    const ordinal = (counts.get(operation) ?? 0) + 1
    counts.set(operation, ordinal)
    return { side, operation, ordinal, tears: line.startsWith("w") }
  })
}

/** Plays a phase without a death: gives its calls, and makes the snapshot of the next phase. */
export const record = async (work: string, phase: Phase): Promise<ReadonlyArray<Call>> => {
  const next = phases[phases.indexOf(phase) + 1]
  return withPlace(work, phase, async (place) => {
    const { begin, stage } = makeStageAt(place, phase, undefined)
    try {
      await phase.play(stage, begin)
      await pause(tidyMs)
      const calls = Point.sides.flatMap((side) => callsIn(side, recordOf(place, side)))
      await proof(stage, phase.name)
      await letShow(stage, place)
      await Promise.all([stage.alice.end(), stage.bob.end()])
      const { violations } = await check(stage, place)
      if (violations.length > 0) throw new Error(`${violations.map(({ what }) => what).join("; ")}`)
      if (next !== undefined) copyWorld(place.world, snapshotOf(work, next))
      return calls
    } catch (error) {
      const told = toldBy(stage)
      const lines = [...(await examine(stage)), ...told]
      throw new Error(`${phase.name} without any crash: ${String(error)}\n${lines.join("\n")}`)
    } finally {
      await Promise.all([stage.alice.kill(), stage.bob.kill()])
    }
  })
}
