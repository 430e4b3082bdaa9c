/**
 * The whole story of a user with two daemons, as it was played in the real host, in the stand-in: from a channel to a kill.
 * It types, calls tools and reads what came back; nothing here knows the inside of the plugin.
 * The daemon that is killed is a process of its own, which like the real one asks nobody to shut down.
 */
import { spawn } from "node:child_process"
import { Effect, Exit, Scope } from "effect"
import { afterEach, expect, it } from "vitest"
import { type Asked, serve } from "../../adapters/openai/ScriptedServer.ts"
import { withEngine } from "../conformance/docker-engine.ts"
import { until } from "../world/World.ts"
import { ChatRoom, type NewerPlugin } from "./Host.ts"
import { call, listIn, loadable, makeStage, type Resident } from "./Stage.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A model that asks the agent's shell who it is, and repeats what that says. */
const model = async (): Promise<string> => {
  const scope = Effect.runSync(Scope.make())
  cleanups.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const script = ({ body }: Asked) => {
    const { messages = [] } = body as { readonly messages?: ReadonlyArray<{ role: string; content: string }> }
    const last = messages.at(-1)
    return last?.role === "tool"
      ? { pieces: [{ kind: "text" as const, text: `uid ${last.content.split("\n")[0]}` }], end: "done" as const }
      : {
          pieces: [{ kind: "call" as const, call: { id: "1", name: "shell", input: '{"command":"id -u"}' } }],
          end: "done" as const
        }
  }
  return (await Effect.runPromise(Scope.provide(serve(script), scope))).baseUrl
}

const data = async ({ daemon }: Resident, tool: string, given: Record<string, unknown> = {}) => {
  const answer = await call(daemon, tool, given)
  expect(answer, `${tool} ${JSON.stringify(given)}`).toMatchObject({ ok: true })
  return answer.data ?? {}
}
const namesOf = async (one: Resident) =>
  listIn<{ readonly name: string }>(await call(one.daemon, "p2p_friends"), "friends").map(({ name }) => name)
const textsOf = async (one: Resident) =>
  listIn<{ readonly text: string }>(await call(one.daemon, "p2p_inbox", { limit: 50 }), "texts").map(({ text }) => text)
const isUp = async ({ plugin }: Resident) => (await plugin.healthCheck()).healthy

/** Loads the plugin in a daemon of its own process, does something meanwhile, and kills that daemon as the host dies. */
const killedAmid = async (one: Resident, meanwhile: () => Promise<unknown>): Promise<void> => {
  const script = new URL("./daemon.process.ts", import.meta.url).pathname
  const child = spawn(process.execPath, [script, "stay", JSON.stringify(one.daemon.configs["p2p"])])
  cleanups.push(() => child.kill("SIGKILL"))
  let printed = ""
  child.stdout.on("data", (bytes) => (printed += String(bytes)))
  await until("the other process is up", () => printed.includes('{"healthy":true}'), 30_000)
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on("close", (_, signal) => resolve(signal)))
  await meanwhile()
  child.kill("SIGTERM")
  expect(await ended).toBe("SIGTERM")
}

withEngine("the whole story", () => {
  it("friending, messages, grant, answers, invite, topics, new keys, reload, disabling, a kill in the middle", async () => {
    const stage = await makeStage()
    cleanups.push(() => stage.end())
    const [room, elsewhere] = [new ChatRoom("lobby"), new ChatRoom("elsewhere")]
    const answers = { sandbox: "agent", model: "m", modelUrl: await model() }
    const replying = { toolsMayReply: true }
    const [ada, bob] = [await stage.resident("ada", room, replying), await stage.resident("bob", room, answers)]
    const eve = await stage.resident("eve", elsewhere, { toolsMayGrant: true })
    await until("all are up", async () => (await Promise.all([ada, bob, eve].map(isUp))).every(Boolean), 30_000)

    await room.say("owner-of-ada", "/friend @bob")
    await until("bob's owner is told", () => bob.daemon.logs.some((line) => line.includes("ada asks to be friends")))
    await room.say("owner-of-bob", "/accept @ada")
    await until("they are friends", async () => (await namesOf(ada)).includes("bob"), 20_000)
    const hello = { peer: "bob", message: "hello", timeoutMs: 20_000 }
    expect(await data(ada, "p2p_log_message", hello)).toMatchObject({ state: "delivered" })

    const question = { peer: "bob", message: "who are you?", timeoutMs: 25_000 }
    expect((await call(ada.daemon, "p2p_inject_message", question)).error?.code).toBe("no-capability")
    await room.say("owner-of-bob", "/grant @ada inject")
    const ready = async () => (await data(bob, "p2p_status"))["answersFriends"] === true
    await until("bob's sandbox is ready", ready, 60_000)
    expect(await data(ada, "p2p_inject_message", question)).toMatchObject({ state: "answered", answer: "uid 65534" })

    const { identityKey } = await data(eve, "p2p_get_identity")
    await room.say("owner-of-bob", `/p2p invite for ${identityKey}`)
    const link = bob.bot.replies.find((text) => text.startsWith("wop3://"))
    expect(await data(eve, "p2p_claim_invite", { token: link, timeoutMs: 20_000 })).toMatchObject({ state: "friends" })

    await room.say("owner-of-ada", "/p2p topic join chess")
    await data(eve, "p2p_join_topic", { topic: "chess" })
    const knownTo = async () => listIn<{ name: string }>(await call(eve.daemon, "p2p_discover_peers"), "peers")
    await until("eve finds ada", async () => (await knownTo()).some(({ name }) => name === "ada"), 30_000)

    const before = (await data(eve, "p2p_get_identity"))["identityKey"]
    const rotated = await data(eve, "p2p_rotate_keys", { reason: "scheduled" })
    expect([rotated["oldKey"], rotated["newKey"] === before]).toEqual([before, false])
    await until("eve is back", () => isUp(eve), 30_000)
    const after = { peer: "bob", message: "under new keys", timeoutMs: 25_000 }
    await until("bob is found", async () => (await namesOf(eve)).includes("bob"))
    expect(await data(eve, "p2p_log_message", after)).toMatchObject({ state: "delivered" })

    const plugin: NewerPlugin = loadable(bob.plugin)
    await bob.daemon.unload("p2p", plugin)
    await bob.daemon.load("p2p", plugin)
    await until("bob is back", () => isUp(bob), 30_000)
    await bob.daemon.unload("p2p", plugin)
    const away = ["away 1", "away 2"]
    for (const message of away) await data(ada, "p2p_log_message", { peer: "bob", message })

    const amid = ["amid 1", "amid 2", "amid 3"]
    await killedAmid(bob, async () => {
      for (const message of amid) await data(ada, "p2p_log_message", { peer: "bob", message })
    })
    await bob.daemon.load("p2p", plugin)
    await until("bob is back", () => isUp(bob), 30_000)
    const all = async () => (await textsOf(bob)).filter((text) => [...away, ...amid].includes(text))
    await until("everything has come", async () => (await all()).length >= 5, 30_000)
    expect(await all()).toEqual([...away, ...amid])
    for (const { daemon } of [ada, bob, eve]) expect([daemon.injected, daemon.written]).toEqual([[], []])
  }, 240_000)
})
