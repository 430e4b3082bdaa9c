/**
 * Making sure that a friend's key is the friend's: words, number and code to compare, or a short string to read aloud.
 * It never says that a key is verified before the operator did, and asks before a "they differ" stops everything.
 * Both ways are shown side by side, because which one people can use depends on what else connects them.
 */
import { element } from "./element.js"
import { asked, badge, button, code, facts, qrCode, section, when } from "./parts.js"

/** @import { App, Friend } from "./shapes.js" */

/** @type {Readonly<Record<Friend["trust"], readonly ["good" | "bad" | "warn" | "quiet", string]>>} */
const trustWords = {
  verified: ["good", "verified"],
  unverified: ["quiet", "not verified"],
  changed: ["warn", "key changed: compare again"],
  revoked: ["warn", "verification taken back"]
}

/** What was made sure of about a friend. @param {Friend} friend */
export const trustBadge = ({ alarm, trust }) =>
  alarm === null ? badge(...trustWords[trust]) : badge("bad", "key in doubt")

/** @param {App} app @param {Friend} friend @param {string} rest @param {string} key @param {string} done */
const say = (app, friend, rest, key, done) => app.act.command("verify", `${friend.handle} ${rest}`, { key, done })

/** @type {Readonly<Record<string, string>>} */
const stages = {
  committed: "Waiting until your friend does the same on its side.",
  invited: "Your friend wants to compare a short string with you.",
  answered: "The two nodes are agreeing on a string.",
  comparing: "Read this to each other. Is it the same on both sides?",
  agreed: "You said that it is the same. Waiting for your friend's word.",
  awaited: "Your friend says that it is the same. Is it?"
}

/** @param {App} app @param {Friend} friend */
const comparison = (app, friend) => {
  const { comparison: now, connected } = friend
  const begin = () => say(app, friend, "sas", "sas", "")
  if (now === null) {
    return [
      element(
        "p",
        { class: "hint" },
        connected
          ? "Both of you press this, then read a short string to each other, over a call for example."
          : "This needs a connection; your friend is not connected now."
      ),
      button(app, "sas", "Compare a short string", begin)
    ]
  }
  const mayAnswer = now.stage === "comparing" || now.stage === "awaited"
  return [
    element(
      "p",
      { role: "status", "data-key": "sas-stage" },
      stages[now.stage] ?? now.stage,
      " Until ",
      when(app, now.expiresAtMs),
      "."
    ),
    now.words === null
      ? null
      : facts([
          ["String", element("strong", { class: "string" }, now.words)],
          ["Number", element("strong", { class: "string" }, now.number ?? "")]
        ]),
    now.stage === "invited" ? button(app, "sas", "Compare", begin, { class: "primary" }) : null,
    mayAnswer
      ? button(
          app,
          "sas-yes",
          "It is the same",
          () => say(app, friend, "sas yes", "sas-yes", "Said: it is the same."),
          { class: "primary" }
        )
      : null,
    mayAnswer || now.stage === "agreed"
      ? asked(app, "sas-no", {
          words: "It differs",
          question: "Say that it differs? Messages with this friend stop until that is settled.",
          yes: "It differs",
          press: () => say(app, friend, "sas no", "sas-no", "Said: it differs.")
        })
      : null
  ]
}

/** @param {App} app @param {Friend} friend */
const doubt = (app, friend) =>
  friend.alarm === null
    ? null
    : element(
        "div",
        { class: "alarm", role: "alert", "data-key": "alarm" },
        element("p", {}, element("strong", {}, friend.alarm.code), ": ", friend.alarm.why),
        asked(app, "confirm", {
          words: "The key we hold is right",
          question: "Have you compared the fingerprints with your friend over another way?",
          yes: "Yes, settle it",
          press: () =>
            app.act.command("confirm", friend.handle, { key: "confirm", done: "Settled: the key we hold is right." })
        })
      )

/** @param {App} app @param {Friend} friend */
const fingerprint = (app, { fingerprint: shown, name }) => {
  const drawn = app.state.drawn.get(shown.qr)
  return [
    element(
      "p",
      { class: "hint" },
      "The same on both sides. Compare it over another way: a call, a meeting, a signed page."
    ),
    facts([
      ["Words", code(app, "copy-words", shown.words, "the words")],
      ["Number", code(app, "copy-number", shown.number, "the number")],
      [
        "Code",
        drawn === undefined
          ? button(app, `draw-${shown.qr}`, "Show QR code", () => app.act.draw(shown.qr))
          : qrCode(drawn, `Fingerprint with ${name} as a QR code`)
      ]
    ])
  ]
}

/** Everything about whose key it is. @param {App} app @param {Friend} friend */
export const verificationView = (app, friend) =>
  section(
    "verification",
    "Verification",
    doubt(app, friend),
    element(
      "p",
      { "data-key": "trust" },
      trustBadge(friend),
      friend.trustSinceMs === null ? null : [" ", when(app, friend.trustSinceMs)]
    ),
    element("h3", {}, "Fingerprint"),
    fingerprint(app, friend),
    element(
      "p",
      { class: "row", "data-key": "verify-row" },
      friend.trust === "verified"
        ? button(app, "unverify", "Take verification back", () =>
            app.act.command("unverify", friend.handle, { key: "unverify", done: "The verification is taken back." })
          )
        : button(app, "verify-yes", "They match", () => say(app, friend, "yes", "verify-yes", "Verified."), {
            class: "primary"
          }),
      asked(app, "verify-no", {
        words: "They differ",
        question: "Say that the fingerprints differ? Messages with this friend stop until that is settled.",
        yes: "They differ",
        press: () => say(app, friend, "no", "verify-no", "Said: the fingerprints differ.")
      })
    ),
    element("h3", {}, "Short string"),
    element("div", { class: "stack", "data-key": "sas-part" }, comparison(app, friend))
  )
