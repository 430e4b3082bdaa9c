/**
 * People with real keys, and what they say: the material from which models of whole nodes are built.
 * Nothing here marks a value as proven: lines come through `FriendLine.verify`, proofs through `Proof.read`, messages
 * through `Seal.open`, because a model that forges its inputs proves nothing about a gate that asks for authentic ones.
 * Keys come from a written seed, so a failing run is the same run tomorrow.
 */
import { Effect, Layer, Redacted, Result } from "effect"
import fc from "fast-check"
import { layerSeeded } from "../../adapters/memory/Crypto.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import * as Base64url from "../../core/bytes/Base64url.ts"
import type { Rule } from "../../core/friend/AutoAccept.ts"
import * as Authentic from "../../core/identity/Authentic.ts"
import * as PeerId from "../../core/identity/PeerId.ts"
import {
  Codec,
  Frame,
  FriendLine,
  type Input,
  InviteLink,
  Keys,
  Limits,
  type Message,
  Profile,
  Rejection,
  Seal,
  type State,
  Topic
} from "../../core/index.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import * as Proof from "../../core/session/Proof.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { noonMs } from "../models/Disk.ts"

/** The engine under every model: libsodium with the randomness of a seed. */
export const crypto = Effect.runSync(
  Crypto.pipe(Effect.provide(layerSeeded("people of the models").pipe(Layer.provide(Sodium.layer))))
)

export { noonMs }

/** Somebody with keys: a node of the model, or a stranger with a pen. */
export interface Person {
  readonly name: string
  readonly keys: Keys.LocalKeys
  readonly self: State.Self
  readonly swarmKey: Keys.RemoteSwarmKey
  /** What a link with this person proves. */
  readonly proof: Authentic.Authentic<Proof.Proof>
}

/** A new person under a name; two of one name have different keys, unless they are given. */
export const person = (name: string, keys: Keys.LocalKeys = Keys.generate(crypto, noonMs)): Person => {
  const swarm = crypto.ed25519PublicKey(keys.swarmSeed)
  const hash = crypto.sha256(keys.identityKey)
  const payload = Proof.write(crypto, keys, swarm, "initiator", hash, undefined)
  const { proof } = Result.getOrThrow(Proof.read(crypto, "initiator", hash, keys.agreementKey, payload))
  const { agreementKey, identityKey, swarmKey } = proof.value
  return { name, keys, self: { name, identityKey, agreementKey, earlier: [] }, swarmKey, proof }
}

/** A friend line as somebody signs it; `from` other than the signer's name is a claim. */
export const signedLine = (
  by: Person,
  to: string,
  tsMs: number,
  options: { readonly from?: string; readonly requestSignature?: string } = {}
): Authentic.Authentic<FriendLine.FriendLine> => {
  const { agreementKey, identityKey } = by.self
  const common = { to, from: options.from ?? by.name, pubkey: identityKey, encryptPub: agreementKey, tsMs }
  const { requestSignature } = options
  const unsigned: FriendLine.Unsigned =
    requestSignature === undefined ? { kind: "request", ...common } : { kind: "accept", ...common, requestSignature }
  const signature = FriendLine.sign(crypto, by.keys, unsigned)
  return Result.getOrThrow(FriendLine.verify(crypto, { ...unsigned, signature } as FriendLine.FriendLine))
}

const sessionKey = Redacted.make(new Uint8Array(32).fill(7))

/** Bytes of a body as they come out of a sealed record of somebody's session. */
export const received = (
  by: Person,
  connection: string,
  body: Uint8Array
): Extract<Input.Input, { _tag: "Received" }> => {
  const direction = KeySchedule.begin(sessionKey, noonMs)
  const { bytes } = Seal.seal(crypto, direction, noonMs, body)
  const { frame } = Frame.next(Frame.push(Frame.reader, bytes), Limits.frameBytesMax)
  const opened = Seal.open(crypto, by.proof, direction, noonMs, frame?.body ?? new Uint8Array(0))
  const { plaintext } = Result.getOrThrow(opened)
  const message = Result.getOrThrow(Codec.decode(plaintext.value))
  const hash = Base64url.encode(crypto.sha256(body).subarray(0, 16))
  return {
    _tag: "Received",
    connection,
    message: Authentic.map(plaintext, () => message),
    bytes: body.length,
    hash
  }
}

/** A link with somebody has authenticated. */
export const openedBy = (by: Person, connection: string, initiator: boolean): Input.Input => ({
  _tag: "Opened",
  connection,
  initiator,
  version: 3,
  handshakeHash: Base64url.encode(crypto.sha256(new TextEncoder().encode(`session ${connection}`))),
  peer: by.proof
})

