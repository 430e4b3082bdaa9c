/**
 * Laws of introductions: a word between friends is a question and nothing more; two yeses and two proven keys make a
 * friendship, and neither the introducer nor anything it says is part of it.
 * The nodes are whole ones on whole records; what a node of ours would not say is said by a puppet with its keys.
 */
import { HashMap } from "effect"
import { describe, expect, it } from "vitest"
import * as Introduction from "../../core/friend/Introduction.ts"
import * as Trust from "../../core/friend/Trust.ts"
import { Describe, type Input, Limits, type Message, type Output, Rejection } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { crypto, type Person, person } from "../arbitraries/state.ts"

const people = {
  alice: person("alice"),
  bob: person("bob"),
  carol: person("carol"),
  dave: person("dave")
}

/** Four nodes of which carol is everybody's friend, and nobody knows of anybody else. */
const cast = () => {
  const party = new Party()
  const [alice, bob, carol, dave] = [people.alice, people.bob, people.carol, people.dave].map(
    (one) => new Member(one)
  ) as [Member, Member, Member, Member]
  for (const member of [alice, bob, carol, dave]) party.revive(member)
  for (const friend of [alice, bob, dave]) expect(party.claim(friend, carol, party.invite(carol).link)).toBe("")
  return { party, alice, bob, carol, dave }
}
type Cast = ReturnType<typeof cast>

const named = (name: string, keyPrefix = "") => ({ name, keyPrefix })
const introduces = (one: string, other: string, note = ""): Input.Command => ({
  _tag: "Introduce",
  one: named(one),
  other: named(other),
  note
})
const accepts = (name: string, keyPrefix = ""): Input.Command => ({ _tag: "Accept", ...named(name, keyPrefix) })
const denies = (name: string): Input.Command => ({ _tag: "Deny", ...named(name) })
const unfriends = (name: string): Input.Command => ({ _tag: "Unfriend", ...named(name) })

/** Carol meets each for as long as it takes to say what waits. */
const round = ({ party, carol }: Cast, ...members: ReadonlyArray<Member>): void => {
  for (const member of members) party.close(party.meet(carol, member))
  party.settle()
}

/** Alice and bob are introduced, and have heard of it. */
const introduced = () => {
  const all = cast()
  expect(all.party.command(all.carol, introduces("alice", "bob", "you both play go"))).toMatchObject({ ok: true })
  round(all, all.alice, all.bob)
  return all
}

const codeOf = (reply: Output.Reply | undefined): string =>
  reply === undefined ? "no reply" : reply.ok ? "" : reply.rejection.code

const view = (member: Member, nowMs: number) => Describe.describe(crypto, member.state, nowMs)
const openOf = (member: Member) => Table.values(member.state.durable.introductions)
const told = (member: Member, tag: string) => member.told.filter(({ _tag }) => _tag === tag)
const recordOf = (member: Member, of: Person) =>
  Table.values(member.state.durable.roster.friends).find(({ identityKey }) => identityKey === of.self.identityKey)

