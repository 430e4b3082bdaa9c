/**
 * The acceptance suite of the ConversationLog port, for any adapter.
 * It never looks at how entries are kept, only that each appears once, in order, and still after a restart.
 * A subject's layer can be built again and again over the same medium: that is a restart.
 */
import { Effect, type Layer } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { ConversationLog, type ConversationLogShape, type Entry, type LogError } from "../../ports/ConversationLog.ts"

export interface Subject {
  readonly layer: Layer.Layer<ConversationLog>
  /** Makes the next append fail, if the adapter can be made to. */
  readonly failNextAppend?: () => void
  readonly dispose?: () => void
}

/** One run of a process. */
export const run = <A>(
  layer: Layer.Layer<ConversationLog>,
  use: (log: ConversationLogShape) => Effect.Effect<A, LogError>
): Promise<A> => Effect.runPromise(ConversationLog.use(use).pipe(Effect.provide(layer)))

/** An entry in which only the id matters. */
export const entry = (id: string, rest: Partial<Entry> = {}): Entry => ({
  id,
  conversation: "friend-1",
  label: "friend:p2p:bob(1f2e3d)",
  atMs: 1_767_225_600_000,
  from: "bob",
  text: `text of ${id}`,
  ...rest
})

const append = (layer: Layer.Layer<ConversationLog>, ...entries: ReadonlyArray<Entry>): Promise<void> =>
  run(layer, (log) => Effect.forEach(entries, (one) => log.append([one]), { discard: true }))

const read = (layer: Layer.Layer<ConversationLog>, conversation = "friend-1", limit = 1_000) =>
  run(layer, (log) => log.read(conversation, limit))

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("\n", "\r\n", "\u2028", "__proto__", "\ud800")
)
const parts = {
  id: fc.oneof(fc.nat({ max: 6 }).map(String), hostile),
  conversation: fc.constantFrom("a", "A-2", "c"),
  label: hostile,
  atMs: fc.nat(),
  from: hostile,
  text: fc.oneof(hostile, fc.string({ maxLength: 200 }))
}
const entries = fc.oneof(fc.record(parts), fc.record({ ...parts, ours: fc.constant(true as const) }))
const operations = fc.array(
  fc.oneof({ weight: 5, arbitrary: entries }, { weight: 1, arbitrary: fc.constant("restart" as const) }),
  { maxLength: 25 }
)

/** Carries out a history, restarting where it says so; gives what every conversation should hold then. */
const live = async (
  layer: Layer.Layer<ConversationLog>,
  history: ReadonlyArray<Entry | "restart">
): Promise<ReadonlyArray<Entry>> => {
  const expected: Array<Entry> = []
  let rest = history
  while (rest.length > 0) {
    const end = rest.indexOf("restart")
    const life = rest.slice(0, end === -1 ? rest.length : end).filter((one) => one !== "restart")
    await append(layer, ...life)
    for (const one of life) {
      const known = expected.some(({ id, conversation }) => id === one.id && conversation === one.conversation)
      if (!known) expected.push(one)
    }
    rest = end === -1 ? [] : rest.slice(end + 1)
  }
  return expected
}

