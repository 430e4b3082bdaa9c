/**
 * The panel where things are strange: peers whose names and texts are attacks, a host's page around it, a node that goes away.
 * It never trusts what a page says of itself: scripts that would have run, breaches of the policy and axe say it.
 * Every view is looked at in light and dark, wide and on a phone, with the same hostile peers in it.
 */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import type { Browser, Page as Tab } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { desktop, hasBrowser, launch, open, overflow, phone, seriousFaults, type Watched } from "./Browser.ts"
import { type Life, makePlace, type Page, type Place, signIn, until } from "./Stage.ts"
import {
  answering,
  enter,
  entry,
  focused,
  go,
  nothingWrong,
  openFriend,
  part,
  patience,
  press,
  seen,
  shipped
} from "./Walk.ts"

/** A name that the protocol allows, and that would run as markup. */
const mallory = "<img/src=x/onerror=hacked=1>"
const texts = [
  "<script>hacked=1</script><img src=x onerror=hacked=1><a href=javascript:hacked=1>here</a>",
  "\u202eevil\u202c \u2066inside\u2069 \u200bunseen\u200f end of bidi",
  `\u0000\u0007\u001b[31mred\u001b[0m\u009b end of controls`,
  `${"unbreakable".repeat(3_000)} end of long`,
  `${"\n".repeat(300)} end of lines`,
  "{{constructor.constructor('hacked=1')()}} `hacked=1` end of templates"
]
const views = ["Overview", "Friends", "Invites", "Topics", "Activity", "Node"]

