/**
 * One topic in virtual time, in calm weather: houses that are in it, a crowd around them, and nothing else going on.
 * It never judges; whoever makes one asks what the houses know, what they said, and what they keep.
 * A crowd is made of members without a node, because ten thousand nodes would take a day.
 */

import type * as Presence from "../../core/discovery/Presence.ts"
import { Base64url, Directory, type Topic, Topic as Topics } from "../../core/index.ts"
import { noonMs } from "../models/Disk.ts"
import * as Chance from "./Chance.ts"
import { Clock } from "./Clock.ts"
import type { Around } from "./Crowd.ts"
import { House, type World } from "./House.ts"
import { calm, Network } from "./Network.ts"
import type { Taken } from "./Process.ts"

export const minute = 60_000

export class Gathering {
  readonly clock = new Clock(noonMs, 10_000_000)
  readonly chance: Chance.Chance
  readonly network: Network
  readonly topic: Topic.Topic
  readonly #name: string
  readonly #world: World
  #hash: string | undefined

  constructor(name: string, topic: Topic.Topic, watch: (house: House, taken: Taken) => void = () => undefined) {
    this.#name = name
    this.topic = topic
    this.chance = Chance.of(name)
    this.network = new Network(this.clock, this.chance.stream("network"), calm)
    this.#world = {
      clock: this.clock,
      network: this.network,
      post: () => undefined,
      run: () => ({ afterMs: 1, result: { ok: false, code: "no-model", detail: "" } }),
      watch,
      ended: () => undefined
    }
  }

  house(name: string): House {
    return new House(this.#world, name, this.#name, this.chance.stream(name))
  }

  /** Starts a house and lets it join. */
  join(house: House): void {
    house.start()
    house.command("operator", { _tag: "JoinTopic", topic: this.topic })
  }

  hashBy({ engine }: House): string {
    this.#hash ??= Base64url.encode(Topics.rendezvous(engine.sha256, this.topic))
    return this.#hash
  }

  /** What members of a crowd need, with the engine of a house. */
  around(house: House): Around {
    const { chance, clock, network, topic } = this
    return { clock, network, chance: chance.stream("crowd"), crypto: house.engine, topic, hash: this.hashBy(house) }
  }

  /** What a house knows of the topic. */
  presence(house: House): Presence.Presence {
    const [, presence] = [...house.process!.state.passing.topics].find(([one]) => one === this.hashBy(house))!
    return presence
  }

  /** Whether a house has met another one, and has a place for it. */
  hasMet(house: House, other: House): boolean {
    return Directory.member(this.presence(house).directory, other.identityKey)?.met === true
  }
}
