/**
 * What somebody with the source in hand found in delivery: each a test that failed before it was mended.
 * It never asserts a speed: what is kept, read and written is counted, and time is an argument of every turn.
 * Apart from the budgets' own file because these are about single messages and links, not about what a minute allows.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, HashMap, Queue, Redacted, Result, Stream } from "effect"
import { describe, expect, it, vi } from "vitest"
import { acquireLock } from "../../adapters/filesystem/Lock.ts"
import * as Inbox from "../../core/delivery/Inbox.ts"
import { Codec, type Input, Keys, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import * as Ingress from "../../core/node/Ingress.ts"
import * as Talk from "../../core/node/Talk.ts"
import * as Writer from "../../core/node/Writer.ts"
import * as KeySchedule from "../../core/session/KeySchedule.ts"
import * as Seal from "../../core/session/Seal.ts"
import * as Table from "../../core/Table.ts"
import type { Link, TransportShape } from "../../ports/Transport.ts"
import {
  alice,
  beginning,
  bob,
  crypto,
  ids,
  noonMs,
  type Person,
  person,
  received,
  turnAt
} from "../arbitraries/state.ts"
import { says, until } from "../world/World.ts"

/** Alice, one turn after the other; bob is her friend and connected. */
class Alice {
  state = State.start(alice.self, State.emptyDurable)
  #turns = 0
  constructor() {
    for (const one of beginning) this.take(one)
  }
  take(input: Input.Input): ReadonlyArray<Output.Output> {
    const [next, outputs] = Step.step(this.state, input, turnAt(noonMs, this.#turns++))
    this.state = next
    return outputs
  }
  hear(message: Message.Message): ReadonlyArray<Output.Output> {
    return this.take(received(bob, "c0", Codec.encode(message)))
  }
}

const ping: Message.Message = { kind: "Ping", nonce: ids[0]! }
const streamAt = (index: number): string => index.toString(16).padStart(32, "0")

describe("an answer that begins to arrive for an inject that its friend then refuses", () => {
  it("leaves nothing behind", () => {
    const node = new Alice()
    const outputs = node.take({ _tag: "Operator", ref: "r", command: says.inject("bob", "a question") })
    const sent = outputs.flatMap((one) => (one._tag === "Transmit" ? one.messages : []))[0]
    if (sent === undefined || !("stored" in sent)) throw new Error("nothing was sent")
    const { number, stream } = sent
    const id = Table.values(node.state.durable.calls)[0]!.id
    node.hear({ kind: "Chunk", id, offset: 0, bytes: "A".repeat(16_000) })
    expect(HashMap.size(node.state.passing.pieces)).toBe(1)
    node.hear({ kind: "Reject", code: "no-capability", stream, number })
    expect(Table.size(node.state.durable.calls)).toBe(0)
    expect(HashMap.size(node.state.passing.pieces)).toBe(0)
  })
})

describe("streams that one friend begins", () => {
  const begins: ReadonlyArray<readonly [string, (stream: string) => Message.Message]> = [
    ["by messages", (stream) => ({ kind: "Cancel", stream, number: 1, id: ids[0]! })],
    ["by asking for one number", (stream) => ({ kind: "Skip", stream, from: 1, to: 1 })],
    ["by passing many numbers", (stream) => ({ kind: "Skip", stream, from: 1, to: 5_000 })]
  ]
  it.each(begins)("%s are remembered so often an hour; one more is no honest peer's", (_, message) => {
    const node = new Alice()
    for (let index = 0; index < Limits.streamsPerHour; index++) {
      expect(node.hear(message(streamAt(index))).some((one) => one._tag === "HangUp")).toBe(false)
    }
    const next = streamAt(Limits.streamsPerHour)
    expect(node.hear(message(next))).toContainEqual({ _tag: "HangUp", connection: "c0", code: "flooding" })
    expect(Inbox.knows(node.state.durable.inbox, bob.proof.signer.peerId, next)).toBe(false)
  })
  it("cost nothing of that when they are known", () => {
    const node = new Alice()
    for (let number = 1; number <= 2 * Limits.streamsPerHour; number++) {
      const outputs = node.hear({ kind: "Cancel", stream: streamAt(1), number, id: ids[0]! })
      expect(outputs.map((one) => one._tag)).toEqual(["Transmit"])
    }
  })
})

const packed = (count: number): Uint8Array =>
  Codec.pack(Array.from({ length: count }, () => ({ body: Codec.encode(ping), signature: undefined })))

/** A link that takes everything, or nothing before it may, and the bytes it took. */
const sink = (id: string) => {
  const taken: Array<Uint8Array> = []
  const link: Link = {
    id,
    initiator: false,
    remoteKey: new Uint8Array(32),
    topics: [],
    binding: new Uint8Array(0),
    send: (bytes) => Effect.sync(() => void taken.push(bytes)),
    receive: Stream.empty,
    close: Effect.void,
    abort: Effect.void
  }
  return { link, taken }
}

const writerOn = (link: Link) => {
  const direction = KeySchedule.begin(Redacted.make(new Uint8Array(32)), noonMs)
  const session: Seal.Session = {
    send: direction,
    receive: direction,
    handshakeHash: new Uint8Array(32),
    role: "responder",
    peer: bob.proof,
    version: 3,
    sinceMs: noonMs
  }
  return Effect.runPromise(Writer.make(crypto, alice.keys, session, link, Effect.succeed(noonMs)))
}

describe("one record", () => {
  it("holds so many messages and no more", () => {
    const full = Codec.unpack(packed(Limits.recordMessagesMax))
    expect(Result.getOrThrow(full)).toHaveLength(Limits.recordMessagesMax)
    const over = Codec.unpack(packed(Limits.recordMessagesMax + 1))
    expect(Result.isFailure(over) && over.failure.code).toBe("body-malformed")
  })
  it("is ended and another begun where more messages wait", async () => {
    const { link, taken } = sink("many")
    const writer = await writerOn(link)
    writer.send(Array.from({ length: 2 * Limits.recordMessagesMax + 1 }, () => ({ message: ping })))
    writer.hangUp(null)
    await Effect.runPromise(writer.run)
    expect(taken).toHaveLength(3)
  })
})

describe("a far end that reads nothing and asks on", () => {
  it("is told of once, and nothing more is kept for it", async () => {
    const { link, taken } = sink("deaf")
    const writer = await writerOn(link)
    const chunk = { message: { kind: "Chunk" as const, id: ids[0]!, offset: 0, bytes: "A".repeat(21_840) } }
    const said = Array.from({ length: 1_000 }, () => writer.send([chunk, chunk, chunk, chunk]))
    expect(said.filter((one) => !one)).toHaveLength(1)
    const running = Effect.runFork(writer.run)
    await until("what was kept has been written", () => taken.length > 0)
    running.interruptUnsafe()
    const bytes = taken.reduce((sum, one) => sum + one.length, 0)
    expect(bytes).toBeLessThan(Limits.linkQueueBytesMax + Limits.frameBytesMax)
  })
})

/** A stranger's end of a link that alice serves: it opens a session, then says `count` pings in records of `each`. */
const stranger = async (by: Person, count: number, each: number) => {
  const arriving = Effect.runSync(Queue.unbounded<Uint8Array>())
  const offered: Array<Input.Input> = []
  const keep = (input: Input.Input) => Effect.sync(() => void offered.push(input))
  const local = {
    crypto,
    keys: by.keys,
    swarmKey: Keys.keyBytes(by.swarmKey),
    binding: new Uint8Array(0),
    remoteSwarmKey: Keys.keyBytes(alice.swarmKey),
    entropy: crypto.randomBytes(32)
  }
  const begun = Result.getOrThrow(Talk.dial(local, "theirs", []))
  let talk = begun.talk
  const say = (bytes: Uint8Array) => Queue.offerUnsafe(arriving, bytes)
  const flood = (session: Seal.Session) => {
    let direction = session.send
    for (let said = 0; said < count; said += each) {
      const sealed = Seal.seal(crypto, direction, noonMs, packed(each))
      direction = sealed.direction
      say(sealed.bytes)
    }
  }
  const onSent = (bytes: Uint8Array) => {
    const heard = Result.getOrThrow(Talk.next(Talk.push(talk, bytes), noonMs))
    if (heard === undefined) return
    talk = heard.talk
    for (const reply of heard.send) say(reply)
    if (heard.opened !== undefined) flood(heard.opened)
  }
  const link: Link = {
    id: "stranger",
    initiator: false,
    remoteKey: Keys.keyBytes(by.swarmKey),
    topics: [],
    binding: new Uint8Array(0),
    send: (bytes) => Effect.sync(() => onSent(bytes)),
    receive: Stream.fromQueue(arriving),
    close: Effect.void,
    abort: Effect.void
  }
  const world: Ingress.World = {
    crypto,
    keys: alice.keys,
    transport: { localKey: Keys.keyBytes(alice.swarmKey) } as TransportShape,
    state: () => State.start(alice.self, State.emptyDurable),
    offer: keep,
    offerAll: (inputs) => Effect.forEach(inputs, keep, { discard: true }),
    writers: new Map(),
    openings: new Set(),
    admitLink: () => true
  }
  for (const reply of begun.send) say(reply)
  const serving = Effect.runFork(Ingress.serveLink(world, link))
  return { offered, serving }
}

describe("who has opened a session and was not let in yet", () => {
  it("is read no further than its first words", async () => {
    const { offered, serving } = await stranger(person("mallory"), 400, 8)
    await until("the link ends", () => offered.some((one) => one._tag === "Closed"))
    serving.interruptUnsafe()
    expect(offered.filter((one) => one._tag === "Opened")).toHaveLength(1)
    expect(offered.filter((one) => one._tag === "Received").length).toBeLessThanOrEqual(Limits.earlyMessagesMax)
    expect(offered.at(-1)).toMatchObject({ _tag: "Closed", rejection: { code: "flooding" } })
  })
})

describe("the lock of a folder", () => {
  it("is looked at again after the machine has slept, however short that was for the process", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-lock-"))
    vi.useFakeTimers({ toFake: ["Date"] })
    try {
      const lock = await acquireLock(folder)
      if (!("stillHeld" in lock)) throw new Error("somebody has it")
      expect(lock.stillHeld()).toBe(true)
      await lock.release()
      vi.setSystemTime(Date.now() + 3_600_000)
      expect(lock.stillHeld()).toBe(false)
    } finally {
      vi.useRealTimers()
      rmSync(folder, { recursive: true })
    }
  })
})
