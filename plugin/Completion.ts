/**
 * What a shell completes for this program: scripts for bash, zsh and fish, all out of one list of commands.
 * It never asks anything of a node, and knows no command by name: the options, the table of verbs and the help say which there are.
 * What a command or option is for is read from the help itself, so that there is one text to keep.
 */
import type { ParseArgsOptionsConfig } from "node:util"

/** A command of the program as the command line knows it. */
export interface Known {
  readonly options: ParseArgsOptionsConfig
  /** What may come after it. */
  readonly words?: ReadonlyArray<string>
  /** Options that take one of a few words. */
  readonly choices?: Readonly<Record<string, ReadonlyArray<string>>>
  /** What it is for; absent: as the help says. */
  readonly about?: string
  /** The help that describes its options; absent: the program's own. */
  readonly help?: string
}

interface Option {
  readonly name: string
  readonly takes: "nothing" | "a file" | "a folder" | "one of" | "a text"
  readonly choices: ReadonlyArray<string>
  readonly about: string
}

/** A command, with everything that can be typed after it. */
export interface Entry {
  readonly name: string
  readonly about: string
  readonly words: ReadonlyArray<string>
  readonly options: ReadonlyArray<Option>
}

export const shells = ["bash", "zsh", "fish"] as const
export type Shell = (typeof shells)[number]

/** Help with every entry in one line. */
const unfolded = (help: string): ReadonlyArray<string> => help.replaceAll(/\n {10,}(?=\S)/g, "  ").split("\n")

const single = (text = ""): string => text.replaceAll(/ {2,}/g, " ").trim()

const aboutCommand = (help: string, name: string): string => {
  const line = unfolded(help).find((one) => `${one} `.startsWith(`  wopr-p2p ${name} `)) ?? ""
  return single(/(?:\S {2,}|\[options\] +)(\S.*)$/.exec(line.trim())?.[1])
}

/** What the help says of one option, in the command's own section if it has one: what it takes, and what it is for. */
const optionHelp = (
  help: string,
  command: string,
  name: string
): { readonly takes: string; readonly about: string } => {
  const section = help.split("\n\n").find((part) => part.startsWith(`Options of ${command}\n`)) ?? help
  for (const line of unfolded(section)) {
    const match = /^ {2}(--[\w-]+(?:, --[\w-]+)*)(?: (\S+))?(?: +(\S.*))?$/.exec(line)
    if (match?.[1]?.split(", ").includes(`--${name}`) === true)
      return { takes: match[2] ?? "", about: single(match[3]) }
  }
  return { takes: "", about: "" }
}

const optionOf = (help: string, command: string, known: Known, name: string): Option => {
  const choices = known.choices?.[name] ?? []
  if (name === "help") return { name, takes: "nothing", choices, about: "what there is, in words" }
  const { about, takes: sort } = optionHelp(help, command, name)
  const value = sort === "FILE" ? "a file" : sort === "DIR" ? "a folder" : "a text"
  const takes = known.options[name]?.type === "boolean" ? "nothing" : choices.length > 0 ? "one of" : value
  return { name, takes, choices, about }
}

/** Everything that can be typed, from the commands and the program's help. */
export const entries = (known: Readonly<Record<string, Known>>, help: string): ReadonlyArray<Entry> =>
  Object.entries(known).map(([name, one]) => ({
    name,
    about: one.about ?? aboutCommand(help, name),
    words: one.words ?? [],
    options: Object.keys(one.options).map((option) => optionOf(one.help ?? help, name, one, option))
  }))

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Options that take such a value, each with a shell's pattern for `COMMAND --option`. */
const places = (
  all: ReadonlyArray<Entry>,
  takes: Option["takes"]
): ReadonlyArray<readonly [pattern: string, option: Option]> => {
  const every = all.flatMap(({ name: command, options }) => options.map((option) => ({ command, option })))
  const found = every.filter(({ option }) => option.takes === takes)
  const patterns = found.map(({ command, option }) => {
    const isSame = every.every((one) => one.option.name !== option.name || one.option.takes === takes)
    return [isSame ? `*" --${option.name}"` : `"${command} --${option.name}"`, option] as const
  })
  return [...new Map(patterns)]
}

type Acts = Readonly<Record<Exclude<Option["takes"], "nothing">, (words: string) => string>>

