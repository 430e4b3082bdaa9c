/**
 * Two operators who compare, agree, differ, give up and lose their link, against a clerk with a slip of paper.
 * The clerk knows who has begun and who has said what; it never sees a nonce, a commitment or the code's table.
 * Both friends are whole nodes as the pure step function, stored and loaded like a disk would, with real keys.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Trust from "../../core/friend/Trust.ts"
import { Describe, Limits } from "../../core/index.ts"
import { crypto, person } from "../arbitraries/state.ts"
import { failedWith, Pair } from "./pair.ts"

type Who = 0 | 1
const minute = 60_000

/** What the clerk writes down. */
interface Slip {
  linked: boolean
  /** Who has begun the comparison under way; both, once the string is there. */
  readonly begun: Set<Who>
  readonly agreed: Set<Who>
  untilMs: number
  nowMs: number
  /** How many comparisons each may still take part in, as a number that fills by four an hour. */
  readonly left: [number, number]
  readonly trust: [Trust.State, Trust.State]
  readonly doubted: [boolean, boolean]
}

interface Real {
  readonly pair: Pair
}

const name = (who: Who) => (who === 0 ? "bob" : "alice")
const otherOf = (who: Who): Who => (who === 0 ? 1 : 0)
const forget = (slip: Slip) => {
  slip.begun.clear()
  slip.agreed.clear()
}

/** Whatever was done, the two nodes show what is on the slip. */
const check = (slip: Slip, { pair }: Real): void => {
  for (const who of [0, 1] as const) {
    const { friend, nowMs, state } = pair.both[who]
    const shown = Describe.describe(crypto, state, nowMs).friends[0]!
    expect([shown.trust, Trust.of(friend)]).toEqual([slip.trust[who], slip.trust[who]])
    expect(shown.alarm).toBe(slip.doubted[who] ? "sas-mismatch" : null)
    const stage =
      slip.begun.size === 0
        ? undefined
        : slip.begun.size === 1
          ? slip.begun.has(who)
            ? "committed"
            : "invited"
          : slip.agreed.has(who)
            ? "agreed"
            : slip.agreed.has(otherOf(who))
              ? "awaited"
              : "comparing"
    expect(shown.comparison?.stage).toBe(stage)
    expect(shown.comparison?.words === null).toBe(slip.begun.size === 1)
  }
  if (slip.begun.size === 2) {
    const [one, other] = pair.both.map(({ nowMs, state }) => Describe.describe(crypto, state, nowMs).friends[0]!)
    expect(one!.comparison?.words).toBe(other!.comparison?.words)
    expect(one!.comparison?.number).toBe(other!.comparison?.number)
  }
}

/** The clerk's page after one operator's word to begin; gives what the operator is told. */
const begin = (slip: Slip, who: Who): string => {
  if (!slip.linked) return "not-connected"
  if (slip.begun.has(who)) return "ok"
  if (slip.left[who] < 1) return "sas-rate"
  slip.left[who] -= 1
  if (slip.begun.size === 0) slip.untilMs = slip.nowMs + Limits.sasMs
  slip.begun.add(who)
  return "ok"
}

class Begins implements fc.Command<Slip, Real> {
  readonly who: Who
  constructor(who: Who) {
    this.who = who
  }
  check = () => true
  run(slip: Slip, real: Real): void {
    const { pair } = real
    const expected = begin(slip, this.who)
    expect(failedWith(pair.both[this.who].operator({ _tag: "Compare", name: name(this.who), keyPrefix: "" }))).toBe(
      expected
    )
    pair.carry()
    check(slip, real)
  }
  toString = () => `${name(otherOf(this.who))} begins`
}

/** Both begin before either has heard of the other. */
class BothBegin implements fc.Command<Slip, Real> {
  check = (slip: Readonly<Slip>) => slip.begun.size === 0
  run(slip: Slip, real: Real): void {
    const { pair } = real
    for (const who of [0, 1] as const) {
      const expected = begin(slip, who)
      expect(failedWith(pair.both[who].operator({ _tag: "Compare", name: name(who), keyPrefix: "" }))).toBe(expected)
    }
    pair.carry()
    check(slip, real)
  }
  toString = () => "both begin"
}

class Says implements fc.Command<Slip, Real> {
  readonly who: Who
  readonly same: boolean
  constructor(who: Who, same: boolean) {
    this.who = who
    this.same = same
  }
  check = () => true
  run(slip: Slip, real: Real): void {
    const { pair } = real
    const may = slip.begun.size === 2 && !(this.same && slip.agreed.has(this.who))
    const command = { _tag: "Compared" as const, name: name(this.who), keyPrefix: "", same: this.same }
    expect(failedWith(pair.both[this.who].operator(command))).toBe(may ? "ok" : "sas-unknown")
    pair.carry()
    if (may && this.same) {
      slip.agreed.add(this.who)
      if (slip.agreed.size === 2) {
        slip.trust.fill("verified")
        slip.doubted.fill(false)
        forget(slip)
      }
    } else if (may) {
      slip.trust.fill("changed")
      slip.doubted.fill(true)
      forget(slip)
    }
    check(slip, real)
  }
  toString = () => `${name(otherOf(this.who))} says ${this.same ? "the same" : "different"}`
}

