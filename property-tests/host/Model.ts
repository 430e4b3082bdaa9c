/**
 * A model's side of the tools: a node of the world behind the tool server, in a daemon of the stand-in.
 * It never skips the host: every call passes what the host drops and what it lets through.
 * What the node tells is fed to the record of outcomes, as the plugin does.
 */
import { Effect, Fiber, PubSub } from "effect"
import * as MemoryLog from "../../adapters/memory/ConversationLog.ts"
import * as Follow from "../../plugin/host/Follow.ts"
import * as Quoted from "../../plugin/host/Quoted.ts"
import type * as Tool from "../../plugin/host/Tool.ts"
import * as ToolServer from "../../plugin/host/ToolServer.ts"
import { ConversationLog } from "../../ports/ConversationLog.ts"
import type { Actor } from "../world/World.ts"
import { Daemon } from "./Host.ts"

export interface Seat {
  readonly daemon: Daemon
  readonly follow: Follow.Follow
  readonly end: () => Promise<void>
}

/** Puts a world behind the tools of a fresh daemon. */
export const serve = (world: Tool.World | { readonly off: string }): Daemon => {
  const daemon = new Daemon()
  ToolServer.register(
    daemon.context("p2p"),
    "0",
    { world: () => world, run: (effect) => Effect.runPromiseExit(effect) },
    Quoted.make()
  )
  return daemon
}

/** A model that sits at an actor's node. */
export const sit = async (
  { node, remains }: Actor,
  mayGrant = false,
  more: Partial<Tool.World> = {}
): Promise<Seat> => {
  const follow = Follow.make()
  const log = await Effect.runPromise(
    ConversationLog.use((one) => Effect.succeed(one)).pipe(Effect.provide(MemoryLog.layer(remains.archive)))
  )
  const fiber = Effect.runFork(
    Effect.scoped(
      Effect.flatMap(node.events, (events) =>
        Effect.forever(Effect.map(PubSub.take(events), (event) => follow.note(event)))
      )
    )
  )
  return {
    daemon: serve({ node, follow, log, mayGrant, mayReply: false, ...more }),
    follow,
    end: () => Effect.runPromise(Fiber.interrupt(fiber))
  }
}
