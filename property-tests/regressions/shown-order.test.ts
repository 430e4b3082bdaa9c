/**
 * A friend's texts are shown in the order in which they were accepted, whatever comes between: a crash, a clock, a disk.
 * The pure step is driven for what a restart takes up again; for a failing log a whole node, and the fiber that shows alone.
 * A storm of real kills saw the first of these: two streams in one turn, and a crash before the log had either.
 */
import { Effect, Fiber, Queue, Result } from "effect"
import { describe, expect, it } from "vitest"
import * as MemoryLog from "../../adapters/memory/ConversationLog.ts"
import * as RateLimit from "../../core/admission/RateLimit.ts"
import * as Unshown from "../../core/delivery/Unshown.ts"
import { Codec, type Input, Limits, State, Step } from "../../core/index.ts"
import * as Egress from "../../core/node/Egress.ts"
import * as Records from "../../core/node/Records.ts"
import { ConversationLog, type Entry } from "../../ports/ConversationLog.ts"
import { alice, beginning, bob, greeted, ids, noonMs, openedBy, received, turnAt } from "../arbitraries/state.ts"
import { befriend, makeWorld, says } from "../world/World.ts"

/** A text of bob's; those of an earlier stream sort after those of the next. */
const text = (stream: string, number: number, words: string) =>
  received(bob, "c0", Codec.encode({ kind: "Log", stream, number, text: words }))
const [next, earlier] = [ids[1]!, ids[2]!]

/** A node of alice's that is bob's friend; what it is fed, at so many milliseconds past noon, gives the texts it shows. */
const makeNode = (rates: RateLimit.Rates = RateLimit.rates) => {
  let state = State.start(alice.self, State.emptyDurable, rates)
  let turns = 0
  const feed = (input: Input.Input, atMs = 0): ReadonlyArray<string> => {
    const [after, outputs] = Step.step(state, input, turnAt(noonMs + atMs, ++turns))
    state = after
    return outputs.flatMap((output) => (output._tag === "Show" ? [output.entry.text] : []))
  }
  /** The process dies and starts again from what was stored. */
  const restart = (atMs: number): ReadonlyArray<string> => {
    const written = Records.diff(state.durable).flatMap(({ value, ...one }) =>
      value === null ? [] : [{ ...one, value }]
    )
    state = State.start(alice.self, Result.getOrThrow(Records.load(written)))
    return feed({ _tag: "Started" }, atMs)
  }
  for (const one of beginning) feed(one)
  return { feed, restart, state: () => state }
}

/** What a start shows after these texts were accepted at these times, none was shown, and the process died. */
const afterCrash = (texts: ReadonlyArray<readonly [Input.Input, number]>): ReadonlyArray<string> => {
  const { feed, restart } = makeNode()
  for (const [one, atMs] of texts) feed(one, atMs)
  return restart(60_000)
}

describe("texts that a crash left unshown", () => {
  it("are shown in order when one turn took them from two streams", () => {
    const texts = [text(earlier, 7, "one"), text(earlier, 8, "two"), text(next, 1, "three")]
    expect(afterCrash(texts.map((one) => [one, 0] as const))).toEqual(["one", "two", "three"])
  })

  it("are shown in order when the clock went back between them", () => {
    expect(
      afterCrash([
        [text(next, 1, "one"), 5_000],
        [text(next, 2, "two"), 0]
      ])
    ).toEqual(["one", "two"])
  })
})

/** A node that has taken one text, whose showing fails at some time. */
const withOneText = () => {
  const { feed, state } = makeNode()
  feed(text(next, 1, "one"))
  const [waiting] = Unshown.inOrder(state().durable.unshown)
  const fails = (atMs: number) => feed({ _tag: "Shown", shown: [{ id: waiting!.id, failed: true }] }, atMs)
  const tick = (atMs: number) => feed({ _tag: "Tick" }, atMs)
  return { fails, tick }
}

describe("a text that the conversation log could not take", () => {
  it("is offered again after one pause, however many fail meanwhile", () => {
    const { fails, tick } = withOneText()
    for (const atMs of [0, 1_500, 1_900]) fails(atMs)
    expect(tick(Limits.retryPauseMs - 1)).toEqual([])
    expect(tick(Limits.retryPauseMs)).toEqual(["one"])
  })

  it("is offered again at once when the clock has gone back, not when it has caught up", () => {
    const { fails, tick } = withOneText()
    fails(86_400_000)
    expect(tick(0)).toEqual(["one"])
    fails(0)
    expect(tick(Limits.retryPauseMs)).toEqual(["one"])
  })

  it("is shown before those that came after it", async () => {
    const world = makeWorld()
    try {
      const [one, other] = [await world.start("alice"), await world.start("bob")]
      await befriend(one, other)
      // It is tried with what waits beside it, and once more alone.
      for (const _ of ["together", "alone"]) other.remains.archive.failNextAppend("the disk is full")
      for (const words of ["one", "two", "three"]) {
        await one.command(says.message("bob", words))
        await other.wait("Received", ({ entry }) => entry.text === words)
        await other.shown("alice")
      }
      expect(await other.shown("alice")).toEqual([])
      await expect.poll(() => other.shown("alice"), { timeout: 8_000 }).toEqual(["one", "two", "three"])
    } finally {
      await world.end()
    }
  })
})

