/**
 * `npm run fuzz -- TARGET`: gives a reader inputs that no honest peer would send, led by what they reach in our code.
 * It holds no logic but its options; the loop, the readers and what must hold for them are beside it.
 * Exit codes: 0 nothing found, 1 something found, 2 asked for in a way we do not understand.
 */
import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import * as Chance from "../simulation/Chance.ts"
import * as Corpus from "./Corpus.ts"
import { Coverage } from "./Coverage.ts"
import { examine } from "./Examine.ts"
import { type Fuzzed, fuzz } from "./Fuzzer.ts"
import type { Target } from "./Target.ts"
import { targets } from "./Targets.ts"

const usage = `npm run fuzz -- [TARGET…] [options]

${targets.map(({ name, says }) => `  ${name.padEnd(20)}${says}`).join("\n")}

  --minutes M     for each target (default 1); without a TARGET all of them, one after the other
  --seed N        decides the mutations; a fresh one is printed
  --input TEXT    read one input alone: base64, or - for what standard input says
  --keep          add to the corpus in the repository what reached something new
  --json          the last line is [{"target", "inputs", "findings", "kept"}, …]
`

const options = {
  minutes: { type: "string", default: "1" },
  seed: { type: "string" },
  input: { type: "string" },
  keep: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const readSettings = (args: ReadonlyArray<string>) => {
  const { positionals, values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: true })
  if (values.help) return "help" as const
  const unknown = positionals.find((name) => !targets.some((target) => target.name === name))
  if (unknown !== undefined) throw new Error(`no target is called "${unknown}"`)
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Error(`--minutes "${values.minutes}": a number above 0 is expected`)
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed)
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`--seed "${values.seed}": a whole number is expected`)
  if (values.input !== undefined && positionals.length !== 1) throw new Error("--input needs one TARGET")
  const chosen = positionals.length === 0 ? targets : targets.filter(({ name }) => positionals.includes(name))
  return { chosen, minutes, seed, input: values.input, keep: values.keep, json: values.json }
}

/** For so long, with a word about how far it is every ten seconds. */
const forMinutes = (minutes: number, { name }: Target, coverage: Coverage): ((inputs: number) => boolean) => {
  const untilMs = performance.now() + minutes * 60_000
  let saidAtMs = performance.now()
  return (inputs) => {
    const nowMs = performance.now()
    if (nowMs - saidAtMs > 10_000) {
      saidAtMs = nowMs
      process.stderr.write(
        `${name}: ${inputs} inputs, ${coverage.size} blocks, ${Math.ceil((untilMs - nowMs) / 1_000)} s left\n`
      )
    }
    return nowMs < untilMs
  }
}

const report = ({ findings, inputs, kept, target }: Fuzzed, blocks: number): void => {
  process.stdout.write(
    `${findings.length === 0 ? "✓" : "✗"} ${target}: ${inputs} inputs, ${blocks} blocks reached, ` +
      `${kept.length} inputs reached something new, ${findings.length} findings\n`
  )
  for (const { input, what } of findings) {
    process.stdout.write(`  ${what}\n`)
    process.stdout.write(`  again: npm run fuzz -- ${target} --input ${Buffer.from(input).toString("base64")}\n`)
  }
}

const readOne = async (target: Target, input: string): Promise<number> => {
  const bytes = input === "-" ? readFileSync(0) : Buffer.from(input, "base64")
  const reading = await Promise.resolve()
    .then(() => target.read(bytes))
    .catch((error: unknown) => `threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  process.stdout.write(`${reading}\n`)
  const { wrong } = await examine(target, bytes, Chance.of("one input"))
  if (wrong !== undefined) process.stdout.write(`${wrong}\n`)
  return wrong === undefined ? 0 : 1
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { chosen, input, json, keep, minutes, seed } = settings
  if (input !== undefined) return readOne(chosen[0]!, input)
  process.stdout.write(`seed ${seed}\n`)
  const results: Array<Fuzzed> = []
  for (const target of chosen) {
    const coverage = new Coverage()
    const corpus = Corpus.load(target.name)
    const fuzzed = await fuzz(target, { seed, corpus, coverage, goOn: forMinutes(minutes, target, coverage) })
    report(fuzzed, coverage.size)
    coverage.end()
    if (keep) Corpus.save(target.name, [...fuzzed.findings.map((one) => one.input), ...fuzzed.kept])
    results.push(fuzzed)
  }
  const summary = results.map(({ findings, inputs, kept, target }) => ({
    target,
    inputs,
    findings: findings.length,
    kept: kept.length
  }))
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return results.every(({ findings }) => findings.length === 0) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
