/**
 * The acceptance suite of the RecordStore port, for any adapter.
 * It never looks behind the port: a subject says how to open the store, what a crash leaves, and how to make a commit fail.
 * The oracle is a plain map: last writer wins, a batch is all or nothing, and a new opening changes nothing.
 */
import { Cause, Context, Effect, Exit, Layer, Logger, Scope } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import {
  type Change,
  RecordStore,
  type RecordStoreShape,
  type StoredRecord,
  type StoreError
} from "../../ports/RecordStore.ts"

export type StoreLayer = Layer.Layer<RecordStore, StoreError>

/** One durable medium. `layer` opens it; building it again after the scope is closed finds what was committed. */
export interface Subject {
  readonly layer: StoreLayer
  /** What a crash at this very moment would leave, openable while the first is still open. */
  readonly afterCrash: () => StoreLayer
  /** Makes the next commit fail, if the adapter can be made to. */
  readonly failNextCommit?: (code: "disk-full" | "unwritable") => void
  readonly dispose?: () => void
}

export interface OpenStore {
  readonly store: RecordStoreShape
  readonly close: () => Promise<void>
}

/** Opens a store until `close`. Rejects with the layer's StoreError. */
export const openStore = async (layer: StoreLayer): Promise<OpenStore> => {
  const scope = await Effect.runPromise(Scope.make())
  const built = await Effect.runPromiseExit(Layer.buildWithScope(layer, scope).pipe(Effect.provide(Logger.layer([]))))
  if (Exit.isFailure(built)) {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    throw Cause.squash(built.cause)
  }
  return {
    store: Context.get(built.value, RecordStore),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** The code with which an effect fails, or `none`. */
export const codeOf = (effect: Effect.Effect<unknown, { readonly code: string }>): Promise<string> =>
  Effect.runPromise(Effect.match(effect, { onFailure: ({ code }) => code, onSuccess: () => "none" }))

/** Records as sorted text, to compare two sets of them. */
export const sorted = (records: ReadonlyArray<StoredRecord>): ReadonlyArray<string> =>
  records.map(({ collection, key, value }) => JSON.stringify([collection, key, value])).sort()

/** The naive store. */
export const applied = (records: ReadonlyArray<StoredRecord>, changes: ReadonlyArray<Change>): Array<StoredRecord> => {
  const map = new Map(records.map((record) => [JSON.stringify([record.collection, record.key]), record]))
  for (const { collection, key, value } of changes) {
    const name = JSON.stringify([collection, key])
    if (value === null) map.delete(name)
    else map.set(name, { collection, key, value })
  }
  return [...map.values()]
}

const hostile = [
  "__proto__",
  "constructor",
  "",
  "\n",
  "\0",
  "a/../b",
  "ключ",
  "💥",
  "\ud800",
  '"',
  "\\",
  "toString",
  "\u2028"
]
const names = fc.oneof(fc.constantFrom("a", "b", "c", ...hostile), fc.string({ unit: "binary", maxLength: 8 }))
const changes: fc.Arbitrary<Change> = fc.record({
  collection: names,
  key: names,
  value: fc.option(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "null", '{"a":1}', "\ud800", "\0wop")), {
    nil: null,
    freq: 4
  })
})
type Operation = { readonly commit: ReadonlyArray<Change> } | "reopen" | "crash"
const operations: fc.Arbitrary<ReadonlyArray<Operation>> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ commit: fc.array(changes, { maxLength: 6 }) }) },
    { weight: 1, arbitrary: fc.constant("reopen" as const) },
    { weight: 1, arbitrary: fc.constant("crash" as const) }
  ),
  { maxLength: 25 }
)

const loaded = async ({ store }: OpenStore): Promise<ReadonlyArray<string>> =>
  sorted(await Effect.runPromise(store.load))

const commit = ({ store }: OpenStore, ...batch: ReadonlyArray<Change>): Promise<void> =>
  Effect.runPromise(store.commit(batch))

const put = (collection: string, key: string, value: string): StoredRecord => ({ collection, key, value })

const removal = (collection: string, key: string): Change => ({ collection, key, value: null })

/** Runs operations on store and oracle side by side. A crash is looked at beside the running store. */
const agree = async (subject: Subject, script: ReadonlyArray<Operation>): Promise<void> => {
  let open = await openStore(subject.layer)
  let oracle: Array<StoredRecord> = []
  try {
    for (const operation of script) {
      if (operation === "reopen") {
        await open.close()
        open = await openStore(subject.layer)
      } else if (operation === "crash") {
        const revived = await openStore(subject.afterCrash())
        expect(await loaded(revived)).toEqual(sorted(oracle))
        await revived.close()
      } else {
        await commit(open, ...operation.commit)
        oracle = applied(oracle, operation.commit)
      }
      expect(await loaded(open)).toEqual(sorted(oracle))
    }
  } finally {
    await open.close()
  }
}

