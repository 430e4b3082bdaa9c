/**
 * The closed union of what two authenticated peers say to each other, as Schemas.
 * It never knows how a message is delivered or whether it may be; it only says what one looks like.
 * Durable messages carry their stream and number inside the body, so that the bytes that are signed and remembered
 * are the same at every attempt.
 */
import { Schema } from "effect"
import * as Limits from "../Limits.ts"

const maxLength = (length: number) => Schema.String.check(Schema.isMaxLength(length))
const natural = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
/** 128 random bits as 32 hexadecimal digits. */
export const Id = Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/))
const code = Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,39}$/))

/** 32 bytes. */
const digest = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))

const durable = { stream: Id, number: positive }
/** Which conversation a text belongs to; absent = the friend's own. */
const conversation = { conversation: Schema.optionalKey(Id) }

/** A text for the friend's conversation; no AI answers it. */
export const Log = Schema.Struct({ kind: Schema.Literal("Log"), ...durable, ...conversation, text: Schema.String })
/** A text that asks for an answer. `timeLimitMs` is what the caller still waits for. */
export const Inject = Schema.Struct({
  kind: Schema.Literal("Inject"),
  ...durable,
  ...conversation,
  id: Id,
  text: Schema.String,
  timeLimitMs: positive,
  /** False: the sender does not wait for an owner; what would be held is refused. */
  mayHold: Schema.optionalKey(Schema.Boolean)
})
/** What the sandbox was confined by, as its engine confirmed it. */
export const Confinement = Schema.Struct({
  engine: maxLength(Limits.confinementNameMax),
  containerId: maxLength(Limits.confinementNameMax),
  user: maxLength(Limits.confinementWordMax),
  network: maxLength(Limits.confinementWordMax),
  readOnlyRoot: Schema.Boolean,
  memoryBytes: natural,
  pids: natural,
  cpus: Schema.Finite,
  runtime: Schema.optionalKey(maxLength(Limits.confinementNameMax)),
  capabilitiesDropped: Schema.optionalKey(maxLength(Limits.confinementNameMax)),
  capabilitiesAdded: Schema.optionalKey(maxLength(Limits.confinementNameMax)),
  noNewPrivileges: Schema.optionalKey(Schema.Boolean),
  seccomp: Schema.optionalKey(maxLength(Limits.confinementWordMax)),
  swapBytes: Schema.optionalKey(natural),
  tmpfsBytes: Schema.optionalKey(natural),
  users: Schema.optionalKey(maxLength(Limits.confinementWordMax)),
  imageId: Schema.optionalKey(maxLength(Limits.confinementNameMax)),
  provenAtMs: Schema.optionalKey(natural)
})
/** How an inject ended. Its chunks precede it; length and hash are of all of them together. */
export const Done = Schema.Struct({
  kind: Schema.Literal("Done"),
  ...durable,
  id: Id,
  outcome: Schema.Literals(["answered", "failed", "refused"]),
  code: Schema.optionalKey(code),
  length: natural.check(Schema.isBetween({ minimum: 0, maximum: Limits.answerBytesMax })),
  sha256: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/)),
  confinement: Schema.optionalKey(Confinement)
})
/** Part of an answer: bytes (base64url) at an offset. */
export const Chunk = Schema.Struct({
  kind: Schema.Literal("Chunk"),
  id: Id,
  offset: natural,
  bytes: maxLength(Math.ceil((Limits.chunkBytes * 4) / 3))
})
/** All numbers up to `mark` and those in `also` have taken effect or were finally refused. */
export const Receipt = Schema.Struct({
  kind: Schema.Literal("Receipt"),
  stream: Id,
  mark: natural,
  also: Schema.Array(positive).check(Schema.isMaxLength(Limits.inboxAheadMax))
})
/** One message refused (with stream and number), or the session as a whole (without). */
export const Reject = Schema.Struct({
  kind: Schema.Literal("Reject"),
  code,
  stream: Schema.optionalKey(Id),
  number: Schema.optionalKey(positive),
  retryAfterMs: Schema.optionalKey(natural)
})
/**
 * The sender has given numbers up. One number: it was sent, and the sender asks what became of it; unseen, it never will
 * take effect. A range right above the receiver's mark, or one number that says so: it was settled before, and the
 * receiver has forgotten. A range that says that it was not was given up unanswered.
 */
