/**
 * What a malicious friend, or a stranger in the room, could do with the source in hand: each as a test that failed first.
 * It never asserts a speed: unbounded growth is counted, waiting is for events.
 * Whole nodes where the world matters, pure values where one rule is enough; the titles say what must be true.
 */
import { Effect, Fiber, HashMap, Redacted, Result, Stream } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import * as Base64url from "../../core/bytes/Base64url.ts"
import * as Calls from "../../core/delivery/Calls.ts"
import * as Inbox from "../../core/delivery/Inbox.ts"
import * as Jobs from "../../core/delivery/Jobs.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, type Input, Limits, type Message, State, Step } from "../../core/index.ts"
import * as Writer from "../../core/node/Writer.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import * as Table from "../../core/Table.ts"
import * as Commands from "../../plugin/Commands.ts"
import type { Link } from "../../ports/Transport.ts"
import {
  alice,
  beginning,
  bob,
  crypto,
  ids,
  mallory,
  noonMs,
  openedBy,
  received,
  signedLine,
  turnAt
} from "../arbitraries/state.ts"
import { befriend, deliver, makeWorld, says, until, type World } from "../world/World.ts"

const worlds: Array<World> = []
const world = (): World => {
  const made = makeWorld()
  worlds.push(made)
  return made
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.end()
})

const peer = "bob" as PeerId
const streamAt = (index: number): string => index.toString(16).padStart(32, "0")

const record = (inbox: Inbox.Inbox, stream: string, number: number): Inbox.Inbox =>
  Inbox.record(inbox, peer, stream, number, { hash: "h" }, noonMs)

describe("the memory of a friend's streams", () => {
  it("holds two of them, however many are skipped into being", () => {
    let inbox = Inbox.empty
    for (let index = 0; index < 20; index++) {
      inbox = Inbox.closeForgotten(inbox, peer, streamAt(index), 1, 2, noonMs) ?? inbox
    }
    expect(Inbox.marks(inbox, peer).map((one) => one.stream)).toEqual([streamAt(18), streamAt(19)])
  })
  it("holds no outcome below its reach, however far a skip jumps", () => {
    let inbox = Inbox.empty
    for (let round = 0; round < 5; round++) {
      const base = round * 10_000
      for (const number of [base + 1, base + 2, base + 4]) inbox = record(inbox, streamAt(0), number)
      inbox = Inbox.closeForgotten(inbox, peer, streamAt(0), base + 3, base + 10_000, noonMs) ?? inbox
    }
    expect(Table.size(inbox.outcomes)).toBe(0)
  })
  it("forgets a stream with all its outcomes, those above a gap too", () => {
    let inbox = Inbox.empty
    for (const number of [1, 2, 5]) inbox = record(inbox, streamAt(0), number)
    for (const index of [1, 2]) inbox = record(inbox, streamAt(index), 1)
    expect(Table.values(inbox.streams).map((one) => one.stream)).toEqual([streamAt(1), streamAt(2)])
    expect(Table.size(inbox.outcomes)).toBe(2)
  })
})

describe("pieces of an answer", () => {
  it("sent byte by byte, or empty, cost few parts", () => {
    let pieces: Calls.Pieces = HashMap.empty()
    for (let offset = 0; offset < 5_000; offset++) {
      pieces = Calls.addChunk(pieces, "id", offset, new Uint8Array([offset % 256]))
      pieces = Calls.addChunk(pieces, "id", offset + 1, new Uint8Array(0))
    }
    expect(Calls.joined(pieces, "id")).toEqual(new Uint8Array(5_000).map((_, index) => index % 256))
    const parts = [...pieces].map(([, one]) => one.parts.length)
    expect(parts[0]).toBeLessThan(20)
  })
  it("are decoded where they are asked for and nowhere else", () => {
    const bytes = new Uint8Array(40_000).map((_, index) => index % 251)
    // The end is no base64url at all: who looks at it gives nothing.
    const answer = `${Base64url.encode(bytes).slice(0, -4)}!!!!`
    const job: Jobs.Job = { peerId: peer, id: "id", state: "finished", startedAtMs: 0, answer }
    const jobs = Table.set(Table.empty<Jobs.Job>(), Jobs.keyOf(peer, "id"), job)
    const chunks = Jobs.chunks(jobs, peer, "id", 1_001, 20_000)
    expect(Base64url.decode(chunks[0]!.message.bytes)).toEqual(bytes.subarray(1_001, 1_001 + Limits.chunkBytes))
  })
})

