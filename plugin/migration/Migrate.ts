/**
 * `wopr-p2p migrate`: the former plugin's keys and friends into a data folder of this program.
 * It never changes an original: what lies in the data folder itself is copied to `former-plugin/` before anything is written.
 * The identity is written last: until then the folder is still the former plugin's, and doing it again finishes it.
 */
import { existsSync } from "node:fs"
import { copyFile, mkdir, open, readdir, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { basename, join, resolve } from "node:path"
import { Cause, Clock, Data, Effect, Exit, Option, Result } from "effect"
import { draftName, preparePrivateFolder, syncFolder } from "../../adapters/filesystem/Files.ts"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, Keys, State } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import { RecordStore } from "../../ports/RecordStore.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Layers from "../Layers.ts"
import * as Present from "../Present.ts"
import * as FormerFiles from "./FormerFiles.ts"
import * as Plan from "./Plan.ts"

export interface Options {
  readonly dataFolder: string
  readonly from?: string
  readonly identityFile?: string
  /** What the host's tables hold, where the host is there to be asked. */
  readonly tables?: FormerFiles.Former
  readonly dryRun: boolean
  readonly json: boolean
}

/** Checks what was given on the command line. */
export const readOptions = (given: {
  readonly data?: string | undefined
  readonly from?: string | undefined
  readonly "identity-json"?: string | undefined
  readonly "dry-run"?: boolean | undefined
  readonly json?: boolean | undefined
}): Options | { readonly mistake: string } => {
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  return {
    dataFolder: chosen.folder,
    dryRun: given["dry-run"] ?? false,
    json: given.json ?? false,
    ...(given.from === undefined ? {} : { from: resolve(given.from) }),
    ...(given["identity-json"] === undefined ? {} : { identityFile: given["identity-json"] })
  }
}

/** Why nothing was taken over; the sentence names what to do. */
export class MigrateError extends Data.TaggedError("MigrateError")<{
  readonly code: "nothing-found" | "identity-missing" | "identity-damaged" | "identity-exists" | "unwritable"
  readonly message: string
}> {}

const failed = (code: MigrateError["code"], message: string) => new MigrateError({ code, message })

/** The folder that keeps the originals. */
export const backupName = "former-plugin"

/** Where the former plugin's files are: a backup of an earlier try comes first, since the rest may be half ours by now. */
const sourceOf = ({ dataFolder, from }: Options): string | undefined => {
  const backup = join(dataFolder, backupName)
  const places = from === undefined ? [backup, dataFolder, "/data/p2p", join(homedir(), ".wopr", "p2p")] : [from]
  if (from === dataFolder && FormerFiles.holdsAny(backup)) return backup
  return places.find((folder) => FormerFiles.holdsAny(folder))
}

const sqlHint =
  "after its move to SQL the former plugin kept its keys in the host's table p2p_identity, which is out of reach here: " +
  "export that row as JSON into a file of your own (chmod 600) and name it with --identity-json FILE"

const formerOf = (options: Options, source: string | undefined) =>
  Effect.gen(function* () {
    const read = FormerFiles.read(source ?? options.dataFolder)
    const { identityFile: file, tables } = options
    if (tables !== undefined) {
      // The tables came after the files; but in practice only the identity was ever written to them.
      const isFilled = tables.friends.length + tables.peers.length + tables.grants.length > 0
      return { ...(isFilled ? tables : read), identity: tables.identity ?? read.identity }
    }
    if (file === undefined) return read
    const bytes = yield* PrivateFile.readWhole(file, { bytesMax: 65_536, isPrivate: true })
    const identity = yield* Effect.try({
      try: () => FormerFiles.identityIn(JSON.parse(new TextDecoder().decode(bytes))),
      catch: () => failed("identity-damaged", `${file} is not JSON`)
    })
    if (identity === undefined)
      return yield* Effect.fail(failed("identity-damaged", `${file} holds no identity of the former plugin`))
    return { ...read, identity }
  })

