/**
 * The control socket on real sockets: who gets in, who does not, and what a hostile or careless far end can cost.
 * It never needs a network or a container: the node behind it lives on memory adapters.
 * Whoever connects may be anything that runs on the machine, so each of them is tried with bytes and not with our client.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Effect, Exit, Redacted, Scope } from "effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as Bounds from "../../plugin/control/Bounds.ts"
import * as Client from "../../plugin/control/Client.ts"
import * as ControlFrame from "../../plugin/control/ControlFrame.ts"
import * as Place from "../../plugin/control/Place.ts"
import * as Proof from "../../plugin/control/Proof.ts"
import * as Server from "../../plugin/control/Server.ts"
import { makeWire, type Wire } from "../../plugin/control/Wire.ts"
import * as Present from "../../plugin/Present.ts"
import { type Actor, befriend, makeWorld } from "../world/World.ts"

const world = makeWorld()
let alice: Actor
let bob: Actor
const folders: Array<string> = []
const scopes: Array<Scope.Closeable> = []
const sockets: Array<Socket> = []

beforeAll(async () => {
  alice = await world.start("alice")
  bob = await world.start("bob")
  await befriend(alice, bob)
}, 30_000)
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const scope of scopes.splice(0)) await Effect.runPromise(Scope.close(scope, Exit.void))
})
afterAll(async () => {
  await Promise.all([alice.stop(), bob.stop()])
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-control-"))
  folders.push(folder)
  return folder
}

/** Serves alice on a folder; gives the socket's path and how to close it. */
const serve = async (folder: string, env: NodeJS.ProcessEnv = {}) => {
  const scope = Effect.runSync(Scope.make())
  scopes.push(scope)
  const served = { node: alice.node, channel: "lobby" }
  const path = await Effect.runPromise(Scope.provide(Server.serveControl(folder, served, env), scope))
  return { path, close: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const refusal = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "no error",
    (error: { code?: string; message?: string }) => `${error.code}: ${error.message}`
  )

/** A bare connection. */
const dial = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket))
    socket.on("error", reject)
    sockets.push(socket)
  })
const wireTo = async (path: string): Promise<Wire> => makeWire(await dial(path), true)
const gone = (socket: Socket, limitMs: number): Promise<boolean> =>
  Promise.race([
    new Promise<boolean>((resolve) => {
      if (socket.destroyed) resolve(true)
      socket.once("close", () => resolve(true))
      socket.resume()
    }),
    pause(limitMs, false)
  ])
const next = async (wire: Wire): Promise<unknown> => (await wire.next(1 << 20, 5_000))?.value
const ends = async (wire: Wire): Promise<boolean> => (await wire.next(1 << 20, 5_000)) === undefined

