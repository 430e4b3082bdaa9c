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
