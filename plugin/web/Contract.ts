/**
 * What the panel and its server say to each other, as Schemas: one snapshot of the node, commands, conversations, events.
 * It never holds a secret but the two that are asked for: a bearer, and the link of an invite that was just made.
 * Texts in it that peers wrote are as they came; whoever shows them makes text of them, never markup.
 */
import { Schema } from "effect"
import { Capability } from "../../core/index.ts"
import { Line } from "../control/Request.ts"
import * as Bounds from "./Bounds.ts"

const text = Schema.String
/** A part of a path, or an answer that is a text. */
export const Text = text
const short = (most: number) => Schema.String.check(Schema.isMaxLength(most))
const whole = Schema.Int
const orNull = <S extends Schema.Constraint>(schema: S) => Schema.NullOr(schema)
const list = <S extends Schema.Constraint>(schema: S) => Schema.Array(schema)
const optional = Schema.optionalKey
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const capability = Schema.Literals(Capability.all)

/** What two people compare. `qr` is the text of a QR code; `POST /api/qr` draws it. */
export const Fingerprint = Schema.Struct({ words: text, number: text, qr: text })

/** A QR code: rows of `1` (dark) and `0`, a quiet zone of four included. Draw it dark on white in either colour scheme. */
export const Qr = Schema.Struct({ text, size: whole, rows: list(text) })

const Comparison = Schema.Struct({ stage: text, words: orNull(text), number: orNull(text), expiresAtMs: whole })
const Spent = Schema.Struct({ calls: whole, tokens: whole, ms: whole })

/** A friend. Commands about it name it as `handle`, which is no other friend's. */
export const Friend = Schema.Struct({
  /** What we call it: our own name for it where `/name` has given one, else the one that its line had (`lineName`). */
  name: text,
  lineName: text,
  handle: text,
  peerId: text,
  shortId: text,
  identityKey: text,
  fingerprint: Fingerprint,
  channel: text,
  /** Whether the account that posted its line has its name: `same`, `different`, `unproven`. */
  evidence: text,
  /** Why its key is in doubt, null if it is not; the sentence says what to do. */
  alarm: orNull(Schema.Struct({ code: text, why: text })),
  trust: Schema.Literals(["unverified", "verified", "changed", "revoked"]),
  trustSinceMs: orNull(whole),
  /** Which friend introduced us, as it was called then; no word for the key. */
  introducedBy: orNull(text),
  /** The interactive comparison under way. */
  comparison: orNull(Comparison),
  knowsOurKey: Schema.Boolean,
  /** What it may do here (our grants), and what it lets us do. */
  capabilities: list(capability),
  allowsUs: list(text),
  hold: text,
  spentToday: orNull(Spent),
  connected: Schema.Boolean,
  /** When it was last connected; null: not since this node's start. */
  lastSeenMs: orNull(whole),
  /** Messages of ours that wait for it. */
  waiting: whole,
  bannedUntilMs: orNull(whole),
  sinceMs: whole,
  muted: Schema.Boolean,
  /** One identity on two machines: the friend's as we saw it, ours as the friend says; null if not lately. */
  twoMachinesMs: orNull(whole),
  saysTwoMachinesMs: orNull(whole)
})

/** Somebody who asks to be a friend; `/accept` and `/deny` take its `handle`. */
export const Request = Schema.Struct({
  name: text,
  handle: text,
  identityKey: text,
  fingerprint: Fingerprint,
  channel: text,
  author: orNull(text),
  evidence: text,
  /** What came with a request to connect; null for a line in a room. */
  note: orNull(text),
  introducedBy: orNull(text),
  receivedAtMs: whole,
  trust: text
})

/** Somebody whom a friend (`introducedBy`) says to be worth knowing, under a name of its own; `/accept` and `/deny` take its `handle`. */
export const Introduction = Schema.Struct({
  id: text,
  introducedBy: text,
  name: text,
  handle: text,
  note: text,
  identityKey: text,
  fingerprint: Fingerprint,
  trust: text,
  /** Whether the key was a friend's once. */
  former: Schema.Boolean,
  receivedAtMs: whole,
  expiresAtMs: whole
})

