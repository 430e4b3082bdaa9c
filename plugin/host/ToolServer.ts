/**
 * The table of tools as the host's A2A server: checked arguments in, one JSON object out, within half a minute.
 * It never throws and never rejects: the host would show a stack trace to a model, or end.
 * A repeated call with the same idempotency key gets the first one's result; the keys are kept in memory, newest 256.
 */
import { Cause, Effect, Exit, Option, Result } from "effect"
import * as Present from "../Present.ts"
import * as Arguments from "./Arguments.ts"
import { attempt, type HostContext, type HostTool, type ToolResult, type ToolServer } from "./Context.ts"
import { type Fault, type Permission, type Tool, table, type World } from "./Tools.ts"

/** What the server needs of the plugin: the world while the node runs, or why it does not; and how to run things. */
export interface Backing {
  readonly world: () => World | { readonly off: string }
  /** Runs in the plugin's scope: ended by its end. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<Exit.Exit<A, E>>
}

const keysMax = 256
const limitMs = 29_000

const idempotencyKey = Arguments.optional(
  Arguments.text("any text of your choice; a repeated call with the same one is carried out once", 128)
)

type Answer = { readonly ok: true; readonly data: unknown } | { readonly ok: false; readonly error: Fault }

const result = (answer: Answer): ToolResult => ({
  content: [{ type: "text", text: Present.json(answer) }],
  isError: !answer.ok
})

const fault = (code: string, message: string, hint: string): Answer => ({ ok: false, error: { code, message, hint } })

const takes = (tool: Tool): Arguments.Arguments => (tool.changes ? { ...tool.takes, idempotencyKey } : tool.takes)

const carryOut = async (tool: Tool, given: unknown, backing: Backing): Promise<Answer> => {
  const world = backing.world()
  if ("off" in world) {
    return tool.name === "p2p_status"
      ? { ok: true, data: { state: "off", why: world.off } }
      : fault(
          "not-running",
          `the node does not run: ${world.off}`,
          "see p2p_status; it is started again by itself where it can be"
        )
  }
  const exit = await backing.run(Effect.timeoutOption(tool.run(given as never, world), limitMs))
  if (Exit.isSuccess(exit)) {
    return Option.isSome(exit.value)
      ? { ok: true, data: exit.value.value }
      : fault("timed-out", "it took longer than half a minute; what was begun goes on", "look with p2p_status")
  }
  const failure = Cause.findErrorOption(exit.cause)
  return Option.isSome(failure)
    ? { ok: false, error: failure.value }
    : fault("internal-error", "something in this program is broken, or it is ending", "try again; tell the owner")
}

interface Kept {
  readonly asked: string
  readonly answer: Promise<Answer>
}

/** Carries a keyed call out once. Refusals are forgotten: the same call may succeed later. */
const once = (kept: Map<string, Kept>, key: string, asked: string, act: () => Promise<Answer>): Promise<Answer> => {
  const before = kept.get(key)
  if (before !== undefined) {
    if (before.asked === asked) return before.answer
    const hint = "use another key for another call"
    return Promise.resolve(fault("idempotency-conflict", "this key was used with other arguments", hint))
  }
  const answer = act()
  kept.set(key, { asked, answer })
  for (const oldest of kept.keys()) {
    if (kept.size <= keysMax) break
    kept.delete(oldest)
  }
  return answer.then((one) => {
    if (!one.ok) kept.delete(key)
    return one
  })
}

const hostTool = (tool: Tool, backing: Backing, kept: Map<string, Kept>): HostTool => ({
  name: tool.name,
  description: tool.description,
  inputSchema: Arguments.inputSchema(takes(tool)),
  handler: async (given) => {
    try {
      const read = Arguments.read(takes(tool), given)
      if (Result.isFailure(read))
        return result(fault("bad-arguments", read.failure, "correct the argument and call again"))
      const { idempotencyKey: key, ...rest } = read.success as Record<string, unknown>
      const act = () => carryOut(tool, rest, backing)
      const answer =
        typeof key === "string" ? await once(kept, `${tool.name} ${key}`, JSON.stringify(rest), act) : await act()
      return result(answer)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      return result(fault("internal-error", message, "tell the owner"))
    }
  }
})

const permissions: ReadonlyArray<Permission> = ["p2p.read", "p2p.send", "p2p.admin"]

/** Offers the tools to the host, with the permission that each needs; gives how to take them back. */
export const register = (context: HostContext, version: string, backing: Backing): (() => void) => {
  if (typeof context.registerA2AServer !== "function") return () => {}
  const kept = new Map<string, Kept>()
  const server: ToolServer = { name: "p2p", version, tools: table.map((tool) => hostTool(tool, backing, kept)) }
  // A host that enforces refuses a tool without a permission to everybody, so those come first.
  for (const name of permissions) attempt(context, `permission ${name}`, () => context.registerPermission?.(name))
  for (const { name, permission } of table) {
    attempt(context, `permission of ${name}`, () => context.registerToolPermission?.(name, permission))
  }
  attempt(context, "tools", () => context.registerA2AServer?.(server))
  return () => {
    attempt(context, "tools", () => context.unregisterA2AServer?.(server))
    for (const { name } of table) attempt(context, name, () => context.unregisterToolPermission?.(name))
    for (const name of permissions) attempt(context, name, () => context.unregisterPermission?.(name))
  }
}
