/**
 * Who carries the tools out: a node of our own on the data folder, or the one that runs there already.
 * It never lets two nodes run on one folder, and never ends one that it did not start.
 * Looked at again with every call and every few seconds: when the other node ends ours takes over, and friends still reach us.
 */
import { Cause, Effect, Exit, Fiber, PubSub } from "effect"
import type * as RateLimit from "../../core/admission/RateLimit.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import * as AtRest from "../control/AtRest.ts"
import * as Client from "../control/Client.ts"
import { ControlError } from "../control/ControlError.ts"
import * as Control from "../control/index.ts"
import * as Tooling from "../control/Tooling.ts"
import * as Follow from "../host/Follow.ts"
import * as Quoted from "../host/Quoted.ts"
import type { May } from "../host/Tool.ts"
import * as ToolCalls from "../host/ToolCalls.ts"
import { table } from "../host/Tools.ts"
import * as Layers from "../Layers.ts"
import type { Call } from "./Server.ts"

/** Of which folder the tools are, and what a node of our own there would be. */
export interface Hosted {
  readonly name: string
  readonly settings: Layers.Settings
  /** What friends may do at most, where it is less than the protocol's own bounds. */
  readonly rates: Partial<RateLimit.Rates>
  /** What its model may do by tools. */
  readonly may: May
}

/** A node of our own, or why there is none yet. */
interface Standing {
  own: Tooling.Call | undefined
  why: string
  /** What the model behind this program was shown, by whichever node. */
  readonly quoted: Quoted.Quoted
  /** Wakes those who wait for a first node. */
  readonly waiting: Set<() => void>
}

const againMs = 2_000
const firstMs = 20_000

const fault = (code: string, message: string, hint: string): ToolCalls.Answer => ({
  ok: false,
  error: { code, message, hint }
})

const off = (why: string): ToolCalls.Answer =>
  fault("not-running", `no node runs: ${why}`, "it is started again by itself where it can be; tell the owner")

/** A node of our own until it ends, with its socket for other terminals, and for other servers like this one. */
const live = ({ name, rates, settings }: Hosted, standing: Standing) =>
  Effect.gen(function* () {
    const node = yield* Layers.start(name, settings, rates)
    const follow = Follow.make()
    const events = yield* node.events
    const tools = Tooling.make({ node, follow, log: yield* ConversationLog }, standing.quoted)
    yield* Effect.forkScoped(
      PubSub.take(events).pipe(
        Effect.flatMap((event) => Effect.sync(() => follow.note(event))),
        Effect.forever
      )
    )
    yield* Control.attend(name, settings, { node, channel: Layers.firstChannel(settings), tools })
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        standing.own = tools
        for (const wake of standing.waiting) wake()
      }),
      () =>
        Effect.sync(() => {
          standing.own = undefined
        })
    )
    yield* Effect.logInfo(`a node of its own is up as @${name}, in ${settings.dataFolder}`)
    return yield* node.ended
  }).pipe(Effect.scoped, Effect.provide(Layers.layers(settings)))

const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.squash(cause)
  return failure instanceof Error && failure.message !== "" ? failure.message : Cause.pretty(cause)
}

/** A node of our own whenever no other holds the folder. Never ends by itself. */
const keep = (hosted: Hosted, standing: Standing): Effect.Effect<never> =>
  Effect.gen(function* () {
    let said = ""
    for (;;) {
      const holder = yield* Effect.promise(() => AtRest.holder(hosted.settings.dataFolder))
      if (holder === undefined) {
        const exit = yield* Effect.exit(live(hosted, standing))
        if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
        standing.why = Exit.isFailure(exit) ? reasonOf(exit.cause) : "it has ended"
      } else standing.why = `process ${holder.pid} holds ${hosted.settings.dataFolder}: its node answers`
      if (standing.why !== said) yield* Effect.logInfo(standing.why)
      said = standing.why
      yield* Effect.sleep(againMs)
    }
  })

/** Asks the node that runs on the folder; undefined where none answers. */
const relay = async (hosted: Hosted, { quoted }: Standing, name: string, given: Readonly<Record<string, unknown>>) => {
  const tool = table.find((one) => one.name === name)
  if (tool !== undefined && quoted.holds(tool, hosted.may, false)) return ToolCalls.heldBack(tool)
  let client: Client.Client
  try {
    client = await Client.reach(hosted.settings.dataFolder)
  } catch (error) {
    if (error instanceof ControlError && error.code === "not-running") return undefined
    throw error
  }
  try {
    const { facts } = await client.ask({ kind: "tool", name, given, ...hosted.may })
    const answer = (facts["answer"] ?? off("the one that runs has no such tool; update it")) as ToolCalls.Answer
    if (tool !== undefined) quoted.note(tool, answer)
    return answer
  } finally {
    client.close()
  }
}

/** Runs tools for as long as the effect is not interrupted; gives what calls them. */
export const open = (hosted: Hosted, run: <A>(effect: Effect.Effect<A>) => Fiber.Fiber<A>) => {
  const standing: Standing = { own: undefined, why: "it is starting", quoted: Quoted.make(), waiting: new Set() }
  standing.quoted.keepIn(hosted.settings.dataFolder)
  const fiber = run(keep(hosted, standing))
  /** Until a node of ours is up, for a while: a first call comes before it is. */
  const started = (): Promise<void> =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        standing.waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, firstMs)
      standing.waiting.add(done)
    })
  const carryOut: Call = async (name, given) => {
    const once = async () =>
      standing.own === undefined ? relay(hosted, standing, name, given) : standing.own(name, given, hosted.may)
    const first = await once()
    if (first !== undefined) return first
    await started()
    return (await once()) ?? off(standing.why)
  }
  const call: Call = (name, given) =>
    carryOut(name, given).catch((error: unknown) =>
      fault(
        "unreachable",
        error instanceof Error ? error.message : String(error),
        "what was asked may be done: look with p2p_status"
      )
    )
  return { call, end: Effect.asVoid(Fiber.interrupt(fiber)) }
}
