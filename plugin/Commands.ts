/**
 * The slash commands, one table for every place where an operator types: prompt, chat, CLI, panel.
 * It never carries anything out: a typed line becomes a command for the node, a question about it, or a usage message.
 * A new command is a new row; help, completion and parsing follow from it.
 */

import { Result } from "effect"
import { Capability, type Input, Limits, Name, Rotation } from "../core/index.ts"
import { folded, widthMax } from "./HelpText.ts"
import * as IntroductionCommands from "./IntroductionCommands.ts"
import * as InviteCommands from "./InviteCommands.ts"
import {
  type Addressed,
  addressed,
  command,
  type Here,
  mistake,
  type Parsed,
  type Question,
  type Row
} from "./Parsed.ts"
import * as TopicCommands from "./TopicCommands.ts"

export type { Change, Here, Parsed, Question, Row } from "./Parsed.ts"

const question =
  (asked: Question) =>
  (rest: string): Parsed => ({ kind: "question", question: asked, name: rest.replace(/^@/, "").trim() })

/** A question about somebody: whom it means is found where the answer is. */
const about = (asked: Question, { keyPrefix, name }: Addressed): Parsed => ({
  kind: "question",
  question: asked,
  name: keyPrefix === "" ? name : `${name}#${keyPrefix}`
})

const withName = (usage: string, make: (who: Addressed, here: Here) => Parsed) => (rest: string, here: Here) => {
  const who = addressed(rest)
  return who === undefined ? mistake(`usage: ${usage}`) : make(who, here)
}

/** A row whose command needs nothing but a name. */
const aboutPeer = (name: string, tag: "Deny" | "Unfriend" | "Confirm" | "Unverify", help: string): Row => {
  const usage = `/${name} @name[#key]`
  return {
    name,
    usage,
    help,
    parse: withName(usage, (who) =>
      who.rest === "" ? command({ _tag: tag, name: who.name, keyPrefix: who.keyPrefix }) : mistake(`usage: ${usage}`)
    )
  }
}

const acceptUsage = "/accept [@name[#key]]"
const accept: Row = {
  name: "accept",
  usage: acceptUsage,
  help: "accept a friend request; without a name the only one there is",
  parse: (rest) => {
    if (rest.trim() === "") return command({ _tag: "Accept", name: "", keyPrefix: "" })
    const who = addressed(rest)
    return who === undefined || who.rest !== ""
      ? mistake(`usage: ${acceptUsage}`)
      : command({ _tag: "Accept", name: who.name, keyPrefix: who.keyPrefix })
  }
}

const aboutCapability = (name: "grant" | "revoke", tag: "Grant" | "Revoke", help: string): Row => {
  const usage = `/${name} @name[#key] [${Capability.all.join("|")}]`
  return {
    name,
    usage,
    help,
    parse: withName(usage, (who) => {
      const capability = Capability.parse(who.rest === "" ? "inject" : who.rest)
      return capability === undefined
        ? mistake(`"${who.rest}" is not a capability; allowed: ${Capability.all.join(", ")}`)
        : command({ _tag: tag, name: who.name, keyPrefix: who.keyPrefix, capability })
    })
  }
}

const noRoom =
  "there is no room to ask in; start with --room FILE or --irc HOST, or make a friend with /invite, /claim or /topic"
const friendUsage = "/friend @name [in ROOM]"
const friend: Row = {
  name: "friend",
  usage: friendUsage,
  help: "ask somebody in the first room, or in another, to be friends",
  parse: withName(friendUsage, ({ keyPrefix, name, rest }, here) => {
    const [, named] = /^in\s+(\S+)$/.exec(rest) ?? []
    if ((rest !== "" && named === undefined) || keyPrefix !== "") return mistake(`usage: ${friendUsage}`)
    const channel = named ?? here.channel
    return channel === undefined ? mistake(noRoom) : command({ _tag: "Friend", channel, to: name })
  })
}

