/**
 * What the former plugin promised inside its host and did not keep: 17 commands for their owner, 18 circles, 24 tools.
 * Each test is named after the promise, and does what used to break it.
 * Circles are played by nodes whose agents answer everything by asking somebody, as fast as they can.
 */
import { readFileSync } from "node:fs"
import { Effect } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import type * as MemorySandbox from "../../adapters/memory/Sandbox.ts"
import * as Grafts from "../../adapters/wopr/Grafts.ts"
import { Limits, type Rejection } from "../../core/index.ts"
import * as Commands from "../../plugin/Commands.ts"
import * as ChatCommands from "../../plugin/host/ChatCommands.ts"
import * as Tools from "../../plugin/host/Tools.ts"
import { Bot, ChatRoom, Daemon } from "../host/Host.ts"
import { sit } from "../host/Model.ts"
import { call } from "../host/Stage.ts"
import { type Actor, befriend, makeWorld, pause, says, until } from "../world/World.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A bot whose commands go to a desk that notes what reached it. */
const desk = (owners: ChatCommands.Owners) => {
  const room = new ChatRoom("lobby")
  const bot = new Bot("discord", room, "bot")
  const carried: Array<string> = []
  const answer = async (line: string, channel: string) => {
    carried.push(`${channel} ${line}`)
    return ["done"]
  }
  ChatCommands.graft({ owners, answer })(bot)
  return { room, bot, carried }
}

describe("17 · slash commands are for you", () => {
  const typed = ChatCommands.names().map(({ name }) => `/${name} @bob inject`)

  it("a stranger who types any command is met with silence, and nothing happens", async () => {
    const { bot, carried, room } = desk({ discord: ["me"] })
    for (const line of [...typed, "/grant @me inject", "/auto-accept add *", "/p2p grant @me inject", "/p2p"]) {
      for (const sender of ["mallory", "Me", "me ", " me", "@me", "", "bot"]) await room.say(sender, line)
    }
    expect([carried, bot.replies]).toEqual([[], []])
  })

  it("an owner of another provider is a stranger here", async () => {
    const { bot, carried, room } = desk({ telegram: ["me"], discord: ["you"], constructor: ["me"] })
    await room.say("me", "/friends")
    expect([carried, bot.replies]).toEqual([[], []])
  })

  it("the owner's commands are carried out, each under its own name and under /p2p", async () => {
    const { bot, carried, room } = desk({ discord: ["me"] })
    await room.say("me", "/grant @bob inject")
    await room.say("me", "/p2p grant @bob inject")
    await room.say("me", "/p2p help")
    await room.say("me", "/p2p")
    expect(carried.slice(0, 3)).toEqual([
      "discord:lobby /grant @bob inject",
      "discord:lobby /grant @bob inject",
      "discord:lobby /help"
    ])
    expect(carried[3]).toMatch(/^discord:lobby \/(status|p2p)$/)
    expect(bot.replies).toEqual(["done", "done", "done", "done"])
    for (const { name } of Commands.table) expect(ChatCommands.lineOf("p2p", [name, "x"])).toBe(`/${name} x`)
  })

  it("where nobody is an owner, the first who tries is told once how to become one, and nobody else anything", async () => {
    const { bot, carried, room } = desk({})
    await room.say("me", "/friends")
    await room.say("mallory", "/friends")
    await room.say("me", "/grant @bob inject")
    expect(carried).toEqual([])
    expect(bot.replies).toHaveLength(1)
    expect(bot.replies[0]).toContain('"owners": {"discord":["me"]}')
  })

  it("a word that another plugin has taken stays its own; ours is reached as /p2p word", async () => {
    const room = new ChatRoom("lobby")
    const bot = new Bot("discord", room, "bot")
    let theirs = 0
    bot.registerCommand({
      name: "friends",
      description: "theirs",
      handler: async () => {
        theirs++
      }
    })
    const graft = ChatCommands.graft({ owners: { discord: ["me"] }, answer: async () => ["ours"] })(bot)
    await room.say("me", "/friends")
    await room.say("me", "/p2p friends")
    expect([theirs, bot.replies]).toEqual([1, ["ours"]])
    graft.remove()
    expect(bot.getCommands().map(({ name }) => name)).toEqual(["friends"])
  })

  it("a long answer comes in few pieces that the chat system carries", () => {
    const long = ChatCommands.pieces(
      Array.from({ length: 400 }, (_, index) => `${index} ${"é".repeat(40)}`),
      500
    )
    expect(long).toHaveLength(5)
    for (const piece of long) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(500)
    expect(long.at(-1)).toContain("more than fits")
    expect(ChatCommands.pieces(["é".repeat(600)], 500)[0]?.length).toBeLessThanOrEqual(250)
  })

  it("a provider that fails, or a desk that does, leaves no rejection to the host", async () => {
    const room = new ChatRoom("lobby")
    const bot = new Bot("discord", room, "bot")
    const answer = () => Promise.reject(new Error("the desk is broken"))
    ChatCommands.graft({ owners: { discord: ["me"] }, answer })(bot)
    await expect(room.say("me", "/friends")).resolves.toBeUndefined()
    const daemon = new Daemon()
    daemon.providers.set("a", { id: "a" } as never)
    daemon.providers.set("b", undefined as never)
    const scoped = Effect.scoped(
      Grafts.keep({ host: daemon.context("p2p"), graft: ChatCommands.graft({ owners: {}, answer }) })
    )
    await expect(Effect.runPromise(scoped)).resolves.toBeUndefined()
  })
})

