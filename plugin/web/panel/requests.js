/**
 * Who wants to be friends: those who ask, those whom friends introduce, and the owner's yes and no to each.
 * It never says that somebody is who they claim to be; it says what is proven and whose word the rest is.
 * Both have one look, because both are answered by the same two commands.
 */
import { element, peerWords } from "./element.js"
import { errandList } from "./invites.js"
import { asked, badge, button, empty, section, when } from "./parts.js"

/** @import { App, Child, View } from "./shapes.js" */

/** What says that it was them. @param {View["requests"][number]} request */
const byWhom = ({ author, channel, evidence, introducedBy }) => {
  if (introducedBy !== null)
    return ["introduced by ", peerWords(`@${introducedBy}`), "; its key is proven, its name is its introducer's word"]
  if (channel.startsWith("topic")) return "its key is proven, its name is its own word"
  const posted = author === null ? ["posted by an unknown account"] : ["posted by ", peerWords(author)]
  return [posted, evidence === "different" ? [" ", badge("bad", "another name than it claims")] : null]
}

/**
 * Somebody to be accepted or denied; `key` is this row's own.
 * @param {App} app @param {string} key @param {Pick<View["requests"][number], "name" | "handle" | "note" | "fingerprint" | "identityKey">} who
 * @param {{ where: Child, by: Child, question: string, accepted: string }} words
 */
const answerRow = (app, key, who, { accepted, by, question, where }) =>
  element(
    "li",
    { "data-key": key },
    element(
      "div",
      {},
      element("strong", {}, peerWords(who.name)),
      where,
      element("div", { class: "hint" }, by),
      who.note === null || who.note === "" ? null : element("div", { class: "hint" }, "Says: ", peerWords(who.note)),
      element("div", { class: "hint" }, "Fingerprint: ", element("code", {}, who.fingerprint.words)),
      element("div", { class: "hint" }, "Key: ", element("code", {}, who.identityKey))
    ),
    element(
      "div",
      { class: "row" },
      button(
        app,
        `accept-${key}`,
        "Accept",
        () => app.act.command("accept", who.handle, { key: `accept-${key}`, done: accepted }),
        { class: "primary", "aria-label": `Accept ${who.name}` }
      ),
      asked(app, `deny-${key}`, {
        words: "Deny",
        question,
        yes: "Deny it",
        press: () => app.act.command("deny", who.handle, { key: `deny-${key}`, done: "Denied. Nobody is told." })
      })
    )
  )

/** @param {App} app @param {View} view */
export const requestsPart = (app, { asked: out, requests }) =>
  section(
    "requests",
    `Requests to be friends (${requests.length})`,
    requests.length === 0 ? empty("Nobody waits for your answer.") : null,
    element(
      "ul",
      { class: "rows", "data-key": "requests-in" },
      requests.map((request) =>
        answerRow(app, request.handle, request, {
          where: [
            request.introducedBy === null ? [" in ", peerWords(request.channel)] : null,
            ", ",
            when(app, request.receivedAtMs)
          ],
          by: byWhom(request),
          question: "Deny this request? Nobody is told.",
          accepted: "Accepted. It may send messages, and nothing else."
        })
      )
    ),
    out.length === 0
      ? null
      : element(
          "p",
          { class: "hint", "data-key": "asked" },
          "You asked: ",
          out.map(({ channel, to }, index) => [index > 0 ? ", " : "", peerWords(to), " in ", peerWords(channel)])
        )
  )

/** Whom friends introduce, and whom of them the owner has accepted; nothing where there is neither. @param {App} app @param {View} view */
export const introductionsPart = (app, view) => {
  const { errands, introductions } = view
  const isAccepted = errands.some(({ kind }) => kind === "introduced")
  if (introductions.length === 0 && !isAccepted) return null
  return section(
    "introductions",
    `Introductions (${introductions.length})`,
    element(
      "ul",
      { class: "rows", "data-key": "introductions-in" },
      introductions.map((one) =>
        answerRow(app, one.id, one, {
          where: [
            ", introduced by ",
            peerWords(`@${one.introducedBy}`),
            " ",
            when(app, one.receivedAtMs),
            one.former ? [" ", badge("warn", "your friend once")] : null
          ],
          by: ["its name and key are its introducer's word; open until ", when(app, one.expiresAtMs)],
          question: "Deny this introduction? Nobody is told.",
          accepted: "Accepted. You are friends once they accept too."
        })
      )
    ),
    isAccepted ? element("p", { class: "hint" }, "You said yes; theirs is awaited:") : null,
    isAccepted ? errandList(app, view, "introduced") : null
  )
}
