/**
 * One question to an agent in a sandbox, with a model that follows a script over real HTTP on this machine.
 * It never says what to expect; it gives what reached the model and what the friend would hear.
 * Apart from the tests because an agent that works and an agent that fails are asked in the same way.
 */
import { Effect, Exit, type Layer, Scope } from "effect"
import { layer as openai } from "../../adapters/openai/Model.ts"
import { type Answer, type Asked, serve } from "../../adapters/openai/ScriptedServer.ts"
import * as Responder from "../../core/agent/Responder.ts"
import type { Meter } from "../../core/agent/Turn.ts"
import { Model } from "../../ports/Model.ts"
import { Sandbox } from "../../ports/Sandbox.ts"

export interface Message {
  readonly role: string
  readonly content: string
}
const messagesIn = ({ body }: Asked): ReadonlyArray<Message> =>
  (body as { readonly messages: ReadonlyArray<Message> }).messages

/** A model's answer that is one call of a tool; `input` as JSON, or as the text it is. */
export const callOf = (id: string, name: string, input: unknown): Answer => ({
  pieces: [{ kind: "call", call: { id, name, input: typeof input === "string" ? input : JSON.stringify(input) } }],
  end: "done"
})

/** A model's answer in words. */
export const text = (words: string): Answer => ({ pieces: [{ kind: "text", text: words }], end: "done" })

export interface Told {
  /** The answer's text, or the code of its refusal. */
  readonly outcome: string
  /** What the model was asked, request by request. */
  readonly asked: ReadonlyArray<ReadonlyArray<Message>>
  readonly meter: Meter
  readonly confinement: unknown
}

/** One question in this sandbox, with a model that answers so. */
export const question = async (
  sandbox: Layer.Layer<Sandbox>,
  answers: ReadonlyArray<Answer>,
  limits: { readonly timeLimitMs?: number; readonly calls?: number } = {}
): Promise<Told> => {
  const asked: Array<ReadonlyArray<Message>> = []
  const meter: Meter = { calls: 0, tokens: 0 }
  const scope = Effect.runSync(Scope.make())
  const program = Effect.gen(function* () {
    const server = yield* serve((one) => {
      asked.push(messagesIn(one))
      return answers[asked.length - 1] ?? text("nothing more")
    })
    const model = openai({ baseUrl: server.baseUrl, model: "scripted" })
    return yield* Effect.gen(function* () {
      const log = { append: () => Effect.void, remove: () => Effect.void, read: () => Effect.succeed([]) }
      const responder = Responder.agent(yield* Sandbox, { model: yield* Model, log, instructions: "owner's words" })
      const { timeLimitMs = 20_000, calls = 16 } = limits
      const allowance = { calls, tokens: 1_000_000, ms: timeLimitMs }
      const id = `q-${crypto.randomUUID()}`
      const place = { id, conversation: "c", entryId: "e", unshown: [] }
      return yield* Effect.result(responder.answer({ ...place, text: "well?", timeLimitMs, allowance }, meter))
    }).pipe(Effect.provide(sandbox), Effect.provide(model))
  })
  const result = await Effect.runPromise(Scope.provide(program, scope))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return result._tag === "Success"
    ? {
        outcome: new TextDecoder().decode(result.success.output),
        asked,
        meter,
        confinement: result.success.confinement
      }
    : { outcome: result.failure.code, asked, meter, confinement: undefined }
}
