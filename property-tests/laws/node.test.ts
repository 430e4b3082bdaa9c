/**
 * Laws of the whole node as one pure function: total, deterministic, remembered, silent about secrets.
 * It never starts a node; inputs of every kind, sensible or not, are fed to `Step.step`, and a town of two is crashed,
 * cut and healed until everything that was promised must have come true.
 * Marker texts stand for what must not be seen, because a leak is easiest to find by a word that is nowhere else.
 */
import { inspect } from "node:util"
import { HashMap, Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Base64url from "../../core/bytes/Base64url.ts"
import {
  Codec,
  Describe,
  type Event,
  type Input,
  Limits,
  type Message,
  type Output,
  State,
  Step
} from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as StorageFailure from "../../core/node/StorageFailure.ts"
import * as Table from "../../core/Table.ts"
import { StoreError } from "../../ports/RecordStore.ts"
import {
  alice,
  beginning,
  bob,
  crypto,
  greeted,
  ids,
  input,
  mallory,
  noonMs,
  openedBy,
  received,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"
import { commit, durableOf, loadDisk } from "../models/Disk.ts"
import { houseOf, Town } from "../models/Town.ts"

type Story = ReadonlyArray<readonly [Input.Input, number]>
const story: fc.Arbitrary<Story> = fc.array(fc.tuple(input, fc.constantFrom(0, 0, 1, 40, 61_000)), { maxLength: 40 })

interface Seen {
  readonly before: State.State
  readonly after: State.State
  readonly input: Input.Input
  readonly turn: Input.Turn
  readonly outputs: ReadonlyArray<Output.Output>
  readonly changes: ReturnType<typeof Records.diff>
}

/** Plays a story after the beginning, storing each turn; `Started` comes after a crash, as it does. */
const play = (inputs: Story, each: (seen: Seen) => void): State.State => {
  const disk = new Map<string, string>()
  let state = State.start(alice.self, State.emptyDurable)
  let nowMs = noonMs
  for (const [index, [one, pauseMs]] of [...beginning.map((first) => [first, 0] as const), ...inputs].entries()) {
    nowMs += pauseMs
    if (one._tag === "Started") {
      const loaded = State.start(alice.self, loadDisk(disk))
      expect(durableOf(loaded)).toEqual(durableOf(state))
      state = loaded
    }
    const turn = turnAt(nowMs, index)
    const [next, outputs] = Step.step(state, one, turn)
    const changes = Records.diff(next.durable)
    commit(disk, changes)
    const after = { ...next, durable: Records.settled(next.durable) }
    each({ before: state, after, input: one, turn, outputs, changes })
    state = after
  }
  expect(durableOf(State.start(alice.self, loadDisk(disk)))).toEqual(durableOf(state))
  return state
}

/** Every collection of a node beside the most it may hold; what hangs on friends is counted per friend. */
const sizes = ({ durable, passing }: State.State): ReadonlyArray<readonly [string, number, number]> => {
  const { inbox, jobs, outbox, roster } = durable
  const friends = Table.size(roster.friends)
  const jobStates = Table.values(jobs).map((job) => job.state)
  const streams = Table.size(inbox.streams)
  const ofOne = (table: { readonly entries: Iterable<readonly [string, { readonly peerId: string }]> }) => {
    const counts = new Map<string, number>()
    for (const [, { peerId }] of table.entries) counts.set(peerId, (counts.get(peerId) ?? 0) + 1)
    return Math.max(0, ...counts.values())
  }
  return [
    ["friends", friends, Limits.friendsMax],
    ["asked", Table.size(roster.asked), Limits.askedMax],
    [
      "asked by",
      Table.values(roster.askedBy).filter((one) => one.acceptedAtMs === undefined).length,
      Limits.askedByMax
    ],
    ["rules", Table.size(roster.rules), Limits.autoAcceptRulesMax],
    ["replay", Table.size(durable.replay), Limits.replayEntriesMax],
    ["bans", Table.size(durable.bans), friends],
    ["lanes", Table.size(outbox.lanes), friends],
    [
      "waiting for one",
      ofOne(outbox.entries),
      Limits.outboxEntriesMax + Limits.answersWaitingMax + Limits.jobsPerPeerMax
    ],
    ["streams of one", ofOne(inbox.streams), Limits.streamsPerPeer],
    ["outcomes", Table.size(inbox.outcomes), streams * (Limits.inboxOutcomesMax + Limits.inboxAheadMax)],
    ["running", jobStates.filter((one) => one === "running").length, Limits.jobsMax + Limits.jobsReserved],
    ["jobs of one", ofOne(jobs), Limits.jobsPerPeerMax + Limits.answersWaitingMax + Limits.jobsRememberedMax],
    ["sessions", HashMap.size(passing.sessions), friends],
    // Only peers are dialled; the two of these stories may be told of as if they had been.
    ["contacts", HashMap.size(passing.contacts), Math.max(2, friends)],
    ["control budgets", HashMap.size(passing.controlBudgets), friends],
    // Of friends: news, alarms, links in their name; of the two rooms: all, and by author; of strangers: news and links.
    ["minutes", HashMap.size(passing.minutes), 3 * friends + 2 * (1 + Limits.refusedLinesPerMinute) + 2]
  ]
}

describe("Step", () => {
  it("is total, deterministic and bounded; what it changes is written, and what is written is loaded", () => {
    fc.assert(
      fc.property(story, (inputs) => {
        play(inputs, ({ after, before, changes, input: one, outputs, turn }) => {
          const [again, outputsAgain] = Step.step(before, one, turn)
          expect(outputsAgain).toEqual(outputs)
          expect(Records.diff(again.durable)).toEqual(changes)
          for (const [name, size, bound] of sizes(after)) expect(size, name).toBeLessThanOrEqual(bound)
          const replies = outputs.filter((output) => output._tag === "Reply")
          expect(replies).toHaveLength(one._tag === "Operator" ? 1 : 0)
        })
      }),
      { numRuns: 200 }
    )
  })
  it("writes nothing where nothing durable changed", () => {
    const quiet: ReadonlyArray<Input.Input> = [
      { _tag: "Tick" },
      { _tag: "SandboxStatus", ready: false, reason: "gone" },
      { _tag: "Line", channel: "lobby", author: "mallory", line: signedLine(mallory, "carol", noonMs) },
      { _tag: "Line", channel: "lobby", author: "bob", line: signedLine(bob, "alice", noonMs - 1_000) },
      { _tag: "Line", channel: "lobby", author: "mallory", line: signedLine(mallory, "alice", noonMs - 400_000) },
      openedBy(mallory, "c7", false),
      received(mallory, "c7", Codec.encode({ kind: "Log", stream: ids[0]!, number: 1, text: "psst" })),
      received(bob, "c0", Codec.encode({ kind: "Ping", nonce: ids[0]! })),
      received(bob, "c0", Codec.encode({ kind: "Receipt", stream: ids[0]!, mark: 7, also: [] })),
      received(bob, "c0", Codec.encode({ kind: "Log", stream: ids[0]!, number: 2_000, text: "far" })),
      { _tag: "Closed", connection: "c9", rejection: null },
      { _tag: "Ran", job: "nobody/nothing", result: { ok: false, code: "sandbox-exit", detail: "" } },
      { _tag: "Operator", ref: "r", command: { _tag: "Message", name: "nobody", keyPrefix: "", text: "hello?" } },
      { _tag: "Shown", shown: [{ id: "nothing", failed: false }] }
    ]
    const posted: Input.Input = {
      _tag: "LinePosted",
      kind: "accept",
      key: `lobby\n${bob.proof.signer.peerId}`,
      rejection: null
    }
    play(
      [posted, ...quiet].map((one) => [one, 0]),
      ({ changes, input: one }) => {
        if (quiet.includes(one)) expect(changes, inspect(one)).toEqual([])
      }
    )
    // And a second copy of a text, which is answered but changes nothing.
    const text = received(bob, "c0", Codec.encode({ kind: "Log", stream: ids[0]!, number: 1, text: "once" }))
    const written: Array<number> = []
    play(
      [
        [text, 0],
        [text, 0],
        [text, 5]
      ],
      ({ changes, input: one }) => {
        if (one === text) written.push(changes.length)
      }
    )
    expect(written).toEqual([expect.any(Number), 0, 0])
    expect(written[0]).toBeGreaterThan(0)
  })
})

describe("a turn that cannot be stored, or breaks", () => {
  const error = new StoreError({ code: "disk-full", message: "no space left" })
  /** What must come again, because nobody else will say it a second time. */
  const again = new Set([
    "Started",
    "LineSigned",
    "LinePosted",
    "Closed",
    "TopicFound",
    "MemberDialed",
    "DialEnded",
    "Shown",
    "Ran",
    "SandboxStatus"
  ])

  it("is answered for every input, and never with an acknowledgement or a deed", () => {
    const met = new Set<string>()
    fc.assert(
      fc.property(input, (one) => {
        met.add(one._tag)
        const full = StorageFailure.instead(one, error)
        expect(full.again).toBe(again.has(one._tag))
        expect(StorageFailure.broken(one).again).toBe(false)
        for (const output of [...full.outputs, ...StorageFailure.broken(one).outputs]) {
          expect(["Reply", "Transmit", "HangUp", "Tell"]).toContain(output._tag)
          if (output._tag === "Reply") expect(output).toMatchObject({ ref: "ref", reply: { ok: false } })
          if (output._tag === "Tell") expect(output.event._tag).toBe("LineRefused")
          if (output._tag !== "Transmit") continue
          for (const { message } of output.messages as ReadonlyArray<{ message: Message.Message }>) {
            // The peer keeps the message and sends it again.
            expect(message).toMatchObject({ kind: "Reject", retryAfterMs: Limits.retryPauseMs })
          }
        }
        if (one._tag === "Operator") expect(full.outputs).toHaveLength(1)
      }),
      { numRuns: 500 }
    )
    expect(met.size).toBe(17)
  })
})

/** Secrets in every spelling in which they could be printed. */
const spellings = (bytes: Uint8Array): ReadonlyArray<string> => [
  Base64url.encode(bytes),
  Buffer.from(bytes).toString("base64"),
  Buffer.from(bytes).toString("hex"),
  [...bytes].join(","),
  [...bytes].join(", ")
]
const secretsOf = (person: typeof alice): ReadonlyArray<string> =>
  [person.keys.identitySeed, person.keys.agreementScalar, person.keys.swarmSeed].flatMap((secret) =>
    spellings(Redacted.value(secret))
  )
const dump = (value: unknown): string =>
  `${JSON.stringify(value)} ${inspect(value, { depth: Number.POSITIVE_INFINITY, maxArrayLength: null, maxStringLength: null })}`

/** Where a text of ours or theirs is the point, or is on its way to it. */
const carriesText = (output: Output.Output): boolean =>
  output._tag === "Show" ||
  output._tag === "Run" ||
  output._tag === "Transmit" ||
  (output._tag === "Tell" && (output.event._tag === "Received" || output.event._tag === "Answered"))

const marker = "MARKER-7f3a"
const markedTown = () => {
  const seen: Array<Output.Output> = []
  const town = new Town([alice, bob], { watch: (_, __, outputs) => seen.push(...outputs) })
  const [one, other] = [houseOf(town, alice), houseOf(town, bob)]
  town.command(one, { _tag: "Friend", channel: "lobby", to: "bob" })
  town.hear(other, town.room[0]!)
  town.command(other, { _tag: "Accept", name: "alice", keyPrefix: "" })
  town.hear(one, town.room[1]!)
  return { town, one, other, seen }
}

describe("dumps and events", () => {
  it("hold no secret in any spelling, and no text but where showing it is the point", () => {
    const { one, other, seen, town } = markedTown()
    const say = (text: string): Input.Command => ({ _tag: "Message", name: "bob", keyPrefix: "", text })
    town.command(one, say(`${marker} sent`))
    town.command(one, { _tag: "Inject", name: "bob", keyPrefix: "", text: `${marker} refused`, waitMs: 5_000 })
    town.heal()
    town.command(other, { _tag: "Grant", name: "alice", keyPrefix: "", capability: "inject" })
    town.command(one, { _tag: "Inject", name: "bob", keyPrefix: "", text: `${marker} asked`, waitMs: 60_000 })
    town.heal()
    town.command(one, say(`${marker} waits`))
    town.command(other, { _tag: "Unfriend", name: "alice", keyPrefix: "" })
    town.heal()
    expect(seen.filter((output) => carriesText(output) && dump(output).includes(marker)).length).toBeGreaterThan(5)
    const secrets = [...secretsOf(alice), ...secretsOf(bob)]
    const dumps = [
      ...seen.filter((output) => !carriesText(output)),
      ...[one, other].map((house) => Describe.describe(crypto, house.state, town.nowMs))
    ]
    for (const value of dumps) expect(dump(value)).not.toContain(marker)
    const everything = dump([dumps, seen, one.state, other.state, [...one.disk], [...other.disk], town.room])
    for (const secret of secrets) expect(everything.includes(secret)).toBe(false)
  })
  it("a text is not kept on disk longer than it is needed", () => {
    const { one, other, town } = markedTown()
    town.command(other, { _tag: "Grant", name: "alice", keyPrefix: "", capability: "inject" })
    town.command(one, { _tag: "Message", name: "bob", keyPrefix: "", text: `${marker} sent` })
    town.command(one, { _tag: "Inject", name: "bob", keyPrefix: "", text: `${marker} asked`, waitMs: 60_000 })
    expect(dump([...one.disk])).toContain(marker)
    town.heal()
    const answer = Base64url.encode(new TextEncoder().encode(`answer to ${marker} asked`))
    for (const house of [one, other]) {
      expect(dump([...house.disk])).not.toContain(marker)
      expect(dump([...house.disk])).not.toContain(answer)
    }
    expect([...other.shown.values()].map(({ text }) => text)).toEqual([`${marker} sent`, `${marker} asked`])
  })
  it("a description, for eyes", () => {
    const { one, other, town } = markedTown()
    town.command(other, { _tag: "Grant", name: "alice", keyPrefix: "", capability: "inject" })
    town.command(other, { _tag: "AddRule", rule: { channel: "lobby", unproven: false } })
    town.command(other, { _tag: "Friend", channel: "lobby", to: "carol" })
    town.command(other, { _tag: "Message", name: "alice", keyPrefix: "", text: marker })
    town.feed(other, { _tag: "Line", channel: "attic", author: null, line: signedLine(mallory, "bob", town.nowMs) })
    expect(one.state.self.name).toBe("alice")
    expect(Describe.describe(crypto, other.state, town.nowMs)).toMatchSnapshot()
  })
})

/** Any story of two friends: texts both ways, injects, links that come and go, crashes in the middle of turns. */
const townStep = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("message" as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("inject" as const), fc.nat(1)) },
  { weight: 12, arbitrary: fc.tuple(fc.constant("deliver" as const), fc.nat(3)) },
  { weight: 5, arbitrary: fc.tuple(fc.constant("dial" as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("dial fails" as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("run ends" as const), fc.nat(3)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("cut" as const), fc.nat(3)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("crash" as const), fc.nat(1)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("deliver and die" as const), fc.nat(3)) },
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom("100 ms" as const, "3 s" as const), fc.nat(1)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("cancel" as const), fc.nat(9)) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("grant" as const, "revoke" as const), fc.nat(1)) }
)

