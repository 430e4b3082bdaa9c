/**
 * Wraps every file call of Node, and the node's own voice on standard output.
 * It never counts a call about another file than those of the story and /proc: loading code is not the node's I/O.
 * Names carry what the file is (journal, lock, room …), so that a point can be read, and found again in another run.
 */
import fs from "node:fs"
import promises, { type FileHandle } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import { basename, extname } from "node:path"
import type { Trip } from "./Trip.ts"

type Call = (...args: ReadonlyArray<unknown>) => unknown
type Table = Record<string, unknown>
type NameOf = (path: unknown) => string | undefined
type Tear = (() => void) | undefined

/** The calls a death itself is made of, taken before anything is wrapped. */
const { openSync, writeSync } = fs

/** What a path is to the node; undefined for what is none of its business. */
const makeNaming =
  (root: string): NameOf =>
  (path) => {
    if (typeof path !== "string") return undefined
    if (path.startsWith("/proc/")) return "proc"
    if (!path.startsWith(root)) return undefined
    const name = basename(path)
    const draft = /^\.(.+)\.[0-9a-f]{12}\.new$/.exec(name)?.[1]
    if (draft !== undefined) return `draft of ${draft}`
    if (/^lock\.\d+\.[0-9a-f]+$/.test(name)) return "lock"
    if (name.endsWith(".jsonl")) return "conversation"
    return extname(name) === "" ? "folder" : name
  }

/** Runs a call that may be the last one. `tear` does half of it, by other means. */
const passing = (trip: Trip, operation: string, tear: Tear, run: () => unknown): unknown => {
  const mode = trip.enter(operation, tear !== undefined)
  if (mode === undefined) return run()
  if (mode === "torn") tear?.()
  if (mode !== "after") return trip.die()
  const result = run()
  return result instanceof Promise ? result.finally(trip.die) : trip.die()
}

const asBuffer = (bytes: unknown): Buffer | undefined => {
  if (typeof bytes === "string") return Buffer.from(bytes)
  return bytes instanceof Uint8Array ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : undefined
}

const halfOf = (bytes: Buffer): Buffer => bytes.subarray(0, Math.ceil(bytes.length / 2))

/** Half of a write on an open file: (buffer, offset, length, position), or (string or buffer) where the file stands. */
const tearOpen = (fd: number, [bytes, offset, length, position]: ReadonlyArray<unknown>): Tear => {
  const whole = asBuffer(bytes)
  if (whole === undefined) return undefined
  const part =
    typeof offset === "number" && typeof length === "number" ? whole.subarray(offset, offset + length) : whole
  const half = halfOf(part)
  return () => void writeSync(fd, half, 0, half.length, typeof position === "number" ? position : null)
}

/** Half of a file that would have been written whole. */
const tearPath = ([path, bytes]: ReadonlyArray<unknown>): Tear => {
  const whole = asBuffer(bytes)
  return whole && (() => void writeSync(openSync(String(path), "a", 0o600), halfOf(whole)))
}

const writes = /^(write|append)/

/** Which of our files is open under which number. A renamed file keeps its number and gets its new name. */
const makeOpenFiles = (nameOf: NameOf) => {
  const paths = new Map<number, string>()
  return {
    opened: (fd: number, path: unknown) => void paths.set(fd, String(path)),
    closed: (fd: number) => void paths.delete(fd),
    renamed: (from: unknown, to: unknown) => {
      for (const [fd, path] of paths) if (path === from) paths.set(fd, String(to))
    },
    nameOf: (fd: unknown) => (typeof fd === "number" ? nameOf(paths.get(fd)) : undefined)
  }
}
type OpenFiles = ReturnType<typeof makeOpenFiles>

/** An open file closes itself by a method of its own, not by one of its kind. */
const wrapClose = (trip: Trip, files: OpenFiles, handle: FileHandle): void => {
  const { close, fd } = handle
  handle.close = () => {
    const operation = `close(${files.nameOf(fd)})`
    files.closed(fd)
    return passing(trip, operation, undefined, () => close.call(handle)) as Promise<void>
  }
}

