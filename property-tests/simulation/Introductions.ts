/**
 * A scenario of its own: people whom two others introduce to each other, while nodes crash, leave and change keys.
 * It never looks into a node for what was agreed: it keeps who was introduced when, and what each operator has said.
 * The houses, the network and the clock are the simulator's; what must hold is said here, turn by turn and at the end.
 */
import { Redacted } from "effect"
import { Describe, type Event, Limits, type State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { loadDisk, noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import { House, type Plant } from "./House.ts"
import { calm, type Network } from "./Network.ts"
import type { Taken } from "./Process.ts"
import { rough } from "./Rough.ts"
import { hour, minute } from "./Stage.ts"

/** An introduction as its operator wished it. */
interface Wish {
  readonly by: House
  readonly pair: readonly [House, House]
  readonly atMs: number
}

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly introduced: number
  readonly befriended: number
  readonly denied: number
  readonly voided: number
  readonly crashes: number
}

const hoursOfTrouble = 10
/** When the first introductions are made: until then everybody becomes the introducers' friend. */
const calmMs = 30 * minute

const about = (house: House, other: House): string => `${house.name} of ${other.name}`

class Introductions {
  readonly #chance: Chance.Chance
  readonly #clock = new Clock(noonMs)
  readonly #network: Network
  readonly #introducers: ReadonlyArray<House>
  readonly #people: ReadonlyArray<House>
  readonly #wishes: Array<Wish> = []
  /** What is to be noted when a command is answered with yes: a node that dies answers none. */
  readonly #pending = new Map<string, () => void>()
  /** When an operator has said yes to somebody, and who has said no. */
  readonly #yes = new Map<string, number>()
  readonly #no = new Set<string>()
  /** When a house has sent an introducer away, and when anybody's keys were last compromised: by house, and before a key. */
  readonly #sentAway = new Map<string, number>()
  readonly #compromised = new Map<House, number>()
  readonly #stolenBefore = new Map<string, number>()
  readonly #violations = new Set<string>()
  #befriended = 0
  #voided = 0
  #crashes = 0
  #healed = false

  constructor(seed: number, plant: Plant | undefined) {
    this.#chance = Chance.of(`introductions ${seed}`)
    const { network, world } = rough(this.#chance, this.#clock, plant, (house, taken) => this.#look(house, taken))
    this.#network = network
    const make = (name: string) => new House(world, name, `introductions ${seed}`, this.#chance.stream(name))
    this.#introducers = ["i1", "i2"].map(make)
    this.#people = Array.from({ length: this.#chance.whole(3, 5) }, (_, index) => make(`n${index + 1}`))
  }

  get #houses(): ReadonlyArray<House> {
    return [...this.#introducers, ...this.#people]
  }

  run(): Outcome {
    for (const house of this.#houses) house.start()
    for (const by of this.#introducers) this.#meetEverybody(by)
    this.#clock.runUntil(noonMs + calmMs)
    for (const by of this.#introducers) this.#introduce(by, this.#chance.stream(`wishes of ${by.name}`))
    for (const house of this.#people) this.#decide(house, this.#chance.stream(`words of ${house.name}`))
    for (const house of this.#houses) this.#trouble(house, this.#chance.stream(`troubles of ${house.name}`))
    this.#clock.runUntil(noonMs + hoursOfTrouble * hour)
    this.#healed = true
    this.#network.weather = calm
    this.#clock.runUntil(noonMs + (hoursOfTrouble + 1) * hour)
    for (const house of this.#houses) if (!house.isUp) house.start()
    this.#clock.runUntil(noonMs + (hoursOfTrouble + 6) * hour)
    this.#atTheEnd()
    return {
      violations: [...this.#violations],
      introduced: this.#wishes.length,
      befriended: this.#befriended,
      denied: this.#no.size,
      voided: this.#voided,
      crashes: this.#crashes
    }
  }

  #command(house: House, command: Parameters<House["command"]>[1], onYes: () => void = () => undefined): void {
    const ref = `${house.name} ${this.#pending.size}`
    this.#pending.set(ref, onYes)
    house.command(ref, command)
  }

  /** One link for everybody: that is how the introducers know them. */
  #meetEverybody(by: House): void {
    const ref = `invite of ${by.name}`
    this.#links.set(ref, by)
    by.command(ref, { _tag: "CreateInvite", uses: this.#people.length })
  }
  readonly #links = new Map<string, House>()

  #introduce(by: House, chance: Chance.Chance): void {
    this.#clock.after(chance.gap(30 * minute), () => {
      if (this.#healed) return
      if (by.isUp) {
        const one = chance.pick(this.#people)
        const other = chance.pick(this.#people.filter((house) => house !== one))
        const wish = { by, pair: [one, other] as const, atMs: this.#clock.nowMs }
        const named = (house: House) => ({ name: house.name, keyPrefix: "" })
        this.#command(by, { _tag: "Introduce", one: named(one), other: named(other), note: "" }, () =>
          this.#wishes.push(wish)
        )
      }
      this.#introduce(by, chance)
    })
  }

  /** An operator looks at what waits for its word, and says yes, says no, or leaves it for later. */
  #decide(house: House, chance: Chance.Chance): void {
    this.#clock.after(chance.gap(20 * minute), () => {
      const { process } = house
      if (process !== undefined) {
        const { introductions, requests } = Describe.describe(house.engine, process.state, this.#clock.nowMs)
        for (const { identityKey, name } of [...introductions, ...requests]) {
          const other = this.#people.find((one) => one.name === name)
          const says = chance.pick(["Accept", "Accept", "Accept", "Deny", "later", "later"] as const)
          if (other === undefined || says === "later") continue
          this.#command(house, { _tag: says, name, keyPrefix: identityKey }, () => {
            if (says === "Deny") this.#no.add(about(house, other))
            else this.#yes.set(about(house, other), this.#clock.nowMs)
          })
        }
        if (!this.#healed && chance.happens(0.03)) this.#sendAway(house, chance.pick(this.#introducers))
      }
      this.#decide(house, chance)
    })
  }

  #sendAway(house: House, introducer: House): void {
    this.#command(house, { _tag: "Unfriend", name: introducer.name, keyPrefix: "" }, () => {
      this.#sentAway.set(about(house, introducer), this.#clock.nowMs)
    })
  }

  /** A house leaves, crashes in a turn, or comes back with other keys. */
  #trouble(house: House, chance: Chance.Chance): void {
    this.#clock.after(chance.gap(50 * minute), () => {
      if (this.#healed) return
      const what = chance.pick(["crash", "crash", "crash", "leave", "leave", "rotate", "compromise"] as const)
      if (house.isUp && what === "crash") {
        this.#crashes++
        const performs = chance.whole(0, 3)
        house.crash(
          chance.happens(0.5) ? { kind: "before the commit" } : { kind: "after the commit", performs },
          chance.whole(1, 5 * minute)
        )
      } else if (house.isUp) house.stop()
      this.#clock.after(chance.whole(6, 15) * minute, () => {
        if (house.isUp) return
        if (what === "rotate") house.rotate("scheduled")
        // An introducer's keys are stolen less often, or nothing of what it says would ever last.
        if (what === "compromise" && chance.happens(this.#introducers.includes(house) ? 0.2 : 0.7)) {
          house.rotate("compromise")
          this.#compromised.set(house, this.#clock.nowMs)
        }
        this.#stolenBefore.set(house.identityKey, this.#compromised.get(house) ?? 0)
        house.start()
      })
      this.#trouble(house, chance)
    })
  }

  #found(what: string): void {
    this.#violations.add(what)
  }

  #look(house: House, { after, outputs, stored }: Taken): void {
    if (stored === "never") return
    const { introductions } = after.durable
    if (Table.size(introductions) > Limits.introductionsMax) this.#found(`${house.name} keeps too many introductions`)
    for (const output of outputs) {
      if (output._tag === "Reply" && output.reply.ok) {
        this.#pending.get(output.ref)?.()
        const by = this.#links.get(output.ref)
        if (by !== undefined && output.reply.link !== undefined) this.#hand(output.reply.link)
      }
      if (output._tag !== "Tell") continue
      if (output.event._tag === "IntroductionEnded") this.#voided++
      if (output.event._tag === "FriendshipMade") this.#made(house, output.event, after)
      if (output.event._tag === "Refused") this.#refused(house, output.event)
    }
  }

  #hand(link: Redacted.Redacted<string>): void {
    for (const house of this.#people) {
      house.command("claim", { _tag: "ClaimInvite", link: Redacted.make(Redacted.value(link)) })
    }
  }

  /** An introducer hears whether its word arrived, and nothing of what came of it. */
  #refused(house: House, { kind, rejection }: Extract<Event.Event, { _tag: "Refused" }>): void {
    if (kind !== "Introduce") return
    const allowed = ["introduction-refused", "introductions-full", "not-a-friend", "unresolved", "cancelled"]
    if (!allowed.includes(rejection.code)) this.#found(`${house.name} was told ${rejection.code} of an introduction`)
  }

  /**
   * Whether somebody the house still listens to has introduced the two, after the house's own keys were last stolen, and the
   * other's that led to this one.
   */
  #isIntroduced(house: House, other: House, key: string): boolean {
    const latest = Math.max(this.#compromised.get(house) ?? 0, this.#stolenBefore.get(key) ?? 0)
    return this.#wishes.some(
      ({ atMs, by, pair }) =>
        pair.includes(house) && pair.includes(other) && atMs >= latest && !this.#sentAway.has(about(house, by))
    )
  }

  #made(house: House, event: Extract<Event.Event, { _tag: "FriendshipMade" }>, { durable }: State.State): void {
    if (event.introducedBy === undefined) return
    this.#befriended++
    const other = this.#people.find(({ name }) => name === event.name)
    const record = Table.get(durable.roster.friends, event.peerId)
    if (other === undefined || record === undefined) {
      this.#found(`${house.name} is the friend of ${event.name}, whom nobody knows`)
      return
    }
    const both = about(house, other)
    // What is said in this very turn is noted with its answer, which comes first.
    if (!this.#yes.has(both)) this.#found(`${both} became friends, and ${house.name} never said yes`)
    if (!this.#yes.has(about(other, house))) this.#found(`${both} became friends, and ${other.name} never said yes`)
    if (!this.#isIntroduced(house, other, event.identityKey)) {
      this.#found(`${both} became friends by an introduction that does not count any more`)
    }
    const may = [...durable.grants.entries].flatMap(([, one]) => (one.peerId === event.peerId ? one.capabilities : []))
    if (may.join() !== "message") this.#found(`${both}: an introduction gave ${may.join(" and ")}`)
    if (record.trust?.state === "verified") this.#found(`${both}: an introduction has verified somebody`)
  }

  #atTheEnd(): void {
    const durable = new Map(this.#houses.map((house) => [house, house.process?.state.durable ?? loadDisk(house.disk)]))
    const friendOf = (house: House, other: House) =>
      Table.values(durable.get(house)!.roster.friends).find(
        (one) => one.standing === "Friend" && one.name === other.name
      )
    for (const one of this.#people) {
      for (const other of this.#people.filter((house) => house.name > one.name)) {
        const [ours, theirs] = [friendOf(one, other), friendOf(other, one)]
        if (ours !== undefined && theirs !== undefined) {
          const common = ours.cameOf.some((of) => theirs.cameOf.includes(of))
          if (!common) this.#found(`${about(one, other)}: the two name their friendship differently`)
          continue
        }
        if (this.#mustBeFriends(one, other)) this.#found(`${about(one, other)}: both said yes and are no friends`)
      }
    }
  }

  /** Both have said yes, and nothing has happened since that could end what led to it: no stolen key, nobody sent away. */
  #mustBeFriends(one: House, other: House): boolean {
    const said = [this.#yes.get(about(one, other)), this.#yes.get(about(other, one))]
    const [first, second] = said
    if (first === undefined || second === undefined) return false
    const stolen = [one, other, ...this.#introducers].some((house) => this.#compromised.has(house))
    const away = [one, other].some((house) => this.#introducers.some((by) => this.#sentAway.has(about(house, by))))
    return !stolen && !away
  }
}

/** Plays a seed; with a plant, the same with a mistake in it. */
export const playIntroductions = (seed: number, plant?: Plant): Outcome => new Introductions(seed, plant).run()
