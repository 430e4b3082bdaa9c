/**
 * What is left after a run, held against what was asked for: nothing lost, nothing twice, everything ended.
 * It never looks at a running node; it reads conversation files, the responder's notes, the stores, and what was told.
 * What was not acknowledged may have happened or not, but not twice.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import * as FileRecordStore from "../../adapters/filesystem/RecordStore.ts"
import { RecordStore } from "../../ports/RecordStore.ts"
import type { SideName } from "./Point.ts"
import * as Script from "./Script.ts"
import { dataFolderOf, type Place, respondedBy } from "./Side.ts"
import type { Asked, Stage } from "./Stage.ts"

export type Kind = "lost" | "doubled" | "respondedTwice" | "hung"
export interface Violation {
  readonly kind: Kind
  readonly what: string
}

/** How one inject ended, by what was told or, if that was lost with the process, by what is stored. */
export type Outcome = "answered" | "none" | (string & {})

interface Shown {
  readonly from: string
  readonly text: string
}

/** Whole lines of all conversations of a side, in order. */
const shownAt = (place: Place, name: SideName): ReadonlyArray<Shown> => {
  const folder = join(dataFolderOf(place, name), "conversations")
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl"))
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n").slice(0, -1))
    .map((line) => JSON.parse(line) as Shown)
}

