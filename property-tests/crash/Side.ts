/**
 * One end of the story: a real process that may be started to die, and is started again, unharmed, when it has.
 * It never reaches into the process; it types lines, reads what is told, and sees how a life ended.
 * What was told is kept over all lives, because what was told once must not be told otherwise later.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Child from "../../plugin/standalone/Child.ts"
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
  /** Whether the present life is up; throws `Mishap`. */
  isUp(): boolean
  /** How many lives there have been. */
  lives(): number
  type(line: string): void
  /** Calls count from here on; true when the process has said so. */
  count(): void
  /** Whether it died where it should, and was seen to. */
  died(): boolean
  /** What the system says of the present process: for a hang, whether it works, waits or is stopped. */
  whereabouts(): string
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
      ...["--name", name, "--data", dataFolderOf(place, name)],
      ...["--room", join(place.world, "room.txt"), "--bootstrap", place.bootstrap]
    ],
    {
      NODE_OPTIONS: `--import ${preload}`,
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
    void child.over.then(async ({ code, signal }) => {
      const noted = recordOf(place, name).some((line) => line.startsWith(deathPrefix))
      const planned = armed && signal === "SIGKILL" && noted
      if (planned) died = true
      if (ending) return
      if (planned) live(false)
      else mishap = `${name} ended by itself (${signal ?? `exit code ${code}`}): ${await lastWords(child)}`
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
    isUp: () => {
      if (mishap !== undefined) throw new Mishap(mishap)
      return lives.length > 0 && now().told.some((told) => told.event === "started")
    },
    lives: () => lives.length,
    type: (line) => now().type(line),
    count: () => void process.kill(now().pid, "SIGUSR2"),
    died: () => died,
    whereabouts: () => `${name}, process ${now().pid}: ${processState(now().pid)}`,
    end: () => stop("SIGTERM"),
    kill: () => stop("SIGKILL")
  }
}

/** State, processor time (user, system, in ticks) and what the kernel waits for; empty where there is no `/proc`. */
const processState = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return `state ${fields[0]}, ${fields[11]} and ${fields[12]} ticks, in ${readFileSync(`/proc/${pid}/wchan`, "latin1")}`
  } catch {
    return "gone"
  }
}

/** The newest events of a process that is gone, and what it wrote on standard error. */
const lastWords = (child: Child.Child): Promise<string> =>
  child
    .wait("anything more", () => false, 1)
    .then(
      () => "",
      (error: unknown) => String(error)
    )