/** Runs the suite. `make` gives a fresh, empty medium each time; `runs` is the number of generated histories. */
export const suite = (name: string, make: () => Subject, runs = 60): void => {
  describe(`RecordStore: ${name}`, () => {
    const cleanups: Array<() => unknown> = []
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    })
    const fresh = (): Subject => {
      const subject = make()
      cleanups.push(() => subject.dispose?.())
      return subject
    }
    const opened = async (layer: StoreLayer): Promise<OpenStore> => {
      const open = await openStore(layer)
      cleanups.push(open.close)
      return open
    }

    it("agrees with a plain map, whatever is committed, reopened or crashed in between", async () => {
      await fc.assert(
        fc.asyncProperty(operations, async (script) => {
          const subject = make()
          try {
            await agree(subject, script)
          } finally {
            subject.dispose?.()
          }
        }),
        { numRuns: runs }
      )
    })

    it("starts empty, and an empty commit is no change", async () => {
      const open = await opened(fresh().layer)
      await commit(open)
      expect(await loaded(open)).toEqual([])
    })

    it("lets the later change of a batch win, and the same commit twice is the same as once", async () => {
      const subject = fresh()
      const open = await openStore(subject.layer)
      const batch: ReadonlyArray<Change> = [
        put("c", "k", "1"),
        put("c", "k", "2"),
        put("c", "gone", "x"),
        removal("c", "gone")
      ]
      await commit(open, ...batch)
      await commit(open, ...batch)
      await open.close()
      expect(await loaded(await opened(subject.layer))).toEqual(sorted([{ collection: "c", key: "k", value: "2" }]))
    })

    it("keeps what was committed when the caller changes its array afterwards", async () => {
      const subject = fresh()
      const open = await opened(subject.layer)
      const batch = [put("c", "k", "1")]
      const committing = commit(open, ...batch)
      const running = Effect.runPromise(open.store.commit(batch))
      batch[0] = put("c", "k", "changed")
      batch.push(put("c", "other", "x"))
      await committing
      await running
      expect(await loaded(open)).toEqual(sorted([{ collection: "c", key: "k", value: "1" }]))
      expect(await loaded(await opened(subject.afterCrash()))).toEqual(
        sorted([{ collection: "c", key: "k", value: "1" }])
      )
    })

    it("tells collections and keys apart that look alike when joined", async () => {
      const subject = fresh()
      const open = await openStore(subject.layer)
      const records = [put("a", "b/c", "1"), put("a/b", "c", "2"), put("a", "b\0c", "3"), put("a\0b", "c", "4")]
      await commit(open, ...records)
      await open.close()
      const again = await opened(subject.layer)
      expect((await loaded(again)).length).toBe(4)
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false)
    })

    it("holds a value of 1 MiB and 2,000 records, across a new opening", async () => {
      const subject = fresh()
      const open = await openStore(subject.layer)
      const big = put("big", "one", "\u00e9\n".repeat(1 << 19))
      const many = Array.from({ length: 2_000 }, (_, index) => put("many", `k${index}`, `v${index}`))
      await commit(open, big)
      await commit(open, ...many)
      await open.close()
      expect(await loaded(await opened(subject.layer))).toEqual(sorted(applied([], [big, ...many])))
    })

    it("carries out concurrent commits whole and in the order in which they were asked for", async () => {
      const subject = fresh()
      const open = await opened(subject.layer)
      const commits = Array.from({ length: 200 }, (_, index) =>
        open.store.commit([put("c", "last", `${index}`), put("c", `k${index}`, "x")])
      )
      await Effect.runPromise(Effect.all(commits, { concurrency: "unbounded", discard: true }))
      const found = await loaded(await opened(subject.afterCrash()))
      expect(found.length).toBe(201)
      expect(found).toContain(JSON.stringify(["c", "last", "199"]))
    })

    it("has a whole commit or none of it when its caller is interrupted", async () => {
      const subject = fresh()
      const open = await opened(subject.layer)
      await Effect.runPromise(
        Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          (index) => Effect.timeoutOption(open.store.commit([put(`${index}`, "a", "1"), put(`${index}`, "b", "1")]), 0),
          { concurrency: "unbounded", discard: true }
        )
      )
      await commit(open, put("end", "a", "1"), put("end", "b", "1"))
      const found = await Effect.runPromise((await opened(subject.afterCrash())).store.load)
      for (const { collection } of found) expect(found.filter((one) => one.collection === collection).length).toBe(2)
      expect(found.some(({ collection }) => collection === "end")).toBe(true)
    })

    it("refuses a second opening while the first lives, and allows it afterwards", async () => {
      const subject = fresh()
      const open = await openStore(subject.layer)
      expect(await codeOf(Effect.scoped(Layer.build(subject.layer)))).toBe("locked")
      await commit(open, put("c", "k", "1"))
      await open.close()
      expect((await loaded(await opened(subject.layer))).length).toBe(1)
    })

    it("refuses everything once closed", async () => {
      const open = await openStore(fresh().layer)
      await open.close()
      expect(await codeOf(open.store.load)).toBe("closed")
      expect(await codeOf(open.store.commit([put("c", "k", "1")]))).toBe("closed")
    })

    for (const code of ["disk-full", "unwritable"] as const) {
      it(`holds exactly what it held before a commit that failed ${code}, and goes on`, async ({ skip }) => {
        const subject = fresh()
        if (subject.failNextCommit === undefined) skip("this adapter cannot be made to fail")
        const open = await opened(subject.layer)
        await commit(open, put("c", "before", "1"))
        subject.failNextCommit?.(code)
        expect(await codeOf(open.store.commit([put("c", "before", "2"), put("c", "failed", "x")]))).toBe(code)
        const before = sorted([{ collection: "c", key: "before", value: "1" }])
        expect(await loaded(open)).toEqual(before)
        expect(await loaded(await opened(subject.afterCrash()))).toEqual(before)
        await commit(open, put("c", "after", "3"))
        const after = sorted([put("c", "before", "1"), put("c", "after", "3")])
        expect(await loaded(await opened(subject.afterCrash()))).toEqual(after)
      })
    }
  })
}
