/**
 * What a running node does for other terminals: its socket, what was asked for while it did not run, and its name in a file.
 * It never fails the node, whatever is wrong with any of the three: the log says so.
 * The prompt's node and the host's both call this one function in their scope; closing the scope takes the socket away.
 */
import { Clock, Effect, type Scope } from "effect"
import type * as Layers from "../Layers.ts"
import type * as Answering from "./Answering.ts"
import * as IntentFiles from "./IntentFiles.ts"
import * as NodeFile from "./NodeFile.ts"
import * as Server from "./Server.ts"

/** Serves a node that has started on these settings, for the scope. Whoever listens to its events should listen already. */
export const attend = (
  name: string,
  settings: Layers.Settings,
  served: Answering.Served
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { dataFolder } = settings
    yield* NodeFile.write(name, served.channel, settings, yield* Clock.currentTimeMillis)
    yield* IntentFiles.apply(dataFolder, served.node, served.channel)
    yield* Server.tryServe(dataFolder, served)
  })
