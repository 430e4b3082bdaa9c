/**
 * The shipped core and the second implementation talk to each other, each in either role, with keys no vector has seen.
 * It never compares bytes: each side must accept what the other made, which is all that two programs ever see of each other.
 * Keys follow from a number, so a failure is repeated by running it again; the number is in the test's name.
 */
import { Redacted, Result } from "effect"
import { describe, expect, it } from "vitest"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import { Base64url, Codec, FriendLine, Keys, Limits, Opening, Seal, Statement } from "../../core/index.ts"
import * as Talk from "../../core/node/Talk.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"
import { sha256 } from "./second/Bytes.ts"
import * as Second from "./second/Handshake.ts"
import * as Line from "./second/Line.ts"
import * as Sealing from "./second/Sealing.ts"
import { publicKey, sign } from "./second/Signature.ts"

const crypto = engineOf(sodium)
const orThrow = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw new Error(JSON.stringify(result.failure))
  return result.success
}

/** Everything both programs need for one link, from a number. */
const worldOf = (number: number) => {
  const draw = (what: string) => sha256(Buffer.from(`interop ${number} ${what}`))
  const keys = Keys.fromDocument(
    crypto,
    Redacted.make(
      JSON.stringify({
        version: 3,
        identitySeed: draw("our seed").toString("base64url"),
        agreementScalar: draw("our scalar").toString("base64url"),
        createdAtMs: 1
      })
    )
  )
  if (keys === undefined) throw new Error("no keys")
  const [ourSwarm, theirSwarm, binding] = [draw("our swarm"), draw("their swarm"), draw("binding")]
  const identitySeed = draw("their seed")
  const ours: Opening.Local = {
    crypto,
    keys,
    swarmKey: ourSwarm,
    binding,
    remoteSwarmKey: theirSwarm,
    entropy: draw("our ephemeral")
  }
  const theirs: Second.Side = {
    identitySeed,
    identityKey: publicKey(identitySeed),
    agreementScalar: draw("their scalar"),
    ephemeralScalar: draw("their ephemeral"),
    transportKey: theirSwarm,
    remoteTransportKey: ourSwarm,
    prologue: Second.prologue(Second.preface([3]), binding)
  }
  return { ours, theirs, keys }
}
type World = ReturnType<typeof worldOf>

/** An open link: our session, and the same as the second implementation has it. */
interface Link {
  readonly session: Seal.Session
  readonly keys: Second.Keys
}

const weDial = ({ ours, theirs }: World): Link => {
  const expected = orThrow(Keys.remoteIdentityKey(crypto, theirs.identityKey.toString("base64url")))
  const dialled = orThrow(Opening.dial(ours, [{ key: expected }]))
  const second = Second.message2(theirs, Buffer.from(dialled.send[1]!.body))
  const replied = orThrow(Opening.receive(dialled.opening!, { type: "handshake", body: second.bytes }, 0))
  const { keys, proven } = second.last(Buffer.from(replied.send[0]!.body))
  expect(proven.identityKey.equals(ours.keys.identityKey)).toBe(true)
  return { session: replied.session!, keys }
}

const theyDial = ({ ours, theirs }: World): Link => {
  const prefaced = Opening.receive(Opening.accept(ours), { type: "preface", body: Second.preface([3]) }, 0)
  const first = { type: "handshake" as const, body: Second.message1(theirs) }
  const answered = orThrow(Opening.receive(orThrow(prefaced).opening!, first, 0))
  const third = Second.message3(theirs, Buffer.from(answered.send[0]!.body))
  const joined = orThrow(Opening.receive(answered.opening!, { type: "handshake", body: third.bytes }, 0))
  expect(third.proven.identityKey.equals(ours.keys.identityKey)).toBe(true)
  return { session: joined.session!, keys: third.keys }
}

const body = Buffer.from(
  JSON.stringify({ later: [1], text: "ü", number: 7, stream: "ab".repeat(16), kind: "Log" }, null, 1)
)

