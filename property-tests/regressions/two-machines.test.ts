/**
 * A copied data folder, started on two machines: whole nodes on memory adapters, and what their operators are told.
 * It never lets the two know of each other; they have one identity, one transport key and one friend.
 * What is sent from either must still arrive once: being noticed is no help if it costs what was said.
 */
import { afterEach, describe, expect, it } from "vitest"
import { befriend, copyOf, deliver, makeWorld, says, type World } from "../world/World.ts"

let world: World
afterEach(() => world.end())

describe("a folder that was copied and runs twice", () => {
  it("is noticed by the friend when the first comes back, and both machines learn it at their next contact", async () => {
    world = makeWorld()
    const first = await world.start("alice")
    let bob = await world.start("bob")
    await befriend(first, bob)
    await deliver(first, bob, "before")
    await first.stop()
    const copy = copyOf(first.remains)
    const one = await world.start("alice", { remains: first.remains })
    await deliver(one, bob, "one")
    const two = await world.start("alice", { remains: copy })
    await deliver(two, bob, "two")
    // Neither the friend's memory of runs nor the machines' own ends with a process.
    await bob.stop()
    bob = await world.start("bob", { remains: bob.remains })
    await bob.wait("Connected")
    expect(bob.events.some((event) => event._tag === "TwoMachines")).toBe(false)
    // Whichever of them bob has reached by its hello, the session ends, as it does when the transport finds a newer link.
    world.cut()
    await bob.wait("Disconnected")
    await deliver(one, bob, "one again")
    await bob.wait("TwoMachines", (event) => event.whose === "theirs" && event.name === "alice")
    await one.wait("TwoMachines", (event) => event.whose === "ours" && event.name === "bob")
    await deliver(two, bob, "two again")
    await two.wait("TwoMachines", (event) => event.whose === "ours" && event.name === "bob")
    expect(await bob.shown("alice")).toEqual(["before", "one", "two", "one again", "two again"])
    expect((await bob.describe()).friends[0]?.twoMachinesMs).not.toBeNull()
    for (const machine of [one, two]) {
      expect((await machine.describe()).friends[0]?.saysTwoMachinesMs).not.toBeNull()
      expect(machine.events.some((event) => event._tag === "TwoMachines" && event.whose === "theirs")).toBe(false)
    }
    expect(bob.events.some((event) => event._tag === "Banned")).toBe(false)
  })
  it("one that is only restarted, or moved and never started again where it was, is no alarm", async () => {
    world = makeWorld()
    let alice = await world.start("alice")
    const bob = await world.start("bob")
    await befriend(alice, bob)
    for (const text of ["first", "second", "third"]) {
      await deliver(alice, bob, text)
      await alice.stop()
      const remains = text === "second" ? copyOf(alice.remains) : alice.remains
      alice = await world.start("alice", { remains })
      await alice.wait("Connected")
    }
    await deliver(alice, bob, "last")
    await bob.command(says.message("alice", "heard you"))
    await alice.wait("Received")
    for (const node of [alice, bob]) {
      expect(node.events.filter((event) => event._tag === "TwoMachines" || event._tag === "DiskOlder")).toEqual([])
    }
    expect(await bob.shown("alice")).toEqual(["first", "second", "third", "last"])
  })
})
