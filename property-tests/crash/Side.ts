/**
 * One end of the story: a real process that may be started to die, and is started again, unharmed, when it has.
 * It never reaches into the process; it types lines, reads what is told, and sees how a life ended.
 * What was told is kept over all lives, because what was told once must not be told otherwise later.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Child from "../../plugin/standalone/Child.ts"
import * as Examination from "./Examination.ts"
import type { SideName } from "./Point.ts"
import { deathPrefix } from "./Trip.ts"

/** Where everything of one run lies, and what the network is. */
export interface Place {
  /** What a crash leaves: both data folders and the room. */
  readonly world: string
  /** What is not the nodes' own: records of calls and deaths, the responder's notes. */
  readonly notes: string
  readonly bootstrap: string
  /** Where Node keeps compiled code, so that a start costs less. */
  readonly code: string
}

/** How the first life is started: where it shall die, and whether its calls count from a later moment on. */
export interface Arming {
  readonly death: string
  readonly waits: boolean
}

/** A side did what it never may: it ended without being told to, or did not start. */
export class Mishap extends Error {}

export interface Side {
  readonly name: SideName
  /** All events so far, of all lives. */
  told(): ReadonlyArray<Child.Told>
  /** Those of the present life. */
  toldNow(): ReadonlyArray<Child.Told>
  /** Starts the first life, or a further one after `end`. */
  start(): void
  /** Whether the present life is up. */
  isUp(): boolean
  /** Throws `Mishap`, once there was one: nothing that is waited for comes any more. */
  demandNoMishap(): void
  /** How many lives there have been. */
  lives(): number
  type(line: string): void
  /** Calls count from here on; true when the process has said so. */
  count(): void
  /** Whether it died where it should, and was seen to. */
  died(): boolean
  /** What the present process, and the system, say of it: for a hang, whether it works, waits, is stopped or gone. */
  whereabouts(): Promise<string>
  /** What all lives printed that is no event: mostly their last words on standard error. */
  muttered(): ReadonlyArray<string>
  /** Ends the present life in order. If it dies in that, as it should, that is an end too. */
  end(): Promise<void>
  /** Kills whatever runs. */
  kill(): Promise<void>
}

const preload = new URL("./preload.ts", import.meta.url).href

/** Calls that a process listed, or the note of its death, line by line. */
export const recordOf = (place: Place, name: SideName): ReadonlyArray<string> => {
  const file = join(place.notes, `calls-${name}`)
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []
}

export const dataFolderOf = (place: Place, name: SideName): string => join(place.world, name)

/** The responder's notes of one side: what it was asked, in order. */
export const respondedBy = (place: Place, name: SideName): ReadonlyArray<string> => {
  const file = join(place.notes, `responder-${name}`)
  if (!existsSync(file)) return []
  const lines = readFileSync(file, "utf8").split("\n")
  return lines.filter((line) => line !== "").map((line) => String(JSON.parse(line)))
}

const spawn = (place: Place, name: SideName, arming: Arming | undefined): Child.Child =>
  Child.start(
    [
      ...["--name", name, "--data", dataFolderOf(place, name), "--sandbox", "scripted"],
      ...["--room", join(place.world, "room.txt"), "--bootstrap", place.bootstrap]
    ],
    {
      NODE_OPTIONS: `--import ${preload} ${Examination.nodeOptions(place.notes, name)}`,
      NODE_COMPILE_CACHE: place.code,
      NODE_NO_WARNINGS: "1",
      CRASH_ROOT: place.world,
      CRASH_AT: arming?.death ?? "",
      CRASH_WAITS: arming?.waits === true ? "yes" : "no",
      CRASH_RECORD: arming === undefined ? "/dev/null" : join(place.notes, `calls-${name}`),
      CRASH_RESPONDER: join(place.notes, `responder-${name}`)
    }
  )

/** A side, not started yet. Without an arming no call is looked at. */
export const makeSide = (place: Place, name: SideName, arming: Arming | undefined): Side => {
  const lives: Array<Child.Child> = []
  let died = false
  let ending = false
  let mishap: string | undefined

  const live = (armed: boolean): void => {
    const child = spawn(place, name, armed ? arming : undefined)
    lives.push(child)
    void child.over.then(({ code, signal }) => {
      const noted = recordOf(place, name).some((line) => line.startsWith(deathPrefix))
      const planned = armed && signal === "SIGKILL" && noted
      if (planned) died = true
      if (ending) return
      if (planned) live(false)
      else mishap = `${name} ended by itself (${signal ?? `exit code ${code}`}): ${lastWords(child)}`
    })
  }
  const now = (): Child.Child => lives.at(-1)!
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    ending = true
    await Promise.all(lives.map((child) => child.stop(signal)))
  }
  return {
    name,
    told: () => lives.flatMap((child) => child.told),
    toldNow: () => now().told,
    start: () => {
      ending = false
      live(lives.length === 0)
    },
    isUp: () => lives.length > 0 && now().told.some((told) => told.event === "started"),
    demandNoMishap: () => {
      if (mishap !== undefined) throw new Mishap(mishap)
    },
    lives: () => lives.length,
    type: (line) => now().type(line),
    count: () => {
      try {
        process.kill(now().pid, "SIGUSR2")
      } catch {
        // It is gone, by a mishap that whoever waits for the counting is about to learn of.
      }
    },
    died: () => died,
    whereabouts: async () => `${name}, ${await Examination.examine(place.notes, name, now())}`,
    muttered: () => lives.flatMap((child) => child.muttered),
    end: () => stop("SIGTERM"),
    kill: () => stop("SIGKILL")
  }
}

/** The newest of what a process that is gone told, and of what else it printed. */
const lastWords = (child: Child.Child): string =>
  [...child.told.slice(-6).map((told) => JSON.stringify(told)), ...child.muttered.slice(-30)].join("\n")
