/**
 * The panel's API with two live nodes behind it: everything a person does in the panel, done over HTTP.
 * It never looks at a node directly; what a page cannot see is not shown to anybody.
 * Both nodes find each other on a DHT of loopback and talk over Hyperswarm.
 */
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Routes from "../../plugin/web/Routes.ts"
import {
  ask,
  hostOrigin,
  type Life,
  makePages,
  type Page,
  type Place,
  portIn,
  read,
  segmentOf,
  signIn,
  until
} from "./Stage.ts"

let place: Place
let alice: Life
let bob: Life
let one: Page
let other: Page
beforeAll(async () => {
  ;({
    place,
    lives: [alice, bob],
    pages: [one, other]
  } = await makePages("alice", "bob"))
}, 60_000)
afterAll(() => place?.end())

const friend = async (page: Page) => (await page.view()).friends[0]
const texts = (conversation: { readonly entries: ReadonlyArray<{ readonly text: string }> }) =>
  conversation.entries.map(({ text }) => text)
const talk = async (page: Page, query = "") => {
  const { peerId } = await friend(page)
  return (await page.ask(`/api/conversations/${peerId}${query}`)).json
}

describe("two people with panels", () => {
  it("become friends by an invite, whose link is shown once, also as a QR code", async () => {
    const before = await one.view()
    expect(before).toMatchObject({ friends: [], identity: { name: "alice" }, invites: [] })
    expect(before.identity.qr).toMatchObject({
      text: before.identity.identityKey,
      size: before.identity.qr.rows.length
    })
    const wish = { id: "wish-0001", capability: "message", uses: 2, expires: "1h" }
    const made = (await one.ask("/api/invites", { body: wish })).json
    expect(made).toMatchObject({ ok: true, link: expect.stringMatching(/^wop3:/), qr: { text: made.link } })
    expect((await one.ask("/api/invites", { body: wish })).json).toEqual(made)
    const { invites } = await one.view()
    expect(invites).toMatchObject([{ id: made.invite, usesMax: 2, state: "Open" }])
    expect(JSON.stringify(invites)).not.toContain(made.link)
    expect((await other.command(`/claim ${made.link}`)).json).toMatchObject({ ok: true, repeated: false })
    await until("both are connected friends", async () => {
      const [theirs, ours] = await Promise.all([friend(one), friend(other)])
      return theirs?.connected === true && ours?.connected === true
    })
    const [theirs, ours] = await Promise.all([friend(one), friend(other)])
    expect(theirs).toMatchObject({ name: "bob", capabilities: ["message"], trust: "unverified", waiting: 0 })
    expect(theirs.fingerprint).toEqual(ours.fingerprint)
    expect(theirs.lastSeenMs).toBeGreaterThan(before.atMs)
    expect((await one.command(`/uninvite ${made.invite}`)).json.ok).toBe(true)
    expect((await one.view()).invites[0].state).not.toBe("Open")
  }, 90_000)

  it("write to each other: both conversations hold both sides, are paged, searched, exported and forgotten", async () => {
    const { handle, peerId } = await friend(one)
    const sent = await one.command(`/message ${handle} hello <b>bob</b>`, 20_000)
    expect(sent.json).toMatchObject({ ok: true, outcome: { event: "delivered" } })
    const back = (await friend(other)).handle
    for (const number of [1, 2, 3, 4]) await other.command(`/message ${back} answer ${number}`, 20_000)
    await until("alice has all of it", async () => (await talk(one)).entries.length === 5)
    const whole = await talk(one)
    expect(texts(whole)).toEqual(["hello <b>bob</b>", "answer 1", "answer 2", "answer 3", "answer 4"])
    expect(whole.entries[0]).toMatchObject({ ours: true, state: "delivered", from: "alice" })
    expect(whole.entries[1]).toMatchObject({ ours: false, state: null, from: "bob" })
    expect(texts(await talk(other))).toEqual(texts(whole))
    const page = await talk(one, "?limit=2")
    expect(texts(page)).toEqual(["answer 3", "answer 4"])
    const earlier = await talk(one, `?limit=2&before=${encodeURIComponent(page.before)}`)
    expect(texts(earlier)).toEqual(["answer 1", "answer 2"])
    expect(texts(await talk(one, `?limit=2&before=${encodeURIComponent(earlier.before)}`))).toEqual([
      "hello <b>bob</b>"
    ])
    expect(texts(await talk(one, "?search=ANSWER%202"))).toEqual(["answer 2"])
    const lines = (await one.ask(`/api/conversations/${peerId}/export?format=jsonl`)).text.trim().split("\n")
    expect(lines.map((line) => JSON.parse(line).text)).toEqual(texts(whole))
    expect((await one.ask(`/api/conversations/${peerId}/export`)).text).toContain(" bob: answer 4\n")
    expect((await one.ask(`/api/conversations/${peerId}`, { method: "DELETE" })).json).toEqual({ ok: true })
    expect((await talk(one)).entries).toEqual([])
    expect((await talk(other)).entries).toHaveLength(5)
    expect((await one.ask(`/api/conversations/${"0".repeat(64)}`)).json.code).toBe("unknown-peer")
  }, 90_000)

  it("do nothing twice that is asked for twice, and nothing under an id that is taken", async () => {
    const { handle } = await friend(one)
    const body = { id: "once-only-1", name: "message", rest: `${handle} just once`, waitMs: 20_000 }
    const answers = await Promise.all([1, 2, 3].map(() => one.ask("/api/command", { body })))
    expect(new Set(answers.map(({ json }) => json.facts.id)).size).toBe(1)
    expect(answers.filter(({ json }) => json.repeated)).toHaveLength(2)
    await until("bob has it", async () => texts(await talk(other)).includes("just once"))
    expect(texts(await talk(other)).filter((text) => text === "just once")).toHaveLength(1)
    const taken = await one.ask("/api/command", { body: { ...body, rest: `${handle} something else` } })
    expect([taken.status, taken.json.code]).toEqual([409, "id-taken"])
  }, 60_000)

  it("grant and revoke, verify, mute and name, and see why something was refused", async () => {
    const { handle } = await friend(one)
    expect((await one.command(`/grant ${handle} inject`)).json.ok).toBe(true)
    expect((await friend(one)).capabilities).toEqual(["message", "inject"])
    await until("bob is told", async () => (await friend(other)).allowsUs.includes("inject"))
    await one.command(`/revoke ${handle} inject`)
    expect((await friend(one)).capabilities).toEqual(["message"])
    await one.command(`/verify ${handle} yes`)
    expect((await friend(one)).trust).toBe("verified")
    await one.command(`/mute ${handle}`)
    await one.command(`/name ${handle} robert`)
    expect(await friend(one)).toMatchObject({ name: "robert", lineName: "bob", muted: true, trust: "verified" })
    const back = (await friend(other)).handle
    const refused = (await other.command(`/inject ${back} who are you?`, 20_000)).json
    expect(refused).toMatchObject({ ok: false, code: "no-capability", why: expect.stringContaining(" ") })
    const seen = { name: "alice", code: "no-capability", why: expect.stringContaining(" ") }
    expect((await other.view()).refusals).toContainEqual(expect.objectContaining({ whose: "ours", ...seen }))
    await until("alice sees it too", async () =>
      (await one.view()).refusals.some((one: { whose: string }) => one.whose === "theirs")
    )
    const mistake = (await one.command("/grant")).json
    expect(mistake).toMatchObject({ ok: false, code: "usage" })
    expect((await one.command("/quit")).json).toMatchObject({ ok: false, code: "at-the-node" })
    expect((await one.command("/rotate")).json).toMatchObject({ ok: false, code: "at-the-node" })
  }, 60_000)

  it("see each other in a topic, and what is known there", async () => {
    for (const page of [one, other]) expect((await page.command("/topic join chess")).json.ok).toBe(true)
    await other.command("/profile bob chess,go : plays")
    await until("bob is discovered", async () => (await one.view()).discovered.length === 1)
    expect((await one.view()).discovered[0]).toMatchObject({ topic: "chess", name: "bob", friend: true })
    expect((await one.view()).topics).toMatchObject([{ name: "chess", secret: false }])
  }, 90_000)
})

