/**
 * Bytes as text: RFC 4648 base64url without padding, exactly one spelling per byte string.
 * It never repairs: padding, stray bits, white space and the other alphabet are refused.
 * One spelling matters because keys are compared, stored and signed about in this form.
 */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** Two digits for each twelve bits: a hash of every message is spelt, and half as many steps are half the time. */
const pairs: ReadonlyArray<string> = Array.from(
  { length: 4_096 },
  (_, bits) => `${alphabet[bits >> 6]}${alphabet[bits & 63]}`
)

/** Character code → its six bits; 64 for what is no digit. */
const values: ReadonlyArray<number> = Array.from({ length: 128 }, (_, code) => {
  const value = alphabet.indexOf(String.fromCharCode(code))
  return value < 0 ? 64 : value
})

/** Bytes → text of ⌈4n/3⌉ characters. */
export const encode = (bytes: Uint8Array): string => {
  let written = ""
  let index = 0
  for (; index + 2 < bytes.length; index += 3) {
    const bits = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!
    written += pairs[bits >> 12]! + pairs[bits & 4_095]!
  }
  const left = bytes.length - index
  if (left === 1) return written + pairs[bytes[index]! << 4]!
  if (left === 2)
    return written + pairs[(bytes[index]! << 4) | (bytes[index + 1]! >> 4)]! + alphabet[(bytes[index + 1]! & 15) << 2]!
  return written
}

/** Text → bytes, or undefined unless it is the one spelling of some byte string. */
export const decode = (text: string): Uint8Array | undefined => {
  if (text.length % 4 === 1) return undefined
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let offset = 0
  let bits = 0
  let held = 0
  for (let index = 0; index < text.length; index++) {
    const value = values[text.charCodeAt(index)] ?? 64
    if (value === 64) return undefined
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held < 8) continue
    held -= 8
    bytes[offset++] = (bits >> held) & 0xff
  }
  // Bits that stand for no byte are zero in the one spelling there is.
  return (bits & ((1 << held) - 1)) === 0 ? bytes : undefined
}

/** Text → exactly `length` bytes, or undefined. */
export const decodeExact = (text: string, length: number): Uint8Array | undefined => {
  if (text.length !== Math.ceil((length * 4) / 3)) return undefined
  return decode(text)
}
