/**
 * A KeyVault in a folder: one file, `identity.json`, that only its owner may read.
 * It never parses the document, never prints it, and never hands it out when somebody else could have read it.
 * It refuses instead of tightening the mode: keys that were open to others may be copied already, and only the owner
 * can know whether they were.
 */
import { constants } from "node:fs"
import { open, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Layer, Option, Redacted, Semaphore } from "effect"
import { KeyVault, KeyVaultError } from "../../ports/KeyVault.ts"
import {
  errnoOf,
  hasPosixModes,
  inWords,
  modeInWords,
  preparePrivateFolder,
  replaceFile,
  saysDiskFull,
  shellWord,
  sweepDrafts
} from "./Files.ts"

const fileName = "identity.json"
/** A draft of a save that no process can still be writing. */
const draftIsStaleMs = 60_000

const tooWide = (message: string): KeyVaultError => new KeyVaultError({ code: "permissions-too-wide", message })

/** Throws when others may enter the folder: whoever can write there can put another file in the keys' place. */
const requirePrivateFolder = async (folder: string): Promise<void> => {
  const problem = await preparePrivateFolder(folder)
  if (problem !== undefined) throw tooWide(problem)
}

const requirePrivateFile = (path: string, mode: number, owner: number): void => {
  if (!hasPosixModes) return
  const us = process.getuid?.()
  if (us !== undefined && owner !== us) {
    throw tooWide(
      `${path} belongs to user ${owner}, not to user ${us} who runs this; if these are your keys: ` +
        `sudo chown ${us} ${shellWord(path)} && chmod 600 ${shellWord(path)}`
    )
  }
  if ((mode & 0o777 & ~0o600) === 0) return
  throw tooWide(
    `${path} is open to other users (mode ${modeInWords(mode)}); if nobody can have copied it: ` +
      `chmod 600 ${shellWord(path)}`
  )
}

const readDocument = async (folder: string): Promise<Option.Option<Redacted.Redacted<string>>> => {
  const path = join(folder, fileName)
  try {
    await stat(path)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return Option.none()
    throw error
  }
  await requirePrivateFolder(folder)
  // Looked at through the open file, and not through a link: so what was checked is what is read.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  try {
    const about = await handle.stat()
    if (!about.isFile()) throw new Error(`${path} is not a file`)
    requirePrivateFile(path, about.mode, about.uid)
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await handle.readFile())
    return Option.some(Redacted.make(text, { label: "keys" }))
  } finally {
    await handle.close()
  }
}

const writeDocument = async (folder: string, document: Redacted.Redacted<string>): Promise<void> => {
  await requirePrivateFolder(folder)
  const text = Redacted.value(document)
  if (!text.isWellFormed()) throw new Error("the document holds half a character and would not come back as it is")
  await replaceFile(folder, fileName, text)
  await sweepDrafts(folder, fileName, draftIsStaleMs)
}

const unreadable = (path: string, error: unknown): KeyVaultError =>
  error instanceof KeyVaultError
    ? error
    : new KeyVaultError({
        code: "unreadable",
        message: `the keys in ${path} cannot be read (${inWords(error)}); mend the file or restore it from a backup`
      })

const unwritten = (path: string, error: unknown): KeyVaultError => {
  if (error instanceof KeyVaultError) return error
  const code = saysDiskFull(error) ? "disk-full" : "not-writable"
  const step = code === "disk-full" ? "free some space and try again" : "see that the folder can be written"
  return new KeyVaultError({ code, message: `the keys cannot be saved to ${path} (${inWords(error)}); ${step}` })
}

/**
 * A vault in a folder (made with mode 0700 when it is missing, at the first save).
 * Both operations fail `permissions-too-wide` with the command that mends it.
 */
export const layer = ({ folder }: { readonly folder: string }): Layer.Layer<KeyVault> => {
  const path = join(folder, fileName)
  return Layer.sync(KeyVault, () => {
    const turn = Semaphore.makeUnsafe(1)
    return {
      load: turn.withPermits(1)(
        Effect.tryPromise({ try: () => readDocument(folder), catch: (error) => unreadable(path, error) })
      ),
      save: (document) =>
        Effect.tryPromise({
          try: () => writeDocument(folder, document),
          catch: (error) => unwritten(path, error)
        }).pipe(turn.withPermits(1), Effect.uninterruptible)
    }
  })
}
