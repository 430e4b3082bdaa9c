/**
 * The outermost layer: bytes of a link ↔ frames, incrementally and within a bound.
 * It never knows what a frame means, and never buffers one whose announced length exceeds the bound in force.
 * A link of the former plugin is recognised by its first byte, because its JSON would otherwise read as a huge length.
 *
 * Layout: `u32 length ‖ u8 type ‖ body`, big-endian; the length counts type and body.
 */
import { Result } from "effect"
import { append, concat, readU32, u32 } from "../bytes/Bytes.ts"
import * as Rejection from "../Rejection.ts"

/** What a frame can be. The number is the wire's. */
export const types = { preface: 1, handshake: 2, record: 3, reject: 4 } as const
export type FrameType = keyof typeof types

export interface Frame {
  readonly type: FrameType
  readonly body: Uint8Array
}

/** A partly read stream: the bytes that are not frames yet, in pieces. */
export interface Reader {
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly waiting: number
  /** Whether the first byte of the link has been looked at. */
  readonly begun: boolean
}

/** A reader before the first byte. */
export const reader: Reader = { pieces: [], waiting: 0, begun: false }

const typeOf = (byte: number): FrameType | undefined =>
  byte === 1 ? "preface" : byte === 2 ? "handshake" : byte === 3 ? "record" : byte === 4 ? "reject" : undefined

/** One frame as bytes. */
export const encode = (frame: Frame): Uint8Array =>
  concat(u32(frame.body.length + 1), new Uint8Array([types[frame.type]]), frame.body)

const headerOf = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const header = new Uint8Array(5)
  let filled = 0
  for (const piece of pieces) {
    const take = Math.min(5 - filled, piece.length)
    header.set(piece.subarray(0, take), filled)
    filled += take
    if (filled === 5) break
  }
  return header
}

/** Refuses a header as early as its bytes allow; undefined while it may still become a frame. */
const refuseHeader = (header: Uint8Array, have: number, bytesMax: number): Rejection.Rejection | undefined => {
  if (have >= 4) {
    const length = readU32(header, 0)
    if (length < 1) return Rejection.make("frame-malformed", "empty frame")
    if (length > bytesMax) return Rejection.make("frame-too-large", `${length} bytes announced, ${bytesMax} allowed`)
  }
  if (have >= 5 && typeOf(header[4]!) === undefined) return Rejection.make("frame-malformed", `type ${header[4]}`)
  return undefined
}

/** Adds what a link delivered. */
export const push = (state: Reader, chunk: Uint8Array): Reader =>
  chunk.length === 0 ? state : { ...state, pieces: append(state.pieces, chunk), waiting: state.waiting + chunk.length }

/** The next frame of a reader, if it is complete; a rejection is final for the link. */
export interface Next {
  readonly reader: Reader
  readonly frame?: Frame
  readonly rejection?: Rejection.Rejection
}

/** Takes the next frame. `bytesMax` bounds it; the bound grows once the peer is authenticated. */
export const next = (state: Reader, bytesMax: number): Next => {
  if (state.waiting === 0) return { reader: state }
  if (!state.begun && state.pieces[0]![0] === 0x7b) return { reader: state, rejection: Rejection.make("legacy-peer") }
  const begun = { ...state, begun: true }
  const header = headerOf(state.pieces)
  const rejection = refuseHeader(header, Math.min(5, state.waiting), bytesMax)
  if (rejection !== undefined) return { reader: begun, rejection }
  if (state.waiting < 5) return { reader: begun }
  const end = readU32(header, 0) + 4
  if (state.waiting < end) return { reader: begun }
  const bytes = state.pieces.length === 1 ? state.pieces[0]! : concat(...state.pieces)
  const rest = bytes.subarray(end)
  return {
    reader: { begun: true, pieces: rest.length === 0 ? [] : [rest], waiting: rest.length },
    frame: { type: typeOf(header[4]!)!, body: bytes.slice(5, end) }
  }
}

/** Header of a record, which is its associated data: `type u8 ‖ epoch u32 ‖ counter u64`. */
export interface RecordHeader {
  readonly epoch: number
  readonly counter: number
}

/** The 13 bytes of a record's header, the frame type included. */
export const recordHeader = (header: RecordHeader): Uint8Array =>
  concat(
    new Uint8Array([types.record]),
    u32(header.epoch),
    u32(Math.floor(header.counter / 2 ** 32)),
    u32(header.counter % 2 ** 32)
  )

/** Header and sealed bytes of a record frame's body. */
export const splitRecord = (
  body: Uint8Array
): Result.Result<{ readonly header: RecordHeader; readonly sealed: Uint8Array }, Rejection.Rejection> => {
  if (body.length < 12 + 16) return Result.fail(Rejection.make("frame-malformed", "record too short"))
  const counter = readU32(body, 4) * 2 ** 32 + readU32(body, 8)
  return Number.isSafeInteger(counter)
    ? Result.succeed({ header: { epoch: readU32(body, 0), counter }, sealed: body.subarray(12) })
    : Result.fail(Rejection.make("frame-malformed", "counter too large"))
}
