/**
 * Two people make sure of each other at the prompts of two real programs, over Hyperswarm on loopback, and a third comes.
 * It drives the shipped program from outside and reads what it prints; what is typed is what people type.
 * The strings are compared here as people would: by what either screen shows.
 */
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import * as Commands from "../../plugin/Commands.ts"
import * as Qr from "../../plugin/Qr.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { loopback } from "./loopback.ts"

const { bootstrap, folder } = loopback("verify")

const start = (name: string, place = name) => {
  const own = ["--name", name, "--data", join(folder, place), "--room", join(folder, "room.txt"), "--sandbox", "off"]
  return Child.start([...own, ...bootstrap])
}

const is =
  (event: string, more: Readonly<Record<string, unknown>> = {}) =>
  (told: Child.Told) =>
    told.event === event && Object.entries(more).every(([key, value]) => told[key] === value)

/** Types a line and gives what the program answers to it now. */
const ask = (node: Child.Child, line: string) => {
  const after = node.told.length
  node.type(line)
  return node.wait(`an answer to ${line}`, is("reply", { line }), 20_000, after)
}

const linesOf = (told: Child.Told): string => (told["lines"] as ReadonlyArray<string>).join("\n")

interface Friend {
  readonly name: string
  readonly trust: string
  readonly fingerprint: { readonly words: string; readonly qr: string }
}
const friendsOf = (told: Child.Told): ReadonlyArray<Friend> => told["friends"] as ReadonlyArray<Friend>
const peersOf = (told: Child.Told): ReadonlyArray<Friend> => told["peers"] as ReadonlyArray<Friend>

