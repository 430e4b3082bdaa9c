/**
 * The laws of the wire room: frames out of any stream, messages out of any body, friend lines out of any chat text.
 * It never lets hostile input end in an exception: what is not ours is a rejection, or nothing.
 * Work is counted where it matters (bytes copied, pieces kept, keys checked), never timed.
 */
import { Buffer } from "node:buffer"
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Result } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it, vi } from "vitest"
import * as Bytes from "../../core/bytes/Bytes.ts"
import { Codec, Frame, FriendLine, Limits, Message } from "../../core/index.ts"
import { bytesOf, chunking, cut } from "../arbitraries/bytes.ts"
import { frameBytesMax, frameStream, frameTypes } from "../arbitraries/frames.ts"
import { sodium } from "../arbitraries/keys.ts"
import { friendLine, signedLine, wording } from "../arbitraries/lines.ts"
import { byKind, message } from "../arbitraries/messages.ts"
import { plainName, validName } from "../arbitraries/names.ts"

interface Reading {
  readonly frames: ReadonlyArray<Frame.Frame>
  readonly code: string | undefined
  readonly waiting: number
  readonly piecesMax: number
}

/** Reads a link to its end or to its refusal, as a node does: after each chunk, all frames that are complete. */
const readAll = (chunks: ReadonlyArray<Uint8Array>, bytesMax: number): Reading => {
  let reader = Frame.reader
  let piecesMax = 0
  const frames: Array<Frame.Frame> = []
  for (const chunk of chunks) {
    reader = Frame.push(reader, chunk)
    piecesMax = Math.max(piecesMax, reader.pieces.length)
    for (;;) {
      const next = Frame.next(reader, bytesMax)
      reader = next.reader
      if (next.rejection !== undefined) return { frames, code: next.rejection.code, waiting: reader.waiting, piecesMax }
      if (next.frame === undefined) break
      frames.push(next.frame)
    }
  }
  return { frames, code: undefined, waiting: reader.waiting, piecesMax }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe("law: Frame reads any stream of frames, however it is cut", () => {
  it("gives exactly the frames, and keeps exactly the trailing bytes", () => {
    fc.assert(
      fc.property(frameStream, chunking, ({ frames, trailing }, chunked) => {
        const stream = Bytes.concat(...frames.map(Frame.encode), trailing)
        const read = readAll(chunked(stream), frameBytesMax)
        expect(read).toMatchObject({ frames, code: undefined, waiting: trailing.length })
      }),
      { numRuns: 300 }
    )
  })

  it("does not alias the link's memory: a frame stays what it was when the buffer is written again", () => {
    fc.assert(
      fc.property(frameStream, ({ frames }) => {
        const stream = Bytes.concat(...frames.map(Frame.encode))
        const read = readAll([stream], frameBytesMax)
        stream.fill(0xee)
        expect(read.frames).toEqual(frames)
      })
    )
  })

  it("pinned: length counts type and body, big-endian", () => {
    for (const [index, type] of frameTypes.entries())
      expect([...Frame.encode({ type, body: Uint8Array.of(7, 8) })]).toEqual([0, 0, 0, 3, index + 1, 7, 8])
    expect(frameTypes).toEqual(["preface", "handshake", "record", "reject"])
  })

  it("refuses an oversize frame as soon as its length is there, before anything of it is buffered", () => {
    const over = fc.integer({ min: frameBytesMax + 1, max: 2 ** 32 - 1 }).filter((length) => length >>> 24 !== 0x7b)
    fc.assert(
      fc.property(over, frameStream, (length, { frames }) => {
        const announced = Bytes.u32(length)
        const before = Bytes.concat(...frames.map(Frame.encode))
        expect(readAll([before, announced.subarray(0, 3)], frameBytesMax)).toMatchObject({ frames, code: undefined })
        const read = readAll([before, announced], frameBytesMax)
        expect(read).toMatchObject({ frames, code: "frame-too-large", waiting: 4 })
      })
    )
    const atTheBound = Frame.encode({ type: "record", body: new Uint8Array(frameBytesMax - 1) })
    expect(readAll([atTheBound], frameBytesMax)).toMatchObject({ code: undefined, waiting: 0 })
    expect(readAll([atTheBound], frameBytesMax - 1)).toMatchObject({ code: "frame-too-large" })
  })

  it("refuses an empty frame and an unknown type as soon as they show", () => {
    expect(readAll([Bytes.u32(0)], frameBytesMax).code).toBe("frame-malformed")
    for (let type = 0; type < 256; type++) {
      const known = type >= 1 && type <= 4
      const code = known ? undefined : "frame-malformed"
      expect(readAll([Bytes.u32(9), Uint8Array.of(type)], frameBytesMax).code).toBe(code)
    }
  })

  it("ends garbage in a refusal or in waiting, never in an exception, and never waits beyond the bound", () => {
    const codes = new Set<string | undefined>()
    const start = fc.constantFrom([], [0], [0, 0], [0, 0, 0], [0, 0, 0, 9], [0, 0, 1], [0x7b])
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 600 }), chunking, (head, tail, chunked) => {
        const read = readAll(chunked(new Uint8Array([...head, ...tail])), frameBytesMax)
        codes.add(read.code)
        if (read.code === undefined) expect(read.waiting).toBeLessThan(4 + frameBytesMax)
      }),
      { numRuns: 500 }
    )
    expect([...codes].sort()).toEqual(["frame-malformed", "frame-too-large", "legacy-peer", undefined])
  })

  it("knows a link of the former plugin by its first byte, and only by the first of the link", () => {
    expect(readAll([Bytes.utf8('{"v":2}\n')], frameBytesMax).code).toBe("legacy-peer")
    expect(readAll([Bytes.utf8("{")], frameBytesMax).code).toBe("legacy-peer")
    const frame = Frame.encode({ type: "preface", body: new Uint8Array(3) })
    expect(readAll([frame, Bytes.utf8("{{{{")], frameBytesMax).code).toBe("frame-too-large")
    expect(readAll([frame.subarray(0, 2), Bytes.utf8("{")], frameBytesMax).code).toBeUndefined()
  })

  it("keeps few pieces and copies little, whatever the sizes of the chunks", () => {
    const body = 16_000
    const falling = Array.from({ length: 177 }, (_, index) => 177 - index)
    const refill = [...falling, 1, ...falling.slice(60), 2, ...falling.slice(100), 1]
    const patterns: ReadonlyArray<ReadonlyArray<number>> = [[1], [2, 1], [1, 100], [5_000, 2_500, 1], falling, refill]
    for (const pattern of patterns) {
      const stream = Frame.encode({ type: "record", body: new Uint8Array(body) }).subarray(0, body)
      const points: Array<number> = []
      for (let at = 0, index = 0; at < body; at += pattern[index++ % pattern.length]!) points.push(at)
      const chunks = cut(stream, points)
      let copied = 0
      const set = Uint8Array.prototype.set
      const spy = vi.spyOn(Uint8Array.prototype, "set").mockImplementation(function (this: Uint8Array, source, offset) {
        copied += source.length
        return set.call(this, source, offset)
      })
      const { piecesMax } = readAll(chunks, Limits.openingFrameBytesMax)
      spy.mockRestore()
      const name = `chunks of ${pattern.slice(0, 5)}`
      expect(piecesMax, name).toBeLessThanOrEqual(Math.sqrt(2 * Limits.openingFrameBytesMax))
      // Each byte is merged into a piece at least twice as large, so at most log2 times; and headers are looked at.
      expect(copied, name).toBeLessThanOrEqual(body * (Math.log2(body) + 1) + 5 * chunks.length)
    }
  })

  it("record headers round trip, and say no to what is too short or counts beyond the safe integers", () => {
    const header = fc.record({ epoch: fc.nat(2 ** 32 - 1), counter: fc.maxSafeNat() })
    fc.assert(
      fc.property(header, fc.uint8Array({ minLength: 16, maxLength: 40 }), (written, sealed) => {
        const bytes = Frame.recordHeader(written)
        expect([bytes.length, bytes[0]]).toEqual([13, 3])
        const read = Frame.splitRecord(Bytes.concat(bytes.subarray(1), sealed))
        expect(read).toEqual(Result.succeed({ header: written, sealed }))
      })
    )
    for (let length = 0; length < 28; length++)
      expect(Result.isFailure(Frame.splitRecord(new Uint8Array(length)))).toBe(true)
    expect(Result.isFailure(Frame.splitRecord(new Uint8Array(40).fill(255)))).toBe(true)
  })
})

