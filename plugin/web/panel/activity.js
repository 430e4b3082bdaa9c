/**
 * What happens: the live log, what of ours has no outcome yet, the last refusals with their reasons, and a command line.
 * It never says less of a refusal than the node does: the code, the sentence, and whose it was.
 * The command line is here so that whatever has no button can still be done.
 */
import { element, peerText, peerWords } from "./element.js"
import { asked, badge, clock, empty, form, section, submitButton, when } from "./parts.js"

/** @import { App, News, View } from "./shapes.js" */

/** @param {News} news */
const newsRow = ({ id, told: { atMs, line } }) =>
  element("li", { class: line.tone, "data-key": `news-${id}` }, clock(atMs), peerText(line.text))

/** @param {App} app @param {View["refusals"][number]} refusal @param {string} key */
const refusalRow = (app, { atMs, code: known, kind, name, whose, why }, key) =>
  element(
    "li",
    { "data-key": key },
    element(
      "details",
      { class: "fold" },
      element(
        "summary",
        {},
        badge(whose === "ours" ? "warn" : "bad", known),
        whose === "ours" ? " yours to " : " from ",
        name === "" ? "a stranger" : peerWords(name),
        ` (${kind}), `,
        when(app, atMs)
      ),
      element(
        "p",
        {},
        element("strong", {}, "Why was this refused? "),
        why === "" ? "The other side gave this code and no sentence." : peerWords(why)
      )
    )
  )

/**
 * Rows whose keys stay the same when a newer one comes before them: what is opened stays open.
 * @param {App} app @param {View["refusals"]} refusals
 */
const refusalRows = (app, refusals) =>
  refusals.map((one, index) => {
    const same = refusals.slice(index + 1).filter(({ atMs, code }) => atMs === one.atMs && code === one.code)
    return refusalRow(app, one, `refusal-${one.atMs}-${one.code}-${same.length}`)
  })

/** @type {Readonly<Record<string, string>>} */
const queueWords = {
  waiting: "waits for a connection",
  sent: "sent, no receipt yet",
  givenUp: "given up; asking whether it arrived",
  running: "being answered",
  held: "waits for the owner's word"
}

/** @param {App} app @param {View["queue"][number]} waiting */
const queueRow = (app, { bytes, id, kind, name, state }) =>
  element(
    "li",
    { "data-key": id },
    element(
      "div",
      {},
      kind === "Inject" ? "Question to " : "Message to ",
      element("strong", {}, peerWords(name)),
      bytes > 0 ? ` (${bytes} bytes): ` : ": ",
      badge("warn", queueWords[state] ?? state),
      " ",
      element("code", {}, id.slice(0, 8))
    ),
    asked(app, `giveup-${id}`, {
      words: "Cancel",
      question: "Give this up? A run at the friend is stopped.",
      yes: "Give it up",
      press: () => app.act.command("cancel", id, { key: `giveup-${id}`, done: "Cancelled." })
    })
  )

/** @param {App} app */
const linePart = (app) =>
  section(
    "line-part",
    "Command line",
    form(
      app,
      "line-form",
      async (values) => {
        await app.act.line(values["line"] ?? "")
        return true
      },
      element("label", { for: "line", class: "unseen" }, "Command"),
      element("input", {
        id: "line",
        "data-key": "line-box",
        name: "line",
        list: "commands",
        required: true,
        placeholder: "/status",
        autocomplete: "off",
        spellcheck: "false",
        dir: "ltr"
      }),
      element(
        "datalist",
        { id: "commands", "data-key": "commands" },
        app.state.commands.map(({ help, name }) => element("option", { value: `/${name} ` }, help))
      ),
      submitButton(app, "line", "Run", "")
    ),
    app.state.output.length === 0
      ? null
      : element(
          "div",
          {
            class: "output",
            role: "status",
            tabindex: "0",
            "aria-label": "What the command said",
            "data-key": "output"
          },
          app.state.output.map(({ text, tone }) => element("div", { class: tone }, peerText(text)))
        )
  )

/** @param {App} app @param {View} view */
export const activityView = (app, view) =>
  element(
    "div",
    { class: "stack", "data-key": "activity" },
    section(
      "log",
      "Live",
      app.state.news.length === 0 ? empty("Nothing has happened since this page was opened.") : null,
      element(
        "ol",
        {
          class: "news",
          role: "log",
          "aria-live": "polite",
          "aria-label": "What happens",
          tabindex: "0",
          "data-key": "news",
          "data-end": "true"
        },
        app.state.news.map(newsRow)
      )
    ),
    section(
      "queue",
      `Without an outcome yet (${view.queue.length})`,
      view.queue.length === 0 ? empty("Nothing of yours waits.") : null,
      element(
        "ul",
        { class: "rows", "data-key": "queue-rows" },
        view.queue.map((one) => queueRow(app, one))
      )
    ),
    section(
      "refusals",
      `Refused lately (${view.refusals.length})`,
      view.refusals.length === 0 ? empty("Nothing was refused lately.") : null,
      element("ul", { class: "rows plain", "data-key": "refusal-rows" }, refusalRows(app, view.refusals))
    ),
    linePart(app)
  )
