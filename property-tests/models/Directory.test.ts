/**
 * The directory of a topic against a clerk who forgets nothing: every version ever seen, everybody who was ever met.
 * The clerk knows nothing of places and chance; it knows who may not be pushed out, and what may not come back.
 * A crowd of more than both sections hold plays with it: members who come, are met, speak anew, leave and expire.
 */
import { HashMap } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Directory, Limits } from "../../core/index.ts"
import { profileOf, publicRoom } from "../arbitraries/profiles.ts"
import { noonMs } from "../arbitraries/state.ts"

const crowd = Limits.topicSettledMax + Limits.topicNewcomersMax + 60
const versions = [1, 2, 3]
/** Signed once for all runs; every third lives for an hour only. */
const signed = Array.from({ length: crowd }, (_, seed) =>
  versions.map((version) =>
    profileOf(seed, publicRoom, { version, expiresMs: noonMs + (seed % 3 === 0 ? 3_600_000 : Limits.profileAgeMs) })
  )
)
const keyOf = (seed: number) => signed[seed]![0]!.value.identityKey

interface Clerk {
  nowMs: number
  /** The highest version that was taken, by key. */
  readonly highest: Map<string, number>
  /** Those among the first that were met, who may only leave by themselves. */
  readonly kept: Set<string>
  turns: number
}
interface Real {
  directory: Directory.Directory
}
type Command = fc.Command<Clerk, Real>

const entropyAt = (turn: number) => new Uint8Array([turn * 37, turn * 101, turn * 7])

const checkAll = (clerk: Clerk, { directory }: Real) => {
  expect(HashMap.size(directory.settled)).toBeLessThanOrEqual(Limits.topicSettledMax)
  expect(HashMap.size(directory.newcomers)).toBeLessThanOrEqual(Limits.topicNewcomersMax)
  expect(HashMap.size(directory.marks)).toBeLessThanOrEqual(Limits.topicMarksMax)
  for (const key of clerk.kept)
    expect(HashMap.has(directory.settled, key), "a settled member was pushed out").toBe(true)
  for (const { profile } of Directory.members(directory)) {
    expect(profile.version, "a rolled-back profile is shown").toBe(clerk.highest.get(profile.identityKey))
  }
}

/** Several of the crowd one after the other, so that a story fills the sections. */
const admit = (from: number, count: number, version: number, met: boolean): Command => ({
  check: () => true,
  run: (clerk, real) => {
    const metBefore = Directory.members(real.directory).filter((one) => one.met)
    for (let seed = from; seed < from + count; seed++) {
      const profile = signed[seed % crowd]![version]!
      if (profile.value.expiresMs <= clerk.nowMs) continue
      const key = profile.value.identityKey
      const held = Directory.member(real.directory, profile.value.identityKey)
      const { directory, outcome } = Directory.admit(
        real.directory,
        profile,
        met,
        clerk.nowMs,
        entropyAt(clerk.turns++)
      )
      real.directory = directory
      const highest = clerk.highest.get(key) ?? 0
      const mine = profile.value.version
      if (held !== undefined) expect(outcome).toBe(mine > highest ? "newer" : mine === highest ? "same" : "older")
      else if (mine < highest) expect(outcome).toBe("older")
      if (outcome === "older" || outcome === "full") continue
      clerk.highest.set(key, Math.max(highest, mine))
      if (met)
        expect(Directory.member(directory, profile.value.identityKey)?.met, "a met newcomer is not seen").toBe(true)
      if (HashMap.has(directory.settled, key)) clerk.kept.add(key)
      else expect(met && HashMap.size(directory.settled) < Limits.topicSettledMax, "there was room").toBe(false)
    }
    const pushed = metBefore.filter(
      ({ profile }) => Directory.member(real.directory, profile.identityKey) === undefined
    )
    expect(met ? [] : pushed, "one only heard of took the place of one that was met").toEqual([])
    checkAll(clerk, real)
  },
  toString: () => `${count} from ${from}, version ${version}, ${met ? "met" : "heard of"}`
})

const leave = (seed: number): Command => ({
  check: () => true,
  run: (clerk, real) => {
    const key = keyOf(seed)
    const was = Directory.member(real.directory, key) !== undefined
    real.directory = Directory.leave(real.directory, key)
    clerk.kept.delete(key)
    if (was) clerk.highest.set(key, (clerk.highest.get(key) ?? 0) + 1)
    expect(Directory.member(real.directory, key)).toBeUndefined()
    checkAll(clerk, real)
  },
  toString: () => `${seed} leaves`
})

const pass = (ms: number): Command => ({
  check: () => true,
  run: (clerk, real) => {
    clerk.nowMs += ms
    real.directory = Directory.expire(real.directory, clerk.nowMs)
    for (let seed = 0; seed < crowd; seed++) {
      if (signed[seed]![0]!.value.expiresMs > clerk.nowMs) continue
      expect(Directory.member(real.directory, keyOf(seed)), "what is over is shown").toBeUndefined()
      clerk.kept.delete(keyOf(seed))
      clerk.highest.delete(keyOf(seed))
    }
    for (const key of HashMap.keys(real.directory.settled)) clerk.kept.add(key)
    const roomy = HashMap.size(real.directory.settled) < Limits.topicSettledMax
    const waiting = Directory.members(real.directory).some(
      (one) => one.met && !HashMap.has(real.directory.settled, one.profile.identityKey)
    )
    expect(roomy && waiting, "a free place was not taken").toBe(false)
    checkAll(clerk, real)
  },
  toString: () => `${ms} ms pass`
})

const story = fc.commands(
  [
    fc
      .tuple(fc.nat(crowd), fc.constantFrom(1, 3, 150, 300), fc.nat(2), fc.boolean())
      .map(([from, count, version, met]) => admit(from, count, version, met)),
    fc.nat(crowd - 1).map(leave),
    fc.constantFrom(1_000, 3_600_001).map(pass)
  ],
  { maxCommands: 30, size: "max" }
)

describe("the directory of a topic", () => {
  it("keeps who was settled, shows who was met, brings nothing back, and stays within its bound", () => {
    fc.assert(
      fc.property(story, (commands) =>
        fc.modelRun(
          () => ({
            model: { nowMs: noonMs, highest: new Map(), kept: new Set<string>(), turns: 0 },
            real: { directory: Directory.empty }
          }),
          commands
        )
      ),
      { numRuns: 40 }
    )
  }, 60_000)

  it("three thousand keys push out nobody who was settled, and a newcomer that is met is seen", () => {
    const honest = signed[0]![0]!
    let directory = Directory.admit(Directory.empty, honest, true, noonMs, entropyAt(1)).directory
    for (let flood = 0; flood < 3_000; flood++) {
      const sybil = profileOf(1_000 + flood, publicRoom)
      directory = Directory.admit(directory, sybil, flood % 2 === 0, noonMs, entropyAt(flood)).directory
      if (flood === 2_950)
        directory = Directory.admit(directory, signed[1]![0]!, true, noonMs, entropyAt(flood)).directory
    }
    expect(HashMap.has(directory.settled, honest.value.identityKey)).toBe(true)
    expect(Directory.size(directory)).toBe(Limits.topicSettledMax + Limits.topicNewcomersMax)
    expect(HashMap.size(directory.marks)).toBeLessThanOrEqual(Limits.topicMarksMax)
    // Among the newcomers it stays for a while: 50 more were met after it, each of which had 256 to choose from.
    const late = Directory.admit(directory, signed[2]![0]!, true, noonMs, entropyAt(5)).directory
    expect(Directory.member(late, keyOf(2))?.met).toBe(true)
  }, 60_000)
})
