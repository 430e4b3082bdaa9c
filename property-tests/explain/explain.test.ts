/**
 * Explanations name the right station by the right code, and never say anything else than the readers do.
 * It never compares an explanation with itself: what is expected is written down, or asked of the shipped readers.
 * A wrong explanation is worse than none, so that agreement is a property over damaged values and not a few examples.
 */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { concat } from "../../core/bytes/Bytes.ts"
import { Codec, Frame, FriendLine, Limits } from "../../core/index.ts"
import * as Preface from "../../core/session/Preface.ts"
import { turned } from "../arbitraries/bytes.ts"
import { frame } from "../arbitraries/frames.ts"
import { sodium } from "../arbitraries/keys.ts"
import { friendLine, signedLine } from "../arbitraries/lines.ts"
import { message } from "../arbitraries/messages.ts"
import { explainBytes, explainEnvelopes, explainFrames, explainMessage } from "./ByteStations.ts"
import { type Explanation, print } from "./Explanation.ts"
import { explainLine } from "./LineStations.ts"

const nowMs = 1_700_000_000_000
const wordingOf = (kind: "request" | "accept") => ({ kind, to: "bob", from: "alice", tsMs: nowMs, seed: 5 })
const request = FriendLine.print(signedLine(wordingOf("request")))
const accept = FriendLine.print(signedLine(wordingOf("accept")))

/** Where it ends: station and code of the first refusal. */
const end = ({ stations }: Explanation) => {
  const last = stations.find((one) => one.holds === "no")
  return last === undefined ? undefined : [last.station, last.code]
}

describe("a friend line", () => {
  it("that is good passes every station, also mangled, and only memory is left open", () => {
    for (const text of [request, accept, `> \`${request}\``, request.replaceAll("|", "&#124;")]) {
      const explained = explainLine(sodium, text, nowMs)
      expect([explained.verdict, explained.stations.filter((one) => one.holds !== "yes").length]).toEqual([
        "accepted",
        1
      ])
    }
  })

  const stray = (text: string, field: RegExp) => text.replace(field, (whole) => `${whole.slice(0, -1)}B`)
  const cases: ReadonlyArray<readonly [string, string, string, string]> = [
    ["a letter before the prefix", `x${request}`, "prefix", "line-malformed"],
    ["a field missing", request.replace(/ \| ts:\d+/, ""), "field 5, ts", "line-malformed"],
    ["fields swapped", request.replace("to:bob | from:alice", "from:alice | to:bob"), "field 1, to", "line-malformed"],
    ["a signature cut short", request.slice(0, -1), "field 6, sig", "line-malformed"],
    ["a sign before a name", request.replace("to:bob", "to:@bob"), "to", "name-invalid"],
    ["an invisible character", request.replace("from:alice", "from:a\u200blice"), "from", "name-invalid"],
    ["stray bits in a key", stray(request, /pubkey:.{43}/), "pubkey", "key-invalid"],
    ["no point", request.replace(/pubkey:.{43}/, `pubkey:${"A".repeat(43)}`), "pubkey", "key-invalid"],
    ["stray bits in the other key", stray(request, /encryptPub:.{43}/), "encryptPub", "key-invalid"],
    ["a zero before the time", request.replace("ts:", "ts:0"), "ts", "line-malformed"],
    ["stray bits in the signature", stray(request, /sig:.{86}/), "sig", "line-malformed"],
    ["stray bits in the other signature", stray(accept, /requestSig:.{86}/), "requestSig", "line-malformed"],
    ["another name", request.replace("from:alice", "from:mallory"), "signature", "line-forged"]
  ]
  for (const [what, text, station, code] of cases)
    it(`with ${what} ends at ${station}`, () => {
      expect(end(explainLine(sodium, text, nowMs))).toEqual([station, code])
    })

  it("of another time ends at freshness, either way; a legacy line at its prefix; talk nowhere", () => {
    for (const off of [300_001, -300_001])
      expect(end(explainLine(sodium, request, nowMs + off))).toEqual(["freshness", "clock-difference"])
    expect(end(explainLine(sodium, request, nowMs + 300_000))).toBeUndefined()
    const legacy = "FRIEND_REQUEST | to:bob | from:al | pubkey:MCowBQYDK2VwAyEA"
    expect(end(explainLine(sodium, legacy, nowMs))).toEqual(["prefix", "legacy-line"])
    expect(explainLine(sodium, "hello", nowMs).verdict).toBe("none")
    expect(explainLine(sodium, `${request}${" ".repeat(4_096)}`, nowMs).verdict).toBe("none")
  })

  it("damaged in any way is refused by the code that the readers give", () => {
    const changes = fc.array(fc.tuple(fc.nat(500), fc.constantFrom(..."A0|: @\u200b&", "", "FRIEND_ACCEPT | ")), {
      maxLength: 3
    })
    fc.assert(
      fc.property(friendLine, changes, (line, drawn) => {
        let text = FriendLine.print(line)
        for (const [at, put] of drawn) text = text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1)
        const reading = FriendLine.parse(sodium, text)
        const explained = explainLine(sodium, text, line.tsMs)
        expect(explained.verdict === "none").toBe(reading.kind === "none")
        if (reading.kind === "refused") expect(explained.code).toBe(reading.rejection.code)
        if (reading.kind !== "line") return
        const verified = FriendLine.verify(sodium, reading.line)
        const code = Result.isFailure(verified) ? verified.failure.code : undefined
        if (code !== undefined || reading.line.tsMs === line.tsMs) expect(explained.code).toBe(code)
      }),
      { numRuns: 300 }
    )
  })

  it("shows nothing of it as it came: no control, bidi or invisible character reaches the screen", () => {
    const text = request.replace("from:alice", "from:\u202e\u001b[31malice")
    expect(print(explainLine(sodium, text, nowMs)).join("\n")).toMatch(/^[\x20-\x7e\n…]*$/)
  })
})

