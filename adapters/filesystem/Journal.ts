/**
 * The journal file: appends frames, flushes them, and rewrites itself when it has grown too long.
 * It never reports a frame as written before the disk has it, and never leaves one behind that failed.
 * After a flush that failed the kernel may have dropped the pages and called them clean, so the file is not believed any
 * more: everything is written afresh to another one, and if that fails too the journal is over until the next start.
 */
import { randomBytes } from "node:crypto"
import { fdatasyncSync, writeSync } from "node:fs"
import { type FileHandle, open, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { draftName, errnoOf, inWords, syncFolder, tightenFile } from "./Files.ts"
import { encodeFrame, encodeHeader, headerBytes, payloadBytesMax } from "./JournalFrame.ts"
import { readJournal } from "./JournalRead.ts"
import { type Records, recordsOf } from "./Records.ts"

/** The file's name in its folder. */
export const journalName = "journal.log"
/** How many characters of records one checkpoint frame gathers. */
const checkpointFrameChars = 1 << 20

/** The system calls that can fail, so that a test can make them fail. */
export interface JournalSystem {
  readonly write: (handle: FileHandle, bytes: Uint8Array, position: number) => Promise<void>
  /** `bytes` is how much was written since the last one. */
  readonly sync: (handle: FileHandle, bytes: number) => Promise<void>
  readonly truncate: (handle: FileHandle, length: number) => Promise<void>
}

/** A write of this much at most is made at once: it only reaches the page cache, and a way through the pool costs more. */
const writeAtOnceBytes = 1 << 16

/**
 * How long a flush may take to be made in place, milliseconds, and how much it may write. A few messages on a quick disk
 * are there sooner than a way through the thread pool and back; else everything else goes on meanwhile, and gathers.
 */
const quickFlushMs = 1
const smallFlushBytes = 4_096

/** So many quick flushes in a row make a disk quick again after a slow one. */
const quickFlushesMin = 8

/** Flushes a little in place while the disk is quick, else through the pool. */
const makeSync = (): JournalSystem["sync"] => {
  let quickInARow = quickFlushesMin
  return async (handle, bytes) => {
    const startedAt = performance.now()
    if (quickInARow >= quickFlushesMin && bytes <= smallFlushBytes) fdatasyncSync(handle.fd)
    else await handle.datasync()
    quickInARow = performance.now() - startedAt <= quickFlushMs ? quickInARow + 1 : 0
  }
}

/** The real ones. A short write is continued: the next one says why it was short. */
export const nodeSystem = (): JournalSystem => ({
  write: async (handle, bytes, position) => {
    for (let done = 0; done < bytes.length; ) {
      const bytesWritten =
        bytes.length <= writeAtOnceBytes
          ? writeSync(handle.fd, bytes, done, bytes.length - done, position + done)
          : (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
      if (bytesWritten === 0) throw new Error("the disk took no bytes")
      done += bytesWritten
    }
  },
  sync: makeSync(),
  truncate: async (handle, length) => {
    await handle.truncate(length)
    await handle.datasync()
  }
})

/** No commit can be made any more; the next start reads what the disk holds. */
export class Broken extends Error {}

interface Written {
  readonly handle: FileHandle
  readonly salt: Uint8Array
  readonly checkpointEnd: number
  readonly position: number
  readonly sequence: number
}

export interface Journal {
  /** Appends one frame and flushes it. `records` are those before it. Throws the system's error, or `Broken`. */
  readonly append: (payload: string, records: Records) => Promise<void>
  /** Writes the records to a fresh file in place of this one. Throws the system's error with the old file in force. */
  readonly rewrite: (records: Records) => Promise<void>
  readonly close: () => Promise<void>
  /** Number of the last frame, length of the file, length of its checkpoint. */
  readonly extent: () => { readonly sequence: number; readonly bytes: number; readonly checkpointEnd: number }
}

function* checkpointPayloads(records: Records): Generator<string> {
  let rows: Array<string> = []
  let chars = 0
  for (const { collection, key, value } of recordsOf(records)) {
    const row = JSON.stringify([collection, key, value])
    rows.push(row)
    chars += row.length
    if (chars < checkpointFrameChars) continue
    yield `[[${rows.join(",")}]]`
    rows = []
    chars = 0
  }
  if (rows.length > 0) yield `[[${rows.join(",")}]]`
}

/** Fills a draft: frames first, the header last, because only then is the checkpoint's length known. */
const fill = async (system: JournalSystem, handle: FileHandle, records: Records, first: number): Promise<Written> => {
  const salt = Uint8Array.from(randomBytes(16))
  let position = headerBytes
  let sequence = first
  for (const payload of checkpointPayloads(records)) {
    const frame = encodeFrame(salt, sequence, payload)
    await system.write(handle, frame, position)
    position += frame.length
    sequence += 1
  }
  await system.write(handle, encodeHeader({ salt, checkpointEnd: position, firstSequence: first }), 0)
  await system.sync(handle, position)
  return { handle, salt, checkpointEnd: position, position, sequence: sequence - 1 }
}

/** A whole new journal file under the journal's name. A crash at any moment leaves the old file or the new one. */
const writeFresh = async (
  system: JournalSystem,
  folder: string,
  records: Records,
  firstSequence: number
): Promise<Written> => {
  const draft = join(folder, draftName(journalName))
  const handle = await open(draft, "wx+", 0o600)
  try {
    await tightenFile(draft)
    const written = await fill(system, handle, records, firstSequence)
    await rename(draft, join(folder, journalName))
    return written
  } catch (error) {
    await handle.close().catch(() => undefined)
    await unlink(draft).catch(() => undefined)
    throw error
  }
}

/** The new name must be durable before anything is promised in the new file: else a crash could bring the old one back. */
const settleName = async (folder: string): Promise<void> => {
  await syncFolder(folder).catch((error: unknown) => {
    throw new Broken(`the folder ${folder} could not be flushed: ${inWords(error)}`)
  })
}

const openExisting = async (path: string): Promise<FileHandle | undefined> => {
  try {
    return await open(path, "r+")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** Reads the journal into `records`, or makes an empty one; cuts a torn tail. `tornBytes` says how much was cut. */
export const openJournal = async (
  folder: string,
  system: JournalSystem,
  records: Records
): Promise<{ readonly journal: Journal; readonly tornBytes: number }> => {
  const path = join(folder, journalName)
  const handle = await openExisting(path)
  if (handle === undefined) {
    const written = await writeFresh(system, folder, records, 1)
    await settleName(folder)
    return { journal: running(system, folder, written), tornBytes: 0 }
  }
  try {
    await tightenFile(path)
    const { tornBytes, ...read } = await readJournal(handle, records.apply)
    if (tornBytes > 0) await system.truncate(handle, read.position)
    return { journal: running(system, folder, { handle, ...read }), tornBytes }
  } catch (error) {
    await handle.close()
    throw error
  }
}

const running = (system: JournalSystem, folder: string, opened: Written): Journal => {
  let now = opened
  let broken: string | undefined

  const rewrite = async (records: Records): Promise<void> => {
    const old = now.handle
    now = await writeFresh(system, folder, records, now.sequence + 1)
    await old.close().catch(() => undefined)
    await settleName(folder).catch((error: unknown) => {
      broken = inWords(error)
      throw error
    })
  }

  /** Takes a failed frame back. After a failed flush the file itself is replaced, see above. */
  const takeBack = async (records: Records, flushFailed: boolean): Promise<void> => {
    try {
      await system.truncate(now.handle, now.position)
      if (flushFailed) await rewrite(records)
    } catch (error) {
      broken = `a failed commit could not be taken back: ${inWords(error)}`
    }
  }

  const append = async (payload: string, records: Records): Promise<void> => {
    if (broken !== undefined) throw new Broken(broken)
    // Three bytes a UTF-16 unit is the most that UTF-8 takes.
    if (payload.length * 3 > payloadBytesMax && Buffer.byteLength(payload) > payloadBytesMax) {
      throw new Error(`one commit can hold ${payloadBytesMax} bytes at most`)
    }
    const frame = encodeFrame(now.salt, now.sequence + 1, payload)
    let written = false
    try {
      await system.write(now.handle, frame, now.position)
      written = true
      await system.sync(now.handle, frame.length)
    } catch (error) {
      await takeBack(records, written)
      throw error
    }
    now = { ...now, position: now.position + frame.length, sequence: now.sequence + 1 }
  }

  return {
    append,
    rewrite,
    close: () => now.handle.close(),
    extent: () => ({ sequence: now.sequence, bytes: now.position, checkpointEnd: now.checkpointEnd })
  }
}
