/**
 * The second implementation's friend lines: found in what a channel delivers, checked, printed (PROTOCOL.md §4).
 * It never knows a clock or who posted; those are a node's business and not a format.
 * The outcome is one word, so that it can be laid beside the vectors: a kind of line, or a code.
 */
import { type Field, fromBase64url, nameOf } from "./Bytes.ts"
import { holds, isValidKey } from "./Signature.ts"

const entities: ReadonlyArray<readonly [string, ReadonlyArray<string>, number]> = [
  ["|", ["vert", "verbar", "VerticalLine"], 0x7c],
  [":", ["colon"], 0x3a],
  ["_", ["lowbar"], 0x5f],
  [" ", ["nbsp"], 0xa0],
  ["<", ["lt"], 0x3c],
  [">", ["gt"], 0x3e],
  ["'", ["apos"], 0x27],
  ['"', ["quot"], 0x22],
  ["&", ["amp"], 0x26]
]

const unmangle = (delivered: string): string => {
  let plain = delivered
  for (const [character, named, code] of entities) {
    const forms = [...named, `#0*${code}`, `#x0*${code.toString(16)}`].join("|")
    plain = plain.replace(new RegExp(`&(?:${forms});`, "gi"), character)
  }
  const scheme = "(?:https?://|mailto:)"
  return plain
    .replace(new RegExp(`<${scheme}[^\\s<>|]+\\|([^\\s<>|]+)>`, "g"), "$1")
    .replace(new RegExp(`\\[([^\\s[\\]]+)\\]\\(${scheme}[^\\s()]+\\)`, "g"), "$1")
    .replace(new RegExp(`<${scheme}([^\\s<>|]+?)/?>`, "g"), "$1")
    .replace(/\\([_|*~`])/g, "$1")
}

const shapes = {
  request: ["to", "from", "pubkey", "encryptPub", "ts", "sig"],
  accept: ["to", "from", "pubkey", "encryptPub", "requestSig", "ts", "sig"]
} as const
export type Kind = keyof typeof shapes

const values: Readonly<Record<string, string>> = {
  to: "[^\\s|]{1,140}",
  from: "[^\\s|]{1,140}",
  pubkey: "[A-Za-z0-9_-]{43}",
  encryptPub: "[A-Za-z0-9_-]{43}",
  requestSig: "[A-Za-z0-9_-]{86}",
  sig: "[A-Za-z0-9_-]{86}",
  ts: "[0-9]{1,16}"
}
const bar = "[\\s\\u00a0]*\\|[\\s\\u00a0]*"
const wordOf = (kind: Kind) => `FRIEND_${kind.toUpperCase()}`
const grammarOf = (kind: Kind) =>
  new RegExp(
    `(?<![A-Za-z0-9_])${wordOf(kind)}${shapes[kind].map((name) => `${bar}${name}:(?<${name}>${values[name]})`).join("")}(?![A-Za-z0-9_+/=-])`,
    "u"
  )
const former = new RegExp(
  `FRIEND_(?:REQUEST|ACCEPT)${bar}to:[^\\s|]{1,140}${bar}from:[^\\s|]{1,140}${bar}pubkey:MCowBQYDK2V`,
  "u"
)

type Fields = Readonly<Record<string, string>>

/** What a line's signature covers, in order. */
export const signed = (kind: Kind, fields: Fields): readonly [label: string, fields: ReadonlyArray<Field>] => {
  const of = (name: string) => fields[name] ?? ""
  const keys = [of("pubkey"), of("encryptPub")].map((key) => Buffer.from(key, "base64url"))
  const answered = kind === "accept" ? [of("requestSig")] : []
  return [`wop/3 friend-${kind}`, [of("to"), of("from"), ...keys, ...answered, Number(of("ts"))]]
}

export const print = (kind: Kind, fields: Fields): string =>
  [wordOf(kind), ...shapes[kind].map((name) => `${name}:${fields[name]}`)].join(" | ")

const check = (kind: Kind, fields: Fields): string => {
  const of = (name: string) => fields[name] ?? ""
  if (nameOf(of("to")) !== of("to") || nameOf(of("from")) !== of("from")) return "name-invalid"
  const key = fromBase64url(of("pubkey"))
  if (key === undefined || !isValidKey(key) || fromBase64url(of("encryptPub")) === undefined) return "key-invalid"
  const signature = fromBase64url(of("sig"))
  const ts = Number(of("ts"))
  const spelled = Number.isSafeInteger(ts) && String(ts) === of("ts")
  const answersSpelled = kind === "request" || fromBase64url(of("requestSig")) !== undefined
  if (signature === undefined || !spelled || !answersSpelled) return "line-malformed"
  return holds(key, ...signed(kind, fields), signature) ? kind : "line-forged"
}

/** `none`, `legacy`, the kind of an authentic line, or the code under which it is refused. */
export const read = (delivered: string): string => {
  if (delivered.length > 4096 || !/FRIEND(?:_|\\_|&)/.test(delivered)) return "none"
  const plain = unmangle(delivered)
  if (former.test(plain)) return "legacy"
  const matches = (["request", "accept"] as const)
    .map((kind) => ({ kind, match: grammarOf(kind).exec(plain) }))
    .sort((a, b) => (a.match?.index ?? Infinity) - (b.match?.index ?? Infinity))
  const first = matches[0]
  if (first?.match?.groups !== undefined) return check(first.kind, first.match.groups)
  return /FRIEND_(?:REQUEST|ACCEPT)[\s\u00a0]*\|/.test(plain) ? "line-malformed" : "none"
}
