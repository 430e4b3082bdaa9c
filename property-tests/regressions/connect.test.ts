/**
 * Regression 7: what was promised of discovered peers, and what an unsolicited acceptance once got: everything.
 * Whole nodes in one process; the attacker speaks through a real session, and says what only an answer may say.
 * Nothing that arrives grants anything: a friendship begins where an operator, or a rule of theirs, said so.
 */
import { Result } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import { Topic } from "../../core/index.ts"
import { type Actor, makeWorld, until } from "../world/World.ts"

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
      friend: false
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
  })
})
