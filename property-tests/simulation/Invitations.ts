/**
 * A scenario of its own: people who hand each other invites while nodes crash, leave and change keys and links break.
 * It never looks into a node for what was agreed: it keeps what operators wished, and to whom a link was given.
 * The houses, the network and the clock are the simulator's; what must hold is said here, turn by turn and at the end.
 */
import { Redacted } from "effect"
import type * as Errand from "../../core/friend/Errand.ts"
import type { Input, Output, State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { loadDisk, noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import { House, type Plant } from "./House.ts"
import { calm, type Network } from "./Network.ts"
import type { Taken } from "./Process.ts"
import { rough } from "./Rough.ts"
import { hour, minute } from "./Stage.ts"

/** An invite as its operator wished it, and what became of it as far as anybody was told. */
interface Wish {
  readonly id: string
  readonly by: House
  readonly link: string
  readonly uses: number
  readonly inject: boolean
  readonly named: House | undefined
  readonly endsMs: number
  readonly handedTo: Set<string>
  /** Whether a turn of the issuer had it end, by its operator or by a key that was compromised. */
  isOver: boolean
  redeemed: number
}

type Wishes = Omit<Extract<Input.Command, { _tag: "CreateInvite" }>, "_tag">

export interface Outcome {
  readonly violations: ReadonlyArray<string>
  readonly invites: number
  readonly redeemed: number
  readonly refused: number
  readonly crashes: number
}

const hoursOfTrouble = 8

class Invitations {
  readonly #chance: Chance.Chance
  readonly #clock = new Clock(noonMs)
  readonly #network: Network
  readonly #houses: ReadonlyArray<House>
  readonly #wishes = new Map<string, Wish>()
  /** What was wished, by the reference of the command: a node that dies answers none. */
  readonly #asked = new Map<string, Omit<Wish, "id" | "link">>()
  /** Claims that were answered with a friendship: by whom, of whom. */
  readonly #confirmed = new Set<string>()
  readonly #violations = new Set<string>()
  #refused = 0
  #crashes = 0
  #healed = false

  constructor(seed: number, plant: Plant | undefined) {
    this.#chance = Chance.of(`invitations ${seed}`)
    const { network, world } = rough(this.#chance, this.#clock, plant, (house, taken) => this.#look(house, taken))
    this.#network = network
    this.#houses = Array.from({ length: this.#chance.whole(3, 6) }, (_, index) => {
      const name = `n${index + 1}`
      return new House(world, name, `invitations ${seed}`, this.#chance.stream(name))
    })
  }

  run(): Outcome {
    for (const house of this.#houses) {
      house.start()
      this.#invite(house, this.#chance.stream(`wishes of ${house.name}`))
      this.#trouble(house, this.#chance.stream(`troubles of ${house.name}`))
    }
    this.#clock.runUntil(noonMs + hoursOfTrouble * hour)
    this.#healed = true
    this.#network.weather = calm
    this.#clock.runUntil(noonMs + (hoursOfTrouble + 1) * hour)
    for (const house of this.#houses) if (!house.isUp) house.start()
    // Until every link that was handed over is long over.
    this.#clock.runUntil(noonMs + (hoursOfTrouble + 14) * hour)
    this.#atTheEnd()
    const wishes = [...this.#wishes.values()]
    return {
      violations: [...this.#violations],
      invites: wishes.length,
      redeemed: wishes.reduce((sum, { redeemed }) => sum + redeemed, 0),
      refused: this.#refused,
      crashes: this.#crashes
    }
  }

  #others(house: House): ReadonlyArray<House> {
    return this.#houses.filter((one) => one !== house)
  }

  #invite(house: House, chance: Chance.Chance): void {
    this.#clock.after(chance.gap(40 * minute), () => {
      if (this.#healed) return
      if (house.isUp) {
        const named = chance.happens(0.3) ? chance.pick(this.#others(house)) : undefined
        const uses = chance.whole(1, 3)
        const inject = chance.happens(0.4)
        const lastsMs = chance.pick([20 * minute, 3 * hour, 12 * hour])
        const wishes: Wishes = { uses, inject, lastsMs, ...(named === undefined ? {} : { named: named.identityKey }) }
        const wish = { uses: named === undefined ? uses : 1, inject, named, endsMs: this.#clock.nowMs + lastsMs }
        const fresh = { handedTo: new Set<string>(), isOver: false, redeemed: 0 }
        const ref = `invite ${this.#asked.size}`
        this.#asked.set(ref, { ...wish, ...fresh, by: house })
        house.command(ref, { _tag: "CreateInvite", ...wishes })
      }
      this.#invite(house, chance)
    })
  }

  /** A link has been shown: it is handed on, and perhaps taken back. */
  #hand(wish: Wish): void {
    const chance = this.#chance.stream(`hands of ${wish.id}`)
    for (const other of this.#others(wish.by).filter((one) => one === wish.named || chance.happens(0.5))) {
      wish.handedTo.add(other.name)
      const claim = (): void => {
        if (!other.isUp && !this.#healed) this.#clock.after(5 * minute, claim)
        else other.command("claim", { _tag: "ClaimInvite", link: Redacted.make(wish.link) })
      }
      this.#clock.after(chance.gap(30 * minute), claim)
      // Some try again, who were told or were not.
      if (chance.happens(0.4)) this.#clock.after(chance.gap(2 * hour), claim)
    }
    if (chance.happens(0.3)) {
      this.#clock.after(chance.gap(hour), () =>
        wish.by.command(`revoke ${wish.id}`, { _tag: "RevokeInvite", id: wish.id })
      )
    }
  }

  /** A house leaves, crashes in a turn, or comes back with other keys. */
  #trouble(house: House, chance: Chance.Chance): void {
    this.#clock.after(chance.gap(50 * minute), () => {
      if (this.#healed) return
      const what = chance.pick(["crash", "crash", "crash", "leave", "rotate", "compromise"] as const)
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
        if (what === "rotate" || what === "compromise") {
          house.rotate(what === "rotate" ? "scheduled" : "compromise")
          if (what === "compromise") this.#compromised(house)
        }
        house.start()
      })
      this.#trouble(house, chance)
    })
  }

  #compromised(house: House): void {
    for (const wish of this.#wishes.values()) if (wish.by === house) wish.isOver = true
  }

  #found(what: string): void {
    this.#violations.add(what)
  }

  #look(house: House, { after, outputs, stored }: Taken): void {
    if (stored === "never") return
    for (const output of outputs) {
      if (output._tag === "Reply") this.#replied(output)
      if (output._tag !== "Tell") continue
      if (output.event._tag === "InviteRedeemed") this.#redeemed(house, output.event, after)
      if (output.event._tag === "ErrandRefused") this.#refused++
      if (output.event._tag === "ErrandAnswered") this.#confirmed.add(`${output.event.id} ${house.name}`)
    }
  }

  #replied({ ref, reply }: Extract<Output.Output, { _tag: "Reply" }>): void {
    if (!reply.ok) return
    const revoked = this.#wishes.get(ref.replace("revoke ", ""))
    if (revoked !== undefined) revoked.isOver = true
    const asked = this.#asked.get(ref)
    if (asked === undefined || reply.link === undefined) return
    const wish = { ...asked, id: reply.id, link: Redacted.value(reply.link) }
    this.#wishes.set(wish.id, wish)
    this.#hand(wish)
  }

  /** As often as it says, by whom it says, never when it is over, and no more than it says. */
  #redeemed(
    house: House,
    { id, name, peerId }: { id: string; name: string; peerId: string },
    state: State.State
  ): void {
    const wish = this.#wishes.get(id)
    if (wish === undefined) {
      this.#found(`${house.name} let ${name} use ${id}, which nobody was shown`)
      return
    }
    wish.redeemed++
    if (wish.redeemed > wish.uses) this.#found(`${id} was used ${wish.redeemed} times, and says ${wish.uses}`)
    if (!wish.handedTo.has(name)) this.#found(`${id} was used by ${name}, who was never given it`)
    if (wish.named !== undefined && wish.named.name !== name) this.#found(`${id} is not for ${name}, who used it`)
    if (this.#clock.nowMs >= wish.endsMs) this.#found(`${id} was used after its end`)
    if (wish.isOver) this.#found(`${id} was used after it was taken back, or its key was compromised`)
    const may = [...state.durable.grants.entries].some(
      ([, grant]) => grant.peerId === peerId && grant.capabilities.includes("inject")
    )
    const given = [...this.#wishes.values()].some((one) => one.by === house && one.inject && one.handedTo.has(name))
    if (may && !given) this.#found(`${id} gave ${name} more than it says`)
  }

  #atTheEnd(): void {
    const durable = new Map(this.#houses.map((house) => [house, house.process?.state.durable ?? loadDisk(house.disk)]))
    const friendOf = (house: House, other: House) =>
      Table.values(durable.get(house)!.roster.friends).find(
        (one) => one.standing === "Friend" && one.name === other.name
      )
    for (const confirmed of this.#confirmed) {
      const [id = "", claimer = ""] = confirmed.split(" ")
      const by = this.#wishes.get(id)?.by
      const house = this.#houses.find(({ name }) => name === claimer)
      if (by === undefined || house === undefined) continue
      const [ours, theirs] = [friendOf(house, by), friendOf(by, house)]
      if (ours === undefined || theirs === undefined) {
        this.#found(
          `${claimer} was told that ${by.name} is a friend, and it is ${ours === undefined ? "not" : "not so there"}`
        )
      } else if (!ours.cameOf.some((of) => theirs.cameOf.includes(of))) {
        this.#found(`${claimer} and ${by.name} name their friendship differently`)
      }
    }
    for (const house of this.#houses) {
      const open = Table.values(durable.get(house)!.errands as Table.Table<Errand.Errand>)
      for (const { id } of open) this.#found(`${house.name} still claims ${id}, long after its end`)
    }
    for (const wish of this.#wishes.values()) this.#unanswered(wish)
  }

  /** What had room for everybody, lasted, and was never taken back is used by whoever tried. */
  #unanswered(wish: Wish): void {
    const lasts = wish.endsMs > noonMs + (hoursOfTrouble + 3) * hour
    if (!lasts || wish.isOver || wish.uses < wish.handedTo.size) return
    for (const name of wish.handedTo) {
      if (!this.#confirmed.has(`${wish.id} ${name}`)) this.#found(`${name} was never answered about ${wish.id}`)
    }
  }
}

/** Plays a seed; with a plant, the same with a mistake in it. */
export const playInvitations = (seed: number, plant?: Plant): Outcome => new Invitations(seed, plant).run()
