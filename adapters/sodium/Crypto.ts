/// <reference path="./sodium-native.d.ts" />
/**
 * The Crypto port over libsodium, with node:crypto for AES-256-GCM, HKDF and HMAC, which libsodium lacks.
 * It never accepts what its engine accepts without asking the written rule: keys are validated here, S is checked here.
 * libsodium's verify compares R byte for byte (cofactorless) and refuses small-order R; with a validated key that is
 * exactly the rule, at the engine's own speed, and the differential law holds it to that.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject
} from "node:crypto"
import { Layer, Redacted } from "effect"
import sodium from "sodium-native"
import { Crypto, type CryptoShape, type SecretBytes, scalarIsCanonical } from "../../ports/Crypto.ts"

/** Public keys whose validity is remembered, so that a peer's key is validated once and not for each message. */
const validKeysMax = 4_096
const tagBytes = 16
const hashBytes = 32
/** Node's `hkdfSync` throws for a longer `info`, and for an output of length 0. */
const nodeInfoBytesMax = 1_024

/** Remembers which keys are valid, within a bound; beyond it, it forgets everything and learns again. */
const makeKeyCheck = () => {
  const valid = new Set<string>()
  return (key: Uint8Array): boolean => {
    if (key.length !== 32) return false
    const name = Buffer.from(key.buffer, key.byteOffset, 32).toString("latin1")
    if (valid.has(name)) return true
    if (!sodium.crypto_core_ed25519_is_valid_point(key)) return false
    if (valid.size >= validKeysMax) valid.clear()
    valid.add(name)
    return true
  }
}

interface SigningKey {
  readonly publicKey: Uint8Array
  /** Seed ‖ public key, as libsodium wants it: a copy of a secret, so it goes when the seed goes. */
  readonly secretKey: Uint8Array
}

/**
 * Expanded signing keys, found by the very array that holds the seed: expanding one costs as much as a signature.
 * A seed that was overwritten is never signed with from memory: each use compares the copy with the seed.
 */
const makeSigningKeys = () => {
  const expanded = new WeakMap<Uint8Array, SigningKey>()
  const forget = (seed: Uint8Array): void => {
    const known = expanded.get(seed)
    if (known === undefined) return
    sodium.sodium_memzero(known.secretKey)
    expanded.delete(seed)
  }
  const of = (secret: SecretBytes): SigningKey => {
    const seed = Redacted.value(secret)
    const known = expanded.get(seed)
    if (known !== undefined && sodium.sodium_memcmp(known.secretKey.subarray(0, 32), seed)) return known
    forget(seed)
    const key = { publicKey: new Uint8Array(32), secretKey: new Uint8Array(64) }
    sodium.crypto_sign_seed_keypair(key.publicKey, key.secretKey, seed)
    expanded.set(seed, key)
    return key
  }
  return { of, forget }
}

const hmac = (key: Uint8Array, ...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const keyed = createHmac("sha256", key)
  for (const part of parts) keyed.update(part)
  return new Uint8Array(keyed.digest())
}

/** RFC 5869 in its own words, for the inputs that Node's HKDF refuses although the RFC allows them. */
const extractAndExpand = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array => {
  const pseudorandomKey = hmac(salt, ikm)
  const output = new Uint8Array(length)
  let block = new Uint8Array(0)
  for (let offset = 0; offset < length; offset += hashBytes) {
    block = new Uint8Array(hmac(pseudorandomKey, block, info, Uint8Array.of(offset / hashBytes + 1)))
    output.set(block.subarray(0, length - offset), offset)
  }
  return output
}

const hkdf: CryptoShape["hkdfSha256"] = (ikm, salt, info, length) => {
  if (!(Number.isInteger(length) && length >= 0)) throw new Error("the length of an HKDF output is a whole number")
  if (length > 255 * hashBytes) return undefined
  if (length === 0 || info.length > nodeInfoBytesMax) return extractAndExpand(ikm, salt, info, length)
  return new Uint8Array(hkdfSync("sha256", ikm, salt, info, length))
}

/** A session's key as OpenSSL wants it, with the copy of it that proves which key that is. */
interface SealingKey {
  readonly copy: Uint8Array
  readonly key: KeyObject
}

/**
 * Keys made ready for OpenSSL, found by the very array that holds the key: making one costs four times what sealing a
 * message costs. As with signing keys, bytes that were overwritten are never used from memory.
 */
