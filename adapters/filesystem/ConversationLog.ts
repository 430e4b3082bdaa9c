/**
 * A ConversationLog in a folder: `conversations/<conversation>.jsonl`, one entry a line, for people and their tools.
 * It never builds a path from a name it has not checked, and never rewrites what it has written.
 * Which ids a file holds is read from the file itself when it is first needed: a second record of it could disagree
 * with the file after a crash, and then a friend's words would appear twice or not at all.
 */
import { constants, lstatSync, writeSync } from "node:fs"
import { type FileHandle, open, unlink } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer, Semaphore } from "effect"
import { ConversationLog, type ConversationLogShape, type Entry, LogError } from "../../ports/ConversationLog.ts"
import { errnoOf, inWords, preparePrivateFolder, saysDiskFull, syncFolder, tightenFile } from "./Files.ts"
import { entryIn, forwards, newest } from "./LogLines.ts"

/**
 * How many ids are remembered over all conversations, some 100 MB at worst. Beyond it the conversation used longest ago
 * is forgotten and read again when needed; the one in use is always remembered whole, however long it is.
 */
const idsRememberedMax = 500_000
/** How many files are kept open, those used last. */
const filesOpenMax = 32
const writeAtOnceBytes = 1 << 16

const nameRule = /^[A-Za-z0-9-]{1,128}$/

/** One open file: which it is, the ids in it, and where its last whole line ends. */
interface Known {
  readonly handle: FileHandle
  readonly dev: number
  readonly ino: number
  readonly ids: Set<string>
  end: number
}

/** Conversations in order of use, the most recent last. */
type Memory = Map<string, Known>

const logError = (folder: string, error: unknown): LogError => {
  if (error instanceof LogError) return error
  const step = saysDiskFull(error) ? "; free some space and try again" : ""
  return new LogError({ message: `the conversations in ${folder} failed: ${inWords(error)}${step}` })
}

const requireName = (conversation: string): void => {
  if (nameRule.test(conversation)) return
  throw new LogError({ message: "a conversation's name has 1 to 128 letters, digits and hyphens, nothing else" })
}

const pathOf = (folder: string, conversation: string): string => join(folder, `${conversation}.jsonl`)
const noFollow = constants.O_NOFOLLOW ?? 0

const openToAppend = async (folder: string, conversation: string): Promise<FileHandle> => {
  const problem = await preparePrivateFolder(folder)
  if (problem !== undefined) throw new LogError({ message: problem })
  const path = pathOf(folder, conversation)
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | noFollow, 0o600)
  await tightenFile(path)
  if ((await handle.stat()).size === 0) await syncFolder(folder)
  return handle
}

/** Opens a file, reads which ids it holds, and cuts a last line that a crash left unfinished. */
const learn = async (folder: string, conversation: string): Promise<Known> => {
  const handle = await openToAppend(folder, conversation)
  try {
    const ids = new Set<string>()
    let end = 0
    for await (const line of forwards(handle)) {
      end = line.end
      const entry = entryIn(line.text)
      if (entry?.conversation === conversation) ids.add(entry.id)
    }
    const { dev, ino, size } = await handle.stat()
    if (size > end) await handle.truncate(end)
    return { handle, dev, ino, ids, end }
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw error
  }
}

const forget = async (memory: Memory, conversation: string): Promise<void> => {
  const known = memory.get(conversation)
  memory.delete(conversation)
  await known?.handle.close().catch(() => undefined)
}

/** What is remembered of a file, if it is still the one under its name and as long as we left it: its owner may edit it. */
const recall = (folder: string, memory: Memory, conversation: string): Known | undefined => {
  const known = memory.get(conversation)
  const found = known && lstatSync(pathOf(folder, conversation), { throwIfNoEntry: false })
  const same = known !== undefined && found?.dev === known.dev && found.ino === known.ino && found.size === known.end
  return same ? known : undefined
}

const remember = async (memory: Memory, conversation: string, known: Known): Promise<void> => {
  memory.delete(conversation)
  memory.set(conversation, known)
  let total = 0
  for (const { ids } of memory.values()) total += ids.size
  for (const [name, { ids }] of memory) {
    if ((total <= idsRememberedMax && memory.size <= filesOpenMax) || name === conversation) return
    total -= ids.size
    await forget(memory, name)
  }
}

