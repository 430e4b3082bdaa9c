/**
 * A request to connect during which keys are rotated: one question, one friendship, and one name for it on both sides.
 * The name is what `/unfriend` goes by: where the two differed, the end of the friendship was not understood at all.
 * Whole nodes as pure states, in a topic that they join, with the rotation between any two steps of the request.
 */
import { describe, expect, it } from "vitest"
import { Describe, type Input, type State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { publicRoom } from "../arbitraries/profiles.ts"
import { crypto, person } from "../arbitraries/state.ts"

const [asker, asked] = [person("alice"), person("bob")]
const about = (name: string, keyPrefix = "") => ({ name, keyPrefix })
const connectToBob: Input.Command = { _tag: "Connect", ...about("bob"), topic: "", note: "" }

/** Two who know each other in a topic. */
const meeting = () => {
  const party = new Party()
  const [alice, bob] = [new Member(asker), new Member(asked)]
  for (const member of [alice, bob]) {
    party.take(member, { _tag: "Started" })
    party.command(member, { _tag: "JoinTopic", topic: publicRoom.topic })
  }
  party.wait(2_000, alice, bob)
  /** Alice's node dials whom it has asked, as it does every ten minutes. */
  const reach = () => {
    const connection = party.meet(alice, bob)
    party.wait(3_000, alice, bob)
    party.close(connection)
    party.settle()
    party.wait(660_000, alice, bob)
  }
  return { party, alice, bob, reach }
}
const names = ({ state }: Member) => Table.values(state.durable.roster.friends).map((friend) => friend.cameOf)
const questions = ({ told }: Member) => told.filter(({ _tag }) => _tag === "ConnectAsked")

const rotations: Readonly<Record<string, readonly ("alice" | "bob")[]>> = {
  nobody: [],
  "the asker": ["alice"],
  "the asked": ["bob"],
  both: ["alice", "bob"]
}

describe("a scheduled rotation between a request and its acceptance", () => {
  for (const [who, rotating] of Object.entries(rotations)) {
    for (const ender of ["alice", "bob"] as const) {
      it(`by ${who}: both call the friendship the same, and ${ender}'s unfriend ends it on both sides`, () => {
        const { alice, bob, party, reach } = meeting()
        const both = { alice, bob }
        expect(party.command(alice, connectToBob)?.ok).toBe(true)
        reach()
        expect(questions(bob)).toHaveLength(1)
        for (const one of rotating) {
          party.rotate(both[one], "scheduled")
          party.wait(1_000, alice, bob)
        }
        reach()
        // The same request under the next key is the same question.
        expect(questions(bob)).toHaveLength(1)
        expect(party.command(bob, { _tag: "Accept", ...about("alice") })).toMatchObject({ ok: true })
        reach()
        for (const [one, other] of [
          [alice, bob],
          [bob, alice]
        ] as const)
          expect(holds(one, other), one.person.name).toEqual(["message"])
        expect(names(alice)[0]).toContain(names(bob)[0]?.[0])
        // The key that was asked is left for ever: whoever still has it is not whom alice befriended.
        const left = Table.values(alice.state.durable.roster.friends)[0]?.earlier?.map(({ key }) => key) ?? []
        expect(left).toEqual(rotating.includes("bob") ? [asked.self.identityKey] : [])
        expect(
          party.command(both[ender], { _tag: "Unfriend", ...about(ender === "alice" ? "bob" : "alice") })?.ok
        ).toBe(true)
        reach()
        for (const [one, other] of [
          [alice, bob],
          [bob, alice]
        ] as const)
          expect(holds(one, other), one.person.name).toBeUndefined()
      })
    }
  }
  it("does not ask again what the operator has denied, nor let anybody else pass as who asked", () => {
    const { alice, bob, party, reach } = meeting()
    party.command(alice, connectToBob)
    reach()
    expect(party.command(bob, { _tag: "Deny", ...about("alice") })?.ok).toBe(true)
    party.rotate(alice, "scheduled")
    reach()
    expect(questions(bob)).toHaveLength(1)
    // Somebody who has the id of the request, and no history that leads from the key that made it.
    const mallory = new Member(person("alice"), true)
    const [errand] = Table.values(alice.state.durable.errands)
    const connection = party.meet(mallory, bob)
    party.say(mallory, connection, { kind: "ConnectRequest", id: errand!.id, name: "alice", topic: publicRoom.hash })
    expect(questions(bob)).toHaveLength(2)
  })
})

describe("a member that has rotated", () => {
  it("is known once, under its new key, by whoever has met it since; a key that it has left is shown no more", () => {
    const { alice, bob, party } = meeting()
    party.rotate(bob, "scheduled")
    for (let second = 0; second < 5; second++) party.wait(1_000, alice, bob)
    const { discovered } = Describe.describe(crypto, alice.state, party.nowMs)
    expect(discovered.map(({ identityKey }) => identityKey)).toEqual([bob.person.self.identityKey])
    expect(party.command(alice, connectToBob)).toMatchObject({ ok: true })
  })
  it("is not pushed out by somebody who only says that it was bob", () => {
    const { alice, party } = meeting()
    const mallory = new Member(person("bob"))
    party.take(mallory, { _tag: "Started" })
    party.command(mallory, { _tag: "JoinTopic", topic: publicRoom.topic })
    for (let second = 0; second < 5; second++) party.wait(1_000, alice, mallory)
    const { discovered } = Describe.describe(crypto, alice.state, party.nowMs)
    expect(discovered.map(({ identityKey }) => identityKey)).toContain(asked.self.identityKey)
    expect(discovered).toHaveLength(2)
  })
})

describe("a request that waits", () => {
  it("is listed by whom it is to, on one side, and with its note on the other; its id is that of its outcome", () => {
    const { alice, bob, party, reach } = meeting()
    const reply = party.command(alice, { ...connectToBob, note: "a game?" })
    const again = party.command(alice, connectToBob)
    const [errand] = Table.values(alice.state.durable.errands)
    expect([reply, again]).toMatchObject([{ id: errand!.id }, { id: errand!.id }])
    reach()
    const lines = (of: Member) =>
      Present.answer(Describe.describe(crypto, of.state, party.nowMs), "requests", "").join("\n")
    expect(lines(alice)).toMatch(/^[0-9a-f]{8} {2}you asked @bob#\S{8} to connect: no answer yet.*\/cancel/)
    expect(lines(bob)).toMatch(/^@alice#\S{8} asked in topic:chess, .*; says: a game\?$/)
    party.command(bob, { _tag: "Accept", ...about("alice") })
    reach()
    expect(alice.told.find(({ _tag }) => _tag === "ErrandAnswered")).toMatchObject({ id: errand!.id })
  })
})

describe("who is asked and was away", () => {
  it("is found by the key it had when it was asked for as long as the request lasts, also if it has no friend", () => {
    const { alice, bob, party } = meeting()
    party.command(alice, connectToBob)
    const found = (state: State.State) => [...state.passing.announced]
    expect(found(bob.state)).toEqual([asked.self.identityKey])
    party.rotate(bob, "scheduled")
    expect(found(bob.state)).toContain(asked.self.identityKey)
    for (let day = 0; day < 8; day++) party.wait(86_400_000, bob)
    expect(found(bob.state)).toEqual([bob.person.self.identityKey])
  })
})
