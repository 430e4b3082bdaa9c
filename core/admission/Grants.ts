/**
 * Who may do what, where and until when: grants made by the operator, and nothing else.
 * Nothing here reads a name or a key, and nothing a peer sends reaches `allow`; only operator inputs do.
 * Withdrawing is replacement, never union: what is not in the newest grant is gone.
 */
import { Schema } from "effect"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import { Capability, implies } from "./Capability.ts"

export const Grant = Schema.Struct({
  peerId: Schema.String,
  /** `own` is the friend's own conversation; others are random ids of conversations made for peers. */
  conversation: Schema.String,
  capabilities: Schema.Array(Capability),
  /** Milliseconds since the epoch; absent = until withdrawn. */
  expiresAtMs: Schema.optionalKey(Schema.Int)
})
export type Grant = typeof Grant.Type
export type Grants = Table.Table<Grant>

/** The conversation every friend has. */
export const own = "own"

/** The record key of a grant. */
export const keyOf = (peerId: PeerId, conversation: string): string => `${peerId}/${conversation}`

/** Whether a live grant covers this capability in this conversation. */
export const covers = (
  grants: Grants,
  peerId: PeerId,
  conversation: string,
  wanted: Capability,
  nowMs: number
): boolean => {
  const grant = Table.get(grants, keyOf(peerId, conversation))
  if (grant === undefined || (grant.expiresAtMs !== undefined && grant.expiresAtMs <= nowMs)) return false
  return grant.capabilities.some((held) => implies(held, wanted))
}

/** What a peer holds in a conversation now. */
export const held = (
  grants: Grants,
  peerId: PeerId,
  conversation: string,
  nowMs: number
): ReadonlyArray<Capability> => {
  const grant = Table.get(grants, keyOf(peerId, conversation))
  return grant === undefined || (grant.expiresAtMs !== undefined && grant.expiresAtMs <= nowMs)
    ? []
    : grant.capabilities
}

/**
 * The operator allows one more capability, without an end. A grant has one end for all it holds, and the operator's newest
 * word counts: no command names an end, so what was to end and is allowed anew, or allowed more, ends no more. What had
 * come to its end already is not allowed with it.
 */
export const allow = (
  grants: Grants,
  peerId: PeerId,
  conversation: string,
  capability: Capability,
  nowMs: number
): Grants => {
  const before = held(grants, peerId, conversation, nowMs)
  const capabilities = before.includes(capability) ? before : [...before, capability]
  return Table.set(grants, keyOf(peerId, conversation), { peerId, conversation, capabilities })
}

/**
 * The operator withdraws a capability. Withdrawing `message` also withdraws `inject`, which implies it; withdrawing
 * `inject` leaves `message`.
 */
export const withdraw = (grants: Grants, peerId: PeerId, conversation: string, capability: Capability): Grants => {
  const before = Table.get(grants, keyOf(peerId, conversation))
  if (before === undefined) return grants
  const capabilities =
    capability === "message"
      ? []
      : before.capabilities.some((held) => implies(held, "message"))
        ? (["message"] as const)
        : []
  return Table.set(grants, keyOf(peerId, conversation), { ...before, capabilities })
}

/** Everything a peer holds ends. */
export const withdrawAll = (grants: Grants, peerId: PeerId): Grants =>
  Table.removeWhere(grants, (grant) => grant.peerId === peerId)
