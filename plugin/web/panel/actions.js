/**
 * What a press does: commands and questions to the server, and what the page remembers of the answers.
 * It never decides what is allowed; a refusal of the server is shown with its code and its sentence.
 * Everything goes through `change`, which draws the page anew, so that nothing is shown that is not in the state.
 */
import { faultFrom } from "./api.js"
/** @import { Api } from "./api.js" */
/** @import { Actions, Answer, Notice, State, Wish } from "./shapes.js" */

/** The state of a page that has just been opened. @returns {State} */
export const freshState = () => ({
  phase: "loading",
  link: "connecting",
  retryAtMs: 0,
  view: null,
  why: "",
  section: "overview",
  friend: null,
  aspect: "talk",
  asking: null,
  focus: null,
  busy: new Set(),
  notice: null,
  said: "",
  news: [],
  unread: new Map(),
  talks: new Map(),
  made: null,
  drawn: new Map(),
  secretTopic: null,
  commands: [],
  output: [],
  nowMs: Date.now()
})

/** @param {State} state @param {Notice} notice */
export const tell = (state, notice) => {
  state.notice = notice
  state.said = notice.code === "" ? notice.text : `Refused: ${notice.text}`
}

/** @param {unknown} failure @returns {Notice} */
const noticeOf = (failure) => {
  const { code: known, message } = faultFrom(failure)
  return { tone: "bad", text: message, code: known }
}

/** What people call a fault when there is no other. @param {Pick<Answer, "code" | "lines" | "why">} answer @returns {Notice} */
const refusalIn = ({ code: known = "refused", lines, why }) => ({
  tone: "bad",
  text: why ?? lines.map(({ text }) => text).join(" "),
  code: known
})

/** Runs what a button began, and shows where it failed. @param {Actions["change"]} change @param {string} key @param {() => Promise<void>} run */
export const withBusy = async (change, key, run) => {
  change(({ busy }) => busy.add(key))
  try {
    await run()
  } catch (failure) {
    change((next) => tell(next, noticeOf(failure)))
  } finally {
    change(({ busy }) => busy.delete(key))
  }
}

/** Saves a text as a file of the browser. @param {string} name @param {string} text */
export const saveFile = (name, text) => {
  const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }))
  const link = document.createElement("a")
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/**
 * The actions that commands are made of.
 * @param {Api} api @param {Actions["change"]} change @param {() => Promise<void>} refresh
 */
export const makeCommands = (api, change, refresh) => {
  /** @param {string} name @param {string} rest @param {Wish} wish */
  const command = async (name, rest, { done, key }) => {
    /** @type {Answer | undefined} */
    let answer
    await withBusy(change, key, async () => {
      answer = await api.command(name, rest)
      const notice = answer.ok ? { tone: /** @type {const} */ ("good"), text: done ?? "", code: "" } : refusalIn(answer)
      if (notice.text !== "") change((next) => tell(next, notice))
      void refresh()
    })
    return answer
  }
  /** @param {string} line */
  const line = (line) =>
    withBusy(change, "line", async () => {
      const answer = await api.line(line.startsWith("/") ? line : `/${line}`)
      change((next) => {
        const lines = answer.lines.length > 0 || !answer.ok ? answer.lines : [{ tone: "good", text: "done" }]
        next.output = [{ tone: "quiet", text: line }, ...lines]
        if (!answer.ok) tell(next, refusalIn(answer))
      })
      void refresh()
    })
  /** @param {Record<string, string | number>} wish */
  const invite = async (wish) => {
    let isMade = false
    await withBusy(change, "invite", async () => {
      const made = await api.wish("/api/invites", wish)
      isMade = made.ok
      change((next) => {
        next.made = made.ok ? made : null
        tell(
          next,
          made.ok
            ? { tone: "good", text: "The invite is made. Its link is shown this once.", code: "" }
            : refusalIn({ ...made, lines: [] })
        )
      })
      void refresh()
    })
    return isMade
  }
  return { command, line, invite }
}

/** The actions that only show something. @param {Api} api @param {Actions["change"]} change */
export const makeShowing = (api, change) => ({
  /** @param {string} text */
  draw: (text) =>
    withBusy(change, `draw-${text}`, async () => {
      const qr = await api.wish("/api/qr", { text })
      change(({ drawn }) => drawn.set(text, qr))
    }),
  look: () =>
    withBusy(change, "doctor", async () => {
      const doctor = await api.read("/api/doctor")
      change((next) => {
        if (next.view !== null) next.view = { ...next.view, doctor }
        tell(next, { tone: "good", text: "The doctor has looked.", code: "" })
      })
    }),
  /** @param {string} text @param {string} what */
  copy: async (text, what) => {
    const isCopied = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false
    )
    change((next) =>
      tell(
        next,
        isCopied
          ? { tone: "good", text: `Copied: ${what}.`, code: "" }
          : {
              tone: "bad",
              text: `The browser does not let this page copy. Select the text (${what}) and copy it yourself.`,
              code: "copy"
            }
      )
    )
  },
  /** @param {State["section"]} section */
  go: (section) =>
    change((next) => {
      next.section = section
      next.asking = null
      next.focus = "title"
    })
})
