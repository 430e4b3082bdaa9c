/**
 * Joining, comparing and writing bytes: the few operations every room needs and no library in reach offers.
 * It never knows what the bytes mean, and `same` is not for secrets: those go through `Crypto.equal`.
 * UTF-8 is the runtime's own coder, declared here by hand because core compiles without any host's types.
 */
declare class TextEncoder {
  encode(text: string): Uint8Array
}
declare class TextDecoder {
  constructor(label: string, options: { readonly fatal: boolean; readonly ignoreBOM: boolean })
  decode(bytes: Uint8Array): string
}

// Both coders keep nothing between calls: without `stream` every call begins anew.
const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Text → UTF-8. Lone surrogates become U+FFFD, as the standard says. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** How many bytes a text takes as UTF-8, without making them. */
export const utf8Length = (text: string): number => {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // A surrogate of a pair is half of four bytes; a lone one becomes U+FFFD, three bytes.
    if (unit < 0x80) continue
    if (unit < 0x800) length += 1
    else if (unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      length += 2
      index++
    } else length += 2
  }
  return length
}

/** UTF-8 → text, or undefined for bytes that are not UTF-8. A byte order mark is kept as a character. */
export const text = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** All parts, one after the other, in fresh memory. */
export const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/**
 * Adds a chunk to a row of pieces, merging smaller neighbours: a peer that sends byte by byte costs O(n log n), and the
 * number of pieces stays below √(2 × all bytes) whatever the sizes.
 */
export const append = (pieces: ReadonlyArray<Uint8Array>, chunk: Uint8Array): ReadonlyArray<Uint8Array> => {
  let kept = pieces.length
  let length = chunk.length
  while (kept > 0 && pieces[kept - 1]!.length <= length) length += pieces[--kept]!.length
  // Joined at once, not pair by pair: a row of falling sizes would otherwise be copied once for each of its pieces.
  const last = kept === pieces.length ? chunk : concat(...pieces.slice(kept), chunk)
  return [...pieces.slice(0, kept), last]
}

/** Whether two public byte strings are equal. */
export const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])

/** Four bytes, big-endian. */
export const u32 = (value: number): Uint8Array =>
  new Uint8Array([value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff])

/** Eight bytes, big-endian, of a safe integer. */
export const u64 = (value: number): Uint8Array => concat(u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32))

/** The big-endian number in `bytes[offset … offset+4]`; the caller has checked the length. */
export const readU32 = (bytes: Uint8Array, offset: number): number =>
  bytes[offset]! * 2 ** 24 + ((bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!)

/** The big-endian number in `bytes[offset … offset+8]`, or undefined above the safe integers. */
export const readU64 = (bytes: Uint8Array, offset: number): number | undefined => {
  const value = readU32(bytes, offset) * 2 ** 32 + readU32(bytes, offset + 4)
  return Number.isSafeInteger(value) ? value : undefined
}

const digits: ReadonlyArray<string> = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** Lower-case hexadecimal → bytes; the caller has checked that it is nothing else. */
export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16))

/** Lower-case hexadecimal. */
export const hex = (bytes: Uint8Array): string => {
  let written = ""
  for (const byte of bytes) written += digits[byte]
  return written
}
