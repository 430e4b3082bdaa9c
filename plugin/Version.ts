/**
 * Which version of this program runs, as its package says.
 * It never guesses: where no package file is found it is unknown.
 * Looked up in two places, because `dist` lies one level deeper than the sources.
 */
import { readFileSync } from "node:fs"

/** The version, or `unknown`. */
export const version = (): string => {
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
