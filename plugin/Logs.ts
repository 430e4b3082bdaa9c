/**
 * What a node logs, as lines: for a person, or one JSON object each for a program.
 * It never writes to standard output, which belongs to answers and protocols, and never a text that a peer wrote.
 * What a message says is escaped in both: a name that a peer chose must not steer a terminal or begin a line of its own.
 */
import { Cause, Effect, Layer, Logger, References } from "effect"
import type { Event } from "../core/index.ts"
import * as Present from "./Present.ts"

/** Levels by the name that an option gives them. */
export const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error", none: "None" } as const
export type Level = keyof typeof levels
export const formats = ["text", "json"] as const

/** What options ask for. Without a format logs are where the program shows everything else. */
export interface Wanted {
  readonly level: Level
  readonly format?: (typeof formats)[number]
}

const isOf = <W extends string>(words: ReadonlyArray<W>, word: string): word is W =>
  (words as ReadonlyArray<string>).includes(word)

/** What options say of logs; a mistake names the option, the value and what is allowed. */
export const wanted = (
  level: string = "info",
  format: string | undefined = undefined
): Wanted | { readonly mistake: string } => {
  const names = Object.keys(levels) as ReadonlyArray<Level>
  if (!isOf(names, level)) return { mistake: `--log-level "${level}": allowed are ${names.join(", ")}` }
  if (format === undefined) return { level }
  return isOf(formats, format)
    ? { level, format }
    : { mistake: `--log-format "${format}": allowed are ${formats.join(", ")}` }
}

/** Words of our own about an event; what friends wrote is not among them. */
export const ofEvent = (event: Event.Event): string => {
  if (event._tag === "Received")
    return `a text of ${event.bytes} bytes in the conversation with ${Present.harmless(event.name)}`
  if (event._tag === "Answered") return `${Present.harmless(event.name)} has answered (${event.bytes} bytes)`
  return Present.event(Present.noteless(event)).text
}

/** An event as a record. */
export const event = (told: Event.Event): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo(ofEvent(told)), { event: told._tag })

/** One record: what was said, with what broke, and what it is about. */
export interface Logged {
  readonly at: string
  readonly level: string
  readonly text: string
  readonly about: Readonly<Record<string, unknown>>
}

const inWords = (part: unknown): string =>
  typeof part === "string" ? part : part instanceof Error ? part.message : String(part)

/** A record as Effect hands it to a logger. */
export const read = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): Logged => {
  const parts = Array.isArray(message) ? message : [message]
  const detail = cause.reasons.length === 0 ? [] : [Cause.pretty(cause)]
  return {
    at: date.toISOString(),
    level: logLevel.toLowerCase(),
    text: [...parts.map(inWords), ...detail].join(": "),
    about: { ...fiber.getRef(References.CurrentLogAnnotations) }
  }
}

/** A record as a line. */
export const line = ({ about, at, level, text }: Logged, format: (typeof formats)[number]): string => {
  if (format === "json") return Present.json({ at, level, text, ...about })
  const more = Object.entries(about).map(([key, value]) => ` ${key}=${Present.harmless(String(value))}`)
  return `${at} ${level.toUpperCase().padEnd(5)} ${Present.harmless(text)}${more.join("")}`
}

/** Where a program's logs go. */
export const onStderr = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** Logs of at least a level, as lines. */
export const layer = (wanted: Wanted & { readonly format: (typeof formats)[number] }, write: (line: string) => void) =>
  Layer.mergeAll(
    Logger.layer([Logger.make<unknown, void>((one) => write(line(read(one), wanted.format))), Logger.tracerLogger]),
    Layer.succeed(References.MinimumLogLevel, levels[wanted.level])
  )

/** Logs among everything else that a program shows: as an object, and as words above the prompt. */
export const onScreen = (
  screen: {
    readonly line: (line: Present.Line) => void
    readonly json: (value: Record<string, unknown>) => void
  },
  level: Level
) =>
  Layer.mergeAll(
    Logger.layer([
      Logger.make<unknown, void>((one) => {
        const { text } = read(one)
        screen.json({ event: "log", level: one.logLevel, text })
        const tone = one.logLevel === "Error" || one.logLevel === "Fatal" ? "bad" : "quiet"
        screen.line({ tone, text: Present.harmless(text, true) })
      })
    ]),
    Layer.succeed(References.MinimumLogLevel, levels[level])
  )
