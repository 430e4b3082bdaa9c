/**
 * What a typed line can turn out to be, and the shape of a row of the command table: shared by the files that hold rows.
 * It knows no command: which there are stands in `Commands.ts`.
 */
import { type Redacted, Result } from "effect"
import { type Input, Limits, type Link, Name, Rejection } from "../core/index.ts"

export type Question =
  | "topics"
  | "profile"
  | "discovered"
  | "friends"
  | "requests"
  | "invites"
  | "queue"
  | "held"
  | "status"
  | "fingerprint"
  | "verify"
  | "demands"
  | "rules"
  | "help"

/** A change of our own identity: it ends the node, is made on the keys at rest, and starts the node on the new ones. */
export type Change =
  | {
      readonly what: "rotate"
      readonly reason: Link.Reason
      readonly recoveryKey?: Redacted.Redacted<Uint8Array>
    }
  | { readonly what: "recovery" }

export type Parsed =
  | { readonly kind: "identity"; readonly change: Change }
  | { readonly kind: "command"; readonly command: Input.Command }
  | { readonly kind: "question"; readonly question: Question; readonly name: string }
  /** A new secret topic: its key is drawn by whoever holds entropy, and shown once. */
  | { readonly kind: "secret-topic"; readonly name: string }
  | { readonly kind: "quit" }
  | { readonly kind: "mistake"; readonly message: string }

/** What parsing needs to know of the node: the channel to use when none is named. */
export interface Here {
  readonly channel: string | undefined
}

export interface Row {
  readonly name: string
  readonly usage: string
  readonly help: string
  readonly parse: (rest: string, here: Here) => Parsed
}

/** What was typed is not a command: the sentence says how it is written. */
export const mistake = (message: string): Parsed => ({ kind: "mistake", message })
export const command = (one: Input.Command): Parsed => ({ kind: "command", command: one })

/** Whom a line names, and what follows the name. */
export interface Addressed {
  readonly name: string
  readonly keyPrefix: string
  readonly rest: string
}

/** `@name[#key] rest`: who is meant, told apart from namesakes by the first characters of the key. */
export const addressed = (text: string): Addressed | undefined => {
  const match = /^@?(\S+?)(?:#([A-Za-z0-9_-]{1,43}))?(?:\s+([\s\S]*))?$/u.exec(text.trim())
  if (match === null || Result.isFailure(Name.parse(match[1]!))) return undefined
  return { name: match[1]!, keyPrefix: match[2] ?? "", rest: (match[3] ?? "").trim() }
}

/** What stands before ` : ` and the note behind it, or why there cannot be such a note. */
export const noted = (text: string): { readonly head: string; readonly note: string } | Parsed => {
  const [head = "", ...words] = text.split(/\s:\s/)
  const note = words.join(" : ").trim()
  return Array.from(note).length > Limits.connectNoteMax
    ? mistake(Rejection.sentence(Rejection.make("note-too-long")))
    : { head, note }
}
