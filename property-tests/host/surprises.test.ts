/**
 * What the real host does that its papers do not say, each held against the stand-in: the stories are worth what this is.
 * It never tests the plugin; whoever makes the stand-in kinder than the real daemon fails here.
 * Each was seen in a run of version 2.0.2.
 */
import { describe, expect, it } from "vitest"
import { Bot, ChatRoom, Daemon, type NewerPlugin } from "./Host.ts"

const tool = (inputSchema: Record<string, unknown>) => {
  const daemon = new Daemon()
  const calls: Array<ReadonlyArray<unknown>> = []
  const handler = async (...given: ReadonlyArray<unknown>) => {
    calls.push(given)
    return { content: [{ type: "text" as const, text: "{}" }] }
  }
  const context = daemon.context("any")
  context.registerA2AServer({ name: "any", tools: [{ name: "t", description: "", inputSchema, handler }] })
  return { daemon, context, calls }
}

const noted = (): NewerPlugin & { readonly calls: Array<string> } => {
  const calls: Array<string> = []
  const note = (name: string) => async () => {
    calls.push(name)
  }
  return {
    name: "noted",
    version: "0",
    calls,
    init: note("init"),
    shutdown: note("shutdown"),
    onActivate: note("onActivate"),
    onDrain: note("onDrain"),
    onDeactivate: note("onDeactivate")
  }
}

describe("the stand-in surprises as the host does", () => {
  it("a tool is called with one argument, and nothing says which conversation called", async () => {
    const { calls, context, daemon } = tool({ type: "object", properties: { a: { type: "string" } } })
    context.registerToolPermission("t", "p2p.read")
    await daemon.call("t", { a: "x" })
    expect(calls).toEqual([[{ a: "x" }]])
  })

  it("allowed values, bounds, patterns and whole numbers are dropped, and so are unknown arguments", async () => {
    const { calls, context, daemon } = tool({
      type: "object",
      properties: {
        word: { type: "string", enum: ["a"], pattern: "^a$" },
        count: { type: "integer", minimum: 3, maximum: 4 },
        list: { type: "array", items: { type: "string", enum: ["a"] }, maxItems: 1 }
      },
      required: ["word"],
      additionalProperties: false
    })
    context.registerToolPermission("t", "p2p.read")
    await daemon.call("t", { word: "zzz", count: 1.5, list: ["b", "c"], stray: true })
    expect(calls).toEqual([[{ word: "zzz", count: 1.5, list: ["b", "c"] }]])
    await expect(daemon.call("t", { word: 7 })).rejects.toThrow("expected string")
    await expect(daemon.call("t", {})).rejects.toThrow("required")
  })

  it("a tool without a permission is refused to everybody, and permissions have no underscore", async () => {
    const { calls, context, daemon } = tool({ type: "object", properties: {} })
    await expect(daemon.call("t")).rejects.toThrow("no permission")
    expect(calls).toEqual([])
    expect(() => context.registerPermission("p2p_read")).toThrow("format")
    expect(() => context.registerToolPermission("any:t", "p2p.read")).toThrow("bare name")
  })

  it("a provider that comes late is announced by nobody, and one that is put there anew is empty", () => {
    const daemon = new Daemon()
    const [room, heard] = [new ChatRoom("lobby"), [] as Array<unknown>]
    daemon.context("p2p").events.on("channel:registered", (payload) => heard.push(payload))
    daemon.context("p2p").events.on("plugin:activated", (payload) => heard.push(payload))
    const first = new Bot("discord", room, "ada")
    daemon.context("discord").registerChannelProvider(first)
    first.registerCommand({ name: "friend", description: "", handler: async () => {} })
    const anew = new Bot("discord", room, "ada")
    daemon.context("discord").registerChannelProvider(anew)
    expect([heard, anew.getCommands(), daemon.providers.get("discord")]).toEqual([[], [], anew])
  })

  it("enabling what is loaded begins a second copy, and the first is told nothing", async () => {
    const daemon = new Daemon()
    const [first, second] = [noted(), noted()]
    await daemon.load("p2p", first)
    await daemon.load("p2p", second)
    expect([first.calls, second.calls]).toEqual([
      ["init", "onActivate"],
      ["init", "onActivate"]
    ])
    await daemon.unload("p2p", second)
    expect(first.calls).toEqual(["init", "onActivate"])
    expect(second.calls.slice(2)).toEqual(["onDrain", "onDeactivate", "shutdown"])
  })

  it("what an unloaded plugin has left lying about stays", async () => {
    const { context, daemon } = tool({ type: "object", properties: {} })
    context.registerExtension("p2p", {})
    context.events.on("plugin:activated", () => {})
    await daemon.unload("any", noted())
    expect([daemon.tools.size, daemon.extensions.size, daemon.listeners("plugin:activated")]).toEqual([1, 1, 1])
  })

  it("the database gives rows to `raw` and takes changes by `run` alone; a table that nobody declared has no repository", async () => {
    const { storage } = new Daemon().context("p2p")
    await storage.run("CREATE TABLE t (a)")
    await expect(storage.raw("INSERT INTO t VALUES (1)")).rejects.toThrow("does not return data")
    await expect(storage.raw("DELETE FROM t")).rejects.toThrow("does not return data")
    expect(await storage.run("INSERT INTO t VALUES (1)")).toMatchObject({ changes: 1 })
    expect(await storage.raw("SELECT a FROM t")).toEqual([{ a: 1 }])
    await expect(storage.raw("SELECT * FROM p2p_identity")).rejects.toThrow("no such table")
    expect(() => storage.getRepository("p2p", "identity")).toThrow("Schema not registered")
  })

  it("a configuration is under the installed name only, and everything is there to be looked at", () => {
    const daemon = new Daemon({ p2p: { name: "ada" } })
    expect(daemon.context("@wopr-network/wopr-plugin-p2p").getConfig()).toEqual({})
    expect(daemon.context("p2p").getConfig()).toEqual({ name: "ada" })
    expect(daemon.context("any").getMainConfig("plugins.data")).toEqual({ p2p: { name: "ada" } })
  })

  it("a notification that another replaces is answered as if somebody had said no", async () => {
    const bot = new Bot("irc", new ChatRoom("home"), "ada")
    let denied = 0
    const onDeny = async () => {
      denied++
    }
    await bot.sendNotification("home", { type: "friend-request", from: "bob" }, { onDeny })
    await bot.sendNotification("home", { type: "friend-request", from: "eve" })
    expect(denied).toBe(1)
  })
})
