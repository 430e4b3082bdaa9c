/**
 * One pair of nodes in a storm: two real processes on real files, a driver that types, and kills without warning.
 * It never judges; it keeps what was typed, what was acknowledged and what was told, for `kill-storm` to compare.
 * What a person cannot know, whether a line was taken whose reply died with the process, it marks as unknown as well.
 */
import { setTimeout as pause } from "node:timers/promises"
import * as Child from "../../plugin/standalone/Child.ts"
import type { Place } from "./stage.ts"

export type Phase = "start" | "friending" | "commit" | "sending"
export const phases: ReadonlyArray<Phase> = ["start", "friending", "commit", "sending"]

/** A text that was typed, and what its sender got to know of it. */
export interface Sent {
  readonly text: string
  readonly number: number
  reply: "none" | "ok" | "refused"
  id?: string
}

/** One of the two, over all the lives of its process. */
export class Actor {
  readonly name: string
  readonly sent: Array<Sent> = []
  /** What `/queue` lists at the end as not delivered: first digits of the id, and the code. */
  readonly notDelivered = new Map<string, string>()
  /** Everything its processes told, in order. */
  readonly told: Array<Child.Told> = []
  /** Starts that were waited for and came. */
  starts = 0
  kills = 0
  /** What `/friends` has to say until the operator wants something else; undefined: not known. */
  friend: boolean | undefined
  inject: boolean | undefined
  process: Child.Child | undefined
  readonly #args: ReadonlyArray<string>
  readonly #env: Readonly<Record<string, string>>

  constructor(name: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) {
    this.name = name
    this.#args = args
    this.#env = env
  }

  spawn(): Child.Child {
    this.process = Child.start(this.#args, this.#env)
    return this.process
  }

  async up(): Promise<Child.Child> {
    const child = this.process ?? this.spawn()
    await child.wait(`${this.name}'s start`, ({ event }) => event === "started")
    this.starts++
    return child
  }

  /** Ends the process without warning (or with) and takes up what it had told. */
  async down(signal: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
    const child = this.process
    if (child === undefined) return 0
    const code = await child.stop(signal)
    this.process = undefined
    this.told.push(...child.told)
    if (signal === "SIGKILL") {
      this.kills++
    }
    for (const one of child.told.filter(({ event }) => event === "reply")) {
      const mine = this.sent.find(({ text }) => String(one["line"]).endsWith(` ${text}`))
      if (mine === undefined) continue
      mine.reply = one["ok"] === true ? "ok" : "refused"
      if (one["ok"] === true) mine.id = String(one["id"])
    }
    return code
  }
}

const rateMs = 2_100
const burst = 25

/** Two actors, and chance. */
export class Pair {
  readonly actors: readonly [Actor, Actor]
  readonly #random: () => number
  readonly #trace: Array<string> = []
  readonly kills: Record<Phase, number> = { start: 0, friending: 0, commit: 0, sending: 0 }
  /** Messages that may still be typed: as many as the protocol's rate lets through, so that the end need not wait. */
  #budget = [burst, burst] as [number, number]
  #sinceMs = performance.now()
  #typed = 0
  /** Whether one of the two has ended the friendship and they have not both been seen as friends since. */
  #parted = false
  /** How often that happened: an answer from before must not pass for one from after. */
  #partings = 0

  constructor(place: Place, network: ReadonlyArray<string>, random: () => number) {
    const actor = (name: string) =>
      new Actor(
        name,
        ["--name", name, "--data", `${place.folder}/${name}`, "--room", place.room, "--sandbox", "off", ...network],
        place.env
      )
    this.actors = [actor("alice"), actor("bob")]
    this.#random = random
  }

  /** The last things done, for a report. */
  get trace(): string {
    return this.#trace.slice(-60).join("\n")
  }

  #note(text: string): void {
    this.#trace.push(`${(performance.now() / 1000).toFixed(3)} ${text}`)
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #chance(part: number): boolean {
    return this.#random() < part
  }

