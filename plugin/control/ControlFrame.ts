/**
 * Bytes of a control connection ↔ frames: four bytes of length, big-endian, then JSON in UTF-8.
 * It never holds more than one frame's bound and one piece beyond it, and never looks into a frame.
 * A length is checked before anything of the frame is kept, so that a number costs nobody memory.
 */

/** A value as one frame. Throws what JSON throws on a value that has no text. */
export const encode = (value: unknown): Uint8Array => {
  const body = Buffer.from(JSON.stringify(value), "utf8")
  const frame = Buffer.allocUnsafe(4 + body.length)
  frame.writeUInt32BE(body.length, 0)
  body.copy(frame, 4)
  return frame
}

/** What a frame holds, or `undefined` if that is not one JSON value in valid UTF-8. */
export const decode = (frame: Uint8Array): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(frame)) }
  } catch {
    return undefined
  }
}

/** Takes bytes as they come and gives frames as they are whole. */
export interface Reader {
  /** Adds bytes. */
  readonly feed: (piece: Uint8Array) => void
  /** The next whole frame of at most `bytesMax` bytes, `undefined` if it is not there yet, `"too-large"` if it never will. */
  readonly next: (bytesMax: number) => Uint8Array | "too-large" | undefined
  /** How many bytes wait for the rest of their frame. */
  readonly held: () => number
}

/** A reader at the beginning of a connection. */
export const makeReader = (): Reader => {
  let pieces: Array<Uint8Array> = []
  let held = 0
  const whole = (): Buffer => {
    const bytes =
      pieces.length === 1
        ? Buffer.from(pieces[0]!.buffer, pieces[0]!.byteOffset, pieces[0]!.length)
        : Buffer.concat(pieces)
    pieces = [bytes]
    return bytes
  }
  /** The announced length, looked for in the first pieces only: joining all of them for every piece would be quadratic. */
  const announced = (): number | undefined => {
    if (held < 4) return undefined
    if (pieces[0]!.length < 4) whole()
    const head = pieces[0]!
    return new DataView(head.buffer, head.byteOffset, 4).getUint32(0)
  }
  return {
    feed: (piece) => {
      if (piece.length === 0) return
      pieces.push(piece)
      held += piece.length
    },
    next: (bytesMax) => {
      const length = announced()
      if (length === undefined) return undefined
      if (length > bytesMax) return "too-large"
      if (held < 4 + length) return undefined
      const bytes = whole()
      const frame = Uint8Array.from(bytes.subarray(4, 4 + length))
      const rest = bytes.subarray(4 + length)
      pieces = rest.length === 0 ? [] : [rest]
      held = rest.length
      return frame
    },
    held: () => held
  }
}
