/**
 * What our operator has made sure of, in words: states, comparisons, what to do next, and what the owner demands.
 * It never says that a peer is who it claims; it says what people have compared, and when.
 * Apart from `Present` because it is one subject; harmlessness comes from there as an argument of every word here.
 */
import { type Describe, type Event, Rejection } from "../core/index.ts"
import * as Meant from "./Meant.ts"
import * as PresentIntroductions from "./PresentIntroductions.ts"
import * as Qr from "./Qr.ts"
import { at } from "./Words.ts"

type Told<Tag extends Event.Event["_tag"]> = Extract<Event.Event, { _tag: Tag }>
interface Line {
  readonly tone: "good" | "bad" | "quiet" | "plain" | "alarm"
  readonly text: string
}

/** Why a mark changed, in words. */
const reasons: Readonly<Record<Told<"TrustChanged">["why"], string>> = {
  compares: "you compared fingerprints",
  matches: "both of you read the same string",
  mismatches: "what was compared differs",
  rotates: "the friend has a new key",
  compromises: "its old key may be in other hands, so what it vouches for has to be compared again",
  doubts: "a key appeared that nobody vouches for",
  confirms: "you kept the key we hold; compare it with /verify",
  takesBack: "you took it back",
  ends: "the friendship has ended"
}

const settle = "compare fingerprints, then /confirm or /unfriend"
/** What an alarm about a friend's key means, and what settles it. */
export const alarmInWords = {
  "second-accept": `two keys answered one request, inject stops; ${settle}`,
  "key-fork": `two successors of one key, messages wait; ${settle}`,
  "key-change": `another key uses this name, messages wait; ${settle}`,
  "sas-mismatch": "what you compared differs, messages wait; /unfriend, or /confirm after a comparison that holds"
} as const

/** The words of this subject's events; the name is harmless already. */
export const words = {
  TrustChanged: ({ to, why }: Told<"TrustChanged">, name: string): Line => ({
    tone: to === "verified" ? "good" : to === "changed" ? "alarm" : "bad",
    text: `${name} is ${to}: ${reasons[why]}`
  }),
  SasOffered: ({ expiresAtMs }: Told<"SasOffered">, name: string): Line => ({
    tone: "alarm",
    text:
      `${name} wants to compare a short string with you, to make sure that nobody sits between you. When you talk to them ` +
      `on another channel, type /verify @${name} sas (until ${at(expiresAtMs)})`
  }),
  SasShown: ({ expiresAtMs, number, words: read }: Told<"SasShown">, name: string): Line => ({
    tone: "good",
    text:
      `compare with ${name} over another channel, aloud: ${read} (or ${number}). Same? /verify @${name} sas yes, ` +
      `else /verify @${name} sas no (until ${at(expiresAtMs)})`
  }),
  SasAwaited: (_: Told<"SasAwaited">, name: string): Line => ({
    tone: "quiet",
    text: `${name}'s operator says that the strings are the same; it takes your word too`
  }),
  SasEnded: ({ code }: Told<"SasEnded">, name: string): Line =>
    code === null
      ? { tone: "good", text: `the comparison with ${name} is done: the strings are the same` }
      : {
          tone: code === "sas-mismatch" || code === "sas-broken" ? "alarm" : "bad",
          text: `the comparison with ${name}: ${code}. ${Rejection.table[code].sentence}`
        }
} as const

type Peer = Describe.FriendView | Describe.RequestView | Describe.Description["introductions"][number]

/** The state of a friend or of whoever asks, with its day where there is one. */
export const state = (peer: Peer): string => {
  const dated = "trustSinceMs" in peer && peer.trustSinceMs !== null
  const since = dated ? ` (${at(peer.trustSinceMs).slice(0, 10)})` : ""
  return `${peer.trust}${since}${PresentIntroductions.introducedBy(peer.introducedBy)}`
}

const steps = {
  committed: "you have begun a comparison; the friend's operator has to type the same",
  invited: "the friend's operator wants to compare a short string: /verify @NAME sas",
  answered: "a comparison is under way",
  comparing: "say whether the strings are the same: /verify @NAME sas yes, or no",
  agreed: "you have said that the strings are the same; the friend's operator has not yet",
  awaited: "the friend's operator says that the strings are the same: /verify @NAME sas yes, or no"
} as const

const comparison = ({ comparison: one }: Describe.FriendView, typed: string): ReadonlyArray<string> => {
  if (one === null) return []
  const read = one.words === null ? [] : [`  the string of this session: ${one.words} (or ${one.number})`]
  return [`  ${steps[one.stage].replace("@NAME", typed)} (until ${at(one.expiresAtMs)})`, ...read]
}

/** All there is to compare with those of a name, and what to type then; names come harmless. */
export const verifyLines = (
  node: Describe.Description,
  name: string,
  harmless: (text: string) => string
): ReadonlyArray<string> => {
  const [friends, requests] = [
    Meant.among(node.friends, name),
    Meant.among([...node.requests, ...node.introductions], name)
  ]
  if (friends.length + requests.length === 0) return [`nobody called @${harmless(name)}; see /friends and /requests`]
  const compared = [...friends, ...requests].flatMap((peer) => [
    `@${harmless(peer.name)}#${peer.identityKey.slice(0, 8)} is ${state(peer)}. Compare over another channel; it is the same on both sides:`,
    `  ${peer.fingerprint.words}`,
    `  ${peer.fingerprint.number}`,
    ...Qr.draw(peer.fingerprint.qr).map((row) => `  ${row}`),
    `  ${peer.fingerprint.qr}`
  ])
  const next = friends.flatMap((friend) => {
    const typed = Meant.address(node.friends, friend)
    const aloud = friend.connected ? `; or read a short string to each other: /verify ${typed} sas` : ""
    return [`  same? /verify ${typed} yes, else /verify ${typed} no${aloud}`, ...comparison(friend, typed)]
  })
  return [...compared, ...next]
}

/** What the owner demands of every friend. */
export const demandLines = ({ verifiedFor }: Describe.Description): ReadonlyArray<string> =>
  verifiedFor.length === 0
    ? ["nothing is demanded beyond grants"]
    : verifiedFor.map((capability) => `${capability}: from verified friends only`)
