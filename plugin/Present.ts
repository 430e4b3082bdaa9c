/**
 * Facts of a node in words and in JSON: events, replies and descriptions as a person or a program reads them.
 * It never lets a peer's text steer a terminal: control, escape and direction characters are made visible.
 * Words and JSON come from the same facts, so what a screen says a test can read.
 */
import { styleText } from "node:util"
import { type Describe, type Event, Rejection } from "../core/index.ts"
import { inWords } from "../ports/Sandbox.ts"
import * as Commands from "./Commands.ts"
import * as Meant from "./Meant.ts"
import * as PresentIntroductions from "./PresentIntroductions.ts"
import * as PresentInvites from "./PresentInvites.ts"
import * as PresentQueue from "./PresentQueue.ts"
import * as PresentRequests from "./PresentRequests.ts"
import * as PresentTrust from "./PresentTrust.ts"
import { discoveredLines, profileLines, topicLines, whereInWords } from "./TopicPresent.ts"
import { at, counted, harmless } from "./Words.ts"

export { counted, harmless }

/** How strongly a line is marked on a terminal. */
export type Tone = "good" | "bad" | "quiet" | "plain" | "alarm"
export interface Line {
  readonly tone: Tone
  readonly text: string
}

const styles = { good: "green", bad: "yellow", quiet: "dim", plain: "reset", alarm: "red" } as const

/** A line with colour, or without. */
export const paint = (line: Line, colour: boolean): string =>
  colour && line.tone !== "plain" ? styleText(styles[line.tone], line.text, { validateStream: false }) : line.text

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/**
 * A value as one line of JSON whose text steers no terminal and hides nothing: every character that is not plainly visible
 * is written as its escape, which a reader of JSON reads as the same character.
 */
export const json = (value: unknown): string =>
  JSON.stringify(value).replace(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu, (character) =>
    character.split("").map(escaped).join("")
  )

/** A peer's text over several lines: each but the first is marked, so that none can pass for a line of ours. */
const quoted = (text: string): string => harmless(text, true).replaceAll("\n", "\n  | ")

const evidenceInWords: Readonly<Record<string, string>> = {
  same: "the account that posted it has this name",
  different: "the account that posted it has ANOTHER name",
  unproven: "the room cannot tell who posted it",
  alike: "the account that posted it only LOOKS like this name"
}

/** What was only counted, in words. News without a name are those of strangers. */
const notShown = {
  news: (name: string) => (name === "" ? "refusals of strangers" : `news of ${name}`),
  alarms: (name: string) => `alarms about ${name}`,
  lines: (name: string) => `friend lines in ${name} were refused`,
  links: (name: string) => (name === "" ? "links were refused" : `links in the name of ${name} were refused`)
} as const

type Told<Tag extends Event.Event["_tag"]> = Extract<Event.Event, { _tag: Tag }>