describe("the event stream", () => {
  it("tells what happens, goes on after a break without a gap, and says when there is one", async () => {
    const { events } = await other.view()
    const stream = await read(other, `/api/events?after=${events}`)
    const { handle } = await friend(one)
    await one.command(`/message ${handle} look`, 20_000)
    const news = await stream.next((frame) => frame.data.event?.event === "received")
    expect(news).toMatchObject({ kind: "news", data: { line: { text: expect.stringContaining("look") } } })
    expect(JSON.stringify(news)).not.toContain(`"pid"`)
    stream.close()
    await one.command(`/message ${handle} while away`, 20_000)
    const again = await read(other, "/api/events", { "last-event-id": news.id })
    const missed = await again.next((frame) => frame.data.event?.event === "received")
    expect(missed.data.line.text).toContain("while away")
    again.close()
    for (const after of ["0123456789ab-1", "nonsense", `${events.split("-")[0]}-999999`]) {
      const lost = await read(other, `/api/events?after=${after}`)
      expect((await lost.next(() => true)).kind).toBe("gap")
      lost.close()
    }
  }, 60_000)

  it("tells another page that something has changed which no event tells of", async () => {
    const stream = await read(one, "/api/events")
    const { handle } = await friend(one)
    await one.command(`/hold ${handle} always`)
    await stream.next((frame) => frame.data.event?.event === "changed")
    stream.close()
    expect((await friend(one)).hold).toBe("always")
  }, 30_000)
})

