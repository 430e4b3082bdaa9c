/**
 * Snapshots of some collections as JSON files, for people to read.
 * Nothing ever reads them back: the journal is the truth, and a changed or deleted view changes nothing.
 * They carry the journal's position, so that a reader can tell how old a view is.
 */
import type { StoredRecord } from "../../ports/RecordStore.ts"
import { replaceFile, sweepDrafts } from "./Files.ts"
import { type Records, recordsOf } from "./Records.ts"

export interface View {
  /** A file's name in the store's folder, such as `friends.json`. */
  readonly file: string
  readonly collections: ReadonlyArray<string>
}

/** Text that is JSON is shown as such, so that it can be read; anything else as a string. For eyes only. */
const shown = (value: string): unknown => {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

const inOrder = (a: StoredRecord, b: StoredRecord): number =>
  a.collection < b.collection ? -1 : a.collection > b.collection ? 1 : a.key < b.key ? -1 : 1

/** The text of one view: sorted, so that two snapshots can be compared. */
const viewText = (view: View, records: Records, journalSequence: number): string => {
  const chosen = [...recordsOf(records)].filter(({ collection }) => view.collections.includes(collection)).sort(inOrder)
  const document = {
    about: "A snapshot for people, made again at every start. The journal is the truth; changes here are ignored.",
    journalSequence,
    records: chosen.map(({ collection, key, value }) => ({ collection, key, value: shown(value) }))
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

/** Writes every view, each atomically (0600), removing what crashes left of earlier ones. Throws the system's error. */
export const writeViews = async (
  folder: string,
  views: ReadonlyArray<View>,
  records: Records,
  journalSequence: number
): Promise<void> => {
  for (const view of views) {
    await sweepDrafts(folder, view.file)
    await replaceFile(folder, view.file, viewText(view, records, journalSequence))
  }
}
