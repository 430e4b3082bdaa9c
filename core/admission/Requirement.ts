/**
 * What our owner demands of every friend besides a grant: that its key was compared, for a capability.
 * It never grants anything: a friend needs the grant as well, and a requirement only takes away.
 * It is one rule for all friends and not a part of each grant, so that a grant made tomorrow cannot forget it.
 */
import { Schema } from "effect"
import * as Table from "../Table.ts"
import { Capability, implies } from "./Capability.ts"

export const Requirement = Schema.Struct({ capability: Capability, trust: Schema.Literal("verified") })
export type Requirement = typeof Requirement.Type
/** By capability. */
export type Requirements = Table.Table<Requirement>

/** The owner's requirement for a capability, or none. */
export const set = (
  requirements: Requirements,
  capability: Capability,
  trust: Requirement["trust"] | "nothing"
): Requirements =>
  trust === "nothing"
    ? Table.remove(requirements, capability)
    : Table.set(requirements, capability, { capability, trust })

/**
 * Whether a friend has to be verified for a capability. What is demanded of a text is demanded of a question too: who may
 * not write may not ask, as with grants.
 */
export const isDemanded = (requirements: Requirements, wanted: Capability): boolean =>
  Table.size(requirements) > 0 && Table.values(requirements).some(({ capability }) => implies(wanted, capability))
