/// <reference path="./hyperswarm.d.ts" />
/**
 * One Noise socket as a Link: its two halves, its keep-alive, its watch for a dead far end, and its two ways to end.
 * It never decides whether a link may exist, and never leaves an error of the socket without a listener.
 * It reads without being asked, up to the window: only so is a far end that closes answered while nobody reads here.
 */

import { Effect, Stream } from "effect"
import type { NoiseSocket } from "hyperdht"
import type { Link } from "../../ports/Transport.ts"
import { kindCredit, kindPiece, readCredit } from "./Flow.ts"
import { makeInbound } from "./Inbound.ts"
import { makeOutbound } from "./Outbound.ts"

/** How a link is kept. Times in milliseconds, sizes in bytes. */
export interface LinkOptions {
  /** An idle link sends an empty message this often. */
  readonly keepAliveMs: number
  /** A far end that sends nothing for this long is dead. Must exceed the far end's `keepAliveMs`. */
  readonly deadAfterMs: number
  /** More in one `send` is refused. */
  readonly sendBytesMax: number
  /** How long an orderly close may take before the link is dropped. */
  readonly closeLimitMs: number
}

/** Tells messages apart and feeds the halves; whatever breaks the rules of the flow costs the sender its link. */
const listen = (
  socket: NoiseSocket,
  inbound: ReturnType<typeof makeInbound>,
  outbound: ReturnType<typeof makeOutbound>
) => {
  const over = () => {
    outbound.fail()
    inbound.end()
  }
  socket.on("error", () => {})
  socket.on("data", (message: Buffer) => {
    if (message.length === 0) return
    const kind = message[0]
    const credit = kind === kindCredit ? readCredit(message) : undefined
    if (kind === kindPiece) {
      if (!inbound.take(message.subarray(1))) socket.destroy()
    } else if (credit !== undefined) outbound.grant(credit)
    else socket.destroy()
  })
  socket.on("drain", outbound.drained)
  socket.once("close", over)
  socket.once("end", () => {
    over()
    socket.end()
  })
}

/** Where the far end is now; nothing if the socket is gone already. */
const addressOf = ({ rawStream }: NoiseSocket): Pick<Link, "remoteAddress"> =>
  rawStream?.remoteHost ? { remoteAddress: { host: rawStream.remoteHost, port: rawStream.remotePort } } : {}

/**
 * Wraps an open socket. Keep-alive and the watch for a dead far end start here.
 * `topics` are those through which we found it; `id` must be unique within the transport.
 */
export const makeLink = (
  socket: NoiseSocket,
  id: string,
  topics: ReadonlyArray<Uint8Array>,
  options: LinkOptions
): Link => {
  const outbound = makeOutbound(socket, options.sendBytesMax)
  const inbound = makeInbound((bytes) => outbound.credit(bytes))
  listen(socket, inbound, outbound)
  socket.setKeepAlive(options.keepAliveMs)
  socket.setTimeout(options.deadAfterMs)
  // Both ends speak at once: the swarm takes a link that carried nothing for an unfinished one, and may prefer it.
  socket.sendKeepAlive()

  let closing = false
  const beginClose = () => {
    if (closing) return
    closing = true
    inbound.discard()
    outbound.finish(() => socket.end())
    const timer = setTimeout(() => socket.destroy(), options.closeLimitMs)
    socket.once("close", () => clearTimeout(timer))
  }
  const close = Effect.callback<void>((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    beginClose()
    const gone = () => resume(Effect.void)
    socket.once("close", gone)
    // Interruption stops the waiting only: the close itself is under way, and bounded.
    return Effect.sync(() => void socket.off("close", gone))
  })
  const abort = Effect.sync(() => {
    inbound.discard()
    outbound.fail()
    socket.destroy()
  })
  return {
    id,
    initiator: socket.isInitiator,
    remoteKey: new Uint8Array(socket.remotePublicKey),
    topics,
    ...addressOf(socket),
    binding: new Uint8Array(socket.handshakeHash),
    send: outbound.send,
    receive: Stream.fromPull(Effect.succeed(inbound.pull)),
    close,
    abort
  }
}