interface Sent {
  readonly from: number
  readonly id: string
  readonly text: string
  readonly kind: "message" | "inject"
}

/** Carries one step out; gives what was sent by it, if anything. */
const take = (town: Town, [what, who]: readonly [string, number], count: number): Sent | undefined => {
  const house = town.houses[who % 2]!
  const to = who % 2 === 0 ? "bob" : "alice"
  const link = town.links[who >> 1]
  const end = who % 2 === 0 ? "initiator" : "responder"
  switch (what) {
    case "message":
    case "inject": {
      const text = `${what} ${count}`
      const words = { name: to, keyPrefix: "", text }
      const command: Input.Command =
        what === "message" ? { _tag: "Message", ...words } : { _tag: "Inject", ...words, waitMs: 20_000 }
      const reply = town.command(house, command)
      return reply?.ok === true ? { from: who, id: reply.id, text, kind: what } : undefined
    }
    case "deliver":
      if (link !== undefined) town.deliver(link, end)
      return undefined
    case "deliver and die":
      if (link !== undefined) town.deliver(link, end, "dies after commit")
      return undefined
    case "dial":
    case "dial fails":
      town.endDial(house, what === "dial")
      return undefined
    case "run ends":
      town.endRun(house, who < 2)
      return undefined
    case "cut":
      if (link !== undefined) town.cut(link)
      return undefined
    case "crash":
      town.crash(house)
      return undefined
    case "cancel": {
      const entries = Table.values(house.state.durable.outbox.entries)
      const ids = [...entries, ...Table.values(house.state.durable.calls)].map(({ id }) => id)
      const id = ids[(who >> 1) % Math.max(1, ids.length)]
      if (id !== undefined) town.command(house, { _tag: "Cancel", id })
      return undefined
    }
    case "grant":
    case "revoke": {
      const tag = what === "grant" ? "Grant" : "Revoke"
      town.command(house, { _tag: tag, name: to, keyPrefix: "", capability: "inject" })
      return undefined
    }
    default:
      town.pass(what === "3 s" ? 3_000 : 100)
      return undefined
  }
}

