/**
 * The panel: the whole page of a node, or, imported by a page of another origin, a frame that shows that page.
 * It never gives the host's page anything: no bearer, no text of a friend, nothing but a frame of the node's own origin.
 * Snapshot first, then the stream: whatever the stream tells makes the snapshot be read again, at most once a second.
 */

import { freshState, makeCommands, makeShowing } from "./actions.js"
import { faultFrom, makeApi } from "./api.js"
import { element } from "./element.js"
import { makeScreen } from "./shell.js"
import { follow } from "./stream.js"
import { dress } from "./style.js"
import { makeTalks } from "./talks.js"

/** @import { Actions, State, Told } from "./shapes.js" */

const newsMax = 300
const refreshMsMin = 1_000
const tickMs = 1_000
const noticeMs = 8_000
/** News after which an open conversation is read again. */
const ofTalks = /** @type {ReadonlyArray<string>} */ ([
  "received",
  "delivered",
  "refused",
  "answered",
  "job-ended",
  "inject-held",
  "call-held"
])

/** @param {URL} address @returns {HTMLElement} */
const frame = (address) => {
  const segment = address.pathname.split("/")[2] ?? ""
  const made = /** @type {HTMLIFrameElement} */ (
    element("iframe", {
      title: "wopr-p2p panel",
      src: `${address.origin}/#${segment}`,
      allow: "clipboard-write",
      sandbox: "allow-scripts allow-same-origin allow-forms allow-downloads"
    })
  )
  Object.assign(made.style, { width: "100%", height: "100%", minHeight: "640px", border: "0", display: "block" })
  return made
}

/** Reads the snapshot, never twice at a time and at most once a second. @param {() => Promise<void>} read */
const paced = (read) => {
  let lastMs = 0
  /** @type {Promise<void> | undefined} */
  let running
  let isWanted = false
  const soon = async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, lastMs + refreshMsMin - Date.now())))
    lastMs = Date.now()
    isWanted = false
    await read()
  }
  const ask = () => {
    isWanted = true
    running ??= soon().finally(() => {
      running = undefined
      if (isWanted) void ask()
    })
    return running
  }
  return ask
}

/** What an event of the stream does to the state. @param {State} state @param {string} id @param {Told} told */
const takeNews = (state, id, told) => {
  const { event, line } = told
  if (line.text !== "" && !state.news.some((one) => one.id === id))
    state.news = [...state.news, { id, told }].slice(-newsMax)
  const friend = state.view?.friends.find(({ peerId }) => peerId === event["peerId"])
  if (line.tone === "alarm") state.said = line.text
  if (friend === undefined || friend.muted || event["event"] !== "received") return
  const isShown = state.section === "friends" && state.friend === friend.peerId && state.aspect === "talk"
  if (isShown) return
  state.unread.set(friend.peerId, (state.unread.get(friend.peerId) ?? 0) + 1)
  state.said = `${friend.name} has written.`
}

/** The page of a node. @param {URL} address */
const page = (address) => {
  const state = freshState()
  const api = makeApi(address.origin, address.pathname.split("/")[2] ?? "")
  let isDue = false
  /** @type {Actions["change"]} */
  const change = (mutate) => {
    mutate(state)
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      screen.draw()
    })
  }
  const read = async () => {
    try {
      const view = await api.read("/api/view")
      change((next) => Object.assign(next, { view, phase: "ready", why: "", nowMs: Date.now() }))
    } catch (failure) {
      const { code, message } = faultFrom(failure)
      change((next) => {
        next.phase = code === "locked" ? "locked" : next.view === null ? "failed" : next.phase
        next.why = message
      })
    }
  }
  const refresh = paced(read)
  const talks = makeTalks(api, state, change)
  /** @type {Actions["open"]} */
  const open = (peerId, aspect) => {
    change((next) => {
      const isOther = next.friend !== peerId || next.section !== "friends"
      next.section = "friends"
      next.friend = peerId
      next.aspect = aspect
      next.asking = null
      if (isOther) next.focus = peerId === null ? "title" : "friend-title"
      if (peerId !== null && aspect === "talk") next.unread.delete(peerId)
    })
    if (peerId !== null && aspect === "talk") void talks.talk(peerId, "newest")
  }
  const commands = makeCommands(api, change, refresh)
  /** @type {Actions["send"]} */
  const send = async ({ handle, peerId }, name, text) => {
    const answer = await commands.command(name, `${handle} ${text}`, { key: `send-${name}` })
    if (answer === undefined) return false
    await talks.talk(peerId, "newest")
    return answer.ok
  }
  const reconnect = () => wake()
  const act = { change, open, send, reconnect, ...commands, ...talks, ...makeShowing(api, change) }
  const screen = makeScreen({ state, act })
  const wake = follow(api, {
    after: async () => {
      await read()
      if (state.view === null) throw faultFrom(new Error(state.why))
      return state.view.events
    },
    gap: () => void refresh(),
    live: () => {
      change((next) => {
        next.link = "live"
      })
      void refresh()
      if (state.commands.length === 0)
        void api.read("/api/commands").then(
          ({ commands: rows }) =>
            change((next) => {
              next.commands = rows
            }),
          () => {}
        )
    },
    lost: (retryAtMs, fault) =>
      change((next) => {
        next.link = "lost"
        next.retryAtMs = retryAtMs
        next.why = fault.message
        if (fault.code === "locked") next.phase = "locked"
      }),
    told: (id, told) => {
      change((next) => takeNews(next, id, told))
      void refresh()
      const { friend } = state
      if (friend !== null && told.event["peerId"] === friend && ofTalks.includes(String(told.event["event"])))
        void talks.talk(friend, "newest")
    }
  })
  keepTime(state, change)
  return screen.live
}

/** Times on the page go on, and what was said of a success goes away by itself. @param {State} state @param {Actions["change"]} change */
const keepTime = (state, change) => {
  let shown = state.notice
  let sinceMs = Date.now()
  setInterval(() => {
    const nowMs = Date.now()
    if (state.notice !== shown) {
      shown = state.notice
      sinceMs = nowMs
    }
    const isOver = shown?.tone === "good" && nowMs - sinceMs > noticeMs
    const isCoarse = nowMs - state.nowMs > 20_000
    if (!isOver && !isCoarse && state.link !== "lost") return
    change((next) => {
      next.nowMs = nowMs
      if (isOver) next.notice = null
    })
  }, tickMs)
}

/**
 * Draws the panel. In a page of another origin: the frame, and nothing else.
 * @returns {HTMLElement}
 */
export default function panel() {
  const address = new URL(import.meta.url)
  if (address.origin !== location.origin) return frame(address)
  dress()
  return page(address)
}
