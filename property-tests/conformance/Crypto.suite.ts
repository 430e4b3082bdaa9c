/**
 * The acceptance suite of the Crypto port, for any adapter.
 * It never asks how an engine computes, only that published vectors come out and that one written rule decides.
 * The adversary knows the discrete logarithm of everything it sends: it adds torsion, respells points and shifts S.
 */
import { inspect } from "node:util"
import { Effect, type Layer, Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Crypto, type CryptoShape, type SecretBytes } from "../../ports/Crypto.ts"
import {
  bytesOf,
  equationHolds,
  forge,
  fromHex,
  groundMessage,
  integerOf,
  joined,
  type Known,
  keyByRule,
  order,
  Point,
  pointWithTorsion,
  prime,
  smallOrderMisspelled,
  toHex,
  torsion,
  unreduced
} from "./Crypto.hostile.ts"
import * as vectors from "./Crypto.vectors.ts"

/** The service of a layer, for tests that call it directly. */
export const engineOf = (layer: Layer.Layer<Crypto>): CryptoShape =>
  Effect.runSync(Crypto.useSync((crypto) => crypto).pipe(Effect.provide(layer)))

const secret = (hex: string): SecretBytes => Redacted.make(fromHex(hex))
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The same bytes with one bit of one byte turned. */
const turned = (bytes: Uint8Array, index: number): Uint8Array => {
  const copy = bytes.slice()
  copy[index]! ^= 1 << (index % 8)
  return copy
}

/** The same bytes inside a larger buffer, at an odd offset: what a frame parser hands over. */
const embedded = (bytes: Uint8Array): Uint8Array => {
  const larger = filled(bytes.length + 7, 0xa5)
  larger.set(bytes, 3)
  return larger.subarray(3, 3 + bytes.length)
}

const wrongLengths = (right: number): ReadonlyArray<Uint8Array> =>
  [0, 1, right - 1, right + 1, right * 2].map((length) => filled(length, 1))

const publishedVectors = (crypto: CryptoShape): void => {
  it("SHA-256 (FIPS 180-4)", () => {
    for (const { message, digest } of vectors.sha256) expect(toHex(crypto.sha256(fromHex(message)))).toBe(digest)
  })

  it("HMAC-SHA-256 (RFC 4231)", () => {
    for (const { key, message, mac } of vectors.hmacSha256)
      expect(toHex(crypto.hmacSha256(fromHex(key), fromHex(message)))).toBe(mac)
  })

  it("HKDF-SHA-256 (RFC 5869), and every prefix of an output is the shorter output", () => {
    for (const { ikm, salt, info, output } of vectors.hkdfSha256)
      for (let length = 0; length <= output.length / 2; length++)
        expect(toHex(crypto.hkdfSha256(fromHex(ikm), fromHex(salt), fromHex(info), length)!)).toBe(
          output.slice(0, length * 2)
        )
  })

  it("Ed25519 (RFC 8032)", () => {
    for (const { seed, publicKey, message, signature } of vectors.ed25519) {
      expect(toHex(crypto.ed25519PublicKey(secret(seed)))).toBe(publicKey)
      expect(toHex(crypto.ed25519Sign(secret(seed), fromHex(message)))).toBe(signature)
      expect(crypto.ed25519ValidKey(fromHex(publicKey))).toBe(true)
      expect(crypto.ed25519Verify(fromHex(publicKey), fromHex(message), fromHex(signature))).toBe(true)
    }
  })

  it("X25519 (RFC 7748)", () => {
    for (const { scalar, publicKey, shared } of vectors.x25519)
      expect(toHex(crypto.x25519(secret(scalar), fromHex(publicKey))!)).toBe(shared)
    const [, , alice, bob] = vectors.x25519
    expect(toHex(crypto.x25519PublicKey(secret(alice!.scalar)))).toBe(bob!.publicKey)
    expect(toHex(crypto.x25519PublicKey(secret(bob!.scalar)))).toBe(alice!.publicKey)
  })

  it("X25519 a thousand times over (RFC 7748)", () => {
    for (const { rounds, scalar } of vectors.x25519Iterated) {
      let [k, u] = [bytesOf(9n), bytesOf(9n)]
      for (let round = 0; round < rounds; round++) [k, u] = [crypto.x25519(Redacted.make(k), u)!, k]
      expect(toHex(k)).toBe(scalar)
    }
  })

  it("AES-256-GCM (McGrew and Viega)", () => {
    for (const { key, nonce, associated, plaintext, sealed } of vectors.aes256Gcm) {
      const [k, n, a] = [fromHex(key), fromHex(nonce), fromHex(associated)]
      expect(toHex(crypto.aes256GcmSeal(k, n, a, fromHex(plaintext)))).toBe(sealed)
      expect(toHex(crypto.aes256GcmOpen(k, n, a, fromHex(sealed))!)).toBe(plaintext)
    }
  })
}

