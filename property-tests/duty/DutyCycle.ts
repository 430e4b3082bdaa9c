/**
 * Two friends in virtual time, each up for a share of it, who write, ask, answer, crash, stop and change their keys.
 * It never looks at what comes of it, and asks for nothing but the seed and the days: whoever checks has the ledger.
 * At the end the storm stops and both stay: what has not arrived by then never will.
 */
import type { Input } from "../../core/index.ts"
import { noonMs } from "../arbitraries/state.ts"
import * as Chance from "../simulation/Chance.ts"
import { Clock } from "../simulation/Clock.ts"
import { confinement } from "../simulation/Confinement.ts"
import { History } from "../simulation/History.ts"
import { House, type World } from "../simulation/House.ts"
import { calm, Network, type Traffic, type Weather } from "../simulation/Network.ts"
import type { Interval } from "../simulation/Presence.ts"
import type { Death, Scripted } from "../simulation/Process.ts"
import { Ledger } from "./Ledger.ts"

export interface Settings {
  readonly seed: number
  readonly days: number
  /** The share of time that each is up. */
  readonly duty: number
  /** What happens to what a house has left, before its next process finds it. Nothing, unless somebody breaks in. */
  readonly atRest?: (house: House) => void
}

/** A story that is over. */
export interface Results {
  readonly settings: Settings
  readonly ledger: Ledger
  readonly houses: readonly [House, House]
  readonly traffic: Traffic
  /** From the first parting to the end of the storm. */
  readonly span: Interval
  readonly endMs: number
  /** Whether the two found each other on a calm morning on which nothing waited. */
  readonly helloed: boolean
  /** The hash of all that happened. */
  readonly hash: string
}

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A meeting as long as this must have brought what waited before it; so many dials do not all fail. */
export const enoughMs = 15 * minute
/** A friend who is only to learn a key is dialled once an hour at the least. */
export const enoughForNewsMs = 75 * minute

const storm: Weather = {
  latencyMs: [10, 400],
  dialFails: 0.08,
  breaksAfterMs: 40 * minute,
  noticesAfterMs: [2 * second, 12 * second]
}

/** How the two live. Means of times and chances of events. */
const habits = {
  upMs: 90 * minute,
  shortestUpMs: minute,
  /** Ends that are a restart: up again at once. The others are absences. */
  restarts: 0.15,
  crashes: 0.3,
  /** There is more to lose while friends meet, so that some crashes come then. */
  crashesOnMeeting: 0.15,
  /** A crash waits this long for a turn to fall into. */
  crashWithinMs: 2 * minute,
  rotates: 0.09,
  rotatesTwice: 0.3,
  writesEveryMs: 20 * minute,
  bursts: 0.02,
  burst: 40,
  asksEveryMs: 45 * minute,
  /** Whoever sees the friend come may ask at once. */
  asksOnMeeting: 0.3
} as const

/** Answers of the responder: what was asked, sometimes long, sometimes late, sometimes none. */
const script = (chance: Chance.Chance, asked: string): Scripted => {
  const text = answerTo(asked) + (chance.happens(0.1) ? "·".repeat(chance.whole(1_000, 30_000)) : "")
  const result: Input.JobResult = chance.happens(0.05)
    ? { ok: false, code: "sandbox-exit", detail: "" }
    : { ok: true, answer: { output: new TextEncoder().encode(text), confinement } }
  return { afterMs: 200 + chance.gap(10 * second), result }
}

/** How an answer begins. */
export const answerTo = (asked: string): string => `you asked: ${asked}`

