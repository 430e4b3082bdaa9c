/**
 * The one signed line with which agents become friends in public: text ↔ line (PROTOCOL.md §4).
 * It never verifies a time or remembers a line; it finds a line in mangled text and checks its spelling and signature.
 * Chat software quotes, escapes and links what it carries, so recognition is lenient and what is signed is not.
 *
 * FRIEND_REQUEST | to:… | from:… | pubkey:… | encryptPub:… | ts:… | sig:…
 * FRIEND_ACCEPT | to:… | from:… | pubkey:… | encryptPub:… | requestSig:… | ts:… | sig:…
 */
import { Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import type { Authentic } from "../identity/Authentic.ts"
import * as Keys from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Statement from "../identity/Statement.ts"
import * as Rejection from "../Rejection.ts"

interface Common {
  readonly to: string
  readonly from: string
  readonly pubkey: Keys.RemoteIdentityKey
  readonly encryptPub: Keys.RemoteAgreementKey
  readonly tsMs: number
  /** 86 characters base64url. */
  readonly signature: string
}
export interface Request extends Common {
  readonly kind: "request"
}
export interface Accept extends Common {
  readonly kind: "accept"
  /** The signature of the request this answers. */
  readonly requestSignature: string
}
export type FriendLine = Request | Accept

/** A line before it is signed. */
export type Unsigned = Omit<Request, "signature"> | Omit<Accept, "signature">

const statementOf = (line: Unsigned | FriendLine): Statement.Statement => {
  const pubkey = Keys.keyBytes(line.pubkey)
  const encryptPub = Keys.keyBytes(line.encryptPub)
  return line.kind === "request"
    ? { purpose: "friendRequest", fields: [line.to, line.from, pubkey, encryptPub, line.tsMs] }
    : {
        purpose: "friendAccept",
        fields: [line.to, line.from, pubkey, encryptPub, line.requestSignature, line.tsMs]
      }
}

/** Our signature over a line of ours, base64url. */
export const sign = (crypto: CryptoShape, keys: Keys.LocalKeys, line: Unsigned): string =>
  Base64url.encode(Statement.sign(crypto, keys, statementOf(line)))

/** The line as it is posted. */
export const print = (line: FriendLine): string => {
  const head = `to:${line.to} | from:${line.from} | pubkey:${line.pubkey} | encryptPub:${line.encryptPub}`
  const tail = `ts:${line.tsMs} | sig:${line.signature}`
  return line.kind === "request"
    ? `FRIEND_REQUEST | ${head} | ${tail}`
    : `FRIEND_ACCEPT | ${head} | requestSig:${line.requestSignature} | ${tail}`
}

const entities: ReadonlyArray<readonly [RegExp, string]> = [
  [/&#0*124;|&#x0*7c;|&vert;|&verbar;|&VerticalLine;/gi, "|"],
  [/&#0*58;|&#x0*3a;|&colon;/gi, ":"],
  [/&#0*95;|&#x0*5f;|&lowbar;/gi, "_"],
  [/&nbsp;|&#0*160;|&#x0*a0;/gi, " "],
  [/&lt;|&#0*60;|&#x0*3c;/gi, "<"],
  [/&gt;|&#0*62;|&#x0*3e;/gi, ">"],
  [/&#0*39;|&#x0*27;|&apos;/gi, "'"],
  [/&quot;|&#0*34;|&#x0*22;/gi, '"'],
  [/&amp;|&#0*38;|&#x0*26;/gi, "&"]
]

const unescape = (text: string): string =>
  entities.reduce((plain, [pattern, character]) => plain.replace(pattern, character), text)

/** Undoes autolinks around a name, in the forms of Slack, Markdown and plain brackets. */
const unlink = (text: string): string =>
  text
    .replace(/<(?:https?:\/\/|mailto:)[^\s<>|]+\|([^\s<>|]+)>/g, "$1")
    .replace(/\[([^\s[\]]+)\]\((?:https?:\/\/|mailto:)[^\s()]+\)/g, "$1")
    .replace(/<(?:https?:\/\/|mailto:)([^\s<>|]+?)\/?>/g, "$1")

/**
 * The text as it came, then with what chat software does undone, step by step: entities, autolinks, Markdown escapes.
 * A name may itself look like an entity, a link or an escape, so no step can be known to be right before the signature.
 */
const unmangled = (text: string): ReadonlyArray<string> => {
  const escaped = unescape(text)
  const linked = unlink(escaped)
  return [...new Set([text, escaped, linked, linked.replace(/\\([_|*~`])/g, "$1")])]
}

/** A line somewhere in a text of at most this many characters is looked for; a longer text is not a line. */
const textCharactersMax = 4_096
const gap = "[\\s\\u00a0]*\\|[\\s\\u00a0]*"
const field = (name: string, value: string) => `${gap}${name}:(${value})`
const key = "[A-Za-z0-9_-]{43}"
const signature = "[A-Za-z0-9_-]{86}"
const name = "[^\\s|]{1,140}"
const time = "[0-9]{1,16}"
const edge = "(?![A-Za-z0-9_+/=-])"
const grammar = new RegExp(
  "(?<![A-Za-z0-9_])(?:" +
    `FRIEND_REQUEST${field("to", name)}${field("from", name)}${field("pubkey", key)}${field("encryptPub", key)}` +
    `${field("ts", time)}${field("sig", signature)}` +
    `|FRIEND_ACCEPT${field("to", name)}${field("from", name)}${field("pubkey", key)}${field("encryptPub", key)}` +
    `${field("requestSig", signature)}${field("ts", time)}${field("sig", signature)}` +
    `)${edge}`,
  "u"
)

/** The former plugin's lines: the same words and order, keys of 60 characters in SPKI form. */
const legacyGrammar = new RegExp(
  `FRIEND_(?:REQUEST|ACCEPT)${gap}to:[^\\s|]{1,140}${gap}from:([^\\s|]{1,140})${gap}pubkey:MCowBQYDK2V`
)

/** What a text turned out to be. `none`: not a friend line at all; `legacy`: one of the former plugin. */
export type Reading =
  | { readonly kind: "none" }
  | { readonly kind: "legacy"; readonly from: string }
  | { readonly kind: "line"; readonly line: FriendLine }
  | { readonly kind: "refused"; readonly rejection: Rejection.Rejection }

const refused = (rejection: Rejection.Rejection): Reading => ({ kind: "refused", rejection })

/**
 * Finds the first friend line in a text as a channel delivered it. Never throws. Of the ways to read a mangled text the
 * one whose signature holds is given; if none holds, the fully unmangled one, for `verify` to refuse.
 */
export const parse = (crypto: CryptoShape, text: string): Reading => {
  if (text.length > textCharactersMax || !/FRIEND\\?_|FRIEND&/.test(text)) return { kind: "none" }
  const readings = unmangled(text).map((plain) => readPlain(crypto, plain))
  const authentic = (reading: Reading) => reading.kind === "line" && Result.isSuccess(verify(crypto, reading.line))
  return (readings.length > 1 ? readings.find(authentic) : undefined) ?? readings[readings.length - 1]!
}

const readPlain = (crypto: CryptoShape, plain: string): Reading => {
  const legacy = legacyGrammar.exec(plain)
  if (legacy !== null) return { kind: "legacy", from: legacy[1]! }
  const match = grammar.exec(plain)
  if (match === null) {
    return /FRIEND_(?:REQUEST|ACCEPT)[\s\u00a0]*\|/.test(plain)
      ? refused(Rejection.make("line-malformed"))
      : { kind: "none" }
  }
  return match[1] === undefined
    ? assemble(crypto, "accept", match.slice(7))
    : assemble(crypto, "request", match.slice(1))
}

const assemble = (crypto: CryptoShape, kind: FriendLine["kind"], parts: ReadonlyArray<string | undefined>): Reading => {
  const at = (index: number) => parts[index] ?? ""
  const to = Name.parse(at(0))
  const from = Name.parse(at(1))
  if (Result.isFailure(to)) return refused(to.failure)
  if (Result.isFailure(from)) return refused(from.failure)
  // The `@` that people type before a name is not part of it; a line carries the bare name, as signed.
  if (to.success !== at(0) || from.success !== at(1)) return refused(Rejection.make("name-invalid"))
  const pubkey = Keys.remoteIdentityKey(crypto, at(2))
  if (Result.isFailure(pubkey)) return refused(pubkey.failure)
  const encryptPub = Keys.remoteAgreementKey(at(3))
  if (Result.isFailure(encryptPub)) return refused(encryptPub.failure)
  const rest = kind === "accept" ? parts.slice(5) : parts.slice(4)
  const tsMs = Number(rest[0])
  const sig = rest[1] ?? ""
  const spelledOnce = String(tsMs) === rest[0] && Number.isSafeInteger(tsMs) && isSignature(sig)
  if (!spelledOnce) return refused(Rejection.make("line-malformed", "ts or sig"))
  const common = {
    to: to.success,
    from: from.success,
    pubkey: pubkey.success,
    encryptPub: encryptPub.success,
    tsMs,
    signature: sig
  }
  if (kind === "request") return { kind: "line", line: { kind, ...common } }
  if (!isSignature(at(4))) return refused(Rejection.make("line-malformed", "requestSig"))
  return { kind: "line", line: { kind, ...common, requestSignature: at(4) } }
}

const isSignature = (text: string): boolean => Base64url.decodeExact(text, 64) !== undefined

/** Checks the signature of a parsed line: authentic under the key it names, or `line-forged`. */
export const verify = (
  crypto: CryptoShape,
  line: FriendLine
): Result.Result<Authentic<FriendLine>, Rejection.Rejection> => {
  const bytes = Base64url.decodeExact(line.signature, 64)
  if (bytes === undefined) return Result.fail(Rejection.make("line-malformed", "sig"))
  return Statement.verify(crypto, line.pubkey, statementOf(line), bytes, line, "line-forged")
}
