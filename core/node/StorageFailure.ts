/**
 * What a full or broken disk means for each input: nothing is done, nobody is told that it was, and what must not be
 * lost is tried again.
 * It never changes durable state; the turn that could not be stored has not happened.
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
}

/** The consequence of an input whose turn could not be stored. */
export const instead = (input: Input, error: StoreError): Instead => {
  const rejection = Rejection.make("disk-full", error.message)
  switch (input._tag) {
    case "Operator":
      return { outputs: [{ _tag: "Reply", ref: input.ref, reply: { ok: false, rejection } }], again: false }
    case "Received": {
      const message = input.message.value
      if (!("number" in message) || message.number === undefined || message.stream === undefined) {
        return { outputs: [], again: false }
      }
      const { number, stream } = message
      const reject = {
        kind: "Reject" as const,
        code: "storage-failed",
        stream,
        number,
        retryAfterMs: Limits.retryPauseMs
      }
      return {
        outputs: [{ _tag: "Transmit", connection: input.connection, messages: [{ message: reject }] }],
        again: false
      }
    }
    case "Line": {
      const { author, channel, line } = input
      const event = { _tag: "LineRefused" as const, author, channel, claimed: line.value.from, rejection }
      return { outputs: [{ _tag: "Tell", event }], again: false }
    }
    case "Opened":
      return { outputs: [{ _tag: "HangUp", connection: input.connection, code: "storage-failed" }], again: false }
    case "Tick":
    case "LineRefused":
    case "LinkRefused":
      return { outputs: [], again: false }
    case "Started":
    case "LineSigned":
    case "LinePosted":
    case "Closed":
    case "DialEnded":
    case "Shown":
    case "Ran":
    case "SandboxStatus":
      return { outputs: [], again: true }
  }
}
