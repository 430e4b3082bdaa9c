/**
 * Every tool through the stand-in for the host: its good case, each bad argument, a stranger, an ambiguous name.
 * It never relies on what the host checks, which is little; what arrives here is what a real model could send.
 * Circles of agents are in `regressions/host.test.ts`; whole plugins in `plugin.test.ts`.
 */
import { Effect } from "effect"
import { afterEach, describe, expect, it, vi } from "vitest"
import type { Describe, Node } from "../../core/index.ts"
import * as Arguments from "../../plugin/host/Arguments.ts"
import * as Tool from "../../plugin/host/Tool.ts"
import * as Tools from "../../plugin/host/Tools.ts"
import * as Present from "../../plugin/Present.ts"
import type { Entry } from "../../ports/ConversationLog.ts"
import { befriend, makeWorld } from "../world/World.ts"
import { crowd, settled, stub } from "./Crowd.ts"
import { serve, sit } from "./Model.ts"
import { call, listIn } from "./Stage.ts"
import { rows } from "./ToolRows.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Two friends in a world, each with a model. */
const pair = async (mayGrant = false) => {
  const world = makeWorld()
  cleanups.push(() => world.end())
  const [ada, bob] = [await world.start("ada"), await world.start("bob")]
  await befriend(ada, bob)
  const seats = [await sit(ada, mayGrant), await sit(bob, mayGrant)] as const
  for (const seat of seats) cleanups.push(() => seat.end())
  return { ada, bob, model: seats[0].daemon, other: seats[1].daemon }
}

const goodOf = (tool: string): Record<string, unknown> => ({ ...rows[tool]?.good })
/** Whoever is meant put into the argument that says so. */
const named = (tool: string, who: string): Record<string, unknown> => {
  const { peer = "" } = rows[tool] ?? {}
  return { ...goodOf(tool), [peer]: who }
}
const naming = Object.keys(rows).filter((tool) => rows[tool]?.peer !== undefined)

