/**
 * A walk through every function of the panel, in two browsers' pages with two live nodes behind them.
 * It never reloads a page: whatever the other side does has to appear by itself.
 * The steps stand in the order in which people would do them, each on what the one before left.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { hasBrowser, launch, open, type Watched } from "./Browser.ts"
import { type Life, makePlace, type Page, type Place, signIn, until } from "./Stage.ts"
import {
  answering,
  enter,
  entry,
  focused,
  go,
  gone,
  nothingWrong,
  openFriend,
  part,
  press,
  say,
  seen,
  shipped,
  told
} from "./Walk.ts"

describe.skipIf(!hasBrowser())("the panel in a browser", () => {
  let place: Place
  let browser: Browser
  let alice: Watched
  let bob: Watched
  let nodes: Record<"alice" | "bob" | "carol", Life>
  let carol: Page
  let dave: Life
  const files = mkdtempSync(join(tmpdir(), "wopr-p2p-panel-"))
  const room = { name: "lobby", file: join(files, "lobby") }
  beforeAll(async () => {
    place = await makePlace()
    browser = await launch()
    const begin = (name: string) => place.begin(name, shipped, { ...answering, room })
    const [one, two, three] = await Promise.all([begin("alice"), begin("bob"), begin("carol")])
    nodes = { alice: one, bob: two, carol: three }
    ;[alice, bob] = await Promise.all([open(browser), open(browser)])
    carol = await signIn(nodes.carol)
    await alice.context.grantPermissions(["clipboard-read", "clipboard-write"])
  }, 180_000)
  afterAll(async () => {
    await browser?.close()
    await place?.end()
    rmSync(files, { recursive: true, force: true })
  }, 60_000)

  it("opens by a link that is good once and leaves the address, and shows who this node is", async () => {
    const link = nodes.alice.link()
    await enter(alice.page, link)
    await enter(bob.page, nodes.bob.link())
    expect(alice.page.url()).not.toContain("#")
    const identity = part(alice.page, "This node")
    const { json } = await (await signIn(nodes.alice)).ask("/api/view")
    await seen(identity.getByText(json.identity.identityKey, { exact: true }))
    await seen(identity.getByText(json.identity.shortKey, { exact: true }))
    await seen(identity.getByRole("img", { name: "Your public key as a QR code" }))
    await press(identity, "Copy the public key")
    expect(await alice.page.evaluate("navigator.clipboard.readText()")).toBe(json.identity.identityKey)
    await seen(alice.page.getByText("Nobody waits for your answer."))
    const again = await open(browser, {}, /panel\.js/)
    await again.page.goto(link)
    await seen(again.page.getByRole("heading", { name: "This link is used up" }))
    await again.context.close()
  })

  it("makes an invite that is shown once, takes one back after asking, and claims one", async () => {
    const [mine, theirs] = [alice.page, bob.page]
    await go(mine, "Invites")
    await press(mine, "Make the invite")
    const made = part(mine, "The new invite")
    await seen(made.getByRole("img", { name: "The invite's link as a QR code" }))
    await press(made, "Copy the link")
    const link = String(await mine.evaluate("navigator.clipboard.readText()"))
    expect(link).toMatch(/^wop3:/)
    await press(made, "Done, hide it")
    await gone(made)
    expect(await mine.content()).not.toContain(link)
    await go(theirs, "Invites")
    await theirs.getByLabel("Link that you were given").fill(link)
    await press(theirs, "Claim")
    await told(theirs, "Claimed")
    await seen(part(mine, "Your invites").getByText("1 of 1 used"))
    await seen(part(mine, "Your invites").getByText("used by bob"))
    await mine.getByLabel("Uses").fill("3")
    await press(mine, "Make the invite")
    await seen(made)
    await press(mine, "Take back")
    expect(await focused(mine)).toMatch(/-no$/)
    await press(mine, "Keep")
    expect(await focused(mine)).toMatch(/^uninvite-/)
    await press(mine, "Take back")
    await press(mine, "Take it back")
    await seen(part(mine, "Your invites").getByText("taken back", { exact: true }))
    for (const page of [mine, theirs]) {
      await go(page, "Friends")
      await seen(page.getByRole("list", { name: "Friends" }).getByText("connected", { exact: true }))
    }
  })

  it("asks somebody in the room, who accepts; and denies a request after asking", async () => {
    const { page } = alice
    const until = async (name: string) => {
      await page.getByText("Ask somebody in the room").click()
      await page.getByLabel("Name in the room").fill(name)
      await press(page, "Ask")
    }
    await go(page, "Friends")
    await until("carol")
    await told(page, "Asked")
    const requests = part(bob.page, /^Requests/)
    await carol.command("/friend @bob")
    await go(bob.page, "Overview")
    await seen(requests.getByText("carol", { exact: true }))
    await press(requests, "Deny")
    await press(requests, "Deny it")
    await seen(bob.page.getByText("Nobody waits for your answer."))
    await carol.command("/accept @alice")
    await seen(page.getByRole("list", { name: "Friends" }).getByText("carol", { exact: true }))
  })

  it("accepts a request, whose fingerprint it shows", async () => {
    await carol.command("/topic join walk")
    await go(bob.page, "Topics")
    await bob.page.getByLabel("Join a topic").fill("walk")
    await press(bob.page, "Join")
    await until("carol knows bob", async () => (await carol.view()).discovered.length > 0)
    await carol.command("/connect @bob in walk : it is me")
    await go(bob.page, "Overview")
    const requests = part(bob.page, /^Requests/)
    await seen(requests.getByText(/its key is proven/))
    await press(requests, "Accept carol")
    await told(bob.page, "Accepted")
    await go(bob.page, "Friends")
    await seen(bob.page.getByRole("list", { name: "Friends" }).getByText("carol", { exact: true }))
  })

  it("talks: live, with outcomes, unread marks and drafts that stay", async () => {
    await openFriend(alice.page, "bob", "Conversation")
    await say(alice.page, "hello bob")
    await seen(entry(alice.page, "hello bob").getByText("delivered", { exact: true }))
    await seen(bob.page.getByRole("list", { name: "Friends" }).getByText("1 new"))
    await openFriend(bob.page, "alice", "Conversation")
    await seen(entry(bob.page, "hello bob"))
    await gone(bob.page.getByText("1 new"))
    await bob.page.getByLabel("Message", { exact: true }).fill("two\nlines")
    await bob.page.keyboard.press("Control+Enter")
    await seen(entry(alice.page, "two\nlines"))
    await alice.page.getByLabel("Message", { exact: true }).fill("a draft")
    await go(alice.page, "Node")
    await openFriend(alice.page, "bob", "Conversation")
    expect(await alice.page.getByLabel("Message", { exact: true }).inputValue()).toBe("a draft")
    await alice.page.getByLabel("Message", { exact: true }).fill("")
  })

  it("pages back, searches, exports, and deletes after asking", async () => {
    const { page } = alice
    const api = await signIn(nodes.bob)
    const back = (await api.view()).friends.find(({ name }: { name: string }) => name === "alice").handle
    for (let number = 1; number <= 60; number += 1) await api.command(`/message ${back} number ${number}.`)
    await seen(entry(page, "number 60."))
    await page.getByLabel("Search this conversation").fill("number 33")
    await press(page, "Search")
    await seen(entry(page, "number 33."))
    await gone(entry(page, "number 34."))
    await press(page, "Show all")
    await seen(entry(page, "number 60."))
    expect(await entry(page, "number 3.").count()).toBe(0)
    while ((await entry(page, "hello bob").count()) === 0) {
      await press(page, "Show earlier")
      await page.waitForTimeout(200)
    }
    for (const [button, wanted] of [
      ["Export text", "bob: number 33."],
      ["Export JSON", '"text":"number 33."']
    ] as const) {
      const download = page.waitForEvent("download")
      await press(page, button)
      expect(readFileSync(await (await download).path(), "utf8")).toContain(wanted)
    }
    await press(page, "Delete")
    expect(await focused(page)).toBe("forget-no")
    await page.keyboard.press("Escape")
    expect(await focused(page)).toBe("forget")
    await press(page, "Delete")
    await press(page, "Delete it")
    await seen(page.getByText("Nothing has been said yet."))
    await seen(entry(bob.page, "number 60."))
  })

  it("grants and revokes; a question waits for its word, is approved, and refused with a reason", async () => {
    const [mine, theirs] = [alice.page, bob.page]
    await openFriend(mine, "bob", "Conversation")
    await mine.getByLabel("Message", { exact: true }).fill("who are you?")
    await press(mine, "Ask its agent")
    await seen(entry(mine, "who are you?").getByText(/no-capability/))
    await openFriend(theirs, "alice", "Details")
    await press(theirs, "Grant inject")
    await told(theirs, "inject is granted.")
    await seen(mine.getByText("Its agent answers from inside its sandbox."))
    await theirs.getByLabel("Its questions wait for your word").selectOption("always")
    await told(theirs, "Kept.")
    for (const [text, button, confirm] of [
      ["what is a boat?", "Approve", ""],
      ["what is a car?", "Refuse", "Refuse it"]
    ] as const) {
      await mine.getByLabel("Message", { exact: true }).fill(text)
      await press(mine, "Ask its agent")
      await seen(entry(mine, text).getByText("waits for the owner's word"))
      await go(theirs, "Overview")
      const held = part(theirs, /^Questions for your agent \(1\)/)
      await seen(held.getByText("every question of this friend waits"))
      await press(held, "Read it in the conversation")
      await seen(entry(theirs, text))
      await go(theirs, "Overview")
      await press(held, new RegExp(`^${button}`))
      if (confirm !== "") await press(held, confirm)
      await seen(theirs.getByText("No question waits for your word."))
    }
    await seen(entry(mine, "answer to: what is a boat?"))
    await seen(entry(mine, "what is a car?").getByText("not delivered"))
    await openFriend(theirs, "alice", "Details")
    await press(theirs, "Revoke inject")
    await told(theirs, "inject is revoked.")
  })

  it("verifies by fingerprint and by a short string, and takes a verification back", async () => {
    const [mine, theirs] = [alice.page, bob.page]
    await openFriend(mine, "bob", "Details")
    await openFriend(theirs, "alice", "Details")
    const words = async (page: typeof mine) => part(page, "Verification").locator("code").allInnerTexts()
    expect(await words(mine)).toEqual(await words(theirs))
    expect((await words(mine))[0]!.split(" ")).toHaveLength(8)
    await press(mine, "Show QR code")
    await seen(mine.getByRole("img", { name: "Fingerprint with bob as a QR code" }))
    await press(mine, "They match")
    await seen(part(mine, "Verification").getByText("verified", { exact: true }))
    await press(mine, "Take verification back")
    await seen(part(mine, "Verification").getByText("verification taken back"))
    await press(mine, "Compare a short string")
    await seen(theirs.getByText("Your friend wants to compare a short string with you."))
    await press(theirs, "Compare")
    const strings = async (page: typeof mine) => {
      await seen(page.locator("strong.string"))
      return page.locator("strong.string").allInnerTexts()
    }
    expect(await strings(mine)).toEqual(await strings(theirs))
    for (const page of [mine, theirs]) await press(page, "It is the same")
    for (const page of [mine, theirs]) await seen(part(page, "Verification").getByText("verified", { exact: true }))
    await openFriend(theirs, "carol", "Details")
    await press(theirs, "They differ")
    await press(part(theirs, "Verification").getByRole("group"), "They differ")
    await seen(part(theirs, "Verification").getByText("key in doubt"))
    await seen(theirs.getByRole("alert").getByText(/sas-mismatch/))
    await go(theirs, "Overview")
    await press(theirs, "Look at carol")
    await press(theirs, "The key we hold is right")
    await press(theirs, "Yes, settle it")
    await gone(part(theirs, "Verification").getByText("key in doubt"))
  })

  it("renames and mutes a friend, whose texts come without being announced", async () => {
    const { page } = alice
    await openFriend(page, "bob", "Details")
    await page.getByLabel("Call it here").fill("robert")
    await press(page, "Rename")
    await seen(page.getByRole("list", { name: "Friends" }).getByText("robert", { exact: true }))
    await press(page, "Mute")
    await seen(page.getByRole("list", { name: "Friends" }).getByText("muted", { exact: true }))
    await openFriend(bob.page, "alice", "Conversation")
    await say(bob.page, "psst")
    await openFriend(page, "robert", "Conversation")
    await seen(entry(page, "psst"))
    expect(await page.getByText(/\d new/).count()).toBe(0)
    await press(page, "Details")
    await press(page, "Unmute")
    await gone(page.getByText("muted", { exact: true }))
  })

  it("joins topics, public and secret, sees who is there and connects; leaves after asking", async () => {
    const [mine, theirs] = [alice.page, bob.page]
    for (const page of [mine, theirs]) await go(page, "Topics")
    await mine.getByLabel("Join a topic").fill("walk")
    await press(mine, "Join")
    await theirs.getByLabel("Tags, with commas").fill("chess, go")
    await theirs.getByLabel("Description").fill("plays")
    await press(theirs, "Save")
    const there = part(mine, /^Who is there/)
    await seen(there.getByText("plays"))
    await seen(there.getByText("go", { exact: true }))
    await mine.getByLabel("Make a secret topic").fill("hidden")
    await press(mine, "Make a key")
    await seen(mine.getByText(/^hidden#/))
    await press(mine, "Join it")
    await press(mine, "Done, hide it")
    await seen(part(mine, "Topics").getByText("secret", { exact: true }))
    const hidden = part(mine, "Topics").getByRole("listitem").filter({ hasText: "hidden" })
    await press(hidden, "Leave")
    await press(hidden, "Leave it")
    await gone(hidden)
    dave = await place.begin("dave", shipped)
    const page = await signIn(dave)
    await page.command("/topic join walk")
    const row = there.getByRole("listitem").filter({ hasText: "dave" })
    await row.getByLabel("Note to its operator").fill("shall we?")
    await press(row, "Connect")
    await seen(part(mine, "Whom you asked to connect"))
    await until("dave is asked", async () => (await page.view()).requests.length === 1)
    await page.command(`/accept ${(await page.view()).requests[0].handle}`)
    await seen(row.getByText("friend", { exact: true }))
  })

  it("introduces two friends, and shows who introduced whom before the answer and after it", async () => {
    const [mine, theirs] = [alice.page, bob.page]
    await openFriend(mine, "dave", "Details")
    await mine.getByLabel("To", { exact: true }).selectOption("robert")
    await mine.getByLabel("Why (both read it)").fill("you both play go")
    await press(part(mine, "Introduce"), "Introduce")
    await told(mine, "Both are told of each other")
    await go(theirs, "Overview")
    const introduced = part(theirs, /^Introductions \(1\)/)
    await seen(introduced.getByText("@alice", { exact: true }))
    await seen(introduced.getByText("you both play go"))
    const page = await signIn(dave)
    await seen(introduced.getByText((await page.view()).identity.identityKey))
    await seen(introduced.getByText((await page.view()).introductions[0].fingerprint.words))
    await press(introduced, "Accept dave")
    await told(theirs, "You are friends once they accept too")
    await seen(theirs.getByText("You said yes; theirs is awaited"))
    // Who was introduced and has said yes asks by then.
    await until("dave is asked", async () => (await page.view()).requests[0]?.introducedBy === "alice")
    await page.command(`/accept ${(await page.view()).requests[0].handle}`)
    await gone(part(theirs, /^Introductions/))
    await openFriend(theirs, "dave", "Details")
    await seen(part(theirs, "About").getByText("@alice", { exact: true }))
    await dave.end()
  })

  it("shows what happens and what waits, says why something was refused, and takes a typed line", async () => {
    const { page } = alice
    await openFriend(page, "dave", "Conversation")
    await seen(page.locator(".friend-head").getByText("not connected"))
    await page.getByLabel("Message", { exact: true }).fill("are you there?")
    await press(page, "Send")
    await seen(entry(page, "are you there?").getByText("waiting", { exact: true }))
    await go(page, "Activity")
    await seen(page.getByRole("log", { name: "What happens" }).getByText(/dave is your friend now/))
    expect(await page.getByRole("log", { name: "What happens" }).getByText(/psst/).count()).toBe(0)
    const queue = part(page, /^Without an outcome yet \(1\)/)
    await press(queue, "Cancel")
    await press(queue, "Give it up")
    await seen(page.getByText("Nothing of yours waits."))
    const refused = part(page, /^Refused lately/)
      .getByRole("listitem")
      .filter({ hasText: "no-capability" })
      .first()
    await refused.getByText("no-capability").click()
    await seen(refused.getByText("Why was this refused?"))
    await seen(refused.getByText(/has not granted this capability/))
    await page.getByLabel("Command", { exact: true }).fill("/status")
    await press(page, "Run")
    await seen(page.getByLabel("What the command said").getByText(/@alice, key/))
    await page.getByLabel("Command", { exact: true }).fill("/nonsense")
    await press(page, "Run")
    await seen(page.getByLabel("What the command said").getByText(/there is no command/))
  })

  it("shows sandbox, doctor and limits; changes rules and what only verified friends may do", async () => {
    const { page } = alice
    await go(page, "Node")
    await seen(part(page, "Sandbox").getByText("ready", { exact: true }))
    await press(part(page, "Doctor"), "Look again")
    await told(page, "The doctor has looked.")
    await seen(part(page, "Limits of each friend").getByText(/a minute/))
    await seen(page.getByText("Nobody is shut out."))
    await page.getByLabel("New rule").fill("author:erin")
    await press(page, "Add")
    await press(part(page, "Accepted without asking you"), /^Remove/)
    await seen(page.getByText("No rules: every request asks you."))
    await page.getByLabel("inject", { exact: true }).selectOption("verified")
    await seen(part(page, "Status").getByText("inject is for verified friends only"))
    await page.getByLabel("inject", { exact: true }).selectOption("nothing")
    await gone(part(page, "Status").getByText("inject is for verified friends only"))
  })

  it("ends a friendship after asking, and the other side sees it", async () => {
    await openFriend(bob.page, "alice", "Details")
    await openFriend(alice.page, "robert", "Details")
    await press(alice.page, "End friendship")
    await press(alice.page, "End it")
    await gone(alice.page.getByRole("list", { name: "Friends" }).getByText("robert"))
    await gone(bob.page.getByRole("list", { name: "Friends" }).getByText("alice", { exact: true }))
  })

  it("nothing was wrong in either page all the while", () => nothingWrong(alice.faults, bob.faults))
})
