/**
 * A process commits numbered batches as fast as it can and is killed without warning, again and again.
 * Whatever it acknowledged must be found, whole batches only, and what is found is one exact prefix of what was written.
 * The journal is rewritten often here, so that many of the kills fall into a checkpoint; a third of them fall into the start.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as pause } from "node:timers/promises"
import { Effect } from "effect"
import { expect, it } from "vitest"
import { layer } from "../../adapters/filesystem/RecordStore.ts"
import { found } from "../conformance/RecordStore.ring.ts"
import { openStore } from "../conformance/RecordStore.suite.ts"
import { makeRandom, seed } from "./seeded.ts"

const rounds = 64
const child = join(import.meta.dirname, "..", "conformance", "RecordStore.process.ts")

interface Life {
  readonly opened: boolean
  /** The last number acknowledged, 0 for none. */
  readonly acknowledged: number
  /** Whether it found that its forerunner died in the middle of a write, and said so as it must. */
  readonly torn: boolean
}

/** What a store says when it cuts off what was never acknowledged. Whatever else a process says is a failure. */
const cutTail = / WARN .*: cut \d+ bytes of an unfinished commit off the journal in /

const killAt = async (
  process_: ChildProcess,
  lines: AsyncIterable<string>,
  moment: () => Promise<unknown>
): Promise<Life> => {
  let opened = false
  let acknowledged = 0
  let torn = false
  const reading = (async () => {
    for await (const line of lines) {
      if (line === "open") opened = true
      else if (/^\d+$/.test(line)) acknowledged = Number(line)
      else if (cutTail.test(line)) torn = true
      else throw new Error(`the process says: ${line}`)
    }
  })()
  const exited = new Promise((resolve) => process_.once("exit", resolve))
  await moment()
  process_.kill("SIGKILL")
  await exited
  await reading
  return { opened, acknowledged, torn }
}

/** One life: killed some time after the first acknowledgement, or (one in three) some time after it was started. */
const live = async (folder: string, random: () => number): Promise<Life> => {
  const started = spawn(process.execPath, [child, folder, "count"], { stdio: ["ignore", "pipe", "inherit"] })
  const lines = createInterface({ input: started.stdout })
  const firstLine = new Promise((resolve) => {
    lines.once("line", resolve)
    lines.once("close", resolve)
  })
  const [inStart, share] = [random() < 1 / 3, random()]
  return killAt(started, lines, async () => {
    if (inStart) return pause(share * 700)
    await firstLine
    return pause(share * 120)
  })
}

it(`keeps what it acknowledged over ${rounds} kills (SEED=${seed})`, async () => {
  console.log(`store-kill: SEED=${seed}`)
  const random = makeRandom(seed)
  const folder = join(mkdtempSync(join(tmpdir(), "store-kill-")), "live")
  let floor = 0
  let lives = 0
  let rewrites = 0
  let tails = 0
  let lastSalt = ""
  for (let round = 0; round < rounds; round++) {
    const { opened, acknowledged, torn } = await live(folder, random)
    if (opened) lives += 1
    if (torn) tails += 1
    floor = Math.max(floor, acknowledged)
    // Half of the time the next process is the one that finds the dead one's lock and torn tail.
    if (random() < 0.5) continue
    const { close, store } = await openStore(layer({ folder }))
    const last = found(await Effect.runPromise(store.load))
    await close()
    expect(last, `round ${round}, SEED=${seed}`).toBeGreaterThanOrEqual(floor)
    floor = last
    const salt = readFileSync(join(folder, "journal.log")).subarray(8, 24).toString("hex")
    if (salt !== lastSalt) rewrites += 1
    lastSalt = salt
  }
  const { close, store } = await openStore(layer({ folder }))
  expect(found(await Effect.runPromise(store.load)), `SEED=${seed}`).toBeGreaterThanOrEqual(floor)
  await close()
  console.log(
    `store-kill: ${floor} batches, ${lives} of ${rounds} processes got as far as opening, ${rewrites} journals seen, ${tails} torn tails cut`
  )
  // The story proves nothing if the processes never got to work.
  expect(lives).toBeGreaterThan(rounds / 3)
  expect(floor).toBeGreaterThan(1_000)
  rmSync(join(folder, ".."), { recursive: true })
})
