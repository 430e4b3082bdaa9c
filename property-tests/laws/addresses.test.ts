/**
 * Laws of the memory of addresses: few, the newest first, only of friends, only for dialling, and refused where forged.
 * The oracle is a list that forgets nothing, written down once more and cut at the end.
 * What is remembered must be in nothing that leaves the node, so a host that is nowhere else is looked for everywhere.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Addresses from "../../core/friend/Addresses.ts"
import { Describe, type Input, Limits, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import type { Address } from "../../ports/Transport.ts"
import { alice, beginning, bob, crypto, mallory, noonMs, openedBy, signedLine, turnAt } from "../arbitraries/state.ts"
import { commit, loadDisk } from "../models/Disk.ts"

const at = (n: number): Address => ({ host: `192.0.2.${n}`, port: 1_000 + n })

const wrongs: ReadonlyArray<Address> = [
  { host: "", port: 1 },
  { host: "with blank", port: 1 },
  { host: "line\nbreak", port: 1 },
  { host: "h".repeat(Limits.addressHostMax + 1), port: 1 },
  { host: "host", port: 0 },
  { host: "host", port: 65_536 },
  { host: "host", port: 1.5 },
  { host: "host", port: Number.NaN }
]

/** alice, whose friend bob opens sessions from one place or another. */
const stage = () => {
  const disk = new Map<string, string>()
  let state = State.start(alice.self, State.emptyDurable)
  let [turns, sessions] = [0, 0]
  const feed = (one: Input.Input) => {
    const [next, outputs] = Step.step(state, one, turnAt(noonMs + turns, ++turns))
    const changes = Records.diff(next.durable)
    commit(disk, changes)
    state = { ...next, durable: Records.settled(next.durable) }
    return { changes, outputs }
  }
  const restart = () => {
    state = State.start(alice.self, loadDisk(disk))
    return feed({ _tag: "Started" }).outputs
  }
  for (const one of beginning) feed(one)
  return {
    disk,
    feed,
    restart,
    state: () => state,
    open: (address?: Address, by = bob) =>
      feed({ ...openedBy(by, `s${++sessions}`, false), ...(address && { address }) } as Input.Input),
    friend: () => Table.values(state.durable.roster.friends)[0]!
  }
}

const dials = (outputs: ReadonlyArray<Output.Output>) => outputs.filter((output) => output._tag === "Dial")

