/**
 * A language model, reached by text: one request document in, text out as it is written.
 * A model never sees keys, files or other conversations; only what the request holds.
 * Nothing here runs tools: tools run in the Sandbox, which reaches this port through a bridge.
 */
import { Context, Data, Layer, Stream } from "effect"

export class ModelError extends Data.TaggedError("ModelError")<{
  readonly code: "no-model" | "refused" | "timed-out" | "unreachable"
  readonly message: string
}> {}

export interface ModelShape {
  /** Streams the answer to one request. Interruption cancels it. */
  complete(request: string): Stream.Stream<string, ModelError>
}

export class Model extends Context.Service<Model, ModelShape>()("ports/Model") {
  /** The null object: no model is configured. */
  static readonly none = Layer.succeed(Model, {
    complete: () => Stream.fail(new ModelError({ code: "no-model", message: "no language model is configured" }))
  })
}
