/**
 * Questions that wait for an owner, between two nodes: told to both, decided once, kept over crashes, never run by themselves.
 * The links and the sandbox are in memory; nodes, records and commands are the shipped ones.
 * What a random schedule could do to them is in `models/Holds.test.ts`.
 */
import { afterEach, describe, expect, it } from "vitest"
import type { Input } from "../../core/index.ts"
import * as Commands from "../../plugin/Commands.ts"
import * as Present from "../../plugin/Present.ts"
import { type Actor, befriend, makeWorld, says, type World } from "../world/World.ts"

const worlds: Array<World> = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end()
})

const hold = (when: "always" | "first" | "over-budget" | "never"): Input.Command => ({
  _tag: "Hold",
  name: "alice",
  keyPrefix: "",
  when
})
const decide = (_tag: "Approve" | "Refuse", id: string): Input.Command => ({ _tag, id })

const meet = async () => {
  const world = makeWorld()
  worlds.push(world)
  const alice = await world.start("alice")
  const bob = await world.start("bob")
  await befriend(alice, bob)
  await bob.command(says.grant("alice", "inject"))
  await bob.command(hold("always"))
  return { world, alice, bob }
}

/** Alice asks; gives the question's id. */
const ask = async (alice: Actor, text: string): Promise<string> => {
  const reply = await alice.command(says.inject("bob", text))
  if (!reply.ok) return expect.fail(reply.rejection.code)
  return reply.id
}
const about =
  (id: string) =>
  (event: { readonly id: string }): boolean =>
    event.id === id