const decoded = (json: string) => Codec.decode(Bytes.utf8(json))
const isMalformed = (result: ReturnType<typeof Codec.decode>): boolean =>
  Result.isFailure(result) && result.failure.code === "body-malformed"
const stream = "0123456789abcdef".repeat(2)

describe("law: Codec carries every message and nothing else", () => {
  it("every kind has an arbitrary here", () => {
    expect(Object.keys(byKind).sort()).toEqual(Object.keys(Message.kinds).sort())
  })

  for (const [kind, drawn] of Object.entries(byKind))
    it(`${kind}: round trips, drops unknown fields, and needs each of its own`, () => {
      const extra = fc.dictionary(
        fc.string().map((name) => `x${name}`),
        fc.jsonValue()
      )
      fc.assert(
        fc.property(drawn as fc.Arbitrary<Message.Message>, extra, (sent, fields) => {
          const body = Codec.encode(sent)
          expect(Codec.decode(body)).toEqual(Result.succeed(sent))
          const json = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>
          const widened = `{"__proto__":{"kind":"Close","polluted":1},${JSON.stringify({ ...json, ...fields }).slice(1)}`
          expect(decoded(widened)).toEqual(Result.succeed(sent))
          for (const name of requiredOf[sent.kind]) {
            const { [name]: _, ...without } = json
            const read = decoded(JSON.stringify(without))
            expect(isMalformed(read), `${name} is missing`).toBe(true)
            expect(isMalformed(decoded(JSON.stringify({ ...json, [name]: { a: 1 } }))), name).toBe(true)
            expect(isMalformed(decoded(JSON.stringify({ ...json, [name]: null }))), name).toBe(true)
          }
        }),
        { numRuns: 60 }
      )
    })

  it("refuses values out of bounds", () => {
    const whole: Record<string, Record<string, unknown>> = {
      Log: { kind: "Log", stream, number: 1, text: "t" },
      Done: { kind: "Done", stream, number: 1, id: stream, outcome: "answered", length: 0, sha256: "A".repeat(43) },
      Chunk: { kind: "Chunk", id: stream, offset: 0, bytes: "" },
      Receipt: { kind: "Receipt", stream, mark: 0, also: [] },
      Reject: { kind: "Reject", code: "revoked" },
      Ping: { kind: "Ping", nonce: stream }
    }
    for (const [kind, right] of Object.entries(whole))
      expect(Result.isSuccess(decoded(JSON.stringify(right))), kind).toBe(true)
    const wrong: ReadonlyArray<readonly [string, Record<string, unknown>]> = [
      ["Log", { number: 0 }],
      ["Log", { number: -1 }],
      ["Log", { number: 1.5 }],
      ["Log", { number: 2 ** 53 }],
      ["Log", { number: "1" }],
      ["Log", { stream: stream.toUpperCase() }],
      ["Log", { stream: `${stream}0` }],
      ["Log", { stream: `${stream}\n` }],
      ["Log", { conversation: "local-session" }],
      ["Log", { text: 1 }],
      ["Done", { length: Limits.answerBytesMax + 1 }],
      ["Done", { outcome: "maybe" }],
      ["Done", { sha256: "A".repeat(44) }],
      ["Done", { code: "Two Words" }],
      ["Done", { confinement: { engine: "x" } }],
      ["Chunk", { offset: -1 }],
      ["Chunk", { bytes: "A".repeat(Math.ceil((Limits.chunkBytes * 4) / 3) + 1) }],
      ["Receipt", { mark: -1 }],
      ["Receipt", { also: [0] }],
      ["Receipt", { also: Array.from({ length: Limits.inboxAheadMax + 1 }, () => 1) }],
      ["Reject", { code: "x".repeat(41) }],
      ["Reject", { code: "" }],
      ["Reject", { retryAfterMs: -1 }],
      ["Ping", { nonce: "" }]
    ]
    for (const [kind, change] of wrong)
      expect(
        isMalformed(decoded(JSON.stringify({ ...whole[kind], ...change }))),
        `${kind} ${JSON.stringify(change)}`
      ).toBe(true)
  })

  it("answers a numbered message of an unknown kind with Unknown, and ignores one without a number", () => {
    const name = fc.oneof(
      fc.constantFrom("Rotation", "Introduction", "constructor", "__proto__", "toString", "log", ""),
      fc.string({ maxLength: 40 }).filter((text) => !Object.hasOwn(Message.kinds, text))
    )
    fc.assert(
      fc.property(name, fc.integer({ min: 1 }), (kind, number) => {
        const unknown = Result.succeed({ kind: "Unknown", name: kind, number, stream })
        expect(decoded(JSON.stringify({ number, stream, more: [1], kind }))).toEqual(unknown)
        expect(decoded(JSON.stringify({ kind, number }))).toEqual(Result.succeed({ kind: "Ignored" }))
        expect(decoded(JSON.stringify({ kind, number: 0, stream }))).toEqual(Result.succeed({ kind: "Ignored" }))
      })
    )
    expect(isMalformed(decoded(JSON.stringify({ kind: "x".repeat(41), number: 1, stream })))).toBe(true)
  })

  it("ends in a rejection for everything that is no JSON object with a kind", () => {
    const deep = (open: string, close: string) => open.repeat(200_000) + close.repeat(200_000)
    const texts = [
      "",
      " ",
      "null",
      "true",
      "0",
      "-1e999",
      '"Log"',
      "[]",
      '["kind"]',
      "{}",
      '{"kind":null}',
      '{"kind":["Log"]}'
    ]
    const broken = ['{"kind":"Ping"', "{'kind':'Ping'}", `\ufeff{"kind":"Ping","nonce":"${stream}"}`, "NaN", "{}{}"]
    const ping = `{"kind":"Ping","nonce":"${stream}"}`
    const proto = ['{"__proto__":{"kind":"Ping"}}', '{"constructor":{"prototype":{"kind":"Ping"}}}']
    const nested = [deep("[", "]"), "[".repeat(500_000), deep('{"a":', "}"), `{"kind":${deep("[", "]")}}`]
    const inside = [`{"kind":"Log","stream":"${stream}","number":1,"text":${deep("[", "]")}}`]
    for (const text of [...texts, ...broken, `${ping}x`, `${ping}${ping}`, ...proto, ...nested, ...inside])
      expect(isMalformed(decoded(text)), text.slice(0, 60)).toBe(true)
    // Depth in a field that nobody reads costs nothing and is dropped with it.
    expect(decoded(`{"kind":"Ping","nonce":"${stream}","x":${deep("[", "]")}}`)).toEqual(decoded(ping))
  })

  it("ends in a rejection for bytes that are no UTF-8, raw surrogates among them", () => {
    const around = (middle: ReadonlyArray<number>) =>
      Bytes.concat(
        Bytes.utf8(`{"kind":"Log","stream":"${stream}","number":1,"text":"`),
        new Uint8Array(middle),
        Bytes.utf8('"}')
      )
    expect(Result.isSuccess(Codec.decode(around([0xc3, 0xa4])))).toBe(true)
    const hostile = [
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xc0, 0x80],
      [0xff],
      [0xe2, 0x82],
      [0xf4, 0x90, 0x80, 0x80]
    ]
    for (const bytes of [...hostile, [0]]) expect(isMalformed(Codec.decode(around(bytes)))).toBe(true)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(isMalformed(Codec.decode(bytes))).toBe(true)
      })
    )
  })

  it("changes no prototype, and gives plain objects of known fields only", () => {
    const before = Reflect.ownKeys(Object.prototype).length
    const body = `{"kind":"Ping","nonce":"${stream}","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}`
    const read = Result.getOrThrow(decoded(body))
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    expect(Reflect.ownKeys(read!)).toEqual(["kind", "nonce"])
    expect("polluted" in {}).toBe(false)
    expect(Reflect.ownKeys(Object.prototype)).toHaveLength(before)
  })
})

