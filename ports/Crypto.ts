/**
 * The primitives wop/3 is built from, as plain synchronous functions over bytes.
 * An implementation never sees a protocol message and never decides what a key is for; it only computes.
 * It is synchronous because a turn must be deterministic: everything that waits lives behind the other ports.
 */
import { Context, type Redacted } from "effect"

/** Secret bytes. They print as `<redacted>`; only an adapter of this port unwraps them. */
export type SecretBytes = Redacted.Redacted<Uint8Array>

export interface CryptoShape {
  /** Which engine this is, for eyes only: `sodium`, `noble`. */
  readonly engine: string
  /** `length` bytes from the system's secure source. */
  randomBytes(length: number): Uint8Array
  /** SHA-256 (FIPS 180-4): 32 bytes. */
  sha256(message: Uint8Array): Uint8Array
  /** HMAC-SHA-256 (RFC 2104): 32 bytes. */
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array
  /** HKDF-SHA-256 (RFC 5869): `length` bytes, or `undefined` when `length` exceeds 255 × 32. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array | undefined
  /** Whether two byte strings are equal, in time that depends on their lengths only. */
  equal(a: Uint8Array, b: Uint8Array): boolean
  /** The Ed25519 public key (32 bytes) of a 32-byte seed (RFC 8032 §5.1.5). */
  ed25519PublicKey(seed: SecretBytes): Uint8Array
  /** The Ed25519 signature (64 bytes) of `message` (RFC 8032 §5.1.6, deterministic). */
  ed25519Sign(seed: SecretBytes, message: Uint8Array): Uint8Array
  /**
   * Whether a public key may be admitted at all: 32 bytes, canonically encoded, on the curve, in the prime-order
   * subgroup, and not the identity. Any other length or content is `false`, never an exception.
   */
  ed25519ValidKey(publicKey: Uint8Array): boolean
  /**
   * Whether a signature is valid under the one rule of the protocol: the key is valid as above, S < L, R is not of
   * small order, and encode([S]B − [k]A) equals R byte for byte (cofactorless). Wrong lengths are `false`.
   */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** The X25519 public key (32 bytes) of a 32-byte scalar (RFC 7748 §5). */
  x25519PublicKey(scalar: SecretBytes): Uint8Array
  /** The X25519 shared secret (32 bytes), or `undefined` for an all-zero secret or a key that is not 32 bytes. */
  x25519(scalar: SecretBytes, publicKey: Uint8Array): Uint8Array | undefined
  /** AES-256-GCM (SP 800-38D), 32-byte key, 12-byte nonce: ciphertext ‖ 16-byte tag. Other sizes are a defect of ours. */
  aes256GcmSeal(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** The plaintext, or `undefined` if the tag does not hold, the input is too short, or a size is not ours. */
  aes256GcmOpen(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
  /** Overwrites bytes we own with zeros (best effort: the runtime may hold copies). */
  wipe(bytes: Uint8Array): void
}

export class Crypto extends Context.Service<Crypto, CryptoShape>()("ports/Crypto") {}

/** The order L of the Ed25519 base point, little-endian (RFC 8032 §5.1). */
const orderLittleEndian: ReadonlyArray<number> = [
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0x10
]

/** Whether the S half of an Ed25519 signature is below L: the check every engine must make the same way. */
export const scalarIsCanonical = (scalar: Uint8Array): boolean => {
  if (scalar.length !== 32) return false
  for (let index = 31; index >= 0; index--) {
    const difference = scalar[index]! - orderLittleEndian[index]!
    if (difference !== 0) return difference < 0
  }
  return false
}
