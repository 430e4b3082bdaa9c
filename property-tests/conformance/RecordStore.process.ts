/**
 * A process with a filesystem store, for tests that need one to be killed or to be in the way.
 * It prints one line a fact and nothing else: `open`, the code of a refusal, or the number of an acknowledged batch.
 * Numbered batches overwrite each other in a ring, so that what is found afterwards must be one exact prefix of them.
 *
 * Usage: node RecordStore.process.ts <folder> hold | count
 */
import { writeSync } from "node:fs"
import { argv, pid, stdin } from "node:process"
import { Effect } from "effect"
import { layer } from "../../adapters/filesystem/RecordStore.ts"
import { RecordStore } from "../../ports/RecordStore.ts"
import { batch, found } from "./RecordStore.ring.ts"

const [folder = "", mode = ""] = argv.slice(2)
const print = (line: string): void => {
  writeSync(1, `${line}\n`)
}

const hold = Effect.gen(function* () {
  yield* RecordStore
  print("open")
  yield* Effect.callback<void>((resume) => {
    stdin.resume().on("end", () => resume(Effect.void))
  })
})

const count = Effect.gen(function* () {
  const store = yield* RecordStore
  let next = found(yield* store.load) + 1
  print("open")
  const one = Effect.suspend(() => {
    const number = next++
    return Effect.andThen(
      store.commit(batch(number)),
      Effect.sync(() => print(`${number}`))
    )
  })
  // Several at once, so that groups form; the order is kept, so acknowledged numbers come in order too.
  yield* Effect.all(
    Array.from({ length: 6 }, () => Effect.forever(one)),
    { concurrency: "unbounded" }
  )
})

await Effect.runPromise(
  (mode === "count" ? count : hold).pipe(
    Effect.provide(layer({ folder, checkpointBytes: 60_000, views: [{ file: "view.json", collections: ["left"] }] })),
    Effect.catch(({ code, message }) => Effect.sync(() => print(`${code} ${pid} ${message}`)))
  )
)
