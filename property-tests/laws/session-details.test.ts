/**
 * What the session room says when it refuses, and the edges of what it takes: lengths, turns, fields and their bindings.
 * The laws of sessions look at codes, as a peer hears them; here are the details that only an operator reads.
 * Small faults put into the room by a machine chose these cases: each of them lived before.
 */
import { Redacted, Result } from "effect"
import { describe, expect, it } from "vitest"
import { utf8 } from "../../core/bytes/Bytes.ts"
import { Base64url, type Frame, Handshake, type Keys, Opening, type Rejection, Seal } from "../../core/index.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import * as Preface from "../../core/session/Preface.ts"
import * as Proof from "../../core/session/Proof.ts"
import { entropyOf, keysOf, sodium } from "../arbitraries/keys.ts"
import { begin, deliver, nowMs, pairOf, sessionsOf, settle } from "../arbitraries/sessions.ts"

const saidBy = (result: Result.Result<unknown, Rejection.Rejection>) =>
  Result.isFailure(result) ? [result.failure.code, result.failure.detail] : ["none", ""]

describe("the payload that proves who holds a static key", () => {
  const plain = keysOf(1)
  const withRecovery: Keys.LocalKeys = { ...plain, recoveryCommitment: Base64url.encode(entropyOf("commitment", 1)) }
  const swarmKey = sodium.ed25519PublicKey(plain.swarmSeed)
  const hash = entropyOf("hash", 1)
  const written = (keys = withRecovery, choice: Proof.VersionChoice | undefined = undefined) =>
    JSON.parse(new TextDecoder().decode(Proof.write(sodium, keys, swarmKey, "initiator", hash, choice)))
  const read = (payload: unknown, staticKey: Uint8Array = plain.agreementKey) =>
    Proof.read(sodium, "initiator", hash, staticKey, utf8(JSON.stringify(payload)))

  it("carries the commitment to a recovery key, signed, or none", () => {
    expect(Result.getOrThrow(read(written())).proof.value.recovery).toBe(withRecovery.recoveryCommitment)
    expect(Object.keys(written(plain))).not.toContain("recovery")
    expect(Result.getOrThrow(read(written(plain))).proof.value.recovery).toBeUndefined()
    const other = Base64url.encode(entropyOf("another", 1))
    expect(saidBy(read({ ...written(), recovery: other }))[0]).toBe("proof-invalid")
    expect(saidBy(read({ ...written(), recovery: undefined }))[0]).toBe("proof-invalid")
    expect(saidBy(read({ ...written(plain), recovery: other }))[0]).toBe("proof-invalid")
  })
  it("says what of it cannot be read", () => {
    const bytes = (payload: Uint8Array) => saidBy(Proof.read(sodium, "initiator", hash, plain.agreementKey, payload))
    expect(bytes(Uint8Array.of(0xff, 0xfe))).toEqual(["proof-invalid", "not text"])
    expect(bytes(utf8("no JSON"))).toEqual(["proof-invalid", "shape"])
    const payload = written()
    for (const field of ["identity", "swarm", "signature"]) {
      for (const value of [`A${payload[field]}`, `${payload[field]}A`, payload[field].slice(1), `=${payload[field]}`]) {
        expect(saidBy(read({ ...payload, [field]: value })), field).toEqual(["proof-invalid", "shape"])
      }
    }
    // 43 characters hold two bits more than 32 bytes; set, they are another spelling of the same key.
    const stray = (text: string) => `${text.slice(0, -1)}${text.endsWith("B") ? "C" : "B"}`
    expect(saidBy(read({ ...payload, recovery: stray(payload.recovery) }))).toEqual(["proof-invalid", "recovery"])
    expect(saidBy(read({ ...payload, swarm: stray(payload.swarm) }))).toEqual(["proof-invalid", "key"])
    expect(saidBy(read(payload, plain.agreementKey.subarray(1)))).toEqual(["proof-invalid", "key"])
  })
  it("holds a choice of version only with both of its halves", () => {
    const choice = { versions: [3], version: 3 }
    expect(Result.getOrThrow(read(written(plain, choice))).choice).toEqual(choice)
    const half = (part: Partial<Proof.VersionChoice>) =>
      Result.getOrThrow(read(written(plain, part as Proof.VersionChoice))).choice
    expect(half({ versions: [3] })).toBeUndefined()
    expect(half({ version: 3 })).toBeUndefined()
  })
})

