/**
 * What two people compare to know that nobody sits between them: words, a number and a QR text.
 * It never names a person and is not secret; both sides compute the same from both current keys.
 * Words are proquints (D. S. Wilkerson, arXiv:0901.4016): speakable, unambiguous, and no word list to trust.
 */
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Transcript from "../bytes/Transcript.ts"
import { keyBytes, type RemoteIdentityKey } from "./Keys.ts"

export interface Fingerprint {
  /** Eight five-letter words, 128 bits. */
  readonly words: string
  /** Sixty digits in groups of five, about 199 bits. */
  readonly number: string
  /** Text for a QR code: a version and both keys in sorted order. */
  readonly qr: string
}

const consonants = "bdfghjklmnprstvz"
const vowels = "aiou"

/** Sixteen bits as consonant, vowel, consonant, vowel, consonant. */
export const proquint = (high: number, low: number): string => {
  const bits = (high << 8) | low
  return (
    consonants[(bits >> 12) & 15]! +
    vowels[(bits >> 10) & 3]! +
    consonants[(bits >> 6) & 15]! +
    vowels[(bits >> 4) & 3]! +
    consonants[bits & 15]!
  )
}

/** Five bytes as five digits (the bias of 10^5 in 2^40 is below one in ten million). */
const fiveDigits = (bytes: Uint8Array, offset: number): string => {
  let value = 0
  for (let index = 0; index < 5; index++) value = value * 256 + bytes[offset + index]!
  return String(value % 100_000).padStart(5, "0")
}

/** The fingerprint of a pair of identity keys (32 bytes each); the order of the two does not matter. */
export const of = (crypto: CryptoShape, one: Uint8Array, other: Uint8Array): Fingerprint => {
  const sorted = [one, other].sort((a, b) => (Base64url.encode(a) < Base64url.encode(b) ? -1 : 1))
  const digest = (part: string) => crypto.sha256(Transcript.encode("wop/3 fingerprint", [part, ...sorted]))
  const forWords = digest("words")
  const forNumber = [digest("number 1"), digest("number 2")]
  const words = Array.from({ length: 8 }, (_, index) => proquint(forWords[2 * index]!, forWords[2 * index + 1]!))
  const groups = forNumber.flatMap((bytes) => Array.from({ length: 6 }, (_, index) => fiveDigits(bytes, 5 * index)))
  return {
    words: words.join(" "),
    number: groups.join(" "),
    qr: `wop3-fingerprint:${sorted.map(Base64url.encode).join(":")}`
  }
}

/** The same of two keys as they are written. */
export const between = (crypto: CryptoShape, one: RemoteIdentityKey, other: RemoteIdentityKey): Fingerprint =>
  of(crypto, keyBytes(one), keyBytes(other))
