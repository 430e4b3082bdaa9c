/**
 * The words of the chat completions API: what is asked, and what the events of an answer come to.
 * It never speaks to a server; it is a value in and a value out.
 * A call's input comes in bits over many events, told apart by an index; it is whole only when the answer ends.
 */
import { Result, Schema } from "effect"
import type { Call, ModelError, Piece, Request, Said } from "../../ports/Model.ts"

const messageOf = (said: Said): unknown => {
  if (said.role === "tool") return { role: "tool", tool_call_id: said.callId, content: said.text }
  if (said.role !== "assistant") return { role: said.role, content: said.text }
  const calls = said.calls.map(({ id, input, name }) => ({
    id,
    type: "function",
    function: { name, arguments: input }
  }))
  return { role: "assistant", content: said.text, ...(calls.length === 0 ? {} : { tool_calls: calls }) }
}

/** How a server calls the longest answer: newer models of some providers refuse the older name. */
export type LimitName = "max_tokens" | "max_completion_tokens"

/** The body of a request, as JSON will hold it. */
export const requestBody = (model: string, limit: LimitName, { said, tokensMax, tools }: Request): unknown => ({
  model,
  messages: said.map(messageOf),
  ...(tools.length === 0
    ? {}
    : {
        tools: tools.map(({ input, name, purpose }) => ({
          type: "function",
          function: { name, description: purpose, parameters: input }
        }))
      }),
  [limit]: tokensMax,
  stream: true,
  stream_options: { include_usage: true }
})

const CallPart = Schema.Struct({
  index: Schema.optionalKey(Schema.Int),
  id: Schema.optionalKey(Schema.NullOr(Schema.String)),
  function: Schema.optionalKey(
    Schema.Struct({
      name: Schema.optionalKey(Schema.NullOr(Schema.String)),
      arguments: Schema.optionalKey(Schema.NullOr(Schema.String))
    })
  )
})

const Choice = Schema.Struct({
  delta: Schema.optionalKey(
    Schema.NullOr(
      Schema.Struct({
        content: Schema.optionalKey(Schema.NullOr(Schema.String)),
        tool_calls: Schema.optionalKey(Schema.NullOr(Schema.Array(CallPart)))
      })
    )
  ),
  finish_reason: Schema.optionalKey(Schema.NullOr(Schema.String))
})

const Event = Schema.fromJsonString(
  Schema.Struct({
    choices: Schema.optionalKey(Schema.NullOr(Schema.Array(Choice))),
    usage: Schema.optionalKey(Schema.NullOr(Schema.Struct({ total_tokens: Schema.optionalKey(Schema.Finite) }))),
    error: Schema.optionalKey(Schema.Unknown)
  })
)
const decode = Schema.decodeUnknownResult(Event)

/** What has come of an answer so far. */
export interface Answering {
  readonly calls: ReadonlyMap<number, Call>
  readonly isWhole: boolean
  readonly tokens: number | undefined
}

/** An answer of which nothing has come yet. */
export const begin = (): Answering => ({ calls: new Map(), isWhole: false, tokens: undefined })

export type Step =
  | { readonly taken: readonly [Answering, ReadonlyArray<Piece>] }
  | { readonly code: ModelError["code"]; readonly why: string }

/** No model asks for more at once; a stream of ever new indexes must not fill memory. */
const callsMax = 64

const withPart = (calls: Answering["calls"], part: typeof CallPart.Type): Answering["calls"] => {
  // Servers that send whole calls may leave the index out.
  const index = part.index ?? calls.size
  const before = calls.get(index) ?? { id: "", name: "", input: "" }
  const call = {
    id: part.id ?? before.id,
    name: before.name + (part.function?.name ?? ""),
    input: before.input + (part.function?.arguments ?? "")
  }
  return new Map(calls).set(index, call)
}

/** The end of an answer: its calls in order, and what it cost. */
const ended = (answering: Answering): Step => {
  if (!answering.isWhole) return { code: "unreadable", why: "the model's answer was cut off" }
  const inOrder = [...answering.calls].sort(([a], [b]) => a - b).map(([, call]) => call)
  const calls = inOrder.map(
    (call, index): Piece => ({ kind: "call", call: { ...call, id: call.id || `call-${index}` } })
  )
  const spent: ReadonlyArray<Piece> =
    answering.tokens === undefined ? [] : [{ kind: "spent", tokens: answering.tokens }]
  return { taken: [answering, [...calls, ...spent]] }
}

/** Takes the data of one event; undefined is the end of the stream. */
export const next = (before: Answering, data: string | undefined): Step => {
  if (data === undefined) return ended(before)
  if (data === "[DONE]") return { taken: [{ ...before, isWhole: true }, []] }
  const event = decode(data)
  if (Result.isFailure(event)) return { code: "unreadable", why: `the model sent what is no event: ${data}` }
  const { choices, error, usage } = event.success
  if (error !== undefined && error !== null)
    return { code: "refused", why: `the model failed: ${JSON.stringify(error)}` }
  const choice = choices?.[0]
  const calls = (choice?.delta?.tool_calls ?? []).reduce(withPart, before.calls)
  if (calls.size > callsMax)
    return { code: "unreadable", why: `the model asked for more than ${callsMax} tools at once` }
  const text = choice?.delta?.content ?? ""
  const after: Answering = {
    calls,
    isWhole: before.isWhole || (choice?.finish_reason ?? null) !== null,
    tokens: usage?.total_tokens ?? before.tokens
  }
  return { taken: [after, text === "" ? [] : [{ kind: "text", text }]] }
}
