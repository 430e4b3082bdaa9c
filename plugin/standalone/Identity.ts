/**
 * The identity in a data folder whose node does not run: shown, rotated, given a recovery key.
 * It never makes an identity where there is none and never prints a secret, but for a recovery key, once, when it is made.
 * Changes need the folder's lock, because a running node would go on under the keys that were just replaced.
 */
import { readFileSync } from "node:fs"
import { Cause, Effect, Exit, Layer, Option, Redacted } from "effect"
import * as FileKeyVault from "../../adapters/filesystem/KeyVault.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Base64url, Identity, type Keys, Node, Rejection, Rotation } from "../../core/index.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import type { Change } from "../Commands.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Layers from "../Layers.ts"
import * as Present from "../Present.ts"

/** What became of a change, as facts for JSON and as lines for a person. */
export interface Changed {
  readonly facts: Readonly<Record<string, unknown>>
  readonly lines: ReadonlyArray<string>
}

const spell = (secret: Redacted.Redacted<Uint8Array>): string => Base64url.encode(Redacted.value(secret))

const recoveryLines = (secret: string): ReadonlyArray<string> => [
  `recovery key: ${secret}`,
  "it is shown this once and kept nowhere; write it down and keep it off this machine. With it,",
  "/rotate compromise RECOVERY-KEY wins against whoever has stolen your keys, at friends made from now on"
]

/** Carries a change out on the keys in the vault. The node must not run on them. */
export const change = Effect.fnUntraced(function* (wanted: Change) {
  if (wanted.what === "recovery") {
    const secret = spell(yield* Identity.addRecoveryKey)
    return { facts: { recovery: secret }, lines: recoveryLines(secret) } satisfies Changed as Changed
  }
  const { link, recoverySecret } = yield* Identity.rotate(wanted.reason, wanted.recoveryKey)
  const { from, reason, to } = link
  const lines = [`old key ${from}`, `new key ${to}`]
  if (recoverySecret === undefined) return { facts: { from, to, reason }, lines } satisfies Changed as Changed
  const recovery = spell(recoverySecret)
  const note = "the recovery key that was used is worth nothing any more; this one takes its place"
  return { facts: { from, to, reason, recovery }, lines: [...lines, note, ...recoveryLines(recovery)] }
})

/** The sentence of whatever went wrong. */
export const whyNot = (failure: unknown): string =>
  typeof failure === "object" && failure !== null && "_tag" in failure && failure._tag === "Rejection"
    ? Rejection.sentence(failure as Rejection.Rejection)
    : failure instanceof Error && failure.message !== ""
      ? failure.message
      : String(failure)

const describe = (keys: Keys.LocalKeys): Changed => {
  const { createdAtMs, history, recoveryCommitment } = keys
  const identityKey = Base64url.encode(keys.identityKey)
  const earlier = history.map(({ from, reason, tsMs }) => ({ key: from, leftAtMs: tsMs, reason }))
  const at = (ms: number) => new Date(ms).toISOString()
  return {
    facts: { identityKey, createdAtMs, earlier, recovery: recoveryCommitment !== undefined },
    lines: [
      `key ${identityKey}, since ${at(createdAtMs)}`,
      ...earlier.map(({ key, leftAtMs, reason }) => `before ${key}, until ${at(leftAtMs)} (${reason})`),
      recoveryCommitment === undefined ? "no recovery key" : "there is a recovery key"
    ]
  }
}

export interface Options {
  readonly verb: "show" | Change
  readonly dataFolder: string
  readonly json: boolean
}

/** Options of `identity` as they were typed. */
export interface Given {
  readonly data?: string | undefined
  readonly json?: boolean | undefined
  readonly compromise?: boolean | undefined
  readonly "recovery-file"?: string | undefined
  readonly "passphrase-file"?: string | undefined
}

/** Checks what was given on the command line; a recovery key comes from a file, as arguments can be seen by others. */
export const readOptions = (
  verb: string | undefined,
  more: ReadonlyArray<string>,
  given: Given
): Options | { readonly mistake: string } => {
  if (more.length > 0) return { mistake: `identity ${verb} takes no "${more[0]}"` }
  if (given["passphrase-file"] !== undefined)
    return { mistake: "--passphrase-file belongs to identity export and import" }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  const common = { dataFolder: chosen.folder, json: given.json ?? false }
  const file = given["recovery-file"]
  if (verb !== "rotate" && (given.compromise === true || file !== undefined)) {
    return { mistake: "--compromise and --recovery-file belong to identity rotate" }
  }
  if (verb === "show") return { ...common, verb: "show" }
  if (verb === "recovery") return { ...common, verb: { what: "recovery" } }
  if (verb !== "rotate")
    return { mistake: `identity "${verb ?? ""}": allowed are show, rotate, recovery, export, import` }
  const reason = given.compromise === true ? "compromise" : "scheduled"
  if (file === undefined) return { ...common, verb: { what: "rotate", reason } }
  try {
    const recoveryKey = Rotation.parseRecoveryKey(readFileSync(file, "utf8"))
    if (recoveryKey === undefined) return { mistake: `${file} holds no recovery key (43 characters)` }
    return { ...common, verb: { what: "rotate", reason, recoveryKey } }
  } catch (error) {
    return { mistake: `--recovery-file ${file}: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The command `wopr-p2p identity`. Gives the exit code. */
export const identity = async ({ dataFolder, json, verb }: Options): Promise<number> => {
  const found = Effect.gen(function* () {
    const vault = yield* KeyVault
    if (Option.isNone(yield* vault.load)) {
      return yield* Effect.fail(new Error(`there is no identity in ${dataFolder}; name the folder with --data`))
    }
  })
  const showing = Effect.andThen(found, Effect.map(Node.loadKeys, describe)).pipe(
    Effect.provide(Layer.mergeAll(Sodium.layer, FileKeyVault.layer({ folder: dataFolder })))
  )
  // Looked at before the lock is taken, because taking it makes the folder.
  const changing = (wanted: Change) =>
    Effect.andThen(showing, change(wanted).pipe(Effect.provide(Layers.atRest(dataFolder))))
  const exit = await Effect.runPromiseExit(verb === "show" ? showing : changing(verb))
  if (Exit.isSuccess(exit)) {
    const { facts, lines } = exit.value
    process.stdout.write(json ? `${Present.json(facts)}\n` : `${lines.join("\n")}\n`)
    return 0
  }
  const why = whyNot(Cause.squash(exit.cause))
  if (json) process.stdout.write(`${Present.json({ ok: false, why })}\n`)
  process.stderr.write(`${why}\n`)
  return 1
}
