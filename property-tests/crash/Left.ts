/**
 * What a run leaves on the disk and what was told on the way, as the checks ask for it.
 * It never judges; it reads conversation files line by line and stores as the next start would read them.
 * Stores are read only when no process holds them: reading takes their lock, and that it succeeds is a check in itself.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import * as FileRecordStore from "../../adapters/filesystem/RecordStore.ts"
import { RecordStore } from "../../ports/RecordStore.ts"
import type { SideName } from "./Point.ts"
import * as Script from "./Script.ts"
import { dataFolderOf, type Place } from "./Side.ts"
import type { Asked, Stage } from "./Stage.ts"

/** The other side. */
export const opposite = (name: SideName): SideName => (name === "alice" ? "bob" : "alice")

/** The texts of all conversations of a side, whole lines only, in order. */
export const shownAt = (place: Place, name: SideName): ReadonlyArray<string> => {
  const folder = join(dataFolderOf(place, name), "conversations")
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl"))
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n").slice(0, -1))
    .map((line) => (JSON.parse(line) as { readonly text: string }).text)
}

/** The answers to an inject that its caller was shown. */
export const answersTo = (place: Place, one: Asked): ReadonlyArray<string> =>
  shownAt(place, one.from).filter((text) => text.split("\n")[0] === Script.answerBegins(one.mark))

interface Refusal {
  readonly id: string
  readonly code: string
}

/** The refusals that a side has stored: what its operator finds behind `/queue`. */
export const refusalsOf = (place: Place, name: SideName): Promise<ReadonlyArray<Refusal>> =>
  Effect.runPromise(
    RecordStore.pipe(
      Effect.flatMap((store) => store.load),
      Effect.map((records) => records.filter(({ collection }) => collection === "refusals")),
      Effect.map((records) => records.map(({ value }) => JSON.parse(value) as Refusal)),
      Effect.provide(FileRecordStore.layer({ folder: dataFolderOf(place, name) }))
    )
  )

/** The final outcomes told of an id, each once: what was told may be told again by the next life, but never otherwise. */
export const outcomesTold = (stage: Stage, one: Asked): ReadonlySet<string> =>
  new Set(
    stage[one.from]
      .told()
      .filter((event) => one.id !== undefined && event["id"] === one.id)
      .flatMap((event) => {
        if (event.event === "refused") return [String(event["code"])]
        if (event.event === "answered") return ["answered"]
        return event.event === "delivered" && one.kind === "message" ? ["delivered"] : []
      })
  )

/**
 * What was delivered or answered and is in no conversation yet. A text is shown after the turn that took it, so this may
 * be more than nothing for a moment, and for longer when the process died in between and has to look it up.
 */
export const notShownYet = (stage: Stage, place: Place): ReadonlyArray<string> =>
  stage.asked
    .filter((one) => {
      if (one.id === undefined) return false
      const [outcome] = outcomesTold(stage, one)
      if (one.kind === "inject") return outcome === "answered" && answersTo(place, one).length === 0
      const expected = outcome === "delivered" || (outcome === undefined && one.cancelled === "no")
      return expected && !shownAt(place, opposite(one.from)).includes(one.mark)
    })
    .map(({ mark }) => mark)
