/**
 * `npm run chat-systems`: handshakes in twelve models of chat systems, and spoiled lines that nobody must take.
 * It holds no logic but its options; systems, handshakes and spoiled lines are beside it.
 * Exit codes: 0 all as it must be, 1 too few complete, a wrong peer or a spoiled line taken, 2 not understood.
 */
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { type System, systems } from "./Systems.ts"
import type { Trial } from "./Trial.ts"

const usage = `npm run chat-systems -- [options]

  --handshakes N  in each system (default 2000)
  --from N        the number of the first (default 0): with --handshakes 1 one handshake alone
  --mutated N     spoiled lines (default 20000)
  --system NAME   one system alone: ${systems.map(({ name }) => name).join(", ")}
  --seed N        decides everything; a fresh one is printed
  --json          the last line is {"seed", "systems": [{"system", "handshakes", "complete", …}], "mutated", "taken"}
`

/** Of how many handshakes all but one must be complete within three lines a side. */
const completeOf = 1_000
const peopleCount = 256

const options = {
  handshakes: { type: "string", default: "2000" },
  from: { type: "string", default: "0" },
  mutated: { type: "string", default: "20000" },
  system: { type: "string" },
  seed: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const whole = (name: string, text: string): number => {
  const number = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number
  throw new Error(`--${name} "${text}": a whole number is expected`)
}

const systemsNamed = (name: string | undefined): ReadonlyArray<System> => {
  const found = name === undefined ? systems : systems.filter((one) => one.name === name)
  if (found.length > 0) return found
  throw new Error(`--system "${name}": one of ${systems.map((one) => one.name).join(", ")}`)
}

const readSettings = (args: ReadonlyArray<string>) => {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help) return "help" as const
  return {
    count: whole("handshakes", values.handshakes),
    from: whole("from", values.from),
    mutated: whole("mutated", values.mutated),
    chosen: systemsNamed(values.system),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : whole("seed", values.seed),
    json: values.json
  }
}

/** A line that is written over while it grows, on a terminal only. */
const progress = (what: string, count: number) => (done: number) => {
  if (process.stderr.isTTY && done % 500 === 0) process.stderr.write(`\r${what}: ${done} of ${count}\u001b[K`)
  if (process.stderr.isTTY && done === count) process.stderr.write("\r\u001b[K")
}

const isEnough = ({ complete, handshakes, wrongPeers }: Trial): boolean =>
  wrongPeers === 0 && (handshakes - complete) * completeOf <= handshakes

const inWords = (trial: Trial, seed: number): string => {
  const { complete, handshakes, incomplete, lines, system, wrongPeers } = trial
  const again = incomplete.map((number) => `--system ${system} --seed ${seed} --from ${number} --handshakes 1`)[0]
  return (
    `${isEnough(trial) ? "✓" : "✗"} ${system}: ${complete} of ${handshakes} complete, ${wrongPeers} wrong peers; ` +
    `asked once ${lines[0]}, twice ${lines[1]}, three times ${lines[2]}` +
    (again === undefined ? "" : `\n  the first that was not: npm run chat-systems -- ${again} --mutated 0`)
  )
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { chosen, count, from, json, mutated, seed } = settings
  process.stdout.write(`seed ${seed}; again: npm run chat-systems -- --seed ${seed} --handshakes ${count}\n`)
  const { makePeople, tryHandshakes, tryMutations } = await import("./Trial.ts")
  const people = makePeople(peopleCount)
  const trials = chosen.map((system) => {
    const trial = tryHandshakes(system, people, seed, { count, from, onProgress: progress(system.name, count) })
    process.stdout.write(`${inWords(trial, seed)}\n`)
    return trial
  })
  const taken = tryMutations(people, seed, mutated, progress("spoiled lines", mutated))
  process.stdout.write(`${taken.length === 0 ? "✓" : "✗"} ${mutated} spoiled lines, ${taken.length} taken\n`)
  for (const line of taken.slice(0, 5)) process.stdout.write(`  ${line}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ seed, systems: trials, mutated, taken: taken.length })}\n`)
  return taken.length === 0 && trials.every(isEnough) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
