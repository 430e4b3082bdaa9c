/**
 * Laws of invites: what the link is, that only its secret or its key redeems it, that it gives what it says and no more,
 * and that who guesses learns nothing, neither from words nor from time.
 * The nodes are whole ones on whole records; a claim is forged here only where the law is about forging.
 */
import { HashMap, Redacted, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Invite from "../../core/friend/Invite.ts"
import { Base64url, Describe, InviteLink, Limits, type Message, Rejection } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { crypto, noonMs, type Person, person } from "../arbitraries/state.ts"

const people = { alice: person("alice"), bob: person("bob"), carol: person("carol"), dave: person("dave") }
const cast = () => ({
  party: new Party(),
  alice: new Member(people.alice),
  bob: new Member(people.bob),
  carol: new Member(people.carol),
  dave: new Member(people.dave)
})
const { alice: issuer } = people

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const link: fc.Arbitrary<InviteLink.InviteLink> = fc.record({
  issuer: fc.constantFrom(...Object.values(people).map(({ self }) => self.identityKey)),
  id: bytesOf(16).map((bytes) => Buffer.from(bytes).toString("hex")),
  meant: fc.oneof(
    bytesOf(16).map((bytes): InviteLink.Meant => ({ kind: "holder", secret: Redacted.make(bytes) })),
    fc
      .constantFrom(...Object.values(people).map(({ self }) => self.identityKey))
      .map((key): InviteLink.Meant => ({ kind: "named", key }))
  ),
  expiresAtMs: fc.nat(Number.MAX_SAFE_INTEGER)
})
const printed = (one: InviteLink.InviteLink) => Redacted.value(InviteLink.print(crypto, one))
const codeOf = (text: string) => {
  const read = InviteLink.parse(crypto, text)
  return Result.isFailure(read) ? read.failure.code : ""
}

describe("an invite link", () => {
  it("is read as it was printed, with white space around it, and prints no secret by itself", () => {
    fc.assert(
      fc.property(link, (one) => {
        const text = printed(one)
        expect(text).toMatch(/^wop3:\/\/[A-Za-z0-9_-]+$/)
        expect(text.length).toBeLessThanOrEqual(Limits.inviteLinkCharactersMax)
        const read = Result.getOrThrow(InviteLink.parse(crypto, ` ${text}\r\n`))
        expect(printed(read)).toBe(text)
        if (one.meant.kind !== "holder") return
        expect(JSON.stringify(read)).not.toContain(Base64url.encode(Redacted.value(one.meant.secret)))
      })
    )
  })
  it("cut anywhere, with a character more, less or other, is none", () => {
    fc.assert(
      fc.property(link, fc.nat(), fc.constantFrom(..."AZaz09-_=+ /|"), (one, at, character) => {
        const text = printed(one)
        const index = at % text.length
        const others = [
          text.slice(0, index),
          text.slice(0, index) + text.slice(index + 1),
          `${text.slice(0, index)}${character}${text.slice(index)}`,
          `${text.slice(0, index)}${character}${text.slice(index + 1)}`
        ]
        for (const other of others.filter((one) => one.trim() !== text)) {
          expect(["invite-malformed", "invite-newer"], other).toContain(codeOf(other))
        }
      })
    )
  })
  it("is bounded, and anything at all is a value with a code", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => codeOf(text) !== ""))
    fc.assert(fc.property(fc.string(), (text) => codeOf(`wop3://${text}`) !== ""))
    expect(codeOf(`wop3://${"A".repeat(10_000_000)}`)).toBe("invite-malformed")
  })
  it("of the former plugin is recognised and explained; one of a later version too", () => {
    expect(codeOf("wop1://eyJ2IjoxfQ")).toBe("invite-legacy")
    // As they were made: keys in base64 of DER, conversations, rights, a signature; far longer than ours may be.
    const key = (byte: number) => Buffer.alloc(44, byte).toString("base64")
    const promised = {
      v: 1,
      iss: key(1),
      sub: key(2),
      ses: ["p2p-room"],
      cap: ["inject"],
      exp: noonMs,
      nonce: "0".repeat(32)
    }
    const body = JSON.stringify({ ...promised, sig: Buffer.alloc(64, 3).toString("base64") })
    for (const text of ["wop1://", "\n  wop1://", "WOP1://"]) {
      expect(codeOf(`${text}${Buffer.from(body).toString("base64url")}`)).toBe("invite-legacy")
    }
    expect(Rejection.sentence(Rejection.make("invite-legacy"))).toMatch(/former plugin.*wop3:\/\//)
    expect(codeOf(`wop3://${Base64url.encode(new Uint8Array([2, 0, 1]))}`)).toBe("invite-newer")
  })
})

