/**
 * The panel's code, loaded when a panel is wanted: the HTTP library takes longer to load than a node to be up.
 * It never fails: without it a node runs on, and the log says so.
 * What is imported here at once is nothing but types, so whoever imports this pays nothing.
 */
import { Effect } from "effect"

/** The room's front door; undefined where its code cannot be loaded. */
export const load: Effect.Effect<typeof import("./Panel.ts") | undefined> = Effect.tryPromise({
  try: () => import("./Panel.ts"),
  catch: (error) => (error instanceof Error ? error.message : String(error))
}).pipe(
  Effect.catch((why) => Effect.as(Effect.logWarning(`there is no panel, its code does not load: ${why}`), undefined))
)