/** The fields without which a message is none, from the grammar of the protocol. `kind` is another law's. */
const requiredOf: { readonly [Kind in Message.Message["kind"]]: ReadonlyArray<string> } = {
  Log: ["stream", "number", "text"],
  Inject: ["stream", "number", "id", "text", "timeLimitMs"],
  Done: ["stream", "number", "id", "outcome", "length", "sha256"],
  Chunk: ["id", "offset", "bytes"],
  Receipt: ["stream", "mark", "also"],
  Reject: ["code"],
  Cancel: ["stream", "number", "id"],
  Held: ["stream", "number", "id", "reason", "expiresAtMs"],
  GrantChanged: ["stream", "number", "capabilities"],
  Unfriend: ["stream", "number", "of"],
  Introduce: ["stream", "number", "id", "key", "name", "yours", "expiresAtMs"],
  Greeting: ["streams", "run"],
  Resume: ["id", "offset", "upTo"],
  Skip: ["stream", "from", "to"],
  SasCommit: ["id", "commitment"],
  SasReveal: ["id", "nonce"],
  SasEnd: ["id", "outcome"],
  TopicHello: ["topic", "have"],
  Profiles: ["topic", "profiles"],
  TopicLeft: ["topic"],
  ConnectRequest: ["id", "name"],
  ConnectResponse: ["id", "outcome"],
  Ping: ["nonce"],
  Pong: ["nonce"],
  Close: ["code"],
  Claim: ["id", "proof", "name"],
  ClaimAnswer: ["id", "outcome"]
}

