/**
 * One end of a link as a node holds it: the shipped reading of a link, and the shipped sealing of records, without Effect.
 * It never decides who is let in or what is said; it does what Ingress and Writer do between bytes and inputs.
 * Everything is real: handshake, proofs, seals, rekeys, and the signature of each text.
 */
import type { Result } from "effect"
import * as Base64url from "../../core/bytes/Base64url.ts"
import { Codec, type Input, Keys, Limits, type Opening, type Output, Rejection, Seal } from "../../core/index.ts"
import * as Reading from "../../core/node/Talk.ts"
import * as Writer from "../../core/node/Writer.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Ear, End } from "./Network.ts"

/** What an end works with, and what it tells. */
export interface Around {
  readonly crypto: CryptoShape
  readonly keys: Keys.LocalKeys
  /** Whom a dial of ours was meant for; empty for a link that was accepted. */
  readonly expected: Opening.Expected
  /** The node's own clock. */
  nowMs(): number
  /** Something happens later, unless the node has ended by then. */
  later(ms: number, act: () => void): () => void
  /** Becomes an input of the node. */
  offer(input: Input.Input): void
  /** The opening is over, or the link is. */
  settled(): void
}

export class Talk implements Ear {
  readonly #around: Around
  readonly #end: End
  #reading: Reading.Talk
  #session: Seal.Session | undefined
  #rejection: Rejection.Rejection | null = null
  #hungUp = false

  constructor(around: Around, end: End) {
    this.#around = around
    this.#end = end
    const { crypto, keys } = around
    const local: Opening.Local = {
      crypto,
      keys,
      swarmKey: Keys.swarmKey(crypto, keys),
      binding: end.binding,
      remoteSwarmKey: Base64url.decode(end.remoteKey) ?? new Uint8Array(0),
      entropy: crypto.randomBytes(32)
    }
    this.#reading = Reading.accept(local, end.id)
    if (end.initiator) this.#take(Reading.dial(local, end.id, around.expected))
    around.later(Limits.openingTimeMs, () => {
      if (this.#session === undefined) this.#refuse(Rejection.make("opening-timeout"))
    })
  }

  hear(bytes: Uint8Array): void {
    this.#reading = Reading.push(this.#reading, bytes)
    while (this.#rejection === null && !this.#hungUp) {
      if (!this.#take(Reading.next(this.#reading, this.#around.nowMs()))) return
    }
  }

  over(): void {
    const { offer, settled } = this.#around
    const rejection = this.#rejection
    if (this.#session !== undefined) offer({ _tag: "Closed", connection: this.#end.id, rejection })
    else if (rejection !== null) {
      const { remoteKey, topics } = this.#end
      offer({ _tag: "LinkRefused", rejection, swarmKey: remoteKey, topics })
    }
    settled()
  }

  /** Signs, seals and sends messages; what is said after a hang-up is said to nobody. */
  say(messages: ReadonlyArray<Output.Outgoing>): void {
    const session = this.#session
    if (session === undefined) return
    const { crypto, keys } = this.#around
    const envelopes = Writer.withoutOldReceipts(messages).map((one) => Writer.envelope(crypto, keys, session, one))
    for (const group of Writer.records(envelopes)) this.#seal(Codec.pack(group))
  }

  /** Seals whatever it is given, as one record: what a peer that means no good could say inside its session. */
  sayRaw(plaintext: Uint8Array): void {
    if (this.#session !== undefined) this.#seal(plaintext)
  }

  /** Sends bytes as they are. */
  sendRaw(bytes: Uint8Array): void {
    if (!this.#hungUp) this.#end.send(bytes)
  }

  get isOpen(): boolean {
    return this.#session !== undefined && !this.#hungUp
  }

  hangUp(): void {
    if (this.#hungUp) return
    this.#hungUp = true
    this.#end.close()
  }

  #seal(plaintext: Uint8Array): void {
    if (this.#session === undefined || this.#hungUp) return
    const { crypto, nowMs } = this.#around
    const { bytes, direction } = Seal.seal(crypto, this.#session.send, nowMs(), plaintext)
    this.#session = { ...this.#session, send: KeySchedule.leave(crypto, this.#session.send, direction) }
    this.#end.send(bytes)
  }

  #refuse(rejection: Rejection.Rejection): void {
    if (this.#rejection !== null || this.#hungUp) return
    this.#rejection = rejection
    this.hangUp()
  }

  /** Acts on what a frame brought; false when there was none, or the link is over. */
  #take(result: Result.Result<Reading.Heard | undefined, Rejection.Rejection>): boolean {
    if (result._tag === "Failure") {
      this.#refuse(result.failure)
      return false
    }
    const heard = result.success
    if (heard === undefined) return false
    this.#reading = heard.talk
    for (const bytes of heard.send) this.#end.send(bytes)
    if (heard.opened !== undefined) this.#open(heard.opened)
    for (const input of heard.inputs) this.#around.offer(input)
    return true
  }

  #open(session: Seal.Session): void {
    this.#session = session
    this.#around.settled()
    const { id, initiator } = this.#end
    const { handshakeHash, peer, version } = session
    this.#around.offer({ _tag: "Opened", connection: id, initiator, version, peer, handshakeHash })
  }
}
