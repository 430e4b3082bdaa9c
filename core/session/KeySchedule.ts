/**
 * How keys follow from keys: the HKDF chain of Noise, its REKEY, and when a sender must move to the next epoch.
 * It never seals anything and never keeps a key it has replaced.
 * Epochs exist so that a key taken from memory today opens nothing sealed ten minutes ago.
 */
import { Redacted } from "effect"
import type { CryptoShape, SecretBytes } from "../../ports/Crypto.ts"
import { concat } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"

/** Noise `HKDF(ck, ikm, 2)`, which is RFC 5869 with the chaining key as salt and no info: two keys of 32 bytes. */
export const split = (
  crypto: CryptoShape,
  chainingKey: SecretBytes,
  input: Uint8Array
): readonly [SecretBytes, SecretBytes] => {
  const output = crypto.hkdfSha256(input, Redacted.value(chainingKey), new Uint8Array(0), 64)
  if (output === undefined) throw new Error("HKDF refused 64 bytes")
  return [secret(output.slice(0, 32)), secret(output.slice(32))]
}

/** The AESGCM nonce of Noise (§12.4): four zero bytes, then the counter as u64 big-endian. */
export const nonce = (counter: number): Uint8Array => {
  const bytes = new Uint8Array(12)
  new DataView(bytes.buffer).setBigUint64(4, BigInt(counter))
  return bytes
}

/** Key bytes that do not print. */
export const secret = (bytes: Uint8Array): SecretBytes => Redacted.make(bytes, { label: "session key" })

/** Noise REKEY (§4.2): the first 32 bytes of the encryption of zeros under nonce 2^64 − 1. */
export const rekey = (crypto: CryptoShape, key: SecretBytes): SecretBytes => {
  const last = concat(new Uint8Array(4), new Uint8Array(8).fill(0xff))
  return secret(crypto.aes256GcmSeal(Redacted.value(key), last, new Uint8Array(0), new Uint8Array(32)).slice(0, 32))
}

/** One direction of a session: the key in force and how far it has been used. */
export interface Direction {
  readonly key: SecretBytes
  readonly epoch: number
  readonly counter: number
  readonly epochSinceMs: number
}

/** A direction right after the handshake. */
export const begin = (key: SecretBytes, nowMs: number): Direction => ({
  key,
  epoch: 0,
  counter: 0,
  epochSinceMs: nowMs
})

/** The same direction one epoch on: new key, counter from zero. */
export const advance = (crypto: CryptoShape, direction: Direction, nowMs: number): Direction => ({
  key: rekey(crypto, direction.key),
  epoch: direction.epoch + 1,
  counter: 0,
  epochSinceMs: nowMs
})

/** Whether the sender must advance before its next record: 2^16 records or ten minutes (PROTOCOL.md §8). */
export const isDue = (direction: Direction, nowMs: number): boolean =>
  direction.counter >= Limits.recordsPerEpoch || nowMs - direction.epochSinceMs >= Limits.epochAgeMs

/** Overwrites the key of an epoch that is over (best effort: the runtime may hold copies). */
export const leave = (crypto: CryptoShape, old: Direction, next: Direction): Direction => {
  if (old.epoch !== next.epoch) crypto.wipe(Redacted.value(old.key))
  return next
}
