/**
 * Another node in a process of its own, driven like a person would: lines in, JSON events out.
 * It never reaches into the node; what cannot be seen from outside cannot be waited for.
 * The demo and the long stories both stand on it, so that they exercise the shipped program and nothing else.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** One line a node printed. */
export type Told = Readonly<Record<string, unknown>> & { readonly event: string }

export interface Child {
  readonly pid: number
  /** Everything told so far. */
  readonly told: ReadonlyArray<Told>
  /** What it printed otherwise, line by line: its standard error, and what is no event. */
  readonly muttered: ReadonlyArray<string>
  /** Types a line at the node's prompt. */
  type(line: string): void
  /** The first event, from `after` on, that matches; fails with the newest events after `limitMs`. */
  wait(what: string, matches: (told: Told) => boolean, limitMs?: number, after?: number): Promise<Told>
  /** Ends the node (SIGTERM), or kills it; gives its exit code, null if a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** How the node ended, once it has. */
  readonly over: Promise<Ending>
}

/** An exit code, or the signal that came first. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The program, from the sources or from dist. */
export const program = (): string => {
  const near = fileURLToPath(new URL("../wopr-p2p.js", import.meta.url))
  return existsSync(near) ? near : fileURLToPath(new URL("../../../plugin/wopr-p2p.js", import.meta.url))
}

interface Waiter {
  readonly matches: (told: Told) => boolean
  readonly resolve: (told: Told) => void
}

const parseTold = (line: string): Told | undefined => {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === "object" && value !== null && "event" in value && typeof value.event === "string"
      ? (value as Told)
      : undefined
  } catch {
    return undefined
  }
}

/** How the process ended, once its last word is read as well. */
const ended = (child: ChildProcess): Promise<Ending> =>
  new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }))
  })

/** Starts `wopr-p2p run --json` with more arguments. It ends when this process does, however that ends. */
export const start = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}): Child => {
  const child = spawn(process.execPath, [program(), "run", "--json", "--attached", ...args], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env }
  })
  const told: Array<Told> = []
  const muttered: Array<string> = []
  const waiters = new Set<Waiter>()
  const over = ended(child)
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const one = parseTold(line)
    if (one === undefined) return void muttered.push(line)
    told.push(one)
    for (const waiter of waiters) {
      if (!waiter.matches(one)) continue
      waiters.delete(waiter)
      waiter.resolve(one)
    }
  })
  createInterface({ input: child.stderr! }).on("line", (line) => muttered.push(line))
  child.stdin!.on("error", () => {})

  const wait: Child["wait"] = (what, matches, limitMs = 40_000, after = 0) => {
    const already = told.slice(after).find(matches)
    if (already !== undefined) return Promise.resolve(already)
    return new Promise((resolve, reject) => {
      const waiter = { matches, resolve: (one: Told) => settle(() => resolve(one)) }
      const fail = (why: string) => {
        const newest = told.slice(-6).map((one) => JSON.stringify(one))
        settle(() =>
          reject(new Error(`${why} while waiting for: ${what}\n${[...newest, ...muttered.slice(-6)].join("\n")}`))
        )
      }
      const timer = setTimeout(() => fail(`nothing after ${limitMs} ms`), limitMs)
      const settle = (then: () => void) => {
        clearTimeout(timer)
        waiters.delete(waiter)
        then()
      }
      waiters.add(waiter)
      void over.then(() => fail("the node ended"))
    })
  }
  return {
    pid: child.pid ?? -1,
    told,
    muttered,
    type: (line) => {
      child.stdin!.write(`${line}\n`)
    },
    wait,
    stop: (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      return over.then(({ code }) => code)
    },
    over
  }
}
