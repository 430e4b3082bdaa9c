/**
 * Two nodes as pure step functions with a wire between them, for stories in which what one says the other hears.
 * It never decides anything; messages go through the shipped codec and a real seal, and a restart reads a disk.
 * Either may hold somebody else's key for the other: then each has a session with a third, who is whoever drives the test.
 */
import * as Grants from "../../core/admission/Grants.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import type * as Roster from "../../core/friend/Roster.ts"
import { Codec, type Event, type Input, type Message, type Output, PeerId, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { crypto, noonMs, openedBy, type Person, received, turnAt } from "../arbitraries/state.ts"
import { commit, loadDisk } from "./Disk.ts"

/** What a node keeps of a friend from the first moment. */
export const friendOf = (who: Person, name: string, knows: Person): Roster.Friend => ({
  peerId: who.proof.signer.peerId,
  name,
  standing: "Friend",
  identityKey: who.self.identityKey,
  agreementKey: who.self.agreementKey,
  topic: who.proof.signer.topic,
  swarmKey: who.swarmKey,
  channel: "lobby",
  evidence: "unproven",
  sinceMs: noonMs,
  cameOf: ["A".repeat(86)],
  alarmed: false,
  knowsKey: knows.self.identityKey
})

/** One node, one friend. What it transmits is kept until somebody carries it. */
export class End {
  readonly person: Person
  readonly friendId: PeerId.PeerId
  readonly disk = new Map<string, string>()
  readonly events: Array<Event.Event> = []
  readonly outputs: Array<Output.Output> = []
  readonly said: Array<{ readonly connection: string; readonly body: Uint8Array; readonly kind: string }> = []
  state: State.State
  nowMs = noonMs
  #turns: number
  readonly #offset: number

  constructor(person: Person, friend: Person, name: string, offset: number) {
    this.person = person
    this.friendId = PeerId.of(crypto, friend.self.identityKey)
    this.#offset = offset
    this.#turns = offset
    const record = friendOf(friend, name, person)
    const stream = String(offset % 10).repeat(32)
    const { outbox } = Outbox.open(Outbox.empty, record.peerId, stream)
    const roster = {
      ...State.emptyDurable.roster,
      friends: Table.set(Table.empty<Roster.Friend>(), record.peerId, record)
    }
    const grants = Grants.allow(Table.empty(), record.peerId, Grants.own, "inject", noonMs)
    this.state = State.start(person.self, { ...State.emptyDurable, roster, grants, outbox })
    this.take({ _tag: "SandboxStatus", ready: true, reason: "" })
    this.take({ _tag: "Started" })
  }

  get friend(): Roster.Friend {
    return Table.get(this.state.durable.roster.friends, this.friendId)!
  }

  take(input: Input.Input): ReadonlyArray<Output.Output> {
    this.#turns += 1
    const [next, outputs] = Step.step(this.state, input, turnAt(this.nowMs, this.#turns * 1_000 + this.#offset))
    commit(this.disk, Records.diff(next.durable))
    this.state = { ...next, durable: Records.settled(next.durable) }
    for (const output of outputs) {
      this.outputs.push(output)
      if (output._tag === "Tell") this.events.push(output.event)
      if (output._tag !== "Transmit") continue
      for (const one of output.messages) {
        const { connection } = output
        if ("stored" in one) this.said.push({ connection, body: one.stored, kind: one.kind })
        else this.said.push({ connection, body: Codec.encode(one.message), kind: one.message.kind })
      }
    }
    return outputs
  }

  operator(command: Input.Command): Output.Reply {
    const outputs = this.take({ _tag: "Operator", ref: "r", command })
    const reply = outputs.find((output) => output._tag === "Reply")
    if (reply?._tag !== "Reply") throw new Error("a command without a reply")
    return reply.reply
  }

  hear(by: Person, connection: string, message: Message.Message): ReadonlyArray<Output.Output> {
    return this.take(received(by, connection, Codec.encode(message)))
  }

  open(by: Person, connection: string, initiator: boolean): void {
    this.take(openedBy(by, connection, initiator))
    this.hear(by, connection, { kind: "Greeting", streams: [], run: "f".repeat(32) })
  }

  /** The process dies and starts anew on what was stored. */
  restart(self: State.Self = this.person.self): void {
    this.state = State.start(self, loadDisk(this.disk))
    this.take({ _tag: "SandboxStatus", ready: true, reason: "" })
    this.take({ _tag: "Started" })
  }

  /** The last event of a kind. */
  last<Tag extends Event.Event["_tag"]>(tag: Tag): Extract<Event.Event, { _tag: Tag }> | undefined {
    return this.events.findLast((event) => event._tag === tag) as Extract<Event.Event, { _tag: Tag }> | undefined
  }
}

/** Two friends. */
export class Pair {
  readonly one: End
  readonly other: End
  #links = 0
  connection = ""

  constructor(one: Person, other: Person) {
    this.one = new End(one, other, other.name, 1)
    this.other = new End(other, one, one.name, 2)
  }

  get both(): readonly [End, End] {
    return [this.one, this.other]
  }

  later(ms: number): void {
    for (const end of this.both) end.nowMs += ms
  }

  /** A new link, as both ends see it. */
  link(): void {
    this.connection = `link-${++this.#links}`
    this.one.open(this.other.person, this.connection, true)
    this.other.open(this.one.person, this.connection, false)
    this.carry()
  }

  /** The link is gone, and what was under way on it with it. */
  cut(): void {
    for (const end of this.both) {
      end.said.length = 0
      end.take({ _tag: "Closed", connection: this.connection, rejection: null })
    }
  }

  /** Hands over one thing that was said; false if there is nothing. */
  deliver(from: End): boolean {
    const to = from === this.one ? this.other : this.one
    const next = from.said.shift()
    if (next === undefined) return false
    if (next.connection === this.connection) to.take(received(from.person, next.connection, next.body))
    return true
  }

  /** Hands over everything that was said, and what is said to that. */
  carry(): void {
    while (this.deliver(this.one) || this.deliver(this.other));
  }
}

/** The code of a refusal, or `ok`. */
export const failedWith = (reply: Output.Reply): string => (reply.ok ? "ok" : reply.rejection.code)