/** All records of one kind in a side's store, read as its next start would read them. */
const stored = (place: Place, name: SideName, collection: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
  Effect.runPromise(
    RecordStore.pipe(
      Effect.flatMap((store) => store.load),
      Effect.map((records) => records.filter((record) => record.collection === collection)),
      Effect.map((records) => records.map(({ value }) => JSON.parse(value) as Record<string, unknown>)),
      Effect.provide(FileRecordStore.layer({ folder: dataFolderOf(place, name) }))
    )
  )

const opposite = (name: SideName): SideName => (name === "alice" ? "bob" : "alice")

const times = (shown: ReadonlyArray<Shown>, text: string): number => shown.filter((one) => one.text === text).length

/** The final outcomes told of an id, each once: a delivery may be told again by the next life, but never otherwise. */
const outcomesTold = (stage: Stage, one: Asked): ReadonlySet<string> => {
  const told = stage[one.from].told().filter((event) => event["id"] === one.id)
  return new Set(
    told.flatMap((event) => {
      if (event.event === "refused") return [String(event["code"])]
      if (event.event === "answered") return ["answered"]
      return event.event === "delivered" && one.kind === "message" ? ["delivered"] : []
    })
  )
}

/**
 * What was delivered or answered and is in no conversation yet. A text is shown after the turn that took it, so this may
 * be more than nothing for a moment, and for longer when the process died in between and has to look it up.
 */
export const notShownYet = (stage: Stage, place: Place): ReadonlyArray<string> =>
  stage.asked
    .filter((one) => {
      const outcomes = [...outcomesTold(stage, one)]
      if (one.kind === "inject") {
        const begins = Script.answerBegins(one.mark)
        return outcomes[0] === "answered" && !shownAt(place, one.from).some(({ text }) => text.startsWith(begins))
      }
      const delivered = outcomes[0] === "delivered" || (outcomes.length === 0 && one.cancelled === "no")
      return one.id !== undefined && delivered && times(shownAt(place, opposite(one.from)), one.mark) === 0
    })
    .map(({ mark }) => mark)

const checkMessage = (stage: Stage, place: Place, one: Asked): ReadonlyArray<Violation> => {
  const count = times(shownAt(place, opposite(one.from)), one.mark)
  const received = stage[opposite(one.from)].told().filter((event) => {
    const entry = event["entry"] as { readonly text?: string } | undefined
    return event.event === "received" && entry?.text === one.mark
  })
  const what = `the message ${one.mark} (${one.id ?? "not acknowledged"})`
  const violations: Array<Violation> = []
  if (count > 1) violations.push({ kind: "doubled", what: `${what} is in the conversation ${count} times` })
  if (received.length > 1) violations.push({ kind: "doubled", what: `${what} was told ${received.length} times` })
  if (one.id === undefined) {
    return one.refused !== undefined && count > 0
      ? [...violations, { kind: "doubled", what: `${what} was refused (${one.refused}) and shown` }]
      : violations
  }
  const outcomes = outcomesTold(stage, one)
  const refused = [...outcomes].filter((outcome) => outcome !== "delivered")
  if (outcomes.size > 1) violations.push({ kind: "doubled", what: `${what} ended as ${[...outcomes].join(" and ")}` })
  if (refused.length > 0 && count > 0) {
    violations.push({ kind: "doubled", what: `${what} ended as ${refused.join()} and was shown` })
  }
  if (one.cancelled === "yes" && count > 0)
    violations.push({ kind: "doubled", what: `${what} was taken back and shown` })
  // Who took a message back and died over it finds an empty queue: that is its outcome.
  const takenBack = one.cancelled !== "no" && stage[one.from].died()
  if (count === 0 && refused.length === 0 && !takenBack)
    violations.push({ kind: "lost", what: `${what} was shown to nobody` })
  return violations
}

/** How an acknowledged inject ended; `none` is a loss. */
const outcomeOf = async (stage: Stage, place: Place, one: Asked): Promise<Outcome> => {
  const told = [...outcomesTold(stage, one)]
  if (told[0] !== undefined) return told[0]
  const calls = await stored(place, one.from, "calls")
  if (calls.some((call) => call["id"] === one.id)) return "none"
  const begins = Script.answerBegins(one.mark)
  if (shownAt(place, one.from).some(({ text }) => text.startsWith(begins))) return "answered"
  // What its caller was to be told died with the caller; the end is stored, and why, where it ran or was refused.
  if (!stage[one.from].died()) return "none"
  const job = (await stored(place, opposite(one.from), "jobs")).find((each) => each["id"] === one.id)
  if (job !== undefined) return typeof job["code"] === "string" ? job["code"] : "none"
  return one.cancelled !== "no" ? "cancelled" : one.refusable ? "refused" : "none"
}

const checkInject = async (
  stage: Stage,
  place: Place,
  one: Asked
): Promise<{ readonly violations: ReadonlyArray<Violation>; readonly outcome: Outcome | undefined }> => {
  const violations: Array<Violation> = []
  const what = `the inject ${one.mark} (${one.id ?? "not acknowledged"})`
  const answer = Script.answerBegins(one.mark)
  const answers = shownAt(place, one.from).filter(({ text }) => text.startsWith(answer))
  const requests = shownAt(place, opposite(one.from)).filter(({ text }) => text.endsWith(` ${one.mark}`))
  const calls = respondedBy(place, opposite(one.from)).filter((text) => text.endsWith(` ${one.mark}`))
  if (calls.length > 1) violations.push({ kind: "respondedTwice", what: `${what} was run ${calls.length} times` })
  if (answers.length > 1)
    violations.push({ kind: "doubled", what: `the answer to ${what} is shown ${answers.length} times` })
  if (requests.length > 1) violations.push({ kind: "doubled", what: `${what} is shown ${requests.length} times` })
  const toldTimes = stage[one.from]
    .told()
    .filter((event) => event.event === "answered" && event["id"] === one.id).length
  if (toldTimes > 1) violations.push({ kind: "doubled", what: `the answer to ${what} was told ${toldTimes} times` })
  const whole = answers.every(({ text }) =>
    [`long ${one.mark}`, `short ${one.mark}`].some((asked) => Script.answerTo(asked) === text)
  )
  if (!whole) violations.push({ kind: "lost", what: `the answer to ${what} is not what was answered` })
  if (one.id === undefined) return { violations, outcome: undefined }
  const outcomes = outcomesTold(stage, one)
  if (outcomes.size > 1) violations.push({ kind: "doubled", what: `${what} ended as ${[...outcomes].join(" and ")}` })
  const outcome = await outcomeOf(stage, place, one)
  if (outcome === "none") violations.push({ kind: "lost", what: `${what} has no outcome` })
  if (outcome === "answered" && answers.length === 0) {
    violations.push({ kind: "lost", what: `the answer to ${what} was told and is in no conversation` })
  }
  return { violations, outcome }
}

/** Everything that a finished run did wrong, and how its injects ended. To be asked when both processes are gone. */
export const check = async (
  stage: Stage,
  place: Place
): Promise<{ readonly violations: ReadonlyArray<Violation>; readonly outcomes: ReadonlyArray<Outcome> }> => {
  const violations: Array<Violation> = []
  const outcomes: Array<Outcome> = []
  for (const one of stage.asked) {
    if (one.kind === "message") violations.push(...checkMessage(stage, place, one))
    else {
      const found = await checkInject(stage, place, one)
      violations.push(...found.violations)
      if (found.outcome !== undefined) outcomes.push(found.outcome)
    }
  }
  return { violations, outcomes }
}
