/**
 * Who is known in one topic, within a bound: members that we have met, and newcomers that come and go.
 * It never believes that a profile is true, only that it is signed; and it never lets the unmet push out the met.
 *
 * The rule of who stays. A member is *met* once it has proven its key to us in a session. `settled` holds the first
 * `settledMax` that were met: each stays until its own profile ends, it leaves, or we leave, whoever else comes. Everybody
 * else is a newcomer: one that is met always gets in and takes the place of a random one that is only heard of, or, if there
 * is none, of a random met one; one that is only heard of takes the place of a random one like it. So a flood of keys can
 * neither push a settled member out nor keep a new one from being seen; it can only shorten how long a newcomer stays.
 * Old versions are remembered by key when somebody leaves or gives way, so that nobody can bring them back.
 */
import { HashMap, Option } from "effect"
import type { Authentic } from "../identity/Authentic.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"
import type { Profile } from "./Profile.ts"

export interface Member {
  readonly profile: Profile
  /** Whether it has proven its key to us in a session of this topic. */
  readonly met: boolean
  readonly sinceMs: number
  /** When we last met it, or first heard of it. */
  readonly seenMs: number
}

/** A version below or at which nothing of a key counts any more, until that version could not be fresh anyway. */
interface Mark {
  readonly version: number
  readonly untilMs: number
}

export interface Directory {
  readonly settled: HashMap.HashMap<string, Member>
  readonly newcomers: HashMap.HashMap<string, Member>
  readonly marks: HashMap.HashMap<string, Mark>
}

export const empty: Directory = { settled: HashMap.empty(), newcomers: HashMap.empty(), marks: HashMap.empty() }

/**
 * What came of a profile: `new` a member, `newer` than what we held, `same`, `older` (refused), `conflict` (another profile of
 * the version we hold: the first is kept), `left` (the member is gone), `full` (nobody gives way to one only heard of).
 */
export type Outcome = "new" | "newer" | "same" | "older" | "conflict" | "left" | "full"

/** The member of a key. */
export const member = (directory: Directory, key: RemoteIdentityKey): Member | undefined =>
  Option.getOrUndefined(HashMap.get(directory.settled, key)) ??
  Option.getOrUndefined(HashMap.get(directory.newcomers, key))

/** How many there are. */
export const size = ({ newcomers, settled }: Directory): number => HashMap.size(settled) + HashMap.size(newcomers)

const sorted = (members: HashMap.HashMap<string, Member>): ReadonlyArray<Member> =>
  [...members].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)

/** All members: the settled, then those met, then those heard of, each in the order of their keys. */
export const members = ({ newcomers, settled }: Directory): ReadonlyArray<Member> => {
  const others = sorted(newcomers)
  return [...sorted(settled), ...others.filter((one) => one.met), ...others.filter((one) => !one.met)]
}

const without = (directory: Directory, key: string): Directory => ({
  ...directory,
  settled: HashMap.remove(directory.settled, key),
  newcomers: HashMap.remove(directory.newcomers, key)
})

/** Remembers that nothing up to this profile counts any more; of too many marks the half goes that ends first. */
const marked = (
  directory: Directory,
  { expiresMs, identityKey, version }: Pick<Profile, "expiresMs" | "identityKey" | "version">
): Directory => {
  const marks = HashMap.set(directory.marks, identityKey, { version, untilMs: expiresMs })
  if (HashMap.size(marks) <= Limits.topicMarksMax) return { ...directory, marks }
  const ends = [...marks].sort(([a, one], [b, other]) => other.untilMs - one.untilMs || (a < b ? -1 : 1))
  return { ...directory, marks: HashMap.fromIterable(ends.slice(0, Limits.topicMarksMax / 2)) }
}

const drawn = <A>(list: ReadonlyArray<A>, entropy: Uint8Array): A | undefined =>
  list[(((entropy[0] ?? 0) << 16) | ((entropy[1] ?? 0) << 8) | (entropy[2] ?? 0)) % Math.max(1, list.length)]

/** Makes room among the newcomers: who has to go, undefined where there is room, `nobody` where none may. */
const leaving = ({ newcomers }: Directory, met: boolean, entropy: Uint8Array): Member | undefined | "nobody" => {
  if (HashMap.size(newcomers) < Limits.topicNewcomersMax) return undefined
  const all = [...HashMap.keys(newcomers)].sort()
  const heard = all.filter((key) => !HashMap.getUnsafe(newcomers, key).met)
  const key = drawn(heard.length > 0 || !met ? heard : all, entropy)
  return key === undefined ? "nobody" : HashMap.getUnsafe(newcomers, key)
}

/** Puts a member where it belongs. One that nobody gives way to is not kept, and that is no refusal of it. */
const placed = (directory: Directory, one: Member, entropy: Uint8Array): Directory => {
  const key = one.profile.identityKey
  const { newcomers, settled } = directory
  if (HashMap.has(settled, key) || (one.met && HashMap.size(settled) < Limits.topicSettledMax)) {
    return { ...without(directory, key), settled: HashMap.set(settled, key, one) }
  }
  if (HashMap.has(newcomers, key)) return { ...directory, newcomers: HashMap.set(newcomers, key, one) }
  const gone = leaving(directory, one.met, entropy)
  if (gone === "nobody") return directory
  const roomy = gone === undefined ? directory : marked(without(directory, gone.profile.identityKey), gone.profile)
  return { ...roomy, newcomers: HashMap.set(roomy.newcomers, key, one) }
}

