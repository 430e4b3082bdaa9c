/**
 * What our operator asked for while the node did not run: each carried out once, and told as an event.
 * It never carries out what is too old, and never the same intent twice: that it was carried out is in the same commit.
 * An intent lies in a file that is removed afterwards; a process that dies in between finds the file and this memory of it.
 */
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Command, Turn } from "./Input.ts"
import * as Operating from "./Operating.ts"
import type { Output, Reply } from "./Output.ts"
import * as State from "./State.ts"

/** What tells intents apart: an id of its own (32 hex digits), when it was asked for, and a word of it without its text. */
export interface Intent {
  readonly id: string
  readonly atMs: number
  /** What was asked for, as an event may repeat it: the command and whom it is about. */
  readonly what: string
}

type Done = State.DoneIntent

/** Whether an intent is too old to be carried out: what the operator wanted a week ago may not be wanted any more. */
const isOver = ({ atMs }: { readonly atMs: number }, nowMs: number): boolean => nowMs > atMs + Limits.intentAgeMs

const replyOf = ({ code, reply }: Done): Reply =>
  code === null
    ? { ok: true, id: reply }
    : { ok: false, rejection: Rejection.make(Rejection.isCode(code) ? code : "internal-error") }

const told = (intent: Intent, { code, reply }: Done): Output => ({
  _tag: "Tell",
  event: {
    _tag: "IntentDone",
    ...intent,
    code: code !== null && !Rejection.isCode(code) ? "internal-error" : code,
    reply
  }
})

const answered = (ref: string, outputs: ReadonlyArray<Output>): Reply | undefined =>
  outputs.flatMap((output) => (output._tag === "Reply" && output.ref === ref ? [output.reply] : []))[0]

/**
 * Carries an intent's command out, unless that was done before: then the reply is the one it had. What it came to is told
 * either way, since whoever died after the first time may not have said so.
 */
export const operate = (
  state: State.State,
  ref: string,
  command: Command,
  intent: Intent,
  turn: Turn
): State.Stepped => {
  const before = Table.get(state.durable.intents, intent.id)
  if (before !== undefined) return [state, [{ _tag: "Reply", ref, reply: replyOf(before) }, told(intent, before)]]
  const intents = Table.removeWhere(state.durable.intents, (done) => isOver(done, turn.nowMs))
  const refuse = (code: Rejection.Code): Output => ({
    _tag: "Reply",
    ref,
    reply: { ok: false, rejection: Rejection.make(code) }
  })
  if (isOver(intent, turn.nowMs)) {
    return [state, [refuse("intent-expired"), told(intent, { ...intent, code: "intent-expired", reply: "" })]]
  }
  if (Table.size(intents) >= Limits.intentsRememberedMax) return [state, [refuse("intents-full")]]
  const [next, outputs] = Operating.operate(state, ref, command, turn)
  const reply = answered(ref, outputs)
  const done: Done = {
    id: intent.id,
    atMs: intent.atMs,
    code: reply?.ok === true ? null : (reply?.rejection.code ?? "internal-error"),
    reply: reply?.ok === true ? reply.id : ""
  }
  const remembered = State.withDurable(next, { intents: Table.set(intents, intent.id, done) })
  return [remembered, [...outputs, told(intent, done)]]
}
