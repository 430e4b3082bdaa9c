/**
 * A RecordStore in a folder: one append-only journal as the truth, one process at a time, views for people.
 * It never acknowledges a commit before the disk has it, never reads a view, and never repairs damage on its own.
 * Commits that wait at the same time share one frame and one flush: a flush costs about a thousand times what a small
 * write costs, and one frame for all of them means that a crash cannot tear a group apart in the middle.
 */
import { Effect, Layer, type Scope, Semaphore } from "effect"
import { RecordStore, type RecordStoreShape, StoreError } from "../../ports/RecordStore.ts"
import { inWords, preparePrivateFolder, saysDiskFull, shellWord, sweepDrafts } from "./Files.ts"
import { Broken, type Journal, type JournalSystem, journalName, nodeSystem, openJournal } from "./Journal.ts"
import { Damage } from "./JournalRead.ts"
import { acquireLock, beatEveryMs, type Lock, silentAfterMs } from "./Lock.ts"
import { emptyRecords, type Records, recordsOf } from "./Records.ts"
import { type View, writeViews } from "./Views.ts"

export interface Settings {
  /** Made with mode 0700 when it is missing. */
  readonly folder: string
  readonly views?: ReadonlyArray<View>
  /** The journal is written afresh when it is longer than this and twice its last checkpoint. Default 16 MiB. */
  readonly checkpointBytes?: number
  /** The system calls under the journal; a test puts failing ones here. */
  readonly system?: JournalSystem
}

/** Under load a quarter of this was rewritten for each of it; a start reads so much in less than half a second. */
const checkpointBytesDefault = 16 << 20
/** A group stops growing here, so that one frame stays a few times smaller than what memory holds anyway. */
const groupCharsMax = 8 << 20

/** One commit that waits for its turn, and what became of it. */
interface Waiting {
  readonly changes: Parameters<RecordStoreShape["commit"]>[0]
  readonly json: string
  outcome: Effect.Effect<void, StoreError> | undefined
}

const storeError = (folder: string, error: unknown): StoreError => {
  if (error instanceof StoreError) return error
  const words = inWords(error)
  if (saysDiskFull(error)) {
    const message = `no room is left for ${folder}: ${words}; free some space, nothing was changed`
    return new StoreError({ code: "disk-full", message })
  }
  if (error instanceof Damage) {
    const path = `${folder}/${journalName}`
    const message =
      `${path} is damaged: ${words}. Nothing was changed. Restore the folder from a backup, ` +
      `or start empty with: mv ${shellWord(path)} ${shellWord(`${path}.damaged`)}`
    return new StoreError({ code: "damaged", message })
  }
  if (error instanceof Broken) {
    return new StoreError({ code: "closed", message: `the store has stopped (${words}); restart the node` })
  }
  return new StoreError({ code: "unwritable", message: `the store in ${folder} failed: ${words}; nothing was changed` })
}

const attempt = <A>(folder: string, run: () => Promise<A>): Effect.Effect<A, StoreError> =>
  Effect.tryPromise({ try: run, catch: (error) => storeError(folder, error) })

const closedError = new StoreError({ code: "closed", message: "the store is closed; start the node again" })

const lockFolder = async (folder: string): Promise<Lock> => {
  const problem = await preparePrivateFolder(folder)
  if (problem !== undefined) throw new StoreError({ code: "unwritable", message: problem })
  const lock = await acquireLock(folder)
  if ("release" in lock) return lock
  const message =
    `the folder ${folder} is in use by process ${lock.pid} on ${lock.host} since ${lock.since}; stop that one first ` +
    `(if it ran on another machine or in a container that is gone, try again in ${silentAfterMs / 1000} seconds)`
  throw new StoreError({ code: "locked", message })
}

/** The lock, held for the scope and touched now and then so that other machines see us alive. */
const holdLock = (folder: string): Effect.Effect<Lock, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const lock = yield* Effect.acquireRelease(
      attempt(folder, () => lockFolder(folder)),
      (held) => Effect.ignore(attempt(folder, held.release))
    )
    const beat = Effect.andThen(Effect.sleep(beatEveryMs), Effect.ignore(attempt(folder, lock.beat)))
    yield* Effect.forkScoped(Effect.forever(beat))
    return lock
  })

/** Takes commits from the front of the queue, at least one, up to a group's size. */
const takeGroup = (queue: Array<Waiting>): ReadonlyArray<Waiting> => {
  let chars = 0
  let count = 0
  while (count < queue.length && (count === 0 || chars + queue[count]!.json.length <= groupCharsMax)) {
    chars += queue[count]!.json.length
    count += 1
  }
  return queue.splice(0, count)
}

interface Open {
  readonly folder: string
  readonly settings: Settings
  readonly lock: Lock
  readonly journal: Journal
  readonly records: Records
}

const writeAllViews = ({ folder, settings, records, journal }: Open): Effect.Effect<void> =>
  attempt(folder, () => writeViews(folder, settings.views ?? [], records, journal.extent().sequence)).pipe(
    Effect.catch((error) => Effect.logWarning(`the views in ${folder} could not be written: ${error.message}`))
  )

