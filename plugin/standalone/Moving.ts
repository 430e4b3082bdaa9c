/**
 * A node moves to another machine: its identity and its records in one file under a passphrase, and out of it again.
 * It never changes the folder it exports, never writes over anything, and never leaves an identity without its records.
 * The records go along because friends would still know a node that comes with its keys alone, and it would not know them.
 */
import { Cause, Clock, Data, Effect, Exit, Option, Result } from "effect"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import * as Envelope from "../../adapters/sodium/Envelope.ts"
import { Base64url, Node } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import { type Change, RecordStore, type StoredRecord } from "../../ports/RecordStore.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Layers from "../Layers.ts"
import { counted } from "../Present.ts"
import { type Changed, type Given, whyNot } from "./Identity.ts"
import * as Luggage from "./Luggage.ts"
import * as Passphrase from "./Passphrase.ts"

/** Why a node does not move. `message` names the next step for a person. */
export class MoveError extends Data.TaggedError("MoveError")<{
  readonly code: "no-identity" | "identity-exists" | "records-exist" | "content-unknown"
  readonly message: string
}> {}

const refuse = (code: MoveError["code"], message: string) => Effect.fail(new MoveError({ code, message }))

export interface Options {
  readonly verb: "export" | "import"
  readonly file: string
  readonly dataFolder: string
  readonly passphraseFile: string | undefined
  readonly json: boolean
}

/** Checks what was given on the command line. */
export const readOptions = (
  verb: Options["verb"],
  files: ReadonlyArray<string>,
  given: Given
): Options | { readonly mistake: string } => {
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  if (given.compromise === true || given["recovery-file"] !== undefined) {
    return { mistake: "--compromise and --recovery-file belong to identity rotate" }
  }
  const [file, ...more] = files
  if (file === undefined || more.length > 0) return { mistake: `identity ${verb} takes one FILE` }
  const passphraseFile = given["passphrase-file"]
  return { verb, file, dataFolder: chosen.folder, passphraseFile, json: given.json ?? false }
}

/** Records of a batch: a commit stays far below what one can hold, whatever waits in the queue. */
const batchCharsMax = 4 << 20
/** Longest file that is read: more than all bounds of a node together. */
const fileBytesMax = 1 << 30

/** What the luggage holds, for a person; refused if this program could not run on it. */
const inspect = Effect.fnUntraced(function* ({ identity, records }: Luggage.Luggage) {
  const examined = Node.examine(yield* Crypto, identity, records)
  if (Result.isFailure(examined)) {
    return yield* refuse(
      "content-unknown",
      `no node would start on the content (${examined.failure.message}); is this program older than the other?`
    )
  }
  const { durable, keys } = examined.success
  const friends = Table.values(durable.roster.friends).filter(({ standing }) => standing === "Friend").length
  return { identityKey: Base64url.encode(keys.identityKey), friends, records: records.length }
})

const vaultOf = (folder: string) =>
  Effect.flatMap(KeyVault, (vault) => vault.load).pipe(Effect.provide(FileKeyVault.layer({ folder })))

/** Everything of the folder, taken while its lock keeps every node out, and sealed into a new file. */
const pack = Effect.fnUntraced(function* ({ dataFolder, file, passphraseFile }: Options) {
  const vault = yield* KeyVault
  // Keys that would not start a node are refused here, not on the other machine.
  yield* Node.loadKeys
  const identity = yield* vault.load
  if (Option.isNone(identity)) return yield* refuse("no-identity", `there is no identity in ${dataFolder} any more`)
  const records = yield* Effect.flatMap(RecordStore, (store) => store.load)
  const luggage = { identity: identity.value, records, packedAtMs: yield* Clock.currentTimeMillis }
  const facts = yield* inspect(luggage)
  yield* PrivateFile.requireAbsent(file)
  const passphrase = yield* Passphrase.obtain(passphraseFile, true)
  yield* PrivateFile.writeNew(file, yield* Envelope.seal(passphrase, Luggage.pack(luggage)))
  return {
    facts: { exported: file, data: dataFolder, ...facts },
    lines: [
      `exported to ${file}: key ${facts.identityKey}, ${counted(facts.friends, "friend")}, all that waits (${counted(facts.records, "record")})`,
      "without the passphrase the file is worth nothing, and the passphrase is kept nowhere",
      `not in it are the conversations: copy ${dataFolder}/conversations by hand to read on there`,
      `on the other machine: wopr-p2p identity import ${file}`,
      `${dataFolder} is still alive: from now on start it there or here, never both. What waits would be sent from both, and`,
      "what friends send reach either; they notice two that take turns, and tell both at their next contact"
    ]
  } satisfies Changed as Changed
})

