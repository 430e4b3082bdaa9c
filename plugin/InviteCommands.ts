/**
 * The slash commands about invites: making one, redeeming one, taking one back.
 * It never carries one out and never repeats a link: what is typed behind `/claim` is a secret from the first key on.
 * Apart from the table of all commands because only these read words in any order.
 */
import { Redacted } from "effect"
import { type Input, InviteLink } from "../core/index.ts"
import { command, mistake, type Row } from "./Parsed.ts"

type Wishes = Omit<Extract<Input.Command, { _tag: "CreateInvite" }>, "_tag">

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `30m`, `12h` or `7d` in milliseconds. */
const timeOf = (text: string): number | undefined => {
  const match = /^([1-9][0-9]{0,4})([mhd])$/.exec(text)
  return match === null ? undefined : Number(match[1]) * unitMs[match[2]!]!
}

/** One word, or one with its value, of what an invite is to be; undefined: it is none. */
const wishOf = (
  word: string,
  value: string | undefined
): { readonly wish: Wishes; readonly words: 1 | 2 } | undefined => {
  if (word === "message" || word === "inject") return { wish: { inject: word === "inject" }, words: 1 }
  if (value === undefined) return undefined
  if (word === "for") return /^[A-Za-z0-9_-]{43}$/.test(value) ? { wish: { named: value }, words: 2 } : undefined
  if (word === "uses") return /^[1-9][0-9]{0,3}$/.test(value) ? { wish: { uses: Number(value) }, words: 2 } : undefined
  const lastsMs = word === "expires" ? timeOf(value) : undefined
  return lastsMs === undefined ? undefined : { wish: { lastsMs }, words: 2 }
}

/** All of a line, each said once; or undefined. */
const wishesIn = (words: ReadonlyArray<string>): Wishes | undefined => {
  let wishes: Wishes = {}
  for (let index = 0; index < words.length; ) {
    const read = wishOf(words[index]!, words[index + 1])
    if (read === undefined || Object.keys(read.wish).some((key) => key in wishes)) return undefined
    wishes = { ...wishes, ...read.wish }
    index += read.words
  }
  return wishes
}

const inviteUsage = "/invite [message|inject] [for KEY] [uses N] [expires 7d]"
export const invite: Row = {
  name: "invite",
  usage: inviteUsage,
  help: "make a link by which somebody becomes a friend; it is shown once, and is a secret",
  parse: (rest) => {
    const wishes = wishesIn(rest.trim() === "" ? [] : rest.trim().split(/\s+/))
    return wishes === undefined ? mistake(`usage: ${inviteUsage}`) : command({ _tag: "CreateInvite", ...wishes })
  }
}

export const claim: Row = {
  name: "claim",
  usage: "/claim LINK",
  help: "become a friend of whoever made an invite",
  parse: (rest) => {
    const link = rest.trim()
    return link === "" || /\s/.test(link)
      ? mistake(`usage: /claim LINK, which begins with ${InviteLink.scheme}`)
      : command({ _tag: "ClaimInvite", link: Redacted.make(link, { label: "invite link" }) })
  }
}

export const uninvite: Row = {
  name: "uninvite",
  usage: "/uninvite ID",
  help: "take an invite back at once; /invites lists their ids",
  parse: (rest) => {
    const id = rest.trim().toLowerCase()
    return /^[0-9a-f]{4,32}$/.test(id)
      ? command({ _tag: "RevokeInvite", id })
      : mistake("usage: /uninvite ID, see /invites")
  }
}