/** Writes the journal afresh when it is due. A failure costs nothing but the space: the old journal stays in force. */
const checkpointer = (open: Open): Effect.Effect<void> => {
  const atLeast = open.settings.checkpointBytes ?? checkpointBytesDefault
  let notBefore = 0
  return Effect.suspend(() => {
    const { bytes, checkpointEnd } = open.journal.extent()
    if (bytes <= Math.max(atLeast, 2 * checkpointEnd, notBefore)) return Effect.void
    return attempt(open.folder, () => open.journal.rewrite(open.records)).pipe(
      Effect.andThen(writeAllViews(open)),
      Effect.catch((error) => {
        notBefore = bytes + atLeast
        return Effect.logWarning(`the journal in ${open.folder} could not be shortened: ${error.message}`)
      })
    )
  })
}

const appendGroup = async ({ lock, journal, records }: Open, group: ReadonlyArray<Waiting>): Promise<void> => {
  // Between this look and the write another process could still take over, but no longer unnoticed for ever.
  if (!lock.stillHeld()) {
    throw new StoreError({
      code: "closed",
      message: "the lock is gone: another process took the folder over; stop this"
    })
  }
  await journal.append(`[${group.map(({ json }) => json).join(",")}]`, records)
  for (const { changes } of group) records.apply(changes)
}

const serve = (open: Open): { readonly store: RecordStoreShape; readonly close: Effect.Effect<void> } => {
  const turn = Semaphore.makeUnsafe(1)
  const queue: Array<Waiting> = []
  const checkpoint = checkpointer(open)
  let closed = false

  /** Writes everybody who waits, and tells each of them; whoever comes first in line does it for the others. */
  const flushGroup: Effect.Effect<void> = Effect.suspend(() => {
    const group = takeGroup(queue)
    const settle = (outcome: Effect.Effect<void, StoreError>) => {
      for (const waiting of group) waiting.outcome = outcome
    }
    return attempt(open.folder, () => appendGroup(open, group)).pipe(
      Effect.matchEffect({
        onFailure: (error) => Effect.sync(() => settle(Effect.fail(error))),
        onSuccess: () =>
          Effect.andThen(
            Effect.sync(() => settle(Effect.void)),
            checkpoint
          )
      })
    )
  })

  const inTurn = (waiting: Waiting): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      if (waiting.outcome !== undefined) return waiting.outcome
      if (closed) return Effect.fail(closedError)
      return Effect.andThen(flushGroup, inTurn(waiting))
    })

  const store: RecordStoreShape = {
    load: Effect.suspend(() => (closed ? Effect.fail(closedError) : Effect.succeed([...recordsOf(open.records)]))),
    // Uninterruptible: once asked for, a commit has an outcome, and its caller learns it.
    commit: (changes) =>
      Effect.suspend(() => {
        if (closed) return Effect.fail(closedError)
        if (changes.length === 0) return Effect.void
        const copy = changes.map(({ collection, key, value }) => ({ collection, key, value }))
        const json = JSON.stringify(copy.map(({ collection, key, value }) => [collection, key, value]))
        const waiting: Waiting = { changes: copy, json, outcome: undefined }
        queue.push(waiting)
        return turn.withPermits(1)(inTurn(waiting))
      }).pipe(Effect.uninterruptible)
  }

  const close = turn.withPermits(1)(
    Effect.suspend(() => {
      closed = true
      return Effect.andThen(writeAllViews(open), Effect.ignore(attempt(open.folder, open.journal.close)))
    })
  )
  return { store, close }
}

const openStore = (settings: Settings): Effect.Effect<RecordStoreShape, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const { folder } = settings
    const lock = yield* holdLock(folder)
    const records = emptyRecords()
    const { store, tornBytes } = yield* Effect.acquireRelease(
      Effect.gen(function* () {
        yield* attempt(folder, () => sweepDrafts(folder, "lock", silentAfterMs))
        yield* attempt(folder, () => sweepDrafts(folder, journalName))
        const opened = yield* attempt(folder, () => openJournal(folder, settings.system ?? nodeSystem(), records))
        const open: Open = { folder, settings, lock, journal: opened.journal, records }
        yield* writeAllViews(open)
        return { ...serve(open), tornBytes: opened.tornBytes }
      }),
      ({ close }) => close
    )
    if (tornBytes > 0) {
      yield* Effect.logWarning(`cut ${tornBytes} bytes of an unfinished commit off the journal in ${folder}`)
    }
    return store
  })

/**
 * A store in a folder, held for the layer's scope; closing the scope writes the views and is the clean stop.
 * Fails `locked` naming the process that has the folder, `damaged` saying where and what to do, `unwritable` with the
 * command that mends it, `disk-full`.
 */
export const layer = (settings: Settings): Layer.Layer<RecordStore, StoreError> =>
  Layer.effect(RecordStore, openStore(settings))
