/**
 * The project's own test vectors: every byte format of PROTOCOL.md once, from throw-away keys that follow from fixed texts.
 * It never draws randomness or reads a clock: two runs under either engine give the same file, and a test holds it to that.
 * Rewrite the file with `node property-tests/vectors/generate.ts --write`, which is a change of the protocol and looks like one.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Redacted, Result } from "effect"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import { text, utf8 } from "../../core/bytes/Bytes.ts"
import * as Sas from "../../core/friend/Sas.ts"
import {
  Base64url,
  Codec,
  Fingerprint,
  Frame,
  FriendLine,
  Handshake,
  Keys,
  Limits,
  Message,
  Name,
  Opening,
  PeerId,
  Seal,
  Statement,
  Transcript
} from "../../core/index.ts"
import * as Talk from "../../core/node/Talk.ts"
import * as Preface from "../../core/session/Preface.ts"
import { Crypto, type CryptoShape } from "../../ports/Crypto.ts"
import { bytesOf, forge, fromHex, integerOf, order, pointWithTorsion, toHex } from "../conformance/Crypto.hostile.ts"

export const file = join(import.meta.dirname, "own.json")

/** A fixed instant. */
const tsMs = 1_750_000_000_000

const orThrow = <A, E>(result: Result.Result<A, E>): A => {
  if (Result.isFailure(result)) throw new Error(JSON.stringify(result.failure))
  return result.success
}

/** 32 bytes that anybody can compute: SHA-256 of a sentence. */
const entropyOf = (crypto: CryptoShape, what: string) => crypto.sha256(utf8(`wop/3 test vector: ${what}`))

const actorOf = (crypto: CryptoShape, name: string) => {
  const document = JSON.stringify({
    version: 3,
    identitySeed: Base64url.encode(entropyOf(crypto, `${name} identity`)),
    agreementScalar: Base64url.encode(entropyOf(crypto, `${name} agreement`)),
    createdAtMs: tsMs
  })
  const keys = Keys.fromDocument(crypto, Redacted.make(document))
  if (keys === undefined) throw new Error("no keys")
  const identityKey = orThrow(Keys.remoteIdentityKey(crypto, Base64url.encode(keys.identityKey)))
  const agreementKey = orThrow(Keys.remoteAgreementKey(Base64url.encode(keys.agreementKey)))
  const swarmKey = crypto.ed25519PublicKey(keys.swarmSeed)
  return { name, keys, identityKey, agreementKey, swarmKey, ephemeral: entropyOf(crypto, `${name} ephemeral`) }
}
type Actor = ReturnType<typeof actorOf>

const actorVector = (crypto: CryptoShape, { agreementKey, ephemeral, identityKey, keys, name, swarmKey }: Actor) => ({
  name,
  identitySeed: toHex(Redacted.value(keys.identitySeed)),
  identityKey: toHex(keys.identityKey),
  identityText: identityKey,
  agreementScalar: toHex(Redacted.value(keys.agreementScalar)),
  agreementKey: toHex(keys.agreementKey),
  agreementText: agreementKey,
  swarmSeed: toHex(Redacted.value(keys.swarmSeed)),
  swarmKey: toHex(swarmKey),
  ephemeralScalar: toHex(ephemeral),
  ephemeralKey: toHex(Handshake.keyPair(crypto, ephemeral).publicKey),
  peerId: PeerId.of(crypto, identityKey),
  topic: toHex(PeerId.topicOf(crypto, keys.identityKey))
})

const transcripts = () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Transcript.Field>]> = [
    ["wop/3 example", ["hé", 5, new Uint8Array([0, 255])]],
    ["wop/3 swarm key", []],
    ["", ["", new Uint8Array(0), 0, Number.MAX_SAFE_INTEGER]]
  ]
  return cases.map(([label, fields]) => ({
    label,
    fields: fields.map((field) => (field instanceof Uint8Array ? { bytes: toHex(field) } : { value: field })),
    encoded: toHex(Transcript.encode(label, fields))
  }))
}

const base64url = () =>
  ["", "AA", "AAA", "__-_", "AB", "AA==", "A", "AA+A", "AA/A", "A A", "QUJD"].map((spelling) => {
    const decoded = Base64url.decode(spelling)
    return { spelling, bytes: decoded === undefined ? null : toHex(decoded) }
  })

