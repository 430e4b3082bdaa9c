/**
 * The second implementation's bytes: base64url, transcripts, hashes, and what follows from a key (PROTOCOL.md §1–§3).
 * It follows the page and never imports from the project; a test holds it to the latter.
 * Its author knew the core, so agreement shows that the page is right, and only a stranger can show that it is complete.
 */
import { createHash, hkdfSync } from "node:crypto"

export type Role = "initiator" | "responder"
export type Field = Buffer | string | number

export const text = (bytes: Buffer): string => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

export const sha256 = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest()

export const hkdf = (ikm: Buffer, salt: Buffer, info: Buffer, length: number): Buffer =>
  Buffer.from(hkdfSync("sha256", ikm, salt, info, length))

/** The bytes of the one spelling there is, or undefined. */
export const fromBase64url = (spelling: string): Buffer | undefined => {
  const bytes = Buffer.from(spelling, "base64url")
  return bytes.toString("base64url") === spelling ? bytes : undefined
}

export const transcript = (label: string, fields: ReadonlyArray<Field>): Buffer => {
  const parts = fields.map((field) =>
    typeof field === "number" ? u64(field) : typeof field === "string" ? Buffer.from(field) : field
  )
  const name = Buffer.from(label)
  const prefixed = parts.flatMap((part) => [u32(part.length), part])
  return Buffer.concat([u32(name.length), name, u32(parts.length), ...prefixed])
}

export const peerId = (identityKey: Buffer): string =>
  sha256(transcript("wop/3 peer id", [identityKey])).toString("hex")

export const topic = (identityKey: Buffer): Buffer => sha256(transcript("wop/3 rendezvous", [identityKey]))

export const swarmSeed = (identitySeed: Buffer): Buffer =>
  hkdf(identitySeed, Buffer.from("wop/3"), transcript("wop/3 swarm key", []), 32)

const word = (bits: number): string => {
  const consonant = (shift: number) => "bdfghjklmnprstvz"[(bits >> shift) & 15]
  const vowel = (shift: number) => "aiou"[(bits >> shift) & 3]
  return `${consonant(12)}${vowel(10)}${consonant(6)}${vowel(4)}${consonant(0)}`
}

export const fingerprint = (one: Buffer, other: Buffer): { words: string; number: string; qr: string } => {
  const spellings = [one, other].map((key) => key.toString("base64url")).sort()
  const keys = spellings.map((spelling) => Buffer.from(spelling, "base64url"))
  const digest = (part: string) => sha256(transcript("wop/3 fingerprint", [part, ...keys]))
  const forWords = digest("words")
  const groups = ["number 1", "number 2"].flatMap((part) =>
    [0, 5, 10, 15, 20, 25].map((offset) => String(digest(part).readUIntBE(offset, 5) % 100000).padStart(5, "0"))
  )
  return {
    words: [0, 2, 4, 6, 8, 10, 12, 14].map((offset) => word(forWords.readUInt16BE(offset))).join(" "),
    number: groups.join(" "),
    qr: `wop3-fingerprint:${spellings.join(":")}`
  }
}

/** What both sides of an interactive comparison compute (§9), by the nonces of who began and who answered. */
export const comparison = (
  fields: readonly [id: string, initiator: Buffer, responder: Buffer, handshakeHash: Buffer],
  initiatorNonce: Buffer,
  responderNonce: Buffer
): { commitment: string; words: string; number: string } => {
  const digest = sha256(transcript("wop/3 sas", [...fields, initiatorNonce, responderNonce]))
  const digits = String(digest.readUIntBE(4, 5) % 100_000_000).padStart(8, "0")
  return {
    commitment: sha256(transcript("wop/3 sas commit", [...fields, initiatorNonce])).toString("base64url"),
    words: [0, 2].map((offset) => word(digest.readUInt16BE(offset))).join(" "),
    number: `${digits.slice(0, 4)} ${digits.slice(4)}`
  }
}

/** The name that was typed, or undefined if it cannot be one. */
export const nameOf = (typed: string): string | undefined => {
  const name = typed.startsWith("@") ? typed.slice(1) : typed
  const length = [...name].length
  if (length < 1 || length > 64 || name.normalize("NFC") !== name) return undefined
  if (/^(?:@|\p{M})/u.test(name) || /\p{M}{4}/u.test(name)) return undefined
  return /[\p{White_Space}\p{C}\p{Default_Ignorable_Code_Point}\u2800|]/u.test(name) ? undefined : name
}
