/**
 * Laws of becoming friends: a table that says what happens and what does not, and lookups that no name can confuse.
 * It never lets the code say which facts a rule needs; the rule is written a second time, as a list of objections.
 * What a flood of requests or a friend who asks again can bring about is tried on whole states, up to the bounds.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { AuthorEvidence } from "../../core/admission/Verdict.ts"
import * as AutoAccept from "../../core/friend/AutoAccept.ts"
import * as Friendship from "../../core/friend/Friendship.ts"
import * as Roster from "../../core/friend/Roster.ts"
import type * as Keys from "../../core/identity/Keys.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import * as Friending from "../../core/node/Friending.ts"
import * as Table from "../../core/Table.ts"
import {
  alice,
  beginning,
  bob,
  ids,
  input,
  mallory,
  noonMs,
  openedBy,
  type Person,
  person,
  received,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"

const standings: ReadonlyArray<Friendship.Standing> = ["Stranger", "Asked", "AskedBy", "Friend", "Former"]
const events: ReadonlyArray<Friendship.Event> = [
  "weAsk",
  "theyAsk",
  "weAccept",
  "theyAccept",
  "weEnd",
  "theyEnd",
  "weDeny",
  "expire",
  "agree"
]

describe("Friendship", () => {
  it("is total: every event in every state has a row, or is named here as having no place", () => {
    const noPlace = standings.flatMap((from) =>
      events.filter((event) => Friendship.next(from, event) === undefined).map((event) => `${from} ${event}`)
    )
    expect(noPlace.sort()).toEqual(
      [
        ...["weAccept", "theyAccept", "weEnd", "theyEnd", "weDeny", "expire"].map((event) => `Stranger ${event}`),
        ...["weAccept", "theyEnd", "weDeny"].map((event) => `Asked ${event}`),
        ...["weEnd", "theyEnd"].map((event) => `AskedBy ${event}`),
        ...["weAsk", "weDeny", "expire"].map((event) => `Friend ${event}`),
        ...["weAccept", "theyAccept", "weEnd", "theyEnd", "weDeny", "expire"].map((event) => `Former ${event}`)
      ].sort()
    )
  })
  it("names no state or event that is not one", () => {
    expect(Object.keys(Friendship.transitions).sort()).toEqual([...standings].sort())
    for (const row of Object.values(Friendship.transitions)) {
      for (const [event, to] of Object.entries(row)) {
        expect(events).toContain(event)
        expect(standings).toContain(to)
      }
    }
  })
  it("does not know which side we are: whoever asks and whoever accepts, both end as friends", () => {
    const go = (from: Friendship.Standing, ...path: ReadonlyArray<Friendship.Event>) =>
      path.reduce((standing, event) => Friendship.next(standing, event) ?? standing, from)
    for (const start of ["Stranger", "Former"] as const) {
      expect([go(start, "weAsk", "theyAccept"), go(start, "theyAsk", "weAccept")]).toEqual(["Friend", "Friend"])
      // Both ask at once, and one of them accepts.
      expect([go(start, "weAsk", "theyAsk", "weAccept"), go(start, "weAsk", "theyAsk", "theyAccept")]).toEqual([
        "Friend",
        "Friend"
      ])
    }
  })
  it("makes a friend only where one side asked and the other accepted, or both agreed, and only an end makes a former one", () => {
    for (const from of standings) {
      for (const event of events) {
        const to = Friendship.next(from, event)
        // Both have said yes in one session: that is another law's, `laws/invites.test.ts`.
        if (to === "Friend" && from !== "Friend" && event !== "agree") {
          expect([`${from} ${event}`]).toContain(`${from} ${event.startsWith("we") ? "weAccept" : "theyAccept"}`)
          expect(["Asked", "AskedBy"]).toContain(from)
        }
        if (to === "Former") expect(["Friend weEnd", "Friend theyEnd"]).toContain(`${from} ${event}`)
      }
    }
  })
  it("draws every row", () => {
    const lines = Friendship.diagram().split("\n")
    for (const [from, row] of Object.entries(Friendship.transitions)) {
      for (const [event, to] of Object.entries(row)) expect(lines).toContain(`  ${from} --> ${to}: ${event}`)
    }
    expect(new Set(lines).size).toBe(lines.length)
  })
})

/** The words of a session that can mean something for a friendship. */
const eventsOfWord: Readonly<Record<string, ReadonlyArray<Friendship.Event>>> = {
  Unfriend: ["theyEnd"],
  ConnectRequest: ["theyAsk"],
  ConnectResponse: ["theyAccept"],
  Claim: ["agree"],
  ClaimAnswer: ["agree"]
}

