/**
 * The bytes of a journal: one header, then frames, each of which proves by itself that it is whole.
 * It never touches a file and never trusts a length it has not checked.
 * A frame starts with a NUL byte, which JSON text cannot contain: no record's content can pass for a frame, so a scan
 * for survivors after a damaged frame cannot be fooled.
 */
import { hash } from "node:crypto"

/** Magic 8 ‖ salt 16 ‖ length of header and checkpoint u64 ‖ number of the first frame u64 ‖ checksum 16. */
export const headerBytes = 56
/** Marker 4 ‖ payload length u32 ‖ frame number u64 ‖ checksum 16; the payload follows. Integers are big-endian. */
export const frameHeadBytes = 32
/** A longer payload is refused. Its first length byte stays below 0x20, which no JSON text contains either. */
export const payloadBytesMax = 0x0fff_ffff
/** What a frame starts with: NUL, then `wop`. */
export const frameMarker: Uint8Array = Uint8Array.of(0, 0x77, 0x6f, 0x70)

const magic = Buffer.from("wopjrnl1", "latin1")
const checksumBytes = 16

/** What the header says. The salt is new with every journal file: an old file's blocks never pass for this one's. */
export interface Header {
  readonly salt: Uint8Array
  /** Where the checkpoint ends: everything before was flushed before the file got its name, so it can never be torn. */
  readonly checkpointEnd: number
  readonly firstSequence: number
}

export interface FrameHead {
  readonly payloadBytes: number
  readonly sequence: number
  readonly checksum: Uint8Array
}

const checksum = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer").subarray(0, checksumBytes)

/** The 56 bytes a journal file starts with. */
export const encodeHeader = (header: Header): Uint8Array => {
  const bytes = Buffer.alloc(headerBytes)
  magic.copy(bytes)
  bytes.set(header.salt, 8)
  bytes.writeBigUInt64BE(BigInt(header.checkpointEnd), 24)
  bytes.writeBigUInt64BE(BigInt(header.firstSequence), 32)
  bytes.set(checksum(bytes.subarray(0, 40)), 40)
  return bytes
}

/** The header, or `undefined` when these are not 56 intact bytes of one. */
export const decodeHeader = (bytes: Buffer): Header | undefined => {
  if (bytes.length !== headerBytes || !bytes.subarray(0, 8).equals(magic)) return undefined
  if (!bytes.subarray(40).equals(checksum(bytes.subarray(0, 40)))) return undefined
  return {
    salt: Uint8Array.from(bytes.subarray(8, 24)),
    checkpointEnd: Number(bytes.readBigUInt64BE(24)),
    firstSequence: Number(bytes.readBigUInt64BE(32))
  }
}

/** One frame: head and payload. The checksum is that of the frame with the salt in its place. */
export const encodeFrame = (salt: Uint8Array, sequence: number, payload: string): Uint8Array => {
  const payloadBytes = Buffer.byteLength(payload, "utf8")
  const bytes = Buffer.allocUnsafe(frameHeadBytes + payloadBytes)
  bytes.set(frameMarker, 0)
  bytes.writeUInt32BE(payloadBytes, 4)
  bytes.writeBigUInt64BE(BigInt(sequence), 8)
  bytes.write(payload, frameHeadBytes, "utf8")
  bytes.set(salt, 16)
  bytes.set(checksum(bytes), 16)
  return bytes
}

/** A frame's head, or `undefined` when these bytes cannot be one. Says nothing about the payload. */
export const decodeFrameHead = (bytes: Buffer): FrameHead | undefined => {
  if (bytes.length !== frameHeadBytes || !bytes.subarray(0, 4).equals(frameMarker)) return undefined
  const payloadBytes = bytes.readUInt32BE(4)
  if (payloadBytes > payloadBytesMax) return undefined
  return { payloadBytes, sequence: Number(bytes.readBigUInt64BE(8)), checksum: bytes.subarray(16) }
}

/** Whether head and payload belong together and to the journal with this salt. */
export const frameHolds = (salt: Uint8Array, head: Buffer, payload: Buffer): boolean =>
  head.subarray(16).equals(checksum(Buffer.concat([head.subarray(0, 16), salt, payload])))