describe("a claim", () => {
  it("makes two friends who may message each other, and nothing else", () => {
    const { alice, bob, party } = cast()
    const { id, link } = party.invite(alice)
    expect(party.claim(bob, alice, link)).toBe("")
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([["message"], ["message"]])
    expect(alice.told.map((told) => told._tag)).toContain("InviteRedeemed")
    const view = Describe.describe(crypto, alice.state, party.nowMs)
    expect(view.invites).toMatchObject([{ id, state: "Used", uses: 1, usesMax: 1, redeemedBy: ["bob"] }])
    expect(view.friends).toMatchObject([{ name: "bob", channel: "(invite)", evidence: "unproven" }])
    const of = (member: Member) => Table.values(member.state.durable.roster.friends).map(({ cameOf }) => cameOf)
    expect(of(alice)).toEqual(of(bob))
  })
  it("gives inject only where the operator said so", () => {
    const { alice, bob, party } = cast()
    expect(party.claim(bob, alice, party.invite(alice, { inject: true }).link)).toBe("")
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([["inject", "message"], ["message"]])
    expect(Table.values(bob.state.durable.roster.friends)[0]?.allowsUs).toEqual(["inject", "message"])
  })
  it("counts: so many uses and no more, and the same claimer's repeat costs none", () => {
    const { alice, bob, carol, dave, party } = cast()
    const { link } = party.invite(alice, { uses: 2 })
    expect(party.claim(bob, alice, link)).toBe("")
    expect(party.claim(bob, alice, link)).toBe("")
    expect(party.claim(carol, alice, link)).toBe("")
    expect(party.claim(dave, alice, link)).toBe("invite-refused")
    expect(party.claim(bob, alice, link)).toBe("")
    expect(holds(alice, dave)).toBeUndefined()
    expect(holds(dave, alice)).toBeUndefined()
  })
  it("for a named key is that key's holder's alone", () => {
    const { alice, bob, carol, party } = cast()
    const { link } = party.invite(alice, { named: people.bob.self.identityKey, uses: 9 })
    expect(party.claim(carol, alice, link)).toBe("invite-for-another")
    // Carol's program may be another one.
    const read = Result.getOrThrow(InviteLink.parse(crypto, link))
    const puppet = new Member(people.carol, true)
    const connection = party.meet(puppet, alice)
    const hash = Base64url.encode(crypto.sha256(new TextEncoder().encode(`handshake of ${connection}`)))
    const proof = Base64url.encode(Invite.proof(crypto, Invite.proofKey(crypto, read), hash, "claim"))
    party.say(puppet, connection, { kind: "Claim", id: read.id, proof, name: "bob" })
    party.wait(2_000, alice)
    expect(holds(alice, carol)).toBeUndefined()
    expect(party.claim(bob, alice, link)).toBe("")
    expect(Describe.describe(crypto, alice.state, party.nowMs).invites[0]).toMatchObject({ state: "Used", usesMax: 1 })
  })
  it("of what is over says what can be known here, before anybody is dialled", () => {
    const { alice, bob, party } = cast()
    const { link } = party.invite(alice, { lastsMs: 60_000 })
    expect(party.claim(alice, alice, link)).toBe("own-invite")
    party.command(bob, { _tag: "ClaimInvite", link: Redacted.make(link) })
    expect(party.claim(bob, alice, link)).toBe("invite-claiming")
    party.wait(60_000 + Limits.freshnessMs, bob)
    expect(bob.told.at(-1)).toMatchObject({ _tag: "ErrandRefused", rejection: { code: "errand-expired" } })
    expect(party.claim(bob, alice, link)).toBe("invite-over")
  })
})

