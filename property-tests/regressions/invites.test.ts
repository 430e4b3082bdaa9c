/**
 * 12: an invite is worth what its operator said, for as long as it says, and not one use more.
 * The former plugin let an invite be claimed again after it was revoked, and every invite carried `inject`.
 * The class is tested, not the line: whatever ends an invite ends it, and nothing but a flag gives more than `message`.
 */
import { Redacted } from "effect"
import { describe, expect, it } from "vitest"
import { Capability, Limits, State } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as InviteCommands from "../../plugin/InviteCommands.ts"
import { holds, Member, Party, rotated } from "../arbitraries/party.ts"
import { noonMs, person } from "../arbitraries/state.ts"

const people = { alice: person("alice"), bob: person("bob"), carol: person("carol") }
const cast = () => ({
  party: new Party(),
  alice: new Member(people.alice),
  bob: new Member(people.bob),
  carol: new Member(people.carol)
})

describe("12 · invites", () => {
  it("cannot be claimed again after revocation, also half used, also by who was sent away", () => {
    const { alice, bob, carol, party } = cast()
    const { id, link } = party.invite(alice, { uses: 3 })
    expect(party.claim(bob, alice, link)).toBe("")
    party.command(alice, { _tag: "RevokeInvite", id })
    expect(party.claim(carol, alice, link)).toBe("invite-refused")
    party.command(alice, { _tag: "Unfriend", name: "bob", keyPrefix: "" })
    party.close(party.meet(bob, alice))
    expect(party.claim(bob, alice, link)).toBe("invite-refused")
    expect([holds(alice, bob), holds(alice, carol)]).toEqual([undefined, undefined])
  })
  it("carry `message` unless `inject` was said, whatever else is said", () => {
    for (const wishes of [{}, { uses: 5 }, { lastsMs: 60_000 }, { named: people.bob.self.identityKey }]) {
      const { alice, bob, party } = cast()
      expect(party.claim(bob, alice, party.invite(alice, wishes).link)).toBe("")
      expect(holds(alice, bob)).toEqual(["message"])
    }
    const here = { channel: undefined }
    for (const [typed, inject] of [
      ["", undefined],
      ["message", false],
      ["inject", true],
      ["uses 3 inject expires 2h", true]
    ] as const) {
      const parsed = InviteCommands.invite.parse(typed, here)
      expect(parsed.kind === "command" && parsed.command._tag === "CreateInvite" && parsed.command.inject).toBe(
        inject ?? undefined
      )
    }
    expect(Capability.all).toEqual(["message", "inject"])
  })
  it("have one use and a week unless their operator says otherwise, and never without bound", () => {
    const { alice, party } = cast()
    party.invite(alice)
    const invite = Table.values(alice.state.durable.invites)[0]
    expect(invite).toMatchObject({ usesMax: 1, expiresAtMs: noonMs + 7 * 86_400_000, capabilities: ["message"] })
    for (const wishes of [
      { uses: 0 },
      { uses: 101 },
      { uses: 1.5 },
      { uses: Number.NaN },
      { lastsMs: 0 },
      { lastsMs: Limits.inviteAgeMaxMs + 1 },
      { lastsMs: Number.NaN }
    ]) {
      expect(party.command(alice, { _tag: "CreateInvite", ...wishes })).toMatchObject({
        ok: false,
        rejection: { code: "invite-invalid" }
      })
    }
    expect(party.command(alice, { _tag: "CreateInvite", named: "A".repeat(42) })).toMatchObject({ ok: false })
    for (let index = 1; index < Limits.invitesMax; index++) party.invite(alice)
    expect(party.command(alice, { _tag: "CreateInvite" })).toMatchObject({
      ok: false,
      rejection: { code: "invites-full" }
    })
  })
  it("what is typed is understood as it is meant, or not at all", () => {
    const here = { channel: undefined }
    for (const wrong of [
      "inject message",
      "for bob",
      "uses",
      "uses x",
      "uses 0",
      "expires 7",
      "expires 7w",
      "expires -1d",
      "all",
      "uses 1 uses 2"
    ]) {
      expect(InviteCommands.invite.parse(wrong, here).kind, wrong).toBe("mistake")
    }
    expect(InviteCommands.claim.parse("", here).kind).toBe("mistake")
    expect(InviteCommands.claim.parse("two words", here).kind).toBe("mistake")
    expect(InviteCommands.uninvite.parse("x", here).kind).toBe("mistake")
    expect(JSON.stringify(InviteCommands.claim.parse("wop3://secret", here))).not.toContain("secret")
  })
})

describe("12 · invites and the keys they name", () => {
  for (const [reason, expected] of [
    ["scheduled", ""],
    ["compromise", "invite-refused"]
  ] as const) {
    it(`a ${reason} rotation ${expected === "" ? "keeps" : "voids"} them`, () => {
      const { alice, bob, party } = cast()
      const { link } = party.invite(alice)
      const next = rotated(people.alice, reason)
      const later = new Member(next)
      later.commits.push(...alice.commits)
      party.take(alice, { _tag: "Started" })
      later.commits.push(...alice.commits.slice(later.commits.length))
      party.revive(later)
      const key = people.alice.self.identityKey
      expect(later.state.passing.announced.has(key)).toBe(reason === "scheduled")
      expect(party.claim(bob, later, link)).toBe(expected)
      expect(holds(bob, later)).toEqual(expected === "" ? ["message"] : undefined)
      if (expected !== "") return
      // The key in the link is left for ever: whoever still has it is not whom bob befriended.
      expect(Table.values(bob.state.durable.roster.friends)[0]?.earlier).toEqual([{ key, settled: false }])
      expect(State.isOwnKey(later.state.self, key)).toBe(true)
    })
  }
  it("an issuer that answers under a key that does not follow from the link's is nobody's friend", () => {
    const { alice, bob, carol, party } = cast()
    const { link } = party.invite(alice)
    party.command(bob, { _tag: "ClaimInvite", link: Redacted.make(link) })
    party.close(party.meet(bob, carol))
    expect(holds(bob, carol)).toBeUndefined()
    expect(Table.size(bob.state.durable.errands)).toBe(1)
  })
})