describe("a node's own programs", () => {
  it("ask, change, and wait for what comes of it, several on one connection", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, "control.key")).mode & 0o777).toBe(0o600)
    const client = await Client.reach(folder, {})
    try {
      expect(await client.ask({ kind: "line", line: "/friends" })).toMatchObject({
        ok: true,
        facts: { friends: [{ name: "bob" }] }
      })
      const sent = await client.ask({ kind: "command", name: "message", rest: "@bob over the socket", waitMs: 10_000 })
      expect(sent).toMatchObject({ ok: true, outcome: { event: "delivered", name: "bob" } })
      expect(await client.ask({ kind: "wait", message: String(sent.facts["id"]), waitMs: 5_000 })).toMatchObject({
        ok: true,
        outcome: { event: "delivered" }
      })
      expect(await client.ask({ kind: "line", line: "/inject @bob well?", waitMs: 10_000 })).toMatchObject({
        ok: false,
        code: "no-capability",
        outcome: { event: "refused" }
      })
      expect(await client.ask({ kind: "line", line: "/message @nobody x" })).toMatchObject({
        ok: false,
        code: "unknown-peer"
      })
      expect(await client.ask({ kind: "line", line: "/pigeon" })).toMatchObject({ ok: false, code: "usage" })
      expect(await client.ask({ kind: "line", line: "/friends", waitMs: 1_000 })).toMatchObject({ ok: true })
      expect(await client.ask({ kind: "line", line: "/grant @bob inject", waitMs: 1_000 })).toMatchObject({
        ok: false,
        code: "usage"
      })
      expect(await client.ask({ kind: "line", line: "/rotate compromise" })).toMatchObject({
        ok: false,
        code: "at-the-node"
      })
      expect(await client.ask({ kind: "line", line: "/quit" })).toMatchObject({ ok: false, code: "at-the-node" })
      expect(await client.ask({ kind: "wait", message: "abcdef", waitMs: 5_000 })).toMatchObject({
        ok: false,
        code: "unknown-message"
      })
      expect(await client.ask({ kind: "describe" })).toMatchObject({ ok: true, facts: { name: "alice" } })
    } finally {
      client.close()
    }
  })
  it("claim an invite and ask to connect, and wait for what comes of either, under one id", async () => {
    const folder = newFolder()
    await serve(folder)
    const invite = async () => {
      const reply = await bob.command({ _tag: "CreateInvite" })
      if (!reply.ok || reply.link === undefined) throw new Error("no invite")
      return { id: reply.id, link: Redacted.value(reply.link) }
    }
    const [good, bad] = [await invite(), await invite()]
    await bob.command({ _tag: "RevokeInvite", id: bad.id })
    const client = await Client.reach(folder, {})
    try {
      expect(await client.ask({ kind: "command", name: "claim", rest: good.link, waitMs: 20_000 })).toMatchObject({
        ok: true,
        facts: { id: good.id },
        outcome: { event: "errand-answered", kind: "claim", id: good.id }
      })
      const sent = await client.ask({ kind: "command", name: "claim", rest: bad.link })
      expect(sent).toMatchObject({ ok: true, facts: { id: bad.id } })
      expect(await client.ask({ kind: "wait", message: bad.id, waitMs: 20_000 })).toMatchObject({
        ok: false,
        code: "invite-refused",
        facts: { id: bad.id, why: expect.stringContaining("ask for a new one") }
      })
      // Whoever made it hears which of the reasons it was.
      const told = await bob.wait("PeerRefused", (event) => event.kind === "Claim")
      expect(Present.event(told).text).toMatch(/^alice tried an invite of yours and got nothing: revoked\. .*\/invites/)
      expect(await client.ask({ kind: "line", line: "/connect @nobody", waitMs: 1_000 })).toMatchObject({
        ok: false,
        code: "unknown-member"
      })
    } finally {
      client.close()
    }
  })
  it("find a node again after it was closed, and no socket in between", async () => {
    const folder = newFolder()
    const first = await serve(folder)
    await first.close()
    expect(existsSync(first.path)).toBe(false)
    expect(await refusal(Client.reach(folder, {}))).toMatch(/^not-running/)
    await serve(folder)
    const client = await Client.reach(folder, {})
    client.close()
  })
  it("are hung up on with the node, in the middle of waiting", async () => {
    const folder = newFolder()
    const { close } = await serve(folder)
    const client = await Client.reach(folder, {})
    await alice.command({ _tag: "Friend", channel: "lobby", to: "carol" })
    const asked = refusal(client.ask({ kind: "wait", message: "0123", waitMs: 60_000 }))
    await close()
    expect(await asked).toMatch(/^unreachable|no error/)
  })
  it("reach it in the runtime directory where the folder's path is too long for a socket", async () => {
    const folder = join(newFolder(), "deep".repeat(25))
    mkdirSync(folder, { mode: 0o700 })
    const runtime = newFolder()
    const env = { XDG_RUNTIME_DIR: runtime }
    const { path } = await serve(folder, env)
    expect(path.startsWith(`${runtime}/wopr-p2p-`)).toBe(true)
    ;(await Client.reach(folder, env)).close()
    expect(await refusal(serve(folder))).toMatch(/^path-too-long.*XDG_RUNTIME_DIR/)
  })
})

