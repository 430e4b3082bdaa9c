/**
 * What reviewers did with introductions: one key that asked without end, a friend whose record an introducer's word changed,
 * a rule that let in who was turned down, and a stranger under the name that the operator had given a friend.
 * Whole nodes meet by hand; what no node of ours would say is said by a puppet. A test here fails on the code attacked.
 */
import { describe, expect, it } from "vitest"
import { Base64url, Describe, type Event, type Input, type Output, Topic } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { holds, Member, Party, rotated } from "../arbitraries/party.ts"
import { crypto, type Person, person, signedLine } from "../arbitraries/state.ts"

const chess: Topic.Topic = { name: "chess", secret: null }
const hashOfChess = Base64url.encode(Topic.rendezvous(crypto.sha256, chess))
const named = (name: string, keyPrefix = "") => ({ name, keyPrefix })
const codeOf = (reply: Output.Reply | undefined): string =>
  reply === undefined ? "no reply" : reply.ok ? "" : reply.rejection.code
const openOf = (member: Member) => Table.values(member.state.durable.introductions)
const asking = (member: Member) => Table.values(member.state.durable.roster.askedBy)
const told = <T extends Event.Event["_tag"]>(member: Member, tag: T) =>
  member.told.filter((one): one is Extract<Event.Event, { _tag: T }> => one._tag === tag)
const friendOf = (member: Member, name: string) =>
  Table.values(member.state.durable.roster.friends).find((one) => one.name === name)

/** Alice and carol are friends; bob is somebody who has his keys. */
const cast = (bobs: Person = person("bob")) => {
  const party = new Party()
  const [alice, bob, carol] = [person("alice"), bobs, person("carol")].map((one) => new Member(one)) as [
    Member,
    Member,
    Member
  ]
  for (const member of [alice, bob, carol]) party.revive(member)
  expect(party.claim(alice, carol, party.invite(carol).link)).toBe("")
  const says = (command: Input.Command) => codeOf(party.command(alice, command))
  let numbers = 0
  const puppet = new Member(carol.person, true)
  /** Carol's word for a key, on a session of hers. */
  const introduces = (key: string, name: string) => {
    const connection = party.meet(puppet, alice)
    party.say(puppet, connection, { kind: "Greeting", streams: [], run: "c".repeat(32) })
    const number = ++numbers
    const place = { stream: "d".repeat(32), number, id: String(number).padStart(32, "e") }
    const about = { key, name, yours: alice.person.self.identityKey, expiresAtMs: party.nowMs + 1_000_000 }
    party.say(puppet, connection, { kind: "Introduce", ...place, ...about })
    party.close(connection)
  }
  /** Somebody asks alice, and may name the topic. */
  const asks = (who: Person, id: string, name: string, topic?: string) => {
    const member = new Member(who, true)
    const connection = party.meet(member, alice)
    const about = topic === undefined ? {} : { topic }
    party.say(member, connection, { kind: "ConnectRequest", id: id.padStart(32, "0"), name, ...about })
    party.close(connection)
    party.nowMs += 1_000
  }
  /** Alice is in a topic where a rule lets in whoever asks. */
  const opens = () => {
    expect(says({ _tag: "JoinTopic", topic: chess })).toBe("")
    expect(says({ _tag: "AddRule", rule: { channel: "topic:chess", unproven: true } })).toBe("")
  }
  return { party, alice, bob, carol, says, introduces, asks, opens }
}

