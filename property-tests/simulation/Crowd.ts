/**
 * Members of a topic who mean no good: made-up keys without number, and one who says what honest software never says.
 * They have keys of their own and whatever others told them; they can break no signature and no seal.
 * A crowd costs its maker little, so each of them answers as a member would: nobody can tell it from an honest one.
 */
import { Base64url, type Input, Keys, Limits, type Message, Profile, type Topic } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import type { Chance } from "./Chance.ts"
import type { Clock } from "./Clock.ts"
import type { Ear, End, Guest, Network } from "./Network.ts"
import { Talk } from "./Talk.ts"

export interface Around {
  readonly clock: Clock
  readonly network: Network
  readonly chance: Chance
  readonly crypto: CryptoShape
  readonly topic: Topic.Topic
  readonly hash: string
}

/** One more key in a topic. */
export class Sybil implements Guest {
  readonly swarmKey: string
  readonly keys: Keys.LocalKeys
  protected readonly around: Around
  #own: Profile.Profile | undefined

  constructor(around: Around) {
    this.around = around
    this.keys = Keys.generate(around.crypto, around.clock.nowMs)
    this.swarmKey = Base64url.encode(Keys.swarmKey(around.crypto, this.keys))
    around.network.join(this)
    around.network.announce(this, around.hash)
  }

  get identityKey(): string {
    return Base64url.encode(this.keys.identityKey)
  }

  /** What it says of itself. */
  profile(change: Partial<Profile.Unsigned> = {}): Profile.Profile {
    const { clock, crypto, hash, topic } = this.around
    return Profile.sign(crypto, this.keys, topic, {
      topic: hash,
      identityKey: this.identityKey as Keys.RemoteIdentityKey,
      swarmKey: this.swarmKey as Keys.RemoteSwarmKey,
      version: 1,
      issuedMs: clock.nowMs,
      expiresMs: clock.nowMs + Limits.profileAgeMs,
      content: { name: "sybil", description: "", tags: [] },
      ...change
    })
  }

  /** Dials somebody, to be met. */
  visit(swarmKey: string): void {
    this.around.network.dial(this, { kind: "key", name: swarmKey }, () => undefined)
  }

  onLink(end: End): Ear {
    const { clock, crypto } = this.around
    const talk: Talk = new Talk(
      {
        crypto,
        keys: this.keys,
        expected: [],
        nowMs: () => clock.nowMs,
        later: (ms, act) => clock.after(ms, act),
        offer: (input) => this.hear(talk, input),
        settled: () => undefined
      },
      end
    )
    return talk
  }

  protected say(talk: Talk, ...messages: ReadonlyArray<Message.Message>): void {
    talk.say(messages.map((message) => ({ message })))
  }

  protected hear(talk: Talk, input: Input.Input): void {
    const { hash } = this.around
    this.#own ??= this.profile()
    if (input._tag === "Opened") this.greet(talk)
    if (input._tag !== "Received" || input.message.value.kind !== "TopicHello") return
    this.say(talk, { kind: "Profiles", topic: hash, profiles: this.answers(this.#own) })
  }

  protected greet(talk: Talk): void {
    const { crypto, hash } = this.around
    const mark = Base64url.encode(crypto.randomBytes(16))
    this.say(talk, { kind: "TopicHello", topic: hash, have: [{ mark, version: 0 }] })
  }

  protected answers(own: Profile.Profile): ReadonlyArray<string> {
    return [own.wire]
  }
}

/**
 * An honest member without a node behind it: it names itself, tells what it has heard, hangs up when all is said, and
 * dials others when it is told to. A thousand of them cost a fraction of a thousand nodes.
 */
export class Neighbour extends Sybil {
  readonly #heard: Array<string> = []
  readonly #dialled = new Set<string>()

  override onLink(end: End): Ear {
    if (end.initiator) this.#dialled.add(end.id)
    return super.onLink(end)
  }

  protected override greet(talk: Talk): void {
    const { mark, version } = this.profile()
    this.say(talk, { kind: "TopicHello", topic: this.around.hash, have: [{ mark, version }] })
  }

  protected override hear(talk: Talk, input: Input.Input): void {
    super.hear(talk, input)
    if (input._tag !== "Received" || input.message.value.kind !== "Profiles") return
    this.#heard.push(...input.message.value.profiles)
    if (this.#heard.length > 64) this.#heard.splice(0, this.#heard.length - 64)
    if (this.#dialled.has(input.connection)) this.around.clock.after(1_000, () => talk.hangUp())
  }

  protected override answers(own: Profile.Profile): ReadonlyArray<string> {
    const { chance } = this.around
    const told = Array.from({ length: this.#heard.length === 0 ? 0 : 7 }, () => chance.pick(this.#heard))
    return [own.wire, ...new Set(told)]
  }
}

/** A member who lies inside its sessions, with what it was told and what it can make up. */
export class Liar extends Sybil {
  /** Profiles that it was told, which it tells on when they are old. */
  readonly collected: Array<string> = []

  protected override hear(talk: Talk, input: Input.Input): void {
    super.hear(talk, input)
    if (input._tag !== "Received") return
    const message = input.message.value
    if (message.kind === "Profiles") this.collected.push(...message.profiles)
    if (this.collected.length > 400) this.collected.splice(0, 100)
    if (this.around.chance.happens(0.3)) this.#slander(talk)
  }

  protected override answers(own: Profile.Profile): ReadonlyArray<string> {
    const { chance } = this.around
    const old = this.collected.length === 0 ? [] : [chance.pick(this.collected), this.collected[0]!]
    const lie = chance.happens(0.5) ? this.#forged() : undefined
    return [own.wire, ...old, ...(lie === undefined ? [] : [lie])]
  }

  /** A profile that it was told, in a newer version and in other words, under a signature that is not its holder's. */
  #forged(): string | undefined {
    const { crypto, hash, topic } = this.around
    const [told] = this.collected
    const read = told === undefined ? undefined : Profile.read(crypto, topic, hash, told, this.around.clock.nowMs)
    if (read?._tag !== "Success") return undefined
    const { identityKey, swarmKey, version } = read.success.value
    return this.profile({ identityKey, swarmKey, version: version + 1_000_000 }).wire
  }

  /** What would once have got everything. */
  #slander(talk: Talk): void {
    const { chance, crypto, hash } = this.around
    const id = Buffer.from(crypto.randomBytes(16)).toString("hex")
    const wrong: ReadonlyArray<Message.Message> = [
      { kind: "ConnectResponse", id, outcome: "accepted" },
      { kind: "ConnectRequest", id, name: "n1", topic: hash },
      { kind: "GrantChanged", stream: id, number: 1, capabilities: ["inject", "message"] },
      { kind: "TopicLeft", topic: hash, profile: this.#forged() ?? "AAAA" },
      { kind: "Profiles", topic: hash, profiles: [this.profile({ topic: "B".repeat(43) }).wire] },
      {
        kind: "Profiles",
        topic: hash,
        profiles: [this.profile({ content: { name: "other", description: "", tags: [] } }).wire]
      }
    ]
    this.say(talk, chance.pick(wrong))
  }
}
