/**
 * A death at every write of a story that pure nodes play: whoever dies comes back on what its journal holds then.
 * The records go through the shipped journal on a real disk, which a death leaves without the last write, with half of it,
 * or with all of it; nothing that was wanted after it has happened.
 * It knows no story: who dies, and at which write, is an argument, and what must hold is the story's to say.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Logger } from "effect"
import { journalName } from "../../adapters/filesystem/Journal.ts"
import * as FileStore from "../../adapters/filesystem/RecordStore.ts"
import { RecordStore, type StoredRecord } from "../../ports/RecordStore.ts"
import { Died, Member, Party } from "../arbitraries/party.ts"
import type { Person } from "../arbitraries/state.ts"

const modes = ["before", "torn", "after"] as const
type Mode = (typeof modes)[number]

/** Who dies at which of its writes, counted from 1, and what the disk has of it. */
export interface Death<Name extends string> {
  readonly victim: Name
  readonly write: number
  readonly mode: Mode
}

/** What a start finds after a death in the last of these writes: the journal is written, cut and read by what is shipped. */
const foundAfter = async (member: Member, mode: Mode, where: string): Promise<ReadonlyArray<StoredRecord>> => {
  const [living, dead] = [join(where, "living"), join(where, "dead")]
  mkdirSync(living, { recursive: true, mode: 0o700 })
  mkdirSync(dead, { recursive: true, mode: 0o700 })
  const journal = join(living, journalName)
  const sizes = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const store = yield* RecordStore
        yield* store.load
        for (const changes of member.commits.slice(0, -1)) yield* store.commit(changes)
        const whole = statSync(journal).size
        yield* store.commit(member.commits.at(-1) ?? [])
        copyFileSync(journal, join(dead, journalName))
        return [whole, statSync(journal).size] as const
      }).pipe(Effect.provide(FileStore.layer({ folder: living })))
    )
  )
  const [whole, all] = sizes
  if (mode !== "after") truncateSync(join(dead, journalName), mode === "before" ? whole : Math.ceil((whole + all) / 2))
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        return yield* (yield* RecordStore).load
      }).pipe(Effect.provide(FileStore.layer({ folder: dead })), Effect.provide(Logger.layer([])))
    )
  )
}

/** One playing of a story: its people, and the death of one of them, if any. */
export class Tale<Name extends string> {
  readonly party = new Party()
  died = false
  readonly #cast: ReadonlyMap<Name, Member>
  readonly #death: Death<Name> | undefined
  readonly #where: string

  constructor(people: ReadonlyMap<Name, Person>, death: Death<Name> | undefined, where: string) {
    this.#cast = new Map([...people].map(([name, person]) => [name, new Member(person)]))
    this.#death = death
    this.#where = where
    if (death !== undefined) this.party.doom = { member: this.of(death.victim), write: death.write }
  }

  of(name: Name): Member {
    return this.#cast.get(name)!
  }

  get members(): ReadonlyArray<Member> {
    return [...this.#cast.values()]
  }

  /** How often each has written. */
  get writes(): ReadonlyMap<Name, number> {
    return new Map([...this.#cast].map(([name, { commits }]) => [name, commits.length]))
  }

  /** Does something at which somebody may die; then it comes back. */
  async dared(act: () => void): Promise<void> {
    try {
      act()
    } catch (error) {
      if (!(error instanceof Died) || this.#death === undefined) throw error
      this.died = true
      const victim = this.of(this.#death.victim)
      const found = await foundAfter(victim, this.#death.mode, this.#where)
      // What is not on the disk was never written, for later starts either.
      if (this.#death.mode !== "after") victim.commits.pop()
      this.party.revive(victim, found)
    }
  }
}

/** Plays a story once without a death, then once for each write of each victim and each mode. Gives the number of points. */
export const atEveryWrite = async <Name extends string>(
  people: ReadonlyMap<Name, Person>,
  victims: ReadonlyArray<Name>,
  play: (tale: Tale<Name>, point: string) => Promise<void>
): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-crash-at-writes-"))
  const told = async (death: Death<Name> | undefined) => {
    const where = mkdtempSync(join(folder, "point-"))
    const tale = new Tale(people, death, where)
    const point = death === undefined ? "nobody dies" : `${death.victim}/write#${death.write}:${death.mode}`
    await play(tale, point)
    if (death !== undefined && !tale.died) throw new Error(`${point} was not reached`)
    rmSync(where, { recursive: true, force: true })
    return tale.writes
  }
  try {
    const writes = await told(undefined)
    let points = 0
    for (const victim of victims) {
      for (let write = 1; write <= (writes.get(victim) ?? 0); write++) {
        for (const mode of modes) {
          await told({ victim, write, mode })
          points++
        }
      }
    }
    return points
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