const Waiting = Schema.Struct({ id: text, name: text, kind: text, state: text, bytes: whole })
/** A friend's question that waits for `/approve ID` or `/refuse ID`; its text is in the friend's conversation. */
const Held = Schema.Struct({
  id: text,
  name: text,
  bytes: whole,
  reason: text,
  trust: text,
  heldAtMs: whole,
  expiresAtMs: whole
})
const Invite = Schema.Struct({
  id: text,
  state: text,
  named: orNull(text),
  capabilities: list(capability),
  uses: whole,
  usesMax: whole,
  redeemedBy: list(text),
  madeAtMs: whole,
  expiresAtMs: whole
})
/** An invite we claim, a stranger we want to connect to, or our yes to an introduction: `/cancel ID` gives it up. */
const Errand = Schema.Struct({
  id: text,
  kind: text,
  name: orNull(text),
  identityKey: text,
  madeAtMs: whole,
  expiresAtMs: whole,
  reached: Schema.Boolean
})
const Topic = Schema.Struct({ name: text, secret: Schema.Boolean, hash: text, members: whole, sinceMs: whole })
/** Somebody in a topic, by its own words; `/connect HANDLE` asks it to be a friend. */
const Member = Schema.Struct({
  topic: text,
  name: text,
  handle: text,
  description: text,
  tags: list(text),
  identityKey: text,
  met: Schema.Boolean,
  friend: Schema.Boolean,
  trust: orNull(text),
  version: whole,
  expiresMs: whole
})
const Rule = Schema.Struct({
  id: text,
  key: optional(text),
  channel: optional(text),
  author: optional(text),
  unproven: Schema.Boolean
})
/** Something that was refused lately and why: `ours` a message of ours, `theirs` something that came from outside. */
const Refusal = Schema.Struct({
  whose: Schema.Literals(["ours", "theirs"]),
  atMs: whole,
  name: text,
  kind: text,
  code: text,
  why: text,
  id: optional(text)
})
const Finding = Schema.Struct({
  code: text,
  level: Schema.Literals(["broken", "notice"]),
  sentence: text,
  detail: text,
  mend: text
})
/** What the doctor found, offline, and when it looked. */
export const Doctor = Schema.Struct({
  atMs: whole,
  findings: list(Finding),
  unknown: list(Schema.Struct({ what: text, why: text }))
})

/** The node at one moment. */
export const View = Schema.Struct({
  atMs: whole,
  /** The newest event that this snapshot contains: where an event stream goes on without a gap. */
  events: text,
  version: text,
  identity: Schema.Struct({
    name: text,
    shortKey: text,
    identityKey: text,
    keysAnnounced: list(text),
    /** Our key as a QR code, to be read by a friend's camera. */
    qr: Qr
  }),
  friends: list(Friend),
  requests: list(Request),
  introductions: list(Introduction),
  asked: list(Schema.Struct({ to: text, channel: text, posted: Schema.Boolean })),
  queue: list(Waiting),
  held: list(Held),
  invites: list(Invite),
  errands: list(Errand),
  topics: list(Topic),
  profile: Schema.Struct({ name: text, description: text, tags: list(text) }),
  discovered: list(Member),
  /** How many members there are besides those listed. */
  discoveredMore: whole,
  rules: list(Rule),
  /** Capabilities that only verified friends may use. */
  verifiedFor: list(capability),
  bans: list(Schema.Struct({ name: text, handle: text, untilMs: whole })),
  limits: Schema.Struct({
    messagesPerMinute: whole,
    messagesPerHour: whole,
    injectsPerMinute: whole,
    injectsPerHour: whole,
    textBytes: whole,
    queuePerFriend: whole
  }),
  sandbox: Schema.Struct({
    ready: Schema.Boolean,
    reason: text,
    /** What is in force, in words; null: nothing is known to be. */
    confinement: orNull(text),
    jobsRunning: whole
  }),
  /** Null until the doctor has looked for the first time. */
  doctor: orNull(Doctor),
  /** The newest first. */
  refusals: list(Refusal),
  /** The status page in words, as the prompt shows it. */
  status: list(text),
  guests: whole,
  unasked: whole
})
export type View = typeof View.Type

