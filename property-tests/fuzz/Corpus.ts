/**
 * Inputs that reach what no other reached, a line each, kept in the repository and read before every run.
 * It never grows without bound: a line is added for new coverage only, the shortest first, and few for each target.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** As many as are replayed by every test run. */
export const inputsMax = 40
/** Longer ones are not kept: what they reach, shorter ones reach as well, a little later. */
const lineCharactersMax = 2_800

const fileOf = (target: string): string => fileURLToPath(new URL(`corpus/${target}.txt`, import.meta.url))

/** The inputs of a target, base64 in the file. */
export const load = (target: string): ReadonlyArray<Uint8Array> =>
  !existsSync(fileOf(target))
    ? []
    : readFileSync(fileOf(target), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => Uint8Array.from(Buffer.from(line, "base64")))

/** Keeps the shortest. */
export const save = (target: string, inputs: ReadonlyArray<Uint8Array>): void => {
  const lines = new Set(inputs.map((input) => Buffer.from(input).toString("base64")))
  const short = [...lines].filter((line) => line.length <= lineCharactersMax)
  const shortest = short.sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).slice(0, inputsMax)
  writeFileSync(fileOf(target), shortest.map((line) => `${line}\n`).join(""))
}
