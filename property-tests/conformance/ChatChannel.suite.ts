/**
 * The acceptance suite of the ChatChannel port, for any adapter.
 * It never asks for more than a room gives: lines of ours arrive somewhere, and authors are evidence or null.
 * A subject is one shared room that several nodes join, each with a layer of its own.
 */
import { Effect, type Layer, Stream } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { type ChannelError, type ChannelLine, ChatChannel, type ChatChannelShape } from "../../ports/ChatChannel.ts"

export type ChannelLayer = Layer.Layer<ChatChannel, ChannelError>

export interface Subject {
  /** The name of the one room. */
  readonly channel: string
  /** Whether the room says who posted. If not, every author must be null. */
  readonly vouches: boolean
  /** The longest line, in bytes. */
  readonly lineBytesMax: number
  /** A node that joins under an account. */
  readonly join: (account: string) => ChannelLayer
  /** Whether the room's technology has a spelling for a text; absent: for every text. What it has none for is refused. */
  readonly carries?: (text: string) => boolean
  readonly dispose?: () => void
}

/** Opens several nodes in one room, does something with them, and closes them. */
export const together = <A, E>(
  layers: ReadonlyArray<ChannelLayer>,
  use: (nodes: ReadonlyArray<ChatChannelShape>) => Effect.Effect<A, E>
): Promise<A> => {
  const open = (
    rest: ReadonlyArray<ChannelLayer>,
    nodes: ReadonlyArray<ChatChannelShape>
  ): Effect.Effect<A, E | ChannelError> => {
    const [next, ...later] = rest
    if (next === undefined) return use(nodes)
    return ChatChannel.use((node) => open(later, [...nodes, node])).pipe(Effect.provide(next, { local: true }))
  }
  return Effect.runPromise(open(layers, []))
}

/** The next `count` lines that a node hears; fails after five seconds. */
export const hear = (node: ChatChannelShape, count: number): Effect.Effect<ReadonlyArray<ChannelLine>> =>
  node.lines.pipe(Stream.take(count), Stream.runCollect, Effect.timeout("5 seconds"), Effect.orDie)

/** The failure of something that must fail. */
export const refused = <E>(effect: Effect.Effect<unknown, E>): Effect.Effect<E> => Effect.orDie(Effect.flip(effect))

const texts = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
    fc.constantFrom(" x ", "\t", "a\0b", "\ufeffx", "\u2028", "é💥")
  )
  .filter((text) => !/[\r\n]/.test(text))

/** Runs the suite. `make` gives a fresh, silent room each time. */
export const suite = (name: string, make: () => Subject): void => {
  describe(`ChatChannel: ${name}`, () => {
    const cleanups: Array<() => void> = []
    afterEach(() => {
      for (const cleanup of cleanups.splice(0)) cleanup()
    })
    const fresh = (): Subject => {
      const subject = make()
      cleanups.push(() => subject.dispose?.())
      return subject
    }

    it("carries lines unchanged and in order to everyone, the poster included, with the author it vouches for", async () => {
      const { carries = () => true, channel, join, vouches } = fresh()
      await together([join("alice"), join("bob")], ([alice, bob]) =>
        Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 5 }), async (texts) => {
              for (const text of texts.filter((one) => !carries(one))) {
                expect((await Effect.runPromise(refused(alice!.post(channel, text)))).code).toBe("unwritable")
              }
              const lines = texts.filter(carries)
              if (lines.length === 0) return
              const posted = Effect.forEach(lines, (line) => alice!.post(channel, line), { discard: true })
              const heard = await Effect.runPromise(
                Effect.andThen(posted, Effect.all([hear(alice!, lines.length), hear(bob!, lines.length)]))
              )
              const expected = lines.map((text) => ({ channel, author: vouches ? "alice" : null, text }))
              expect(heard).toEqual([expected, expected])
            }),
            { numRuns: 30 }
          )
        )
      )
    })

    it("carries every line whole and once when several nodes post at the same time", async () => {
      const { channel, join } = fresh()
      const lines = Array.from({ length: 120 }, (_, index) => `${index}:${"é".repeat(index)}`)
      const heard = await together([join("a"), join("b"), join("c")], (nodes) =>
        Effect.andThen(
          Effect.forEach(lines, (line, index) => nodes[index % 3]!.post(channel, line), {
            concurrency: 12,
            discard: true
          }),
          hear(nodes[0]!, lines.length)
        )
      )
      expect(heard.map(({ text }) => text).sort()).toEqual([...lines].sort())
    })

    it("names its room, and refuses another one", async () => {
      const { channel, join } = fresh()
      await together([join("alice")], ([alice]) =>
        Effect.gen(function* () {
          expect(yield* alice!.channels).toEqual([channel])
          expect((yield* refused(alice!.post("room:elsewhere", "x"))).code).toBe("no-channel")
        })
      )
    })

    it("takes the longest line, and refuses a longer one saying what fits, without posting a part of it", async () => {
      const { channel, join, lineBytesMax } = fresh()
      const longest = "é".repeat(lineBytesMax >> 1) + "x".repeat(lineBytesMax & 1)
      const heard = await together([join("alice")], ([alice]) =>
        Effect.gen(function* () {
          const error = yield* refused(alice!.post(channel, `${longest}x`))
          expect(error.code).toBe("line-too-long")
          expect(error.message).toContain(`${lineBytesMax}`)
          yield* alice!.post(channel, longest)
          yield* alice!.post(channel, "end")
          return yield* hear(alice!, 2)
        })
      )
      expect(heard.map(({ text }) => text)).toEqual([longest, "end"])
    })

    it("refuses a line that would be several, so that nobody can post in another's name", async () => {
      const { channel, join } = fresh()
      const heard = await together([join("alice")], ([alice]) =>
        Effect.gen(function* () {
          for (const line of ["a\nb", "\n", "a\r", "a\r\nb"]) {
            expect((yield* refused(alice!.post(channel, line))).code).toBe("unwritable")
          }
          yield* alice!.post(channel, "end")
          return yield* hear(alice!, 1)
        })
      )
      expect(heard.map(({ text }) => text)).toEqual(["end"])
    })
  })
}
