/**
 * A line of the audit log: what it can say, its hash, and the signature of a head.
 * It never holds a text, a name or a reason of a peer: a time, a kind of question, who by id and key, and a code.
 * The hash is over the bytes as written and the one of the line before is among them, so that no bit of a line is free.
 */
import { Result, Schema } from "effect"
import { Base64url, type Keys, Statement, Transcript } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Bounds from "./Bounds.ts"

const count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const common = { prev: Schema.String, n: count, at: count }

/** What the gate was asked, by whom, and what it said; `times` where it was the same several times; `keys` of so many strangers. */
const DecisionLine = Schema.Struct({
  ...common,
  asked: Schema.String,
  peer: Schema.String,
  key: Schema.String,
  verdict: Schema.String,
  bytes: Schema.optionalKey(count),
  times: Schema.optionalKey(count),
  keys: Schema.optionalKey(count)
})

/**
 * What became of the log itself: the node began or ended, a torn end of so many bytes was cut, decisions were lost, or the
 * log before did not end with `ended`: the node was killed, and what it decided last may be missing.
 */
const NoteLine = Schema.Struct({
  ...common,
  note: Schema.Literals(["begun", "ended", "cut", "missed", "damaged", "unended"]),
  count: Schema.optionalKey(count)
})

/** Everything up to the line before, signed; lines before `first` were given up in order. */
const HeadLine = Schema.Struct({ ...common, head: Schema.String, first: count, signature: Schema.String })

const Body = Schema.Union([DecisionLine, NoteLine, HeadLine])
const decodeBody = Schema.decodeUnknownResult(Schema.fromJsonString(Body))

export type Head = typeof HeadLine.Type
export type Body = typeof Body.Type
/** What a line says besides its place in the chain. */
export type Said = Omit<typeof DecisionLine.Type, keyof typeof common> | Omit<typeof NoteLine.Type, keyof typeof common>

/** A line as read: its text without the line break, its hash, what it says. */
export interface Line {
  readonly text: string
  readonly hash: string
  readonly body: Body
}

/** Where a line stands. */
export interface Place {
  readonly prev: string
  readonly n: number
  readonly at: number
}

/** What the first line follows. */
export const beginning = "A".repeat(43)

const hashOf = (crypto: Pick<CryptoShape, "sha256">, rest: string): string =>
  Base64url.encode(crypto.sha256(Transcript.encode("wop/3 audit-line", [rest])))

/** A line at its place in the chain. */
const print = (crypto: Pick<CryptoShape, "sha256">, body: Body): Line => {
  const rest = JSON.stringify(body).slice(1)
  const hash = hashOf(crypto, rest)
  return { text: `{"hash":"${hash}",${rest}`, hash, body }
}

/** The line that says this at a place. */
export const make = (crypto: Pick<CryptoShape, "sha256">, { at, n, prev }: Place, said: Said): Line =>
  print(crypto, { prev, n, at, ...said } as Body)

const statementOf = ({ at, first, n, prev }: Pick<Head, "at" | "first" | "n" | "prev">): Statement.Statement => ({
  purpose: "auditHead",
  fields: [prev, n, first, at]
})

/** A head at a place, signed with the identity key. */
export const sign = (crypto: CryptoShape, keys: Keys.LocalKeys, place: Place, first: number): Line => {
  const { at, n, prev } = place
  const head = Base64url.encode(keys.identityKey)
  const signature = Base64url.encode(Statement.sign(crypto, keys, statementOf({ at, n, prev, first })))
  return print(crypto, { prev, n, at, head, first, signature })
}

/** Whether a head is signed by the key that it names. */
export const isSigned = (crypto: CryptoShape, head: Head): boolean => {
  const key = Base64url.decodeExact(head.head, 32)
  const signature = Base64url.decodeExact(head.signature, 64)
  if (key === undefined || signature === undefined || !crypto.ed25519ValidKey(key)) return false
  return Statement.holds(crypto, head.head as Keys.RemoteIdentityKey, statementOf(head), signature)
}

/** A line of a file, or undefined if it is none, or not as it was written. */
export const read = (crypto: Pick<CryptoShape, "sha256">, text: string): Line | undefined => {
  const [, hash = "", rest = ""] = /^\{"hash":"([\w-]{43})",([\x20-\x7e]+)$/.exec(text) ?? []
  if (text.length > Bounds.lineBytesMax || hash === "" || hashOf(crypto, rest) !== hash) return undefined
  const body = decodeBody(`{${rest}`)
  return Result.isSuccess(body) ? { text, hash, body: body.success } : undefined
}