describe("bytes", () => {
  const ping = Codec.encode({ kind: "Ping", nonce: "0".repeat(32) })
  const log = Codec.encode({ kind: "Log", stream: "0".repeat(32), number: 1, text: "hi" })
  const utf8 = (text: string) => new TextEncoder().encode(text)

  it("of an opening are taken apart; what is sealed is left open", () => {
    const stream = concat(
      Frame.encode({ type: "preface", body: Preface.encode([3]) }),
      Frame.encode({ type: "handshake", body: new Uint8Array(32) }),
      Frame.encode({ type: "handshake", body: new Uint8Array(400) }),
      Frame.encode({ type: "record", body: new Uint8Array(40) }),
      Frame.encode({ type: "reject", body: utf8("no-common-version") })
    )
    const { stations, verdict } = explainFrames(stream)
    expect(verdict).toBe("accepted")
    expect(stations.filter((one) => one.holds === "open").map((one) => one.station)).toEqual([
      "3: handshake",
      "4: seal"
    ])
    expect(explainFrames(stream.subarray(0, -1)).verdict).toBe("incomplete")
  })

  const one = (type: Frame.FrameType, body: Uint8Array) => Frame.encode({ type, body })
  const ends: ReadonlyArray<readonly [string, Explanation, string, string]> = [
    ["an empty frame", explainFrames(new Uint8Array(4)), "1: frame", "frame-malformed"],
    ["a type of nobody", explainFrames(Uint8Array.of(0, 0, 0, 2, 9, 9)), "1: frame", "frame-malformed"],
    ["a huge length", explainFrames(Uint8Array.of(9, 0, 0, 0)), "1: frame", "frame-too-large"],
    ["a former peer", explainFrames(utf8('{"v":2}')), "1: frame", "legacy-peer"],
    ["another magic", explainFrames(one("preface", utf8("wop/p3p\u0001\u0003"))), "1: preface", "frame-malformed"],
    ["other versions", explainFrames(one("preface", Preface.encode([2]))), "1: versions", "no-common-version"],
    ["a short key", explainFrames(one("handshake", new Uint8Array(31))), "1: handshake", "handshake-failed"],
    ["a short record", explainFrames(one("record", new Uint8Array(27))), "1: header", "frame-malformed"],
    ["an envelope cut short", explainEnvelopes(Uint8Array.of(0, 0, 0, 9, 0)), "lengths", "body-malformed"],
    [
      "a text nobody signed",
      explainEnvelopes(Codec.pack([{ body: log, signature: undefined }])),
      "1: signature",
      "signature-invalid"
    ],
    ["bytes that are no text", explainMessage(Uint8Array.of(0xff)), "UTF-8", "body-malformed"],
    ["no JSON", explainMessage(ping.subarray(1)), "JSON", "body-malformed"],
    ["no object", explainMessage(utf8("[]")), "kind", "body-malformed"],
    ["a field missing", explainMessage(utf8('{"kind":"Ping"}')), "Schema of Ping", "body-malformed"]
  ]
  for (const [what, explained, station, code] of ends)
    it(`with ${what} end at ${station}`, () => {
      expect(end(explained)).toEqual([station, code])
    })

  it("of a message that breaks its Schema name the field", () => {
    expect(print(explainMessage(utf8('{"kind":"Ping","nonce":"x"}'))).join()).toContain("nonce")
  })

  it("of unknown kinds are accepted as the reader accepts them", () => {
    const unknown = utf8(`{"kind":"Sing","stream":"${"0".repeat(32)}","number":1}`)
    for (const body of [unknown, utf8('{"kind":"Sing"}')]) expect(explainMessage(body).verdict).toBe("accepted")
  })

  it("are taken for what they are", () => {
    const packed = Codec.pack([{ body: ping, signature: undefined }])
    const record = concat(new Uint8Array(12), new Uint8Array(30).fill(7))
    const forms = [ping, packed, record, one("preface", Preface.encode([3]))].map((bytes) => explainBytes(bytes).what)
    expect(forms).toEqual(["message", "envelopes", "record", "frames"])
  })

  it("damaged in any way are refused exactly where the readers refuse", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 3 }), message, fc.nat(), (frames, sent, bit) => {
        const body = turned(Codec.encode(sent), bit)
        const decoded = Codec.decode(body)
        expect(explainMessage(body).code).toBe(Result.isFailure(decoded) ? decoded.failure.code : undefined)
        const stream = turned(concat(...frames.map(Frame.encode)), bit)
        let next = Frame.next(Frame.push(Frame.reader, stream), Limits.frameBytesMax)
        while (next.frame !== undefined) next = Frame.next(next.reader, Limits.frameBytesMax)
        const { code, stations } = explainFrames(stream)
        if (next.rejection !== undefined) expect(stations.at(-1)?.code).toBe(next.rejection.code)
        if (code === undefined) expect(next.rejection).toBeUndefined()
      }),
      { numRuns: 200 }
    )
  })
})

describe("npm run explain", () => {
  const explain = (...args: ReadonlyArray<string>) =>
    spawnSync(process.execPath, [join(import.meta.dirname, "explain.ts"), ...args], {
      encoding: "utf8",
      timeout: 20_000
    })

  it("ends with 0, 1 or 2, and prints JSON when asked", () => {
    const good = explain(request, "--now", String(nowMs), "--json")
    expect([good.status, JSON.parse(good.stdout).verdict]).toEqual([0, "accepted"])
    const late = explain(request)
    expect([late.status, late.stdout.includes("clock-difference")]).toEqual([1, true])
    expect(explain("00000000").status).toBe(1)
    for (const wrong of [[], ["x", "--now", "soon"], ["xyz", "--as", "record"]])
      expect(explain(...wrong).status, wrong.join(" ")).toBe(2)
    const help = explain("--help")
    expect([help.status, help.stdout.includes("--as FORM")]).toEqual([0, true])
  })
})