describe("a question that waits for the owner", () => {
  it("is told to both at once, shown to the owner, and answered once approved", async () => {
    const { alice, bob } = await meet()
    const id = await ask(alice, "may I?")
    const [held, told] = await Promise.all([bob.wait("InjectHeld", about(id)), alice.wait("CallHeld", about(id))])
    expect([held.reason, told.reason]).toEqual(["always", "always"])
    expect(told.expiresAtMs).toBe(held.expiresAtMs)
    expect(await bob.shown("alice")).toEqual(["may I?"])
    const description = await bob.describe()
    expect(description.held).toMatchObject([{ id, name: "alice", bytes: 6, expiresAtMs: held.expiresAtMs }])
    expect(description.friends[0]!.hold).toBe("always")
    expect(Present.answer(description, "held", "").join()).toContain(`${id.slice(0, 8)}  @alice asks`)
    expect(Present.answer(description, "status", "").join("\n")).toContain("1 question waiting for your word")
    expect(bob.events.some(({ _tag }) => _tag === "JobStarted")).toBe(false)
    expect(await bob.command(decide("Approve", id.slice(0, 8)))).toMatchObject({ ok: true })
    expect((await alice.wait("Answered", about(id))).text).toBe("you asked: may I?")
    expect(bob.remains.ledger.runs).toHaveLength(1)
    expect((await bob.describe()).held).toEqual([])
    expect(await bob.command(decide("Approve", id))).toMatchObject({
      ok: false,
      rejection: { code: "unknown-question" }
    })
  })
  it("is named to the owner with its reason and no word of it, and is in the asker's queue as one that waits", async () => {
    const { alice, bob } = await meet()
    const id = await ask(alice, `tell me ${"x".repeat(200)}`)
    await alice.wait("CallHeld", about(id))
    const bobs = await bob.describe()
    expect(bobs.held).toMatchObject([{ reason: "always" }])
    expect(JSON.stringify(bobs)).not.toContain("tell me")
    expect(Present.answer(bobs, "held", "").join()).toMatch(/asks \(always, 208 bytes; .*\): \/approve or/)
    expect(Present.answer(bobs, "friends", "").join()).toContain("questions wait for you: always")
    expect(Present.answer(await alice.describe(), "queue", "").join()).toContain("waits for the word of their owner")
  })
  it("does not wait if its asker will not: refused at once, and nothing is held", async () => {
    const { alice, bob } = await meet()
    const typed = Commands.parse("/inject @bob --now what is it?", { channel: undefined })
    if (typed.kind !== "command") return expect.fail("no command")
    const reply = await alice.command(typed.command)
    if (!reply.ok) return expect.fail(reply.rejection.code)
    expect((await alice.wait("Refused", about(reply.id))).rejection.code).toBe("approval-required")
    expect((await bob.describe()).held).toEqual([])
    expect(bob.remains.ledger.runs).toEqual([])
    await bob.command(hold("never"))
    const again = await alice.command(typed.command)
    if (!again.ok) return expect.fail(again.rejection.code)
    expect((await alice.wait("Answered", about(again.id))).text).toBe("you asked: what is it?")
  })
  it("is refused by the owner, by withdrawing, by the end of the friendship, and by its asker, each with a code", async () => {
    const { alice, bob } = await meet()
    const refused = async (id: string) => (await alice.wait("Refused", about(id))).rejection.code
    const held = async (text: string) => {
      const id = await ask(alice, text)
      await alice.wait("CallHeld", about(id))
      return id
    }
    const first = await held("one")
    await bob.command(decide("Refuse", first))
    expect(await refused(first)).toBe("approval-refused")
    const second = await held("two")
    await alice.command({ _tag: "Cancel", id: second })
    expect((await bob.wait("JobEnded", about(second))).code).toBe("cancelled")
    const third = await held("three")
    await bob.command(says.revoke("alice", "inject"))
    expect(await refused(third)).toBe("revoked")
    await bob.command(says.grant("alice", "inject"))
    const fourth = await held("four")
    await bob.command(says.unfriend("alice"))
    await alice.wait("FriendshipEnded")
    expect(await bob.command(decide("Approve", fourth))).toMatchObject({ ok: false })
    expect(bob.remains.ledger.runs).toEqual([])
  })
  it("survives a crash on either side, and is run once though the process died right after the owner's word", async () => {
    const { alice, bob, world } = await meet()
    const id = await ask(alice, "still there?")
    await alice.wait("CallHeld", about(id))
    await alice.crash()
    await bob.crash()
    const again = await world.start("alice", { remains: alice.remains })
    const owner = await world.start("bob", { remains: bob.remains })
    expect((await owner.describe()).held.map((one) => one.id)).toEqual([id])
    expect(bob.remains.ledger.runs).toEqual([])
    await owner.command(decide("Approve", id))
    expect((await again.wait("Answered", about(id))).text).toBe("you asked: still there?")
    expect(bob.remains.ledger.runs).toHaveLength(1)
  })
  it("under `first`, only until one was approved", async () => {
    const { alice, bob } = await meet()
    await bob.command(hold("first"))
    const first = await ask(alice, "one")
    await bob.wait("InjectHeld", about(first))
    await bob.command(decide("Approve", first))
    await alice.wait("Answered", about(first))
    const second = await ask(alice, "two")
    await alice.wait("Answered", about(second))
    expect(bob.events.filter(({ _tag }) => _tag === "InjectHeld")).toHaveLength(1)
  })
  it("waits beside seven others of its friend; the ninth is refused at once", async () => {
    const { alice, bob } = await meet()
    const ids: Array<string> = []
    for (let index = 0; index < 8; index++) ids.push(await ask(alice, `question ${index}`))
    for (const id of ids) await bob.wait("InjectHeld", about(id))
    const ninth = await ask(alice, "and me?")
    expect((await alice.wait("Refused", about(ninth))).rejection.code).toBe("too-many-jobs")
  })
})

describe("the commands of an owner's word", () => {
  const parsed = (line: string) => Commands.parse(line, { channel: undefined })
  it("are understood, or say how they are meant", () => {
    expect(parsed("/hold @alice always")).toEqual({ kind: "command", command: hold("always") })
    expect(parsed("/hold @alice over-budget")).toEqual({ kind: "command", command: hold("over-budget") })
    expect(parsed("/approve AB12")).toEqual({ kind: "command", command: decide("Approve", "ab12") })
    expect(parsed("/refuse ab12")).toEqual({ kind: "command", command: decide("Refuse", "ab12") })
    expect(parsed("/held")).toMatchObject({ kind: "question", question: "held" })
    for (const wrong of ["/hold @alice", "/hold @alice sometimes", "/hold", "/approve", "/approve xyz!", "/refuse a"]) {
      expect(parsed(wrong).kind, wrong).toBe("mistake")
    }
  })
})
