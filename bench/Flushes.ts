/**
 * Counts how often this process makes a file durable: every fsync and fdatasync, in place or through the thread pool.
 * It changes nothing about them, and knows nothing of what is flushed or why.
 * It wraps Node's own functions, so that what is counted is what the shipped adapters call.
 */
import fs from "node:fs"
import promises from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"

type Call = (...args: ReadonlyArray<unknown>) => unknown
type Calls = Record<string, Call>

/** Starts counting; the result says how many there were so far. */
export const countFlushes = async (): Promise<() => number> => {
  let count = 0
  const wrap = (calls: Calls, names: ReadonlyArray<string>) => {
    for (const name of names) {
      const original = calls[name]!
      calls[name] = function (this: unknown, ...args: ReadonlyArray<unknown>) {
        count++
        return original.apply(this, [...args])
      }
    }
  }
  const probe = await promises.open("/dev/null", "r")
  wrap(Object.getPrototypeOf(probe) as Calls, ["sync", "datasync"])
  await probe.close()
  wrap(fs as unknown as Calls, ["fsyncSync", "fdatasyncSync"])
  syncBuiltinESMExports()
  return () => count
}
