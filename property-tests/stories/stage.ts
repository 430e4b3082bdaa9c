/**
 * What the stories of whole processes share: a place of their own, and the program run to its end.
 * It never reaches into a node, and never lets one see the folders or the network of whoever runs the tests.
 * Every story has its own UDP port for the local network, because the usual one may be in use by the person at the machine.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { it } from "vitest"
import { program } from "../../plugin/standalone/Child.ts"

/** A free UDP port of 127.0.0.1. Somebody else may take it before we do; nobody on one machine hands it out soon again. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const socket = createSocket("udp4")
    socket.once("error", reject)
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })

/** Whether nobody holds a UDP port of 127.0.0.1. */
export const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4")
    socket.once("error", () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => socket.close(() => resolve(true)))
  })

export interface Place {
  readonly folder: string
  /** Where programs of this story put temporary things; empty once they have cleaned up. */
  readonly temporary: string
  readonly room: string
  readonly port: number
  /** The environment of a program that must not find anything of ours. */
  readonly env: Readonly<Record<string, string>>
}

const places: Array<Place> = []

/** A folder, a room and a port that no other story has. */
export const makePlace = async (): Promise<Place> => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-story-"))
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")]
  mkdirSync(home)
  mkdirSync(temporary)
  const place = {
    folder,
    temporary,
    room: join(folder, "room.txt"),
    port: await freePort(),
    env: {
      HOME: home,
      TMPDIR: temporary,
      WOPR_P2P_HOME: "",
      WOPR_HOME: "",
      WOPR_P2P_DOCKER_SOCKET: "",
      DOCKER_HOST: ""
    }
  }
  places.push(place)
  return place
}

/** Takes every place of this file away again. */
export const clearPlaces = (): void => {
  for (const { folder } of places.splice(0)) rmSync(folder, { recursive: true, force: true })
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  /** What was printed so far. */
  readonly stdout: () => string
  /** Waits until what was printed matches. */
  readonly printed: (pattern: RegExp, limitMs?: number) => Promise<string>
  readonly ended: Promise<Ended>
}

/** Starts the program with these arguments; what it prints is kept. */
export const launch = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Running =>
  observe(spawn(process.execPath, [program(), ...args], { env: { ...process.env, ...env } }))

/** Starts the program on a terminal of its own, 80 columns wide; what is written to it is typed there. */
export const launchOnTerminal = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Running => {
  const words = [process.execPath, program(), ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")
  // `script` copies no size from a pipe, so the terminal is told its width.
  const { FORCE_COLOR: _, NO_COLOR: __, ...inherited } = process.env
  return observe(
    spawn("script", ["-qefc", `stty cols 80 rows 24; exec ${words}`, "/dev/null"], {
      env: { ...inherited, TERM: "xterm-256color", SHELL: "/bin/sh", ...env }
    })
  )
}

/** A test that needs a terminal: skipped aloud where the `script` command is missing. */
export const onTerminals = (name: string, test: () => Promise<void>): void => {
  const present = spawnSync("script", ["--version"]).stdout?.toString().includes("util-linux") === true
  if (!present) console.warn(`SKIPPED: ${name}: there is no script command of util-linux`)
  it.skipIf(!present)(name, test)
}

const observe = (child: ChildProcessWithoutNullStreams): Running => {
  let [stdout, stderr] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text
  })
  child.stdin.on("error", () => {})
  let over = false
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code) => {
      over = true
      resolve({ code, stdout, stderr })
    })
  })
  const printed: Running["printed"] = async (pattern, limitMs = 40_000) => {
    const giveUpMs = performance.now() + limitMs
    while (!pattern.test(stdout)) {
      if (over || performance.now() > giveUpMs) {
        throw new Error(`${over ? "ended" : "silent"} before ${pattern}; it printed:\n${stdout}\n${stderr}`)
      }
      await pause(10)
    }
    return stdout
  }
  return { child, pid: child.pid ?? -1, stdout: () => stdout, printed, ended }
}

/** Runs the program to its end; if it does not end in time it is killed and `code` is null. */
export const finish = async (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  limitMs = 100_000
): Promise<Ended> => {
  const running = launch(args, env)
  const late = setTimeout(() => running.child.kill("SIGKILL"), limitMs)
  running.child.stdin?.end()
  const ended = await running.ended
  clearTimeout(late)
  return ended
}

/** Whether a process runs; one that has ended and was not yet waited for does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

/** What programs of this story have left among the temporary things. */
export const leftovers = ({ temporary }: Place): ReadonlyArray<string> => readdirSync(temporary)

/** Waits until something holds, without an event to wait for: another process does it. */
export const until = async (what: string, holds: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> => {
  const giveUpMs = performance.now() + limitMs
  while (!(await holds())) {
    if (performance.now() > giveUpMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await pause(10)
  }
}
