/**
 * What a control connection carries once both ends have proven the key: requests, and one answer to each.
 * It never carries a key: a command that changes them is refused here and has its own place. A link that is shown once may pass.
 * A request names a row of the table of commands, or is a typed line: a new row needs nothing here.
 */
import { Result, Schema } from "effect"
import * as Bounds from "./Bounds.ts"
import { version } from "./Proof.ts"

const v = Schema.Literal(version)
const id = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const waitMs = Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Bounds.waitMsMax })))
const text = Schema.String.check(Schema.isMaxLength(Bounds.requestBytesMax))

/**
 * `line`: as typed at the prompt. `command`: a row of the table by its name, and what follows it. `wait`: for the outcome of
 * a message by its id. `describe`: everything a node says of itself. `panel`: a link to its panel, good once. With `waitMs` the
 * answer comes with the outcome.
 * `tool`: a call of a language model's tool; the fact `answer` is what the model is shown.
 */
export const Request = Schema.Union([
  Schema.Struct({ v, id, kind: Schema.Literal("line"), line: text, waitMs }),
  Schema.Struct({
    v,
    id,
    kind: Schema.Literal("command"),
    name: Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9-]{0,31}$/)),
    rest: text,
    waitMs
  }),
  Schema.Struct({
    v,
    id,
    kind: Schema.Literal("wait"),
    message: Schema.String.check(Schema.isPattern(/^[0-9a-f]{4,32}$/)),
    waitMs
  }),
  Schema.Struct({ v, id, kind: Schema.Literal("describe") }),
  Schema.Struct({
    v,
    id,
    kind: Schema.Literal("tool"),
    name: Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9_]{0,31}$/)),
    given: Schema.Record(Schema.String, Schema.Unknown),
    mayGrant: Schema.Boolean,
    mayReply: Schema.optionalKey(Schema.Boolean)
  }),
  Schema.Struct({ v, id, kind: Schema.Literal("panel") })
])
export type Request = typeof Request.Type

const decodeRequest = Schema.decodeUnknownResult(Request)

/** A request, or undefined if a value is none of this version. */
export const read = (value: unknown): Request | undefined => {
  const read = decodeRequest(value)
  return Result.isSuccess(read) ? read.success : undefined
}

/** A line of an answer, with how strongly it is marked on a terminal. */
export const Line = Schema.Struct({
  tone: Schema.Literals(["good", "bad", "quiet", "plain", "alarm"]),
  text: Schema.String
})

/**
 * One answer. `facts` are for programs and `lines` for people, of the same; `outcome` is the event that ended what was
 * begun, null if it did not end in time.
 */
export const Answer = Schema.Struct({
  v,
  id,
  ok: Schema.Boolean,
  code: Schema.optionalKey(Schema.String),
  why: Schema.optionalKey(Schema.String),
  facts: Schema.Record(Schema.String, Schema.Unknown),
  lines: Schema.Array(Line),
  outcome: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown)))
})
export type Answer = typeof Answer.Type

const decodeAnswer = Schema.decodeUnknownResult(Answer)

/** An answer, or undefined if a value is none of this version. */
export const readAnswer = (value: unknown): Answer | undefined => {
  const read = decodeAnswer(value)
  return Result.isSuccess(read) ? read.success : undefined
}