/** How each event reads. A new event is a new row. */
const words: { readonly [Tag in Event.Event["_tag"]]: (event: Told<Tag>) => Line } = {
  RequestReceived: (event) => ({
    tone: event.rivals > 0 ? "alarm" : "good",
    text:
      `${harmless(event.name)} asks to be friends in ${harmless(event.channel)} ` +
      `(claims @${harmless(event.name)}, posted by ${event.author === null ? "unknown" : `@${harmless(event.author)}`}: ` +
      `${evidenceInWords[event.author !== null && event.evidence === "unproven" ? "alike" : event.evidence]})${event.rivals > 0 ? `; ${event.rivals} more claim this name` : ""}. ` +
      `Accept with /accept @${harmless(event.name)}${event.rivals > 0 ? `#${event.identityKey.slice(0, 8)}` : ""}`
  }),
  LinePosted: (event) => ({
    tone: "quiet",
    text:
      event.kind === "request"
        ? `asked @${harmless(event.to)} in ${harmless(event.channel)}`
        : `told @${harmless(event.to)} in ${harmless(event.channel)}`
  }),
  LineNotPosted: (event) => ({
    tone: "bad",
    text: `the line to @${harmless(event.to)} could not be posted: ${harmless(Rejection.sentence(event.rejection))}`
  }),
  LineRefused: (event) => ({
    tone: "bad",
    text: `a friend line from "${harmless(event.claimed)}" was refused: ${harmless(Rejection.sentence(event.rejection))}`
  }),
  FriendshipMade: PresentIntroductions.words.FriendshipMade,
  FriendshipEnded: (event) => ({
    tone: "bad",
    text:
      event.by === "operator"
        ? `${harmless(event.name)} is no longer your friend`
        : `${harmless(event.name)} has ended the friendship`
  }),
  GrantChanged: (event) => ({
    tone: "good",
    text: `${harmless(event.name)} lets you: ${event.capabilities.map((one) => harmless(one)).join(", ") || "nothing"}`
  }),
  DiskOlder: (event) => ({
    tone: "alarm",
    text:
      event.whose === "ours"
        ? `this data folder is older than what ${harmless(event.name)} has seen of us (restored from a copy?); ` +
          "messages in between are missing here, numbering begins anew"
        : `${harmless(event.name)} has lost what it had confirmed (restored from a copy?)`
  }),
  TwoMachines: (event) => ({
    tone: "alarm",
    text:
      event.whose === "ours"
        ? `${harmless(event.name)} says that this identity is alive on two machines, which take turns. Stop one of them: ` +
          "they split your messages between them. If only one is yours, somebody has your keys: /rotate compromise"
        : `${harmless(event.name)} is alive on two machines, which take turns: what you send reaches either. Ask them over ` +
          "another channel; if they know of one only, somebody has their keys, and they should /rotate compromise"
  }),
  AlarmEnded: (event) => ({
    tone: "good",
    text:
      event.by === "operator"
        ? `${harmless(event.name)}: settled, messages and inject go on with the key we hold`
        : event.by === "recovery-key"
          ? `${harmless(event.name)}: settled by the recovery key; the key it vouches for is the friend's`
          : `${harmless(event.name)}: settled, the other key is the friend's next one`
  }),
  TrustChanged: (event) => PresentTrust.words.TrustChanged(event, harmless(event.name)),
  SasOffered: (event) => PresentTrust.words.SasOffered(event, harmless(event.name)),
  SasShown: (event) => PresentTrust.words.SasShown(event, harmless(event.name)),
  SasAwaited: (event) => PresentTrust.words.SasAwaited(event, harmless(event.name)),
  SasEnded: (event) => PresentTrust.words.SasEnded(event, harmless(event.name)),
  KeyRotated: (event) => ({
    tone: event.reason === "compromise" ? "alarm" : "good",
    text:
      `${event.whose === "ours" ? "your identity has a new key" : `${harmless(event.name)} has a new key`}` +
      `${event.reason === "compromise" ? " because the old one may be in other hands" : ""}: ` +
      `${event.from} → ${event.to}${event.byRecoveryKey ? ", by the recovery key" : ""}`
  }),
  Alarm: (event) => ({ tone: "alarm", text: `${harmless(event.name)}: ${Rejection.sentence(event.rejection)}` }),
  Connected: (event) => ({
    tone: "quiet",
    text: `connected with ${harmless(event.name)} (Noise XX, X25519, AES-256-GCM, SHA-256; protocol ${event.version})`
  }),
  Disconnected: (event) => ({
    tone: "quiet",
    text: `the connection with ${harmless(event.name)} ended${event.code === null ? "" : ` (${event.code})`}`
  }),
  LinkRefused: (event) => ({
    tone: event.rejection.code === "impostor" ? "alarm" : "quiet",
    text:
      `a link was refused (transport key ${event.swarmKey}): ${harmless(Rejection.sentence(event.rejection))}` +
      (event.names.length === 0 ? "" : ` It claimed to be ${event.names.map((name) => harmless(name)).join(", ")}.`)
  }),
  PeerRefused: (event) => ({
    tone: "bad",
    // The table's sentence speaks to who sent it; whoever can grant it, or made the invite, is here.
    text:
      event.rejection.code === "invite-refused"
        ? PresentInvites.turnedDown(harmless(event.name), event.rejection.detail)
        : `refused from ${harmless(event.name)} (${event.kind}): ${event.rejection.code}. ` +
          (event.rejection.code === "no-capability"
            ? `You have not granted this; see /grant. (${harmless(event.rejection.detail)})`
            : harmless(Rejection.sentence(event.rejection)))
  }),
  Banned: (event) => ({
    tone: "alarm",
    text: `${harmless(event.name)} is shut out until ${new Date(event.untilMs).toISOString()}: ${event.rejection.code}`
  }),
  Delivered: PresentIntroductions.words.Delivered,
  Refused: (event) => ({
    tone: "bad",
    text: `${PresentIntroductions.undelivered(event.kind)} ${harmless(event.name)}: ${event.rejection.code}. ${Rejection.sentence(event.rejection)}`
  }),
  Received: (event) => ({ tone: "plain", text: `${harmless(event.name)}: ${quoted(event.entry.text)}` }),
  InjectHeld: (event) => ({
    tone: "alarm",
    text:
      `${harmless(event.name)} asks your agent something that waits for your word (${harmless(event.reason)}): ` +
      `/approve ${event.id.slice(0, 8)} or /refuse ${event.id.slice(0, 8)}, until ${new Date(event.expiresAtMs).toISOString()}`
  }),
  CallHeld: (event) => ({
    tone: "quiet",
    text: `${harmless(event.name)}'s owner has to allow this first; it waits until ${new Date(event.expiresAtMs).toISOString()} at most`
  }),
  JobStarted: (event) => ({ tone: "quiet", text: `answering ${harmless(event.name)} in the sandbox` }),
  JobEnded: (event) => ({
    tone: event.code === null ? "quiet" : "bad",
    text:
      event.code === null
        ? `answered ${harmless(event.name)}`
        : `could not answer ${harmless(event.name)}: ${event.code}`
  }),
  Answered: (event) => ({
    tone: "plain",
    text:
      `${harmless(event.name)} answers: ${quoted(event.text.trimEnd())}` +
      (event.confinement === undefined
        ? ""
        : ` (from container ${harmless(event.confinement.containerId.slice(0, 12))}: ${harmless(inWords(event.confinement))})`)
  }),
  InviteRedeemed: (event) => ({
    tone: "good",
    text: `${harmless(event.name)} used your invite ${event.id.slice(0, 8)}; ${event.usesLeft} uses left`
  }),
  ErrandAnswered: (event) => ({
    tone: "good",
    text: `${PresentInvites.errandInWords[event.kind]} ${event.id.slice(0, 8)} was answered`
  }),
  ErrandRefused: (event) => ({
    tone: "bad",
    text: `${PresentInvites.errandInWords[event.kind]} ${event.id.slice(0, 8)} came to nothing: ${Rejection.sentence(event.rejection)}`
  }),
  Discovered: (event) => ({
    tone: "quiet",
    text: `@${harmless(event.name)}#${event.identityKey.slice(0, 8)} is in topic ${harmless(event.topic)}; see /discovered`
  }),
  MemberLeft: (event) => ({ tone: "quiet", text: `@${harmless(event.name)} has left topic ${harmless(event.topic)}` }),
  ProfileConflict: (event) => ({
    tone: "alarm",
    text: `@${harmless(event.name)} in topic ${harmless(event.topic)}: ${Rejection.sentence(Rejection.make("profile-conflict"))}`
  }),
  ConnectAsked: (event) => ({
    tone: event.rivals > 0 ? "alarm" : "good",
    text:
      `${harmless(event.name)} asks to be friends ${whereInWords(event.where)}${PresentIntroductions.introducedBy(event.introducedBy)} (its key is proven, its name is ${event.introducedBy === null ? "its own" : "its introducer's"} word` +
      `${event.rivals > 0 ? `; ${event.rivals} more claim this name` : ""})${event.note === "" ? "" : `: ${harmless(event.note)}`}. ` +
      `Accept with /accept @${harmless(event.name)}#${event.identityKey.slice(0, 8)}`
  }),
  IntroductionReceived: PresentIntroductions.words.IntroductionReceived,
  IntroductionEnded: PresentIntroductions.words.IntroductionEnded,
  NotShown: (event) => ({
    tone: event.what === "alarms" ? "alarm" : "bad",
    text: `${event.count} more ${notShown[event.what](harmless(event.name))} within a minute; they are not shown`
  }),
  IntentDone: ({ code, what }) => ({
    tone: code === null ? "good" : "bad",
    text:
      `asked for while the node did not run: ${harmless(what)}: ` +
      `${code === null ? "done" : `refused, ${code}. ${Rejection.sentence(Rejection.make(code))}`}`
  }),
  StorageFailed: (event) => ({ tone: "alarm", text: Rejection.sentence(event.rejection) })
}