describe("an introduction", () => {
  it("is a question to both operators, with the claimed name, the key and what to compare, and gives nothing", () => {
    const { alice, bob, carol, party } = introduced()
    for (const [member, other] of [
      [alice, bob],
      [bob, alice]
    ] as const) {
      expect(holds(member, other)).toBeUndefined()
      expect(HashMap.size(member.state.durable.errands.entries)).toBe(0)
      const { introductions } = view(member, party.nowMs)
      expect(introductions).toMatchObject([
        {
          name: other.person.name,
          introducedBy: "carol",
          note: "you both play go",
          identityKey: other.person.self.identityKey,
          trust: "unverified",
          former: false
        }
      ])
      const lines = Present.answer(view(member, party.nowMs), "requests", "").join("\n")
      expect(lines).toContain(introductions[0]?.fingerprint.words)
      expect(lines).toContain("introduced by @carol")
      expect(Present.event(told(member, "IntroductionReceived")[0]!).text).toContain("its word, unverified")
    }
    // What both compare is the same words.
    expect(view(alice, party.nowMs).introductions[0]?.fingerprint).toEqual(
      view(bob, party.nowMs).introductions[0]?.fingerprint
    )
    const delivered = told(carol, "Delivered")
    expect(delivered).toMatchObject([
      { name: "alice", kind: "Introduce" },
      { name: "bob", kind: "Introduce" }
    ])
    expect(new Set(delivered.map((one) => "id" in one && one.id)).size).toBe(1)
  })

  it("makes friends of two who both say yes, whoever says it first, whoever dials: with `message`, unverified, introduced", () => {
    for (const first of ["alice", "bob"] as const) {
      for (const dialler of ["alice", "bob"] as const) {
        const all = introduced()
        const { alice, bob, carol, party } = all
        const [one, other] = first === "alice" ? [alice, bob] : [bob, alice]
        expect(codeOf(party.command(one, accepts(other.person.name)))).toBe("")
        expect(codeOf(party.command(other, accepts(one.person.name)))).toBe("")
        expect(holds(alice, bob)).toBeUndefined()
        party.meet(all[dialler], dialler === "alice" ? bob : alice)
        expect([holds(alice, bob), holds(bob, alice)]).toEqual([["message"], ["message"]])
        for (const [member, of] of [
          [alice, bob],
          [bob, alice]
        ] as const) {
          expect(view(member, party.nowMs).friends.find(({ name }) => name === of.person.name)).toMatchObject({
            trust: "unverified",
            introducedBy: "carol",
            channel: Introduction.channel,
            capabilities: ["message"]
          })
          expect(told(member, "FriendshipMade").at(-1)).toMatchObject({ introducedBy: "carol" })
          expect(openOf(member)).toEqual([])
          expect(HashMap.size(member.state.durable.errands.entries)).toBe(0)
          expect(told(member, "ErrandAnswered").at(-1)).toMatchObject({ kind: "introduced" })
        }
        const [ours, theirs] = [recordOf(alice, bob.person)?.cameOf, recordOf(bob, alice.person)?.cameOf]
        expect(ours?.some((of) => theirs?.includes(of))).toBe(true)
        expect(holds(carol, alice)).toEqual(["message"])
      }
    }
  })

  it("asks the other operator as usual where only one has said yes, by the name it was introduced by", () => {
    const { alice, bob, party } = introduced()
    party.command(alice, accepts("bob"))
    party.close(party.meet(alice, bob))
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([undefined, undefined])
    expect(told(bob, "ConnectAsked")).toMatchObject([{ name: "alice", introducedBy: "carol" }])
    expect(Present.event(told(bob, "ConnectAsked")[0]!).text).toContain("introduced by @carol")
    // One question, not two.
    expect(view(bob, party.nowMs).introductions).toEqual([])
    expect(view(bob, party.nowMs).requests).toMatchObject([
      { name: "alice", introducedBy: "carol", trust: "unverified" }
    ])
    expect(codeOf(party.command(bob, accepts("alice")))).toBe("")
    party.meet(bob, alice)
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([["message"], ["message"]])
    expect(openOf(bob)).toEqual([])
  })

  it("that was turned down looks as if it had never come, and is not asked again", () => {
    const all = introduced()
    const { alice, bob, carol, party } = all
    expect(codeOf(party.command(bob, denies("alice")))).toBe("")
    expect(view(bob, party.nowMs).introductions).toEqual([])
    party.command(alice, accepts("bob"))
    const heard: Array<Message.Message> = []
    party.overhear = ({ from, message }) => from === bob && heard.push(message)
    party.close(party.meet(alice, bob))
    expect(heard).toEqual([{ kind: "Reject", code: "not-a-friend" }])
    // Whoever was turned away so looks again later: it may only be too early.
    expect(HashMap.size(alice.state.durable.errands.entries)).toBe(1)
    const asked = told(bob, "IntroductionReceived").length
    expect(codeOf(party.command(carol, introduces("bob", "alice")))).toBe("")
    round(all, alice, bob)
    expect(told(bob, "IntroductionReceived")).toHaveLength(asked)
    expect(holds(bob, alice)).toBeUndefined()
  })

  it("reaches who was away: whoever accepts before the other has heard of it is not turned away for good", () => {
    const all = cast()
    const { alice, bob, carol, party } = all
    party.command(carol, introduces("alice", "bob"))
    round(all, alice)
    party.command(alice, accepts("bob"))
    party.close(party.meet(alice, bob))
    expect(holds(bob, alice)).toBeUndefined()
    round(all, bob)
    party.command(bob, accepts("alice"))
    party.meet(bob, alice)
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([["message"], ["message"]])
  })
})