const exporting = Effect.fnUntraced(function* (options: Options) {
  // Looked at before the lock is taken, because taking it makes the folder.
  if (Option.isNone(yield* vaultOf(options.dataFolder))) {
    return yield* refuse("no-identity", `there is no identity in ${options.dataFolder}; name the folder with --data`)
  }
  return yield* pack(options).pipe(Effect.provide(Layers.atRest(options.dataFolder)))
})

const requireNoIdentity = (folder: string) =>
  Effect.flatMap(
    Effect.flatMap(KeyVault, (vault) => vault.load),
    (found) =>
      Option.isNone(found)
        ? Effect.void
        : refuse(
            "identity-exists",
            `${folder} holds an identity; name an empty folder with --data, or move that one away`
          )
  )

const changesOf = (records: ReadonlyArray<StoredRecord>): ReadonlyArray<ReadonlyArray<Change>> => {
  const batches: Array<Array<Change>> = []
  let chars = batchCharsMax
  for (const record of records) {
    chars += record.key.length + record.value.length
    if (chars > batchCharsMax) {
      batches.push([])
      chars = 0
    }
    batches.at(-1)!.push(record)
  }
  return batches
}

/**
 * Puts luggage into the store and the vault in context; `folder` is for the sentences. The records first and the identity last: what is cut off in between is no node yet, and the same import goes on.
 * Records that are there already must be of this very file.
 */
export const unpack = Effect.fnUntraced(function* (folder: string, { identity, records }: Luggage.Luggage) {
  const [store, vault] = [yield* RecordStore, yield* KeyVault]
  yield* requireNoIdentity(folder)
  const nameOf = ({ collection, key }: StoredRecord) => JSON.stringify([collection, key])
  const ours = new Map(records.map((record) => [nameOf(record), record.value]))
  const there = yield* store.load
  if (!there.every((record) => ours.get(nameOf(record)) === record.value)) {
    return yield* refuse("records-exist", `${folder} holds records of another node; name an empty folder with --data`)
  }
  const undo = there.length > 0 ? [] : changesOf(records).map((batch) => batch.map((one) => ({ ...one, value: null })))
  const taking = Effect.andThen(
    Effect.forEach(changesOf(records), (batch) => store.commit(batch)),
    vault.save(identity)
  )
  yield* taking.pipe(
    Effect.tapError(() => Effect.ignore(Effect.forEach(undo, (batch) => store.commit(batch)))),
    Effect.uninterruptible
  )
})

const importing = Effect.fnUntraced(function* ({ dataFolder, file, passphraseFile }: Options) {
  yield* Effect.provide(requireNoIdentity(dataFolder), FileKeyVault.layer({ folder: dataFolder }))
  const bytes = yield* PrivateFile.readWhole(file, { bytesMax: fileBytesMax })
  const passphrase = yield* Passphrase.obtain(passphraseFile, false)
  const luggage = Luggage.unpack(yield* Envelope.open(passphrase, bytes))
  if (luggage === undefined) {
    return yield* refuse("content-unknown", "the content is of another kind; is this program older than the other?")
  }
  const facts = yield* inspect(luggage)
  yield* unpack(dataFolder, luggage).pipe(Effect.provide(Layers.atRest(dataFolder)))
  return {
    facts: { imported: file, data: dataFolder, ...facts, exportedAtMs: luggage.packedAtMs },
    lines: [
      `imported into ${dataFolder}: key ${facts.identityKey}, ${counted(facts.friends, "friend")}, ${counted(facts.records, "record")}`,
      `as they were at ${new Date(luggage.packedAtMs).toISOString()}; if the node ran on elsewhere since, this one is older:`,
      "it says so at the next contact with a friend, and what was said in between is missing here",
      `start it under its name: wopr-p2p run --name NAME --data ${dataFolder}`,
      "the folder it came from must not run any more; delete it once this one is up. Friends notice two that take turns",
      `conversations are not in the file: copy them by hand to ${dataFolder}/conversations`
    ]
  } satisfies Changed as Changed
})

/** The commands `wopr-p2p identity export` and `import`. Gives the exit code. */
export const move = async (options: Options): Promise<number> => {
  const moving = (options.verb === "export" ? exporting(options) : importing(options)).pipe(
    Effect.provide(Sodium.layer)
  )
  const exit = await Effect.runPromiseExit(moving)
  process.stdin.unref?.()
  if (Exit.isSuccess(exit)) {
    const { facts, lines } = exit.value
    process.stdout.write(options.json ? `${JSON.stringify(facts)}\n` : `${lines.join("\n")}\n`)
    return 0
  }
  const failure = Cause.squash(exit.cause)
  const why = whyNot(failure)
  const { code = "internal-error" } = failure as { readonly code?: string }
  if (options.json) process.stdout.write(`${JSON.stringify({ code, why })}\n`)
  process.stderr.write(`${why}\n`)
  return 1
}
