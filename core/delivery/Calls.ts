/**
 * Injects that we asked of peers: who waits for which answer until when, and the pieces that have arrived.
 * It never trusts a piece: only an answer whose length and hash match its end is given on.
 * The pieces are not stored: a session that breaks goes on at the right byte, a process that dies begins anew.
 */
import { HashMap, Option, Schema } from "effect"
import { append, concat } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"
import type * as Table from "../Table.ts"
import type { Done } from "../wire/Message.ts"

export const Call = Schema.Struct({
  id: Schema.String,
  peerId: Schema.String,
  askedAtMs: Schema.Int,
  deadlineMs: Schema.Int,
  /** The friend's owner was asked; what became of that is told by the answer. */
  held: Schema.optionalKey(Schema.Literal(true))
})
export type Call = typeof Call.Type
export type Calls = Table.Table<Call>

/** An end that waits for the rest of its answer, with what the inbox needs to remember it. */
export interface End {
  readonly done: Done
  readonly bytes: number
  readonly hash: string
}

/** What has arrived of one answer, how far it was asked for, and its end if that came first. */
interface Partial {
  readonly parts: ReadonlyArray<Uint8Array>
  readonly length: number
  readonly askedUpTo: number
  readonly end: End | undefined
}
/** Answers under way, by call. */
export type Pieces = HashMap.HashMap<string, Partial>

const none: Partial = { parts: [], length: 0, askedUpTo: 0, end: undefined }
const partial = (pieces: Pieces, id: string): Partial => Option.getOrElse(HashMap.get(pieces, id), () => none)

/** Adds a chunk that continues what is there. Any other is dropped, as is what would exceed the largest answer. */
export const addChunk = (pieces: Pieces, id: string, offset: number, bytes: Uint8Array): Pieces => {
  const before = partial(pieces, id)
  const length = before.length + bytes.length
  const useless = bytes.length === 0 || offset !== before.length || length > Limits.answerBytesMax
  return useless ? pieces : HashMap.set(pieces, id, { ...before, parts: append(before.parts, bytes), length })
}

/** The end has come. It comes anew on every session, and what was asked for on an earlier one is not under way. */
export const expectEnd = (pieces: Pieces, id: string, end: End): Pieces => {
  const before = partial(pieces, id)
  return HashMap.set(pieces, id, { ...before, end, askedUpTo: before.length })
}

/** The end that waits for the rest of its answer. */
export const endOf = (pieces: Pieces, id: string): End | undefined => partial(pieces, id).end

/** How many bytes of an answer have arrived. */
export const lengthOf = (pieces: Pieces, id: string): number => partial(pieces, id).length

/** The next range to ask for, if it is time: half of the credit has been used, or nothing was asked for yet. */
export const askOn = (
  pieces: Pieces,
  id: string
): { readonly pieces: Pieces; readonly resume: { readonly offset: number; readonly upTo: number } | undefined } => {
  const before = partial(pieces, id)
  const upTo = Math.min(before.length + Limits.answerCreditBytes, before.end?.done.length ?? 0)
  const offset = Math.max(before.length, before.askedUpTo)
  const due = upTo > offset && before.askedUpTo - before.length <= Limits.answerCreditBytes / 2
  if (!due) return { pieces, resume: undefined }
  return { pieces: HashMap.set(pieces, id, { ...before, askedUpTo: upTo }), resume: { offset, upTo } }
}

/** Forgets what has arrived of an answer. */
export const drop = (pieces: Pieces, id: string): Pieces => HashMap.remove(pieces, id)

/** All pieces of a call, joined. */
export const joined = (pieces: Pieces, id: string): Uint8Array => concat(...partial(pieces, id).parts)
