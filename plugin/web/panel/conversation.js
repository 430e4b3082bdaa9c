/**
 * A conversation with a friend: what was said, how each message of ours stands, and what can be done with it.
 * It never announces what a muted friend wrote, and never sends on a key that starts a new line.
 * The list is a log for screen readers, and can be scrolled with the keyboard alone.
 */
import { element, peerText, peerWords } from "./element.js"
import { asked, badge, button, clock, empty, form, submitButton } from "./parts.js"
import { entriesOf, talkOf } from "./talks.js"

/** @import { App, Entry, Friend, Talk } from "./shapes.js" */

/** @type {Readonly<Record<string, readonly ["good" | "bad" | "warn" | "quiet", string]>>} */
const standings = {
  delivered: ["quiet", "delivered"],
  waiting: ["warn", "waiting"],
  sent: ["warn", "sent, no receipt yet"],
  running: ["warn", "being answered"],
  held: ["warn", "waits for the owner's word"],
  givenUp: ["warn", "given up, asking whether it arrived"],
  refused: ["bad", "not delivered"]
}

/** How a message of ours stands. @param {App} app @param {Entry} entry */
const standing = ({ state }, { id, state: word }) => {
  if (word === null) return null
  const refusal = state.view?.refusals.find((one) => one.id === id)
  const [tone, words] = standings[word] ?? ["quiet", word]
  return [
    badge(tone, words),
    refusal === undefined ? null : element("span", { class: "why" }, `${refusal.code}: ${refusal.why}`)
  ]
}

/** The day of a time, as a word. @param {number} atMs */
const dayOf = (atMs) =>
  new Date(atMs).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" })

/** @param {App} app @param {ReadonlyArray<Entry>} entries */
const entryList = (app, entries) =>
  entries.flatMap((entry, index) => {
    const day = dayOf(entry.atMs)
    const before = entries[index - 1]
    return [
      before === undefined || dayOf(before.atMs) !== day
        ? element("p", { class: "day", "data-key": `day-${day}` }, day)
        : null,
      element(
        "article",
        { class: entry.ours ? "entry ours" : "entry", "data-key": `entry-${entry.id}` },
        element("header", {}, peerWords(entry.from), " ", clock(entry.atMs), " ", standing(app, entry)),
        peerText(entry.text)
      )
    ]
  })

/** What stands where entries would. @param {Talk} talk */
const instead = ({ phase, search, why }) => {
  if (phase === "loading") return element("p", { class: "empty", role: "status" }, "Loading…")
  if (phase === "failed")
    return element("p", { class: "empty bad", role: "alert" }, `The conversation could not be read. ${why}`)
  return empty(search === "" ? "Nothing has been said yet." : "No text contains that.")
}

/** @param {App} app @param {Friend} friend @param {Talk} talk */
const searchBar = (app, friend, { search }) =>
  element(
    "div",
    { class: "bar", "data-key": "talk-bar" },
    form(
      app,
      `search-${friend.peerId}`,
      async (values) => {
        await app.act.search(friend.peerId, values["search"] ?? "")
        return false
      },
      element("label", { for: "search", class: "unseen" }, "Search this conversation"),
      element("input", {
        id: "search",
        "data-key": "search",
        name: "search",
        type: "search",
        placeholder: "Search",
        maxlength: "200",
        autocomplete: "off"
      }),
      submitButton(app, "search-go", "Search", "")
    ),
    search === "" ? null : button(app, "search-end", "Show all", () => app.act.search(friend.peerId, "")),
    button(app, "save-text", "Export text", () => app.act.save(friend, "text")),
    button(app, "save-jsonl", "Export JSON", () => app.act.save(friend, "jsonl")),
    asked(app, "forget", {
      words: "Delete",
      question: "Delete this conversation here? The friend keeps its own.",
      yes: "Delete it",
      press: () => app.act.forget(friend)
    })
  )

/** @param {App} app @param {Friend} friend @param {Talk} talk */
const composer = (app, friend, talk) => {
  const id = `text-${friend.peerId}`
  /** @param {"message" | "inject"} name */
  const send = async (name) => {
    const box = /** @type {HTMLTextAreaElement | null} */ (document.getElementById(id))
    if (box === null || box.value.trim() === "") return box?.focus()
    if (app.state.busy.has("send-message") || app.state.busy.has("send-inject")) return
    const text = box.value
    const isSent = await app.act.send(friend, name, text)
    // What was written meanwhile stays.
    if (!isSent || box.value !== text) return
    box.value = ""
    talkOf(app.state, friend.peerId).draft = ""
    box.focus()
  }
  const mayAsk = friend.allowsUs.includes("inject")
  return element(
    "form",
    {
      class: "composer",
      "data-key": `composer-${friend.peerId}`,
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault()
        void send("message")
      }
    },
    element("label", { for: id, class: "unseen" }, "Message"),
    element(
      "textarea",
      {
        id,
        "data-key": id,
        rows: "3",
        dir: "auto",
        placeholder: "Write a message; Ctrl+Enter sends it",
        oninput: (/** @type {Event} */ event) => {
          talkOf(app.state, friend.peerId).draft = /** @type {HTMLTextAreaElement} */ (event.currentTarget).value
        },
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return
          event.preventDefault()
          void send("message")
        }
      },
      talk.draft
    ),
    element(
      "div",
      { class: "row" },
      submitButton(app, "send-message", "Send"),
      button(app, "send-inject", "Ask its agent", () => send("inject"), { "aria-describedby": "inject-says" }),
      element(
        "span",
        { class: "hint", id: "inject-says" },
        mayAsk
          ? "Its agent answers from inside its sandbox."
          : "This friend has not granted you inject; its agent will refuse."
      )
    )
  )
}

/** A conversation. @param {App} app @param {Friend} friend */
export const conversationView = (app, friend) => {
  const talk = talkOf(app.state, friend.peerId)
  const entries = entriesOf(talk)
  return element(
    "div",
    { class: "talk", "data-key": `talk-${friend.peerId}` },
    searchBar(app, friend, talk),
    element(
      "div",
      {
        class: "entries",
        "data-key": `entries-${friend.peerId}`,
        "data-end": "true",
        role: "log",
        tabindex: "0",
        "aria-label": `Conversation with ${friend.name}`,
        "aria-live": friend.muted || talk.phase !== "ready" ? "off" : "polite"
      },
      talk.before === null
        ? null
        : element(
            "p",
            { class: "more", "data-key": "earlier" },
            button(app, "earlier-go", "Show earlier", () => app.act.talk(friend.peerId, "earlier"))
          ),
      entries.length === 0 ? instead(talk) : entryList(app, entries)
    ),
    composer(app, friend, talk)
  )
}