describe("law: envelopes", () => {
  const envelope: fc.Arbitrary<Codec.Envelope> = fc.record({
    body: fc.oneof(message.map(Codec.encode), fc.uint8Array({ maxLength: 20 })),
    signature: fc.option(bytesOf(64), { nil: undefined })
  })
  const envelopes = fc.array(envelope, { maxLength: 5 })

  it("pack and unpack round trip; cut anywhere but between two of them they are refused", () => {
    fc.assert(
      fc.property(envelopes, (drawn) => {
        const packed = Codec.pack(drawn)
        expect(Codec.unpack(packed)).toEqual(Result.succeed(drawn))
        const ends = new Map(drawn.map((_, count) => [Codec.pack(drawn.slice(0, count)).length, count]))
        for (let length = 0; length < packed.length; length++) {
          const read = Codec.unpack(packed.subarray(0, length))
          const count = ends.get(length)
          if (count === undefined) expect(Result.isFailure(read) && read.failure.code).toBe("body-malformed")
          else expect(read).toEqual(Result.succeed(drawn.slice(0, count)))
        }
      }),
      { numRuns: 60 }
    )
  })

  it("refuse trailing bytes, lengths that lie, an unknown mark, and a body above the limit", () => {
    const one = Codec.pack([{ body: Uint8Array.of(1, 2), signature: undefined }])
    const wrong = [
      Bytes.concat(one, Uint8Array.of(0)),
      Uint8Array.of(0, 0, 0, 0, 0),
      Uint8Array.of(0, 0, 0, 64, 1, ...new Uint8Array(63)),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 1),
      one.with(4, 2),
      one.with(4, 255),
      one.with(3, 2),
      one.with(3, 4)
    ]
    for (const bytes of wrong) expect(Result.isFailure(Codec.unpack(bytes)), String(bytes.slice(0, 8))).toBe(true)
    const sized = (length: number) => Codec.unpack(Codec.pack([{ body: new Uint8Array(length), signature: undefined }]))
    expect(Result.isSuccess(sized(Limits.bodyBytesMax))).toBe(true)
    expect(Result.isFailure(sized(Limits.bodyBytesMax + 1))).toBe(true)
  })

  it("end garbage in a rejection or in envelopes that pack to the same bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(20), (bytes, length) => {
        const likely = Bytes.concat(Uint8Array.of(0, 0, 0, length), bytes)
        for (const input of [bytes, likely]) {
          const read = Codec.unpack(input)
          if (Result.isSuccess(read)) expect(Codec.pack(read.success)).toEqual(input)
        }
      }),
      { numRuns: 300 }
    )
  })
})

