/**
 * One question to an agent in a sandbox of the test's choice, with a model that follows a script over real HTTP on this machine.
 * It must not look into the sandbox: what it tells is what reached the model, and what came back as the answer.
 * The sandbox outlives a question, so that a test can ask a second one.
 */
import { Effect, Exit, Scope } from "effect"
import { layer as openai } from "../../adapters/openai/Model.ts"
import { type Answer, type Asked, serve } from "../../adapters/openai/ScriptedServer.ts"
import * as Responder from "../../core/agent/Responder.ts"
import type { Meter } from "../../core/agent/Turn.ts"
import { Model } from "../../ports/Model.ts"
import type { Confinement, SandboxShape } from "../../ports/Sandbox.ts"

/** The model calls a tool. */
export const callOf = (id: string, name: string, input: unknown): Answer => ({
  pieces: [{ kind: "call", call: { id, name, input: JSON.stringify(input) } }],
  end: "done"
})

/** The model says something, and has nothing more to do. */
export const textOf = (words: string): Answer => ({ pieces: [{ kind: "text", text: words }], end: "done" })

export interface Told {
  /** The answer's text, or the code of its refusal. */
  readonly outcome: string
  /** The last message of each request to the model. */
  readonly heard: ReadonlyArray<string>
  /** The names of the tools it was offered first. */
  readonly tools: ReadonlyArray<string>
  readonly confinement: Confinement | undefined
}

interface Body {
  readonly messages: ReadonlyArray<{ readonly content: string }>
  readonly tools?: ReadonlyArray<{ readonly function: { readonly name: string } }>
}

/** Asks as the friend whose conversation is named, and has the model answer so. */
export const question = async (
  sandbox: SandboxShape,
  conversation: string,
  answers: ReadonlyArray<Answer>,
  timeLimitMs = 20_000,
  reuse?: string
): Promise<Told> => {
  const bodies: Array<Body> = []
  const meter: Meter = { calls: 0, tokens: 0 }
  const scope = Effect.runSync(Scope.make())
  const program = Effect.gen(function* () {
    const server = yield* serve(({ body }: Asked) => {
      bodies.push(body as Body)
      return answers[bodies.length - 1] ?? textOf("nothing more")
    })
    return yield* Effect.gen(function* () {
      const log = { append: () => Effect.void, remove: () => Effect.void, read: () => Effect.succeed([]) }
      const responder = Responder.agent(sandbox, { model: yield* Model, log, instructions: "owner's words" })
      const allowance = { calls: 16, tokens: 1_000_000, ms: timeLimitMs }
      const place = { id: `q-${crypto.randomUUID()}`, conversation, entryId: "e", unshown: [], ...(reuse && { reuse }) }
      return yield* Effect.result(responder.answer({ ...place, text: "well?", timeLimitMs, allowance }, meter))
    }).pipe(Effect.provide(openai({ baseUrl: server.baseUrl, model: "scripted" })))
  })
  const result = await Effect.runPromise(Scope.provide(program, scope))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  const heard = bodies.map(({ messages }) => messages.at(-1)!.content)
  const tools = (bodies[0]?.tools ?? []).map((tool) => tool.function.name)
  return result._tag === "Success"
    ? {
        outcome: new TextDecoder().decode(result.success.output),
        heard,
        tools,
        confinement: result.success.confinement
      }
    : { outcome: result.failure.code, heard, tools, confinement: undefined }
}
