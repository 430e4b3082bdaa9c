/**
 * The Crypto suite on every adapter, what only one of them can get wrong, and the check of S that they share.
 * It never repeats a check of the suite.
 * The seeded engine runs the suite as well: a simulation is worth nothing if its cryptography differs from a node's.
 */
import { createHash } from "node:crypto"
import { Layer, Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { layerSeeded } from "../../adapters/memory/Crypto.ts"
import { layer as noble } from "../../adapters/noble/Crypto.ts"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import { scalarIsCanonical } from "../../ports/Crypto.ts"
import { bytesOf, integerOf, order, pointWithTorsion, toHex, torsion } from "./Crypto.hostile.ts"
import { engineOf, suite } from "./Crypto.suite.ts"

const seeded = (seed: string, engine = sodium) => layerSeeded(seed).pipe(Layer.provide(engine))

suite("sodium", sodium)
suite("noble", noble)
suite("sodium, seeded", seeded("suite"))

describe("Crypto: sodium", () => {
  it("judges keys the same after it has seen more of them than it remembers", () => {
    const crypto = engineOf(sodium)
    const seedOf = (index: number) => Redacted.make(bytesOf(BigInt(index)))
    const first = crypto.ed25519PublicKey(seedOf(0))
    for (let index = 0; index < 4_200; index++)
      expect(crypto.ed25519ValidKey(crypto.ed25519PublicKey(seedOf(index)))).toBe(true)
    expect(crypto.ed25519ValidKey(first)).toBe(true)
    expect(crypto.ed25519ValidKey(torsion[1]!.toBytes())).toBe(false)
    expect(crypto.ed25519ValidKey(pointWithTorsion(5n, 3).bytes)).toBe(false)
  })
})

describe("Crypto: seeded", () => {
  const draws = (layer: ReturnType<typeof seeded>): ReadonlyArray<string> => {
    const crypto = engineOf(layer)
    return [5, 0, 32, 33, 100].map((length) => toHex(crypto.randomBytes(length)))
  }

  it("draws the same bytes from the same seed, on either engine, from the start each time it is built", () => {
    const layer = seeded("seed")
    expect(draws(layer)).toEqual(draws(layer))
    expect(draws(layer)).toEqual(draws(seeded("seed", noble)))
    expect(draws(layer)).not.toEqual(draws(seeded("another seed")))
  })

  it("draws SHA-256 of the seed and a counter, so that a seed written down today still replays", () => {
    const block = (counter: number) => createHash("sha256").update(`seed\u0000${counter}`).digest("hex")
    const crypto = engineOf(seeded("seed"))
    expect(toHex(crypto.randomBytes(5))).toBe(block(0).slice(0, 10))
    expect(toHex(crypto.randomBytes(40))).toBe((block(1) + block(2)).slice(0, 80))
  })

  it("does not pass for the engine it wraps", () => {
    expect(engineOf(seeded("seed")).engine).toBe("sodium, seeded")
  })
})

describe("Crypto: S", () => {
  it("is canonical below L, and nowhere else", () => {
    const around = fc.integer({ min: -300, max: 300 }).map((offset) => bytesOf(order + BigInt(offset)))
    const scalars = fc.oneof(around, fc.uint8Array({ minLength: 32, maxLength: 32 }))
    fc.assert(fc.property(scalars, (scalar) => scalarIsCanonical(scalar) === integerOf(scalar) < order))
    for (const [value, canonical] of [
      [0n, true],
      [order - 1n, true],
      [order, false],
      [2n ** 256n - 1n, false]
    ] as const)
      expect(scalarIsCanonical(bytesOf(value))).toBe(canonical)
    for (const length of [0, 31, 33]) expect(scalarIsCanonical(new Uint8Array(length))).toBe(false)
  })
})