/** What the turn of this number is given: reproducible entropy. */
export const turnAt = (nowMs: number, number: number): Input.Turn => ({
  nowMs,
  entropy: crypto.sha256(new TextEncoder().encode(`turn ${number}`)),
  sha256: crypto.sha256,
  pure: crypto
})

/** 128 bits as the wire writes them, one of a few. */
export const ids: ReadonlyArray<string> = ["0", "1", "2", "3"].map((digit) => digit.repeat(32))
export const id = fc.constantFrom(...ids)

/** Numbers near a stream's start, near the reach of an inbox, and far beyond. */
export const streamNumber = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: Limits.inboxAheadMax - 2, max: Limits.inboxAheadMax + 14 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) }
)

/** Texts: plain, in other scripts, empty, with halves of characters. */
export const words = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "\ud800", "漢字漢字", "__proto__", "x".repeat(5_000)) }
)

const code = fc.constantFrom("no-capability", "rate-limited", "not-a-friend", "sequence-conflict", "from-tomorrow")
const natural = fc.oneof(fc.nat(5_000), fc.constantFrom(0, Number.MAX_SAFE_INTEGER))
const confinement: Message.Done["confinement"] = {
  engine: "none",
  containerId: "c",
  user: "u",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 1,
  pids: 1,
  cpus: 0.5
}
const numbered = { stream: id, number: streamNumber }
/** 43 characters that are 32 bytes, or nearly. */
const sasDigest = fc.constantFrom("A".repeat(43), "B".repeat(43))
const sometimes = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const dense = <A extends object>(record: A): A =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as A

const chess: Topic.Topic = { name: "chess", secret: null }
const chessHash = Base64url.encode(Topic.rendezvous(crypto.sha256, chess))
/** What two people say of themselves in a topic, in two versions each. */
const profiles = ["bob", "mallory"].flatMap((name) =>
  [1, 2].map((version) => {
    // Keys of their own seeds: whoever is drawn after this must stay who it was.
    const seed = (length: number) => crypto.sha256(new TextEncoder().encode(`${name} ${length}`)).slice(0, length)
    const keys = Keys.generate({ ...crypto, randomBytes: seed }, noonMs)
    const identityKey = Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey
    const swarmKey = Base64url.encode(Keys.swarmKey(crypto, keys)) as Keys.RemoteSwarmKey
    return Profile.sign(crypto, keys, chess, {
      topic: chessHash,
      identityKey,
      swarmKey,
      version,
      issuedMs: noonMs,
      expiresMs: noonMs + 3_600_000,
      content: { name, description: "", tags: [] }
    }).wire
  })
)

/** A key of somebody here, drawn later than these are made; or none. */
const introducedKey = fc.nat(3).map((index) => [alice, bob, mallory][index]?.self.identityKey ?? "A".repeat(43))

