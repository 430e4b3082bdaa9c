/**
 * The parts that every view is made of: buttons, questions in place, badges, facts, times, codes to copy and to scan.
 * It never decides what a press does, and never asks twice: a question in place has one yes.
 * They are here once, so that what looks alike also behaves alike under keyboard and screen reader.
 */
import { element } from "./element.js"
/** @import { Answer, App, Attributes, Child, Qr } from "./shapes.js" */

/**
 * A button. `key` is its own: the focus comes back to it, and it is busy while an action of that key runs.
 * @param {App} app @param {string} key @param {Child} words @param {() => unknown} press @param {Attributes} attributes
 */
export const button = ({ state }, key, words, press, attributes = {}) => {
  const isBusy = state.busy.has(key)
  return element(
    "button",
    {
      type: "button",
      "data-key": key,
      "aria-busy": isBusy ? "true" : null,
      onclick: () => !isBusy && void press(),
      ...attributes
    },
    words
  )
}

/**
 * A button whose press has to be confirmed where it is.
 * @param {App} app @param {string} key
 * @param {{ words: Child, question: Child, yes: string, press: () => unknown }} of
 */
export const asked = (app, key, { press, question, words, yes }) => {
  const { act, state } = app
  /** @param {string | null} asking @param {string} focus */
  const turn = (asking, focus) =>
    act.change((next) => {
      next.asking = asking
      next.focus = focus
    })
  if (state.asking !== key) return button(app, key, words, () => turn(key, `${key}-no`), { class: "danger" })
  const confirm = () => {
    turn(null, key)
    return press()
  }
  return element(
    "span",
    {
      "data-key": `${key}-ask`,
      class: "ask",
      role: "group",
      "aria-label": "Please confirm",
      onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && turn(null, key)
    },
    element("span", { class: "question", id: `${key}-question` }, question),
    button(app, `${key}-yes`, yes, confirm, { class: "danger solid", "aria-describedby": `${key}-question` }),
    button(app, `${key}-no`, "Keep", () => turn(null, key), { "aria-describedby": `${key}-question` })
  )
}

/** A word with a meaning that is not in its colour alone. @param {"good" | "bad" | "warn" | "quiet"} tone @param {Child} words */
export const badge = (tone, words) => element("span", { class: `badge ${tone}` }, words)

/** A part of a view under its own heading. @param {string} key @param {Child} heading @param {ReadonlyArray<Child>} children */
export const section = (key, heading, ...children) =>
  element(
    "section",
    { "data-key": key, class: "card", "aria-labelledby": `${key}-heading` },
    element("h2", { id: `${key}-heading`, tabindex: "-1" }, heading),
    children
  )

/** What stands where there is nothing yet. @param {ReadonlyArray<Child>} words */
export const empty = (...words) => element("p", { class: "empty" }, words)

/** Names and what they are. Rows without a value are left out. @param {ReadonlyArray<readonly [string, Child]>} rows */
export const facts = (rows) =>
  element(
    "dl",
    { class: "facts" },
    rows.flatMap(([name, value]) =>
      value === null || value === undefined || value === false
        ? []
        : [element("div", { "data-key": name }, element("dt", {}, name), element("dd", {}, value))]
    )
  )

const spans = /** @type {const} */ ([
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000]
])
const spelled = new Intl.RelativeTimeFormat("en", { numeric: "auto" })

/** A time, as seen from now. @param {App} app @param {number} atMs */
export const when = ({ state }, atMs) => {
  const distance = atMs - state.nowMs
  const span = spans.find(([, ms]) => Math.abs(distance) >= ms)
  const words =
    span === undefined
      ? distance > 0
        ? "in a moment"
        : "just now"
      : spelled.format(Math.round(distance / span[1]), span[0])
  const iso = new Date(atMs).toISOString()
  return element("time", { datetime: iso, title: iso }, words)
}

/** The hour and minute of a time, here. @param {number} atMs */
export const clock = (atMs) => {
  const date = new Date(atMs)
  const words = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
  return element("time", { datetime: date.toISOString(), title: date.toLocaleString() }, words)
}

/** A code that is read by people and machines, with a button that copies it. @param {App} app @param {string} key @param {string} text @param {string} what */
export const code = (app, key, text, what) =>
  element(
    "span",
    { class: "code" },
    element("code", {}, text),
    button(app, key, "Copy", () => app.act.copy(text, what), { class: "small", "aria-label": `Copy ${what}` })
  )

/** A QR code, dark on white in either colour scheme. @param {Qr} qr @param {string} label */
export const qrCode = ({ rows, size }, label) => {
  const dark = rows.flatMap((row, y) => [...row].flatMap((cell, x) => (cell === "1" ? [`M${x} ${y}h1v1h-1z`] : [])))
  return element(
    "svg",
    { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    element("path", { fill: "#fff", d: `M0 0h${size}v${size}h-${size}z` }),
    element("path", { fill: "#000", d: dark.join("") })
  )
}

/** A field under its label. @param {string} id @param {string} label @param {string} tag @param {Attributes} attributes @param {ReadonlyArray<Child>} children */
export const field = (id, label, tag, attributes, ...children) =>
  element(
    "p",
    { class: "field", "data-key": `${id}-field` },
    element("label", { for: id }, label),
    element(tag, { id, name: id, "data-key": id, autocomplete: "off", spellcheck: "false", ...attributes }, children)
  )

/**
 * A form whose fields go to one action, which says whether they may be emptied.
 * Pressed twice it is sent once.
 * @param {App} app @param {string} key
 * @param {(values: Record<string, string>) => Promise<boolean>} submit @param {ReadonlyArray<Child>} children
 */
export const form = ({ state: { busy } }, key, submit, ...children) =>
  element(
    "form",
    {
      "data-key": key,
      onsubmit: (/** @type {SubmitEvent} */ event) => {
        event.preventDefault()
        const filled = /** @type {HTMLFormElement} */ (event.currentTarget)
        const values = Object.fromEntries(
          [...new FormData(filled)].map(([name, value]) => [name, String(value).trim()])
        )
        const sending = `${key}-form`
        if (busy.has(sending)) return
        busy.add(sending)
        void submit(values).then((done) => {
          busy.delete(sending)
          if (done) filled.reset()
        })
      }
    },
    children
  )

/** The button that sends a form. @param {App} app @param {string} key @param {string} words @param {string} tone */
export const submitButton = ({ state }, key, words, tone = "primary") =>
  element(
    "button",
    { type: "submit", class: tone, "data-key": key, "aria-busy": state.busy.has(key) ? "true" : null },
    words
  )

/** A select that shows what is so; what was refused is not chosen. @param {App} app @param {string} id @param {string} label @param {string} chosen @param {ReadonlyArray<readonly [string, string]>} options @param {(value: string) => Promise<Answer | undefined>} choose */
export const choice = (app, id, label, chosen, options, choose) =>
  field(
    id,
    label,
    "select",
    {
      "data-chosen": chosen,
      onchange: async (/** @type {Event} */ event) => {
        const select = /** @type {HTMLSelectElement} */ (event.currentTarget)
        if ((await choose(select.value))?.ok !== true) select.value = select.dataset["chosen"] ?? chosen
      },
      "aria-busy": app.state.busy.has(id) ? "true" : null
    },
    options.map(([value, words]) => element("option", { value, selected: value === chosen }, words))
  )
