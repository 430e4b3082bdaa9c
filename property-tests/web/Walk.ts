/**
 * Pages of live nodes in a real browser, and the few steps that every walk through the panel is made of.
 * It never asks a node what a page could show: steps wait until a person would see it.
 * Names are found as a screen reader finds them, so a control without a name cannot be walked.
 */
import { Effect } from "effect"
import type { Locator, Page } from "playwright-core"
import { expect } from "vitest"
import * as MemorySandbox from "../../adapters/memory/Sandbox.ts"
import * as Assets from "../../plugin/web/Assets.ts"
import type * as Panel from "../../plugin/web/Panel.ts"
import type { Around } from "./Stage.ts"

/** The panel that is shipped. */
export const shipped: Partial<Panel.Settings> = { folders: Assets.here }

/** Friends who may write as fast as a test does. */
const fast = [{ capacity: 10_000, windowMs: 1_000 }]

/** A node whose agent answers at once, and says what it was asked. */
export const answering: Around = {
  sandbox: MemorySandbox.layer(({ input }) =>
    Effect.succeed(new TextEncoder().encode(`answer to: ${new TextDecoder().decode(input)}`))
  ),
  rates: { message: fast, inject: fast, control: fast }
}

/** How long something may take to be seen on a loaded machine. */
export const patience = 45_000

/** Waits until somebody would see it. */
export const seen = (where: Locator): Promise<void> => where.first().waitFor({ timeout: patience })
export const gone = (where: Locator): Promise<void> => where.first().waitFor({ state: "detached", timeout: patience })

export const press = (where: Page | Locator, name: string | RegExp): Promise<void> =>
  where
    .getByRole("button", { name, exact: typeof name === "string" })
    .first()
    .click({ timeout: patience })

/** The part of a view under a heading. */
export const part = (page: Page, name: string | RegExp): Locator => page.getByRole("region", { name })

/** Opens one of the views. */
export const go = async (page: Page, name: string): Promise<void> => {
  await press(page.getByRole("navigation"), new RegExp(`^${name}`))
  await seen(page.getByRole("heading", { level: 1, name }))
}

/** Opens a friend, with the conversation or the details. */
export const openFriend = async (page: Page, name: string, aspect: "Conversation" | "Details"): Promise<void> => {
  await go(page, "Friends")
  // On a phone the list and the friend that is open take turns.
  const back = page.getByRole("button", { name: "← Friends" })
  if (await back.isVisible()) await back.click()
  await press(page.getByRole("list", { name: "Friends" }), new RegExp(name))
  await press(page, aspect)
}

/** Sends a message in the conversation that is open. */
export const say = async (page: Page, text: string): Promise<void> => {
  await page.getByLabel("Message", { exact: true }).fill(text)
  await press(page, "Send")
  await seen(entry(page, text))
}

/** A text in the conversation that is open. */
export const entry = (page: Page, text: string): Locator => page.getByRole("article").filter({ hasText: text })

/** Waits for what is said of a press, and hides it. */
export const told = async (page: Page, words: string): Promise<void> => {
  const bar = page.locator(".outcome").filter({ hasText: words })
  await seen(bar)
  await press(bar, "Dismiss")
}

/** Opens a node's page by a one-use link. */
export const enter = async (page: Page, link: string): Promise<void> => {
  await page.goto(link)
  await seen(page.getByRole("heading", { level: 1, name: "Overview" }))
  await seen(page.getByText("live", { exact: true }))
}

/** What the browser says has the focus. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate("document.activeElement?.getAttribute('data-key') ?? document.activeElement?.tagName")

/** That a page has said nothing that it must not. */
export const nothingWrong = (...faults: ReadonlyArray<ReadonlyArray<string>>): void => {
  expect(faults.flat()).toEqual([])
}