/** Any message of the closed union, plausible and implausible alike. */
export const message: fc.Arbitrary<Message.Message> = fc
  .oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("Log"), ...numbered, text: words }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("Inject"),
        ...numbered,
        id,
        text: words,
        timeLimitMs: fc.nat(9).map((n) => n + 1)
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("Log"), ...numbered, conversation: id, text: words }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("Done"),
        ...numbered,
        id,
        outcome: fc.constantFrom("answered", "failed"),
        code: sometimes(code),
        length: fc.constantFrom(0, 3, Limits.answerBytesMax),
        sha256: fc.constantFrom("A".repeat(43), Base64url.encode(crypto.sha256(new Uint8Array(0)))),
        confinement: sometimes(fc.constant(confinement))
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("Chunk"),
        id,
        offset: natural,
        bytes: fc.constantFrom("", "AAAA", "A", "not base64 !", "A".repeat(21_844))
      })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("Receipt"),
        stream: id,
        mark: natural,
        also: fc.array(streamNumber, { maxLength: 5 })
      })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("Reject"),
        code,
        stream: sometimes(id),
        number: sometimes(streamNumber),
        retryAfterMs: sometimes(natural)
      })
    },
    {
      weight: 2,
      arbitrary: fc
        .record({
          kind: fc.constant("Skip"),
          stream: id,
          from: streamNumber,
          more: fc.constantFrom(0, 0, 1, 1_500),
          settled: sometimes(fc.boolean())
        })
        .map(({ more, ...skip }) => ({ ...skip, to: Math.min(skip.from + more, Number.MAX_SAFE_INTEGER) }))
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("Cancel"), ...numbered, id }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("Held"),
        ...numbered,
        id,
        reason: fc.constantFrom("always", "later"),
        expiresAtMs: natural
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("GrantChanged"),
        ...numbered,
        capabilities: fc.subarray(["message", "inject", "sing"]),
        expiresAtMs: sometimes(natural)
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("Unfriend"), ...numbered, of: fc.constant([]) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("Introduce"),
        ...numbered,
        id,
        key: introducedKey,
        name: fc.constantFrom("mallory", "bob", "two words", ""),
        yours: introducedKey,
        expiresAtMs: fc.constantFrom(0, noonMs + 60_000, Number.MAX_SAFE_INTEGER),
        note: sometimes(fc.constantFrom("", "hi", "\ud800", "x".repeat(560)))
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("Greeting"),
        streams: fc.array(fc.record({ stream: id, mark: natural, top: sometimes(natural) }).map(dense), {
          maxLength: 3
        }),
        run: id,
        yours: sometimes(fc.array(id, { maxLength: 8 }))
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("Resume"), id, offset: natural, upTo: natural }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("SasCommit"), id, commitment: sasDigest }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("SasReveal"), id, nonce: sasDigest }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("SasEnd"),
        id,
        outcome: fc.constantFrom("same", "same", "different", "ended")
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("Ping", "Pong"), nonce: id }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("TopicHello"), topic: fc.constant(chessHash), have: fc.constant([]) })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("Profiles"),
        topic: fc.constant(chessHash),
        profiles: fc.array(fc.constantFrom(...profiles, "AAAA"), { maxLength: 3 })
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("TopicLeft"), topic: fc.constant(chessHash) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("ConnectRequest"),
        id,
        name: fc.constantFrom("bob", "", "two words"),
        topic: sometimes(fc.constant(chessHash))
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("ConnectResponse"),
        id,
        outcome: fc.constantFrom("asked", "accepted", "refused")
      })
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("Close"), code }) }
  )
  .map((record) => dense(record) as Message.Message)

export const alice = person("alice")
export const bob = person("bob")
export const mallory = person("mallory")
const others = [bob, mallory]
const other = fc.constantFrom(...others)
const connections = ["c0", "c1", "c2"]
const connection = fc.constantFrom(...connections)
const channel = fc.constantFrom("lobby", "attic")
const names = fc.constantFrom("alice", "bob", "BOB", "mallory", "nobody", "", "@", "a|b", "__proto__")
const who = {
  name: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("bob", "mallory") }, { weight: 1, arbitrary: names }),
  keyPrefix: fc.constantFrom("", "", "", bob.self.identityKey.slice(0, 6), "zzz")
}
const capability = fc.constantFrom<"message" | "inject">("message", "inject")
const patience = fc.constantFrom(1, 5_000, Limits.injectWaitMs, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY)
const rule = fc.record({ unproven: fc.boolean(), channel: sometimes(channel), author: sometimes(names) }).map(dense)

/** A link of somebody's: for whoever holds it or for one key, still good or not, and one that is none. */
const link = (by: Person, named: string | null, expiresAtMs: number): string =>
  Redacted.value(
    InviteLink.print(crypto, {
      id: ids[1]!,
      issuer: by.self.identityKey,
      meant:
        named === null
          ? { kind: "holder", secret: Redacted.make(new Uint8Array(16).fill(9)) }
          : { kind: "named", key: named as Keys.RemoteIdentityKey },
      expiresAtMs
    })
  )
const links = fc.constantFrom(
  link(bob, null, noonMs + 3_600_000),
  link(mallory, alice.self.identityKey, noonMs + 3_600_000),
  link(mallory, bob.self.identityKey, noonMs + 3_600_000),
  link(alice, null, noonMs + 3_600_000),
  link(bob, null, noonMs - 86_400_000),
  "wop3://AQ",
  ""
)
const beginsOfIds = fc.constantFrom("", "0", "8", "f", "nothing", ...ids)

