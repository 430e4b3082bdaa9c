/**
 * A whole network from one seed: hours in which everything goes wrong that the seed wants, then a world that has healed.
 * It never decides what is right; checkers look at every turn, and at the end.
 * It is one subject: the order of a run. Who writes, who lies and what breaks are beside it.
 */
import type { Event, Input } from "../../core/index.ts"
import { noonMs } from "../models/Disk.ts"
import type { Agents } from "./Agents.ts"
import * as Chance from "./Chance.ts"
import type { Checker, Scene } from "./Checker.ts"
import { Clock } from "./Clock.ts"
import { Comparers } from "./Comparers.ts"
import { confinement } from "./Confinement.ts"
import * as Endings from "./Endings.ts"
import { History } from "./History.ts"
import { House, type Plant, type World } from "./House.ts"
import { betray, Stranger } from "./Liars.ts"
import { calm, Network } from "./Network.ts"
import { Operators } from "./Operators.ts"
import type { Options } from "./Options.ts"
import { makeOutage, reached } from "./Outage.ts"
import type { Moment } from "./Page.ts"
import type { Taken } from "./Process.ts"
import { Rooms } from "./Rooms.ts"
import { safety } from "./Safety.ts"
import { hour, minute, type Stage } from "./Stage.ts"
import { makeTroubles, type Troubles } from "./Troubles.ts"
import { trusted } from "./Trusted.ts"
import { Truth } from "./Truth.ts"
import { Eavesdropper, watched, watchNonces } from "./Witness.ts"

/** Within this much virtual time after the troubles end, everything must have come to rest. */
export const healMs = 2 * hour

/** All that is looked at. */
export const checkers: ReadonlyArray<Checker> = [...safety, ...trusted, ...watched, ...Endings.endings, reached]

/** One breach, and who found it when. */
export interface Violation {
  readonly checker: string
  readonly what: string
  readonly atMs: number
}

export interface Outcome {
  readonly options: Options
  readonly hash: string
  readonly turns: number
  readonly texts: number
  readonly virtualHours: number
  readonly violations: ReadonlyArray<Violation>
  /** How often each thing went wrong. */
  readonly faults: Readonly<Record<string, number>>
  readonly checks: number
}

/** What a run may be given besides its options. */
export interface Extras {
  readonly plant?: Plant
  /** A line for each turn. */
  readonly log?: (line: string) => void
  /** How far it is, from 0 to 1. */
  readonly progress?: (share: number) => void
  /** Agents that ask whatever happens; made when the houses are there. */
  readonly agents?: (stage: Stage) => Agents
  /** What a person who looks for a fault wants to see of each node, as it happens. */
  readonly watch?: (moment: Moment) => void
}

/** Of so many nodes the long-term keys are stolen at the end. */
const stolenMax = 12

/** More breaches than these are breaches that go on: of one checker, and of all. */
const violationsOfOneMax = 3
const violationsMax = 40

const short = (event: Event.Event): string =>
  event._tag === "Received" || event._tag === "Answered"
    ? `${event._tag} of ${event.name}`
    : [event._tag, "name" in event ? event.name : "", "rejection" in event ? event.rejection.code : ""].join(" ").trim()

export class Simulator implements Stage {
  readonly options: Options
  readonly clock: Clock
  readonly chance: Chance.Chance
  readonly network: Network
  readonly houses: ReadonlyArray<House>
  readonly truth = new Truth()
  readonly rooms: Rooms
  readonly faults: Record<string, number> = {}
  /** Whether the troubles are over. */
  healed = false
  readonly #extras: Extras
  readonly #history = new History()
  readonly #violations: Array<Violation> = []
  readonly #byName = new Map<string, House>()
  readonly #meant = new Map<string, Set<string>>()
  readonly #nonces: Array<string> = []
  readonly #eavesdropper = new Eavesdropper()
  readonly #operators: Operators
  readonly #comparers: Comparers
  readonly #troubles: Troubles
  readonly #scene: Scene
  #agents: Agents | undefined
  #endMs: number
  #turns = 0
  #checks = 0

