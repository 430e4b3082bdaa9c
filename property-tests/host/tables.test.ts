/**
 * The former plugin's rows in the host's database, taken over at the first start: keys kept, friends with `message` alone.
 * It never opens the former plugin; rows are made here with fresh keys, in the form that its tables had.
 * Every story compares the whole database before and after: whoever goes back finds what there was.
 */
import { generateKeyPairSync } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit } from "effect"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { HostContext } from "../../plugin/host/Context.ts"
import * as FormerTables from "../../plugin/migration/FormerTables.ts"
import { until } from "../world/World.ts"
import { Daemon } from "./Host.ts"
import { call, listIn, loadable, makeStage } from "./Stage.ts"

const cleanups: Array<() => unknown> = []
const place = (): string => {
  const made = mkdtempSync(join(tmpdir(), "wopr-p2p-tables-"))
  cleanups.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}
beforeEach(() => {
  // Whatever this machine's own home holds is none of the test's.
  vi.stubEnv("HOME", place())
})
afterEach(async () => {
  vi.unstubAllEnvs()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const pair = (kind: "ed25519" | "x25519") => {
  const { privateKey, publicKey } = generateKeyPairSync(kind as "ed25519")
  return {
    of: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
    priv: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64")
  }
}
const person = () => ({ sign: pair("ed25519"), agree: pair("x25519") })
const rawKey = (spki: string): string => Buffer.from(spki, "base64").subarray(12).toString("base64url")

const tables = {
  p2p_identity: ["id", "publicKey", "privateKey", "encryptPub", "encryptPriv", "created", "rotatedFrom", "rotatedAt"],
  p2p_friends: ["id", "name", "publicKey", "encryptPub", "sessionName", "addedAt", "caps", "channel"],
  p2p_peers: ["id", "publicKey", "encryptPub", "name", "sessions", "caps", "added", "keyHistory"],
  p2p_access_grants: ["id", "peerKey", "peerName", "peerEncryptPub", "sessions", "caps", "created", "revoked"],
  p2p_pending_requests: ["id", "direction", "requestJson", "timestamp", "channel", "channelId"],
  p2p_auto_accept: ["id", "pattern", "addedAt"]
} as const
type Table = keyof typeof tables

const insert = (daemon: Daemon, table: Table, row: ReadonlyArray<string | number | null>): void => {
  const marks = tables[table].map(() => "?").join(", ")
  daemon.database.prepare(`INSERT INTO "${table}" VALUES (${marks})`).run(...row)
}

/** A daemon whose database holds what the former plugin keeps of `me`, and what of its other tables is asked for. */
const former = (me: ReturnType<typeof person>, config: object = {}): Daemon => {
  const daemon = new Daemon({ p2p: config })
  for (const [table, columns] of Object.entries(tables)) {
    daemon.database.exec(`CREATE TABLE "${table}" (${columns.map((column) => `"${column}"`).join(", ")})`)
  }
  const { agree, sign } = me
  insert(daemon, "p2p_identity", ["default", sign.of, sign.priv, agree.of, agree.priv, 1_767_225_613_000, null, null])
  return daemon
}

const everything = (daemon: Daemon): string =>
  JSON.stringify(Object.keys(tables).map((table) => daemon.database.prepare(`SELECT * FROM "${table}"`).all()))

const takeOver = (daemon: Daemon, folder: string) =>
  Effect.runPromiseExit(FormerTables.takeOver(daemon.context("p2p"), folder))

const identityIn = (folder: string): string => readFileSync(join(folder, "identity.json"), "utf8")

describe("the former plugin's rows in the host", () => {
  it("become the node's identity and friends at the first start, and never again", async () => {
    const stage = await makeStage()
    cleanups.push(() => stage.end())
    const [me, bob, eve, gone] = [person(), person(), person(), person()]
    const folder = join(place(), "p2p")
    const config = { name: "ada", dataFolder: folder, bootstrap: stage.bootstrap, sandbox: "off" }
    const daemon = former(me, config)
    const all = JSON.stringify(["*"])
    insert(daemon, "p2p_friends", ["1", "bob", bob.sign.of, bob.agree.of, "friend:p2p:bob(MCowBQ)", 5, all, "discord"])
    insert(daemon, "p2p_access_grants", ["g", eve.sign.of, "eve", eve.agree.of, "[]", '["inject"]', 5, 0])
    insert(daemon, "p2p_access_grants", ["h", gone.sign.of, "gone", gone.agree.of, "[]", '["message"]', 5, 1])
    insert(daemon, "p2p_pending_requests", ["r", "in", "{}", 5, "discord", "42"])
    insert(daemon, "p2p_auto_accept", ["a", "*", 5])
    const before = everything(daemon)
    const plugin = stage.plugin()
    await daemon.load("p2p", loadable(plugin))
    await until("it is up", async () => (await plugin.healthCheck()).healthy)
    expect((await call(daemon, "p2p_get_identity")).data).toMatchObject({ identityKey: rawKey(me.sign.of) })
    const grants = listIn<object>(await call(daemon, "p2p_list_grants"), "grants")
    expect(grants).toHaveLength(2)
    for (const [name, { sign }] of Object.entries({ bob, eve }))
      expect(grants).toContainEqual(expect.objectContaining({ name, caps: ["message"], peerKey: rawKey(sign.of) }))
    const said = daemon.logs.join("\n")
    for (const left of [
      "bob's *",
      "eve's inject",
      "the grant of gone: it was revoked",
      "1 open requests",
      "1 auto-accept"
    ])
      expect(said).toContain(left)
    expect(said).toContain("the originals in the host's table p2p_identity are untouched")
    for (const { priv } of [me.sign, me.agree]) expect(said).not.toContain(priv)
    expect(everything(daemon)).toBe(before)
    // Who was unfriended since does not come back.
    await call(daemon, "p2p_revoke_peer", { peerId: "eve" })
    daemon.logs.splice(0)
    await daemon.unload("p2p", loadable(plugin))
    await daemon.load("p2p", loadable(plugin))
    await until("it is up again", async () => (await plugin.healthCheck()).healthy)
    expect((await call(daemon, "p2p_list_grants")).data?.["grants"]).toMatchObject([{ name: "bob" }])
    expect(daemon.logs.filter((line) => line.includes("former plugin"))).toEqual([])
    expect(everything(daemon)).toBe(before)
  })

  it("are not needed twice: what was cut off is done at the next start, what is there is left alone", async () => {
    const me = person()
    const [daemon, folder] = [former(me), join(place(), "p2p")]
    expect(Exit.isSuccess(await takeOver(daemon, folder))).toBe(true)
    const identity = identityIn(folder)
    rmSync(join(folder, "identity.json"))
    expect(Exit.isSuccess(await takeOver(daemon, folder))).toBe(true)
    expect(identityIn(folder)).toBe(identity)
    const other = former(person())
    expect(Exit.isSuccess(await takeOver(other, folder))).toBe(true)
    expect(identityIn(folder)).toBe(identity)
    expect(other.logs).toEqual([])
  })

  it("that are damaged, or are no rows of ours, are named and left, and the node starts as a new one", async () => {
    const [me, other] = [person(), person()]
    const mixed = former({ ...me, sign: { of: me.sign.of, priv: other.sign.priv } })
    const folder = join(place(), "p2p")
    expect(Exit.isSuccess(await takeOver(mixed, folder))).toBe(true)
    expect(mixed.logs).toEqual([
      expect.stringMatching(/^warn p2p: nothing of the former plugin .*do not belong together/)
    ])
    expect(existsSync(join(folder, "identity.json"))).toBe(false)
    const foreign = new Daemon()
    foreign.database.exec(`CREATE TABLE "p2p_identity" ("id"); INSERT INTO "p2p_identity" VALUES ('default')`)
    expect(Exit.isSuccess(await takeOver(foreign, folder))).toBe(true)
    expect([foreign.logs, existsSync(folder)]).toEqual([[], false])
  })

  it("that cannot be read now are waited for, so that no new identity comes in their way; no database is none", async () => {
    const folder = join(place(), "p2p")
    const asked = (raw: NonNullable<HostContext["storage"]>["raw"]) =>
      Effect.runPromiseExit(FormerTables.takeOver({ storage: { raw } } as HostContext, folder))
    const busy = await asked(async (sql) => {
      if (sql.includes("sqlite_master")) return [{ name: "p2p_identity" }]
      throw new Error("database is locked")
    })
    expect(String(busy)).toContain("database is locked")
    for (const raw of [
      undefined,
      async () => undefined,
      () => Promise.reject(new Error("no such table: sqlite_master"))
    ]) {
      expect(Exit.isSuccess(await asked(raw as never))).toBe(true)
    }
    expect(existsSync(folder)).toBe(false)
  })

  it("hold up neither the host nor whoever asks: a database that never answers is said to be one", async () => {
    const stage = await makeStage()
    cleanups.push(() => stage.end())
    const folder = join(place(), "p2p")
    const plugin = stage.plugin()
    const storage = { raw: () => new Promise(() => {}) }
    const begunMs = performance.now()
    await plugin.init({
      storage,
      getConfig: () => ({ dataFolder: folder, bootstrap: stage.bootstrap, sandbox: "off" })
    })
    expect(performance.now() - begunMs).toBeLessThan(2_000)
    await until("it says so", async () => /did not answer/.test((await plugin.healthCheck()).message ?? ""))
    expect(existsSync(folder)).toBe(false)
  })

  it("go with the files that the former plugin renamed when it moved, where only the identity was ever written", async () => {
    const [me, bob] = [person(), person()]
    const [daemon, from] = [former(me), join(process.env["HOME"] ?? "", ".wopr", "p2p")]
    mkdirSync(from, { recursive: true })
    const friend = {
      name: "bob",
      publicKey: bob.sign.of,
      encryptPub: bob.agree.of,
      addedAt: 5,
      caps: ["message"],
      channel: "x"
    }
    writeFileSync(
      join(from, "friends.json.backup"),
      JSON.stringify({ friends: [friend], pendingIn: [], pendingOut: [] })
    )
    const folder = join(place(), "p2p")
    expect(Exit.isSuccess(await takeOver(daemon, folder))).toBe(true)
    expect(daemon.logs.join("\n")).toContain(`@bob#${rawKey(bob.sign.of).slice(0, 8)}`)
    expect(daemon.logs.join("\n")).toContain(`the originals in ${from} and the host's table p2p_identity are untouched`)
  })
})
