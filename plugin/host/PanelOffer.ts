/**
 * The panel inside the host: served beside the node, and offered to the host's web UI where that takes components.
 * It never logs an address of the panel: module and page are secrets, which the host shows only to who is signed in there.
 * Its code is loaded while the node starts, because the HTTP library takes longer to load than a node to be up.
 */
import { Effect, Redacted, type Scope } from "effect"
import type { Node } from "../../core/index.ts"
import type { ConversationLog } from "../../ports/ConversationLog.ts"
import type * as Config from "../Config.ts"
import { version } from "../Version.ts"
import { portUsual } from "../web/Bounds.ts"
import * as Loading from "../web/Loading.ts"
import type { Panel } from "../web/Panel.ts"
import { attempt, type HostContext } from "./Context.ts"

const id = "p2p"
const title = "Friends (p2p)"
const description = "Friends of your agent, their requests, messages and grants"

/** Puts the panel into the host's web UI for the scope. */
const offer = (context: HostContext, { moduleUrl, pageUrl }: Panel): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const component = { id, title, moduleUrl: Redacted.value(moduleUrl), slot: "settings", description } as const
      attempt(context, "panel", () => context.registerUiComponent?.(component))
      const page = { id, title, url: Redacted.value(pageUrl), description }
      attempt(context, "panel", () => context.registerWebUiExtension?.(page))
    }),
    () =>
      Effect.sync(() => {
        attempt(context, "panel", () => context.unregisterUiComponent?.(id))
        attempt(context, "panel", () => context.unregisterWebUiExtension?.(id))
      })
  )

/** What is served, and by which code. */
interface Served {
  readonly code: typeof import("../web/Panel.ts") | undefined
  readonly dataFolder: string
  readonly node: Node.Node
  readonly channel: string | undefined
}

/** Where the host's own web UI is, unless its owner has moved it. */
const hostOrigins: ReadonlyArray<string> = ["http://127.0.0.1:3000", "http://localhost:3000"]

/** The panel's code, unless the configuration says that there is no panel. */
export const load = (config: Config.Config) => (config.panel === false ? Effect.succeed(undefined) : Loading.load)

/** Serves the panel for the scope, with the code that was loaded. */
export const serve = Effect.fnUntraced(function* (
  context: HostContext,
  config: Config.Config,
  { channel, code, dataFolder, node }: Served
): Effect.fn.Return<Panel | undefined, never, Scope.Scope | ConversationLog> {
  if (code === undefined) return undefined
  const { limits = {}, uiOrigins: origins = hostOrigins, uiPort: port = portUsual } = config
  const panel = yield* code.serve({ dataFolder, port, origins, limits, version: version() }, node, channel)
  if (panel !== undefined) yield* offer(context, panel)
  return panel
})
