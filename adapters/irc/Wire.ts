/**
 * What an IRC line can hold: which texts survive a server, and how many bytes of them.
 * It never shortens or repairs a text; what does not come out as it went in is refused before it is sent.
 * A server relays `:nick!user@host PRIVMSG #room :text` in 512 bytes, so the room for a text depends on how it shows us.
 */

/** RFC 1459 and 2812, line end included. A server that carries more says so (LINELEN). */
const lineBytesDefault = 512
const lineBytesMax = 16_384

/** Ourselves as the server shows us to others. */
export interface Mask {
  readonly nick: string
  readonly user: string
  readonly host: string
}

/** The length of a line that a server announces, as far as it is one. */
export const lineBytesOf = (announced: unknown): number => {
  const bytes = typeof announced === "string" && /^\d{3,5}$/.test(announced) ? Number(announced) : lineBytesDefault
  return bytes < lineBytesDefault || bytes > lineBytesMax ? lineBytesDefault : bytes
}

/** How many bytes of text reach everybody in a channel whole, when posted by `mask`. Never negative. */
export const textBytesMax = ({ host, nick, user }: Mask, channel: string, lineBytes = lineBytesDefault): number =>
  Math.max(0, lineBytes - 2 - Buffer.byteLength(`:${nick}!${user}@${host} PRIVMSG ${channel} :`))

/** Why a text does not come out of a server as it went in; undefined if it does. */
export const objection = (text: string): string | undefined => {
  if (/[\r\n]/.test(text)) return "a line cannot hold a line break"
  if (text.includes("\0")) return "IRC carries no NUL characters"
  if (text.startsWith("\u0001")) return "IRC takes a line that begins with this character for a command"
  if (text === "" || /[\t\v\f ]$/.test(text)) return "IRC servers drop white space at the end of a line"
  return text.isWellFormed() ? undefined : "the line holds half a character"
}

const characters = 200

/** What a server said, harmless in one line of a log. */
export const shown = (text: string | undefined): string =>
  Array.from((text ?? "").replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim())
    .slice(0, characters)
    .join("")

/** A channel's name as a server may take it. */
export const isChannel = (name: string): boolean => /^[#&+!][^\s,:\p{Cc}]{1,63}$/u.test(name)

/** A nick as a server may take it; what it really takes only it can say. */
export const isNick = (name: string): boolean => /^[^\s!@:,*?.#&+~%$<>\p{Cc}\d-][^\s!@:,*?\p{Cc}]{0,63}$/u.test(name)