/** What `open` and `rename` mean for the numbers, whichever of the two kinds of call it was. */
const follow = (trip: Trip, files: OpenFiles, call: string, args: ReadonlyArray<unknown>, result: unknown): unknown => {
  if (result instanceof Promise) return result.then((value) => follow(trip, files, call, args, value))
  const [first, second] = args
  if (call === "openSync") files.opened(result as number, first)
  if (call === "open") {
    files.opened((result as FileHandle).fd, first)
    wrapClose(trip, files, result as FileHandle)
  }
  if (/^rename(Sync)?$/.test(call)) files.renamed(first, second)
  if (call === "closeSync") files.closed(first as number)
  return result
}

/** The journal writes and flushes in place or through the pool, as the disk is quick: for a point these are one call. */
const nameOfCall = (call: string): string =>
  call === "writeSync" ? "write" : call === "fdatasyncSync" ? "datasync" : call

/** Calls whose first argument is a path of ours, or the number of an open file of ours. */
const wrapTable = (trip: Trip, nameOf: NameOf, files: OpenFiles, table: Table, counts: (call: string) => boolean) => {
  for (const [call, original] of Object.entries(table)) {
    if (typeof original !== "function" || /^[A-Z_]/.test(call)) continue
    const wrapped = (...args: ReadonlyArray<unknown>): unknown => {
      const run = () => (original as Call).apply(table, [...args])
      const name = nameOf(args[0]) ?? files.nameOf(args[0])
      if (name === undefined) return run()
      if (!counts(call)) throw new Error(`${call} of ${name}: the crash test does not know how to count this call`)
      const tear = !writes.test(call)
        ? undefined
        : typeof args[0] === "number"
          ? tearOpen(args[0], args.slice(1))
          : tearPath(args)
      return passing(trip, `${nameOfCall(call)}(${name})`, tear, () => follow(trip, files, call, args, run()))
    }
    table[call] = Object.assign(wrapped, original)
  }
}

/** Methods of open files. Those of the other kind (`fd`, streams, events) are left alone. */
const wrapHandles = (trip: Trip, files: OpenFiles, prototype: Table): void => {
  const calls = "read readv readFile write writev writeFile appendFile sync datasync truncate stat chmod utimes"
  for (const call of calls.split(" ")) {
    const original = prototype[call] as Call
    prototype[call] = function (this: FileHandle, ...args: ReadonlyArray<unknown>): unknown {
      const { fd } = this
      const run = () => original.apply(this, [...args])
      const name = files.nameOf(fd)
      if (name === undefined) return run()
      return passing(trip, `${call}(${name})`, writes.test(call) ? tearOpen(fd, args) : undefined, run)
    }
  }
}

/** What the node tells goes through `process.stdout.write`, one line a call. */
const wrapVoice = (trip: Trip): void => {
  const original = process.stdout.write.bind(process.stdout) as Call
  process.stdout.write = ((...args: ReadonlyArray<unknown>) =>
    passing(trip, "write(stdout)", tearOpen(1, [args[0]]), () => original(...args))) as typeof process.stdout.write
}

/** Wraps every file call about files below `root`. To be done before any module imports one of them. */
export const wrapDisk = async (trip: Trip, root: string): Promise<void> => {
  const nameOf = makeNaming(root)
  const files = makeOpenFiles(nameOf)
  const probe = await promises.open("/dev/null", "r")
  const prototype = Object.getPrototypeOf(probe) as Table
  await probe.close()
  wrapHandles(trip, files, prototype)
  wrapTable(trip, nameOf, files, promises as unknown as Table, () => true)
  wrapTable(trip, nameOf, files, fs as unknown as Table, (call) => /Sync$|^watch$/.test(call))
  wrapVoice(trip)
  syncBuiltinESMExports()
}