export const Skip = Schema.Struct({
  kind: Schema.Literal("Skip"),
  stream: Id,
  from: positive,
  to: positive,
  settled: Schema.optionalKey(Schema.Boolean)
})
/** The caller of an inject wants no answer any more. */
export const Cancel = Schema.Struct({ kind: Schema.Literal("Cancel"), ...durable, id: Id })
/** An inject waits for its receiver's owner, until then at the latest; its end comes as `Done`, whatever it is. */
export const Held = Schema.Struct({
  kind: Schema.Literal("Held"),
  ...durable,
  id: Id,
  /** Why, in a word of the receiver's: `always`, `first` and `over-budget` today. */
  reason: code,
  expiresAtMs: natural
})
/** What the sender allows the receiver from now on, in the receiver's own conversation with it. */
export const GrantChanged = Schema.Struct({
  kind: Schema.Literal("GrantChanged"),
  ...durable,
  capabilities: Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z][a-z-]{0,19}$/))).check(
    Schema.isMaxLength(16)
  ),
  expiresAtMs: Schema.optionalKey(natural)
})
/**
 * The sender has ended the friendship that came of these requests (their signatures). It may arrive after a new one has
 * begun, which it does not end.
 */
export const Unfriend = Schema.Struct({
  kind: Schema.Literal("Unfriend"),
  ...durable,
  of: Schema.Array(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/))).check(
    Schema.isMaxLength(Limits.requestsPerFriendshipMax)
  )
})
/**
 * The sender introduces a friend of its own, who is told the same of the receiver: a word about a key, and no proof.
 * `key` and `name`: whom, as the sender knows them; `yours`: the key of the receiver that the other is told.
 */
export const Introduce = Schema.Struct({
  kind: Schema.Literal("Introduce"),
  ...durable,
  id: Id,
  key: digest,
  name: maxLength(2 * Limits.nameCodePointsMax),
  yours: digest,
  expiresAtMs: natural,
  note: Schema.optionalKey(maxLength(2 * Limits.connectNoteMax))
})
/** First of each side in a session: how far the sender's memory of the receiver's streams reaches. */
export const Greeting = Schema.Struct({
  kind: Schema.Literal("Greeting"),
  streams: Schema.Array(
    Schema.Struct({
      stream: Id,
      mark: natural,
      /** The highest number known above the mark; absent = none is. A number that was used must not be used again. */
      top: Schema.optionalKey(natural)
    })
  ).check(Schema.isMaxLength(8)),
  /** Random for each run of the sender: two that take turns are one identity on two machines. */
  run: Id,
  /** Runs of the receiver that have greeted the sender before, newest last: it may find that another came after its own. */
  yours: Schema.optionalKey(Schema.Array(Id).check(Schema.isMaxLength(8)))
})
/** The caller wants the bytes of an answer from `offset` up to (not with) `upTo`: this is also its credit. */
export const Resume = Schema.Struct({ kind: Schema.Literal("Resume"), id: Id, offset: natural, upTo: natural })
/** Begins a comparison that two operators make with each other: what the sender's nonce will be held to. */
export const SasCommit = Schema.Struct({ kind: Schema.Literal("SasCommit"), id: Id, commitment: digest })
/** A nonce of a comparison: the answer to a commitment, then what was committed to. */
export const SasReveal = Schema.Struct({ kind: Schema.Literal("SasReveal"), id: Id, nonce: digest })
/** What the sender's operator has said of the two strings, or that the comparison is over without a word. */
export const SasEnd = Schema.Struct({
  kind: Schema.Literal("SasEnd"),
  id: Id,
  outcome: Schema.Literals(["same", "different", "ended"])
})
const mark = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{22}$/))
const topic = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
const profile = maxLength(Limits.profileCharactersMax)
/** The sender is in a topic, and knows these of its members in these versions: some of them, itself among them. */
export const TopicHello = Schema.Struct({
  kind: Schema.Literal("TopicHello"),
  topic,
  have: Schema.Array(Schema.Struct({ mark, version: natural })).check(Schema.isMaxLength(Limits.topicHaveMax))
})
/** Profiles that the receiver's hello did not name, or in an older version; some of them, the sender's own first. */
export const Profiles = Schema.Struct({
  kind: Schema.Literal("Profiles"),
  topic,
  profiles: Schema.Array(profile).check(Schema.isMaxLength(Limits.profilesPerMessageMax))
})
/** The sender has left a topic, and this is its last profile there; without one: it is not there, whatever others say. */
export const TopicLeft = Schema.Struct({
  kind: Schema.Literal("TopicLeft"),
  topic,
  profile: Schema.optionalKey(profile)
})
/** The sender's operator wants to be friends. The same `id` again is the same request. */
export const ConnectRequest = Schema.Struct({
  kind: Schema.Literal("ConnectRequest"),
  id: Id,
  name: maxLength(2 * Limits.nameCodePointsMax),
  note: Schema.optionalKey(maxLength(2 * Limits.connectNoteMax)),
  topic: Schema.optionalKey(topic)
})
/** What became of a request: it waits for the operator, was accepted, or cannot be. */
export const ConnectResponse = Schema.Struct({
  kind: Schema.Literal("ConnectResponse"),
  id: Id,
  outcome: Schema.Literals(["asked", "accepted", "refused"]),
  code: Schema.optionalKey(code)
})
export const Ping = Schema.Struct({ kind: Schema.Literal("Ping"), nonce: Id })
export const Pong = Schema.Struct({ kind: Schema.Literal("Pong"), nonce: Id })
/** The sender ends the session and says why. */
export const Close = Schema.Struct({ kind: Schema.Literal("Close"), code })