describe("places that others could reach", () => {
  it("are refused on both ends, with the command that closes them", async () => {
    const folder = newFolder()
    const { close } = await serve(folder)
    chmodSync(folder, 0o755)
    expect(await refusal(Client.reach(folder, {}))).toBe(
      `folder-open: ${folder} is open to other users (mode 0755): chmod 700 '${folder}'`
    )
    await close()
    expect(await refusal(serve(folder))).toMatch(/^folder-open: .*chmod 700/)
  })
  it("the key too: wider, a link, or of another length, it is none", async () => {
    const folder = newFolder()
    const path = join(folder, "control.key")
    await (await serve(folder)).close()
    chmodSync(path, 0o644)
    expect(await refusal(serve(folder))).toMatch(/^key-open: .*rm /)
    expect(await refusal(Client.reach(folder, {}))).toMatch(/^key-open/)
    rmSync(path)
    writeFileSync(path, "short", { mode: 0o600 })
    expect(await refusal(serve(folder))).toMatch(/^key-damaged: .*rm /)
    rmSync(path)
    writeFileSync(join(folder, "other"), Buffer.alloc(32), { mode: 0o600 })
    symlinkSync(join(folder, "other"), path)
    expect(await refusal(serve(folder))).toMatch(/^key-damaged/)
  })
})

describe("a socket that is there already", () => {
  it("of a dead process is replaced", async () => {
    const folder = newFolder()
    const { path, close } = await serve(folder)
    await close()
    // What `kill -9` leaves: a socket that nobody listens at.
    const { spawnSync } = await import("node:child_process")
    spawnSync(process.execPath, [
      "-e",
      `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`
    ])
    expect(existsSync(path)).toBe(true)
    await serve(folder)
    ;(await Client.reach(folder, {})).close()
  })
  it("of a living one is left where it is, and answers on", async () => {
    const folder = newFolder()
    await serve(folder)
    expect(await refusal(serve(folder))).toMatch(/^in-use/)
    ;(await Client.reach(folder, {})).close()
  })
})

describe("who does not know the key", () => {
  it("is hung up on: another key, no proof, anything else than a hello", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    const wrong = await wireTo(path)
    expect(await refusal(Client.open(wrong, Redacted.make(new Uint8Array(32))))).toMatch(/^not-proven/)
    for (const first of [
      {},
      null,
      [],
      { v: 2, nonce: "x" },
      { v: 1, nonce: "short" },
      { v: 1, id: 1, kind: "line", line: "/friends" }
    ]) {
      const wire = await wireTo(path)
      await wire.send(first)
      expect(await ends(wire)).toBe(true)
    }
    const unproven = await wireTo(path)
    await unproven.send(Proof.hello(new Uint8Array(32)))
    expect(Proof.readWelcome(await next(unproven))).toBeDefined()
    await unproven.send(Proof.answer(new Uint8Array(32)))
    await unproven.send({ v: 1, id: 1, kind: "line", line: "/unfriend @bob" })
    expect(await ends(unproven)).toBe(true)
    expect((await alice.describe()).friends).toHaveLength(1)
  })
  it("cannot replay what it has recorded: each connection has a nonce of the node's own", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    const key = (await Place.readKey(folder))!
    const client = new Uint8Array(32).fill(7)
    const honest = await wireTo(path)
    await honest.send(Proof.hello(client))
    const first = Proof.readWelcome(await next(honest))!
    const answer = Proof.answer(Proof.prove(key, "client", { client, node: first.nonce }))
    await honest.send(answer)
    await honest.send({ v: 1, id: 1, kind: "line", line: "/friends" })
    expect(await next(honest)).toMatchObject({ ok: true })
    const thief = await wireTo(path)
    await thief.send(Proof.hello(client))
    const second = Proof.readWelcome(await next(thief))!
    expect(second.nonce).not.toEqual(first.nonce)
    await thief.send(answer)
    await thief.send({ v: 1, id: 1, kind: "line", line: "/friends" })
    expect(await ends(thief)).toBe(true)
  })
  it("cannot have the node prove for it: a proof that is reflected has the wrong end's label", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    const wire = await wireTo(path)
    await wire.send(Proof.hello(new Uint8Array(32)))
    const { nonce, proof } = Proof.readWelcome(await next(wire))!
    // The same nonce on a second connection, and the proof of the first given back.
    await wire.send(Proof.answer(proof))
    expect(await ends(wire)).toBe(true)
    const other = await wireTo(path)
    await other.send(Proof.hello(nonce))
    const again = Proof.readWelcome(await next(other))!
    await other.send(Proof.answer(again.proof))
    expect(await ends(other)).toBe(true)
  })
  it("and put up a socket in the node's place, learns nothing of a client, not even what it came for", async () => {
    const folder = newFolder()
    const { path, close } = await serve(folder)
    await close()
    const heard: Array<unknown> = []
    const impostors: ReadonlyArray<(hello: { nonce: string }) => unknown> = [
      ({ nonce }) => ({ v: 1, nonce, proof: nonce }),
      () => Proof.welcome(new Uint8Array(32), new Uint8Array(32)),
      () => ({ v: 1 }),
      () => "welcome"
    ]
    for (const answer of impostors) {
      const server = createServer(async (socket) => {
        const wire = makeWire(socket, true)
        const hello = (await wire.next(1 << 20, 5_000))?.value as { nonce: string }
        await wire.send(answer(hello))
        for (let more = await wire.next(1 << 20, 2_000); more !== undefined; more = await wire.next(1 << 20, 2_000))
          heard.push(more.value)
      })
      await new Promise<void>((resolve) => server.listen(path, resolve))
      expect(await refusal(Client.reach(folder, {}))).toMatch(/^not-proven/)
      await new Promise((resolve) => server.close(resolve))
    }
    expect(heard).toEqual([])
  })
})

