/**
 * Friend lines with something that is signed changed: a forger's, a typist's, a broken bridge's.
 * It never changes only what a reader may undo; each result says something else than was signed, or nothing.
 * Whether one is accepted is asked of a whole agent that waits for exactly this line.
 */
import type { Chance } from "../simulation/Chance.ts"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** Another character in the place of one. */
const changed = (text: string, luck: Chance): string => {
  const at = luck.whole(0, text.length - 1)
  const others = [...alphabet].filter((one) => one !== text[at])
  return `${text.slice(0, at)}${luck.pick(others)}${text.slice(at + 1)}`
}

const swapped = (text: string, luck: Chance): string => {
  const at = luck.whole(0, text.length - 2)
  const two = `${text[at + 1]}${text[at]}`
  return `${text.slice(0, at)}${two}${text.slice(at + 2)}`
}

/** The line with the value of one field changed; `other` is another line of the same people. */
const spoiled = (line: string, other: string, luck: Chance): string => {
  const parts = line.split(" | ")
  const at = luck.whole(1, parts.length - 1)
  const colon = parts[at]!.indexOf(":") + 1
  const value = parts[at]!.slice(colon)
  const others = other.split(" | ")
  const spoiledValue = luck.pick<() => string>([
    () => changed(value, luck),
    () => swapped(value, luck),
    () => value.slice(1),
    () => `${value}A`,
    () => (others[at] ?? "").slice(colon),
    () => value.toLowerCase(),
    () => ""
  ])()
  return [...parts.slice(0, at), `${parts[at]!.slice(0, colon)}${spoiledValue}`, ...parts.slice(at + 1)].join(" | ")
}

/** What a line says, without the white space and the signature's words around it. */
const meaning = (line: string): string => line.replaceAll(" ", "")

/** A line that says something else than `line`, which was signed, or that says nothing any more. */
export const mutated = (line: string, other: string, luck: Chance): string => {
  for (;;) {
    const made = luck.pick<() => string>([
      () => spoiled(line, other, luck),
      () => spoiled(spoiled(line, other, luck), other, luck),
      () => line.slice(0, luck.whole(0, line.length - 1)),
      () => line.replace("FRIEND_REQUEST", "FRIEND_ACCEPT"),
      () => line.replace("FRIEND_ACCEPT", "FRIEND_REQUEST"),
      () => [...line.split(" | ").slice(0, 4), ...other.split(" | ").slice(4)].join(" | ")
    ])()
    if (meaning(made) !== meaning(line) && meaning(made) !== meaning(other)) return made
  }
}