/** Everything an operator can say, sensible or not. */
export const command: fc.Arbitrary<Input.Command> = fc.oneof(
  fc.record({ _tag: fc.constant("Friend" as const), channel, to: names }),
  fc.record({ _tag: fc.constantFrom("Accept" as const, "Deny" as const, "Unfriend" as const), ...who }),
  fc.record({ _tag: fc.constantFrom("Grant" as const, "Revoke" as const), ...who, capability }),
  fc.record({ _tag: fc.constant("Name" as const), ...who, called: names }),
  fc.record({ _tag: fc.constant("Message" as const), ...who, text: words }),
  fc.record({ _tag: fc.constant("Inject" as const), ...who, text: words, waitMs: patience }),
  fc.record({
    _tag: fc.constant("Inject" as const),
    ...who,
    text: words,
    waitMs: patience,
    byTool: fc.constant(true as const)
  }),
  fc.record({
    _tag: fc.constantFrom("Cancel" as const, "RevokeInvite" as const, "Approve" as const, "Refuse" as const),
    id: beginsOfIds
  }),
  fc
    .record({
      inject: sometimes(fc.boolean()),
      named: sometimes(fc.constantFrom<string>(bob.self.identityKey, mallory.self.identityKey, "A".repeat(43), "zzz")),
      uses: sometimes(fc.constantFrom(1, 2, 0, 1.5, Number.NaN)),
      lastsMs: sometimes(fc.constantFrom(1, 3_600_000, 0, Limits.inviteAgeMaxMs + 1))
    })
    .map((wishes) => ({ _tag: "CreateInvite", ...dense(wishes) }) as Input.Command),
  links.map((text): Input.Command => ({ _tag: "ClaimInvite", link: Redacted.make(text, { label: "invite link" }) })),
  fc.record({
    _tag: fc.constant("Hold" as const),
    ...who,
    when: fc.constantFrom(
      "always" as const,
      "first" as const,
      "over-budget" as const,
      "unverified" as const,
      "never" as const
    )
  }),
  fc.record({
    _tag: fc.constant("SetProfile" as const),
    content: fc.record({
      name: names,
      description: fc.constantFrom("", "plays", "two\nlines"),
      tags: fc.constantFrom<ReadonlyArray<string>>([], ["chess"], ["Not A Tag"])
    })
  }),
  fc.record({ _tag: fc.constantFrom("Unverify" as const, "Compare" as const, "Confirm" as const), ...who }),
  fc.record({ _tag: fc.constantFrom("Verify" as const, "Compared" as const), ...who, same: fc.boolean() }),
  fc.record({ _tag: fc.constant("Mute" as const), ...who, muted: fc.boolean() }),
  fc.record({
    _tag: fc.constant("Require" as const),
    capability,
    trust: fc.constantFrom("verified" as const, "nothing" as const)
  }),
  fc.record({ _tag: fc.constantFrom("JoinTopic" as const, "LeaveTopic" as const), topic: fc.constant(chess) }),
  fc.record({
    _tag: fc.constant("Connect" as const),
    name: fc.constantFrom("bob", "mallory"),
    keyPrefix: fc.constant(""),
    topic: fc.constantFrom("", "chess"),
    note: fc.constant("")
  }),
  fc.record({
    _tag: fc.constant("Introduce" as const),
    one: fc.record(who),
    other: fc.record(who),
    note: fc.constantFrom("", "hi", "x".repeat(281))
  }),
  fc.record({ _tag: fc.constant("AddRule" as const), rule: rule as fc.Arbitrary<Omit<Rule, "id">> }),
  fc.record({ _tag: fc.constant("RemoveRule" as const), id: names })
)

/** Where a transport may say that a far end is, sensible or not. */
const place = fc.record({
  host: fc.constantFrom("192.0.2.1", "192.0.2.2", "fe80::1%eth0", "", "two words", "h".repeat(65)),
  port: fc.constantFrom(1, 61_000, 65_535, 0, 65_536, 1.5, Number.NaN)
})

const peerIdOf = (one: Person) => PeerId.of(crypto, one.self.identityKey)
const rejection = fc
  .constantFrom(...(Object.keys(Rejection.table) as ReadonlyArray<Rejection.Code>))
  .map((one) => Rejection.make(one))
const line = fc
  .record({
    by: other,
    to: fc.constantFrom("alice", "alice", "alice", "nobody"),
    minutes: fc.constantFrom(0, 0, 0, 1, -4, 6, -6),
    from: sometimes(fc.constantFrom("bob", "mallory", "alice")),
    answers: sometimes(fc.constantFrom("A".repeat(86)))
  })
  .map(({ answers, by, from, minutes, to }) =>
    signedLine(by, to, noonMs + minutes * 60_000, dense({ from, requestSignature: answers }) as { from?: string })
  )
const kind = fc.constantFrom<"request" | "accept">("request", "accept")
const key = fc.oneof(
  fc.tuple(channel, fc.constantFrom("bob", "mallory")).map((parts) => parts.join("\n")),
  fc.tuple(channel, other).map(([where, by]) => `${where}\n${peerIdOf(by)}`)
)
const answer = fc
  .constantFrom(0, 3, Limits.answerBytesMax, Limits.answerBytesMax + 1)
  .map((length) => ({ output: new Uint8Array(length).fill(97), confinement: confinement! }))