const escapeHtml = (text: string): string =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;").replace(/'/g, "&#39;")

/** What chat software and people do to a line that they carry. */
const manglings: Readonly<Record<string, (line: string) => string>> = {
  nothing: (line) => line,
  "code span": (line) => `\`${line}\``,
  "code block": (line) => `\`\`\`\n${line}\n\`\`\``,
  "code block with a language": (line) => `\`\`\`text\r\n${line}\r\n\`\`\``,
  quote: (line) => `> ${line}`,
  "quote of a quote": (line) => `>> > ${line}\n\nsure?`,
  "white space around": (line) => ` \t ${line} \n\n`,
  "CR LF": (line) => `${line}\r\n`,
  "non-breaking spaces": (line) => line.replaceAll(" ", "\u00a0"),
  "doubled and missing spaces at the bars": (line) => line.replaceAll(" | ", "|  ").replace("|", " |"),
  "wrapped at the bars": (line) => line.replaceAll(" | ", " |\n"),
  "HTML escaped": escapeHtml,
  "HTML escaped, with the bars and colons": (line) =>
    escapeHtml(line).replaceAll("|", "&#124;").replaceAll(":", "&#x3a;"),
  bold: (line) => `**${line}**`,
  "a sentence before": (line) => `hey, my bot says: ${line}`,
  "a sentence around": (line) => `please paste "${line}", thanks. FRIEND_REQUEST is the word.`,
  "in brackets": (line) => `(${line}).`
}

