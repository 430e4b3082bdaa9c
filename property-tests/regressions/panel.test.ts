/**
 * The panel: it is there, and what a node says of itself is open to no web site.
 * It asks a live node's server as a browser on some page would, with every route of the table and every kind of origin.
 * The former plugin's panel was 404, and its status JSON said `Access-Control-Allow-Origin: *`; the title is its promise.
 */
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Routes from "../../plugin/web/Routes.ts"
import { ask, hostOrigin, type Life, makePages, type Page, type Place } from "../web/Stage.ts"

let place: Place
let alice: Life
let page: Page
beforeAll(async () => {
  ;({
    place,
    lives: [alice],
    pages: [page]
  } = await makePages("alice"))
}, 60_000)
afterAll(() => place?.end())

it("20 · the web panel is served, and to its owner alone", async () => {
  const shown = await ask(alice, "/")
  expect(shown.status).toBe(200)
  expect(shown.headers.get("content-type")).toContain("text/html")
  const moduleText = await ask(alice, new URL(alice.moduleUrl).pathname)
  expect(moduleText.status).toBe(200)
  expect(moduleText.text).toContain("export")
  expect(await page.view()).toMatchObject({ identity: { name: "alice" } })
  for (const bearer of [undefined, "", "Bearer", `Bearer ${"A".repeat(43)}`]) {
    const headers: Record<string, string> = bearer === undefined ? {} : { authorization: bearer }
    const { status, text } = await ask(alice, "/api/view", { headers })
    expect(status).toBe(401)
    expect(text).not.toContain("alice")
  }
})

it("20 · the status of a node is open to no web site", async () => {
  const modulePath = new URL(alice.moduleUrl).pathname
  const invited = await ask(alice, modulePath, { headers: { origin: hostOrigin } })
  expect(invited.headers.get("access-control-allow-origin")).toBe(hostOrigin)
  const stranger = await ask(alice, modulePath, { headers: { origin: "http://evil.example" } })
  expect([stranger.status, stranger.headers.get("access-control-allow-origin")]).toEqual([403, null])
  const authorization = `Bearer ${page.bearer}`
  for (const origin of ["http://evil.example", "null", "http://localhost:3000", hostOrigin]) {
    for (const { path } of Object.values(Routes.table)) {
      const where = path.replaceAll(/:\w+/g, "x")
      for (const method of ["GET", "OPTIONS", "POST"]) {
        const headers = { origin, authorization, "access-control-request-method": "GET" }
        const { headers: said, status, text } = await ask(alice, where, { method, headers })
        const about = `${method} ${where} from ${origin}`
        expect(said.get("access-control-allow-origin"), about).not.toBe("*")
        if (origin !== hostOrigin || where.startsWith("/api")) {
          expect(said.get("access-control-allow-origin"), about).toBeNull()
          expect(status, about).toBeGreaterThanOrEqual(400)
          expect(text, about).not.toContain("identityKey")
        }
      }
    }
  }
})
