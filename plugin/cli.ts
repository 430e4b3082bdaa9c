/**
 * The program `wopr-p2p`: which command was asked for, with which options; help and exit codes.
 * It never holds logic of a command: `standalone/` does, and is loaded when it is needed: help is there at once.
 * Exit codes: 0 done, 1 could not, 2 asked for in a way we do not understand, 3 no node is running.
 */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util"
import type { Known } from "./Completion.ts"
import * as HelpText from "./HelpText.ts"
import { usage } from "./Usage.ts"
import { version } from "./Version.ts"

const everywhere = {
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" }
} satisfies ParseArgsOptionsConfig

const runOptions = {
  ...everywhere,
  name: { type: "string" },
  room: { type: "string", multiple: true },
  local: { type: "boolean" },
  "local-port": { type: "string" },
  bootstrap: { type: "string", multiple: true },
  data: { type: "string" },
  sandbox: { type: "string" },
  model: { type: "string" },
  "model-url": { type: "string" },
  "model-key-file": { type: "string" },
  instructions: { type: "string" },
  warm: { type: "string" },
  "budget-turn": { type: "string" },
  budget: { type: "string" },
  "budget-all": { type: "string" },
  keep: { type: "string" },
  "sandbox-runtime": { type: "string" },
  irc: { type: "string" },
  "irc-channel": { type: "string", multiple: true },
  "irc-nick": { type: "string" },
  "irc-account": { type: "string" },
  "irc-password-file": { type: "string" },
  "irc-plain": { type: "boolean" },
  config: { type: "string" },
  panel: { type: "boolean" },
  "panel-port": { type: "string" },
  attached: { type: "boolean" },
  "log-level": { type: "string" },
  "log-format": { type: "string" }
} satisfies ParseArgsOptionsConfig

const mcpOptions = {
  ...runOptions,
  "tools-may-grant": { type: "boolean" },
  "tools-may-reply": { type: "boolean" }
} satisfies ParseArgsOptionsConfig

const demoOptions = {
  ...everywhere,
  "require-sandbox": { type: "boolean" }
} satisfies ParseArgsOptionsConfig

const sandboxOptions = {
  ...everywhere,
  data: { type: "string" },
  from: { type: "string" }
} satisfies ParseArgsOptionsConfig

const identityOptions = {
  ...everywhere,
  data: { type: "string" },
  compromise: { type: "boolean" },
  "recovery-file": { type: "string" },
  "passphrase-file": { type: "string" }
} satisfies ParseArgsOptionsConfig

const verbOptions = {
  ...everywhere,
  data: { type: "string" },
  wait: { type: "boolean" },
  timeout: { type: "string" },
  now: { type: "boolean" },
  id: { type: "string" }
} satisfies ParseArgsOptionsConfig

/** The options that a verb takes. */
const optionsOf = (verb: string, takes: (verb: string, option: string) => boolean): typeof verbOptions => {
  const taken = Object.entries(verbOptions).filter(([option]) => takes(verb, option))
  // Those left out are never given, which the type of the values allows for all of them.
  return Object.fromEntries(taken) as typeof verbOptions
}

const doctorOptions = {
  ...everywhere,
  data: { type: "string" },
  offline: { type: "boolean" }
} satisfies ParseArgsOptionsConfig

const auditOptions = {
  ...everywhere,
  data: { type: "string" },
  key: { type: "string", multiple: true }
} satisfies ParseArgsOptionsConfig

const reportOptions = { help: everywhere.help, data: { type: "string" } } satisfies ParseArgsOptionsConfig

const migrateOptions = {
  ...everywhere,
  from: { type: "string" },
  data: { type: "string" },
  "identity-json": { type: "string" },
  "dry-run": { type: "boolean" }
} satisfies ParseArgsOptionsConfig

/** What was typed is not understood: said at the end of the program, as prose or as JSON. */
class Misunderstood extends Error {}

const misunderstood = (message: string): number => {
  throw new Misunderstood(message)
}

/** Help in which what `mcp` takes besides its own options, those of `run`, is found as well. */
const helpOfMcp = usage.replace("Options of mcp\n", "Options of mcp alone\n")

/** Every command but the verbs, with its options: what shells complete. A new command has its row here too. */
const commands: Readonly<Record<string, Known>> = {
  run: { options: runOptions, choices: { sandbox: ["agent", "scripted", "off"] } },
  identity: { options: identityOptions, words: ["show", "rotate", "recovery", "export", "import"] },
  sandbox: { options: sandboxOptions, words: ["image", "show"] },
  mcp: { options: mcpOptions, choices: { sandbox: ["agent", "scripted", "off"] }, help: helpOfMcp },
  audit: { options: auditOptions, words: ["verify"] },
  bugreport: { options: reportOptions },
  doctor: { options: doctorOptions },
  migrate: { options: migrateOptions },
  demo: { options: demoOptions },
  completion: { options: {}, words: ["bash", "zsh", "fish"] },
  help: { options: {}, words: ["commands"] },
  version: { options: { json: everywhere.json } }
}

