/**
 * What another plugin of the daemon finds under `p2p`: two plugins become friends and talk through nothing else.
 * It never has more of it than the host hands out; what is on the host's bus is heard as any plugin hears it.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Rejection } from "../../core/index.ts"
import * as Announce from "../../plugin/host/Announce.ts"
import type { Extension } from "../../plugin/index.ts"
import { until } from "../world/World.ts"
import { ChatRoom, Daemon } from "./Host.ts"
import { loadable, makeStage, type Resident, type Stage } from "./Stage.ts"

let stage: Stage
beforeEach(async () => {
  stage = await makeStage()
})
afterEach(() => stage.end())

const extensionOf = ({ daemon }: Resident): Extension => {
  const found = daemon.context("probe").getExtension<Extension>("p2p")
  if (found === undefined) throw new Error("no extension")
  return found
}

const both = async () => {
  const room = new ChatRoom("lobby")
  const residents = [await stage.resident("ada", room), await stage.resident("bob", room)] as const
  const [ada, bob] = [extensionOf(residents[0]), extensionOf(residents[1])]
  await until("both are up", () => ada.status().on && bob.status().on, 20_000)
  return { room, ada, bob, residents }
}

/** The data of an answer that must be good. */
const good = async (answer: ReturnType<Extension["friends"]>): Promise<Record<string, unknown>> => {
  const one = await answer
  if (!one.ok) throw new Error(JSON.stringify(one.error))
  return one.data as Record<string, unknown>
}

describe("the extension", () => {
  it("makes friends by an invite, sends, asks, and tells what happens, also on the host's bus", async () => {
    const { ada, bob, residents } = await both()
    const onBus: Array<unknown> = []
    for (const name of Object.keys(Announce.says)) {
      residents[1].daemon.context("listener").events.on(name, (payload) => onBus.push([name, payload]))
    }
    const heard: Array<string> = []
    bob.events.on("p2p:friend:added", ({ name, by }) => heard.push(`${name} ${by}`))
    bob.events.on("p2p:friend:added", () => {
      throw new Error("a listener of another plugin is broken")
    })
    const stopped = bob.events.on("p2p:message:received", () => heard.push("never"))
    stopped()
    bob.events.on("p2p:message:received", ({ bytes, conversation, name }) =>
      heard.push(`${name} ${bytes} ${conversation}`)
    )

    const { link } = await good(ada.invites.create({ expireHours: 1 }))
    const { id } = await good(bob.invites.claim(String(link)))
    expect(await good(bob.wait({ id: String(id), timeoutMs: 20_000 }))).toEqual({ id, state: "friends" })
    expect(await good(bob.friends())).toMatchObject({ friends: [{ name: "ada" }] })
    await until(
      "ada knows",
      async () => ((await good(ada.friends()))["friends"] as ReadonlyArray<unknown>).length === 1
    )
    const sent = await good(ada.send("bob", "a text of ada's", { timeoutMs: 20_000, idempotencyKey: "once" }))
    expect(sent).toMatchObject({ state: "delivered" })
    expect(await good(ada.send("bob", "a text of ada's", { timeoutMs: 20_000, idempotencyKey: "once" }))).toEqual(sent)
    await until("bob hears of it", () => heard.length === 2)
    expect(heard).toEqual(["ada invite", expect.stringMatching(/^ada 15 friend:p2p:ada\(/)])
    await until("it is in the inbox", async () => JSON.stringify(await bob.inbox()).includes("a text of ada's"))
    expect(await ada.inject("bob", "?", { timeoutMs: 20_000 })).toMatchObject({
      ok: false,
      error: { code: "no-capability" }
    })

    const names = onBus.map((one) => (one as readonly [string])[0])
    expect(names).toEqual(expect.arrayContaining(["p2p:friend:added", "p2p:message:received", "p2p:errand:ended"]))
    expect(JSON.stringify(onBus)).not.toContain("a text of ada's")
    expect(JSON.stringify(onBus)).not.toContain(String(link).slice(-20))
    for (const { daemon } of residents) expect(daemon.logs.join("\n")).not.toContain(String(link).slice(-20))
  }, 60_000)

  it("answers requests, joins topics and takes invites back; what is wrong is an answer", async () => {
    const { ada, bob, room } = await both()
    const pending: Array<string> = []
    bob.events.on("p2p:friendRequest:pending", ({ evidence, name }) => pending.push(`${name} ${evidence}`))
    await room.say("owner-of-ada", "/friend @bob")
    await until("bob is asked", () => pending.length === 1)
    expect(pending).toEqual(["ada same"])
    expect(await bob.deny("nobody")).toMatchObject({
      ok: false,
      error: { code: "unknown-peer", hint: expect.any(String) }
    })
    expect(await good(bob.deny("ada"))).toMatchObject({ id: expect.any(String) })
    expect(await good(bob.peers())).toMatchObject({ requests: [] })
    expect(await bob.accept("ada")).toMatchObject({ ok: false, error: { code: "unknown-peer" } })

    for (const one of [ada, bob]) expect(await good(one.topics.join("chess"))).toMatchObject({ state: "joined" })
    const known = async () =>
      (await good(ada.topics.discover("chess")))["peers"] as ReadonlyArray<{ readonly name: string }>
    await until("bob is known", async () => (await known())[0]?.name === "bob", 20_000)
    expect(await good(ada.topics.list())).toMatchObject({ topics: [{ topic: "chess", members: 1 }] })
    expect(await good(ada.topics.connect("bob"))).toMatchObject({ name: "bob", state: "waiting" })
    await until("bob is asked again", () => pending.length === 2, 20_000)
    expect(await good(bob.accept("ada"))).toMatchObject({ id: expect.any(String) })
    await until("they are friends", async () => JSON.stringify(await ada.friends()).includes('"bob"'), 20_000)
    expect(await good(ada.topics.leave("chess"))).toMatchObject({ state: "left" })

    const { id } = await good(ada.invites.create())
    await good(ada.invites.revoke(String(id)))
    expect(await good(ada.invites.list())).toMatchObject({ invites: [{ id, state: "revoked" }] })
    expect(await ada.invites.revoke("ffff")).toMatchObject({ ok: false, error: { code: "unknown-invite" } })
  }, 60_000)

  it("is taken away with the plugin, with its listeners and names; a kept one answers that the node does not run", async () => {
    const { ada, residents } = await both()
    const [{ daemon, plugin }] = residents
    expect(daemon.eventTypes.size).toBe(Object.keys(Announce.says).length)
    await daemon.unload("p2p", loadable(plugin))
    expect([daemon.eventTypes.size, daemon.context("probe").getExtension("p2p")]).toEqual([0, undefined])
    for (const answer of [ada.identity(), ada.send("bob", "x"), ada.accept("bob"), ada.topics.list()]) {
      expect(await answer).toMatchObject({ ok: false, error: { code: "not-running" } })
    }
  }, 60_000)

  it("a bus that refuses, or is none, costs nothing", () => {
    const alarm = { _tag: "Alarm", peerId: "p", name: "bob", rejection: Rejection.make("impostor") } as never
    const broken = () => {
      throw new Error("no")
    }
    for (const context of [
      {},
      { events: { registerEventType: broken, emitCustom: broken, unregisterEventType: broken } },
      { events: { emitCustom: () => Promise.reject(new Error("no")) } },
      new Daemon().context("p2p")
    ]) {
      const announcer = Announce.make(context as never)
      announcer.tell(alarm)
      announcer.end()
    }
  })
})
