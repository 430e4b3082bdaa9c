/**
 * The doctor's look at the data folder: modes, identity, records, what crashes have left, the clock.
 * It never writes, and reads a file with the program's own readers: what they refuse, a start would refuse.
 * Paths in commands are quoted for a shell, because a person pastes them.
 */
import { lstatSync, readdirSync, readFileSync, statfsSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option, Result } from "effect"
import { modeInWords, shellWord } from "../../adapters/filesystem/Files.ts"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import { entryIn } from "../../adapters/filesystem/LogLines.ts"
import * as ReadOnly from "../../adapters/filesystem/ReadOnly.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Limits, Node } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import * as FormerFiles from "../migration/FormerFiles.ts"
import type { Examined } from "./Examined.ts"
import { all, type Findings, found, none, unknown } from "./Finding.ts"

const about = (path: string) => lstatSync(path, { throwIfNoEntry: false })
const isOpen = (path: string): boolean => ((about(path)?.mode ?? 0) & 0o077) !== 0
const namesIn = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const modes = ({ dataFolder }: Examined): Findings => {
  const word = shellWord(dataFolder)
  const folder = isOpen(dataFolder)
    ? found("folder-open", `${dataFolder} has mode ${modeInWords(about(dataFolder)!.mode)}`, `chmod 700 ${word}`)
    : none
  const files = [
    dataFolder,
    join(dataFolder, "conversations"),
    join(dataFolder, "intents"),
    join(dataFolder, "audit")
  ].flatMap((where) => namesIn(where).map((name) => join(where, name)))
  const open = files.filter((path) => {
    const one = about(path)
    const named = ["identity.json", "control.key"].some((name) => path === join(dataFolder, name))
    return one !== undefined && !named && (one.isFile() || one.isDirectory()) && (one.mode & 0o077) !== 0
  })
  return all([
    folder,
    ...open.map((path) =>
      found("file-open", `${path} has mode ${modeInWords(about(path)!.mode)}`, `chmod go= ${shellWord(path)}`)
    )
  ])
}

const elsewhere = "restore the folder from a backup, or name the right one with --data DIR"

const identity = (dataFolder: string) =>
  Effect.gen(function* () {
    const path = join(dataFolder, "identity.json")
    const one = about(path)
    if (one === undefined) return found("identity-missing", path, elsewhere)
    if ((one.mode & 0o177) !== 0) {
      return found("identity-open", `${path} has mode ${modeInWords(one.mode)}`, `chmod 600 ${shellWord(path)}`)
    }
    if (FormerFiles.isFormer(dataFolder))
      return found("former-files", dataFolder, `wopr-p2p migrate --data ${shellWord(dataFolder)}`)
    const document = yield* Effect.result(Effect.flatMap(KeyVault, (vault) => vault.load))
    const read = Result.isSuccess(document) && Option.isSome(document.success) ? document.success.value : undefined
    if (read === undefined) return found("identity-damaged", path, elsewhere)
    const crypto = yield* Crypto
    const keys = Node.examine(crypto, read, [])
    if (Result.isFailure(keys)) return found("identity-damaged", path, elsewhere)
    return yield* records(dataFolder, (found) => Node.examine(crypto, read, found))
  }).pipe(Effect.provide(Sodium.layer), Effect.provide(FileKeyVault.layer({ folder: dataFolder })))

const records = (
  dataFolder: string,
  examine: (records: ReadOnly.Found["records"]) => ReturnType<typeof Node.examine>
): Effect.Effect<Findings> =>
  Effect.map(Effect.result(ReadOnly.readRecords(dataFolder)), (read) => {
    const path = join(dataFolder, "journal.log")
    const aside = `restore the folder from a backup, or start empty: mv ${shellWord(path)} ${shellWord(`${path}.damaged`)}`
    if (Result.isFailure(read)) return found("journal-damaged", read.failure.message, aside)
    if (read.success === undefined) return found("journal-missing", path, "restore the folder from a backup")
    const examined = examine(read.success.records)
    return all([
      Result.isFailure(examined) ? found("records-damaged", examined.failure.message, aside) : none,
      read.success.tornBytes > 0 ? found("journal-torn", `${read.success.tornBytes} bytes`, "start the node") : none
    ])
  })

const conversations = (dataFolder: string): Findings => {
  const folder = join(dataFolder, "conversations")
  const bad = namesIn(folder).filter((name) => {
    if (!name.endsWith(".jsonl")) return false
    const lines = readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1)
    return lines.some((line) => line !== "" && entryIn(line) === undefined)
  })
  return all(
    bad.map((name) => found("conversation-damaged", join(folder, name), `less ${shellWord(join(folder, name))}`))
  )
}

const draft = /^\..+\.[0-9a-f]{12}\.new$/

const leftOver = ({ dataFolder, holder }: Examined): Findings => {
  if (holder !== undefined) return none
  const names = namesIn(dataFolder)
  const [drafts, locks] = [names.filter((name) => draft.test(name)), names.filter((name) => /^lock\.\d+\./.test(name))]
  return all([
    drafts.length === 0 ? none : found("drafts-left", drafts.join(", "), "start the node"),
    locks.length === 0 ? none : found("lock-left", locks.join(", "), "start the node")
  ])
}

const roomBytesMin = 16 * 1_048_576

const room = ({ dataFolder }: Examined): Findings => {
  const { bavail, bsize } = statfsSync(dataFolder)
  const free = bavail * bsize
  return free >= roomBytesMin
    ? none
    : found("disk-nearly-full", `${free} bytes are free`, `df -h ${shellWord(dataFolder)}`)
}

/** Files cannot be from the future; beyond what friend lines allow, the clock is behind. */
const clock = ({ dataFolder, node, nowMs }: Examined): Findings => {
  const newest = Math.max(
    node?.startedAtMs ?? 0,
    ...["journal.log", "identity.json", "friends.json"].map((name) => about(join(dataFolder, name))?.mtimeMs ?? 0)
  )
  const behindMs = newest - nowMs
  return all([
    behindMs <= Limits.freshnessMs
      ? none
      : found("clock-behind", `by ${Math.round(behindMs / 1_000)} seconds at least`, "sudo timedatectl set-ntp true"),
    unknown("whether the clock is right", "only files of this machine were compared; no peer's clock is known here")
  ])
}

/** Looks at the folder. */
export const check = (examined: Examined): Effect.Effect<Findings> =>
  Effect.gen(function* () {
    const { dataFolder } = examined
    if (about(dataFolder) === undefined)
      return found("folder-missing", dataFolder, `wopr-p2p run --name NAME --data ${shellWord(dataFolder)}`)
    return all([
      modes(examined),
      yield* identity(dataFolder),
      conversations(dataFolder),
      leftOver(examined),
      room(examined),
      clock(examined)
    ])
  })
