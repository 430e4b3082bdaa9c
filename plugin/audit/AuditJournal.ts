/**
 * The audit log while it is written: lines appended, heads signed, files begun and given up.
 * It never reads what it is asked to write about, and never writes over a line: a torn end alone is cut, and noted.
 * A head is on the disk before the copy of it beside the files: so the copy never names a line that a power cut took.
 */
import { open, unlink } from "node:fs/promises"
import { join } from "node:path"
import { preparePrivateFolder, replaceFile, sweepDrafts, syncFolder } from "../../adapters/filesystem/Files.ts"
import type { Keys } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as AuditFolder from "./AuditFolder.ts"
import * as AuditLine from "./AuditLine.ts"
import * as Bounds from "./Bounds.ts"

/** What a journal is written with. */
export interface Pen {
  readonly crypto: CryptoShape
  readonly keys: Keys.LocalKeys
  readonly folder: string
  readonly bounds?: { readonly fileBytesMax: number; readonly filesMax: number }
}

export interface Journal {
  /** Appends these, each at its time. Rejects with the system's error, and then nothing of them is there. */
  readonly append: (several: ReadonlyArray<{ readonly at: number; readonly said: AuditLine.Said }>) => Promise<void>
  /** Signs what was appended, if anything was since the last head. */
  readonly sign: (at: number) => Promise<void>
  /** Why a full file could not be followed by the next one, as long as that is so. */
  readonly stuck: () => unknown
  /** Lines since the last head. */
  readonly unsigned: () => number
  readonly close: () => Promise<void>
}

/** How a log ends that is there already. */
interface End {
  readonly name: string | undefined
  readonly bytes: number
  /** Bytes behind the last whole line. */
  readonly torn: number
  readonly last: { readonly n: number; readonly hash: string }
  readonly head: number
  readonly first: number
  readonly isDamaged: boolean
  /** Whether the node that wrote it ended in order. */
  readonly isEnded: boolean
}

/** The end of the last file, as far as it is whole; where more than its end is wrong it stays as it is, for whoever looks. */
const endOf = (crypto: CryptoShape, { files, head: text }: AuditFolder.Found): End => {
  const newest = text === undefined ? undefined : AuditLine.read(crypto, text.trimEnd())
  const head = newest !== undefined && "head" in newest.body ? newest.body : undefined
  const file = files.at(-1)
  const lines = file?.text.split("\n") ?? []
  const torn = lines.pop() ?? ""
  let last: AuditLine.Line | undefined
  let isDamaged = false
  let isEnded = file === undefined
  for (const one of lines) {
    const line = AuditLine.read(crypto, one)
    isDamaged ||= line === undefined
    last = line ?? last
    if (line !== undefined && !("head" in line.body)) isEnded = "note" in line.body && line.body.note === "ended"
  }
  const n = Math.max(last?.body.n ?? 0, head?.n ?? 0)
  // Without a head nobody knows how far the log went: only one that was hardly begun has none yet.
  const isHeadless = text === undefined && n > 2
  const isShort = head !== undefined && (last?.body.n ?? 0) < head.n
  const hash = isShort ? newest!.hash : (last?.hash ?? AuditLine.beginning)
  return {
    name: file?.name,
    bytes: (file?.text.length ?? 0) - torn.length,
    torn: torn.length,
    last: { n, hash },
    head: head?.n ?? 0,
    first: head?.first ?? 1,
    isDamaged: isDamaged || isShort || isHeadless || (file !== undefined && last === undefined && torn === ""),
    isEnded
  }
}

/** The end of a log without a file that was begun behind it and never written, because the node was killed just then. */
const withoutEmpty = async (pen: Pen, found: AuditFolder.Found): Promise<End> => {
  const { crypto, folder } = pen
  const empty = found.files.at(-1)
  if (empty?.text === "" && found.files.length > 1) {
    const end = endOf(crypto, { ...found, files: found.files.slice(0, -1) })
    if (!end.isDamaged && (AuditFolder.firstOf(empty.name) ?? 0) <= end.last.n + 2) {
      await unlink(join(folder, empty.name))
      return end
    }
  }
  return endOf(crypto, found)
}