const message: Row = {
  name: "message",
  usage: "/message @name[#key] text",
  help: "send a text to a friend",
  parse: withName("/message @name[#key] text", ({ keyPrefix, name, rest }) =>
    command({ _tag: "Message", name, keyPrefix, text: rest })
  )
}

const inject: Row = {
  name: "inject",
  usage: "/inject @name[#key] [--now] text",
  help: "have a friend's agent answer a text, from inside its sandbox; --now: not if its owner has to be asked",
  parse: withName("/inject @name[#key] text", ({ keyPrefix, name, rest }) => {
    const now = /^--now(\s+|$)/.exec(rest)
    const text = rest.slice(now?.[0].length ?? 0)
    const mayHold = now === null ? {} : { mayHold: false as const }
    return command({ _tag: "Inject", name, keyPrefix, text, waitMs: Limits.injectWaitMs, ...mayHold })
  })
}

const facts = ["key", "channel", "author"] as const

/** `*` or `key:… channel:… author:…`, and `unproven` to let it apply where the channel cannot tell who posted. */
const parseRule = (words: ReadonlyArray<string>): Extract<Input.Command, { _tag: "AddRule" }>["rule"] | undefined => {
  const named = new Map<string, string>()
  let unproven = false
  for (const word of words) {
    const [fact, ...value] = word.split(":")
    if (word === "unproven") unproven = true
    else if (word !== "*" && facts.some((known) => known === fact) && value.join(":") !== "") {
      named.set(fact!, value.join(":"))
    } else if (word !== "*") return undefined
  }
  const some = named.size > 0 || words.includes("*")
  return some ? { ...Object.fromEntries(named), unproven } : undefined
}

const autoAcceptUsage = "/auto-accept list | add * | add [key:K] [channel:C] [author:A] [unproven] | remove ID"
const autoAccept: Row = {
  name: "auto-accept",
  usage: autoAcceptUsage,
  help: "rules under which requests are accepted without asking (never more than `message`)",
  parse: (rest) => {
    const [verb, ...words] = rest.trim().split(/\s+/)
    if (verb === "list" || verb === "") return { kind: "question", question: "rules", name: "" }
    if (verb === "remove" && words.length === 1) return command({ _tag: "RemoveRule", id: words[0]! })
    const rule = verb === "add" ? parseRule(words) : undefined
    if (rule === undefined) return mistake(`usage: ${autoAcceptUsage}`)
    const badKey = "key" in rule && typeof rule.key === "string" && !/^[A-Za-z0-9_-]{43}$/.test(rule.key)
    return badKey ? mistake("a key has 43 characters; see /requests") : command({ _tag: "AddRule", rule })
  }
}

const nameUsage = "/name @name[#key] NEW-NAME"
const name: Row = {
  name: "name",
  usage: nameUsage,
  help: "what you call a friend; its own name again takes that back",
  parse: withName(nameUsage, ({ keyPrefix, name: meant, rest }) => {
    const called = rest.replace(/^@/, "")
    return Result.isFailure(Name.parse(called))
      ? mistake(`usage: ${nameUsage}`)
      : command({ _tag: "Name", name: meant, keyPrefix, called })
  })
}

const cancel: Row = {
  name: "cancel",
  usage: "/cancel ID",
  help: "give up a message or inject of yours; /queue lists their ids",
  parse: (rest) => {
    const id = rest.trim().toLowerCase()
    return /^[0-9a-f]{4,32}$/.test(id) ? command({ _tag: "Cancel", id }) : mistake("usage: /cancel ID, see /queue")
  }
}

/** A command about a held question, by its id. */
const aboutHeld = (name: "approve" | "refuse", tag: "Approve" | "Refuse", help: string): Row => ({
  name,
  usage: `/${name} ID`,
  help,
  parse: (rest) => {
    const id = rest.trim().toLowerCase()
    return /^[0-9a-f]{4,32}$/.test(id) ? command({ _tag: tag, id }) : mistake(`usage: /${name} ID, see /held`)
  }
})