describe("a handshake", () => {
  const prologue = utf8("the same for both")
  const startOf = (role: Handshake.Role, seed: number) =>
    Handshake.start(
      sodium,
      role,
      prologue,
      { scalar: keysOf(seed).agreementScalar, publicKey: keysOf(seed).agreementKey },
      Handshake.keyPair(sodium, entropyOf(role, seed))
    )
  const nothing = () => new Uint8Array(0)
  const write = (state: Handshake.Handshake) => Result.getOrThrow(Handshake.write(sodium, state, nothing))
  const read = (state: Handshake.Handshake, bytes: Uint8Array) => Handshake.read(sodium, state, bytes)
  const first = write(startOf("initiator", 1))
  const atResponder = Result.getOrThrow(read(startOf("responder", 2), first.bytes)).state
  const second = write(atResponder)
  const atInitiator = Result.getOrThrow(read(first.state, second.bytes)).state
  const third = write(atInitiator)
  const done = Result.getOrThrow(read(second.state, third.bytes)).state

  it("says whether a message came out of turn, short, altered, or under a key that agrees to nothing", () => {
    const said = (state: Handshake.Handshake, bytes: Uint8Array) => saidBy(read(state, bytes))
    expect(said(startOf("initiator", 1), first.bytes)).toEqual(["handshake-failed", "out of turn"])
    for (const over of [done, third.state]) {
      expect(said(over, third.bytes)).toEqual(["handshake-failed", "out of turn"])
      expect(Handshake.isOurTurn(over)).toBe(false)
    }
    expect(said(startOf("responder", 2), first.bytes.subarray(1))).toEqual(["handshake-failed", "key"])
    expect(said(first.state, second.bytes.subarray(0, 79))).toEqual(["handshake-failed", "key"])
    const last = second.bytes.length - 1
    const altered = second.bytes.map((byte, index) => (index === last ? byte ^ 1 : byte))
    expect(said(first.state, altered)).toEqual(["handshake-failed", "payload"])
    const zeros = new Uint8Array(32)
    const toZeros = Result.getOrThrow(read(startOf("responder", 2), zeros)).state
    expect(saidBy(Handshake.write(sodium, toZeros, nothing))).toEqual(["handshake-failed", "degenerate key"])
    expect(said(first.state, new Uint8Array(second.bytes.length))).toEqual(["handshake-failed", "degenerate key"])
  })
  it("gives its secrets after the last message, never before", () => {
    for (const early of [startOf("initiator", 1), first.state, atResponder, second.state, atInitiator])
      expect(Handshake.finish(sodium, early)).toBeUndefined()
    const [ours, theirs] = [Handshake.finish(sodium, third.state)!, Handshake.finish(sodium, done)!]
    expect(Redacted.value(ours.sendKey)).toEqual(Redacted.value(theirs.receiveKey))
  })
  it("keeps nothing of the bytes it was given: a transport may use them again", () => {
    const lent = first.bytes.slice()
    const { state } = Result.getOrThrow(read(startOf("responder", 2), lent))
    lent.fill(0)
    expect(write(state).bytes).toEqual(second.bytes)
  })
  it("prints no key, but what kind of key it is", () => {
    expect(String(KeySchedule.secret(entropyOf("key", 1)))).toBe("<redacted:session key>")
    expect(String(Handshake.keyPair(sodium, entropyOf("key", 1)).scalar)).toBe("<redacted:ephemeral scalar>")
  })
})

describe("an opening", () => {
  const { initiator, responder } = pairOf(1)
  const accepting = (frame: Frame.Frame) => saidBy(Opening.receive(Opening.accept(responder), frame, nowMs))
  it("refuses in the clear with a code alone, and says who refused", () => {
    expect(Opening.rejectFrame("no-common-version")).toEqual({ type: "reject", body: utf8("no-common-version") })
    expect(accepting(Opening.rejectFrame("no-common-version"))).toEqual(["no-common-version", "said by the far end"])
    expect(accepting({ type: "preface", body: Preface.encode([1, 2]) })).toEqual(["no-common-version", "offered 1, 2"])
    expect(accepting({ type: "preface", body: utf8("nonsense") })).toEqual(["frame-malformed", "preface"])
  })
  it("takes sixteen versions in an offer, not one more", () => {
    const offer = (count: number) => Array.from({ length: count }, (_, index) => index + 1)
    expect(Preface.decode(Preface.encode(offer(16)))).toEqual(Result.succeed(offer(16)))
    expect(saidBy(Preface.decode(Preface.encode(offer(17))))).toEqual(["frame-malformed", "preface"])
  })
  it("says that the far end's transport key is another than the proof's", () => {
    const elsewhere = { ...initiator, remoteSwarmKey: entropyOf("another", 1) }
    const { initiator: end } = settle(begin({ initiator: elsewhere, responder }))
    expect([end.refusal?.code, end.refusal?.detail]).toEqual(["proof-invalid", "transport key differs"])
    expect(deliver(begin({ initiator, responder })).responder.refusal).toBeUndefined()
  })
  it("says of a record out of order that it is its counter", () => {
    const { initiator: ours, responder: theirs } = sessionsOf({ initiator, responder })
    // A record without its frame's length and type.
    const sealed = Seal.seal(sodium, ours.send, nowMs, utf8("one"))
    const again = Seal.seal(sodium, sealed.direction, nowMs, utf8("two"))
    expect(saidBy(Seal.open(sodium, theirs.peer, theirs.receive, nowMs, again.bytes.subarray(5)))).toEqual([
      "record-forged",
      "counter"
    ])
  })
})
