/**
 * What a node logs and reports: a record is a line whatever is in it, and a report holds nothing that nobody has looked at.
 * It draws hostile names, texts and codes; the whole programs are in `stories/report.slow.test.ts`.
 */
import { Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Describe, Event, Keys, PeerId } from "../../core/index.ts"
import * as Notify from "../../plugin/host/Notify.ts"
import * as Logs from "../../plugin/Logs.ts"
import * as Present from "../../plugin/Present.ts"
import * as Redacting from "../../plugin/report/Redacting.ts"
import * as Report from "../../plugin/report/Report.ts"
import { replay } from "../simulation/Replay.ts"

const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("\n", "\r\n", "\u001b[2J", "\u2028", "‮", '"}\n{"at":')
)

const logged = (text: string, wanted: Parameters<typeof Logs.layer>[0]): ReadonlyArray<string> => {
  const lines: Array<string> = []
  Effect.runSync(
    Effect.annotateLogs(Effect.logWarning(text), { about: text }).pipe(
      Effect.provide(Logs.layer(wanted, (line) => lines.push(line)))
    )
  )
  return lines
}

describe("law: a record of the log is one line", () => {
  it("for a program one JSON object, for a person nothing that steers a terminal", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const [json = ""] = logged(text, { level: "info", format: "json" })
        expect(JSON.parse(json)).toMatchObject({ level: "warn", text, about: text })
        const [plain = ""] = logged(text, { level: "info", format: "text" })
        for (const line of [json, plain]) expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u)
      })
    )
  })

  it("below its level there is none; a level and a format are of a list", () => {
    expect(logged("x", { level: "error", format: "text" })).toEqual([])
    expect(logged("x", { level: "none", format: "json" })).toEqual([])
    expect(Logs.wanted()).toEqual({ level: "info" })
    expect(Logs.wanted("loud")).toHaveProperty("mistake")
    expect(Logs.wanted("info", "xml")).toHaveProperty("mistake")
    expect(Logs.wanted("warn", "json")).toEqual({ level: "warn", format: "json" })
  })
})

const friend = {
  shortId: "0a1b2c3d",
  capabilities: ["inject"],
  connected: true,
  waiting: 1,
  alarm: null,
  trust: "verified"
}
const viewOf = (said: string): Describe.Description =>
  ({
    name: said,
    friends: [{ ...friend, name: said, called: said, allowsUs: ["message", said], bannedUntilMs: null, sinceMs: 5 }],
    sandbox: { ready: false, reason: said },
    queue: [{ id: said, name: said, kind: "Log", state: "waiting", bytes: 9 }],
    refusals: [{ id: said, name: said, kind: "Log", code: said, atMs: 1 }],
    ...Object.fromEntries(
      ["requests", "asked", "rules", "held", "invites", "errands", "topics"].map((key) => [key, []])
    )
  }) as unknown as Describe.Description

const dayMs = 86_400_000

const reportOf = (said: string, story: Report.Report["story"] = []): unknown => ({
  report: 1,
  program: { version: "1", node: "24", platform: "linux", arch: "x64" },
  running: true,
  ...Redacting.described(viewOf(said), undefined, Redacting.naming(new Uint8Array(32)), 3 * dayMs),
  audit: { ok: true, codes: [] },
  story
})

describe("law: a bug report holds nobody", () => {
  it("whatever names, reasons and codes of peers are", () => {
    fc.assert(
      fc.property(hostile, (noise) => {
        const said = `canary ${noise}`
        const text = JSON.stringify(reportOf(said))
        expect(text).not.toContain("canary")
        expect(text).not.toContain(friend.shortId)
        expect(Report.read(text)).toBeDefined()
      })
    )
  })

  it("and of a friendship's beginning the whole days alone, so that no two reports are matched by it", () => {
    const name = Redacting.naming(new Uint8Array(32))
    const daysAt = (nowMs: number) => Redacting.described(viewOf("x"), undefined, name, nowMs).friends[0]
    expect(daysAt(3 * dayMs)).toMatchObject({ sinceDays: 2 })
    expect(daysAt(3 * dayMs + 5)).toMatchObject({ sinceDays: 3 })
    expect(daysAt(0)).toMatchObject({ sinceDays: 0 })
    expect(JSON.stringify(daysAt(3 * dayMs))).not.toContain("Ms")
  })

  it("and what is no report is read as none", () => {
    fc.assert(
      fc.property(fc.oneof(hostile, fc.json()), (text) => {
        expect(Report.read(text)).toBeUndefined()
      })
    )
    const story = [{ afterMs: 0, what: "line request", who: "alice!!!", outcome: "admitted" }]
    expect(Report.read(JSON.stringify(reportOf("x", story)))).toBeUndefined()
  })

  it("and says where the gate has decided otherwise", () => {
    const moment = (afterMs: number, what: string, outcome = "admitted") => ({
      afterMs,
      what,
      who: "00000001",
      outcome
    })
    const told = [
      moment(0, "line request"),
      moment(1_000, "owner Accept", "done"),
      moment(60_000, "session"),
      moment(70_000, "message Log"),
      moment(80_000, "message Inject")
    ]
    const report = Report.read(JSON.stringify(reportOf("x", told)))
    expect(replay(report!, 1)).toMatchObject({
      told: 4,
      alike: 3,
      missing: [{ what: "message Inject", outcome: "admitted" }],
      added: [{ what: "message Inject", outcome: "no-capability" }]
    })
  })
})

describe("what a peer wrote along with a wish", () => {
  const peer = { peerId: "p" as PeerId.PeerId, name: "carol", identityKey: "k".repeat(43) as Keys.RemoteIdentityKey }
  const note = "a canary in a note"
  const events: ReadonlyArray<Event.Event> = [
    { ...peer, _tag: "ConnectAsked", where: "topic:chess", note, rivals: 0, introducedBy: null },
    { ...peer, _tag: "IntroductionReceived", introduced: "bob", note, standing: "stranger", rivals: 0, expiresAtMs: 1 }
  ]
  it.each(events)("of $_tag is in no log, and in no word of the bot in the owner's channel", (told) => {
    expect(Present.event(told).text).toContain(note)
    expect(Logs.ofEvent(told)).not.toContain(note)
    const sent: Array<string> = []
    const provider = { id: "discord", send: async (_: string, text: string) => void sent.push(text) }
    const host = { getChannelProviders: () => [provider] }
    Notify.make({
      host: host as never,
      channels: { discord: "1" },
      command: async () => "",
      nowMs: () => 0
    })(told)
    expect(sent).toHaveLength(1)
    expect(sent[0]).toContain("carol")
    expect(sent[0]).not.toContain(note)
  })
})
