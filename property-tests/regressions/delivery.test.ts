/**
 * What delivery promises: exactly once, or its sender knows exactly why not; whatever was cancelled, cut, or restored.
 * Whole nodes in one process on memory adapters and the real clock; what needs real files and kills is told elsewhere.
 * The titles are the promises.
 */
import { Effect, Layer, Stream } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import * as MemoryTransport from "../../adapters/memory/Transport.ts"
import { Limits, type Output } from "../../core/index.ts"
import type { Link, TransportShape } from "../../ports/Transport.ts"
import { Transport } from "../../ports/Transport.ts"
import { type Actor, befriend, deliver, makeWorld, says, until, type World } from "../world/World.ts"

const worlds: Array<World> = []
const world = (...settings: Parameters<typeof makeWorld>): World => {
  const made = makeWorld(...settings)
  worlds.push(made)
  return made
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.end()
})

const pair = async (): Promise<readonly [Actor, Actor, World]> => {
  const made = world()
  const alice = await made.start("alice")
  const bob = await made.start("bob")
  await befriend(alice, bob)
  return [alice, bob, made]
}

const idOf = (reply: Output.Reply): string => {
  if (!reply.ok) throw new Error(`refused: ${reply.rejection.code}`)
  return reply.id
}

const outcomes = (actor: Actor, id: string) =>
  actor.events.filter((event) => (event._tag === "Delivered" || event._tag === "Refused") && event.id === id)

/** A transport whose links let every send be looked at, and held back. */
const watched = (
  made: World,
  key: number,
  onSend: (bytes: Uint8Array) => Effect.Effect<void>
): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.map(MemoryTransport.make(made.network, new Uint8Array(32).fill(key)), (transport): TransportShape => {
      const watch = (link: Link): Link => ({
        ...link,
        send: (bytes) => Effect.andThen(onSend(bytes), link.send(bytes))
      })
      return { ...transport, links: Stream.map(transport.links, watch) }
    })
  )

describe("giving a message up", () => {
  it("one that never left is gone at once, and the next takes its place", async () => {
    const [alice, bob, made] = await pair()
    await deliver(alice, bob, "before")
    await bob.stop()
    const gone = idOf(await alice.command(says.message("bob", "never mind")))
    const kept = idOf(await alice.command(says.message("bob", "this one")))
    expect((await alice.describe()).queue.map(({ id, state }) => [id, state])).toEqual([
      [gone, "waiting"],
      [kept, "waiting"]
    ])
    expect((await alice.command({ _tag: "Cancel", id: gone.slice(0, 8) })).ok).toBe(true)
    expect((await alice.wait("Refused", (event) => event.id === gone)).rejection.code).toBe("cancelled")
    const back = await made.start("bob", { remains: bob.remains })
    await alice.wait("Delivered", (event) => event.id === kept, 15_000)
    expect(await back.shown("alice")).toEqual(["before", "this one"])
    expect(outcomes(alice, gone)).toHaveLength(1)
    expect((await alice.describe()).queue).toEqual([])
  })
  it("one that left is asked after: its outcome is what really happened, told once", async () => {
    const [alice, bob, made] = await pair()
    await deliver(alice, bob, "before")
    // The message arrives and its receipt is lost with bob's process: alice cannot know.
    const id = idOf(await alice.command(says.message("bob", "arrived")))
    await until("it is shown", async () => (await bob.shown("alice")).length === 2)
    await bob.crash()
    if (outcomes(alice, id).length === 0) {
      await alice.command({ _tag: "Cancel", id })
      await made.start("bob", { remains: bob.remains })
      await until("the outcome", () => outcomes(alice, id).length > 0, 15_000)
    }
    expect(outcomes(alice, id).map((event) => event._tag)).toEqual(["Delivered"])
  })
  it("an inject that waits, or runs: the run is stopped and the caller told", async () => {
    const made = world()
    const alice = await made.start("alice")
    const bob = await made.start("bob", { script: () => Effect.never })
    await befriend(alice, bob)
    await bob.command(says.grant("alice", "inject"))
    const id = idOf(await alice.command(says.inject("bob", "think for ever")))
    await bob.wait("JobStarted")
    await until("it has arrived", async () => (await alice.describe()).queue[0]?.state === "running")
    expect((await alice.command({ _tag: "Cancel", id })).ok).toBe(true)
    expect((await alice.wait("Refused", (event) => event.id === id)).rejection.code).toBe("cancelled")
    await until("the run is stopped", () => bob.remains.ledger.runs[0]?.ending === "interrupted")
    expect(await alice.command({ _tag: "Cancel", id })).toMatchObject({
      ok: false,
      rejection: { code: "unknown-message" }
    })
  })
})

