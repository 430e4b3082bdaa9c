/**
 * Which tests there are, in three tiers, and how long one may take.
 * It never names a test; a file's name says to which tier it belongs.
 * Each file runs in a process of its own, so that what one leaves behind cannot make another pass.
 */
import { defineConfig } from "vitest/config"

/** Three tiers: `fast` is what `npm test` runs, `slow` holds the long stories, `tidy` reads the sources. */
const tier = (name: string, include: Array<string>, exclude: Array<string>, testTimeout: number) => ({
  test: { name, include, exclude, testTimeout, hookTimeout: 60_000, pool: "forks" as const }
})

export default defineConfig({
  test: {
    projects: [
      tier("fast", ["property-tests/**/*.test.ts"], ["**/*.slow.test.ts", "**/tidy.test.ts"], 30_000),
      tier("slow", ["property-tests/**/*.slow.test.ts"], [], 900_000),
      tier("tidy", ["property-tests/tidy.test.ts"], [], 60_000)
    ]
  }
})