describe("the addresses of a friend", () => {
  it("are the newest few, each once, newest first, over restarts, however it comes and goes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(7), fc.constantFrom(null, "wrong", "restart")), { maxLength: 30 }),
        (story) => {
          const { friend, open, restart } = stage()
          const met: Array<Address> = []
          for (const [index, one] of story.entries()) {
            if (one === "restart") {
              restart()
            } else if (one === "wrong") {
              open(wrongs[index % wrongs.length])
            } else if (one === null) {
              open()
            } else {
              open(at(one))
              met.unshift(at(one))
            }
            const newest = met.filter((place, earlier) => met.findIndex(({ port }) => port === place.port) === earlier)
            expect(friend().addresses ?? []).toEqual(newest.slice(0, Limits.addressesPerFriendMax))
          }
        }
      ),
      { numRuns: 60 }
    )
  })

  it("are dialled as they are remembered, after a restart too; a friend of whom none is known is dialled as ever", () => {
    const { disk, open, restart } = stage()
    const [plain] = dials(restart())
    expect(plain).toBeDefined()
    expect(plain).not.toHaveProperty("addresses")
    expect([...disk.values()].join()).not.toContain("addresses")
    open(at(1))
    open(at(2))
    expect(dials(restart())).toEqual([{ ...plain, addresses: [at(2), at(1)] }])
  })

  it("cost a write when a friend comes from somewhere else, and at no other time", () => {
    const { open } = stage()
    const writes = (address?: Address) => open(address).changes.filter(({ collection }) => collection === "friends")
    writes(at(1))
    expect([writes(at(1)), writes(), writes(wrongs[0])]).toEqual([[], [], []])
    expect(writes(at(2))).toHaveLength(1)
    expect(writes(at(1))).toHaveLength(1)
  })

  it("are learnt of no stranger, and forgotten with the friendship", () => {
    const { feed, friend, open, restart } = stage()
    open(at(1), mallory)
    expect(friend()).not.toHaveProperty("addresses")
    open(at(2))
    expect(friend().addresses).toEqual([at(2)])
    feed({ _tag: "Operator", ref: "ref", command: { _tag: "Unfriend", name: "bob", keyPrefix: "" } })
    expect(friend()).toMatchObject({ standing: "Former" })
    expect(friend()).not.toHaveProperty("addresses")
    // The farewell's own session teaches nothing either.
    open(at(3))
    expect(friend()).not.toHaveProperty("addresses")
    expect(dials(restart()).filter((dial) => "addresses" in dial)).toEqual([])
  })

  it("are in nothing that leaves the node but the dial, and in nothing it shows of itself", () => {
    const { feed, open, restart, state } = stage()
    const telling = { host: "telltale.example", port: 4_242 }
    const said = [
      ...open(telling).outputs,
      ...feed({ _tag: "Operator", ref: "r", command: { _tag: "Message", name: "bob", keyPrefix: "", text: "hi" } })
        .outputs,
      ...restart(),
      ...open(telling).outputs
    ].filter((output) => output._tag !== "Dial")
    expect(said.length).toBeGreaterThan(4)
    for (const shown of [said, Describe.describe(crypto, state(), noonMs)]) {
      const text = JSON.stringify(shown)
      expect(text.includes("telltale") || text.includes("4242")).toBe(false)
    }
  })

  it("are refused from a disk where there are too many, or one is none; a record without them is as good as ever", () => {
    const { disk, open } = stage()
    open(at(1))
    const [place, record] = [...disk].find(([key]) => key.startsWith("friends"))!
    const key = place.split("\u0000")[1]!
    const load = (addresses: unknown) => {
      const { addresses: _, ...rest } = JSON.parse(record)
      const value = JSON.stringify(addresses === undefined ? rest : { ...rest, addresses })
      return Records.load([{ collection: "friends", key, value }])
    }
    const full = Array.from({ length: Limits.addressesPerFriendMax }, (_, n) => at(n))
    for (const good of [undefined, [], full]) expect(Result.isSuccess(load(good))).toBe(true)
    for (const bad of [[...full, at(9)], ...wrongs.map((one) => [one]), [{ host: "host" }], "host:1", [null]]) {
      expect(Result.isFailure(load(bad)), JSON.stringify(bad)).toBe(true)
    }
  })

  it("stay with a friend who is befriended once more, and not with one who was a friend", () => {
    const { feed, friend, open } = stage()
    open(at(1))
    const line = (offsetMs: number) =>
      feed({ _tag: "Line", channel: "lobby", author: "bob", line: signedLine(bob, "alice", noonMs + offsetMs) })
    const accept = () => feed({ _tag: "Operator", ref: "r", command: { _tag: "Accept", name: "bob", keyPrefix: "" } })
    line(1)
    accept()
    expect(friend().addresses).toEqual([at(1)])
    feed({ _tag: "Operator", ref: "r", command: { _tag: "Unfriend", name: "bob", keyPrefix: "" } })
    line(2)
    accept()
    expect(friend().standing).toBe("Friend")
    expect(friend()).not.toHaveProperty("addresses")
  })

  it("stay what they are where there is nothing to learn", () => {
    const known = Addresses.meet(undefined, at(1))
    expect(Addresses.meet(known, at(1))).toBe(known)
    expect(Addresses.meet(known, undefined)).toBe(known)
    for (const wrong of wrongs) expect(Addresses.meet(known, wrong)).toBe(known)
    // Nothing more of what a transport may say in passing is kept.
    expect(Addresses.meet(known, { ...at(2), family: 4 } as Address)?.[0]).toEqual(at(2))
  })
})
