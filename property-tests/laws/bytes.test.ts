/**
 * The laws of the bytes room: one spelling per byte string, one byte string per transcript, exact joining and reading.
 * It never trusts the code under test for what is right: Buffer, DataView and a reader written here say that.
 * Pinned values stand beside the laws, because a law holds for a changed format too and a peer does not.
 */
import { Buffer } from "node:buffer"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Bytes from "../../core/bytes/Bytes.ts"
import { Base64url, Transcript } from "../../core/index.ts"

const bytes = fc.uint8Array({ maxLength: 100 })
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

describe("law: Base64url has one spelling per byte string", () => {
  it("round trips, and agrees with Buffer", () => {
    fc.assert(
      fc.property(bytes, (drawn) => {
        const text = Base64url.encode(drawn)
        expect(text).toBe(Buffer.from(drawn).toString("base64url"))
        expect(Base64url.decode(text)).toEqual(drawn)
        expect(Base64url.decodeExact(text, drawn.length)).toEqual(drawn)
      })
    )
  })

  it("spells RFC 4648 §10 without padding", () => {
    const vectors = { "": "", f: "Zg", fo: "Zm8", foo: "Zm9v", foob: "Zm9vYg", fooba: "Zm9vYmE", foobar: "Zm9vYmFy" }
    for (const [plain, text] of Object.entries(vectors)) {
      expect(Base64url.encode(Bytes.utf8(plain))).toBe(text)
      expect(Bytes.text(Base64url.decode(text)!)).toBe(plain)
    }
  })

  it("decodes a text of its alphabet exactly when it is a spelling: never two texts to one byte string", () => {
    let refused = 0
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...alphabet), maxLength: 30 }), (text) => {
        const decoded = Base64url.decode(text)
        const spelling = Buffer.from(Buffer.from(text, "base64url")).toString("base64url")
        expect(decoded !== undefined).toBe(spelling === text)
        if (decoded === undefined) refused++
        else expect(Base64url.encode(decoded)).toBe(text)
      }),
      { numRuns: 500 }
    )
    expect(refused).toBeGreaterThan(100)
  })

  it("refuses stray bits: of the 64 last characters, exactly those with zero bits beyond the bytes are spellings", () => {
    const accepted = (head: string) =>
      [...alphabet].filter((last) => Base64url.decode(head + last) !== undefined).join("")
    expect(accepted("A")).toBe("AQgw")
    expect(accepted("AA")).toBe("AEIMQUYcgkosw048")
    expect(accepted("AAA")).toBe(alphabet)
    expect(accepted("AAAA")).toBe("")
  })

  it("refuses every misspelling: padding, white space, the other alphabet, anything else, anywhere", () => {
    const strange = fc.oneof(
      fc.constantFrom("=", "==", " ", "\n", "\r", "\t", "+", "/", "\u0000", "\u00a0", "\ufeff", "Ａ", "|", ".", "é"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 3 }).filter((text) => /[^A-Za-z0-9_-]/.test(text))
    )
    fc.assert(
      fc.property(bytes, strange, fc.nat(), (drawn, piece, at) => {
        const text = Base64url.encode(drawn)
        const place = at % (text.length + 1)
        const put = text.slice(0, place) + piece + text.slice(place)
        const over = text.slice(0, place) + piece + text.slice(place + piece.length)
        for (const misspelt of [put, over, `${text}=`, `${text}==`]) {
          expect(Base64url.decode(misspelt)).toBeUndefined()
          expect(Base64url.decodeExact(misspelt, drawn.length)).toBeUndefined()
        }
      })
    )
  })

  it("decodeExact wants exactly its length", () => {
    fc.assert(
      fc.property(bytes, fc.nat(100), (drawn, length) => {
        const decoded = Base64url.decodeExact(Base64url.encode(drawn), length)
        expect(decoded === undefined).toBe(length !== drawn.length)
      })
    )
  })
})

/** Reads a transcript back: only an injective format can be read. */
const readTranscript = (encoded: Uint8Array): { label: string; fields: ReadonlyArray<string> } => {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  let offset = 0
  const take = (): Buffer => {
    const length = view.getUint32(offset)
    const part = Buffer.from(encoded.subarray(offset + 4, offset + 4 + length))
    offset += 4 + length
    return part
  }
  const label = take().toString("utf8")
  const count = view.getUint32(offset)
  offset += 4
  const fields = Array.from({ length: count }, () => take().toString("hex"))
  expect(offset).toBe(encoded.length)
  return { label, fields }
}

const fieldHex = (field: Transcript.Field): string => {
  if (typeof field === "string") return Buffer.from(field, "utf8").toString("hex")
  if (typeof field !== "number") return Buffer.from(field).toString("hex")
  return field.toString(16).padStart(16, "0")
}

