/**
 * `npm run simulate:batch`: one seed after the other, for so long or so many, in shards that can be taken up again.
 * It holds no logic but its options and the file of lines; a seed's run is the simulator's.
 * Exit codes: 0 nothing wrong, 1 a seed found something, 2 asked for in a way we do not understand.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname } from "node:path"
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { type Line, report, runSeed, summarise } from "./Batch.ts"

const usage = `npm run simulate:batch -- [options]

  --seeds A..B    which seeds (default 1..10000)
  --minutes M     stop after so many minutes (default 10)
  --shard I/N     every N-th seed, from the I-th on (1/2 and 2/2 together are all)
  --resume        go on where the state file ends, instead of anew
  --state FILE    a line for each seed (default node_modules/.cache/simulate-I-N.jsonl)
  --json          the last line is {"seeds", "turns", "virtualHours", "checks", "faults", "violations"}
`

const options = {
  seeds: { type: "string", default: "1..10000" },
  minutes: { type: "string", default: "10" },
  shard: { type: "string", default: "1/1" },
  resume: { type: "boolean", default: false },
  state: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const pair = (name: string, text: string, between: string): readonly [number, number] => {
  const [first, second, ...rest] = text.split(between).map(Number)
  if (rest.length > 0 || !Number.isInteger(first) || !Number.isInteger(second) || first! > second! || first! < 0) {
    throw new Error(
      `--${name} "${text}": two whole numbers with ${between} between them are expected, the smaller first`
    )
  }
  return [first!, second!]
}

const readSettings = (args: ReadonlyArray<string>) => {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help) return "help"
  const [index, count] = pair("shard", values.shard, "/")
  if (index < 1) throw new Error(`--shard "${values.shard}": the first is 1/${count}`)
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes "${values.minutes}": a number above 0 is expected`)
  return {
    seeds: pair("seeds", values.seeds, ".."),
    minutes,
    shard: [index, count] as const,
    resume: values.resume,
    state: values.state ?? `node_modules/.cache/simulate-${index}-${count}.jsonl`,
    json: values.json
  }
}

/** The lines of a state file. One that a crash cut short is left out, and its seed is run again. */
const readLines = (file: string): Array<Line> =>
  !existsSync(file)
    ? []
    : readFileSync(file, "utf8")
        .split("\n")
        .flatMap((line): Array<Line> => {
          try {
            return [JSON.parse(line) as Line]
          } catch {
            return []
          }
        })

const main = (args: ReadonlyArray<string>): number => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { json, minutes, resume, seeds, shard, state } = settings
  const [first, last] = seeds
  const [index, count] = shard
  mkdirSync(dirname(state), { recursive: true })
  if (!resume) rmSync(state, { force: true })
  const lines = readLines(state)
  const known = new Set(lines.map(({ seed }) => seed))
  const untilMs = performance.now() + minutes * 60_000
  let sinceMs = performance.now()
  for (let seed = first + index - 1; seed <= last && performance.now() < untilMs; seed += count) {
    if (known.has(seed)) continue
    const line = runSeed(seed)
    lines.push(line)
    appendFileSync(state, `${JSON.stringify(line)}\n`)
    for (const what of line.violations.slice(0, 1)) process.stdout.write(`seed ${seed}: ${what}\n`)
    if (performance.now() - sinceMs < 10_000) continue
    sinceMs = performance.now()
    process.stderr.write(`seed ${seed}, ${lines.length} done\n`)
  }
  for (const line of report(lines)) process.stdout.write(`${line}\n`)
  const summary = summarise(lines)
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return summary.violations === 0 ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
