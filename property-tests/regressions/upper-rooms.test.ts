/**
 * What was found by reading friending, admission and parting closely: each weakness as a case that failed before.
 * Only the pure step is driven, with people who have real keys; where egress is the point, a whole node in one process.
 * The titles say what must be true, not what was wrong.
 */
import { Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import * as Unshown from "../../core/delivery/Unshown.ts"
import * as Roster from "../../core/friend/Roster.ts"
import { Codec, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import * as Parting from "../../core/node/Parting.ts"
import * as Table from "../../core/Table.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import {
  alice,
  beginning,
  bob,
  greeted,
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
import { befriend, makeWorld, says } from "../world/World.ts"

/** A node of alice's that takes inputs one by one. */
const node = (first: ReadonlyArray<Input.Input> = beginning) => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const feed = (one: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(atMs, ++turns))
    state = next
    return outputs
  }
  for (const one of first) feed(one)
  const operate = (command: Input.Command, atMs = noonMs) => feed({ _tag: "Operator", ref: "r", command }, atMs)
  const hear = (message: Message.Message, connection = "c0", atMs = noonMs) =>
    feed(received(bob, connection, Codec.encode(message)), atMs)
  const change = (next: (before: State.State) => State.State): void => {
    state = next(state)
  }
  return { feed, operate, hear, change, state: () => state }
}
const tags = (outputs: ReadonlyArray<Output.Output>) => outputs.map((output) => output._tag)
const told = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Tell" ? output.event._tag : []))
const replyOf = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) =>
    output._tag === "Reply" ? (output.reply.ok ? "ok" : output.reply.rejection.code) : []
  )[0]
const said = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) =>
    output._tag === "Transmit" ? output.messages.flatMap((one) => ("message" in one ? one.message : [])) : []
  )
const log = (number: number, text = `text ${number}`): Message.Message => ({
  kind: "Log",
  stream: ids[0]!,
  number,
  text
})
const asks = (number: number): Message.Message => ({
  kind: "Inject",
  stream: ids[0]!,
  number,
  id: ids[1]!,
  text: "well?",
  timeLimitMs: 1_000
})
const lineOf = (
  by: Person,
  options: {
    readonly channel?: string
    readonly author?: string | null
    readonly from?: string
    readonly re?: string
  } = {}
): Input.Input => ({
  _tag: "Line",
  channel: options.channel ?? "lobby",
  author: options.author ?? null,
  line: signedLine(by, "alice", noonMs, {
    ...(options.from === undefined ? {} : { from: options.from }),
    ...(options.re === undefined ? {} : { requestSignature: options.re })
  })
})

describe("a ban", () => {
  /** Ten times another body under a number that is known. */
  const banned = (before: (feed: (one: Input.Input) => unknown) => void = () => undefined) => {
    const made = node()
    made.hear(log(1))
    before(made.feed)
    const clashes = Array.from({ length: Limits.violationsMax }, () => made.hear(log(1, "another")))
    return { ...made, clashes }
  }
  it("comes at the tenth violation, not before and not later", () => {
    const { clashes } = banned()
    expect(clashes.map((outputs) => told(outputs).includes("Banned"))).toEqual([...Array(9).fill(false), true])
  })
  it("shuts out what is under way on the old link too, and nothing of it is shown or answered", () => {
    const { feed, hear, state } = banned()
    const shown = Table.size(state().durable.unshown)
    for (const message of [log(2), asks(2), { kind: "Ping", nonce: ids[0]! } as const])
      expect(hear(message)).toEqual([])
    expect(Table.size(state().durable.unshown)).toBe(shown)
    // When it is over, the same link is heard again.
    feed({ _tag: "Tick" }, noonMs + Limits.banMs)
    expect(told(hear(log(2), "c0", noonMs + Limits.banMs))).toEqual(["Received"])
  })
  it("hangs up the peer's session, also when the violation came on another link", () => {
    const { clashes } = banned((feed) => {
      feed(openedBy(bob, "c1", false))
      feed(greeted(bob, "c1"))
    })
    const hungUp = clashes.at(-1)?.flatMap((output) => (output._tag === "HangUp" ? output.connection : []))
    expect(hungUp?.sort()).toEqual(["c0", "c1"])
  })
})

