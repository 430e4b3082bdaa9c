/**
 * The few file operations every adapter of this folder needs: private folders, atomic replacement, errors in words.
 * It never decides what a file means, and never widens a permission.
 * A rename is durable only once its folder is flushed too; that is the step everyone forgets, so it lives here once.
 */
import { randomBytes } from "node:crypto"
import { chmod, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises"
import { dirname, join } from "node:path"

/** Whether file modes and owners mean anything on this system. */
export const hasPosixModes = process.platform !== "win32"

/** The system's name of an error (`ENOSPC`), or `unknown`. */
export const errnoOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

/** Whether an error says that no room is left: on the device, or in the user's quota. */
export const saysDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(errnoOf(error))

/** An error in words for an operator, without a stack. */
export const inWords = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A path as one word of a POSIX shell, for commands that a person pastes. */
export const shellWord = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`

/** Permission bits as people write them: `0644`. */
export const modeInWords = (mode: number): string => `0${(mode & 0o777).toString(8).padStart(3, "0")}`

/** Flushes a folder, so that the names in it survive a power cut. Does nothing where a folder cannot be opened. */
export const syncFolder = async (folder: string): Promise<void> => {
  if (!hasPosixModes) return
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Makes a folder and the parents it lacks; gives the first one made. Not left to the `recursive` option: with it Node
 * tries for ever where a folder that exists says that it cannot hold another (`ENOENT` below /proc).
 */
const makeFolders = async (folder: string, mode: number): Promise<string | undefined> => {
  const make = (): Promise<string | undefined> =>
    mkdir(folder, { mode }).then(
      () => folder,
      async (error: unknown) => {
        if (errnoOf(error) === "EEXIST" && (await stat(folder)).isDirectory()) return undefined
        throw error
      }
    )
  try {
    return await make()
  } catch (error) {
    const parent = dirname(folder)
    if (errnoOf(error) !== "ENOENT" || parent === folder) throw error
    const first = await makeFolders(parent, mode)
    const made = await make()
    return first ?? made
  }
}

/**
 * Makes a folder that only its owner may enter (0700), parents included.
 * Gives the sentence to show when an existing folder is open to others; it is not tightened silently, because
 * somebody opened it on purpose or somebody was already inside, and the owner should know which.
 */
export const preparePrivateFolder = async (folder: string): Promise<string | undefined> => {
  const made = await makeFolders(folder, 0o700)
  if (made !== undefined) await syncFolder(dirname(made))
  const mode = (await stat(folder)).mode
  if (!hasPosixModes || (mode & 0o077) === 0) return undefined
  return (
    `the folder ${folder} is open to other users (mode ${modeInWords(mode)}); ` +
    `close it and start again: chmod 700 ${shellWord(folder)}`
  )
}

/** A name next to `name` that nobody else uses, for writing before a rename. */
export const draftName = (name: string): string => `.${name}.${randomBytes(6).toString("hex")}.new`

/**
 * Removes drafts of `name` that a crash left behind and that are older than `atLeastMs`. With the default of 0 only for
 * callers that hold the folder alone.
 */
export const sweepDrafts = async (folder: string, name: string, atLeastMs = 0): Promise<void> => {
  const isDraft = (entry: string): boolean =>
    entry.startsWith(`.${name}.`) && /^[0-9a-f]{12}\.new$/.test(entry.slice(name.length + 2))
  for (const entry of (await readdir(folder)).filter(isDraft)) {
    const path = join(folder, entry)
    try {
      if (Date.now() - (await stat(path)).mtimeMs >= atLeastMs) await unlink(path)
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error
    }
  }
}

/** Replaces a file whole (0600): all or nothing, durable when it returns. Throws the system's error. */
export const replaceFile = async (folder: string, name: string, text: string | Uint8Array): Promise<void> => {
  const draft = join(folder, draftName(name))
  try {
    const handle = await open(draft, "wx", 0o600)
    try {
      if (hasPosixModes) await handle.chmod(0o600)
      await handle.writeFile(text, "utf8")
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, join(folder, name))
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw error
  }
  await syncFolder(folder)
}

/** Tightens a file of ours to 0600; the folder around it is private already, so nothing leaked meanwhile. */
export const tightenFile = async (path: string): Promise<void> => {
  if (hasPosixModes) await chmod(path, 0o600)
}
