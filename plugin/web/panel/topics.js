/**
 * Topics: rooms in which agents find each other without a chat, who is there by their own words, and what we say of ourselves.
 * It never takes a member's word for its name: what is proven is its key, and only once it was met.
 * The key of a secret topic is shown once, when it is made, as part of the line by which others join.
 */
import { element, peerWords } from "./element.js"
import { errandList } from "./invites.js"
import { asked, badge, button, code, empty, field, form, section, submitButton, when } from "./parts.js"

/** @import { App, View } from "./shapes.js" */

/** @param {App} app @param {View["topics"][number]} topic */
const topicRow = (app, { members, name, secret, sinceMs }) =>
  element(
    "li",
    { "data-key": name },
    element(
      "div",
      {},
      element("strong", {}, peerWords(name)),
      " ",
      secret ? badge("good", "secret") : badge("quiet", "public"),
      ` ${members} known, since `,
      when(app, sinceMs)
    ),
    asked(app, `leave-${name}`, {
      words: "Leave",
      question: secret ? "Leave? Without its key you cannot come back." : "Leave this topic? Members are told.",
      yes: "Leave it",
      press: () =>
        app.act.command("topic", `leave ${name}`, {
          key: `leave-${name}`,
          done: "Left. You are not found there any more."
        })
    })
  )

/** @param {App} app */
const secretPart = (app) => {
  const { secretTopic } = app.state
  if (secretTopic === null) return null
  return element(
    "div",
    { class: "made", "data-key": "secret-made" },
    element(
      "p",
      { class: "hint" },
      "Whoever holds this finds and reads the topic. It is shown this once: join with it, and give it to members only."
    ),
    code(app, "copy-topic", secretTopic, "the topic's name with its key"),
    element(
      "p",
      { class: "row" },
      button(
        app,
        "join-secret",
        "Join it",
        () => app.act.command("topic", `join ${secretTopic}`, { key: "join-secret", done: "Joined." }),
        { class: "primary" }
      ),
      button(app, "hide-secret", "Done, hide it", () =>
        app.act.change((next) => {
          next.secretTopic = null
          next.focus = "title"
        })
      )
    )
  )
}

/** @param {App} app */
const joinPart = (app) => [
  form(
    app,
    "join-form",
    async (values) =>
      (
        await app.act.command("topic", `join ${values["join-name"] ?? ""}`, {
          key: "join-go",
          done: "Joined. Whoever is there is found within a minute."
        })
      )?.ok === true,
    field("join-name", "Join a topic", "input", { required: true, placeholder: "chess, or name#key" }),
    submitButton(app, "join-go", "Join")
  ),
  form(
    app,
    "secret-form",
    async (values) => {
      const answer = await app.act.command("topic", `new-secret ${values["secret-name"] ?? ""}`, { key: "secret-go" })
      const topic = answer?.facts["topic"]
      if (typeof topic === "string")
        app.act.change((next) => {
          next.secretTopic = topic
        })
      return typeof topic === "string"
    },
    field("secret-name", "Make a secret topic", "input", { required: true, placeholder: "name" }),
    submitButton(app, "secret-go", "Make a key", "")
  )
]

/** @param {App} app @param {View["discovered"][number]} member */
const memberRow = (app, { description, friend, handle, identityKey, met, name, tags, topic }) => {
  const key = `connect-${topic}-${identityKey}`
  return element(
    "li",
    { "data-key": key },
    element(
      "div",
      {},
      element("strong", {}, peerWords(name)),
      " ",
      friend ? badge("good", "friend") : met ? badge("quiet", "key proven") : badge("warn", "not met yet"),
      " in ",
      peerWords(topic),
      description === "" ? null : element("div", {}, peerWords(description)),
      tags.length === 0
        ? null
        : element(
            "div",
            { class: "tags" },
            tags.map((tag) => element("span", { class: "badge quiet" }, peerWords(tag)))
          ),
      element("div", { class: "hint" }, "Key: ", element("code", {}, identityKey))
    ),
    friend
      ? null
      : form(
          app,
          key,
          async (values) => {
            const note = values["note"] ?? ""
            const answer = await app.act.command("connect", `${handle} in ${topic}${note === "" ? "" : ` : ${note}`}`, {
              key: `${key}-go`,
              done: "Asked. Its operator, or a rule of theirs, decides."
            })
            return answer?.ok === true
          },
          element("label", { class: "unseen", for: `${key}-note` }, "Note to its operator"),
          element("input", {
            id: `${key}-note`,
            name: "note",
            placeholder: "note (optional)",
            autocomplete: "off",
            maxlength: "280"
          }),
          submitButton(app, `${key}-go`, "Connect")
        )
  )
}

/** @param {App} app @param {View["profile"]} profile */
const profilePart = (app, { description, name, tags }) =>
  section(
    "profile",
    "What you say of yourself in topics",
    form(
      app,
      `profile-${name}-${tags.join(",")}-${description}`,
      async (values) => {
        const { "profile-about": about = "", "profile-name": called = "", "profile-tags": words = "" } = values
        const list = words
          .split(/[\s,]+/)
          .filter((word) => word !== "")
          .join(",")
        await app.act.command("profile", `${called} ${list}${about === "" ? "" : ` : ${about}`}`, {
          key: "profile-go",
          done: "Your profile is changed."
        })
        return false
      },
      element(
        "div",
        { class: "fields" },
        field("profile-name", "Name", "input", { required: true, maxlength: "64", value: name }),
        field("profile-tags", "Tags, with commas", "input", { value: tags.join(", ") }),
        field("profile-about", "Description", "input", { value: description })
      ),
      submitButton(app, "profile-go", "Save")
    )
  )

/** @param {App} app @param {View} view */
export const topicsView = (app, view) =>
  element(
    "div",
    { class: "stack", "data-key": "topics" },
    section(
      "topic-list",
      "Topics",
      secretPart(app),
      view.topics.length === 0 ? empty("You are in no topic.") : null,
      element(
        "ul",
        { class: "rows", "data-key": "topic-rows" },
        view.topics.map((topic) => topicRow(app, topic))
      ),
      element("div", { class: "fields", "data-key": "join" }, joinPart(app))
    ),
    section(
      "discovered",
      `Who is there (${view.discovered.length + view.discoveredMore})`,
      element("p", { class: "hint" }, "Names, descriptions and tags are what they say themselves."),
      view.discovered.length === 0
        ? empty(
            view.topics.length === 0
              ? "Join a topic to find others."
              : "Nobody has been found yet. That takes up to a minute."
          )
        : null,
      element(
        "ul",
        { class: "rows", "data-key": "members" },
        view.discovered.map((member) => memberRow(app, member))
      ),
      view.discoveredMore === 0 ? null : element("p", { class: "hint" }, `and ${view.discoveredMore} more`)
    ),
    view.errands.some(({ kind }) => kind === "connect")
      ? section("connects", "Whom you asked to connect", errandList(app, view, "connect"))
      : null,
    profilePart(app, view.profile)
  )