/** Whose agent answers everything it is asked by asking another; until when, and how many came through. */
const circle = async (
  names: ReadonlyArray<string>,
  next: (index: number) => number,
  waits: "running" | "ended",
  by: "command" | "tool" = "command"
) => {
  const world = makeWorld()
  cleanups.push(() => world.end())
  const actors: Array<Actor> = []
  // Slow enough for whoever asks while it runs.
  const script: MemorySandbox.Script = () =>
    Effect.delay(Effect.succeed(Uint8Array.of(0x79)), waits === "running" ? 100 : 0)
  for (const name of names) actors.push(await world.start(name, { script }))
  for (const [index, actor] of actors.entries()) {
    for (const other of actors.slice(index + 1)) await befriend(actor, other)
  }
  for (const actor of actors) {
    for (const other of actors) if (other !== actor) await actor.command(says.grant(other.name, "inject"))
  }
  const seats = await Promise.all(by === "tool" ? actors.map((actor) => sit(actor, false, { mayReply: true })) : [])
  for (const seat of seats) cleanups.push(() => seat.end())
  const refusals: Array<Rejection.Code> = []
  let [asked, quietSinceMs] = [0, performance.now()]
  const ask = async (index: number): Promise<void> => {
    if (by === "tool") {
      // The answer is waited for by nobody: the host's agent goes on.
      const given = { peer: actors[next(index)]!.name, message: "again" }
      quietSinceMs = performance.now()
      asked++
      void call(seats[index]!.daemon, "p2p_inject_message", given).then(({ error }) => {
        if (error === undefined) return
        asked--
        refusals.push(error.code as Rejection.Code)
      })
      return
    }
    const reply = await actors[index]!.command({
      ...says.inject(actors[next(index)]!.name, "again"),
      byTool: true
    } as never)
    quietSinceMs = performance.now()
    if (reply.ok) asked++
    else refusals.push(reply.rejection.code)
  }
  const seen = actors.map(() => 0)
  let playing = true
  cleanups.push(() => {
    playing = false
  })
  const tag = waits === "running" ? "JobStarted" : "JobEnded"
  const play = async () => {
    while (playing) {
      for (const [index, { events }] of actors.entries()) {
        for (; seen[index]! < events.length; seen[index]!++) {
          const event = events[seen[index]!]
          if (event?._tag === tag) await ask(index)
          // The friend's own limits may end it first.
          if (event?._tag === "Refused") refusals.push(event.rejection.code)
        }
      }
      await pause(2)
    }
  }
  void play()
  await ask(0)
  // Stopped is: somebody was refused, and then nothing more came.
  const quiet = () => refusals.length > 0 && performance.now() - quietSinceMs > 700
  await until("the circle has stopped", quiet, 28_000)
  return { asked, refusals }
}