const verifyUsage = "/verify @name[#key] [yes | no | sas [yes | no]]"
/** What is typed after the name → what the operator says or wants. */
const verify: Row = {
  name: "verify",
  usage: verifyUsage,
  help: "what to compare with a friend, what you say of it, or a short string to read to each other",
  parse: withName(verifyUsage, (who) => {
    const friend = { name: who.name, keyPrefix: who.keyPrefix }
    switch (who.rest.trim().toLowerCase().replace(/\s+/g, " ")) {
      case "":
        return about("verify", who)
      case "yes":
      case "matches":
        return command({ _tag: "Verify", ...friend, same: true })
      case "no":
        return command({ _tag: "Verify", ...friend, same: false })
      case "sas":
        return command({ _tag: "Compare", ...friend })
      case "sas yes":
        return command({ _tag: "Compared", ...friend, same: true })
      case "sas no":
        return command({ _tag: "Compared", ...friend, same: false })
      default:
        return mistake(`usage: ${verifyUsage}`)
    }
  })
}

const aboutMuting = (name: "mute" | "unmute", help: string): Row => {
  const usage = `/${name} @name[#key]`
  return {
    name,
    usage,
    help,
    parse: withName(usage, ({ keyPrefix, name: who, rest }) =>
      rest === "" ? command({ _tag: "Mute", name: who, keyPrefix, muted: name === "mute" }) : mistake(`usage: ${usage}`)
    )
  }
}

const requireUsage = "/require list | verified for message|inject | nothing for message|inject"
const require: Row = {
  name: "require",
  usage: requireUsage,
  help: "what only verified friends may do, whatever they are granted",
  parse: (rest) => {
    const [trust, word, wanted = "", ...more] = rest.trim().split(/\s+/)
    if ((trust === "" || trust === "list") && word === undefined) {
      return { kind: "question", question: "demands", name: "" }
    }
    const capability = Capability.parse(wanted)
    const isKnown = (trust === "verified" || trust === "nothing") && word === "for" && more.length === 0
    return isKnown && capability !== undefined
      ? command({ _tag: "Require", capability, trust })
      : mistake(`usage: ${requireUsage}`)
  }
}

const holdUsage = "/hold @name[#key] always | first | over-budget | unverified | never"
const hold: Row = {
  name: "hold",
  usage: holdUsage,
  help: "which questions of a friend wait for your word before your agent answers",
  parse: withName(holdUsage, ({ keyPrefix, name, rest }) => {
    const when = (["always", "first", "over-budget", "unverified", "never"] as const).find(
      (word) => word === rest.trim()
    )
    return when === undefined ? mistake(`usage: ${holdUsage}`) : command({ _tag: "Hold", name, keyPrefix, when })
  })
}

const rotateUsage = "/rotate [compromise [RECOVERY-KEY]]"
const rotate: Row = {
  name: "rotate",
  usage: rotateUsage,
  help: "new keys for this node; friends follow by themselves (compromise: the old ones were stolen)",
  parse: (rest) => {
    const [reason = "", key, ...more] = rest.trim().split(/\s+/)
    if (reason === "") return { kind: "identity", change: { what: "rotate", reason: "scheduled" } }
    if (reason !== "compromise" || more.length > 0) return mistake(`usage: ${rotateUsage}`)
    if (key === undefined) return { kind: "identity", change: { what: "rotate", reason } }
    const recoveryKey = Rotation.parseRecoveryKey(key)
    return recoveryKey === undefined
      ? mistake("a recovery key has 43 characters, as /recovery printed it")
      : { kind: "identity", change: { what: "rotate", reason, recoveryKey } }
  }
}

const recovery: Row = {
  name: "recovery",
  usage: "/recovery",
  help: "make an offline key that wins against whoever steals yours; it is shown once",
  parse: (rest) =>
    rest.trim() === "" ? { kind: "identity", change: { what: "recovery" } } : mistake("usage: /recovery")
}

