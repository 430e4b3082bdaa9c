/**
 * The first view: who this node is, and what waits for its owner: requests, questions, alarms.
 * It never hides an alarm below anything else, and never accepts or approves by itself.
 * What needs a decision comes before what is only to be known.
 */
import { element, peerWords } from "./element.js"
import { asked, badge, button, code, empty, facts, qrCode, section, when } from "./parts.js"
import { introductionsPart, requestsPart } from "./requests.js"
import { trustBadge } from "./verification.js"
/** @import { App, View } from "./shapes.js" */

/** How many things wait for the owner. @param {View} view */
export const waitingFor = ({ friends, held, introductions, requests }) =>
  requests.length +
  introductions.length +
  held.length +
  friends.filter(
    ({ alarm, comparison }) => alarm !== null || comparison?.stage === "invited" || comparison?.stage === "awaited"
  ).length

/** @type {Readonly<Record<string, string>>} */
const heldBecause = {
  always: "every question of this friend waits",
  first: "its first question waits",
  "over-budget": "it goes beyond the day's allowance",
  unverified: "the friend is not verified"
}

/** @param {App} app @param {View} view */
const heldPart = (app, { friends, held }) =>
  section(
    "held",
    `Questions for your agent (${held.length})`,
    held.length === 0 ? empty("No question waits for your word.") : null,
    element(
      "ul",
      { class: "rows", "data-key": "held-list" },
      held.map(({ bytes, expiresAtMs, heldAtMs, id, name, reason }) => {
        const friend = friends.find((one) => one.name === name)
        return element(
          "li",
          { "data-key": id },
          element(
            "div",
            {},
            element("strong", {}, peerWords(name)),
            ` asks (${bytes} bytes), `,
            when(app, heldAtMs),
            element(
              "div",
              { class: "hint" },
              heldBecause[reason] ?? reason,
              "; refused by itself ",
              when(app, expiresAtMs)
            ),
            friend === undefined
              ? null
              : button(app, `read-${id}`, "Read it in the conversation", () => app.act.open(friend.peerId, "talk"), {
                  class: "small"
                })
          ),
          element(
            "div",
            { class: "row" },
            button(
              app,
              `approve-${id}`,
              "Approve",
              () => app.act.command("approve", id, { key: `approve-${id}`, done: "Approved: your agent answers." }),
              { class: "primary", "aria-label": `Approve the question of ${name}` }
            ),
            asked(app, `refuse-${id}`, {
              words: "Refuse",
              question: "Refuse this question? The friend is told.",
              yes: "Refuse it",
              press: () => app.act.command("refuse", id, { key: `refuse-${id}`, done: "Refused. The friend is told." })
            })
          )
        )
      })
    )
  )

/** @param {App} app @param {View} view */
const alarmsPart = (app, { friends }) => {
  const urgent = friends.filter(
    ({ alarm, comparison }) => alarm !== null || comparison?.stage === "invited" || comparison?.stage === "awaited"
  )
  return urgent.length === 0
    ? null
    : section(
        "alarms",
        "Keys to look at",
        element(
          "ul",
          { class: "rows" },
          urgent.map((friend) =>
            element(
              "li",
              { "data-key": friend.peerId },
              element(
                "div",
                {},
                element("strong", {}, peerWords(friend.name)),
                " ",
                trustBadge(friend),
                element("div", { class: "hint" }, friend.alarm?.why ?? "wants to compare a short string with you")
              ),
              button(app, `alarm-${friend.peerId}`, "Look", () => app.act.open(friend.peerId, "about"), {
                class: "primary",
                "aria-label": `Look at ${friend.name}`
              })
            )
          )
        )
      )
}

/** @param {App} app @param {View} view */
const identityPart = (app, { friends, guests, identity, sandbox, version }) =>
  section(
    "identity",
    "This node",
    element(
      "div",
      { class: "beside" },
      facts([
        ["Name", element("strong", {}, `@${identity.name}`)],
        ["Short key", code(app, "copy-short-key", identity.shortKey, "the first characters of the key")],
        ["Public key", code(app, "copy-key", identity.identityKey, "the public key")],
        ["Fingerprint", "Each pair of friends has its own: see a friend's details."],
        [
          "Found under",
          identity.keysAnnounced.length < 2
            ? null
            : badge("warn", `${identity.keysAnnounced.length} keys, until every friend has seen the newest`)
        ],
        ["Friends", `${friends.length}, ${friends.filter(({ connected }) => connected).length} connected`],
        ["Strangers", guests === 0 ? null : `${guests} connected`],
        [
          "Agent",
          sandbox.ready ? badge("good", "ready to answer friends") : badge("warn", ["answers nobody: ", sandbox.reason])
        ],
        ["Version", version]
      ]),
      qrCode(identity.qr, "Your public key as a QR code")
    )
  )

/** @param {App} app @param {View} view */
export const overviewView = (app, view) =>
  element(
    "div",
    { class: "stack", "data-key": "overview" },
    alarmsPart(app, view),
    requestsPart(app, view),
    introductionsPart(app, view),
    heldPart(app, view),
    identityPart(app, view)
  )