/** What an input can mean for a friendship; the table says what may come of it. */
const eventsOf = (one: Input.Input): ReadonlyArray<Friendship.Event> => {
  if (one._tag === "Tick" || one._tag === "Started") return ["expire"]
  if (one._tag === "Line") return [one.line.value.kind === "request" ? "theyAsk" : "theyAccept"]
  if (one._tag === "Received") return eventsOfWord[one.message.value.kind] ?? []
  if (one._tag !== "Operator") return []
  const byCommand = { Friend: "weAsk", Accept: "weAccept", Deny: "weDeny", Unfriend: "weEnd" } as const
  const { _tag } = one.command
  return _tag === "Friend" || _tag === "Accept" || _tag === "Deny" || _tag === "Unfriend" ? [byCommand[_tag]] : []
}

/** Whether we have asked somebody of that name. */
const asksFor = ({ durable }: State.State, who: Person): boolean =>
  Table.values(durable.roster.asked).some((one) => one.to.toLowerCase() === who.name)

/** Where somebody stands, told from the records: a friend, one who asked, one who is asked for by name, or nobody. */
const standingIn = (state: State.State, who: Person): Friendship.Standing => {
  const { askedBy, friends } = state.durable.roster
  const { peerId } = who.proof.signer
  const record = Table.get(friends, peerId)
  if (record?.standing === "Friend") return "Friend"
  if (Table.values(askedBy).some((one) => one.peerId === peerId && Roster.isOpen(one))) return "AskedBy"
  if (asksFor(state, who)) return "Asked"
  return record === undefined ? "Stranger" : "Former"
}

