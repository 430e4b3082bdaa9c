/**
 * The node at one moment as the panel shows it: its description, and what was seen since its start.
 * It never decides and never hides an alarm; what is shown is derived here from facts that chat and CLI show too.
 * A friend's handle is its name and enough of its key that no other is meant: so a command never reaches a namesake.
 */
import { type Describe, Limits, Rejection } from "../../core/index.ts"
import { inWords } from "../../ports/Sandbox.ts"
import * as Present from "../Present.ts"
import * as PresentTrust from "../PresentTrust.ts"
import * as Qr from "../Qr.ts"
import * as Bounds from "./Bounds.ts"
import type { View } from "./Contract.ts"
import type { Seen } from "./Seen.ts"

/** What a view is made of besides the description. */
export interface Beside {
  readonly seen: Seen
  readonly version: string
  readonly limits: View["limits"]
  readonly doctor: View["doctor"]
  readonly position: string
  readonly nowMs: number
}

/** Characters of a key in a handle: 72 bits, which nobody makes twice on purpose. */
const keyCharacters = 12

/** How a command names somebody: `@name#key`. */
export const handleOf = ({ identityKey, name }: { readonly identityKey: string; readonly name: string }): string =>
  `@${name}#${identityKey.slice(0, keyCharacters)}`

/** A text as a QR code, its quiet zone included. */
export const qrOf = (text: string): View["identity"]["qr"] => {
  const rows = Qr.modules(text)
  return { text, size: rows.length, rows }
}

const friendOf = (friend: Describe.FriendView, { nowMs, seen }: Beside): View["friends"][number] => ({
  ...friend,
  name: friend.called ?? friend.name,
  lineName: friend.name,
  handle: handleOf(friend),
  alarm: friend.alarm === null ? null : { code: friend.alarm, why: PresentTrust.alarmInWords[friend.alarm] },
  lastSeenMs: friend.connected ? nowMs : seen.lastSeenMs(friend.peerId)
})

/** The last refusals of both sides, the newest first. */
const refusalsOf = ({ refusals }: Describe.Description, { seen }: Beside): View["refusals"] => {
  const ours = refusals.map(({ atMs, code, id, kind, name }) => {
    const why = Rejection.isCode(code) ? Rejection.sentence(Rejection.make(code)) : ""
    return { whose: "ours" as const, atMs, name, kind, code, why, id }
  })
  return [...ours, ...seen.refusals()].sort((a, b) => b.atMs - a.atMs).slice(0, Bounds.refusalsShownMax)
}

const sandboxOf = ({ jobsRunning, sandbox }: Describe.Description): View["sandbox"] => ({
  ready: sandbox.ready,
  reason: sandbox.reason,
  confinement: sandbox.confinement === undefined ? null : inWords(sandbox.confinement),
  jobsRunning
})

/** The limits of a node, where a configuration says nothing else of friends. */
export const limitsOf = (rates: Partial<View["limits"]> = {}): View["limits"] => ({
  messagesPerMinute: Limits.messagesPerMinute,
  messagesPerHour: Limits.messagesPerHour,
  injectsPerMinute: Limits.injectsPerMinute,
  injectsPerHour: Limits.injectsPerHour,
  textBytes: Limits.bodyBytesMax,
  queuePerFriend: Limits.outboxEntriesMax,
  ...rates
})

/** The snapshot. */
export const of = (node: Describe.Description, beside: Beside): View => ({
  atMs: beside.nowMs,
  events: beside.position,
  version: beside.version,
  identity: {
    name: node.name,
    shortKey: node.identityKey.slice(0, 8),
    identityKey: node.identityKey,
    keysAnnounced: node.keysAnnounced,
    qr: qrOf(node.identityKey)
  },
  friends: node.friends.map((friend) => friendOf(friend, beside)),
  requests: node.requests.map((request) => ({ ...request, handle: handleOf(request) })),
  introductions: node.introductions.map((one) => ({ ...one, handle: handleOf(one) })),
  asked: node.asked,
  queue: node.queue,
  held: node.held,
  invites: node.invites,
  errands: node.errands,
  topics: node.topics,
  profile: node.profile,
  discovered: node.discovered
    .slice(0, Bounds.discoveredShownMax)
    .map((member) => ({ ...member, handle: handleOf(member) })),
  discoveredMore: Math.max(0, node.discovered.length - Bounds.discoveredShownMax),
  rules: node.rules,
  verifiedFor: node.verifiedFor,
  bans: node.friends.flatMap((friend) =>
    friend.bannedUntilMs === null
      ? []
      : [{ name: friend.name, handle: handleOf(friend), untilMs: friend.bannedUntilMs }]
  ),
  limits: beside.limits,
  sandbox: sandboxOf(node),
  doctor: beside.doctor,
  refusals: refusalsOf(node, beside),
  status: Present.answer(node, "status", ""),
  guests: node.guests,
  unasked: node.unasked
})
