/**
 * The two words of the host's CLI, `friend` and `p2p`, and what follows them, as arguments of the program.
 * It never carries anything out and knows no command: every row leads to a verb, to `doctor` or to `identity`.
 * Whatever is no row here is taken for a verb, so that nothing can be done at a prompt only.
 */
import * as VerbOptions from "./VerbOptions.ts"

export type Group = "friend" | "p2p"

interface Row {
  /** What follows the group's word. */
  readonly word: string
  /** What it is for the program; what was typed behind it follows. */
  readonly leads: ReadonlyArray<string>
  /** What it is without anything behind it, where that differs. */
  readonly alone?: ReadonlyArray<string>
  readonly help: string
}

const to = (word: string, help: string, leads: ReadonlyArray<string> = [word]): Row => ({ word, leads, help })

/** What each word of the host's CLI understands, in the order in which help lists it. */
export const groups: Readonly<Record<Group, ReadonlyArray<Row>>> = {
  friend: [
    to("list", "who your friends are", ["friends"]),
    to("pending", "who has asked, and whom you asked", ["requests"]),
    to("accept", "accept a request: accept NAME"),
    to("deny", "turn a request down: deny NAME"),
    to("remove", "end a friendship, with everything granted: remove NAME", ["unfriend"]),
    to("grant", "allow a friend more: grant NAME [message|inject]"),
    to("revoke", "withdraw that: revoke NAME [message|inject]"),
    to("verify", "what to compare with a friend, and what you say of it: verify NAME [yes|no|sas [yes|no]]"),
    {
      word: "auto-accept",
      leads: ["auto-accept"],
      alone: ["auto-accept", "list"],
      help: "rules: auto-accept list | add * | add [key:K] [channel:C] [author:A] [unproven] | remove ID"
    }
  ],
  p2p: [
    to("status", "the node at a glance"),
    to("doctor", "what is wrong, and what mends it"),
    {
      word: "identity",
      leads: ["identity"],
      alone: ["identity", "show"],
      help: "the keys: identity [show|rotate|recovery]"
    },
    to("invite", "make a link for a new friend: invite [message|inject] [for KEY] [uses N] [expires 7d]"),
    to("claim", "become a friend by such a link: claim LINK, or claim - and the link on standard input"),
    to("peers", "whom you are connected with, and what each may do", ["friends"]),
    { word: "topics", leads: ["topic"], alone: ["topic", "list"], help: "topics: topics [join NAME|leave NAME|list]" }
  ]
}

/** Whether a word is one of the two. */
export const isGroup = (word: string | undefined): word is Group => word === "friend" || word === "p2p"

/** The help of a word. */
export const help = (group: Group, program: string): string => {
  const rows = groups[group]
  const width = Math.max(...rows.map(({ word }) => word.length))
  const other = group === "friend" ? "p2p" : "friend"
  return [
    `${program} ${group} WORD …`,
    "",
    ...rows.map(({ help: says, word }) => `  ${word.padEnd(width)}  ${says}`),
    "",
    "--json prints one JSON object; --data DIR names another data folder; --wait, --timeout, --now as for wopr-p2p.",
    `See also ${program} ${other}; every other command of "wopr-p2p help commands" works here too.`,
    ""
  ].join("\n")
}

const valued: ReadonlySet<string> = new Set(["--data", "--timeout", "--id", "--recovery-file", "--passphrase-file"])

/** Where in what was typed words stand, and not options or their values. */
const wordsAt = (typed: ReadonlyArray<string>): ReadonlyArray<number> =>
  typed.flatMap((word, index) => (word.startsWith("--") || valued.has(typed[index - 1] ?? "") ? [] : [index]))

/** What was typed behind one of the two words, as arguments of the program; undefined where nobody knows the word, or help is wanted. */
export const meaning = (group: Group, typed: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  const [at = -1, ...more] = wordsAt(typed)
  const word = typed[at]
  if (word === undefined || (word === "help" && more.length === 0)) return undefined
  const rest = [...typed.slice(0, at), ...typed.slice(at + 1)]
  // `friend @bob` is the slash command of that name.
  if (group === "friend" && word.startsWith("@")) return ["friend", ...typed]
  const row = groups[group].find((one) => one.word === word)
  if (row !== undefined) {
    return [...(more.length === 0 ? (row.alone ?? row.leads) : row.leads), ...rest]
  }
  return VerbOptions.isVerb(word) ? [word, ...rest] : undefined
}
