/**
 * Introductions as people use them: three real programs, a DHT of their own on loopback, and one of them killed for good.
 * It drives the shipped program from outside and reads what it prints; no chat room connects these nodes.
 * What only whole programs show: the two who were introduced find each other by key, and need nobody for it afterwards.
 */
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { loopback } from "./loopback.ts"

const { bootstrap, folder } = loopback("introductions")

const start = (story: string, name: string) =>
  Child.start(["--name", name, "--data", join(folder, story, name), "--sandbox", "off", ...bootstrap])

const is =
  (event: string, more: Readonly<Record<string, unknown>> = {}) =>
  (told: Child.Told) =>
    told.event === event && Object.entries(more).every(([key, value]) => told[key] === value)

type Node = ReturnType<typeof start>
const ask = (node: Node, line: string) => {
  const from = node.told.length
  node.type(line)
  return node.wait(`the reply to ${line}`, is("reply", { line }), 20_000, from)
}

/** What a list of a reply says of somebody. */
const named = (reply: Child.Told, list: string, name: string) =>
  (reply[list] as ReadonlyArray<Readonly<Record<string, unknown>>>).find((one) => one["name"] === name)
const words = (one: Readonly<Record<string, unknown>> | undefined): string =>
  String((one?.["fingerprint"] as { readonly words?: string } | undefined)?.words)

/** Alice and bob are friends of carol, by an invite of hers each, and know nothing of each other. */
const acquainted = async (story: string) => {
  const [alice, bob, carol] = [start(story, "alice"), start(story, "bob"), start(story, "carol")]
  for (const node of [alice, bob, carol]) await node.wait("it is up", is("started"), 30_000)
  const { link } = await ask(carol, "/invite uses 2")
  for (const node of [alice, bob]) {
    node.type(`/claim ${String(link)}`)
    await node.wait("carol's friend", is("friendship", { name: "carol" }), 60_000)
  }
  return { alice, bob, carol }
}

describe("introductions between programs", () => {
  it("carol introduces two and is killed for good; they become friends, talk, and are unverified until they compare", {
    timeout: 240_000
  }, async () => {
    const { alice, bob, carol } = await acquainted("gone")
    const introduced = await ask(carol, "/introduce @alice @bob : you both play go")
    expect(introduced).toMatchObject({ ok: true })
    for (const name of ["alice", "bob"]) {
      await carol.wait("it has arrived", is("delivered", { name, kind: "Introduce", id: introduced["id"] }), 60_000)
    }
    await alice.wait("the question", is("introduction-received", { introduced: "bob", name: "carol" }), 30_000)
    await bob.wait("the question", is("introduction-received", { introduced: "alice", name: "carol" }), 30_000)
    // Nothing has come of it yet, and nothing ever does by itself.
    expect(named(await ask(alice, "/friends"), "friends", "bob")).toBeUndefined()
    const asked = named(await ask(alice, "/requests"), "introductions", "bob")
    expect(asked).toMatchObject({ introducedBy: "carol", trust: "unverified", note: "you both play go" })

    expect(await carol.stop("SIGKILL")).toBeNull()
    expect(await ask(alice, "/accept @bob")).toMatchObject({ ok: true })
    expect(await ask(bob, "/accept @alice")).toMatchObject({ ok: true })
    await alice.wait("a friend", is("friendship", { name: "bob", introducedBy: "carol" }), 90_000)
    await bob.wait("a friend", is("friendship", { name: "alice", introducedBy: "carol" }), 90_000)
    for (const [from, to] of [
      [alice, "bob"],
      [bob, "alice"]
    ] as const) {
      from.type(`/message @${to} hello @${to}`)
      await from.wait("it arrives", is("delivered", { name: to, kind: "Log" }), 60_000)
    }
    const [ours, theirs] = [await ask(alice, "/friends"), await ask(bob, "/friends")]
    const [theOther, oneself] = [named(ours, "friends", "bob"), named(theirs, "friends", "alice")]
    expect([theOther, oneself]).toMatchObject([
      { trust: "unverified", introducedBy: "carol" },
      { trust: "unverified", introducedBy: "carol" }
    ])
    // The pair reads the same words, those that were there before the yes.
    expect(words(theOther)).toBe(words(oneself))
    expect(words(theOther)).toBe(words(asked))
    expect(String(ours["lines"])).toContain("introduced by @carol")
    await ask(alice, "/verify @bob yes")
    expect(named(await ask(alice, "/friends"), "friends", "bob")).toMatchObject({ trust: "verified" })
    for (const node of [alice, bob]) expect(await node.stop()).toBe(0)
  })

  it("one of the two is killed between the question and its yes, and both find each other all the same; a no stays a no", {
    timeout: 240_000
  }, async () => {
    const { alice, bob, carol } = await acquainted("back")
    await ask(carol, "/introduce @bob @alice")
    await alice.wait("the question", is("introduction-received"), 60_000)
    await bob.wait("the question", is("introduction-received"), 60_000)
    expect(await ask(alice, "/accept @bob")).toMatchObject({ ok: true })
    expect(await bob.stop("SIGKILL")).toBeNull()
    const again = start("back", "bob")
    await again.wait("it is up", is("started"), 30_000)
    // Whichever of the two is heard of first: the introduction, or alice's own request because of it.
    expect(await ask(again, "/accept @alice")).toMatchObject({ ok: true })
    await alice.wait("a friend", is("friendship", { name: "bob" }), 90_000)
    await again.wait("a friend", is("friendship", { name: "alice" }), 90_000)
    again.type("/message @alice I am back")
    await again.wait("it arrives", is("delivered", { name: "alice", kind: "Log" }), 60_000)

    // A third, whom carol introduces to bob, is turned down; nobody is told.
    const dave = start("back", "dave")
    await dave.wait("it is up", is("started"), 30_000)
    const { link } = await ask(carol, "/invite")
    dave.type(`/claim ${String(link)}`)
    await dave.wait("carol's friend", is("friendship", { name: "carol" }), 60_000)
    await ask(carol, "/introduce @bob @dave")
    await again.wait("the question", is("introduction-received", { introduced: "dave" }), 60_000)
    await dave.wait("the question", is("introduction-received", { introduced: "bob" }), 60_000)
    expect(await ask(again, "/deny @dave")).toMatchObject({ ok: true })
    expect(await ask(dave, "/accept @bob")).toMatchObject({ ok: true })
    await again.wait("dave has come, and goes", is("peer-refused", { code: "not-a-friend" }), 60_000)
    expect(named(await ask(again, "/requests"), "requests", "dave")).toBeUndefined()
    expect(named(await ask(dave, "/friends"), "friends", "bob")).toBeUndefined()
    for (const node of [alice, again, carol, dave]) expect(await node.stop()).toBe(0)
  })
})
