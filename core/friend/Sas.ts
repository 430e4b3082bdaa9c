/**
 * The interactive comparison: a short string that both operators read to each other, and the machine that leads to it.
 * It never says that two strings are the same; only people can, over a channel that is not ours.
 * One side commits before it sees the other's nonce and the other answers before it sees the first one's (S. Vaudenay,
 * CRYPTO 2005; RFC 6189 §4.4), so whoever sits between them has one guess for each time both operators take part.
 */
import type { HashMap, Redacted } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import * as Transcript from "../bytes/Transcript.ts"
import { proquint } from "../identity/Fingerprint.ts"
import { keyBytes, type RemoteIdentityKey } from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"

/**
 * `committed`: our commitment is out. `invited`: theirs is here and our operator has not taken it up. `answered`: our
 * nonce is out. `comparing`: the string is there. `agreed`: our operator has said that it is the same. `awaited`: theirs
 * has. `matched` and `differed` end it, as `idle` does without a result.
 */
export type Stage =
  | "idle"
  | "committed"
  | "invited"
  | "answered"
  | "comparing"
  | "agreed"
  | "awaited"
  | "matched"
  | "differed"

/** `we…` comes from our operator, `they…` from the peer; `breaksOff`: time, the link's end, or the peer's wish. */
export type Event =
  | "weBegin"
  | "theyCommit"
  | "theyReveal"
  | "weAgree"
  | "theyAgree"
  | "weDiffer"
  | "theyDiffer"
  | "breaksOff"

/**
 * stage → event → next stage. No nonce leaves before `weBegin`: without our operator no attempt is made at all.
 * `committed --> answered`: both have begun, and this side gives way.
 */
export const transitions: Readonly<Record<Stage, Readonly<Partial<Record<Event, Stage>>>>> = {
  idle: { weBegin: "committed", theyCommit: "invited" },
  committed: { theyReveal: "comparing", theyCommit: "answered", breaksOff: "idle" },
  invited: { weBegin: "answered", theyCommit: "invited", breaksOff: "idle" },
  answered: { theyReveal: "comparing", breaksOff: "idle" },
  comparing: {
    weAgree: "agreed",
    theyAgree: "awaited",
    weDiffer: "differed",
    theyDiffer: "differed",
    breaksOff: "idle"
  },
  agreed: { theyAgree: "matched", weDiffer: "differed", theyDiffer: "differed", breaksOff: "idle" },
  awaited: { weAgree: "matched", weDiffer: "differed", theyDiffer: "differed", breaksOff: "idle" },
  matched: {},
  differed: {}
}

/** The next stage, or undefined where the table has no row: the event has no place here. */
export const next = (stage: Stage, event: Event): Stage | undefined => transitions[stage][event]

/** The table as a Mermaid state diagram. */
export const diagram = (): string => {
  const rows = Object.entries(transitions).flatMap(([from, row]) =>
    Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
  )
  return ["stateDiagram-v2", "  [*] --> idle", ...rows, "  matched --> [*]", "  differed --> [*]"].join("\n")
}

/** What people read to each other; either of the two is enough. */
export interface Short {
  /** Two five-letter words, 32 bits. */
  readonly words: string
  /** Eight digits in two groups, about 26 bits. */
  readonly number: string
}

/** One comparison with one peer, on one session. */
export interface Check {
  readonly stage: Exclude<Stage, "idle" | "matched" | "differed">
  readonly id: string
  readonly connection: string
  readonly expiresAtMs: number
  /** Our nonce: secret until it is sent. */
  readonly nonce?: Redacted.Redacted<Uint8Array>
  /** What the peer has committed to, base64url. */
  readonly commitment?: string
  readonly short?: Short
}

/** When the first of these comparisons is over; never if there is none. */
export const soonestMs = (checks: HashMap.HashMap<string, Check>): number => {
  let next = Number.POSITIVE_INFINITY
  for (const [, { expiresAtMs }] of checks) next = Math.min(next, expiresAtMs)
  return next
}

/** What both sides must agree about for the string to be the same; each takes it from its own session. */
export interface Terms {
  readonly id: string
  readonly initiator: RemoteIdentityKey
  readonly responder: RemoteIdentityKey
  /** The session's handshake hash, base64url. */
  readonly handshakeHash: string
}

type Sha256 = (bytes: Uint8Array) => Uint8Array

const fieldsOf = ({ handshakeHash, id, initiator, responder }: Terms): ReadonlyArray<Transcript.Field> => [
  id,
  keyBytes(initiator),
  keyBytes(responder),
  Base64url.decode(handshakeHash) ?? new Uint8Array(0)
]

/** The nonce of a turn's entropy. A hash, because halves of the entropy are ids that others see. */
export const nonceOf = (sha256: Sha256, entropy: Uint8Array): Uint8Array =>
  sha256(Transcript.encode("wop/3 sas nonce", [entropy]))

/** What the initiator commits to, base64url. */
export const commitment = (sha256: Sha256, terms: Terms, nonce: Uint8Array): string =>
  Base64url.encode(sha256(Transcript.encode("wop/3 sas commit", [...fieldsOf(terms), nonce])))

/** The bytes that the string is made of. */
export const digest = (sha256: Sha256, terms: Terms, initiatorNonce: Uint8Array, responderNonce: Uint8Array) =>
  sha256(Transcript.encode("wop/3 sas", [...fieldsOf(terms), initiatorNonce, responderNonce]))

/** The string of a digest: two words of its first four bytes, eight digits of the next five. */
export const short = (bytes: Uint8Array): Short => {
  const value = bytes.subarray(4, 9).reduce((sum, byte) => sum * 256 + byte, 0)
  const digits = String(value % 10 ** Limits.sasDigitsMax).padStart(Limits.sasDigitsMax, "0")
  return {
    words: `${proquint(bytes[0]!, bytes[1]!)} ${proquint(bytes[2]!, bytes[3]!)}`,
    number: `${digits.slice(0, 4)} ${digits.slice(4)}`
  }
}