describe("what counts as an introduction", () => {
  /** Carol's word as a program of her own might say it, on a session of hers. */
  const says = (change: Partial<Message.Introduce>, before: (all: Cast) => void = () => {}) => {
    const all = cast()
    const { alice, bob, carol, party } = all
    before(all)
    const puppet = new Member(carol.person, true)
    const connection = party.meet(puppet, alice)
    party.say(puppet, connection, { kind: "Greeting", streams: [], run: "c".repeat(32) })
    const answers: Array<Message.Message> = []
    party.overhear = ({ from, message }) => from === alice && answers.push(message)
    const message: Message.Introduce = {
      kind: "Introduce",
      stream: "d".repeat(32),
      number: 1,
      id: "e".repeat(32),
      key: bob.person.self.identityKey,
      name: "bob",
      yours: alice.person.self.identityKey,
      expiresAtMs: party.nowMs + Limits.requestAgeMs,
      ...change
    }
    party.say(puppet, connection, message)
    const [answer] = answers.filter(({ kind }) => kind === "Receipt" || kind === "Reject")
    return { ...all, puppet, connection, message, answer, says: answer?.kind === "Reject" ? answer.code : answer?.kind }
  }

  it("is what a friend says of two others, in time, by keys that are keys and names that are names", () => {
    expect(says({}).says).toBe("Receipt")
    expect(openOf(says({}).alice)).toHaveLength(1)
    const stranger = person("mallory").self.identityKey
    const wrong: ReadonlyArray<readonly [string, Partial<Message.Introduce>]> = [
      ["oneself", { key: people.carol.self.identityKey }],
      ["whom it is told to", { key: people.alice.self.identityKey }],
      ["what is no key", { key: "A".repeat(43) }],
      ["somebody, to somebody else", { yours: stranger }],
      ["a name that is none", { name: "two words" }],
      ["no name", { name: "" }]
    ]
    for (const [what, change] of wrong) {
      const { alice, says: code } = says(change)
      expect([what, code, openOf(alice).length]).toEqual([what, "introduction-refused", 0])
      expect(told(alice, "PeerRefused").at(-1)).toMatchObject({ kind: "Introduce" })
    }
    expect(says({ expiresAtMs: 1 }).says).toBe("introduction-over")
  })

  it("needs the right to send messages, and a key that is in no doubt", () => {
    const withdrawn = says({}, ({ alice, party }) =>
      party.command(alice, { _tag: "Revoke", name: "carol", keyPrefix: "", capability: "message" })
    )
    expect(withdrawn.says).toBe("no-capability")
    const demanded = says({}, ({ alice, party }) =>
      party.command(alice, { _tag: "Require", capability: "message", trust: "verified" })
    )
    expect(demanded.says).toBe("not-verified")
    const doubted = says({}, ({ alice, party }) =>
      party.command(alice, { _tag: "Verify", name: "carol", keyPrefix: "", same: false })
    )
    expect([doubted.says, openOf(doubted.alice)]).toEqual(["introduction-refused", []])
  })

  it("lasts a week at most, whatever its introducer says, and ends with a code", () => {
    const { alice, party } = says({ expiresAtMs: Number.MAX_SAFE_INTEGER })
    expect(openOf(alice)[0]?.expiresAtMs).toBe(party.nowMs + Limits.requestAgeMs)
    party.wait(Limits.requestAgeMs - 1, alice)
    expect(openOf(alice)).toHaveLength(1)
    party.wait(1, alice)
    expect(openOf(alice)).toEqual([])
    expect(told(alice, "IntroductionEnded")).toMatchObject([{ introduced: "bob", code: "introduction-over" }])
  })

  it("is asked once, however often it is said: a replay, a new number and another name ask nothing", () => {
    const { alice, connection, message, party, puppet } = says({})
    party.say(puppet, connection, message)
    for (const [number, change] of [{}, { id: "f".repeat(32), name: "robert" }, { note: "again" }].entries()) {
      party.say(puppet, connection, { ...message, ...change, number: number + 2 })
    }
    expect(told(alice, "IntroductionReceived")).toHaveLength(1)
    expect(openOf(alice)).toMatchObject([{ name: "bob", note: "" }])
    // The same number with other words is no repetition.
    party.say(puppet, connection, { ...message, name: "robert" })
    expect(told(alice, "PeerRefused").at(-1)).toMatchObject({ rejection: { code: "sequence-conflict" } })
  })

  it("of one friend fill no more than that friend's places, and what was turned down makes room", () => {
    const { alice, connection, message, party, puppet } = says({})
    const flood = (from: number, count: number) => {
      for (let number = from; number < from + count; number++) {
        const key = person(`x${number}`).self.identityKey
        party.say(puppet, connection, { ...message, number, key, name: `x${number}` })
      }
    }
    flood(2, 12)
    expect(openOf(alice)).toHaveLength(Limits.introductionsPerFriendMax)
    expect(told(alice, "PeerRefused").at(-1)).toMatchObject({ rejection: { code: "introductions-full" } })
    party.command(alice, denies("bob"))
    flood(20, 2)
    expect(openOf(alice)).toHaveLength(Limits.introductionsPerFriendMax)
    expect(openOf(alice).map(({ name }) => name)).toContain("x20")
    expect(openOf(alice).map(({ name }) => name)).not.toContain("x21")
    // Beyond the budget of messages it is not even that.
    flood(30, 30)
    expect(told(alice, "IntroductionReceived").length).toBeLessThan(Limits.messagesPerMinute)
  })

  it("of all friends together are bounded", () => {
    let table: Introduction.Introductions = Table.empty()
    for (let friend = 0; friend < 20; friend++) {
      for (let index = 0; index < 9; index++) {
        const by = { peerId: `p${friend}`, name: "p" }
        const key = `${friend} ${index}` as Introduction.Introduction["key"]
        const one = { id: "", by, key, name: "x", note: "", ours: key, state: "Open" as const }
        const room = Introduction.makeRoom(table, by.peerId as never)
        if (room === undefined) continue
        const full = { ...one, receivedAtMs: index, expiresAtMs: 1 }
        table = Table.set(room, Introduction.keyOf(by.peerId, key), full)
      }
    }
    expect(Table.size(table)).toBe(Limits.introductionsMax)
  })
})

