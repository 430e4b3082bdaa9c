/**
 * `npm run duty-cycle`: two nodes that are up 30 % of the time, for weeks of simulated time, and how long things take.
 * It holds no logic but its options; the story, the checks and the report are beside it.
 * Exit codes: 0 nothing wrong, 1 something was lost, doubled, late or alarming, 2 asked for in a way we do not understand.
 */
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { play, type Settings } from "./DutyCycle.ts"
import * as Report from "./Report.ts"

const usage = `npm run duty-cycle -- [options]

  --seed N    decides everything; a fresh one is printed
  --days N    simulated days (default 28)
  --duty X    the share of time that each node is up (default 0.3)
  --json      the last line is {"seed", "days", "delivery", "news", "violations", …}
`

const options = {
  seed: { type: "string" },
  days: { type: "string", default: "28" },
  duty: { type: "string", default: "0.3" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const numberFrom = (name: string, text: string, least: number, most: number): number => {
  const number = Number(text)
  if (text.trim() !== "" && number >= least && number <= most) return number
  throw new Error(`--${name} "${text}": a number from ${least} to ${most} is expected`)
}

const readSettings = (args: ReadonlyArray<string>): (Settings & { readonly json: boolean }) | "help" => {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help) return "help"
  return {
    seed: numberFrom("seed", values.seed ?? String(Date.now() % 1_000_000), 0, Number.MAX_SAFE_INTEGER),
    days: numberFrom("days", values.days, 0.1, 365),
    duty: numberFrom("duty", values.duty, 0.01, 0.99),
    json: values.json
  }
}

const main = (args: ReadonlyArray<string>): number => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { json, ...story } = settings
  const results = play(story)
  for (const line of Report.report(results)) process.stdout.write(`${line}\n`)
  const summary = Report.summarise(results)
  if (json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return summary.violations === 0 ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
