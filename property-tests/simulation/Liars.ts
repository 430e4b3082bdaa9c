/**
 * Those who mean no good: they announce what is not theirs, replay, flood, say nothing, and lie inside their sessions.
 * They never have a key that is not their own, and know only what anybody on the path could have written down.
 * What they do is drawn from the seed like everything else; none of it may have an effect.
 */
import { Base64url, Codec, Frame, Keys, type Message, Opening, PeerId } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { House } from "./House.ts"
import type { Ear, End, Guest, Network } from "./Network.ts"
import type { Liar } from "./Options.ts"
import { Talk } from "./Talk.ts"
import { mark } from "./Truth.ts"

/** What a liar has around it. */
export interface Around {
  readonly clock: Clock
  readonly network: Network
  readonly chance: Chance
  readonly crypto: CryptoShape
  /** Bytes that a link's initiator sent, as somebody on the path wrote them down; none yet at first. */
  recorded(): ReadonlyArray<Uint8Array>
}

const deaf: Ear = { hear: () => undefined, over: () => undefined }

/** A guest with keys of its own and nobody's trust. */
export class Stranger implements Guest {
  readonly swarmKey: string
  readonly #around: Around
  readonly #keys: Keys.LocalKeys
  readonly #kind: Liar
  #next: (end: End) => Ear = () => deaf

  constructor(around: Around, kind: Liar) {
    this.#around = around
    this.#kind = kind
    this.#keys = Keys.generate(around.crypto, around.clock.nowMs)
    this.swarmKey = Base64url.encode(Keys.swarmKey(around.crypto, this.#keys))
    around.network.join(this)
  }

  /** Links that others dial lead to an impostor; links of its own to what it had in mind. */
  onLink(end: End): Ear {
    return end.initiator ? this.#next(end) : this.#talk(end)
  }

  /** Does what it is here for to somebody; `friend` is one whom the victim trusts. */
  act(victim: House, friend: House): void {
    const { chance, network } = this.#around
    const key = victim.process?.swarmKey
    if (this.#kind === "impostor") {
      const topics = [this.#topicOf(friend), this.#topicOf(victim)]
      for (const topic of topics) network.announce(this, topic)
      this.#around.clock.after(chance.whole(60_000, 600_000), () => {
        for (const topic of topics) network.withdraw(this, topic)
      })
    }
    if (key === undefined) return
    // A storm: many links at once, to whoever can be reached.
    const links = this.#kind === "flooder" ? chance.whole(10, 30) : chance.whole(1, 4)
    this.#next = (end) => this.#begin(end)
    for (let left = links; left > 0; left--) network.dial(this, { kind: "key", name: key }, () => undefined)
  }

  /** Is gone. */
  leave(): void {
    this.#around.network.leave(this, false)
  }

  #topicOf(house: House): string {
    return Base64url.encode(PeerId.topicOf(this.#around.crypto, Keys.keyBytes(house.identityKey)))
  }

  #talk(end: End): Ear {
    const { clock, crypto } = this.#around
    return new Talk(
      {
        crypto,
        keys: this.#keys,
        expected: [],
        nowMs: () => clock.nowMs,
        later: (ms, act) => clock.after(ms, act),
        offer: () => undefined,
        settled: () => undefined
      },
      end
    )
  }

  #begin(end: End): Ear {
    const { chance, crypto, recorded } = this.#around
    const soon = (act: () => void) => this.#around.clock.after(chance.whole(1, 500), act)
    switch (this.#kind) {
      case "impostor":
      case "forger":
      case "traitor":
        return this.#talk(end)
      case "replayer":
        for (const bytes of recorded()) soon(() => end.send(bytes))
        return deaf
      case "flooder":
        for (let left = 8; left > 0; left--) soon(() => end.send(crypto.randomBytes(chance.whole(1, 2_000))))
        return deaf
      case "mute":
        return deaf
      case "oversize":
        soon(() => end.send(new Uint8Array([1, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])))
        soon(() => end.send(new Uint8Array(70_000)))
        return deaf
      case "wrong version": {
        const local = { crypto, keys: this.#keys, swarmKey: new Uint8Array(32), binding: end.binding }
        const opened = Opening.dial(
          { ...local, remoteSwarmKey: new Uint8Array(32), entropy: crypto.randomBytes(32) },
          []
        )
        if (opened._tag === "Failure") return deaf
        const [preface, ...rest] = opened.success.send
        const strange = { type: "preface" as const, body: preface!.body.with(-1, 9) }
        for (const frame of [strange, ...rest]) soon(() => end.send(Frame.encode(frame)))
        return deaf
      }
    }
  }
}

/** Things that a friend could say and honest software never does; each is one record's plaintext, or bytes outside any. */
const slanders = (chance: Chance, crypto: CryptoShape): Uint8Array => {
  const id = () => Buffer.from(crypto.randomBytes(16)).toString("hex")
  const stream = id()
  const say = (message: Message.Message) => Codec.pack([{ body: Codec.encode(message), signature: undefined }])
  const text = `${mark}lie ${id()}`
  return chance.pick<() => Uint8Array>([
    () => say({ kind: "Receipt", stream, mark: chance.whole(1, 1e9), also: [] }),
    () => say({ kind: "Receipt", stream, mark: 0, also: [chance.whole(1, 1e9)] }),
    () => say({ kind: "GrantChanged", stream, number: 1, capabilities: ["inject", "message"] }),
    () => say({ kind: "Cancel", stream, number: 1, id: id() }),
    () => say({ kind: "Resume", id: id(), offset: 0, upTo: 1 << 20 }),
    () => say({ kind: "Chunk", id: id(), offset: 0, bytes: "AAAA" }),
    () => say({ kind: "Skip", stream, from: 1, to: 1 }),
    () => say({ kind: "Skip", stream, from: 1, to: chance.whole(2, 5_000), settled: true }),
    () => say({ kind: "Reject", code: "not-a-friend" }),
    () => say({ kind: "Reject", code: "key-retired" }),
    // A text and a question without the signature that they must carry, and with one that is none.
    () => say({ kind: "Log", stream, number: 1, text } as Message.Message),
    () =>
      Codec.pack([
        {
          body: Codec.encode({ kind: "Log", stream, number: 1, text } as Message.Message),
          signature: crypto.randomBytes(64)
        }
      ]),
    () =>
      Codec.pack([
        { body: new TextEncoder().encode(`{"kind":"Log","text":${"[".repeat(2_000)}`), signature: undefined }
      ]),
    () => Codec.pack([{ body: new TextEncoder().encode('{"kind":"__proto__","number":1}'), signature: undefined }]),
    () => crypto.randomBytes(chance.whole(1, 3_000))
  ])()
}

/** A house lies to one of its friends, inside a session that is open. */
export const betray = (house: House, chance: Chance, crypto: CryptoShape): boolean => {
  const talks = house.process?.talks ?? []
  if (talks.length === 0) return false
  const talk = chance.pick(talks)
  if (chance.happens(0.1)) talk.sendRaw(crypto.randomBytes(chance.whole(1, 500)))
  else talk.sayRaw(slanders(chance, crypto))
  return true
}
