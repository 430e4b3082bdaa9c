/**
 * The plugin as the WOPR daemon loads it: a node inside the daemon's process, started by `init`, ended by `shutdown`.
 * It never throws from `init` for want of Docker, network or configuration, and leaves no rejection unhandled.
 * All state is made inside `init`, so that a second copy of this module knows nothing of the first.
 */
import { Cause, Effect, Exit, Logger, PubSub, Result, Scope } from "effect"
import { Name } from "../core/index.ts"
import * as DataFolder from "./DataFolder.ts"
import * as Layers from "./Layers.ts"
import * as ModelSettings from "./ModelSettings.ts"
import * as Present from "./Present.ts"

/** What this plugin uses of the host's context; everything is optional because hosts differ. */
export interface HostContext {
  readonly log?: {
    readonly info?: (text: string) => void
    readonly warn?: (text: string) => void
    readonly error?: (text: string) => void
  }
  readonly getConfig?: () => unknown
}

/** The part of the host's plugin contract that is kept. */
export interface Plugin {
  readonly name: string
  readonly version: string
  readonly description: string
  init(context: HostContext): Promise<void>
  shutdown(): Promise<void>
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Name, room and data folder from the host's configuration; what is missing has a default, what is wrong is said. */
const settingsOf = (context: HostContext): { readonly name: string; readonly settings: Layers.Settings } => {
  const config = context.getConfig?.()
  const text = (key: string): string | undefined => {
    const value = isRecord(config) ? config[key] : undefined
    return typeof value === "string" && value !== "" ? value : undefined
  }
  const chosen = DataFolder.choose(DataFolder.machine(), text("dataFolder"))
  if (!chosen.ok) throw new Error(chosen.message)
  const name = text("name") ?? "wopr"
  if (Result.isFailure(Name.parse(name))) throw new Error(`name "${name}": 1 to 64 visible characters without spaces`)
  const room = text("room")
  return {
    name,
    settings: {
      dataFolder: chosen.folder,
      rooms: room === undefined ? [] : [{ name: "lobby", file: room }],
      network: { kind: "public" },
      sandbox: "agent",
      model: modelIn(text),
      ...Layers.runtimeIn(process.env),
      ...Layers.engineSocket(process.env)
    }
  }
}

/** The model of the host's configuration; what that leaves open the environment may say. The key is never in it. */
const modelIn = (text: (key: string) => string | undefined): ModelSettings.ModelSettings => {
  const [model, url, keyFile] = [text("model"), text("modelUrl"), text("modelKeyFile")]
  return {
    ...ModelSettings.fromEnvironment(process.env),
    ...(model === undefined ? {} : { model }),
    ...(url === undefined ? {} : { url }),
    ...(keyFile === undefined ? {} : { keyFile })
  }
}

const hostLogger = (log: HostContext["log"]) =>
  Logger.layer([
    Logger.make<unknown, void>(({ logLevel, message }) => {
      const text = (Array.isArray(message) ? message : [message]).map(String).join(": ")
      if (logLevel === "Error" || logLevel === "Fatal") log?.error?.(text)
      else if (logLevel === "Warn") log?.warn?.(text)
      else log?.info?.(text)
    })
  ])

/** A fresh plugin object with its own state. */
export const makePlugin = (): Plugin => {
  let running: Scope.Closeable | undefined
  const stop = async () => {
    const scope = running
    running = undefined
    if (scope !== undefined) await Effect.runPromise(Scope.close(scope, Exit.void))
  }
  const start = async (context: HostContext) => {
    const { name, settings } = settingsOf(context)
    const scope = Effect.runSync(Scope.make())
    running = scope
    const program = Effect.gen(function* () {
      const node = yield* Layers.start(name, settings)
      const events = yield* node.events
      const telling = PubSub.take(events).pipe(
        Effect.flatMap((told) => Effect.sync(() => context.log?.info?.(Present.event(told).text))),
        Effect.forever
      )
      yield* Effect.raceFirst(telling, node.ended)
    }).pipe(Effect.provide(Layers.layers(settings)), Effect.provide(hostLogger(context.log)))
    // The node runs for as long as the plugin; what ends it is logged, never thrown into the host.
    const fiber = Effect.runFork(
      program.pipe(
        Effect.scoped,
        Effect.catchCause((cause) =>
          Effect.sync(() => {
            if (Cause.hasInterruptsOnly(cause)) return
            const failure = Cause.squash(cause)
            context.log?.error?.(`p2p is off: ${failure instanceof Error ? failure.message : Cause.pretty(cause)}`)
          })
        )
      )
    )
    await Effect.runPromise(
      Scope.addFinalizer(
        scope,
        Effect.callback<void>((resume) => {
          fiber.addObserver(() => resume(Effect.void))
          fiber.interruptUnsafe()
        })
      )
    )
  }
  return {
    name: "p2p",
    version: "2.0.0-alpha.1",
    description: "Friends between agents, without a server in between",
    init: async (context) => {
      await stop()
      try {
        await start(context)
      } catch (error) {
        context.log?.error?.(`p2p is off: ${error instanceof Error ? error.message : String(error)}`)
      }
    },
    shutdown: stop
  }
}

export default makePlugin()
