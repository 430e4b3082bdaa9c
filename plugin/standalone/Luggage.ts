/**
 * What a node takes along when it moves, as bytes: a first line about the identity, then one line for each record.
 * It never seals and never stores; it is the plain content, and whoever holds it holds the keys.
 * Lines, because a node may have more waiting for its friends than one text can hold.
 */
import { Redacted, Result, Schema } from "effect"
import type { StoredRecord } from "../../ports/RecordStore.ts"

export interface Luggage {
  /** The document of the key vault, as it is. */
  readonly identity: Redacted.Redacted<string>
  readonly records: ReadonlyArray<StoredRecord>
  readonly packedAtMs: number
}

const First = Schema.fromJsonString(
  Schema.Struct({
    content: Schema.Literal("wopr-p2p node"),
    version: Schema.Literal(1),
    packedAtMs: Schema.Int,
    records: Schema.Int,
    identity: Schema.String
  })
)
const Line = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String, Schema.String]))
const newline = 0x0a

/** Everything as bytes. */
export const pack = ({ identity, packedAtMs, records }: Luggage): Uint8Array => {
  const first = {
    content: "wopr-p2p node",
    version: 1,
    packedAtMs,
    records: records.length,
    identity: Redacted.value(identity)
  } as const
  const lines = [
    Schema.encodeSync(First)(first),
    ...records.map((one) => JSON.stringify([one.collection, one.key, one.value]))
  ]
  return new Uint8Array(Buffer.concat(lines.map((line) => Buffer.from(`${line}\n`))))
}

/** The lines of a text that ends with one. */
const linesOf = (bytes: Uint8Array): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const decoder = new TextDecoder()
  for (let from = 0, end = bytes.indexOf(newline); end >= 0; from = end + 1, end = bytes.indexOf(newline, from)) {
    lines.push(decoder.decode(bytes.subarray(from, end)))
  }
  return lines
}

/** The content of such bytes, or undefined if they are not of this kind and version. */
export const unpack = (bytes: Uint8Array): Luggage | undefined => {
  const [text, ...lines] = linesOf(bytes)
  const first = Schema.decodeUnknownResult(First)(text ?? "")
  if (Result.isFailure(first) || first.success.records !== lines.length) return undefined
  const records: Array<StoredRecord> = []
  for (const line of lines) {
    const record = Schema.decodeUnknownResult(Line)(line)
    if (Result.isFailure(record)) return undefined
    const [collection, key, value] = record.success
    records.push({ collection, key, value })
  }
  const { identity, packedAtMs } = first.success
  return { identity: Redacted.make(identity, { label: "keys" }), records, packedAtMs }
}
