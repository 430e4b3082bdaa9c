/**
 * Being in one topic: when to look for others, whom to meet next, and what is known so far.
 * It never dials and never reads a message; it is a value that the node's turns replace.
 * Who joins at the same moment misses the other's announcement, so the first looks come soon after each other; whom to meet
 * is drawn at random and paced, so that a crowd costs time and never more than its share of links.
 */
import { HashMap } from "effect"
import * as RateLimit from "../admission/RateLimit.ts"
import * as Limits from "../Limits.ts"
import * as Directory from "./Directory.ts"
import type { Profile } from "./Profile.ts"

export interface Presence {
  readonly directory: Directory.Directory
  /** Our own profile, once it is signed. */
  readonly own: Profile | undefined
  /** The last words of members that have left, for those who have not heard them. */
  readonly farewells: ReadonlyArray<Profile>
  /** How often we have looked, whether we do now, and when we do again. */
  readonly looks: number
  readonly looking: boolean
  readonly nextLookMs: number
  /** Transport keys that wait to be met, in an order of chance. */
  readonly found: ReadonlyArray<string>
  /** Whom we are meeting, and until when it counts. */
  readonly dials: HashMap.HashMap<string, number>
  /** Whom we have tried lately, and until when that counts. */
  readonly tried: HashMap.HashMap<string, number>
  readonly pace: RateLimit.Budgets
  /** When one that we know is met again, to compare what is known. */
  readonly nextRoundMs: number
}

/** The pauses between the first looks, so that they lie 0.3, 0.7, 1.5 and 3 s after joining; then each is doubled. */
const firstPausesMs = [300, 400, 800, 1_500]

/** In a topic from now on; the first look is due at once. */
export const begin = (nowMs: number): Presence => ({
  directory: Directory.empty,
  own: undefined,
  farewells: [],
  looks: 0,
  looking: false,
  nextLookMs: nowMs,
  found: [],
  dials: HashMap.empty(),
  tried: HashMap.empty(),
  pace: {},
  nextRoundMs: nowMs + Limits.topicRoundMs
})

const jitter = (ms: number, byte = 128): number => Math.round(ms * (0.8 + (byte * 0.4) / 255))

/** A look begins; the next one is due a while later, however long this one takes. */
export const look = (presence: Presence, nowMs: number, entropy: Uint8Array): Presence => {
  const { looks } = presence
  const pauseMs =
    firstPausesMs[looks] ?? Math.min(Limits.topicLookPauseMaxMs, 3_000 * 2 ** (looks - firstPausesMs.length + 1))
  return { ...presence, looking: true, looks: looks + 1, nextLookMs: nowMs + jitter(pauseMs, entropy[30]) }
}

/** A list in an order of chance, from eight bytes of it. */
const shuffled = <A>(list: ReadonlyArray<A>, entropy: Uint8Array): ReadonlyArray<A> => {
  const order = [...list]
  let state = entropy.subarray(8, 16).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193), 0x811c9dc5) >>> 0
  for (let last = order.length - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = Math.floor((state / 2 ** 32) * (last + 1))
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}

/** What a look has found joins what waits, unless we have tried it lately. */
export const foundAlso = (presence: Presence, keys: ReadonlyArray<string>, entropy: Uint8Array): Presence => {
  const fresh = [...new Set([...presence.found, ...keys])].filter(
    (key) => !HashMap.has(presence.tried, key) && !HashMap.has(presence.dials, key)
  )
  const found = shuffled(fresh.sort(), entropy).slice(0, Limits.topicFoundMax)
  return { ...presence, found, looking: false }
}

/** Somebody is heard of, and waits to be met like those that were found. */
export const heardOf = (presence: Presence, key: string): Presence =>
  HashMap.has(presence.tried, key) || presence.found.includes(key) || presence.found.length >= Limits.topicFoundMax
    ? presence
    : { ...presence, found: [...presence.found, key] }

/** Somebody is to be met next, whether we have tried lately or not. */
export const seek = (presence: Presence, keys: ReadonlyArray<string>): Presence => ({
  ...presence,
  found: [...new Set([...keys, ...presence.found])].slice(0, Limits.topicFoundMax),
  tried: keys.reduce((tried, key) => HashMap.remove(tried, key), presence.tried)
})

/** Some members in an order of chance. */
export const some = (presence: Presence, count: number, entropy: Uint8Array): ReadonlyArray<Directory.Member> =>
  shuffled(Directory.members(presence.directory), entropy).slice(0, count)

/** The next to be met, if one waits and there is room and time for it. */
export const next = (
  presence: Presence,
  nowMs: number
): { readonly presence: Presence; readonly key: string } | undefined => {
  const [key, ...found] = presence.found
  if (key === undefined || HashMap.size(presence.dials) >= Limits.topicDialsMax) return undefined
  const { budgets, waitMs } = RateLimit.draw(presence.pace, "meeting", nowMs)
  if (waitMs > 0) return undefined
  const dials = HashMap.set(presence.dials, key, nowMs + Limits.topicMeetingMs)
  return { key, presence: { ...presence, found, dials, pace: budgets, tried: trying(presence.tried, key, nowMs) } }
}

/** Remembers a try; of too many the half is forgotten that would be soonest. */
const trying = (tried: Presence["tried"], key: string, nowMs: number): Presence["tried"] => {
  const more = HashMap.set(tried, key, nowMs + Limits.topicTriedMs)
  if (HashMap.size(more) <= Limits.topicTriedMax) return more
  const last = [...more].sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
  return HashMap.fromIterable(last.slice(0, Limits.topicTriedMax / 2))
}

/** A meeting is over, or may last only a little longer. */
export const endMeeting = (presence: Presence, key: string, untilMs: number | undefined): Presence => {
  const before = HashMap.has(presence.dials, key)
  if (!before) return presence
  const dials = untilMs === undefined ? HashMap.remove(presence.dials, key) : HashMap.set(presence.dials, key, untilMs)
  return { ...presence, dials }
}

/** Without what is over. The same if nothing is. */
export const expire = (presence: Presence, nowMs: number): Presence => {
  const directory = Directory.expire(presence.directory, nowMs)
  const dials = HashMap.filter(presence.dials, (untilMs) => untilMs > nowMs)
  const tried = HashMap.filter(presence.tried, (untilMs) => untilMs > nowMs)
  const farewells = presence.farewells.filter(({ expiresMs }) => expiresMs > nowMs)
  const same =
    directory === presence.directory &&
    HashMap.size(dials) === HashMap.size(presence.dials) &&
    HashMap.size(tried) === HashMap.size(presence.tried) &&
    farewells.length === presence.farewells.length
  return same ? presence : { ...presence, directory, dials, tried, farewells }
}

/** When something is due in this topic, milliseconds since the epoch. */
export const dueMs = (presence: Presence, nowMs: number): number => {
  let due = Math.min(presence.looking ? Number.POSITIVE_INFINITY : presence.nextLookMs, presence.nextRoundMs)
  for (const untilMs of HashMap.values(presence.dials)) due = Math.min(due, untilMs)
  if (presence.own !== undefined) due = Math.min(due, renewMs(presence.own))
  if (presence.found.length === 0 || HashMap.size(presence.dials) >= Limits.topicDialsMax) return due
  return Math.min(due, nowMs + RateLimit.draw(presence.pace, "meeting", nowMs).waitMs)
}

/** When a profile of ours is signed anew: half of its time is over. */
export const renewMs = ({ expiresMs, issuedMs }: Profile): number => issuedMs + (expiresMs - issuedMs) / 2