const outcomesOf = (events: ReadonlyArray<Event.Event>, id: string): ReadonlyArray<string> =>
  events.flatMap((event) =>
    (event._tag === "Delivered" || event._tag === "Refused" || event._tag === "Answered") && event.id === id
      ? event._tag
      : []
  )

describe("two friends whose links and processes fail", () => {
  it("every text takes effect at most once, in order, and has an outcome once all works; no inject runs twice", () => {
    fc.assert(
      fc.property(fc.array(townStep, { maxLength: 80, size: "max" }), (steps) => {
        const { town } = markedTown()
        const sent = steps.flatMap((one, index) => take(town, one, index) ?? [])
        town.heal()
        const died = steps.some(([what]) => what === "deliver and die")
        for (const [from, house] of town.houses.entries()) {
          const other = town.houses[1 - from]!
          const mine = sent.filter((one) => one.from === from)
          const shown = [...other.shown.values()].map(({ text }) => text)
          const messages = mine.filter(({ kind }) => kind === "message").map(({ text }) => text)
          // At most once, and in the order in which they were written.
          expect(shown.filter((text) => text.startsWith("message"))).toEqual(
            messages.filter((text) => shown.includes(text))
          )
          expect(new Set(other.started).size).toBe(other.started.length)
          // What is told as delivered is what the operator sent: no end of a run, no number given up.
          for (const event of house.events) {
            if (event._tag === "Delivered") expect(["Log", "Inject"]).toContain(event.kind)
          }
          for (const { id, kind, text } of mine) {
            const outcomes = outcomesOf(house.events, id)
            const finals = kind === "message" ? outcomes : outcomes.filter((one) => one !== "Delivered")
            // A process that dies between a commit and what it told loses that telling; nothing is told twice.
            if (died) expect(finals.length, text).toBeLessThanOrEqual(1)
            else expect(finals.length, text).toBe(1)
            if (outcomes.includes("Answered")) expect(shown).toContain(text)
            if (kind === "message" && finals[0] === "Delivered") expect(shown).toContain(text)
            if (kind === "message" && finals[0] === "Refused") expect(shown).not.toContain(text)
          }
        }
      }),
      { numRuns: 250 }
    )
  })
})

