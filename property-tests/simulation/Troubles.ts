/**
 * What befalls nodes: they leave, crash in the middle of a turn, change keys, lose what they wrote, freeze, and go wrong.
 * It never touches a message or a decision; the network, the rooms and the liars have their own ways.
 * Each trouble is drawn for each house from its own stream, and ends when the world heals.
 */
import type { Chance } from "./Chance.ts"
import { forgotten } from "./Endings.ts"
import type { House } from "./House.ts"
import type { Trouble } from "./Options.ts"
import type { Death } from "./Process.ts"
import { hour, minute, type Stage } from "./Stage.ts"
import type { Decisions } from "./Truth.ts"

export interface Troubles {
  begin(): void
  /** Everybody is up, on disks with room and with clocks that are right. */
  end(): void
}

interface Backup {
  readonly disk: ReadonlyMap<string, string>
  readonly decisions: Decisions
  readonly atMs: number
}

const deathOf = (chance: Chance): Death =>
  chance.happens(0.4) ? { kind: "before the commit" } : { kind: "after the commit", performs: chance.whole(0, 4) }

export const makeTroubles = (stage: Stage): Troubles => {
  const { clock, options } = stage
  const has = (trouble: Trouble) => options.troubles.includes(trouble)
  const backups = new Map<House, Backup>()

  const start = (house: House) => {
    if (!house.isUp) house.start()
  }
  const backUp = (house: House) => {
    backups.set(house, { disk: new Map(house.disk), decisions: stage.truth.copyOf(house.name), atMs: clock.nowMs })
  }
  /** Puts an older disk in place of the one that is there. Only at rest. */
  const restore = (house: House, what: Trouble) => {
    const backup = backups.get(house)
    if (backup === undefined || house.isUp || backup.disk.size === 0) return
    stage.count(what)
    const forgot = forgotten(house, backup.disk, stage.houses)
    stage.truth.rollbacks.push({ house: house.name, fromMs: backup.atMs, atMs: clock.nowMs, forgot })
    stage.truth.decisions.set(house.name, backup.decisions)
    house.disk.clear()
    for (const [place, value] of backup.disk) house.disk.set(place, value)
    backups.delete(house)
  }
  /** Ends a house's process, does something at rest, and brings it back. */
  const leave = (house: House, chance: Chance, awayMs: number, atRest: () => void) => {
    const isCrash = has("crash") && chance.happens(0.6)
    const withinMs = isCrash ? chance.whole(1, minute) : 0
    if (isCrash) {
      stage.count("crash")
      house.crash(deathOf(chance), withinMs)
    } else house.stop()
    clock.after(withinMs + awayMs / 2, () => {
      if (!house.isUp) atRest()
    })
    clock.after(withinMs + awayMs, () => start(house))
  }
  const rotate = (house: House, chance: Chance) => {
    if (!has("rotate") || !chance.happens(0.3)) return
    stage.count("rotate")
    house.rotate(chance.happens(0.2) ? "compromise" : "scheduled")
    stage.truth.keys.get(house.name)?.add(house.identityKey)
  }
  /** A house's days: up for a while, away for a while. */
  const live = (house: House, chance: Chance) => {
    const upMs = minute + chance.gap(70 * minute)
    clock.after(upMs, () => {
      if (stage.healed) return
      const awayMs =
        options.duty === 1
          ? chance.whole(1_000, 20_000)
          : minute + chance.gap((upMs * (1 - options.duty)) / options.duty)
      const goesBack = has("older disk") && chance.happens(0.25)
      leave(house, chance, awayMs, () => {
        if (goesBack) restore(house, "older disk")
        rotate(house, chance)
      })
      if (has("older disk") && chance.happens(0.5)) clock.after(chance.whole(1, 2 * hour), () => backUp(house))
      clock.after(awayMs + minute, () => live(house, chance))
    })
  }
  /** What was written in the last seconds before a power cut never reached the disk. */
  const loseWrites = (house: House, chance: Chance) => {
    backUp(house)
    clock.after(chance.whole(1_000, 20_000), () => {
      if (!house.isUp || stage.healed) return
      house.crash({ kind: "before the commit" }, 0)
      clock.after(1_000, () => restore(house, "lost writes"))
      clock.after(5_000, () => start(house))
    })
  }
  const acts: Readonly<Partial<Record<Trouble, (house: House, chance: Chance) => void>>> = {
    "lost writes": loseWrites,
    "full disk": (house, chance) => {
      stage.count("full disk")
      house.storage.full = true
      clock.after(chance.whole(1, 15) * minute, () => {
        house.storage.full = false
      })
    },
    "slow disk": (house, chance) => {
      stage.count("slow disk")
      house.storage = { full: house.storage.full, commitMs: [50, 1_500] }
      clock.after(chance.whole(1, 30) * minute, () => {
        house.storage = { full: house.storage.full, commitMs: [1, 6] }
      })
    },
    jump: (house, chance) => {
      stage.count("jump")
      house.skewMs += chance.pick([-1, 1]) * chance.whole(1, 90) * minute
      clock.after(chance.whole(5, 40) * minute, () => {
        house.skewMs = 0
      })
    },
    freeze: (house, chance) => {
      stage.count("freeze")
      house.process?.freeze(chance.whole(1_000, 90_000))
    }
  }
  const repeat = (house: House, chance: Chance, act: (house: House, chance: Chance) => void) => {
    clock.after(chance.gap(3 * hour), () => {
      if (stage.healed) return
      act(house, chance)
      repeat(house, chance, act)
    })
  }
  return {
    begin: () => {
      for (const house of stage.houses) {
        const chance = stage.chance.stream(`life of ${house.name}`)
        if (has("skew")) {
          stage.count("skew")
          house.skewMs = chance.whole(-120, 120) * 1_000
        }
        if (options.duty < 1 || has("crash") || has("rotate") || has("older disk")) live(house, chance)
        for (const trouble of options.troubles) {
          const act = acts[trouble]
          if (act !== undefined) repeat(house, stage.chance.stream(`${trouble} of ${house.name}`), act)
        }
      }
    },
    end: () => {
      for (const house of stage.houses) {
        house.skewMs = 0
        house.storage = { full: false, commitMs: [1, 6] }
        // Whoever is still to crash does it now; who is away comes.
        clock.after(3 * minute, () => start(house))
        clock.after(20 * minute, () => start(house))
      }
    }
  }
}