const plainBytes = (crypto: CryptoShape): void => {
  it("gives as many random bytes as asked, in one call or many, and not the same ones twice", () => {
    for (const length of [0, 1, 31, 32, 65_536, 65_537, 200_000])
      expect(crypto.randomBytes(length)).toHaveLength(length)
    const draws = Array.from({ length: 200 }, () => toHex(crypto.randomBytes(16)))
    expect(new Set(draws).size).toBe(draws.length)
    const counts = new Array<number>(256).fill(0)
    // A stretch that was left unfilled shows as zeros; 781 of each value are expected, 9 standard deviations allowed.
    for (const byte of crypto.randomBytes(200_000)) counts[byte]!++
    for (const count of counts) expect(Math.abs(count - 781)).toBeLessThan(252)
  })

  it("derives up to 255 blocks, refuses one byte more, and takes an info of any length", () => {
    const [ikm, salt] = [filled(32, 1), filled(32, 2)]
    expect(crypto.hkdfSha256(ikm, salt, filled(0, 0), 255 * 32)).toHaveLength(255 * 32)
    expect(crypto.hkdfSha256(ikm, salt, filled(0, 0), 255 * 32 + 1)).toBeUndefined()
    for (const length of [1_023, 1_024, 1_025, 5_000]) {
      // RFC 5869 §2.3, the first block: T(1) = HMAC(PRK, info ‖ 1).
      const info = filled(length, 3)
      const first = crypto.hmacSha256(crypto.hmacSha256(salt, ikm), joined(info, Uint8Array.of(1)))
      const second = crypto.hmacSha256(crypto.hmacSha256(salt, ikm), joined(first, info, Uint8Array.of(2)))
      expect(toHex(crypto.hkdfSha256(ikm, salt, info, 50)!)).toBe(toHex(joined(first, second)).slice(0, 100))
    }
  })

  it("compares bytes of any length", () => {
    const bytes = fc.uint8Array({ maxLength: 80 })
    fc.assert(fc.property(bytes, bytes, (a, b) => crypto.equal(a, b) === (toHex(a) === toHex(b))))
    fc.assert(fc.property(bytes, (a) => crypto.equal(a, embedded(a))))
    for (let index = 0; index < 32; index++)
      expect(crypto.equal(filled(32, 7), turned(filled(32, 7), index))).toBe(false)
  })

  it("wipes exactly the bytes it was given", () => {
    const whole = filled(64, 7)
    crypto.wipe(whole.subarray(16, 48))
    expect(toHex(whole)).toBe(toHex(joined(filled(16, 7), filled(32, 0), filled(16, 7))))
    crypto.wipe(new Uint8Array(0))
  })

  it("changes none of its inputs and gives an output of its own", () => {
    const [key, nonce, message] = [filled(32, 1), filled(12, 2), filled(50, 3)]
    const seed = Redacted.make(key)
    const signature = crypto.ed25519Sign(seed, message)
    const publicKey = crypto.ed25519PublicKey(seed)
    const sealed = crypto.aes256GcmSeal(key, nonce, message, message)
    const calls = [
      () => crypto.sha256(message),
      () => crypto.hmacSha256(key, message),
      () => crypto.hkdfSha256(key, nonce, message, 32)!,
      () => crypto.ed25519PublicKey(seed),
      () => crypto.ed25519Sign(seed, message),
      () => crypto.x25519PublicKey(seed),
      () => crypto.x25519(seed, bytesOf(9n))!,
      () => crypto.aes256GcmSeal(key, nonce, message, message),
      () => crypto.aes256GcmOpen(key, nonce, message, sealed)!
    ]
    for (const call of calls) {
      const first = call()
      const shown = toHex(first)
      first.fill(0xee)
      expect(toHex(call())).toBe(shown)
    }
    expect(crypto.ed25519Verify(publicKey, message, signature)).toBe(true)
    for (const [bytes, byte] of [
      [key, 1],
      [nonce, 2],
      [message, 3]
    ] as const)
      expect(bytes.every((each) => each === byte)).toBe(true)
  })

  it("takes bytes from the middle of a larger buffer", () => {
    const { seed, publicKey, message, signature } = vectors.ed25519[2]!
    expect(toHex(crypto.ed25519Sign(Redacted.make(embedded(fromHex(seed))), embedded(fromHex(message))))).toBe(
      signature
    )
    const [key, text, signed] = [embedded(fromHex(publicKey)), embedded(fromHex(message)), embedded(fromHex(signature))]
    expect(crypto.ed25519Verify(key, text, signed)).toBe(true)
    const agreement = vectors.x25519[0]!
    const scalar = Redacted.make(embedded(fromHex(agreement.scalar)))
    expect(toHex(crypto.x25519(scalar, embedded(fromHex(agreement.publicKey)))!)).toBe(agreement.shared)
    const gcm = vectors.aes256Gcm[3]!
    const [k, n, a] = [embedded(fromHex(gcm.key)), embedded(fromHex(gcm.nonce)), embedded(fromHex(gcm.associated))]
    expect(toHex(crypto.aes256GcmSeal(k, n, a, embedded(fromHex(gcm.plaintext))))).toBe(gcm.sealed)
    expect(toHex(crypto.aes256GcmOpen(k, n, a, embedded(fromHex(gcm.sealed)))!)).toBe(gcm.plaintext)
  })
}

