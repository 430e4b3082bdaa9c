/**
 * A text as a QR code of a terminal: lines of half blocks, two rows of modules a line, light on the terminal's dark.
 * It never decides what a code is for and never colours anything; what is drawn is public, or its caller's to keep.
 * Reading it back by eye is nobody's business, so the library's own drawing is used and nothing is laid out here.
 */
import { renderUnicodeCompact } from "uqr"

/** Modules of quiet zone around a code: readers want four, terminals have a margin of their own. */
const border = 2

/** The lines of the code of a text. */
export const draw = (text: string): ReadonlyArray<string> => renderUnicodeCompact(text, { border }).split("\n")
