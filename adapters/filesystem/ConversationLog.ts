/**
 * A ConversationLog in a folder: `conversations/<conversation>.jsonl`, one entry a line, for people and their tools.
 * It never builds a path from a name it has not checked, and never rewrites what it has written.
 * Which ids a file holds is read from the file itself when it is first needed: a second record of it could disagree
 * with the file after a crash, and then a friend's words would appear twice or not at all.
 */
import { constants } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer, Semaphore } from "effect"
import { ConversationLog, type Entry, LogError } from "../../ports/ConversationLog.ts"
import { errnoOf, inWords, preparePrivateFolder, saysDiskFull, syncFolder, tightenFile } from "./Files.ts"
import { entryIn, forwards, newest } from "./LogLines.ts"

/**
 * How many ids are remembered over all conversations, some 100 MB at worst. Beyond it the conversation used longest ago
 * is forgotten and read again when needed; the one in use is always remembered whole, however long it is.
 */
const idsRememberedMax = 500_000

const nameRule = /^[A-Za-z0-9-]{1,128}$/

/** What is known of one file: the ids in it and where its last whole line ends. */
interface Known {
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

/** Reads which ids the file holds, and cuts a last line that a crash left unfinished. */
const learn = async (handle: FileHandle, conversation: string): Promise<Known> => {
  const ids = new Set<string>()
  let end = 0
  for await (const line of forwards(handle)) {
    end = line.end
    const entry = entryIn(line.text)
    if (entry?.conversation === conversation) ids.add(entry.id)
  }
  if ((await handle.stat()).size > end) await handle.truncate(end)
  return { ids, end }
}

const remember = (memory: Memory, conversation: string, known: Known): void => {
  memory.delete(conversation)
  memory.set(conversation, known)
  let total = 0
  for (const { ids } of memory.values()) total += ids.size
  for (const [name, { ids }] of memory) {
    if (total <= idsRememberedMax || name === conversation) return
    memory.delete(name)
    total -= ids.size
  }
}

const lineOf = ({ id, conversation, label, atMs, from, text }: Entry): Uint8Array =>
  Buffer.from(`${JSON.stringify({ id, conversation, label, atMs, from, text })}\n`, "utf8")

/** Writes one line and flushes it. A failure takes the line back; if even that fails, the next use cuts it. */
const writeLine = async (handle: FileHandle, known: Known, line: Uint8Array): Promise<void> => {
  try {
    let done = 0
    while (done < line.length) {
      done += (await handle.write(line, done, line.length - done, known.end + done)).bytesWritten
    }
    await handle.datasync()
  } catch (error) {
    await handle.truncate(known.end).catch(() => undefined)
    throw error
  }
}

const append = async (folder: string, memory: Memory, entry: Entry): Promise<void> => {
  requireName(entry.conversation)
  if (memory.get(entry.conversation)?.ids.has(entry.id) === true) return
  const handle = await openToAppend(folder, entry.conversation)
  try {
    const known = memory.get(entry.conversation) ?? (await learn(handle, entry.conversation))
    // Whatever happens from here, the file is read again unless it is known to hold exactly this line more.
    memory.delete(entry.conversation)
    if (!known.ids.has(entry.id)) {
      const line = lineOf(entry)
      await writeLine(handle, known, line)
      known.ids.add(entry.id)
      known.end += line.length
    }
    remember(memory, entry.conversation, known)
  } finally {
    await handle.close()
  }
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

/**
 * Logs in `<folder>/conversations` (0700, files 0600), made when the first entry comes.
 * For one process at a time, which the RecordStore's lock on the same folder sees to.
 */
export const layer = (settings: { readonly folder: string }): Layer.Layer<ConversationLog> => {
  const folder = join(settings.folder, "conversations")
  const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, LogError> =>
    Effect.tryPromise({ try: run, catch: (error) => logError(folder, error) })
  return Layer.sync(ConversationLog, () => {
    const turn = Semaphore.makeUnsafe(1)
    const memory: Memory = new Map()
    return {
      append: (entry) => attempt(() => append(folder, memory, entry)).pipe(turn.withPermits(1), Effect.uninterruptible),
      read: (conversation, limit) => turn.withPermits(1)(attempt(() => read(folder, conversation, limit)))
    }
  })
}
