/**
 * What reviewers did with requests to connect and with errands: each got in, or was taken for somebody, and does no more.
 * One node as a pure state; the peers around it have proven their keys and say what they like.
 * A test here fails on the code that was attacked.
 */
import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { Codec, type Event, type Input, Limits, type Message, State, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { publicRoom, type Room, secretRoom } from "../arbitraries/profiles.ts"
import { noonMs, openedBy, type Person, person, received, signedLine, turnAt } from "../arbitraries/state.ts"

/** A node that is in a topic, and what it tells. */
const node = (self: Person, room: Room, name: string) => {
  const key = room.topic.secret === null ? null : Redacted.make("x".repeat(22), { label: "topic" })
  const joined = { name, key, hash: room.hash, sinceMs: noonMs, version: noonMs }
  const topics = Table.set(State.emptyDurable.topics, room.hash, joined)
  let state = State.start(self.self, { ...State.emptyDurable, topics })
  let turns = 0
  const events: Array<Event.Event> = []
  const step = (input: Input.Input) => {
    const [next, outputs] = Step.step(state, input, turnAt(noonMs + ++turns, turns))
    state = next
    for (const one of outputs) if (one._tag === "Tell") events.push(one.event)
  }
  step({ _tag: "Started" })
  const hear = (from: Person, connection: string, message: Message.Message) => {
    if (!state.passing.guests.pipe((guests) => [...guests].some(([link]) => link === connection)))
      step(openedBy(from, connection, false))
    step(received(from, connection, Codec.encode(message)))
  }
  return {
    step,
    hear,
    events,
    operator: (command: Input.Command) => step({ _tag: "Operator", ref: "r", command }),
    get state() {
      return state
    },
    put: (change: (before: State.State) => State.State) => {
      state = change(state)
    },
    friends: () => Table.values(state.durable.roster.friends).map(({ name: one, standing }) => `${one} ${standing}`)
  }
}
const asks = (id: string, name: string, room: Room): Message.Message => ({
  kind: "ConnectRequest",
  id: id.repeat(32),
  name,
  topic: room.hash
})
const who = (name: string) => ({ name, keyPrefix: "" })

describe("who is sent away", () => {
  it("does not come back by an answer to what we had asked of it before", () => {
    const [alice, bob] = [person("alice"), person("bob")]
    const ours = node(alice, publicRoom, "chess")
    const id = "1".repeat(32)
    const { peerId, topic } = bob.proof.signer
    const wish = { kind: "connect" as const, id, key: bob.self.identityKey, peerId, topic, name: "bob", note: "" }
    const errand = { ...wish, madeAtMs: noonMs, expiresAtMs: noonMs + 604_800_000, in: publicRoom.hash }
    ours.put((state) => State.withDurable(state, { errands: Table.set(state.durable.errands, id, errand) }))
    ours.step({ _tag: "Line", channel: "lobby", author: null, line: signedLine(bob, "alice", noonMs) })
    ours.operator({ _tag: "Accept", ...who("bob") })
    expect(ours.friends()).toEqual(["bob Friend"])
    ours.operator({ _tag: "Unfriend", ...who("bob") })
    expect(Table.size(ours.state.durable.errands)).toBe(0)
    ours.hear(bob, "back", { kind: "ConnectResponse", id, outcome: "accepted" })
    expect(ours.friends()).toEqual(["bob Former"])
    expect(Table.size(ours.state.durable.grants)).toBe(0)
  })
})

describe("a rule about a topic", () => {
  it("that is secret, takes nobody for a member who has not shown a profile under its key", () => {
    const [alice, mallory] = [person("alice"), person("mallory")]
    const ours = node(alice, secretRoom, "chess")
    ours.operator({ _tag: "AddRule", rule: { channel: "topic:chess#", unproven: true } })
    ours.hear(mallory, "m", asks("3", "mallory", secretRoom))
    expect(ours.friends()).toEqual([])
    expect(ours.events.filter(({ _tag }) => _tag === "ConnectAsked")).toMatchObject([{ where: "topic" }])
  })
  it("lets nobody in under the name of a friend from there; the operator is told that there are two", () => {
    const [alice, bob, mallory] = [person("alice"), person("bob"), person("mallory")]
    const ours = node(alice, publicRoom, "chess")
    ours.operator({ _tag: "AddRule", rule: { channel: "topic:chess", unproven: true } })
    ours.hear(bob, "b", asks("1", "bob", publicRoom))
    expect(ours.friends()).toEqual(["bob Friend"])
    ours.hear(mallory, "m", asks("2", "bob", publicRoom))
    expect(ours.friends()).toEqual(["bob Friend"])
    expect(ours.events.filter(({ _tag }) => _tag === "ConnectAsked")).toMatchObject([{ rivals: 1 }])
  })
})

it("a crowd of a topic leaves a place to who asks in a room", () => {
  const [alice, bob] = [person("alice"), person("bob")]
  const ours = node(alice, publicRoom, "chess")
  for (let index = 0; index < Limits.askedByMax; index++)
    ours.hear(person(`m${index}`), `c${index}`, asks("3", `m${index}`, publicRoom))
  expect(Table.size(ours.state.durable.roster.askedBy)).toBe(Limits.connectAskedMax)
  ours.step({ _tag: "Line", channel: "lobby", author: null, line: signedLine(bob, "alice", noonMs) })
  expect(ours.events.some((one) => one._tag === "RequestReceived" && one.name === "bob")).toBe(true)
})