describe("Step and the table of friendship", () => {
  /** A former friend is a stranger of whom a record is kept: what ends at a stranger may end there as well. */
  const sameAs = (standing: Friendship.Standing | undefined) => (standing === "Former" ? "Stranger" : standing)
  const line = (by: Person, requestSignature?: string): Input.Input => ({
    _tag: "Line",
    channel: "lobby",
    author: null,
    line: signedLine(by, "alice", noonMs, requestSignature === undefined ? {} : { requestSignature })
  })
  it("never leaves the table, whatever comes in", () => {
    const rows = new Set<string>()
    const check = (before: State.State, after: State.State, one: Input.Input): void => {
      for (const who of [bob, mallory]) {
        const [from, to] = [standingIn(before, who), standingIn(after, who)]
        const events = eventsOf(one)
        // A rule, or our being friends already, answers in the same turn; another's answer uses up what was asked by name.
        const reached = events.flatMap((event) => {
          const next = Friendship.next(from, event)
          const answered = event === "theyAsk" && next !== undefined ? Friendship.next(next, "weAccept") : undefined
          const usedUp = event === "theyAccept" || event === "weEnd" ? Friendship.next(from, "expire") : undefined
          // Two who asked each other: when theirs ends without a friendship, ours waits still.
          const ours =
            from === "AskedBy" && next === "Stranger" && asksFor(before, who) ? ("Asked" as const) : undefined
          return [next, answered, usedUp, ours].map(sameAs)
        })
        const holds = from === to || reached.includes(sameAs(to))
        expect(holds, `${who.name}: ${from} -> ${to} on ${events}`).toBe(true)
        for (const event of events) if (reached.includes(sameAs(to))) rows.add(`${from} ${event}`)
      }
    }
    const play = (story: ReadonlyArray<readonly [Input.Input, number]>): void => {
      let state = State.start(alice.self, State.emptyDurable)
      let nowMs = noonMs
      for (const [index, [one, pauseMs]] of story.entries()) {
        nowMs += pauseMs
        const [next] = Step.step(state, one, turnAt(nowMs, index))
        check(state, next, one)
        state = next
      }
    }
    const story = fc.array(fc.tuple(input, fc.constantFrom(0, 0, 1, 61_000, 700_000_000)), {
      maxLength: 60,
      size: "max"
    })
    fc.assert(
      fc.property(story, fc.boolean(), (inputs, fresh) => {
        play([...(fresh ? [] : beginning.map((one) => [one, 0] as const)), ...inputs])
      }),
      { numRuns: 300 }
    )
    // Rows that random stories seldom reach, told: who has asked is asked, a friend accepts once more, each ends it.
    const { feed, operate, state } = node(alice)
    const told = (one: Input.Input) => {
      const before = state()
      const outputs = feed(one)
      check(before, state(), one)
      return outputs
    }
    const ask: Input.Input = { _tag: "Operator", ref: "r", command: { _tag: "Friend", channel: "lobby", to: "bob" } }
    told(line(bob))
    told(ask)
    expect(standingIn(state(), bob)).toBe("AskedBy")
    const signed: Input.Input = {
      _tag: "LineSigned",
      kind: "request",
      key: Roster.askedKey("lobby", "bob"),
      signature: "s".repeat(86)
    }
    told(signed)
    operate({ _tag: "Accept", name: "bob", keyPrefix: "" })
    expect(standingIn(state(), bob)).toBe("Friend")
    told(line(bob, "s".repeat(86)))
    expect(standingIn(state(), bob)).toBe("Friend")
    const of = Roster.friend(state().durable.roster, bob.proof.signer.peerId)?.cameOf ?? []
    told(openedBy(bob, "c9", false))
    const end = Codec.encode({ kind: "Unfriend", stream: ids[0]!, number: 1, of } as Message.Message)
    told(received(bob, "c9", end))
    expect(standingIn(state(), bob)).toBe("Former")
    told({ _tag: "Line", channel: "lobby", author: null, line: signedLine(bob, "alice", noonMs + 1) })
    told({ _tag: "Operator", ref: "r", command: { _tag: "Accept", name: "bob", keyPrefix: "" } })
    expect(standingIn(state(), bob)).toBe("Friend")
    told({ _tag: "Operator", ref: "r", command: { _tag: "Unfriend", name: "bob", keyPrefix: "" } })
    expect(standingIn(state(), bob)).toBe("Former")
    for (const row of ["AskedBy weAsk", "Friend theyAccept", "Friend theyEnd", "Friend weEnd"])
      expect(rows).toContain(row)
  })
})

describe("evidence", () => {
  it("is what the channel proves of the name: nothing, the same, or another", () => {
    expect(Friending.evidenceOf(null, "bob")).toBe("unproven")
    expect(Friending.evidenceOf("BOB", "bob")).toBe("same")
    expect(Friending.evidenceOf("b0b", "bob")).toBe("different")
    expect(Friending.evidenceOf("", "bob")).toBe("different")
  })

  it("is nothing where only Unicode says that the account is the name: an account of its own may look like that", () => {
    const looks = [
      ["\u212Aate", "kate"],
      ["Émile", "émile"],
      ["ΣΑΣ", "σας"],
      ["e\u0301mile", "émile"]
    ] as const
    for (const [author, claimed] of looks) {
      expect(Friending.evidenceOf(author, claimed), author).toBe("unproven")
      expect(Friending.evidenceOf(author, author), author).toBe("same")
    }
    expect(Friending.evidenceOf("ÉMILE", "Émile")).toBe("same")
    const facts = { key: "k" as Keys.RemoteIdentityKey, channel: "lobby", evidence: "same" } as const
    const rule = { id: "r", author: "Émile", unproven: true }
    expect(AutoAccept.matches(rule, { ...facts, author: "émile" })).toBe(false)
    expect(AutoAccept.matches(rule, { ...facts, author: "ÉMILE" })).toBe(true)
  })
})

