/**
 * The hashes of twenty seeds, as they are committed: whoever gets others has another history.
 * `node property-tests/simulation/hash-table.ts --write` makes the table anew after a change that is meant to change it.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { ofSeed } from "./Options.ts"
import { play } from "./Simulator.ts"

const file = new URL("hashes.json", import.meta.url)

/** Seeds of the table. */
export const seeds: ReadonlyArray<number> = Array.from({ length: 20 }, (_, index) => 101 + index)

/** Seed → hash, as committed. */
export const table = (): Readonly<Record<string, string>> => JSON.parse(readFileSync(file, "utf8"))

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes("--write")) {
    const hashes = Object.fromEntries(seeds.map((seed) => [seed, play(ofSeed(seed)).hash]))
    writeFileSync(file, `${JSON.stringify(hashes, undefined, 2)}\n`)
  } else {
    for (const arg of process.argv.slice(2)) process.stdout.write(`${play(ofSeed(Number(arg))).hash}\n`)
  }
}
