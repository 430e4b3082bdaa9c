/**
 * One input made of others: bits turned, bytes taken out, doubled and moved, words put in, two inputs joined.
 * It never knows what an input means; the words of the target are all the structure it has.
 */
import type { Chance } from "../simulation/Chance.ts"

/** No mutation makes an input longer than this. */
export const inputBytesMax = 70_000

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(Buffer.concat(parts))

/** Bytes at which readers go wrong. */
const edges = [0, 1, 0x0a, 0x20, 0x22, 0x5c, 0x7b, 0x7c, 0x7f, 0x80, 0xc3, 0xed, 0xf0, 0xff]

type Change = (input: Uint8Array, luck: Chance, words: ReadonlyArray<string>, other: Uint8Array) => Uint8Array

const at = (input: Uint8Array, luck: Chance): number => luck.whole(0, Math.max(0, input.length - 1))

const changes: ReadonlyArray<Change> = [
  (input, luck) => {
    const copy = input.slice()
    if (copy.length > 0) copy[at(copy, luck)]! ^= 1 << luck.whole(0, 7)
    return copy
  },
  (input, luck) => {
    const copy = input.slice()
    if (copy.length > 0) copy[at(copy, luck)] = luck.pick(edges)
    return copy
  },
  (input, luck) => input.slice(0, luck.whole(0, input.length)),
  (input, luck) => {
    const from = at(input, luck)
    return joined(input.subarray(0, from), input.subarray(from + luck.whole(1, 40)))
  },
  (input, luck) => {
    const from = at(input, luck)
    const part = input.subarray(from, from + luck.whole(1, 200))
    const place = at(input, luck)
    return joined(input.subarray(0, place), part, input.subarray(place))
  },
  (input, luck, words) => {
    const place = at(input, luck)
    const word = Buffer.from(luck.pick(words))
    return joined(input.subarray(0, place), word, input.subarray(place + (luck.happens(0.5) ? word.length : 0)))
  },
  (input, luck, _, other) => joined(input.subarray(0, at(input, luck)), other.subarray(at(other, luck))),
  (input, luck) => {
    // A number written down, replaced by one at a limit.
    const text = Buffer.from(input).toString("latin1")
    const numbers = [...text.matchAll(/\d+/g)]
    if (numbers.length === 0) return input
    const { 0: digits, index } = luck.pick(numbers)
    const edge = luck.pick([
      "0",
      "-1",
      "1e9",
      "0.5",
      "01",
      "4294967296",
      "9007199254740991",
      "9007199254740992",
      "1e400"
    ])
    return Uint8Array.from(Buffer.from(text.slice(0, index) + edge + text.slice(index + digits.length), "latin1"))
  },
  (input, luck) => {
    // Four bytes as a length, big-endian, near one of the limits.
    if (input.length < 4) return input
    const copy = input.slice()
    const place = luck.whole(0, copy.length - 4)
    const length = luck.pick([0, 1, input.length - place - 4, 16_384, 65_536, 0x7fff_ffff, 0xffff_ffff])
    new DataView(copy.buffer).setUint32(place, Math.max(0, length + luck.whole(-1, 1)))
    return copy
  }
]

/** One to four changes of an input, with parts of another. */
export const mutate = (
  input: Uint8Array,
  other: Uint8Array,
  words: ReadonlyArray<string>,
  luck: Chance
): Uint8Array => {
  let made = input
  for (let left = luck.pick([1, 1, 2, 4]); left > 0; left--) made = luck.pick(changes)(made, luck, words, other)
  return made.length > inputBytesMax ? made.slice(0, inputBytesMax) : made
}

/** An input cut at a few places. */
export const cutAnywhere = (input: Uint8Array, luck: Chance): ReadonlyArray<Uint8Array> => {
  const places = Array.from({ length: luck.whole(1, 8) }, () => luck.whole(0, input.length)).sort((a, b) => a - b)
  return [...places, input.length].map((end, index) => input.subarray(index === 0 ? 0 : places[index - 1]!, end))
}

/** An input byte by byte. */
export const bytewise = (input: Uint8Array): ReadonlyArray<Uint8Array> =>
  Array.from(input, (_, index) => input.subarray(index, index + 1))
