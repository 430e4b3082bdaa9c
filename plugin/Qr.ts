/**
 * A text as a QR code: of a terminal, lines of half blocks, light on the terminal's dark; or its modules, for a page.
 * It never decides what a code is for and never colours anything; what is drawn is public, or its caller's to keep.
 * Reading it back by eye is nobody's business, so the library's own drawing is used and nothing is laid out here.
 */
import { encode, renderUnicodeCompact } from "uqr"

/** Modules of quiet zone around a code: readers want four, terminals have a margin of their own. */
const border = 2

/** The lines of the code of a text. */
export const draw = (text: string): ReadonlyArray<string> => renderUnicodeCompact(text, { border }).split("\n")

/** The quiet zone that readers want, in modules; a page has room for it. */
const quietModules = 4

/** The modules of the code of a text, row by row: `1` dark, `0` light, the quiet zone included. */
export const modules = (text: string): ReadonlyArray<string> =>
  encode(text, { border: quietModules }).data.map((row) => row.map((dark) => (dark ? "1" : "0")).join(""))
