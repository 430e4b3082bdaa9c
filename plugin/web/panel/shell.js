/**
 * The frame of every view: whose node this is, the way to each view, whether it is live, and what was just done.
 * It never blanks what is known when the node is away; it says so above it and keeps trying.
 * Drawing and focus are here together, because whoever removes a button has to say where the focus goes.
 */

import { activityView } from "./activity.js"
import { element } from "./element.js"
import { friendsView } from "./friends.js"
import { invitesView } from "./invites.js"
import { nodeView } from "./node.js"
import { overviewView, waitingFor } from "./overview.js"
import { badge, button } from "./parts.js"
import { patch } from "./patch.js"
import { topicsView } from "./topics.js"

/** @import { App, Child, Section, View } from "./shapes.js" */

/** @type {Readonly<Record<Section, { title: string, view: (app: App, view: View) => HTMLElement }>>} */
const views = {
  overview: { title: "Overview", view: overviewView },
  friends: { title: "Friends", view: friendsView },
  invites: { title: "Invites", view: invitesView },
  topics: { title: "Topics", view: topicsView },
  activity: { title: "Activity", view: activityView },
  node: { title: "Node", view: nodeView }
}

/** @param {App} app @param {Section} name */
const badgeOf = ({ state }, name) => {
  const count =
    name === "overview" && state.view !== null
      ? waitingFor(state.view)
      : name === "friends"
        ? [...state.unread.values()].reduce((sum, one) => sum + one, 0)
        : 0
  return count === 0
    ? null
    : badge("warn", [count, element("span", { class: "unseen" }, name === "overview" ? " waiting for you" : " new")])
}

/** @param {App} app */
const top = (app) =>
  element(
    "header",
    { class: "top", "data-key": "top" },
    element("span", { class: "who" }, app.state.view === null ? "wopr-p2p" : `@${app.state.view.identity.name}`),
    element(
      "nav",
      { "aria-label": "Views", "data-key": "views" },
      /** @type {ReadonlyArray<Section>} */ (Object.keys(views)).map((name) =>
        button(app, `go-${name}`, [views[name].title, badgeOf(app, name)], () => app.act.go(name), {
          "aria-current": app.state.section === name ? "page" : null
        })
      )
    ),
    element(
      "span",
      { class: app.state.link === "live" ? "link on" : "link", role: "status", "data-key": "link" },
      { live: "live", connecting: "connecting…", lost: "not connected" }[app.state.link]
    )
  )

/** What is above a view that may be out of date. @param {App} app */
const lostBanner = (app) => {
  const { link, nowMs, retryAtMs, view, why } = app.state
  if (link !== "lost" || view === null) return null
  const seconds = Math.max(0, Math.ceil((retryAtMs - nowMs) / 1_000))
  return element(
    "div",
    { class: "banner", "data-key": "lost", role: "alert" },
    element("span", {}, why, " What you see may be out of date."),
    element("span", { "aria-hidden": "true" }, seconds === 0 ? "Trying…" : `Next try in ${seconds} s.`),
    button(app, "reconnect", "Try now", app.act.reconnect, { class: "small" })
  )
}

/** @param {App} app */
const noticeBar = (app) => {
  const { notice } = app.state
  if (notice === null) return null
  return element(
    "div",
    { class: `outcome ${notice.tone}`, "data-key": "notice" },
    element(
      "span",
      {},
      notice.text,
      notice.code === "" ? null : element("span", {}, " (", element("code", {}, notice.code), ")")
    ),
    button(
      app,
      "notice-done",
      "Dismiss",
      () =>
        app.act.change((next) => {
          next.notice = null
        }),
      { class: "small" }
    )
  )
}

/** A page that shows nothing but one thing to say. @param {string} key @param {string} heading @param {ReadonlyArray<Child>} children */
const alone = (key, heading, ...children) =>
  element(
    "div",
    { class: "alone", "data-key": key },
    element("h1", { tabindex: "-1", "data-key": "title" }, heading),
    children
  )

/** @param {App} app */
const body = (app) => {
  const { phase, section, view, why } = app.state
  if (phase === "locked") {
    return alone(
      "locked",
      "This page is locked",
      element(
        "p",
        { role: "alert" },
        "Its key is good for one node's life and one page. The node was started anew, or the page's key was given up."
      ),
      element(
        "p",
        {},
        "Run ",
        element("code", {}, "wopr-p2p panel"),
        " in a terminal and open the link that it prints, or load the page of your host again."
      )
    )
  }
  if (view === null && phase === "failed") {
    return alone(
      "failed",
      "The node does not answer",
      element("p", { role: "alert" }, why),
      button(app, "reconnect", "Try now", app.act.reconnect, { class: "primary" })
    )
  }
  if (view === null)
    return alone("loading", "Loading…", element("p", { role: "status", class: "hint" }, "The node is asked how it is."))
  return element(
    "div",
    { class: "content", "data-key": `content-${section}` },
    element("h1", { tabindex: "-1", "data-key": "title" }, views[section].title),
    views[section].view(app, view)
  )
}

/** @param {App} app */
const whole = (app) =>
  element(
    "div",
    { class: "wopr-panel" },
    app.state.phase === "locked" ? null : top(app),
    lostBanner(app),
    body(app),
    noticeBar(app),
    element("p", { class: "unseen", role: "status", "aria-live": "polite", "data-key": "said" }, app.state.said)
  )

const nearEnd = 40

/** Draws a page again and again on one element. @param {App} app */
export const makeScreen = (app) => {
  const live = whole(app)
  /** Lists that stay at their end while they are there. */
  const lists = () => [...live.querySelectorAll("[data-end]")]
  /** @param {string} key */
  const byKey = (key) => /** @type {HTMLElement | null} */ (live.querySelector(`[data-key="${CSS.escape(key)}"]`))
  const draw = () => {
    const before = new Map(
      lists().map((list) => [
        list,
        {
          bottom: list.scrollHeight - list.scrollTop,
          end: list.scrollHeight - list.scrollTop - list.clientHeight < nearEnd,
          height: list.scrollHeight,
          first: list.querySelector("article,li")?.getAttribute("data-key")
        }
      ])
    )
    const focused = live.contains(document.activeElement) ? document.activeElement?.getAttribute("data-key") : undefined
    patch(live, whole(app))
    for (const list of lists()) {
      const was = before.get(list)
      const isLonger = was !== undefined && list.querySelector("article,li")?.getAttribute("data-key") !== was.first
      if (was === undefined || was.end) list.scrollTop = list.scrollHeight
      else if (isLonger) list.scrollTop = list.scrollHeight - was.bottom
    }
    const wanted = app.state.focus
    app.state.focus = null
    if (wanted !== null) return byKey(wanted)?.focus()
    if (focused === undefined || live.contains(document.activeElement)) return
    // What had the focus is gone: the keyboard goes on where it was, or at the beginning of the view.
    const again = focused === null ? null : byKey(focused)
    ;(again ?? byKey("title"))?.focus()
  }
  return { live, draw }
}
