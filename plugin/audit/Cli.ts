/**
 * `wopr-p2p audit verify`: whether the log of the gate's decisions is as it was written, for a person and for a program.
 * It never writes, locks or makes anything, so that it can be asked beside a running node, or of a copy of its files.
 * The keys that may have signed are those of the identity in the folder; of a copy without one, those that are named.
 */
import { Effect, Layer, Option } from "effect"
import { inWords } from "../../adapters/filesystem/Files.ts"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, Keys } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import * as AtRest from "../control/AtRest.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Present from "../Present.ts"
import * as AuditFolder from "./AuditFolder.ts"
import * as Verify from "./Verify.ts"

export interface Options {
  readonly dataFolder: string
  readonly keys: ReadonlyArray<string>
  readonly json: boolean
}

/** Options as they were typed. */
export interface Given {
  readonly data?: string | undefined
  readonly key?: ReadonlyArray<string> | undefined
  readonly json?: boolean | undefined
}

/** Checks what was given on the command line; a mistake names what is allowed. */
export const readOptions = (words: ReadonlyArray<string>, given: Given): Options | { readonly mistake: string } => {
  if (words.length !== 1 || words[0] !== "verify") return { mistake: `audit "${words.join(" ")}": allowed is verify` }
  const { key = [] } = given
  const wrong = key.find((one) => Base64url.decodeExact(one, 32) === undefined)
  if (wrong !== undefined) return { mistake: `--key "${wrong}": an identity key of 43 characters is expected` }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  return chosen.ok ? { dataFolder: chosen.folder, keys: key, json: given.json ?? false } : { mistake: chosen.message }
}

/** The keys of the identity in a folder, oldest first; none where there is no identity. */
const keysOf = (dataFolder: string): Effect.Effect<ReadonlyArray<string>, { readonly message: string }> =>
  Effect.gen(function* () {
    const document = yield* (yield* KeyVault).load
    if (Option.isNone(document)) return []
    const keys = Keys.fromDocument(yield* Crypto, document.value)
    if (keys === undefined) return yield* Effect.fail(new Error("the identity file is not one of this program"))
    return [...keys.history.map(({ from }) => from), Base64url.encode(keys.identityKey)]
  }).pipe(Effect.provide(Layer.mergeAll(Sodium.layer, FileKeyVault.layer({ folder: dataFolder }))))

const isTorn = ({ findings }: Verify.Verified): boolean => findings.some(({ code }) => code === "torn-end")

/** Reads and checks. Read again where the last line was not whole: a node may just have been writing it. */
const examine = async ({ dataFolder, keys }: Options): Promise<Verify.Verified | undefined> => {
  const crypto = await Effect.runPromise(Effect.provide(Crypto, Sodium.layer))
  const mine = keys.length > 0 ? keys : await Effect.runPromise(keysOf(dataFolder))
  const look = () => {
    const found = AuditFolder.read(AuditFolder.folderOf(dataFolder))
    return found.files.length === 0 && found.head === undefined ? undefined : Verify.verify(crypto, found, mine)
  }
  const first = look()
  if (first === undefined || first.ok || (!isTorn(first) && (await AtRest.holder(dataFolder)) === undefined))
    return first
  await new Promise((resolve) => setTimeout(resolve, 200))
  return look()
}

const holeInWords = (note: Verify.Hole["note"], count = 0): string => {
  switch (note) {
    case "cut":
      return `a torn end of ${Present.counted(count, "byte")} was cut off`
    case "missed":
      return `${Present.counted(count, "decision")} could not be written`
    case "damaged":
      return "the log before this line was found damaged, and was left as it was"
    default:
      return "the node was killed before this line: what it decided last may be missing"
  }
}

const lines = (verified: Verify.Verified): ReadonlyArray<string> => {
  const { findings, first, heads, holes, last, ok, signed, unsigned } = verified
  const head = ok
    ? `the audit log is as it was written: lines ${first} to ${last}, ${Present.counted(heads, "signed head")}`
    : `the audit log is not as it was written: lines ${first} to ${last}, signed up to ${signed}`
  const rest =
    unsigned === 0
      ? []
      : [
          `the last ${Present.counted(unsigned, "line")} are chained and not signed yet; a head follows within five minutes`
        ]
  return [
    head,
    ...findings.map(({ code, file, line, why }) => `${code}: ${file}:${line} ${why}`),
    ...holes.map(
      ({ at, count, line, note }) => `noted: line ${line}, ${new Date(at).toISOString()}: ${holeInWords(note, count)}`
    ),
    ...rest
  ]
}

/** The command. Gives the exit code: 0 as it was written, 1 otherwise. */
export const audit = async (options: Options): Promise<number> => {
  const refuse = (code: string, why: string): number => {
    if (options.json) process.stdout.write(`${Present.json({ ok: false, code, why })}\n`)
    else process.stderr.write(`${why}\n`)
    return 1
  }
  try {
    const verified = await examine(options)
    if (verified === undefined) {
      const where = AuditFolder.folderOf(options.dataFolder)
      return refuse("no-audit-log", `there is no audit log in ${where}; name the folder of a node with --data`)
    }
    const text = options.json ? Present.json({ ...verified }) : lines(verified).join("\n")
    process.stdout.write(`${text}\n`)
    return verified.ok ? 0 : 1
  } catch (error) {
    return refuse("unreadable", inWords(error))
  }
}
