/**
 * The table of tools as the host's A2A server: its schemas, its permissions, its shape of an answer.
 * It never decides anything about a call: `ToolCalls.ts` checks it and carries it out.
 * Every tool gets its permission before it is offered, because a host that enforces refuses one without to everybody.
 */
import * as Present from "../Present.ts"
import * as Arguments from "./Arguments.ts"
import { attempt, type HostContext, type HostTool, type ToolResult, type ToolServer } from "./Context.ts"
import type * as Quoted from "./Quoted.ts"
import type { Permission, Tool } from "./Tool.ts"
import * as ToolCalls from "./ToolCalls.ts"
import { table } from "./Tools.ts"

const result = (answer: ToolCalls.Answer): ToolResult => ({
  content: [{ type: "text", text: Present.json(answer) }],
  isError: !answer.ok
})

const hostTool = (tool: Tool, call: ReturnType<typeof ToolCalls.make>): HostTool => ({
  name: tool.name,
  description: tool.description,
  inputSchema: Arguments.inputSchema(ToolCalls.takes(tool)),
  handler: async (given) => result(await call(tool, given))
})

const permissions: ReadonlyArray<Permission> = ["p2p.read", "p2p.send", "p2p.admin"]

/** Offers the tools to the host, with the permission that each needs; gives how to take them back. */
export const register = (
  context: HostContext,
  version: string,
  backing: ToolCalls.Backing,
  quoted: Quoted.Quoted
): (() => void) => {
  if (typeof context.registerA2AServer !== "function") return () => {}
  const call = ToolCalls.make(backing, quoted)
  const server: ToolServer = { name: "p2p", version, tools: table.map((tool) => hostTool(tool, call)) }
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
