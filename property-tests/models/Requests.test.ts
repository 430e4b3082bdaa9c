/**
 * Requests to connect against a naive clerk: three members of a topic who ask, accept, deny, part, rotate and restart.
 * The clerk keeps who has asked whom, whom an operator has turned down, and who is whose friend; it knows no keys.
 * After every step all nodes meet, and both sides must say of every friendship what the clerk says.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Describe, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { publicRoom } from "../arbitraries/profiles.ts"
import { crypto, person } from "../arbitraries/state.ts"

const names = ["alice", "bob", "carol"] as const
type Name = (typeof names)[number]
const people = new Map(names.map((name) => [name, person(name)]))

type Doing =
  | { readonly do: "ask" | "accept" | "deny" | "unfriend"; readonly by: Name; readonly whom: Name }
  | { readonly do: "rotate" | "restart"; readonly by: Name; readonly whom: Name }

const doing = (weight: number, ...kinds: ReadonlyArray<Doing["do"]>) => ({
  weight,
  arbitrary: fc.record({
    do: fc.constantFrom(...kinds),
    by: fc.constantFrom(...names),
    whom: fc.constantFrom(...names)
  }) as fc.Arbitrary<Doing>
})
const story = fc.array(
  fc.oneof(doing(5, "ask"), doing(4, "accept"), doing(2, "deny", "unfriend"), doing(2, "rotate", "restart")),
  {
    minLength: 4,
    maxLength: 12
  }
)

const pair = (one: Name, other: Name): string => [one, other].sort().join(" ")

class Life {
  readonly party: Party
  readonly cast = new Map(names.map((name) => [name, new Member(people.get(name)!)]))
  /** `asker asked`, with whether the operator who was asked has turned it down. */
  readonly asked = new Map<string, boolean>()
  readonly friends = new Set<string>()

  constructor(step: typeof Step.step = Step.step) {
    this.party = new Party(step)
    for (const member of this.cast.values()) {
      this.party.take(member, { _tag: "Started" })
      this.party.command(member, { _tag: "JoinTopic", topic: publicRoom.topic })
    }
    this.#meet()
  }

  /** Everybody reaches everybody, as their nodes do within ten minutes. */
  #meet(): void {
    const members = [...this.cast.values()]
    for (let second = 0; second < 3; second++) this.party.wait(1_000, ...members)
    for (const one of members) {
      for (const other of members) {
        // Nobody dials without a reason: a request that waits, or a friendship.
        const wants = Table.values(one.state.durable.errands).some(
          (errand) => errand.kind === "connect" && errand.name === other.person.name
        )
        if (one === other || !(wants || holds(one, other) !== undefined)) continue
        const connection = this.party.meet(one, other)
        this.party.wait(3_000, ...members)
        this.party.close(connection)
        this.party.settle()
      }
    }
    this.party.wait(660_000, ...members)
  }

  run({ by, do: what, whom }: Doing): void {
    const { party } = this
    const member = this.cast.get(by)!
    const about = { name: whom, keyPrefix: "" }
    if (what === "rotate") party.rotate(member, "scheduled")
    else if (what === "restart") party.revive(member)
    else if (by !== whom) {
      const isAsked = this.asked.get(`${whom} ${by}`) === false
      const areFriends = this.friends.has(pair(by, whom))
      const reply = (command: Parameters<Party["command"]>[1]) => party.command(member, command)?.ok
      if (what === "ask") {
        expect(reply({ _tag: "Connect", ...about, topic: "", note: "" }), `${by} asks ${whom}`).toBe(!areFriends)
        if (!areFriends) this.#ask(by, whom)
      }
      if (what === "accept") {
        expect(reply({ _tag: "Accept", ...about }), `${by} accepts ${whom}`).toBe(isAsked)
        if (isAsked) this.#befriend(by, whom)
      }
      if (what === "deny") {
        expect(reply({ _tag: "Deny", ...about }), `${by} denies ${whom}`).toBe(isAsked)
        if (isAsked) this.asked.set(`${whom} ${by}`, true)
      }
      if (what === "unfriend") {
        expect(reply({ _tag: "Unfriend", ...about }), `${by} unfriends ${whom}`).toBe(areFriends)
        this.friends.delete(pair(by, whom))
      }
    }
    this.#meet()
    this.#check(`after ${by} ${what} ${whom}`)
  }

  #ask(by: Name, whom: Name): void {
    // Who asks again while its request waits has asked once, and is still turned down if it was.
    if (!this.asked.has(`${by} ${whom}`)) this.asked.set(`${by} ${whom}`, false)
    if (this.asked.has(`${whom} ${by}`)) this.#befriend(by, whom)
  }

  #befriend(one: Name, other: Name): void {
    this.friends.add(pair(one, other))
    this.asked.delete(`${one} ${other}`)
    this.asked.delete(`${other} ${one}`)
  }

  #check(when: string): void {
    for (const one of names) {
      const member = this.cast.get(one)!
      const { requests } = Describe.describe(crypto, member.state, this.party.nowMs)
      const open = names.filter((other) => this.asked.get(`${other} ${one}`) === false)
      expect(requests.map(({ name }) => name).sort(), `${when}: who waits for ${one}`).toEqual(open)
      const wishes = names.filter((other) => this.asked.has(`${one} ${other}`))
      const wanted = Table.values(member.state.durable.errands).flatMap((errand) =>
        errand.kind === "connect" ? [errand.name] : []
      )
      expect(wanted.sort(), `${when}: whom ${one} waits for`).toEqual(wishes)
      for (const other of names) {
        if (other === one) continue
        const expected = this.friends.has(pair(one, other)) ? ["message"] : undefined
        expect(holds(member, this.cast.get(other)!), `${when}: ${one} and ${other}`).toEqual(expected)
      }
    }
  }
}

describe("requests to connect", () => {
  it("lead to what both operators have said, on both sides, whatever is asked, answered, rotated and restarted", () => {
    fc.assert(
      fc.property(story, (steps) => {
        const life = new Life()
        for (const one of steps) life.run(one)
      }),
      { numRuns: 20 }
    )
  }, 60_000)
  it("and a node that takes a request for an acceptance is found", () => {
    const hasty: typeof Step.step = (state, input, turn) => {
      const [next, outputs] = Step.step(state, input, turn)
      const asked = Table.values(next.durable.roster.askedBy).find((one) => one.connect !== undefined)
      if (input._tag !== "Tick" || asked === undefined) return [next, outputs]
      const command = { _tag: "Accept", name: asked.name, keyPrefix: "" } as const
      const [after, more] = Step.step(next, { _tag: "Operator", ref: "hasty", command }, turn)
      return [after, [...outputs, ...more]]
    }
    expect(() => {
      const life = new Life(hasty)
      life.run({ do: "ask", by: "alice", whom: "bob" })
    }).toThrow(/after alice ask bob/)
  })
})