describe("a disk that is older than it was", () => {
  it("ours: it is noticed at the greeting, a new stream begins, and nothing sent since is lost or doubled", async () => {
    const [alice, bob, made] = await pair()
    await deliver(alice, bob, "one")
    const backup = alice.remains.disk.copy()
    await deliver(alice, bob, "two")
    await deliver(alice, bob, "three")
    await alice.stop()
    const restored = await made.start("alice", { remains: { ...alice.remains, disk: backup } })
    const id = idOf(await restored.command(says.message("bob", "four")))
    await restored.wait("DiskOlder", (event) => event.whose === "ours")
    await restored.wait("Delivered", (event) => event.id === id)
    expect(await bob.shown("alice")).toEqual(["one", "two", "three", "four"])
    // No honest restore is a protocol violation.
    expect(bob.events.filter((event) => event._tag === "PeerRefused" || event._tag === "Banned")).toEqual([])
  })
  it("the friend's: it is told so, and messages go on", async () => {
    const [alice, bob, made] = await pair()
    await deliver(alice, bob, "one")
    const backup = bob.remains.disk.copy()
    for (const text of ["two", "three", "four"]) await deliver(alice, bob, text)
    await bob.stop()
    const restored = await made.start("bob", { remains: { ...bob.remains, disk: backup } })
    await deliver(alice, restored, "five")
    await restored.wait("DiskOlder")
    await deliver(alice, restored, "six")
    expect((await restored.shown("alice")).slice(-2)).toEqual(["five", "six"])
  })
  it("both: a number is used again, and its new text is written beside the old one", async () => {
    const [alice, bob, made] = await pair()
    await deliver(alice, bob, "one")
    const backups = [alice.remains.disk.copy(), bob.remains.disk.copy()] as const
    await deliver(alice, bob, "two")
    // Delivered is accepted; written is up to a pause later, and the older disk would not know of it.
    await until("two is written", async () => (await bob.shown("alice")).length === 2)
    await Promise.all([alice.stop(), bob.stop()])
    const restored = await made.start("alice", { remains: { ...alice.remains, disk: backups[0] } })
    const reader = await made.start("bob", { remains: { ...bob.remains, disk: backups[1] } })
    await deliver(restored, reader, "three")
    await until("it is written", async () => (await reader.shown("alice")).length >= 3)
    expect(await reader.shown("alice")).toEqual(["one", "two", "three"])
  })
})

describe("a long answer", () => {
  const answer = new Uint8Array(Limits.answerBytesMax).map((_, index) => 97 + (index % 23))
  /** Sends of bob's process pass one at a time, each after a while: a slow line. */
  const slowLine = (sent: Array<number>) => (bytes: Uint8Array) =>
    Effect.andThen(
      Effect.sync(() => void sent.push(bytes.length)),
      Effect.sleep(2)
    )

  it("does not hold up a short message by more than its credit, and arrives whole", async () => {
    const made = world()
    const sent: Array<number> = []
    const alice = await made.start("alice")
    const bob = await made.start("bob", { script: () => answer, transport: watched(made, 7, slowLine(sent)) })
    await befriend(alice, bob)
    await bob.command(says.grant("alice", "inject"))
    const id = idOf(await alice.command(says.inject("bob", "tell me everything", 60_000)))
    await until("the answer is under way", () => sent.reduce((sum, one) => sum + one, 0) > 200_000)
    const before = sent.reduce((sum, one) => sum + one, 0)
    await deliver(bob, alice, "short")
    const behind = sent.reduce((sum, one) => sum + one, 0) - before
    expect(alice.events.some((event) => event._tag === "Answered")).toBe(false)
    expect(behind).toBeLessThan(Limits.frameBytesMax)
    const answered = await alice.wait("Answered", (event) => event.id === id, 20_000)
    expect(answered.bytes).toBe(answer.length)
  })
  it("goes on at the right byte after the line was cut", async () => {
    const made = world()
    const sent: Array<number> = []
    const alice = await made.start("alice")
    const bob = await made.start("bob", { script: () => answer, transport: watched(made, 8, slowLine(sent)) })
    await befriend(alice, bob)
    await bob.command(says.grant("alice", "inject"))
    const id = idOf(await alice.command(says.inject("bob", "tell me everything", 60_000)))
    for (const share of [0.3, 0.8]) {
      await until("a part has arrived", () => sent.reduce((sum, one) => sum + one, 0) > share * answer.length * 1.34)
      made.cut()
    }
    await alice.wait("Answered", (event) => event.id === id, 20_000)
    // Base64url and framing cost a third more; each cut costs what was under way, never what had arrived.
    const total = sent.reduce((sum, one) => sum + one, 0)
    expect(total).toBeLessThan(answer.length * 1.4 + 3 * (Limits.answerCreditBytes + 2 * Limits.chunkBytes) * 1.4)
  })
})

describe("a disk that is full for a while", () => {
  it("changes no order: what could not be stored comes again before what was behind it", async () => {
    const [alice, bob] = await pair()
    await deliver(alice, bob, "before")
    for (let index = 0; index < 3; index++) bob.remains.disk.failNextCommit("disk-full")
    const texts = Array.from({ length: 8 }, (_, index) => `text ${index}`)
    for (const text of texts) await alice.command(says.message("bob", text))
    await until("all are shown", async () => (await bob.shown("alice")).length === 9, 20_000)
    expect(await bob.shown("alice")).toEqual(["before", ...texts])
    expect(alice.events.filter((event) => event._tag === "Refused")).toEqual([])
  })
  it("is tried again every few seconds, not as fast as it fails, by what is due meanwhile", async () => {
    const [alice, bob] = await pair()
    await bob.command(says.grant("alice", "inject"))
    await alice.wait("GrantChanged")
    await bob.stop()
    const id = idOf(await alice.command(says.inject("bob", "are you there?", 300)))
    const faults = 1_000
    for (let index = 0; index < faults; index++) alice.remains.disk.failNextCommit("disk-full")
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    // Two tries a pause: the whole batch, and each input alone.
    const tried = faults - alice.remains.disk.faultsLeft
    expect(tried).toBeGreaterThan(0)
    expect(tried).toBeLessThan(10)
    alice.remains.disk.mend()
    expect((await alice.wait("Refused", (event) => event.id === id)).rejection.code).toBe("timed-out")
  })
})