describe("a text that is offered to the conversation log twice", () => {
  const entry = (conversation: string, id: string): Entry => {
    return { id, conversation, label: conversation, atMs: noonMs, from: "bob", text: id }
  }

  /**
   * The fiber that shows, on a log in memory, without the turns: what it reports is confirmed at once, or when the test says.
   */
  const shower = async (stepsAt: "once" | "later" = "once") => {
    const archive = new MemoryLog.Archive()
    const [real, shows] = Effect.runSync(
      Effect.all([ConversationLog.pipe(Effect.provide(MemoryLog.layer(archive))), Queue.unbounded<Entry>()])
    )
    const appended: Array<string> = []
    const log = {
      ...real,
      append: (entries: ReadonlyArray<Entry>) => {
        appended.push(entries.map(({ id }) => id).join(" "))
        return real.append(entries)
      }
    }
    let state = State.start(alice.self, State.emptyDurable)
    const reported: Array<string> = []
    const set = (unshown: Unshown.Unshown) => {
      state = State.withDurable(state, { unshown })
    }
    const confirm = (id: string) => set(Unshown.remove(state.durable.unshown, id))
    const offer = (input: Input.Input) =>
      Effect.sync(() => {
        if (input._tag !== "Shown") return
        for (const { failed, id } of input.shown) {
          reported.push(`${id} ${failed ? "failed" : "shown"}`)
          if (!failed && stepsAt === "once") confirm(id)
        }
      })
    const fiber = Effect.runFork(Egress.showing({ log, shows, world: { state: () => state, offer } }))
    return {
      archive,
      appended,
      confirm,
      reported,
      accept: (one: Entry) => set(Unshown.add(state.durable.unshown, one)),
      show: (...entries: ReadonlyArray<Entry>) => Queue.offerAllUnsafe(shows, entries),
      end: () => Effect.runPromise(Fiber.interrupt(fiber))
    }
  }

  it("holds up nothing that follows, though the log fails again before the second copy", async () => {
    const { accept, archive, end, reported, show } = await shower()
    const [first, second] = [entry("a", "a1"), entry("a", "a2")]
    accept(first)
    show(first)
    await expect.poll(() => reported).toEqual(["a1 shown"])
    for (const _ of ["together", "alone"]) archive.failNextAppend("no space left")
    accept(second)
    show(first, second)
    await expect.poll(() => reported).toEqual(["a1 shown", "a2 failed"])
    show(second)
    await expect.poll(() => archive.entries("a").map(({ id }) => id)).toEqual(["a1", "a2"])
    await end()
  })

  it("holds up nothing that follows when that copy fails before the turn that confirms the first", async () => {
    const { accept, archive, confirm, end, reported, show } = await shower("later")
    const [first, second] = [entry("a", "a1"), entry("a", "a2")]
    accept(first)
    show(first)
    await expect.poll(() => reported).toEqual(["a1 shown"])
    for (const _ of ["together", "alone"]) archive.failNextAppend("no space left")
    show(first)
    await expect.poll(() => reported).toEqual(["a1 shown", "a1 failed"])
    confirm("a1")
    accept(second)
    show(second)
    await expect.poll(() => archive.entries("a").map(({ id }) => id)).toEqual(["a1", "a2"])
    await end()
  })

  it("does not begin a conversation anew that its owner has removed meanwhile", async () => {
    const { accept, archive, end, reported, show } = await shower()
    const [first, other] = [entry("a", "a1"), entry("b", "b1")]
    accept(first)
    show(first)
    await expect.poll(() => reported).toEqual(["a1 shown"])
    archive.forget("a")
    accept(other)
    show(first, other)
    await expect.poll(() => reported).toEqual(["a1 shown", "b1 shown"])
    expect(archive.conversations).toEqual(["b"])
    await end()
  })

  it("leaves the other conversations their common append while one waits", async () => {
    const { accept, appended, archive, end, reported, show } = await shower()
    const [broken, ...fine] = [entry("a", "a1"), entry("b", "b1"), entry("c", "c1")]
    for (const _ of ["together", "alone"]) archive.failNextAppend("no space left")
    accept(broken!)
    show(broken!)
    await expect.poll(() => reported).toEqual(["a1 failed"])
    const later = entry("a", "a2")
    for (const one of [later, ...fine]) accept(one)
    show(later, ...fine)
    await expect.poll(() => reported).toEqual(["a1 failed", "a2 failed", "b1 shown", "c1 shown"])
    expect(appended).toEqual(["a1", "a1", "b1 c1"])
    show(broken!, later)
    await expect.poll(() => archive.entries("a").map(({ id }) => id)).toEqual(["a1", "a2"])
    await end()
  })
})

describe("a text on a link that another has replaced", () => {
  it("does not overtake one that was refused for now: both come again on the new link", () => {
    const { feed } = makeNode({ ...RateLimit.rates, message: [{ capacity: 1, windowMs: 60_000 }] })
    const on = (connection: string, number: number) =>
      received(bob, connection, Codec.encode({ kind: "Log", stream: next, number, text: `${number}` }))
    expect(feed(on("c0", 1))).toEqual(["1"])
    expect(feed(on("c0", 2))).toEqual([])
    feed(openedBy(bob, "c1", false), 60_000)
    feed(greeted(bob, "c1"), 60_000)
    expect(feed(on("c0", 3), 60_000)).toEqual([])
    expect(feed(on("c1", 2), 60_000)).toEqual(["2"])
    expect(feed(on("c1", 3), 120_000)).toEqual(["3"])
  })
})
