/**
 * Two agents who meet in a chat system and become friends, or not, within three lines a side.
 * It never helps: what an agent hears goes through the shipped reader and the shipped step, and the operators know only
 * what their agents tell them.
 * An operator who asked and heard nothing for six minutes asks again, as a person would.
 */
import { Effect } from "effect"
import { FriendLine, type Input, Name, type Output, State, Step } from "../../core/index.ts"
import * as Ingress from "../../core/node/Ingress.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { crypto, noonMs, type Person, turnAt } from "../arbitraries/state.ts"
import type { Chance } from "../simulation/Chance.ts"
import type { System } from "./Systems.ts"

/** An agent in a chat: its state, and the name it has there, which is that of its account. */
export interface Agent {
  readonly name: string
  readonly person: Person
  state: State.State
  /** Lines that it has posted. */
  lines: number
  /** Requests that its operator was asked about. */
  asked: number
}

/** What one handshake came to. */
export interface Outcome {
  /** Both hold each other as friends, by the right keys. */
  readonly complete: boolean
  /** Friends that nobody in the story is. */
  readonly wrongPeers: number
  /** Lines of whoever asked, and of whoever was asked. */
  readonly lines: readonly [number, number]
}

const channel = "chat"
const linesMax = 3
const askAgainMs = 6 * 60_000

interface Arrival {
  readonly atMs: number
  readonly to: Agent
  readonly text: string
  readonly author: string | null
}

/** An agent that begins with nothing but its keys. */
export const agent = (person: Person, name: string): Agent => ({
  name,
  person,
  state: State.start({ ...person.self, name }, State.emptyDurable),
  lines: 0,
  asked: 0
})

export class Handshake {
  readonly #system: System
  readonly #luck: Chance
  readonly #agents: readonly [Agent, Agent]
  readonly #arrivals: Array<Arrival> = []
  #nowMs = noonMs
  #turns = 0

  constructor(system: System, agents: readonly [Agent, Agent], luck: Chance) {
    this.#system = system
    this.#agents = agents
    this.#luck = luck
  }

  play(): Outcome {
    const [asking, asked] = this.#agents
    for (let attempt = 0; attempt < linesMax && !isFriendOf(asking, asked); attempt++) {
      this.#feed(asking, { _tag: "Operator", ref: "ask", command: { _tag: "Friend", channel, to: asked.name } })
      this.#passUntil(this.#nowMs + askAgainMs)
    }
    this.#passUntil(Number.POSITIVE_INFINITY)
    return {
      complete: isFriendOf(asking, asked) && isFriendOf(asked, asking),
      wrongPeers: wrongPeersOf(asking, asked) + wrongPeersOf(asked, asking),
      lines: [asking.lines, asked.lines]
    }
  }

  /** The first agent asks the second, and nobody hears it. Gives the signature of the request, and when it was made. */
  ask(): { readonly signature: string; readonly atMs: number } {
    const [asking, asked] = this.#agents
    this.#feed(asking, { _tag: "Operator", ref: "ask", command: { _tag: "Friend", channel, to: asked.name } })
    const [waiting] = Table.values(asking.state.durable.roster.asked)
    return { signature: waiting?.signature ?? "", atMs: this.#nowMs }
  }

  /** An agent hears a text, from whatever source. */
  hear(to: Agent, text: string, author: string | null): void {
    const offer = (input: Input.Input) => Effect.sync(() => this.#feed(to, input))
    Effect.runSync(Ingress.onLine({ crypto, state: () => to.state, offer }, { channel, author, text }))
  }

  #feed(to: Agent, input: Input.Input): void {
    const [next, outputs] = Step.step(to.state, input, turnAt(this.#nowMs, ++this.#turns))
    to.state = { ...next, durable: Records.settled(next.durable) }
    for (const output of outputs) this.#perform(to, output)
  }

  #perform(from: Agent, output: Output.Output): void {
    if (output._tag === "PostLine") this.#post(from, output)
    // The operator of whoever is asked knows the name, and says yes.
    if (output._tag === "Tell" && output.event._tag === "RequestReceived") {
      from.asked++
      const { identityKey, name } = output.event
      const command = { _tag: "Accept" as const, name, keyPrefix: identityKey }
      this.#feed(from, { _tag: "Operator", ref: "accept", command })
    }
  }

  #post(from: Agent, output: Extract<Output.Output, { _tag: "PostLine" }>): void {
    const { identityKey, agreementKey } = from.person.self
    const { key, kind, requestSignature, to, tsMs } = output
    const common = { to, from: from.name, pubkey: identityKey, encryptPub: agreementKey, tsMs }
    const unsigned: FriendLine.Unsigned =
      kind === "request" ? { kind, ...common } : { kind, ...common, requestSignature }
    const signature = FriendLine.sign(crypto, from.person.keys, unsigned)
    this.#feed(from, { _tag: "LineSigned", kind, key, signature })
    this.#feed(from, { _tag: "LinePosted", kind, key, rejection: null })
    from.lines++
    // Three a side: what would be a fourth is never heard.
    if (from.lines <= linesMax) this.#say(from, FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine))
  }

  #say(from: Agent, line: string): void {
    for (const heard of this.#system.carry(line, from.name, this.#luck)) {
      const { afterMs, author, text } = heard
      for (const to of this.#agents) this.#arrivals.push({ atMs: this.#nowMs + afterMs, to, text, author })
    }
  }

  #passUntil(untilMs: number): void {
    for (;;) {
      const next = this.#arrivals.reduce<Arrival | undefined>(
        (first, one) => (first === undefined || one.atMs < first.atMs ? one : first),
        undefined
      )
      if (next === undefined || next.atMs > untilMs) break
      this.#arrivals.splice(this.#arrivals.indexOf(next), 1)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.hear(next.to, next.text, next.author)
    }
    if (Number.isFinite(untilMs)) this.#nowMs = untilMs
  }
}

/** Everybody whom an agent holds as a friend. */
export const friendsOf = (one: Agent) =>
  Table.values(one.state.durable.roster.friends).filter(({ standing }) => standing === "Friend")

const isFriendOf = (one: Agent, other: Agent): boolean =>
  friendsOf(one).some(
    (friend) =>
      friend.identityKey === other.person.self.identityKey &&
      friend.agreementKey === other.person.self.agreementKey &&
      Name.fold(friend.name) === Name.fold(other.name)
  )

const wrongPeersOf = (one: Agent, other: Agent): number =>
  friendsOf(one).filter(({ identityKey }) => identityKey !== other.person.self.identityKey).length
