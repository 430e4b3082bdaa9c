/**
 * The program `wopr-p2p`: which command was asked for, with which options; help and exit codes.
 * It never holds logic of a command: `standalone/` does, and is loaded when it is needed: help is there at once.
 * Exit codes: 0 done, 1 could not, 2 asked for in a way we do not understand, 3 no node is running.
 */
import { type ParseArgsOptionsConfig, parseArgs } from "node:util"
import type { Known } from "./Completion.ts"
import * as HelpText from "./HelpText.ts"
import { version } from "./Version.ts"

const usage = `wopr-p2p: agents that become friends in a chat room and then talk directly, encrypted

  wopr-p2p run --name NAME [options]   a node of one's own, with a prompt
  wopr-p2p identity show|rotate|recovery [options]   the keys in a folder whose node does not run
  wopr-p2p identity export|import FILE [options]     identity, friends and what waits, to be moved
  wopr-p2p sandbox image|show [options] the image that agents run in: made and approved, or shown
  wopr-p2p VERB … [options]            friends, message @bob "text", accept @bob: any command of the
                                       prompt, from another terminal; "wopr-p2p help commands"
                                       lists them
  wopr-p2p friend|p2p WORD …           the same in the words of the host's CLI: friend list
  wopr-p2p panel [options]             a link, good once, to the web panel of a node (run --panel)
  wopr-p2p doctor [options]            what is wrong with a node's folder, network, sandbox or
                                       model, and what mends it
  wopr-p2p migrate [options]           takes over what the former plugin left
  wopr-p2p demo [options]              two nodes meet, become friends and talk; it takes seconds
  wopr-p2p completion bash|zsh|fish    a script that has a shell complete all of this
  wopr-p2p help                        this text
  wopr-p2p version                     which version this is

Options of run
  --name NAME            how others address you in the room
  --room FILE            a shared file that serves as chat room (may be given several times)
  --irc HOST[:PORT]      an IRC server whose channels serve as chat rooms; over TLS, but
                         for one of this machine
  --irc-channel '#NAME'  a channel there (may be given several times)
  --irc-nick NICK        how the node is called there (else NAME, which others compare it with)
  --irc-account NAME     its account at the network's services, where there is one
  --irc-password-file FILE  the account's password, else the server's, in a file that only you
                         can read
  --irc-plain            speak without TLS: everybody on the way can read, and change, what is said
  --config FILE          a JSON file that says these options, by the names that README.md gives;
                         those given here count
  --local                use the network that nodes of this machine share, no internet needed
  --local-port PORT      its UDP port on 127.0.0.1, the same for all who should meet (default 49736)
  --bootstrap HOST:PORT  a DHT of your own instead of the public one (may be given several times)
  --data DIR             where identity and records live (else WOPR_P2P_HOME, and as README.md says)
  --sandbox WHO          who answers injects, in a Docker container: agent (default, needs a model),
                         scripted (a small fixed program, for trying out), or off: nobody
  --sandbox-runtime NAME the engine's runtime for containers, such as runsc (gVisor); refused where
                         it has none so named
  --model NAME           the language model that the agent asks, as its server calls it
  --model-url URL        its server, with the chat completions API: https, or http on this machine
  --model-key-file FILE  the key for it, in a file that only you can read (chmod 600)
  --warm N               containers kept started ahead, 0 to 4 (default 0): answers begin sooner,
                         45 MB each
  --budget-turn, --budget, --budget-all calls=N,tokens=N,minutes=N
                         what a turn may cost at most, a friend's turns in a day (UTC), and all's
  --keep MINUTES         a friend's container stays so long for its next question, 0 to 60
                         (default 0: never)
  --instructions FILE    what the model is told before anything else, instead of our few words
  --panel                serve the web panel and its API on 127.0.0.1, for "wopr-p2p panel"
  --panel-port PORT      its port (default 7334, any other where that is taken; 0: any)
  --json                 one JSON object per line instead of prose
  --attached             end when standard input ends: for a program that drives the node

Options of identity
  --data DIR             where the identity lives, as for run; after run --local: what it printed
  --compromise           rotate: the old keys may be in other hands
  --recovery-file FILE   rotate: the recovery key, to win against whoever has stolen the old keys
  --passphrase-file FILE export, import: the passphrase is in there, for scripts; else you are asked
  --json                 facts as one JSON object

Options of sandbox
  --data DIR             the data folder that the image is approved for, as for run
  --from IMAGE           image: build on this one, such as node:24-slim, not this machine's files
  --json                 facts as one JSON object

Options of doctor
  --data DIR             the node's data folder, as for run
  --offline              nothing is asked of the network
  --json                 findings as one JSON object

Options of migrate
  --from DIR             the former plugin's folder (else the data folder, or where it kept files)
  --data DIR             where to put what is taken over, as for run
  --identity-json FILE   the row of the host's table p2p_identity as JSON: it is out of reach here
  --dry-run              say what would be done, and do nothing
  --json                 facts as one JSON object

Options of demo
  --json                 one JSON object per line, with "event"
  --require-sandbox      fail where no Docker engine is reachable, instead of skipping that step

Environment
  WOPR_P2P_PASSPHRASE    identity export, import: the passphrase, where no file is named
  WOPR_P2P_MODEL, WOPR_P2P_MODEL_URL, WOPR_P2P_MODEL_KEY
                         run: the model, where no option names it, and its key
  WOPR_P2P_IRC_PASSWORD  run: the IRC password, where no file is named
  WOPR_P2P_DOCKER_SOCKET the Docker engine's socket; else that of DOCKER_HOST (unix:///path only),
                         else /var/run/docker.sock
  WOPR_P2P_SANDBOX_RUNTIME  run: the runtime, where no option names it
  NO_COLOR               no colours

Exit codes: 0 done, 1 could not, 2 not understood, 3 no node is running
`

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
  attached: { type: "boolean" }
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

const doctorOptions = {
  ...everywhere,
  data: { type: "string" },
  offline: { type: "boolean" }
} satisfies ParseArgsOptionsConfig

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

/** Every command but the verbs, with its options: what shells complete. A new command has its row here too. */
const commands: Readonly<Record<string, Known>> = {
  run: { options: runOptions, choices: { sandbox: ["agent", "scripted", "off"] } },
  identity: { options: identityOptions, words: ["show", "rotate", "recovery", "export", "import"] },
  sandbox: { options: sandboxOptions, words: ["image", "show"] },
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
    .map(({ name, ...one }) => [name, { ...one, options: verbOptions, help }] as const)
  const entries = Completion.entries({ ...commands, ...Object.fromEntries(verbs) }, usage)
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
  const options = parsed(args, verbOptions, true)
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
    default:
      return command === undefined ? misunderstood("no command was given") : verb(command, rest)
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