describe("no oracle", () => {
  /** What a claimer hears, and when, for every way to be wrong. */
  const heard = (wrong: string) => {
    const { alice, bob, carol, party } = cast()
    const uses = wrong === "used" ? 1 : 5
    const lastsMs = wrong === "expired" ? 1_000 : Limits.inviteAgeMs
    const named = wrong === "named for another" ? { named: people.carol.self.identityKey } : {}
    const { id, link } = party.invite(alice, { uses, lastsMs, ...named })
    // One that stays open, so that nothing else tells whether there is any.
    party.invite(alice)
    if (wrong === "used") expect(party.claim(carol, alice, link)).toBe("")
    if (wrong === "revoked") party.command(alice, { _tag: "RevokeInvite", id })
    if (wrong === "sent away") {
      expect(party.claim(bob, alice, link)).toBe("")
      party.command(alice, { _tag: "Unfriend", name: "bob", keyPrefix: "" })
      const farewell = party.meet(bob, alice)
      party.close(farewell)
    }
    party.wait(wrong === "expired" ? 1_000 : 5_000, alice, bob)
    const read = Result.getOrThrow(InviteLink.parse(crypto, link))
    const puppet = new Member(people.bob, true)
    const connection = party.meet(puppet, alice)
    const hash = Base64url.encode(crypto.sha256(new TextEncoder().encode(`handshake of ${connection}`)))
    const right = Invite.proof(crypto, Invite.proofKey(crypto, read), hash, "claim")
    const proof = Base64url.encode(wrong === "wrong secret" ? crypto.sha256(right) : right)
    const answers: Array<readonly [number, Message.Message]> = []
    const saidAtMs = party.nowMs
    party.overhear = ({ from, message }) => {
      if (from === alice) answers.push([party.nowMs - saidAtMs, { ...message, ...("id" in message ? { id: "" } : {}) }])
    }
    const name = wrong === "no name" ? "no name at all" : "bob"
    party.say(puppet, connection, { kind: "Claim", id: wrong === "wrong id" ? "0".repeat(32) : id, proof, name })
    for (let waited = 0; waited < 2_000; waited += 10) party.wait(10, alice)
    return answers
  }
  it("every wrong claim hears one and the same refusal, after one and the same time", () => {
    const ways = ["used", "expired", "revoked", "named for another", "sent away", "wrong secret", "wrong id", "no name"]
    for (const way of ways) {
      expect(heard(way), way).toEqual([
        [Limits.claimRefusalMs, { kind: "ClaimAnswer", id: "", outcome: "refused", code: "invite-refused" }]
      ])
    }
    // The same, asked with nothing wrong about it: the harness can tell.
    expect(heard("nothing")[0]?.[0]).toBe(0)
  })
  it("an answer of somebody who does not know the secret makes no friend, nor does one that nobody asked for", () => {
    for (const forged of ["A".repeat(43), undefined]) {
      const { alice, bob, carol, party } = cast()
      const { id, link } = party.invite(alice)
      party.command(bob, { _tag: "ClaimInvite", link: Redacted.make(link) })
      const puppet = new Member(people.alice, true)
      const connection = party.meet(bob, puppet)
      const answer = { kind: "ClaimAnswer", id, outcome: "redeemed", name: "alice", of: "A".repeat(86) } as const
      party.say(puppet, connection, { ...answer, ...(forged === undefined ? {} : { proof: forged }) })
      expect(holds(bob, alice)).toBeUndefined()
      party.invite(carol)
      const unasked = party.meet(puppet, carol)
      party.say(puppet, unasked, { ...answer, proof: "A".repeat(43) })
      expect(holds(carol, alice)).toBeUndefined()
    }
  })
})

