/**
 * Another engine with the randomness of a seed: what a simulation needs to replay a run byte for byte.
 * It never computes a primitive itself and must never stand behind a real node: its keys are as guessable as its seed.
 * The stream is HMAC-SHA-256 of a counter under the hashed seed, so it is the same on every platform.
 */
import { Effect, Layer } from "effect"
import { Crypto } from "../../ports/Crypto.ts"

const blockBytes = 32

/** The engine in context, with `randomBytes` drawn from `seed`. */
export const layerSeeded = (seed: string): Layer.Layer<Crypto, never, Crypto> =>
  Layer.effect(
    Crypto,
    Effect.map(Crypto, (engine) => {
      const key = engine.sha256(new TextEncoder().encode(seed))
      let counter = 0
      const randomBytes = (length: number): Uint8Array => {
        const bytes = new Uint8Array(length)
        for (let offset = 0; offset < length; offset += blockBytes) {
          const block = engine.hmacSha256(key, new TextEncoder().encode(String(counter++)))
          bytes.set(block.subarray(0, Math.min(blockBytes, length - offset)), offset)
        }
        return bytes
      }
      return { ...engine, engine: `${engine.engine}, seeded`, randomBytes }
    })
  )
