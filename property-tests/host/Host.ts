/**
 * A stand-in for the WOPR daemon as a plugin sees it, with the surprises of version 2.0.2, and chat rooms with bots in them.
 * It never offers more than the real one: what that drops, forgets or leaves lying about is dropped, forgotten and left here.
 * Its context is the published type of `@wopr-network/plugin-types` and what newer hosts add, so the compiler keeps it close.
 */
import { DatabaseSync } from "node:sqlite"
import type {
  A2AServerConfig,
  A2AToolDefinition,
  A2AToolResult,
  ChannelCommand,
  ChannelMessageParser,
  ChannelProvider,
  UiComponentExtension,
  WebUiExtension,
  WOPRPlugin,
  WOPRPluginContext
} from "@wopr-network/plugin-types"
import type { HostContext } from "../../plugin/host/Context.ts"

/** What hosts have that is younger than the published types. */
interface Newer {
  registerA2AServer(server: A2AServerConfig): void
  unregisterA2AServer(server: A2AServerConfig): void
  registerPermission(name: string): void
  unregisterPermission(name: string): void
  registerToolPermission(tool: string, permission: string): void
  unregisterToolPermission(tool: string): void
}

/** What there is of the host's storage at runtime beside the repositories of declared tables. */
export interface Storage {
  readonly driver: "sqlite"
  /** Only statements that give rows. */
  raw(sql: string): Promise<Array<unknown>>
  run(sql: string): Promise<{ readonly changes: number | bigint }>
  getRepository(namespace: string, table: string): never
}

export interface NewerPlugin extends WOPRPlugin {
  onActivate?(context: unknown): Promise<void>
  onDrain?(): Promise<void>
  onDeactivate?(): Promise<void>
  healthCheck?(): Promise<{ healthy: boolean; message?: string }>
}

/** The parts of the context that the stand-in has; a plugin that reaches for another finds nothing, as in an old host. */
export type Context = Newer &
  Pick<
    WOPRPluginContext,
    | "log"
    | "inject"
    | "logMessage"
    | "getConfig"
    | "getMainConfig"
    | "getAgentIdentity"
    | "getChannelProviders"
    | "registerChannelProvider"
    | "unregisterChannelProvider"
    | "registerExtension"
    | "unregisterExtension"
    | "getExtension"
    | "listExtensions"
    | "registerUiComponent"
    | "unregisterUiComponent"
    | "registerWebUiExtension"
    | "unregisterWebUiExtension"
  > & {
    readonly storage: Storage
    readonly events: {
      on(event: string, listener: (payload: unknown) => void): () => void
      off(event: string, listener: (payload: unknown) => void): void
      registerEventType(name: string, options?: { description?: string }): void
      unregisterEventType(name: string): void
      emitCustom(event: string, payload: unknown): Promise<void>
    }
  }

/**
 * Whether the plugin's idea of a context is one the published types give, but for events and storage that are younger than they.
 * Only the compiler looks at it.
 */
export const fits = (
  context: Omit<WOPRPluginContext, "events" | "storage"> & Pick<Context, "events" | "storage">
): HostContext => context

/** A chat system with one room that several bots and people share. */
export class ChatRoom {
  readonly name: string
  readonly said: Array<{ readonly sender: string; readonly text: string }> = []
  readonly #bots = new Set<Bot>()

  constructor(name: string) {
    this.name = name
  }

  enter(bot: Bot): void {
    this.#bots.add(bot)
  }

  leave(bot: Bot): void {
    this.#bots.delete(bot)
  }

