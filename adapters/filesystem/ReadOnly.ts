/**
 * The records of a folder as they are on the disk, for whoever only wants to look.
 * It never writes, locks, makes or removes anything; a torn tail is left where it is, and so is a running node.
 * It reads the same journal with the same reader as the store does, so that what is shown is what a start would find.
 */
import { constants } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { Effect } from "effect"
import { type StoredRecord, StoreError } from "../../ports/RecordStore.ts"
import { errnoOf, inWords, shellWord } from "./Files.ts"
import { journalName } from "./Journal.ts"
import { Damage, readJournal } from "./JournalRead.ts"
import { emptyRecords, recordsOf } from "./Records.ts"

/** What the disk holds: the records, and how many bytes of an unfinished commit stand behind them. */
export interface Found {
  readonly records: ReadonlyArray<StoredRecord>
  readonly tornBytes: number
}

const read = async (folder: string): Promise<Found | undefined> => {
  const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
  const handle = await open(join(folder, journalName), flags).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    const records = emptyRecords()
    const { tornBytes } = await readJournal(handle, records.apply)
    return { records: [...recordsOf(records)], tornBytes }
  } finally {
    await handle.close()
  }
}

const failure = (folder: string, error: unknown): StoreError => {
  const path = join(folder, journalName)
  return error instanceof Damage
    ? new StoreError({
        code: "damaged",
        message: `${path} is damaged: ${inWords(error)}; restore the folder from a backup, or start empty with: mv ${shellWord(path)} ${shellWord(`${path}.damaged`)}`
      })
    : new StoreError({ code: "unwritable", message: `${path} cannot be read: ${inWords(error)}` })
}

/** The records in a folder; undefined where there is no journal. Fails `damaged`, or `unwritable` if it cannot be read. */
export const readRecords = (folder: string): Effect.Effect<Found | undefined, StoreError> =>
  Effect.tryPromise({ try: () => read(folder), catch: (error) => failure(folder, error) })
