/**
 * Readers of what comes over a link: frames, the opening from either side, proofs, histories, records and messages.
 * It never fakes a seal: what is inside one is sealed by the honest far end, so that mutations reach what is behind it.
 * Keys and entropy are fixed, so that an input means the same in every run.
 */
import { Result, Schema } from "effect"
import fc from "fast-check"
import { Base64url, Codec, Frame, KeyHistory, Keys, Limits, Link, Rotation, Seal } from "../../core/index.ts"
import * as Talk from "../../core/node/Talk.ts"
import * as Writer from "../../core/node/Writer.ts"
import * as Preface from "../../core/session/Preface.ts"
import * as Proof from "../../core/session/Proof.ts"
import { agreementOf, entropyOf, identityOf, keysOf, seeded, sodium } from "../arbitraries/keys.ts"
import { begin, deliver, nowMs, pairOf, sessionsOf } from "../arbitraries/sessions.ts"
import { message } from "../arbitraries/state.ts"
import type { Chance } from "../simulation/Chance.ts"
import { demand, type Reading, refused, type Target, value } from "./Target.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat(parts))

/** Any message of the protocol, by a number. */
const someMessage = (luck: Chance) => fc.sample(message, { numRuns: 1, seed: luck.whole(0, 2 ** 30) })[0]!

const readFrames = (pieces: ReadonlyArray<Uint8Array>): Reading => {
  let reader = Frame.reader
  const frames: Array<unknown> = []
  for (const piece of pieces) {
    reader = Frame.push(reader, piece)
    for (;;) {
      const next = Frame.next(reader, Limits.openingFrameBytesMax)
      reader = next.reader
      if (next.rejection !== undefined) return refused(next.rejection.code)
      if (next.frame === undefined) break
      frames.push(next.frame)
    }
    demand(reader.waiting <= Limits.openingFrameBytesMax + 5, "more is held than one frame can have")
  }
  return value({ frames, waiting: reader.waiting })
}

const frame: Target = {
  name: "frame",
  says: "bytes of a link into frames",
  samples: (luck) =>
    joined(
      ...Array.from({ length: luck.whole(1, 4) }, () =>
        Frame.encode({
          type: luck.pick(["preface", "handshake", "record", "reject"] as const),
          body: new Uint8Array(luck.pick([0, 1, 30, 300]))
        })
      )
    ),
  words: ["\u0001", "\u0002", "\u0003", "\u0004", "{", "\u0000\u0000\u0000"],
  read: (input) => readFrames([input]),
  readPieces: readFrames
}

const pair = pairOf(1)
const openingTalk = (role: "initiator" | "responder"): Talk.Talk =>
  role === "responder"
    ? Talk.accept(pair.responder, "fuzz")
    : Result.getOrThrow(Talk.dial(pair.initiator, "fuzz", [{ key: identityOf(pair.responder.keys) }])).talk

const readTalk = (start: Talk.Talk, pieces: ReadonlyArray<Uint8Array>): Reading => {
  let talk = start
  const heard: Array<unknown> = []
  for (const piece of pieces) {
    talk = Talk.push(talk, piece)
    for (;;) {
      const next = Talk.next(talk, nowMs)
      if (Result.isFailure(next)) return refused(next.failure.code)
      if (next.success === undefined) break
      talk = next.success.talk
      heard.push(...next.success.inputs.map((input) => input.message.value), ...next.success.send)
    }
  }
  return value({ heard, isOpen: talk.session !== undefined, waiting: talk.reader.waiting })
}

/** What an honest far end says in an opening: to the responder preface, message 1 and 3; to the initiator message 2. */
const honest = ((): Readonly<Record<"initiator" | "responder", Uint8Array>> => {
  const said: Record<"initiator" | "responder", Uint8Array> = { initiator: bytes(""), responder: bytes("") }
  for (let moment = begin(pair); moment.underWay.length > 0; moment = deliver(moment)) {
    const { bytes: under, to } = moment.underWay[0]!
    said[to] = joined(said[to], under)
  }
  return said
})()

const opening = (role: "initiator" | "responder"): Target => ({
  name: `opening-${role}`,
  says: `what the far end of a link says to the ${role} before there is a session`,
  samples: () => honest[role],
  words: ["wop/p2p", "\u0001\u0003", "no-common-version", "{"],
  read: (input) => readTalk(openingTalk(role), [input]),
  readPieces: (pieces) => readTalk(openingTalk(role), pieces)
})

const preface: Target = {
  name: "preface",
  says: "the clear first frame's body into versions",
  samples: (luck) => Preface.encode(luck.pick([[3], [1, 2, 3], [255], [3, 3]])),
  words: ["wop/p2p"],
  read: (input) => {
    const versions = Preface.decode(input)
    return Result.isSuccess(versions) ? value(versions.success) : refused(versions.failure.code)
  },
  refusesTrailing: true
}

const hash = entropyOf("handshake", 1)