const secrets = (crypto: CryptoShape): void => {
  it("seals and opens with no key that was wiped or overwritten", () => {
    const key = filled(32, 7)
    const [nonce, text] = [filled(12, 1), filled(20, 2)]
    const under = (byte: number) => crypto.aes256GcmSeal(filled(32, byte), nonce, nonce, text)
    expect(crypto.aes256GcmSeal(key, nonce, nonce, text)).toEqual(under(7))
    key.fill(8)
    expect(crypto.aes256GcmSeal(key, nonce, nonce, text)).toEqual(under(8))
    expect(crypto.aes256GcmOpen(key, nonce, nonce, under(7))).toBeUndefined()
    crypto.wipe(key)
    expect(crypto.aes256GcmOpen(key, nonce, nonce, under(8))).toBeUndefined()
    expect(crypto.aes256GcmSeal(key, nonce, nonce, text)).toEqual(under(0))
  })

  it("signs with no key that was wiped, overwritten or taken back", () => {
    const message = utf8("message")
    const wiped = filled(32, 7)
    const seed = Redacted.make(wiped)
    const before = toHex(crypto.ed25519Sign(seed, message))
    crypto.wipe(wiped)
    expect(toHex(crypto.ed25519Sign(seed, message))).toBe(toHex(crypto.ed25519Sign(secret("00".repeat(32)), message)))
    wiped.fill(7)
    expect(toHex(crypto.ed25519Sign(seed, message))).toBe(before)
    wiped.fill(8)
    expect(toHex(crypto.ed25519PublicKey(seed))).toBe(toHex(crypto.ed25519PublicKey(secret("08".repeat(32)))))
    Redacted.wipeUnsafe(seed)
    expect(() => crypto.ed25519Sign(seed, message)).toThrow()
  })

  it("treats a secret of the wrong length as a defect of ours, and the defect does not print it", () => {
    for (const length of [0, 16, 31, 33, 64]) {
      const short = Redacted.make(filled(length, 0xab))
      const peer = bytesOf(9n)
      for (const call of [
        () => crypto.ed25519PublicKey(short),
        () => crypto.ed25519Sign(short, peer),
        () => crypto.x25519PublicKey(short),
        () => crypto.x25519(short, peer)
      ]) {
        const thrown = thrownBy(call)
        expect(thrown).toBeInstanceOf(Error)
        expect(inspect(thrown, { depth: 9, showHidden: true })).not.toMatch(/171|ab,? ?ab|abab/i)
      }
    }
  })

  it("prints no secret with the service or with the secret", () => {
    const seed = secret("ab".repeat(32))
    crypto.ed25519Sign(seed, utf8("message"))
    crypto.x25519(seed, bytesOf(9n))
    const printed = [String(seed), JSON.stringify(seed), inspect(seed), inspect(crypto, { depth: 9, showHidden: true })]
    expect(printed.join("\n")).not.toMatch(/171|ab,? ?ab|abab/i)
  })
}

