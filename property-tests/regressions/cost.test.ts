/**
 * "A message costs little": what a message and a friend cost in links, flushes and bytes, counted and not timed.
 * It never measures speed, which belongs to the bench; it counts what grew with the wrong thing before.
 * The former plugin made a swarm for each message, and wrote every friend anew for each friend.
 */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { Codec, type Input, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import { alice, beginning, bob, noonMs, person, received, signedLine, turnAt } from "../arbitraries/state.ts"

class Counted {
  state: State.State
  turns = 0
  /** Changes and their bytes that turns have written since the last look. */
  changes = 0
  bytes = 0
  constructor(state: State.State) {
    this.state = state
  }
  take(input: Input.Input): ReadonlyArray<Output.Output> {
    const [next, outputs] = Step.step(this.state, input, turnAt(noonMs, ++this.turns))
    for (const { collection, key, value } of Records.diff(next.durable)) {
      this.changes++
      this.bytes += collection.length + key.length + (value?.length ?? 0)
    }
    this.state = { ...next, durable: Records.settled(next.durable) }
    return outputs
  }
  look(): { readonly changes: number; readonly bytes: number } {
    const seen = { changes: this.changes, bytes: this.bytes }
    this.changes = 0
    this.bytes = 0
    return seen
  }
}

const message: Input.Input = {
  _tag: "Operator",
  ref: "ref",
  command: { _tag: "Message", name: "bob", keyPrefix: "", text: "hello" }
}

describe("a message costs little", () => {
  it("a hundred messages to a friend who is connected dial nobody, and each writes its own record and no other's", () => {
    const node = new Counted(State.start(alice.self, State.emptyDurable))
    for (const one of beginning) node.take(one)
    node.look()
    for (let index = 1; index <= 100; index++) {
      const outputs = node.take(message)
      expect(outputs.filter((output) => output._tag === "Dial" || output._tag === "HangUp")).toEqual([])
      expect(outputs.filter((output) => output._tag === "Transmit")).toHaveLength(1)
      // The message, and how far its stream is.
      expect(node.look().changes).toBeLessThanOrEqual(2)
    }
  })

  it("a hundred messages to a friend who is away ask for one dial", () => {
    const node = new Counted(State.start(alice.self, State.emptyDurable))
    for (const one of beginning) node.take(one)
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    const dials = Array.from({ length: 100 }, () => node.take(message))
      .flat()
      .filter((output) => output._tag === "Dial")
    expect(dials.length).toBeLessThanOrEqual(1)
  })

  it("the 3,000th friend writes what the first did, and a message to it as well", () => {
    const { peerId } = bob.proof.signer
    const few = new Counted(State.start(alice.self, State.emptyDurable))
    for (const one of beginning) few.take(one)
    const record = [...few.state.durable.roster.friends.entries][0]![1]
    const stored = Array.from({ length: 2_998 }, (_, index) => {
      const key = String(index).padStart(64, "0")
      const other = String(index).padStart(record.identityKey.length, "A")
      const keys = { identityKey: other, agreementKey: other, swarmKey: other, topic: other }
      const value = JSON.stringify({ ...record, ...keys, peerId: key, name: `friend ${index}` })
      return { collection: "friends", key, value }
    })
    const owner = { collection: "owner", key: "identity", value: JSON.stringify(alice.self.identityKey) }
    const many = new Counted(State.start(alice.self, Result.getOrThrow(Records.load([...stored, owner]))))
    for (const one of beginning) many.take(one)
    few.look()
    many.look()
    const carol = person("carol")
    const costs = [few, many].map((node) => {
      node.take({ _tag: "Line", channel: "lobby", author: "carol", line: signedLine(carol, "alice", noonMs) })
      node.take({ _tag: "Operator", ref: "r", command: { _tag: "Accept", name: "carol", keyPrefix: "" } })
      const friend = node.look()
      node.take(message)
      node.take(received(bob, "c0", Codec.encode({ kind: "Log", stream: "0".repeat(32), number: 1, text: "hi" })))
      return { friend, talk: node.look() }
    })
    for (const what of ["friend", "talk"] as const) {
      expect(costs[1]![what].changes).toBe(costs[0]![what].changes)
      // Names and numbers are of different lengths; a friend's record is many times this.
      expect(Math.abs(costs[1]![what].bytes - costs[0]![what].bytes)).toBeLessThan(100)
    }
    expect([...many.state.durable.roster.friends.entries]).toHaveLength(3_000)
    expect(peerId).toBe(record.peerId)
  })
})