const readsAs = (text: string, line: FriendLine.FriendLine): void => {
  const reading = FriendLine.parse(sodium, text)
  expect(reading).toEqual({ kind: "line", line })
  expect(Result.isSuccess(FriendLine.verify(sodium, line))).toBe(true)
}

/** Whether a text gives a line whose signature holds. */
const lives = (text: string): boolean => {
  const reading = FriendLine.parse(sodium, text)
  return reading.kind === "line" && Result.isSuccess(FriendLine.verify(sodium, reading.line))
}

describe("law: a friend line survives chat software, and nothing that changes what is signed", () => {
  it("print and parse round trip, for both kinds and any valid names", () => {
    fc.assert(
      fc.property(friendLine, (line) => readsAs(FriendLine.print(line), line)),
      { numRuns: 100 }
    )
  })

  it("pinned: fields, order and spelling", () => {
    const request = signedLine({ kind: "request", to: "bob", from: "alice", tsMs: 1_700_000_000_000, seed: 1 })
    const accept = signedLine({ kind: "accept", to: "alice", from: "bob", tsMs: 1_700_000_000_000, seed: 2 })
    const [key, sig] = ["[A-Za-z0-9_-]{43}", "[A-Za-z0-9_-]{86}"]
    expect(FriendLine.print(request)).toMatch(
      new RegExp(
        `^FRIEND_REQUEST \\| to:bob \\| from:alice \\| pubkey:${key} \\| encryptPub:${key} \\| ts:1700000000000 \\| sig:${sig}$`
      )
    )
    expect(FriendLine.print(accept)).toMatch(
      new RegExp(
        `^FRIEND_ACCEPT \\| to:alice \\| from:bob \\| pubkey:${key} \\| encryptPub:${key} \\| requestSig:${sig} \\| ts:1700000000000 \\| sig:${sig}$`
      )
    )
  })

  it("with names up to 16 characters a request has at most 300 bytes and an accept at most 400", () => {
    fc.assert(
      fc.property(wording(plainName(16)), (words) => {
        const line = signedLine(words)
        const length = Bytes.utf8(FriendLine.print(line)).length
        expect(length).toBeLessThanOrEqual(line.kind === "request" ? 300 : 400)
      }),
      { numRuns: 60 }
    )
  })

  for (const [name, mangle] of Object.entries(manglings))
    it(`is read through: ${name}`, () => {
      fc.assert(
        fc.property(friendLine, (line) => readsAs(mangle(FriendLine.print(line)), line)),
        { numRuns: 20 }
      )
    })

  it("is read through Markdown escapes and autolinked names", () => {
    fc.assert(
      fc.property(wording(plainName(16)), (words) => {
        const line = signedLine(words)
        readsAs(FriendLine.print(line).replace(/[_*~]/g, "\\$&"), line)
        readsAs(FriendLine.print(line).replaceAll("|", "\\|"), line)
      }),
      { numRuns: 40 }
    )
    const domain = signedLine({ kind: "accept", to: "bot.example.org", from: "a@example.org", tsMs: 7, seed: 3 })
    const printed = FriendLine.print(domain)
    const links: ReadonlyArray<readonly [string, string]> = [
      ["<http://bot.example.org|bot.example.org>", "<mailto:a@example.org|a@example.org>"],
      ["<https://bot.example.org/>", "<mailto:a@example.org>"],
      ["[bot.example.org](https://bot.example.org)", "[a@example.org](mailto:a@example.org)"],
      ["&lt;https://bot.example.org&gt;", "a@example.org"]
    ]
    for (const [to, from] of links)
      readsAs(printed.replace("to:bot.example.org", `to:${to}`).replace("from:a@example.org", `from:${from}`), domain)
  })

  it("dies of any change of any character of it: replaced, removed, doubled, swapped or inserted", () => {
    for (const kind of ["request", "accept"] as const) {
      const line = FriendLine.print(signedLine({ kind, to: "bob-2", from: "alice", tsMs: 1_700_000_000_000, seed: 4 }))
      expect(lives(line)).toBe(true)
      for (let at = 0; at < line.length; at++) {
        const [before, here, after] = [line.slice(0, at), line[at]!, line.slice(at + 1)]
        const replaced = [...'A0_|:&"'].filter((other) => other !== here).map((other) => before + other + after)
        const next = String.fromCharCode(here.charCodeAt(0) ^ 1)
        const mutants = [...replaced, before + next + after, `${before}A${here}${after}`]
        // White space beside a bar is not signed; everything else is.
        if (here !== " ") mutants.push(before + after, before + here + here + after)
        if (after !== "" && after[0] !== here && here !== " " && after[0] !== " ")
          mutants.push(before + after[0] + here + after.slice(1))
        for (const mutant of mutants) expect(lives(mutant), `${kind} at ${at}: ${mutant}`).toBe(false)
      }
      expect(lives(`${line}A`)).toBe(false)
      expect(lives(`${line}=`)).toBe(false)
    }
  })

  it("cannot be put together from the fields of two lines", () => {
    const parts = (seed: number, kind: "request" | "accept") =>
      FriendLine.print(signedLine({ kind, to: `to${seed}`, from: `from${seed}`, tsMs: 1_000 + seed, seed })).split(
        " | "
      )
    for (const kind of ["request", "accept"] as const) {
      const [one, other] = [parts(1, kind), parts(2, kind)]
      for (let at = 1; at < one.length; at++) expect(lives(one.with(at, other[at]!).join(" | ")), one[at]!).toBe(false)
    }
    const accept = parts(1, "accept")
    expect(
      lives(["FRIEND_REQUEST", ...accept.slice(1).filter((part) => !part.startsWith("requestSig"))].join(" | "))
    ).toBe(false)
  })

  it("says none to ordinary talk and refused to what was meant to be a line", () => {
    const none = [
      "",
      "hello",
      "FRIEND_REQUEST",
      "do you know FRIEND_REQUEST lines?",
      "friend_request | to:bob",
      "x".repeat(5_000)
    ]
    for (const text of none) expect(FriendLine.parse(sodium, text), text.slice(0, 40)).toEqual({ kind: "none" })
    const whole = FriendLine.print(signedLine({ kind: "request", to: "bob", from: "alice", tsMs: 1_000, seed: 5 }))
    const refusals: ReadonlyArray<readonly [string, string]> = [
      [whole.replace(" | ts:1000", ""), "line-malformed"],
      [whole.replace("ts:1000", "ts:01000"), "line-malformed"],
      [whole.replace("ts:1000", "ts:9007199254740993"), "line-malformed"],
      [whole.replace("to:bob | from:alice", "from:alice | to:bob"), "line-malformed"],
      [whole.replace("to:bob", "to:"), "line-malformed"],
      [whole.replace("to:bob", "to:b\u202eob"), "name-invalid"],
      [whole.replace("to:bob", "to:@bob"), "name-invalid"],
      [whole.replace("from:alice", `from:${"a".repeat(65)}`), "name-invalid"],
      [whole.replace(/pubkey:.{43}/, `pubkey:${"A".repeat(43)}`), "key-invalid"],
      [whole.replace(/(encryptPub:.{42})./, "$1B"), "key-invalid"],
      [whole.replace(/(sig:.{85})./, "$1B"), "line-malformed"]
    ]
    for (const [text, code] of refusals) {
      const reading = FriendLine.parse(sodium, text)
      expect(reading.kind === "refused" && reading.rejection.code, text).toBe(code)
    }
    fc.assert(
      fc.property(validName, fc.string({ unit: "binary" }), (name, junk) => {
        const reading = FriendLine.parse(sodium, `FRIEND_REQUEST | to:${name} | from:${junk}`)
        expect(["none", "refused"]).toContain(reading.kind)
      })
    )
  })

  it("answers 4,096 hostile characters with bounded work", () => {
    const line = FriendLine.print(signedLine({ kind: "accept", to: "a&amp;b", from: "<https://x>", tsMs: 1, seed: 6 }))
    const forged = `${line.slice(0, -2)}AA `
    const half = "FRIEND_REQUEST | to:a | from:b | pubkey:"
    const units = ["FRIEND_REQUEST|", "FRIEND_REQUEST ", "FRIEND\\_ACCEPT | ", half, `${half}${"A".repeat(43)}`, forged]
    const links = [
      "<http://",
      "<http://a|",
      "[a](http://",
      "[",
      "<",
      "&#0",
      "&#000000000",
      "&amp;",
      "\\_",
      "\\",
      "|",
      "\u00a0|"
    ]
    let checks = 0
    const counting = {
      ...sodium,
      ed25519ValidKey: (key: Uint8Array) => {
        checks++
        return sodium.ed25519ValidKey(key)
      },
      ed25519Verify: (key: Uint8Array, text: Uint8Array, signature: Uint8Array) => {
        checks++
        return sodium.ed25519Verify(key, text, signature)
      }
    }
    for (const unit of [...units, ...links])
      for (const head of [
        "",
        "FRIEND_REQUEST | to:",
        "FRIEND_ACCEPT | to:a | from:",
        "FRIEND_REQUEST |",
        "FRIEND&#95;REQUEST"
      ])
        for (const tail of ["", " |", ">", ")", "x"]) {
          const text = (head + unit.repeat(4_096)).slice(0, 4_096 - tail.length) + tail
          expect(text).toHaveLength(4_096)
          checks = 0
          expect(["none", "refused", "line"]).toContain(FriendLine.parse(counting, text).kind)
          expect(checks).toBeLessThanOrEqual(8)
        }
    expect(FriendLine.parse(sodium, `${line}${" ".repeat(4_096)}`)).toEqual({ kind: "none" })
    expect(lives(`${line}${" ".repeat(4_096 - line.length)}`)).toBe(true)
  })
})