const thrownBy = (call: () => unknown): unknown => {
  try {
    call()
  } catch (thrown) {
    return thrown
  }
  return undefined
}

const identityKeys = (crypto: CryptoShape): void => {
  it("admits the key of every seed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (seed) =>
        crypto.ed25519ValidKey(crypto.ed25519PublicKey(Redacted.make(seed)))
      ),
      { numRuns: 20 }
    )
  })

  it("refuses the eight points of small order, in every spelling", () => {
    expect(new Set(torsion.map((point) => toHex(point.toBytes()))).size).toBe(8)
    for (const point of torsion) expect(crypto.ed25519ValidKey(point.toBytes())).toBe(false)
    for (const { bytes } of smallOrderMisspelled) expect(crypto.ed25519ValidKey(bytes)).toBe(false)
  })

  it("refuses every y that is not reduced", () => {
    expect(unreduced).toHaveLength(38)
    for (const bytes of unreduced) expect(crypto.ed25519ValidKey(bytes)).toBe(false)
  })

  it("refuses a good key with torsion added, and admits its multiple by 8", () => {
    for (let index = 1; index < 8; index++) {
      const mixed = pointWithTorsion(12_345n, index)
      expect(crypto.ed25519ValidKey(mixed.bytes)).toBe(false)
      expect(crypto.ed25519ValidKey(Point.fromBytes(mixed.bytes).multiplyUnsafe(8n).toBytes())).toBe(true)
    }
    expect(crypto.ed25519ValidKey(pointWithTorsion(12_345n, 0).bytes)).toBe(true)
  })

  it("refuses bytes off the curve and keys of any other length", () => {
    const offCurve = [2n, 7n, prime - 2n].map(bytesOf)
    for (const bytes of offCurve) expect(thrownBy(() => Point.fromBytes(bytes))).toBeInstanceOf(Error)
    for (const bytes of [...offCurve, filled(32, 255), ...wrongLengths(32)])
      expect(crypto.ed25519ValidKey(bytes)).toBe(false)
  })

  it("judges the neighbours of a key it has admitted by themselves", () => {
    const admitted = pointWithTorsion(99n, 0).bytes
    expect(crypto.ed25519ValidKey(admitted)).toBe(true)
    const neighbours = Array.from({ length: 256 }, (_, bit) => {
      const copy = admitted.slice()
      copy[bit >> 3]! ^= 1 << (bit & 7)
      return copy
    }).filter((_, bit) => bit % 8 === 0 || bit > 247)
    // The last neighbour is the key's negative, which is as good a key.
    expect(keyByRule(neighbours.at(-1)!)).toBe(true)
    for (const bytes of neighbours) expect(crypto.ed25519ValidKey(bytes)).toBe(keyByRule(bytes))
  })

  it("remembers the bytes of a key and not the buffer they are part of", () => {
    const [good, bad] = [pointWithTorsion(98n, 0).bytes, pointWithTorsion(98n, 1).bytes]
    const buffer = joined(filled(5, 1), good, filled(5, 2), bad)
    expect(crypto.ed25519ValidKey(buffer.subarray(5, 37))).toBe(true)
    expect(crypto.ed25519ValidKey(buffer.subarray(42, 74))).toBe(false)
    expect(crypto.ed25519ValidKey(buffer.subarray(5, 37))).toBe(true)
  })

  it("remembers the bytes of a key and not the array they came in", () => {
    const key = pointWithTorsion(99n, 0).bytes.slice()
    expect(crypto.ed25519ValidKey(key)).toBe(true)
    key.set(torsion[1]!.toBytes())
    expect(crypto.ed25519ValidKey(key)).toBe(false)
    key.set(pointWithTorsion(99n, 0).bytes)
    expect(crypto.ed25519ValidKey(key)).toBe(true)
  })
}