describe("a second acceptance", () => {
  /** bob has answered alice's request and may inject; one of his injects runs. */
  const answered = () => {
    const made = node(beginning.slice(0, 2))
    made.operate({ _tag: "Friend", channel: "lobby", to: "bob" })
    const signature = "the request's signature"
    made.feed({ _tag: "LineSigned", kind: "request", key: Roster.askedKey("lobby", "bob"), signature })
    made.feed(lineOf(bob, { re: signature }))
    made.operate({ _tag: "Grant", name: "bob", keyPrefix: "", capability: "inject" })
    made.feed(openedBy(bob, "c0", false))
    made.feed(greeted(bob, "c0"))
    expect(tags(made.hear(asks(1)))).toContain("Run")
    return { ...made, signature }
  }
  it("in another channel or under another name raises no alarm: it never was an answer", () => {
    for (const elsewhere of [{ channel: "attic", from: "bob" }, { from: "mallory" }]) {
      const { feed, signature, state } = answered()
      expect(told(feed(lineOf(mallory, { ...elsewhere, re: signature })))).toEqual(["LineRefused"])
      expect(Table.values(state().durable.roster.friends)[0]?.alarmed).toBe(false)
    }
  })
  it("in the channel and under the name that were asked, however written, raises it and stops what runs", () => {
    const { feed, signature, state } = answered()
    const outputs = feed(lineOf(mallory, { from: "BOB", re: signature }))
    expect(told(outputs)).toEqual(["Alarm", "JobEnded"])
    expect(tags(outputs)).toContain("Stop")
    expect(Table.values(state().durable.roster.friends)[0]?.alarmed).toBe(true)
  })
})

describe("a friend line", () => {
  it("that somebody posts ahead under another account does not burn the honest one", () => {
    const { feed, state } = node([])
    expect(told(feed(lineOf(bob, { author: "mallory" })))).toEqual(["LineRefused"])
    expect(told(feed(lineOf(bob, { author: "bob" })))).toEqual(["RequestReceived"])
    // Once it was heard it is not heard again.
    expect(feed(lineOf(bob, { author: "bob" }))).toEqual([])
    expect(Table.size(state().durable.replay)).toBe(1)
  })
  it("posted over and over under another account is told no oftener than so many times a minute", () => {
    const { feed } = node([])
    const codes = Array.from({ length: Limits.linesPerMinute + 5 }, () => feed(lineOf(bob, { author: "mallory" })))
      .flat()
      .flatMap((output) =>
        output._tag === "Tell" && output.event._tag === "LineRefused" ? output.event.rejection.code : []
      )
    expect(codes).toEqual(Array.from({ length: Limits.refusedLinesOfOnePerMinute }, () => "author-mismatch"))
  })
})

describe("a request that is accepted and not yet posted", () => {
  const accepted = () => {
    const made = node([])
    made.feed(lineOf(bob))
    expect(replyOf(made.operate({ _tag: "Accept", name: "bob", keyPrefix: "" }))).toBe("ok")
    return made
  }
  it("can be neither accepted again nor denied", () => {
    const { operate, state } = accepted()
    for (const tag of ["Accept", "Deny"] as const) {
      expect(replyOf(operate({ _tag: tag, name: "bob", keyPrefix: "" }))).toBe("unknown-peer")
    }
    expect(Table.size(state().durable.roster.askedBy)).toBe(1)
  })
  it("can be accepted once more when the channel would not take the line, and not be denied", () => {
    const { feed, operate } = accepted()
    const key = Roster.askedByKey("lobby", bob.proof.signer.peerId)
    const rejection = { _tag: "Rejection", code: "no-channel", detail: "", retryAfterMs: 0 } as const
    expect(told(feed({ _tag: "LinePosted", kind: "accept", key, rejection }))).toEqual(["LineNotPosted"])
    expect(replyOf(operate({ _tag: "Deny", name: "bob", keyPrefix: "" }))).toBe("unknown-peer")
    expect(tags(operate({ _tag: "Accept", name: "bob", keyPrefix: "" }))).toContain("PostLine")
    expect(replyOf(operate({ _tag: "Accept", name: "bob", keyPrefix: "" }))).toBe("unknown-peer")
  })
})

describe("a conversation log that takes nothing", () => {
  it("is felt by senders, not by memory: texts and injects are put off, and taken once it works again", () => {
    const { change, feed, hear, state } = node()
    const entry = (index: number) => ({ id: `${index}`, conversation: "", label: "", atMs: 0, from: "", text: "" })
    const waiting = Array.from({ length: Limits.unshownMax - 1 }, (_, index) => [`${index}`, entry(index)] as const)
    change((before) => State.withDurable(before, { unshown: Unshown.load(Table.loaded(waiting)) }))
    expect(told(hear(log(1)))).toEqual(["Received"])
    for (const message of [log(2), asks(2)]) {
      expect(said(hear(message))).toMatchObject([{ kind: "Reject", code: "storage-failed", number: 2 }])
    }
    expect(Table.size(state().durable.unshown)).toBe(Limits.unshownMax)
    feed({ _tag: "Shown", shown: [{ id: "7", failed: false }] })
    expect(told(hear(log(2)))).toEqual(["Received"])
  })
  it("is felt as early by senders of long texts: 64 MiB of them are as many as memory has room for", () => {
    const { change, feed, hear } = node()
    const text = "x".repeat(1_000_000)
    const entry = (index: number) => ({ id: `${index}`, conversation: "", label: "", atMs: 0, from: "", text })
    const count = Math.ceil(Limits.unshownCharactersMax / text.length)
    const waiting = Array.from({ length: count }, (_, index) => [`${index}`, entry(index)] as const)
    change((before) => State.withDurable(before, { unshown: Unshown.load(Table.loaded(waiting)) }))
    expect(said(hear(log(1)))).toMatchObject([{ kind: "Reject", code: "storage-failed", number: 1 }])
    feed({ _tag: "Shown", shown: [{ id: "7", failed: false }] })
    expect(told(hear(log(1)))).toEqual(["Received"])
  })
})

