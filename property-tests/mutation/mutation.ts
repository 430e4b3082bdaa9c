/**
 * `npm run mutation -- ROOM`: small faults put into a room of the core, one at a time; its tests must notice each.
 * It never changes this checkout: a copy in a temporary folder is mutated, and the tool is installed there, not here.
 * Exit codes: 0 every mutant dies or lives for a committed reason, 1 one lives for none, 2 not understood.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { settingsOf } from "../CommandLine.ts"
import { reasons, report, summarise, type ToolReport } from "./Report.ts"

/** The tests that have to notice, for each room. */
const tests: Readonly<Record<string, ReadonlyArray<string>>> = {
  admission: ["laws/admission", "laws/limits", "models/RateLimit", "models/ReplayWindow", "models/Grants"],
  session: ["laws/session", "laws/session-details", "laws/envelope", "vectors/*", "regressions/wire"],
  delivery: ["laws/delivery", "laws/delivery-details", "models/Outbox", "models/Inbox"]
}

const usage = `npm run mutation -- ROOM [options]

  ROOM          ${Object.keys(tests).join(", ")}; a quarter of an hour and more each
  --report FILE read a report that a run has left, instead of running
  --keep FILE   leave the tool's report there
`

/** Exact versions: another one has other mutants, and the reasons are about these. */
const tool = ["@stryker-mutator/core@10.1.1", "@stryker-mutator/vitest-runner@10.1.1"]

const root = fileURLToPath(new URL("../..", import.meta.url))

const readSettings = (args: ReadonlyArray<string>) => {
  const { positionals, values } = parseArgs({
    args: [...args],
    options: { report: { type: "string" }, keep: { type: "string" }, help: { type: "boolean", default: false } },
    strict: true,
    allowPositionals: true
  })
  if (values.help) return "help" as const
  const [room = "", ...more] = positionals
  if (!Object.hasOwn(tests, room) || more.length > 0)
    throw new Error(`one of ${Object.keys(tests).join(", ")} is expected`)
  return { room, report: values.report, keep: values.keep }
}

/** A copy of what git knows and what is new here, with a place for the tool. */
const copyTo = (folder: string): void => {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8"
  })
  for (const file of listed.split("\n").filter((one) => one !== "")) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(root, file), join(folder, file))
  }
  symlinkSync(join(root, "..", "shared"), join(folder, "..", "shared"))
  execFileSync("npm", ["ci"], { cwd: folder, stdio: "inherit" })
  execFileSync("npm", ["install", "--no-save", ...tool], { cwd: folder, stdio: "inherit" })
}

const configure = (folder: string, room: string): void => {
  const include = tests[room]!.map((name) => `property-tests/${name}.test.ts`)
  writeFileSync(
    join(folder, "vitest.mutation.ts"),
    `export default { test: { include: ${JSON.stringify(include)}, testTimeout: 30_000, pool: "threads" } }\n`
  )
  const config = {
    // The tool would rewrite ours, and does not know project references.
    tsconfigFile: "none.json",
    testRunner: "vitest",
    vitest: { configFile: "vitest.mutation.ts" },
    mutate: [`core/${room}/*.ts`],
    reporters: ["json", "progress-append-only"],
    jsonReporter: { fileName: "mutants.json" },
    coverageAnalysis: "perTest",
    concurrency: 2,
    timeoutMS: 20_000
  }
  writeFileSync(join(folder, "stryker.config.json"), JSON.stringify(config))
}

const run = (room: string, keep: string | undefined): ToolReport => {
  const place = mkdtempSync(join(tmpdir(), "mutation-"))
  const folder = join(place, "copy")
  try {
    mkdirSync(folder)
    copyTo(folder)
    configure(folder, room)
    const { status } = spawnSync("npx", ["stryker", "run"], { cwd: folder, stdio: "inherit" })
    if (status !== 0) throw new Error(`the mutation tool ended with ${status}`)
    const text = readFileSync(join(folder, "mutants.json"), "utf8")
    if (keep !== undefined) writeFileSync(keep, text)
    return JSON.parse(text)
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

const main = (args: ReadonlyArray<string>): number => {
  const settings = settingsOf(args, readSettings, usage)
  if (typeof settings === "number") return settings
  const { keep, report: file, room } = settings
  const found: ToolReport = file === undefined ? run(room, keep) : JSON.parse(readFileSync(file, "utf8"))
  const summary = summarise(found, reasons())
  for (const line of report(room, summary)) process.stdout.write(`${line}\n`)
  return summary.survivors.every(({ why }) => why !== undefined) ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
