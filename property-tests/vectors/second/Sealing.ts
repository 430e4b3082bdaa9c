/**
 * The second implementation's AES-256-GCM, frames, records and envelopes (PROTOCOL.md §5 and §8).
 * It never knows how a key came about or what a message means.
 * It reads a whole frame at a time; reading in pieces is an implementation's affair and not a format.
 */
import { createCipheriv, createDecipheriv } from "node:crypto"
import { type Role, u32, u64 } from "./Bytes.ts"
import { holds, sign } from "./Signature.ts"

export const nonceOf = (counter: number): Buffer => Buffer.concat([Buffer.alloc(4), u64(counter)])

export const seal = (key: Buffer, nonce: Buffer, associated: Buffer, plaintext: Buffer): Buffer => {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(associated)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext; throws if the tag does not hold. */
export const open = (key: Buffer, nonce: Buffer, associated: Buffer, sealed: Buffer): Buffer => {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(associated)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

export const types = { preface: 1, handshake: 2, record: 3, reject: 4 } as const

export const frame = (type: number, body: Buffer): Buffer =>
  Buffer.concat([u32(body.length + 1), Buffer.of(type), body])

/** Type and body of bytes that are exactly one frame. */
export const unframe = (bytes: Buffer): { readonly type: number; readonly body: Buffer } => {
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== bytes.length - 4) throw new Error("not one frame")
  return { type: bytes[4] ?? 0, body: bytes.subarray(5) }
}

/** One direction of a session: its key, and the epoch and counter of the next record. */
export interface Direction {
  readonly key: Buffer
  readonly epoch: number
  readonly counter: number
}

export const begin = (key: Buffer): Direction => ({ key, epoch: 0, counter: 0 })

export const rekeyed = ({ epoch, key }: Direction): Direction => {
  const last = Buffer.from("00000000ffffffffffffffff", "hex")
  const next = seal(key, last, Buffer.alloc(0), Buffer.alloc(32)).subarray(0, 32)
  return { key: next, epoch: epoch + 1, counter: 0 }
}

const after = (direction: Direction): Direction => ({ ...direction, counter: direction.counter + 1 })

const place = ({ counter, epoch }: Direction): Buffer => Buffer.concat([u32(epoch), u64(counter)])
const associatedOf = (direction: Direction): Buffer => Buffer.concat([Buffer.of(types.record), place(direction)])

export const sealRecord = (direction: Direction, plaintext: Buffer) => {
  const sealed = seal(direction.key, nonceOf(direction.counter), associatedOf(direction), plaintext)
  return { bytes: frame(types.record, Buffer.concat([place(direction), sealed])), direction: after(direction) }
}

/** Opens the next record of a direction, of its epoch or the next; throws the code of a refusal. */
export const openRecord = (direction: Direction, bytes: Buffer) => {
  const { body, type } = unframe(bytes)
  if (type !== types.record) throw new Error("frame-out-of-place")
  const epoch = body.readUInt32BE(0)
  if (epoch !== direction.epoch && epoch !== direction.epoch + 1) throw new Error("epoch-out-of-range")
  const current = epoch === direction.epoch ? direction : rekeyed(direction)
  if (body.readBigUInt64BE(4) !== BigInt(current.counter)) throw new Error("record-forged")
  try {
    const plaintext = open(current.key, nonceOf(current.counter), associatedOf(current), body.subarray(12))
    return { plaintext, direction: after(current) }
  } catch {
    throw new Error("record-forged")
  }
}

export interface Envelope {
  readonly body: Buffer
  readonly signature: Buffer | undefined
}

export const pack = (envelopes: ReadonlyArray<Envelope>): Buffer =>
  Buffer.concat(
    envelopes.flatMap(({ body, signature }) => {
      const content = signature === undefined ? [Buffer.of(0), body] : [Buffer.of(1), signature, body]
      return [u32(content.reduce((sum, part) => sum + part.length, 0)), ...content]
    })
  )

export const unpack = (plaintext: Buffer): ReadonlyArray<Envelope> => {
  const envelopes: Array<Envelope> = []
  for (let offset = 0; offset < plaintext.length; ) {
    if (plaintext.length - offset < 5) throw new Error("body-malformed")
    const end = offset + 4 + plaintext.readUInt32BE(offset)
    const flag = plaintext[offset + 4] ?? 0
    const start = offset + 5 + 64 * flag
    if (flag > 1 || end < start || end > plaintext.length || end - start > 1_048_576) throw new Error("body-malformed")
    const signature = flag === 1 ? plaintext.subarray(offset + 5, start) : undefined
    envelopes.push({ body: plaintext.subarray(start, end), signature })
    offset = end
  }
  return envelopes
}

const messageFields = (handshakeHash: Buffer, sender: Role, body: Buffer) => {
  const { number, stream } = JSON.parse(body.toString()) as { readonly stream: string; readonly number: number }
  return [handshakeHash, sender, stream, number, body]
}

export const signMessage = (seed: Buffer, handshakeHash: Buffer, sender: Role, body: Buffer): Buffer =>
  sign(seed, "wop/3 message", messageFields(handshakeHash, sender, body))

export const messageHolds = (key: Buffer, handshakeHash: Buffer, sender: Role, envelope: Envelope): boolean =>
  envelope.signature !== undefined &&
  holds(key, "wop/3 message", messageFields(handshakeHash, sender, envelope.body), envelope.signature)
