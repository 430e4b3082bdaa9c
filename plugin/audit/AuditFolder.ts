/**
 * The folder of the audit log: files named by their first line, and the newest head beside them.
 * It never says whether what is in them is true; `Verify` does.
 * The head lies apart so that a log whose end was cut off cannot pass for a shorter one.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { errnoOf } from "../../adapters/filesystem/Files.ts"

/** Where the log of a data folder lies. */
export const folderOf = (dataFolder: string): string => join(dataFolder, "audit")

/** The newest head, as the line that it is. */
export const headName = "head.json"

/** The name of the file that begins with line `n`: in the order of lines. */
export const fileName = (n: number): string => `${String(n).padStart(12, "0")}.jsonl`

/** The first line of a file by its name, or undefined if it is none of the log's. */
export const firstOf = (name: string): number | undefined => {
  const digits = /^(\d{12})\.jsonl$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** A log as its files are. Text is one character a byte, so that nothing of a damaged one is lost in reading. */
export interface Found {
  readonly files: ReadonlyArray<{ readonly name: string; readonly text: string }>
  readonly head: string | undefined
}

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** The names of the log's files, oldest first; none where there is no folder. Throws the system's error. */
export const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
      .filter((name) => firstOf(name) !== undefined)
      .sort()
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw error
  }
}

/** Reads a log whole. Throws the system's error. */
export const read = (folder: string): Found => {
  const head = textOf(join(folder, headName))
  const files = namesIn(folder).flatMap((name) => {
    const text = textOf(join(folder, name))
    return text === undefined ? [] : [{ name, text }]
  })
  return { files, head }
}
