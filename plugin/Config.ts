/**
 * The host's configuration of this plugin, read once at each start: typed, checked, every mistake named.
 * It never guesses: one wrong value and nothing is started, because a misspelt wish for less must not become more.
 * The host keeps it under the name the plugin was installed by, which its users seldom know; so `p2p` is looked at too.
 */
import { isAbsolute } from "node:path"
import { Result, Schema } from "effect"
import { Limits, Name } from "../core/index.ts"
import * as Budgets from "./Budgets.ts"
import { runtimeName } from "./Layers.ts"

/** A text with something in it. */
export const filled = Schema.String.check(Schema.makeFilter((text) => text.trim() !== "" && text.length <= 1_000))
/** An absolute path. */
export const path = filled.check(Schema.makeFilter((text) => isAbsolute(text)))
const name = filled.check(Schema.makeFilter((text) => Result.isSuccess(Name.parse(text))))
const address = /^([^\s:]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/
const node = Schema.String.check(
  Schema.makeFilter((text) => {
    const port = Number(address.exec(text)?.[2] ?? 0)
    return port > 0 && port <= 65_535
  })
)
const upTo = (most: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: most }))
const whole = (most: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: most }))
const budget = (whose: keyof Budgets.Budgets) =>
  Schema.String.check(Schema.makeFilter((text) => Budgets.parse(whose, text) !== undefined))
const accounts = Schema.Array(filled).check(Schema.isMaxLength(100))
/** Scheme, host and perhaps a port, as a browser writes them: no path, no `null`, no `*`. */
const webOrigin = /^https?:\/\/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[1-9]\d{0,4})?$/
const perProvider = <S extends Schema.Constraint>(schema: S) => Schema.Record(Schema.String, schema)

/** What friends may do at most, each; never more than the protocol's own bounds. */
const limits = Schema.Struct({
  messagesPerMinute: Schema.optionalKey(upTo(Limits.messagesPerMinute)),
  messagesPerHour: Schema.optionalKey(upTo(Limits.messagesPerHour)),
  injectsPerMinute: Schema.optionalKey(upTo(Limits.injectsPerMinute)),
  injectsPerHour: Schema.optionalKey(upTo(Limits.injectsPerHour))
})

/** Key → what it may be, and how that is said. A new key is a row. */
export const keys = {
  name: { schema: name, allowed: "1 to 64 visible characters without spaces or |" },
  dataFolder: { schema: path, allowed: "an absolute path" },
  bootstrap: {
    schema: Schema.Array(node).check(Schema.isMinLength(1), Schema.isMaxLength(32)),
    allowed: 'a list of 1 to 32 texts HOST:PORT, such as ["dht.example.com:49737"]'
  },
  owners: { schema: perProvider(accounts), allowed: 'user names by channel provider, such as {"discord": ["me"]}' },
  notify: { schema: perProvider(filled), allowed: 'one channel by channel provider, such as {"discord": "1234"}' },
  limits: {
    schema: limits,
    allowed:
      `whole numbers from 1: messagesPerMinute to ${Limits.messagesPerMinute}, messagesPerHour to ` +
      `${Limits.messagesPerHour}, injectsPerMinute to ${Limits.injectsPerMinute}, injectsPerHour to ${Limits.injectsPerHour}`
  },
  sandbox: { schema: Schema.Literals(["agent", "off"]), allowed: '"agent" or "off"' },
  model: { schema: filled, allowed: "the model's name at its server" },
  modelUrl: { schema: filled, allowed: "the address of the model's server" },
  modelKeyFile: { schema: path, allowed: "the absolute path of a file with the key" },
  instructionsFile: { schema: path, allowed: "the absolute path of a file" },
  warm: { schema: whole(4), allowed: "a whole number from 0 to 4" },
  keepMinutes: { schema: whole(60), allowed: "a whole number from 0 to 60" },
  sandboxRuntime: {
    schema: Schema.String.check(Schema.isPattern(runtimeName)),
    allowed: "the name of a runtime of the engine, such as runsc"
  },
  budgetTurn: { schema: budget("turn"), allowed: Budgets.expected },
  budget: { schema: budget("day"), allowed: Budgets.expected },
  budgetAll: { schema: budget("everybody"), allowed: Budgets.expected },
  toolsMayGrant: { schema: Schema.Boolean, allowed: "true or false" },
  toolsMayReply: { schema: Schema.Boolean, allowed: "true or false" },
  mirror: { schema: Schema.Boolean, allowed: "true or false" },
  room: { schema: path, allowed: "the absolute path of a text file" },
  panel: { schema: Schema.Boolean, allowed: "true or false" },
  uiPort: { schema: whole(65_535), allowed: "a port of this machine, 1 to 65535, or 0 for any that is free" },
  uiOrigins: {
    schema: Schema.Array(Schema.String.check(Schema.isPattern(webOrigin))).check(Schema.isMaxLength(16)),
    allowed: 'a list of up to 16 origins of web pages, such as ["http://127.0.0.1:3000"]'
  }
} as const

