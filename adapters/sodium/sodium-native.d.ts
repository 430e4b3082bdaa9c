/**
 * The functions of sodium-native that this adapter uses; the package ships no types.
 * Nothing here is a promise of that package: it was checked against version 5.1 by the tests.
 * Output buffers come first and are allocated by the caller.
 */
declare module "sodium-native" {
  interface Sodium {
    randombytes_buf(output: Uint8Array): void
    sodium_memcmp(a: Uint8Array, b: Uint8Array): boolean
    sodium_memzero(bytes: Uint8Array): void
    crypto_hash_sha256(output: Uint8Array, message: Uint8Array): void
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
    crypto_core_ed25519_is_valid_point(point: Uint8Array): boolean
    crypto_scalarmult(secret: Uint8Array, scalar: Uint8Array, publicKey: Uint8Array): void
    crypto_scalarmult_base(publicKey: Uint8Array, scalar: Uint8Array): void
    readonly crypto_pwhash_ALG_ARGON2ID13: number
    /** Rejects where the memory cannot be had. */
    crypto_pwhash_async(
      output: Uint8Array,
      password: Uint8Array,
      salt: Uint8Array,
      opsLimit: number,
      memLimit: number,
      algorithm: number
    ): Promise<void>
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed: Uint8Array,
      message: Uint8Array,
      associated: Uint8Array,
      none: null,
      nonce: Uint8Array,
      key: Uint8Array
    ): number
    /** Throws where the tag does not hold. */
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      message: Uint8Array,
      none: null,
      sealed: Uint8Array,
      associated: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array
    ): number
  }
  const sodium: Sodium
  export default sodium
}