/** How a profile stands to what we hold or remember of its key. */
const compare = (directory: Directory, profile: Profile, known: Member | undefined): Outcome => {
  if (known === undefined) {
    const mark = Option.getOrUndefined(HashMap.get(directory.marks, profile.identityKey))
    // A key that gave way to others may come back as it was; one that has left left a version that nothing equals.
    if (mark !== undefined && profile.version < mark.version) return "older"
    return profile.content === null ? "left" : "new"
  }
  if (profile.version < known.profile.version) return "older"
  if (profile.version > known.profile.version) return profile.content === null ? "left" : "newer"
  // Sealing and signing are deterministic: what differs in a byte says something else, or is signed twice.
  return profile.wire === known.profile.wire ? "same" : "conflict"
}

/** A member that has left: not even the version that said so may be said otherwise. */
const gone = (directory: Directory, profile: Profile): Directory =>
  marked(without(directory, profile.identityKey), { ...profile, version: profile.version + 1 })

/**
 * Takes a profile whose signature and times hold. `met`: its signer has just proven the same key in a session. `entropy`
 * decides who gives way.
 */
export const admit = (
  directory: Directory,
  { value: profile }: Authentic<Profile>,
  met: boolean,
  nowMs: number,
  entropy: Uint8Array
): { readonly directory: Directory; readonly outcome: Outcome } => {
  const key = profile.identityKey
  const known = member(directory, key)
  const outcome = compare(directory, profile, known)
  if (outcome === "left") return { directory: gone(directory, profile), outcome }
  // Met again, a newcomer may find a place among the settled that was taken before.
  if (outcome !== "new" && outcome !== "newer" && !(met && outcome === "same")) return { directory, outcome }
  const one: Member = {
    profile: known !== undefined && outcome === "same" ? known.profile : profile,
    met: met || known?.met === true,
    sinceMs: known?.sinceMs ?? nowMs,
    seenMs: met ? nowMs : (known?.seenMs ?? nowMs)
  }
  const after = placed(directory, one, entropy)
  return { directory: after, outcome: after === directory ? "full" : outcome }
}

/** A member has proven its key in a session and named what we hold of it: nothing new is said, and it is met all the same. */
export const meet = (directory: Directory, known: Member, nowMs: number, entropy: Uint8Array): Directory =>
  placed(directory, { ...known, met: true, seenMs: nowMs }, entropy)

/**
 * The holder of a key has proven that it has left older ones, oldest first: no profile of theirs is shown, nor of the last one
 * taken from those who pass it on. More than that one is not remembered, so that a long history costs no more than a short.
 */
export const retire = (directory: Directory, keys: ReadonlyArray<RemoteIdentityKey>, nowMs: number): Directory => {
  const last = keys.at(-1)
  const retired = keys.filter((key) => key === last || member(directory, key) !== undefined)
  return retired.reduce(
    (left, identityKey) =>
      marked(without(left, identityKey), {
        identityKey,
        version: Number.MAX_SAFE_INTEGER,
        expiresMs: nowMs + Limits.profileAgeMs
      }),
    directory
  )
}

/** A member said in its own session that it has left: what it said before counts no more. */
export const leave = (directory: Directory, key: RemoteIdentityKey): Directory => {
  const known = member(directory, key)
  if (known === undefined) return directory
  return gone(directory, known.profile)
}

/** Without what is over; places among the settled go to the newcomers that were met first. The same if nothing is. */
export const expire = (directory: Directory, nowMs: number): Directory => {
  const isOver = (one: Member) => one.profile.expiresMs <= nowMs
  const settled = HashMap.filter(directory.settled, (one) => !isOver(one))
  const newcomers = HashMap.filter(directory.newcomers, (one) => !isOver(one))
  const marks = HashMap.filter(directory.marks, (mark) => mark.untilMs > nowMs)
  const room = Limits.topicSettledMax - HashMap.size(settled)
  const rising = sorted(newcomers)
    .filter((one) => one.met)
    .sort((a, b) => a.sinceMs - b.sinceMs)
    .slice(0, room)
  const same =
    HashMap.size(settled) === HashMap.size(directory.settled) &&
    HashMap.size(newcomers) === HashMap.size(directory.newcomers) &&
    HashMap.size(marks) === HashMap.size(directory.marks)
  if (same && rising.length === 0) return directory
  const risen = new Set<string>(rising.map((one) => one.profile.identityKey))
  return {
    settled: HashMap.union(
      settled,
      HashMap.fromIterable(rising.map((one) => [one.profile.identityKey as string, one]))
    ),
    newcomers: HashMap.filter(newcomers, (_, key) => !risen.has(key)),
    marks
  }
}