  /** Somebody says something: every bot in the room is given it, the one that says it too. */
  async say(sender: string, text: string): Promise<void> {
    this.said.push({ sender, text })
    for (const bot of [...this.#bots]) await bot.hear(sender, text)
  }
}

export interface Notified {
  readonly channel: string
  readonly payload: { readonly type: string; readonly from?: string }
  readonly answers: { readonly onAccept?: () => Promise<void>; readonly onDeny?: () => Promise<void> }
}

/** A bot's account in a room, as a channel plugin of the host offers it. A replaced notification calls the old `onDeny`. */
export class Bot implements ChannelProvider {
  readonly id: string
  readonly #room: ChatRoom
  readonly #account: string
  readonly #commands = new Map<string, ChannelCommand>()
  readonly #parsers = new Map<string, ChannelMessageParser>()
  readonly notified: Array<Notified> = []
  readonly replies: Array<string> = []
  /** How often a command or parser was put here, by name: twice without a removal in between is a mistake. */
  readonly registered: Array<string> = []
  readonly doubled: Array<string> = []

  constructor(id: string, room: ChatRoom, account: string) {
    this.id = id
    this.#room = room
    this.#account = account
    room.enter(this)
  }

  registerCommand(command: ChannelCommand): void {
    if (this.#commands.has(command.name)) this.doubled.push(command.name)
    this.registered.push(command.name)
    this.#commands.set(command.name, command)
  }
  unregisterCommand(name: string): void {
    this.#commands.delete(name)
  }
  getCommands(): Array<ChannelCommand> {
    return [...this.#commands.values()]
  }
  addMessageParser(parser: ChannelMessageParser): void {
    if (this.#parsers.has(parser.id)) this.doubled.push(parser.id)
    this.#parsers.set(parser.id, parser)
  }
  removeMessageParser(id: string): void {
    this.#parsers.delete(id)
  }
  getMessageParsers(): Array<ChannelMessageParser> {
    return [...this.#parsers.values()]
  }
  async send(channel: string, text: string): Promise<void> {
    if (channel !== this.#room.name) throw new Error(`unknown channel ${channel}`)
    await this.#room.say(this.#account, text)
  }
  getBotUsername(): string {
    return this.#account
  }
  async sendNotification(
    channel: string,
    payload: Notified["payload"],
    answers: Notified["answers"] = {}
  ): Promise<void> {
    const pending = this.notified.at(-1)
    this.notified.push({ channel, payload, answers })
    await pending?.answers.onDeny?.()
  }

  /** What the real ones do with a line: the first word may be a command, and every parser whose pattern fits gets it. */
  async hear(sender: string, text: string): Promise<void> {
    const reply = async (words: string) => {
      this.replies.push(words)
    }
    const shared = {
      channel: this.#room.name,
      channelType: this.id,
      sender,
      reply,
      getBotUsername: () => this.#account
    }
    const [, word = "", rest = ""] = /^\/(\S+)\s*([\s\S]*)$/.exec(text) ?? []
    const command = this.#commands.get(word)
    if (command !== undefined) {
      await command.handler({ ...shared, args: rest.split(/\s+/).filter((part) => part !== "") })
      return
    }
    for (const { handler, pattern } of this.#parsers.values()) {
      if (typeof pattern === "function" ? pattern(text) : pattern.test(text))
        await handler({ ...shared, content: text })
    }
  }
}

/** JSON Schema as the host understands it: types and required; enum, bounds, patterns and integers are forgotten. */
const checked = (schema: Readonly<Record<string, unknown>>, value: unknown): unknown => {
  switch (schema["type"]) {
    case "string":
    case "boolean":
      if (typeof value !== schema["type"]) throw new Error(`expected ${String(schema["type"])}`)
      return value
    case "number":
    case "integer":
      if (typeof value !== "number") throw new Error("expected number")
      return value
    case "array":
      if (!Array.isArray(value)) throw new Error("expected array")
      return value.map((one) => checked((schema["items"] ?? {}) as Record<string, unknown>, one))
    case "object": {
      const properties = (schema["properties"] ?? {}) as Record<string, Record<string, unknown>>
      const required = (schema["required"] ?? []) as ReadonlyArray<string>
      const given = value as Record<string, unknown>
      const missing = required.find((key) => given[key] === undefined)
      if (missing !== undefined) throw new Error(`${missing} is required`)
      return Object.fromEntries(
        Object.entries(properties).flatMap(([key, one]) =>
          given[key] === undefined ? [] : [[key, checked(one, given[key])]]
        )
      )
    }
    default:
      return value
  }
}

const permissionForm = /^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)*$/

/** The database that all plugins share: nothing in it is private, and what gives no rows is refused by `raw`. */
const storageOf = (database: DatabaseSync): Storage => ({
  driver: "sqlite",
  raw: async (sql) => {
    const statement = database.prepare(sql)
    if (statement.columns().length === 0) throw new TypeError("This statement does not return data. Use run() instead")
    return statement.all()
  },
  run: async (sql) => database.prepare(sql).run(),
  getRepository: (namespace) => {
    throw new Error(`Schema not registered: ${namespace}. Call storage.register() first.`)
  }
})

/** One daemon. Everything a plugin registers is here to be looked at, and stays unless the plugin takes it away. */
export class Daemon {
  readonly configs: Record<string, unknown>
  readonly providers = new Map<string, ChannelProvider>()
  readonly extensions = new Map<string, unknown>()
  readonly tools = new Map<string, A2AToolDefinition>()
  readonly permissions = new Map<string, string>()
  readonly toolPermissions = new Map<string, string>()
  /** Event types that plugins have registered, by whom. */
  readonly eventTypes = new Map<string, string>()
  readonly database = new DatabaseSync(":memory:")
  readonly logs: Array<string> = []
  /** Parts and links of the host's web UI. */
  readonly components = new Map<string, UiComponentExtension>()
  readonly pages = new Map<string, WebUiExtension>()
  /** What plugins had the host's own model answer, and what they wrote into its conversations. */
  readonly injected: Array<string> = []
  readonly written: Array<readonly [string, string]> = []
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>()

  constructor(configs: Record<string, unknown> = {}) {
    this.configs = configs
  }

  emit(event: string, payload: unknown = {}): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(payload)
  }

  listeners(event: string): number {
    return this.#listeners.get(event)?.size ?? 0
  }

  #channels(): Pick<Context, "getChannelProviders" | "registerChannelProvider" | "unregisterChannelProvider"> {
    return {
      getChannelProviders: () => [...this.providers.values()],
      registerChannelProvider: (provider) => {
        this.providers.set(provider.id, provider)
      },
      unregisterChannelProvider: (id) => {
        this.providers.delete(id)
      }
    }
  }

  #extensions(
    installed: string
  ): Pick<Context, "registerExtension" | "unregisterExtension" | "getExtension" | "listExtensions"> {
    return {
      registerExtension: (name, extension) => {
        this.extensions.set(`${installed}.${name}`, extension)
      },
      unregisterExtension: (name) => {
        this.extensions.delete(`${installed}.${name}`)
      },
      // The first that was registered under any plugin counts.
      getExtension: <T>(name: string) =>
        [...this.extensions].find(([key]) => key === name || key.endsWith(`.${name}`))?.[1] as T | undefined,
      listExtensions: () => [...this.extensions.keys()]
    }
  }

  #security(installed: string): Newer {
    return {
      registerA2AServer: ({ tools }) => {
        for (const tool of tools) this.tools.set(`${installed}:${tool.name}`, tool)
      },
      unregisterA2AServer: ({ tools }) => {
        for (const { name } of tools) this.tools.delete(`${installed}:${name}`)
      },
      registerPermission: (name) => {
        if (!permissionForm.test(name)) throw new Error(`Invalid permission format: "${name}"`)
        const owner = this.permissions.get(name) ?? installed
        if (owner !== installed) throw new Error(`Permission "${name}" is already registered by plugin "${owner}"`)
        this.permissions.set(name, installed)
      },
      unregisterPermission: (name) => {
        if (this.permissions.get(name) === installed) this.permissions.delete(name)
      },
      registerToolPermission: (tool, permission) => {
        if (tool.includes(":")) throw new Error("Tool name must be a bare name")
        this.toolPermissions.set(tool, permission)
      },
      unregisterToolPermission: (tool) => {
        this.toolPermissions.delete(tool)
      }
    }
  }

  /** The context of a plugin under its installed name. */
  context(installed: string): Context {
    const log = (level: string) => (text: string) => {
      this.logs.push(`${level} ${text}`)
    }
    return {
      log: { info: log("info"), warn: log("warn"), error: log("error"), debug: log("debug") },
      inject: async (_, text) => {
        this.injected.push(String(text))
        return "done"
      },
      logMessage: (conversation, text) => {
        this.written.push([conversation, text])
      },
      getConfig: <T>() => (this.configs[installed] ?? {}) as T,
      getMainConfig: (key) => (key === "plugins.data" ? this.configs : undefined),
      getAgentIdentity: () => ({}),
      storage: storageOf(this.database),
      events: {
        on: (event, listener) => {
          const all = this.#listeners.get(event) ?? new Set()
          this.#listeners.set(event, all.add(listener))
          return () => all.delete(listener)
        },
        off: (event, listener) => {
          this.#listeners.get(event)?.delete(listener)
        },
        registerEventType: (name) => {
          const owner = this.eventTypes.get(name) ?? installed
          if (owner !== installed) throw new Error(`Event type "${name}" is already registered by plugin "${owner}"`)
          this.eventTypes.set(name, installed)
        },
        unregisterEventType: (name) => {
          if (this.eventTypes.get(name) === installed) this.eventTypes.delete(name)
        },
        emitCustom: async (event, payload) => {
          if (!this.eventTypes.has(event)) throw new Error(`"${event}" is not a registered event type`)
          this.emit(event, payload)
        }
      },
      registerUiComponent: (component) => void this.components.set(component.id, component),
      unregisterUiComponent: (id) => void this.components.delete(id),
      registerWebUiExtension: (page) => void this.pages.set(page.id, page),
      unregisterWebUiExtension: (id) => void this.pages.delete(id),
      ...this.#channels(),
      ...this.#extensions(installed),
      ...this.#security(installed)
    }
  }

  /** Loads a plugin as the daemon does: `init`, `onActivate`, then everybody hears of it. */
  async load(installed: string, plugin: NewerPlugin): Promise<void> {
    const context = this.context(installed)
    await plugin.init?.(context as unknown as WOPRPluginContext)
    await plugin.onActivate?.(context)
    this.emit("plugin:activated", { plugin: installed })
  }

  /** Unloads it; what it registered is left, but for what the security registry knows to be its own. */
  async unload(installed: string, plugin: NewerPlugin): Promise<void> {
    this.emit("plugin:draining", { plugin: installed })
    await plugin.onDrain?.()
    await plugin.onDeactivate?.()
    await plugin.shutdown?.()
    this.emit("plugin:deactivated", { plugin: installed })
  }

  /** A model calls a tool by its bare name: enforcing, so a tool without a permission is refused to everybody. */
  async call(tool: string, given: Record<string, unknown> = {}): Promise<A2AToolResult> {
    const found = [...this.tools.values()].find(({ name }) => name === tool)
    if (found === undefined) throw new Error(`no tool ${tool}`)
    if (!this.toolPermissions.has(tool)) throw new Error(`Access denied: ${tool} has no permission`)
    return found.handler(checked(found.inputSchema, given) as Record<string, unknown>)
  }
}
