/**
 * Rules under which a friend request is accepted without asking: they match facts, never claims.
 * A rule never grants more than `message`, and never applies when the posting account contradicts the name.
 * The claimed name is not a fact, so no rule can name it.
 */
import { Schema } from "effect"
import type { AuthorEvidence } from "../admission/Verdict.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"

/** All facts named must match; a rule with none matches everybody (`*`). */
export const Rule = Schema.Struct({
  id: Schema.String,
  key: Schema.optionalKey(Schema.String),
  channel: Schema.optionalKey(Schema.String),
  author: Schema.optionalKey(Schema.String),
  /** Whether the rule also applies where the channel cannot tell who posted. */
  unproven: Schema.Boolean
})
export type Rule = typeof Rule.Type

/** What is known about a request that the gate admitted. */
export interface Facts {
  readonly key: RemoteIdentityKey
  readonly channel: string
  readonly author: string | null
  readonly evidence: AuthorEvidence
}

/** Whether a rule accepts a request. */
export const matches = (rule: Rule, facts: Facts): boolean => {
  if (facts.evidence === "different") return false
  // A key in the rule is proof enough by itself: the line was signed with it.
  if (facts.evidence === "unproven" && !rule.unproven && rule.key === undefined) return false
  if (rule.key !== undefined && rule.key !== facts.key) return false
  if (rule.channel !== undefined && rule.channel !== facts.channel) return false
  if (rule.author === undefined) return true
  return facts.author !== null && Name.account(facts.author) === Name.account(rule.author)
}
