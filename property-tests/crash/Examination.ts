/**
 * What can be learnt from outside of a process that hangs: how it ended, or whether it works, waits or is stopped.
 * It never ends the process, and never believes that it still answers: each question has a time limit.
 * Node writes a report of itself at a signal, from a thread of its own, so that even a busy loop cannot withhold it.
 */
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import type { Child } from "../../plugin/standalone/Child.ts"

/** What a JVM has dumped its threads at for decades; Node itself leaves it alone, and our program does not know it. */
const signal = "SIGQUIT"
const reportLimitMs = 1_500

const fileOf = (name: string): string => `report-${name}.json`

/** How a process has to be started so that it can be examined. */
export const nodeOptions = (folder: string, name: string): string =>
  `--report-on-signal --report-signal=${signal} --report-exclude-network ` +
  `--report-directory=${folder} --report-filename=${fileOf(name)}`

/** State, processor time (user, system, in ticks) and what the kernel waits for; undefined where `/proc` has nothing. */
const processState = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return `state ${fields[0]}, ${fields[11]} and ${fields[12]} ticks, in ${readFileSync(`/proc/${pid}/wchan`, "latin1")}`
  } catch {
    return undefined
  }
}

interface Handle {
  readonly type: string
  readonly is_active: boolean
}

/** What its event loop waits for, by kind: `3 udp, 1 timer`. Empty if the report is not there, or not whole yet. */
const handlesIn = (file: string): string => {
  try {
    const { libuv } = JSON.parse(readFileSync(file, "utf8")) as { readonly libuv: ReadonlyArray<Handle> }
    const kinds = Map.groupBy(
      libuv.filter(({ is_active, type }) => is_active && type !== "loop"),
      ({ type }) => type
    )
    return [...kinds].map(([kind, handles]) => `${handles.length} ${kind}`).join(", ")
  } catch {
    return ""
  }
}

const askForHandles = async (file: string, pid: number): Promise<string> => {
  rmSync(file, { force: true })
  try {
    process.kill(pid, signal)
  } catch {
    return "gone before it could be asked"
  }
  for (let waitedMs = 0; waitedMs < reportLimitMs; waitedMs += 50) {
    await pause(50)
    const handles = handlesIn(file)
    if (handles !== "") return `its loop has ${handles}`
  }
  return "it does not report on itself"
}

/** One sentence about a process that was started with `nodeOptions` for the same folder and name. */
export const examine = async (folder: string, name: string, child: Pick<Child, "pid" | "over">): Promise<string> => {
  const nothing = Symbol()
  const ending = await Promise.race([child.over, pause(0, nothing)])
  if (typeof ending !== "symbol") {
    return `process ${child.pid}: ended by ${ending.signal ?? `itself with exit code ${ending.code}`}`
  }
  const state = processState(child.pid)
  if (state === undefined) return `process ${child.pid}: gone, but its pipes are still open`
  return `process ${child.pid}: ${state}; ${await askForHandles(join(folder, fileOf(name)), child.pid)}`
}
