/**
 * Which tests there are, in three tiers, and how long one may take.
 * It never names a test; a file's name says to which tier it belongs.
 * Each file runs in a process of its own, so that what one leaves behind cannot make another pass.
 */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** Programs that tests start load what they load from here: compiling it anew is most of what a short one does. */
const env = { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url)) }

/** Three tiers: `fast` is what `npm test` runs, `slow` holds the long stories, `tidy` reads the sources. */
const tier = (name: string, include: Array<string>, exclude: Array<string>, testTimeout: number) => ({
  test: { name, env, include, exclude, testTimeout, hookTimeout: 60_000, pool: "forks" as const }
})

export default defineConfig({
  test: {
    // Most of a story is waiting for another process.
    maxWorkers: 2,
    projects: [
      tier("fast", ["property-tests/**/*.test.ts"], ["**/*.slow.test.ts", "**/tidy.test.ts"], 120_000),
      tier("slow", ["property-tests/**/*.slow.test.ts"], [], 900_000),
      tier("tidy", ["property-tests/tidy.test.ts"], [], 60_000)
    ]
  }
})
