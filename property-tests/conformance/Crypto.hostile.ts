/**
 * What an adversary who knows the curve can make, and the written rule of keys and signatures computed word for word.
 * It never calls an adapter and never asks an engine's own verification for a verdict: it is what they are judged by.
 * Whoever chooses a scalar and adds torsion to its point makes what cofactored and cofactorless verifiers disagree on.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"

export const Point = ed25519.Point
export type Point = InstanceType<typeof Point>

/** The order L of the base point and the field's prime (RFC 8032 §5.1). */
export const order = 2n ** 252n + 27742317777372353535851937790883648493n
export const prime = 2n ** 255n - 19n

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

export const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

export const integerOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)

/** 32 bytes, little-endian; what does not fit is cut off. */
export const bytesOf = (value: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, index) => Number((value >> BigInt(8 * index)) & 255n))

const multiple = (point: Point, scalar: bigint): Point => point.multiplyUnsafe(scalar % order)

/** The eight points whose order divides 8; the index is the multiple of a generator. */
export const torsion: ReadonlyArray<Point> = Array.from({ length: 8 }, (_, index) =>
  multiple(Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), BigInt(index))
)

const withSign = (encoded: Uint8Array): Uint8Array => joined(encoded.subarray(0, 31), Uint8Array.of(encoded[31]! | 128))

/** Other spellings of small-order points: y not reduced, or the sign of an x that is 0. */
export const smallOrderMisspelled: ReadonlyArray<{ readonly bytes: Uint8Array; readonly point: Point }> = [
  { bytes: withSign(bytesOf(1n)), point: Point.ZERO },
  { bytes: bytesOf(prime + 1n), point: Point.ZERO },
  { bytes: withSign(bytesOf(prime + 1n)), point: Point.ZERO },
  { bytes: withSign(bytesOf(prime - 1n)), point: torsion[4]! },
  { bytes: bytesOf(prime), point: Point.fromBytes(bytesOf(prime), true) },
  { bytes: withSign(bytesOf(prime)), point: Point.fromBytes(withSign(bytesOf(prime)), true) }
]

/** Every spelling of a y that is not reduced: p … 2^255 − 1, with both signs, on the curve or not. */
export const unreduced: ReadonlyArray<Uint8Array> = Array.from({ length: 19 }, (_, index) =>
  bytesOf(prime + BigInt(index))
).flatMap((encoded) => [encoded, withSign(encoded)])

/** A point as its owner knows it: how it is spelled, and its multiple of B apart from torsion. */
export interface Known {
  readonly bytes: Uint8Array
  readonly scalar: bigint
}

/** [scalar]B plus a torsion point. Torsion 0 is an honest point. */
export const pointWithTorsion = (scalar: bigint, torsionIndex: number): Known => ({
  bytes: multiple(Point.BASE, scalar).add(torsion[torsionIndex]!).toBytes(),
  scalar: scalar % order
})

/** k = SHA-512(R ‖ A ‖ M) mod L over the bytes as they are spelled. */
export const challengeOf = (encodedR: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint =>
  integerOf(sha512(joined(encodedR, publicKey, message))) % order

/** R ‖ S with S = r + k·a: every cofactored verifier accepts it, whatever torsion is in A and R. */
export const forge = (key: Known, commitment: Known, message: Uint8Array): Uint8Array => {
  const challenge = challengeOf(commitment.bytes, key.bytes, message)
  return joined(commitment.bytes, bytesOf((commitment.scalar + challenge * key.scalar) % order))
}

/** RFC 8032 §5.1.3, strictly: y below p, and no sign on an x that is 0. */
const decoded = (bytes: Uint8Array): Point | undefined => {
  if (bytes.length !== 32 || (integerOf(bytes) & (2n ** 255n - 1n)) >= prime) return undefined
  try {
    const point = Point.fromBytes(bytes, true)
    return point.x === 0n && bytes[31]! >= 128 ? undefined : point
  } catch {
    return undefined
  }
}

const keyPoint = (bytes: Uint8Array): Point | undefined => {
  const point = decoded(bytes)
  if (point === undefined || point.is0()) return undefined
  return multiple(point, order - 1n)
    .add(point)
    .is0()
    ? point
    : undefined
}

/** The rule for keys. */
export const keyByRule = (bytes: Uint8Array): boolean => keyPoint(bytes) !== undefined

/** Whether encode([S]B − [k]A) equals R byte for byte, for any A on the curve, with S as an integer below 2^256. */
export const equationHolds = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  const key = decoded(publicKey)
  if (key === undefined || signature.length !== 64) return false
  const encodedR = signature.subarray(0, 32)
  const left = multiple(Point.BASE, integerOf(signature.subarray(32)))
  const right = multiple(key, challengeOf(encodedR, publicKey, message))
  return toHex(left.subtract(right).toBytes()) === toHex(encodedR)
}

/** The rule for signatures. */
export const signatureByRule = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean => {
  if (signature.length !== 64 || integerOf(signature.subarray(32)) >= order) return false
  const commitment = decoded(signature.subarray(0, 32))
  if (commitment === undefined || multiple(commitment, 8n).is0()) return false
  return keyByRule(publicKey) && equationHolds(publicKey, message, signature)
}

/** The first of "ground 0", "ground 1", … whose challenge is a multiple of 8, so that torsion in A vanishes. */
export const groundMessage = (key: Known, commitment: Known): Uint8Array => {
  for (let attempt = 0; ; attempt++) {
    const message = new TextEncoder().encode(`ground ${attempt}`)
    if (challengeOf(commitment.bytes, key.bytes, message) % 8n === 0n) return message
  }
}
