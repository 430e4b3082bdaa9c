/**
 * What a friend may be allowed to do: a closed list with one implication.
 * It never knows who holds what; `admission/Grants` does.
 * `inject` implies `message` because an answer is also a message; the reverse would turn talk into execution.
 */
import { Schema } from "effect"

/** `message`: text lands in the friend's conversation, no AI. `inject`: a text is answered from inside the sandbox. */
export const Capability = Schema.Literals(["message", "inject"])
export type Capability = typeof Capability.Type

export const all: ReadonlyArray<Capability> = ["message", "inject"]

/** Whether holding `held` allows `wanted`. */
export const implies = (held: Capability, wanted: Capability): boolean => held === wanted || held === "inject"

/** The capability of a word an operator typed, or undefined. */
export const parse = (word: string): Capability | undefined => all.find((capability) => capability === word)
