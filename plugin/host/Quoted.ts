/**
 * Whether a model has just been shown what others wrote: for a while its tools then change nothing and send nothing, because
 * such a text may have asked for either, and what is sent may hold all that the model knows of its owner.
 * It never looks at what a text says; a model that obeys texts obeys the harmless-looking ones too.
 * For all conversations of the host at once, because a tool is not told which of them called it.
 */
import type { Tool } from "./Tool.ts"

/** How long after a quotation the owner's own word is needed: a turn of a model is over by then. */
export const quotedMs = 3_600_000

/** Whose answers are strangers' words about themselves, their faults included. */
const ofStrangers: ReadonlyArray<string> = ["p2p_discover_peers", "p2p_connect_peer"]

/** Whether something that a tool gave holds a quotation: those are marked as untrusted where they are made. */
const holdsQuotation = (given: unknown): boolean =>
  typeof given === "object" &&
  given !== null &&
  ((given as { readonly untrusted?: unknown }).untrusted === true || Object.values(given).some(holdsQuotation))

/** What the owner has set of tools: may they send after a quotation, and may they do whatever they are asked for. */
export interface May {
  readonly mayReply: boolean
  readonly mayGrant: boolean
}

/** Whether a tool waits for the owner's own word after a quotation. */
const waits = ({ changes, permission }: Tool, { mayGrant, mayReply }: May): boolean =>
  changes && !mayGrant && (permission !== "p2p.send" || !mayReply)

export interface Quoted {
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
  return {
    note: (tool, given) => {
      if (holdsQuotation(given) || ofStrangers.includes(tool.name)) lastMs = nowMs()
    },
    holds: (tool, may, always) => waits(tool, may) && (always || nowMs() - lastMs < quotedMs)
  }
}
