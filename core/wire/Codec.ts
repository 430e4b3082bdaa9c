/**
 * Message bodies: bytes ↔ Message, one row per protocol version.
 * It never throws on what arrived and never lets an unchecked value through; unknown fields are dropped.
 * Envelopes pack several bodies, each with its own signature where its kind has one, into one sealed record.
 */
import { Result, Schema } from "effect"
import { concat, readU32, text, u32, utf8 } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Message from "./Message.ts"

/** Versions of the protocol this build speaks, best first. */
export const versions: ReadonlyArray<number> = [3]

const decodeMessage = Schema.decodeUnknownResult(Message.Message)
const decodeNumbered = Schema.decodeUnknownResult(
  Schema.Struct({
    kind: Schema.String.check(Schema.isMaxLength(40)),
    stream: Message.Id,
    number: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
  })
)
const decodeKind = Schema.decodeUnknownResult(Schema.Struct({ kind: Schema.String.check(Schema.isMaxLength(40)) }))

const isMessage: (message: unknown) => boolean = Schema.is(Message.Message)

/** A message as the text of its body: one JSON object. One that its Schema refuses is a defect: no peer would take it. */
export const print = (message: Message.Message): string => {
  if (!isMessage(message)) throw new Error(`a ${message.kind} that no peer would accept`)
  return JSON.stringify(message)
}

/** A message as the bytes of its body. */
export const encode = (message: Message.Message): Uint8Array => utf8(print(message))

/** JSON text → value, or undefined. A `__proto__` member stays an own property and is dropped by the Schema. */
const parseJson = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/**
 * The bytes of a body → a message. `Unknown` for a numbered message of a kind we do not know, `Ignored` for an
 * unnumbered one, `body-malformed` for everything else.
 */
export const decode = (
  body: Uint8Array
): Result.Result<Message.Message | Message.Unknown | Message.Ignored, Rejection.Rejection> => {
  const malformed = Result.fail(Rejection.make("body-malformed"))
  const json = text(body)
  if (json === undefined) return malformed
  const value = parseJson(json)
  const kind = decodeKind(value)
  if (Result.isFailure(kind)) return malformed
  if (Object.hasOwn(Message.kinds, kind.success.kind)) {
    const message = decodeMessage(value)
    return Result.isSuccess(message) ? Result.succeed(message.success) : malformed
  }
  const numbered = decodeNumbered(value)
  if (Result.isFailure(numbered)) return Result.succeed({ kind: "Ignored" })
  const { kind: name, number, stream } = numbered.success
  return Result.succeed({ kind: "Unknown", name, number, stream })
}

/** One body in a record, with the sender's signature where its kind carries one. */
export interface Envelope {
  readonly body: Uint8Array
  readonly signature: Uint8Array | undefined
}

/** `u32 length ‖ u8 signed ‖ [64 bytes signature] ‖ body`, one after the other; the length counts what follows it. */
export const pack = (envelopes: ReadonlyArray<Envelope>): Uint8Array =>
  concat(
    ...envelopes.flatMap(({ body, signature }) =>
      signature === undefined
        ? [u32(body.length + 1), new Uint8Array([0]), body]
        : [u32(body.length + 65), new Uint8Array([1]), signature, body]
    )
  )

/** The envelopes of an opened record, or `body-malformed` unless the bytes are exactly whole envelopes, not too many. */
export const unpack = (bytes: Uint8Array): Result.Result<ReadonlyArray<Envelope>, Rejection.Rejection> => {
  const envelopes: Array<Envelope> = []
  let offset = 0
  while (offset < bytes.length) {
    if (envelopes.length === Limits.recordMessagesMax) return Result.fail(Rejection.make("body-malformed", "too many"))
    if (bytes.length - offset < 5) return Result.fail(Rejection.make("body-malformed", "envelope cut short"))
    const end = offset + 4 + readU32(bytes, offset)
    const signed = bytes[offset + 4]
    const start = offset + 5 + (signed === 1 ? 64 : 0)
    if (end > bytes.length || start > end || (signed !== 0 && signed !== 1) || end - start > Limits.bodyBytesMax) {
      return Result.fail(Rejection.make("body-malformed", "envelope"))
    }
    const signature = signed === 1 ? bytes.slice(offset + 5, start) : undefined
    envelopes.push({ body: bytes.slice(start, end), signature })
    offset = end
  }
  return Result.succeed(envelopes)
}
