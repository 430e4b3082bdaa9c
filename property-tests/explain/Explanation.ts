/**
 * What an explanation is: stations on a value's way through the readers, and the verdict of the shipped code at the end.
 * It never judges by itself: a station only shows where the reader that a node runs says no.
 * A station that cannot be decided here (it needs a key, a memory, more bytes) says so instead of guessing.
 */
import { Rejection } from "../../core/index.ts"

export interface Station {
  readonly station: string
  /** `yes`, `no`, or `open`: not decided here. */
  readonly holds: "yes" | "no" | "open"
  readonly says: string
  readonly code?: Rejection.Code
}

export interface Explanation {
  readonly what: "friend line" | "frames" | "record" | "envelopes" | "message" | "nothing"
  /** `accepted` as far as one can see without keys and memory; `incomplete`: more bytes must come; `none`: not ours. */
  readonly verdict: "accepted" | "refused" | "incomplete" | "none"
  readonly code?: Rejection.Code
  readonly stations: ReadonlyArray<Station>
}

/** A station that holds. */
export const yes = (station: string, says: string): Station => ({ station, holds: "yes", says })

/** A station that cannot be decided here. */
export const open = (station: string, says: string): Station => ({ station, holds: "open", says })

/** A station at which the value is refused, by its code. */
export const no = (station: string, code: Rejection.Code, says: string): Station => ({
  station,
  holds: "no",
  says,
  code
})

/** A station that refuses for the reason a reader gave. */
export const refusedBy = (station: string, { code, detail }: Rejection.Rejection): Station =>
  no(station, code, detail === "" ? "does not hold" : detail)

/** A station that holds if there is no code, else one that refuses by it. */
export const unless = (station: string, code: Rejection.Code | undefined, says: string): Station =>
  code === undefined ? yes(station, says) : no(station, code, says)

/** An explanation whose verdict follows from its stations. */
export const concluded = (what: Explanation["what"], stations: ReadonlyArray<Station>): Explanation => {
  const code = stations.find((one) => one.holds === "no")?.code
  return code === undefined ? { what, verdict: "accepted", stations } : { what, verdict: "refused", code, stations }
}

/** What is foreign is shown in plain ASCII and shortened: it must not move the cursor of whoever asks. */
export const shown = (text: string, charactersMax = 60): string => {
  const cut = text.length > charactersMax ? `${text.slice(0, charactersMax)}…(${text.length})` : text
  return cut.replace(/[^\x20-\x7e…]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

const marks = { yes: "ok  ", no: "NO  ", open: "?   " } as const

/** The explanation as lines for a person. */
export const print = ({ code, stations, verdict, what }: Explanation): ReadonlyArray<string> => [
  what,
  ...stations.map((one) => {
    const because = one.code === undefined ? "" : `${one.code}: `
    return `  ${marks[one.holds]}${one.station.padEnd(20)} ${because}${one.says}`
  }),
  code === undefined ? verdict : `${verdict}, ${code}: ${Rejection.table[code].sentence}`
]
