/**
 * Hours in which nobody answers a lookup: houses move and start anew one by one, then all at once, and friends write on.
 * It never brings two together itself; what they remember of each other is all they have.
 * A story apart from those of the seeds, because there every dial may fail, and nobody can say which should not have.
 */
import type { Checker } from "./Checker.ts"
import type { House } from "./House.ts"
import type { Network } from "./Network.ts"
import type { Operators } from "./Operators.ts"
import { minute, type Stage } from "./Stage.ts"

/** Within this much time what is written in an outage must have arrived: restarts, and pauses between two dials. */
export const arrivesMs = 15 * minute

/** Plans the outage that the options ask for, if they ask for one. */
export const makeOutage = (stage: Stage, network: Network, operators: Operators): void => {
  const { outage } = stage.options
  if (outage === undefined) return
  const { clock, houses } = stage
  const chance = stage.chance.stream("outage")
  const startMs = clock.nowMs
  const at = (ms: number, act: () => void) => clock.after(startMs + ms - clock.nowMs, act)
  const writeToAll = () => {
    for (const house of houses)
      for (const friend of stage.friendsOf(house)) operators.say(house, chance, "message", friend)
  }
  /** Ends a house's process, one way or the other, and brings it back after a while. */
  const again = (house: House, atRest: () => void) => {
    if (chance.happens(0.5)) house.stop()
    else house.process?.die()
    clock.after(chance.whole(1_000, 20_000), () => {
      atRest()
      if (!house.isUp) house.start()
    })
  }
  network.addressing = true
  // Who has never met anybody has nothing to remember.
  at(outage.fromMs - 10 * minute, writeToAll)
  at(outage.fromMs, () => {
    stage.count("lookups down")
    network.lookups = false
  })
  for (const [index, house] of houses.entries()) {
    at(outage.fromMs + (index + 1) * 5 * minute, () => {
      again(house, () => {
        stage.count("move")
        network.move(house.swarmKey)
      })
    })
  }
  at(outage.fromMs + (houses.length + 1) * 5 * minute, () => {
    stage.count("restart of all")
    for (const house of houses) again(house, () => undefined)
  })
  at(outage.fromMs + (houses.length + 2) * 5 * minute, writeToAll)
  at(outage.toMs, () => {
    network.lookups = true
  })
}

/** What must be true of an outage. */
export const reached: Checker = {
  name: "reached",
  says: "while nobody answers a lookup, what friends write to each other arrives",
  end: ({ options: { outage }, startMs, truth }) => {
    if (outage === undefined) return []
    return [...truth.texts.values()].flatMap(({ atMs, kind, outcomes, refused, text }) => {
      const sinceMs = atMs - startMs
      const counts = kind === "message" && refused === undefined
      if (!counts || sinceMs < outage.fromMs || sinceMs + arrivesMs > outage.toMs) return []
      const isThere = outcomes.some(({ atMs: thereMs, tag }) => tag === "Delivered" && thereMs <= atMs + arrivesMs)
      return isThere ? [] : [`"${text}" was written while lookups were down and did not arrive in time`]
    })
  }
}