/** Their signed Log to us and ours to them, twice, the second time one epoch on. */
const talk = ({ keys: local, theirs }: World, { keys, session }: Link) => {
  const they = session.role === "initiator" ? "responder" : "initiator"
  let [sending, receiving] = [session.send, session.receive]
  let reading = Sealing.begin(they === "initiator" ? keys.responderKey : keys.initiatorKey)
  let writing = Sealing.begin(they === "initiator" ? keys.initiatorKey : keys.responderKey)
  const numbered = { stream: "ab".repeat(16), number: 7 }
  for (const nowMs of [1, Limits.epochAgeMs]) {
    const signature = Sealing.signMessage(theirs.identitySeed, keys.handshakeHash, they, body)
    const sent = Sealing.sealRecord(writing, Sealing.pack([{ body, signature }]))
    writing = Sealing.rekeyed(sent.direction)
    const opened = orThrow(Seal.open(crypto, session.peer, receiving, nowMs, sent.bytes.subarray(5)))
    receiving = opened.direction
    const [envelope] = orThrow(Codec.unpack(opened.plaintext.value))
    expect(orThrow(Codec.decode(envelope!.body))).toMatchObject({ kind: "Log", text: "ü" })
    const statement = Talk.messageStatement(session, they, numbered, envelope!.body)
    expect(Statement.holds(crypto, session.peer.signer.key, statement, envelope!.signature!)).toBe(true)

    const ours = Talk.messageStatement(session, session.role, numbered, body)
    const packed = Codec.pack([{ body, signature: Statement.sign(crypto, local, ours) }])
    const sealed = Seal.seal(crypto, sending, nowMs, packed)
    sending = sealed.direction
    const heard = Sealing.openRecord(reading, Buffer.from(sealed.bytes))
    reading = heard.direction
    const [said] = Sealing.unpack(heard.plaintext)
    const ourKey = Buffer.from(local.identityKey)
    expect(Sealing.messageHolds(ourKey, keys.handshakeHash, session.role, said!)).toBe(true)
  }
  expect([reading.epoch, receiving.epoch]).toEqual([1, 1])
}

describe("core and the second implementation", () => {
  for (const number of [1, 2, 3, 4]) {
    it(`open a link and talk, dialled by us (${number})`, () => {
      const world = worldOf(number)
      talk(world, weDial(world))
    })
    it(`open a link and talk, dialled by them (${number})`, () => {
      const world = worldOf(number)
      talk(world, theyDial(world))
    })
  }

  it("read each other's friend lines", () => {
    const { keys, theirs } = worldOf(5)
    const fields = {
      to: "ours",
      from: "Zoë",
      pubkey: theirs.identityKey.toString("base64url"),
      encryptPub: Second.agreementKey(theirs.agreementScalar).toString("base64url"),
      ts: "1750000000123"
    }
    const signature = sign(theirs.identitySeed, ...Line.signed("request", fields)).toString("base64url")
    const reading = FriendLine.parse(crypto, Line.print("request", { ...fields, sig: signature }))
    if (reading.kind !== "line") throw new Error(reading.kind)
    expect(orThrow(FriendLine.verify(crypto, reading.line)).value.from).toBe("Zoë")
    const unsigned: FriendLine.Unsigned = {
      kind: "accept",
      to: "Zoë",
      from: "ours",
      pubkey: orThrow(Keys.remoteIdentityKey(crypto, Base64url.encode(keys.identityKey))),
      encryptPub: orThrow(Keys.remoteAgreementKey(Base64url.encode(keys.agreementKey))),
      requestSignature: signature,
      tsMs: 1_750_000_000_456
    }
    const line = { ...unsigned, signature: FriendLine.sign(crypto, keys, unsigned) } as FriendLine.FriendLine
    expect(Line.read(`*${FriendLine.print(line)}*`)).toBe("accept")
  })
})