/** Somebody who has changed keys a number of times. */
const rotated = (times: number, seed: number): Keys.LocalKeys => {
  let keys = keysOf(seed)
  for (let time = 0; time < times; time++) {
    const made = Rotation.rotate(seeded(sodium, 100 * seed + time), keys, "scheduled", nowMs + time)
    keys = Result.getOrThrow(made).keys
  }
  return keys
}

const holders = [0, 1, 3].map((times) => rotated(times, times + 10))
const swarmOf = (keys: Keys.LocalKeys): Uint8Array => sodium.ed25519PublicKey(keys.swarmSeed)

const proof: Target = {
  name: "proof",
  says: "the payload of a handshake message, with its signature and the history of keys",
  samples: (luck) => {
    const keys = holders[0]!
    const choice = luck.happens(0.5) ? { versions: [3], version: 3 } : undefined
    return Proof.write(sodium, keys, swarmOf(keys), "responder", hash, choice)
  },
  words: ['"history":[', '"recovery":', '"versions":', '"version":', '"signature":"', "null", "{}", "[]"],
  read: (input) => {
    const read = Proof.read(sodium, "responder", hash, holders[0]!.agreementKey, input)
    return Result.isSuccess(read) ? value(read.success.proof.value) : refused(read.failure.code)
  },
  refusesTrailing: true
}

const decodeLinks = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Array(Link.Link)))

const history: Target = {
  name: "history",
  says: "the steps from a key to its successors, as a proof that holds would carry them",
  samples: (luck) => bytes(JSON.stringify(luck.pick(holders).history)),
  words: ['"from":"', '"to":"', '"reason":"compromise"', '"tsMs":', '"oldSignature":"', '"recovery":{"key":"', "[]"],
  read: (input) => {
    const links = decodeLinks(Buffer.from(input).toString())
    if (Result.isFailure(links)) return refused("history-invalid")
    const keys = holders[2]!
    const present = {
      identityKey: identityOf(keys),
      agreementKey: agreementOf(keys),
      swarmKey: Result.getOrThrow(Keys.remoteSwarmKey(Base64url.encode(swarmOf(keys))))
    }
    const read = KeyHistory.verify(sodium, links.success, present)
    return Result.isSuccess(read) ? value(read.success) : refused(read.failure.code)
  }
}

const body: Target = {
  name: "message",
  says: "the body of a message",
  samples: (luck) => Codec.encode(someMessage(luck)),
  words: [
    '"kind":"Log"',
    '"kind":"',
    '"number":',
    '"stream":"',
    '"text":"',
    "__proto__",
    '"toString"',
    "\\ud800",
    "{",
    "null"
  ],
  read: (input) => {
    const read = Codec.decode(input)
    if (Result.isFailure(read)) return refused(read.failure.code)
    const { success } = read
    if (success.kind !== "Unknown" && success.kind !== "Ignored") {
      const again = Codec.decode(Codec.encode(success))
      demand(Result.isSuccess(again) && value(again.success) === value(success), "written again it says something else")
    }
    return value(success)
  },
  refusesTrailing: true
}

const sessions = sessionsOf(pair)
const keysOfInitiator = pair.initiator.keys

/** A record's plaintext as the honest initiator makes it: bodies with their signatures. */
const plaintextOf = (luck: Chance): Uint8Array => {
  const messages = Array.from({ length: luck.whole(1, 3) }, () => ({ message: someMessage(luck) }))
  return Codec.pack(messages.map((one) => Writer.envelope(sodium, keysOfInitiator, sessions.initiator, one)))
}

const envelopes: Target = {
  name: "envelopes",
  says: "an opened record into bodies",
  samples: plaintextOf,
  words: ["\u0000\u0000\u0000", "\u0001", "{"],
  read: (input) => {
    const read = Codec.unpack(input)
    if (Result.isFailure(read)) return refused(read.failure.code)
    demand(Buffer.compare(Codec.pack(read.success), input) === 0, "packed again it is something else")
    return value(read.success)
  },
  refusesTrailing: true
}

const record: Target = {
  name: "record",
  says: "a sealed record of a friend, whatever is in it, read as a node reads it",
  samples: plaintextOf,
  words: body.words,
  read: (input) => readRecord([sealed(input)]),
  // The seal is around the input, so that its pieces are the pieces of a sealed record.
  readPieces: (pieces) => {
    const whole = sealed(joined(...pieces))
    return readRecord(
      pieces.length < 2 ? [whole] : [whole.subarray(0, 7), ...pieces.map(() => new Uint8Array(0)), whole.subarray(7)]
    )
  }
}

const sealed = (plaintext: Uint8Array): Uint8Array => Seal.seal(sodium, sessions.initiator.send, nowMs, plaintext).bytes

const readRecord = (pieces: ReadonlyArray<Uint8Array>): Reading => {
  const { responder } = pair
  const talk = { ...Talk.accept(responder, "fuzz"), opening: undefined, session: sessions.responder }
  return readTalk(talk, pieces)
}

/** All readers of links. */
export const linkTargets: ReadonlyArray<Target> = [
  frame,
  preface,
  opening("responder"),
  opening("initiator"),
  proof,
  history,
  record,
  envelopes,
  body
]
