/**
 * Reads what a container prints from the one connection on which the engine interleaves both of its outputs.
 * It must never hold more than the caps allow, whatever the program prints and in whatever pieces.
 * The vendor's own demultiplexer is not used: it ignores back-pressure and copies quadratically.
 */
import type { Duplex, Readable } from "node:stream"
import { Effect } from "effect"
import { lineBytesMax, SandboxError } from "../../ports/Sandbox.ts"

/** The engine's frame: one byte naming the stream, three of nothing, four of length, big-endian. */
const headerBytes = 8

/** Standard error is for a reason, not for an answer; more than this ends the job. */
const errorBytesMax = 256 * 1024

/** Collects bytes up to a cap, in one buffer: a million one-byte pieces must not become a million objects. */
export const basin = (bytesMax: number) => {
  let held = new Uint8Array(Math.min(bytesMax, 4096))
  let filled = 0
  return {
    /** Adds a piece; false, and nothing kept of it, when it does not fit. */
    pour: (piece: Uint8Array): boolean => {
      const total = filled + piece.length
      if (total > bytesMax) return false
      if (total > held.length) {
        const wider = new Uint8Array(Math.min(bytesMax, Math.max(total, held.length * 2)))
        wider.set(held.subarray(0, filled))
        held = wider
      }
      held.set(piece, filled)
      filled = total
      return true
    },
    bytes: (): Uint8Array => held.slice(0, filled),
    /** Empties it. */
    clear: (): void => {
      filled = 0
    }
  }
}

export type Stream = "output" | "error"

/**
 * Takes the engine's bytes in any pieces and gives each payload piece to `onPiece` with its stream.
 * `push` answers false once the bytes cannot be the engine's framing; `between` tells whether no frame is unfinished.
 */
export const demultiplexer = (onPiece: (stream: Stream, piece: Uint8Array) => void) => {
  const header = new Uint8Array(headerBytes)
  let headerFilled = 0
  let remaining = 0
  let stream: Stream = "output"
  const open = (): boolean => {
    stream = header[0] === 2 ? "error" : "output"
    remaining = new DataView(header.buffer).getUint32(4)
    headerFilled = 0
    return header[0]! <= 2 && header[1] === 0 && header[2] === 0 && header[3] === 0
  }
  const push = (chunk: Uint8Array): boolean => {
    let at = 0
    while (at < chunk.length) {
      if (remaining > 0) {
        const taken = Math.min(remaining, chunk.length - at)
        onPiece(stream, chunk.subarray(at, at + taken))
        at += taken
        remaining -= taken
      } else {
        const taken = Math.min(headerBytes - headerFilled, chunk.length - at)
        header.set(chunk.subarray(at, at + taken), headerFilled)
        at += taken
        headerFilled += taken
        if (headerFilled === headerBytes && !open()) return false
      }
    }
    return true
  }
  return { push, between: () => remaining === 0 && headerFilled === 0 }
}

export interface Printed {
  readonly output: Uint8Array
  readonly error: Uint8Array
}

const tooLong = (what: string, bytesMax: number): SandboxError =>
  new SandboxError({ code: "output-too-long", message: `the program printed more than ${bytesMax} bytes ${what}` })

const broken = (why: string): SandboxError =>
  new SandboxError({ code: "engine-failed", message: `the connection to the container broke: ${why}` })

/**
 * Everything the program prints until both of its outputs are closed.
 * Fails with `output-too-long` at the first byte over a cap, `engine-failed` when the connection ends in mid-frame.
 */
