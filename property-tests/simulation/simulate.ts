/**
 * `npm run simulate`: one seed, one network, one virtual clock, and everything that went wrong in it.
 * It holds no logic but its options; the simulator, the troubles and the checkers are beside it.
 * Exit codes: 0 nothing wrong, 1 a checker found something, 2 asked for in a way we do not understand.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import * as Report from "../../plugin/report/Report.ts"
import { settingsOf } from "../CommandLine.ts"
import * as Options from "./Options.ts"
import { type Moment, page } from "./Page.ts"
import { mistakes } from "./Plants.ts"
import { replay } from "./Replay.ts"
import { type Outcome, play } from "./Simulator.ts"
import { playTowns, townMax, townsOf } from "./Towns.ts"

const usage = `npm run simulate -- [options]

  --seed N       decides everything; a fresh one is printed
  --nodes N      so many agents in peace, twenty texts and two questions a day each, instead of what the seed decides;
                 more than 250 in towns of their own, two cores two towns at a time
  --days N       for so many days (with --nodes; default 1)
  --outage       instead of that: friends in peace who are left without lookups for three hours
  --mistake M    with a mistake of the former design built in: ${mistakes.map(({ name }) => name).join(", ")}
  --verbose      a line for each turn that did something: time, node, what came, what went out
  --report FILE  the story of a bug report, with fresh keys; 0 if the gate decides alike what can be played
  --page FILE    a page that draws the run as a lane for each node over time
                 (--mistake, --verbose and --page: not with more than 250 nodes)
  --json         the last line is {"seed", "nodes", "virtualHours", "hash", "violations", "faults", "turns"}
`

const options = {
  seed: { type: "string" },
  nodes: { type: "string" },
  days: { type: "string" },
  outage: { type: "boolean", default: false },
  mistake: { type: "string" },
  verbose: { type: "boolean", default: false },
  page: { type: "string" },
  report: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false }
} as const

const numberFrom = (name: string, text: string, least: number, most: number): number => {
  const number = Number(text)
  if (text.trim() !== "" && number >= least && number <= most) return number
  throw new Error(`--${name} "${text}": a number from ${least} to ${most} is expected`)
}

const readReport = (file: string): Report.Report => {
  const found = Report.read(readFileSync(file, "utf8"))
  if (found === undefined) throw new Error(`--report "${file}": a file that wopr-p2p bugreport made is expected`)
  return found
}

/** Plays a report, and says where the gate decided otherwise. */
const playReport = (report: Report.Report, seed: number, json: boolean): number => {
  const played = replay(report, seed)
  const say = (word: string) => (one: (typeof played.missing)[number]) =>
    `  ${word} ${one.times} × ${one.what} of ${one.who}: ${one.outcome}\n`
  if (json) process.stdout.write(`${JSON.stringify({ seed, ...played })}\n`)
  else {
    process.stdout.write(
      `${report.story.length} moments, seed ${seed}: ${played.alike} of ${played.told} decisions came out alike\n` +
        [...played.missing.map(say("only in the report:")), ...played.added.map(say("only here:"))].join("") +
        (played.skipped.length === 0 ? "" : `cannot be played: ${played.skipped.join(", ")}\n`)
    )
  }
  return played.missing.length === 0 ? 0 : 1
}

const readSettings = (args: ReadonlyArray<string>) => {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help) return "help"
  const seed = numberFrom("seed", values.seed ?? String(Date.now() % 1_000_000), 0, Number.MAX_SAFE_INTEGER)
  if (values.days !== undefined && values.nodes === undefined) throw new Error("--days goes with --nodes")
  const hours = numberFrom("days", values.days ?? "1", 0.01, 365) * 24
  const nodes = values.nodes === undefined ? undefined : Math.floor(numberFrom("nodes", values.nodes, 2, 5_000))
  if (values.outage && nodes !== undefined) throw new Error("--outage and --nodes exclude each other")
  const plant = mistakes.find(({ name }) => name === values.mistake)
  if (values.mistake !== undefined && plant === undefined)
    throw new Error(`--mistake "${values.mistake}": there is none`)
  if (values.report !== undefined) return { report: readReport(values.report), seed, json: values.json }
  const alone = (["page", "verbose", "mistake"] as const).filter(
    (name) => values[name] !== undefined && values[name] !== false
  )
  if (alone.length > 0 && (nodes ?? 0) > townMax) throw new Error(`--${alone[0]}: not with more than ${townMax} nodes`)
  return {
    options: values.outage
      ? Options.outage(seed)
      : nodes === undefined
        ? Options.ofSeed(seed)
        : Options.peaceful(seed, nodes, hours),
    isPeaceful: nodes !== undefined,
    mistake: plant?.name,
    plant: plant?.make(),
    verbose: values.verbose,
    pageFile: values.page,
    json: values.json
  }
}

/** A bar on a terminal; nothing elsewhere. */
const bar = (): ((share: number) => void) | undefined =>
  process.stderr.isTTY
    ? (share) => {
        const done = Math.round(share * 40)
        process.stderr.write(`\r${"█".repeat(done)}${"·".repeat(40 - done)} ${Math.floor(share * 100)} %`)
      }
    : undefined

const report = ({ checks, faults, hash, texts, turns, violations, virtualHours }: Outcome, tookMs: number): string => {
  const wrong = Object.entries(faults).map(([what, count]) => `${count} ${what}`)
  const found = violations.map(({ atMs, checker, what }) => `  ${new Date(atMs).toISOString()} ${checker}: ${what}`)
  return `${virtualHours.toFixed(1)} virtual hours, ${turns} turns, ${texts} texts, in ${(tookMs / 1_000).toFixed(1)} s
troubles made: ${wrong.length === 0 ? "nothing" : wrong.join(", ")}
${checks} looks of checkers at turns: ${found.length === 0 ? "everything was as it must be" : `\n${found.join("\n")}`}
hash ${hash}
`
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  if (settings.report !== undefined) return playReport(settings.report, settings.seed, settings.json)
  const { isPeaceful, json, mistake, options: chosen, pageFile, plant, verbose } = settings
  for (const line of Options.inWords(chosen, mistake)) process.stdout.write(`${line}\n`)
  const progress = bar()
  const startedAt = performance.now()
  const towns = isPeaceful ? townsOf(chosen.seed, chosen.nodes, chosen.hours) : []
  const moments: Array<Moment> = []
  const extras = {
    ...(pageFile === undefined ? {} : { watch: (moment: Moment) => void moments.push(moment) }),
    ...(plant === undefined ? {} : { plant }),
    ...(verbose ? { log: (line: string) => void process.stdout.write(`${line}\n`) } : {}),
    ...(progress === undefined ? {} : { progress })
  }
  const outcome =
    towns.length > 1
      ? await playTowns(towns, availableParallelism(), progress ?? (() => undefined))
      : play(chosen, extras)
  if (progress !== undefined) process.stderr.write("\r\u001b[K")
  if (pageFile !== undefined) {
    writeFileSync(pageFile, page(chosen, moments))
    process.stdout.write(`page ${pageFile}\n`)
  }
  process.stdout.write(report(outcome, performance.now() - startedAt))
  const { faults, hash, turns, violations, virtualHours } = outcome
  const { nodes, seed } = chosen
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ seed, nodes, virtualHours, hash, violations: violations.length, faults, turns })}\n`
    )
  }
  return violations.length === 0 ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