/** Copies the originals beside themselves: whole under a name of their own, then renamed, so that a half copy never counts. */
const keepOriginals = async (dataFolder: string): Promise<void> => {
  const backup = join(dataFolder, backupName)
  if (existsSync(backup)) return
  // What an earlier try left unfinished holds copies of keys.
  for (const name of (await readdir(dataFolder)).filter((one) => one.startsWith(`.${backupName}.`))) {
    await rm(join(dataFolder, name), { recursive: true, force: true })
  }
  const draft = join(dataFolder, draftName(backupName))
  await mkdir(draft, { mode: 0o700 })
  try {
    for (const name of FormerFiles.fileNames) {
      const path = FormerFiles.pathOf(dataFolder, name)
      if (path === undefined) continue
      const copy = join(draft, basename(path))
      await copyFile(path, copy)
      const handle = await open(copy, "r+")
      await handle.chmod(0o600)
      await handle.sync()
      await handle.close()
    }
    await syncFolder(draft)
    await rename(draft, backup)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
  await syncFolder(dataFolder)
}

/** The identity that is in the data folder already, if it is one of this program. */
const present = (dataFolder: string) =>
  Effect.gen(function* () {
    if (!existsSync(join(dataFolder, "identity.json")) || FormerFiles.isFormer(dataFolder)) return undefined
    const document = yield* Effect.flatMap(KeyVault, (vault) => vault.load)
    return Option.isNone(document) ? undefined : Keys.fromDocument(yield* Crypto, document.value)
  }).pipe(Effect.provide(FileKeyVault.layer({ folder: dataFolder })))

const ownFolder = "name a folder of its own: wopr-p2p migrate --data DIR"

interface Done {
  readonly facts: Readonly<Record<string, unknown>>
  readonly lines: ReadonlyArray<string>
}

const tablesName = "the host's table p2p_identity"

const told = (
  { dataFolder, dryRun, identityFile, tables }: Options,
  source: string | undefined,
  isThere: boolean,
  plan: Plan.Plan
): Done => {
  const identityKey = Base64url.encode(plan.keys.identityKey)
  const [one, many] = dryRun ? ["would be", "would be"] : ["is", "are"]
  const backup = join(dataFolder, backupName)
  const from = [source ?? identityFile, tables === undefined ? undefined : tablesName].filter(
    (one) => one !== undefined
  )
  const kept =
    source === dataFolder
      ? `the originals ${one === "is" ? "are" : "would be kept"} in ${backup}; to go back, move them over the files of ${dataFolder}`
      : `the originals in ${from.join(" and ")} are untouched`
  return {
    facts: {
      ok: true,
      dryRun,
      from: from.join(" and "),
      data: dataFolder,
      identityKey,
      isNewIdentity: !isThere,
      friends: plan.friends,
      left: plan.left
    },
    lines: [
      isThere ? `the identity was taken over before: ${identityKey}` : `the identity ${one} taken over: ${identityKey}`,
      plan.friends.length === 0
        ? "no friend is new"
        : `${Present.counted(plan.friends.length, "friend")} ${many} taken over, unverified, may send messages and nothing else:`,
      ...plan.friends.map(({ identityKey: key, name }) => `  @${Present.harmless(name)}#${key.slice(0, 8)}`),
      ...(plan.left.length === 0 ? [] : ["not taken over:"]),
      ...plan.left.map(({ what, why }) => `  ${Present.harmless(what)}: ${why}`),
      kept,
      "friends are reached once they run this program too; compare fingerprints with /fingerprint"
    ]
  }
}

const loaded = Effect.gen(function* () {
  const store = yield* RecordStore
  const durable = Records.load(yield* store.load)
  if (Result.isFailure(durable)) return yield* Effect.fail(failed("unwritable", durable.failure.message))
  return durable.success
})

const work = (options: Options) =>
  Effect.gen(function* () {
    const { dataFolder } = options
    const source = sourceOf(options)
    if (source === undefined && options.identityFile === undefined && options.tables === undefined) {
      return yield* Effect.fail(
        failed("nothing-found", `nothing of the former plugin was found; name its folder with --from; ${sqlHint}`)
      )
    }
    const former = yield* formerOf(options, source)
    if (former.identity === undefined)
      return yield* Effect.fail(failed("identity-missing", `no identity of the former plugin was found; ${sqlHint}`))
    const crypto = yield* Crypto
    const keys = Plan.keysOf(crypto, former.identity)
    if (keys === undefined)
      return yield* Effect.fail(
        failed("identity-damaged", "the former identity is damaged: its halves do not belong together")
      )
    const before = yield* present(dataFolder)
    const isThere = before !== undefined
    const own = Base64url.encode(keys.identityKey)
    // It may have been rotated since it was taken over.
    const isOther = (one: Keys.LocalKeys) =>
      Base64url.encode(one.identityKey) !== own && !one.history.some(({ from }) => from === own)
    if (before !== undefined && isOther(before)) {
      return yield* Effect.fail(failed("identity-exists", `${dataFolder} holds another identity; ${ownFolder}`))
    }
    const nowMs = yield* Clock.currentTimeMillis
    // The identity is written last, so all of it was taken over: who was unfriended since must not come back.
    if (isThere) return told(options, source, true, { keys, friends: [], left: [], changes: [] })
    const make = (durable: State.Durable) => Plan.make(crypto, former, durable, nowMs)!
    const tell = (plan: Plan.Plan) => told(options, source, false, plan)
    if (options.dryRun) return tell(make(State.emptyDurable))
    const problem = yield* Effect.promise(() => preparePrivateFolder(dataFolder))
    if (problem !== undefined) return yield* Effect.fail(failed("unwritable", problem))
    if (FormerFiles.isFormer(dataFolder)) {
      yield* Effect.tryPromise({
        try: () => keepOriginals(dataFolder),
        catch: (error) => failed("unwritable", `the originals cannot be kept: ${String(error)}`)
      })
    }
    const writing = Effect.gen(function* () {
      const durable = yield* loaded
      const owner = Table.get(durable.owner, "identity")
      if (owner !== undefined && owner !== own) {
        return yield* Effect.fail(
          failed("identity-exists", `the records in ${dataFolder} belong to another identity; ${ownFolder}`)
        )
      }
      const plan = make(durable)
      if (plan.changes.length > 0) yield* Effect.flatMap(RecordStore, (store) => store.commit(plan.changes))
      yield* Effect.flatMap(KeyVault, (vault) => vault.save(Keys.toDocument(plan.keys)))
      return plan
    })
    return tell(yield* writing.pipe(Effect.provide(Layers.unguarded(dataFolder)), Effect.scoped))
  }).pipe(Effect.provide(Sodium.layer))

/**
 * What the host's tables hold, taken over into a folder that has no identity yet, with what files the former plugin left.
 * Gives what was done in words. Fails with why nothing was.
 */
export const takeOver = (dataFolder: string, tables: FormerFiles.Former) =>
  Effect.map(work({ dataFolder, tables, dryRun: false, json: false }), ({ lines }) => lines)

/** Runs the command. Gives the exit code. */
export const migrate = async (options: Options): Promise<number> => {
  const exit = await Effect.runPromiseExit(work(options))
  if (Exit.isSuccess(exit)) {
    const { facts, lines } = exit.value
    process.stdout.write(options.json ? `${Present.json(facts)}\n` : `${lines.join("\n")}\n`)
    return 0
  }
  const failure = Cause.squash(exit.cause) as { readonly code?: string; readonly message?: string }
  const { code = "unwritable", message = String(failure) } = failure
  if (options.json) process.stdout.write(`${Present.json({ ok: false, code, why: message })}\n`)
  else process.stderr.write(`${message}\n`)
  return 1
}