describe("around the API", () => {
  it("the module is one file that imports nothing, with CORS for the host's page and for nobody else", async () => {
    const { pathname } = new URL(alice.moduleUrl)
    const module = await ask(alice, pathname, { headers: { origin: hostOrigin } })
    expect(module.headers.get("access-control-allow-origin")).toBe(hostOrigin)
    expect(module.headers.get("content-type")).toContain("text/javascript")
    const { default: panel } = await import(`data:text/javascript,${encodeURIComponent(module.text)}`)
    expect(panel()).toBe("HELLO")
    expect((await ask(alice, pathname)).headers.get("access-control-allow-origin")).toBeNull()
    expect((await ask(alice, pathname, { headers: { origin: "http://127.0.0.1:3998" } })).status).toBe(403)
    for (const path of ["/", "/page.js", "/page.css"]) {
      const asset = await ask(alice, path)
      expect([asset.status, asset.headers.get("access-control-allow-origin")]).toEqual([200, null])
      expect(asset.headers.get("content-security-policy")).toContain("script-src 'self';")
    }
  })

  it("a one-use link opens one page, the host's segment one each time, and a bearer is good for this node only", async () => {
    const segment = segmentOf(alice.link())
    expect((await (await signIn(alice, segment)).ask("/api/view")).status).toBe(200)
    await expect(signIn(alice, segment)).rejects.toThrow("404")
    const again = [await signIn(alice, segmentOf(alice.moduleUrl)), await signIn(alice, segmentOf(alice.moduleUrl))]
    expect(new Set(again.map(({ bearer }) => bearer)).size).toBe(2)
    const elsewhere = await ask(bob, "/api/view", { headers: { authorization: `Bearer ${one.bearer}` } })
    expect([elsewhere.status, elsewhere.json.code]).toEqual([401, "not-signed-in"])
  })

  it("health and metrics take the scrape key, and nothing else does", async () => {
    const key = readFileSync(join(alice.folder, "scrape.key"), "utf8").trim()
    const asked = (path: string) => ask(alice, path, { headers: { authorization: `Bearer ${key}` } })
    expect((await asked("/health")).json).toMatchObject({ ok: true, name: "alice", friends: 1 })
    const metrics = (await asked("/metrics")).text
    expect(metrics).toMatch(/^wopr_p2p_friends_connected 1$/m)
    expect(metrics).toMatch(/^wopr_p2p_panel_requests_total\{route="session",status="200"\} \d+$/m)
    expect((await asked("/api/view")).status).toBe(401)
    for (const path of ["/health", "/metrics"]) expect((await ask(alice, path)).status).toBe(401)
  })

  it("describes every route of the table, and the doctor and the table of commands are there", async () => {
    const { paths } = (await one.ask("/api/openapi.json")).json
    for (const { method, path } of Object.values(Routes.table)) {
      const place = path.replace(/:([a-z]+)/g, "{$1}")
      expect(Object.keys(paths[place] ?? {}), place).toContain(method.toLowerCase())
    }
    expect((await one.ask("/api/doctor")).json.findings).toBeInstanceOf(Array)
    await until("a view has it", async () => (await one.view()).doctor !== null)
    const { commands } = (await one.ask("/api/commands")).json
    expect(commands.map(({ name }: { name: string }) => name)).toContain("mute")
    expect((await one.ask("/api/qr", { body: { text: "x" } })).json.rows[0]).toMatch(/^0+$/)
  })

  it("the port is in panel.json for its owner alone, and both go with the node", async () => {
    const carol = await place.begin("carol")
    expect(portIn(carol.folder)).toBe(carol.port)
    for (const name of ["panel.json", "scrape.key"]) expect(statSync(join(carol.folder, name)).mode & 0o777).toBe(0o600)
    const stream = await read(await signIn(carol), "/api/events")
    const taken = await place.begin("dave", { port: carol.port })
    expect(taken.port).not.toBe(carol.port)
    await carol.end()
    expect(await stream.next(({ kind }) => kind === "end")).toMatchObject({ data: { code: "node-ended" } })
    expect(existsSync(join(carol.folder, "panel.json"))).toBe(false)
    await expect(ask(carol, "/")).rejects.toThrow()
  }, 60_000)
})

