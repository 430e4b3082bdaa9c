/**
 * A data folder's own name, for marks that outlive a process: random, made once, kept in the folder (0600).
 * It never says where the folder lies or whose it is, and two folders never share one, whatever their paths are.
 * The path would not do: two containers both have a /data/p2p, and one folder has as many paths as there are links to it.
 */
import { randomBytes } from "node:crypto"
import { link, open, readFile, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { Data, Effect } from "effect"
import { draftName, errnoOf, inWords, preparePrivateFolder, sweepDrafts, syncFolder } from "./Files.ts"

/** Where it is kept. A folder that is copied takes it along; an exported identity does not. */
export const fileName = "folder.id"
const pattern = /^[0-9a-f]{24}\n?$/
/** A draft that no process can still be writing. */
const draftIsStaleMs = 60_000

/** Why a folder has no name. `message` is for a person. */
export class FolderIdError extends Data.TaggedError("FolderIdError")<{ readonly message: string }> {}

const readId = async (path: string): Promise<string | undefined> => {
  try {
    const text = await readFile(path, "latin1")
    return pattern.test(text) ? text.trimEnd() : undefined
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** A file that is whole or not there: written aside, flushed, and then given its name, unless another has it by now. */
const writeOnce = async (folder: string, text: string): Promise<void> => {
  const [draft, path] = [join(folder, draftName(fileName)), join(folder, fileName)]
  try {
    const handle = await open(draft, "wx", 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await link(draft, path)
  } catch (error) {
    // A disk without links has no second name for a file; only the folder's lock stands between two writers there.
    if (!["EEXIST", "EPERM", "ENOTSUP", "ENOSYS", "EMLINK"].includes(errnoOf(error))) throw error
    // Who came first has named the folder. What is there and is no id was damaged: it names nothing, and gives way.
    if ((await readId(path)) === undefined) await rename(draft, path)
  } finally {
    await unlink(draft).catch(() => undefined)
  }
  await syncFolder(folder)
}

const obtained = async (folder: string): Promise<string> => {
  const path = join(folder, fileName)
  const before = await readId(path)
  if (before !== undefined) return before
  await preparePrivateFolder(folder)
  await sweepDrafts(folder, fileName, draftIsStaleMs)
  await writeOnce(folder, `${randomBytes(12).toString("hex")}\n`)
  const made = await readId(path)
  if (made === undefined) throw new Error("what was written is not what is read")
  return made
}

const failed = (folder: string, error: unknown): FolderIdError =>
  new FolderIdError({ message: `${join(folder, fileName)} cannot be read or made (${inWords(error)})` })

/** The folder's id, 24 hexadecimal digits; makes it, and the folder, where there is none yet. Fails with the disk's words. */
export const obtain = (folder: string): Effect.Effect<string, FolderIdError> =>
  Effect.tryPromise({ try: () => obtained(folder), catch: (error) => failed(folder, error) }).pipe(
    Effect.uninterruptible
  )

/** The folder's id if it has one. Makes nothing. */
export const existing = (folder: string): Effect.Effect<string | undefined, FolderIdError> =>
  Effect.tryPromise({ try: () => readId(join(folder, fileName)), catch: (error) => failed(folder, error) })
