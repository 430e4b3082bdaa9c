/**
 * Single files that hold secrets and lie where their owner says: written once, read within a bound.
 * It never writes over anything, and never leaves half a file under a name it was given.
 * A file whose content is a secret in clear is not read when others could have read it; nor is it tightened silently.
 */
import { type FileHandle, lstat, open, unlink } from "node:fs/promises"
import { dirname } from "node:path"
import { Data, Effect } from "effect"
import { errnoOf, hasPosixModes, inWords, modeInWords, saysDiskFull, shellWord, syncFolder } from "./Files.ts"

/** Why a file was not written or read. `code` is stable; `message` names the next step for a person. */
export class PrivateFileError extends Data.TaggedError("PrivateFileError")<{
  readonly code:
    | "file-exists"
    | "file-unwritable"
    | "disk-full"
    | "file-unreadable"
    | "file-too-large"
    | "file-open-to-others"
  readonly message: string
}> {}

const failure = (code: PrivateFileError["code"], message: string) => new PrivateFileError({ code, message })

const exists = (path: string): PrivateFileError =>
  failure("file-exists", `${path} exists; name another file, nothing is written over`)

const unwritten = (path: string, error: unknown): PrivateFileError => {
  if (errnoOf(error) === "EEXIST") return exists(path)
  if (saysDiskFull(error)) return failure("disk-full", `no room is left for ${path}; free some space and try again`)
  return failure("file-unwritable", `${path} cannot be written (${inWords(error)}); name another file`)
}

const writeWhole = async (path: string, bytes: Uint8Array): Promise<void> => {
  const handle = await open(path, "wx", 0o600)
  try {
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    await unlink(path).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}

/** Fails `file-exists` if there is one: to be asked before the work, since writing looks again. */
export const requireAbsent = (path: string): Effect.Effect<void, PrivateFileError> =>
  Effect.flatMap(
    Effect.promise(() => lstat(path).catch(() => undefined)),
    (found) => (found === undefined ? Effect.void : Effect.fail(exists(path)))
  )

/** Writes a new file that only its owner may read (0600), durable when it returns. Fails `file-exists` if there is one. */
export const writeNew = (path: string, bytes: Uint8Array): Effect.Effect<void, PrivateFileError> =>
  Effect.tryPromise({ try: () => writeWhole(path, bytes), catch: (error) => unwritten(path, error) }).pipe(
    Effect.uninterruptible
  )

const requirePrivate = async (handle: FileHandle, path: string): Promise<void> => {
  const { mode } = await handle.stat()
  if (!hasPosixModes || (mode & 0o077) === 0) return
  throw failure(
    "file-open-to-others",
    `${path} can be read by others (mode ${modeInWords(mode)}); close it, and if somebody can have read it, take ` +
      `another secret: chmod 600 ${shellWord(path)}`
  )
}

/** At most so many bytes; a pipe says no size, so the bound is kept while reading. */
const readBounded = async (handle: FileHandle, path: string, bytesMax: number): Promise<Uint8Array> => {
  const parts: Array<Buffer> = []
  let length = 0
  for await (const part of handle.createReadStream({ autoClose: false })) {
    parts.push(part as Buffer)
    length += (part as Buffer).length
    if (length > bytesMax)
      throw failure("file-too-large", `${path} is longer than ${bytesMax} bytes, so it is another file`)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** Reads a file whole. With `isPrivate` it is refused when others could have read it. */
export const readWhole = (
  path: string,
  { bytesMax, isPrivate = false }: { readonly bytesMax: number; readonly isPrivate?: boolean }
): Effect.Effect<Uint8Array, PrivateFileError> =>
  Effect.tryPromise({
    try: async () => {
      const handle = await open(path, "r")
      try {
        if (isPrivate) await requirePrivate(handle, path)
        return await readBounded(handle, path, bytesMax)
      } finally {
        await handle.close()
      }
    },
    catch: (error) =>
      error instanceof PrivateFileError
        ? error
        : failure("file-unreadable", `${path} cannot be read (${inWords(error)}); name the file again`)
  })
