/**
 * The public vectors of Noise_XX_25519_AESGCM_SHA256, byte for byte, through our own state machine on both engines.
 * It never copies a vector, and passes prologue, static and ephemeral keys as the arguments that they are in a node too.
 * After the handshake the vectors go on with transport messages; ours differ in form (records), not in keys and nonces.
 */
import { existsSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Redacted, Result } from "effect"
import { describe, expect, it } from "vitest"
import { Handshake } from "../../core/index.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { engines } from "../arbitraries/keys.ts"
import { fromHex, toHex } from "../conformance/Crypto.hostile.ts"

/** Shared with other projects and kept beside the checkout. */
const path = resolve(import.meta.dirname, "../../../shared/vectors/noise-xx-25519-aesgcm-sha256.json")
const present = existsSync(path)
const demanded = process.env["REQUIRE_SHARED_VECTORS"] === "1"

interface Vector {
  readonly protocol_name: string
  readonly init_prologue: string
  readonly init_static: string
  readonly init_ephemeral: string
  readonly resp_prologue: string
  readonly resp_static: string
  readonly resp_ephemeral: string
  readonly handshake_hash: string
  readonly messages: ReadonlyArray<{ readonly payload: string; readonly ciphertext: string }>
}

const read = (): ReadonlyArray<Vector> =>
  (JSON.parse(readFileSync(path, "utf8")) as { readonly vectors: ReadonlyArray<Vector> }).vectors

/** The two ends of a vector before the first message, the initiator on one engine and the responder on another. */
const endsOf = (vector: Vector, forInitiator: CryptoShape, forResponder: CryptoShape) => ({
  initiator: Handshake.start(
    forInitiator,
    "initiator",
    fromHex(vector.init_prologue),
    Handshake.keyPair(forInitiator, fromHex(vector.init_static)),
    Handshake.keyPair(forInitiator, fromHex(vector.init_ephemeral))
  ),
  responder: Handshake.start(
    forResponder,
    "responder",
    fromHex(vector.resp_prologue),
    Handshake.keyPair(forResponder, fromHex(vector.resp_static)),
    Handshake.keyPair(forResponder, fromHex(vector.resp_ephemeral))
  )
})

/** Plays the handshake of a vector, each message compared, and gives what both ends finish with. */
const shake = (vector: Vector, forInitiator: CryptoShape, forResponder: CryptoShape) => {
  let { initiator, responder } = endsOf(vector, forInitiator, forResponder)
  for (const [index, { ciphertext, payload }] of vector.messages.slice(0, Handshake.pattern.length).entries()) {
    const fromInitiator = index % 2 === 0
    const [writer, reader] = fromInitiator ? [initiator, responder] : [responder, initiator]
    const [write, take] = fromInitiator ? [forInitiator, forResponder] : [forResponder, forInitiator]
    expect([Handshake.isOurTurn(writer), Handshake.isOurTurn(reader)]).toEqual([true, false])
    const written = Result.getOrThrow(Handshake.write(write, writer, () => fromHex(payload)))
    expect(toHex(written.bytes)).toBe(ciphertext)
    const taken = Result.getOrThrow(Handshake.read(take, reader, fromHex(ciphertext)))
    expect(toHex(taken.payload)).toBe(payload)
    ;[initiator, responder] = fromInitiator ? [written.state, taken.state] : [taken.state, written.state]
  }
  const [ours, theirs] = [Handshake.finish(forInitiator, initiator), Handshake.finish(forResponder, responder)]
  if (ours === undefined || theirs === undefined) throw new Error("the handshake of the vector did not finish")
  return { initiator: ours, responder: theirs }
}

if (!present && !demanded) console.warn(`SKIPPED: no shared test vectors at ${path}`)

describe("Noise XX", () => {
  it.runIf(demanded)("vectors are there, as REQUIRE_SHARED_VECTORS=1 demands", () => {
    expect(present, `no shared test vectors at ${path}`).toBe(true)
  })

  describe.skipIf(!present)("vectors", () => {
    it("are one, for our protocol, with three handshake and three transport messages", () => {
      const shapes = read().map((vector) => [vector.protocol_name, vector.messages.length])
      expect(shapes).toEqual([["Noise_XX_25519_AESGCM_SHA256", 6]])
    })

    for (const forInitiator of engines)
      for (const forResponder of engines)
        it(`hold with ${forInitiator.engine} dialling ${forResponder.engine}`, () => {
          for (const vector of read()) {
            const { initiator, responder } = shake(vector, forInitiator, forResponder)
            expect([initiator, responder].map((end) => toHex(end.handshakeHash))).toEqual([
              vector.handshake_hash,
              vector.handshake_hash
            ])
            const publicOf = (scalar: string) => forInitiator.x25519PublicKey(Redacted.make(fromHex(scalar)))
            expect(initiator.remoteStatic).toEqual(publicOf(vector.resp_static))
            expect(responder.remoteStatic).toEqual(publicOf(vector.init_static))
            const counters = { initiator: 0, responder: 0 }
            for (const [index, { ciphertext, payload }] of vector.messages.entries()) {
              if (index < Handshake.pattern.length) continue
              const role = index % 2 === 0 ? "initiator" : "responder"
              const [sender, receiver] = role === "initiator" ? [initiator, responder] : [responder, initiator]
              const nonce = KeySchedule.nonce(counters[role]++)
              const nothing = new Uint8Array(0)
              const [seal, open] = role === "initiator" ? [forInitiator, forResponder] : [forResponder, forInitiator]
              const sealed = seal.aes256GcmSeal(Redacted.value(sender.sendKey), nonce, nothing, fromHex(payload))
              expect(toHex(sealed)).toBe(ciphertext)
              const opened = open.aes256GcmOpen(
                Redacted.value(receiver.receiveKey),
                nonce,
                nothing,
                fromHex(ciphertext)
              )
              expect(opened && toHex(opened)).toBe(payload)
            }
            expect(counters).toEqual({ initiator: 1, responder: 2 })
          }
        })
  })
})
