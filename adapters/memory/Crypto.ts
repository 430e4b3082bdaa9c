/**
 * Another engine with the randomness of a seed: what a simulation needs to replay a run byte for byte.
 * It never computes a primitive itself and must never stand behind a real node: its keys are as guessable as its seed.
 * The stream is SHA-256 of the seed and a counter, so it is the same on every platform.
 */
import { Effect, Layer } from "effect"
import { Crypto } from "../../ports/Crypto.ts"

const blockBytes = 32

/** The engine in context, with `randomBytes` drawn from `seed`. */
export const layerSeeded = (seed: string): Layer.Layer<Crypto, never, Crypto> =>
  Layer.effect(
    Crypto,
    Effect.map(Crypto, (engine) => {
      const encoder = new TextEncoder()
      let counter = 0
      const randomBytes = (length: number): Uint8Array => {
        const bytes = new Uint8Array(length)
        for (let offset = 0; offset < length; offset += blockBytes) {
          const block = engine.sha256(encoder.encode(`${seed}\u0000${counter++}`))
          bytes.set(block.subarray(0, Math.min(blockBytes, length - offset)), offset)
        }
        return bytes
      }
      return { ...engine, engine: `${engine.engine}, seeded`, randomBytes }
    })
  )