const result: fc.Arbitrary<Input.JobResult> = fc.oneof(
  fc.record({ ok: fc.constant(true as const), answer }),
  fc.record({
    ok: fc.constant(false as const),
    code: fc.constantFrom<Rejection.Code>("sandbox-exit", "sandbox-timeout"),
    detail: words
  })
)

/** Any input at all, as often as it tends to happen; what comes from a peer is authentic, and that is all it is. */
export const input: fc.Arbitrary<Input.Input> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Input.Input>({ _tag: "Started" }) },
  { weight: 3, arbitrary: fc.constant<Input.Input>({ _tag: "Tick" }) },
  { weight: 10, arbitrary: fc.record({ _tag: fc.constant("Operator" as const), ref: fc.constant("ref"), command }) },
  {
    weight: 2,
    arbitrary: fc.record({
      _tag: fc.constant("Operator" as const),
      ref: fc.constant("ref"),
      command,
      intent: fc.record({
        id: fc.constantFrom("0".repeat(32), "f".repeat(32)),
        atMs: fc.constantFrom(noonMs, noonMs - Limits.intentAgeMs),
        what: fc.constant("/command @bob")
      })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      _tag: fc.constant("Line" as const),
      channel,
      author: fc.constantFrom(null, "bob", "mallory"),
      line
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("LineRefused" as const),
      channel,
      author: fc.constant(null),
      claimed: names,
      rejection
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("LineSigned" as const),
      kind,
      key,
      signature: fc.constant("A".repeat(86))
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("LinePosted" as const), kind, key, rejection: fc.option(rejection) })
  },
  {
    weight: 4,
    arbitrary: fc.tuple(other, connection, fc.boolean(), sometimes(place)).map(([by, on, initiator, address]) => ({
      ...openedBy(by, on, initiator),
      ...(address === undefined ? {} : { address })
    }))
  },
  {
    weight: 20,
    arbitrary: fc.tuple(other, connection, message).map(([by, on, said]) => received(by, on, Codec.encode(said)))
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(other, connection, id, sometimes(streamNumber))
      .map(([by, on, stream, number]) =>
        received(by, on, new TextEncoder().encode(JSON.stringify({ kind: "FromTomorrow", stream, number })))
      )
  },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("LinkRefused" as const),
      rejection,
      swarmKey: fc.constant(bob.swarmKey),
      topics: fc.constant([])
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ _tag: fc.constant("Closed" as const), connection, rejection: fc.option(rejection) })
  },
  {
    weight: 2,
    arbitrary: other.map((by) => ({ _tag: "TopicFound" as const, topic: chessHash, keys: [by.swarmKey] }))
  },
  { weight: 1, arbitrary: other.map((by) => ({ _tag: "MemberDialed" as const, swarmKey: by.swarmKey })) },
  { weight: 2, arbitrary: other.map((by) => ({ _tag: "DialEnded" as const, peerId: peerIdOf(by) })) },
  {
    weight: 1,
    arbitrary: fc.record({
      _tag: fc.constant("Shown" as const),
      shown: fc.array(fc.record({ id: words, failed: fc.boolean() }), { maxLength: 3 })
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Ran" as const),
      job: fc.tuple(other, id).map(([by, one]) => `${peerIdOf(by)}/${one}`),
      result
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("SandboxStatus" as const), ready: fc.boolean(), reason: words })
  }
)

/** What bob says first on a link: that he remembers nothing of alice's stream. */
export const greeted = (by: Person, connection: string): Input.Input =>
  received(by, connection, Codec.encode({ kind: "Greeting", streams: [], run: ids[3]! }))

/** What has happened to alice before a story begins: bob is her friend, may inject, is connected and has greeted. */
export const beginning: ReadonlyArray<Input.Input> = [
  { _tag: "SandboxStatus", ready: true, reason: "" },
  { _tag: "Started" },
  { _tag: "Line", channel: "lobby", author: "bob", line: signedLine(bob, "alice", noonMs - 1_000) },
  { _tag: "Operator", ref: "ref", command: { _tag: "Accept", name: "bob", keyPrefix: "" } },
  { _tag: "Operator", ref: "ref", command: { _tag: "Grant", name: "bob", keyPrefix: "", capability: "inject" } },
  openedBy(bob, "c0", false),
  greeted(bob, "c0")
]
