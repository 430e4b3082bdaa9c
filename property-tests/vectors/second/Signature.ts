/**
 * The second implementation's rule for identity keys and signatures, from curve arithmetic over bigints (PROTOCOL.md §2).
 * It never asks a library whether a signature is valid: libraries differ, which is why the page has a rule.
 * It is slow and not constant-time, which is of no matter to a verifier of public bytes; signing is left to node:crypto.
 */
import { createHash, createPrivateKey, createPublicKey, sign as signWith } from "node:crypto"
import { type Field, transcript } from "./Bytes.ts"

const p = 2n ** 255n - 19n
const order = 2n ** 252n + 27742317777372353535851937790883648493n

const modulo = (value: bigint): bigint => ((value % p) + p) % p
const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n
  let factor = modulo(base)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * factor) % p
    factor = (factor * factor) % p
  }
  return result
}
const inverse = (value: bigint): bigint => power(value, p - 2n)
const d = modulo(-121665n * inverse(121666n))
const rootOfMinusOne = power(2n, (p - 1n) / 4n)

/** A point as (X : Y : Z), x = X/Z and y = Y/Z. */
type Point = readonly [bigint, bigint, bigint]
const neutral: Point = [0n, 1n, 1n]

const isNeutral = ([x, y, z]: Point): boolean => x === 0n && y === z

const add = ([x1, y1, z1]: Point, [x2, y2, z2]: Point): Point => {
  const a = modulo(z1 * z2)
  const b = modulo(a * a)
  const c = modulo(x1 * x2)
  const e = modulo(y1 * y2)
  const f = modulo(d * modulo(c * e))
  const cross = modulo((x1 + y1) * (x2 + y2) - c - e)
  return [modulo(a * modulo(b - f) * cross), modulo(a * modulo(b + f) * (e + c)), modulo((b - f) * modulo(b + f))]
}

const multiply = (point: Point, scalar: bigint): Point => {
  let result = neutral
  let term = point
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, term)
    term = add(term, term)
  }
  return result
}

const integer = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`)

const encode = ([x, y, z]: Point): Buffer => {
  const unit = inverse(z)
  const odd = modulo(x * unit) & 1n
  const value = modulo(y * unit) | (odd << 255n)
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse()
}

/** The point of a canonical encoding, or undefined. */
const decode = (bytes: Buffer): Point | undefined => {
  const value = integer(bytes)
  const odd = value >> 255n
  const y = value & (2n ** 255n - 1n)
  if (y >= p) return undefined
  const square = modulo((y * y - 1n) * inverse(d * y * y + 1n))
  let x = power(square, (p + 3n) / 8n)
  if (modulo(x * x) !== square) x = modulo(x * rootOfMinusOne)
  if (modulo(x * x) !== square || (x === 0n && odd === 1n)) return undefined
  return [(x & 1n) === odd ? x : p - x, y, 1n]
}

const base = decode(Buffer.from(`58${"66".repeat(31)}`, "hex")) ?? neutral

const keyPoint = (key: Buffer): Point | undefined => {
  const point = key.length === 32 ? decode(key) : undefined
  return point !== undefined && !isNeutral(point) && isNeutral(multiply(point, order)) ? point : undefined
}

export const isValidKey = (key: Buffer): boolean => keyPoint(key) !== undefined

export const isValid = (key: Buffer, message: Buffer, signature: Buffer): boolean => {
  const point = keyPoint(key)
  if (point === undefined || signature.length !== 64) return false
  const encodedR = signature.subarray(0, 32)
  const s = integer(signature.subarray(32))
  if (s >= order) return false
  const pointR = decode(encodedR)
  if (pointR === undefined || isNeutral(multiply(pointR, 8n))) return false
  const k = integer(createHash("sha512").update(encodedR).update(key).update(message).digest()) % order
  return encode(add(multiply(base, s), multiply(point, order - k))).equals(encodedR)
}

const privateKey = (seed: Buffer) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
    format: "der",
    type: "pkcs8"
  })

export const publicKey = (seed: Buffer): Buffer =>
  createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" }).subarray(-32)

export const sign = (seed: Buffer, label: string, fields: ReadonlyArray<Field>): Buffer =>
  signWith(null, transcript(label, fields), privateKey(seed))

export const holds = (key: Buffer, label: string, fields: ReadonlyArray<Field>, signature: Buffer): boolean =>
  isValid(key, transcript(label, fields), signature)
