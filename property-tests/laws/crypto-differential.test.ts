/**
 * The law that two engines are one: sodium and noble answer alike to everything, and as the written rule says.
 * It never takes the agreement of the engines for the truth: the rule is computed a third time, from points.
 * What is drawn is what verifiers are known to disagree on; the counts at the end show that such cases were drawn.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { layer as nobleLayer } from "../../adapters/noble/Crypto.ts"
import { layer as sodiumLayer } from "../../adapters/sodium/Crypto.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import {
  bytesOf,
  equationHolds,
  forge,
  groundMessage,
  integerOf,
  joined,
  type Known,
  keyByRule,
  order,
  pointWithTorsion,
  prime,
  signatureByRule,
  smallOrderMisspelled,
  toHex,
  torsion,
  unreduced
} from "../conformance/Crypto.hostile.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"

const sodium = engineOf(sodiumLayer)
const noble = engineOf(nobleLayer)

/** What both engines answer; a difference fails. A thrown defect is an answer too. */
const both = <A>(call: (crypto: CryptoShape) => A): A | "thrown" => {
  const answer = (crypto: CryptoShape): A | "thrown" => {
    try {
      return call(crypto)
    } catch {
      return "thrown"
    }
  }
  const [one, other] = [answer(sodium), answer(noble)]
  expect(one).toEqual(other)
  return one
}

const shown = (bytes: Uint8Array | undefined): string => (bytes === undefined ? "none" : toHex(bytes))

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const scalar = bytes32.map((bytes) => integerOf(bytes) % order)

/** A point its maker knows: honest, with torsion, of small order, or of small order and misspelled. */
const known: fc.Arbitrary<Known> = fc.oneof(
  { weight: 4, arbitrary: scalar.map((value) => pointWithTorsion(value, 0)) },
  { weight: 4, arbitrary: fc.tuple(scalar, fc.integer({ min: 1, max: 7 })).map((pair) => pointWithTorsion(...pair)) },
  { weight: 1, arbitrary: fc.constantFrom(...torsion).map((point) => ({ bytes: point.toBytes(), scalar: 0n })) },
  { weight: 1, arbitrary: fc.constantFrom(...smallOrderMisspelled).map(({ bytes }) => ({ bytes, scalar: 0n })) }
)

interface Attempt {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const turnedBit = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice()
  if (copy.length > 0) copy[(bit >> 3) % copy.length]! ^= 1 << (bit & 7)
  return copy
}

/** What may still be done to a forged signature before it is sent. */
const spoil = (attempt: Attempt, how: string, bit: number): Attempt => {
  const { publicKey, message, signature } = attempt
  const [encodedR, s] = [signature.subarray(0, 32), integerOf(signature.subarray(32))]
  switch (how) {
    case "key":
      return { publicKey: turnedBit(publicKey, bit), message, signature }
    case "message":
      return { publicKey, message: joined(message, Uint8Array.of(bit & 255)), signature }
    case "signature":
      return { publicKey, message, signature: turnedBit(signature, bit) }
    case "S + L":
      return { publicKey, message, signature: joined(encodedR, bytesOf(s + order)) }
    case "cut":
      return { publicKey, message, signature: signature.subarray(0, bit % 64) }
    case "longer":
      return { publicKey, message, signature: joined(signature, Uint8Array.of(0)) }
    case "key cut":
      return { publicKey: publicKey.subarray(0, bit % 32), message, signature }
    case "unreduced key":
      return { publicKey: unreduced[bit % unreduced.length]!, message, signature }
    default:
      return attempt
  }
}

const spoiling = fc.oneof(
  { weight: 3, arbitrary: fc.constant("nothing") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("key", "message", "signature", "S + L", "cut", "longer", "key cut", "unreduced key")
  }
)

const attempts: fc.Arbitrary<Attempt> = fc
  .record({
    key: known,
    commitment: known,
    message: fc.uint8Array({ maxLength: 80 }),
    grind: fc.boolean(),
    how: spoiling,
    bit: fc.nat(511)
  })
  .map(({ key, commitment, message, grind, how, bit }) => {
    const signed = grind ? groundMessage(key, commitment) : message
    return spoil({ publicKey: key.bytes, message: signed, signature: forge(key, commitment, signed) }, how, bit)
  })

/** What noble's own verification says: the cofactored verdict that our rule must not depend on. */
const stockNoble = ({ publicKey, message, signature }: Attempt): boolean => {
  try {
    return ed25519.verify(signature, message, publicKey, { zip215: true })
  } catch {
    return false
  }
}

const verdicts = (attempt: Attempt) => {
  const { publicKey, message, signature } = attempt
  const verdict = both((crypto) => crypto.ed25519Verify(publicKey, message, signature))
  expect(verdict).toBe(signatureByRule(publicKey, message, signature))
  expect(both((crypto) => crypto.ed25519ValidKey(publicKey))).toBe(keyByRule(publicKey))
  return { verdict, stock: stockNoble(attempt), equation: equationHolds(publicKey, message, signature) }
}