const letters = ["A", "B"]
const key = fc
  .tuple(fc.constantFrom(...letters), fc.constantFrom(...letters))
  .map((pair) => pair.join("") + "k".repeat(41))
const record = fc.record({
  name: fc.constantFrom("bob", "Bob", "alice"),
  identityKey: key,
  standing: fc.constantFrom("Friend" as const, "Former" as const),
  request: fc.constantFrom("open" as const, "open" as const, "accepted" as const, "not posted" as const)
})
interface Noted {
  readonly name: string
  readonly identityKey: string
  readonly standing: "Friend" | "Former"
  readonly request: "open" | "accepted" | "not posted"
}
const rosterOf = (records: ReadonlyArray<Noted>) => {
  const common = { agreementKey: "", topic: "", channel: "lobby", evidence: "same" as const }
  const friends = records.map(({ identityKey, name, standing }) => {
    const peerId = `peer of ${identityKey}` as PeerId
    const friend = { ...common, peerId, name, standing, identityKey: identityKey as Keys.RemoteIdentityKey }
    return [peerId, { ...friend, sinceMs: 0, alarmed: false }] as const
  })
  const asks = records.map(({ identityKey, name, request }) => {
    const peerId = `peer of ${identityKey}` as PeerId
    const ask = { ...common, peerId, name, identityKey, author: null, signature: "", receivedAtMs: 0, expiresAtMs: 9 }
    const accepted =
      request === "open" ? {} : { acceptedAtMs: 1, ...(request === "accepted" ? {} : { notPosted: true }) }
    return [Roster.askedByKey("lobby", peerId), { ...ask, ...accepted }] as const
  })
  return { ...Roster.empty, friends: Table.loaded(friends), askedBy: Table.loaded(asks) } as Roster.Roster
}

describe("Roster", () => {
  it("finds whom a name means when it means one, and says so when it means none or several", () => {
    const prefix = fc.constantFrom("", "A", "B", "AB", "ABk", "zzz")
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 5 }),
        fc.constantFrom("bob", "ALICE"),
        prefix,
        (records, name, start) => {
          const roster = rosterOf(records)
          // Of several records under one key the last stands: a friend is one key.
          const known = [...new Map(records.map((one) => [one.identityKey, one])).values()]
          const named = known.filter(
            (one) => one.name.toLowerCase() === name.toLowerCase() && one.identityKey.startsWith(start)
          )
          const means = (found: Result.Result<{ identityKey: string }, { code: string }>) =>
            Result.isSuccess(found) ? found.success.identityKey : found.failure.code
          const expected = (meant: ReadonlyArray<{ identityKey: string }>) =>
            meant.length === 1 ? meant[0]!.identityKey : meant.length === 0 ? "unknown-peer" : "ambiguous-name"
          const friends = named.filter((one) => one.standing === "Friend")
          // Whoever is named and was a friend is said to be none any more, not to be unknown.
          const formerOnly = friends.length === 0 && named.length > 0
          expect(means(Roster.findFriend(roster, name, start))).toBe(formerOnly ? "not-a-friend" : expected(friends))
          const open = named.filter((one) => one.request === "open")
          const again = named.filter((one) => one.request !== "accepted")
          expect(means(Roster.findAskedBy(roster, name, start))).toBe(expected(open))
          expect(means(Roster.findAskedBy(roster, name, start, true))).toBe(expected(again))
        }
      )
    )
  })
  it("makes room for a new friend by forgetting the oldest former one, never a friend", () => {
    const full = (standing: "Friend" | "Former") => {
      const records = Array.from({ length: Limits.friendsMax }, (_, index) => {
        const mine = index === 7 || index === 9 ? standing : "Friend"
        return [`peer ${index}`, { standing: mine, sinceMs: index === 9 ? 1 : 2, peerId: `peer ${index}` }] as const
      })
      return { ...Roster.empty, friends: Table.loaded(records) } as unknown as Roster.Roster
    }
    expect(Roster.leavingFor(full("Friend"), "new" as PeerId)).toBe("nobody")
    expect(Roster.leavingFor(full("Friend"), "peer 7" as PeerId)).toBeUndefined()
    expect(Roster.leavingFor(Roster.empty, "new" as PeerId)).toBeUndefined()
    expect(Roster.leavingFor(full("Former"), "new" as PeerId)).toMatchObject({ peerId: "peer 9" })
  })
})

