/**
 * Where a node's private keys rest between two runs: one secret document, read whole and written whole.
 * A vault never interprets the document, and never hands out one whose protection it cannot vouch for.
 * It is apart from the RecordStore because keys have another threat model: other file modes, no journal, no copies.
 */
import { Context, Data, type Effect, type Option, type Redacted } from "effect"

/** Why the keys could not be read or written. `code` is stable; `message` names the next step for a person. */
export class KeyVaultError extends Data.TaggedError("KeyVaultError")<{
  readonly code: "permissions-too-wide" | "unreadable" | "not-writable" | "disk-full"
  readonly message: string
}> {}

export interface KeyVaultShape {
  /** The stored document, or none on the first start. */
  readonly load: Effect.Effect<Option.Option<Redacted.Redacted<string>>, KeyVaultError>
  /** Replaces the document, all or nothing, durable when it returns. */
  save(document: Redacted.Redacted<string>): Effect.Effect<void, KeyVaultError>
}

export class KeyVault extends Context.Service<KeyVault, KeyVaultShape>()("ports/KeyVault") {}
