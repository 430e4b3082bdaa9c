/**
 * Cuts a stream of bytes into lines of text, in bounded memory.
 * It never gives a line before its newline came, and never keeps more than one line's bytes.
 * Cutting happens on bytes and decoding on whole lines: so a character split over two reads comes out right, and bytes
 * that are no UTF-8 spoil their own line only.
 */
const newline = 0x0a
const carriageReturn = 0x0d

export class LineCutter {
  readonly #lineBytesMax: number
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true })
  #parts: Array<Uint8Array> = []
  #held = 0
  #skipping = false

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax
  }

  /** Forgets the unfinished line: what comes next starts one. */
  restart(): void {
    this.#parts = []
    this.#held = 0
    this.#skipping = false
  }

  /** Drops everything up to the next newline. */
  skipToNewline(): void {
    this.restart()
    this.#skipping = true
  }

  /** The lines that these bytes finish, without their CR/LF. Empty lines and over-long ones are left out. */
  feed(bytes: Uint8Array): ReadonlyArray<string> {
    const lines: Array<string> = []
    let start = 0
    for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, start)) {
      this.#hold(bytes.subarray(start, at))
      const line = this.#finish()
      if (line !== "") lines.push(line)
      start = at + 1
    }
    this.#hold(bytes.subarray(start))
    return lines
  }

  #hold(part: Uint8Array): void {
    if (this.#skipping) return
    this.#held += part.length
    if (this.#held > this.#lineBytesMax + 1) this.skipToNewline()
    else if (part.length > 0) this.#parts.push(Uint8Array.from(part))
  }

  #finish(): string {
    const whole = this.#skipping ? new Uint8Array(0) : Buffer.concat(this.#parts)
    this.restart()
    const end = whole.at(-1) === carriageReturn ? whole.length - 1 : whole.length
    return end > this.#lineBytesMax ? "" : this.#decoder.decode(whole.subarray(0, end))
  }
}
