/**
 * What must be true on the square: of authority at every turn, of what is shown, and of who is found when it is quiet.
 * It knows what every operator decided and what every house signed; it never asks a node what it thinks it may.
 * Each checker has a planted bug in `SquarePlants` that it must find.
 */
import { HashMap } from "effect"
import { Base64url, Directory, type Input, Limits, type State, Topic } from "../../core/index.ts"
import * as Describe from "../../core/node/Describe.ts"
import * as Table from "../../core/Table.ts"
import type { House } from "./House.ts"
import type { Network } from "./Network.ts"
import type { Taken } from "./Process.ts"
import { secretKey, topics } from "./SquareTopics.ts"

export interface Breach {
  readonly checker: "ungranted" | "gone" | "rolled back" | "bounded" | "forged" | "found" | "discreet" | "sparing"
  readonly what: string
}

/** More breaches of one checker than these are one that goes on. */
const breachesOfOneMax = 6

export class Sights {
  readonly #report: (breach: Breach) => void
  /** Keys that a house's operator has accepted, or asked for, by the beginning of them. */
  readonly #wanted = new Map<string, Set<string>>()
  /** Every content that a house signed in a version, `key version`. */
  readonly #signed = new Map<string, string>()
  /** The highest version shown, by house, stay, topic and key. */
  readonly #shown = new Map<string, number>()
  readonly #dials = new Map<string, Array<number>>()
  readonly #houses = new Set<string>()
  readonly #counts = new Map<string, number>()

  constructor(report: (breach: Breach) => void) {
    this.#report = (breach) => {
      const count = (this.#counts.get(breach.checker) ?? 0) + 1
      this.#counts.set(breach.checker, count)
      if (count <= breachesOfOneMax) report(breach)
    }
  }

  /** What an operator asks its node for. */
  wants(house: House, command: Input.Command): void {
    if (command._tag !== "Accept" && command._tag !== "Connect") return
    const wanted = this.#wanted.get(house.name) ?? new Set<string>()
    this.#wanted.set(house.name, wanted.add(command.keyPrefix))
  }

  /** Looks at a turn. */
  look(house: House, taken: Taken, nowMs: number): void {
    this.#houses.add(house.identityKey)
    if (taken.stored === "never") return
    for (const output of taken.outputs) {
      if (output._tag === "SignProfile") {
        this.#signed.set(
          `${house.identityKey} ${output.joined.hash} ${output.joined.version}`,
          JSON.stringify(output.content)
        )
      }
      if (output._tag === "DialMember") this.#sparing(house, nowMs)
    }
    this.#ungranted(house, taken)
    if (taken.after.passing.topics !== taken.before.passing.topics) this.#directories(house, taken.after)
  }

  #ungranted(house: House, { after, before }: Taken): void {
    const { grants, roster } = after.durable
    if (roster.friends === before.durable.roster.friends && grants === before.durable.grants) return
    const wanted = [...(this.#wanted.get(house.name) ?? [])]
    for (const { identityKey, name } of Table.values(roster.friends)) {
      if (wanted.some((prefix) => prefix !== "" && identityKey.startsWith(prefix))) continue
      this.#report({ checker: "ungranted", what: `${house.name} made ${name} a friend, whom nobody accepted` })
    }
    for (const grant of Table.values(grants)) {
      if (grant.capabilities.every((one) => one === "message") && Table.has(roster.friends, grant.peerId)) continue
      this.#report({ checker: "ungranted", what: `${house.name} grants ${grant.capabilities}` })
    }
  }

  #sparing(house: House, nowMs: number): void {
    const lately = (this.#dials.get(house.name) ?? []).filter((ms) => nowMs - ms < 60_000)
    this.#dials.set(house.name, [...lately, nowMs])
    // Three topics, each with what it may begin with and what comes back within a minute, and a few last words.
    if (lately.length < 3 * 2 * Limits.topicMeetingsPerMinute + 3 * Limits.topicToldMax) return
    this.#report({ checker: "sparing", what: `${house.name} dials ${lately.length} members a minute` })
  }

  #directories(house: House, state: State.State): void {
    for (const [hash, presence] of state.passing.topics) {
      const { directory, dials, found, tried } = presence
      const bounds = [
        [HashMap.size(directory.settled), Limits.topicSettledMax],
        [HashMap.size(directory.newcomers), Limits.topicNewcomersMax],
        [HashMap.size(directory.marks), Limits.topicMarksMax],
        [HashMap.size(dials), Limits.topicDialsMax],
        [HashMap.size(tried), Limits.topicTriedMax],
        [found.length, Limits.topicFoundMax]
      ] as const
      for (const [size, most] of bounds) {
        if (size > most) this.#report({ checker: "bounded", what: `${house.name} keeps ${size} of at most ${most}` })
      }
      // Who leaves a topic forgets who was in it, as a restart does: what it remembers is of one stay.
      const stay = `${house.lives} ${Table.get(state.durable.topics, hash)?.sinceMs}`
      for (const { profile } of Directory.members(directory)) this.#member(house, stay, hash, profile)
    }
    const seen = JSON.stringify(Describe.describe(house.engine, state, 0))
    if (seen.includes(secretKey)) this.#report({ checker: "discreet", what: `${house.name} shows the key of a topic` })
  }

  #member(
    house: House,
    stay: string,
    hash: string,
    { content, identityKey, version }: Directory.Member["profile"]
  ): void {
    const key = `${house.name} ${stay} ${hash} ${identityKey}`
    const highest = this.#shown.get(key) ?? 0
    if (version < highest)
      this.#report({ checker: "rolled back", what: `${house.name} shows version ${version} again` })
    this.#shown.set(key, Math.max(highest, version))
    if (!this.#houses.has(identityKey)) return
    if (this.#signed.get(`${identityKey} ${hash} ${version}`) === JSON.stringify(content)) return
    this.#report({ checker: "forged", what: `${house.name} shows what ${identityKey.slice(0, 8)} never signed` })
  }

  /** Who is in a topic is found there by everybody else who is, and who has left by nobody. */
  end(houses: ReadonlyArray<House>, network: Network): void {
    for (const topic of topics) {
      const hash = Base64url.encode(Topic.rendezvous(houses[0]!.engine.sha256, topic))
      const isIn = (house: House) => Table.has(house.process!.state.durable.topics, hash)
      const announced = network.announcers(hash)
      for (const house of houses) {
        if (!isIn(house) && announced.includes(house.process!.swarmKey)) {
          this.#report({ checker: "gone", what: `${house.name} is still announced in ${topic.name}` })
        }
      }
      for (const house of houses.filter(isIn)) {
        const [, presence] = [...house.process!.state.passing.topics].find(([one]) => one === hash) ?? []
        const members = presence === undefined ? [] : Directory.members(presence.directory)
        const known = new Set<string>(members.map(({ profile }) => profile.identityKey))
        const hearsay = new Set<string>(members.filter(({ met }) => !met).map(({ profile }) => profile.identityKey))
        for (const other of houses) {
          if (hearsay.has(other.identityKey) && isIn(other))
            this.#report({ checker: "found", what: `${house.name} has only heard of ${other.name} in ${topic.name}` })
          if (other === house || isIn(other) === known.has(other.identityKey)) continue
          const what = `${house.name} ${isIn(other) ? "does not find" : "still finds"} ${other.name} in ${topic.name}`
          this.#report({ checker: isIn(other) ? "found" : "gone", what })
        }
      }
    }
  }
}
