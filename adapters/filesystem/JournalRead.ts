/**
 * Reads a journal file from its first byte to the end of what can be proven whole.
 * It never writes, and never skips: what is bad is either a torn tail, with nothing whole behind it, or damage.
 * The difference is safe to draw because a frame is written only after the one before it was flushed: a crash can tear
 * the last frame and no other, so whatever stands whole behind a bad frame proves that something else happened.
 */
import type { FileHandle } from "node:fs/promises"
import type { Change } from "../../ports/RecordStore.ts"
import { decodeFrameHead, decodeHeader, frameHeadBytes, frameHolds, frameMarker, headerBytes } from "./JournalFrame.ts"

/** How much of the file is held while reading. A longer frame is read by itself. */
const windowBytes = 1 << 20

/** The journal is not what we wrote. The message says where. */
export class Damage extends Error {}

export interface JournalRead {
  readonly salt: Uint8Array
  readonly checkpointEnd: number
  /** Where the next frame goes. */
  readonly position: number
  /** The number of the last frame. */
  readonly sequence: number
  /** How many bytes behind `position` are a torn tail. */
  readonly tornBytes: number
}

type ReadAt = (position: number, length: number) => Promise<Buffer>

/** Reads by position through a window; at the end of the file it gives fewer bytes than asked. */
const windowed = (handle: FileHandle): ReadAt => {
  let start = 0
  let window = Buffer.alloc(0)
  return async (position, length) => {
    if (position < start || position + length > start + window.length) {
      const buffer = Buffer.allocUnsafe(Math.max(length, windowBytes))
      let filled = 0
      for (;;) {
        const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled)
        filled += bytesRead
        if (bytesRead === 0 || filled === buffer.length) break
      }
      start = position
      window = buffer.subarray(0, filled)
    }
    return window.subarray(position - start, position - start + length)
  }
}

interface Frame {
  readonly sequence: number
  readonly payload: Buffer
  readonly end: number
}

/** The frame at a position, or `undefined` when no whole frame of this journal stands there. */
const frameAt = async (
  readAt: ReadAt,
  size: number,
  salt: Uint8Array,
  position: number
): Promise<Frame | undefined> => {
  const head = Buffer.from(await readAt(position, frameHeadBytes))
  const parsed = decodeFrameHead(head)
  if (parsed === undefined) return undefined
  const end = position + frameHeadBytes + parsed.payloadBytes
  if (end > size) return undefined
  const payload = await readAt(position + frameHeadBytes, parsed.payloadBytes)
  return frameHolds(salt, head, payload) ? { sequence: parsed.sequence, payload, end } : undefined
}

/** Where the first whole frame at or after `from` stands, if there is one. */
const findSurvivor = async (
  readAt: ReadAt,
  size: number,
  salt: Uint8Array,
  from: number
): Promise<number | undefined> => {
  for (let start = from; start < size; start += windowBytes - frameHeadBytes) {
    const piece = await readAt(start, Math.min(windowBytes, size - start))
    for (let at = piece.indexOf(frameMarker); at !== -1; at = piece.indexOf(frameMarker, at + 1)) {
      if ((await frameAt(readAt, size, salt, start + at)) !== undefined) return start + at
    }
  }
  return undefined
}

const isChange = (value: unknown): value is readonly [string, string, string | null] =>
  Array.isArray(value) &&
  value.length === 3 &&
  typeof value[0] === "string" &&
  typeof value[1] === "string" &&
  (typeof value[2] === "string" || value[2] === null)

/** The changes in a payload, a list of commits, each a list of `[collection, key, value]`. */
const changesIn = (payload: Buffer, position: number): ReadonlyArray<Change> => {
  const commits: unknown = (() => {
    try {
      return JSON.parse(payload.toString("utf8"))
    } catch {
      return undefined
    }
  })()
  if (!Array.isArray(commits) || !commits.every((commit) => Array.isArray(commit) && commit.every(isChange))) {
    throw new Damage(`the frame at byte ${position} is whole but holds no commits; was a newer version running here?`)
  }
  return commits.flat(1).map(([collection, key, value]) => ({ collection, key, value }))
}

/**
 * Gives every change in order to `apply` and says where the journal ends.
 * Throws `Damage`, or the system's error. On a torn tail nothing is thrown; the caller cuts it.
 */
export const readJournal = async (
  handle: FileHandle,
  apply: (changes: ReadonlyArray<Change>) => void
): Promise<JournalRead> => {
  const { size } = await handle.stat()
  const readAt = windowed(handle)
  const header = decodeHeader(Buffer.from(await readAt(0, headerBytes)))
  if (header === undefined) throw new Damage(`its first ${headerBytes} bytes are not a journal's`)
  const { checkpointEnd, salt } = header
  let position = headerBytes
  let sequence = header.firstSequence - 1
  while (position < size) {
    const frame = await frameAt(readAt, size, salt, position)
    if (frame === undefined) break
    if (frame.sequence !== sequence + 1) {
      throw new Damage(`the frame at byte ${position} has number ${frame.sequence} instead of ${sequence + 1}`)
    }
    apply(changesIn(frame.payload, position))
    position = frame.end
    sequence = frame.sequence
  }
  if (position < checkpointEnd) throw new Damage(`its checkpoint is broken at byte ${position}`)
  const survivor = position < size ? await findSurvivor(readAt, size, salt, position + 1) : undefined
  if (survivor !== undefined) {
    throw new Damage(`byte ${position} starts no whole frame, yet one stands behind it at byte ${survivor}`)
  }
  return { salt, checkpointEnd, position, sequence, tornBytes: size - position }
}