/** bob's session on alice's side, after the beginning: texts of his arrive and are answered. */
const conversation = () => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const feed = (one: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(atMs, ++turns))
    state = next
    return outputs
  }
  for (const one of beginning) feed(one)
  const operate = (command: Input.Command, atMs = noonMs) => feed({ _tag: "Operator", ref: "r", command }, atMs)
  const hear = (message: Message.Message, atMs = noonMs) => {
    const outputs = feed(received(bob, "c0", Codec.encode(message)), atMs)
    return outputs.flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
  }
  const log = (number: number, atMs = noonMs): string => {
    const [answer] = hear({ kind: "Log", stream: ids[0]!, number, text: `text ${number}` }, atMs)
    if (answer === undefined || !("message" in answer)) return "nothing"
    return answer.message.kind === "Reject" ? answer.message.code : answer.message.kind
  }
  return { feed, operate, hear, log, state: () => state }
}

const say = (text: string): Input.Command => ({ _tag: "Message", name: "bob", keyPrefix: "", text })
/** The places of stored messages that go out, and their numbers alone. */
const placesSent = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) =>
    output._tag === "Transmit"
      ? output.messages.flatMap((one) => ("stored" in one ? [[one.stream, one.number] as const] : []))
      : []
  )
const numbersSent = (outputs: ReadonlyArray<Output.Output>) => placesSent(outputs).map(([, number]) => number)