/** Shared with other projects and kept beside the checkout. */
const samples = join(resolve(import.meta.dirname, "../../../shared/vectors"), "legacy/friend-lines.json")
const present = existsSync(samples)
const demanded = process.env["REQUIRE_SHARED_VECTORS"] === "1"
if (!present && !demanded) console.warn(`SKIPPED: no shared samples at ${samples}`)

interface Sample {
  readonly name: string
  readonly line: string
  readonly parsed?: { readonly from: string } | null
}

describe("lines of the former plugin", () => {
  it.runIf(demanded)("are there, as REQUIRE_SHARED_VECTORS=1 demands", () => {
    expect(present, `no shared samples at ${samples}`).toBe(true)
  })

  it.skipIf(!present)("are recognised as such, with the name they claim, and never read as lines of ours", () => {
    const file = JSON.parse(readFileSync(samples, "utf8")) as Record<"requests" | "accepts", ReadonlyArray<Sample>>
    /** What the former plugin took for a line, and is neither its form nor ours. */
    const neither = ["pubkey not a key", "names with pipes and brackets"]
    const kinds: Record<string, number> = {}
    for (const { line, name, parsed } of [...file.requests, ...file.accepts]) {
      const reading = FriendLine.parse(sodium, line)
      kinds[reading.kind] = (kinds[reading.kind] ?? 0) + 1
      expect(reading.kind, name).not.toBe("line")
      if (parsed === undefined || parsed === null || neither.includes(name)) continue
      expect(reading, name).toEqual({ kind: "legacy", from: parsed.from })
    }
    expect(file.requests.length + file.accepts.length).toBe(48)
    // `none` and `refused` are the malformed ones: in lower case or empty, and with a field changed beyond recognition.
    expect(kinds).toEqual({ legacy: 41, refused: 5, none: 2 })
  })
})