class Story {
  readonly ledger = new Ledger()
  readonly history = new History()
  readonly clock = new Clock(noonMs)
  readonly chance: Chance.Chance
  readonly network: Network
  readonly houses: readonly [House, House]
  readonly #settings: Settings
  helloed = false
  /** Whether the storm is over: nobody leaves or writes any more. */
  #over = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.chance = Chance.of(`duty ${settings.seed}`)
    this.network = new Network(this.clock, this.chance.stream("network"), calm)
    const answers = this.chance.stream("answers")
    const world: World = {
      clock: this.clock,
      network: this.network,
      post: (from, channel, text) => {
        for (const house of this.houses) {
          if (house !== from) this.clock.after(200, () => house.hear(channel, from.name, text))
        }
      },
      run: (house, asked) => {
        this.ledger.call(house.name, asked)
        return script(answers, asked)
      },
      watch: (house, taken) => {
        const { nowMs } = this.clock
        const inputs = taken.inputs.map(({ _tag }) => _tag).join()
        const outputs = taken.outputs.map((one) => (one._tag === "Tell" ? JSON.stringify(one.event) : one._tag)).join()
        this.history.note(nowMs, house.name, `${inputs} ${taken.stored} ${taken.performed} ${outputs}`)
        this.ledger.read(house.name, house.lives, nowMs, taken)
        if (!this.#over && taken.outputs.some((one) => one._tag === "Tell" && one.event._tag === "Connected")) {
          this.#onMeeting(house)
        }
      },
      ended: (house, inOrder) => this.ledger.down(house.name, this.clock.nowMs, inOrder ? "stop" : "crash")
    }
    const houseOf = (name: string) => new House(world, name, `duty ${settings.seed}`, this.chance.stream(name))
    this.houses = [houseOf("alice"), houseOf("bob")]
  }

  other(house: House): House {
    return this.houses[0] === house ? this.houses[1] : this.houses[0]
  }

  run(ms: number): void {
    this.clock.runUntil(this.clock.nowMs + ms)
  }

  start(house: House): void {
    this.#settings.atRest?.(house)
    this.ledger.up(house.name, this.clock.nowMs)
    house.start()
  }

  /** They become friends, and each may ask the other. */
  befriend(): void {
    const [alice, bob] = this.houses
    for (const house of this.houses) this.start(house)
    this.run(10 * second)
    alice.command("", { _tag: "Friend", channel: "lobby", to: "bob" })
    this.run(10 * second)
    bob.command("", { _tag: "Accept", name: "alice", keyPrefix: "" })
    this.run(10 * second)
    for (const house of this.houses) {
      house.command("", { _tag: "Grant", name: this.other(house).name, keyPrefix: "", capability: "inject" })
    }
    this.run(10 * minute)
  }

  /** From now on each goes its own way. */
  part(): void {
    this.network.weather = storm
    for (const house of this.houses) {
      const chance = this.chance.stream(`life of ${house.name}`)
      this.#live(house, chance)
      this.#write(house, this.chance.stream(`pen of ${house.name}`))
      this.#ask(house, this.chance.stream(`questions of ${house.name}`))
    }
  }

  /** Both come, and stay until all is said. */
  settle(): void {
    this.#over = true
    this.network.weather = calm
    // Who was to crash may still do so.
    this.run(2 * habits.crashWithinMs)
    for (const house of this.houses) if (!house.isUp) this.start(house)
    this.run(4 * hour)
    this.#lastMornings()
  }

  /** Nothing waits any more. Who starts looks for its friend all the same, and who has new keys until they are known. */
  #lastMornings(): void {
    const [alice] = this.houses
    this.#restart(() => undefined)
    this.helloed = this.houses.every(
      ({ process }) => process !== undefined && [...process.state.passing.sessions].length === 1
    )
    this.#restart(() => {
      this.network.weather = { ...calm, dialFails: 1 }
      this.#rotate(alice, this.chance.stream("last rotation"))
    })
    this.network.weather = calm
    this.run(enoughForNewsMs)
  }

  #restart(between: () => void): void {
    for (const house of this.houses) house.stop()
    this.run(minute)
    between()
    for (const house of this.houses) {
      this.start(house)
      this.run(5 * minute)
    }
  }

  #live(house: House, chance: Chance.Chance): void {
    const upMs = habits.shortestUpMs + chance.gap(habits.upMs - habits.shortestUpMs)
    const { lives } = house
    this.clock.after(upMs, () => {
      if (!this.#over && house.lives === lives) this.#leave(house, chance, chance.happens(habits.crashes))
    })
  }

  /** The process ends, the keys may change, and a new one starts, at once or much later. */
  #leave(house: House, chance: Chance.Chance, isCrash: boolean): void {
    const { duty } = this.#settings
    const awayMs = (habits.upMs * (1 - duty)) / duty / (1 - habits.restarts)
    const pauseMs = chance.happens(habits.restarts)
      ? chance.whole(1, 10) * second
      : minute + chance.gap(awayMs - minute)
    const endsWithinMs = isCrash ? chance.whole(1, habits.crashWithinMs) : 0
    if (isCrash) house.crash(deathOf(chance), endsWithinMs)
    else house.stop()
    const rotations = chance.happens(habits.rotates) ? (chance.happens(habits.rotatesTwice) ? 2 : 1) : 0
    for (let index = 1; index <= rotations; index++) {
      this.clock.after(endsWithinMs + (pauseMs * index) / (rotations + 1), () => this.#rotate(house, chance))
    }
    this.clock.after(endsWithinMs + pauseMs, () => {
      if (house.isUp || this.#over) return
      this.start(house)
      this.#live(house, chance)
    })
  }

  #rotate(house: House, chance: Chance.Chance): void {
    if (house.isUp) return
    house.rotate(chance.happens(0.2) ? "compromise" : "scheduled")
    this.ledger.rotate(house.name, house.identityKey, this.clock.nowMs, !this.other(house).isUp)
  }

  #say(house: House, command: Extract<Input.Command, { readonly text: string }>): void {
    if (house.isUp) house.command(this.ledger.write(house.name, this.clock.nowMs, command), command)
  }

  #text(house: House, chance: Chance.Chance, what: string): string {
    const rest = chance.happens(0.05) ? " 漢字".repeat(chance.whole(1, 3_000)) : ""
    return `${what} ${this.ledger.written.size + 1} of ${house.name}${rest}`
  }

  #write(house: House, chance: Chance.Chance): void {
    this.clock.after(chance.gap(habits.writesEveryMs), () => {
      if (this.#over) return
      const { name } = this.other(house)
      for (let left = chance.happens(habits.bursts) ? habits.burst : 1; left > 0; left--) {
        this.#say(house, { _tag: "Message", name, keyPrefix: "", text: this.#text(house, chance, "message") })
      }
      this.#write(house, chance)
    })
  }

  #inject(house: House, chance: Chance.Chance): void {
    const { name } = this.other(house)
    const text = this.#text(house, chance, "question")
    this.#say(house, { _tag: "Inject", name, keyPrefix: "", text, waitMs: chance.whole(30, 300) * second })
  }

  #ask(house: House, chance: Chance.Chance): void {
    this.clock.after(chance.gap(habits.asksEveryMs), () => {
      if (this.#over) return
      this.#inject(house, chance)
      this.#ask(house, chance)
    })
  }

  #onMeeting(house: House): void {
    const chance = this.chance.stream(`meeting ${this.history.moments}`)
    if (chance.happens(habits.asksOnMeeting)) {
      this.clock.after(chance.whole(1, minute), () => {
        if (!this.#over) this.#inject(house, chance)
      })
    }
    const { lives } = house
    if (chance.happens(habits.crashesOnMeeting)) {
      this.clock.after(chance.gap(200), () => {
        if (!this.#over && house.lives === lives && house.isUp) this.#leave(house, chance, true)
      })
    }
  }
}

const deathOf = (chance: Chance.Chance): Death =>
  chance.happens(0.4) ? { kind: "before the commit" } : { kind: "after the commit", performs: chance.whole(0, 4) }

/** Plays a whole story. */
export const play = (settings: Settings): Results => {
  const story = new Story(settings)
  story.befriend()
  const fromMs = story.clock.nowMs
  story.part()
  story.run(settings.days * day)
  const toMs = story.clock.nowMs
  story.settle()
  const { clock, history, houses, ledger, network } = story
  return {
    settings,
    ledger,
    houses,
    traffic: network.traffic,
    span: { fromMs, toMs },
    endMs: clock.nowMs,
    helloed: story.helloed,
    hash: history.digest()
  }
}
