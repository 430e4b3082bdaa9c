/**
 * Laws of guests and errands: nobody who is no friend is let in without a reason of ours, stays longer, says more or
 * touches more than the bounds say; and an errand is dialled until it has exactly one outcome.
 * The inputs are authentic ones of people with real keys; every refusal is checked against what a stranger hears today.
 */
import { HashMap, Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as Errand from "../../core/friend/Errand.ts"
import * as Statement from "../../core/identity/Statement.ts"
import { Codec, type Input, Limits, type Message, type Output, PeerId, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { isVisit } from "../../core/wire/Message.ts"
import {
  message as anyMessage,
  crypto,
  noonMs,
  openedBy,
  type Person,
  person,
  received,
  turnAt
} from "../arbitraries/state.ts"

const [alice, bob, mallory] = [person("alice"), person("bob"), person("mallory")]
const secret = "a secret of an invite"

const errandTo = (whom: Person, id = "e".repeat(32)): Errand.Errand => {
  const { key, peerId, topic } = Statement.signerOf(crypto, whom.self.identityKey)
  return {
    kind: "claim",
    id,
    key,
    peerId,
    topic,
    madeAtMs: noonMs,
    expiresAtMs: noonMs + 3_600_000,
    proofKey: Redacted.make(secret, { label: "invite" })
  }
}

/** A node whose turns are counted, with what it wanted of the world in the last one. */
class Alice {
  state: State.State
  #turns = 0
  constructor(...errands: ReadonlyArray<Errand.Errand>) {
    const table = Table.loaded(errands.map((one) => [one.id, one] as const))
    this.state = State.start(alice.self, { ...State.emptyDurable, errands: table })
  }
  take(input: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> {
    const [next, outputs] = Step.step(this.state, input, turnAt(atMs, ++this.#turns))
    this.state = next
    return outputs
  }
  hear(by: Person, connection: string, message: Message.Message, atMs = noonMs): ReadonlyArray<Output.Output> {
    return this.take(received(by, connection, Codec.encode(message)), atMs)
  }
}

const said = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<Message.Message> =>
  outputs.flatMap((one) =>
    one._tag === "Transmit" ? one.messages.flatMap((sent) => ("message" in sent ? [sent.message] : [])) : []
  )
const hungUp = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs.flatMap((one) => (one._tag === "HangUp" ? [`${one.connection} ${one.code}`] : []))
const tags = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs.map((one) => (one._tag === "Tell" ? one.event._tag : one._tag))

describe("a guest", () => {
  it("without a reason of ours hears what it always heard, dialled or not", () => {
    for (const initiator of [false, true]) {
      for (const errands of [[], [errandTo(bob)]]) {
        const node = new Alice(...errands)
        const outputs = node.take(openedBy(mallory, "link", initiator))
        expect(said(outputs)).toEqual([{ kind: "Reject", code: "not-a-friend" }])
        expect(hungUp(outputs)).toEqual(["link null"])
        expect(HashMap.size(node.state.passing.guests)).toBe(0)
      }
    }
  })
  it("to whom we have an errand is let in, and leaves when its time is over", () => {
    const node = new Alice(errandTo(bob))
    // What it is wanted for is said at once.
    expect(tags(node.take(openedBy(bob, "link", true)))).toEqual(["Transmit"])
    expect(node.take({ _tag: "Tick" }, noonMs + Limits.guestMs - 1).filter((one) => one._tag !== "Announce")).toEqual(
      []
    )
    expect(hungUp(node.take({ _tag: "Tick" }, noonMs + Limits.guestMs))).toEqual(["link null"])
    // Once is enough, and nothing that still comes counts.
    expect(hungUp(node.take({ _tag: "Tick" }, noonMs + 2 * Limits.guestMs))).toEqual([])
    expect(node.hear(bob, "link", { kind: "Ping", nonce: "1".repeat(32) })).toEqual([])
  })
  it("says nothing that reaches a record, whatever it is, and friends' words end the visit", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const node = new Alice(errandTo(bob))
        node.take(openedBy(bob, "link", true))
        const { errands: _before, ...before } = node.state.durable
        const outputs = node.hear(bob, "link", message)
        const { errands, ...after } = node.state.durable
        expect(after).toEqual(before)
        const isOver = message.kind === "Reject" && message.number === undefined && message.code === "not-a-friend"
        expect(Table.size(errands)).toBe(isOver ? 0 : 1)
        const quiet = message.kind === "Close" || (message.kind === "Reject" && message.number === undefined)
        const stays = message.kind === "Greeting" || isVisit(message)
        const ends = stays ? [] : [`link ${quiet ? null : "guest-out-of-place"}`]
        expect(hungUp(outputs)).toEqual(ends)
      })
    )
  })
  it("is heard so many messages and bytes, and then no more", () => {
    const node = new Alice(errandTo(bob))
    node.take(openedBy(bob, "link", true))
    const ignored = new TextEncoder().encode(JSON.stringify({ kind: "OfTomorrow" }))
    for (let index = 0; index < Limits.guestMessagesMax; index++) {
      expect(node.take(received(bob, "link", ignored))).toEqual([])
    }
    expect(hungUp(node.take(received(bob, "link", ignored)))).toEqual(["link guest-flooding"])
    const long = new TextEncoder().encode(
      JSON.stringify({ kind: "OfTomorrow", text: "x".repeat(Limits.guestBytesMax) })
    )
    node.take(openedBy(bob, "other", true))
    expect(hungUp(node.take(received(bob, "other", long)))).toEqual(["other guest-flooding"])
  })
  it("has no more links than a few: for one more the oldest goes", () => {
    const node = new Alice(errandTo(bob))
    const all = Array.from({ length: 5 }, (_, index) => node.take(openedBy(bob, `link ${index}`, true), noonMs + index))
    expect(all.flatMap(hungUp)).toEqual(["link 0 null", "link 1 null", "link 2 null"])
  })
})

describe("an errand", () => {
  it("is dialled at once, and again later while nobody answers; at the holder's link it waits", () => {
    const node = new Alice(errandTo(bob))
    const dials = (atMs: number) => node.take({ _tag: "Tick" }, atMs).filter((one) => one._tag === "Dial")
    const { peerId } = errandTo(bob)
    expect(dials(noonMs)).toEqual([{ _tag: "Dial", peerId, identityKey: bob.self.identityKey, swarmKey: undefined }])
    expect(dials(noonMs + 60_000)).toEqual([])
    node.take({ _tag: "DialEnded", peerId }, noonMs + 60_000)
    const wakeMs = Step.nextWakeMs(node.state, noonMs + 60_000)
    expect(wakeMs).toBeGreaterThan(noonMs + 60_000)
    expect(wakeMs).toBeLessThanOrEqual(noonMs + 60_000 + Limits.dialPauseFirstMs)
    node.take(openedBy(bob, "link", true), wakeMs)
    expect(dials(wakeMs + Limits.dialPauseMaxMs)).toEqual([])
    node.take({ _tag: "Closed", connection: "link", rejection: null }, wakeMs + Limits.dialPauseMaxMs)
    expect(dials(wakeMs + 2 * Limits.dialPauseMaxMs)).toHaveLength(1)
  })
  it("ends once: expired, cancelled by its id, or turned away", () => {
    const ended = (outputs: ReadonlyArray<Output.Output>) =>
      outputs.flatMap((one) =>
        one._tag === "Tell" && one.event._tag === "ErrandRefused" ? [one.event.rejection.code] : []
      )
    const late = new Alice(errandTo(bob))
    expect(ended(late.take({ _tag: "Tick" }, noonMs + 3_600_000))).toEqual(["errand-expired"])
    expect(ended(late.take({ _tag: "Tick" }, noonMs + 3_600_001))).toEqual([])
    const unwanted = new Alice(errandTo(bob))
    const cancel = { _tag: "Operator", ref: "1", command: { _tag: "Cancel", id: "eee" } } as const
    expect(ended(unwanted.take(cancel))).toEqual(["cancelled"])
    expect(unwanted.take(cancel)).toMatchObject([{ _tag: "Reply", reply: { ok: false } }])
    const refused = new Alice(errandTo(bob))
    refused.take(openedBy(bob, "link", true))
    expect(ended(refused.hear(bob, "link", { kind: "Reject", code: "friendship-pending", retryAfterMs: 9 }))).toEqual(
      []
    )
    refused.take({ _tag: "Closed", connection: "link", rejection: null })
    refused.take(openedBy(bob, "again", true))
    expect(ended(refused.hear(bob, "again", { kind: "Reject", code: "not-a-friend" }))).toHaveLength(1)
    expect(Table.size(refused.state.durable.errands)).toBe(0)
  })
  it("survives in the records, and its secret is written there and printed nowhere", () => {
    const errands = Table.set(Table.empty<Errand.Errand>(), "e".repeat(32), errandTo(bob))
    const changes = Records.diff({ ...State.emptyDurable, errands })
    expect(changes.map(({ collection }) => collection)).toEqual(["errands"])
    const records = changes.map(({ collection, key, value }) => ({ collection, key, value: value ?? "" }))
    const loaded = Result.getOrThrow(Records.load(records))
    const errand = Table.get(loaded.errands, "e".repeat(32))
    expect(errand?.kind === "claim" && Redacted.value(errand.proofKey)).toBe(secret)
    expect(records[0]?.value).toContain(secret)
    expect(JSON.stringify(Table.values(loaded.errands))).not.toContain(secret)
    expect(errand?.peerId).toBe(PeerId.of(crypto, bob.self.identityKey))
  })
})