/** Every command, in the order in which help lists them. */
export const table: ReadonlyArray<Row> = [
  friend,
  accept,
  aboutPeer("deny", "Deny", "turn a friend request down (nobody is told)"),
  InviteCommands.invite,
  InviteCommands.claim,
  { name: "invites", usage: "/invites", help: "your invites, and those you claim", parse: question("invites") },
  InviteCommands.uninvite,
  IntroductionCommands.introduce,
  message,
  inject,
  {
    name: "queue",
    usage: "/queue",
    help: "what waits to be delivered or answered, and what was not delivered",
    parse: question("queue")
  },
  cancel,
  aboutCapability("grant", "Grant", "allow a friend more (default: inject)"),
  aboutCapability("revoke", "Revoke", "withdraw a capability at once (default: inject)"),
  hold,
  {
    name: "held",
    usage: "/held",
    help: "questions of friends that wait for your word",
    parse: question("held")
  },
  aboutHeld("approve", "Approve", "let your agent answer a question that waits"),
  aboutHeld("refuse", "Refuse", "turn a question that waits down; the friend is told"),
  name,
  aboutPeer("unfriend", "Unfriend", "end a friendship at once, with everything granted"),
  aboutMuting("mute", "keep a friend's texts in the conversation without announcing them"),
  aboutMuting("unmute", "announce a friend's texts again"),
  aboutPeer("confirm", "Confirm", "settle an alarm about a friend's key: the one we hold is right"),
  verify,
  aboutPeer("unverify", "Unverify", "take a verification back"),
  require,
  { name: "friends", usage: "/friends", help: "who your friends are", parse: question("friends") },
  { name: "requests", usage: "/requests", help: "who has asked, and whom you asked", parse: question("requests") },
  {
    name: "fingerprint",
    usage: "/fingerprint @name[#key]",
    help: "what to compare with a friend over another channel",
    parse: withName("/fingerprint @name[#key]", (who) => about("fingerprint", who))
  },
  autoAccept,
  ...TopicCommands.rows,
  rotate,
  recovery,
  { name: "status", usage: "/status", help: "this node at a glance", parse: question("status") },
  { name: "help", usage: "/help", help: "this list", parse: question("help") },
  { name: "quit", usage: "/quit", help: "end the node", parse: () => ({ kind: "quit" }) }
]

const byName = (name: string): Row | undefined => table.find((row) => row.name === name)

/** A typed line → what is wanted. Unknown commands name the nearest help. */
export const parse = (line: string, here: Here): Parsed => {
  const match = /^\/([a-z-]+)(?:\s+([\s\S]*))?$/u.exec(line.trim())
  if (match === null) return mistake("commands begin with a slash; /help lists them")
  const row = byName(match[1]!)
  return row === undefined
    ? mistake(`there is no command /${match[1]}; /help lists them`)
    : row.parse(match[2] ?? "", here)
}

/** Columns of the left part of a help text; what is longer there has a line of its own. */
const usageColumns = 32

/** Rows with what they do, in two columns. */
export const columns = (rows: ReadonlyArray<Pick<Row, "usage" | "help">>): string => {
  const indent = " ".repeat(usageColumns + 4)
  return rows
    .flatMap(({ help: does, usage }) => {
      const [first, ...more] = folded(does, widthMax - indent.length).map((text) => `${indent}${text}`)
      const left = folded(usage, widthMax - 4).join("\n    ")
      return usage.length <= usageColumns
        ? [`  ${left.padEnd(usageColumns + 2)}${first?.trimStart()}`, ...more]
        : [`  ${left}`, first, ...more]
    })
    .join("\n")
}

/** Every command with what it does. */
export const help = (): string => columns(table)

/** Commands that complete what was typed, for a prompt. */
export const complete = (typed: string): ReadonlyArray<string> =>
  table.map((row) => `/${row.name}`).filter((name) => name.startsWith(typed))
