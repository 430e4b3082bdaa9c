/**
 * What a friend, a former friend or a room could do without end: each bound as a test that failed before there was one.
 * It never asserts a speed: what is told, kept and sent is counted, and time is an argument of every turn.
 * Pure turns nearly everywhere, because a budget is a rule about inputs and their times and nothing else.
 */
import { Clock, Effect, HashMap, Stream } from "effect"
import { describe, expect, it } from "vitest"
import * as Openings from "../../core/admission/Openings.ts"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, type Input, Keys, Limits, type Message, type Output, Rejection, State, Step } from "../../core/index.ts"
import * as Gate from "../../core/node/Gate.ts"
import * as Ingress from "../../core/node/Ingress.ts"
import * as StorageFailure from "../../core/node/StorageFailure.ts"
import * as Telling from "../../core/node/Telling.ts"
import * as Table from "../../core/Table.ts"
import * as Present from "../../plugin/Present.ts"
import { StoreError } from "../../ports/RecordStore.ts"
import type { Link, TransportShape } from "../../ports/Transport.ts"
import {
  alice,
  beginning,
  bob,
  crypto,
  ids,
  mallory,
  noonMs,
  openedBy,
  type Person,
  person,
  received,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"
import { says } from "../world/World.ts"

/** Alice, one turn after the other: what each input at its time makes her want. */
class Alice {
  state: State.State
  nowMs = noonMs
  #turns = 0
  constructor(rates: Partial<RateLimit.Rates> = {}) {
    this.state = State.start(alice.self, State.emptyDurable, { ...RateLimit.rates, ...rates })
    for (const one of beginning) this.take(one)
  }
  take(input: Input.Input): ReadonlyArray<Output.Output> {
    const [next, outputs] = Step.step(this.state, input, turnAt(this.nowMs, this.#turns++))
    this.state = next
    return outputs
  }
  /** Bob says something on his session. */
  hear(message: Message.Message, connection = "c0"): ReadonlyArray<Output.Output> {
    return this.take(received(bob, connection, Codec.encode(message)))
  }
  operator(command: Input.Command): ReadonlyArray<Output.Output> {
    return this.take({ _tag: "Operator", ref: "r", command })
  }
  later(ms: number): this {
    this.nowMs += ms
    return this
  }
}

/** The answers on a link, by kind and code. */
const answers = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs
    .flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
    .flatMap((one) => ("message" in one ? [one.message] : []))
    .map((message) => (message.kind === "Reject" ? message.code : message.kind))

const tags = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> => outputs.map(({ _tag }) => _tag)
/** What was told, by kind; refusals and alarms by their code. */
const told = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs
    .flatMap((output) => (output._tag === "Tell" ? [output.event] : []))
    .map((event) => (event._tag === "Alarm" ? event.rejection.code : event._tag))
const log = (stream: string, number: number): Message.Log => ({ kind: "Log", stream, number, text: "x" })

describe("a text that waits", () => {
  const [one, other] = [ids[0]!, ids[1]!]
  it("holds up later ones of its stream until it is settled, whatever happens to its number in another stream", () => {
    const node = new Alice({ message: [{ capacity: 1, windowMs: 60_000 }] })
    expect(answers(node.hear(log(one, 1)))).toEqual(["Receipt"])
    expect(answers(node.hear(log(one, 5)))).toEqual(["rate-limited"])
    node.later(60_000)
    expect(answers(node.hear({ kind: "Skip", stream: other, from: 5, to: 5 }))).toEqual(["withdrawn"])
    expect(answers(node.hear(log(one, 6)))).toEqual(["rate-limited"])
    expect(answers(node.hear(log(one, 5)))).toEqual(["Receipt"])
  })
  it("holds up those of a later stream, whose numbers are lower, until it should have come again and a while longer", () => {
    const node = new Alice()
    expect(answers(node.hear(log(one, Limits.inboxAheadMax + 1)))).toEqual(["too-far-ahead"])
    expect(answers(node.hear(log(other, 1)))).toEqual(["rate-limited"])
    node.later(Limits.retryPauseMs)
    expect(answers(node.hear(log(other, 1)))).toEqual(["rate-limited"])
    node.later(Limits.heldLongerMs)
    expect(answers(node.hear(log(other, 1)))).toEqual(["Receipt"])
  })
})

describe("a friend from whom everything was withdrawn", () => {
  const place = { stream: ids[0]!, number: 1 }
  const sample: { readonly [Kind in Message.Durable["kind"]]: Message.Durable } = {
    Log: { kind: "Log", ...place, text: "x" },
    Inject: { kind: "Inject", ...place, id: ids[2]!, text: "run", timeLimitMs: 1_000 },
    Cancel: { kind: "Cancel", ...place, id: ids[2]! },
    Done: { kind: "Done", ...place, id: ids[2]!, outcome: "failed", length: 0, sha256: "A".repeat(43) },
    Held: { kind: "Held", ...place, id: ids[2]!, reason: "always", expiresAtMs: 1 },
    GrantChanged: { kind: "GrantChanged", ...place, capabilities: [] },
    Unfriend: { kind: "Unfriend", ...place, of: [] },
    Introduce: {
      kind: "Introduce",
      ...place,
      id: ids[2]!,
      key: mallory.self.identityKey,
      name: "mallory",
      yours: alice.self.identityKey,
      expiresAtMs: noonMs + 1_000
    }
  }
  it.each(Object.values(sample))("gets nothing shown and nothing run by $kind", (it) => {
    const node = new Alice()
    node.operator(says.revoke("bob", "message"))
    const outputs = node.hear(it)
    expect(outputs.filter(({ _tag }) => _tag === "Show" || _tag === "Run")).toEqual([])
    expect(answers(outputs)).toEqual([Gate.needs[it.kind] === null ? "Receipt" : "no-capability"])
  })
})

describe("messages of kinds that only a later version knows", () => {
  it("are counted like any other: a flood of them ends the session, and then in a ban", () => {
    const node = new Alice()
    const body = new TextEncoder().encode(JSON.stringify({ kind: "FromTomorrow" }))
    const flood = () => node.take(received(bob, "c0", body))
    for (let count = 1; count < Limits.controlPerSecond; count++) expect(flood()).toEqual([])
    expect(flood()).toMatchObject([{ _tag: "HangUp", code: "flooding" }])
    for (let count = 2; count < Limits.violationsMax; count++) flood()
    expect(tags(flood())).toContain("Block")
  })
})

/** What waits for bob, by kind. */
const waitingFor = ({ state }: Alice): ReadonlyArray<string> =>
  Table.values(state.durable.outbox.entries).map(({ kind }) => kind)

describe("commands about a friend who is away", () => {
  it("a grant that is given and withdrawn a hundred times leaves a bounded queue, whose end is what is true", () => {
    const node = new Alice()
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    for (let count = 0; count < 100; count++) {
      expect(node.operator(says.grant("bob", "inject"))[0]).toMatchObject({ reply: { ok: true } })
      expect(node.operator(says.revoke("bob", "inject"))[0]).toMatchObject({ reply: { ok: true } })
    }
    expect(waitingFor(node).filter((kind) => kind === "GrantChanged").length).toBeLessThanOrEqual(
      // One had left before bob was away: it is repeated as it was.
      Limits.grantChangesWaitingMax + 1
    )
    const last = Table.values(node.state.durable.outbox.entries).at(-1)
    expect(JSON.parse(last?.body ?? "")).toMatchObject({ kind: "GrantChanged", capabilities: ["message"] })
  })
  it("an inject that is cancelled a hundred times leaves one question", () => {
    const node = new Alice()
    const asked = node.operator(says.inject("bob", "think", 60_000))
    const sent = asked.flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
    for (const one of sent) {
      if ("stored" in one) node.hear({ kind: "Receipt", stream: one.stream, mark: one.number, also: [] })
    }
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    const { id } = Table.values(node.state.durable.calls)[0]!
    for (let count = 0; count < 100; count++) {
      expect(node.operator({ _tag: "Cancel", id })[0]).toMatchObject({ reply: { ok: true } })
    }
    expect(waitingFor(node)).toEqual(["Cancel"])
  })
})

describe("a friend that opens links and ends them at once", () => {
  it.each(["before", "after"])(
    "%s a greeting is dialled ever more seldom, and as soon as ever once they hold",
    (when) => {
      const node = new Alice()
      node.operator(says.message("bob", "hello"))
      node.later(1).take({ _tag: "Closed", connection: "c0", rejection: null })
      const dialled = (): boolean => tags(node.later(1_000).take({ _tag: "Tick" })).includes("Dial")
      const open = (connection: string) => {
        node.take(openedBy(bob, connection, true))
        node.take({ _tag: "DialEnded", peerId: bob.proof.signer.peerId })
      }
      let dials = 0
      for (let second = 0; second < 3_600; second++) {
        if (!dialled()) continue
        open(`dial ${++dials}`)
        if (when === "after") node.hear({ kind: "Greeting", streams: [], run: ids[3]! }, `dial ${dials}`)
        node.take({ _tag: "Closed", connection: `dial ${dials}`, rejection: null })
      }
      // A quarter of a second, doubled up to a minute: a handful at first, then one or two a minute.
      expect(dials).toBeGreaterThan(50)
      expect(dials).toBeLessThan(140)
      while (!dialled());
      open("c0")
      node.hear({ kind: "Greeting", streams: [], run: ids[3]! })
      node.later(Limits.sessionHoldsMs).take({ _tag: "Closed", connection: "c0", rejection: null })
      expect(dialled()).toBe(true)
    }
  )
  it("is dialled as soon as ever once it has confirmed something", () => {
    const node = new Alice()
    node.operator(says.message("bob", "hello"))
    for (let count = 0; count < 12; count++) {
      node.take({ _tag: "Closed", connection: "c0", rejection: null })
      node.later(61_000).take({ _tag: "Tick" })
      node.take(openedBy(bob, "c0", true))
    }
    const [sent] = node
      .hear({ kind: "Greeting", streams: [], run: ids[3]! })
      .flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
    if (sent === undefined || !("stored" in sent)) throw new Error("nothing was sent")
    node.operator(says.message("bob", "and again"))
    node.hear({ kind: "Receipt", stream: sent.stream, mark: sent.number, also: [] })
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    expect(tags(node.later(1_000).take({ _tag: "Tick" }))).toContain("Dial")
  })
})

describe("a session that stands still", () => {
  const hangs = (outputs: ReadonlyArray<Output.Output>): boolean => tags(outputs).includes("HangUp")
  const tick = (node: Alice, ms: number): boolean => hangs(node.later(ms).take({ _tag: "Tick" }))
  const opened = (text: string) => {
    const node = new Alice()
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    node.operator(says.message("bob", text))
    node.take(openedBy(bob, "c0", true))
    return node
  }

  it("without a greeting is hung up after half a minute, if something waits", () => {
    const node = opened("hello")
    expect(tick(node, Limits.greetingDueMs - 1)).toBe(false)
    expect(tick(node, 1)).toBe(true)
  })
  it("without a receipt of what was sent first is hung up after two minutes, however much is sent meanwhile", () => {
    const node = opened("hello")
    node.hear({ kind: "Greeting", streams: [], run: ids[3]! })
    expect(tick(node, 1)).toBe(false)
    node.later(60_000).operator(says.message("bob", "are you there?"))
    expect(tick(node, Limits.receiptDueMs - 60_001)).toBe(false)
    expect(tick(node, 1)).toBe(true)
  })
  it("goes on as long as receipts come, and when nothing is due", () => {
    const node = opened("hello")
    const sentBy = (outputs: ReadonlyArray<Output.Output>) =>
      outputs
        .flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
        .flatMap((one) => ("stored" in one ? [one] : []))
    let [sent] = sentBy(node.hear({ kind: "Greeting", streams: [], run: ids[3]! }))
    for (let count = 0; count < 20; count++) {
      expect(tick(node, Limits.receiptDueMs - 1)).toBe(false)
      const more = sentBy(node.operator(says.message("bob", `text ${count}`)))
      node.hear({ kind: "Receipt", stream: sent!.stream, mark: sent!.number, also: [] })
      sent = more[0]
      expect(tick(node, 1)).toBe(false)
    }
    node.hear({ kind: "Receipt", stream: sent!.stream, mark: sent!.number, also: [] })
    for (let count = 0; count < 5; count++) expect(tick(node, Limits.receiptDueMs)).toBe(false)
  })
})

describe("a former friend that never confirms the end", () => {
  const ended = () => {
    const node = new Alice()
    node.operator(says.unfriend("bob"))
    return node
  }
  const dials = (outputs: ReadonlyArray<Output.Output>) => tags(outputs).filter((tag) => tag === "Dial")

  it("is heard for a short time only, and looked for less and less often", () => {
    const node = ended()
    node.take({ _tag: "Tick" })
    expect(Step.nextWakeMs(node.state, node.nowMs)).toBeLessThanOrEqual(node.nowMs + Limits.farewellMs)
    node.later(Limits.farewellMs)
    expect(node.take({ _tag: "Tick" })).toContainEqual({ _tag: "HangUp", connection: "c0", code: null })
    expect(tags(node.take({ _tag: "Tick" }))).not.toContain("HangUp")
    let found = 0
    let connection = "c0"
    node.take({ _tag: "Closed", connection, rejection: null })
    for (let minute = 0; minute < 24 * 60; minute++) {
      if (dials(node.later(60_000).take({ _tag: "Tick" })).length === 0) continue
      connection = `dial ${++found}`
      node.take(openedBy(bob, connection, true))
      node.take({ _tag: "DialEnded", peerId: bob.proof.signer.peerId })
      node.later(Limits.farewellMs)
      expect(tags(node.take({ _tag: "Tick" }))).toContain("HangUp")
      node.take({ _tag: "Closed", connection, rejection: null })
    }
    // Pauses are half to all of what doubles up to an hour: some before it is reached, then at most two an hour.
    expect(found).toBeGreaterThan(20)
    expect(found).toBeLessThan(2 * 24 + 15)
  })
  it("hears that it is none, and nothing else it says is remembered, told or answered", () => {
    const node = ended()
    const before = node.state.durable
    for (let number = 1; number <= 100; number++) {
      expect(node.hear(log(ids[0]!, number)).map((output) => output._tag)).toEqual(["Transmit"])
    }
    for (const message of [
      { kind: "Ping", nonce: ids[0]! },
      { kind: "Resume", id: ids[0]!, offset: 0, upTo: 10 },
      { kind: "Skip", stream: ids[0]!, from: 1, to: 1 },
      { kind: "Skip", stream: ids[0]!, from: 1, to: 9 }
    ] as const) {
      expect(node.hear(message)).toEqual([])
    }
    expect(node.state.durable).toEqual(before)
  })
  const again = (node: Alice) => {
    node.take({ _tag: "Line", channel: "lobby", author: "bob", line: signedLine(bob, "alice", node.nowMs) })
    node.operator(says.accept("bob"))
  }
  it("keeps its session if it becomes a friend again", () => {
    const node = ended()
    again(node)
    node.later(Limits.farewellMs)
    expect(tags(node.take({ _tag: "Tick" }))).not.toContain("HangUp")
  })
  it("is dialled at once if it becomes a friend again, however often it could not be reached before", () => {
    const node = ended()
    node.take({ _tag: "Closed", connection: "c0", rejection: null })
    for (let count = 0; count < 20; count++) node.take({ _tag: "DialEnded", peerId: bob.proof.signer.peerId })
    expect(dials(node.later(60_000).take({ _tag: "Tick" }))).toEqual([])
    again(node)
    expect(dials(node.operator(says.message("bob", "hello again")))).toEqual(["Dial"])
  })
})

describe("a friend that contradicts itself about our numbers", () => {
  const stored = (outputs: ReadonlyArray<Output.Output>) =>
    outputs
      .flatMap((output) => (output._tag === "Transmit" ? output.messages : []))
      .flatMap((one) => ("stored" in one ? [one] : []))

  it("is believed twice, then called what it is; our messages wait, and are tried every hour", () => {
    const node = new Alice()
    const seen: Array<string> = []
    let attempts = 0
    let outputs = node.operator(says.message("bob", "hello"))
    for (let minute = 0; minute < 5 * 60; minute++) {
      for (let sent = stored(outputs); sent.length > 0; sent = stored(outputs)) {
        attempts += sent.length
        outputs = sent.flatMap(({ number, stream }) =>
          node.hear({ kind: "Reject", code: "sequence-conflict", stream, number })
        )
        seen.push(...told(outputs))
      }
      outputs = node.later(60_000).take({ _tag: "Tick" })
    }
    // Believed twice, and told once: the second time came within the hour.
    expect(seen.slice(0, 2)).toEqual(["DiskOlder", "self-contradiction"])
    expect(seen.filter((one) => one === "DiskOlder")).toEqual(["DiskOlder"])
    expect(seen.filter((one) => one === "self-contradiction").length).toBeLessThanOrEqual(6)
    expect(seen.filter((one) => one === "self-contradiction").length).toBeGreaterThanOrEqual(4)
    expect(attempts).toBeLessThanOrEqual(10)
    expect(waitingFor(node)).toEqual(["Log"])
  })
  it("is not believed more often if it says so in a greeting", () => {
    const node = new Alice()
    const seen: Array<string> = []
    for (let session = 1; session <= 20; session++) {
      const { stream } = Table.values(node.state.durable.outbox.lanes)[0]!
      node.take({ _tag: "Closed", connection: "c0", rejection: null })
      node.take(openedBy(bob, "c0", false))
      const streams = [{ stream, mark: 1_000 }]
      seen.push(...told(node.hear({ kind: "Greeting", streams, run: ids[3]! })))
    }
    expect(seen.filter((one) => one === "DiskOlder")).toHaveLength(1)
    expect(seen).toContain("self-contradiction")
  })
})

describe("what is told of others", () => {
  const grant = (number: number): Message.GrantChanged => ({
    kind: "GrantChanged",
    stream: ids[0]!,
    number,
    capabilities: number % 2 === 0 ? ["message"] : ["inject", "message"]
  })
  const notShown = (outputs: ReadonlyArray<Output.Output>) =>
    outputs.flatMap((output) => (output._tag === "Tell" && output.event._tag === "NotShown" ? [output.event] : []))
  /** Somebody asks, or claims to; where the room proves no author. */
  const asks = (by: Person, name: string, nowMs: number): Input.Input => ({
    _tag: "Line",
    channel: "lobby",
    author: null,
    line: signedLine(by, "alice", nowMs, { from: name })
  })

  it("news of a friend end at so many a minute; the rest is one number, as soon as the minute is over", () => {
    const node = new Alice()
    const all: Array<string> = []
    for (let number = 1; number <= 3_000; number++) all.push(...told(node.later(1).hear(grant(number))))
    expect(all.every((one) => one === "GrantChanged")).toBe(true)
    expect(all.length).toBeLessThanOrEqual(Limits.newsPerMinute)
    expect(all.length).toBeGreaterThan(Limits.newsPerMinute / 2)
    const wakeMs = Step.nextWakeMs(node.state, node.nowMs)
    expect(wakeMs).toBeLessThan(node.nowMs + Limits.tellingWindowMs)
    node.nowMs = wakeMs
    expect(notShown(node.take({ _tag: "Tick" }))).toMatchObject([
      { what: "news", name: "bob", count: 3_000 - all.length }
    ])
    expect(notShown(node.later(Limits.tellingWindowMs).take({ _tag: "Tick" }))).toEqual([])
    expect(told(node.hear(grant(3_001)))).toEqual(["GrantChanged"])
  })
  it("a minute that goes on into the next is told at its end, not at the end of the flood", () => {
    const node = new Alice()
    const counts: Array<number> = []
    for (let number = 1; number <= 1_000; number++) {
      counts.push(...notShown(node.later(200).hear(grant(number))).map(({ count }) => count))
    }
    expect(counts).toHaveLength(3)
    for (const one of counts) expect(one).toBe(300 - Limits.newsPerMinute)
  })
  it("alarms are not hidden behind news, nor those of one friend behind those of another; texts are told as ever", () => {
    const node = new Alice()
    node.take(asks(mallory, "mallory", node.nowMs))
    node.operator(says.accept("mallory"))
    for (let number = 1; number <= 1_000; number++) node.later(1).hear(grant(number))
    // No alarm that there is can be raised so often; a new one may be.
    const { peerId } = Table.values(node.state.durable.roster.friends).find(({ name }) => name === "bob")!
    const alarm: Output.Output = {
      _tag: "Tell",
      event: { _tag: "DiskOlder", peerId: peerId as PeerId, name: "bob", whose: "theirs" }
    }
    const alarms = Array.from({ length: 1_000 }, () => alarm)
    const [state, kept] = Telling.bound([node.state, alarms], { _tag: "Tick" }, turnAt(node.nowMs, 1))
    node.state = state
    expect(told(kept)).toEqual(Array.from({ length: Limits.alarmsPerMinute }, () => "DiskOlder"))
    expect(told(node.take(asks(person("another mallory"), "mallory", node.nowMs)))).toContain("key-change")
    expect(told(node.hear(log(ids[0]!, 1_001)))).toEqual(["Received"])
    expect(notShown(node.later(Limits.tellingWindowMs).take({ _tag: "Tick" })).map(({ what }) => what)).toEqual([
      "alarms",
      "news"
    ])
  })
  it("who is no friend shares one budget with all who are not, however many keys it makes", () => {
    const node = new Alice()
    const all = Array.from({ length: 70 }, (_, index) =>
      told(node.take(openedBy(person("x"), `s${index}`, false)))
    ).flat()
    expect(all).toHaveLength(Limits.newsPerMinute)
  })

  const refused = (channel: string, author: string | null, claimed: string): Input.Input => {
    const rejection = Rejection.make("line-forged")
    return { _tag: "LineRefused", channel, author, claimed, rejection }
  }
  const floods: ReadonlyArray<readonly [string, number, (index: number) => Input.Input]> = [
    ["one author's", Limits.refusedLinesOfOnePerMinute, (index) => refused("lobby", "eve", `n${index}`)],
    ["those under one name", Limits.refusedLinesOfOnePerMinute, () => refused("lobby", null, "Eve")],
    ["a room's", Limits.refusedLinesPerMinute, (index) => refused("lobby", null, `n${index}`)]
  ]
  it.each(floods)(
    "of lines that were refused %s end at so many a minute, and other rooms are told",
    (_, most, line) => {
      const node = new Alice()
      const all = Array.from({ length: 1_000 }, (_one, index) => told(node.take(line(index)))).flat()
      expect(all).toEqual(Array.from({ length: most }, () => "LineRefused"))
      expect(told(node.take(refused("attic", null, "eve")))).toEqual(["LineRefused"])
      const [summary] = notShown(node.later(Limits.tellingWindowMs).take({ _tag: "Tick" }))
      expect(summary).toMatchObject({ what: "lines", name: "lobby", peerId: null, count: 1_000 - most })
      if (summary !== undefined)
        expect(Present.event(summary).text).toContain(`${1_000 - most} more friend lines in lobby`)
    }
  )
  it("a line that could not be stored is told as one that was refused, within the same bounds", () => {
    const line = asks(mallory, "mallory", noonMs)
    const { next, outputs } = StorageFailure.instead(line, new StoreError({ code: "disk-full", message: "no space" }))
    expect(outputs).toEqual([])
    const node = new Alice()
    const all = Array.from({ length: 100 }, () => told(node.take(next!))).flat()
    expect(all).toHaveLength(Limits.refusedLinesOfOnePerMinute)
  })
})

describe("links that a friend begins again and again", () => {
  /** Alice's door, with bob and mallory as friends; gives whether a link with this transport key was read at all. */
  const door = () => {
    const node = new Alice()
    node.take({ _tag: "Line", channel: "lobby", author: "mallory", line: signedLine(mallory, "alice", noonMs) })
    node.operator(says.accept("mallory"))
    node.take(openedBy(mallory, "c1", false))
    let openings = Openings.none
    const world: Ingress.World = {
      crypto,
      keys: alice.keys,
      transport: { localKey: new Uint8Array(32) } as TransportShape,
      state: () => node.state,
      offer: () => Effect.void,
      offerAll: () => Effect.void,
      writers: new Map(),
      openings: new Set(),
      admitLink: (source, nowMs) => {
        const asked = Openings.admit(openings, source, nowMs)
        openings = asked.openings
        return asked.admitted
      }
    }
    let count = 0
    return (by: Person, nowMs: number, host?: string): boolean => {
      let read = false
      const receive = Stream.suspend(() => {
        read = true
        return Stream.empty
      })
      const remoteKey = Keys.keyBytes(by.swarmKey)
      const nothing = { send: () => Effect.void, close: Effect.void, abort: Effect.void, binding: new Uint8Array(0) }
      const place = host === undefined ? {} : { remoteAddress: { host, port: 1 } }
      const link: Link = { id: `${++count}`, initiator: false, remoteKey, topics: [], receive, ...nothing, ...place }
      const clock = { ...Effect.runSync(Effect.clockWith(Effect.succeed)), currentTimeMillis: Effect.succeed(nowMs) }
      Effect.runSync(Ingress.serveLink(world, link).pipe(Effect.provideService(Clock.Clock, clock)))
      return read
    }
  }
  const opened = (knock: ReturnType<typeof door>, by: Person, nowMs: number, times: number) =>
    Array.from({ length: times }, () => knock(by, nowMs)).filter((read) => read).length

  it("are opened so many at once and one more every two seconds; another friend and strangers do not wait for it", () => {
    const knock = door()
    expect(opened(knock, bob, noonMs, 1_000)).toBe(Limits.friendOpeningsMax)
    expect(opened(knock, mallory, noonMs, 1)).toBe(1)
    expect(opened(knock, person("stranger"), noonMs, 1)).toBe(1)
    expect(opened(knock, bob, noonMs + 20_000, 1_000)).toBe(10)
    expect(opened(knock, bob, noonMs + 3_600_000, 1_000)).toBe(Limits.friendOpeningsMax)
  })
  it("of one stranger that floods leave room for another, also if it makes a new key for each from one place", () => {
    const knock = door()
    const loud = person("loud")
    expect(opened(knock, loud, noonMs, 1_000)).toBe(Limits.strangerOpeningsOfKeyPerMinute)
    const many = Array.from({ length: 100 }, (_, index) => person(`loud ${index}`))
    expect(many.filter((one) => knock(one, noonMs, "one place")).length).toBe(Limits.strangerOpeningsOfHostPerMinute)
    expect(opened(knock, person("stranger"), noonMs, 1)).toBe(1)
  })
  it("are forgotten with their budget full, however many friends there are", () => {
    let openings = Openings.none
    for (let index = 0; index < 2 * Limits.openingsRememberedMax; index++) {
      const source = { friend: `friend ${index}` }
      openings = Openings.admit(openings, source, noonMs + index * Limits.friendOpeningsWindowMs).openings
    }
    expect(HashMap.size(openings.friends)).toBeLessThanOrEqual(Limits.openingsRememberedMax)
  })
})
