/**
 * The tools of a language model at a running node, for programs of this machine that reach its socket.
 * It never decides about a call: the one table and the one way to call it do, as for the host's models.
 * What tools may do is said with each call: whoever can reach the socket can grant, and send, by a command as well.
 */
import { Effect } from "effect"
import * as Quoted from "../host/Quoted.ts"
import type { May, World } from "../host/Tool.ts"
import * as ToolCalls from "../host/ToolCalls.ts"
import { table } from "../host/Tools.ts"

/** Calls a tool by its name; undefined where there is none of that name. Never rejects. */
export type Call = (name: string, given: unknown, may: May) => Promise<ToolCalls.Answer | undefined>

/**
 * The tools of one node, with one memory of idempotency keys for each kind of caller. What callers without a grant are shown
 * is noted in `quoted`, which outlives the node: the same caller may ask the next one.
 */
export const make = (world: Omit<World, keyof May>, quoted: Quoted.Quoted): Call => {
  const callAs = (may: May, shown: Quoted.Quoted) =>
    ToolCalls.make({ world: () => ({ ...world, ...may }), run: (effect) => Effect.runPromiseExit(effect) }, shown)
  const careful = callAs({ mayGrant: false, mayReply: false }, quoted)
  const replying = callAs({ mayGrant: false, mayReply: true }, quoted)
  const trusted = callAs({ mayGrant: true, mayReply: true }, Quoted.make())
  return async (name, given, { mayGrant, mayReply }) => {
    const tool = table.find((one) => one.name === name)
    return tool === undefined ? undefined : (mayGrant ? trusted : mayReply ? replying : careful)(tool, given)
  }
}