/** An event without the note that its peer wrote along: in a log, or said by our bot, it would speak with our own voice. */
export const noteless = (told: Event.Event): Event.Event => ("note" in told ? { ...told, note: "" } : told)

/** Whether an introduction is a question to our operator: of who is a friend already, or has left that key, nothing is asked. */
export const isAsked = ({ standing }: Extract<Event.Event, { _tag: "IntroductionReceived" }>): boolean =>
  standing === "stranger" || standing === "former"

/** An event as one line for a person. */
export const event = (told: Event.Event): Line => (words[told._tag] as (one: Event.Event) => Line)(told)

const jsonNames: Readonly<Partial<Record<Event.Event["_tag"], string>>> = {
  FriendshipMade: "friendship",
  FriendshipEnded: "unfriended"
}

const snake = (tag: string): string => tag.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()

/** An event as one JSON object, with `event` for its kind, `code` where there is one, and the process that tells it. */
export const eventJson = (told: Event.Event): Record<string, unknown> => {
  const { _tag, ...rest } = told
  const code = "rejection" in told ? { code: told.rejection.code, why: Rejection.sentence(told.rejection) } : {}
  return { event: jsonNames[_tag] ?? snake(_tag), ...rest, ...code, pid: process.pid }
}

/** What a friend's questions have cost today, if anything. */
const costs = (spent: Describe.FriendView["spentToday"]): string =>
  spent === null || spent.calls + spent.tokens + spent.ms === 0
    ? ""
    : `; today ${counted(spent.calls, "call")} of the model, ${spent.tokens.toLocaleString("en")} tokens, ` +
      `${Math.ceil(spent.ms / 1_000)} s`