describe("an introducer", () => {
  it("says nothing of who is in doubt, of one friend twice, or where it may not; and both are told, or neither", () => {
    const { carol, party } = cast()
    expect(codeOf(party.command(carol, introduces("alice", "nobody")))).toBe("unknown-peer")
    expect(codeOf(party.command(carol, introduces("alice", "alice")))).toBe("introduction-invalid")
    expect(codeOf(party.command(carol, introduces("alice", "bob", "x".repeat(281))))).toBe("note-too-long")
    party.command(carol, { _tag: "Verify", ...named("bob"), same: false })
    expect(codeOf(party.command(carol, introduces("alice", "bob")))).toBe("key-doubtful")
    expect(HashMap.size(carol.state.durable.outbox.entries.entries)).toBe(0)
  })

  it("that may not send one of them messages says so at once", () => {
    const all = cast()
    const { alice, bob, carol, party } = all
    party.command(bob, { _tag: "Revoke", ...named("carol"), capability: "message" })
    round(all, bob)
    expect(codeOf(party.command(carol, introduces("alice", "bob")))).toBe("no-capability")
    expect(openOf(alice)).toEqual([])
  })

  it("sees it in the queue, can give it up while it waits, and hears what became of it", () => {
    const all = cast()
    const { alice, carol, party } = all
    const reply = party.command(carol, introduces("alice", "bob"))
    const id = reply?.ok === true ? reply.id : ""
    expect(
      view(carol, party.nowMs)
        .queue.map(({ kind, name }) => [kind, name])
        .sort()
    ).toEqual([
      ["Introduce", "alice"],
      ["Introduce", "bob"]
    ])
    expect(Present.answer(view(carol, party.nowMs), "queue", "").join("\n")).toContain("introduction to @bob")
    expect(codeOf(party.command(carol, { _tag: "Cancel", id }))).toBe("")
    expect(told(carol, "Refused")).toMatchObject([
      { id, kind: "Introduce", rejection: { code: "cancelled" } },
      { id, kind: "Introduce", rejection: { code: "cancelled" } }
    ])
    round(all, alice)
    expect(openOf(alice)).toEqual([])
    party.command(carol, introduces("alice", "bob"))
    party.wait(Limits.outboxAgeMs, carol)
    expect(told(carol, "Refused").at(-1)).toMatchObject({ kind: "Introduce", rejection: { code: "expired" } })
    expect(view(carol, party.nowMs).refusals.at(-1)).toMatchObject({ kind: "Introduce", code: "expired" })
  })

  it("of a friend whose program does not know the kind is told so, and that is final", () => {
    const { carol, party } = cast()
    party.command(carol, introduces("alice", "bob"))
    const old = new Member(people.bob, true)
    const connection = party.meet(carol, old)
    party.overhear = ({ from, message }) => {
      if (from !== carol || message.kind !== "Introduce") return
      const { number, stream } = message
      party.say(old, connection, { kind: "Reject", code: "unsupported-kind", stream, number })
    }
    party.say(old, connection, { kind: "Greeting", streams: [], run: "b".repeat(32) })
    expect(told(carol, "Refused")).toMatchObject([
      { name: "bob", kind: "Introduce", rejection: { code: "unsupported-kind" } }
    ])
    expect(Present.event(told(carol, "Refused")[0]!).text).toContain("your introduction did not reach bob")
  })

  it("learns from no answer whether the two are friends already, or what they said", () => {
    const all = introduced()
    const { alice, bob, carol, party } = all
    party.command(alice, accepts("bob"))
    party.command(bob, accepts("alice"))
    party.meet(alice, bob)
    const before = carol.told.length
    party.command(carol, introduces("bob", "alice"))
    const heard: Array<string> = []
    party.overhear = ({ from, message }) => from !== carol && heard.push(message.kind)
    round(all, alice, bob)
    expect(heard.filter((kind) => kind === "Reject")).toEqual([])
    expect(carol.told.slice(before).filter(({ _tag }) => _tag === "Delivered")).toHaveLength(2)
    expect(told(alice, "IntroductionReceived").at(-1)).toMatchObject({ introduced: "bob", standing: "friend" })
    expect(openOf(alice)).toEqual([])
  })

  it("is no part of what follows: it can be gone, or unfriended, and the friendship stays", () => {
    const all = introduced()
    const { alice, bob, carol, party } = all
    party.command(alice, accepts("bob"))
    party.command(bob, accepts("alice"))
    const connection = party.meet(alice, bob)
    party.command(alice, unfriends("carol"))
    const heard: Array<Message.Message> = []
    party.overhear = ({ message }) => heard.push(message)
    expect(codeOf(party.command(alice, { _tag: "Message", ...named("bob"), text: "hello" }))).toBe("")
    expect(told(alice, "Delivered").at(-1)).toMatchObject({ name: "bob" })
    party.close(connection)
    // Carol's keys open nothing between the two, and are nobody but carol's.
    const puppet = new Member(carol.person, true)
    const answers: Array<Message.Message> = []
    party.overhear = ({ from, message }) => from === bob && answers.push(message)
    party.say(puppet, party.meet(puppet, bob), { kind: "ConnectRequest", id: "1".repeat(32), name: "alice" })
    expect(recordOf(bob, alice.person)?.identityKey).toBe(people.alice.self.identityKey)
    expect(holds(bob, alice)).toEqual(["message"])
    expect(view(bob, party.nowMs).friends.find(({ name }) => name === "alice")?.introducedBy).toBe("carol")
  })
})

