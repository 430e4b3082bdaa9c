/**
 * Invites as people use them: real programs, a DHT of their own on loopback, a link copied from one prompt to another.
 * It drives the shipped program from outside and reads what it prints; no chat room connects these nodes.
 * What only whole programs show: the link is printed once, and a claimer finds an issuer it has never met by its key.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { loopback } from "./loopback.ts"

const { bootstrap, folder } = loopback("invites")

const start = (name: string) =>
  Child.start(["--name", name, "--data", join(folder, name), "--sandbox", "off", ...bootstrap])

const is =
  (event: string, more: Readonly<Record<string, unknown>> = {}) =>
  (told: Child.Told) =>
    told.event === event && Object.entries(more).every(([key, value]) => told[key] === value)

/** Everything a node has on its disk, as text. */
const disk = (name: string): string =>
  readdirSync(join(folder, name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n")

type Node = ReturnType<typeof start>
const invite = async (node: Node, line: string) => {
  const from = node.told.length
  node.type(line)
  const reply = await node.wait("an invite", is("reply", { line, ok: true }), 10_000, from)
  return { id: String(reply["id"]), link: String(reply["link"]) }
}
const claim = (node: Node, link: string, what: string, found: (told: Child.Told) => boolean) => {
  const from = node.told.length
  node.type(`/claim ${link}`)
  return node.wait(what, found, 30_000, from)
}

describe("12 · invites between programs", () => {
  it("made in one, claimed in another: both may talk; a third claimer and a revoked link are refused", {
    timeout: 120_000
  }, async () => {
    const [alice, bob, carol] = [start("alice"), start("bob"), start("carol")]
    for (const node of [alice, bob, carol]) await node.wait("it is up", is("started"), 30_000)
    const first = await invite(alice, "/invite")
    expect(first.link).toMatch(/^wop3:\/\/[A-Za-z0-9_-]{104}$/)

    const friend = await claim(bob, first.link, "the invite redeemed", is("errand-answered"))
    expect(friend).toMatchObject({ id: first.id, kind: "claim" })
    await alice.wait("alice hears of it", is("invite-redeemed", { name: "bob", id: first.id, usesLeft: 0 }))
    for (const [from, to] of [
      [alice, "bob"],
      [bob, "alice"]
    ] as const) {
      from.type(`/message @${to} hello @${to}`)
      await from.wait("it arrives", is("delivered", { name: to }), 30_000)
    }

    // The same link in a third hand, a link that was taken back, and one for another key.
    const refused = await claim(carol, first.link, "the refusal", is("errand-refused", { id: first.id }))
    expect(refused).toMatchObject({ code: "invite-refused" })
    expect(String(refused["why"])).toContain("used, expired or revoked")
    const second = await invite(alice, "/invite inject uses 5 expires 1h")
    alice.type(`/uninvite ${second.id.slice(0, 8)}`)
    await alice.wait("taken back", is("reply", { line: `/uninvite ${second.id.slice(0, 8)}`, ok: true }))
    const revoked = await claim(carol, second.link, "the refusal", is("errand-refused", { id: second.id }))
    expect(revoked).toMatchObject({ code: "invite-refused" })
    const bobKey = String(bob.told.find(is("started"))?.["identityKey"])
    const named = await invite(alice, `/invite for ${bobKey}`)
    const another = await claim(carol, named.link, "the refusal", is("reply", { line: "/claim", ok: false }))
    expect(another).toMatchObject({ code: "invite-for-another" })
    const legacy = await claim(carol, "wop1://abcdef", "an explanation", is("reply", { line: "/claim", ok: false }))
    expect(legacy).toMatchObject({ code: "invite-legacy" })

    alice.type("/invites")
    const listed = await alice.wait("the list", is("reply", { line: "/invites" }))
    const lines = String(listed["lines"])
    expect(lines).toContain("used 1 of 1 by @bob")
    expect(lines).toContain("revoked")
    // A link was printed once, to whoever made it, and is on no disk and in nobody else's words.
    const everything = [alice, bob, carol].map((node) => JSON.stringify(node.told))
    for (const { link } of [first, second, named]) {
      expect(everything.join("").split(link)).toHaveLength(2)
      for (const name of ["alice", "bob", "carol"]) expect(disk(name)).not.toContain(link.slice(-40))
    }
    for (const node of [alice, bob, carol]) expect(await node.stop()).toBe(0)
  })
})