/** Runs the suite. `make` gives a fresh, empty medium each time. */
export const suite = (name: string, make: () => Subject, runs = 60): void => {
  describe(`ConversationLog: ${name}`, () => {
    const cleanups: Array<() => void> = []
    afterEach(() => {
      for (const cleanup of cleanups.splice(0)) cleanup()
    })
    const fresh = (): Subject => {
      const subject = make()
      cleanups.push(() => subject.dispose?.())
      return subject
    }

    it("shows each id once, the first of it, in order, whatever is in it and however often we restart", async () => {
      await fc.assert(
        fc.asyncProperty(operations, fc.integer({ min: 1, max: 5 }), async (history, limit) => {
          const { dispose, layer } = make()
          try {
            const expected = await live(layer, history)
            for (const conversation of ["a", "A-2", "c"]) {
              const ours = expected.filter((one) => one.conversation === conversation)
              expect(await read(layer, conversation)).toEqual(ours)
              expect(await read(layer, conversation, limit)).toEqual(ours.slice(-limit))
            }
          } finally {
            dispose?.()
          }
        }),
        { numRuns: runs }
      )
    })

    it("has nothing of an unknown conversation, and nothing for a limit of zero", async () => {
      const { layer } = fresh()
      expect(await read(layer, "nobody")).toEqual([])
      await append(layer, entry("1"))
      for (const limit of [0, -1, Number.NaN]) expect(await read(layer, "friend-1", limit)).toEqual([])
    })

    it("refuses every name that is not letters, digits and hyphens", async () => {
      const { layer } = fresh()
      const names = ["", ".", "..", "../x", "a/b", "a\\b", "a.b", "a b", "a\0", "a\n", "ä", "x".repeat(129), "%2e%2e"]
      for (const conversation of names) {
        const failed = await run(layer, (log) =>
          Effect.all([
            Effect.exit(log.append([entry("1", { conversation })])),
            Effect.exit(log.read(conversation, 1)),
            Effect.exit(log.remove(conversation))
          ])
        )
        expect(
          failed.map(({ _tag }) => _tag),
          JSON.stringify(conversation)
        ).toEqual(["Failure", "Failure", "Failure"])
      }
      await append(layer, entry("1", { conversation: "x".repeat(128) }))
    })

    it("forgets a conversation whole and no other, also after a restart, and takes its ids anew", async () => {
      const { layer } = fresh()
      await append(layer, entry("1"), entry("2"), entry("1", { conversation: "other" }))
      await run(layer, (log) => Effect.andThen(log.remove("friend-1"), log.remove("nobody")))
      expect(await read(layer)).toEqual([])
      expect(await read(layer, "other")).toHaveLength(1)
      const both = (log: ConversationLogShape) =>
        Effect.andThen(log.append([entry("2")]), Effect.andThen(log.remove("friend-1"), log.append([entry("1")])))
      await run(layer, both)
      expect((await read(layer)).map(({ id }) => id)).toEqual(["1"])
    })

    it("reads the newest of many long entries", async () => {
      const { layer } = fresh()
      const many = Array.from({ length: 60 }, (_, index) =>
        entry(`${index}`, { text: `${index}é`.repeat(1_000 * (index % 7)) })
      )
      await append(layer, ...many)
      for (const limit of [1, 5, 59, 60, 61]) expect(await read(layer, "friend-1", limit)).toEqual(many.slice(-limit))
    })

    it("takes entries of several conversations at once, each id once and in order", async () => {
      const { layer } = fresh()
      const given = [entry("1"), entry("2", { conversation: "other" }), entry("1", { text: "again" }), entry("3")]
      await run(layer, (log) => log.append(given))
      await run(layer, (log) => Effect.andThen(log.append([]), log.append(given)))
      expect(await read(layer)).toEqual([given[0], given[3]])
      expect(await read(layer, "other")).toEqual([given[1]])
    })

    it("shows an id once when it is appended by several at the same time", async () => {
      const { layer } = fresh()
      const twice = Array.from({ length: 40 }, (_, index) => entry(`${index % 20}`))
      await run(layer, (log) =>
        Effect.forEach(twice, (one) => log.append([one]), { concurrency: "unbounded", discard: true })
      )
      expect((await read(layer)).map(({ id }) => id)).toEqual(twice.slice(0, 20).map(({ id }) => id))
    })

    it("holds nothing of an append that failed, and takes it when it is asked again", async ({ skip }) => {
      const subject = fresh()
      if (subject.failNextAppend === undefined) skip("this adapter cannot be made to fail")
      await append(subject.layer, entry("1"))
      subject.failNextAppend?.()
      await expect(append(subject.layer, entry("2"))).rejects.toThrow()
      expect((await read(subject.layer)).length).toBe(1)
      await append(subject.layer, entry("2"))
      expect((await read(subject.layer)).map(({ id }) => id)).toEqual(["1", "2"])
    })
  })
}
