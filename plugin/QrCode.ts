/**
 * A text as a QR code for a terminal: two rows of modules in each line of characters.
 * It never prints and never remembers; what it is given may be a secret.
 * The quiet zone is drawn too, because a terminal may be dark and a camera looks for light around a code.
 */
import { renderUnicodeCompact } from "uqr"

/** The lines of the code, dark on light if the terminal's colours are. */
export const lines = (text: string): ReadonlyArray<string> =>
  renderUnicodeCompact(text, { ecc: "M", border: 2 }).split("\n")