describe("order", () => {
  const revoke = { name: "bob", keyPrefix: "", capability: "message" } as const
  it("a text that was put off and then refused for good holds up none that follow", () => {
    const { log, operate } = conversation()
    for (let number = 1; number <= 30; number++) expect(log(number)).toBe("Receipt")
    expect([log(31), log(32)]).toEqual(["rate-limited", "rate-limited"])
    operate({ _tag: "Revoke", ...revoke })
    expect(log(31, noonMs + 60_000)).toBe("no-capability")
    operate({ _tag: "Grant", ...revoke })
    expect(log(32, noonMs + 60_000)).toBe("Receipt")
  })
  it("nor does one that was given up", () => {
    const { hear, log } = conversation()
    for (let number = 1; number <= 31; number++) log(number)
    hear({ kind: "Skip", stream: ids[0]!, from: 31, to: 31 }, noonMs + 60_000)
    expect(log(32, noonMs + 60_000)).toBe("Receipt")
  })
  it("what waits to be shown after a crash is shown in the order in which it was accepted", () => {
    const { log, state } = conversation()
    for (let number = 1; number <= 12; number++) log(number)
    const again = State.start(alice.self, Records.settled(state().durable))
    const [, outputs] = Step.step(again, { _tag: "Started" }, turnAt(noonMs, 999))
    const shown = outputs.flatMap((output) => (output._tag === "Show" ? output.entry.text : []))
    expect(shown).toEqual(Array.from({ length: 12 }, (_, index) => `text ${index + 1}`))
  })
  it("a later text does not overtake one that was put off, even when the budget would let it", () => {
    const { log } = conversation()
    for (let number = 1; number <= 30; number++) log(number)
    expect(log(31)).toBe("rate-limited")
    // Two seconds refill one; it is for the text that came first.
    expect(log(32, noonMs + 2_000)).toBe("rate-limited")
    expect([log(31, noonMs + 2_000), log(32, noonMs + 4_000)]).toEqual(["Receipt", "Receipt"])
  })
  it("what was under way when a friend asked again keeps its place, and what follows begins a new stream", () => {
    const { feed, operate, state } = conversation()
    const streamNow = () => Table.values(state().durable.outbox.lanes)[0]!.stream
    const old = streamNow()
    // Number 1 is the word of what bob is granted.
    expect(placesSent(operate(say("one")))).toEqual([[old, 2]])
    feed({ _tag: "Line", channel: "lobby", author: "bob", line: signedLine(bob, "alice", noonMs + 1) })
    expect(streamNow()).not.toBe(old)
    expect(placesSent(operate(say("two")))).toEqual([[streamNow(), 1]])
    // On the next session everything goes out again, where it was.
    feed(openedBy(bob, "c1", false))
    expect(placesSent(feed(greeted(bob, "c1")))).toEqual([
      [old, 1],
      [old, 2],
      [streamNow(), 1]
    ])
  })
})

