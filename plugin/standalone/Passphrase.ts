/**
 * Where a passphrase comes from: a file of one's own, the environment, or the terminal, unseen.
 * It never takes one from the command line, which every user of the machine can read, and never prints one.
 * A file or the environment is asked for once; only who types can mistype, so only the terminal asks twice.
 */
import { createInterface } from "node:readline"
import { Writable } from "node:stream"
import { Data, Effect, Redacted } from "effect"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"

/** Why there is no passphrase. */
export class PassphraseError extends Data.TaggedError("PassphraseError")<{
  readonly code: "passphrase-missing" | "passphrase-short" | "passphrases-differ" | "cancelled"
  readonly message: string
}> {}

/** Characters of a new passphrase: with the cost of a guess, the least that is worth its name. */
const charactersMin = 12
const fileBytesMax = 4_096
/** The environment variable that scripts may set. */
const variable = "WOPR_P2P_PASSPHRASE"

const refuse = (code: PassphraseError["code"], message: string) => Effect.fail(new PassphraseError({ code, message }))

/** Asks at the terminal; what is typed is not shown. The question goes to standard error, so that output stays clean. */
const typed = (question: string): Effect.Effect<string, PassphraseError> =>
  Effect.callback((resume) => {
    const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
    const prompt = createInterface({ input: process.stdin, output: unseen, terminal: true, historySize: 0 })
    const settle = (answer: Effect.Effect<string, PassphraseError>) => {
      prompt.removeAllListeners("close")
      prompt.close()
      process.stderr.write("\n")
      resume(answer)
    }
    const cancelled = () => settle(refuse("cancelled", "cancelled; nothing was changed"))
    prompt.once("line", (line) => settle(Effect.succeed(line)))
    prompt.once("SIGINT", cancelled)
    prompt.once("close", cancelled)
    process.stderr.write(question)
  })

const atTerminal = Effect.fnUntraced(function* (isNew: boolean) {
  if (process.stdin.isTTY !== true) {
    const message = `there is no terminal to ask for the passphrase; use --passphrase-file FILE, or set ${variable}`
    return yield* refuse("passphrase-missing", message)
  }
  if (!isNew) return yield* typed("passphrase: ")
  const first = yield* Effect.flatMap(typed(`new passphrase, at least ${charactersMin} characters: `), longEnough)
  const second = yield* typed("the same again: ")
  return first === second
    ? first
    : yield* refuse("passphrases-differ", "the two differ; nothing was written, try again")
})

const longEnough = (text: string) =>
  Array.from(text.normalize("NFC")).length >= charactersMin
    ? Effect.succeed(text)
    : refuse("passphrase-short", `a passphrase has at least ${charactersMin} characters; a few words in a row will do`)

const given = (file: string | undefined) =>
  file === undefined
    ? Effect.succeed(process.env[variable])
    : Effect.map(PrivateFile.readWhole(file, { bytesMax: fileBytesMax, isPrivate: true }), (bytes) =>
        new TextDecoder().decode(bytes).replace(/\r?\n$/, "")
      )

/** The passphrase: from the file if one is named, else from the environment, else typed. A new one has a least length. */
export const obtain = Effect.fnUntraced(function* (file: string | undefined, isNew: boolean) {
  const found = yield* given(file)
  const text = found === undefined || (file === undefined && found === "") ? yield* atTerminal(isNew) : found
  if (isNew) yield* longEnough(text)
  return Redacted.make(text, { label: "passphrase" })
})
