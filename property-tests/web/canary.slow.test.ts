/**
 * Canaries: every secret of a node is known here, and is looked for wherever the panel's server says something.
 * It must find none in a log, a number, an error or a page; and the search is tried on a secret that is shown on purpose.
 * Secrets are used rightly first, and then in every wrong place, because an error is where a secret gets out.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Routes from "../../plugin/web/Routes.ts"
import { ask, type Life, makePages, type Page, type Place, raw, read, segmentOf, signIn, until } from "./Stage.ts"

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

const message = "canary-of-a-message-7b1f"

/** Texts in a document, however deep, that could be key material. */
const keysIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return value.length >= 40 ? [value] : []
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(keysIn) : []
}

/** The keys of a node that are nobody's to know: what its identity file holds and its own view does not. */
const secretKeys = (life: Life, view: unknown): ReadonlyArray<string> => {
  const shown = JSON.stringify(view)
  return keysIn(JSON.parse(readFileSync(join(life.folder, "identity.json"), "utf8"))).filter(
    (key) => !shown.includes(key)
  )
}

/** What the server answers to a secret in every place where it does not belong. */
const misused = async (secret: string): Promise<string> => {
  const said: Array<string> = []
  const body = { id: secret.slice(0, 64), line: secret, [secret]: secret }
  for (const path of [
    `/${secret}`,
    `/m/${secret}/panel.js`,
    `/m/${secret}/session`,
    `/api/conversations/${secret}`,
    `/api/view?${secret}=${secret}`
  ]) {
    said.push((await one.ask(path.replaceAll(/[^\x21-\x7e]/g, ""))).text)
  }
  for (const path of ["/api/command", "/api/invites", "/api/qr", `/m/${secret}/session`]) {
    said.push((await one.ask(path, { body })).text, (await one.ask(path, { body: `{"id":"${secret}` })).text)
  }
  said.push((await ask(alice, "/api/view", { headers: { authorization: `Bearer ${secret}` } })).text)
  said.push(
    await raw(alice.port, `GET / HTTP/1.1\r\nHost: ${secret}\r\nOrigin: ${secret}\r\nConnection: close\r\n\r\n`)
  )
  said.push(await raw(alice.port, `${secret} ${secret} ${secret}\r\n\r\n`))
  return said.join("\n")
}

it("no secret is in a log, a number, an error, a description or a view", async () => {
  const made = (await one.ask("/api/invites", { body: { id: "canary-01", uses: 3 } })).json
  await other.command(`/claim ${made.link}`)
  await until("both are friends", async () => {
    const views = await Promise.all([one.view(), other.view()])
    return views.every(({ friends }) => friends[0]?.connected === true)
  })
  const handle = (await one.view()).friends[0].handle
  await one.command(`/message ${handle} ${message}`, 20_000)
  const topic = (await one.command("/topic new-secret club")).json.facts.topic as string
  await one.command(`/topic join ${topic}`)
  const used = segmentOf(alice.link())
  const second = await signIn(alice, used)
  const scrapeKey = readFileSync(join(alice.folder, "scrape.key"), "utf8").trim()
  const keys = secretKeys(alice, await one.view())
  expect(keys.length).toBeGreaterThanOrEqual(2)
  const secrets = {
    ...Object.fromEntries(keys.map((key, index) => [`key ${index}`, key])),
    invite: made.link,
    topic: topic.split("#")[1] ?? topic,
    "the module's segment": segmentOf(alice.moduleUrl),
    "a used link": used,
    "an unused link": segmentOf(alice.link()),
    bearer: one.bearer,
    "another bearer": second.bearer,
    "scrape key": scrapeKey,
    message
  }
  const errors: Array<string> = []
  for (const secret of Object.values(secrets)) errors.push(await misused(secret))
  await one.ask("/api/doctor")
  await one.view()
  const places: Readonly<Record<string, string>> = {
    errors: errors.join("\n"),
    "alice's log": alice.log.join("\n"),
    "bob's log": bob.log.join("\n"),
    metrics: (await one.ask("/metrics")).text,
    health: (await one.ask("/health")).text,
    "openapi.json": (await one.ask("/api/openapi.json")).text,
    view: (await one.ask("/api/view")).text,
    doctor: (await one.ask("/api/doctor")).text,
    page: (await ask(alice, "/")).text + (await ask(alice, "/page.js")).text,
    "panel.json": readFileSync(join(alice.folder, "panel.json"), "utf8"),
    "node.json": readdirSync(alice.folder).includes("node.json")
      ? readFileSync(join(alice.folder, "node.json"), "utf8")
      : ""
  }
  for (const [where, text] of Object.entries(places)) {
    expect(where === "node.json" || text.length > 0, where).toBe(true)
    for (const [what, secret] of Object.entries(secrets))
      expect(text.includes(secret), `${what} in ${where}`).toBe(false)
  }
  // Where it belongs, the search finds it: a friend's text is in its conversation and in the news of it.
  const { peerId } = (await other.view()).friends[0]
  expect((await other.ask(`/api/conversations/${peerId}`)).text).toContain(message)
  const stream = await read(other, `/api/events?after=${(await other.view()).events.split("-")[0]}-0`)
  await stream.next(({ data }) => JSON.stringify(data).includes(message))
  stream.close()
}, 180_000)

it("no route of the table answers anything without its key, in whatever order it is asked", async () => {
  for (const { method, path } of Object.values(Routes.table)) {
    const { status, text } = await ask(alice, path.replace(/:[a-z]+/g, "x".repeat(22)), {
      method,
      ...(method === "POST" ? { body: {} } : {})
    })
    expect([401, 404], path).toContain(status)
    expect(text.length, path).toBeLessThan(300)
  }
})