describe("an introduced key", () => {
  it("asks once, whatever histories lead on from it, and the question can be answered by its name", () => {
    for (const answer of ["Accept", "Deny"] as const) {
      const { alice, asks, bob, introduces, party, says } = cast()
      introduces(bob.person.self.identityKey, "bob")
      const forks = Array.from({ length: 6 }, (_, index) => rotated(bob.person, "scheduled", party.nowMs + 1 + index))
      for (const [index, fork] of forks.entries()) asks(fork, String(index), "bob")
      expect(asking(alice)).toHaveLength(1)
      expect(told(alice, "ConnectAsked")).toHaveLength(1)
      // By the key that asks, which is not the one that was introduced: one answer is for both.
      const prefix = asking(alice)[0]!.identityKey.slice(0, 8)
      expect(says({ _tag: answer, ...named("bob", answer === "Deny" ? prefix : "") })).toBe("")
      for (const [index, fork] of forks.entries()) asks(fork, `a${index}`, "bob")
      expect(told(alice, "ConnectAsked")).toHaveLength(1)
      expect(Describe.describe(crypto, alice.state, party.nowMs).requests).toEqual([])
      expect(openOf(alice).map(({ state }) => state)).toEqual(answer === "Accept" ? [] : ["Denied"])
    }
  })

  it("is meant by an accept without a name, if nobody else waits for an answer", () => {
    const { alice, bob, introduces, says } = cast()
    expect(says({ _tag: "Accept", ...named("") })).toBe("unknown-peer")
    introduces(bob.person.self.identityKey, "bob")
    introduces(person("dave").self.identityKey, "dave")
    expect(says({ _tag: "Accept", ...named("") })).toBe("ambiguous-name")
    expect(says({ _tag: "Deny", ...named("dave") })).toBe("")
    expect(says({ _tag: "Accept", ...named("") })).toBe("")
    expect(openOf(alice).find(({ name }) => name === "bob")?.state).toBe("Accepted")
  })

  it("that is rotated while it waits is the same question, also under another id", () => {
    const { alice, asks, bob, introduces, party, says } = cast()
    introduces(bob.person.self.identityKey, "bob")
    asks(bob.person, "1", "bob")
    const next = rotated(bob.person, "scheduled", party.nowMs)
    asks(next, "2", "bob")
    expect(asking(alice)).toMatchObject([{ identityKey: next.self.identityKey }])
    expect(told(alice, "ConnectAsked")).toHaveLength(1)
    expect(says({ _tag: "Accept", ...named("bob") })).toBe("")
    expect(holds(alice, new Member(next))).toEqual(["message"])
  })
})

describe("an introducer's word", () => {
  const old = person("bob")
  /** Alice knows bob by a later key than the one that carol names. */
  const known = () => {
    const all = cast(rotated(old, "scheduled"))
    const { alice, bob, party } = all
    expect(party.claim(bob, alice, party.invite(alice).link)).toBe("")
    const link = party.meet(bob, alice)
    party.command(bob, { _tag: "Grant", ...named("alice"), capability: "inject" })
    party.settle()
    all.says({ _tag: "Verify", ...named("bob"), same: true })
    return { ...all, link }
  }

  it("for a key that a friend has left is no question while the friend is there to show it", () => {
    const { alice, introduces } = known()
    const before = friendOf(alice, "bob")
    introduces(old.self.identityKey, "dora")
    expect(told(alice, "IntroductionReceived")).toMatchObject([{ introduced: "dora", standing: "friend" }])
    expect(openOf(alice)).toEqual([])
    expect(friendOf(alice, "bob")).toEqual(before)
  })

  it("changes no friend that became one by a line while it was looked for", () => {
    for (const says of ["yes", "asks"] as const) {
      const { alice, bob, introduces, party, says: commands } = cast(rotated(old, "scheduled"))
      introduces(old.self.identityKey, "dora")
      expect(commands({ _tag: "Accept", ...named("dora") })).toBe("")
      const [{ errand: id = "" } = {}] = openOf(alice)
      const puppet = new Member(bob.person, true)
      const link = party.meet(puppet, alice)
      const line = signedLine(bob.person, "alice", party.nowMs)
      party.take(alice, { _tag: "Line", channel: "irc:net/#room", author: null, line })
      expect(commands({ _tag: "Accept", ...named("bob") })).toBe("")
      const { cameOf: _, ...before } = friendOf(alice, "bob")!
      if (says === "yes") party.say(puppet, link, { kind: "ConnectResponse", id, outcome: "accepted" })
      else party.say(puppet, link, { kind: "ConnectRequest", id: "1".repeat(32), name: "dora" })
      expect(friendOf(alice, "bob"), says).toMatchObject(before)
      expect(friendOf(alice, "dora"), says).toBeUndefined()
      expect(friendOf(alice, "bob"), says).not.toHaveProperty("introducedBy")
      expect(friendOf(alice, "bob"), says).not.toHaveProperty("earlier")
      // It is the friend's session from now on, which ends what was asked because of the introduction.
      expect(told(alice, "Connected").at(-1), says).toMatchObject({ name: "bob" })
      party.close(link)
      party.close(party.meet(puppet, alice))
      expect(told(alice, "ErrandAnswered").at(-1), says).toMatchObject({ id, kind: "introduced" })
      expect(openOf(alice), says).toEqual([])
    }
  })
})