describe("tools", () => {
  it("have names that fit, short descriptions, a permission each, and a key where they change something", () => {
    const daemon = serve({ off: "for the test" })
    expect(Tools.table.map(({ name }) => name).sort()).toEqual(Object.keys(rows).sort())
    for (const { changes, description, name } of Tools.table) {
      expect(name.length).toBeLessThanOrEqual(19)
      expect(description.length).toBeLessThanOrEqual(160)
      expect(daemon.toolPermissions.get(name)).toMatch(/^p2p\.(read|send|admin)$/)
      const schema = daemon.tools.get(`p2p:${name}`)?.inputSchema as { properties: object }
      expect(Object.hasOwn(schema.properties, "idempotencyKey")).toBe(changes)
    }
  })

  it.each(naming)("%s: nobody of that name, and several, each with whom to choose from", async (tool) => {
    const { commands, daemon } = stub(await crowd())
    const unknown = await call(daemon, tool, named(tool, "mallory"))
    expect(unknown).toMatchObject({ ok: false, isError: true, error: { code: "unknown-peer" } })
    expect(unknown.error?.candidates).toHaveLength(4)
    const several = await call(daemon, tool, named(tool, "@Bob"))
    expect(several.error?.code).toBe("ambiguous-name")
    expect(several.error?.candidates).toEqual([
      { name: "bob", shortId: "bbbbbbbb", identityKey: "b".repeat(43) },
      { name: "bob", shortId: "cccccccc", identityKey: "c".repeat(43) }
    ])
    // A name that is somebody's short id means both.
    expect((await call(daemon, tool, named(tool, "bbbbbbbb"))).error?.code).toBe("ambiguous-name")
    expect(commands).toEqual([])
    for (const who of ["carl", "@carl", "CARL", "dddddddd", "d".repeat(43), "d".repeat(64), "bob#c"]) {
      expect((await call(daemon, tool, named(tool, who))).error?.code ?? "", who).not.toMatch(/peer|ambiguous/)
    }
  })

  it.each(Tools.table)("$name: every argument of a wrong kind is named with what is allowed", async (tool) => {
    const { commands, daemon } = stub(await crowd())
    const handler = daemon.tools.get(`p2p:${tool.name}`)!.handler
    const good = goodOf(tool.name)
    for (const [key, { allowed, required }] of Object.entries(tool.takes)) {
      for (const wrong of [{}, "", 1.5, -1, 1e9, [1], ["*"], Number.NaN, "x".repeat(1_048_577)]) {
        if (Arguments.read({ [key]: tool.takes[key]! }, { [key]: wrong })._tag === "Success") continue
        const { content, isError } = await handler({ ...good, [key]: wrong })
        const { error } = JSON.parse(content[0]?.text ?? "")
        expect([isError, error.code]).toEqual([true, "bad-arguments"])
        expect(error.message).toBe(`${key}: allowed is ${allowed}`)
      }
      if (!required) continue
      const { [key]: _, ...without } = good
      const { content } = await handler(without)
      expect(JSON.parse(content[0]?.text ?? "").error.code).toBe("bad-arguments")
    }
    expect(JSON.parse((await handler({ ...good, zzz: 1 })).content[0]?.text ?? "").error.message).toContain('"zzz"')
    for (const nothing of [[], "x", 7]) {
      const { content } = await handler(nothing as never)
      expect(JSON.parse(content[0]?.text ?? "").error.code).toBe("bad-arguments")
    }
    expect(commands).toEqual([])
  })

  it.each(Tools.table)("$name: what comes of a good call, as a model reads it", async ({ name }) => {
    const view = await crowd()
    const entry = { id: "1", conversation: view.friends[2]!.peerId, label: "friend:p2p:carl(dddddd)", from: "carl" }
    const { daemon } = stub(view, [{ ...entry, atMs: 0, text: "hello" }], true)
    const { content, isError } = await daemon.call(name, goodOf(name))
    expect(isError).toBe(false)
    expect(settled(JSON.stringify(JSON.parse(content[0]?.text ?? ""), undefined, 1))).toMatchSnapshot()
  })

  it.each(Tools.table.filter(({ changes }) => changes))(
    "$name: a repeated call with the same key has the same answer, and happens once",
    async ({ name }) => {
      const { commands, daemon } = stub(await crowd(), [], true)
      const given = { ...goodOf(name), idempotencyKey: "k" }
      const first = await daemon.call(name, given)
      const happened = commands.length
      expect([happened, await daemon.call(name, given), commands.length]).toEqual([1, first, 1])
    }
  )

  it.each(Tools.table.flatMap(({ name }) => (rows[name]?.bad ?? []).map((bad) => ({ name, ...bad }))))(
    "$name $given: $code",
    async ({ code, given, mayGrant = true, name }) => {
      const { commands, daemon } = stub(await crowd(), [], mayGrant)
      const { error } = await call(daemon, name, { ...goodOf(name), ...given })
      expect(error?.code).toBe(code)
      expect(error?.hint).not.toBe("")
      expect(commands).toEqual([])
    }
  )

  it("p2p_get_identity, p2p_status, p2p_friends, p2p_list_peers, p2p_list_grants tell what is", async () => {
    const { ada, bob, model } = await pair()
    const us = await ada.describe()
    expect((await call(model, "p2p_get_identity")).data).toEqual({ name: "ada", identityKey: us.identityKey })
    expect((await call(model, "p2p_status")).data).toMatchObject({ state: "on", name: "ada", friends: 1, requests: 0 })
    expect((await call(model, "p2p_friends")).data).toMatchObject({
      friends: [{ name: "bob", theyMay: ["message"], youMay: ["message"] }]
    })
    const key = (await bob.describe()).identityKey
    expect((await call(model, "p2p_list_peers")).data).toMatchObject({
      friends: [{ name: "bob", identityKey: key, author: "same", metIn: "room:lobby" }],
      requests: []
    })
    expect((await call(model, "p2p_list_grants", { includeRevoked: true })).data).toMatchObject({
      grants: [{ name: "bob", peerKey: key, caps: ["message"] }]
    })
  })

  it("p2p_log_message and p2p_inject_message give an id at once and the outcome if it comes in time", async () => {
    const { ada, bob, model, other } = await pair()
    const sent = await call(model, "p2p_log_message", { peer: "bob", message: "one", timeoutMs: 8_000 })
    expect(sent.data).toMatchObject({ state: "delivered" })
    const later = await call(model, "p2p_log_message", { peer: "bob", message: "two" })
    expect(later.data).toMatchObject({ state: "waiting" })
    const end = await call(model, "p2p_wait", { id: later.data?.["id"], timeoutMs: 8_000 })
    expect(end.data).toEqual({ id: later.data?.["id"], state: "delivered" })
    await bob.command({ _tag: "Grant", name: "ada", keyPrefix: "", capability: "inject" })
    await ada.wait("GrantChanged", ({ capabilities }) => capabilities.includes("inject"))
    const asked = await call(model, "p2p_inject_message", { peer: "bob", message: "three", timeoutMs: 8_000 })
    expect(asked.data).toMatchObject({ state: "answered", answer: "you asked: three", untrusted: true })
    await bob.shown("ada")
    const inbox = await call(other, "p2p_inbox", { peer: "ada" })
    const texts = listIn<{ readonly id: string; readonly text: string }>(inbox, "texts")
    expect(texts.map(({ text }) => text)).toEqual(["one", "two", "three"])
    const rest = await call(other, "p2p_inbox", { after: texts[0]?.id, limit: 5 })
    expect(listIn<(typeof texts)[number]>(rest, "texts").map(({ text }) => text)).toEqual(["two", "three"])
    expect((await call(model, "p2p_wait", { id: "f".repeat(32) })).error?.code).toBe("unknown-message")
    expect((await call(model, "p2p_wait", { timeoutMs: 10 })).data).toEqual({ state: "silence" })
  })

  it("a conversation other than the friend's own is refused, for sending and for granting", async () => {
    const { ada, model } = await pair(true)
    const own = (await ada.describe()).friends[0]!.conversation
    for (const session of ["main", "*", "friend:p2p:carl(123456)"]) {
      expect((await call(model, "p2p_log_message", { peer: "bob", message: "x", session })).error?.code).toBe(
        "not-a-peer-conversation"
      )
      expect((await call(model, "p2p_inject_message", { peer: "bob", message: "x", session })).error?.code).toBe(
        "not-a-peer-conversation"
      )
      const granted = await call(model, "p2p_grant_access", { peerKey: "bob", sessions: [session], caps: ["inject"] })
      expect(granted.error?.code).toBe("not-a-peer-conversation")
    }
    expect((await call(model, "p2p_log_message", { peer: "bob", message: "x", session: own })).ok).toBe(true)
    expect((await ada.describe()).friends[0]!.capabilities).toEqual(["message"])
  })

  it("p2p_grant_access widens nothing unless the owner has said that tools may; p2p_revoke_peer ends all", async () => {
    const { ada, model } = await pair(false)
    const refused = await call(model, "p2p_grant_access", { peerKey: "bob", caps: ["inject"] })
    expect(refused.error).toMatchObject({ code: "owner-decides", hint: expect.stringContaining("/grant @bob inject") })
    expect((await ada.describe()).friends[0]!.capabilities).toEqual(["message"])
    const trusting = await pair(true)
    const granted = await call(trusting.model, "p2p_grant_access", { peerKey: "bob", caps: ["message", "inject"] })
    expect(granted.data).toMatchObject({ name: "bob", caps: ["message", "inject"] })
    expect((await call(model, "p2p_revoke_peer", { peerId: "bob" })).data).toMatchObject({ state: "ended" })
    expect((await ada.describe()).friends).toEqual([])
  })

  it("a repeated call with the same key is carried out once; the same key for something else is refused", async () => {
    const { commands, daemon } = stub(await crowd())
    const given = { peer: "carl", message: "hi", idempotencyKey: "k" }
    const [one, two] = await Promise.all([
      call(daemon, "p2p_log_message", given),
      call(daemon, "p2p_log_message", given)
    ])
    expect(two).toEqual(one)
    expect(commands).toHaveLength(1)
    const other = await call(daemon, "p2p_log_message", { ...given, message: "ho" })
    expect(other.error?.code).toBe("idempotency-conflict")
    await call(daemon, "p2p_log_message", { ...given, idempotencyKey: "other" })
    expect(commands).toHaveLength(2)
    // What was refused may be tried again with its key.
    await call(daemon, "p2p_log_message", { ...given, peer: "bob", idempotencyKey: "x" })
    expect((await call(daemon, "p2p_log_message", { ...given, idempotencyKey: "x" })).ok).toBe(true)
  })

  it("texts of friends come quoted, bounded and with whose they are; those of ours are marked", async () => {
    const view = await crowd()
    const entry = (id: string, text: string, ours?: true): Entry => ({
      id,
      conversation: view.friends[2]!.peerId,
      label: "friend:p2p:carl(dddddd)",
      atMs: 1_000 + Number(id),
      from: "admin\u202e",
      text,
      ...(ours === undefined ? {} : { ours })
    })
    const { daemon } = stub(view, [
      entry("1", "x".repeat(100_000)),
      entry("2", "\u001b[2J\u202e"),
      entry("3", "ours", true)
    ])
    const { content } = await daemon.call("p2p_inbox", { peer: "carl" })
    expect(Present.harmless(content[0]?.text ?? "")).toBe(content[0]?.text)
    const { data } = JSON.parse(content[0]?.text ?? "")
    expect(data.note).toContain("no instructions")
    expect(data.texts).toMatchObject([
      { from: "friend @carl, unverified, untrusted", cutFrom: 100_000, untrusted: true },
      { text: "\u001b[2J\u202e", untrusted: true },
      { from: "our own agent to @carl, untrusted", untrusted: true }
    ])
    expect(data.texts[0].text.length).toBe(8_000)
  })

  it("nothing blocks longer than half a minute, and what breaks inside is an answer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] })
    cleanups.push(() => vi.useRealTimers())
    const slow = { ...stub({} as Describe.Description), view: Effect.never }
    const world = {
      node: { describe: Effect.never } as unknown as Node.Node,
      follow: slow.follow,
      log: { append: () => Effect.void, remove: () => Effect.void, read: () => Effect.succeed([]) },
      mayGrant: false,
      mayReply: false
    }
    const answer = call(serve(world), "p2p_friends")
    await vi.advanceTimersByTimeAsync(30_000)
    expect((await answer).error?.code).toBe("timed-out")
    const broken = { ...world, node: { describe: Effect.die(new Error("broken")) } as unknown as Node.Node }
    expect((await call(serve(broken), "p2p_friends")).error?.code).toBe("internal-error")
    expect(Tool.waitMaxMs).toBeLessThan(30_000)
  })

  it("while the node does not run, status says why and every other tool refuses with a hint", async () => {
    const daemon = serve({ off: "the disk is full" })
    expect((await call(daemon, "p2p_status")).data).toEqual({ state: "off", why: "the disk is full" })
    for (const { name } of Tools.table.filter((tool) => tool.name !== "p2p_status")) {
      const answer = await call(daemon, name, goodOf(name))
      expect([name, answer.error?.code]).toEqual([name, "not-running"])
    }
  })
})
