/**
 * The audit log while it is written: lines appended, heads signed, files begun and given up.
 * It never reads what it is asked to write about, and never writes over a line: a torn end alone is cut, and noted.
 * A head is on the disk before the copy of it beside the files: so the copy never names a line that a power cut took.
 */
import { type FileHandle, open, unlink } from "node:fs/promises"
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
  for (const one of lines) {
    const line = AuditLine.read(crypto, one)
    isDamaged ||= line === undefined
    last = line ?? last
  }
  const n = Math.max(last?.body.n ?? 0, head?.n ?? 0)
  const isShort = head !== undefined && (last?.body.n ?? 0) < head.n
  const hash = isShort ? newest!.hash : (last?.hash ?? AuditLine.beginning)
  return {
    name: file?.name,
    bytes: (file?.text.length ?? 0) - torn.length,
    torn: torn.length,
    last: { n, hash },
    head: head?.n ?? 0,
    first: head?.first ?? 1,
    isDamaged: isDamaged || isShort || (file !== undefined && last === undefined && torn === "")
  }
}

/** Opens the log of a folder, at the end of what is there. Rejects with the system's error. */
export const openJournal = async (pen: Pen, at: number): Promise<Journal> => {
  const { crypto, folder, keys } = pen
  const { fileBytesMax, filesMax } = pen.bounds ?? Bounds
  const wide = await preparePrivateFolder(folder)
  if (wide !== undefined) throw new Error(wide)
  await sweepDrafts(folder, AuditFolder.headName)
  const end = endOf(crypto, AuditFolder.read(folder))
  let { hash, n } = end.last
  let { first } = end
  let since = n - end.head
  let bytes = end.bytes
  let handle: FileHandle

  const begin = async (): Promise<void> => {
    handle = await open(join(folder, AuditFolder.fileName(n + 1)), "a", 0o600)
    await syncFolder(folder)
    bytes = 0
  }
  if (end.name === undefined || end.isDamaged) await begin()
  else {
    handle = await open(join(folder, end.name), "a", 0o600)
    if (end.torn > 0) await handle.truncate(bytes)
  }

  /** All of these lines or none. */
  const write = async (lines: ReadonlyArray<AuditLine.Line>): Promise<void> => {
    const text = lines.map((line) => `${line.text}\n`).join("")
    try {
      await handle.writeFile(text, "latin1")
    } catch (error) {
      await handle.truncate(bytes)
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
  /** The next file, once this one is full; and the oldest goes, once the head says so. */
  const turnOver = async (atMs: number): Promise<void> => {
    await head(atMs)
    await handle.close()
    await begin()
    const names = AuditFolder.namesIn(folder)
    const gone = names.slice(0, Math.max(0, names.length - filesMax))
    first = Math.max(first, AuditFolder.firstOf(names[gone.length]!) ?? 1)
    await head(atMs)
    for (const name of gone) await unlink(join(folder, name))
  }
  const append: Journal["append"] = async (several) => {
    if (several.length === 0) return
    if (bytes >= fileBytesMax) await turnOver(several[0]!.at)
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
    { note: "begun" }
  ]
  try {
    await append(opening.map((said) => ({ at, said })))
    await head(at)
  } catch (error) {
    await handle!.close()
    throw error
  }
  return {
    append,
    sign: (atMs) => (since === 0 ? Promise.resolve() : head(atMs)),
    unsigned: () => since,
    close: () => handle.close()
  }
}
