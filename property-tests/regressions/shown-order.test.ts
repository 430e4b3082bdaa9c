/**
 * A friend's texts are shown in the order in which they were accepted, whatever comes between: a crash, a clock, a disk.
 * The pure step is driven for what a restart takes up again; the failing log needs a whole node in one process.
 * A storm of real kills saw the first of these: two streams in one turn, and a crash before the log had either.
 */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { Codec, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import { alice, beginning, bob, ids, noonMs, received, turnAt } from "../arbitraries/state.ts"
import { befriend, makeWorld, says } from "../world/World.ts"

/** A text of bob's; those of an earlier stream sort after those of the next. */
const text = (stream: string, number: number, words: string) =>
  received(bob, "c0", Codec.encode({ kind: "Log", stream, number, text: words }))
const [next, earlier] = [ids[1]!, ids[2]!]

const shown = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Show" ? [output.entry.text] : []))

/** What a start shows after these texts were accepted at these times, none was shown, and the process died. */
const afterCrash = (texts: ReadonlyArray<readonly [ReturnType<typeof text>, number]>): ReadonlyArray<string> => {
  let state = State.start(alice.self, State.emptyDurable)
  const feed = (input: Parameters<typeof Step.step>[1], atMs: number, turn: number) => {
    const [after, outputs] = Step.step(state, input, turnAt(atMs, turn))
    state = after
    return outputs
  }
  for (const [index, one] of beginning.entries()) feed(one, noonMs, index)
  for (const [index, [one, atMs]] of texts.entries()) feed(one, atMs, 100 + index)
  const written = Records.diff(state.durable).flatMap(({ value, ...one }) =>
    value === null ? [] : [{ ...one, value }]
  )
  state = State.start(alice.self, Result.getOrThrow(Records.load(written)))
  return shown(feed({ _tag: "Started" }, noonMs + 60_000, 200))
}

describe("texts that a crash left unshown", () => {
  it("are shown in order when one turn took them from two streams", () => {
    const texts = [text(earlier, 7, "one"), text(earlier, 8, "two"), text(next, 1, "three")]
    expect(afterCrash(texts.map((one) => [one, noonMs] as const))).toEqual(["one", "two", "three"])
  })

  it("are shown in order when the clock went back between them", () => {
    expect(
      afterCrash([
        [text(next, 1, "one"), noonMs + 5_000],
        [text(next, 2, "two"), noonMs]
      ])
    ).toEqual(["one", "two"])
  })
})

describe("a text that the conversation log could not take", () => {
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