describe("the secret of an invite", () => {
  it("is in the reply and the claimer's records, and in no event, description, state or line", () => {
    const { alice, bob, party } = cast()
    const { link } = party.invite(alice)
    const read = Result.getOrThrow(InviteLink.parse(crypto, link))
    const secret = read.meant.kind === "holder" ? Base64url.encode(Redacted.value(read.meant.secret)) : ""
    const derived = Redacted.value(Invite.proofKey(crypto, read))
    party.command(bob, { _tag: "ClaimInvite", link: Redacted.make(link) })
    // The issuer keeps what checks a claim, and could not show the link again if it wanted to.
    expect(alice.records).toContain(derived)
    for (const one of [secret, link, link.slice(20)]) expect(alice.records + bob.records).not.toContain(one)
    const said: Array<string> = []
    party.overhear = ({ message }) => said.push(JSON.stringify(message))
    party.close(party.meet(bob, alice))
    const shown = [
      ...said,
      ...[alice, bob].flatMap((member) => {
        const { invites, errands } = member.state.durable
        return [
          JSON.stringify(member.told),
          JSON.stringify(member.told.map(Present.eventJson)),
          JSON.stringify(Describe.describe(crypto, member.state, noonMs)),
          JSON.stringify([Table.values(invites), Table.values(errands)]),
          String(Redacted.make(link))
        ]
      }),
      JSON.stringify(alice.replies)
    ].join("\n")
    for (const one of [secret, derived, link]) expect(shown).not.toContain(one)
  })
})

describe("claims", () => {
  it("are five a minute of one identity and sixty of all; over it nobody is told more, and honest ones wait", () => {
    const { alice, bob, party } = cast()
    const { link } = party.invite(alice)
    const codes = (by: Person, count: number) => {
      const from = new Member(by, true)
      const connection = party.meet(from, alice)
      const answers: Array<string> = []
      party.overhear = ({ message }) => {
        if (message.kind === "ClaimAnswer") answers.push(message.code ?? "redeemed")
      }
      for (let index = 0; index < count; index++) {
        party.say(from, connection, { kind: "Claim", id: "1".repeat(32), proof: "A".repeat(43), name: "x" })
      }
      party.wait(Limits.claimRefusalMs, alice)
      party.close(connection)
      return answers
    }
    const refused = codes(people.bob, 8)
    expect(refused).toEqual([...Array(5).fill("invite-refused"), ...Array(3).fill("rate-limited")])
    for (let index = 0; index < 11; index++) expect(codes(person("x"), 5)).toHaveLength(5)
    expect(codes(person("y"), 9).at(-1)).toBe("rate-limited")
    // What the flood has left behind is bounded by what all may claim.
    expect(Object.keys(alice.state.passing.claims.identities).length).toBeLessThanOrEqual(Limits.claimsTotalPerMinute)
    expect(alice.state.passing.later).toEqual([])
    party.wait(60_000, alice, bob)
    expect(party.claim(bob, alice, link)).toBe("")
  })
})

describe("a flood of strangers", () => {
  it("fills no more than its places, leaves each newcomer the time of an opening, and does not keep an honest claimer out", () => {
    const { alice, bob, party } = cast()
    const { link } = party.invite(alice)
    const strangers = Array.from({ length: 200 }, (_, index) => person(`s${index}`))
    let most = 0
    for (const stranger of strangers) {
      party.meet(new Member(stranger, true), alice)
      // As fast as links of strangers may begin.
      party.wait(60_000 / Limits.strangerOpeningsPerMinute, alice)
      most = Math.max(most, HashMap.size(alice.state.passing.guests))
    }
    expect(most).toBeLessThanOrEqual(Limits.guestsMax + 1)
    const stays = Table.size(alice.state.durable.roster.friends)
    expect(stays).toBe(0)
    expect(alice.state.durable.invites.touched).toBeUndefined()
    expect(party.claim(bob, alice, link)).toBe("")
    party.wait(Limits.guestMs, alice)
    expect(HashMap.size(alice.state.passing.guests)).toBe(0)
  })
})

describe("a name and the machine of an invite", () => {
  it("nothing leads back to open, and what is over stays over", () => {
    for (const [from, row] of Object.entries(Invite.transitions)) {
      for (const to of Object.values(row)) expect(to === "Open" && from !== "Open").toBe(false)
    }
    expect(Invite.diagram()).toContain("Open --> Used: redeemLast")
    expect(issuer.self.name).toBe("alice")
  })
})