describe("the window", () => {
  it("holds back what does not fit, and each receipt makes room for as many as it confirms", () => {
    const { feed, operate, state } = conversation()
    const most = Limits.sendWindowEntries
    const sent = Array.from({ length: most + 9 }, (_, index) => numbersSent(operate(say(`text ${index}`)))).flat()
    // Number 1, the word of what bob is granted, is under way already.
    expect(sent).toEqual(Array.from({ length: most - 1 }, (_, index) => index + 2))
    const [stream] = Table.values(state().durable.outbox.lanes).map((lane) => lane.stream)
    const receipt = Codec.encode({ kind: "Receipt", stream: stream!, mark: 3, also: [7] })
    expect(numbersSent(feed(received(bob, "c0", receipt)))).toEqual([1, 2, 3, 4].map((more) => most + more))
    expect(numbersSent(feed(received(bob, "c0", receipt)))).toEqual([])
  })
})

/** bob's inject on alice's side: the runs it starts, and the ends that alice sends back. */
const asks = (number: number, id = ids[1]!): Message.Message => ({
  kind: "Inject",
  stream: ids[0]!,
  number,
  id,
  text: "well?",
  timeLimitMs: 1_000
})
const runsOf = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Run" ? output.job : []))
const endsOf = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Tell" && output.event._tag === "JobEnded" ? output.event.code : []))