describe("an introducer that lies", () => {
  it("about a key brings that key under a claimed name, unverified, with other words to compare", () => {
    const { alice, bob, carol, party } = cast()
    // Carol tells alice that a key of carol's own is bob's, and bob that another is alice's.
    const second = new Member(person("bob"), true)
    const puppet = new Member(carol.person, true)
    const connection = party.meet(puppet, alice)
    party.say(puppet, connection, { kind: "Greeting", streams: [], run: "c".repeat(32) })
    const yours = alice.person.self.identityKey
    const lie = { key: second.person.self.identityKey, name: "bob", yours, id: "e".repeat(32) }
    const place = { stream: "d".repeat(32), number: 1, expiresAtMs: party.nowMs + 1_000_000 }
    party.say(puppet, connection, { kind: "Introduce", ...place, ...lie })
    party.command(alice, accepts("bob"))
    const link = party.meet(alice, second)
    party.say(second, link, { kind: "ConnectRequest", id: "2".repeat(32), name: "bob" })
    const [seen] = view(alice, party.nowMs).friends.filter(({ name }) => name === "bob")
    expect(seen).toMatchObject({ trust: "unverified", introducedBy: "carol", capabilities: ["message"] })
    const words = (one: Member, other: Member) => {
      const { friends, introductions } = view(one, party.nowMs)
      return [...friends, ...introductions].find(({ identityKey }) => identityKey === other.person.self.identityKey)
        ?.fingerprint.words
    }
    const honest = Describe.describe(crypto, bob.state, party.nowMs)
    expect(honest.friends.map(({ fingerprint }) => fingerprint.words)).not.toContain(words(alice, second))
    expect(Trust.of(recordOf(alice, second.person)!)).toBe("unverified")
    // The real bob is nobody's friend by it.
    expect(holds(alice, bob)).toBeUndefined()
  })

  it("cannot redirect a friendship: the key or the name of a friend changes nothing, and both are said", () => {
    const all = introduced()
    const { alice, bob, carol, dave, party } = all
    party.command(alice, accepts("bob"))
    party.command(bob, accepts("alice"))
    party.close(party.meet(alice, bob))
    const friend = recordOf(alice, bob.person)
    const puppet = new Member(carol.person, true)
    const connection = party.meet(puppet, alice)
    party.say(puppet, connection, { kind: "Greeting", streams: [], run: "c".repeat(32) })
    const yours = alice.person.self.identityKey
    const common = { kind: "Introduce" as const, stream: "d".repeat(32), yours, expiresAtMs: party.nowMs + 1_000_000 }
    const { identityKey: bobs } = bob.person.self
    const { identityKey: daves } = dave.person.self
    party.say(puppet, connection, { ...common, number: 1, id: "1".repeat(32), key: bobs, name: "robert" })
    party.say(puppet, connection, { ...common, number: 2, id: "2".repeat(32), key: daves, name: "bob" })
    expect(recordOf(alice, bob.person)).toEqual(friend)
    const [known, namesake] = told(alice, "IntroductionReceived").slice(-2)
    expect(known).toMatchObject({ introduced: "robert", standing: "friend" })
    expect(namesake).toMatchObject({ introduced: "bob", standing: "stranger", rivals: 1 })
    expect(Present.event(namesake!)).toMatchObject({ tone: "alarm" })
    expect(Present.event(namesake!).text).toContain("ANOTHER key")
    // Two of one name: which is meant has to be said, and the friend is still the friend.
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("")
    expect(recordOf(alice, bob.person)).toEqual(friend)
    expect(codeOf(party.command(alice, { _tag: "Message", ...named("bob"), text: "hi" }))).toBe("")
  })

  it("and who asks under another name than it was introduced by keeps the one our operator saw", () => {
    const { alice, bob, party } = introduced()
    const puppet = new Member(bob.person, true)
    party.say(puppet, party.meet(puppet, alice), { kind: "ConnectRequest", id: "3".repeat(32), name: "carol" })
    expect(view(alice, party.nowMs).requests).toMatchObject([{ name: "bob", introducedBy: "carol" }])
  })
})

