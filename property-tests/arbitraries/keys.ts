/**
 * Both engines, and whole sets of local keys made through the Crypto port from drawn seeds.
 * It never touches the system's entropy: the same seed gives the same keys in every run.
 * Keys go through `Keys.generate` as in a node, so what is drawn is what a node would hold.
 */
import { Result } from "effect"
import fc from "fast-check"
import { layer as nobleLayer } from "../../adapters/noble/Crypto.ts"
import { layer as sodiumLayer } from "../../adapters/sodium/Crypto.ts"
import { Base64url, Keys } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { engineOf } from "../conformance/Crypto.suite.ts"

export const sodium: CryptoShape = engineOf(sodiumLayer)
export const noble: CryptoShape = engineOf(nobleLayer)
export const engines: ReadonlyArray<CryptoShape> = [sodium, noble]

/** 32 bytes that depend on a name and a number only. */
export const entropyOf = (name: string, seed: number): Uint8Array =>
  sodium.sha256(new TextEncoder().encode(`${name} ${seed}`))

/** The engine with `randomBytes` drawn from a seed. */
export const seeded = (engine: CryptoShape, seed: number): CryptoShape => {
  let drawn = 0
  return { ...engine, randomBytes: (length) => entropyOf(`random ${drawn++}`, seed).slice(0, length) }
}

/** The keys that belong to a seed. */
export const keysOf = (seed: number, engine: CryptoShape = sodium): Keys.LocalKeys =>
  Keys.generate(seeded(engine, seed), 1_700_000_000_000 + seed)

export const localKeys: fc.Arbitrary<Keys.LocalKeys> = fc.nat(2 ** 30).map((seed) => keysOf(seed))

/** Our identity key as peers see it. */
export const identityOf = (keys: Keys.LocalKeys): Keys.RemoteIdentityKey =>
  Result.getOrThrow(Keys.remoteIdentityKey(sodium, Base64url.encode(keys.identityKey)))

/** Our agreement key as peers see it. */
export const agreementOf = (keys: Keys.LocalKeys): Keys.RemoteAgreementKey =>
  Result.getOrThrow(Keys.remoteAgreementKey(Base64url.encode(keys.agreementKey)))
