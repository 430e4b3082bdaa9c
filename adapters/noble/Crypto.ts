/**
 * The Crypto port over the noble libraries: plain JavaScript, for every runtime that has no native engine.
 * It never uses noble's own Ed25519 verification, which is cofactored: the rule of the protocol is computed from points.
 * It is some twenty times slower than libsodium and exists to be portable, and to disagree if one of the two is wrong.
 */
import { gcm } from "@noble/ciphers/aes.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { hkdf } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256, sha512 } from "@noble/hashes/sha2.js"
import { bytesToHex, concatBytes, randomBytes } from "@noble/hashes/utils.js"
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

/** Public keys remembered with their points, so that a peer's key is validated once and not for each message. */
const validKeysMax = 4_096

/** The point of a valid key. It remembers valid keys within a bound; beyond it, it forgets everything and learns again. */
const makeKeyCheck = () => {
  const valid = new Map<string, Point>()
  return (key: Uint8Array): Point | undefined => {
    if (key.length !== 32) return undefined
    const name = bytesToHex(key)
    const known = valid.get(name)
    if (known !== undefined) return known
    const point = decodePoint(key)
    if (point === undefined || point.is0() || !point.isTorsionFree()) return undefined
    if (valid.size >= validKeysMax) valid.clear()
    valid.set(name, point)
    return point
  }
}

/**
 * The written rule: valid A, S < L, encode([S]B − [k]A) = R, R not of small order.
 * R itself is never decoded: a valid A makes [S]B − [k]A a multiple of B, so an R equal to its encoding is canonical and
 * is of small order only if it is the identity.
 */
const verify = (key: Point, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const encodedR = signature.subarray(0, 32)
  const scalar = littleEndian(signature.subarray(32))
  const challenge = littleEndian(sha512(concatBytes(encodedR, publicKey, message))) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(scalar).subtract(key.multiplyUnsafe(challenge))
  return !expected.is0() && equal(expected.toBytes(), encodedR)
}

const agree: CryptoShape["x25519"] = (scalar, publicKey) => {
  const secret = Redacted.value(scalar)
  if (secret.length !== 32) throw new Error("an X25519 scalar has 32 bytes")
  if (publicKey.length !== 32) return undefined
  try {
    const shared = x25519.scalarMult(secret, publicKey)
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

/** What WebCrypto gives in one call. */
const randomBytesMax = 65_536

const random = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += randomBytesMax)
    bytes.set(randomBytes(Math.min(randomBytesMax, length - offset)), offset)
  return bytes
}

const make = (): CryptoShape => {
  const validKey = makeKeyCheck()
  return {
    engine: "noble",
    randomBytes: random,
    sha256: (message) => sha256(message),
    hmacSha256: (key, message) => hmac(sha256, key, message),
    hkdfSha256: (ikm, salt, info, length) => (length > 255 * 32 ? undefined : hkdf(sha256, ikm, salt, info, length)),
    equal,
    ed25519PublicKey: (seed) => ed25519.getPublicKey(Redacted.value(seed)),
    ed25519Sign: (seed, message) => ed25519.sign(message, Redacted.value(seed)),
    ed25519ValidKey: (publicKey) => validKey(publicKey) !== undefined,
    ed25519Verify: (publicKey, message, signature) => {
      if (signature.length !== 64 || !scalarIsCanonical(signature.subarray(32))) return false
      const key = validKey(publicKey)
      return key !== undefined && verify(key, publicKey, message, signature)
    },
    x25519PublicKey: (scalar) => x25519.getPublicKey(Redacted.value(scalar)),
    x25519: agree,
    aes256GcmSeal: (key, nonce, associated, plaintext) => {
      if (key.length !== 32 || nonce.length !== 12)
        throw new Error("AES-256-GCM takes a 32-byte key and a 12-byte nonce")
      return gcm(key, nonce, associated).encrypt(plaintext)
    },
    aes256GcmOpen: open,
    wipe: (bytes) => {
      bytes.fill(0)
    }
  }
}

/** The Crypto port over noble. */
export const layer: Layer.Layer<Crypto> = Layer.sync(Crypto, make)
