/**
 * What it means for each input when its turn cannot be stored, or breaks: nothing is done, nobody is told that it was,
 * and what must not be lost is tried again.
 * It never changes durable state; the turn has not happened.
 * It is a table of its own because forgetting one case here would be a lie on a bad day.
 */
import type { StoreError } from "../../ports/RecordStore.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { Input } from "./Input.ts"
import type { Output } from "./Output.ts"

/** What to do instead of the turn, and whether the input comes again. */
export interface Instead {
  readonly outputs: ReadonlyArray<Output>
  readonly again: boolean
  /** What is to be taken next, before anything that waits. It changes nothing durable. */
  readonly next?: Input
}

/** The consequence of an input whose turn could not be stored. */
export const instead = (input: Input, error: StoreError): Instead =>
  without(input, Rejection.make("disk-full", error.message))

/**
 * The consequence of an input whose turn broke a promise of this program. The input is given up: it would break the
 * next turn too, and a node that a single input can stop is a node that anybody can stop.
 */
export const broken = (input: Input): Instead => ({
  ...without(input, Rejection.make("internal-error")),
  again: false
})

/** The word to the sender of a numbered message: not now. */
const refusal = (input: Extract<Input, { _tag: "Received" }>, code: Rejection.Code): ReadonlyArray<Output> => {
  const message = input.message.value
  if (!("number" in message) || message.number === undefined || message.stream === undefined) return []
  const { number, stream } = message
  const reject = { kind: "Reject" as const, code, stream, number, retryAfterMs: Limits.retryPauseMs }
  return [{ _tag: "Transmit", connection: input.connection, messages: [{ message: reject }] }]
}

const without = (input: Input, rejection: Rejection.Rejection): Instead => {
  // A peer hears that we could not store, not why.
  const told: Rejection.Code = rejection.code === "disk-full" ? "storage-failed" : rejection.code
  switch (input._tag) {
    case "Operator":
      return { outputs: [{ _tag: "Reply", ref: input.ref, reply: { ok: false, rejection } }], again: false }
    case "Received": {
      // The session ends with it: what came behind must not take effect before it. On the next one all of it comes again.
      const { connection } = input
      return {
        outputs: [...refusal(input, told), { _tag: "HangUp", connection, code: told }],
        again: false,
        next: { _tag: "Closed", connection, rejection: null }
      }
    }
    case "Line": {
      const { author, channel, line } = input
      // Refused like any, so that it is told within the same bounds.
      const next = { _tag: "LineRefused" as const, author, channel, claimed: line.value.from, rejection }
      return { outputs: [], again: false, next }
    }
    case "Opened":
      return { outputs: [{ _tag: "HangUp", connection: input.connection, code: told }], again: false }
    case "Tick":
    case "LineRefused":
    case "LinkRefused":
      return { outputs: [], again: false }
    case "Started":
    case "LineSigned":
    case "LinePosted":
    case "Closed":
    case "DialEnded":
    case "TopicFound":
    case "MemberDialed":
    case "ProfileSigned":
    case "Shown":
    case "Ran":
    case "SandboxStatus":
      return { outputs: [], again: true }
  }
}
