/**
 * The Model suite on the scripted model, and the null object.
 * It never calls a real model: what one says is not repeatable.
 * Adapters that speak to a server run the same suite against a server of their own.
 */
import { Effect, Stream } from "effect"
import { expect, it } from "vitest"
import { layer, Script } from "../../adapters/memory/Model.ts"
import { Model } from "../../ports/Model.ts"
import { suite } from "./Model.suite.ts"

suite("memory", async (answers) => {
  const script = new Script(answers)
  return { layer: layer(script), requests: () => script.requests, cancelled: () => script.cancelled }
})

const codeOf = (ask: Effect.Effect<unknown, { readonly code: string }, Model>) =>
  Effect.map(Effect.orDie(Effect.flip(ask)), ({ code }) => code)

it("the null object has no model, and a script that has ended refuses", async () => {
  const ask = Stream.runDrain(Stream.unwrap(Model.useSync((model) => model.complete("x"))))
  expect(await Effect.runPromise(codeOf(ask).pipe(Effect.provide(Model.none)))).toBe("no-model")
  expect(await Effect.runPromise(codeOf(ask).pipe(Effect.provide(layer(new Script([])))))).toBe("refused")
})
