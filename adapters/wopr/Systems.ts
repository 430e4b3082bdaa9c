/**
 * What is known of the chat systems behind the host's providers: how long a line may be, and whose name comes with it.
 * It never talks to one; an unknown system gets the shortest line that a friend line surely fits in.
 * A provider gives a user name and nothing else of the author: evidence, not identity. Where bots do not see each other's
 * lines the poster is a person who passes them on, and says nothing about the bot that wrote them.
 */
import { ask, type Provider } from "./Host.ts"

interface System {
  /** Longest line in UTF-8 bytes; systems that count characters carry at least as many. */
  readonly lineBytesMax: number
  /** Whether a line can come from the account that wrote it. */
  readonly seesAuthors: boolean
}

const unknown: System = { lineBytesMax: 2_000, seesAuthors: true }

const systems: Readonly<Record<string, System>> = {
  discord: { lineBytesMax: 2_000, seesAuthors: true },
  matrix: { lineBytesMax: 32_000, seesAuthors: true },
  mattermost: { lineBytesMax: 4_000, seesAuthors: true },
  msteams: { lineBytesMax: 20_000, seesAuthors: true },
  nostr: { lineBytesMax: 16_000, seesAuthors: true },
  signal: { lineBytesMax: 2_000, seesAuthors: true },
  slack: { lineBytesMax: 3_000, seesAuthors: true },
  // Telegram delivers no bot's message to another bot: whoever posts a line that we see is a person.
  telegram: { lineBytesMax: 4_096, seesAuthors: false },
  twitch: { lineBytesMax: 500, seesAuthors: true },
  whatsapp: { lineBytesMax: 4_096, seesAuthors: true }
}

/** RFC 1459 and 2812: 512 bytes with the line's end, `:nick!user@host PRIVMSG channel :` in front; user 11, host 63. */
const ircLineBytes = (nick: string, channel: string): number =>
  512 - 2 - Buffer.byteLength(`:${nick}! PRIVMSG ${channel} :@`) - 11 - 63

/** What is known of a provider's system. */
export const of = (provider: Provider): System =>
  Object.hasOwn(systems, provider.id) ? (systems[provider.id] ?? unknown) : unknown

/** The longest line in bytes that the provider carries to a channel whole. */
export const lineBytesMax = (provider: Provider, channel: string): number =>
  provider.id === "irc"
    ? ircLineBytes(String(ask(() => provider.getBotUsername?.()) ?? ""), channel)
    : of(provider).lineBytesMax
