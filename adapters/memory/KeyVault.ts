/**
 * A KeyVault in memory.
 * It never prints the document and never fails by itself; what goes wrong is what a test asked for.
 * What survives is apart from the layer, in a `Safe`: so a restart is a new layer on the same safe.
 */
import { Effect, Layer, Option, type Redacted } from "effect"
import { KeyVault, KeyVaultError } from "../../ports/KeyVault.ts"

/** What a restart finds again. */
export class Safe {
  document: Option.Option<Redacted.Redacted<string>> = Option.none()
  #faults: Array<KeyVaultError["code"]> = []

  /** The next load or save that has no fault yet fails with this code and changes nothing. */
  failNext(code: KeyVaultError["code"]): void {
    this.#faults.push(code)
  }

  /** The fault that is due now, if a test asked for one. */
  get fault(): Effect.Effect<void, KeyVaultError> {
    return Effect.suspend(() => {
      const code = this.#faults.shift()
      if (code === undefined) return Effect.void
      return Effect.fail(new KeyVaultError({ code, message: `the test asked for ${code}; nothing was changed` }))
    })
  }
}

/** A vault on a safe, by default a new one of its own. */
export const layer = (safe: Safe = new Safe()): Layer.Layer<KeyVault> =>
  Layer.succeed(KeyVault, {
    load: Effect.andThen(
      safe.fault,
      Effect.sync(() => safe.document)
    ),
    save: (document) =>
      Effect.andThen(
        safe.fault,
        Effect.sync(() => {
          safe.document = Option.some(document)
        })
      )
  })
