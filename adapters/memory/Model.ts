/**
 * A language model that says what a script tells it to.
 * It never reads the request: what comes is decided by the number of the request alone, so that a test is repeatable.
 * It counts cancellations, because a caller that hangs up and leaves the model running is a defect one cannot see.
 */
import { Effect, Exit, Layer, Stream } from "effect"
import { Model, ModelError, type Piece, type Request } from "../../ports/Model.ts"

/** One answer: pieces, then the end, a failure, or silence for ever. */
export interface Answer {
  readonly pieces: ReadonlyArray<Piece>
  readonly end: "done" | "never" | ModelError["code"]
}

/** The answers to come, and what happened so far. Survives the layer, so that a test can look at it. */
export class Script {
  readonly #answers: ReadonlyArray<Answer>
  readonly #requests: Array<Request> = []
  #cancelled = 0

  constructor(answers: ReadonlyArray<Answer>) {
    this.#answers = answers
  }

  /** Every request, in order. */
  get requests(): ReadonlyArray<Request> {
    return [...this.#requests]
  }

  /** How many answers were cut off by their reader. */
  get cancelled(): number {
    return this.#cancelled
  }

  /** Notes a request and gives its answer; beyond the script the model refuses. */
  next(request: Request): Answer {
    this.#requests.push(request)
    return this.#answers[this.#requests.length - 1] ?? { pieces: [], end: "refused" }
  }

  noteCancelled(): void {
    this.#cancelled += 1
  }
}

const ending = (end: Answer["end"]): Stream.Stream<never, ModelError> => {
  if (end === "done") return Stream.empty
  if (end === "never") return Stream.never
  return Stream.fail(new ModelError({ code: end, message: `the script says ${end}` }))
}

/** A model that follows a script. */
export const layer = (script: Script): Layer.Layer<Model> =>
  Layer.succeed(Model, {
    status: { ready: true, name: "a script", reason: "follows a script" },
    complete: (request) =>
      Stream.suspend(() => {
        const { pieces, end } = script.next(request)
        return Stream.concat(Stream.fromIterable(pieces), ending(end)).pipe(
          Stream.onExit((exit) => (Exit.hasInterrupts(exit) ? Effect.sync(() => script.noteCancelled()) : Effect.void))
        )
      })
  })