/** Values that may be a secret put in the wrong place: not repeated in a log. */
const unspoken: ReadonlyArray<string> = ["modelKeyFile", "ircPasswordFile"]

/** A key of a configuration: what it may be, and how that is said. */
export interface Key {
  readonly schema: Schema.Constraint
  readonly allowed: string
}
type Values<Keys extends Readonly<Record<string, Key>>> = {
  readonly [Name in keyof Keys]?: Keys[Name]["schema"]["Type"]
}

export type Config = Values<typeof keys>

export interface Reading {
  readonly config: Config
  /** Each names the key, the value and what is allowed. With one of them nothing may be started. */
  readonly errors: ReadonlyArray<string>
  readonly warnings: ReadonlyArray<string>
}

/** Whether a value has keys at all. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const shown = (key: string, value: unknown): string => {
  if (unspoken.includes(key)) return "(not repeated here)"
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

/** Reads what the host holds for us. Never throws, whatever it holds. */
export const read = (given: unknown): Reading => {
  if (given === undefined || given === null) return { config: {}, errors: [], warnings: [] }
  if (!isRecord(given)) {
    const message = `the configuration is ${shown("", given)}; allowed is an object with some of: ${Object.keys(keys).join(", ")}`
    return { config: {}, errors: [message], warnings: [] }
  }
  const { errors, values } = readKeys(keys, given)
  const warnings = Object.keys(given)
    .filter((key) => !Object.hasOwn(keys, key))
    .map((key) => unknownKey(keys, "plugin and is ignored", key))
  return { config: values, errors, warnings }
}

/** What is said of a key that is none. */
export const unknownKey = (table: Readonly<Record<string, Key>>, whose: string, key: string): string =>
  `${shown("", key)} is no key of this ${whose}; there are: ${Object.keys(table).join(", ")}`

/** The values of these keys, each checked by itself; an error names the key, the value and what is allowed. */
export const readKeys = <Keys extends Readonly<Record<string, Key>>>(
  table: Keys,
  given: Readonly<Record<string, unknown>>
): { readonly values: Values<Keys>; readonly errors: ReadonlyArray<string> } => {
  const values: Record<string, unknown> = {}
  const errors: Array<string> = []
  for (const [key, { allowed, schema }] of Object.entries(table)) {
    const value = Object.hasOwn(given, key) ? given[key] : undefined
    // A form that was left empty is no value.
    if (value === undefined || value === null || value === "") continue
    const decoded = Schema.decodeUnknownResult(schema as Schema.ConstraintDecoder<unknown>, {
      onExcessProperty: "error"
    })(value)
    if (Result.isSuccess(decoded)) values[key] = decoded.success
    else errors.push(`${key} is ${shown(key, value)}; allowed is ${allowed}`)
  }
  return { values: values as Values<Keys>, errors }
}

const perMinuteAndHour = (minute: number, hour: number) => [
  { capacity: minute, windowMs: 60_000 },
  { capacity: hour, windowMs: 3_600_000 }
]

/** What each friend may do at most, as the node takes it. */
export const ratesOf = ({ limits = {} }: Pick<Config, "limits">) => ({
  message: perMinuteAndHour(
    limits.messagesPerMinute ?? Limits.messagesPerMinute,
    limits.messagesPerHour ?? Limits.messagesPerHour
  ),
  inject: perMinuteAndHour(
    limits.injectsPerMinute ?? Limits.injectsPerMinute,
    limits.injectsPerHour ?? Limits.injectsPerHour
  )
})

/** Where the host keeps configurations: our own, by the installed name, and everything by path. */
export interface Source {
  readonly getConfig?: () => unknown
  readonly getMainConfig?: (key?: string) => unknown
}

const attempt = (get: () => unknown): unknown => {
  try {
    return get()
  } catch {
    return undefined
  }
}

const isFilled = (value: unknown): boolean =>
  value !== undefined && value !== null && (!isRecord(value) || Object.keys(value).length > 0)

/** The configuration under the installed name, else the one under `p2p`. */
export const find = (source: Source): Reading => {
  const own = attempt(() => source.getConfig?.())
  const all = attempt(() => source.getMainConfig?.("plugins.data"))
  const byWord = isRecord(all) ? all["p2p"] : undefined
  if (!isFilled(own)) return read(byWord)
  const reading = read(own)
  if (!isFilled(byWord) || JSON.stringify(own) === JSON.stringify(byWord)) return reading
  const both = "plugins.data holds another configuration under p2p; the one under the installed name counts"
  return { ...reading, warnings: [...reading.warnings, both] }
}

/** `HOST:PORT`, checked by the schema, in parts. */
export const addressOf = (text: string): { readonly host: string; readonly port: number } => {
  const match = address.exec(text)
  return { host: (match?.[1] ?? "").replace(/^\[|\]$/g, ""), port: Number(match?.[2] ?? 0) }
}
