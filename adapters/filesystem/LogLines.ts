/**
 * Lines of a conversation file, forwards from the start or backwards from the end, in bounded pieces.
 * It never gives a line that has no newline yet, and skips what is no entry instead of failing on it.
 * Apart from the log because finding the newest few of a long file must not mean reading all of it.
 */
import type { FileHandle } from "node:fs/promises"
import type { Entry } from "../../ports/ConversationLog.ts"

const pieceBytes = 1 << 16
const newline = 0x0a

/** The entry in a line, or `undefined` for anything else: a person may have edited the file. */
export const entryIn = (line: string): Entry | undefined => {
  try {
    const read: Partial<Record<keyof Entry, unknown>> | null = JSON.parse(line)
    const { id, conversation, label, atMs, from, ours, text } = read ?? {}
    if (typeof id !== "string" || typeof conversation !== "string" || typeof label !== "string") return undefined
    if (typeof atMs !== "number" || typeof from !== "string" || typeof text !== "string") return undefined
    return { id, conversation, label, atMs, from, ...(ours === true ? { ours } : {}), text }
  } catch {
    return undefined
  }
}

/** Every whole line with the position behind its newline. */
export async function* forwards(
  handle: FileHandle
): AsyncGenerator<{ readonly text: string; readonly end: number }, void, void> {
  let parts: Array<Buffer> = []
  for (let position = 0; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, position)
    if (bytesRead === 0) return
    let start = 0
    for (let at = buffer.indexOf(newline); at !== -1 && at < bytesRead; at = buffer.indexOf(newline, start)) {
      parts.push(buffer.subarray(start, at))
      yield { text: Buffer.concat(parts).toString("utf8"), end: position + at + 1 }
      parts = []
      start = at + 1
    }
    parts.push(buffer.subarray(start, bytesRead))
    position += bytesRead
  }
}

/** Every whole line, the last first. */
async function* backwards(handle: FileHandle): AsyncGenerator<string, void, void> {
  // Parts of the line under way, the last part first. `whole` once its newline was seen: a torn last line is not given.
  let parts: Array<Buffer> = []
  let whole = false
  const line = (): string => Buffer.concat(parts.reverse()).toString("utf8")
  for (let end = (await handle.stat()).size; end > 0; ) {
    const start = Math.max(0, end - pieceBytes)
    const piece = Buffer.alloc(end - start)
    await handle.read(piece, 0, piece.length, start)
    let stop = piece.length
    for (let at = piece.lastIndexOf(newline); at !== -1; at = at === 0 ? -1 : piece.lastIndexOf(newline, at - 1)) {
      parts.push(piece.subarray(at + 1, stop))
      if (whole) yield line()
      whole = true
      parts = []
      stop = at
    }
    parts.push(piece.subarray(0, stop))
    end = start
  }
  if (whole) yield line()
}

/** The newest `limit` entries that pass, oldest first. */
export const newest = async (
  handle: FileHandle,
  limit: number,
  passes: (entry: Entry) => boolean
): Promise<ReadonlyArray<Entry>> => {
  const found: Array<Entry> = []
  for await (const line of backwards(handle)) {
    if (found.length >= limit) break
    const entry = entryIn(line)
    if (entry !== undefined && passes(entry)) found.push(entry)
  }
  return found.reverse()
}
