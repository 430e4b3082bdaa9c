/**
 * Laws of the control socket's bytes and proofs: frames in any pieces, sizes before bytes, proofs of one end for one connection.
 * It never opens a socket; sockets have a test of their own.
 * An end that can be made to prove something for the other one, or for another time, would be an end that anybody can be.
 */
import { Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Commands from "../../plugin/Commands.ts"
import * as Bounds from "../../plugin/control/Bounds.ts"
import * as Carrying from "../../plugin/control/Carrying.ts"
import * as ControlFrame from "../../plugin/control/ControlFrame.ts"
import * as IntentFiles from "../../plugin/control/IntentFiles.ts"
import * as Proof from "../../plugin/control/Proof.ts"
import * as Request from "../../plugin/control/Request.ts"
import * as VerbOptions from "../../plugin/control/VerbOptions.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const key = bytes(32).map((one) => Redacted.make(one))
const nonces = fc.record({ client: bytes(32), node: bytes(32) })
const role = fc.constantFrom<Proof.Role>("node", "client")
const values = fc.array(fc.jsonValue(), { maxLength: 5 })

/** Every frame that comes out, and how much is left. */
const readAll = (pieces: ReadonlyArray<Uint8Array>, bytesMax = 1 << 20) => {
  const reader = ControlFrame.makeReader()
  const frames: Array<unknown> = []
  for (const piece of pieces) {
    reader.feed(piece)
    for (;;) {
      const frame = reader.next(bytesMax)
      if (frame === "too-large") return { frames, left: "too-large" as const }
      if (frame === undefined) break
      frames.push(ControlFrame.decode(frame)?.value)
    }
  }
  return { frames, left: reader.held() }
}

const cut = (whole: Uint8Array, sizes: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  let at = 0
  for (const size of sizes) {
    pieces.push(whole.subarray(at, at + size))
    at += size
  }
  return [...pieces, whole.subarray(at)]
}

describe("frames", () => {
  it("come out as they went in: at once, byte by byte, in any pieces, with the beginning of another behind them", () => {
    fc.assert(
      fc.property(
        values,
        fc.array(fc.nat(40), { maxLength: 30 }),
        fc.uint8Array({ maxLength: 3 }),
        (sent, sizes, more) => {
          const stream = Uint8Array.from(Buffer.concat([...sent.map(ControlFrame.encode), more]))
          const expected = { frames: JSON.parse(JSON.stringify(sent)), left: more.length }
          expect(readAll([stream])).toEqual(expected)
          expect(readAll([...stream].map((one) => Uint8Array.of(one)))).toEqual(expected)
          expect(readAll(cut(stream, sizes))).toEqual(expected)
        }
      )
    )
  })
  it("are refused by their length alone, before a byte of them is there", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 0xffff_ffff }), fc.nat(2_000), (length, bytesMax) => {
        const head = Buffer.alloc(4)
        head.writeUInt32BE(length)
        expect(readAll([head], bytesMax).left).toBe(length > bytesMax ? "too-large" : 4)
      })
    )
  })
  it("are no value where they are not one JSON value in valid UTF-8", () => {
    const not = [
      Uint8Array.of(),
      Uint8Array.of(0xff),
      Buffer.from("{} {}"),
      Buffer.from("{"),
      Uint8Array.of(0x22, 0xc3, 0x28, 0x22)
    ]
    for (const one of not) expect(ControlFrame.decode(one)).toBeUndefined()
  })
})

describe("proofs", () => {
  it("hold for the end, the connection and the key they were made for, and for nothing else", () => {
    fc.assert(
      fc.property(key, key, nonces, nonces, role, role, (a, b, one, other, by, to) => {
        const proof = Proof.prove(a, by, one)
        const isSame = (x: Uint8Array, y: Uint8Array) => Buffer.from(x).equals(y)
        const isSameKey = isSame(Redacted.value(a), Redacted.value(b))
        const isSameNonces = isSame(one.client, other.client) && isSame(one.node, other.node)
        expect(Proof.holds(a, by, one, proof)).toBe(true)
        expect(Proof.holds(b, to, other, proof)).toBe(isSameKey && isSameNonces && by === to)
        expect(Proof.holds(a, by === "node" ? "client" : "node", one, proof)).toBe(false)
        expect(Proof.holds(a, by, { client: one.node, node: one.client }, proof)).toBe(isSame(one.client, one.node))
      })
    )
  })
  it("fail with any bit changed, missing or added", () => {
    fc.assert(
      fc.property(key, nonces, role, fc.nat(255), (k, one, by, bit) => {
        const proof = Proof.prove(k, by, one)
        const spoiled = proof.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
        for (const bad of [spoiled, proof.subarray(1), Uint8Array.from([...proof, 0]), Uint8Array.of()]) {
          expect(Proof.holds(k, by, one, bad)).toBe(false)
        }
      })
    )
  })
  it("and first frames are read as they were written, in this version only", () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), (nonce, proof) => {
        expect(Proof.readHello(Proof.hello(nonce))).toEqual(nonce)
        expect(Proof.readWelcome(Proof.welcome(nonce, proof))).toEqual({ nonce, proof })
        expect(Proof.readAnswer(Proof.answer(proof))).toEqual(proof)
        expect(Proof.readHello({ ...Proof.hello(nonce), v: 2 })).toBeUndefined()
        expect(Proof.readWelcome({ ...Proof.welcome(nonce, proof), v: 0 })).toBeUndefined()
        expect(Proof.readHello({ v: 1, nonce: `${Proof.hello(nonce).nonce}=` })).toBeUndefined()
      })
    )
  })
  it("are no value of anything else", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect([Proof.readHello(value), Proof.readWelcome(value), Proof.readAnswer(value)]).toEqual([
          undefined,
          undefined,
          undefined
        ])
      })
    )
  })
})

