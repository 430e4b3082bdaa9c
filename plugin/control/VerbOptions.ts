/**
 * The options of a verb as typed, checked; and the help of the verbs, which is the table of commands in other words.
 * It never runs a verb.
 * It is a module of its own because the program's own help must be there before the table of commands is loaded.
 */
import * as Commands from "../Commands.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Bounds from "./Bounds.ts"
import type { Options } from "./Cli.ts"

/** Options as `parseArgs` gives them. */
export interface Given {
  readonly data?: string | undefined
  readonly json?: boolean | undefined
  readonly wait?: boolean | undefined
  readonly timeout?: string | undefined
  readonly now?: boolean | undefined
  readonly id?: string | undefined
}

interface Row {
  readonly name: string
  readonly usage: string
  readonly help: string
  /** Options it takes besides `--data` and `--json`; absent: all. */
  readonly takes?: ReadonlyArray<keyof Given>
}

/** Verbs that are no command of the prompt. A new one is a row here and a case in `Cli.ts`. */
const extra: ReadonlyArray<Row> = [
  {
    name: "wait",
    usage: "wait ID",
    help: "the outcome of a message, inject, claim or connect, by its id or how it begins",
    takes: ["wait", "timeout"]
  },
  { name: "panel", usage: "panel", help: "a link to the node's web panel, good once (run --panel)", takes: [] }
]

const rows: ReadonlyArray<Row> = [
  ...Commands.table.map(({ help, name, usage }) => ({ name, help, usage: usage.slice(1) })),
  ...extra
]

/** The words of a usage that are typed as they are. */
const literals = (usage: string): ReadonlyArray<string> => [
  ...new Set(
    usage
      .split(/[\s|[\]]+/)
      .slice(1)
      .filter((word) => /^[a-z][a-z-]*$/.test(word) && word !== "text")
  )
]

/** Every verb, what it is for and which words may come after it. */
export const verbs: ReadonlyArray<{
  readonly name: string
  readonly about: string
  readonly words: ReadonlyArray<string>
}> = rows.map(({ help: about, name, usage }) => ({ name, about, words: literals(usage) }))

/** Whether a word is a verb. */
export const isVerb = (word: string): boolean => rows.some(({ name }) => name === word)

/** Whether a verb takes an option of verbs; every one takes `--data`, `--json` and `--help`. */
export const takes = (verb: string, option: string): boolean => {
  const narrowed = rows.find(({ name }) => name === verb)?.takes
  return narrowed === undefined || ["data", "json", "help", ...narrowed].includes(option)
}

const waitMsOf = (verb: string, given: Given): number | undefined | { readonly mistake: string } => {
  const seconds = given.timeout ?? "60"
  if (!/^\d{1,4}$/.test(seconds) || Number(seconds) < 1 || Number(seconds) * 1_000 > Bounds.waitMsMax) {
    return { mistake: `--timeout "${seconds}": 1 to ${Bounds.waitMsMax / 1_000} seconds are expected` }
  }
  if (given.wait === true || verb === "wait") return Number(seconds) * 1_000
  return given.timeout === undefined ? undefined : { mistake: "--timeout goes with --wait" }
}

/** Checks the options of a verb; a mistake names the option, the value and what is allowed. */
export const read = (verb: string, given: Given): Options | { readonly mistake: string } => {
  const waitMs = waitMsOf(verb, given)
  if (typeof waitMs === "object") return waitMs
  if (given.id !== undefined && !/^[0-9a-f]{32}$/.test(given.id)) {
    return { mistake: `--id "${given.id}": 32 hexadecimal digits are expected` }
  }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  return {
    dataFolder: chosen.folder,
    json: given.json ?? false,
    now: given.now ?? false,
    ...(waitMs === undefined ? {} : { waitMs }),
    ...(given.id === undefined ? {} : { id: given.id })
  }
}

/** Every verb with its arguments, out of the table, and what all of them take. */
export const help =
  (): string => `wopr-p2p VERB: asks or changes the node that runs on a data folder, from another terminal

${Commands.columns(rows)}

A text "-" is read from standard input: other users of the machine can see arguments. A text that
begins with a dash comes after "--".

Options
  --data DIR        the node's data folder, as for run
  --wait            message, inject, claim, connect: wait for what becomes of it
  --timeout SECONDS how long, 1 to ${Bounds.waitMsMax / 1_000} (default 60)
  --now             where no node runs, fail; keep nothing for its next start, and read no files
  --id HEX          32 digits of your own: what is kept under them is kept once, however often asked
  --json            all of standard output is one JSON object

Where no node runs, questions are answered from its files, and a change is kept and carried out
once, at its next start.

Exit codes: 0 done, 1 refused (its code is in the JSON), 2 not understood, 3 no node is running
`

/** The help of one verb. */
export const helpOf = (verb: string): string => {
  const row = rows.find(({ name }) => name === verb)
  return row === undefined
    ? help()
    : `${Commands.columns([{ ...row, usage: `wopr-p2p ${row.usage}` }])}\n"wopr-p2p help commands" lists verbs and options\n`
}
