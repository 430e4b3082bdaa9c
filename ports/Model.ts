/**
 * A language model: what was said so far goes in, what it says next comes out as it is written.
 * A model never sees keys, files or other conversations; only what the request holds.
 * Nothing here runs tools: a model may ask for one, and tools run in the Sandbox, which reaches this port through a bridge.
 */
import { Context, Data, Effect, Layer, Stream } from "effect"

/** A tool that the model asks for; `input` is JSON as the model wrote it, which need not be valid. */
export interface Call {
  readonly id: string
  readonly name: string
  readonly input: string
}

/** What was said, and by whom. `tool` is what came of a call. */
export type Said =
  | { readonly role: "system" | "user"; readonly text: string }
  | { readonly role: "assistant"; readonly text: string; readonly calls: ReadonlyArray<Call> }
  | { readonly role: "tool"; readonly callId: string; readonly text: string }

/** A tool that a model may ask for; `input` is the JSON Schema of its input. */
export interface Tool {
  readonly name: string
  readonly purpose: string
  readonly input: unknown
}

export interface Request {
  readonly said: ReadonlyArray<Said>
  readonly tools: ReadonlyArray<Tool>
  /** At most so many tokens are written. */
  readonly tokensMax: number
}

/** A piece of an answer: text as it is written, a whole call, or how many tokens were read and written, once, at the end. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly call: Call }
  | { readonly kind: "spent"; readonly tokens: number }

export class ModelError extends Data.TaggedError("ModelError")<{
  readonly code: "no-model" | "refused" | "timed-out" | "unreachable" | "unreadable"
  readonly message: string
}> {}

export interface ModelShape {
  /** Whether a model is configured, as people call it, and if not, what to do. It asks nobody. */
  readonly status: { readonly ready: boolean; readonly name: string; readonly reason: string }
  /** Streams the answer to one request. Interruption cancels it, at the far end too. */
  complete(request: Request): Stream.Stream<Piece, ModelError>
}

export class Model extends Context.Service<Model, ModelShape>()("ports/Model") {
  /** The null object: refuses everything, for a reason. */
  static readonly refuse = (reason: string): Layer.Layer<Model> =>
    Layer.succeed(Model, {
      status: { ready: false, name: "none", reason },
      complete: () => Stream.fromEffect(Effect.fail(new ModelError({ code: "no-model", message: reason })))
    })
  static readonly none = Model.refuse("no language model is configured")
}
