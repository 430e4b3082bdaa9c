/**
 * Invites: links by which somebody becomes a friend without a room; made, shown once, claimed, taken back.
 * It never keeps a link longer than it is shown: what the page forgets nobody can ask for again.
 * Claims stand beside them, because whoever sends a link asks next whether it was used.
 */
import { element, peerWords } from "./element.js"
import { asked, badge, button, code, empty, field, form, qrCode, section, submitButton, when } from "./parts.js"

/** @import { App, View } from "./shapes.js" */

/** @param {App} app */
const madePart = (app) => {
  const { made } = app.state
  if (made === null) return null
  return section(
    "made",
    "The new invite",
    element(
      "p",
      { class: "hint" },
      "Whoever has this link may use it. It is shown this once: copy it, or have it scanned."
    ),
    code(app, "copy-link", made.link, "the link"),
    qrCode(made.qr, "The invite's link as a QR code"),
    button(app, "made-done", "Done, hide it", () =>
      app.act.change((next) => {
        next.made = null
        next.focus = "title"
      })
    )
  )
}

/** @param {Record<string, string>} values */
const wishIn = ({
  "invite-expires": expires = "",
  "invite-for": key = "",
  "invite-may": capability = "message",
  "invite-uses": uses = ""
}) => ({
  capability,
  ...(expires === "" ? {} : { expires }),
  ...(key === "" ? {} : { for: key }),
  ...(uses === "" ? {} : { uses: Number(uses) })
})

/** @param {App} app */
const makePart = (app) =>
  section(
    "make",
    "Make an invite",
    form(
      app,
      "invite-form",
      (values) => app.act.invite(wishIn(values)),
      element(
        "div",
        { class: "fields" },
        field(
          "invite-may",
          "It grants",
          "select",
          {},
          element("option", { value: "message" }, "message"),
          element("option", { value: "inject" }, "message and inject")
        ),
        field("invite-uses", "Uses", "input", {
          type: "number",
          min: "1",
          max: "9999",
          placeholder: "1",
          inputmode: "numeric"
        }),
        field(
          "invite-expires",
          "Good for",
          "select",
          {},
          [
            ["1h", "an hour"],
            ["1d", "a day"],
            ["7d", "a week"]
          ].map(([value, words]) => element("option", { value, selected: value === "7d" }, words))
        ),
        field("invite-for", "Only for the key (optional)", "input", {
          pattern: "[A-Za-z0-9_\\-]{43}",
          title: "A public key of 43 characters",
          placeholder: "anybody with the link"
        })
      ),
      submitButton(app, "invite", "Make the invite")
    )
  )

/** @param {App} app */
const claimPart = (app) =>
  section(
    "claim",
    "Claim an invite",
    form(
      app,
      "claim-form",
      async (values) =>
        (
          await app.act.command("claim", values["claim-link"] ?? "", {
            key: "claim-go",
            done: "Claimed. Whoever made it is looked for until the link expires."
          })
        )?.ok === true,
      field("claim-link", "Link that you were given", "input", { required: true }),
      submitButton(app, "claim-go", "Claim")
    )
  )

/** @type {Readonly<Record<string, readonly ["good" | "bad" | "warn" | "quiet", string]>>} */
const inviteStates = {
  Open: ["good", "open"],
  Used: ["quiet", "used"],
  Expired: ["quiet", "expired"],
  Revoked: ["quiet", "taken back"]
}

/** @param {App} app @param {View["invites"][number]} invite */
const inviteRow = (app, { capabilities, expiresAtMs, id, madeAtMs, named, redeemedBy, state, uses, usesMax }) =>
  element(
    "li",
    { "data-key": id },
    element(
      "div",
      {},
      element("code", {}, id.slice(0, 8)),
      " ",
      badge(...(inviteStates[state] ?? ["quiet", state])),
      ` grants ${capabilities.join(", ")}; ${uses} of ${usesMax} used; made `,
      when(app, madeAtMs),
      state === "Open" ? [", expires ", when(app, expiresAtMs)] : null,
      named === null ? null : element("div", { class: "hint" }, "only for ", element("code", {}, named)),
      redeemedBy.length === 0
        ? null
        : element(
            "div",
            { class: "hint" },
            "used by ",
            redeemedBy.map((name, index) => [index > 0 ? ", " : "", peerWords(name)])
          )
    ),
    state === "Open"
      ? asked(app, `uninvite-${id}`, {
          words: "Take back",
          question: "Take this invite back? Its link opens nothing any more.",
          yes: "Take it back",
          press: () => app.act.command("uninvite", id, { key: `uninvite-${id}`, done: "The invite is taken back." })
        })
      : null
  )

/** Who is looked for that is no friend yet. @param {App} app @param {View} view @param {string} kind */
export const errandList = (app, { errands }, kind) =>
  element(
    "ul",
    { class: "rows", "data-key": `errands-${kind}` },
    errands
      .filter((one) => one.kind === kind)
      .map(({ expiresAtMs, id, identityKey, reached }) =>
        element(
          "li",
          { "data-key": id },
          element(
            "div",
            {},
            reached ? badge("good", "reached") : badge("warn", "being looked for"),
            " the key ",
            element("code", {}, identityKey.slice(0, 12)),
            ", until ",
            when(app, expiresAtMs)
          ),
          asked(app, `cancel-${id}`, {
            words: "Give up",
            question: "Give this up?",
            yes: "Give it up",
            press: () => app.act.command("cancel", id, { key: `cancel-${id}`, done: "Given up." })
          })
        )
      )
  )

/** @param {App} app @param {View} view */
export const invitesView = (app, view) =>
  element(
    "div",
    { class: "stack", "data-key": "invites" },
    madePart(app),
    makePart(app),
    section(
      "invite-list",
      "Your invites",
      view.invites.length === 0 ? empty("No invites.") : null,
      element(
        "ul",
        { class: "rows", "data-key": "invite-rows" },
        [...view.invites].reverse().map((invite) => inviteRow(app, invite))
      )
    ),
    claimPart(app),
    view.errands.some(({ kind }) => kind === "claim")
      ? section("claims", "Invites that you claim", errandList(app, view, "claim"))
      : null
  )