describe("a former friend for whom there is no room any more", () => {
  it("is forgotten with its streams, its queue, its budgets and all else that was kept of it", () => {
    const { change, feed, hear, operate, state } = node()
    hear(log(1))
    hear(asks(2))
    operate({ _tag: "Message", name: "bob", keyPrefix: "", text: "still here?" })
    operate({ _tag: "Unfriend", name: "bob", keyPrefix: "" })
    const { peerId } = bob.proof.signer
    const former = Table.get(state().durable.roster.friends, peerId)!
    const crowd = Array.from({ length: Limits.friendsMax - 1 }, (_, index) => {
      const one = { ...former, standing: "Friend" as const, peerId: `crowd ${index}` as typeof peerId }
      return [one.peerId, one] as const
    })
    change((before) => State.withRoster(before, { friends: Table.loaded([...crowd, [peerId, former] as const]) }))
    const carol = person("carol")
    feed({ ...(lineOf(carol) as Extract<Input.Input, { _tag: "Line" }>) })
    const outputs = operate({ _tag: "Accept", name: "carol", keyPrefix: "" })
    expect(replyOf(outputs)).toBe("ok")
    expect(outputs.flatMap((output) => (output._tag === "HangUp" ? output.connection : []))).toEqual(["c0"])
    const { budgets, grants, inbox, jobs, outbox, roster } = state().durable
    expect(Table.has(roster.friends, peerId)).toBe(false)
    expect(Table.size(roster.friends)).toBe(Limits.friendsMax)
    const kept = [budgets, grants, inbox.outcomes, inbox.streams, jobs, outbox.entries, outbox.lanes] as ReadonlyArray<
      Table.Table<unknown>
    >
    // What there is now is the new friend's.
    const mine = kept.flatMap((table) => Table.pairs(table).filter(([key]) => key.startsWith(peerId)))
    expect(mine).toEqual([])
    expect(Parting.forget(state(), undefined)).toEqual([state(), []])
  })
})

describe("the end of a friendship", () => {
  it("tells what was never sent as refused, and of what was sent that nobody knows", () => {
    const { feed, hear, operate, state } = node()
    const idOf = (outputs: ReadonlyArray<Output.Output>) =>
      outputs.flatMap((output) => (output._tag === "Reply" && output.reply.ok ? output.reply.id : []))[0]
    const say = (text: string) => idOf(operate({ _tag: "Message", name: "bob", keyPrefix: "", text }))
    const sent = say("sent")
    feed({ _tag: "Closed", connection: "c0", rejection: null })
    const kept = say("never sent")
    feed(openedBy(bob, "c1", false))
    const of = Table.get(state().durable.roster.friends, bob.proof.signer.peerId)?.cameOf ?? []
    const outputs = hear({ kind: "Unfriend", stream: ids[0]!, number: 1, of }, "c1")
    const refused = outputs.flatMap((output) =>
      output._tag === "Tell" && output.event._tag === "Refused" ? [[output.event.id, output.event.rejection.code]] : []
    )
    expect(refused).toEqual([
      [sent, "unresolved"],
      [kept, "not-a-friend"]
    ])
  })
})

describe("what an engine says of a sandbox", () => {
  it("is cut to what a message can carry, and the answer arrives", async () => {
    const made = makeWorld()
    try {
      const alice = await made.start("alice")
      const confinement = {
        engine: "e".repeat(5_000),
        containerId: `${"c".repeat(99)}😀`,
        user: "u".repeat(41),
        network: "n".repeat(41),
        readOnlyRoot: true,
        memoryBytes: 1.5,
        pids: Number.NaN,
        cpus: Number.POSITIVE_INFINITY
      }
      const sandbox = Layer.succeed(Sandbox, {
        status: Effect.succeed({ ready: true, engine: "talkative", reason: "" }),
        run: () => Effect.succeed({ output: new TextEncoder().encode("answer"), confinement }),
        converse: () => Effect.die("nobody talks with it")
      })
      const bob = await made.start("bob", { sandbox })
      await befriend(alice, bob)
      await bob.command(says.grant("alice", "inject"))
      const reply = await alice.command(says.inject("bob", "well?"))
      const answered = await alice.wait("Answered", (event) => reply.ok && event.id === reply.id)
      expect(answered.text).toBe("answer")
      expect(answered.confinement).toEqual({
        ...confinement,
        engine: "e".repeat(100),
        containerId: `${"c".repeat(99)}\ufffd`,
        user: "u".repeat(40),
        network: "n".repeat(40),
        memoryBytes: 1,
        pids: 0,
        cpus: 0
      })
    } finally {
      await made.end()
    }
  })
})
