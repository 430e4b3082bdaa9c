/// <reference path="./sodium-native.d.ts" />
/**
 * The Crypto port over libsodium, with node:crypto for AES-256-GCM, HKDF and HMAC, which libsodium lacks.
 * It never accepts what its engine accepts without asking the written rule: keys are validated here, S is checked here.
 * libsodium's verify compares R byte for byte (cofactorless) and refuses small-order R; with a validated key that is
 * exactly the rule, at the engine's own speed. The differential law holds it to that.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto"
import { Layer, Redacted } from "effect"
import sodium from "sodium-native"
import { Crypto, type CryptoShape, type SecretBytes, scalarIsCanonical } from "../../ports/Crypto.ts"

/** Public keys whose validity is remembered, so that a peer's key is validated once and not for each message. */
const validKeysMax = 4_096
const tagBytes = 16

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

/** Expanded signing keys (seed ‖ public key), as long as their seed's `Redacted` lives. */
const makeSigningKeys = () => {
  const expanded = new WeakMap<SecretBytes, { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array }>()
  return (seed: SecretBytes) => {
    const known = expanded.get(seed)
    if (known !== undefined) return known
    const pair = { publicKey: new Uint8Array(32), secretKey: new Uint8Array(64) }
    sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, Redacted.value(seed))
    expanded.set(seed, pair)
    return pair
  }
}

const seal: CryptoShape["aes256GcmSeal"] = (key, nonce, associated, plaintext) => {
  if (key.length !== 32 || nonce.length !== 12) throw new Error("AES-256-GCM takes a 32-byte key and a 12-byte nonce")
  const cipher = createCipheriv("aes-256-gcm", key, nonce)
  cipher.setAAD(associated)
  const sealed = new Uint8Array(plaintext.length + tagBytes)
  sealed.set(cipher.update(plaintext), 0)
  cipher.final()
  sealed.set(cipher.getAuthTag(), plaintext.length)
  return sealed
}

const open: CryptoShape["aes256GcmOpen"] = (key, nonce, associated, sealed) => {
  if (key.length !== 32 || nonce.length !== 12 || sealed.length < tagBytes) return undefined
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes })
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
  if (publicKey.length !== 32) return undefined
  const shared = new Uint8Array(32)
  try {
    // It throws for an all-zero secret; nothing else can go wrong with checked lengths.
    sodium.crypto_scalarmult(shared, Redacted.value(scalar), publicKey)
  } catch {
    return undefined
  }
  return shared
}

const make = (): CryptoShape => {
  const validKey = makeKeyCheck()
  const signingKey = makeSigningKeys()
  return {
    engine: "sodium",
    randomBytes: (length) => {
      const bytes = new Uint8Array(length)
      if (length > 0) sodium.randombytes_buf(bytes)
      return bytes
    },
    sha256: (message) => {
      const digest = new Uint8Array(32)
      sodium.crypto_hash_sha256(digest, message)
      return digest
    },
    hmacSha256: (key, message) => new Uint8Array(createHmac("sha256", key).update(message).digest()),
    hkdfSha256: (ikm, salt, info, length) =>
      length > 255 * 32 ? undefined : new Uint8Array(hkdfSync("sha256", ikm, salt, info, length)),
    equal: (a, b) => a.length === b.length && (a.length === 0 || sodium.sodium_memcmp(a, b)),
    ed25519PublicKey: (seed) => signingKey(seed).publicKey.slice(),
    ed25519Sign: (seed, message) => {
      const signature = new Uint8Array(64)
      sodium.crypto_sign_detached(signature, message, signingKey(seed).secretKey)
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
    aes256GcmSeal: seal,
    aes256GcmOpen: open,
    wipe: (bytes) => {
      if (bytes.length > 0) sodium.sodium_memzero(bytes)
    }
  }
}

/** The Crypto port over libsodium. */
export const layer: Layer.Layer<Crypto> = Layer.sync(Crypto, make)
