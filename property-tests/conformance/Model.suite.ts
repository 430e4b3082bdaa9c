/**
 * The acceptance suite of the Model port, for any adapter.
 * It never judges what a model says; only that it arrives whole, in order, as it is written, and stops when told to.
 * A subject is an adapter together with whatever stands at its far end, made to say what the test wants.
 */
import { Effect, Fiber, type Layer, Stream } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Model, ModelError, type Piece, type Request } from "../../ports/Model.ts"

/** What the far end does for one request: pieces, then the end, a failure, or silence for ever. */
export interface Answer {
  readonly pieces: ReadonlyArray<Piece>
  readonly end: "done" | "never" | ModelError["code"]
}

export interface Subject {
  readonly layer: Layer.Layer<Model>
  /** The requests that reached the far end, in order. */
  readonly requests: () => ReadonlyArray<Request>
  /** How many answers the far end stopped giving because nobody wanted them any more. */
  readonly cancelled: () => number
  readonly dispose?: () => Promise<void>
}

const piece = (text: string): Piece => ({ kind: "text", text })

/** Failures an adapter's far end can be made to give; `no-model` is a matter of configuration. */
const failures = ["refused", "timed-out", "unreachable", "unreadable"] as const

/** Runs the suite. `make` gives an adapter whose far end follows the script, request by request. */
export const suite = (name: string, make: (script: ReadonlyArray<Answer>) => Promise<Subject>, runs = 50): void => {
  const withSubject = async (
    script: ReadonlyArray<Answer>,
    use: (subject: Subject) => Effect.Effect<void, ModelError, Model>
  ): Promise<void> => {
    const subject = await make(script)
    try {
      await Effect.runPromise(Effect.provide(use(subject), subject.layer))
    } finally {
      await subject.dispose?.()
    }
  }
  const plain = (text: string): Request => ({ said: [{ role: "user", text }], tools: [], tokensMax: 100 })
  const asked = (request: Request) => Stream.unwrap(Model.useSync((model) => model.complete(request)))
  const ask = (text: string) => asked(plain(text))
  const textOf = (pieces: ReadonlyArray<Piece>) => pieces.map((one) => (one.kind === "text" ? one.text : "")).join("")
  const text = (request: string) => Effect.map(Stream.runCollect(ask(request)), textOf)

  describe(`Model: ${name}`, () => {
    it("gives every answer whole, and each request its own", async () => {
      const pieces = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), { maxLength: 8 })
      await fc.assert(
        fc.asyncProperty(fc.array(pieces, { minLength: 1, maxLength: 4 }), (answers) =>
          withSubject(
            answers.map((one) => ({ pieces: one.map(piece), end: "done" })),
            ({ requests }) =>
              Effect.gen(function* () {
                for (const [index, answer] of answers.entries()) {
                  expect(yield* text(`request ${index} é\n"`)).toBe(answer.join(""))
                }
                expect(requests()).toEqual(answers.map((_, index) => plain(`request ${index} é\n"`)))
              })
          )
        ),
        { numRuns: runs }
      )
    })

    it("carries tools, calls and their results both ways, and says what was spent", () => {
      const calls = [
        { id: "c1", name: "shell", input: '{"command":"ls"}' },
        { id: "c2", name: "shell", input: "{ not JSON" }
      ]
      const pieces: ReadonlyArray<Piece> = [
        piece("let me look"),
        ...calls.map((call): Piece => ({ kind: "call", call })),
        { kind: "spent", tokens: 42 }
      ]
      const request: Request = {
        said: [
          { role: "system", text: "be kind" },
          { role: "user", text: "what is there?" },
          { role: "assistant", text: "", calls },
          { role: "tool", callId: "c1", text: "a\nb" },
          { role: "tool", callId: "c2", text: "" },
          { role: "assistant", text: "a and b", calls: [] },
          { role: "user", text: "and now?" }
        ],
        tools: [{ name: "shell", purpose: "runs a command", input: { type: "object", properties: {} } }],
        tokensMax: 7
      }
      return withSubject([{ pieces, end: "done" }], ({ requests }) =>
        Effect.gen(function* () {
          expect(yield* Stream.runCollect(asked(request))).toEqual(pieces)
          expect(requests()).toEqual([request])
        })
      )
    })

    it("says that it is ready and what it is called", () =>
      withSubject([], () =>
        Effect.gen(function* () {
          const { name, ready, reason } = (yield* Model).status
          expect({ ready, named: name !== "", explained: reason !== "" }).toEqual({
            ready: true,
            named: true,
            explained: true
          })
        })
      ))

    it("gives what is written as it is written, not at the end", () =>
      withSubject([{ pieces: ["one", "two"].map(piece), end: "never" }], () =>
        Effect.gen(function* () {
          const first = yield* ask("x").pipe(
            Stream.take(1),
            Stream.runCollect,
            Effect.timeout("5 seconds"),
            Effect.orDie
          )
          expect(textOf(first).startsWith("one")).toBe(true)
        })
      ))

    it("asks nothing before somebody listens", () =>
      withSubject([{ pieces: [piece("x")], end: "done" }], ({ requests }) =>
        Effect.gen(function* () {
          const answer = ask("x")
          expect(requests()).toEqual([])
          yield* Stream.runDrain(answer)
          expect(requests()).toEqual([plain("x")])
        })
      ))

    it("is cancelled by interruption, at the far end too", () =>
      withSubject([{ pieces: [piece("x")], end: "never" }], ({ cancelled, requests }) =>
        Effect.gen(function* () {
          const reading = yield* Effect.forkChild(Stream.runDrain(ask("x")))
          const until = (done: () => boolean) =>
            Effect.gen(function* () {
              while (!done()) yield* Effect.sleep(5)
            }).pipe(Effect.timeout("5 seconds"), Effect.orDie)
          yield* until(() => requests().length === 1)
          yield* Fiber.interrupt(reading)
          yield* until(() => cancelled() === 1)
        })
      ))

    for (const end of failures) {
      it(`ends in ${end} with a sentence, after what was said before`, () =>
        withSubject(
          [
            { pieces: [piece("half")], end },
            { pieces: [piece("whole")], end: "done" }
          ],
          () =>
            Effect.gen(function* () {
              const heard: Array<Piece> = []
              const listening = Stream.runForEach(ask("x"), (one) => Effect.sync(() => void heard.push(one)))
              const error = yield* Effect.orDie(Effect.flip(listening))
              expect(error).toBeInstanceOf(ModelError)
              expect(error.code).toBe(end)
              expect(error.message.length).toBeGreaterThan(0)
              expect(["half", ""]).toContain(textOf(heard))
              expect(yield* text("y")).toBe("whole")
            })
        ))
    }
  })
}
