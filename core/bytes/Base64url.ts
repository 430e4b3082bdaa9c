/**
 * Bytes as text: RFC 4648 base64url without padding, exactly one spelling per byte string.
 * It never repairs: padding, stray bits, white space and the other alphabet are refused.
 * One spelling matters because keys are compared, stored and signed about in this form.
 */
import { Result } from "effect"
import { Base64Url } from "effect/encoding"

/** Bytes → text of ⌈4n/3⌉ characters. */
export const encode = (bytes: Uint8Array): string => Base64Url.encode(bytes)

/** Text → bytes, or undefined unless it is the one spelling of some byte string. */
export const decode = (text: string): Uint8Array | undefined => {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined
  const decoded = Base64Url.decode(text)
  if (Result.isFailure(decoded)) return undefined
  return encode(decoded.success) === text ? decoded.success : undefined
}

/** Text → exactly `length` bytes, or undefined. */
export const decodeExact = (text: string, length: number): Uint8Array | undefined => {
  if (text.length !== Math.ceil((length * 4) / 3)) return undefined
  return decode(text)
}
