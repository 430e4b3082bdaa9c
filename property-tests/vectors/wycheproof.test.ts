/**
 * Every vector of four Wycheproof files through the Crypto port, on both engines.
 * It never copies a vector and never trusts the file's verdict over the written rule: where they differ, a table says so.
 * The totals are asserted, because a loop over nothing passes too.
 */
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { layer as noble } from "../../adapters/noble/Crypto.ts"
import { layer as sodium } from "../../adapters/sodium/Crypto.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { fromHex, signatureByRule, toHex } from "../conformance/Crypto.hostile.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"

/** Shared with other projects and kept beside the checkout. */
const folder = resolve(import.meta.dirname, "../../../shared/vectors/wycheproof")
const present = existsSync(folder)
const demanded = process.env["REQUIRE_SHARED_VECTORS"] === "1"

type Verdict = "valid" | "acceptable" | "invalid"

/** One vector with the parameters of its group. */
interface Vector {
  readonly tcId: number
  readonly result: Verdict
  readonly flags: ReadonlyArray<string>
  readonly [field: string]: unknown
}

interface File {
  readonly numberOfTests: number
  readonly testGroups: ReadonlyArray<{ readonly tests: ReadonlyArray<Vector>; readonly [field: string]: unknown }>
}

const read = (name: string): ReadonlyArray<Vector> => {
  const file: File = JSON.parse(readFileSync(join(folder, `${name}_test.json`), "utf8"))
  const vectors = file.testGroups.flatMap(({ tests, ...group }) => tests.map((vector) => ({ ...group, ...vector })))
  expect(vectors).toHaveLength(file.numberOfTests)
  return vectors
}

const hex = (vector: Vector, field: string): Uint8Array => {
  const value = vector[field]
  if (typeof value !== "string") throw new Error(`vector ${vector.tcId} has no ${field}`)
  return fromHex(value)
}

/** What the port said to a vector, and why that differs from the file's verdict, if it does. */
interface Outcome {
  readonly said: "accepted" | "refused"
  readonly deviation?: string
}

const ed25519 = (crypto: CryptoShape, vector: Vector): Outcome => {
  const { pk } = vector["publicKey"] as { readonly pk: string }
  const [key, message, signature] = [fromHex(pk), hex(vector, "msg"), hex(vector, "sig")]
  const accepted = crypto.ed25519Verify(key, message, signature)
  expect(accepted, `vector ${vector.tcId}`).toBe(signatureByRule(key, message, signature))
  const said = accepted ? "accepted" : "refused"
  if (accepted === (vector.result === "valid")) return { said }
  return { said, deviation: crypto.ed25519ValidKey(key) ? "signature" : "key" }
}

const x25519 = (crypto: CryptoShape, vector: Vector): Outcome => {
  const shared = crypto.x25519(Redacted.make(hex(vector, "private")), hex(vector, "public"))
  const zero = hex(vector, "shared").every((byte) => byte === 0)
  expect(shared && toHex(shared), `vector ${vector.tcId}`).toBe(zero ? undefined : toHex(hex(vector, "shared")))
  expect(zero).toBe(vector.flags.includes("ZeroSharedSecret"))
  return zero ? { said: "refused", deviation: "all-zero secret" } : { said: "accepted" }
}

const hkdf = (crypto: CryptoShape, vector: Vector): Outcome => {
  const length = Number(vector["size"])
  const output = crypto.hkdfSha256(hex(vector, "ikm"), hex(vector, "salt"), hex(vector, "info"), length)
  const expected = vector.result === "invalid" ? undefined : toHex(hex(vector, "okm"))
  expect(output && toHex(output), `vector ${vector.tcId}`).toBe(expected)
  return { said: output === undefined ? "refused" : "accepted" }
}

const aesGcm = (crypto: CryptoShape, vector: Vector): Outcome => {
  const [key, nonce, associated] = [hex(vector, "key"), hex(vector, "iv"), hex(vector, "aad")]
  const sealed = fromHex(`${toHex(hex(vector, "ct"))}${toHex(hex(vector, "tag"))}`)
  const opened = crypto.aes256GcmOpen(key, nonce, associated, sealed)
  const size = vector["keySize"] !== 256 ? "key size" : vector["ivSize"] !== 96 ? "nonce size" : undefined
  expect(vector["tagSize"]).toBe(128)
  const accepted = size === undefined && vector.result === "valid"
  expect(opened && toHex(opened), `vector ${vector.tcId}`).toBe(accepted ? toHex(hex(vector, "msg")) : undefined)
  const seal = () => toHex(crypto.aes256GcmSeal(key, nonce, associated, hex(vector, "msg")))
  if (size !== undefined) expect(seal).toThrow()
  else expect(seal() === toHex(sealed), `vector ${vector.tcId}`).toBe(vector.result === "valid")
  if (accepted) return { said: "accepted" }
  return size !== undefined && vector.result === "valid" ? { said: "refused", deviation: size } : { said: "refused" }
}

/** For each file: how its verdicts stand to ours, exactly. A deviation is a vector that the file lets pass and we refuse. */
const table = [
  { file: "ed25519", run: ed25519, accepted: 88, refused: 63, deviations: {} },
  // The file calls an all-zero secret acceptable; the protocol refuses it.
  { file: "x25519", run: x25519, accepted: 487, refused: 31, deviations: { "all-zero secret": 31 } },
  { file: "hkdf_sha256", run: hkdf, accepted: 83, refused: 3, deviations: {} },
  // The port has one key size and one nonce size; the file has more.
  { file: "aes_gcm", run: aesGcm, accepted: 39, refused: 277, deviations: { "key size": 153, "nonce size": 37 } }
]

const countedBy = (outcomes: ReadonlyArray<Outcome>): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { deviation } of outcomes) if (deviation !== undefined) counts[deviation] = (counts[deviation] ?? 0) + 1
  return counts
}

if (!present && !demanded) console.warn(`SKIPPED: no shared test vectors at ${folder}`)

describe("Wycheproof", () => {
  it.runIf(demanded)("is there, as REQUIRE_SHARED_VECTORS=1 demands", () => {
    expect(present, `no shared test vectors at ${folder}`).toBe(true)
  })

  describe.skipIf(!present)("vectors", () => {
    for (const [engine, layer] of [
      ["sodium", sodium],
      ["noble", noble]
    ] as const)
      for (const { file, run, accepted, refused, deviations } of table)
        it(`${file} on ${engine}`, () => {
          const crypto = engineOf(layer)
          const outcomes = read(file).map((vector) => run(crypto, vector))
          expect(outcomes.filter(({ said }) => said === "accepted")).toHaveLength(accepted)
          expect(outcomes.filter(({ said }) => said === "refused")).toHaveLength(refused)
          expect(countedBy(outcomes)).toEqual(deviations)
        })
  })
})
