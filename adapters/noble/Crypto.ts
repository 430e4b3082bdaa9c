/**
 * The Crypto port over the noble libraries: plain JavaScript, for every runtime that has no native engine.
 * It never uses noble's own Ed25519 verification, which is cofactored: the rule of the protocol is computed from points.
 * It is some thirty times slower than libsodium and exists to be portable, and to disagree if one of the two is wrong.
 */
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { concatBytes, randomBytes } from "@noble/hashes/utils.js"
import { Layer, Redacted } from "effect"
import { Crypto, type CryptoShape, scalarIsCanonical } from "../../ports/Crypto.ts"

const Point = ed25519.Point
type Point = InstanceType<typeof Point>

/** The point of 32 bytes in canonical encoding (RFC 8032, not ZIP 215), or undefined. */
const decodePoint = (bytes: Uint8Array): Point | undefined => {
  if (bytes.length !== 32) return undefined
  try {
    const point = Point.fromBytes(bytes, false)
    return equal(point.toBytes(), bytes) ? point : undefined
  } catch {
    return undefined
  }
}

/** Constant-time for equal lengths: no early exit. */
const equal = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index++) difference |= a[index]! ^ b[index]!
  return difference === 0
}

const littleEndian = (bytes: Uint8Array): bigint => {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!)
  return value
}

const validPoint = (bytes: Uint8Array): Point | undefined => {
  const point = decodePoint(bytes)
  return point !== undefined && !point.is0() && point.isTorsionFree() ? point : undefined
}

/** The written rule, literally: valid A, S < L, R not of small order, encode([S]B − [k]A) = R. */
const verify: CryptoShape["ed25519Verify"] = (publicKey, message, signature) => {
  if (signature.length !== 64 || !scalarIsCanonical(signature.subarray(32))) return false
  const key = validPoint(publicKey)
  const encodedR = signature.subarray(0, 32)
  const commitment = decodePoint(encodedR)
  if (key === undefined || commitment === undefined || commitment.isSmallOrder()) return false
  const scalar = littleEndian(signature.subarray(32))
  const challenge = littleEndian(sha512(concatBytes(encodedR, publicKey, message))) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(scalar).subtract(key.multiplyUnsafe(challenge))
  return equal(expected.toBytes(), encodedR)
}

const agree: CryptoShape["x25519"] = (scalar, publicKey) => {
  if (publicKey.length !== 32) return undefined
  try {
    const shared = x25519.scalarMult(Redacted.value(scalar), publicKey)
    return shared.every((byte) => byte === 0) ? undefined : shared
  } catch {
    // noble throws for an all-zero secret.
    return undefined
  }
}

const open: CryptoShape["aes256GcmOpen"] = (key, nonce, associated, sealed) => {
  if (key.length !== 32 || nonce.length !== 12 || sealed.length < 16) return undefined
  try {
    return gcm(key, nonce, associated).decrypt(sealed)
  } catch {
    return undefined
  }
}

const make = (): CryptoShape => ({
  engine: "noble",
  randomBytes: (length) => (length === 0 ? new Uint8Array(0) : randomBytes(length)),
  sha256: (message) => sha256(message),
  hmacSha256: (key, message) => hmac(sha256, key, message),
  hkdfSha256: (ikm, salt, info, length) => (length > 255 * 32 ? undefined : hkdf(sha256, ikm, salt, info, length)),
  equal,
  ed25519PublicKey: (seed) => ed25519.getPublicKey(Redacted.value(seed)),
  ed25519Sign: (seed, message) => ed25519.sign(message, Redacted.value(seed)),
  ed25519ValidKey: (publicKey) => validPoint(publicKey) !== undefined,
  ed25519Verify: verify,
  x25519PublicKey: (scalar) => x25519.getPublicKey(Redacted.value(scalar)),
  x25519: agree,
  aes256GcmSeal: (key, nonce, associated, plaintext) => {
    if (key.length !== 32 || nonce.length !== 12) throw new Error("AES-256-GCM takes a 32-byte key and a 12-byte nonce")
    return gcm(key, nonce, associated).encrypt(plaintext)
  },
  aes256GcmOpen: open,
  wipe: (bytes) => {
    bytes.fill(0)
  }
})

/** The Crypto port over noble. */
export const layer: Layer.Layer<Crypto> = Layer.sync(Crypto, make)
