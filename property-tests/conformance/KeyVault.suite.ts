/**
 * The acceptance suite of the KeyVault port, for any adapter.
 * It never looks at how a document is kept, only that it comes back as it was, whole, and never in print.
 * A subject's layer can be built again and again over the same medium: that is a restart.
 */
import { Effect, type Layer, Option, Redacted } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { KeyVault, type KeyVaultError, type KeyVaultShape } from "../../ports/KeyVault.ts"

export interface Subject {
  readonly layer: Layer.Layer<KeyVault>
  /** Makes the next save fail, if the adapter can be made to. */
  readonly failNextSave?: () => void
  readonly dispose?: () => void
}

/** One run of a process: a vault opened, used, and let go of. */
export const run = <A>(
  layer: Layer.Layer<KeyVault>,
  use: (vault: KeyVaultShape) => Effect.Effect<A, KeyVaultError>
): Promise<A> => Effect.runPromise(KeyVault.use(use).pipe(Effect.provide(layer)))

/** The stored text or `undefined`. */
export const loadText = (layer: Layer.Layer<KeyVault>): Promise<string | undefined> =>
  run(layer, (vault) => vault.load).then((found) => Option.getOrUndefined(Option.map(found, Redacted.value)))

const save = (layer: Layer.Layer<KeyVault>, text: string): Promise<void> =>
  run(layer, (vault) => vault.save(Redacted.make(text)))

/** Runs the suite. `make` gives a fresh, empty medium each time. */
export const suite = (name: string, make: () => Subject): void => {
  describe(`KeyVault: ${name}`, () => {
    const cleanups: Array<() => void> = []
    afterEach(() => {
      for (const cleanup of cleanups.splice(0)) cleanup()
    })
    const fresh = (): Subject => {
      const subject = make()
      cleanups.push(() => subject.dispose?.())
      return subject
    }

    it("holds nothing at first", async () => {
      expect(await loadText(fresh().layer)).toBeUndefined()
    })

    it("gives back the last document as it is, across restarts", async () => {
      const { layer } = fresh()
      const documents = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("", "\ufeff{}", "\r\n", "\0", "é💥"))
      await fc.assert(
        fc.asyncProperty(documents, async (document) => {
          await save(layer, document)
          expect(await loadText(layer)).toBe(document)
        }),
        { numRuns: 50 }
      )
    })

    it("replaces a long document by a short one whole", async () => {
      const { layer } = fresh()
      await save(layer, "x".repeat(1 << 20))
      await save(layer, "{}")
      expect(await loadText(layer)).toBe("{}")
    })

    it("holds one of the documents whole when several are saved at once", async () => {
      const { layer } = fresh()
      const documents = Array.from({ length: 10 }, (_, index) => `${index}`.repeat(5_000))
      await run(layer, (vault) =>
        Effect.forEach(documents, (document) => vault.save(Redacted.make(document)), {
          concurrency: "unbounded",
          discard: true
        })
      )
      expect(documents).toContain(await loadText(layer))
    })

    it("never prints the document", async () => {
      const { layer } = fresh()
      await save(layer, "very-secret")
      const found = await run(layer, (vault) => vault.load)
      expect(`${JSON.stringify(found)} ${String(found)}`).not.toContain("very-secret")
    })

    it("keeps the earlier document when a save fails, and the failure does not print the new one", async ({ skip }) => {
      const subject = fresh()
      if (subject.failNextSave === undefined) skip("this adapter cannot be made to fail")
      await save(subject.layer, "earlier")
      subject.failNextSave?.()
      const error = await run(subject.layer, (vault) =>
        Effect.flip(vault.save(Redacted.make("very-secret"))).pipe(Effect.orDie)
      )
      expect(["disk-full", "not-writable"]).toContain(error.code)
      expect(JSON.stringify(error) + error.message).not.toContain("very-secret")
      expect(await loadText(subject.layer)).toBe("earlier")
    })
  })
}
