/**
 * Conversations as the page keeps them: the newest page, pages before it, a search, a draft.
 * It never makes up an order: entries stand as the server gave them, and a page that does not meet the next one is dropped.
 * The newest page is read again whenever something came or went, because an entry's outcome changes after it is shown.
 */

import { saveFile, tell, withBusy } from "./actions.js"
import { faultFrom } from "./api.js"

/** @import { Api } from "./api.js" */
/** @import { Actions, Conversation, Entry, Friend, State, Talk } from "./shapes.js" */

/** @returns {Talk} */
const freshTalk = () => ({ earlier: [], newest: [], before: null, phase: "loading", why: "", search: "", draft: "" })

/** @param {State} state @param {string} peerId */
export const talkOf = (state, peerId) => {
  const talk = state.talks.get(peerId) ?? freshTalk()
  state.talks.set(peerId, talk)
  return talk
}

/** The entries of a talk, oldest first. @param {Talk} talk @returns {ReadonlyArray<Entry>} */
export const entriesOf = ({ earlier, newest }) => [...earlier, ...newest]

/** @param {Talk} talk @param {Conversation} page */
const takeNewest = (talk, page) => {
  const fresh = new Set(page.entries.map(({ id }) => id))
  const known = entriesOf(talk)
  const meets = known.length === 0 || known.some(({ id }) => fresh.has(id))
  const before = meets
    ? known.slice(
        0,
        known.findIndex(({ id }) => fresh.has(id))
      )
    : []
  talk.earlier = talk.search === "" ? before : []
  if (talk.earlier.length === 0) talk.before = page.before
  talk.newest = page.entries
  talk.phase = "ready"
}

/** The actions of conversations. @param {Api} api @param {State} state @param {Actions["change"]} change */
export const makeTalks = (api, state, change) => {
  /** @param {string} peerId @param {"newest" | "earlier"} how */
  const talk = async (peerId, how) => {
    const { before, search } = talkOf(state, peerId)
    const query = new URLSearchParams({
      ...(search === "" ? {} : { search }),
      ...(how === "earlier" && before !== null ? { before } : {})
    })
    try {
      /** @type {Conversation} */
      const page = await api.read(`/api/conversations/${encodeURIComponent(peerId)}?${query}`)
      change((next) => {
        const now = talkOf(next, peerId)
        // Another search has begun meanwhile.
        if (now.search !== search) return
        if (how === "newest") return takeNewest(now, page)
        now.earlier = [...page.entries, ...now.earlier]
        now.before = page.before
      })
    } catch (failure) {
      change((next) => {
        const now = talkOf(next, peerId)
        now.phase = entriesOf(now).length > 0 ? now.phase : "failed"
        now.why = faultFrom(failure).message
      })
    }
  }
  /** @param {string} peerId @param {string} text */
  const search = async (peerId, text) => {
    change((next) => {
      next.talks.set(peerId, { ...freshTalk(), draft: talkOf(next, peerId).draft, search: text })
    })
    await talk(peerId, "newest")
  }
  /** @param {Friend} friend @param {"jsonl" | "text"} format */
  const save = ({ name, peerId }, format) =>
    withBusy(change, `save-${format}`, async () => {
      const response = await api.ask("GET", `/api/conversations/${encodeURIComponent(peerId)}/export?format=${format}`)
      const plain = name.replace(/[^A-Za-z0-9_-]/g, "_")
      saveFile(`conversation-${plain}.${format === "jsonl" ? "jsonl" : "txt"}`, await response.text())
      change((next) => tell(next, { tone: "good", text: "The conversation is saved to a file.", code: "" }))
    })
  /** @param {Friend} friend */
  const forget = ({ peerId }) =>
    withBusy(change, "forget", async () => {
      await api.ask("DELETE", `/api/conversations/${encodeURIComponent(peerId)}`)
      change((next) => {
        next.talks.set(peerId, freshTalk())
        tell(next, { tone: "good", text: "The conversation is deleted here. The friend keeps its own.", code: "" })
      })
      await talk(peerId, "newest")
    })
  return { talk, search, save, forget }
}
