/**
 * Regression 7: what was promised of discovered peers, and what an unsolicited acceptance once got: everything.
 * Whole nodes in one process; the attacker speaks through a real session, and says what only an answer may say.
 * Nothing that arrives grants anything: a friendship begins where an operator, or a rule of theirs, said so.
 */
import { Result } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { Codec, type Input, State, Step, Topic } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { publicRoom } from "../arbitraries/profiles.ts"
import { noonMs, openedBy, person, received, turnAt } from "../arbitraries/state.ts"
import { type Actor, makeWorld, pause, until } from "../world/World.ts"

const chess = Result.getOrThrow(Topic.parse("chess"))
const name = (who: string) => ({ name: who, keyPrefix: "" })
const actors: Array<Actor> = []
const start = async (world: ReturnType<typeof makeWorld>, who: string, options = {}): Promise<Actor> => {
  const actor = await world.start(who, options)
  actors.push(actor)
  return actor
}
afterEach(async () => {
  for (const actor of actors.splice(0)) await actor.stop()
})

const join = (actor: Actor) => actor.command({ _tag: "JoinTopic", topic: chess })
const connect = (actor: Actor, to: string, note = "") =>
  actor.command({ _tag: "Connect", ...name(to), topic: "", note })
const names = async (actor: Actor) => (await actor.describe()).discovered.map((one) => one.name).sort()
const friends = async (actor: Actor) => (await actor.describe()).friends.map((one) => one.name).sort()