const completion = async (args: ReadonlyArray<string>): Promise<number> => {
  const Completion = await import("./Completion.ts")
  const VerbOptions = await import("./control/VerbOptions.ts")
  const shell = Completion.shells.find((one) => one === args[0])
  if (shell === undefined || args.length > 1) return misunderstood("usage: wopr-p2p completion bash|zsh|fish")
  const help = VerbOptions.help()
  const verbs = VerbOptions.verbs
    .filter(({ name }) => !Object.hasOwn(commands, name))
    .map(({ name, ...one }) => [name, { ...one, options: optionsOf(name, VerbOptions.takes), help }] as const)
  const { groups } = await import("./control/Groups.ts")
  const grouped = Object.entries(groups).map(([name, rows]) => {
    const about = "the same in the words of the host's CLI"
    return [name, { about, words: rows.map(({ word }) => word), options: verbOptions, help }] as const
  })
  const entries = Completion.entries({ ...commands, ...Object.fromEntries([...verbs, ...grouped]) }, usage)
  process.stdout.write(Completion.script(shell, entries))
  return 0
}

const meant = (typed: string, words: ReadonlyArray<string>): string => {
  const word = HelpText.nearest(typed, words)
  return word === undefined ? "" : `; did you mean ${word}?`
}

/** Options as given, or why they are not understood. */
const parsed = <T extends ParseArgsOptionsConfig>(
  args: ReadonlyArray<string>,
  options: T,
  allowPositionals = false
) => {
  try {
    const { positionals, values } = parseArgs({ args: [...args], options, strict: true, allowPositionals })
    return { values, positionals }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const unknown = /^Unknown option '(--[^']*)'/.exec(message)?.[1]
    if (unknown === undefined) return { mistake: message }
    return {
      mistake: `there is no option ${unknown} here${meant(
        unknown,
        Object.keys(options).map((name) => `--${name}`)
      )}`
    }
  }
}

const identity = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, identityOptions, true)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("identity")
  const [verb, ...files] = options.positionals
  if (verb === "export" || verb === "import") {
    const Moving = await import("./standalone/Moving.ts")
    const wanted = Moving.readOptions(verb, files, options.values)
    return "mistake" in wanted ? misunderstood(wanted.mistake) : Moving.move(wanted)
  }
  const Identity = await import("./standalone/Identity.ts")
  const wanted = Identity.readOptions(verb, files, options.values)
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Identity.identity(wanted)
}

/** A command of the prompt, asked of the node that runs. */
const verb = async (word: string, args: ReadonlyArray<string>): Promise<number> => {
  const VerbOptions = await import("./control/VerbOptions.ts")
  if (!VerbOptions.isVerb(word)) {
    const words = [...Object.keys(commands), ...VerbOptions.verbs.map(({ name }) => name)]
    return misunderstood(`there is no command "${word}"${meant(word, words)}`)
  }
  const options = parsed(args, optionsOf(word, VerbOptions.takes), true)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) {
    return show(VerbOptions.helpOf(word))
  }
  const wanted = VerbOptions.read(word, options.values)
  if ("mistake" in wanted) return misunderstood(wanted.mistake)
  const Cli = await import("./control/Cli.ts")
  return Cli.verb([word, ...options.positionals], wanted)
}

const doctor = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, doctorOptions)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("doctor")
  const Doctor = await import("./doctor/Doctor.ts")
  const wanted = Doctor.readOptions(options.values)
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Doctor.doctor(wanted)
}

const migrate = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, migrateOptions)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("migrate")
  const Migrate = await import("./migration/Migrate.ts")
  const wanted = Migrate.readOptions(options.values)
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Migrate.migrate(wanted)
}

const audit = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, auditOptions, true)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("audit")
  const Audit = await import("./audit/Cli.ts")
  const wanted = Audit.readOptions(options.positionals, options.values)
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Audit.audit(wanted)
}

const bugreport = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, reportOptions, true)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("bugreport")
  const Report = await import("./report/Cli.ts")
  const wanted = Report.readOptions(options.positionals, options.values)
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Report.bugreport(wanted)
}

