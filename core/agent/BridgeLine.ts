/**
 * The lines between a node and the program in its sandbox that takes an agent's turn: JSON, one object each, version 1.
 * It never acts on a line; what the program says is read here or refused here, and nothing of it is believed further.
 * The program may be in a friend's hands by then: it can ask the model, answer and end, and there is no line for more.
 */
import { Result, Schema } from "effect"
import type { Call } from "../../ports/Model.ts"

/** Programs of another version are refused at their first line. */
export const version = 1

const Text = Schema.String
const CallShape = Schema.Struct({ id: Text, name: Text, input: Text })

/** What was said before, as the program may tell it. There is no `system`: only the owner speaks as that. */
const Said = Schema.Union([
  Schema.Struct({ role: Schema.Literal("user"), text: Text }),
  Schema.Struct({ role: Schema.Literal("assistant"), text: Text, calls: Schema.Array(CallShape) }),
  Schema.Struct({ role: Schema.Literal("tool"), callId: Text, text: Text })
])

const Tool = Schema.Struct({ name: Text, purpose: Text, input: Schema.Record(Schema.String, Schema.Json) })

/** More than an honest turn holds; the length of a line bounds the rest. */
const saidMax = 512
const toolsMax = 16

const FromProgram = Schema.Union([
  /** The first line: it speaks this version. */
  Schema.Struct({ kind: Schema.Literal("ready"), version: Schema.Int }),
  /** A piece of the answer to the friend. */
  Schema.Struct({ kind: Schema.Literal("text"), text: Text }),
  /** A request to the model; its answer comes as `text` and `call` lines and ends with `over`. One at a time. */
  Schema.Struct({
    kind: Schema.Literal("ask"),
    said: Schema.Array(Said).check(Schema.isMaxLength(saidMax)),
    tools: Schema.Array(Tool).check(Schema.isMaxLength(toolsMax))
  }),
  /** The answer is complete. */
  Schema.Struct({ kind: Schema.Literal("end") }),
  /** There is no answer. */
  Schema.Struct({
    kind: Schema.Literal("failed"),
    why: Text,
    /** It cannot start a process any more. */
    reason: Schema.optionalKey(Schema.Literal("processes"))
  })
])
export type FromProgram = typeof FromProgram.Type

/** What was said in the friend's conversation before: by the friend, or by us. */
export interface Before {
  readonly by: "friend" | "self"
  readonly text: string
}

export type ToProgram =
  | { readonly kind: "turn"; readonly version: number; readonly before: ReadonlyArray<Before>; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly call: Call }
  | { readonly kind: "over" }

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(FromProgram))

/** The line of a program, or undefined for what is none. Unknown fields are ignored. */
export const read = (line: string): FromProgram | undefined => {
  const decoded = decode(line)
  return Result.isSuccess(decoded) ? decoded.success : undefined
}

/** A line for the program, without its end. JSON escapes line feeds, so that it is one line whatever it holds. */
export const print = (line: ToProgram): string => JSON.stringify(line)
