/**
 * Chat rooms: what one posts the others read, in good rooms at once and whole, in bad ones late, twice, mangled or never.
 * It never signs anything; whoever forges here has only what was posted before, and keys of its own.
 * Accounts are vouched for by the room, so that a forger posts under none.
 */
import type { Chance } from "./Chance.ts"
import type { House } from "./House.ts"
import type { Stage } from "./Stage.ts"

/** What bad rooms do to a line: most of it is harmless, and a line that is not must be refused. */
const mangled = (text: string, chance: Chance): string =>
  chance.pick<(line: string) => string>([
    (line) => `> ${line}`,
    (line) => ` ${line} \n`,
    (line) => `\`${line}\``,
    (line) => line.slice(0, chance.whole(1, line.length)),
    (line) => line.toUpperCase(),
    (line) => line.replace("|", "¦"),
    (line) => `${line.slice(0, 40)}\u200b${line.slice(40)}`
  ])(text)

/** Lines that are remembered for whoever posts them again. */
const rememberedMax = 50

export class Rooms {
  readonly #stage: Stage
  readonly #posted: Array<{ readonly channel: string; readonly text: string }> = []

  constructor(stage: Stage) {
    this.#stage = stage
  }

  /** The room two houses share; a few share each, so that lines for others are read too. */
  between(one: House, other: House): string {
    const { houses } = this.#stage
    return houses.length <= 12 ? "lobby" : [one.name, other.name].sort().join(" ")
  }

  post(from: House, channel: string, text: string): void {
    this.#posted.push({ channel, text })
    if (this.#posted.length > rememberedMax) this.#posted.shift()
    const names = channel.split(" ")
    for (const house of this.#stage.houses) {
      if (house === from || (channel !== "lobby" && !names.includes(house.name))) continue
      this.#bring(house, channel, from.name, text)
    }
  }

  #bring(house: House, channel: string, author: string | null, text: string): void {
    const { chance, clock, healed, options } = this.#stage
    const luck = chance.stream(`${channel} ${house.name} ${text.length} ${clock.nowMs}`)
    const isBad = !healed && options.troubles.includes("bad channel")
    const read = (line: string) =>
      clock.after(isBad ? luck.whole(50, 60_000) : 200, () => house.hear(channel, author, line))
    if (isBad && luck.happens(0.4)) {
      this.#stage.count("bad channel")
      if (luck.happens(0.5)) read(mangled(text, luck))
      if (luck.happens(0.2)) return
      if (luck.happens(0.5)) read(text)
    }
    read(text)
  }

  /** Posts what a forger has: old lines again, lines with parts of others, and lines for a name that is not its own. */
  forge(victim: House, friend: House, chance: Chance): void {
    if (this.#posted.length === 0) return
    const { channel, text } = chance.pick(this.#posted)
    const other = chance.pick(this.#posted).text
    const forged = chance.pick<() => string>([
      () => text,
      () => [...text.split("|").slice(0, 3), ...other.split("|").slice(3)].join("|"),
      () => text.replaceAll(friend.name, victim.name),
      () => mangled(text, chance)
    ])()
    this.#bring(victim, channel, chance.happens(0.5) ? null : friend.name, forged)
  }
}
