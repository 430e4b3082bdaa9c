/**
 * Laws of the dials of a start: how many there are, whom they reach for again, and what ends them.
 * Two are stories of the simulator: a dial that failed, and one that came while the friend still held the old link.
 * Time is stepped as a node's own alarm does it, so that no dial depends on anything but the state.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Codec, type Input, Limits, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { alice, beginning, bob, greeted, noonMs, openedBy, received, turnAt } from "../arbitraries/state.ts"
import { commit, loadDisk } from "../models/Disk.ts"

const address = { host: "192.0.2.1", port: 1_001 }

/** The beginning without what would wait for bob: that is dialled for as long as it waits. */
const calm = beginning.filter((one) => one._tag !== "Operator" || one.command._tag !== "Grant")

/** alice, whose friend bob was met somewhere or nowhere, and who has just started again. */
const stage = (isMet: boolean) => {
  const disk = new Map<string, string>()
  let state = State.start(alice.self, State.emptyDurable)
  let [turns, nowMs, dials] = [0, noonMs, 0]
  const feed = (one: Input.Input): void => {
    const [next, outputs] = Step.step(state, one, turnAt(nowMs, ++turns))
    commit(disk, Records.diff(next.durable))
    state = { ...next, durable: Records.settled(next.durable) }
    dials += outputs.filter(({ _tag }) => _tag === "Dial").length
  }
  for (const one of calm) feed(one)
  if (isMet) feed({ ...openedBy(bob, "before", false), address } as Input.Input)
  state = State.start(alice.self, loadDisk(disk))
  dials = 0
  feed({ _tag: "Started" })
  const { peerId } = Table.values(state.durable.roster.friends)[0]!
  const end = (): void => {
    if (State.contact(state, peerId).dialing) feed({ _tag: "DialEnded", peerId })
  }
  return {
    feed,
    end,
    dials: () => dials,
    /** So long nobody says anything: ticks come when the node has asked for them, and dials end with nobody. */
    wait: (ms: number) => {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        end()
        nowMs = Math.min(untilMs, Math.max(nowMs + 1, Step.nextWakeMs(state, nowMs)))
        feed({ _tag: "Tick" })
      }
    },
    /** bob is there for a while. */
    visit: (connection: string, ms: number) => {
      feed({ ...openedBy(bob, connection, true), address } as Input.Input)
      feed(greeted(bob, connection))
      nowMs += ms
      feed({ _tag: "Closed", connection, rejection: null })
    }
  }
}

const hour = 3_600_000

describe("the dials of a start", () => {
  it("reach for a friend who was met somewhere a few times, within minutes, and then no more", () => {
    const { dials, wait } = stage(true)
    expect(dials()).toBe(1)
    wait(Limits.helloTriesMax * 60_000)
    expect(dials()).toBe(Limits.helloTriesMax)
    wait(24 * hour)
    expect(dials()).toBe(Limits.helloTriesMax)
  })

  it("reach once for a friend of whom no place is known", () => {
    const { dials, wait } = stage(false)
    wait(24 * hour)
    expect(dials()).toBe(1)
  })

  it("go on after a link that the friend closed at once, and end with a session that held", () => {
    const brief = stage(true)
    brief.end()
    brief.visit("c1", 1_000)
    brief.wait(hour)
    expect(brief.dials()).toBe(Limits.helloTriesMax)
    const long = stage(true)
    long.end()
    long.visit("c1", Limits.sessionHoldsMs)
    long.wait(hour)
    expect(long.dials()).toBe(1)
  })

  it("are as many as they may be at most, whatever comes in between, and none while there is a session", () => {
    const event = fc.oneof(
      fc.record({ what: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 200_000 }) }),
      fc.record({ what: fc.constant("visit" as const), ms: fc.integer({ min: 1, max: 2 * Limits.sessionHoldsMs }) })
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (story) => {
        const { dials, end, feed, visit, wait } = stage(true)
        for (const [index, { ms, what }] of story.entries()) {
          if (what === "wait") wait(ms)
          else visit(`c${index}`, ms)
          end()
        }
        expect(dials()).toBeLessThanOrEqual(Limits.helloTriesMax)
        feed({ ...openedBy(bob, "last", true), address } as Input.Input)
        const before = dials()
        wait(hour)
        expect(dials()).toBe(before)
      }),
      { numRuns: 50 }
    )
  })

  it("do not reach again for one who was a friend", () => {
    const { dials, feed, wait } = stage(true)
    feed({ _tag: "Operator", ref: "r", command: { _tag: "Unfriend", name: "bob", keyPrefix: "" } })
    feed(openedBy(bob, "c1", true))
    feed({ ...received(bob, "c1", Codec.encode({ kind: "Reject", code: "not-a-friend" })) })
    feed({ _tag: "Closed", connection: "c1", rejection: null })
    const before = dials()
    wait(hour)
    expect(dials()).toBe(before)
  })
})
