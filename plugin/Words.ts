/**
 * The few words that every page of presentation needs: hostile text made harmless, and numbers of things.
 * It never knows what is shown; it only sees to it that nothing shown steers a terminal.
 * It is a file of its own so that no page of presentation has to import another.
 */

/** Hostile text made harmless for a terminal: only visible characters, spaces and (optionally) line breaks survive. */
export const harmless = (text: string, breaks = false): string =>
  Array.from(text, (character) => {
    if (character === "\n" && breaks) return "\n"
    return /[\p{C}\p{Zl}\p{Zp}]/u.test(character) || /[\u200b-\u200f\u202a-\u202e\u2066-\u2069]/u.test(character)
      ? "\ufffd"
      : character
  }).join("")

/** A number of things, in words. */
export const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? "" : "s"}`

/** A number of bytes, in words. */
export const bytes = (count: number): string => `${count} byte${count === 1 ? "" : "s"}`

/** A time, milliseconds since the epoch, as everybody everywhere reads it. */
export const at = (ms: number): string => new Date(ms).toISOString()
