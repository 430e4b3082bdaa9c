/**
 * A market square from one seed: houses that join and leave topics, say new things, crash, and ask each other to connect,
 * among liars; checkers look at every turn, and at the end, when it has been quiet for a while.
 * It never touches the histories of the simulator's own seeds: topics have operators of their own here.
 * Everything but the checkers is the simulator's: its clock, its network, its houses and their processes.
 */
import { Base64url, type Input, Topic } from "../../core/index.ts"
import { noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import { Liar } from "./Crowd.ts"
import { House, type Plant, type World } from "./House.ts"
import { calm, Network } from "./Network.ts"
import type { Taken } from "./Process.ts"
import { type Breach, Sights } from "./SquareCheckers.ts"
import { topics } from "./SquareTopics.ts"

const minute = 60_000

export interface SquareOptions {
  readonly seed: number
  readonly nodes: number
  readonly minutes: number
}

/** How long it is quiet before what must have come about is looked at. */
const quietMinutes = 25

export class Square {
  readonly clock: Clock
  readonly houses: ReadonlyArray<House>
  readonly breaches: Array<Breach> = []
  turns = 0
  readonly #chance: Chance.Chance
  readonly #network: Network
  readonly #sights: Sights
  readonly #options: SquareOptions
  #quiet = false

  constructor(options: SquareOptions, plant?: Plant) {
    this.#options = options
    this.clock = new Clock(noonMs, 400_000)
    this.#chance = Chance.of(`square ${options.seed}`)
    const weather = { ...calm, dialFails: 0.2, breaksAfterMs: 5 * minute }
    this.#network = new Network(this.clock, this.#chance.stream("network"), weather)
    this.#sights = new Sights((breach) => this.breaches.push(breach))
    const world: World = {
      ...(plant === undefined ? {} : { plant }),
      clock: this.clock,
      network: this.#network,
      post: () => undefined,
      run: () => ({ afterMs: 1, result: { ok: false, code: "no-model", detail: "" } }),
      watch: (house, taken) => this.#look(house, taken),
      ended: () => undefined
    }
    this.houses = Array.from(
      { length: options.nodes },
      (_, index) => new House(world, `n${index + 1}`, `square ${options.seed}`, this.#chance.stream(`n${index + 1}`))
    )
  }

  /** Plays it to the end. */
  run(): this {
    for (const house of this.houses) {
      house.start()
      this.#live(house, this.#chance.stream(`operator of ${house.name}`))
    }
    const crypto = this.houses[0]!.engine
    for (const topic of topics.slice(0, 2)) {
      const hash = Base64url.encode(Topic.rendezvous(crypto.sha256, topic))
      const around = {
        clock: this.clock,
        network: this.#network,
        chance: this.#chance.stream(topic.name),
        crypto,
        topic,
        hash
      }
      this.#prowl(new Liar(around), around.chance)
    }
    this.clock.runUntil(noonMs + this.#options.minutes * minute)
    this.#quiet = true
    this.#network.weather = calm
    for (const house of this.houses) if (!house.isUp) house.start()
    this.clock.runUntil(this.clock.nowMs + quietMinutes * minute)
    this.#sights.end(this.houses, this.#network)
    return this
  }

  #command(house: House, command: Input.Command): void {
    this.#sights.wants(house, command)
    house.command("operator", command)
  }

  /** A liar calls on everybody, again and again, for as long as it is not quiet. */
  #prowl(liar: Liar, chance: Chance.Chance): void {
    this.clock.after(chance.gap(20_000), () => {
      if (this.#quiet) return
      const key = chance.pick(this.houses).process?.swarmKey
      if (key !== undefined) liar.visit(key)
      this.#prowl(liar, chance)
    })
  }

  /** What an operator does, and what befalls its node. */
  #live(house: House, chance: Chance.Chance): void {
    this.#command(house, { _tag: "JoinTopic", topic: chance.pick(topics) })
    const again = () =>
      this.clock.after(chance.gap(3 * minute), () => {
        if (this.#quiet) return
        this.#act(house, chance)
        again()
      })
    again()
  }

  #act(house: House, chance: Chance.Chance): void {
    const what = chance.pick(["join", "join", "leave", "say", "crash", "stop", "connect", "connect"] as const)
    if (!house.isUp) house.start()
    else if (what === "stop") house.stop()
    else if (what === "crash") {
      house.crash(
        chance.pick([{ kind: "before the commit" }, { kind: "after the commit", performs: 1 }] as const),
        minute
      )
    } else for (const command of this.#wish(what, chance)) this.#command(house, command)
  }

  /** What an operator types, if anything. */
  #wish(what: "join" | "leave" | "say" | "connect", chance: Chance.Chance): ReadonlyArray<Input.Command> {
    const topic = chance.pick(topics)
    const other = chance.pick(this.houses)
    switch (what) {
      case "join":
        return [{ _tag: "JoinTopic", topic }]
      case "leave":
        return [{ _tag: "LeaveTopic", topic }]
      case "say": {
        const description = `word ${chance.whole(0, 999)}`
        return [{ _tag: "SetProfile", content: { name: "somebody", description, tags: [] } }]
      }
      case "connect": {
        const keyPrefix = other.identityKey.slice(0, 12)
        return [other.name, "somebody"].map(
          (name) => ({ _tag: "Connect", name, keyPrefix, topic: "", note: "" }) as const
        )
      }
    }
  }

  #look(house: House, taken: Taken): void {
    this.turns++
    this.#sights.look(house, taken, this.clock.nowMs)
    if (taken.stored === "never") return
    for (const output of taken.outputs) {
      if (output._tag !== "Tell" || output.event._tag !== "ConnectAsked") continue
      const { identityKey, name } = output.event
      // A careful operator accepts whom it knows by its key.
      const isHonest = this.houses.some((one) => one.identityKey === identityKey)
      const about = { name, keyPrefix: identityKey.slice(0, 12) }
      this.clock.after(30_000, () => this.#command(house, { _tag: isHonest ? "Accept" : "Deny", ...about }))
    }
  }
}
