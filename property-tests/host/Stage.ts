/**
 * What the stories of the plugin share: daemons with a folder each, bots in rooms, a DHT on loopback.
 * It never reaches into a plugin: what a test knows it has from the host's side, as an owner or a model would.
 * Each plugin object is a module copy of its own as far as anybody can tell: all its state is made by `makePlugin`.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import { makePlugin, type Plugin } from "../../plugin/index.ts"
import { Bot, type ChatRoom, Daemon, type NewerPlugin } from "./Host.ts"

export interface Answer {
  readonly ok: boolean
  readonly data?: Record<string, unknown> & { readonly [key: string]: unknown }
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly hint: string
    readonly candidates?: unknown
  }
  readonly isError: boolean
}

/** A model's call of a tool, as the one JSON object that came back. */
export const call = async (daemon: Daemon, tool: string, given: Record<string, unknown> = {}): Promise<Answer> => {
  const { content, isError } = await daemon.call(tool, given)
  if (content.length !== 1 || content[0]?.type !== "text") throw new Error("not one text")
  return { ...JSON.parse(content[0].text ?? ""), isError: isError === true }
}

/** A list in what a tool gave. */
export const listIn = <A>(answer: Answer, key: string): ReadonlyArray<A> => {
  const found = answer.data?.[key]
  if (!Array.isArray(found)) throw new Error(`no list ${key} in ${JSON.stringify(answer)}`)
  return found
}

export interface Resident {
  readonly daemon: Daemon
  readonly plugin: Plugin
  readonly bot: Bot
  readonly folder: string
}

export interface Stage {
  readonly bootstrap: ReadonlyArray<string>
  readonly folder: () => string
  /** A daemon with one bot in a room and the plugin in it; its owner there is called `owner-of-<account>`. */
  readonly resident: (account: string, room: ChatRoom, more?: Record<string, unknown>) => Promise<Resident>
  /** Adds a plugin that is shut down with the stage. */
  readonly plugin: () => Plugin
  readonly end: () => Promise<void>
}

/** The plugin as the stand-in loads plugins. */
export const loadable = (plugin: Plugin): NewerPlugin => plugin as unknown as NewerPlugin

/** A stage with a DHT of its own. */
export const makeStage = async (): Promise<Stage> => {
  const scope = Effect.runSync(Scope.make())
  const addresses = await Effect.runPromise(Scope.provide(testnet, scope))
  const bootstrap = addresses.map(({ host, port }) => `${host}:${port}`)
  const folders: Array<string> = []
  const plugins: Array<Plugin> = []
  const folder = () => {
    const made = mkdtempSync(join(tmpdir(), "wopr-p2p-host-"))
    folders.push(made)
    return made
  }
  const plugin = () => {
    const made = makePlugin()
    plugins.push(made)
    return made
  }
  return {
    bootstrap,
    folder,
    plugin,
    resident: async (account, room, more = {}) => {
      const dataFolder = folder()
      const owners = { probe: [`owner-of-${account}`] }
      const config = { name: account, dataFolder, bootstrap, owners, sandbox: "off", ...more }
      const daemon = new Daemon({ p2p: config })
      const bot = new Bot("probe", room, account)
      daemon.providers.set(bot.id, bot)
      const made = plugin()
      await daemon.load("p2p", loadable(made))
      return { daemon, plugin: made, bot, folder: dataFolder }
    },
    end: async () => {
      for (const one of plugins.splice(0)) await one.shutdown()
      await Effect.runPromise(Scope.close(scope, Exit.void))
      for (const one of folders.splice(0)) rmSync(one, { recursive: true, force: true })
    }
  }
}
