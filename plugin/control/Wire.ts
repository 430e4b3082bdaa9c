/**
 * One socket as a row of frames, for both ends: the next one within a time and a size, and one out.
 * It never keeps more than a frame and a piece: while a frame waits to be taken, the socket is not read.
 * What is wrong with the far end is an error with a code here; a socket's own errors end it and are no news.
 */
import type { Socket } from "node:net"
import * as Bounds from "./Bounds.ts"
import { controlError } from "./ControlError.ts"
import * as ControlFrame from "./ControlFrame.ts"

export interface Wire {
  /**
   * The value of the next frame; undefined once the far end has gone or was silent until `limitMs` is over. Rejects with
   * `too-large` or `malformed`.
   */
  readonly next: (bytesMax: number, limitMs: number) => Promise<{ readonly value: unknown } | undefined>
  /** Sends a value; false if the far end has gone or does not read. */
  readonly send: (value: unknown) => Promise<boolean>
  readonly close: () => void
  /** Calls once when the far end has gone; at once if it already has. */
  readonly onGone: (call: () => void) => void
  readonly isGone: () => boolean
}

/** Frames over a socket. With `isRef` the socket keeps the process alive. */
export const makeWire = (socket: Socket, isRef: boolean): Wire => {
  const reader = ControlFrame.makeReader()
  const calls = new Set<() => void>()
  let gone = socket.destroyed
  let wake: (() => void) | undefined
  if (!isRef) socket.unref()
  const end = () => {
    if (gone) return
    gone = true
    wake?.()
    for (const call of calls) call()
    calls.clear()
  }
  socket.on("error", () => {})
  socket.on("close", end)
  socket.on("end", () => socket.destroy())
  socket.on("data", (piece: Uint8Array) => {
    reader.feed(piece)
    // Taken up again when somebody asks for the next frame.
    socket.pause()
    wake?.()
  })

  const next: Wire["next"] = async (bytesMax, limitMs) => {
    const untilMs = performance.now() + limitMs
    for (;;) {
      const frame = reader.next(bytesMax)
      if (frame === "too-large") throw controlError("too-large", `a frame of more than ${bytesMax} bytes was announced`)
      if (frame !== undefined) {
        const decoded = ControlFrame.decode(frame)
        if (decoded === undefined) throw controlError("malformed", "a frame is not one JSON value")
        return decoded
      }
      const leftMs = untilMs - performance.now()
      if (gone || leftMs <= 0) return undefined
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        if (!isRef) timer.unref()
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        socket.resume()
      })
      wake = undefined
    }
  }
  const send: Wire["send"] = (value) =>
    new Promise((resolve) => {
      if (gone) return resolve(false)
      const timer = setTimeout(() => socket.destroy(), Bounds.idleMs)
      if (!isRef) timer.unref()
      const done = (sent: boolean) => {
        clearTimeout(timer)
        calls.delete(lost)
        resolve(sent)
      }
      const lost = () => done(false)
      calls.add(lost)
      socket.write(ControlFrame.encode(value), (error) => done(error === undefined || error === null))
    })
  return {
    next,
    send,
    close: () => socket.destroy(),
    onGone: (call) => {
      if (gone) call()
      else calls.add(call)
    },
    isGone: () => gone
  }
}
