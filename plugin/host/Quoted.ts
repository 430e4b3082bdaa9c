/**
 * Whether a model has just been shown what others wrote: for a while its tools then change nothing and send nothing, because
 * such a text may have asked for either, and what is sent may hold all that the model knows of its owner.
 * It never looks at what a text says; a model that obeys texts obeys the harmless-looking ones too.
 * For all conversations of the host at once, because a tool is not told which of them called it; and over a restart, because
 * conversations outlive programs: the time of a file in the data folder is when it was.
 */
import { statSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type May, sends, type Tool } from "./Tool.ts"

/** How long after a quotation the owner's own word is needed: a turn of a model is over by then. */
export const quotedMs = 3_600_000

/** Whose answers are strangers' words about themselves, their faults included. */
const ofStrangers: ReadonlyArray<string> = ["p2p_discover_peers", "p2p_connect_peer"]

const fileName = "quoted.time"

/** Puts the time of a file to now; what cannot be kept is known to this program alone. */
const touch = (file: string): void => {
  try {
    writeFileSync(file, "", { flag: "a", mode: 0o600 })
    utimesSync(file, Date.now() / 1_000, Date.now() / 1_000)
  } catch {
    // A full disk or a missing folder: the tools go on without.
  }
}

/** Whether a file's time is less than an hour from now, on either side: clocks are set back. */
const isFresh = (file: string): boolean => {
  const found = statSync(file, { throwIfNoEntry: false })
  return found !== undefined && Math.abs(Date.now() - found.mtimeMs) < quotedMs
}

/** Whether something that a tool gave holds a quotation: those are marked as untrusted where they are made. */
const holdsQuotation = (given: unknown): boolean =>
  typeof given === "object" &&
  given !== null &&
  ((given as { readonly untrusted?: unknown }).untrusted === true || Object.values(given).some(holdsQuotation))

/** Whether a tool waits for the owner's own word after a quotation. */
const waits = (tool: Tool, { mayGrant, mayReply }: May): boolean =>
  tool.changes && !mayGrant && !(mayReply && sends(tool))

/** Whether a call was turned down before anybody was looked for. */
const isTurnedDown = (given: unknown): boolean =>
  (given as { readonly error?: { readonly code?: unknown } } | null)?.error?.code === "owner-decides"

export interface Quoted {
  /** From now on it is kept in a data folder too, and what is kept there counts. */
  readonly keepIn: (folder: string) => void
  /** Notes what a tool gave to a model, a repeated answer and a fault included. */
  readonly note: (tool: Tool, given: unknown) => void
  /** Whether a tool waits for the owner's own word now; where quotations are in every prompt, `always`. */
  readonly holds: (tool: Tool, may: May, always: boolean) => boolean
}

/**
 * A fresh record, for as long as a model may remember what it read: whoever outlives the node makes it once and passes it in.
 * `nowMs` is any clock that does not go back.
 */
export const make = (nowMs: () => number = () => performance.now()): Quoted => {
  let lastMs = Number.NEGATIVE_INFINITY
  let file: string | undefined
  const isRecent = () => nowMs() - lastMs < quotedMs || (file !== undefined && isFresh(file))
  return {
    keepIn: (folder) => {
      file = join(folder, fileName)
    },
    note: (tool, given) => {
      if (!holdsQuotation(given) && (!ofStrangers.includes(tool.name) || isTurnedDown(given))) return
      lastMs = nowMs()
      if (file !== undefined) touch(file)
    },
    holds: (tool, may, always) => waits(tool, may) && (always || isRecent())
  }
}
