/**
 * Laws of what a moving node is packed in: bytes under a passphrase, and the lines inside.
 * It never asks how long anything takes; that a costly file is refused before anything is derived is seen by its code.
 * The cost of a guess is the least that libsodium takes, because what is tested is everything but that cost.
 */
import { Effect, Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Envelope from "../../adapters/sodium/Envelope.ts"
import * as Luggage from "../../plugin/standalone/Luggage.ts"

const cheap: Envelope.Cost = { opsLimit: 1, memBytes: 8_192 }
const passphrase = (text: string) => Redacted.make(text)
const seal = (text: string, plaintext: Uint8Array) =>
  Effect.runPromise(Envelope.seal(passphrase(text), plaintext, cheap))
/** The bytes, or the code of the refusal. */
const open = (text: string, file: Uint8Array) =>
  Effect.runPromise(
    Effect.map(Effect.result(Envelope.open(passphrase(text), file)), (opened) =>
      Result.isSuccess(opened) ? opened.success : opened.failure.code
    )
  )
const headEnd = (file: Uint8Array) => file.indexOf(0x0a)
const withHead = (file: Uint8Array, change: (head: string) => string): Uint8Array => {
  const end = headEnd(file)
  const head = Buffer.from(change(Buffer.from(file.subarray(0, end)).toString()))
  return new Uint8Array(Buffer.concat([head, file.subarray(end)]))
}
const words = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" })
const content = fc.uint8Array({ maxLength: 200 })

describe("an envelope", () => {
  it("opens under its passphrase, however a keyboard spells it, and under no other", async () => {
    await fc.assert(
      fc.asyncProperty(words, words, content, async (text, other, plaintext) => {
        const file = await seal(text, plaintext)
        for (const spelt of [text.normalize("NFC"), text.normalize("NFD")]) {
          expect(await open(spelt, file)).toEqual(plaintext)
        }
        fc.pre(other.normalize("NFC") !== text.normalize("NFC"))
        expect(await open(other, file)).toBe("wrong-passphrase")
      }),
      { numRuns: 40 }
    )
  })
  it("with one bit changed anywhere, cut off or made longer, is refused and never opens to anything", async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.nat(), fc.nat(7), fc.boolean(), async (plaintext, where, bit, inHead) => {
        const file = await seal("passphrase", plaintext)
        const at = inHead ? where % (headEnd(file) + 1) : where % file.length
        const changed = file.slice()
        changed[at]! ^= 1 << bit
        const damaged = [changed, file.subarray(0, where % file.length), new Uint8Array([...file, 0])]
        for (const one of damaged) expect(await open("passphrase", one)).toBeTypeOf("string")
        if (at > headEnd(file)) expect(await open("passphrase", changed)).toBe("damaged")
        expect(await open("passphrase", new Uint8Array([...file, 0]))).toBe("damaged")
      }),
      { numRuns: 60 }
    )
  })
  it("says by its code what is wrong with a file", async () => {
    const file = await seal("passphrase", new Uint8Array(9))
    const code = (change: (head: string) => string) => open("passphrase", withHead(file, change))
    expect(await code((head) => head.replace('"version":1', '"version":2'))).toBe("version-unknown")
    expect(await code((head) => head.replace("wopr-p2p/envelope", "something else"))).toBe("not-an-envelope")
    expect(await code((head) => head.replace('"kdf"', '"kdx"'))).toBe("damaged")
    // What the head says is authenticated, also where it changes nothing of the derivation.
    expect(await code((head) => head.replace('{"format"', '{ "format"'))).toBe("damaged")
    for (const one of ["", "\n", "{}\n", "x".repeat(5_000), '{"format":']) {
      expect(await open("passphrase", new TextEncoder().encode(one))).toBe("not-an-envelope")
    }
  })
  it("that asks for more memory or time than an honest one is refused before anything is derived", async () => {
    const file = await seal("passphrase", new Uint8Array(9))
    for (const [field, from, to] of [
      ["memBytes", 8_192, (1 << 30) + 1],
      ["memBytes", 8_192, Number.MAX_SAFE_INTEGER],
      ["opsLimit", 1, 9],
      ["opsLimit", 1, 4_294_967_295]
    ]) {
      const hostile = withHead(file, (head) => head.replace(`"${field}":${from}`, `"${field}":${to}`))
      expect(await open("passphrase", hostile)).toBe("too-costly")
    }
  })
  it("is another each time, and shows nothing of what is in it", async () => {
    const plaintext = new TextEncoder().encode("a marker that is nowhere else")
    const [one, other] = [await seal("passphrase", plaintext), await seal("passphrase", plaintext)]
    expect(Buffer.from(one).equals(other)).toBe(false)
    for (const file of [one, other]) expect(Buffer.from(file).includes("marker")).toBe(false)
  })
})

describe("luggage", () => {
  const text = fc.string({ unit: "binary", maxLength: 20 })
  const record = fc.record({ collection: text, key: text, value: text })
  it("comes out as it went in: document and records, in order, whatever characters they hold", () => {
    fc.assert(
      fc.property(text, fc.array(record, { maxLength: 8 }), fc.nat(), (document, records, packedAtMs) => {
        const whole = (one: string) => one.isWellFormed()
        fc.pre(whole(document) && records.every(({ collection, key, value }) => [collection, key, value].every(whole)))
        const back = Luggage.unpack(Luggage.pack({ identity: Redacted.make(document), records, packedAtMs }))
        expect(Redacted.value(back!.identity)).toBe(document)
        expect(back).toMatchObject({ records, packedAtMs })
      })
    )
  })
  it("is nothing where a line is missing, too many or of another kind; and what it holds does not print", () => {
    const records = [{ collection: "friends", key: "k", value: "v" }]
    const luggage = { identity: Redacted.make("very-secret"), records, packedAtMs: 1 }
    const packed = Buffer.from(Luggage.pack(luggage)).toString()
    const lines = packed.split("\n")
    const wrong = ["", lines[0]!, `${lines[0]}\n`, `${packed}["a","b","c"]\n`, packed.replace('["friends"', "[7")]
    wrong.push(packed.replace('"version":1', '"version":2'))
    for (const one of wrong) expect(Luggage.unpack(new TextEncoder().encode(one))).toBeUndefined()
    expect(String(Luggage.unpack(new TextEncoder().encode(packed))?.identity)).not.toContain("very-secret")
  })
})
