/**
 * Display names: what a line claims, what an operator types, what a screen shows.
 * A name never identifies anybody and is never repaired; what does not fit is refused.
 * The character rules keep a name from breaking a line, a screen, a path or a reader's eye.
 */
import { Result } from "effect"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"

/** White space, controls, format and bidi characters, unassigned and private code points, surrogates, fillers, `|`. */
const forbidden = /[\p{White_Space}\p{C}\p{Default_Ignorable_Code_Point}\u2800|]/u
/** More than three combining marks in a row are invisible ink or a scribble over other lines. */
const stacked = /\p{M}{4}/u

/** A name as PROTOCOL.md §3 allows it, one leading `@` dropped, or `name-invalid`. */
export const parse = (text: string): Result.Result<string, Rejection.Rejection> => {
  const name = text.startsWith("@") ? text.slice(1) : text
  const codePoints = Array.from(name).length
  const valid =
    codePoints >= 1 &&
    codePoints <= Limits.nameCodePointsMax &&
    !name.startsWith("@") &&
    name.normalize("NFC") === name &&
    !forbidden.test(name) &&
    !stacked.test(name) &&
    !/^\p{M}/u.test(name)
  return valid ? Result.succeed(name) : Result.fail(Rejection.make("name-invalid"))
}

/**
 * The form in which names are compared: lower case, independent of locale. This is not Unicode case folding: `ß` and `SS`
 * stay two names. Names identify nobody, so two that fold apart cost a question and never a friendship.
 */
export const fold = (name: string): string => name.normalize("NFC").toLowerCase().normalize("NFC")

/** The form in which a channel's accounts are compared: few tell `A` from `a`, most `É` from `é` or a kelvin sign from `k`. */
export const account = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
