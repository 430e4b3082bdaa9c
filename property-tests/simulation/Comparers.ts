/**
 * Operators who make sure of each other: they compare fingerprints, read strings to each other, take it back, and demand it.
 * They never lie and never guess: they say that strings are the same when both screens show the same.
 * Apart from the other operators because a run may do without them, and then draws nothing for them.
 */
import { Base64url, Describe, type Event, FriendLine, Keys } from "../../core/index.ts"
import type * as Chance from "./Chance.ts"
import type { House } from "./House.ts"
import { minute, type Stage } from "./Stage.ts"

/** What a screen shows of the comparison with a friend. */
const screenOf = (house: House, friend: string): string | undefined => {
  const { process } = house
  if (process === undefined) return undefined
  const shown = Describe.describe(house.engine, process.state, 0).friends.find(({ name }) => name === friend)
  const { number, words } = shown?.comparison ?? {}
  return words == null ? undefined : `${words} ${number}`
}

export class Comparers {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** From now on until the world heals, the operator of a house compares, takes back and demands. */
  begin(house: House): void {
    this.#decide(house, this.#stage.chance.stream(`comparisons of ${house.name}`))
  }

  /** Somebody with keys of its own uses a friend's name, where the room cannot tell who posts. */
  #pretend(house: House, friend: House): void {
    const { clock } = this.#stage
    const shown = [...(house.process?.state.durable.roster.friends.entries ?? [])].map(([, one]) => one)
    const channel = shown.find(({ name, standing }) => name === friend.name && standing === "Friend")?.channel
    if (channel === undefined) return
    this.#stage.count("namesake")
    const keys = Keys.generate(house.engine, clock.nowMs)
    const [pubkey, encryptPub] = [keys.identityKey, keys.agreementKey].map(Base64url.encode) as [never, never]
    const tsMs = clock.nowMs + house.skewMs
    const unsigned = { kind: "request" as const, to: house.name, from: friend.name, pubkey, encryptPub, tsMs }
    const signature = FriendLine.sign(house.engine, keys, unsigned)
    house.hear(channel, null, FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine))
  }

  #decide(house: House, chance: Chance.Chance): void {
    this.#stage.clock.after(chance.gap(25 * minute), () => {
      if (this.#stage.healed) return
      const friends = this.#stage.friendsOf(house)
      if (friends.length > 0) this.#act(house, chance.pick(friends), chance)
      if (friends.length > 0 && this.#stage.options.troubles.length > 0 && chance.happens(0.1)) {
        this.#pretend(house, chance.pick(friends))
      }
      this.#decide(house, chance)
    })
  }

  #act(house: House, friend: House, chance: Chance.Chance): void {
    const about = { name: friend.name, keyPrefix: "" }
    const what = chance.pick(["Compare", "Compare", "Compare", "Verify", "Unverify", "Require"] as const)
    if (what === "Require") {
      const trust = chance.pick(["verified", "verified", "nothing"] as const)
      this.#stage.command(house, { _tag: what, capability: "inject", trust })
    } else if (what === "Verify") {
      // The fingerprint is of two keys: an operator who calls finds out whether the friend has this one.
      const shown = house.process?.state.durable.roster.friends.entries ?? []
      for (const [, { identityKey, name, standing }] of shown) {
        if (name !== friend.name || standing !== "Friend" || identityKey !== friend.identityKey) continue
        this.#stage.command(house, { _tag: what, name, keyPrefix: identityKey.slice(0, 12), same: true })
      }
    } else this.#stage.command(house, { _tag: what, ...about })
  }

  /** Alarms that came while nobody could answer are settled now: the keys that are right are confirmed. */
  settle(house: House): void {
    const friends = [...(house.process?.state.durable.roster.friends.entries ?? [])].map(([, one]) => one)
    for (const { doubt, identityKey, name, standing } of friends) {
      const isRight = this.#stage.truth.keys.get(name)?.has(identityKey) === true
      if (doubt === undefined || standing !== "Friend" || !isRight) continue
      this.#stage.command(house, { _tag: "Confirm", name, keyPrefix: identityKey.slice(0, 12) })
    }
  }

  /** What a node told its operator about a comparison, and what that one does about it after a while. */
  hear(house: House, event: Event.Event, chance: Chance.Chance): void {
    if (event._tag !== "SasOffered" && event._tag !== "SasShown") return
    const { name } = event
    const about = { name, keyPrefix: "" }
    if (event._tag === "SasOffered" && chance.happens(0.9)) {
      this.#stage.clock.after(chance.whole(1_000, 2 * minute), () =>
        this.#stage.command(house, { _tag: "Compare", ...about })
      )
    }
    if (event._tag === "SasShown") {
      this.#stage.clock.after(chance.whole(5_000, 2 * minute), () => {
        const friend = this.#stage.friendsOf(house).find((one) => one.name === name)
        const [here, there] = [screenOf(house, name), friend && screenOf(friend, house.name)]
        // Whoever does not see a string any more says so on the phone, and nothing is typed.
        if (here === undefined || there === undefined) return
        this.#stage.command(house, { _tag: "Compared", ...about, same: here === there })
      })
    }
  }
}
