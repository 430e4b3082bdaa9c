/**
 * Where a friend was met lately: the few newest addresses, so that it can be dialled while nobody answers a lookup.
 * It never tells them to anybody and never believes them: who is there now proves its key, or is nobody.
 * Bounded here and when a record is read, because the store is a file that others may have written.
 */
import { Schema } from "effect"
import type { Address } from "../../ports/Transport.ts"
import * as Limits from "../Limits.ts"

/** An address as it is kept. A host is what a transport wrote: short, visible, without blanks. */
export const Kept = Schema.Struct({
  host: Schema.String.check(Schema.isMaxLength(Limits.addressHostMax), Schema.isPattern(/^[\x21-\x7e]+$/)),
  port: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
})

/** What a friend's record holds of them, newest first. */
export const Addresses = Schema.Array(Kept).check(Schema.isMaxLength(Limits.addressesPerFriendMax))
export type Addresses = typeof Addresses.Type

const isKept = Schema.is(Kept)

const isSame = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port

/**
 * The addresses after a friend was met at one, newest first. The same list, itself, where there is nothing to learn: the
 * newest one again, none, or something that is no address.
 */
export const meet = (known: Addresses | undefined, address: Address | undefined): Addresses | undefined => {
  if (address === undefined || !isKept(address)) return known
  const [newest] = known ?? []
  if (newest !== undefined && isSame(newest, address)) return known
  const { host, port } = address
  const others = (known ?? []).filter((one) => !isSame(one, address))
  return [{ host, port }, ...others].slice(0, Limits.addressesPerFriendMax)
}