describe("an inject of a friend", () => {
  const hear = (one: Message.Message) => received(bob, "c0", Codec.encode(one))
  it("runs once for its id, whatever number it comes under, while it runs and after", () => {
    const { feed } = conversation()
    const [job] = runsOf(feed(hear(asks(1))))
    expect(job).toContain(ids[1]!)
    expect(runsOf(feed(hear(asks(2))))).toEqual([])
    const ran: Input.Input = { _tag: "Ran", job: job!, result: { ok: false, code: "sandbox-exit", detail: "" } }
    expect(endsOf(feed(ran))).toEqual(["sandbox-exit"])
    expect(endsOf(feed(ran))).toEqual([])
    expect(runsOf([...feed(hear(asks(3))), ...feed(hear(asks(1)))])).toEqual([])
  })
  it("that ran when the process died is interrupted for good, each of them, and none is run again", () => {
    const { feed, state } = conversation()
    for (const number of [1, 2, 3]) expect(runsOf(feed(hear(asks(number, ids[number]))))).toHaveLength(1)
    const again = State.start(alice.self, Records.settled(state().durable))
    const [, outputs] = Step.step(again, { _tag: "Started" }, turnAt(noonMs, 999))
    expect(endsOf(outputs)).toEqual(["interrupted", "interrupted", "interrupted"])
    expect(runsOf(outputs)).toEqual([])
  })
  it("whose sandbox lets out more than it may is a failed run, not a broken turn", () => {
    const confinement = {
      engine: "",
      containerId: "",
      user: "",
      network: "",
      readOnlyRoot: true,
      memoryBytes: 1,
      pids: 1,
      cpus: 1
    }
    for (const [over, code] of [
      [0, null],
      [1, "sandbox-output"]
    ] as const) {
      const { feed } = conversation()
      const [job] = runsOf(feed(hear(asks(1))))
      const answer = { output: new Uint8Array(Limits.answerBytesMax + over), confinement }
      expect(endsOf(feed({ _tag: "Ran", job: job!, result: { ok: true, answer } }))).toEqual([code])
    }
  })
})
