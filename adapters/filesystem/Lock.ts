/**
 * One process at a time in a folder: a lock that outlives no one.
 * It never removes a file that a living process made, and never reuses a name.
 * Everyone first puts up a file with a name of its own and only then looks for others. Of two starters at least one
 * therefore sees the other, and a dead one's file can be removed without a race because nobody will ever own it again;
 * with one shared name, taking over from the dead always has a moment in which the living can be robbed.
 */
import { randomBytes, randomInt } from "node:crypto"
import { readFileSync, readlinkSync, statSync } from "node:fs"
import { readdir, readFile, rename, stat, unlink, utimes, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { draftName, errnoOf } from "./Files.ts"

/** How often the holder touches its file. */
export const beatEveryMs = 5_000
/** A holder that we cannot look up (another machine, another container) counts as gone after this long in silence. */
export const silentAfterMs = 30_000

/** Who holds a folder. What `/proc` cannot tell on this system is null. */
export interface Holder {
  readonly pid: number
  readonly host: string
  /** When it took the lock, ISO 8601. */
  readonly since: string
  readonly bootId: string | null
  readonly pidNamespace: string | null
  /** When the process started, in clock ticks since boot: tells a process from a later one with the same number. */
  readonly processStart: string | null
}

export interface Lock {
  /** Whether our file is still there. It is not when somebody deleted it or took us for dead. */
  readonly stillHeld: () => boolean
  readonly beat: () => Promise<void>
  readonly release: () => Promise<void>
}

const lockName = /^lock\.\d+\.[0-9a-f]{12}$/
const attempts = 8

const orNull = (read: () => string): string | null => {
  try {
    return read()
  } catch {
    return null
  }
}

/** State letter and start time of a process from `/proc`, or null. The name in brackets may itself hold brackets. */
const lookUp = (pid: number): { readonly state: string; readonly start: string } | null => {
  const line = orNull(() => readFileSync(`/proc/${pid}/stat`, "latin1"))
  const fields = line?.slice(line.lastIndexOf(")") + 2).split(" ")
  const [state, start] = [fields?.[0], fields?.[19]]
  return state === undefined || start === undefined ? null : { state, start }
}

const ourselves = (): Holder => ({
  pid: process.pid,
  host: hostname(),
  since: new Date().toISOString(),
  bootId: orNull(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()),
  pidNamespace: orNull(() => readlinkSync("/proc/self/ns/pid")),
  processStart: lookUp(process.pid)?.start ?? null
})

const answersSignals = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) === "EPERM"
  }
}

/** Whether the very process that wrote this lock still runs; a zombie does not. */
const runs = (holder: Holder): boolean => {
  const found = lookUp(holder.pid)
  if (found === null) return answersSignals(holder.pid)
  if (found.state === "Z" || found.state === "X") return false
  return holder.processStart === null || holder.processStart === found.start
}

const isAlive = (holder: Holder, us: Holder, silentMs: number): boolean => {
  const sameBoot = holder.bootId !== null && holder.bootId === us.bootId
  if (sameBoot && holder.pidNamespace === us.pidNamespace) return runs(holder)
  if (holder.host === us.host) {
    if (holder.bootId === null || us.bootId === null) return runs(holder)
    if (!sameBoot) return false
  }
  return silentMs < silentAfterMs
}

const parseHolder = (text: string): Holder | null => {
  try {
    const read: Partial<Holder> | null = JSON.parse(text)
    if (read === null || typeof read.pid !== "number" || typeof read.host !== "string") return null
    const { pid, host, since, bootId, pidNamespace, processStart } = read
    return {
      pid,
      host,
      since: since ?? "an unknown time",
      bootId: bootId ?? null,
      pidNamespace: pidNamespace ?? null,
      processStart: processStart ?? null
    }
  } catch {
    return null
  }
}

interface Rival {
  readonly holder: Holder
  readonly ageMs: number
}

/** The living others. Files of the dead, and files that no lock ever was (written whole before they get their name), go. */
const findRivals = async (folder: string, ownName: string, us: Holder): Promise<ReadonlyArray<Rival>> => {
  // Ages are taken against our own file's time, so that both come from the clock of the file system.
  const nowMs = (await stat(join(folder, ownName))).mtimeMs
  const rivals: Array<Rival> = []
  for (const name of (await readdir(folder)).filter((entry) => lockName.test(entry) && entry !== ownName)) {
    const path = join(folder, name)
    try {
      const ageMs = nowMs - (await stat(path)).mtimeMs
      const holder = parseHolder(await readFile(path, "utf8"))
      if (holder !== null && isAlive(holder, us, ageMs)) rivals.push({ holder, ageMs })
      else await unlink(path)
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error
    }
  }
  return rivals
}

/**
 * The living process that holds a folder, looked for without putting anything up and without removing anything. One on
 * another machine counts by how long its file has been silent, by our clock.
 */
export const findHolder = async (folder: string): Promise<Holder | undefined> => {
  const us = ourselves()
  for (const name of (await readdir(folder)).filter((entry) => lockName.test(entry))) {
    const path = join(folder, name)
    const silentMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    const holder = parseHolder(orNull(() => readFileSync(path, "utf8")) ?? "")
    if (holder !== null && isAlive(holder, us, silentMs)) return holder
  }
  return undefined
}

const remove = async (path: string): Promise<void> => {
  await unlink(path).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw error
  })
}

const lookAgainAfterMs = 100

const exists = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined

/** Puts our file up whole: written under a draft name, then renamed, so that nobody reads half of it. */
const putUp = async (folder: string, name: string, us: Holder): Promise<void> => {
  const draft = join(folder, draftName("lock"))
  try {
    await writeFile(draft, `${JSON.stringify(us)}\n`, { mode: 0o600, flag: "wx" })
    await rename(draft, join(folder, name))
  } catch (error) {
    await remove(draft)
    throw error
  }
}

/**
 * Takes the folder's lock, or says who has it. Two starters at the same moment both step back and try again after a
 * random pause; a lock that has been there for a while is refused at once. Throws the system's error.
 */
export const acquireLock = async (folder: string): Promise<Lock | Holder> => {
  const us = ourselves()
  const name = `lock.${us.pid}.${randomBytes(6).toString("hex")}`
  const path = join(folder, name)
  for (let attempt = 1; ; attempt++) {
    await putUp(folder, name, us)
    const rivals = await findRivals(folder, name, us).catch(async (error: unknown) => {
      await remove(path)
      throw error
    })
    const rival = rivals[0]
    if (rival === undefined) break
    await remove(path)
    if (attempt === attempts || rivals.some(({ ageMs }) => ageMs > 2_000)) return rival.holder
    await pause(randomInt(10, 80))
  }
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let held = true
  return {
    // Whoever takes the folder over has waited for seconds: a look ten times a second is soon enough. By the clock on the
    // wall, because the other one stands still while the machine sleeps, and that is when somebody else takes over.
    stillHeld: () => {
      const nowMs = Date.now()
      if (held && nowMs >= lookedAtMs && nowMs - lookedAtMs < lookAgainAfterMs) return true
      lookedAtMs = nowMs
      held = exists(path)
      return held
    },
    beat: async () => {
      const now = new Date()
      await utimes(path, now, now)
    },
    release: () => remove(path)
  }
}
