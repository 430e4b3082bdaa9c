/**
 * Inside a process that shall die: counts its I/O calls by name, lists them, and ends it at the chosen one.
 * It never changes a call that is not the chosen one, and never dies without having written where.
 * The note of the death is written with calls taken before anything was wrapped, so that it cannot itself be counted.
 */
import { openSync, writeSync } from "node:fs"
import * as Point from "./Point.ts"

export interface Trip {
  /** Counts a call; gives the mode if this is the one to die at. Dies at once if the process should be dead already. */
  readonly enter: (operation: string, canTear: boolean) => Point.Mode | undefined
  /** Notes the point and kills this process. */
  readonly die: () => never
  /** Lets the network take what it was given, with every further I/O call cut off, then dies. */
  readonly dieSoon: () => void
}

export interface Settings {
  /** The point, as `Point.printDeath` writes it; empty to die nowhere. */
  readonly death: string
  /** Whether counting waits for a signal SIGUSR2. */
  readonly waits: boolean
  /** A file to append to: calls while nothing is to die, else the death. */
  readonly record: string
}

/** What the parent reads from the record: one call or one death a line. */
export const deathPrefix = "died "

/** Turns of the event loop in which libuv hands datagrams to the kernel. */
const turnsForTheNetwork = 3

export const makeTrip = ({ death, record, waits }: Settings): Trip => {
  const chosen = Point.parseDeath(death)
  const out = openSync(record, "a", 0o600)
  const write = writeSync
  const { kill, pid } = process
  const counts = new Map<string, number>()
  let counting = !waits
  let dying = false

  const note = (line: string) => void write(out, `${line}\n`)
  const die = (): never => {
    note(`${deathPrefix}${death}`)
    kill.call(process, pid, "SIGKILL")
    // The kernel has ended us before this line; it is here for the compiler.
    throw new Error("a process outlived its death")
  }
  if (waits) {
    process.on("SIGUSR2", () => {
      counting = true
      write(1, '{"event":"counting"}\n')
    })
  }
  return {
    enter: (operation, canTear) => {
      if (dying) die()
      if (!counting) return undefined
      const ordinal = (counts.get(operation) ?? 0) + 1
      counts.set(operation, ordinal)
      if (chosen === undefined) note(`${canTear ? "w" : "-"} ${operation}`)
      return chosen?.operation === operation && chosen.ordinal === ordinal ? chosen.mode : undefined
    },
    die,
    dieSoon: () => {
      dying = true
      let turns = 0
      const wait = () => (++turns > turnsForTheNetwork ? die() : setImmediate(wait))
      setImmediate(wait)
    }
  }
}