describe("AutoAccept", () => {
  const fact = fc.constantFrom("x", "y")
  const rules = fc
    .record({ key: fact, channel: fact, author: fact, unproven: fc.boolean() }, { requiredKeys: ["unproven"] })
    .map((rule) => ({ id: "1", ...rule }))
  const facts = fc.record({
    key: fact,
    channel: fact,
    evidence: fc.constantFrom<AuthorEvidence>("same", "different", "unproven"),
    author: fc.constantFrom(null, "x", "X", "y")
  })
  it("accepts exactly where nothing speaks against it, and what is different always does", () => {
    let accepted = 0
    fc.assert(
      fc.property(rules, facts, (rule, given) => {
        const objections = [
          given.evidence === "different",
          given.evidence === "unproven" && !(rule.unproven || "key" in rule),
          "key" in rule && rule.key !== given.key,
          "channel" in rule && rule.channel !== given.channel,
          "author" in rule && rule.author !== given.author?.toLowerCase()
        ]
        const matches = AutoAccept.matches(rule, given as unknown as AutoAccept.Facts)
        expect(matches).toBe(!objections.includes(true))
        if (matches) accepted++
      }),
      { numRuns: 2_000 }
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

/** A node that takes inputs one by one at times we choose. */
const node = (self: Person, first: ReadonlyArray<Input.Input> = []) => {
  let state = State.start(self.self, State.emptyDurable)
  let turns = 0
  const feed = (one: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(atMs, ++turns))
    state = next
    return outputs
  }
  for (const one of first) feed(one)
  const operate = (command: Input.Command, atMs = noonMs) => feed({ _tag: "Operator", ref: "r", command }, atMs)
  const codeOf = (outputs: ReadonlyArray<Output.Output>) =>
    outputs.flatMap((output) => {
      if (output._tag === "Reply") return output.reply.ok ? "ok" : output.reply.rejection.code
      return output._tag === "Tell" && output.event._tag === "LineRefused" ? output.event.rejection.code : []
    })[0]
  return { feed, operate, codeOf, state: () => state }
}
const lineOf = (by: Person, atMs: number, channel = "lobby"): Input.Input => ({
  _tag: "Line",
  channel,
  author: null,
  line: signedLine(by, "alice", atMs)
})

describe("an old line", () => {
  it("is a warning about clocks, but from whoever is a friend already: a room's file is read again at each start", () => {
    const { codeOf, feed } = node(alice, beginning)
    const restartMs = noonMs + 3_600_000
    expect(codeOf(feed(lineOf(bob, noonMs - 1_000), restartMs))).toBeUndefined()
    expect(codeOf(feed(lineOf(mallory, noonMs - 1_000), restartMs))).toBe("clock-difference")
  })
})

describe("floods", () => {
  const crowd = Array.from({ length: 5 }, () => person("twin"))
  it("under one name end at four, and none of the four is replaced", () => {
    const { codeOf, feed, state } = node(alice)
    const codes = crowd.map((one) => codeOf(feed(lineOf(one, noonMs))))
    expect(codes).toEqual([undefined, undefined, undefined, undefined, "requests-full"])
    const waiting = Table.values(state().durable.roster.askedBy).map((one) => one.identityKey)
    expect(waiting.sort()).toEqual(
      crowd
        .slice(0, 4)
        .map((one) => one.self.identityKey)
        .sort()
    )
    // One who waits already may ask again; its place is its own.
    expect(codeOf(feed(lineOf(crowd[0]!, noonMs + 1)))).toBeUndefined()
    expect(Table.size(state().durable.roster.askedBy)).toBe(4)
  })
  it("of lines end at sixty a minute, of requests at a hundred; what was refused may be read again later", () => {
    const { codeOf, feed, state } = node(alice)
    const strangers = Array.from({ length: 101 }, (_, index) => person(`stranger${index}`))
    const early = strangers.slice(0, 61).map((one) => lineOf(one, noonMs))
    expect(early.map((one) => codeOf(feed(one)))).toEqual([...Array.from({ length: 60 }), "line-rate"])
    expect(codeOf(feed(early[60]!, noonMs + 60_000))).toBeUndefined()
    for (const [index, one] of strangers.slice(61).entries()) {
      const code = codeOf(feed(lineOf(one, noonMs + 120_000), noonMs + 120_000 + index))
      expect(code).toBe(index < 39 ? undefined : "requests-full")
    }
    expect(Table.size(state().durable.roster.askedBy)).toBe(Limits.askedByMax)
  })
  it("of our own requests and rules end at a hundred each, with a refusal", () => {
    const { codeOf, operate } = node(alice)
    for (let index = 0; index <= 100; index++) {
      const expected = index < 100 ? "ok" : undefined
      const asked = codeOf(operate({ _tag: "Friend", channel: "lobby", to: `n${index}` }))
      const ruled = codeOf(operate({ _tag: "AddRule", rule: { unproven: true } }))
      expect([asked, ruled]).toEqual([expected ?? "requests-full", expected ?? "rules-full"])
    }
  })
})

describe("a friend who asks again", () => {
  it("does not lift its own ban", () => {
    const { feed, operate, state } = node(alice, beginning)
    const clash = (text: string) => received(bob, "c0", Codec.encode({ kind: "Log", stream: ids[0]!, number: 1, text }))
    feed(clash("one"))
    const outputs = Array.from({ length: 12 }, () => feed(clash("two"))).flat()
    expect(outputs.filter((output) => output._tag === "Block")).toHaveLength(1)
    const bans = Table.values(state().durable.bans)
    expect(bans).toEqual([{ peerId: bob.proof.signer.peerId, code: "sequence-conflict", untilMs: noonMs + 3_600_000 }])
    const again = feed(lineOf(bob, noonMs + 1), noonMs + 1)
    expect(again.filter((output) => output._tag === "Unblock")).toEqual([])
    expect(Table.values(state().durable.bans)).toEqual(bans)
    const shut = feed(openedBy(bob, "c1", false), noonMs + 2)
    expect(shut.map((output) => output._tag)).toEqual(["Block", "HangUp", "Tell"])
    // The operator can: ending the friendship and beginning it anew opens the door.
    operate({ _tag: "Unfriend", name: "bob", keyPrefix: "" })
    feed(lineOf(bob, noonMs + 3), noonMs + 3)
    operate({ _tag: "Accept", name: "bob", keyPrefix: "" }, noonMs + 3)
    expect(Table.size(state().durable.bans)).toBe(0)
  })
  it("keeps what the operator granted and has withdrawn", () => {
    for (const [command, held] of [
      ["Grant", ["message", "inject"]],
      ["Revoke", []]
    ] as const) {
      const { feed, operate, state } = node(alice, beginning)
      const capability = command === "Grant" ? "inject" : "message"
      operate({ _tag: command, name: "bob", keyPrefix: "", capability })
      feed(lineOf(bob, noonMs + 1), noonMs + 1)
      expect(Table.values(state().durable.grants).flatMap((grant) => grant.capabilities)).toEqual(held)
    }
  })
})
