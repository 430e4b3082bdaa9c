/**
 * The one thing both ends of a link must agree on: how much may be under way, and what a message on the socket means.
 * It knows bytes and counts only; whose they are, and what they say, is not its business.
 * It exists because UDX, beneath the Noise stream, has no receive window: a reader that pauses is buffered for without
 * bound (75 MB a second, measured), and the sender never learns of it.
 */

/** Every message begins with its kind. A message of any other kind ends the link. */
export const kindPiece = 0
/** Followed by four bytes, big-endian: so much of what was sent has been taken by the far end's reader. */
export const kindCredit = 1

/** Followed by the version of these rules. The first message each way; no other link is real. */
const kindHello = 2
const version = 1

/**
 * The dialling end says hello as soon as its socket opens, the other end when it has decided to keep the link. An open
 * socket proves nothing: hyperdht opens the dialling end by a short cut, and the other end may then still give up.
 */
export const writeHello = (): Buffer => Buffer.from([kindHello, version])

/** Whether a message is a hello of our version. */
export const isHello = (message: Uint8Array): boolean =>
  message.length === 2 && message[0] === kindHello && message[1] === version

/** What may be under way unread in one direction, in cost. At 100 ms round trip it allows 5 MB a second. */
export const windowCost = 512 * 1024

/** The cost of a message: its bytes, and something for itself, or a flood of tiny messages would be free. */
export const messageCost = (payloadBytes: number): number => payloadBytes + 64

/** A payload is cut into messages of at most this many bytes, so that a window is used well. */
export const pieceBytesMax = 64 * 1024

/** A credit as it goes over the socket. */
export const writeCredit = (cost: number): Buffer => {
  const message = Buffer.alloc(5)
  message[0] = kindCredit
  message.writeUInt32BE(cost, 1)
  return message
}

/** The credit in a message of that kind, or `undefined` if it is malformed. */
export const readCredit = (message: Buffer): number | undefined =>
  message.length === 5 ? message.readUInt32BE(1) : undefined

/** A piece of a payload as it goes over the socket. Copied: the caller may reuse or wipe its bytes. */
export const writePiece = (payload: Uint8Array): Buffer => {
  const message = Buffer.allocUnsafe(payload.length + 1)
  message[0] = kindPiece
  message.set(payload, 1)
  return message
}
