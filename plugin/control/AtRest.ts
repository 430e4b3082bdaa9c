/**
 * A node that does not run, as its files say it is: for questions from another terminal.
 * It never writes, locks or makes anything, so that looking can neither hold up a start nor spoil a backup.
 * What only a running node knows (who is connected, whether the sandbox is ready) is said to be so.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Clock, Data, Effect, Option } from "effect"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as Lock from "../../adapters/filesystem/Lock.ts"
import * as ReadOnly from "../../adapters/filesystem/ReadOnly.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { type Describe, Node } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import * as NodeFile from "./NodeFile.ts"

/** Why the files say nothing; the sentence names the next step. */
export class AtRestError extends Data.TaggedError("AtRestError")<{
  readonly code: "no-identity" | "unreadable"
  readonly message: string
}> {}

/** The living process that holds a data folder, or undefined. */
export const holder = (dataFolder: string): Promise<Lock.Holder | undefined> =>
  existsSync(dataFolder) ? Lock.findHolder(dataFolder).catch(() => undefined) : Promise.resolve(undefined)

const unreadable = (error: { readonly message: string }): AtRestError =>
  new AtRestError({ code: "unreadable", message: error.message })

/** The name that a folder's node was last started under. */
const nameOf = (dataFolder: string): string => NodeFile.read(dataFolder)?.name ?? "unnamed"

/** A node as its files say it is. Fails `no-identity` where no node ever was, `unreadable` with what is wrong. */
export const describe = (dataFolder: string): Effect.Effect<Describe.Description, AtRestError> =>
  Effect.gen(function* () {
    const none = `there is no identity in ${dataFolder}; name the folder of a node with --data`
    if (!existsSync(join(dataFolder, "identity.json"))) {
      return yield* Effect.fail(new AtRestError({ code: "no-identity", message: none }))
    }
    const vault = yield* KeyVault
    const document = yield* vault.load.pipe(Effect.mapError(unreadable))
    if (Option.isNone(document)) return yield* Effect.fail(new AtRestError({ code: "no-identity", message: none }))
    const found = yield* ReadOnly.readRecords(dataFolder).pipe(Effect.mapError(unreadable))
    const nowMs = yield* Clock.currentTimeMillis
    const node = yield* Effect.fromResult(
      Node.describeAtRest(yield* Crypto, nameOf(dataFolder), document.value, found?.records ?? [], nowMs)
    ).pipe(Effect.mapError(unreadable))
    return { ...node, sandbox: { ...node.sandbox, reason: "the node does not run" } }
  }).pipe(Effect.provide(Sodium.layer), Effect.provide(FileKeyVault.layer({ folder: dataFolder })))