  constructor(options: Options, extras: Extras) {
    this.options = options
    this.#extras = extras
    const pairs = options.clique === true ? (options.nodes * (options.nodes - 1)) / 2 : 0
    this.clock = new Clock(noonMs, 50_000 + 3_000 * options.nodes + 100 * pairs)
    this.chance = Chance.of(`simulate ${options.seed}`)
    this.network = new Network(this.clock, this.chance.stream("network"), options.weather)
    this.network.tap = (link, fromInitiator, bytes) => this.#eavesdropper.hear(link, fromInitiator, bytes)
    this.#endMs = noonMs + options.hours * hour
    const world: World = {
      plant: { ...extras.plant, crypto: (engine) => this.#watch(engine) },
      clock: this.clock,
      network: this.network,
      post: (from, channel, text) => this.rooms.post(from, channel, text),
      run: (house, asked) => {
        this.truth.call(house.name, asked)
        const output = new TextEncoder().encode(`you asked: ${asked}`)
        return { afterMs: 200 + this.#answers.gap(5_000), result: { ok: true, answer: { output, confinement } } }
      },
      watch: (house, taken) => this.#look(house, taken),
      ended: ({ name }, inOrder) => this.#show(name, inOrder ? "down" : "died", "")
    }
    this.houses = Array.from({ length: options.nodes }, (_, index) => {
      const name = `n${index + 1}`
      const house = new House(world, name, `simulate ${options.seed}`, this.chance.stream(name))
      this.#byName.set(name, house)
      this.truth.keys.set(name, new Set([house.identityKey]))
      return house
    })
    this.rooms = new Rooms(this)
    this.#operators = new Operators(this)
    this.#comparers = new Comparers(this)
    this.#troubles = makeTroubles(this)
    this.#scene = {
      options,
      houses: this.houses,
      truth: this.truth,
      houseOf: (name) => this.#byName.get(name),
      startMs: noonMs,
      nowMs: () => this.clock.nowMs,
      seen: { nonces: this.#nonces, wire: this.#eavesdropper.found }
    }
  }

  #watch(engine: House["engine"]): House["engine"] {
    const seen = watchNonces(this.#nonces)(engine)
    return this.#extras.plant?.crypto?.(seen) ?? seen
  }

  get #answers(): Chance.Chance {
    return this.chance.stream(`answers ${this.#turns}`)
  }

  #show(node: string, kind: Moment["kind"], what: string): void {
    this.#extras.watch?.({ atMs: this.clock.nowMs, node, kind, what })
  }

  count(fault: string): void {
    this.#show("", "trouble", fault)
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }

  houseOf(name: string): House | undefined {
    return this.#byName.get(name)
  }

