/**
 * Those who only watch: one sees every nonce under every key, one writes down the wire and later steals every long-term key.
 * They never touch what they see. What they find is for the checkers.
 * The thief does what anybody could do with the bytes: the handshake again, with everything but the ephemeral secrets.
 */
import { Redacted } from "effect"
import * as Base64url from "../../core/bytes/Base64url.ts"
import { concat, utf8 } from "../../core/bytes/Bytes.ts"
import { Frame, type Keys, Limits } from "../../core/index.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import * as Preface from "../../core/session/Preface.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Checker } from "./Checker.ts"
import { mark } from "./Truth.ts"

/** An engine whose seals are watched: under one key each counter may come once, in order. */
export const watchNonces =
  (found: Array<string>) =>
  (engine: CryptoShape): CryptoShape => {
    const last = new Map<string, bigint>()
    return {
      ...engine,
      aes256GcmSeal: (key, nonce, associated, plaintext) => {
        const name = Base64url.encode(key)
        const counter = new DataView(nonce.buffer, nonce.byteOffset).getBigUint64(4)
        const before = last.get(name)
        if (before !== undefined && counter <= before) found.push(`one key sealed twice under nonce ${counter}`)
        last.set(name, counter)
        if (last.size > 4_096) for (const one of last.keys()) if (last.size > 2_048) last.delete(one)
        return engine.aes256GcmSeal(key, nonce, associated, plaintext)
      }
    }
  }

/** What was written down of one link, each way. */
interface Recording {
  readonly id: string
  readonly initiator: Array<Uint8Array>
  readonly responder: Array<Uint8Array>
  bytes: number
}

/** Links that are written down whole, and bytes of each. */
const recordingsMax = 64
const recordedBytesMax = 65_536

export class Eavesdropper {
  readonly #recordings = new Map<string, Recording>()
  readonly found: Array<string> = []

  /** Sees a packet. A text in the clear is found at once. */
  hear(link: string, fromInitiator: boolean, bytes: Uint8Array): void {
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(mark)) {
      this.found.push(`a text went over ${link} in the clear`)
    }
    let recording = this.#recordings.get(link)
    if (recording === undefined) {
      if (this.#recordings.size >= recordingsMax) return
      recording = { id: link, initiator: [], responder: [], bytes: 0 }
      this.#recordings.set(link, recording)
    }
    if (recording.bytes > recordedBytesMax) return
    recording.bytes += bytes.length
    recording[fromInitiator ? "initiator" : "responder"].push(bytes.slice())
  }

  /** What the initiator of some link has sent, for whoever replays it. */
  get recorded(): ReadonlyArray<Uint8Array> {
    return [...this.#recordings.values()].at(-1)?.initiator.slice(0, 6) ?? []
  }

  /** Opens what can be opened with every long-term key there ever was, and nothing else. */
  steal(crypto: CryptoShape, keys: ReadonlyArray<Keys.LocalKeys>): void {
    for (const recording of this.#recordings.values()) {
      if (opensReply(crypto, recording, keys)) this.found.push(`long-term keys alone open ${recording.id}`)
    }
  }
}

const framesOf = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<Frame.Frame> => {
  let reader = Frame.push(Frame.reader, concat(...chunks))
  const frames: Array<Frame.Frame> = []
  for (;;) {
    const next = Frame.next(reader, Limits.openingFrameBytesMax)
    if (next.frame === undefined) return frames
    frames.push(next.frame)
    reader = next.reader
  }
}

/** What a thief may guess an ephemeral secret to be: a constant. */
const guesses: ReadonlyArray<Uint8Array> = [new Uint8Array(32), new Uint8Array(32).fill(1)]

/**
 * Whether message 2 of Noise XX opens without the responder's ephemeral secret: `ee` left out, or guessed. Its first
 * sealed part is the responder's static key, 48 bytes behind the ephemeral one.
 */
const opensReply = (crypto: CryptoShape, recording: Recording, stolen: ReadonlyArray<Keys.LocalKeys>): boolean => {
  const [preface, first] = framesOf(recording.initiator)
  const [reply] = framesOf(recording.responder)
  if (preface?.type !== "preface" || first?.type !== "handshake" || reply?.type !== "handshake") return false
  const ephemeral = reply.body.subarray(0, 32)
  const sealed = reply.body.subarray(32, 80)
  const name = utf8("Noise_XX_25519_AESGCM_SHA256")
  const begin = concat(name, new Uint8Array(32 - name.length))
  const mix = (hash: Uint8Array, bytes: Uint8Array) => crypto.sha256(concat(hash, bytes))
  const prologue = Preface.prologue(preface.body, utf8(recording.id))
  const hash = [prologue, first.body.subarray(0, 32), first.body.subarray(32), ephemeral].reduce(mix, begin)
  const secrets = [
    ...guesses.map((guess) => crypto.x25519(Redacted.make(guess), ephemeral)),
    ...guesses.map((guess) => crypto.x25519(Redacted.make(guess), first.body.subarray(0, 32))),
    ...stolen.flatMap(({ agreementScalar }) => [
      crypto.x25519(agreementScalar, ephemeral),
      crypto.x25519(agreementScalar, first.body.subarray(0, 32))
    ]),
    new Uint8Array(0)
  ]
  return secrets.some((secret) => {
    if (secret === undefined) return false
    const [, key] = KeySchedule.split(crypto, KeySchedule.secret(begin.slice()), secret)
    return crypto.aes256GcmOpen(Redacted.value(key), KeySchedule.nonce(0), hash, sealed) !== undefined
  })
}

/** What the two who watch have found. */
export const watched: ReadonlyArray<Checker> = [
  {
    name: "nonces",
    says: "no key seals twice under one nonce",
    end: ({ seen }) => [...new Set(seen.nonces)]
  },
  {
    name: "secrecy",
    says: "no text is on the wire in the clear, and the long-term keys of both ends open nothing that was recorded",
    end: ({ seen }) => [...new Set(seen.wire)]
  }
]