const names = () =>
  [
    "bob",
    "@bob",
    "@@bob",
    "",
    "@",
    "a|b",
    "a b",
    "a\u200bb",
    "a\u202eb",
    "\u00e9",
    "e\u0301",
    "\u0301e",
    "q\u0308\u0308\u0308",
    "q\u0308\u0308\u0308\u0308",
    "\u{1f916}".repeat(64),
    "a".repeat(65),
    "\u2800"
  ].map((typed) => {
    const name = Name.parse(typed)
    return { typed, name: Result.isSuccess(name) ? name.success : null }
  })

const identityKeys = (crypto: CryptoShape, alice: Actor, bob: Actor) => {
  return [
    { what: "alice", key: toHex(alice.keys.identityKey) },
    { what: "bob", key: toHex(bob.keys.identityKey) },
    { what: "the identity", key: `01${"00".repeat(31)}` },
    { what: "order 4", key: "00".repeat(32) },
    { what: "y = p + 1, a second spelling of the identity", key: `ee${"ff".repeat(30)}7f` },
    { what: "the identity with the sign bit", key: `01${"00".repeat(30)}80` },
    { what: "not on the curve", key: `02${"00".repeat(31)}` },
    { what: "on the curve, not of prime order", key: toHex(pointWithTorsion(9n, 1).bytes) },
    { what: "31 bytes", key: toHex(alice.keys.identityKey.subarray(1)) }
  ].map((one) => ({ ...one, valid: crypto.ed25519ValidKey(fromHex(one.key)) }))
}

/** The same signature with S + L: the same point equation, another spelling. */
const unreduced = (signature: Uint8Array): Uint8Array =>
  new Uint8Array([...signature.subarray(0, 32), ...bytesOf(integerOf(signature.subarray(32)) + order)])

/** Signatures on which verifiers are known to disagree, each with what the one rule says. */
const signatures = (crypto: CryptoShape, alice: Actor) => {
  const message = utf8("wop/3")
  const honest = crypto.ed25519Sign(alice.keys.identitySeed, message)
  const [key, twisted] = [pointWithTorsion(9n, 0), pointWithTorsion(9n, 4)]
  const cases = [
    { what: "honest", key: alice.keys.identityKey, signature: honest },
    { what: "S not reduced", key: alice.keys.identityKey, signature: unreduced(honest) },
    { what: "made by hand from points", key: key.bytes, signature: forge(key, pointWithTorsion(7n, 0), message) },
    { what: "R with torsion", key: key.bytes, signature: forge(key, pointWithTorsion(7n, 1), message) },
    { what: "R the identity", key: key.bytes, signature: forge(key, pointWithTorsion(order, 0), message) },
    { what: "a key with torsion", key: twisted.bytes, signature: forge(twisted, pointWithTorsion(7n, 0), message) }
  ]
  return cases.map(({ key, signature, what }) => ({
    what,
    key: toHex(key),
    message: toHex(message),
    signature: toHex(signature),
    valid: crypto.ed25519Verify(key, message, signature)
  }))
}

const statementHex = (purpose: Statement.Purpose, fields: ReadonlyArray<Transcript.Field>) =>
  toHex(Transcript.encode(Statement.labels[purpose], fields))

