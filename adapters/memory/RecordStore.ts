/**
 * A RecordStore in memory: the specification of the port in code.
 * It never waits and never fails by itself; what goes wrong is what a test asked for.
 * What survives is apart from the layer, in a `Disk`: so a crash is to drop the layer and give the disk to another.
 */
import { Effect, Layer } from "effect"
import {
  type Change,
  RecordStore,
  type RecordStoreShape,
  type StoredRecord,
  StoreError
} from "../../ports/RecordStore.ts"

/** A moment at which a commit can be cut off: its caller never hears of it either way. */
export type CrashMoment = "before-write" | "after-write"

type Fault = { readonly fail: StoreError["code"] } | { readonly crash: CrashMoment }

type Collections = Map<string, Map<string, string>>

/** Carries changes out in place. Nothing in here can fail half-way, which is what makes a batch atomic. */
const apply = (collections: Collections, changes: ReadonlyArray<Change>): void => {
  for (const { collection, key, value } of changes) {
    const records = collections.get(collection) ?? new Map<string, string>()
    collections.set(collection, records)
    if (value === null) records.delete(key)
    else records.set(key, value)
  }
}

const storeError = (code: StoreError["code"], message: string): StoreError => new StoreError({ code, message })
const closed = storeError("closed", "the store is closed; open it again")

/** What a crash leaves. One layer at a time can hold it. */
export class Disk {
  readonly #collections: Collections = new Map()
  #faults: Array<Fault> = []
  #holder = 0
  #openings = 0

  /** Every record as it would be found after a crash now. */
  get records(): ReadonlyArray<StoredRecord> {
    return [...this.#collections].flatMap(([collection, records]) =>
      [...records].map(([key, value]) => ({ collection, key, value }))
    )
  }

  /** A copy of what is on the disk now, as a backup would be. Nobody holds the copy. */
  copy(): Disk {
    const copy = new Disk()
    for (const [collection, records] of this.#collections) copy.#collections.set(collection, new Map(records))
    return copy
  }

  /** The next commit that has no fault yet fails with this code and changes nothing. */
  failNextCommit(code: StoreError["code"]): void {
    this.#faults.push({ fail: code })
  }

  /** How many faults no commit has met yet. */
  get faultsLeft(): number {
    return this.#faults.length
  }

  /** Takes back the faults that no commit has met yet. */
  mend(): void {
    this.#faults = []
  }

  /** The next commit that has no fault yet is where the process dies: it never returns, and its layer is closed. */
  crashAtNextCommit(moment: CrashMoment): void {
    this.#faults.push({ crash: moment })
  }

  /** The process dies now: whoever holds the disk loses it and can do nothing any more. */
  crash(): void {
    this.#holder = 0
    this.#faults = []
  }

  /** A store on this disk and what lets go of it, or `undefined` while another one holds it. */
  open(): { readonly store: RecordStoreShape; readonly close: () => void } | undefined {
    if (this.#holder !== 0) return undefined
    this.#openings += 1
    this.#holder = this.#openings
    const holder = this.#holder
    const held = (): boolean => this.#holder === holder
    const store: RecordStoreShape = {
      load: Effect.suspend(() => (held() ? Effect.succeed(this.records) : Effect.fail(closed))),
      commit: (changes) => Effect.suspend(() => (held() ? this.#commit(changes) : Effect.fail(closed)))
    }
    return {
      store,
      close: () => {
        if (held()) this.#holder = 0
      }
    }
  }

  #commit(changes: ReadonlyArray<Change>): Effect.Effect<void, StoreError> {
    if (changes.length === 0) return Effect.void
    const fault = this.#faults.shift()
    if (fault !== undefined && "fail" in fault) {
      return Effect.fail(storeError(fault.fail, `the test asked for ${fault.fail}; nothing was changed`))
    }
    if (fault?.crash !== "before-write") apply(this.#collections, changes)
    if (fault === undefined) return Effect.void
    this.crash()
    return Effect.never
  }
}

/** A store on a disk, by default a new one of its own. Fails `locked` while another layer holds the disk. */
export const layer = (disk: Disk = new Disk()): Layer.Layer<RecordStore, StoreError> =>
  Layer.effect(
    RecordStore,
    Effect.gen(function* () {
      const opened = disk.open()
      if (opened === undefined) {
        return yield* Effect.fail(
          storeError("locked", `the disk is in use by another store of process ${process.pid}; close that one first`)
        )
      }
      yield* Effect.addFinalizer(() => Effect.sync(opened.close))
      return opened.store
    })
  )