describe("18 · recursive injects are blocked", () => {
  it("while a friend's question runs, a tool asks that friend nothing: a pair stops at once", async () => {
    const { asked, refusals } = await circle(["ada", "bob"], (index) => 1 - index, "running")
    expect([asked, refusals]).toEqual([1, ["chain-busy"]])
  })

  it("a pair of host agents that answer by calling the tool stops under the printed bound", async () => {
    const { asked, refusals } = await circle(["ada", "bob"], (index) => 1 - index, "ended", "tool")
    expect([...new Set(refusals)]).toEqual(["chain-budget"])
    expect(asked).toBeLessThanOrEqual(2 * Limits.toolInjectsPerPeerPerHour)
    expect(asked).toBeGreaterThan(Limits.toolInjectsPerPeerPerHour)
  })

  it("a pair that waits until the question has ended stops at the budget", async () => {
    const { asked, refusals } = await circle(["ada", "bob"], (index) => 1 - index, "ended")
    expect(refusals).toEqual(["chain-budget"])
    expect(asked).toBeLessThanOrEqual(2 * Limits.toolInjectsPerPeerPerHour)
    expect(asked).toBeGreaterThan(Limits.toolInjectsPerPeerPerHour)
  })

  it("a ring of three whose agents wait until the question has ended stops at the budget", async () => {
    const { asked, refusals } = await circle(["ada", "bob", "cyd"], (index) => (index + 1) % 3, "ended")
    expect(refusals).toEqual(["chain-budget"])
    expect(asked).toBeLessThanOrEqual(3 * Limits.toolInjectsPerPeerPerHour)
    expect(asked).toBeGreaterThan(2 * Limits.toolInjectsPerPeerPerHour)
  })

  it("a ring of three whose agents ask while they are asked stops at the budget, or before at a friend's own limit", async () => {
    const { asked, refusals } = await circle(["ada", "bob", "cyd"], (index) => (index + 1) % 3, "running")
    expect(["chain-budget", "too-many-jobs"]).toEqual(expect.arrayContaining([...new Set(refusals)]))
    expect(asked).toBeLessThanOrEqual(3 * Limits.toolInjectsPerPeerPerHour)
  })

  it("of two questions of a friend the end of the first clears nothing for the second", async () => {
    const world = makeWorld()
    cleanups.push(() => world.end())
    const answer = (text: string, ms: number) => Effect.delay(Effect.succeed(new TextEncoder().encode(text)), ms)
    const [ada, bob] = [
      await world.start("ada"),
      await world.start("bob", {
        script: (job) => answer("yes", new TextDecoder().decode(job.input) === "slow" ? 3_000 : 1) as never
      })
    ]
    await befriend(ada, bob)
    await ada.command(says.grant("bob", "inject"))
    await bob.command(says.grant("ada", "inject"))
    const model = await sit(bob)
    cleanups.push(() => model.end())
    const back = () => call(model.daemon, "p2p_inject_message", { peer: "ada", message: "you?", timeoutMs: 5_000 })
    await ada.command(says.inject("bob", "slow"))
    await ada.command(says.inject("bob", "quick"))
    await bob.wait("JobEnded")
    expect((await back()).error?.code).toBe("chain-busy")
    await until("both have ended", () => bob.events.filter(({ _tag }) => _tag === "JobEnded").length === 2)
    expect((await back()).data).toMatchObject({ state: "answered" })
  })

  it("a question that waits for its owner counts as one that runs", async () => {
    const world = makeWorld()
    cleanups.push(() => world.end())
    const [ada, bob] = [await world.start("ada"), await world.start("bob")]
    await befriend(ada, bob)
    await bob.command(says.grant("ada", "inject"))
    await bob.command({ _tag: "Hold", name: "ada", keyPrefix: "", when: "always" })
    await ada.command(says.inject("bob", "may I?"))
    const { id } = await bob.wait("InjectHeld")
    const ask = { ...says.inject("ada", "echo"), byTool: true } as Parameters<typeof bob.command>[0]
    expect(await bob.command(ask)).toMatchObject({ ok: false, rejection: { code: "chain-busy" } })
    expect((await bob.command(says.inject("ada", "my owner asks"))).ok).toBe(true)
    await bob.command({ _tag: "Refuse", id: id.slice(0, 8) })
    expect((await bob.command(ask)).ok).toBe(true)
  })

  it("one budget for all friends together ends what no friend's own budget does", async () => {
    const world = makeWorld()
    cleanups.push(() => world.end())
    const hub = await world.start("hub")
    const names = ["ada", "bob", "cyd"]
    for (const name of names) await befriend(await world.start(name), hub)
    let asked = 0
    for (let round = 0; round < Limits.toolInjectsPerPeerPerHour; round++) {
      for (const name of names) {
        const reply = await hub.command({ ...says.inject(name, "?"), byTool: true } as Parameters<
          typeof hub.command
        >[0])
        if (reply.ok) asked++
        else expect(reply.rejection).toMatchObject({ code: "chain-budget", retryAfterMs: expect.any(Number) })
      }
    }
    expect(asked).toBe(Limits.toolInjectsPerHour)
  })
})