/** An id by which a client repeats itself without doing it twice. */
export const RepeatId = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{8,64}$/))
const waitMs = optional(between(1, Bounds.waitMsMax))

/**
 * A line as typed at the prompt (`/message @bob hello`), or a row of the table of commands and what follows its name. With
 * `waitMs` a message or an inject is followed to its outcome.
 */
export const Command = Schema.Union([
  Schema.Struct({ id: RepeatId, line: short(Bounds.bodyBytesMax), waitMs }),
  Schema.Struct({
    id: RepeatId,
    name: Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,31}$/)),
    rest: short(Bounds.bodyBytesMax),
    waitMs
  })
])
export type Command = typeof Command.Type

/** What a command came to: `facts` for programs, `lines` for people. A refusal is an answer too, with `code` and `why`. */
export const Answer = Schema.Struct({
  ok: Schema.Boolean,
  /** Whether this is the kept answer of an earlier request under the same id. */
  repeated: Schema.Boolean,
  code: optional(text),
  why: optional(text),
  facts: Schema.Record(Schema.String, Schema.Unknown),
  lines: list(Line),
  outcome: optional(orNull(Schema.Record(Schema.String, Schema.Unknown)))
})
export type Answer = typeof Answer.Type

/** The table of commands, for completion and help. */
export const Commands = Schema.Struct({
  commands: list(Schema.Struct({ name: text, usage: text, help: text }))
})

/**
 * A text of a conversation. `ours`: what our own agent answered, or what we sent; then `state` says how that stands
 * (`refused` with the reason in the view's refusals, `delivered`, or as in the queue), and is null for all else.
 */
export const Entry = Schema.Struct({
  id: text,
  atMs: whole,
  from: text,
  ours: Schema.Boolean,
  state: orNull(text),
  text
})
/** A page of a conversation, oldest first. `before` asks for the page before it; null: there is none. */
export const Conversation = Schema.Struct({
  handle: text,
  name: text,
  label: text,
  entries: list(Entry),
  before: orNull(text)
})
export const ConversationQuery = Schema.Struct({
  before: optional(short(256)),
  limit: optional(short(4)),
  search: optional(short(Bounds.searchCharactersMax))
})
export const ExportQuery = Schema.Struct({ format: optional(Schema.Literals(["jsonl", "text"])) })

/** What an invite is to be; `expires` as `30m`, `12h` or `7d`. */
export const InviteWish = Schema.Struct({
  id: RepeatId,
  capability: optional(capability),
  for: optional(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_-]{43}$/))),
  uses: optional(between(1, 9_999)),
  expires: optional(Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,4}[mhd]$/)))
})
/** The one time that a link is shown: whoever has it may use it. Or why there is none. */
export const InviteMade = Schema.Union([
  Schema.Struct({ ok: Schema.Literal(true), invite: text, link: text, qr: Qr }),
  Schema.Struct({ ok: Schema.Literal(false), code: text, why: text })
])

export const QrWish = Schema.Struct({ text: short(Bounds.qrCharactersMax) })

/** What a page keeps in memory, and nowhere else. */
export const Session = Schema.Struct({ bearer: text })

export const Health = Schema.Struct({ ok: Schema.Boolean, name: text, friends: whole, connected: whole })

/** Done, and nothing to say. */
export const Done = Schema.Struct({ ok: Schema.Literal(true) })

/** Every answer that is not 200. */
export const Fault = Schema.Struct({ code: text, why: text, retryAfterMs: optional(whole) })

/**
 * What an event stream carries, one a `data:` line of Server-Sent Events, its `event:` the kind and its `id:` where to go on.
 * `news`: something happened, as facts and as a line for people. `gap`: what was between is not kept any more; read the
 * view again. `end`: the last word of the server, and why.
 */
export const StreamEvent = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("news"),
    atMs: whole,
    event: Schema.Record(Schema.String, Schema.Unknown),
    line: Line
  }),
  Schema.Struct({ kind: Schema.Literal("gap") }),
  Schema.Struct({ kind: Schema.Literal("end"), code: text, why: text })
])
export const EventsQuery = Schema.Struct({ after: optional(short(64)) })