describe("law: sodium and noble give the verdict of the written rule", () => {
  it("for forged, torsioned, misspelled and spoiled signatures", () => {
    const counts = { accepted: 0, onlyCofactored: 0, onlyByTheKeyOrR: 0, refusedByAll: 0 }
    fc.assert(
      fc.property(attempts, (attempt) => {
        const { verdict, stock, equation } = verdicts(attempt)
        if (verdict === true) counts.accepted++
        else if (stock && !equation) counts.onlyCofactored++
        else if (equation) counts.onlyByTheKeyOrR++
        else counts.refusedByAll++
      }),
      { numRuns: 400 }
    )
    // Each of these is about one draw in ten or more; fewer than 10 of 400 means that the draw is broken.
    for (const [kind, count] of Object.entries(counts)) expect(count, kind).toBeGreaterThan(10)
  })

  it("for every pair of torsion in A and R, where noble's own verification accepts all 64", () => {
    let accepted = 0
    let stockAccepted = 0
    for (let inKey = 0; inKey < 8; inKey++)
      for (let inR = 0; inR < 8; inR++) {
        const [key, commitment] = [pointWithTorsion(31_415n, inKey), pointWithTorsion(92_653n, inR)]
        const message = groundMessage(key, commitment)
        const attempt = { publicKey: key.bytes, message, signature: forge(key, commitment, message) }
        const { verdict, stock } = verdicts(attempt)
        expect(verdict).toBe(inKey === 0 && inR === 0)
        if (verdict === true) accepted++
        if (stock) stockAccepted++
      }
    expect([accepted, stockAccepted]).toEqual([1, 64])
  })

  it("for keys that are any bytes at all", () => {
    const keys = fc.oneof(bytes32, fc.uint8Array({ maxLength: 70 }), fc.constantFrom(...unreduced))
    fc.assert(
      fc.property(keys, (key) => {
        expect(both((crypto) => crypto.ed25519ValidKey(key))).toBe(keyByRule(key))
      }),
      { numRuns: 150 }
    )
  })
})

describe("law: sodium and noble compute the same", () => {
  it("keys and signatures", () => {
    fc.assert(
      fc.property(bytes32, fc.uint8Array({ maxLength: 300 }), (seed, message) => {
        const publicKey = both((crypto) => toHex(crypto.ed25519PublicKey(Redacted.make(seed))))
        const signature = both((crypto) => toHex(crypto.ed25519Sign(Redacted.make(seed), message)))
        const verdict = both((crypto) =>
          crypto.ed25519Verify(Buffer.from(publicKey, "hex"), message, Buffer.from(signature, "hex"))
        )
        expect(verdict).toBe(true)
      }),
      { numRuns: 40 }
    )
  })

  it("agreements, with honest, twisted, unreduced and short u", () => {
    const small = fc.integer({ min: -20, max: 20 }).map((offset) => bytesOf(prime + BigInt(offset)))
    const peer = fc.oneof(bytes32, small, fc.uint8Array({ maxLength: 40 }))
    fc.assert(
      fc.property(bytes32, peer, (own, u) => {
        both((crypto) => toHex(crypto.x25519PublicKey(Redacted.make(own))))
        both((crypto) => shown(crypto.x25519(Redacted.make(own), u)))
      }),
      { numRuns: 100 }
    )
  })

  it("digests, MACs and derived keys of any length, and the same refusals", () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ minLength: 1_000, maxLength: 1_100 }))
    const lengths = fc.oneof(fc.nat(200), fc.constantFrom(0, 8_160, 8_161), fc.constantFrom(-1, 1.5, Number.NaN))
    fc.assert(
      fc.property(bytes, bytes, bytes, lengths, (a, b, info, length) => {
        both((crypto) => toHex(crypto.sha256(a)))
        both((crypto) => toHex(crypto.hmacSha256(a, b)))
        both((crypto) => shown(crypto.hkdfSha256(a, b, info, length)))
        both((crypto) => crypto.equal(a, b))
      }),
      { numRuns: 200 }
    )
  })

  it("seals, and open what the other sealed, whole or spoiled", () => {
    const key = fc.oneof({ weight: 9, arbitrary: bytes32 }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) })
    const nonce = fc.oneof(
      { weight: 9, arbitrary: fc.uint8Array({ minLength: 12, maxLength: 12 }) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 11, maxLength: 13 }) }
    )
    const spoiledBit = fc.oneof(fc.constant(null), fc.nat(2_000))
    const bytes = fc.uint8Array({ maxLength: 100 })
    const counts = { opened: 0, spoiled: 0, defects: 0 }
    fc.assert(
      fc.property(key, nonce, bytes, bytes, spoiledBit, (k, n, associated, plaintext, bit) => {
        const sealed = both((crypto) => toHex(crypto.aes256GcmSeal(k, n, associated, plaintext)))
        expect(sealed === "thrown").toBe(k.length !== 32 || n.length !== 12)
        const whole = sealed === "thrown" ? plaintext : Buffer.from(sealed, "hex")
        const sent = bit === null ? whole : turnedBit(whole, bit)
        const text = both((crypto) => shown(crypto.aes256GcmOpen(k, n, associated, sent)))
        const honest = sealed !== "thrown" && bit === null
        expect(text).toBe(honest ? toHex(plaintext) : "none")
        if (sealed === "thrown") counts.defects++
        else if (honest) counts.opened++
        else counts.spoiled++
      }),
      { numRuns: 300 }
    )
    for (const [kind, count] of Object.entries(counts)) expect(count, kind).toBeGreaterThan(10)
  })
})
