/**
 * Looking at a folder without touching it: the records as the store wrote them, and who holds it.
 * It never lets a byte, a name or a time of the folder change, whatever state the folder is in.
 * The store itself cuts torn tails and sweeps drafts; whoever only looks must leave both for it.
 */
import { spawnSync } from "node:child_process"
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { hostname, tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Result } from "effect"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import * as Lock from "../../adapters/filesystem/Lock.ts"
import * as ReadOnly from "../../adapters/filesystem/ReadOnly.ts"
import * as FileRecordStore from "../../adapters/filesystem/RecordStore.ts"
import { RecordStore, type StoredRecord } from "../../ports/RecordStore.ts"

const folders: Array<string> = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-readonly-"))
  folders.push(folder)
  return folder
}
const inStore = <A>(folder: string, work: (store: RecordStore["Service"]) => Effect.Effect<A, unknown>): Promise<A> =>
  Effect.runPromise(
    Effect.flatMap(RecordStore, work).pipe(Effect.provide(FileRecordStore.layer({ folder })), Effect.scoped)
  )
const look = (folder: string) => Effect.runPromise(Effect.result(ReadOnly.readRecords(folder)))
const state = (folder: string) =>
  readdirSync(folder).map((name) => [
    name,
    statSync(join(folder, name)).mtimeMs,
    readFileSync(join(folder, name), "base64")
  ])
const sorted = (records: ReadonlyArray<StoredRecord>) => [...records].map((one) => JSON.stringify(one)).sort()

describe("looking at a folder", () => {
  it("gives what the store would load, while it runs and after, and changes nothing", async () => {
    const change = fc.record({
      collection: fc.constantFrom("a", "b"),
      key: fc.constantFrom("x", "y", "__proto__"),
      value: fc.option(fc.string())
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 6 }), async (commits) => {
        const folder = newFolder()
        const loaded = await inStore(folder, (store) =>
          Effect.gen(function* () {
            for (const commit of commits) yield* store.commit(commit)
            const records = yield* store.load
            const before = state(folder)
            const found = Result.getOrThrow(yield* Effect.promise(() => look(folder)))
            expect(sorted(found?.records ?? [])).toEqual(sorted(records))
            expect(state(folder)).toEqual(before)
            return records
          })
        )
        const before = state(folder)
        expect(sorted(Result.getOrThrow(await look(folder))?.records ?? [])).toEqual(sorted(loaded))
        expect(state(folder)).toEqual(before)
      }),
      { numRuns: 15 }
    )
  })
  it("leaves a torn tail where it is, says how long it is, and says what is damaged", async () => {
    const folder = newFolder()
    const path = join(folder, "journal.log")
    await inStore(folder, (store) => store.commit([{ collection: "a", key: "x", value: "1" }]))
    appendFileSync(path, Buffer.from([0, 0x77, 0x6f, 0x70, 0, 0]))
    const torn = state(folder)
    expect(Result.getOrThrow(await look(folder))).toEqual({
      records: [{ collection: "a", key: "x", value: "1" }],
      tornBytes: 6
    })
    expect(state(folder)).toEqual(torn)
    const bytes = readFileSync(path)
    bytes[20] = bytes[20]! ^ 1
    writeFileSync(path, bytes)
    const damaged = state(folder)
    expect(await look(folder)).toMatchObject({ failure: { code: "damaged" } })
    expect(state(folder)).toEqual(damaged)
  })
  it("is nothing where there is nothing", async () => {
    const folder = newFolder()
    expect(Result.getOrThrow(await look(folder))).toBeUndefined()
    expect(readdirSync(folder)).toEqual([])
  })
})

describe("who holds a folder", () => {
  it("is the living process, and nobody once it is gone; no lock is removed or made", async () => {
    const folder = newFolder()
    await inStore(folder, () =>
      Effect.gen(function* () {
        expect(yield* Effect.promise(() => Lock.findHolder(folder))).toMatchObject({ pid: process.pid })
      })
    )
    expect(await Lock.findHolder(folder)).toBeUndefined()
    const dead = spawnSync(process.execPath, ["-e", ""]).pid
    const name = `lock.${dead}.${"0".repeat(12)}`
    writeFileSync(join(folder, name), JSON.stringify({ pid: dead, host: hostname(), since: "then" }))
    writeFileSync(join(folder, `lock.1.${"1".repeat(12)}`), "not a lock")
    const before = state(folder)
    expect(await Lock.findHolder(folder)).toBeUndefined()
    expect(state(folder)).toEqual(before)
  })
})