const makeSealingKeys = () => {
  const ready = new WeakMap<Uint8Array, SealingKey>()
  const forget = (bytes: Uint8Array): void => {
    const known = ready.get(bytes)
    if (known === undefined) return
    sodium.sodium_memzero(known.copy)
    ready.delete(bytes)
  }
  const of = (bytes: Uint8Array): KeyObject => {
    const known = ready.get(bytes)
    if (known !== undefined && sodium.sodium_memcmp(known.copy, bytes)) return known.key
    forget(bytes)
    const made = { copy: bytes.slice(), key: createSecretKey(bytes) }
    ready.set(bytes, made)
    return made.key
  }
  return { of, forget }
}

const makeSeal =
  (keyOf: (bytes: Uint8Array) => KeyObject): CryptoShape["aes256GcmSeal"] =>
  (key, nonce, associated, plaintext) => {
    if (key.length !== 32 || nonce.length !== 12) throw new Error("AES-256-GCM takes a 32-byte key and a 12-byte nonce")
    const cipher = createCipheriv("aes-256-gcm", keyOf(key), nonce)
    cipher.setAAD(associated)
    const sealed = new Uint8Array(plaintext.length + tagBytes)
    sealed.set(cipher.update(plaintext), 0)
    cipher.final()
    sealed.set(cipher.getAuthTag(), plaintext.length)
    return sealed
  }

const makeOpen =
  (keyOf: (bytes: Uint8Array) => KeyObject): CryptoShape["aes256GcmOpen"] =>
  (key, nonce, associated, sealed) => {
    if (key.length !== 32 || nonce.length !== 12 || sealed.length < tagBytes) return undefined
    const decipher = createDecipheriv("aes-256-gcm", keyOf(key), nonce, { authTagLength: tagBytes })
    decipher.setAAD(associated)
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - tagBytes))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length)
  }

const agree: CryptoShape["x25519"] = (scalar, publicKey) => {
  const secret = Redacted.value(scalar)
  if (secret.length !== 32) throw new Error("an X25519 scalar has 32 bytes")
  if (publicKey.length !== 32) return undefined
  const shared = new Uint8Array(32)
  try {
    // It throws for an all-zero secret; nothing else can go wrong with checked lengths.
    sodium.crypto_scalarmult(shared, secret, publicKey)
  } catch {
    return undefined
  }
  return shared
}

const make = (): CryptoShape => {
  const validKey = makeKeyCheck()
  const signingKeys = makeSigningKeys()
  const sealingKeys = makeSealingKeys()
  return {
    engine: "sodium",
    randomBytes: (length) => {
      const bytes = new Uint8Array(length)
      if (length > 0) sodium.randombytes_buf(bytes)
      return bytes
    },
    // OpenSSL's uses the processor's own instructions for it where libsodium's does not: less than half the time.
    sha256: (message) => new Uint8Array(hash("sha256", message, "buffer")),
    hmacSha256: (key, message) => hmac(key, message),
    hkdfSha256: hkdf,
    equal: (a, b) => a.length === b.length && (a.length === 0 || sodium.sodium_memcmp(a, b)),
    ed25519PublicKey: (seed) => signingKeys.of(seed).publicKey.slice(),
    ed25519Sign: (seed, message) => {
      const signature = new Uint8Array(64)
      sodium.crypto_sign_detached(signature, message, signingKeys.of(seed).secretKey)
      return signature
    },
    ed25519ValidKey: validKey,
    ed25519Verify: (publicKey, message, signature) =>
      signature.length === 64 &&
      scalarIsCanonical(signature.subarray(32)) &&
      validKey(publicKey) &&
      sodium.crypto_sign_verify_detached(signature, message, publicKey),
    x25519PublicKey: (scalar) => {
      const publicKey = new Uint8Array(32)
      sodium.crypto_scalarmult_base(publicKey, Redacted.value(scalar))
      return publicKey
    },
    x25519: agree,
    aes256GcmSeal: makeSeal(sealingKeys.of),
    aes256GcmOpen: makeOpen(sealingKeys.of),
    wipe: (bytes) => {
      signingKeys.forget(bytes)
      sealingKeys.forget(bytes)
      if (bytes.length > 0) sodium.sodium_memzero(bytes)
    }
  }
}

/** The Crypto port over libsodium. */
export const layer: Layer.Layer<Crypto> = Layer.sync(Crypto, make)