const signatures = (crypto: CryptoShape): void => {
  const seed = secret(vectors.ed25519[0]!.seed)
  const publicKey = fromHex(vectors.ed25519[0]!.publicKey)

  it("verifies what it signed, the empty message and a long one included, and signs the same again", () => {
    for (const length of [0, 1, 63, 64, 1_000, 100_000]) {
      const message = filled(length, 9)
      const signature = crypto.ed25519Sign(seed, message)
      expect(toHex(crypto.ed25519Sign(seed, message))).toBe(toHex(signature))
      expect(crypto.ed25519Verify(publicKey, message, signature)).toBe(true)
      expect(crypto.ed25519Verify(publicKey, joined(message, Uint8Array.of(0)), signature)).toBe(false)
    }
  })

  it("refuses every changed byte of key, message and signature", () => {
    const message = utf8("twelve bytes")
    const signature = crypto.ed25519Sign(seed, message)
    expect(crypto.ed25519Verify(publicKey, message, signature)).toBe(true)
    for (let index = 0; index < 64; index++)
      expect(crypto.ed25519Verify(publicKey, message, turned(signature, index))).toBe(false)
    for (let index = 0; index < 32; index++)
      expect(crypto.ed25519Verify(turned(publicKey, index), message, signature)).toBe(false)
    for (let index = 0; index < message.length; index++)
      expect(crypto.ed25519Verify(publicKey, turned(message, index), signature)).toBe(false)
  })

  it("answers false to keys and signatures of any other length", () => {
    const message = utf8("message")
    const signature = crypto.ed25519Sign(seed, message)
    for (const bytes of [...wrongLengths(64), signature.subarray(1), joined(signature, Uint8Array.of(0))])
      expect(crypto.ed25519Verify(publicKey, message, bytes)).toBe(false)
    for (const bytes of [...wrongLengths(32), publicKey.subarray(1), joined(publicKey, Uint8Array.of(0))])
      expect(crypto.ed25519Verify(bytes, message, signature)).toBe(false)
  })

  it("refuses S + L and every further multiple that fits in 32 bytes", () => {
    const message = utf8("malleable")
    const signature = crypto.ed25519Sign(seed, message)
    const scalar = integerOf(signature.subarray(32))
    for (let shifted = scalar + order; shifted < 2n ** 256n; shifted += order) {
      const malleated = joined(signature.subarray(0, 32), bytesOf(shifted))
      expect(equationHolds(publicKey, message, malleated)).toBe(true)
      expect(crypto.ed25519Verify(publicKey, message, malleated)).toBe(false)
    }
  })
}