describe("24 · tools", () => {
  it("bounds and allowed values that the host drops are checked here, and every error is one JSON object", async () => {
    const world = makeWorld()
    cleanups.push(() => world.end())
    const [ada, bob] = [await world.start("ada"), await world.start("bob")]
    await befriend(ada, bob)
    const model = await sit(ada, true)
    cleanups.push(() => model.end())
    // The host lets all of these through: it keeps types only.
    const answers = [
      await call(model.daemon, "p2p_grant_access", { peerKey: "bob", caps: ["*"] }),
      await call(model.daemon, "p2p_grant_access", { peerKey: "bob", caps: ["admin"] }),
      await call(model.daemon, "p2p_inject_message", { peer: "bob", message: "x", timeoutMs: 1.5 }),
      await call(model.daemon, "p2p_inject_message", { peer: "bob", message: "x", timeoutMs: -1 }),
      await call(model.daemon, "p2p_inbox", { limit: 1e12 }),
      await call(model.daemon, "p2p_log_message", { peer: "bob", message: "" })
    ]
    for (const answer of answers) {
      expect(answer).toMatchObject({ ok: false, isError: true, error: { code: "bad-arguments" } })
      expect(answer.error?.message).toContain("allowed is")
      expect(answer.error?.hint).not.toBe("")
    }
    expect((await ada.describe()).friends[0]?.capabilities).toEqual(["message"])
  })

  it("what a friend refuses is an error of the tool, at once and to whoever waits for it later", async () => {
    const world = makeWorld()
    cleanups.push(() => world.end())
    const [ada, bob] = [await world.start("ada"), await world.start("bob")]
    await befriend(ada, bob)
    const model = await sit(ada)
    cleanups.push(() => model.end())
    const asked = await call(model.daemon, "p2p_inject_message", { peer: "bob", message: "?", timeoutMs: 8_000 })
    const refused = { ok: false, isError: true, error: { code: "no-capability", hint: expect.any(String) } }
    expect(asked).toMatchObject(refused)
    const { id } = asked.error as unknown as { readonly id: string }
    expect(await call(model.daemon, "p2p_wait", { id })).toMatchObject(refused)
    // Another start knows no more than the node's own list of refusals.
    const again = await sit(ada)
    cleanups.push(() => again.end())
    await pause(50)
    expect(await call(again.daemon, "p2p_wait", { id })).toMatchObject(refused)
  })

  it("the README lists each tool, and the bounds at which circles end", () => {
    const page = readFileSync(new URL("../../README.md", import.meta.url), "utf8").replace(/\s+/g, " ")
    for (const { name } of Tools.table) expect(page).toContain(`\`${name}\``)
    expect(page).toContain(
      `one friend ${Limits.toolInjectsPerPeerPerHour} times an hour and all friends together ${Limits.toolInjectsPerHour} times`
    )
  })

  it("every tool has a permission of its own kind, so an enforcing host refuses none", async () => {
    const daemon = new Daemon()
    const world = makeWorld()
    cleanups.push(() => world.end())
    const model = await sit(await world.start("ada"))
    cleanups.push(() => model.end())
    expect([...model.daemon.permissions.keys()].sort()).toEqual(["p2p.admin", "p2p.read", "p2p.send"])
    for (const { name } of Tools.table) expect(model.daemon.toolPermissions.has(name)).toBe(true)
    expect(daemon.tools.size).toBe(0)
  })
})
