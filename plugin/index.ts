/**
 * The plugin as the WOPR daemon loads it: registered at once, its node started behind `init` and kept running until `shutdown`.
 * It never throws from `init` and never leaves a rejection unhandled; what is missing (a network, an engine, a
 * configuration) is said in the log and by `healthCheck`.
 * A second copy of this module takes over from the first: the host loads one without ending the other. The first is
 * found through the host's own registry of extensions and not on `globalThis`: that registry belongs to one daemon, is
 * gone with it, and lists what is in it, while a hidden global would tie together nodes that know nothing of each other.
 */
import { setTimeout as pause } from "node:timers/promises"
import { Effect, Exit, Scope } from "effect"
import * as Config from "./Config.ts"
import * as Announce from "./host/Announce.ts"
import * as CliWords from "./host/CliWords.ts"
import { attempt, type HostContext, say } from "./host/Context.ts"
import { make as makeServices, type Services } from "./host/Extension.ts"
import * as Quoted from "./host/Quoted.ts"
import * as Running from "./host/Running.ts"
import type { Backing } from "./host/ToolCalls.ts"
import * as ToolServer from "./host/ToolServer.ts"
import { version } from "./Version.ts"

export type { Emitter, Events } from "./host/Announce.ts"
export type { HostContext } from "./host/Context.ts"
export type { Services } from "./host/Extension.ts"

/** What another plugin finds under the host's extension `p2p`. */
export interface Extension extends Services {
  readonly version: string
  /** Whether the node runs, and why not. */
  readonly status: () => { readonly on: boolean; readonly why: string }
  /** For a newer copy of this plugin: everything is taken off the host at once, the promise is kept when the node has ended. */
  readonly handOver: () => Promise<void>
}

/** The part of the host's plugin contract that is kept. */
export interface Plugin {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly commands: ReturnType<typeof CliWords.commands>
  init(context: HostContext): Promise<void>
  onActivate(context: HostContext): Promise<void>
  onDrain(): Promise<void>
  onDeactivate(): Promise<void>
  shutdown(): Promise<void>
  healthCheck(): Promise<{ readonly healthy: boolean; readonly message?: string }>
}

const extensionName = "p2p"

/** How long `init` waits for the node to be up, and how long a start waits for the copy before it. */
const initWaitMs = 1_000
const formerWaitMs = 15_000

/** What was begun by one `init`. */
interface Begun {
  /** Takes off the host what was put there. Safe to call again. */
  readonly detach: () => void
  readonly scope: Scope.Closeable
}

/** Waits for something, but not for ever, without passing on what went wrong. */
const atMost = (ms: number, work: Promise<unknown>): Promise<void> =>
  new Promise((resolve) => {
    const late = setTimeout(resolve, ms)
    const done = () => {
      clearTimeout(late)
      resolve()
    }
    work.then(done, done)
  })

/** The copy before us, if one is registered: asked to go at once; kept when it has gone. */
const formerGone = (context: HostContext): Promise<void> => {
  let gone: Promise<void> = Promise.resolve()
  attempt(context, "an earlier copy", () => {
    const former = context.getExtension?.(extensionName) as Partial<Extension> | undefined
    if (typeof former?.handOver !== "function") return
    say(context, "info", "p2p: another copy of this plugin runs here; it hands over")
    gone = former.handOver()
  })
  return gone
}

/** A fresh plugin object with its own state. */
export const makePlugin = (): Plugin => {
  let begun: Begun | undefined
  const standing: Running.Standing = { on: undefined, off: "it has not been started", quoted: Quoted.make() }
  const stop = async (why: string): Promise<void> => {
    const before = begun
    begun = undefined
    if (before === undefined) return
    standing.off = why
    standing.on = undefined
    before.detach()
    await Effect.runPromise(Effect.exit(Scope.close(before.scope, Exit.void)))
  }
  const register = (context: HostContext) => {
    const backing: Backing = {
      world: () => standing.on?.world ?? { off: standing.off },
      run: (effect, outlives) =>
        outlives ? Effect.runPromiseExit(effect) : (standing.on?.run(effect) ?? Effect.runPromiseExit(Effect.interrupt))
    }
    const announcer = Announce.make(context)
    const extension: Extension = {
      ...makeServices(backing, announcer.emitter),
      version: version(),
      status: () => ({ on: standing.on !== undefined, why: standing.on === undefined ? standing.off : "" }),
      handOver: () => stop("a newer copy of this plugin has taken over")
    }
    const unregister = ToolServer.register(context, version(), backing, standing.quoted)
    attempt(context, "extension", () => context.registerExtension?.(extensionName, extension))
    let attached = true
    const detach = () => {
      if (!attached) return
      attached = false
      unregister()
      announcer.end()
      attempt(context, "extension", () => context.unregisterExtension?.(extensionName))
    }
    return { detach, tell: announcer.tell }
  }
  const start = async (context: HostContext, gone: Promise<unknown>): Promise<void> => {
    const { config, errors, warnings } = Config.find(context)
    for (const warning of warnings) say(context, "warn", `p2p: ${warning}`)
    for (const error of errors) say(context, "error", `p2p: ${error}`)
    const scope = Effect.runSync(Scope.make())
    const { detach, tell } = register(context)
    const mine: Begun = { detach, scope }
    begun = mine
    if (errors.length > 0) {
      standing.off = `the configuration is wrong: ${errors.join("; ")}`
      return
    }
    standing.off = "it is starting"
    await atMost(formerWaitMs, gone)
    if (begun !== mine) return
    await Effect.runPromise(Scope.provide(Effect.forkScoped(Running.keep(context, config, standing, tell)), scope))
    // Up, or known not to be; whichever it takes longer for goes on without the host waiting.
    while (begun === mine && standing.on === undefined && standing.off === "it is starting") {
      await pause(25)
    }
  }
  return {
    name: "p2p",
    version: version(),
    description: "Friends between agents, without a server in between",
    commands: CliWords.commands(),
    init: async (context) => {
      const gone = Promise.all([stop("it is started anew"), formerGone(context)])
      const started = start(context, gone).catch((error: unknown) => {
        standing.off = error instanceof Error ? error.message : String(error)
        say(context, "error", `p2p is off: ${standing.off}`)
      })
      await atMost(initWaitMs, started)
    },
    onActivate: async () => {},
    onDrain: async () => begun?.detach(),
    onDeactivate: async () => begun?.detach(),
    shutdown: () => stop("it was shut down"),
    healthCheck: async () => (standing.on === undefined ? { healthy: false, message: standing.off } : { healthy: true })
  }
}

export default makePlugin()
