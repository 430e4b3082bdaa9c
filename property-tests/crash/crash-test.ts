/**
 * `npm run crash-test`: proof that delivery is exactly once, whatever I/O call a process dies at.
 * It holds no logic but its options; the campaign and its report are beside it.
 * Exit codes: 0 nothing wrong, 1 something was lost, doubled or hung, 2 asked for in a way we do not understand.
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { run, type Settings } from "./Campaign.ts"
import { type Point, parse } from "./Point.ts"
import * as Report from "./Report.ts"

const usage = `npm run crash-test -- [options]

  --shard I/N      only the points of shard I of N
  --resume         go on with the state file; what is in it is not tried again
  --state FILE     where verdicts are kept, begun anew without --resume (default: a file in the temporary folder)
  --seed N         decides the order of points (with --resume: that of the state file); printed with every failure
  --minutes M      begin no point after M minutes (default 17)
  --points N       try at most N points
  --parallel N     pairs of processes at a time (default 2), each with keys of its own
  --only POINT     one point, as the report names it (may be given several times)
  --json           the last line is {"points", "lost", "doubled", "respondedTwice", "hung", …}
`

const options = {
  shard: { type: "string", default: "1/1" },
  resume: { type: "boolean", default: false },
  state: { type: "string" },
  seed: { type: "string" },
  minutes: { type: "string", default: "17" },
  points: { type: "string", default: "1000000" },
  parallel: { type: "string", default: "2" },
  only: { type: "string", multiple: true, default: [] as Array<string> },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const pointOf = (word: string): Point => {
  const point = parse(word)
  if (point !== undefined) return point
  throw new Error(`--only "${word}": no point; one looks like inject/bob/write(link)#2:torn`)
}

const positive = (name: string, text: string): number => {
  const number = Number(text)
  if (!(number > 0)) throw new Error(`--${name} "${text}": a number above 0 is expected`)
  return number
}

const readSettings = (args: ReadonlyArray<string>): (Settings & { readonly json: boolean }) | "help" => {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help) return "help"
  const shard = /^(\d+)\/(\d+)$/.exec(values.shard)
  const [index, of] = [Number(shard?.[1]), Number(shard?.[2])]
  if (!(index >= 1 && index <= of)) throw new Error(`--shard "${values.shard}": I/N with 1 ≤ I ≤ N is expected`)
  const say = (line: string) => void (values.json ? process.stderr : process.stdout).write(`${line}\n`)
  return {
    seed: values.seed === undefined ? Date.now() % 1_000_000 : positive("seed", values.seed),
    shard: { index, of },
    minutes: positive("minutes", values.minutes),
    pointsMax: positive("points", values.points),
    parallel: positive("parallel", values.parallel),
    only: values.only.map(pointOf),
    // A point that is looked at by itself must not begin the verdicts of a whole campaign anew.
    stateFile:
      values.state ?? join(tmpdir(), `wopr-p2p-crash-${values.only.length === 0 ? `${index}-of-${of}` : "only"}.jsonl`),
    resume: values.resume,
    progress: say,
    json: values.json
  }
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  settings.progress(`seed ${settings.seed}, verdicts in ${settings.stateFile}`)
  const results = await run(settings)
  for (const line of Report.report(results)) process.stdout.write(`${line}\n`)
  const summary = Report.summarise(results)
  if (settings.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
  return Report.isClean(summary) ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
