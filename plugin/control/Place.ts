/**
 * Where the control socket and its key lie, and whether only we can reach them.
 * It never tightens a folder that was open, never makes a key where a client asks, and never follows a link.
 * A socket's path has about a hundred bytes on any Unix; a folder deeper than that is answered from the runtime directory.
 */
import { createHash, randomBytes } from "node:crypto"
import { constants, lstatSync, mkdirSync, statSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Redacted } from "effect"
import {
  errnoOf,
  hasPosixModes,
  inWords,
  modeInWords,
  replaceFile,
  shellWord
} from "../../adapters/filesystem/Files.ts"
import * as Bounds from "./Bounds.ts"
import { controlError } from "./ControlError.ts"
import { keyBytes } from "./Proof.ts"

const socketName = "control.sock"
export const keyName = "control.key"

const fits = (path: string): boolean => Buffer.byteLength(path) <= Bounds.pathBytesMax

/** The socket's path for a data folder: in it, or in the runtime directory. Throws `path-too-long`. */
export const socketPath = (
  dataFolder: string,
  env: NodeJS.ProcessEnv
): { readonly folder: string; readonly path: string } => {
  const own = join(dataFolder, socketName)
  if (fits(own)) return { folder: dataFolder, path: own }
  const runtime = env["XDG_RUNTIME_DIR"] ?? ""
  const hash = createHash("sha256").update(dataFolder).digest("hex").slice(0, 16)
  const folder = join(runtime, `wopr-p2p-${hash}`)
  const path = join(folder, socketName)
  if (runtime !== "" && fits(path)) return { folder, path }
  throw controlError(
    "path-too-long",
    `${own} is too long for a socket's path (${Bounds.pathBytesMax} bytes); take a shorter folder with --data, or set ` +
      "XDG_RUNTIME_DIR to a folder of yours"
  )
}

/** Throws `folder-open` unless a folder is ours and nobody else may enter it. With `make` a missing one is made. */
export const requireOurs = (folder: string, make: boolean, look: typeof lstatSync = lstatSync): void => {
  if (make) {
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw controlError("unwritable", `${folder} cannot be made: ${inWords(error)}`)
    }
  }
  const about = look(folder, { throwIfNoEntry: false })
  if (about === undefined)
    throw controlError("not-running", `there is no folder ${folder}; name a node's folder with --data`)
  if (!hasPosixModes) return
  const us = process.getuid?.()
  if (!about.isDirectory())
    throw controlError("folder-open", `${folder} is no folder: mv ${shellWord(folder)} ${shellWord(`${folder}.other`)}`)
  if (us !== undefined && about.uid !== us) {
    throw controlError("folder-open", `${folder} belongs to user ${about.uid}: sudo chown ${us} ${shellWord(folder)}`)
  }
  if ((about.mode & 0o077) !== 0) {
    throw controlError(
      "folder-open",
      `${folder} is open to other users (mode ${modeInWords(about.mode)}): chmod 700 ${shellWord(folder)}`
    )
  }
}

/** Throws `folder-open` unless a data folder is ours; a symbolic link to one is looked through, as the node itself does. */
export const requireDataFolder = (folder: string): void => requireOurs(folder, false, statSync)

/** The key in a data folder, undefined if there is none. Throws `key-open`, `key-damaged`. */
export const readKey = async (dataFolder: string): Promise<Redacted.Redacted<Uint8Array> | undefined> => {
  const path = join(dataFolder, keyName)
  const mend = `stop the node and remove it, the next start makes another: rm ${shellWord(path)}`
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const handle = await open(path, flags).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined
    throw controlError("key-damaged", `${path} cannot be read (${inWords(error)}); ${mend}`)
  })
  if (handle === undefined) return undefined
  try {
    const about = await handle.stat()
    const us = process.getuid?.()
    if (hasPosixModes && ((us !== undefined && about.uid !== us) || (about.mode & 0o077) !== 0)) {
      throw controlError("key-open", `${path} is open to other users (mode ${modeInWords(about.mode)}); ${mend}`)
    }
    if (!about.isFile() || about.size !== keyBytes) throw controlError("key-damaged", `${path} is no key; ${mend}`)
    return Redacted.make(Uint8Array.from(await handle.readFile()), { label: "control key" })
  } finally {
    await handle.close()
  }
}

/** The key in a data folder, made if there is none: the node's part. Throws as `readKey` does, or `unwritable`. */
export const prepareKey = async (dataFolder: string): Promise<Redacted.Redacted<Uint8Array>> => {
  const before = await readKey(dataFolder)
  if (before !== undefined) return before
  const key = Uint8Array.from(randomBytes(keyBytes))
  await replaceFile(dataFolder, keyName, key).catch((error: unknown) => {
    throw controlError("unwritable", `${join(dataFolder, keyName)} cannot be made: ${inWords(error)}`)
  })
  return Redacted.make(key, { label: "control key" })
}