const proof = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))
/** The sender redeems an invite of the receiver's: that it holds the secret is proven for this very session. */
export const Claim = Schema.Struct({ kind: Schema.Literal("Claim"), id: Id, proof, name: maxLength(256) })
/** What became of a claim. Redeemed: the same proof from the issuer, and what the friendship is called and gives. */
export const ClaimAnswer = Schema.Struct({
  kind: Schema.Literal("ClaimAnswer"),
  id: Id,
  outcome: Schema.Literals(["redeemed", "refused"]),
  code: Schema.optionalKey(code),
  retryAfterMs: Schema.optionalKey(natural),
  proof: Schema.optionalKey(proof),
  name: Schema.optionalKey(maxLength(256)),
  of: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{86}$/))),
  capabilities: Schema.optionalKey(
    Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z][a-z-]{0,19}$/))).check(Schema.isMaxLength(16))
  )
})

/** Every kind, by name. A new message kind is a new row here, and the compiler then lists the places to fill. */
export const kinds = {
  Log,
  Inject,
  Cancel,
  Done,
  Held,
  GrantChanged,
  Unfriend,
  Introduce,
  Greeting,
  Chunk,
  Resume,
  Receipt,
  Reject,
  Skip,
  SasCommit,
  SasReveal,
  SasEnd,
  TopicHello,
  Profiles,
  TopicLeft,
  ConnectRequest,
  ConnectResponse,
  Ping,
  Pong,
  Close,
  Claim,
  ClaimAnswer
} as const
export const Message = Schema.Union(Object.values(kinds))
export type Message = typeof Message.Type
export type Log = typeof Log.Type
export type Inject = typeof Inject.Type
export type Done = typeof Done.Type
export type Held = typeof Held.Type
export type Chunk = typeof Chunk.Type
export type Receipt = typeof Receipt.Type
export type TopicHello = typeof TopicHello.Type
export type Profiles = typeof Profiles.Type
export type TopicLeft = typeof TopicLeft.Type
export type ConnectRequest = typeof ConnectRequest.Type
export type ConnectResponse = typeof ConnectResponse.Type
export type Reject = typeof Reject.Type
export type Close = typeof Close.Type
export type Claim = typeof Claim.Type
export type ClaimAnswer = typeof ClaimAnswer.Type

export type Skip = typeof Skip.Type
/** The messages of an interactive comparison. */
export type Sas = typeof SasCommit.Type | typeof SasReveal.Type | typeof SasEnd.Type
export type Cancel = typeof Cancel.Type
export type GrantChanged = typeof GrantChanged.Type
export type Unfriend = typeof Unfriend.Type
export type Introduce = typeof Introduce.Type
export type Greeting = typeof Greeting.Type
export type Resume = typeof Resume.Type
/** The kinds that wait in the outbox and have a number. */
export type Durable = Log | Inject | Cancel | Done | Held | GrantChanged | Unfriend | Introduce
/** A durable message of a kind that this version does not know: it is answered, never guessed at. */
export interface Unknown {
  readonly kind: "Unknown"
  readonly stream: string
  readonly number: number
  readonly name: string
}

/** A message of the session of a kind that this version does not know: it has no effect, but it is counted like any. */
export interface Ignored {
  readonly kind: "Ignored"
}

/** What identities say to each other that need not be friends; `node/Visiting` takes it. */
const visits = [
  "Claim",
  "ClaimAnswer",
  "TopicHello",
  "Profiles",
  "TopicLeft",
  "ConnectRequest",
  "ConnectResponse"
] as const
export type Visit = Extract<Message, { readonly kind: (typeof visits)[number] }>
/** Whether a message needs no friendship. */
export const isVisit = (message: { readonly kind: string }): message is Visit =>
  visits.some((kind) => kind === message.kind)

/** The kinds that carry a signature of their own (PROTOCOL.md §8), so that they can be kept as evidence. */
export const isSigned = (kind: string): boolean => kind === "Log" || kind === "Inject"
