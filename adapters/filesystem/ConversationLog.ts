/**
 * A ConversationLog in a folder: `conversations/<conversation>.jsonl`, one entry a line, for people and their tools.
 * It never builds a path from a name it has not checked, and never rewrites what it has written.
 * Which ids a file holds is read from the file itself when it is first needed: a second record of it could disagree
 * with the file after a crash, and then a friend's words would appear twice or not at all.
 */
import { constants } from "node:fs"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import { Effect, type Exit, Layer, Semaphore } from "effect"
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

/** An append that waits for its turn; entries that wait together share one flush. */
interface Waiting {
  readonly entry: Entry
  outcome: Exit.Exit<void, LogError> | undefined
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

/** Writes lines and flushes them. A failure takes them back; if even that fails, the next use cuts what is not whole. */
const writeLines = async (handle: FileHandle, known: Known, line: Uint8Array): Promise<void> => {
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
  const remembered = memory.get(conversation)
  if (remembered !== undefined && newOnes(entries, remembered.ids).length === 0) return
  const handle = await openToAppend(folder, conversation)
  try {
    const known = remembered ?? (await learn(handle, conversation))
    // Whatever happens from here, the file is read again unless it is known to hold exactly these lines more.
    memory.delete(conversation)
    const fresh = newOnes(entries, known.ids)
    if (fresh.length > 0) {
      const lines = Buffer.concat(fresh.map(lineOf))
      await writeLines(handle, known, lines)
      for (const { id } of fresh) known.ids.add(id)
      known.end += lines.length
    }
    remember(memory, conversation, known)
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
    const queue: Array<Waiting> = []
    const write = (conversation: string, group: ReadonlyArray<Waiting>): Effect.Effect<void> =>
      attempt(() =>
        append(
          folder,
          memory,
          conversation,
          group.map(({ entry }) => entry)
        )
      ).pipe(
        Effect.exit,
        Effect.flatMap((exit) => {
          // One entry that does not fit must not take the others with it.
          if (exit._tag === "Failure" && group.length > 1) {
            return Effect.forEach(group, (one) => write(conversation, [one]), { discard: true })
          }
          for (const waiting of group) waiting.outcome = exit
          return Effect.void
        })
      )
    /** Writes everything that waits; whoever comes first in line does it for the others. */
    const flush = Effect.suspend(() => {
      const groups = Map.groupBy(queue.splice(0), ({ entry }) => entry.conversation)
      return Effect.forEach(groups, ([conversation, group]) => write(conversation, group), { discard: true })
    })
    return {
      append: (entry) =>
        Effect.suspend(() => {
          const waiting: Waiting = { entry, outcome: undefined }
          queue.push(waiting)
          const inTurn = Effect.suspend(() => (waiting.outcome === undefined ? flush : Effect.void))
          return Effect.andThen(
            turn.withPermits(1)(inTurn),
            Effect.suspend(() => waiting.outcome ?? Effect.void)
          )
        }).pipe(Effect.uninterruptible),
      read: (conversation, limit) => turn.withPermits(1)(attempt(() => read(folder, conversation, limit)))
    }
  })
}