/** A request of alice's and bob's acceptance, as signed, as posted, and as chat software hands them on. */
const lines = (crypto: CryptoShape, alice: Actor, bob: Actor) => {
  const common = (from: Actor, to: Actor, at: number) => ({
    to: to.name,
    from: from.name,
    pubkey: from.identityKey,
    encryptPub: from.agreementKey,
    tsMs: at
  })
  const asked = { kind: "request" as const, ...common(alice, bob, tsMs) }
  const requestSignature = FriendLine.sign(crypto, alice.keys, asked)
  const answered = { kind: "accept" as const, ...common(bob, alice, tsMs + 60_000), requestSignature }
  const acceptSignature = FriendLine.sign(crypto, bob.keys, answered)
  const request = FriendLine.print({ ...asked, signature: requestSignature })
  const accept = FriendLine.print({ ...answered, signature: acceptSignature })
  const signature = toHex(Base64url.decode(requestSignature)!)
  const misspelled = Base64url.encode(unreduced(Base64url.decode(requestSignature)!))
  const readings = [
    ["as posted", request],
    ["quoted in a code span", `> \`${request}\``],
    ["code block and CRLF", `\`\`\`\r\n${request}\r\n\`\`\``],
    ["HTML-escaped", request.replaceAll("|", "&#124;").replaceAll(":", "&#58;").replaceAll("_", "&lowbar;")],
    ["Markdown-escaped", request.replaceAll("|", "\\|").replaceAll("_", "\\_")],
    ["a name autolinked with a label", request.replace("to:bob", "to:<https://bob.example/|bob>")],
    ["a name autolinked in Markdown", request.replace("from:alice", "from:[alice](https://alice.example)")],
    ["a name autolinked bare", request.replace("to:bob", "to:<mailto:bob/>")],
    ["a link to another name", request.replace("to:bob", "to:<https://bob|eve>")],
    ["wrapped and widened", request.replaceAll(" | ", "\u00a0\n  |\t")],
    ["prose before and after", `look: ${accept} (bob)`],
    ["a later time", request.replace(`ts:${tsMs}`, `ts:${tsMs + 1}`)],
    ["another addressee", request.replace("to:bob", "to:eve")],
    ["S not reduced", request.replace(requestSignature, misspelled)],
    ["a field missing", request.replace(/ \| encryptPub:[^ ]+/, "")],
    ["a longer signature", `${request}A`],
    ["a leading zero", request.replace("ts:", "ts:0")],
    ["a name with @", request.replace("from:alice", "from:@alice")],
    ["a word before", `x${request}`],
    ["the former generation", `FRIEND_REQUEST | to:bob | from:alice | pubkey:MCowBQYDK2VwAyEA${"A".repeat(44)} | …`],
    ["prose", "we should be FRIEND_REQUEST friends"]
  ] as const
  return {
    request: {
      tsMs,
      statement: statementHex("friendRequest", [
        bob.name,
        alice.name,
        alice.keys.identityKey,
        alice.keys.agreementKey,
        tsMs
      ]),
      signature,
      line: request
    },
    accept: {
      tsMs: answered.tsMs,
      statement: statementHex("friendAccept", [
        alice.name,
        bob.name,
        bob.keys.identityKey,
        bob.keys.agreementKey,
        requestSignature,
        answered.tsMs
      ]),
      signature: toHex(Base64url.decode(acceptSignature)!),
      line: accept
    },
    readings: readings.map(([what, posted]) => ({ what, posted, reads: outcomeOf(crypto, posted) }))
  }
}

/** `none`, `legacy`, `request` or `accept` for an authentic line, otherwise the code of the refusal. */
const outcomeOf = (crypto: CryptoShape, posted: string): string => {
  const reading = FriendLine.parse(crypto, posted)
  if (reading.kind === "refused") return reading.rejection.code
  if (reading.kind !== "line") return reading.kind
  const verified = FriendLine.verify(crypto, reading.line)
  return Result.isSuccess(verified) ? reading.line.kind : verified.failure.code
}

const localOf = (crypto: CryptoShape, actor: Actor, far: Actor, binding: Uint8Array): Opening.Local => ({
  crypto,
  keys: actor.keys,
  swarmKey: actor.swarmKey,
  binding,
  remoteSwarmKey: far.swarmKey,
  entropy: actor.ephemeral
})

/** What one side reads off a Noise message: the payload and the hash its proof signs. */
const readPayload = (crypto: CryptoShape, state: Handshake.Handshake, message: Uint8Array) => {
  const read = orThrow(Handshake.read(crypto, state, message))
  return { state: read.state, payload: text(read.payload) ?? "", proofHash: toHex(read.hash) }
}

/** Alice dials bob: the frames as they go over the link, and both sessions. */
const opening = (crypto: CryptoShape, alice: Actor, bob: Actor) => {
  const binding = new Uint8Array([...entropyOf(crypto, "binding 1"), ...entropyOf(crypto, "binding 2")])
  const dialled = orThrow(Opening.dial(localOf(crypto, alice, bob, binding), [{ key: bob.identityKey }]))
  const [preface, first] = dialled.send
  const prefaced = orThrow(Opening.receive(Opening.accept(localOf(crypto, bob, alice, binding)), preface!, 0))
  const answered = orThrow(Opening.receive(prefaced.opening!, first!, 0))
  const second = answered.send[0]!
  const finished = orThrow(Opening.receive(dialled.opening!, second, 0))
  const third = finished.send[0]!
  const joined = orThrow(Opening.receive(answered.opening!, third, 0))
  return {
    binding,
    preface: preface!,
    first: first!,
    second,
    third,
    initiator: finished.session!,
    responder: joined.session!
  }
}
type Opened = ReturnType<typeof opening>