class Confirms implements fc.Command<Slip, Real> {
  readonly who: Who
  constructor(who: Who) {
    this.who = who
  }
  check = () => true
  run(slip: Slip, real: Real): void {
    const doubted = slip.doubted[this.who]
    const command = { _tag: "Confirm" as const, name: name(this.who), keyPrefix: "" }
    expect(failedWith(real.pair.both[this.who].operator(command))).toBe(doubted ? "ok" : "nothing-to-confirm")
    slip.doubted[this.who] = false
    if (doubted && slip.trust[this.who] === "changed") slip.trust[this.who] = "unverified"
    check(slip, real)
  }
  toString = () => `${name(otherOf(this.who))} confirms`
}

class TakesBack implements fc.Command<Slip, Real> {
  readonly who: Who
  constructor(who: Who) {
    this.who = who
  }
  check = () => true
  run(slip: Slip, real: Real): void {
    const before = slip.trust[this.who]
    const may = before === "verified" || before === "changed"
    const command = { _tag: "Unverify" as const, name: name(this.who), keyPrefix: "" }
    expect(failedWith(real.pair.both[this.who].operator(command))).toBe(may ? "ok" : "nothing-to-take-back")
    if (may) slip.trust[this.who] = "revoked"
    check(slip, real)
  }
  toString = () => `${name(otherOf(this.who))} takes it back`
}

class Links implements fc.Command<Slip, Real> {
  check = () => true
  run(slip: Slip, real: Real): void {
    real.pair.link()
    slip.linked = true
    forget(slip)
    check(slip, real)
  }
  toString = () => "a new link"
}

/** The link goes while something is under way on it: so many things that were said still arrive. */
class Cuts implements fc.Command<Slip, Real> {
  readonly arrive: number
  readonly begins: boolean
  constructor(arrive: number, begins: boolean) {
    this.arrive = arrive
    this.begins = begins
  }
  check = (slip: Readonly<Slip>) => slip.linked
  run(slip: Slip, real: Real): void {
    const { pair } = real
    if (this.begins) {
      for (const who of [0, 1] as const) {
        const expected = begin(slip, who)
        expect(failedWith(pair.both[who].operator({ _tag: "Compare", name: name(who), keyPrefix: "" }))).toBe(expected)
      }
    }
    for (let left = this.arrive; left > 0; left--) pair.deliver(pair.both[(left & 1) as Who])
    pair.cut()
    slip.linked = false
    forget(slip)
    check(slip, real)
  }
  toString = () => `the link goes after ${this.arrive}${this.begins ? ", both having begun" : ""}`
}

class Restarts implements fc.Command<Slip, Real> {
  readonly who: Who
  constructor(who: Who) {
    this.who = who
  }
  check = (slip: Readonly<Slip>) => !slip.linked
  run(slip: Slip, real: Real): void {
    real.pair.both[this.who].restart()
    slip.left[this.who] = Limits.sasPerHour
    real.pair.both[this.who].said.length = 0
    check(slip, real)
  }
  toString = () => `${name(otherOf(this.who))} starts anew`
}

class Waits implements fc.Command<Slip, Real> {
  readonly ms: number
  constructor(ms: number) {
    this.ms = ms
  }
  check = () => true
  run(slip: Slip, real: Real): void {
    const { pair } = real
    pair.later(this.ms)
    slip.nowMs += this.ms
    for (const who of [0, 1] as const) {
      slip.left[who] = Math.min(Limits.sasPerHour, slip.left[who] + (this.ms * Limits.sasPerHour) / (60 * minute))
    }
    for (const end of pair.both) end.take({ _tag: "Tick" })
    pair.carry()
    if (slip.begun.size > 0 && slip.nowMs >= slip.untilMs) forget(slip)
    check(slip, real)
  }
  toString = () => `${this.ms / minute} minutes pass`
}

const who = fc.constantFrom<Who>(0, 1)
const commands = fc.commands(
  [
    fc.constant(new Links()),
    who.map((one) => new Begins(one)),
    who.map((one) => new Begins(one)),
    who.map((one) => new Begins(one)),
    fc.constant(new BothBegin()),
    fc.tuple(who, fc.constantFrom(true, true, true, false)).map(([one, same]) => new Says(one, same)),
    fc.tuple(who, fc.constantFrom(true, true, true, false)).map(([one, same]) => new Says(one, same)),
    who.map((one) => new Confirms(one)),
    who.map((one) => new TakesBack(one)),
    fc.tuple(fc.nat(6), fc.boolean()).map(([arrive, begins]) => new Cuts(arrive, begins)),
    who.map((one) => new Restarts(one)),
    fc.constantFrom(1, 10, 15).map((minutes) => new Waits(minutes * minute))
  ],
  { maxCommands: 30 }
)

const fresh = (swapped: boolean) => () => {
  const people = [person("alice"), person("bob")].sort((a, b) =>
    a.self.identityKey < b.self.identityKey === swapped ? 1 : -1
  )
  // Whichever has the smaller key, both names stay who they are: alice is the first end.
  const [first, second] = people as [ReturnType<typeof person>, ReturnType<typeof person>]
  const pair = new Pair({ ...first, name: "alice" }, { ...second, name: "bob" })
  pair.link()
  const model: Slip = {
    linked: true,
    begun: new Set(),
    agreed: new Set(),
    untilMs: 0,
    nowMs: pair.one.nowMs,
    left: [Limits.sasPerHour, Limits.sasPerHour],
    trust: ["unverified", "unverified"],
    doubted: [false, false]
  }
  return { model, real: { pair } }
}

describe("two operators who compare", () => {
  it.each([true, false])("come to what the clerk has on the slip, whoever has the smaller key (%s)", (swapped) => {
    fc.assert(
      fc.property(commands, (given) => {
        fc.modelRun(fresh(swapped), given)
      }),
      { numRuns: 150 }
    )
  })
})