const forgeries = (crypto: CryptoShape): void => {
  const honestKey = pointWithTorsion(31_415n, 0)
  const honestNonce = pointWithTorsion(92_653n, 0)
  const verifies = (key: Known, commitment: Known, message = utf8("forged")): boolean =>
    crypto.ed25519Verify(key.bytes, message, forge(key, commitment, message))

  it("accepts what the forger makes without torsion, so that the refusals below have one cause", () => {
    expect(verifies(honestKey, honestNonce)).toBe(true)
  })

  it("refuses torsion in R", () => {
    for (let index = 1; index < 8; index++) expect(verifies(honestKey, pointWithTorsion(92_653n, index))).toBe(false)
  })

  it("refuses R of small order in every spelling, even where the equation holds", () => {
    const identity = { bytes: Point.ZERO.toBytes(), scalar: 0n }
    const message = utf8("forged")
    expect(equationHolds(honestKey.bytes, message, forge(honestKey, identity, message))).toBe(true)
    expect(verifies(honestKey, identity)).toBe(false)
    for (const point of torsion) expect(verifies(honestKey, { bytes: point.toBytes(), scalar: 0n })).toBe(false)
    for (const { bytes } of smallOrderMisspelled) expect(verifies(honestKey, { bytes, scalar: 0n })).toBe(false)
  })

  it("refuses a sum that is the identity under another R", () => {
    const message = utf8("forged")
    const scalarOfZero = forge(honestKey, { bytes: honestNonce.bytes, scalar: 0n }, message)
    expect(crypto.ed25519Verify(honestKey.bytes, message, scalarOfZero)).toBe(false)
  })

  it("refuses torsion in A, even where the equation holds", () => {
    for (let index = 1; index < 8; index++) {
      const mixed = pointWithTorsion(31_415n, index)
      expect(verifies(mixed, honestNonce)).toBe(false)
      const message = groundMessage(mixed, honestNonce)
      expect(equationHolds(mixed.bytes, message, forge(mixed, honestNonce, message))).toBe(true)
      expect(verifies(mixed, honestNonce, message)).toBe(false)
    }
  })

  it("refuses A of small order in every spelling, even where the equation holds", () => {
    for (const point of torsion) {
      const key = { bytes: point.toBytes(), scalar: 0n }
      const message = groundMessage(key, honestNonce)
      expect(equationHolds(key.bytes, message, forge(key, honestNonce, message))).toBe(true)
      expect(verifies(key, honestNonce, message)).toBe(false)
    }
    for (const { bytes } of smallOrderMisspelled) expect(verifies({ bytes, scalar: 0n }, honestNonce)).toBe(false)
  })

  it("refuses the one signature that fits every message under the identity as key", () => {
    const identity = Point.ZERO.toBytes()
    expect(crypto.ed25519Verify(identity, utf8("anything"), joined(identity, filled(32, 0)))).toBe(false)
  })
}

const agreement = (crypto: CryptoShape): void => {
  it("agrees in both directions", () => {
    const scalars = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Redacted.make(bytes))
    fc.assert(
      fc.property(scalars, scalars, (a, b) => {
        const one = crypto.x25519(a, crypto.x25519PublicKey(b))
        const other = crypto.x25519(b, crypto.x25519PublicKey(a))
        expect(toHex(one!)).toBe(toHex(other!))
      }),
      { numRuns: 20 }
    )
  })

  it("refuses an all-zero secret: every u of small order, in every spelling", () => {
    const order8 = [
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
    ].map((hex) => integerOf(fromHex(hex)))
    const low = [0n, 1n, prime - 1n, prime, prime + 1n, ...order8]
    for (const u of low)
      for (const bytes of [bytesOf(u), bytesOf(u | (1n << 255n))])
        expect(crypto.x25519(secret("77".repeat(32)), bytes)).toBeUndefined()
  })

  it("reads a u that is not reduced, or has its top bit set, as RFC 7748 says", () => {
    const scalar = secret("42".repeat(32))
    for (const small of [2n, 3n, 9n, 18n]) {
      const expected = toHex(crypto.x25519(scalar, bytesOf(small))!)
      expect(toHex(crypto.x25519(scalar, bytesOf(small + prime))!)).toBe(expected)
      expect(toHex(crypto.x25519(scalar, bytesOf(small | (1n << 255n)))!)).toBe(expected)
    }
  })

  it("answers undefined to keys of any other length", () => {
    for (const bytes of wrongLengths(32)) expect(crypto.x25519(secret("77".repeat(32)), bytes)).toBeUndefined()
  })
}

