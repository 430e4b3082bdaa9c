/**
 * Laws of one identity on two machines: what greetings give away, to the friend and to the machines themselves.
 * It never counts machines; whether a run that was replaced has come back is all that anybody can see.
 * A restart must never look like it, so every story is told beside a list that forgets nothing.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Runs from "../../core/friend/Runs.ts"
import { Codec, Describe, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { alice, beginning, bob, crypto, noonMs, openedBy, received, turnAt } from "../arbitraries/state.ts"
import { commit, loadDisk } from "../models/Disk.ts"

const runOf = (number: number): string => number.toString(16).padStart(32, "a")
const dayMs = Limits.twoMachinesAgainMs

/** alice, whose friend bob opens sessions, each with a greeting. */
const stage = () => {
  const disk = new Map<string, string>()
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  let nowMs = noonMs
  const feed = (one: Input.Input): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(nowMs, ++turns))
    commit(disk, Records.diff(next.durable))
    state = { ...next, durable: Records.settled(next.durable) }
    return outputs
  }
  for (const one of beginning.slice(0, -1)) feed(one)
  const told = (outputs: ReadonlyArray<Output.Output>) =>
    outputs.flatMap((output) =>
      output._tag === "Tell" && output.event._tag === "TwoMachines" ? output.event.whose : []
    )
  let sessions = 0
  const connect = (): { readonly connection: string; readonly said: ReadonlyArray<Message.Message> } => {
    const connection = `s${++sessions}`
    const outputs = feed(openedBy(bob, connection, false))
    const said = outputs.flatMap((output) =>
      output._tag === "Transmit" ? output.messages.flatMap((one) => ("message" in one ? one.message : [])) : []
    )
    return { connection, said }
  }
  const hear = (connection: string, run: string, yours?: ReadonlyArray<string>) => {
    const claim = yours === undefined ? {} : { yours }
    return told(feed(received(bob, connection, Codec.encode({ kind: "Greeting", streams: [], run, ...claim }))!))
  }
  return {
    connect,
    hear,
    /** A new session, and what is told because of its greeting. */
    greet: (run: string, yours?: ReadonlyArray<string>) => hear(connect().connection, run, yours),
    pass: (ms: number) => {
      nowMs += ms
    },
    restart: () => {
      state = State.start(alice.self, loadDisk(disk))
      feed({ _tag: "Started" })
    },
    ourRun: () => state.passing.run,
    friend: () => Table.values(state.durable.roster.friends)[0]!,
    describe: () => Describe.describe(crypto, state, nowMs)
  }
}

/** The answer by a list of every greeting so far, as long as no more runs lie between than are remembered. */
const returns = (greetings: ReadonlyArray<number>, next: number): boolean => {
  const last = greetings.lastIndexOf(next)
  const since = new Set(greetings.slice(last + 1))
  return last >= 0 && since.size > 0 && since.size < Limits.runsRememberedMax
}

describe("two machines under a friend's identity", () => {
  it("are known when a run that was replaced comes back, and never by restarts, however we restart meanwhile", () => {
    const event = fc.oneof(
      { weight: 6, arbitrary: fc.nat(6) },
      { weight: 1, arbitrary: fc.constantFrom("we restart" as const, "a day" as const) }
    )
    let seen = 0
    fc.assert(
      fc.property(fc.array(event, { maxLength: 25 }), (story) => {
        const { friend, greet, pass, restart } = stage()
        const greetings: Array<number> = []
        let toldToday = false
        for (const one of story) {
          if (one === "we restart") restart()
          else if (one === "a day") {
            pass(dayMs)
            toldToday = false
          } else {
            const due: boolean = returns(greetings, one) && !toldToday
            expect(greet(runOf(one))).toEqual(due ? ["theirs"] : [])
            toldToday ||= due
            seen += due ? 1 : 0
            greetings.push(one)
            expect(friend().runs!.length).toBeLessThanOrEqual(Limits.runsRememberedMax)
          }
        }
      }),
      { numRuns: 200 }
    )
    expect(seen).toBeGreaterThan(0)
  })
  it("a program that is started again and again is one machine", () => {
    const { describe: look, greet } = stage()
    for (let number = 0; number < 40; number++) {
      expect([...greet(runOf(number)), ...greet(runOf(number))]).toEqual([])
    }
    expect(look().friends[0]).toMatchObject({ twoMachinesMs: null, saysTwoMachinesMs: null })
  })
  it("a greeting that comes late, on a link that was replaced, says nothing", () => {
    const { connect, greet, hear } = stage()
    const old = connect().connection
    expect(greet(runOf(2))).toEqual([])
    expect([...hear(old, runOf(1)), ...greet(runOf(2)), ...greet(runOf(3))]).toEqual([])
    // Nor does a second greeting on one session.
    const { connection } = connect()
    expect([...hear(connection, runOf(3)), ...hear(connection, runOf(2))]).toEqual([])
  })
  it("are shown for two days after it was last told, in /friends and /status", () => {
    const { describe: look, greet, pass } = stage()
    for (const run of [1, 2, 1]) greet(runOf(run))
    const shown = () => [...Present.answer(look(), "friends", ""), ...Present.answer(look(), "status", "")].join("\n")
    expect(shown().match(/ALARM: (@bob is )?on two machines/g)).toHaveLength(2)
    pass(2 * dayMs)
    expect(shown()).not.toContain("ALARM")
  })
})

describe("two machines under our identity", () => {
  it("learn it from the friend's next greeting: our run is among those it knows, and another came after", () => {
    const { describe: look, friend, greet, ourRun } = stage()
    const [us, them] = [ourRun(), runOf(7)]
    const story: ReadonlyArray<readonly [ReadonlyArray<string> | undefined, ReadonlyArray<string>]> = [
      [undefined, []],
      [[], []],
      [[them], []],
      [[us], []],
      [[them, us], []],
      [[us, them], ["ours"]],
      [[us, them], []]
    ]
    for (const [yours, told] of story) expect([yours, greet(runOf(1), yours)]).toEqual([yours, told])
    expect(friend().twoMachines).toEqual({ ours: noonMs })
    const status = Present.answer(look(), "status", "").join("\n")
    expect(status).toMatch(/ALARM: this identity is on two machines, says @bob, .*; stop one/)
  })
  it("a friend that claims it with every session is told on once a day, and costs no more room", () => {
    const { friend, greet, ourRun, pass } = stage()
    const claim = () => greet(runOf(1), [ourRun(), runOf(9)])
    expect(claim()).toEqual(["ours"])
    const before = JSON.stringify(friend()).length
    for (let index = 0; index < 30; index++) expect(claim()).toEqual([])
    pass(dayMs - 1)
    expect(claim()).toEqual([])
    pass(1)
    expect(claim()).toEqual(["ours"])
    expect(JSON.stringify(friend())).toHaveLength(before)
  })
  it("what we know of a friend's runs is in our greeting, in their order, after a restart of ours too", () => {
    const { connect, greet, restart } = stage()
    for (const run of [1, 2, 1]) greet(runOf(run))
    restart()
    expect(connect().said[0]).toMatchObject({ kind: "Greeting", yours: [runOf(2), runOf(1)] })
  })
  it("each of two that take turns finds itself replaced, the one that comes last does not", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), (order) => {
        const runs = order.reduce<ReadonlyArray<string>>((known, one) => Runs.greeted(known, runOf(one)).runs, [])
        const last = order.at(-1)
        for (const one of new Set(order)) expect(Runs.isReplaced(runs, runOf(one))).toBe(one !== last)
        expect(Runs.isReplaced(runs, runOf(9))).toBe(false)
      })
    )
  })
})