describe.skipIf(!hasBrowser())("the panel among strangers", () => {
  let place: Place
  let browser: Browser
  let alice: Life
  let api: Page
  let host: Server
  let hostOrigin = ""
  let mine = ""
  beforeAll(async () => {
    host = createServer((request, response) => {
      const csp = request.url === "/" ? {} : { "content-security-policy": "default-src 'none'" }
      response
        .writeHead(200, { "content-type": "text/html", ...csp })
        .end("<!doctype html><title>host</title><div id=slot></div>")
    })
    await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve))
    hostOrigin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
    place = await makePlace()
    browser = await launch()
    const [one, two] = await Promise.all([
      place.begin("alice", { ...shipped, origins: [hostOrigin] }, answering),
      place.begin(mallory, shipped, answering)
    ])
    alice = one
    api = await signIn(alice)
    const theirs = await signIn(two)
    const made = (await api.ask("/api/invites", { body: { id: "wish-0001", uses: 3, expires: "1h" } })).json
    await theirs.command(`/claim ${made.link}`)
    await until("they are friends", async () => (await theirs.view()).friends[0]?.connected === true)
    const back = (await theirs.view()).friends[0].handle
    for (const text of texts) expect((await theirs.command(`/message ${back} ${text}`, 20_000)).json.ok).toBe(true)
    for (const page of [api, theirs]) await page.command("/topic join strange")
    await theirs.command(`/profile ${mallory} markup,bidi : <b onclick=hacked=1>bold</b>`)
    await theirs.command(`/inject ${back} <img src=x onerror=hacked=1>`, 20_000)
    const three = await place.begin(`${mallory}2`, shipped, answering)
    const third = await signIn(three)
    await third.command("/topic join strange")
    await until("alice is known", async () =>
      (await third.view()).discovered.some(({ name }: { name: string }) => name === "alice")
    )
    await third.command("/connect @alice in strange : <svg onload=hacked=1>")
    await until("alice is asked", async () => (await api.view()).requests.length === 1)
    mine = (await api.view()).friends[0].handle
    await api.command(`/inject ${mine} what is this?`, 20_000)
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await place?.end()
    host?.close()
  }, 60_000)

  /** Everything that is to be seen of a view, opened. */
  const look = async (tab: Tab, view: string): Promise<void> => {
    if (view !== "Friends") await go(tab, view)
    else await openFriend(tab, "onerror", "Conversation")
    const folds = tab.locator("details:not([open]) > summary:visible")
    while ((await folds.count()) > 0) await folds.first().click()
  }

  const harmless = async (tab: Tab): Promise<void> => {
    expect(await tab.evaluate("typeof hacked")).toBe("undefined")
    expect(await tab.locator(".peer *, #panel img, #panel script, #panel a, #panel iframe").count()).toBe(0)
  }

  for (const colorScheme of ["light", "dark"] as const) {
    for (const [size, viewport] of Object.entries({ desktop, phone })) {
      it(`every view, ${colorScheme}, on a ${size}: nothing runs, nothing spills, axe finds nothing serious`, async () => {
        const { context, faults, page } = await open(browser, { colorScheme, viewport, reducedMotion: "reduce" })
        await enter(page, alice.link())
        const looked = async (what: string) => {
          expect(await overflow(page), what).toBe(0)
          expect(await seriousFaults(page), what).toEqual([])
          await harmless(page)
        }
        for (const view of views) {
          await look(page, view)
          await looked(view)
        }
        await openFriend(page, "onerror", "Details")
        await press(page, "End friendship")
        await looked("a friend's details, and a question in place")
        await go(page, "Invites")
        await press(page, "Make the invite")
        await seen(part(page, "The new invite"))
        await looked("a new invite, and what is said of it")
        nothingWrong(faults)
        await context.close()
      })
    }
  }

  it("a text shows what would be invisible, keeps its lines, and turns no direction around it", async () => {
    const { context, faults, page } = await open(browser)
    await enter(page, alice.link())
    await openFriend(page, "onerror", "Conversation")
    await seen(entry(page, "end of templates"))
    const bidi = await entry(page, "end of bidi").locator(".text").innerText()
    expect(bidi).toBe("\ufffdevil\ufffd \ufffdinside\ufffd \ufffdunseen\ufffd end of bidi")
    expect(await entry(page, "end of controls").locator(".text").innerText()).toContain("\ufffd[31mred")
    const isolated = await page.evaluate(
      "[...document.querySelectorAll('.peer')].map((one) => getComputedStyle(one).unicodeBidi)"
    )
    expect(new Set(isolated as ReadonlyArray<string>)).toEqual(new Set(["isolate"]))
    await seen(entry(page, "<script>hacked=1</script>"))
    nothingWrong(faults)
    await context.close()
  })

  it("axe and the other judges can find something: a planted fault is found", async () => {
    const { context, faults, page } = await open(browser)
    await enter(page, alice.link())
    await page.evaluate(
      "document.querySelector('nav button').textContent = ''; document.querySelector('.content').style.minWidth = '5000px'"
    )
    expect((await seriousFaults(page)).join("\n")).toContain("button-name")
    expect(await overflow(page)).toBeGreaterThan(1_000)
    await page
      .evaluate(
        "const made = document.createElement('div'); try { made.innerHTML = '<b>' } catch {}; document.body.append(Object.assign(document.createElement('script'), { src: 'http://127.0.0.1:1/x.js' }))"
      )
      .catch(() => undefined)
    await until("the policy has spoken", () => faults.length > 0)
    await context.close()
  })

  it("the keyboard alone opens a friend, writes and sends", async () => {
    const { context, faults, page } = await open(browser)
    await enter(page, alice.link())
    const tabTo = async (key: RegExp) => {
      for (let presses = 0; presses < 60; presses += 1) {
        if (key.test(await focused(page))) return
        await page.keyboard.press("Tab")
      }
      expect.fail(`the Tab key never comes to ${key}`)
    }
    await tabTo(/^go-friends$/)
    await page.keyboard.press("Enter")
    await seen(page.getByRole("heading", { level: 1, name: "Friends" }))
    expect(await focused(page)).toBe("title")
    await tabTo(/^open-/)
    await page.keyboard.press("Enter")
    await tabTo(/^entries-/)
    await page.keyboard.press("Home")
    await tabTo(/^text-/)
    await page.keyboard.type("by keyboard")
    await tabTo(/^send-message$/)
    await page.keyboard.press("Enter")
    await seen(entry(page, "by keyboard"))
    nothingWrong(faults)
    await context.close()
  })

  /** A page of the host that loads the module as the host does. */
  const hosted = async (watched: Watched, path = "/"): Promise<string> => {
    await watched.page.goto(`${hostOrigin}${path}`)
    return watched.page.evaluate(`(async () => {
      const { default: panel } = await import(${JSON.stringify(alice.moduleUrl)})
      const node = panel({ api: {}, currentSession: undefined, pluginConfig: {}, saveConfig: async () => {} })
      document.getElementById("slot").append(node)
      return node.tagName
    })()`)
  }

  it("works as the host loads it, again after it was taken away, and gives the host's page nothing", async () => {
    const watched = await open(browser)
    const { context, faults, page } = watched
    for (const round of [1, 2]) {
      if (round === 1) expect(await hosted(watched)).toBe("IFRAME")
      else
        await page.evaluate(
          "const frame = document.querySelector('iframe'); frame.remove(); document.getElementById('slot').append(frame)"
        )
      const inside = page.frameLocator("iframe")
      await inside.getByRole("heading", { level: 1, name: "Overview" }).waitFor({ timeout: patience })
      await inside.getByText("live", { exact: true }).waitFor({ timeout: patience })
    }
    const inside = page.frameLocator("iframe")
    await inside
      .getByRole("navigation")
      .getByRole("button", { name: /^Friends/ })
      .click()
    await inside
      .getByRole("list", { name: "Friends" })
      .getByRole("button", { name: /onerror/ })
      .click()
    await inside.getByLabel("Message", { exact: true }).fill("from the host's page")
    await inside.getByRole("button", { name: "Send", exact: true }).click()
    await inside.getByRole("article").filter({ hasText: "from the host's page" }).waitFor({ timeout: patience })
    expect(
      await page.evaluate(
        "(() => { try { return document.querySelector('iframe').contentDocument?.title ?? 'closed' } catch { return 'closed' } })()"
      )
    ).toBe("closed")
    const stolen = `(async () => { try { return (await fetch(${JSON.stringify(`http://127.0.0.1:${alice.port}/api/view`)})).status } catch { return 'closed' } })()`
    nothingWrong(faults)
    expect(await page.evaluate(stolen)).toBe("closed")
    await context.close()
  })

  it("a page of an origin that is not configured cannot load it, nor frame it", async () => {
    const watched = await open(browser, {}, /./)
    const elsewhere = hostOrigin.replace("127.0.0.1", "localhost")
    await watched.page.goto(elsewhere)
    const loaded = watched.page.evaluate(
      `import(${JSON.stringify(alice.moduleUrl)}).then(() => "loaded", () => "refused")`
    )
    expect(await loaded).toBe("refused")
    await watched.page.evaluate(
      `document.body.append(Object.assign(document.createElement("iframe"), { src: "http://127.0.0.1:${alice.port}/" }))`
    )
    await until("the frame was refused", async () =>
      (
        await Promise.all(
          watched.page
            .frames()
            .slice(1)
            .map((frame) => frame.content().catch(() => ""))
        )
      ).every((content) => !content.includes('id="panel"'))
    )
    await watched.context.close()
  })

  it("says that the node is away, keeps what it shows, goes on without a gap, and is locked after a new start", async () => {
    const dave = await place.begin("dave", shipped, answering)
    const { context, faults, page } = await open(browser, {}, /ERR_|401|404/)
    await enter(page, dave.link())
    await context.setOffline(true)
    // A stream that is open already may outlive being offline: a command finds out.
    await go(page, "Invites")
    await press(page, "Make the invite")
    await seen(page.locator(".outcome").getByText(/does not answer/))
    await context.setOffline(false)
    await press(page, "Make the invite")
    await seen(part(page, "The new invite"))
    const { port } = dave
    await dave.end()
    await seen(page.getByText("not connected", { exact: true }))
    await seen(page.getByText(/What you see may be out of date/))
    expect(await seriousFaults(page)).toEqual([])
    await seen(part(page, "Your invites").getByText("open", { exact: true }))
    const again = await place.begin("dave", { ...shipped, port }, answering)
    expect(again.port).toBe(port)
    await seen(page.getByRole("heading", { name: "This page is locked" }))
    expect(await seriousFaults(page)).toEqual([])
    await enter(page, again.link())
    nothingWrong(faults)
    await context.close()
    await again.end()
  })
})