const friendLines = (node: Describe.Description): ReadonlyArray<string> =>
  node.friends.length === 0
    ? ["no friends yet; ask somebody with /friend @name, /invite somebody, or /topic join NAME"]
    : node.friends.map(
        (friend) =>
          `${Meant.address(node.friends, friend)} (${friend.shortId}${friend.called === undefined ? "" : `, to you @${harmless(friend.called)}`}) may ${friend.capabilities.join(", ") || "nothing"}; ` +
          `you may ${friend.allowsUs.join(", ") || "nothing"}; ` +
          `${friend.connected ? "connected" : "not connected"}; ${friend.waiting} waiting; ${PresentTrust.state(friend)}` +
          `${friend.knowsOurKey ? "" : "; has not seen your new key"}${friend.muted ? "; muted" : ""}` +
          `${friend.hold === "never" ? "" : `; questions wait for you: ${friend.hold}`}` +
          `${costs(friend.spentToday)}` +
          `${friend.twoMachinesMs === null ? "" : `; ALARM: on two machines, seen ${at(friend.twoMachinesMs)}`}` +
          `${friend.alarm === null ? "" : `; ALARM: ${PresentTrust.alarmInWords[friend.alarm]}`}`
      )

const fingerprintLines = (node: Describe.Description, name: string): ReadonlyArray<string> => {
  const found = Meant.among([...node.friends, ...node.requests, ...node.introductions], name)
  if (found.length === 0) return [`nobody called @${harmless(name)}; see /friends and /requests`]
  return found.flatMap((peer) => [
    `with @${harmless(peer.name)}#${peer.identityKey.slice(0, 8)} (${PresentTrust.state(peer)}), the same on both sides:`,
    `  ${peer.fingerprint.words}`,
    `  ${peer.fingerprint.number}`,
    `  ${peer.fingerprint.qr}`
  ])
}