describe("who was turned down as introduced", () => {
  it("is let in by no rule in a topic: the operator is asked", () => {
    const { alice, asks, bob, introduces, opens, party, says } = cast()
    opens()
    introduces(bob.person.self.identityKey, "bob")
    expect(says({ _tag: "Deny", ...named("bob") })).toBe("")
    asks(bob.person, "1", "bob", hashOfChess)
    const next = rotated(bob.person, "scheduled", party.nowMs)
    asks(next, "2", "bob", hashOfChess)
    expect([holds(alice, bob), holds(alice, new Member(next))]).toEqual([undefined, undefined])
    expect(told(alice, "ConnectAsked").length).toBeGreaterThan(0)
  })

  it("nor by a line in a channel", () => {
    const { alice, bob, introduces, party, says } = cast()
    expect(says({ _tag: "AddRule", rule: { channel: "irc:net/#room", unproven: true } })).toBe("")
    introduces(bob.person.self.identityKey, "bob")
    expect(says({ _tag: "Deny", ...named("bob") })).toBe("")
    const line = signedLine(bob.person, "alice", party.nowMs)
    party.take(alice, { _tag: "Line", channel: "irc:net/#room", author: null, line })
    expect(holds(alice, bob)).toBeUndefined()
    expect(told(alice, "RequestReceived")).toMatchObject([{ name: "bob" }])
  })
})

describe("a name that the operator has given a friend", () => {
  const calls = { _tag: "Name", ...named("carol"), called: "bank" } as const

  it("lets in no stranger of that name by a rule, in a topic or by a line, and the operator sees the rival", () => {
    const { alice, asks, opens, party, says } = cast()
    opens()
    expect(says({ _tag: "AddRule", rule: { channel: "irc:net/#room", unproven: true } })).toBe("")
    expect(says(calls)).toBe("")
    const [one, other] = [person("Bank", person("mallory").keys), person("bank")]
    asks(one, "1", "Bank", hashOfChess)
    const line = signedLine(other, "alice", party.nowMs)
    party.take(alice, { _tag: "Line", channel: "irc:net/#room", author: null, line })
    expect([holds(alice, new Member(one)), holds(alice, new Member(other))]).toEqual([undefined, undefined])
    expect(told(alice, "ConnectAsked")).toMatchObject([{ rivals: 1 }])
    expect(told(alice, "RequestReceived")).toMatchObject([{ rivals: 1 }])
    // Whoever uses a name that only we know says nothing of the friend's key.
    expect(told(alice, "Alarm")).toEqual([])
  })

  it("is one that an introduction of another key is shown to rival", () => {
    const { alice, bob, introduces, says } = cast()
    expect(says(calls)).toBe("")
    introduces(bob.person.self.identityKey, "BANK")
    expect(told(alice, "IntroductionReceived")).toMatchObject([{ standing: "stranger", rivals: 1 }])
  })
})
