/**
 * One turn of an agent: a friend's question goes into the sandbox, and the program in there gets a model through the bridge.
 * It never runs a tool, and never gives the program more than was allowed: calls, tokens, bytes of answer, one request at a time.
 * What the owner says to the model is put first here, outside the sandbox, so that nothing inside can take its place.
 */
import { Clock, Data, Effect, Stream } from "effect"
import type { ModelError, ModelShape, Piece, Said, Tool } from "../../ports/Model.ts"
import type { Program, SandboxError } from "../../ports/Sandbox.ts"
import { utf8Length } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"
import type * as Rejection from "../Rejection.ts"
import type { Allowance } from "./Allowance.ts"
import * as BridgeLine from "./BridgeLine.ts"

/** Why a turn has no answer; the code may be told to the friend, the message is for the owner's log. */
export class TurnError extends Data.TaggedError("TurnError")<{
  readonly code: Rejection.Code
  readonly message: string
}> {}

/** What goes into a turn. `instructions` are the owner's, for all friends. */
export interface Question {
  readonly instructions: string
  readonly before: ReadonlyArray<BridgeLine.Before>
  readonly text: string
  readonly allowance: Allowance
}

/** What a turn has cost so far; the turn counts on it as it goes, so that whoever holds it knows also after a failure. */
export interface Meter {
  calls: number
  tokens: number
  /** When the program began, milliseconds since the epoch: what a turn waits before that costs nobody anything. */
  startedMs?: number
}

const failed = (code: Rejection.Code, message: string): TurnError => new TurnError({ code, message })

/** A guess where a server does not count: four characters a token, as in English. */
const tokensOf = (characters: number): number => Math.ceil(characters / 4)

/** Everything of a request that a server reads and counts, tools included: all of it is the program's to choose. */
const charactersOf = (said: ReadonlyArray<Said>, tools: ReadonlyArray<Tool>): number =>
  JSON.stringify([said, tools]).length

const piecesCharacters = (piece: Piece): number =>
  piece.kind === "text"
    ? piece.text.length
    : piece.kind === "call"
      ? piece.call.input.length + piece.call.name.length
      : 0

const modelCodes: Readonly<Record<ModelError["code"], Rejection.Code>> = {
  "no-model": "no-model",
  refused: "model-failed",
  "timed-out": "model-failed",
  unreachable: "model-failed",
  unreadable: "model-failed"
}

/** Takes the turn with a program that runs: gives the answer's text, at most `Limits.answerBytesMax` bytes of UTF-8. */
export const take = (
  program: Program,
  model: ModelShape,
  question: Question,
  meter: Meter
): Effect.Effect<string, TurnError | SandboxError> =>
  Effect.gen(function* () {
    const { before, text } = question
    meter.startedMs = yield* Clock.currentTimeMillis
    yield* program.say(BridgeLine.print({ kind: "turn", version: BridgeLine.version, before, text }))
    const first = yield* heard(program)
    if (first.kind !== "ready" || first.version !== BridgeLine.version)
      return yield* Effect.fail(failed("sandbox-failed", `the program does not speak version ${BridgeLine.version}`))
    const answer: Array<string> = []
    let bytes = 0
    for (;;) {
      const line = yield* heard(program)
      if (line.kind === "end") return answer.join("")
      if (line.kind === "failed")
        return yield* Effect.fail(failed(line.reason === undefined ? "sandbox-exit" : "sandbox-processes", line.why))
      if (line.kind === "ready") return yield* Effect.fail(breach("it was ready twice"))
      if (line.kind === "ask") yield* asked(program, model, question, meter, line)
      else {
        answer.push(line.text)
        bytes += utf8Length(line.text)
        if (bytes > Limits.answerBytesMax)
          return yield* Effect.fail(failed("sandbox-output", `more than ${Limits.answerBytesMax} bytes of answer`))
      }
    }
  })

const breach = (what: string): TurnError => failed("sandbox-failed", `the program broke the bridge's rules: ${what}`)

const heard = (program: Program): Effect.Effect<BridgeLine.FromProgram, TurnError | SandboxError> =>
  program.hear.pipe(
    Effect.timeoutOrElse({
      duration: Limits.programSilenceMs,
      orElse: () => Effect.fail(failed("sandbox-idle", `the program said nothing for ${Limits.programSilenceMs} ms`))
    }),
    Effect.flatMap((line) => {
      if (line === undefined)
        return Effect.fail(failed("sandbox-exit", "the program ended without an end of its answer"))
      const read = BridgeLine.read(line)
      return read === undefined ? Effect.fail(breach("a line that is none")) : Effect.succeed(read)
    })
  )

/** One request to the model, its answer given to the program as it comes. */
const asked = Effect.fnUntraced(function* (
  program: Program,
  model: ModelShape,
  { allowance, instructions }: Question,
  meter: Meter,
  { said, tools }: Extract<BridgeLine.FromProgram, { kind: "ask" }>
) {
  const all: ReadonlyArray<Said> = [{ role: "system", text: instructions }, ...said]
  const reading = tokensOf(charactersOf(all, tools))
  const left = allowance.tokens - meter.tokens - reading
  if (meter.calls >= allowance.calls || left <= 0)
    return yield* Effect.fail(failed("budget-spent", "the turn has spent what it was allowed"))
  meter.calls++
  const tokensBefore = meter.tokens
  meter.tokens += reading
  let characters = 0
  const given = (piece: Piece): Effect.Effect<void, TurnError> => {
    if (piece.kind === "spent") {
      meter.tokens = tokensBefore + Math.max(0, Math.ceil(piece.tokens))
      return Effect.void
    }
    characters += piecesCharacters(piece)
    meter.tokens = Math.max(meter.tokens, tokensBefore + reading + tokensOf(characters))
    // A model that does not keep to what it was told may not cost more for it.
    if (meter.tokens > allowance.tokens + Limits.tokensOverMax)
      return Effect.fail(failed("budget-spent", "the model wrote more than it was allowed"))
    return program.say(BridgeLine.print(piece))
  }
  yield* Stream.runForEach(
    model.complete({ said: all, tools, tokensMax: Math.min(left, Limits.modelAnswerTokensMax) }),
    given
  ).pipe(Effect.catchTag("ModelError", ({ code, message }) => Effect.fail(failed(modelCodes[code], message))))
  yield* program.say(BridgeLine.print({ kind: "over" }))
})
