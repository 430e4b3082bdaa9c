/**
 * Readers of what a node writes about itself: a line of the audit log, a whole log of one file, and a bug report.
 * They read files that somebody may have changed or made up; whatever is in them ends in a verdict.
 */

import * as AuditFolder from "../../plugin/audit/AuditFolder.ts"
import * as AuditLine from "../../plugin/audit/AuditLine.ts"
import * as Verify from "../../plugin/audit/Verify.ts"
import * as Report from "../../plugin/report/Report.ts"
import { keysOf, sodium } from "../arbitraries/keys.ts"
import type { Chance } from "../simulation/Chance.ts"
import { demand, refused, type Target, value } from "./Target.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"))
const keys = keysOf(24)
const at = 1_790_000_000_000

const linesOf = (luck: Chance): ReadonlyArray<AuditLine.Line> => {
  const lines: Array<AuditLine.Line> = []
  const place = () => ({ prev: lines.at(-1)?.hash ?? AuditLine.beginning, n: lines.length + 1, at })
  lines.push(AuditLine.make(sodium, place(), { note: "begun" }))
  for (let left = luck.whole(0, 3); left > 0; left--) {
    const verdict = luck.pick(["admitted", "no-capability"])
    lines.push(
      AuditLine.make(sodium, place(), { asked: "message Log", peer: "00000000", key: "A".repeat(43), verdict })
    )
  }
  lines.push(AuditLine.sign(sodium, keys, place(), 1))
  return lines
}
const words = [
  '{"hash":"',
  '"prev":"',
  '"n":1',
  '"head":"',
  '"signature":"',
  '"note":"cut"',
  "\n",
  "1e999",
  "__proto__"
]

const line: Target = {
  name: "audit-line",
  says: "a line of the audit log",
  samples: (luck) => bytes(luck.pick(linesOf(luck)).text),
  words,
  read: (input) => {
    const read = AuditLine.read(sodium, Buffer.from(input).toString("latin1"))
    return read === undefined ? refused("line-malformed") : value(read.body)
  },
  refusesTrailing: true
}

const log: Target = {
  name: "audit-log",
  says: "a file of the audit log, with the head that it ends with",
  samples: (luck) =>
    bytes(
      linesOf(luck)
        .map(({ text }) => `${text}\n`)
        .join("")
    ),
  words,
  read: (input) => {
    const text = Buffer.from(input).toString("latin1")
    const head = text.slice(0, -1).split("\n").at(-1)
    const found = { files: [{ name: AuditFolder.fileName(1), text }], head: `${head}\n` }
    const verified = Verify.verify(sodium, found, [])
    demand(verified.ok === (verified.findings.length === 0), "a log is right and has findings")
    return verified.ok ? value(verified) : refused("line-malformed")
  }
}

const report: Target = {
  name: "bug-report",
  says: "a bug report, as the simulator is given it",
  samples: (luck) =>
    bytes(
      JSON.stringify({
        report: 1,
        program: { version: "2", node: "24", platform: "linux", arch: "x64" },
        settings: { network: "local", sandbox: "off", model: false, channel: true },
        running: luck.pick([true, false]),
        sandbox: { ready: false, code: null },
        counts: { requests: luck.whole(0, 9) },
        friends: [],
        queue: [],
        refusals: [],
        audit: { ok: true, codes: [] },
        story: [{ afterMs: luck.whole(0, 9), what: "session", who: "00000001", outcome: "admitted" }]
      })
    ),
  words: ['"story"', '"who"', '"afterMs":-1', "1e999", "__proto__", '"report":2', "null"],
  read: (input) => {
    const read = Report.read(Buffer.from(input).toString())
    if (read === undefined) return refused("body-malformed")
    for (const { who } of read.story) demand(/^(|[0-9a-f]{8})$/.test(who), "somebody is named")
    return value(read)
  }
}

export const auditTargets: ReadonlyArray<Target> = [line, log, report]