const handshake = (crypto: CryptoShape, alice: Actor, bob: Actor, opened: Opened) => {
  const prologue = Preface.prologue(opened.preface.body, opened.binding)
  const begin = (role: Handshake.Role, actor: Actor) =>
    Handshake.start(
      crypto,
      role,
      prologue,
      { scalar: actor.keys.agreementScalar, publicKey: actor.keys.agreementKey },
      Handshake.keyPair(crypto, actor.ephemeral)
    )
  const initiator = orThrow(Handshake.write(crypto, begin("initiator", alice), () => new Uint8Array(0)))
  const reply = readPayload(crypto, initiator.state, opened.second.body)
  const responder = readPayload(crypto, begin("responder", bob), opened.first.body)
  const secondPayload = utf8(reply.payload)
  const answered = orThrow(Handshake.write(crypto, responder.state, () => secondPayload))
  const last = readPayload(crypto, answered.state, opened.third.body)
  const frame = (one: Frame.Frame) => toHex(Frame.encode(one))
  return {
    initiator: alice.name,
    responder: bob.name,
    binding: toHex(opened.binding),
    prologue: toHex(prologue),
    prefaceFrame: frame(opened.preface),
    message1Frame: frame(opened.first),
    message2Frame: frame(opened.second),
    message2ProofHash: reply.proofHash,
    message2Payload: reply.payload,
    message3Frame: frame(opened.third),
    message3ProofHash: last.proofHash,
    message3Payload: last.payload,
    handshakeHash: toHex(opened.initiator.handshakeHash),
    initiatorKey: toHex(Redacted.value(opened.initiator.send.key)),
    responderKey: toHex(Redacted.value(opened.responder.send.key))
  }
}

const stream = "0123456789abcdef0123456789abcdef"
const id = "00112233445566778899aabbccddeeff"

/** The first records both ways, then one of the next epoch: plaintexts are what the envelopes hold. */
const records = (crypto: CryptoShape, alice: Actor, bob: Actor, opened: Opened) => {
  const answer = utf8("fünf")
  const envelope = (session: Seal.Session, actor: Actor, message: Message.Message): Codec.Envelope => {
    const body = Codec.encode(message)
    if (!Message.isSigned(message.kind) || !("number" in message)) return { body, signature: undefined }
    const numbered = { stream: message.stream ?? "", number: message.number ?? 0 }
    const statement = Talk.messageStatement(session, session.role, numbered, body)
    return { body, signature: Statement.sign(crypto, actor.keys, statement) }
  }
  const flights: ReadonlyArray<{
    readonly from: "initiator" | "responder"
    readonly atMs: number
    readonly messages: ReadonlyArray<Message.Message>
  }> = [
    { from: "responder", atMs: 0, messages: [{ kind: "Greeting", streams: [{ stream, mark: 0 }], run: id }] },
    {
      from: "initiator",
      atMs: 1,
      messages: [
        { kind: "Greeting", streams: [], run: [...id].reverse().join("") },
        { kind: "Log", stream, number: 1, text: "grüße" }
      ]
    },
    {
      from: "initiator",
      atMs: 2,
      messages: [
        { kind: "Inject", stream, number: 2, id, text: "2 + 3?", timeLimitMs: 60_000 },
        { kind: "Ping", nonce: id }
      ]
    },
    { from: "responder", atMs: 1, messages: [{ kind: "Receipt", stream, mark: 1, also: [] }] },
    {
      from: "responder",
      atMs: Limits.epochAgeMs,
      messages: [
        { kind: "Receipt", stream, mark: 2, also: [] },
        { kind: "Chunk", id, offset: 0, bytes: Base64url.encode(answer) },
        {
          kind: "Done",
          stream: [...stream].reverse().join(""),
          number: 1,
          id,
          outcome: "answered",
          length: answer.length,
          sha256: Base64url.encode(crypto.sha256(answer))
        }
      ]
    },
    {
      from: "initiator",
      atMs: Limits.epochAgeMs + 5,
      messages: [
        { kind: "Receipt", stream: [...stream].reverse().join(""), mark: 1, also: [] },
        { kind: "Cancel", stream, number: 3, id },
        { kind: "Skip", stream, from: 3, to: 3 },
        { kind: "Close", code: "answer-damaged" }
      ]
    }
  ]
  const actors = { initiator: alice, responder: bob }
  const sending = { initiator: opened.initiator.send, responder: opened.responder.send }
  return flights.map(({ atMs, from, messages }) => {
    const envelopes = messages.map((message) => envelope(opened[from], actors[from], message))
    const plaintext = Codec.pack(envelopes)
    const sealed = Seal.seal(crypto, sending[from], atMs, plaintext)
    sending[from] = sealed.direction
    return {
      from,
      epoch: sealed.direction.epoch,
      counter: sealed.direction.counter - 1,
      key: toHex(Redacted.value(sealed.direction.key)),
      bodies: envelopes.map(({ body }) => text(body) ?? ""),
      signatures: envelopes.map(({ signature }) => (signature === undefined ? null : toHex(signature))),
      plaintext: toHex(plaintext),
      frame: toHex(sealed.bytes)
    }
  })
}