/** Opens the log of a folder, at the end of what is there. Rejects with the system's error. */
export const openJournal = async (pen: Pen, at: number): Promise<Journal> => {
  const { crypto, folder, keys } = pen
  const { fileBytesMax, filesMax } = pen.bounds ?? Bounds
  const wide = await preparePrivateFolder(folder)
  if (wide !== undefined) throw new Error(wide)
  await sweepDrafts(folder, AuditFolder.headName)
  const end = await withoutEmpty(pen, AuditFolder.read(folder))
  let { hash, n } = end.last
  let { first } = end
  let since = n - end.head
  let bytes = end.bytes
  let isTorn = false
  let stuck: unknown

  const reach = (name: string) => open(join(folder, name), "a", 0o600)
  const begins = end.name === undefined || end.isDamaged
  let handle = await reach(begins ? AuditFolder.fileName(n + 1) : end.name!)
  if (begins) {
    await syncFolder(folder)
    bytes = 0
  } else if (end.torn > 0) await handle.truncate(bytes)

  /** Cuts off what was written of lines that are not to be there. */
  const cut = async (): Promise<void> => {
    await handle.truncate(bytes)
    isTorn = false
  }

  /** All of these lines or none. */
  const write = async (lines: ReadonlyArray<AuditLine.Line>): Promise<void> => {
    const text = lines.map((line) => `${line.text}\n`).join("")
    if (isTorn) await cut()
    try {
      await handle.writeFile(text, "latin1")
    } catch (error) {
      isTorn = true
      await cut()
      throw error
    }
    const last = lines.at(-1)!
    bytes += text.length
    hash = last.hash
    n = last.body.n
    since += lines.length
  }
  const head = async (atMs: number): Promise<void> => {
    const line = AuditLine.sign(crypto, keys, { prev: hash, n: n + 1, at: atMs }, first)
    await write([line])
    await handle.sync()
    await replaceFile(folder, AuditFolder.headName, `${line.text}\n`)
    since = 0
  }
  /** The file that follows the head of this one: opened before this one is left, for a disk may let us do only one. */
  const follow = async (atMs: number): Promise<void> => {
    const name = AuditFolder.fileName(n + 2)
    const next = await reach(name)
    try {
      await syncFolder(folder)
      await head(atMs)
    } catch (error) {
      await next.close()
      await unlink(join(folder, name))
      throw error
    }
    const full = handle
    handle = next
    bytes = 0
    await full.close()
  }
  /** The next file, once this one is full; and the oldest goes, once the head says so. */
  const turnOver = async (atMs: number): Promise<void> => {
    await follow(atMs)
    const names = AuditFolder.namesIn(folder)
    const gone = names.slice(0, Math.max(0, names.length - filesMax))
    first = Math.max(first, AuditFolder.firstOf(names[gone.length]!) ?? 1)
    await head(atMs)
    for (const name of gone) await unlink(join(folder, name))
  }
  const append: Journal["append"] = async (several) => {
    if (several.length === 0) return
    if (bytes >= fileBytesMax) {
      try {
        await turnOver(several[0]!.at)
        stuck = undefined
      } catch (error) {
        stuck = error
        // Longer than that no file gets: from here on lines are lost, and counted.
        if (bytes >= 2 * fileBytesMax) throw error
      }
    }
    const lines: Array<AuditLine.Line> = []
    for (const { at: atMs, said } of several) {
      const place = { prev: lines.at(-1)?.hash ?? hash, n: n + 1 + lines.length, at: atMs }
      lines.push(AuditLine.make(crypto, place, said))
    }
    await write(lines)
  }
  const opening: ReadonlyArray<AuditLine.Said> = [
    ...(end.torn > 0 ? [{ note: "cut", count: end.torn } as const] : []),
    ...(end.isDamaged ? [{ note: "damaged" } as const] : []),
    ...(end.isEnded ? [] : [{ note: "unended" } as const]),
    { note: "begun" }
  ]
  try {
    await append(opening.map((said) => ({ at, said })))
    await head(at)
  } catch (error) {
    await handle.close()
    throw error
  }
  return {
    append,
    sign: (atMs) => (since === 0 ? Promise.resolve() : head(atMs)),
    stuck: () => stuck,
    unsigned: () => since,
    close: () => handle.close()
  }
}