/** Alice's state after inputs, and what the last one wanted. */
const play = (inputs: ReadonlyArray<Input.Input>): State.Stepped => {
  let stepped: State.Stepped = [State.start(alice.self, State.emptyDurable), []]
  for (const [index, one] of inputs.entries()) stepped = Step.step(stepped[0], one, turnAt(noonMs, index))
  return stepped
}
const said = (message: Message.Message): Input.Input => received(bob, "c0", Codec.encode(message))
const operator = (command: Input.Command): Input.Input => ({ _tag: "Operator", ref: "r", command })

describe("an answer longer than its end says", () => {
  it("is damaged, whatever its hash", () => {
    const asked = play([...beginning, operator(says.inject("bob", "hello"))])
    const id = Table.values(asked[0].durable.calls)[0]!.id
    const bytes = new TextEncoder().encode("more than was said")
    const done = {
      kind: "Done",
      stream: ids[1]!,
      number: 1,
      id,
      outcome: "answered",
      length: 3,
      sha256: Base64url.encode(crypto.sha256(bytes))
    } as const
    const [, outputs] = play([
      ...beginning,
      operator(says.inject("bob", "hello")),
      said({ kind: "Chunk", id, offset: 0, bytes: Base64url.encode(bytes) }),
      said(done)
    ])
    expect(outputs).toEqual([{ _tag: "HangUp", connection: "c0", code: "answer-damaged" }])
  })
})

const asked = (to: string): ReadonlyArray<Input.Input> => [
  operator({ _tag: "Friend", channel: "lobby", to }),
  { _tag: "LineSigned", kind: "request", key: `lobby\n${to}`, signature: "B".repeat(86) }
]
const answered = (by: typeof bob, from: string): Input.Input => ({
  _tag: "Line",
  channel: "lobby",
  author: null,
  line: signedLine(by, "alice", noonMs, { from, requestSignature: "B".repeat(86) })
})

describe("two keys answered one request", () => {
  const befriended = [
    ...beginning.slice(0, 2),
    ...asked("bob"),
    answered(bob, "bob"),
    operator(says.grant("bob", "inject")),
    openedBy(bob, "c0", false)
  ]
  const inject = said({ kind: "Inject", stream: ids[1]!, number: 1, id: ids[2]!, text: "run", timeLimitMs: 1_000 })
  it("what runs for the friend is stopped, not only what it asks next", () => {
    const [state, outputs] = play([...befriended, inject, answered(mallory, "bob")])
    expect(outputs.map((one) => one._tag)).toContain("Stop")
    expect(Jobs.running(state.durable.jobs)).toEqual([])
  })
  it("answering for somebody else whom we asked is no way out of the alarm, nor to another name", () => {
    const [state] = play([...befriended, answered(mallory, "bob"), ...asked("carol"), answered(bob, "carol")])
    expect(Table.values(state.durable.roster.friends).map(({ alarmed, name }) => ({ alarmed, name }))).toEqual([
      { alarmed: true, name: "bob" }
    ])
  })
})

describe("a name that looks like a name with a key", () => {
  const typed = (line: string): Input.Command => {
    const parsed = Commands.parse(line, { channel: "lobby" })
    if (parsed.kind !== "command") throw new Error(`${line} is no command`)
    return parsed.command
  }
  it.each(["bob#x", "bob#!", "bob##", "#"])("%s can be accepted, revoked and unfriended at the prompt", (name) => {
    const line = signedLine(bob, "alice", noonMs, { from: name })
    const request: Input.Input = { _tag: "Line", channel: "lobby", author: null, line }
    const [state, outputs] = play([
      ...beginning.slice(0, 2),
      request,
      operator(typed(`/accept @${name}`)),
      operator(typed(`/revoke @${name} message`)),
      operator(typed(`/unfriend @${name}`))
    ])
    expect(outputs[0]).toMatchObject({ _tag: "Reply", reply: { ok: true } })
    expect(Table.values(state.durable.roster.friends).map((one) => one.standing)).toEqual(["Former"])
  })
  it("never stands for somebody else's request: both are meant, and neither is accepted", () => {
    const prefix = bob.self.identityKey.slice(0, 4)
    const from = (by: typeof bob, name: string): Input.Input => ({
      _tag: "Line",
      channel: "lobby",
      author: null,
      line: signedLine(by, "alice", noonMs, { from: name })
    })
    const [, outputs] = play([
      ...beginning.slice(0, 2),
      from(bob, "bob"),
      from(mallory, `bob#${prefix}`),
      operator(typed(`/accept @bob#${prefix}`))
    ])
    expect(outputs).toMatchObject([{ _tag: "Reply", reply: { ok: false, rejection: { code: "ambiguous-name" } } }])
  })
})