const sealing = (crypto: CryptoShape): void => {
  const [key, nonce, associated] = [filled(32, 1), filled(12, 2), utf8("header")]

  it("opens what it sealed, the empty text and a large one included", () => {
    for (const length of [0, 1, 15, 16, 17, 1_000, 1 << 20]) {
      const plaintext = filled(length, 7)
      const sealed = crypto.aes256GcmSeal(key, nonce, associated, plaintext)
      expect(sealed).toHaveLength(length + 16)
      expect(Buffer.compare(crypto.aes256GcmOpen(key, nonce, associated, sealed)!, plaintext)).toBe(0)
    }
  })

  it("opens nothing with one changed byte anywhere", () => {
    const sealed = crypto.aes256GcmSeal(key, nonce, associated, utf8("nineteen byte text."))
    const opens = (k: Uint8Array, n: Uint8Array, a: Uint8Array, s: Uint8Array): boolean =>
      crypto.aes256GcmOpen(k, n, a, s) !== undefined
    expect(opens(key, nonce, associated, sealed)).toBe(true)
    for (let index = 0; index < sealed.length; index++)
      expect(opens(key, nonce, associated, turned(sealed, index))).toBe(false)
    for (let index = 0; index < 32; index++) expect(opens(turned(key, index), nonce, associated, sealed)).toBe(false)
    for (let index = 0; index < 12; index++) expect(opens(key, turned(nonce, index), associated, sealed)).toBe(false)
    for (let index = 0; index < 6; index++) expect(opens(key, nonce, turned(associated, index), sealed)).toBe(false)
    for (let length = 0; length < sealed.length; length++)
      expect(opens(key, nonce, associated, sealed.subarray(0, length))).toBe(false)
    expect(opens(key, nonce, associated, joined(sealed, Uint8Array.of(0)))).toBe(false)
    expect(opens(key, nonce, utf8("heade"), sealed)).toBe(false)
  })

  it("answers undefined when opening with other sizes, and sealing with them is a defect", () => {
    const sealed = crypto.aes256GcmSeal(key, nonce, associated, utf8("text"))
    for (const other of [...wrongLengths(32), filled(16, 1), filled(24, 1)]) {
      expect(crypto.aes256GcmOpen(other, nonce, associated, sealed)).toBeUndefined()
      expect(() => crypto.aes256GcmSeal(other, nonce, associated, sealed)).toThrow()
    }
    for (const other of [...wrongLengths(12), filled(8, 2), filled(16, 2)]) {
      expect(crypto.aes256GcmOpen(key, other, associated, sealed)).toBeUndefined()
      expect(() => crypto.aes256GcmSeal(key, other, associated, sealed)).toThrow()
    }
  })
}

/** Runs the suite on the adapter behind `layer`. */
export const suite = (name: string, layer: Layer.Layer<Crypto>): void => {
  const crypto = engineOf(layer)
  describe(`Crypto: ${name}: published vectors`, () => publishedVectors(crypto))
  describe(`Crypto: ${name}: bytes`, () => plainBytes(crypto))
  describe(`Crypto: ${name}: secrets`, () => secrets(crypto))
  describe(`Crypto: ${name}: identity keys`, () => identityKeys(crypto))
  describe(`Crypto: ${name}: signatures`, () => signatures(crypto))
  describe(`Crypto: ${name}: forgeries`, () => forgeries(crypto))
  describe(`Crypto: ${name}: agreement`, () => agreement(crypto))
  describe(`Crypto: ${name}: sealing`, () => sealing(crypto))
}