  /** Whom a house is to be friends with. */
  friendsOf(house: House): ReadonlyArray<House> {
    return [...(this.#meant.get(house.name) ?? [])].map((name) => this.#byName.get(name)!)
  }

  /** An operator's command. */
  command(house: House, command: Input.Command, ref = "operator"): void {
    house.command(ref, command)
  }

  /** Bytes that somebody on the path has written down. */
  recorded(): ReadonlyArray<Uint8Array> {
    return this.#eavesdropper.recorded
  }

  run(): Outcome {
    try {
      this.#live()
    } catch (error) {
      this.#report("total", error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
    return {
      options: this.options,
      hash: this.#history.digest(),
      turns: this.#turns,
      texts: this.truth.texts.size,
      virtualHours: (this.clock.nowMs - noonMs) / hour,
      violations: this.#violations,
      faults: this.#wentWrong(),
      checks: this.#checks
    }
  }

  /** What has gone wrong so far, by kind: with nodes, on the network and by those who mean no good. */
  #wentWrong(): Readonly<Record<string, number>> {
    const { breaks, mischief } = this.network.traffic
    const happened = Object.entries({ ...mischief, break: breaks }).filter(([, count]) => count > 0)
    return { ...this.faults, ...Object.fromEntries(happened) }
  }

  /** Whether so much has been taken, and has gone wrong, as the options ask for. Two days are long enough for anything. */
  #hasEnough(): boolean {
    const { hours, kinds, turns } = this.options
    if (this.#endMs - noonMs > (hours + 48) * hour) return true
    return this.#turns >= turns && Object.keys(this.#wentWrong()).length >= kinds
  }

  #live(): void {
    for (const house of this.houses) house.start()
    this.#meet()
    for (const house of this.houses) {
      this.#operators.begin(house)
      if (this.options.verifies) this.#comparers.begin(house)
    }
    this.#agents = this.#extras.agents?.(this)
    this.#troubles.begin()
    makeOutage(this, this.network, this.#operators)
    for (const kind of this.options.liars) this.#unleash(kind)
    this.#runTo(this.#endMs)
    while (!this.#hasEnough() && this.#violations.length === 0) {
      this.#endMs += 30 * minute
      this.#runTo(this.#endMs)
    }
    this.#heal()
    this.#eavesdropper.steal(
      this.houses[0]!.engine,
      this.houses.slice(0, stolenMax).map(({ keys }) => keys)
    )
    for (const checker of checkers)
      for (const what of checker.end?.(this.#scene) ?? []) this.#report(checker.name, what)
  }

  #runTo(ms: number): void {
    const parts = this.#extras.progress === undefined ? 1 : 200
    const fromMs = this.clock.nowMs
    for (let part = 1; part <= parts && this.#violations.length < violationsMax; part++) {
      this.clock.runUntil(fromMs + ((ms - fromMs) * part) / parts)
      this.#extras.progress?.((this.clock.nowMs - noonMs) / (this.#endMs + healMs - noonMs))
    }
  }

  /** Who is to know whom: a ring with chords, so that everybody has two friends, and up to six; in a clique all others. */
  #meet(): void {
    const chance = this.chance.stream("friends")
    const count = this.houses.length
    const reach =
      this.options.clique === true ? Math.ceil((count - 1) / 2) : count >= 50 ? 3 : count >= 6 ? chance.whole(1, 2) : 1
    for (const [index, house] of this.houses.entries()) {
      for (let step = 1; step <= reach; step++) {
        const other = this.houses[(index + step) % count]!
        if (other === house) continue
        this.#mean(house, other)
        this.clock.after(chance.whole(1, 20 * minute), () => this.ask(house, other))
      }
    }
  }

  #mean(one: House, other: House): void {
    for (const [house, friend] of [
      [one, other],
      [other, one]
    ] as const) {
      this.#meant.set(house.name, (this.#meant.get(house.name) ?? new Set()).add(friend.name))
    }
  }

  /** Asks for friendship, in the room that the two share. */
  ask(house: House, other: House): void {
    this.command(house, { _tag: "Friend", channel: this.rooms.between(house, other), to: other.name })
  }