/** What an initiator's own signature about its first numbered message covers, to be looked at by itself. */
const messageSignature = (opened: Opened, first: ReturnType<typeof records>[number]) => ({
  stream,
  number: 1,
  sender: "initiator",
  body: first.bodies[1],
  statement: statementHex("message", [opened.initiator.handshakeHash, "initiator", stream, 1, utf8(first.bodies[1]!)]),
  signature: first.signatures[1]
})

/** An interactive comparison in the session of the handshake above: what is sent, and what people read. */
const comparison = (crypto: CryptoShape, alice: Actor, bob: Actor, opened: Opened) => {
  const id = toHex(entropyOf(crypto, "comparison").subarray(0, 16))
  const handshakeHash = Base64url.encode(opened.initiator.handshakeHash)
  const terms = { id, handshakeHash, initiator: alice.identityKey, responder: bob.identityKey }
  const [nonceI, nonceR] = [entropyOf(crypto, "initiator's nonce"), entropyOf(crypto, "responder's nonce")]
  const digest = Sas.digest(crypto.sha256, terms, nonceI, nonceR)
  return {
    id,
    handshakeHash: toHex(opened.initiator.handshakeHash),
    initiatorNonce: toHex(nonceI),
    responderNonce: toHex(nonceR),
    commitment: Sas.commitment(crypto.sha256, terms, nonceI),
    digest: toHex(digest),
    ...Sas.short(digest)
  }
}

/** All vectors under one engine, as the file holds them. */
export const make = (crypto: CryptoShape) => {
  const alice = actorOf(crypto, "alice")
  const bob = actorOf(crypto, "bob")
  const opened = opening(crypto, alice, bob)
  const sealed = records(crypto, alice, bob, opened)
  return {
    about:
      "Test vectors of wop/3; bytes are hexadecimal. The keys are throw-away keys: anybody can compute the secrets.",
    actors: { alice: actorVector(crypto, alice), bob: actorVector(crypto, bob) },
    base64url: base64url(),
    transcripts: transcripts(),
    names: names(),
    identityKeys: identityKeys(crypto, alice, bob),
    signatures: signatures(crypto, alice),
    fingerprint: Fingerprint.of(crypto, alice.keys.identityKey, bob.keys.identityKey),
    lines: lines(crypto, alice, bob),
    handshake: handshake(crypto, alice, bob, opened),
    records: sealed,
    messageSignature: messageSignature(opened, sealed[1]!),
    comparison: comparison(crypto, alice, bob, opened)
  }
}

/** The vectors as the file's text. */
export const print = (crypto: CryptoShape): string => `${JSON.stringify(make(crypto), null, 2)}\n`

if (import.meta.main) {
  const vectors = print(Effect.runSync(Crypto.useSync((crypto) => crypto).pipe(Effect.provide(sodium))))
  if (process.argv.includes("--write")) writeFileSync(file, vectors)
  else process.stdout.write(vectors)
}