describe("who may answer", () => {
  it("an introduced stranger is let in to ask, and nobody else is", () => {
    const { alice, dave, party } = introduced()
    const puppet = new Member(dave.person, true)
    const heard: Array<Message.Message> = []
    party.overhear = ({ from, message }) => from === alice && heard.push(message)
    party.say(puppet, party.meet(puppet, alice), { kind: "ConnectRequest", id: "4".repeat(32), name: "dave" })
    expect(heard).toEqual([{ kind: "Reject", code: "not-a-friend" }])
    expect(view(alice, party.nowMs).requests).toEqual([])
  })

  it("two of one name are told apart by the key, and a request and an introduction of one key are one", () => {
    const all = introduced()
    const { alice, carol, dave, party } = all
    const puppet = new Member(carol.person, true)
    const connection = party.meet(puppet, alice)
    party.say(puppet, connection, { kind: "Greeting", streams: [], run: "c".repeat(32) })
    const about = { id: "5".repeat(32), key: dave.person.self.identityKey, name: "BOB" }
    const place = { stream: "d".repeat(32), number: 1, expiresAtMs: party.nowMs + 1_000_000 }
    party.say(puppet, connection, { kind: "Introduce", ...place, ...about, yours: alice.person.self.identityKey })
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("ambiguous-name")
    expect(codeOf(party.command(alice, denies("bob")))).toBe("ambiguous-name")
    expect(codeOf(party.command(alice, accepts("bob", dave.person.self.identityKey.slice(0, 6))))).toBe("")
    expect(
      openOf(alice)
        .map(({ state }) => state)
        .sort()
    ).toEqual(["Accepted", "Open"])
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("")
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("unknown-peer")
  })

  it("a yes can be taken back while it waits, and then nobody is let in by it", () => {
    const { alice, bob, party } = introduced()
    const reply = party.command(alice, accepts("bob"))
    const id = reply?.ok === true ? reply.id : ""
    expect(Present.answer(view(alice, party.nowMs), "requests", "").join("\n")).toContain(`/cancel ${id.slice(0, 8)}`)
    expect(codeOf(party.command(alice, { _tag: "Cancel", id }))).toBe("")
    expect(openOf(alice)).toMatchObject([{ state: "Denied" }])
    party.command(bob, accepts("alice"))
    party.meet(bob, alice)
    expect([holds(alice, bob), holds(bob, alice)]).toEqual([undefined, undefined])
  })
})

