/**
 * Introductions in words: what a friend says of somebody, what is proven of it, and what to type then.
 * It never lets an introducer's word pass for a comparison: whoever was introduced is unverified until people compare.
 * Apart from `Present` because that page is long enough.
 */
import { type Describe, type Event, Rejection } from "../core/index.ts"
import { at, bytes, harmless } from "./Words.ts"

type Told<Tag extends Event.Event["_tag"]> = Extract<Event.Event, { _tag: Tag }>
interface Line {
  readonly tone: "good" | "bad" | "quiet" | "plain" | "alarm"
  readonly text: string
}

const handle = (name: string, key: string): string => `@${harmless(name)}#${key.slice(0, 8)}`

/** What follows a peer's trust wherever it is shown. */
export const introducedBy = (name: string | null): string => (name === null ? "" : `, introduced by @${harmless(name)}`)

/** How the events of this subject read. */
export const words = {
  FriendshipMade: ({ introducedBy: by, name }: Told<"FriendshipMade">): Line => ({
    tone: "good",
    text: `${harmless(name)} is your friend now${introducedBy(by ?? null)}`
  }),
  IntroductionReceived: (event: Told<"IntroductionReceived">): Line => {
    const { expiresAtMs, identityKey, introduced, name, note, rivals, standing } = event
    const who = handle(introduced, identityKey)
    const said = note === "" ? "" : `: ${harmless(note)}`
    if (standing === "friend") {
      return { tone: "quiet", text: `${harmless(name)} introduces ${who}, whose key is a friend's already${said}` }
    }
    if (standing === "retired") {
      const why = "by a key that its holder has left; nothing comes of it"
      return { tone: "quiet", text: `${harmless(name)} introduces ${who} ${why}${said}` }
    }
    const namesake = rivals === 0 ? "" : "; ANOTHER key than the friend of that name has"
    const former = standing === "former" ? "; it was your friend once" : ""
    return {
      tone: rivals > 0 ? "alarm" : "good",
      text:
        `${harmless(name)} introduces ${who} (its word, unverified${former}${namesake})${said}. ` +
        `Become friends with /accept ${who}, or /deny it, until ${at(expiresAtMs)}; /requests shows what to compare`
    }
  },
  IntroductionEnded: ({ code, identityKey, introduced, name }: Told<"IntroductionEnded">): Line => ({
    tone: "bad",
    text: `the introduction of ${handle(introduced, identityKey)} by ${harmless(name)} is over: ${Rejection.table[code].sentence}`
  }),
  Delivered: ({ bytes: size, kind, name }: Told<"Delivered">): Line => ({
    tone: "quiet",
    text:
      kind === "Introduce"
        ? `${harmless(name)} has your introduction`
        : `delivered to ${harmless(name)} (${bytes(size)})`
  })
} as const

/** What of ours did not arrive. */
export const undelivered = (kind: string): string =>
  kind === "Inject" ? "no answer from" : kind === "Introduce" ? "your introduction did not reach" : "not delivered to"

/** Introductions that wait for a word of ours, and those we have said yes to, a line each. */
export const lines = ({ errands, introductions }: Describe.Description): ReadonlyArray<string> => [
  ...introductions.map(({ expiresAtMs, fingerprint, former, identityKey, introducedBy: by, name, note }) => {
    const once = former ? ", your friend once" : ""
    const said = note === "" ? "" : `, "${harmless(note)}"`
    return (
      `${handle(name, identityKey)} is introduced by @${harmless(by)}${said}${once}, unverified, until ${at(expiresAtMs)}: ` +
      fingerprint.words
    )
  }),
  ...errands
    .filter(({ kind }) => kind === "introduced")
    .map(
      ({ expiresAtMs, id, identityKey, name }) =>
        `${id.slice(0, 8)}  you want to be friends with ${handle(name ?? "", identityKey)}, who was introduced: no yes of theirs ` +
        `yet, until ${at(expiresAtMs)}; /cancel ${id.slice(0, 8)} takes it back`
    )
]