describe("two people at two prompts", () => {
  it("see the same words and the same string, say so, are verified, and hear of a key that nobody vouches for", {
    timeout: 90_000
  }, async () => {
    const [alice, bob] = [start("alice"), start("bob")]
    await bob.wait("bob is up", is("started"))
    await alice.wait("alice is up", is("started"))
    alice.type("/friend @bob")
    await bob.wait("bob is asked", is("request-received"))
    expect(linesOf(await ask(bob, "/requests"))).toContain("unverified")
    bob.type("/accept @alice")
    await alice.wait("friends", is("friendship"))
    alice.type("/message @bob hello")
    await alice.wait("an open session", is("delivered", { name: "bob" }))

    // What there is to compare is the same on both sides, in words, as a number and as a code.
    const [here, there] = [await ask(alice, "/verify @bob"), await ask(bob, "/verify @alice")]
    const { fingerprint, trust } = peersOf(here)[0]!
    expect(trust).toBe("unverified")
    expect(peersOf(there)[0]!.fingerprint).toEqual(fingerprint)
    for (const shown of [linesOf(here), linesOf(there)]) {
      expect(shown).toContain(fingerprint.words)
      for (const row of Qr.draw(fingerprint.qr)) expect(shown).toContain(row)
    }

    // Until then nobody is verified, and only verified friends may ask.
    expect(await ask(alice, "/grant @bob inject")).toMatchObject({ ok: true })
    expect(await ask(alice, "/require verified for inject")).toMatchObject({ ok: true })
    expect(linesOf(await ask(alice, "/require list"))).toBe("inject: from verified friends only")
    bob.type("/inject @alice who are you?")
    await bob.wait("the refusal", is("refused", { code: "not-verified" }))

    expect(await ask(alice, "/verify @bob sas yes")).toMatchObject({ ok: false, code: "sas-unknown" })
    expect(await ask(alice, "/verify @bob sas")).toMatchObject({ ok: true })
    await bob.wait("bob is told", is("sas-offered", { name: "alice" }))
    expect(linesOf(await ask(bob, "/verify @alice"))).toContain("/verify @alice sas")
    expect(await ask(bob, "/verify @alice sas")).toMatchObject({ ok: true })
    const strings = await Promise.all([
      alice.wait("alice's string", is("sas-shown")),
      bob.wait("bob's string", is("sas-shown"))
    ])
    expect(strings[0]!["words"]).toMatch(/^[a-z]{5} [a-z]{5}$/)
    expect([strings[0]!["words"], strings[0]!["number"]]).toEqual([strings[1]!["words"], strings[1]!["number"]])
    expect(await ask(alice, "/verify @bob sas yes")).toMatchObject({ ok: true })
    await bob.wait("bob hears that alice agrees", is("sas-awaited"))
    expect(friendsOf(await ask(alice, "/friends"))[0]!.trust).toBe("unverified")
    expect(await ask(bob, "/verify @alice sas yes")).toMatchObject({ ok: true })
    for (const node of [alice, bob]) {
      await node.wait("the end", is("sas-ended", { code: null }))
      await node.wait("verified", is("trust-changed", { to: "verified", why: "matches" }))
    }
    expect(linesOf(await ask(alice, "/friends"))).toContain("; verified (")
    expect(linesOf(await ask(bob, "/status"))).toContain("1 of 1 friend verified")
    bob.type("/inject @alice and now?")
    await bob.wait("asked, where no sandbox runs", is("refused", { code: "sandbox-unavailable" }))

    // Somebody else takes the name, in a room that cannot tell.
    const mallory = start("bob", "mallory")
    await mallory.wait("somebody is up", is("started"))
    mallory.type("/friend @alice")
    await alice.wait("the alarm", is("alarm", { code: "key-change" }))
    await alice.wait("changed", is("trust-changed", { from: "verified", to: "changed", why: "doubts" }))
    expect(linesOf(await ask(alice, "/friends"))).toContain("; changed (")
    expect(linesOf(await ask(alice, "/status"))).toContain("compare again with @bob")
    expect(friendsOf(await ask(bob, "/friends"))[0]!.trust).toBe("verified")
    // The friend is called, the key we hold is right: that settles it.
    expect(await ask(alice, "/verify @bob yes")).toMatchObject({ ok: true })
    await alice.wait("settled", is("alarm-ended", { by: "operator" }))
    expect(friendsOf(await ask(alice, "/friends"))[0]!.trust).toBe("verified")
    expect(await ask(alice, "/unverify @bob")).toMatchObject({ ok: true })
    expect(friendsOf(await ask(alice, "/friends"))[0]!.trust).toBe("revoked")
    for (const node of [alice, bob, mallory]) expect(await node.stop()).toBe(0)
  })

  it("what is typed is understood as it is meant, or not at all", () => {
    const parse = (line: string) => Commands.parse(line, { channel: undefined })
    const bob = { name: "bob", keyPrefix: "" }
    const command = (one: object) => ({ kind: "command", command: one })
    expect(parse("/verify @bob")).toEqual({ kind: "question", question: "verify", name: "bob" })
    expect(parse("/verify @bob yes")).toEqual(command({ _tag: "Verify", ...bob, same: true }))
    expect(parse("/verify bob matches")).toEqual(command({ _tag: "Verify", ...bob, same: true }))
    expect(parse("/verify @bob no")).toEqual(command({ _tag: "Verify", ...bob, same: false }))
    expect(parse("/verify @bob#ab sas")).toEqual(command({ _tag: "Compare", name: "bob", keyPrefix: "ab" }))
    expect(parse("/verify @bob  SAS  yes")).toEqual(command({ _tag: "Compared", ...bob, same: true }))
    expect(parse("/verify @bob sas no")).toEqual(command({ _tag: "Compared", ...bob, same: false }))
    expect(parse("/unverify @bob")).toEqual(command({ _tag: "Unverify", ...bob }))
    expect(parse("/require")).toEqual({ kind: "question", question: "demands", name: "" })
    expect(parse("/require verified for message")).toEqual(
      command({ _tag: "Require", capability: "message", trust: "verified" })
    )
    expect(parse("/require nothing for inject")).toEqual(
      command({ _tag: "Require", capability: "inject", trust: "nothing" })
    )
    expect(parse("/hold @bob unverified")).toEqual(command({ _tag: "Hold", ...bob, when: "unverified" }))
    for (const typo of [
      "/verify",
      "/verify @bob maybe",
      "/verify @bob yes no",
      "/verify @bob sas maybe",
      "/unverify",
      "/unverify @bob now",
      "/require verified",
      "/require verified for everything",
      "/require friends for inject",
      "/require verified for inject now"
    ])
      expect(parse(typo).kind, typo).toBe("mistake")
  })

  it("a code holds what it was drawn of: its lines are of one width, two modules high, with corners and a border", () => {
    const lines = Qr.draw("wop3-fingerprint:a:b")
    expect(new Set(lines.map((line) => line.length)).size).toBe(1)
    expect(lines.join("")).toMatch(/^[ █▀▄]+$/)
    expect(lines.length).toBe(Math.ceil(lines[0]!.length / 2))
    expect(lines[1]!.startsWith("██ ▄▄▄▄▄ █")).toBe(true)
    expect(Qr.draw("another")).not.toEqual(lines)
  })
})
