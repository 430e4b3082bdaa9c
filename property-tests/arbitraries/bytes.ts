/**
 * Drawn bytes, and the ways a network may cut and spoil them.
 * It never asks the code under test what is valid, and keeps nothing between draws.
 * Every way of cutting a stream is one list of cut points, so that a failing one shrinks to few cuts.
 */
import fc from "fast-check"

/** Exactly `length` bytes. */
export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })

/** The same bytes with one bit turned; any integer names a bit. */
export const turned = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice()
  if (copy.length > 0) copy[(bit >>> 3) % copy.length]! ^= 1 << (bit & 7)
  return copy
}

/** The pieces of `bytes` between the cut points, empty ones among them. */
export const cut = (bytes: Uint8Array, points: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const ends = [...points.map((point) => point % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1]!, end))
}

/** How a stream arrives: whole, byte by byte, or cut anywhere. */
export const chunking: fc.Arbitrary<(bytes: Uint8Array) => ReadonlyArray<Uint8Array>> = fc.oneof(
  fc.constant((bytes: Uint8Array) => [bytes]),
  fc.constant((bytes: Uint8Array) => Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))),
  fc.array(fc.nat(2 ** 20), { maxLength: 30 }).map((points) => (bytes: Uint8Array) => cut(bytes, points))
)