const mcp = async (args: ReadonlyArray<string>): Promise<number> => {
  const options = parsed(args, mcpOptions)
  if ("mistake" in options) return misunderstood(options.mistake)
  if (options.values.help === true) return help("mcp")
  const Mcp = await import("./mcp/Mcp.ts")
  const { "tools-may-grant": mayGrant = false, "tools-may-reply": mayReply = false, ...typed } = options.values
  const said = await (await import("./standalone/ConfigFile.ts")).merged(typed)
  if ("mistake" in said) return misunderstood(said.mistake)
  const wanted = Mcp.readOptions(said.given, said.rates, { mayGrant, mayReply })
  return "mistake" in wanted ? misunderstood(wanted.mistake) : Mcp.mcp(wanted, version())
}

/** `friend` and `p2p` as the host's CLI has them. */
const grouped = async (group: string, typed: ReadonlyArray<string>): Promise<number> => {
  const Groups = await import("./control/Groups.ts")
  if (!Groups.isGroup(group)) return misunderstood(`there is no command "${group}"`)
  const words = Groups.meaning(group, typed)
  if (words === undefined && typed.every((word) => word === "help" || word === "--help" || word === "-h")) {
    process.stdout.write(Groups.help(group, "wopr-p2p"))
    return 0
  }
  if (words === undefined) return misunderstood(`${group} has no command "${typed.join(" ")}"`)
  return words[0] === "friend" ? verb("friend", words.slice(1)) : dispatch(words)
}

/** Commands that take their arguments whole. */
const programs: Readonly<Record<string, (args: ReadonlyArray<string>) => Promise<number>>> = { audit, bugreport, mcp }

/** Carries out what was asked for. Gives the exit code. */
export const dispatch = async (args: ReadonlyArray<string>): Promise<number> => {
  const [command, ...rest] = args
  switch (command) {
    case "run": {
      const options = parsed(rest, runOptions)
      if ("mistake" in options) return misunderstood(options.mistake)
      if (options.values.help === true) return help("run")
      const said = await (await import("./standalone/ConfigFile.ts")).merged(options.values)
      if ("mistake" in said) return misunderstood(said.mistake)
      const wanted = (await import("./standalone/RunOptions.ts")).readOptions(said.given, said.rates)
      return "mistake" in wanted ? misunderstood(wanted.mistake) : (await import("./standalone/Run.ts")).run(wanted)
    }
    case "identity":
      return identity(rest)
    case "sandbox": {
      const options = parsed(rest, sandboxOptions, true)
      if ("mistake" in options) return misunderstood(options.mistake)
      if (options.values.help === true) return help("sandbox")
      const Image = await import("./standalone/Image.ts")
      const wanted = Image.readOptions(options.positionals, options.values)
      return "mistake" in wanted ? misunderstood(wanted.mistake) : Image.image(wanted)
    }
    case "demo": {
      const options = parsed(rest, demoOptions)
      if ("mistake" in options) return misunderstood(options.mistake)
      if (options.values.help === true) return help("demo")
      const Demo = await import("./standalone/Demo.ts")
      return Demo.demo({
        json: options.values.json ?? false,
        requireSandbox: options.values["require-sandbox"] ?? false
      })
    }
    case "version":
    case "--version":
      process.stdout.write(rest.includes("--json") ? `${JSON.stringify({ version: version() })}\n` : `${version()}\n`)
      return 0
    case "completion":
      return completion(rest)
    case "doctor":
      return doctor(rest)
    case "migrate":
      return migrate(rest)
    case "friend":
    case "p2p":
      return grouped(command, rest)
    case "help":
      if (rest[0] === "commands") {
        return show((await import("./control/VerbOptions.ts")).help())
      }
      return help()
    case "--help":
    case "-h":
      return help()
    case undefined:
      return misunderstood("no command was given")
    default:
      return Object.hasOwn(programs, command) ? programs[command]!(rest) : verb(command, rest)
  }
}

const show = (text: string): number => {
  process.stdout.write(HelpText.fit(text, HelpText.widthOf(process.stdout.columns)))
  return 0
}

/** The whole help, or what of it is about one command. */
const help = (command?: string): number => show(command === undefined ? usage : HelpText.about(usage, command))

/** Runs the program with the arguments after its name, and sets the exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  // Whoever reads us may have read enough: a closed pipe is nothing to complain about. A node has its own way to end then.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (process.stdout.listenerCount("error") > 1) return
    if (error.code !== "EPIPE") throw error
    process.exit(process.exitCode)
  })
  try {
    process.exitCode = await dispatch(args)
  } catch (error) {
    if (!(error instanceof Misunderstood)) throw error
    process.exitCode = 2
    if (args.includes("--json")) {
      process.stdout.write(`${JSON.stringify({ ok: false, code: "usage", why: error.message })}\n`)
      return
    }
    process.stderr.write(`${error.message}\n"wopr-p2p help" lists commands and options\n`)
  }
}
