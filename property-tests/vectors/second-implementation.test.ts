/**
 * PROTOCOL.md put to the test: an implementation that follows it and shares no code reads, verifies and remakes the vectors.
 * Neither it nor this test imports anything of the project but the vectors' file; the first test sees to that.
 * Making the same bytes again is asserted beside reading them, because a lenient reader proves nothing.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { comparison, fingerprint, fromBase64url, nameOf, peerId, swarmSeed, topic, transcript } from "./second/Bytes.ts"
import * as Handshake from "./second/Handshake.ts"
import * as Line from "./second/Line.ts"
import * as Sealing from "./second/Sealing.ts"
import * as Signature from "./second/Signature.ts"

interface Actor {
  readonly name: string
  readonly identitySeed: string
  readonly identityKey: string
  readonly agreementScalar: string
  readonly agreementKey: string
  readonly swarmSeed: string
  readonly swarmKey: string
  readonly ephemeralScalar: string
  readonly ephemeralKey: string
  readonly peerId: string
  readonly topic: string
}
interface SignedLine {
  readonly tsMs: number
  readonly statement: string
  readonly signature: string
  readonly line: string
}
interface Vectors {
  readonly actors: { readonly alice: Actor; readonly bob: Actor }
  readonly base64url: ReadonlyArray<{ readonly spelling: string; readonly bytes: string | null }>
  readonly transcripts: ReadonlyArray<{
    readonly label: string
    readonly fields: ReadonlyArray<{ readonly bytes: string } | { readonly value: string | number }>
    readonly encoded: string
  }>
  readonly names: ReadonlyArray<{ readonly typed: string; readonly name: string | null }>
  readonly identityKeys: ReadonlyArray<{ readonly what: string; readonly key: string; readonly valid: boolean }>
  readonly signatures: ReadonlyArray<{
    readonly what: string
    readonly key: string
    readonly message: string
    readonly signature: string
    readonly valid: boolean
  }>
  readonly fingerprint: unknown
  readonly lines: {
    readonly request: SignedLine
    readonly accept: SignedLine
    readonly readings: ReadonlyArray<{ readonly what: string; readonly posted: string; readonly reads: string }>
  }
  readonly comparison: Readonly<Record<string, string>>
  readonly handshake: Readonly<Record<string, string>>
  readonly records: ReadonlyArray<{
    readonly from: "initiator" | "responder"
    readonly epoch: number
    readonly counter: number
    readonly key: string
    readonly bodies: ReadonlyArray<string>
    readonly signatures: ReadonlyArray<string | null>
    readonly plaintext: string
    readonly frame: string
  }>
  readonly messageSignature: {
    readonly stream: string
    readonly number: number
    readonly body: string
    readonly statement: string
    readonly signature: string
  }
}

const vectors: Vectors = JSON.parse(readFileSync(join(import.meta.dirname, "own.json"), "utf8"))
const { alice, bob } = vectors.actors
const hex = (text: string | undefined): Buffer => Buffer.from(text ?? "", "hex")

/** `import … from`, `export … from`, the last line of a long import, a bare import, and `import(…)`. */
const imports = /^(?:(?:import|export)\b[^"=]*\bfrom |\} from |import )"([^"]+)"|\bimport\(\s*"([^"]+)"/gm

/** What an actor brings to a link with the other. */
const sideOf = (actor: Actor, far: Actor): Handshake.Side => ({
  identitySeed: hex(actor.identitySeed),
  identityKey: hex(actor.identityKey),
  agreementScalar: hex(actor.agreementScalar),
  ephemeralScalar: hex(actor.ephemeralScalar),
  transportKey: hex(actor.swarmKey),
  remoteTransportKey: hex(far.swarmKey),
  prologue: Handshake.prologue(
    Sealing.unframe(hex(vectors.handshake["prefaceFrame"])).body,
    hex(vectors.handshake["binding"])
  )
})
const bodyOf = (name: string): Buffer => Sealing.unframe(hex(vectors.handshake[name])).body
const framed = (body: Buffer): string => Sealing.frame(Sealing.types.handshake, body).toString("hex")

describe("the second implementation", () => {
  it("imports node's own modules and itself, nothing of the project", () => {
    const folder = join(import.meta.dirname, "second")
    const files = [...readdirSync(folder).map((name) => join(folder, name)), import.meta.filename]
    const imported = files.flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(imports)].map((match) => match[1] ?? match[2] ?? "")
    )
    expect(imported.length).toBeGreaterThan(files.length)
    expect(
      imported.filter((name) => !/^(?:node:[a-z]+|\.\/[A-Z]\w+\.ts|\.\/second\/\w+\.ts|vitest)$/.test(name))
    ).toEqual([])
  })

  it("spells base64url and encodes transcripts", () => {
    for (const { bytes, spelling } of vectors.base64url)
      expect(fromBase64url(spelling)?.toString("hex") ?? null, spelling).toBe(bytes)
    for (const { encoded, fields, label } of vectors.transcripts)
      expect(
        transcript(
          label,
          fields.map((field) => ("bytes" in field ? hex(field.bytes) : field.value))
        ).toString("hex")
      ).toBe(encoded)
  })

  it("derives what follows from keys", () => {
    for (const actor of [alice, bob]) {
      const identityKey = hex(actor.identityKey)
      expect(Signature.publicKey(hex(actor.identitySeed)).toString("hex")).toBe(actor.identityKey)
      expect(Handshake.agreementKey(hex(actor.agreementScalar)).toString("hex")).toBe(actor.agreementKey)
      expect(swarmSeed(hex(actor.identitySeed)).toString("hex")).toBe(actor.swarmSeed)
      expect(Signature.publicKey(hex(actor.swarmSeed)).toString("hex")).toBe(actor.swarmKey)
      expect(peerId(identityKey)).toBe(actor.peerId)
      expect(topic(identityKey).toString("hex")).toBe(actor.topic)
    }
    expect(fingerprint(hex(alice.identityKey), hex(bob.identityKey))).toEqual(vectors.fingerprint)
    expect(fingerprint(hex(bob.identityKey), hex(alice.identityKey))).toEqual(vectors.fingerprint)
  })

  it("comes to the same commitment and the same short string", () => {
    const { commitment, handshakeHash, id, initiatorNonce, number, responderNonce, words } = vectors.comparison
    const fields = [id!, hex(alice.identityKey), hex(bob.identityKey), hex(handshakeHash!)] as const
    expect(comparison(fields, hex(initiatorNonce!), hex(responderNonce!))).toEqual({ commitment, words, number })
  })

  it("admits the same keys, signatures and names", () => {
    for (const { key, valid, what } of vectors.identityKeys) expect(Signature.isValidKey(hex(key)), what).toBe(valid)
    for (const { key, message, signature, valid, what } of vectors.signatures)
      expect(Signature.isValid(hex(key), hex(message), hex(signature)), what).toBe(valid)
    for (const { name, typed } of vectors.names) expect(nameOf(typed) ?? null, JSON.stringify(typed)).toBe(name)
  })

  it("signs and prints friend lines, and reads them however a channel mangled them", () => {
    const { accept, readings, request } = vectors.lines
    const remake = (kind: Line.Kind, from: Actor, to: Actor, given: SignedLine, more: Record<string, string>) => {
      const fields = {
        to: to.name,
        from: from.name,
        pubkey: hex(from.identityKey).toString("base64url"),
        encryptPub: hex(from.agreementKey).toString("base64url"),
        ts: String(given.tsMs),
        ...more
      }
      expect(transcript(...Line.signed(kind, fields)).toString("hex")).toBe(given.statement)
      const signature = Signature.sign(hex(from.identitySeed), ...Line.signed(kind, fields))
      expect(signature.toString("hex")).toBe(given.signature)
      expect(Line.print(kind, { ...fields, sig: signature.toString("base64url") })).toBe(given.line)
    }
    remake("request", alice, bob, request, {})
    remake("accept", bob, alice, accept, { requestSig: hex(request.signature).toString("base64url") })
    for (const { posted, reads, what } of readings) expect(Line.read(posted), what).toBe(reads)
    expect(new Set(readings.map(({ reads }) => reads)).size).toBeGreaterThan(5)
  })

  it("opens a link as initiator, byte for byte", () => {
    const { handshake } = vectors
    const side = sideOf(alice, bob)
    expect(side.prologue.toString("hex")).toBe(handshake["prologue"])
    const prefaced = Sealing.frame(Sealing.types.preface, Handshake.preface([3]))
    expect(prefaced.toString("hex")).toBe(handshake["prefaceFrame"])
    expect(framed(Handshake.message1(side))).toBe(handshake["message1Frame"])
    const third = Handshake.message3(side, bodyOf("message2Frame"))
    expect(third.proven.payload).toBe(handshake["message2Payload"])
    expect(third.proven.proofHash.toString("hex")).toBe(handshake["message2ProofHash"])
    expect(third.proven.identityKey.toString("hex")).toBe(bob.identityKey)
    expect(third.proven.staticKey.toString("hex")).toBe(bob.agreementKey)
    expect(framed(third.bytes)).toBe(handshake["message3Frame"])
    expect(third.keys.handshakeHash.toString("hex")).toBe(handshake["handshakeHash"])
    expect(third.keys.initiatorKey.toString("hex")).toBe(handshake["initiatorKey"])
    expect(third.keys.responderKey.toString("hex")).toBe(handshake["responderKey"])
  })

  it("opens a link as responder, byte for byte", () => {
    const { handshake } = vectors
    const second = Handshake.message2(sideOf(bob, alice), bodyOf("message1Frame"))
    expect(framed(second.bytes)).toBe(handshake["message2Frame"])
    const { keys, proven } = second.last(bodyOf("message3Frame"))
    expect(proven.payload).toBe(handshake["message3Payload"])
    expect(proven.proofHash.toString("hex")).toBe(handshake["message3ProofHash"])
    expect(proven.identityKey.toString("hex")).toBe(alice.identityKey)
    expect(proven.staticKey.toString("hex")).toBe(alice.agreementKey)
    expect(keys.handshakeHash.toString("hex")).toBe(handshake["handshakeHash"])
    expect(keys.initiatorKey.toString("hex")).toBe(handshake["initiatorKey"])
    expect(keys.responderKey.toString("hex")).toBe(handshake["responderKey"])
  })

  it("refuses an opening whose transport key or channel binding is another", () => {
    const message = bodyOf("message2Frame")
    const side = sideOf(alice, bob)
    expect(() => Handshake.message3({ ...side, remoteTransportKey: hex(alice.swarmKey) }, message)).toThrow(
      "proof-invalid"
    )
    const elsewhere = Handshake.prologue(Handshake.preface([3]), Buffer.alloc(64))
    expect(() => Handshake.message3({ ...side, prologue: elsewhere }, message)).toThrow()
  })

  it("opens and remakes the records of both directions, across a rekey", () => {
    const { keys } = Handshake.message3(sideOf(alice, bob), bodyOf("message2Frame"))
    const seeds = { initiator: hex(alice.identitySeed), responder: hex(bob.identitySeed) }
    const publicKeys = { initiator: hex(alice.identityKey), responder: hex(bob.identityKey) }
    const reading = { initiator: Sealing.begin(keys.initiatorKey), responder: Sealing.begin(keys.responderKey) }
    const writing = { ...reading }
    for (const { bodies, counter, epoch, frame, from, key, plaintext, signatures } of vectors.records) {
      const opened = Sealing.openRecord(reading[from], hex(frame))
      reading[from] = opened.direction
      expect(opened.plaintext.toString("hex")).toBe(plaintext)
      const envelopes = Sealing.unpack(opened.plaintext)
      expect(envelopes.map(({ body }) => body.toString())).toEqual(bodies)
      expect(envelopes.map(({ signature }) => signature?.toString("hex") ?? null)).toEqual(signatures)
      for (const envelope of envelopes.filter(({ signature }) => signature !== undefined)) {
        expect(Sealing.messageHolds(publicKeys[from], keys.handshakeHash, from, envelope)).toBe(true)
        const other = from === "initiator" ? "responder" : "initiator"
        expect(Sealing.messageHolds(publicKeys[from], keys.handshakeHash, other, envelope)).toBe(false)
      }
      if (epoch > writing[from].epoch) writing[from] = Sealing.rekeyed(writing[from])
      expect([writing[from].epoch, writing[from].counter, writing[from].key.toString("hex")]).toEqual([
        epoch,
        counter,
        key
      ])
      const remade = bodies.map((body, index) => ({
        body: Buffer.from(body),
        signature:
          signatures[index] === null
            ? undefined
            : Sealing.signMessage(seeds[from], keys.handshakeHash, from, Buffer.from(body))
      }))
      const sealed = Sealing.sealRecord(writing[from], Sealing.pack(remade))
      writing[from] = sealed.direction
      expect(sealed.bytes.toString("hex")).toBe(frame)
    }
    expect([reading.initiator.epoch, reading.responder.epoch]).toEqual([1, 1])
    expect(vectors.records.flatMap(({ signatures }) => signatures).filter((one) => one !== null)).toHaveLength(2)
  })

  it("refuses a record that is repeated, skipped ahead, altered or of a far epoch", () => {
    const [first, second] = vectors.records.filter(({ from }) => from === "initiator")
    const direction = Sealing.begin(hex(first?.key))
    const after = Sealing.openRecord(direction, hex(first?.frame)).direction
    expect(() => Sealing.openRecord(after, hex(first?.frame))).toThrow("record-forged")
    expect(() => Sealing.openRecord(direction, hex(second?.frame))).toThrow("record-forged")
    const altered = hex(second?.frame)
    altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1
    expect(() => Sealing.openRecord(after, altered)).toThrow("record-forged")
    expect(() => Sealing.openRecord({ ...after, epoch: 2 }, hex(second?.frame))).toThrow("epoch-out-of-range")
  })

  it("finds the statement that a message's own signature covers", () => {
    const { body, number, signature, statement, stream } = vectors.messageSignature
    const fields = [hex(vectors.handshake["handshakeHash"]), "initiator", stream, number, Buffer.from(body)]
    expect(transcript("wop/3 message", fields).toString("hex")).toBe(statement)
    expect(Signature.holds(hex(alice.identityKey), "wop/3 message", fields, hex(signature))).toBe(true)
  })
})
