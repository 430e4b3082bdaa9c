/**
 * Agents of a host that answer whatever happens by asking somebody: when they are asked, when they have answered, and when
 * they are answered. Who asks whom is drawn from the seed.
 * They never wait for a budget and never give up: what ends them is what the core does of its own (`delivery/InjectChain`).
 */
import type { Chance } from "./Chance.ts"
import type { House } from "./House.ts"
import type { Taken } from "./Process.ts"
import { hour, minute, type Stage } from "./Stage.ts"

/** One question that the core let an agent ask. */
interface Asked {
  readonly by: string
  readonly of: string
  readonly atMs: number
}

/** In larger circles the operators' own grants are enough to go round. */
const grantedMax = 20

export class Agents {
  /** What was let through, in order, and how often the answer was no, by code. */
  readonly asked: Array<Asked> = []
  readonly refused: Record<string, number> = {}
  readonly #stage: Stage
  readonly #chance: Chance
  readonly #open = new Map<string, string>()

  constructor(stage: Stage) {
    this.#stage = stage
    this.#chance = stage.chance.stream("agents")
    // Once everybody is everybody's friend, and in a small circle may be asked by all, one agent begins.
    if (stage.houses.length <= grantedMax) stage.clock.after(50 * minute, () => this.#grantAll())
    stage.clock.after(hour, () => this.#ask(stage.houses[0]!))
  }

  #grantAll(): void {
    for (const house of this.#stage.houses) {
      for (const { name } of this.#stage.friendsOf(house))
        this.#stage.command(house, { _tag: "Grant", name, keyPrefix: "", capability: "inject" })
    }
  }

  #ask(house: House): void {
    const friends = this.#stage.friendsOf(house)
    if (!house.isUp || friends.length === 0) return
    const { name } = this.#chance.pick(friends)
    const waitMs = 5 * minute
    const { order, text } = this.#stage.truth.write(house.name, name, "inject", this.#stage.clock.nowMs, waitMs)
    const ref = `${house.name} ${order}`
    this.#open.set(ref, name)
    this.#stage.command(house, { _tag: "Inject", name, keyPrefix: "", text, waitMs, byTool: true }, ref)
  }

  /** What a turn told: whether a question went through, and what an agent answers by asking. */
  look(house: House, { outputs }: Taken): void {
    for (const output of outputs) {
      if (output._tag === "Reply") {
        const of = this.#open.get(output.ref)
        this.#open.delete(output.ref)
        if (of === undefined) continue
        const { reply } = output
        if (reply.ok) this.asked.push({ by: house.name, of, atMs: this.#stage.clock.nowMs })
        else this.refused[reply.rejection.code] = (this.refused[reply.rejection.code] ?? 0) + 1
      }
      if (output._tag !== "Tell") continue
      const { _tag } = output.event
      if (_tag === "JobStarted" || _tag === "JobEnded" || _tag === "Answered") {
        this.#stage.clock.after(this.#chance.whole(1, 2_000), () => this.#ask(house))
      }
    }
  }

  /** The most that anybody was let ask within an hour: anybody, and one friend. */
  most(): { readonly ofAll: number; readonly ofOne: number } {
    const inAnHour = (key: (one: Asked) => string): number => {
      const recent = new Map<string, Array<number>>()
      let most = 0
      for (const one of this.asked) {
        const times = (recent.get(key(one)) ?? []).filter((atMs) => atMs > one.atMs - hour)
        times.push(one.atMs)
        recent.set(key(one), times)
        most = Math.max(most, times.length)
      }
      return most
    }
    return { ofAll: inAnHour(({ by }) => by), ofOne: inAnHour(({ by, of }) => `${by} ${of}`) }
  }
}
