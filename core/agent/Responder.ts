/**
 * Who answers a friend's question: a fixed program in the sandbox, or an agent in there with a model behind the bridge.
 * Neither ever runs outside the sandbox, and a responder that cannot answer safely refuses, with a code and a reason.
 * What a question costs is counted on the meter while it runs, so that whoever cuts it off still knows.
 */
import { Data, Effect, Result } from "effect"
import type { ConversationLogShape, Entry } from "../../ports/ConversationLog.ts"
import type { ModelShape } from "../../ports/Model.ts"
import type { Answer, Confinement, Job, SandboxCode, SandboxError, SandboxShape } from "../../ports/Sandbox.ts"
import type { Unready } from "../admission/Verdict.ts"
import { utf8 } from "../bytes/Bytes.ts"
import * as Limits from "../Limits.ts"
import type * as Rejection from "../Rejection.ts"
import type { Allowance } from "./Allowance.ts"
import type { Before } from "./BridgeLine.ts"
import * as Turn from "./Turn.ts"

/** Whether a question could be answered now, and if not, the code for the friend and the reason for the owner. */
export interface Readiness {
  readonly ready: boolean
  /** Absent: `sandbox-unavailable`. */
  readonly code?: Unready
  /** It cannot be told yet: whoever asks again soon is told. */
  readonly pending?: boolean
  readonly reason: string
  /** Under what it would run, as it was last confirmed. */
  readonly confinement?: Confinement
}

/** A question as it is handed to a responder. */
export interface Asked {
  /** Names the run in the sandbox. */
  readonly id: string
  /** The friend's conversation in the log. */
  readonly conversation: string
  /** The entry that is the question itself. */
  readonly entryId: string
  /** Entries of the conversation that the log may not have yet, in order. */
  readonly unshown: ReadonlyArray<Entry>
  readonly text: string
  readonly timeLimitMs: number
  readonly allowance: Allowance
  /** Questions with the same value may find what the one before left in its container. Absent: none does. */
  readonly reuse?: string
}

export class NoAnswer extends Data.TaggedError("NoAnswer")<{
  readonly code: Rejection.Code
  readonly message: string
}> {}

export interface Responder {
  readonly status: Effect.Effect<Readiness>
  answer(asked: Asked, meter: Turn.Meter): Effect.Effect<Answer, NoAnswer>
}

/** Each way a sandbox fails has a code of its own at the caller. */
const codes = {
  "no-engine": "sandbox-unavailable",
  "no-image": "sandbox-no-image",
  "image-changed": "sandbox-image-changed",
  "disk-full": "sandbox-disk",
  "create-refused": "sandbox-refused",
  "flags-not-applied": "sandbox-not-confined",
  "start-failed": "sandbox-start",
  "timed-out": "sandbox-timeout",
  "output-too-long": "sandbox-output",
  "out-of-memory": "sandbox-memory",
  killed: "sandbox-killed",
  "exit-code": "sandbox-exit",
  "engine-failed": "sandbox-engine"
} satisfies Readonly<Record<SandboxCode, Rejection.Code>>

const isUnready = (code: Rejection.Code): code is Unready => Object.hasOwn(unready, code)

/** The refusals that a sandbox can foresee. */
const unready: Readonly<Record<Unready, true>> = {
  "sandbox-unavailable": true,
  "sandbox-no-image": true,
  "sandbox-image-changed": true,
  "sandbox-not-confined": true,
  "sandbox-disk": true,
  "sandbox-engine": true,
  "no-model": true
}

const refused = (error: SandboxError | Turn.TurnError): NoAnswer =>
  error._tag === "SandboxError"
    ? new NoAnswer({ code: codes[error.code], message: error.message })
    : new NoAnswer({ code: error.code, message: error.message })

const sandboxStatus = ({ status }: SandboxShape): Effect.Effect<Readiness> =>
  Effect.map(status, ({ code = "no-engine", confinement, pending = false, ready, reason }) => {
    const told = codes[code]
    return {
      ready,
      reason,
      ...(ready ? {} : { code: isUnready(told) ? told : "sandbox-unavailable" }),
      ...(pending ? { pending } : {}),
      ...(confinement === undefined ? {} : { confinement })
    }
  })

/** The sandbox's own program answers: the question is its input, what it prints is the answer. No model is asked. */
export const program = (sandbox: SandboxShape): Responder => ({
  status: sandboxStatus(sandbox),
  answer: ({ id, text, timeLimitMs }) =>
    sandbox
      .run({ id, input: utf8(text), timeLimitMs, outputBytesMax: Limits.answerBytesMax })
      .pipe(Effect.mapError(refused))
})

/** What an agent is made of besides its sandbox. */
export interface Agent {
  readonly model: ModelShape
  readonly log: ConversationLogShape
  /** The owner's words to the model, for all friends. */
  readonly instructions: string
}

/** An agent answers: its turn runs in the sandbox, its model is reached through the bridge. */
export const agent = (sandbox: SandboxShape, { instructions, log, model }: Agent): Responder => ({
  status: model.status.ready
    ? sandboxStatus(sandbox)
    : Effect.succeed({ ready: false, code: "no-model", reason: model.status.reason }),
  answer: Effect.fnUntraced(function* (asked, meter) {
    const { allowance, id, text, timeLimitMs } = asked
    const before = yield* earlier(log, asked)
    const reuse = asked.reuse === undefined ? {} : { reuse: asked.reuse }
    const job: Job = { id, input: new Uint8Array(0), timeLimitMs, outputBytesMax: Limits.bridgeBytesMax, ...reuse }
    const talk = { instructions, before, text, allowance }
    const { confinement, value } = yield* sandbox
      .converse(job, (running) => Turn.take(running, model, talk, meter))
      .pipe(Effect.mapError(refused))
    return { output: utf8(value), confinement }
  })
})

/** The end of the friend's own conversation before the question: nothing else of this node goes into a turn. */
const earlier = Effect.fnUntraced(function* (log: ConversationLogShape, asked: Asked) {
  const { conversation, entryId, unshown } = asked
  const read = yield* Effect.result(log.read(conversation, Limits.agentEntriesMax + 1))
  // Without a memory an answer is still an answer.
  if (Result.isFailure(read)) {
    yield* Effect.logWarning("the agent answers without the earlier conversation", read.failure.message)
  }
  const logged = Result.getOrElse(read, (): ReadonlyArray<Entry> => [])
  const shown = new Set(logged.map(({ id }) => id))
  const all = [...logged, ...unshown.filter(({ id }) => !shown.has(id))]
  return fitting(all.filter(({ id }) => id !== entryId)).map(
    (entry): Before => ({ by: entry.ours === true ? "self" : "friend", text: entry.text })
  )
})

/** The newest entries that together are not too long. */
const fitting = (entries: ReadonlyArray<Entry>): ReadonlyArray<Entry> => {
  let characters = 0
  const tooFar = entries.findLastIndex(({ text }) => {
    characters += text.length
    return characters > Limits.agentCharactersMax
  })
  return entries.slice(Math.max(tooFar + 1, entries.length - Limits.agentEntriesMax))
}