describe("a far end that means ill, or is broken", () => {
  it("and says nothing is hung up on within the time of an opening, also byte by byte", async () => {
    const { path } = await serve(newFolder())
    const silent = await dial(path)
    const slow = await dial(path)
    slow.on("error", () => {})
    const frame = ControlFrame.encode(Proof.hello(new Uint8Array(32)))
    const dripping = (async () => {
      for (const byte of frame) {
        if (slow.destroyed) return
        slow.write(Uint8Array.of(byte))
        await pause(60)
      }
    })()
    const both = await Promise.all([gone(silent, Bounds.openingMs + 2_000), gone(slow, Bounds.openingMs + 2_000)])
    expect(both).toEqual([true, true])
    await dripping
  })
  it("and announces more than an opening takes is dropped at the length; after it, at a request's", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    const head = (length: number) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(length)
      return bytes
    }
    const early = await dial(path)
    early.write(head(Bounds.openingBytesMax + 1))
    expect(await gone(early, 1_000)).toBe(true)
    const socket = await dial(path)
    await Client.open(makeWire(socket, true), (await Place.readKey(folder))!)
    socket.write(head(Bounds.requestBytesMax + 1))
    expect(await gone(socket, 1_000)).toBe(true)
  })
  it("and sends what is no request is dropped, and the node answers the others on", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    const key = (await Place.readKey(folder))!
    for (const bad of [{ v: 1, id: 1, kind: "shell" }, { v: 9, id: 1, kind: "describe" }, 7, null]) {
      const wire = await wireTo(path)
      await Client.open(wire, key)
      await wire.send(bad)
      expect(await ends(wire)).toBe(true)
    }
    ;(await Client.reach(folder, {})).close()
  })
  it("and comes a hundred times at once takes the places of those that open, for as long as an opening", async () => {
    const folder = newFolder()
    const { path } = await serve(folder)
    // Who has proven the key before keeps its place.
    const before = await Client.reach(folder, {})
    const flood = await Promise.all(Array.from({ length: 100 }, () => dial(path)))
    for (const socket of flood) socket.on("error", () => {}).resume()
    expect(await before.ask({ kind: "line", line: "/status" })).toMatchObject({ ok: true })
    // Beyond the places of an opening nobody is let wait.
    await pause(500)
    expect(flood.filter((socket) => !socket.destroyed)).toHaveLength(Bounds.openingsMax)
    const ended = await Promise.all(flood.map((socket) => gone(socket, Bounds.openingMs + 2_000)))
    expect(ended.filter(Boolean)).toHaveLength(100)
    ;(await Client.reach(folder, {})).close()
    before.close()
  })
  it("and goes away in the middle of waiting leaves nothing behind", async () => {
    const folder = newFolder()
    await serve(folder)
    for (let time = 0; time < Bounds.connectionsMax + 5; time++) {
      const client = await Client.reach(folder, {})
      client.ask({ kind: "line", line: "/message @bob gone again", waitMs: 60_000 }).catch(() => undefined)
      client.close()
    }
    await pause(50)
    const client = await Client.reach(folder, {})
    expect(await client.ask({ kind: "describe" })).toMatchObject({ ok: true })
    client.close()
  })
})
