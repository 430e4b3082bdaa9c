/**
 * What arrives on one link, from its first byte to its last message, as one pure machine.
 * It never waits and never acts on a message: bytes go in, and out come the opening's replies, the session, and inputs.
 * A record is read whole: its messages are checked one by one, and none is passed on if the record breaks a rule.
 */
import { Result } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Authentic from "../identity/Authentic.ts"
import * as Statement from "../identity/Statement.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as KeySchedule from "../session/KeySchedule.ts"
import * as Opening from "../session/Opening.ts"
import * as Seal from "../session/Seal.ts"
import * as Codec from "../wire/Codec.ts"
import * as Frame from "../wire/Frame.ts"
import { isSigned } from "../wire/Message.ts"
import type { Input } from "./Input.ts"

export type Received = Extract<Input, { _tag: "Received" }>

/** A link as far as it was read: it opens, or it is a session with its receiving direction. */
export interface Talk {
  readonly local: Opening.Local
  readonly connection: string
  readonly reader: Frame.Reader
  readonly opening: Opening.Opening | undefined
  readonly session: Seal.Session | undefined
}

/** What one frame brought. `opened` is the session if this frame completed the opening. */
export interface Heard {
  readonly talk: Talk
  readonly send: ReadonlyArray<Uint8Array>
  readonly opened: Seal.Session | undefined
  readonly inputs: ReadonlyArray<Received>
}

/** A link we dialled: what to send first, and whom it is expected to lead to. */
export const dial = (
  local: Opening.Local,
  connection: string,
  expected: Opening.Expected
): Result.Result<Heard, Rejection.Rejection> =>
  Result.map(Opening.dial(local, expected), ({ opening, send }) => ({
    talk: { local, connection, reader: Frame.reader, opening, session: undefined },
    send: send.map(Frame.encode),
    opened: undefined,
    inputs: []
  }))

/** A link that reached us: it waits for the far end to begin. */
export const accept = (local: Opening.Local, connection: string): Talk => ({
  local,
  connection,
  reader: Frame.reader,
  opening: Opening.accept(local),
  session: undefined
})

/** Adds what the link delivered. */
export const push = (talk: Talk, chunk: Uint8Array): Talk => ({ ...talk, reader: Frame.push(talk.reader, chunk) })

/** Takes the next frame, if a whole one is there. A rejection is final for the link. */
export const next = (talk: Talk, nowMs: number): Result.Result<Heard | undefined, Rejection.Rejection> => {
  const bytesMax = talk.session === undefined ? Limits.openingFrameBytesMax : Limits.frameBytesMax
  const { frame, reader, rejection } = Frame.next(talk.reader, bytesMax)
  if (rejection !== undefined) return Result.fail(rejection)
  if (frame === undefined) return Result.succeed(undefined)
  const read = { ...talk, reader }
  return read.session === undefined ? onOpening(read, frame, nowMs) : onRecord(read, read.session, frame, nowMs)
}

const onOpening = (talk: Talk, frame: Frame.Frame, nowMs: number): Result.Result<Heard, Rejection.Rejection> => {
  if (talk.opening === undefined) return Result.fail(Rejection.make("frame-out-of-place"))
  return Result.map(Opening.receive(talk.opening, frame, nowMs), ({ opening, send, session }) => ({
    talk: { ...talk, opening, session },
    send: send.map(Frame.encode),
    opened: session,
    inputs: []
  }))
}

/** Opens one record, and reads the messages in it. */
const onRecord = (
  talk: Talk,
  session: Seal.Session,
  frame: Frame.Frame,
  nowMs: number
): Result.Result<Heard, Rejection.Rejection> => {
  const { crypto } = talk.local
  if (frame.type !== "record") return Result.fail(Rejection.make("frame-out-of-place", frame.type))
  if (nowMs - session.sinceMs > Limits.sessionAgeMs) return Result.fail(Rejection.make("session-expired"))
  const opened = Seal.open(crypto, session.peer, session.receive, nowMs, frame.body)
  if (Result.isFailure(opened)) return Result.fail(opened.failure)
  const { direction, plaintext } = opened.success
  return Result.map(messagesIn(talk, session, plaintext), (inputs) => ({
    talk: { ...talk, session: { ...session, receive: KeySchedule.leave(crypto, session.receive, direction) } },
    send: [],
    opened: undefined,
    inputs
  }))
}

const messagesIn = (
  { connection, local }: Talk,
  session: Seal.Session,
  plaintext: Authentic.Authentic<Uint8Array>
): Result.Result<ReadonlyArray<Received>, Rejection.Rejection> => {
  const { crypto } = local
  const unpacked = Codec.unpack(plaintext.value)
  if (Result.isFailure(unpacked)) return Result.fail(unpacked.failure)
  const inputs: Array<Received> = []
  for (const envelope of unpacked.success) {
    const decoded = Codec.decode(envelope.body)
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
    const message = decoded.success
    if (!isVouchedFor(crypto, session, message, envelope)) return Result.fail(Rejection.make("signature-invalid"))
    inputs.push({
      _tag: "Received",
      connection,
      message: Authentic.map(plaintext, () => message),
      bytes: envelope.body.length,
      hash: Base64url.encode(crypto.sha256(envelope.body).subarray(0, 16))
    })
  }
  return Result.succeed(inputs)
}

/** Whether a message carries its sender's own signature, if its kind has to. */
const isVouchedFor = (
  crypto: CryptoShape,
  session: Seal.Session,
  message: Received["message"]["value"],
  { body, signature }: Codec.Envelope
): boolean => {
  if (!isSigned(message.kind) || !("number" in message) || message.number === undefined) return true
  const sender = session.role === "initiator" ? "responder" : "initiator"
  const numbered = { stream: message.stream ?? "", number: message.number }
  const statement = messageStatement(session, sender, numbered, body)
  return signature !== undefined && Statement.holds(crypto, session.peer.signer.key, statement, signature)
}

/** What both ends sign about a message (PROTOCOL.md §8): label, handshake hash, direction, stream, number, body. */
export const messageStatement = (
  session: Seal.Session,
  sender: "initiator" | "responder",
  numbered: { readonly stream: string; readonly number: number },
  body: Uint8Array
): Statement.Statement => ({
  purpose: "message",
  fields: [session.handshakeHash, sender, numbered.stream, numbered.number, body]
})
