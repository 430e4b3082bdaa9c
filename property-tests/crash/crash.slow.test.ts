/**
 * The crash test in small: some points of every phase, those at which the most can go wrong.
 * It never replaces `npm run crash-test`, which tries them all; it keeps that program and the worst points alive.
 * Points that shift out of reach are no failure of the node, so it asks how many died, and of which kind.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { run } from "./Campaign.ts"
import * as Point from "./Point.ts"
import * as Report from "./Report.ts"

const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-crash-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const points = [
  "friending/alice/write(draft of journal.log)#1:torn",
  "friending/alice/rename(draft of identity.json)#1:before",
  "friending/alice/write(room.txt)#1:torn",
  "friending/bob/write(room.txt)#1:before",
  "messages/alice/write(journal.log)#1:torn",
  "messages/alice/write(stdout)#1:before",
  "messages/bob/write(conversation)#1:torn",
  "messages/bob/write(link)#1:before",
  "away/alice/write(journal.log)#5:torn",
  "away/bob/write(conversation)#1:after",
  "grants/bob/write(journal.log)#2:torn",
  "inject/bob/call(responder)#1:before",
  "inject/bob/call(responder)#1:after",
  "inject/alice/write(journal.log)#2:after",
  "stream/bob/write(journal.log)#1:torn",
  "stream/bob/write(link)#5:torn",
  "stream/alice/write(link)#5:after",
  "cancel/alice/write(journal.log)#2:after",
  "stopping/alice/unlink(lock)#1:before",
  "parting/alice/write(journal.log)#1:after"
]

it("dies at twenty I/O calls and loses, doubles and repeats nothing", async () => {
  const results = await run({
    seed: 1,
    shard: { index: 1, of: 1 },
    minutes: 10,
    pointsMax: points.length,
    parallel: 2,
    only: points.flatMap((word) => Point.parse(word) ?? []),
    stateFile: join(folder, "verdicts.jsonl"),
    resume: false,
    progress: () => {}
  })
  const summary = Report.summarise(results)
  const told = Report.report(results).join("\n")
  expect(summary, told).toMatchObject({ lost: 0, doubled: 0, respondedTwice: 0, hung: 0 })
  expect(summary.points, told).toBeGreaterThanOrEqual(points.length - 2)
  // Both calls of the responder were cut short: each must have ended as interrupted, none was run again. A death while an
  // answer is being stored ends so as well, and whether that one hits depends on how the answer was grouped with others.
  expect(summary.interrupted, told).toBeGreaterThanOrEqual(2)
})
