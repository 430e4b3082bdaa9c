/**
 * Which version of the program this is, read from its package.
 * It never guesses: where there is no package it says so.
 * A file of its own because the program's help must be there before anything else is loaded.
 */
import { readFileSync } from "node:fs"

/** The version in package.json, or `unknown`. */
export const version = (): string => {
  // dist lies one level deeper than the sources.
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { readonly version?: string }
      if (found.version !== undefined) return found.version
    } catch {
      // The other place is tried.
    }
  }
  return "unknown"
}