  /** Hands a liar its work, now and then, until the world heals. */
  #unleash(kind: Options["liars"][number]): void {
    const chance = this.chance.stream(kind)
    const { clock, network } = this
    const crypto = this.houses[0]!.engine
    const stranger = new Stranger({ clock, network, chance, crypto, recorded: () => this.recorded() }, kind)
    const traitor = this.houses.at(-1)!
    const again = () =>
      clock.after(chance.gap(kind === "traitor" ? 10 * minute : 40 * minute), () => {
        if (this.healed) {
          stranger.leave()
          return
        }
        const victim = chance.pick(this.houses)
        const [friend = victim] = this.friendsOf(victim)
        if (kind === "forger") this.rooms.forge(victim, friend, chance)
        else if (kind !== "traitor") stranger.act(victim, friend)
        else if (betray(traitor, chance, crypto)) this.truth.turned.add(traitor.name)
        this.count(kind)
        again()
      })
    again()
  }

  /** The troubles end, everybody comes, and friends who missed each other meet again. */
  #heal(): void {
    this.healed = true
    this.network.weather = calm
    this.#troubles.end()
    this.#runTo(this.clock.nowMs + 30 * minute)
    for (let round = 0; round < 3; round++) {
      for (const house of this.houses) {
        this.#operators.settle(house)
        if (this.options.verifies) this.#comparers.settle(house)
        for (const friend of this.friendsOf(house)) if (!this.#areFriends(house, friend)) this.ask(house, friend)
      }
      this.#runTo(this.clock.nowMs + 10 * minute)
    }
    // A last word to everybody, so that everybody meets everybody once more.
    for (const house of this.houses) {
      for (const friend of this.friendsOf(house))
        this.#operators.say(house, this.chance.stream("last words"), "message", friend)
    }
    this.#runTo(this.clock.nowMs + 20 * minute)
    for (const house of this.houses) this.#operators.settle(house)
    this.#runTo(this.#endMs + healMs)
  }

  #areFriends(house: House, friend: House): boolean {
    return [...this.truth.of(house.name).friends.values()].includes(friend.name)
  }

  /** Everything looks at a turn. Then the operator hears what it told. */
  #look(house: House, taken: Taken): void {
    this.#turns++
    // Where nothing comes out nothing is decided, and nothing has to be compared with what was before.
    const before = taken.outputs.length === 0 ? this.truth.of(house.name) : this.truth.copyOf(house.name)
    const { demands, friends, granted, verified } = before
    this.truth.read(house, taken, this.clock.nowMs)
    const thorough = this.#turns % (this.houses.length >= 50 ? 997 : 61) === 0
    const turned = {
      house,
      taken,
      friendsBefore: friends,
      grantedBefore: granted,
      verifiedBefore: verified,
      demandsBefore: demands,
      thorough
    }
    for (const checker of this.options.verifies ? [...safety, ...trusted] : safety) {
      this.#checks++
      for (const what of checker.turn?.(turned, this.#scene) ?? []) this.#report(checker.name, what)
    }
    this.#note(house, taken)
    if (taken.stored === "never") return
    this.#agents?.look(house, taken)
    for (const output of taken.outputs) {
      if (output._tag !== "Tell") continue
      this.#show(house.name, "told", short(output.event))
      this.#operators.hear(house, output.event, this.chance.stream(`${house.name} ${this.#turns}`))
      if (this.options.verifies) {
        this.#comparers.hear(house, output.event, this.chance.stream(`${house.name} ${this.#turns} compares`))
      }
    }
  }

  #note(house: House, { inputs, outputs, performed, stored }: Taken): void {
    const came = inputs.map((input) => (input._tag === "Received" ? input.message.value.kind : input._tag)).join()
    const went = outputs.map((output) => (output._tag === "Tell" ? short(output.event) : output._tag)).join()
    this.#history.note(this.clock.nowMs, house.name, `${came} ${stored} ${performed} ${went}`)
    if (inputs.some(({ _tag }) => _tag === "Started")) this.#show(house.name, "up", "")
    if (this.#extras.log === undefined || (came === "Tick" && went === "")) return
    const time = new Date(this.clock.nowMs).toISOString().slice(5, 23).replace("T", " ")
    const end = stored === "now" ? "" : ` (${stored} stored)`
    this.#extras.log(`${time} ${house.name.padEnd(4)} ${came} → ${went === "" ? "nothing" : went}${end}`)
  }

  #report(checker: string, what: string): void {
    if (this.#violations.filter((one) => one.checker === checker).length >= violationsOfOneMax) return
    this.#show("", "wrong", `${checker}: ${what}`)
    this.#violations.push({ checker, what, atMs: this.clock.nowMs })
    this.#extras.log?.(`!! ${checker}: ${what}`)
  }
}

/** Plays a seed, with all that is looked at. */
export const play = (options: Options, extras: Extras = {}): Outcome => new Simulator(options, extras).run()