describe("law: a Transcript has one byte string, and a byte string one Transcript", () => {
  const wellFormed = fc.string({ unit: "grapheme", maxLength: 12 })
  const field: fc.Arbitrary<Transcript.Field> = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    wellFormed,
    fc.maxSafeNat(),
    fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)
  )
  const transcript = fc.record({ label: wellFormed, fields: fc.array(field, { maxLength: 5 }) })

  it("can be read back whole, label and every field", () => {
    fc.assert(
      fc.property(transcript, ({ fields, label }) => {
        expect(readTranscript(Transcript.encode(label, fields))).toEqual({ label, fields: fields.map(fieldHex) })
      }),
      { numRuns: 300 }
    )
  })

  it("differs for what joins alike: moved boundaries, split and empty fields, label against field", () => {
    const texts = (label: string, ...fields: ReadonlyArray<string>) =>
      Buffer.from(Transcript.encode(label, fields)).toString("hex")
    const all = [
      texts("ab", "c"),
      texts("a", "bc"),
      texts("abc"),
      texts("", "abc"),
      texts("ab", "c", ""),
      texts("ab", "", "c"),
      texts("ab", "", "", "c"),
      texts("a", "b", "c"),
      texts("a", "c", "b")
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  it("is the format of the protocol, byte for byte", () => {
    const encoded = Transcript.encode("label", ["é", Uint8Array.of(1, 2), 2 ** 40 + 3])
    expect(Buffer.from(encoded).toString("hex")).toBe(
      "000000056c6162656c" + "00000003" + "00000002c3a9" + "000000020102" + "000000080000010000000003"
    )
    expect(Buffer.from(Transcript.encode("", [])).toString("hex")).toBe("0000000000000000")
  })
})

describe("law: Bytes", () => {
  it("joins as Buffer does, in memory of its own", () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), (parts) => {
        const joined = Bytes.concat(...parts)
        expect(Buffer.from(joined).equals(Buffer.concat(parts))).toBe(true)
        joined.fill(0xee)
        for (const part of parts) expect(joined.length === 0 || part.buffer !== joined.buffer).toBe(true)
      })
    )
  })

  it("writes and reads big-endian numbers as DataView does", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.maxSafeNat(), fc.nat(9), (small, large, offset) => {
        const bytes12 = new Uint8Array(offset + 8)
        const view = new DataView(bytes12.buffer)
        view.setUint32(offset, small)
        expect(Bytes.u32(small)).toEqual(bytes12.slice(offset, offset + 4))
        expect(Bytes.readU32(bytes12, offset)).toBe(small)
        view.setBigUint64(offset, BigInt(large))
        expect(Bytes.u64(large)).toEqual(bytes12.slice(offset))
        expect(Bytes.readU64(bytes12, offset)).toBe(large)
      })
    )
    expect(Bytes.readU64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0), 0)).toBeUndefined()
    expect(Bytes.readU64(new Uint8Array(8).fill(255), 0)).toBeUndefined()
  })

  it("tells same from different", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Bytes.same(a, a.slice())).toBe(true)
        expect(Bytes.same(a, b)).toBe(Buffer.from(a).equals(Buffer.from(b)))
        expect(Bytes.same(a, Bytes.concat(a, Uint8Array.of(0)))).toBe(false)
      })
    )
  })

  it("reads exactly what is UTF-8, and writes it back", () => {
    fc.assert(
      fc.property(fc.oneof(bytes, fc.string({ unit: "binary" }).map(Bytes.utf8)), (drawn) => {
        const text = Bytes.text(drawn)
        const read = Buffer.from(drawn).toString("utf8")
        if (text === undefined) expect(Buffer.from(read, "utf8").equals(drawn)).toBe(false)
        else expect(Bytes.utf8(text)).toEqual(drawn)
      }),
      { numRuns: 300 }
    )
    // Overlong, surrogates (CESU), beyond U+10FFFF, cut short; and a byte order mark is a character like another.
    for (const wrong of ["c080", "e08080", "eda080", "edb080", "f4908080", "ff", "e282"]) {
      expect(Bytes.text(Buffer.from(wrong, "hex"))).toBeUndefined()
    }
    expect(Bytes.text(Buffer.from("efbbbf41", "hex"))).toBe("\ufeffA")
  })

  it("spells hexadecimal in lower case", () => {
    fc.assert(
      fc.property(bytes, (drawn) => {
        expect(Bytes.hex(drawn)).toBe(Buffer.from(drawn).toString("hex"))
      })
    )
  })
})
