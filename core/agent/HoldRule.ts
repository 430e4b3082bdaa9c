/**
 * Which questions of a friend wait for the owner's word: every one, until the first was approved, those beyond the
 * allowance, or all until the friend is verified.
 * It never approves anything, and time approves nothing: what is held ends by a word of the owner, of the friend, or expires.
 * A rule is the owner's; a friend has none unless the owner made one.
 */
import { Schema } from "effect"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"

/** `always`: every question. `first`: until one was approved. `over-budget`: those that the allowance does not cover. `unverified`: while nobody has compared. */
export const When = Schema.Literals(["always", "first", "over-budget", "unverified"])
export type When = typeof When.Type

export const HoldRule = Schema.Struct({
  when: When,
  /** Whether the owner has approved a question of this friend since the rule was made. */
  approved: Schema.Boolean
})
export type HoldRule = typeof HoldRule.Type
export type HoldRules = Table.Table<HoldRule>

/** The owner's rule for a friend, or none. */
export const set = (rules: HoldRules, peerId: PeerId, when: When | "never"): HoldRules =>
  when === "never" ? Table.remove(rules, peerId) : Table.set(rules, peerId, { when, approved: false })

/** Why a question of a friend is held now, or undefined. */
export const reason = (rules: HoldRules, peerId: PeerId, affordable: boolean, verified: boolean): When | undefined => {
  const rule = Table.get(rules, peerId)
  if (rule === undefined) return undefined
  if (rule.when === "over-budget") return affordable ? undefined : "over-budget"
  if (rule.when === "unverified") return verified ? undefined : "unverified"
  return rule.when === "first" && rule.approved ? undefined : rule.when
}

/** The owner has approved a question: under `first`, the next ones are not held. */
export const approve = (rules: HoldRules, peerId: PeerId): HoldRules => {
  const rule = Table.get(rules, peerId)
  return rule === undefined || rule.approved ? rules : Table.set(rules, peerId, { ...rule, approved: true })
}
