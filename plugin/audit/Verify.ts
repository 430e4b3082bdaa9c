/**
 * Whether an audit log is as it was written: every line, their order, the signed heads, and that nothing is missing.
 * It never writes, and needs no node: files, and the keys that may have signed.
 * What comes after the last head is chained but not signed: whoever can write files can have written it, and that is said.
 */
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Found } from "./AuditFolder.ts"
import * as AuditFolder from "./AuditFolder.ts"
import * as AuditLine from "./AuditLine.ts"

/** What is wrong, where, and what it can mean. */
export interface Finding {
  readonly code:
    | "line-damaged"
    | "line-out-of-place"
    | "torn-end"
    | "head-forged"
    | "head-damaged"
    | "head-missing"
    | "key-unknown"
    | "key-older"
    | "end-missing"
    | "beginning-missing"
  readonly file: string
  /** The line in its file, from 1; 0 for the file as a whole. */
  readonly line: number
  readonly why: string
}

/** What may be missing, as a node has noted it itself: no damage, and still something that a reader must know. */
export interface Hole {
  readonly line: number
  readonly at: number
  readonly note: "cut" | "missed" | "damaged" | "unended"
  readonly count?: number
}

/** What a log came to. */
export interface Verified {
  readonly ok: boolean
  /** Numbers of the first and the last line; 0 where there is none. */
  readonly first: number
  readonly last: number
  /** The last line that a head covers, and how many come after it. */
  readonly signed: number
  readonly unsigned: number
  readonly heads: number
  readonly findings: ReadonlyArray<Finding>
  /** The newest of them, oldest first. */
  readonly holes: ReadonlyArray<Hole>
}

const findingsMax = 100
const holesMax = 100

/** What is known of the log up to a line, while it is read. */
interface Walk {
  readonly crypto: CryptoShape
  /** Our identity keys, oldest first; none: heads are compared with nothing. */
  readonly keys: ReadonlyArray<string>
  readonly findings: Array<Finding>
  readonly holes: Array<Hole>
  readonly texts: Map<number, string>
  previous: AuditLine.Line | undefined
  first: number
  signed: number
  heads: number
  keyIndex: number
}

type Say = (code: Finding["code"], why: string) => void

/** Says what is wrong in one place. */
const sayer =
  (walk: Walk, file: string, line: number): Say =>
  (code, why) => {
    walk.findings.push({ code, file, line, why })
  }

const onHead = (walk: Walk, head: AuditLine.Head, found: Say): void => {
  if (!AuditLine.isSigned(walk.crypto, head)) {
    found("head-forged", "the signature of a head does not hold")
    return
  }
  walk.heads++
  walk.signed = Math.max(walk.signed, head.n)
  const index = walk.keys.indexOf(head.head)
  if (walk.keys.length > 0 && index < 0) found("key-unknown", "a head is signed by a key that is not of this identity")
  else if (index < walk.keyIndex) found("key-older", "a head is signed by a key that was left before")
  walk.keyIndex = Math.max(walk.keyIndex, index)
}

const onNote = (walk: Walk, { body }: AuditLine.Line): void => {
  if (!("note" in body) || body.note === "begun" || body.note === "ended") return
  const { at, count, n: line, note } = body
  walk.holes.push({ line, at, note, ...(count === undefined ? {} : { count }) })
  if (walk.holes.length > holesMax) walk.holes.shift()
}

/** A line after the one before it. */
const onLine = (walk: Walk, line: AuditLine.Line, found: Say): void => {
  const { n, prev } = line.body
  const after = walk.previous
  if (after === undefined) {
    walk.first = n
    if (n === 1 && prev !== AuditLine.beginning) found("line-out-of-place", "the first line follows another")
  } else if (n !== after.body.n + 1 || prev !== after.hash) {
    found(
      "line-out-of-place",
      `line ${n} does not follow line ${after.body.n}: something was taken out, put in or moved`
    )
  }
  onNote(walk, line)
  if ("head" in line.body) onHead(walk, line.body, found)
  walk.texts.set(n, line.text)
  walk.previous = line
}

const onFile = (walk: Walk, { name, text }: Found["files"][number]): void => {
  const lines = text.split("\n")
  const rest = lines.pop() ?? ""
  for (const [index, one] of lines.entries()) {
    const found = sayer(walk, name, index + 1)
    const line = AuditLine.read(walk.crypto, one)
    if (line === undefined) {
      found("line-damaged", "a line is not as it was written")
      continue
    }
    if (index === 0 && AuditFolder.firstOf(name) !== line.body.n)
      found("line-out-of-place", "a file begins with another line than its name says")
    onLine(walk, line, found)
  }
  if (rest === "") return
  const why =
    "the last line is not whole: the node was killed while it wrote, or somebody cut it; the next start says so"
  sayer(walk, name, lines.length + 1)("torn-end", why)
}

/** The newest head, beside the files: whether the log still has what was signed, from its beginning to there. */
const onHeadFile = (walk: Walk, text: string | undefined): void => {
  const found = sayer(walk, AuditFolder.headName, 0)
  const last = walk.previous?.body.n ?? 0
  if (text === undefined) {
    // A node that was killed while it made the log has two lines and has not put the head beside them yet.
    if (last > 2 || walk.first > 1)
      found("head-missing", "the newest head is not there: how far the log went is not known")
    return
  }
  const line = text.endsWith("\n") ? AuditLine.read(walk.crypto, text.slice(0, -1)) : undefined
  if (line === undefined || !("head" in line.body)) {
    found("head-damaged", "the newest head is not as it was written")
    return
  }
  const head = line.body
  const { heads } = walk
  onHead(walk, head, found)
  walk.heads = heads
  if (walk.texts.get(head.n) !== line.text)
    found("end-missing", `line ${head.n} was signed, and is not there as it was; the log ends with line ${last}`)
  if (walk.first > head.first)
    found("beginning-missing", `lines from ${head.first} on were kept, and the log begins with ${walk.first}`)
}

/** Checks a log. `keys`: the identity keys that may have signed, oldest first; none where they are not known. */
export const verify = (crypto: CryptoShape, found: Found, keys: ReadonlyArray<string>): Verified => {
  const walk: Walk = {
    crypto,
    keys,
    findings: [],
    holes: [],
    texts: new Map(),
    previous: undefined,
    first: 0,
    signed: 0,
    heads: 0,
    keyIndex: -1
  }
  for (const file of found.files) onFile(walk, file)
  onHeadFile(walk, found.head)
  const { findings, first, heads, holes, signed } = walk
  const last = walk.previous?.body.n ?? 0
  const shown = findings.slice(0, findingsMax)
  return {
    ok: findings.length === 0,
    first,
    last,
    signed,
    unsigned: Math.max(0, last - signed),
    heads,
    findings: shown,
    holes
  }
}
