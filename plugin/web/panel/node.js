/**
 * The node itself: sandbox, what the doctor found, limits, who is shut out, rules of accepting, what only verified friends may.
 * It never changes the identity, which restarts the node and belongs to its prompt.
 * Findings come with the command that mends them, because a fault without a next step is only a worry.
 */
import { element, peerWords } from "./element.js"
import { badge, button, choice, empty, facts, field, form, section, submitButton, when } from "./parts.js"

/** @import { App, View } from "./shapes.js" */

/** @param {View["sandbox"]} sandbox */
const sandboxPart = ({ confinement, jobsRunning, ready, reason }) =>
  section(
    "sandbox",
    "Sandbox",
    facts([
      ["State", ready ? badge("good", "ready") : badge("warn", "off: nobody is answered")],
      ["Reason", peerWords(reason)],
      ["In force", confinement === null ? (ready ? "nothing is known to be" : null) : peerWords(confinement)],
      ["Answers running", jobsRunning === 0 ? "none" : jobsRunning]
    ])
  )

/** @param {App} app @param {View["doctor"]} doctor */
const doctorPart = (app, doctor) =>
  section(
    "doctor",
    "Doctor",
    doctor === null
      ? empty("The doctor has not looked yet.")
      : element(
          "p",
          { class: "hint", "data-key": "looked" },
          "Looked ",
          when(app, doctor.atMs),
          ", without asking the network."
        ),
    doctor !== null && doctor.findings.length === 0
      ? element("p", { "data-key": "well" }, badge("good", "nothing is wrong"))
      : null,
    element(
      "ul",
      { class: "rows plain", "data-key": "findings" },
      (doctor?.findings ?? []).map(({ code: known, detail, level, mend, sentence }) =>
        element(
          "li",
          { "data-key": `${known}-${detail}` },
          element(
            "div",
            {},
            badge(level === "broken" ? "bad" : "warn", known),
            " ",
            sentence,
            detail === "" ? null : element("div", { class: "hint" }, peerWords(detail)),
            mend === "" ? null : element("div", { class: "hint" }, "Mend it: ", element("code", {}, mend))
          )
        )
      )
    ),
    (doctor?.unknown.length ?? 0) === 0
      ? null
      : element(
          "p",
          { class: "hint", "data-key": "unknown" },
          "Not looked at: ",
          doctor?.unknown.map(({ what, why }, index) => [index > 0 ? "; " : "", `${what} (${why})`])
        ),
    button(app, "doctor", "Look again", app.act.look)
  )

/** @param {View["limits"]} limits */
const limitsPart = (limits) =>
  section(
    "limits",
    "Limits of each friend",
    facts([
      ["Messages", `${limits.messagesPerMinute} a minute, ${limits.messagesPerHour} an hour`],
      ["Questions", `${limits.injectsPerMinute} a minute, ${limits.injectsPerHour} an hour`],
      ["A text", `${limits.textBytes.toLocaleString("en")} bytes`],
      ["Queue", `${limits.queuePerFriend.toLocaleString("en")} messages`]
    ])
  )

/** @param {App} app @param {View["bans"]} bans */
const bansPart = (app, bans) =>
  section(
    "bans",
    `Shut out (${bans.length})`,
    bans.length === 0 ? empty("Nobody is shut out.") : null,
    element(
      "ul",
      { class: "rows", "data-key": "ban-rows" },
      bans.map(({ handle, name, untilMs }) =>
        element(
          "li",
          { "data-key": handle },
          element("div", {}, element("strong", {}, peerWords(name)), " until ", when(app, untilMs))
        )
      )
    )
  )

/** @param {View["rules"][number]} rule */
const ruleWords = ({ author, channel, key, unproven }) => {
  const wanted = [
    key === undefined ? "" : `key:${key}`,
    channel === undefined ? "" : `channel:${channel}`,
    author === undefined ? "" : `author:${author}`
  ]
  const said = wanted.filter((one) => one !== "").join(" ")
  return `${said === "" ? "everybody" : said}${unproven ? ", also where nobody can tell who posted" : ""}`
}

/** @param {App} app @param {View["rules"]} rules */
const rulesPart = (app, rules) =>
  section(
    "rules",
    "Accepted without asking you",
    rules.length === 0 ? empty("No rules: every request asks you.") : null,
    element(
      "ul",
      { class: "rows", "data-key": "rule-rows" },
      rules.map((rule) =>
        element(
          "li",
          { "data-key": rule.id },
          element("div", {}, peerWords(ruleWords(rule)), " ", element("code", {}, rule.id)),
          button(
            app,
            `rule-${rule.id}`,
            "Remove",
            () =>
              app.act.command("auto-accept", `remove ${rule.id}`, {
                key: `rule-${rule.id}`,
                done: "The rule is removed."
              }),
            { "aria-label": `Remove the rule ${rule.id}` }
          )
        )
      )
    ),
    form(
      app,
      "rule-form",
      async (values) =>
        (
          await app.act.command("auto-accept", `add ${values["rule"] ?? ""}`, {
            key: "rule-go",
            done: "The rule is added. It never grants more than message."
          })
        )?.ok === true,
      field("rule", "New rule", "input", { required: true, placeholder: "author:alice channel:lobby" }),
      element(
        "p",
        { class: "hint" },
        "key:K, channel:C, author:A in any combination, or * for everybody; unproven: also where nobody can tell who posted."
      ),
      submitButton(app, "rule-go", "Add", "")
    )
  )

/** @param {App} app @param {View["verifiedFor"]} verifiedFor */
const demandsPart = (app, verifiedFor) =>
  section(
    "demands",
    "What only verified friends may do",
    element(
      "div",
      { class: "fields" },
      /** @type {const} */ (["message", "inject"]).map((capability) =>
        choice(
          app,
          `require-${capability}`,
          capability,
          verifiedFor.includes(capability) ? "verified" : "nothing",
          [
            ["nothing", "every friend who is granted it"],
            ["verified", "verified friends only"]
          ],
          (trust) =>
            app.act.command("require", `${trust} for ${capability}`, { key: `require-${capability}`, done: "Kept." })
        )
      )
    )
  )

/** @param {App} app @param {View} view */
export const nodeView = (app, view) =>
  element(
    "div",
    { class: "stack", "data-key": "node" },
    section(
      "status",
      "Status",
      element(
        "ul",
        { class: "status" },
        view.status.map((line, index) => element("li", { "data-key": index }, peerWords(line)))
      ),
      view.unasked === 0
        ? null
        : element("p", { class: "hint" }, `${view.unasked} answers came to requests that you never made.`)
    ),
    sandboxPart(view.sandbox),
    doctorPart(app, view.doctor),
    limitsPart(view.limits),
    bansPart(app, view.bans),
    rulesPart(app, view.rules),
    demandsPart(app, view.verifiedFor)
  )
