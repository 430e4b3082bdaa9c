/**
 * The configuration file of a node of one's own: JSON, with the keys that the plugin has in a host, where they mean something.
 * It never holds a secret and never guesses: a key that is none is a mistake, because a misspelt wish for less must not
 * become more. What it says becomes options; the command line's come before them, each as a whole.
 */
import { Effect, Result, Schema } from "effect"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"
import * as Config from "../Config.ts"
import type { Given, Options } from "./RunOptions.ts"

const {
  mirror: _mirror,
  notify: _notify,
  owners: _owners,
  toolsMayGrant: _toolsMayGrant,
  toolsMayReply: _toolsMayReply,
  uiOrigins: _uiOrigins,
  ...shared
} = Config.keys
const list = <S extends Schema.Constraint>(item: S) =>
  Schema.Array(item).check(Schema.isMinLength(1), Schema.isMaxLength(32))
const port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))

/** Key → what it may be, and how that is said. A new key is a row, and its option in `optionsOf`. */
export const keys = {
  ...shared,
  sandbox: { schema: Schema.Literals(["agent", "scripted", "off"]), allowed: '"agent", "scripted" or "off"' },
  rooms: { schema: list(Config.path), allowed: "a list of absolute paths of text files" },
  local: { schema: Schema.Boolean, allowed: "true or false" },
  localPort: { schema: port, allowed: "a whole number from 1 to 65535" },
  ircServer: { schema: Config.filled, allowed: '"HOST" or "HOST:PORT"' },
  ircChannels: { schema: list(Config.filled), allowed: 'a list of channels, such as ["#lobby"]' },
  ircNick: { schema: Config.filled, allowed: "a nick" },
  ircAccount: { schema: Config.filled, allowed: "the name of an account at the network's services" },
  ircPasswordFile: { schema: Config.path, allowed: "the absolute path of a file with the password" },
  ircPlain: { schema: Schema.Boolean, allowed: "true or false" },
  json: { schema: Schema.Boolean, allowed: "true or false" }
} as const

type Values = ReturnType<typeof Config.readKeys<typeof keys>>["values"]

/** The options that say the same. */
const optionsOf = (values: Values): Given => ({
  name: values.name,
  data: values.dataFolder,
  room: values.rooms ?? (values.room === undefined ? undefined : [values.room]),
  local: values.local,
  "local-port": values.localPort?.toString(),
  bootstrap: values.bootstrap,
  sandbox: values.sandbox,
  model: values.model,
  "model-url": values.modelUrl,
  "model-key-file": values.modelKeyFile,
  instructions: values.instructionsFile,
  warm: values.warm?.toString(),
  keep: values.keepMinutes?.toString(),
  "sandbox-runtime": values.sandboxRuntime,
  "budget-turn": values.budgetTurn,
  budget: values.budget,
  "budget-all": values.budgetAll,
  irc: values.ircServer,
  "irc-channel": values.ircChannels,
  "irc-nick": values.ircNick,
  "irc-account": values.ircAccount,
  "irc-password-file": values.ircPasswordFile,
  "irc-plain": values.ircPlain,
  panel: values.panel,
  "panel-port": values.panel === false ? undefined : values.uiPort?.toString(),
  json: values.json
})

const bytesMax = 65_536

/** Where a text stops being JSON. The text itself is not repeated: somebody may have put a secret there. */
const placeOf = (text: string, error: unknown): string => {
  const at = /position (\d+)/.exec(String(error))?.[1]
  if (at === undefined) return "its end"
  const before = text.slice(0, Number(at)).split("\n")
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}

/** What a file holds, or what is wrong with it: each key, its value and what is allowed. */
export const parse = (
  text: string
): { readonly given: Given; readonly rates: Options["rates"] } | { readonly mistake: string } => {
  let given: unknown
  try {
    given = JSON.parse(text.replace(/^\ufeff/, ""))
  } catch (error) {
    return { mistake: `it is not JSON: look at ${placeOf(text, error)}` }
  }
  if (!Config.isRecord(given)) return { mistake: `it is no object; allowed keys are: ${Object.keys(keys).join(", ")}` }
  const { errors, values } = Config.readKeys(keys, given)
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(keys, key))
  const mistakes = [...errors, ...unknown.map((key) => Config.unknownKey(keys, "file", key))]
  if (mistakes.length > 0) return { mistake: mistakes.join("\n") }
  return { given: optionsOf(values), rates: values.limits === undefined ? {} : Config.ratesOf(values) }
}

/** Options out of a file, where one is named; the command line's own come before them. */
export const merged = async (
  given: Given & { readonly config?: string | undefined }
): Promise<{ readonly given: Given; readonly rates: Options["rates"] } | { readonly mistake: string }> => {
  const { config, ...typed } = given
  if (config === undefined) return { given: typed, rates: {} }
  const bytes = await Effect.runPromise(Effect.result(PrivateFile.readWhole(config, { bytesMax })))
  if (Result.isFailure(bytes)) return { mistake: `--config: ${bytes.failure.message}` }
  const read = parse(new TextDecoder().decode(bytes.success))
  if ("mistake" in read) return { mistake: `--config ${config}: ${read.mistake}` }
  const said = Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== undefined))
  return { given: { ...read.given, ...said }, rates: read.rates }
}