  #other(actor: Actor): Actor {
    return actor === this.actors[0] ? this.actors[1] : this.actors[0]
  }

  type(actor: Actor, line: string): void {
    this.#note(`${actor.name}: ${line}`)
    actor.process?.type(line)
  }

  #message(actor: Actor): void {
    const nowMs = performance.now()
    const more = (nowMs - this.#sinceMs) / rateMs
    this.#sinceMs = nowMs
    this.#budget = this.#budget.map((left) => Math.min(burst, left + more)) as [number, number]
    const side = actor === this.actors[0] ? 0 : 1
    if (this.#budget[side] < 1) return
    this.#budget[side]--
    const number = ++this.#typed
    const text = `${actor.name}-${number}`
    actor.sent.push({ text, number, reply: "none" })
    this.type(actor, `/message @${this.#other(actor).name} ${text}`)
  }

  #part(actor: Actor): void {
    this.#parted = true
    this.#partings++
    for (const one of this.actors) {
      one.friend = undefined
      one.inject = undefined
    }
    this.type(actor, `/unfriend @${this.#other(actor).name}`)
  }

  async #allow(actor: Actor, verb: "grant" | "revoke"): Promise<void> {
    const child = actor.process
    if (child === undefined) return
    actor.inject = undefined
    const [after, line] = [child.told.length, `/${verb} @${this.#other(actor).name} inject`]
    this.type(actor, line)
    if (this.#chance(0.5)) return
    const reply = await child
      .wait("the reply", (one) => one.event === "reply" && one["line"] === line, 5_000, after)
      .catch(() => undefined)
    // Only what the operator was told counts; a refusal says that there is no friend.
    if (reply?.["ok"] === true && !this.#parted) actor.inject = verb === "grant"
  }

  /** What a question is answered with now. */
  async #lines(actor: Actor, question: string): Promise<ReadonlyArray<string>> {
    const child = actor.process
    if (child === undefined) throw new Error(`${actor.name} is not up`)
    const after = child.told.length
    child.type(question)
    const reply = await child.wait(question, (one) => one["line"] === question, 20_000, after)
    return reply["lines"] as ReadonlyArray<string>
  }

  /** What `/friends` says now. */
  async friends(
    actor: Actor
  ): Promise<{ readonly friend: boolean; readonly inject: boolean; readonly waiting: number }> {
    const lines = await this.#lines(actor, "/friends")
    const line = lines.find((one) => one.startsWith(`@${this.#other(actor).name} (`))
    return {
      friend: line !== undefined,
      inject: /\) may [^;]*inject/.test(line ?? ""),
      waiting: Number(/(\d+) waiting/.exec(line ?? "0 waiting")?.[1])
    }
  }

  /** Looks at an actor right after its start and compares with what it acknowledged. Gives what is wrong. */
  async look(actor: Actor): Promise<ReadonlyArray<string>> {
    const { friend, inject } = await this.friends(actor)
    this.#note(`${actor.name} has ${friend ? "a" : "no"} friend${inject ? " with inject" : ""}`)
    const wrong: Array<string> = []
    if (actor.friend === true && !friend) wrong.push(`${actor.name} lost a friend`)
    if (friend && actor.inject === true && !inject) wrong.push(`${actor.name} lost a grant`)
    if (friend && actor.inject === false && inject) wrong.push(`${actor.name} has a grant again that was withdrawn`)
    actor.friend = this.#parted ? undefined : friend
    actor.inject = friend && !this.#parted ? inject : undefined
    return wrong
  }

  /** What a person would do next to become friends; nothing if they are. */
  async #approach(): Promise<void> {
    const partings = this.#partings
    const have = await Promise.all(this.actors.map(async (actor) => (await this.friends(actor)).friend))
    if (have.every((one) => one)) {
      if (partings === this.#partings) this.#parted = false
      return
    }
    const mayAsk = this.actors.filter((_, index) => have[index] === false)
    const asks = mayAsk[this.#below(mayAsk.length)]!
    const asked = this.#other(asks)
    const child = asked.process
    const after = child?.told.length ?? 0
    this.type(asks, `/friend @${asked.name}`)
    if (have.some((one) => one)) return
    const came = await child
      ?.wait("a request", ({ event }) => event === "request-received", 3_000, after)
      .catch(() => undefined)
    if (came !== undefined) this.type(asked, `/accept @${asks.name}`)
  }

  /** Types what people type: mostly texts, now and then something about rights, seldom the end of it. */
  async #act(): Promise<void> {
    const often = this.#chance(0.2) ? 12 : 2 + this.#below(5)
    for (let count = 0; count < often; count++) {
      const actor = this.actors[this.#below(2)]!
      const what = this.#random()
      if (what < 0.86) this.#message(actor)
      else if (what < 0.93) await this.#allow(actor, "grant")
      else if (what < 0.99) await this.#allow(actor, "revoke")
      else this.#part(actor)
      if (this.#chance(0.3)) await pause(this.#below(30))
    }
  }

  async #kill(victim: Actor, phase: Phase): Promise<void> {
    this.#note(`kill ${victim.name} (${phase})`)
    this.kills[phase]++
    await victim.down()
  }

  /** One of these events at either end, or long enough of nothing; then a moment more. */
  async #moment(events: ReadonlyArray<string>, limitMs: number): Promise<void> {
    const marks = this.actors.map(({ process: child }) => child?.told.length ?? 0)
    const seen = this.actors.map(({ process: child }, index) =>
      child?.wait("a moment", ({ event }) => events.includes(event), limitMs, marks[index]).catch(() => undefined)
    )
    await Promise.race(seen.filter((one) => one !== undefined))
    await pause(this.#random() ** 2 * 40)
  }

  /** One kill and what leads to it. Gives what is wrong. */
  async round(): Promise<ReadonlyArray<string>> {
    const phase = phases[this.#below(phases.length)]!
    const victim = this.actors[this.#below(2)]!
    if (phase === "start" && victim.process === undefined) {
      victim.spawn()
      await pause(this.#random() * 1_200)
      await this.#kill(victim, phase)
      return []
    }
    const wrong: Array<string> = []
    for (const actor of this.actors) {
      const fresh = actor.process === undefined
      await actor.up()
      if (fresh) wrong.push(...(await this.look(actor)))
    }
    if (phase === "friending") {
      // The kill may well hit while it asks who is whose friend.
      const approached = this.#approach().catch(() => undefined)
      if (this.#chance(0.5)) void this.#act()
      await this.#moment(["request-received", "line-posted", "friendship", "reply"], 1_000)
      await this.#kill(victim, phase)
      await approached
      return wrong
    }
    await this.#approach()
    const acting = this.#act()
    if (phase === "commit") await pause(this.#random() * 15)
    if (phase === "sending") await this.#moment(["received", "delivered"], 3_000)
    if (phase === "start") {
      await acting
      await this.#moment(["delivered"], 3_000)
    }
    await this.#kill(victim, phase)
    await acting
    // Now and then both lie down, so that the one that comes back meets nobody.
    if (this.#chance(0.2)) await this.#kill(this.#other(victim), phase)
    return wrong
  }

  /** Everything comes up and stays up until nothing waits any more. Gives what is wrong. */
  async heal(limitMs: number): Promise<ReadonlyArray<string>> {
    const giveUpMs = performance.now() + limitMs
    const wrong: Array<string> = []
    for (const actor of this.actors) {
      await actor.up()
      wrong.push(...(await this.look(actor)))
    }
    for (;;) {
      await this.#approach()
      const now = await Promise.all(this.actors.map((actor) => this.friends(actor)))
      if (now.every(({ friend, waiting }) => friend && waiting === 0)) break
      if (performance.now() > giveUpMs) {
        return [...wrong, `not healed after ${limitMs} ms: ${JSON.stringify(now)}`]
      }
      await pause(500)
    }
    for (const actor of this.actors) {
      for (const line of await this.#lines(actor, "/queue")) {
        const listed = /^([0-9a-f]{8}) .*: not delivered, ([a-z-]+) /.exec(line)
        if (listed !== null) actor.notDelivered.set(listed[1]!, listed[2]!)
      }
      const code = await actor.down("SIGTERM")
      if (code !== 0) wrong.push(`${actor.name} ended with ${code}`)
    }
    return wrong
  }
}