const ruleLines = (node: Describe.Description): ReadonlyArray<string> =>
  node.rules.length === 0
    ? ["no auto-accept rules: every request asks you"]
    : node.rules.map(({ id, unproven, ...facts }) => {
        const what = Object.entries(facts).map(([fact, value]) => `${fact}:${harmless(String(value))}`)
        return `${id}  ${what.join(" ") || "*"}${unproven ? " unproven" : ""}`
      })

/** How many friends are verified, and what is demanded of them; nothing while the operator has made no use of it. */
const trustLines = ({ friends, verifiedFor }: Describe.Description): ReadonlyArray<string> => {
  const verified = friends.filter(({ trust }) => trust === "verified").length
  const changed = friends.filter(({ trust }) => trust === "changed").map(({ name }) => `@${harmless(name)}`)
  return [
    ...(verified === 0 ? [] : [`${verified} of ${counted(friends.length, "friend")} verified`]),
    ...(changed.length === 0 ? [] : [`compare again with ${changed.join(", ")}: /verify`]),
    ...verifiedFor.map((capability) => `${capability} is for verified friends only`)
  ]
}

const statusLines = (node: Describe.Description): ReadonlyArray<string> => [
  `@${node.name}, key ${node.identityKey}`,
  `${counted(node.friends.length, "friend")}, ${counted(node.requests.length + node.introductions.length, "open request")}`,
  ...node.friends.flatMap(({ alarm, name }) =>
    alarm === null ? [] : [`ALARM: @${harmless(name)}: ${PresentTrust.alarmInWords[alarm]}`]
  ),
  ...node.friends.flatMap(({ name, saysTwoMachinesMs, twoMachinesMs }) => [
    ...(twoMachinesMs === null ? [] : [`ALARM: @${harmless(name)} is on two machines, seen ${at(twoMachinesMs)}`]),
    ...(saysTwoMachinesMs === null
      ? []
      : [`ALARM: this identity is on two machines, says @${harmless(name)}, ${at(saysTwoMachinesMs)}; stop one`])
  ]),
  ...(node.keysAnnounced.length < 2
    ? []
    : [`found under ${node.keysAnnounced.length} keys until every friend has seen the newest`]),
  ...trustLines(node),
  ...(node.held.length === 0 ? [] : [`${counted(node.held.length, "question")} waiting for your word: /held`]),
  node.sandbox.ready
    ? `the sandbox is ready: ${harmless(node.sandbox.reason)}`
    : `inject is off: ${harmless(node.sandbox.reason)}`,
  ...(node.sandbox.ready && node.sandbox.confinement !== undefined
    ? [`what is in force: ${harmless(inWords(node.sandbox.confinement))}`]
    : [])
]

/** The answer to a question about the node, line by line. */
export const answer = (node: Describe.Description, asked: Commands.Question, name: string): ReadonlyArray<string> => {
  switch (asked) {
    case "friends":
      return friendLines(node)
    case "requests":
      return PresentRequests.requestLines(node)
    case "fingerprint":
      return fingerprintLines(node, name)
    case "verify":
      return PresentTrust.verifyLines(node, name, harmless)
    case "demands":
      return PresentTrust.demandLines(node)
    case "invites":
      return PresentInvites.inviteLines(node)
    case "queue":
      return PresentQueue.queueLines(node)
    case "held":
      return PresentQueue.heldLines(node)
    case "rules":
      return ruleLines(node)
    case "topics":
      return topicLines(node)
    case "profile":
      return profileLines(node)
    case "discovered":
      return discoveredLines(node, name)
    case "status":
      return statusLines(node)
    case "help":
      return Commands.help().split("\n")
  }
}
