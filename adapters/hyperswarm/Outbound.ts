/// <reference path="./hyperswarm.d.ts" />
/**
 * The writing half of a link: one payload at a time, cut into pieces, each within the far end's window.
 * It never holds more than one payload that the socket has not taken, however many senders come and are interrupted.
 * A payload that was begun is always finished: half of one would shift every byte after it.
 */

import { Effect, Semaphore } from "effect"
import type { NoiseSocket } from "hyperdht"
import { TransportError } from "../../ports/Transport.ts"
import { messageCost, pieceBytesMax, windowCost, writeCredit, writePiece } from "./Flow.ts"

export interface Outbound {
  /** As the port's `send`. */
  send(bytes: Uint8Array): Effect.Effect<void, TransportError>
  /** Tells the far end how much of its cost was taken here. */
  credit(cost: number): void
  /** The far end's reader took so much. */
  grant(cost: number): void
  /** The socket has room again. */
  drained(): void
  /** No more payloads; calls back when the last one is out. */
  finish(done: () => void): void
  /** The link is gone: every sender, waiting or coming, fails. */
  fail(): void
}

const closed = () => new TransportError({ code: "closed", message: "the link is closed" })

const tooLarge = (bytes: number, bytesMax: number) =>
  new TransportError({ code: "too-large", message: `${bytes} bytes in one send, at most ${bytesMax} are allowed` })

/** Below this much credit a longer payload waits: a trickle of tiny pieces would eat the window with their overhead. */
const pieceBytesMin = 16 * 1024

export const makeOutbound = (socket: NoiseSocket, sendBytesMax: number): Outbound => {
  const turn = Semaphore.makeUnsafe(1)
  const idle = new Set<() => void>()
  let rest: Uint8Array | undefined
  let credit = windowCost
  let full = false
  let isClosed = false
  let queued = 0

  const isBusy = () => rest !== undefined || full
  const notify = () => {
    for (const waiting of [...idle]) waiting()
  }
  const pump = () => {
    while (rest !== undefined && !full) {
      const payloadBytes = Math.min(rest.length, pieceBytesMax, credit - messageCost(0))
      if (payloadBytes < Math.min(rest.length, pieceBytesMin)) return
      full = !socket.write(writePiece(rest.subarray(0, payloadBytes)))
      credit -= messageCost(payloadBytes)
      rest = payloadBytes === rest.length ? undefined : rest.subarray(payloadBytes)
    }
    if (!isBusy()) notify()
  }
  const fail = () => {
    isClosed = true
    rest = undefined
    notify()
  }

  const whenIdle: Effect.Effect<void, TransportError> = Effect.callback((resume) => {
    const settle = () => {
      if (isBusy() && !isClosed) return
      idle.delete(settle)
      resume(isClosed ? Effect.fail(closed()) : Effect.void)
    }
    idle.add(settle)
    settle()
    return Effect.sync(() => idle.delete(settle))
  })
  const begin = (bytes: Uint8Array): Effect.Effect<void, TransportError> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(closed())
      const atOnce = bytes.length <= pieceBytesMax && messageCost(bytes.length) <= credit
      // What cannot go at once outlives this call, so it must be our own bytes.
      rest = atOnce ? bytes : bytes.slice()
      pump()
      return isBusy() ? whenIdle : Effect.void
    })
  const beginInTurn = (bytes: Uint8Array) =>
    Effect.suspend(() => {
      queued++
      return turn.withPermits(1)(Effect.andThen(whenIdle, begin(bytes)))
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          queued--
        })
      )
    )

  const send = (bytes: Uint8Array): Effect.Effect<void, TransportError> =>
    Effect.suspend(() => {
      if (isClosed) return Effect.fail(closed())
      if (bytes.length > sendBytesMax) return Effect.fail(tooLarge(bytes.length, sendBytesMax))
      if (bytes.length === 0) return Effect.void
      return isBusy() || queued > 0 ? beginInTurn(bytes) : begin(bytes)
    })
  return {
    send,
    credit: (cost) => void (isClosed || socket.write(writeCredit(cost))),
    grant: (cost) => {
      credit = Math.min(windowCost, credit + cost)
      pump()
    },
    drained: () => {
      full = false
      pump()
    },
    finish: (done) => {
      const settle = () => {
        if (rest !== undefined) return
        idle.delete(settle)
        isClosed = true
        notify()
        done()
      }
      idle.add(settle)
      settle()
    },
    fail
  }
}
