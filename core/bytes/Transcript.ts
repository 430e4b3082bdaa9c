/**
 * Labelled, length-prefixed bytes: the only thing that is ever signed, hashed or MACed.
 * It never contains text that could be read two ways: every field carries its length, the label its own.
 * A label names the purpose and the protocol, so that a signature made for one purpose is worth nothing for another.
 */
import { u64, utf8 } from "./Bytes.ts"

/** A field: bytes as they are, text as UTF-8, a safe non-negative integer as eight bytes. */
export type Field = Uint8Array | string | number

const fieldBytes = (field: Field): Uint8Array =>
  typeof field === "string" ? utf8(field) : typeof field === "number" ? u64(field) : field

/**
 * `u32 length ‖ label ‖ u32 count ‖ (u32 length ‖ field)*`, all numbers big-endian. Injective: two different
 * (label, fields) never give the same bytes.
 */
export const encode = (label: string, fields: ReadonlyArray<Field>): Uint8Array => {
  const name = utf8(label)
  const parts = fields.map(fieldBytes)
  const bytes = new Uint8Array(parts.reduce((length, part) => length + 4 + part.length, 8 + name.length))
  const view = new DataView(bytes.buffer)
  let offset = 0
  const number = (value: number) => {
    view.setUint32(offset, value)
    offset += 4
  }
  const prefixed = (part: Uint8Array) => {
    number(part.length)
    bytes.set(part, offset)
    offset += part.length
  }
  prefixed(name)
  number(parts.length)
  for (const part of parts) prefixed(part)
  return bytes
}