describe("two friends who are told of each other", () => {
  it("see who introduces whom, by which key, before they answer and after they are friends", async () => {
    const erin = await signIn(await place.begin("erin"))
    const { link } = (await one.ask("/api/invites", { body: { id: "wish-erin", uses: 1 } })).json
    await erin.command(`/claim ${link}`)
    const handleOf = async (key: string) =>
      (await one.view()).friends.find(({ identityKey }: { identityKey: string }) => identityKey === key)?.handle
    const [bobs, erins] = (await Promise.all([other.view(), erin.view()])).map(({ identity }) => identity.identityKey)
    await until("alice has both", async () => (await handleOf(erins)) !== undefined)
    expect(await other.view()).toMatchObject({ introductions: [], friends: [{ introducedBy: null }] })
    const line = `/introduce ${await handleOf(bobs)} ${await handleOf(erins)} : you both play go`
    expect((await one.command(line)).json.ok).toBe(true)
    const introduced = async (page: Page) => (await page.view()).introductions[0]
    await until("both are told", async () => (await introduced(other)) && (await introduced(erin)))
    const shown = await introduced(other)
    expect(shown).toMatchObject({ introducedBy: "alice", name: "erin", note: "you both play go", identityKey: erins })
    expect(shown).toMatchObject({ trust: "unverified", handle: `@erin#${erins.slice(0, 12)}` })
    expect(shown.fingerprint).toEqual((await introduced(erin)).fingerprint)
    expect((await other.command(`/accept ${shown.handle}`)).json.ok).toBe(true)
    await until("it is an errand", async () =>
      (await other.view()).errands.some(({ kind }: { kind: string }) => kind === "introduced")
    )
    const request = async () => (await erin.view()).requests[0]
    await until("bob asks, as somebody introduced", async () => (await request())?.introducedBy === "alice")
    expect(await introduced(erin)).toBeUndefined()
    expect((await erin.command(`/accept ${(await request()).handle}`)).json.ok).toBe(true)
    const made = async (page: Page, key: string) =>
      (await page.view()).friends.find(({ identityKey }: { identityKey: string }) => identityKey === key)
    await until("they are friends", async () => (await made(other, erins)) && (await made(erin, bobs)))
    for (const known of [await made(other, erins), await made(erin, bobs)]) {
      expect(known).toMatchObject({ introducedBy: "alice", trust: "unverified" })
    }
  }, 90_000)
})
