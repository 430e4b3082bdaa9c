/**
 * `npm run sandbox:red-team`: attempts to get out of the sandbox, each in it and in a control that lacks the protection.
 * It needs a Docker engine on this machine and takes a minute or two; nothing of it stays.
 * Exit codes: 0 none got through and each is proven to be a real attempt, 1 otherwise, 2 not understood or not possible here.
 */
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { attempts, type Outcome, report, tryAll } from "./Campaign.ts"

const usage = `npm run sandbox:red-team -- [options]

  --only TEXT  only attempts whose name holds this
  --list       what is attempted, and what would stand in for a control that cannot be had safely
  --json       the last line is {"attempts", "succeeded", "kitProven"}
`

const readSettings = (args: ReadonlyArray<string>) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false }
    },
    strict: true
  })
  if (values.help) return "help" as const
  const chosen = attempts.filter(({ name }) => name.includes(values.only))
  if (chosen.length === 0) throw new Error(`--only "${values.only}": there is no such attempt`)
  return { chosen, list: values.list, json: values.json }
}

const lineOf = ({ attempt, confined, control }: Outcome): string => {
  const verdict = confined.through ? "GOT THROUGH" : control.through ? "stopped" : "NOT PROVEN"
  return `${verdict.padEnd(12)}${attempt.name}${verdict === "stopped" ? "" : `: ${confined.seen} | control: ${control.seen}`}`
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { chosen, json, list } = settings
  if (list) {
    for (const { means, name, standIn } of chosen)
      process.stdout.write(`${name}: ${means}${standIn === undefined ? "" : ` (${standIn})`}\n`)
    return 0
  }
  if (process.arch !== "x64" || process.platform !== "linux") {
    process.stderr.write("the attempts are system calls by number, on Linux and x86-64 only\n")
    return 2
  }
  try {
    const outcomes = await tryAll(chosen, (outcome) => void process.stdout.write(`${lineOf(outcome)}\n`))
    const summary = report(outcomes)
    process.stdout.write(
      json
        ? `${JSON.stringify(summary)}\n`
        : `${summary.attempts} attempts, ${summary.succeeded} got through; ${summary.kitProven ? "each gets through where its protection is missing" : "some are not proven to be real attempts"}\n`
    )
    return summary.succeeded === 0 && summary.kitProven ? 0 : 1
  } catch (error) {
    process.stderr.write(`no attempt was made: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
}

process.exitCode = await main(process.argv.slice(2))
