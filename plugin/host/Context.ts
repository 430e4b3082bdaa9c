/**
 * What this plugin uses of the host's context, as shapes: each part may be missing, because hosts differ in age.
 * It never promises that something is there; whoever uses a part looks first, and goes without if it is not.
 * Written here and not imported: the published types are older than the host, and an installed package needs neither.
 */
import type { Host as Channels } from "../../adapters/wopr/Host.ts"
import type { Source } from "../Config.ts"

/** A tool as the host takes it. `inputSchema` is JSON Schema, of which the host keeps types, required and descriptions. */
export interface HostTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: Record<string, unknown>
  readonly handler: (given: Record<string, unknown>) => Promise<ToolResult>
}

export interface ToolResult {
  content: Array<{ type: "text"; text: string }>
  isError?: boolean
}

export interface ToolServer {
  name: string
  version?: string
  tools: Array<HostTool>
}

/** A part of the host's web UI: it imports the module and shows what its default export returns. */
export interface UiComponent {
  id: string
  title: string
  moduleUrl: string
  slot: "sidebar" | "settings" | "statusbar" | "chat-header" | "chat-footer"
  description?: string
}

/** A link in the host's web UI. */
export interface WebUiExtension {
  id: string
  title: string
  url: string
  description?: string
}

/** The part of the host's bus that events of our own need; a name that was not registered is refused there. */
interface Bus {
  readonly registerEventType?: (name: string, options: { readonly description: string }) => unknown
  readonly unregisterEventType?: (name: string) => unknown
  readonly emitCustom?: (name: string, payload: unknown) => unknown
}

export interface HostContext extends Channels, Source {
  readonly events?: NonNullable<Channels["events"]> & Bus
  readonly log?: {
    readonly info?: (text: string) => void
    readonly warn?: (text: string) => void
    readonly error?: (text: string) => void
  }
  readonly logMessage?: (conversation: string, text: string, options?: { readonly from?: string }) => unknown
  readonly getAgentIdentity?: () => unknown
  readonly storage?: { readonly raw?: (sql: string) => Promise<unknown> }
  readonly registerA2AServer?: (server: ToolServer) => void
  readonly unregisterA2AServer?: (server: ToolServer) => void
  readonly registerPermission?: (name: string) => void
  readonly unregisterPermission?: (name: string) => void
  readonly registerToolPermission?: (tool: string, permission: string) => void
  readonly unregisterToolPermission?: (tool: string) => void
  readonly registerExtension?: (name: string, extension: unknown) => void
  readonly unregisterExtension?: (name: string) => void
  readonly getExtension?: (name: string) => unknown
  readonly registerUiComponent?: (component: UiComponent) => void
  readonly unregisterUiComponent?: (id: string) => void
  readonly registerWebUiExtension?: (extension: WebUiExtension) => void
  readonly unregisterWebUiExtension?: (id: string) => void
}

/** Says something in the host's log, which may be missing or broken. */
export const say = ({ log }: HostContext, level: "info" | "warn" | "error", text: string): void => {
  try {
    log?.[level]?.(text)
  } catch {
    // There is nobody left to tell.
  }
}

/** Does something with the host that may be missing or fail; what went wrong is said and changes nothing. */
export const attempt = (context: HostContext, what: string, act: () => unknown): void => {
  try {
    act()
  } catch (error) {
    say(context, "warn", `p2p: ${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