const lineOf = ({ id, conversation, label, atMs, from, ours, text }: Entry): Uint8Array =>
  Buffer.from(`${JSON.stringify({ id, conversation, label, atMs, from, ours, text })}\n`, "utf8")

/** Writes lines and flushes them. A failure takes them back; if even that fails, the next use cuts what is not whole. */
const writeLines = async ({ end, handle }: Known, lines: Uint8Array): Promise<void> => {
  try {
    // A write only reaches the page cache, and a way through the pool costs more; the flush may take its time there.
    for (let done = 0; done < lines.length; ) {
      done += writeSync(handle.fd, lines, done, Math.min(lines.length - done, writeAtOnceBytes), end + done)
    }
    await handle.datasync()
  } catch (error) {
    await handle.truncate(end).catch(() => undefined)
    throw error
  }
}

/** The first of each id, of those the file does not hold yet. */
const newOnes = (entries: ReadonlyArray<Entry>, ids: ReadonlySet<string>): ReadonlyArray<Entry> =>
  [...new Map([...entries].reverse().map((entry) => [entry.id, entry] as const)).values()]
    .reverse()
    .filter((entry) => !ids.has(entry.id))

/** Appends entries of one conversation, all or none, with one flush. */
const append = async (
  folder: string,
  memory: Memory,
  conversation: string,
  entries: ReadonlyArray<Entry>
): Promise<void> => {
  requireName(conversation)
  let known = recall(folder, memory, conversation)
  if (known === undefined) {
    await forget(memory, conversation)
    known = await learn(folder, conversation)
    await remember(memory, conversation, known)
  }
  const fresh = newOnes(entries, known.ids)
  if (fresh.length === 0) return
  const lines = Buffer.concat(fresh.map(lineOf))
  try {
    await writeLines(known, lines)
  } catch (error) {
    // What the file holds now is read again before the next use.
    await forget(memory, conversation)
    throw error
  }
  for (const { id } of fresh) known.ids.add(id)
  known.end += lines.length
  await remember(memory, conversation, known)
}

const read = async (folder: string, conversation: string, limit: number): Promise<ReadonlyArray<Entry>> => {
  requireName(conversation)
  if (!(limit >= 1)) return []
  try {
    const handle = await open(pathOf(folder, conversation), constants.O_RDONLY | noFollow)
    try {
      return await newest(handle, limit, (entry) => entry.conversation === conversation)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw error
  }
}

const remove = async (folder: string, memory: Memory, conversation: string): Promise<void> => {
  requireName(conversation)
  await forget(memory, conversation)
  try {
    await unlink(pathOf(folder, conversation))
    await syncFolder(folder)
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error
  }
}

/** Entries by conversation, in order. */
const appendAll = async (folder: string, memory: Memory, entries: ReadonlyArray<Entry>): Promise<void> => {
  for (const [conversation, mine] of Map.groupBy(entries, (entry) => entry.conversation)) {
    await append(folder, memory, conversation, mine)
  }
}

/**
 * Logs in `<folder>/conversations` (0700, files 0600), made when the first entry comes.
 * For one process at a time, which the RecordStore's lock on the same folder sees to.
 */
export const layer = (settings: { readonly folder: string }): Layer.Layer<ConversationLog> => {
  const folder = join(settings.folder, "conversations")
  const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, LogError> =>
    Effect.tryPromise({ try: run, catch: (error) => logError(folder, error) })
  const open = Effect.gen(function* () {
    const turn = Semaphore.makeUnsafe(1)
    const memory: Memory = new Map()
    const closeAll = async () => {
      for (const conversation of [...memory.keys()]) await forget(memory, conversation)
    }
    yield* Effect.addFinalizer(() => turn.withPermits(1)(Effect.promise(closeAll)))
    return {
      append: (entries) =>
        Effect.uninterruptible(turn.withPermits(1)(attempt(() => appendAll(folder, memory, entries)))),
      remove: (conversation) =>
        Effect.uninterruptible(turn.withPermits(1)(attempt(() => remove(folder, memory, conversation)))),
      read: (conversation, limit) => turn.withPermits(1)(attempt(() => read(folder, conversation, limit)))
    } satisfies ConversationLogShape as ConversationLogShape
  })
  return Layer.effect(ConversationLog, open)
}