describe("what ends an introduction", () => {
  const voided = (member: Member) => told(member, "IntroductionEnded").map((one) => "code" in one && one.code)

  it("unfriending whoever made it, by either: what was asked, wanted and said because of it goes", () => {
    const open = introduced()
    open.party.command(open.alice, unfriends("carol"))
    expect([openOf(open.alice), voided(open.alice)]).toEqual([[], ["introduction-void"]])
    expect(codeOf(open.party.command(open.alice, accepts("bob")))).toBe("unknown-peer")

    const wanted = introduced()
    wanted.party.command(wanted.alice, accepts("bob"))
    wanted.party.command(wanted.carol, unfriends("alice"))
    round(wanted, wanted.alice)
    expect(openOf(wanted.alice)).toEqual([])
    expect(told(wanted.alice, "ErrandRefused")).toMatchObject([{ rejection: { code: "introduction-void" } }])

    const asked = introduced()
    asked.party.command(asked.bob, accepts("alice"))
    asked.party.close(asked.party.meet(asked.bob, asked.alice))
    expect(view(asked.alice, asked.party.nowMs).requests).toHaveLength(1)
    asked.party.command(asked.alice, unfriends("carol"))
    expect(view(asked.alice, asked.party.nowMs).requests).toEqual([])
  })

  it("a scheduled rotation of any of the three keys does not, and the new keys are those of the friendship", () => {
    for (const who of ["alice", "bob", "carol"] as const) {
      const all = introduced()
      const { alice, bob, party } = all
      party.rotate(all[who], "scheduled")
      round(all, alice, bob)
      expect(openOf(alice), who).toHaveLength(1)
      party.command(alice, accepts("bob"))
      party.command(bob, accepts("alice"))
      party.close(party.meet(bob, alice))
      expect([holds(alice, bob), holds(bob, alice)], who).toEqual([["message"], ["message"]])
    }
  })

  it("nor does one of whoever has asked: it stays one question, and goes with its introducer", () => {
    const all = introduced()
    const { alice, bob, party } = all
    party.rotate(bob, "scheduled")
    party.command(bob, accepts("alice"))
    party.close(party.meet(bob, alice))
    const { introductions, requests } = view(alice, party.nowMs)
    expect([introductions, requests.map(({ name }) => name)]).toEqual([[], ["bob"]])
    const records = alice.stored
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("")
    expect(holds(alice, bob)).toEqual(["message"])
    party.revive(alice, records)
    party.command(alice, unfriends("carol"))
    expect(view(alice, party.nowMs).requests).toEqual([])
  })

  it("after one, a node is found under the key that the other was told", () => {
    const all = introduced()
    const { bob, party } = all
    const before = bob.person.self.identityKey
    party.rotate(bob, "scheduled")
    // Carol has seen the new key; only who was introduced may still look for the old one.
    round(all, bob)
    party.wait(1_000, bob)
    expect([...bob.state.passing.announced]).toContain(before)
    party.command(bob, denies("alice"))
    party.wait(1_000, bob)
    expect([...bob.state.passing.announced]).toEqual([bob.person.self.identityKey])
  })

  it("a compromise of any of the three keys does, at both ends", () => {
    const ofTheirs = introduced()
    ofTheirs.party.command(ofTheirs.alice, accepts("bob"))
    ofTheirs.party.rotate(ofTheirs.bob, "compromise")
    expect([openOf(ofTheirs.bob), voided(ofTheirs.bob)]).toEqual([[], ["introduction-void"]])
    ofTheirs.party.close(ofTheirs.party.meet(ofTheirs.alice, ofTheirs.bob))
    expect(openOf(ofTheirs.alice)).toEqual([])
    expect(told(ofTheirs.alice, "ErrandRefused")).toMatchObject([{ rejection: { code: "introduction-void" } }])
    expect(holds(ofTheirs.alice, ofTheirs.bob)).toBeUndefined()

    const ofCarol = introduced()
    ofCarol.party.rotate(ofCarol.carol, "compromise")
    round(ofCarol, ofCarol.alice)
    expect([openOf(ofCarol.alice), voided(ofCarol.alice)]).toEqual([[], ["introduction-void"]])
    expect(holds(ofCarol.alice, ofCarol.carol)).toEqual(["message"])

    // A key of ours that was left because it was stolen introduces nobody to us any more.
    const late = cast()
    late.party.command(late.carol, introduces("alice", "bob"))
    late.party.rotate(late.alice, "compromise")
    round(late, late.alice)
    expect(openOf(late.alice)).toEqual([])
    expect(told(late.carol, "Refused")).toMatchObject([{ rejection: { code: "introduction-refused" } }])
  })

  it("a doubt about whoever made it stops the yes, and its end lets it through", () => {
    const { alice, party } = introduced()
    party.command(alice, { _tag: "Verify", ...named("carol"), same: false })
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("key-doubtful")
    party.command(alice, { _tag: "Confirm", ...named("carol") })
    expect(codeOf(party.command(alice, accepts("bob")))).toBe("")
  })

  it("friendship made otherwise", () => {
    const { alice, bob, party } = introduced()
    party.command(alice, accepts("bob"))
    expect(party.claim(bob, alice, party.invite(alice).link)).toBe("")
    expect([openOf(alice), openOf(bob)]).toEqual([[], []])
    expect(HashMap.size(alice.state.durable.errands.entries)).toBe(0)
    expect(recordOf(alice, bob.person)).not.toHaveProperty("introducedBy")
  })

  it("no crash: it is asked, wanted and turned down again as it was", () => {
    for (const doing of [accepts, denies]) {
      const all = introduced()
      const { alice, bob, party } = all
      for (const member of [alice, bob]) party.revive(member)
      expect(openOf(alice)).toMatchObject([{ state: "Open", name: "bob" }])
      party.command(alice, doing("bob"))
      const before = openOf(alice)
      party.revive(alice)
      expect(openOf(alice)).toEqual(before)
      party.command(bob, accepts("alice"))
      party.meet(bob, alice)
      const friends = doing === accepts ? ["message"] : undefined
      expect([holds(alice, bob), holds(bob, alice)]).toEqual([friends, friends])
    }
  })
})

describe("the machine of an introduction", () => {
  it("never leads back to Open, and what was turned down is never wanted", () => {
    for (const row of Object.values(Introduction.transitions)) expect(Object.values(row)).not.toContain("Open")
    expect(Object.values(Introduction.transitions.Denied)).not.toContain("Accepted")
    for (const code of ["introduction-refused", "introductions-full", "introduction-over"] as const) {
      expect(Rejection.isTold(code) && !Rejection.isTransient(code)).toBe(true)
    }
  })
})
