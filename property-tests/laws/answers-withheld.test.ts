/**
 * Laws of answers that are kept for a friend about whom something has changed: a doubted key, an alarm, an end.
 * It never looks at how an answer is cut; whether a byte of it leaves at all is the question.
 * An answer outlives the run by days, so what was allowed when it ran says nothing about when it is asked for.
 */
import { describe, expect, it } from "vitest"
import * as Jobs from "../../core/delivery/Jobs.ts"
import * as Roster from "../../core/friend/Roster.ts"
import { Codec, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import {
  alice,
  beginning,
  bob,
  greeted,
  ids,
  mallory,
  noonMs,
  openedBy,
  received,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"

const length = 3 * Limits.answerCreditBytes
const confinement = {
  engine: "none",
  containerId: "c",
  user: "u",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 1,
  pids: 1,
  cpus: 1
}

/** alice has answered bob's question at length; bob has the first bytes of it. */
const answered = () => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const feed = (one: Input.Input): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(noonMs, ++turns))
    state = next
    return outputs
  }
  for (const one of beginning) feed(one)
  const hear = (message: Message.Message, connection = "c0") => feed(received(bob, connection, Codec.encode(message))!)
  const operate = (command: Input.Command) => feed({ _tag: "Operator", ref: "r", command })
  hear({ kind: "Inject", stream: ids[2]!, number: 1, id: ids[1]!, text: "?", timeLimitMs: 9_000 })
  const { peerId } = Table.values(state.durable.roster.friends)[0]!
  const output = new Uint8Array(length).fill(97)
  feed({ _tag: "Ran", job: Jobs.keyOf(peerId, ids[1]!), result: { ok: true, answer: { output, confinement } } })
  /** Bytes (as base64url characters) that leave when bob asks for more. */
  const bytesOnAsking = (connection = "c0") =>
    chunks(hear({ kind: "Resume", id: ids[1]!, offset: 0, upTo: length }, connection))
  return { feed, operate, bytesOnAsking, friend: () => Roster.friend(state.durable.roster, peerId) }
}

const sent = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
const chunks = (outputs: ReadonlyArray<Output.Output>): number =>
  sent(outputs).reduce(
    (sum, one) => sum + ("message" in one && one.message.kind === "Chunk" ? one.message.bytes.length : 0),
    0
  )
const credit = Math.ceil((Limits.answerCreditBytes * 4) / 3)

const underBobsName = (): Input.Input => ({
  _tag: "Line",
  channel: "lobby",
  author: null,
  line: signedLine(mallory, "alice", noonMs, { from: "bob" })
})

describe("an answer that is kept", () => {
  it("goes out on asking, a credit at a time", () => {
    expect(answered().bytesOnAsking()).toBeGreaterThanOrEqual(credit)
  })
  it("stays while the friend's key is in doubt; once that is settled its end comes again, and it goes on", () => {
    const { bytesOnAsking, feed, friend, operate } = answered()
    feed(underBobsName())
    expect(friend()?.doubt?.state).toBe("Changed")
    expect(bytesOnAsking()).toBe(0)
    const settled = operate({ _tag: "Confirm", name: "bob", keyPrefix: "" })
    // Who was not answered asks no more by itself: the end that comes again is what makes it ask.
    expect(sent(settled).flatMap((one) => ("stored" in one ? one.kind : []))).toContain("Done")
    expect(bytesOnAsking()).toBeGreaterThanOrEqual(credit)
  })
  it("stays on every session that opens while there is doubt", () => {
    const { bytesOnAsking, feed } = answered()
    feed(underBobsName())
    feed({ _tag: "Closed", connection: "c0", rejection: null })
    feed(openedBy(bob, "c1", false))
    expect(chunks(feed(greeted(bob, "c1")))).toBe(0)
    expect(bytesOnAsking("c1")).toBe(0)
  })
  it("is not for one who is no friend any more", () => {
    const { bytesOnAsking, friend, operate } = answered()
    operate({ _tag: "Unfriend", name: "bob", keyPrefix: "" })
    expect(friend()).toBeUndefined()
    expect(bytesOnAsking()).toBe(0)
  })
})
