/**
 * Facts of a sandbox's engine as a message can carry them to the friend.
 * It never adds a fact: what the engine did not confirm stays absent.
 * An engine is other people's program: too long texts are cut and numbers that are none counted as 0, so that an answer is not
 * lost over the facts beside it.
 */
import type { Confinement } from "../../ports/Sandbox.ts"
import * as Limits from "../Limits.ts"

const cut = (length: number) => (text: string) => text.slice(0, length).toWellFormed()
const name = cut(Limits.confinementNameMax)
const word = cut(Limits.confinementWordMax)
const whole = (number: number) =>
  Number.isFinite(number) ? Math.min(Math.max(0, Math.trunc(number)), Number.MAX_SAFE_INTEGER) : 0

/** A field as it is bounded, or nothing where there is none. */
const optional = <Key extends string, Value>(key: Key, value: Value | undefined, bound: (value: Value) => Value) =>
  (value === undefined ? {} : { [key]: bound(value) }) as { readonly [K in Key]?: Value }

/** The facts, each within what a message allows. */
export const bounded = (told: Confinement): Confinement => ({
  engine: name(told.engine),
  containerId: name(told.containerId),
  user: word(told.user),
  network: word(told.network),
  readOnlyRoot: told.readOnlyRoot,
  memoryBytes: whole(told.memoryBytes),
  pids: whole(told.pids),
  cpus: Number.isFinite(told.cpus) ? Math.max(0, told.cpus) : 0,
  ...optional("runtime", told.runtime, name),
  ...optional("capabilitiesDropped", told.capabilitiesDropped, name),
  ...optional("capabilitiesAdded", told.capabilitiesAdded, name),
  ...optional("noNewPrivileges", told.noNewPrivileges, Boolean),
  ...optional("seccomp", told.seccomp, word),
  ...optional("swapBytes", told.swapBytes, whole),
  ...optional("tmpfsBytes", told.tmpfsBytes, whole),
  ...optional("users", told.users, word),
  ...optional("imageId", told.imageId, name),
  ...optional("provenAtMs", told.provenAtMs, whole)
})
