/**
 * A few nodes as pure states, a chat room, links between them and a disk each: `Step.step` without any Effect.
 * It never decides what a node does; it stores, performs and carries exactly as the turn loop's contract says, in the
 * order a test chooses, so that lateness, loss and crashes are commands of a model.
 * A disk holds the records as text, so that every restart goes through `Records.load` like a real one.
 */
import { Option, Result } from "effect"
import type { Allowances } from "../../core/agent/Allowance.ts"
import { Codec, type Event, FriendLine, type Input, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import { crypto, openedBy, type Person, received, turnAt } from "../arbitraries/state.ts"
import { confinement } from "../simulation/Confinement.ts"
import { commit, loadDisk, noonMs } from "./Disk.ts"

/** A line in the room: who posted it as the room can prove it, and the text. */
export interface Posted {
  readonly channel: string
  readonly author: string | null
  readonly text: string
}

export interface House {
  readonly person: Person
  state: State.State
  readonly disk: Map<string, string>
  readonly events: Array<Event.Event>
  /** The conversation log: an id is appended once. */
  readonly shown: Map<string, Entry>
  /** Runs that were started, ever. */
  readonly started: Array<string>
  readonly running: Map<string, Extract<Output.Output, { _tag: "Run" }>>
  readonly dials: Array<Extract<Output.Output, { _tag: "Dial" }>>
  readonly blocked: Set<string>
}

/** A link: what is under way to either end, in order. `end` is a hang-up. */
export interface Link {
  readonly id: string
  readonly initiator: House
  readonly responder: House
  readonly toInitiator: Array<Uint8Array | "end">
  readonly toResponder: Array<Uint8Array | "end">
  readonly hungUp: Set<House>
}

/** How a turn ends: in order, or with the process gone right after the commit, before anything was performed. */
export type Ending = "performed" | "dies after commit"

export class Town {
  nowMs = noonMs
  turns = 0
  readonly houses: ReadonlyArray<House>
  readonly room: Array<Posted> = []
  readonly links: Array<Link> = []
  /** Called after every turn with what went in and what came out. */
  readonly watch: (house: House, input: Input.Input, outputs: ReadonlyArray<Output.Output>) => void
  /** The account under which somebody posts in a channel. */
  readonly accountOf: (person: Person, channel: string) => string | null
  private readonly allowances: Allowances | undefined

  constructor(
    people: ReadonlyArray<Person>,
    options: {
      readonly watch?: Town["watch"]
      readonly accountOf?: Town["accountOf"]
      /** What everybody's questions may cost; absent: nothing is counted. */
      readonly allowances?: Allowances
    } = {}
  ) {
    this.allowances = options.allowances
    this.watch = options.watch ?? (() => undefined)
    this.accountOf = options.accountOf ?? (() => null)
    this.houses = people.map((person) => ({
      person,
      state: State.start(person.self, State.emptyDurable, undefined, options.allowances),
      disk: new Map(),
      events: [],
      shown: new Map(),
      started: [],
      running: new Map(),
      dials: [],
      blocked: new Set()
    }))
    for (const house of this.houses) this.begin(house)
  }

  private begin(house: House): void {
    this.feed(house, { _tag: "SandboxStatus", ready: true, reason: "" })
    this.feed(house, { _tag: "Started" })
  }

  /** One turn: step, commit, perform. */
  feed(house: House, input: Input.Input, ending: Ending = "performed"): ReadonlyArray<Output.Output> {
    const [next, outputs] = Step.step(house.state, input, turnAt(this.nowMs, ++this.turns))
    commit(house.disk, Records.diff(next.durable))
    house.state = { ...next, durable: Records.settled(next.durable) }
    this.watch(house, input, outputs)
    if (ending === "dies after commit") this.crash(house)
    else for (const output of outputs) this.perform(house, output)
    return outputs
  }

  /** An operator's command; gives the one reply, or undefined if the node died before it could say so. */
  command(house: House, command: Input.Command, ending: Ending = "performed"): Output.Reply | undefined {
    const outputs = this.feed(house, { _tag: "Operator", ref: "ref", command }, ending)
    const reply = outputs.find((output) => output._tag === "Reply")
    return ending === "performed" ? reply?.reply : undefined
  }

  private perform(house: House, output: Output.Output): void {
    switch (output._tag) {
      case "PostLine":
        this.post(house, output)
        return
      case "Transmit":
        this.transmit(house, output)
        return
      case "HangUp":
        this.hangUp(house, output.connection)
        return
      case "Dial":
        house.dials.push(output)
        return
      case "Block":
        house.blocked.add(output.swarmKey)
        return
      case "Unblock":
        house.blocked.delete(output.swarmKey)
        return
      case "Show":
        if (!house.shown.has(output.entry.id)) house.shown.set(output.entry.id, output.entry)
        this.feed(house, { _tag: "Shown", shown: [{ id: output.entry.id, failed: false }] })
        return
      case "Run":
        house.started.push(output.job)
        house.running.set(output.job, output)
        return
      case "Stop":
        house.running.delete(output.job)
        return
      case "Tell":
        house.events.push(output.event)
        return
      case "Announce":
      case "Reply":
        return
    }
  }

  private post(house: House, output: Extract<Output.Output, { _tag: "PostLine" }>): void {
    const { agreementKey, identityKey, name } = house.person.self
    const { channel, key, kind, requestSignature, to, tsMs } = output
    const common = { to, from: name, pubkey: identityKey, encryptPub: agreementKey, tsMs }
    const unsigned: FriendLine.Unsigned =
      kind === "request" ? { kind, ...common } : { kind, ...common, requestSignature }
    const signature = FriendLine.sign(crypto, house.person.keys, unsigned)
    this.feed(house, { _tag: "LineSigned", kind, key, signature })
    const text = FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine)
    this.room.push({ channel, author: this.accountOf(house.person, channel), text })
    this.feed(house, { _tag: "LinePosted", kind, key, rejection: null })
  }

  /** A house reads a line of the room, perhaps in another channel or under another account than it was posted. */
  hear(house: House, posted: Posted): ReadonlyArray<Output.Output> {
    const reading = FriendLine.parse(crypto, posted.text)
    if (reading.kind !== "line") throw new Error(`the room holds a line that does not parse: ${posted.text}`)
    const line = Result.getOrThrow(FriendLine.verify(crypto, reading.line))
    return this.feed(house, { _tag: "Line", channel: posted.channel, author: posted.author, line })
  }

  /** Opens a link; both ends authenticate. Nothing happens if one has shut the other out. */
  connect(initiator: House, responder: House): void {
    if (initiator.blocked.has(responder.person.swarmKey) || responder.blocked.has(initiator.person.swarmKey)) return
    const id = `link ${this.turns}`
    const link: Link = { id, initiator, responder, toInitiator: [], toResponder: [], hungUp: new Set() }
    this.links.push(link)
    this.feed(responder, openedBy(initiator.person, id, false))
    this.feed(initiator, openedBy(responder.person, id, true))
  }

  private transmit(house: House, output: Extract<Output.Output, { _tag: "Transmit" }>): void {
    const link = this.links.find((one) => one.id === output.connection)
    if (link === undefined || link.hungUp.has(house)) return
    const queue = house === link.initiator ? link.toResponder : link.toInitiator
    for (const one of output.messages) queue.push("stored" in one ? one.stored : Codec.encode(one.message))
  }

  private hangUp(house: House, connection: string): void {
    const link = this.links.find((one) => one.id === connection)
    if (link === undefined || link.hungUp.has(house)) return
    link.hungUp.add(house)
    ;(house === link.initiator ? link.toResponder : link.toInitiator).push("end")
  }

  /** The next thing under way to one end of a link arrives. False if there is nothing. */
  deliver(link: Link, to: "initiator" | "responder", ending: Ending = "performed"): boolean {
    const one = (to === "initiator" ? link.toInitiator : link.toResponder).shift()
    if (one === undefined) return false
    if (one === "end") {
      this.cut(link)
      return true
    }
    const house = link[to]
    const other = to === "initiator" ? link.responder : link.initiator
    this.feed(house, received(other.person, link.id, one), ending)
    return true
  }

  /** A link is gone with everything under way on it. Both ends notice, unless one has just died. */
  cut(link: Link, without?: House): void {
    const index = this.links.indexOf(link)
    if (index < 0) return
    this.links.splice(index, 1)
    for (const house of [link.initiator, link.responder]) {
      if (house !== without) this.feed(house, { _tag: "Closed", connection: link.id, rejection: null })
    }
  }

  /** The oldest dial that waits comes to an end, with a link or without. False if there is none. */
  endDial(house: House, reaches: boolean): boolean {
    const dial = house.dials.shift()
    if (dial === undefined) return false
    const target = this.houses.find((one) => one.person.self.identityKey === dial.identityKey)
    if (reaches && target !== undefined) this.connect(house, target)
    this.feed(house, { _tag: "DialEnded", peerId: dial.peerId })
    return true
  }

  /** The oldest run ends. False if nothing runs. */
  endRun(house: House, ok: boolean): boolean {
    const job = house.running.values().next().value
    if (job === undefined) return false
    house.running.delete(job.job)
    const output = new TextEncoder().encode(`answer to ${job.text}`)
    const result: Input.JobResult = ok
      ? { ok: true, answer: { output, confinement } }
      : { ok: false, code: "sandbox-exit", detail: "" }
    this.feed(house, { _tag: "Ran", job: job.job, result })
    return true
  }

  /** Time passes for everybody, and everybody's alarm rings. */
  pass(ms: number): void {
    this.nowMs += ms
    for (const house of this.houses) this.feed(house, { _tag: "Tick" })
  }

  /** What a house has on its disk now, to be put back later. */
  backup(house: House): ReadonlyMap<string, string> {
    return new Map(house.disk)
  }

  /** A process ends and starts again from what its disk held earlier. */
  restore(house: House, backup: ReadonlyMap<string, string>): void {
    house.disk.clear()
    for (const [place, value] of backup) house.disk.set(place, value)
    this.crash(house)
  }

  /** A process ends without a word and starts again from its disk. */
  crash(house: House): void {
    house.running.clear()
    house.dials.splice(0)
    house.blocked.clear()
    const mine = this.links.filter((link) => link.initiator === house || link.responder === house)
    house.state = State.start(house.person.self, loadDisk(house.disk), undefined, this.allowances)
    for (const link of mine) this.cut(link, house)
    this.begin(house)
  }

  /** Everything works from now on: carries on until nothing is under way and nothing waits, or `rounds` are over. */
  heal(rounds = 200): void {
    for (let round = 0; round < rounds; round++) {
      let moved = false
      for (const house of this.houses) {
        while (this.endDial(house, true)) moved = true
        while (this.endRun(house, true)) moved = true
      }
      for (const link of [...this.links]) {
        while (this.links.includes(link) && (this.deliver(link, "responder") || this.deliver(link, "initiator"))) {
          moved = true
        }
      }
      if (moved) continue
      if (this.houses.every((house) => isQuiet(house.state))) return
      const wakeMs = Math.min(...this.houses.map((house) => Step.nextWakeMs(house.state, this.nowMs)))
      this.pass(Math.max(1, wakeMs - this.nowMs))
    }
  }
}

const isQuiet = ({ durable }: State.State): boolean =>
  [...durable.outbox.waiting].every(([, waiting]) => waiting.entries.length === 0) &&
  [...durable.calls.entries].length === 0

/** The house of a person. */
export const houseOf = (town: Town, person: Person): House =>
  Option.getOrThrow(Option.fromUndefinedOr(town.houses.find((house) => house.person === person)))
