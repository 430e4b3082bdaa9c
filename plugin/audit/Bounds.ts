/**
 * What bounds the audit log: files, lines between two heads, and the time between them.
 * It never bounds a peer: `core/Limits.ts` does; what reaches the log has passed those bounds.
 * A log that grows for ever would end with a full disk, and with it the node that it watches over.
 */

/** A file that is at least so long is followed by the next one; while that fails it goes on, up to twice as long. */
export const fileBytesMax = 4 * 1_048_576
/** Files kept, about half a million decisions; the oldest goes first, and the head says from where on lines are kept. */
export const filesMax = 32
/** Lines after which a head is signed: what a crash or a thief can take unseen is at most these. */
export const linesPerHead = 256
/** A head is signed so long after a line, however few there are. */
export const headAfterMs = 300_000
/** Refusals of strangers are counted so long, and then are a line. */
export const strangersCountedMs = 60_000
/** Keys that are told apart in such a count; what is more counts as these. */
export const strangerKeysMax = 1_024
/** Decisions written together. */
export const batchMax = 512
/** A line: a head is the longest, with two hashes, a key and a signature. */
export const lineBytesMax = 1_024

/** What must hold between the bounds, each with its reason. */
export const relations: ReadonlyArray<{ readonly holds: boolean; readonly why: string }> = [
  { holds: strangersCountedMs < headAfterMs, why: "what is counted is signed with the next head" },
  { holds: filesMax >= 2, why: "a file is begun before the oldest goes" },
  { holds: linesPerHead * lineBytesMax < fileBytesMax, why: "every file has a head of its own" }
]