/** The cases of a shell in which a value is typed. */
const valueCases = (all: ReadonlyArray<Entry>, open: string, acts: Acts): string => {
  const choices = places(all, "one of").map(([pattern, one]) => [pattern, acts["one of"](one.choices.join(" "))])
  const others = (["a folder", "a file", "a text"] as const).map((takes) => {
    const patterns = places(all, takes).map(([pattern]) => pattern)
    return [patterns.join("|"), acts[takes]("")]
  })
  const cases = [...choices, ...others].filter(([pattern]) => pattern !== "")
  return cases.map(([pattern, act]) => `    ${open}${pattern}) ${act} ;;\n`).join("")
}

const typedAfter = ({ options, words }: Entry): string =>
  [...words, ...options.map(({ name }) => `--${name}`)].join(" ")

const bash = (
  all: ReadonlyArray<Entry>
): string => `# wopr-p2p completion bash: source it, or put it where bash-completion looks
_wopr_p2p() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=""
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(all.map(({ name }) => name).join(" "))} -- "$word"))
    return
  fi
  case "$command $before" in
${valueCases(all, "", {
  "one of": (words) => `COMPREPLY=($(compgen -W ${quoted(words)} -- "$word")); return`,
  "a folder": () => 'COMPREPLY=($(compgen -d -- "$word")); return',
  "a file": () => 'COMPREPLY=($(compgen -f -- "$word")); return',
  "a text": () => "return"
})}  esac
  case "$command" in
${all.map((one) => `    ${one.name}) words=${quoted(typedAfter(one))} ;;\n`).join("")}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _wopr_p2p wopr-p2p
`

const described = (name: string, about: string): string => quoted(`${name.replaceAll(":", "\\:")}:${about}`)

const describedAfter = ({ name, options, words }: Entry): string =>
  [
    ...words.map((word) => described(word, `wopr-p2p ${name} ${word}`)),
    ...options.map((one) => described(`--${one.name}`, one.about))
  ].join(" ")

const zsh = (all: ReadonlyArray<Entry>): string => `#compdef wopr-p2p
# wopr-p2p completion zsh: source it after compinit, or put it as _wopr-p2p into a folder of $fpath
_wopr_p2p() {
  local -a known
  if (( CURRENT == 2 )); then
    known=(${all.map(({ about, name }) => described(name, about)).join(" ")})
    _describe command known
    return
  fi
  case "$words[2] $words[CURRENT-1]" in
${valueCases(all, "(", {
  "one of": (words) => `compadd -- ${words}; return`,
  "a folder": () => "_files -/; return",
  "a file": () => "_files; return",
  "a text": () => "return"
})}  esac
  case "$words[2]" in
${all.map((one) => `    (${one.name}) known=(${describedAfter(one)}) ;;\n`).join("")}  esac
  _describe argument known
}
if [ "$funcstack[1]" = "_wopr-p2p" ]; then _wopr_p2p "$@"; else compdef _wopr_p2p wopr-p2p; fi
`

const fishOption = (command: string, { about, choices, name, takes }: Option): string => {
  const value = {
    nothing: "",
    "a file": " -r -F",
    "a folder": " -r -F",
    "a text": " -x",
    "one of": ` -x -a ${quoted(choices.join(" "))}`
  }
  return `complete -c wopr-p2p -n ${quoted(`__fish_seen_subcommand_from ${command}`)} -l ${name}${value[takes]} -d ${quoted(about)}`
}

const fish = (all: ReadonlyArray<Entry>): string =>
  [
    "# wopr-p2p completion fish: put it as wopr-p2p.fish into ~/.config/fish/completions",
    "complete -c wopr-p2p -f",
    ...all.map(({ about, name }) => `complete -c wopr-p2p -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`),
    ...all.flatMap(({ name, options, words }) => [
      ...words.map((word) => `complete -c wopr-p2p -n ${quoted(`__fish_seen_subcommand_from ${name}`)} -a ${word}`),
      ...options.map((one) => fishOption(name, one))
    ])
  ]
    .join("\n")
    .concat("\n")

/** The script for a shell. */
export const script = (shell: Shell, all: ReadonlyArray<Entry>): string => ({ bash, zsh, fish })[shell](all)