describe("requests", () => {
  const good = [
    { v: 1, id: 0, kind: "line", line: "/friends" },
    { v: 1, id: 1, kind: "command", name: "message", rest: "@bob hi", waitMs: 1_000 },
    { v: 1, id: 2, kind: "wait", message: "abcd", waitMs: Bounds.waitMsMax },
    { v: 1, id: 3, kind: "describe" }
  ]
  it("of this version are read", () => {
    for (const one of good) expect(Request.read(one)).toEqual(one)
  })
  it("of another version, kind or shape are none", () => {
    const bad: ReadonlyArray<unknown> = [
      ...good.map((one) => ({ ...one, v: 2 })),
      ...good.map((one) => ({ ...one, id: -1 })),
      ...good.map((one) => ({ ...one, kind: "shell" })),
      { ...good[0], line: 7 },
      { ...good[1], name: "../message" },
      { ...good[1], waitMs: Bounds.waitMsMax + 1 },
      { ...good[2], message: "abc" },
      { ...good[2], waitMs: Number.NaN },
      null,
      [],
      "line"
    ]
    for (const one of bad) expect(Request.read(one)).toBeUndefined()
  })
})

describe("bounds", () => {
  it.each(Bounds.relations.map(({ holds, why }) => [why, holds] as const))("relation: %s", (_, holds) => {
    expect(holds).toBe(true)
  })
})

describe("verbs", () => {
  it("are the commands of the table, and their help names every one", () => {
    const help = VerbOptions.help()
    for (const { name } of Commands.table) {
      expect(VerbOptions.isVerb(name)).toBe(true)
      expect(help).toMatch(new RegExp(`^  ${name}\\b`, "m"))
      expect(VerbOptions.helpOf(name)).toContain(`wopr-p2p ${name}`)
    }
    for (const { name } of VerbOptions.verbs) expect(VerbOptions.helpOf(name)).not.toBe(help)
    expect(VerbOptions.isVerb("pigeon")).toBe(false)
  })
  it("take times and ids within their bounds only", () => {
    const read = (given: VerbOptions.Given, verb = "message") => VerbOptions.read(verb, { data: "/tmp/x", ...given })
    expect(read({ wait: true })).toMatchObject({ waitMs: 60_000 })
    expect(read({ wait: true, timeout: "5" })).toMatchObject({ waitMs: 5_000 })
    expect(read({}, "wait")).toMatchObject({ waitMs: 60_000 })
    expect(read({})).not.toHaveProperty("waitMs")
    for (const bad of [
      { timeout: "5" },
      { wait: true, timeout: "0" },
      { wait: true, timeout: "1e3" },
      { wait: true, timeout: "9999" },
      { id: "12" }
    ]) {
      expect(read(bad)).toHaveProperty("mistake")
    }
  })
  it("say of an intent what it is about, and never its text", () => {
    expect(IntentFiles.whatOf("/message @bob the secret plan")).toBe("/message @bob")
    expect(IntentFiles.whatOf("/auto-accept add *")).toBe("/auto-accept")
    expect(IntentFiles.whatOf("/message bob the secret plan")).toBe("/message")
  })
  it("wait for what a message or inject comes to, and for nothing else", () => {
    const parse = (line: string) => Commands.parse(line, { channel: "room:lobby" })
    const waitable = Commands.table
      .filter(({ name }) => Carrying.seenIn(parse(`/${name} @bob text`)) !== undefined)
      .map(({ name }) => name)
    expect(waitable).toEqual(["message", "inject"])
  })
})