/** A writer on a link whose far end takes nothing. */
const stuckWriter = async () => {
  let aborted = false
  const link: Link = {
    id: "stuck",
    initiator: false,
    remoteKey: new Uint8Array(32),
    topics: [],
    binding: new Uint8Array(0),
    send: () => Effect.never,
    receive: Stream.empty,
    close: Effect.void,
    abort: Effect.sync(() => {
      aborted = true
    })
  }
  const direction = KeySchedule.begin(Redacted.make(new Uint8Array(32)), noonMs)
  const session = {
    send: direction,
    receive: direction,
    handshakeHash: new Uint8Array(32),
    role: "responder",
    peer: bob.proof,
    version: 3,
    sinceMs: noonMs
  } as const
  const writer = await Effect.runPromise(Writer.make(crypto, alice.keys, session, link, Effect.succeed(noonMs)))
  return { writer, aborted: () => aborted }
}

describe("a far end that reads nothing", () => {
  it("is dropped once the receipts that wait for it have the size of the bound, not their number", async () => {
    const { writer } = await stuckWriter()
    const also = Array.from({ length: Limits.inboxAheadMax }, (_, index) => index + 2)
    const receipt = { message: { kind: "Receipt", stream: streamAt(1), mark: 0, also } } as const
    let taken = 0
    while (writer.send([receipt])) taken++
    expect(taken * JSON.stringify(also).length).toBeLessThan(2 * Limits.linkQueueBytesMax)
  })
  it("does not keep alive a link that was ended", { timeout: 20_000 }, async () => {
    const { aborted, writer } = await stuckWriter()
    writer.send([{ message: { kind: "Ping", nonce: streamAt(1) } }])
    const running = Effect.runFork(writer.run)
    writer.hangUp(null)
    await until("the link is dropped", aborted, 15_000)
    expect(Result.isResult(await Effect.runPromise(Effect.result(Fiber.join(running))))).toBe(true)
  })
})

describe("a run that is stopped", () => {
  it("holds nothing up while its container goes", async () => {
    const made = world()
    const gone = Promise.withResolvers<void>()
    const one = await made.start("alice")
    const two = await made.start("bob", {
      script: () => Effect.onInterrupt(Effect.never, () => Effect.promise(() => gone.promise))
    })
    await befriend(one, two)
    await two.command(says.grant("alice", "inject"))
    await one.command(says.inject("bob", "think"))
    await two.wait("JobStarted")
    await two.command(says.revoke("alice", "inject"))
    try {
      await deliver(one, two, "meanwhile")
    } finally {
      gone.resolve()
    }
  })
})

describe("an answer that waits for a caller who is away", () => {
  it("is not given after /revoke", async () => {
    const made = world()
    const gate = Promise.withResolvers<void>()
    const one = await made.start("alice")
    const two = await made.start("bob", {
      script: () =>
        Effect.as(
          Effect.promise(() => gate.promise),
          new TextEncoder().encode("secret of bob")
        )
    })
    await befriend(one, two)
    await two.command(says.grant("alice", "inject"))
    const reply = await one.command(says.inject("bob", "tell me", 60_000))
    await two.wait("JobStarted")
    await one.crash()
    gate.resolve()
    await two.wait("JobEnded")
    await two.command(says.revoke("alice", "inject"))
    const back = await made.start("alice", { remains: one.remains })
    const ended = await back.wait("Refused", (event) => reply.ok && event.id === reply.id, 20_000)
    expect(ended.rejection.code).toBe("revoked")
    expect(back.events.some((event) => event._tag === "Answered")).toBe(false)
  })
})
