/**
 * The operators: what people write and ask, what they change their minds about, and how they settle what they are asked.
 * They never lie: they compare fingerprints, accept the friends they meant, and confirm the keys that are right.
 */
import * as Jobs from "../../core/delivery/Jobs.ts"
import type { Event } from "../../core/index.ts"
import type * as Chance from "./Chance.ts"
import * as Endings from "./Endings.ts"
import type { House } from "./House.ts"
import { hour, minute, type Stage } from "./Stage.ts"

export class Operators {
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** From now on until the world heals, the operator of a house writes, asks and decides. */
  begin(house: House): void {
    const { chance } = this.#stage
    this.#write(house, chance.stream(`pen of ${house.name}`))
    this.#ask(house, chance.stream(`questions of ${house.name}`))
    this.#decide(house, chance.stream(`decisions of ${house.name}`))
  }

  #write(house: House, chance: Chance.Chance): void {
    this.#stage.clock.after(chance.gap(this.#stage.options.writesEveryMin * minute), () => {
      if (this.#stage.healed) return
      for (let left = chance.happens(0.03) ? 12 : 1; left > 0; left--) this.say(house, chance, "message")
      this.#write(house, chance)
    })
  }

  #ask(house: House, chance: Chance.Chance): void {
    this.#stage.clock.after(chance.gap(this.#stage.options.asksEveryMin * minute), () => {
      if (this.#stage.healed) return
      this.say(house, chance, "inject")
      this.#ask(house, chance)
    })
  }

  /** A text or a question to a friend, or to any. */
  say(house: House, chance: Chance.Chance, kind: "message" | "inject", to?: House): void {
    const friends = this.#stage.friendsOf(house)
    if (!house.isUp || friends.length === 0) return
    const { name } = to ?? chance.pick(friends)
    const waitMs = chance.whole(30, 300) * 1_000
    const { order, text } = this.#stage.truth.write(house.name, name, kind, this.#stage.clock.nowMs, waitMs)
    const about = { name, keyPrefix: "", text }
    const command =
      kind === "message" ? { _tag: "Message" as const, ...about } : { _tag: "Inject" as const, ...about, waitMs }
    this.#stage.command(house, command, `${house.name} ${order}`)
  }

  /** What an operator changes its mind about. */
  #decide(house: House, chance: Chance.Chance): void {
    this.#stage.clock.after(chance.gap(2 * hour), () => {
      if (this.#stage.healed) return
      const friends = this.#stage.friendsOf(house)
      if (friends.length > 0 && this.#stage.options.troubles.length > 0) {
        const friend = chance.pick(friends)
        const about = { name: friend.name, keyPrefix: "" }
        const what = chance.pick(["Grant", "Grant", "Revoke", "Revoke", "Unfriend", "Hold"] as const)
        this.#stage.command(
          house,
          what === "Hold"
            ? { _tag: what, ...about, when: chance.pick(["always", "first", "never"] as const) }
            : what === "Unfriend"
              ? { _tag: what, ...about }
              : { _tag: what, ...about, capability: "inject" }
        )
        if (what === "Unfriend")
          this.#stage.clock.after(chance.whole(1, 90) * minute, () => this.#stage.ask(house, friend))
      }
      this.#decide(house, chance)
    })
  }

  /** What a node told its operator, and what that one does about it after a while. */
  hear(house: House, event: Event.Event, chance: Chance.Chance): void {
    const soon = (act: () => void) => this.#stage.clock.after(chance.whole(1_000, 5 * minute), act)
    if (event._tag === "RequestReceived") {
      const meant =
        this.#stage.truth.keys.get(event.name)?.has(event.identityKey) &&
        this.#stage.friendsOf(house).some(({ name }) => name === event.name)
      const about = { name: event.name, keyPrefix: event.identityKey.slice(0, 12) }
      soon(() => this.#stage.command(house, { _tag: meant === true ? "Accept" : "Deny", ...about }))
    }
    if (event._tag === "FriendshipMade" && chance.happens(0.7)) {
      soon(() => this.#stage.command(house, { _tag: "Grant", name: event.name, keyPrefix: "", capability: "inject" }))
    }
    // Some questions are decided at once, some later, some only when the world has healed.
    if (event._tag === "InjectHeld" && chance.happens(0.8)) {
      soon(() => this.#stage.command(house, { _tag: chance.happens(0.7) ? "Approve" : "Refuse", id: event.id }))
    }
    if (event._tag === "FriendshipMade") soon(() => this.#partFromDoubted(house, event.name))
    if (event._tag === "Alarm")
      soon(() => this.#stage.command(house, { _tag: "Confirm", name: event.name, keyPrefix: "" }))
  }

  /** Whatever still waits for the operator of a house is decided now. */
  settle(house: House): void {
    const held = house.process === undefined ? [] : Jobs.held(house.process.state.durable.jobs)
    for (const { id } of held) {
      this.#stage.command(house, { _tag: "Approve", id })
      // What cannot run any more is refused.
      this.#stage.command(house, { _tag: "Refuse", id })
    }
  }

  /** A friend who came back under a key that we could not follow is there twice; a careful operator ends the old one. */
  #partFromDoubted(house: House, name: string): void {
    const friends = house.process === undefined ? [] : Endings.recordsOf(house, name)
    if (friends.length < 2) return
    for (const { identityKey } of friends.filter((friend) => friend.doubt !== undefined)) {
      this.#stage.command(house, { _tag: "Unfriend", name, keyPrefix: identityKey.slice(0, 12) })
    }
  }
}