export const collect = (socket: Readable, outputBytesMax: number): Effect.Effect<Printed, SandboxError> =>
  Effect.callback((resume) => {
    const output = basin(outputBytesMax)
    const error = basin(errorBytesMax)
    let failure: SandboxError | undefined
    const frames = demultiplexer((stream, piece) => {
      if (stream === "output" && !output.pour(piece)) failure ??= tooLong("of output", outputBytesMax)
      if (stream === "error" && !error.pour(piece)) failure ??= tooLong("of errors", errorBytesMax)
    })
    const settle = (result: Effect.Effect<Printed, SandboxError>) => {
      socket.off("data", onChunk).off("end", onEnd).off("error", onError).off("close", onClose)
      socket.pause()
      resume(result)
    }
    const onChunk = (chunk: Uint8Array) => {
      if (!frames.push(chunk)) failure ??= broken("it carried bytes that are not the engine's framing")
      if (failure !== undefined) settle(Effect.fail(failure))
    }
    const onEnd = () =>
      settle(
        frames.between()
          ? Effect.succeed({ output: output.bytes(), error: error.bytes() })
          : Effect.fail(broken("it ended within a frame"))
      )
    const onError = (cause: Error) => settle(Effect.fail(broken(cause.message)))
    const onClose = () => settle(Effect.fail(broken("it closed early")))
    socket.on("data", onChunk).on("end", onEnd).on("error", onError).on("close", onClose)
    return Effect.sync(() => void socket.destroy())
  })

const lineFeed = 10

/** Cuts what a program prints into lines; `onLine` gets each without its end. False for one that is too long. */
const lineCutter = (onLine: (line: string) => void) => {
  const decoder = new TextDecoder()
  const begun = basin(lineBytesMax)
  let isBegun = false
  const finish = (): void => {
    onLine(decoder.decode(begun.bytes()))
    begun.clear()
    isBegun = false
  }
  const push = (piece: Uint8Array): boolean => {
    for (let at = 0; at < piece.length; ) {
      const end = piece.indexOf(lineFeed, at)
      if (!begun.pour(piece.subarray(at, end < 0 ? piece.length : end))) return false
      isBegun = true
      if (end < 0) return true
      finish()
      at = end + 1
    }
    return true
  }
  return { push, end: () => (isBegun ? finish() : undefined) }
}

/** The lines of a running program, one at a time, and the errors that it has printed so far. */
export interface Lines {
  /** The next line; undefined when both outputs are closed. Nothing is read from the engine that is not asked for. */
  readonly next: Effect.Effect<string | undefined, SandboxError>
  readonly error: () => Uint8Array
  /** Counts anew, up to this: another talk begins. */
  readonly renew: (outputBytesMax: number) => void
}

/**
 * What a program prints as lines. Fails with `output-too-long` for a line over the port's limit or more than
 * `outputBytesMax` in all, `engine-failed` when the connection breaks or ends in mid-frame.
 */
export const lines = (socket: Readable, outputBytesMax: number): Lines => {
  const chunks = socket.iterator({ destroyOnReturn: false })
  const error = basin(errorBytesMax)
  let ready: Array<string> = []
  let [heard, printed, ended, most] = [0, 0, false, outputBytesMax]
  let failure: SandboxError | undefined
  const cutter = lineCutter((line) => ready.push(line))
  const frames = demultiplexer((stream, piece) => {
    if (stream === "error") {
      if (!error.pour(piece)) failure ??= tooLong("of errors", errorBytesMax)
      return
    }
    printed += piece.length
    if (printed > most) failure ??= tooLong("of output", most)
    else if (!cutter.push(piece)) failure ??= tooLong("in one line", lineBytesMax)
  })
  const take = ({ done, value }: IteratorResult<Uint8Array>): void => {
    if (done !== true) {
      if (!frames.push(value)) failure ??= broken("it carried bytes that are not the engine's framing")
      return
    }
    ended = true
    if (!frames.between()) failure ??= broken("it ended within a frame")
    cutter.end()
  }
  const read = Effect.tryPromise({
    try: () => chunks.next(),
    catch: (cause) => broken(cause instanceof Error ? cause.message : String(cause))
  }).pipe(Effect.map(take))
  const next = Effect.gen(function* () {
    // Lines that came whole before a failure are heard before it.
    if (heard < ready.length) return ready[heard++]
    ready = []
    heard = 0
    while (ready.length === 0 && failure === undefined && !ended) yield* read
    if (ready.length === 0 && failure !== undefined) return yield* Effect.fail(failure)
    return ready[heard++]
  })
  const renew = (bytesMax: number): void => {
    printed = 0
    most = bytesMax
  }
  return { next, error: error.bytes, renew }
}

/** Writes a line and waits until the engine has taken it; a program that has ended takes nothing, and that is no failure. */
export const said = (input: Duplex, line: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (input.destroyed || input.writableEnded) return resume(Effect.void)
    input.write(`${line}\n`, () => resume(Effect.void))
  })
