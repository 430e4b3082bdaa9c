/**
 * Injects that we asked of peers: who waits for which answer until when, and the pieces that have arrived.
 * It never trusts a piece: only an answer whose length and hash match its end is given on.
 * The pieces are not stored; whoever loses them gets all of them again with the end.
 */
import { HashMap, Option, Schema } from "effect"
import { concat } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"
import type * as Table from "../Table.ts"

export const Call = Schema.Struct({
  id: Schema.String,
  peerId: Schema.String,
  askedAtMs: Schema.Int,
  deadlineMs: Schema.Int
})
export type Call = typeof Call.Type
export type Calls = Table.Table<Call>

/** Pieces of answers under way, by call. */
export type Pieces = HashMap.HashMap<string, { readonly parts: ReadonlyArray<Uint8Array>; readonly length: number }>

/**
 * Adds a chunk. Offset 0 begins anew (the peer repeats an answer whole); any other offset must continue what is there;
 * what does not fit, or would grow beyond the largest answer, drops the pieces of that call.
 */
export const addChunk = (pieces: Pieces, id: string, offset: number, bytes: Uint8Array): Pieces => {
  const none = { parts: [], length: 0 }
  const before = offset === 0 ? none : Option.getOrElse(HashMap.get(pieces, id), () => none)
  const length = before.length + bytes.length
  return offset !== before.length || length > Limits.answerBytesMax
    ? HashMap.remove(pieces, id)
    : HashMap.set(pieces, id, { parts: [...before.parts, bytes], length })
}

/** All pieces of a call, joined. */
export const joined = (pieces: Pieces, id: string): Uint8Array =>
  concat(...Option.match(HashMap.get(pieces, id), { onNone: () => [], onSome: (found) => found.parts }))