describe("7 · discovered peers get nothing", () => {
  it("two members find each other, one asks, the other's operator accepts, and both may send messages, no more", async () => {
    const world = makeWorld()
    const [alice, bob] = [await start(world, "alice"), await start(world, "bob")]
    expect((await join(alice)).ok).toBe(true)
    await alice.command({ _tag: "SetProfile", content: { name: "alice", description: "plays", tags: ["chess"] } })
    await join(bob)
    await until(
      "they know each other",
      async () => (await names(alice)).length + (await names(bob)).length === 2,
      5_000
    )
    expect((await bob.describe()).discovered[0]).toMatchObject({
      name: "alice",
      description: "plays",
      tags: ["chess"],
      friend: false,
      trust: null
    })
    expect(await friends(bob)).toEqual([])
    expect((await alice.command({ _tag: "Message", ...name("bob"), text: "no" })).ok).toBe(false)

    expect(await connect(alice, "bob", "a game?")).toMatchObject({ ok: true })
    const asked = await bob.wait("ConnectAsked")
    expect(asked).toMatchObject({ name: "alice", where: "topic:chess", note: "a game?" })
    expect(await friends(bob)).toEqual([])
    expect(await friends(alice)).toEqual([])
    expect((await bob.command({ _tag: "Accept", ...name("alice") })).ok).toBe(true)
    await alice.wait("FriendshipMade")
    expect(await alice.wait("ErrandAnswered")).toMatchObject({ kind: "connect" })
    for (const [one, other] of [
      [alice, "bob"],
      [bob, "alice"]
    ] as const) {
      const [friend] = (await one.describe()).friends
      expect(friend).toMatchObject({ name: other, capabilities: ["message"], channel: "topic:chess" })
      expect((await one.command({ _tag: "Message", ...name(other), text: `hello ${other}` })).ok).toBe(true)
    }
    await until(
      "both have read it",
      async () => (await alice.shown("bob")).length + (await bob.shown("alice")).length >= 2
    )
    expect((await bob.describe()).requests).toEqual([])
    // What is made sure of a friend is shown in the topic as well.
    await alice.command({ _tag: "Verify", ...name("bob"), same: true })
    const described = await alice.describe()
    expect(described.discovered).toMatchObject([{ name: "bob", friend: true, trust: "verified" }])
    expect(Present.answer(described, "discovered", "").join()).toContain("(your friend, verified)")
    expect(Present.answer(described, "fingerprint", "bob").join()).toMatch(/^with @bob#\S{8} \(verified/)
  })

  const meet = async (world: ReturnType<typeof makeWorld>, ...who: ReadonlyArray<string>) => {
    const met = await Promise.all(who.map((one) => start(world, one)))
    await Promise.all(met.map(join))
    const isMet = async (actor: Actor) => (await names(actor)).length === who.length - 1
    await until("everybody knows everybody", async () => (await Promise.all(met.map(isMet))).every(Boolean), 8_000)
    return met
  }

  it("an acceptance that nobody asked for makes no friend and no grant, and is counted", () => {
    const [alice, mallory] = [person("alice"), person("mallory")]
    const topic = publicRoom.hash
    const joined = { name: "chess", key: null, hash: topic, sinceMs: noonMs, version: noonMs }
    const durable = { ...State.emptyDurable, topics: Table.set(State.emptyDurable.topics, topic, joined) }
    let state = State.start(alice.self, durable)
    let number = 0
    const told: Array<string> = []
    const step = (input: Input.Input) => {
      const [next, outputs] = Step.step(state, input, turnAt(noonMs + number, number++))
      state = next
      told.push(...outputs.flatMap((one) => (one._tag === "Tell" ? [one.event._tag] : [])))
    }
    step({ _tag: "Started" })
    step(openedBy(mallory, "m", false))
    for (const outcome of ["accepted", "asked", "refused"] as const) {
      const body = Codec.encode({ kind: "ConnectResponse", id: "0".repeat(32), outcome })
      step(received(mallory, "m", body))
    }
    expect(Table.size(state.durable.roster.friends)).toBe(0)
    expect(Table.size(state.durable.grants)).toBe(0)
    expect(state.passing.unasked).toBe(3)
    expect(told).toEqual([])
    // Nor does one that answers a request of ours to somebody else.
    const bob = person("bob")
    const errand = {
      kind: "connect" as const,
      id: "1".repeat(32),
      key: bob.self.identityKey,
      peerId: bob.proof.signer.peerId,
      topic: bob.proof.signer.topic,
      madeAtMs: noonMs,
      expiresAtMs: noonMs + 1_000_000,
      name: "bob",
      note: "",
      in: topic
    }
    state = State.withDurable(state, { errands: Table.set(state.durable.errands, errand.id, errand) })
    step(received(mallory, "m", Codec.encode({ kind: "ConnectResponse", id: errand.id, outcome: "accepted" })))
    expect(Table.size(state.durable.roster.friends)).toBe(0)
    expect(Table.has(state.durable.errands, errand.id)).toBe(true)
    expect(state.passing.unasked).toBe(4)
    // From that very key it counts, once.
    step(openedBy(bob, "b", false))
    for (let twice = 0; twice < 2; twice++) {
      step(received(bob, "b", Codec.encode({ kind: "ConnectResponse", id: errand.id, outcome: "accepted" })))
    }
    expect(Table.values(state.durable.roster.friends).map(({ name }) => name)).toEqual(["bob"])
    expect(Table.values(state.durable.grants)).toMatchObject([{ capabilities: ["message"] }])
    expect(told.filter((tag) => tag === "FriendshipMade")).toHaveLength(1)
  })

  it("a request that the operator denies is not asked again, and its sender hears nothing", async () => {
    const world = makeWorld()
    const [alice, bob] = (await meet(world, "alice", "bob")) as [Actor, Actor]
    await connect(alice, "bob")
    await bob.wait("ConnectAsked")
    expect((await bob.command({ _tag: "Deny", ...name("alice") })).ok).toBe(true)
    expect((await bob.describe()).requests).toEqual([])
    const remains = alice.remains
    await alice.stop()
    actors.splice(actors.indexOf(alice), 1)
    const again = await start(world, "alice", { remains })
    await until("it still wants it", async () => (await again.describe()).errands.length === 1)
    await pause(1_500)
    expect(bob.events.filter(({ _tag }) => _tag === "ConnectAsked")).toHaveLength(1)
    expect(again.events.filter(({ _tag }) => _tag === "ErrandRefused" || _tag === "FriendshipMade")).toEqual([])
    expect(await friends(bob)).toEqual([])
  })

  it("a rule of the operator's answers for it, with `message` and never more; the sender's id is all that counts", async () => {
    const world = makeWorld()
    const [alice, bob] = (await meet(world, "alice", "bob")) as [Actor, Actor]
    await bob.command({ _tag: "AddRule", rule: { channel: "topic:chess", unproven: true } })
    await connect(alice, "bob")
    await bob.wait("FriendshipMade")
    expect((await alice.wait("FriendshipMade")).by).toBe("peer")
    expect((await bob.describe()).friends[0]).toMatchObject({ name: "alice", capabilities: ["message"] })
    expect(bob.events.some(({ _tag }) => _tag === "ConnectAsked")).toBe(false)
    await bob.command({ _tag: "Unfriend", ...name("alice") })
    await alice.wait("FriendshipEnded")
    await until("both know it", async () => (await friends(alice)).length + (await friends(bob)).length === 0)
    // Whom the operator has sent away no rule brings back.
    await connect(alice, "bob")
    await bob.wait("ConnectAsked")
    expect(await friends(bob)).toEqual([])
  })

  it("a node in no topic hears no request: a stranger is told what it always was", async () => {
    const world = makeWorld()
    const [alice, bob] = (await meet(world, "alice", "bob")) as [Actor, Actor]
    await connect(alice, "bob")
    await bob.wait("ConnectAsked")
    await bob.command({ _tag: "Deny", ...name("alice") })
    const carol = await start(world, "carol")
    await join(carol)
    await until("carol is known", async () => (await names(alice)).includes("carol"), 8_000)
    await carol.command({ _tag: "LeaveTopic", topic: chess })
    await alice.wait("MemberLeft", (event) => event.name === "carol")
    expect(await names(alice)).toEqual(["bob"])
    expect(await connect(alice, "carol")).toMatchObject({ ok: false, rejection: { code: "unknown-member" } })
  })

  it("what is said anew reaches those who hold the older one, and a restart is back in its topics", async () => {
    const world = makeWorld()
    const [alice, bob] = (await meet(world, "alice", "bob")) as [Actor, Actor]
    await bob.command({ _tag: "SetProfile", content: { name: "bob", description: "new words", tags: [] } })
    const says = async (actor: Actor) =>
      (await actor.describe()).discovered.find((one) => one.name === "bob")?.description
    await until("alice has heard", async () => (await says(alice)) === "new words", 5_000)
    const { remains } = alice
    await alice.crash()
    actors.splice(actors.indexOf(alice), 1)
    const again = await start(world, "alice", { remains })
    await until("alice is back", async () => (await says(again)) === "new words", 5_000)
    expect((await again.describe()).topics).toMatchObject([{ name: "chess", secret: false, members: 1 }])
  })
})
