/**
 * A real Chromium for the tests of the panel, and what it must never say: an error in its console, a breach of the page's policy.
 * It never downloads a browser; without the one of the system tests are skipped aloud, or fail where one is required.
 * Every page has a fresh profile, so that what one test leaves in a browser cannot help another.
 */
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core"

/** Where Debian's package puts it. */
const executablePath = "/usr/bin/chromium"

/** Whether there is a browser; its absence is a failure where one is required. */
export const hasBrowser = (): boolean => {
  const found = existsSync(executablePath)
  if (!found && process.env["REQUIRE_CHROMIUM"] === "1")
    throw new Error(`no ${executablePath}: apt-get install chromium`)
  if (!found) console.warn(`skipped: no ${executablePath} to look at the panel with`)
  return found
}

/** Starts it with nothing but what pages need. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"]
    ]
  })

export const desktop = { width: 1280, height: 900 }
export const phone = { width: 360, height: 740 }

/** A page in a profile of its own, and what went wrong in it. */
export interface Watched {
  readonly context: BrowserContext
  readonly page: Page
  /** Errors of the console and of scripts, dialogs, and breaches of the policy, as they come. */
  readonly faults: Array<string>
}

/** Opens an empty page that is watched. `expected` are errors of the network that a test makes itself. */
export const open = async (
  browser: Browser,
  options: BrowserContextOptions = {},
  expected = /^$/
): Promise<Watched> => {
  const context = await browser.newContext({ viewport: desktop, ...options })
  const page = await context.newPage()
  const faults: Array<string> = []
  page.on("console", (line) => {
    const text = `${line.text()} ${line.location().url}`
    if ((line.type() === "error" || /policy|trusted/i.test(text)) && !expected.test(text)) faults.push(text)
  })
  page.on("pageerror", (error) => faults.push(String(error)))
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { context, page, faults }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

interface Violation {
  readonly id: string
  readonly impact: string
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary: string }>
}

/** What axe finds serious or critical on a page as it is now, each in a line. */
export const seriousFaults = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(axeSource)
  const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as {
    readonly violations: ReadonlyArray<Violation>
  }
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ failureSummary, html }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`)
    )
}

/** How far a page can be scrolled sideways, in pixels. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
