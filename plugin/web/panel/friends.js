/**
 * Friends: who they are at a glance, and one of them in full: what it may do, what it lets us do, how it is called here.
 * It never names a friend in a command but by its handle, which is nobody else's.
 * On a phone the list and the friend take turns; on a wide screen they stand side by side.
 */

import { conversationView } from "./conversation.js"
import { element, peerWords } from "./element.js"
import { asked, badge, button, choice, code, empty, facts, field, form, section, submitButton, when } from "./parts.js"
import { trustBadge, verificationView } from "./verification.js"

/** @import { App, Friend } from "./shapes.js" */

/** @param {Friend} friend */
const connection = ({ connected }) =>
  element("span", { class: connected ? "link on" : "link" }, connected ? "connected" : "not connected")

/** @param {App} app @param {Friend} friend */
const friendItem = (app, friend) => {
  const unread = app.state.unread.get(friend.peerId) ?? 0
  const isOpen = app.state.friend === friend.peerId
  return element(
    "li",
    { "data-key": friend.peerId },
    button(
      app,
      `open-${friend.peerId}`,
      [
        element(
          "span",
          { class: "line" },
          element("strong", {}, peerWords(friend.name)),
          unread === 0 ? null : badge("warn", `${unread} new`)
        ),
        element(
          "span",
          { class: "line hint" },
          connection(friend),
          trustBadge(friend),
          friend.muted ? badge("quiet", "muted") : null,
          friend.waiting === 0 ? null : badge("quiet", `${friend.waiting} waiting`),
          friend.bannedUntilMs === null ? null : badge("bad", "shut out")
        )
      ],
      () => app.act.open(friend.peerId, "talk"),
      { class: "item", "aria-current": isOpen ? "true" : null }
    )
  )
}

/** @param {App} app */
const addFriend = (app) =>
  element(
    "details",
    { "data-key": "add-friend", class: "fold" },
    element("summary", {}, "Ask somebody in the room"),
    form(
      app,
      "ask",
      async (values) => {
        const answer = await app.act.command("friend", values["ask-name"] ?? "", {
          key: "ask-go",
          done: "Asked. They become a friend once they accept."
        })
        return answer?.ok === true
      },
      field("ask-name", "Name in the room", "input", { required: true, maxlength: "64", placeholder: "@name" }),
      submitButton(app, "ask-go", "Ask")
    ),
    element("p", { class: "hint" }, "Without a room: make an invite, or meet in a topic.")
  )

/** @param {App} app @param {Friend} friend */
const rights = (app, friend) => {
  /** @param {"message" | "inject"} capability @param {string} says */
  const row = (capability, says) => {
    const isHeld = friend.capabilities.includes(capability)
    const verb = isHeld ? "revoke" : "grant"
    const key = `right-${capability}`
    return element(
      "li",
      { "data-key": capability },
      element(
        "span",
        {},
        element("strong", {}, capability),
        " ",
        isHeld ? badge("good", "granted") : badge("quiet", "not granted"),
        " ",
        element("span", { class: "hint" }, says)
      ),
      button(
        app,
        key,
        isHeld ? "Revoke" : "Grant",
        () =>
          app.act.command(verb, `${friend.handle} ${capability}`, {
            key,
            done: `${capability} is ${isHeld ? "revoked" : "granted"}.`
          }),
        { "aria-label": `${isHeld ? "Revoke" : "Grant"} ${capability}` }
      )
    )
  }
  return section(
    "rights",
    "What this friend may do here",
    element(
      "ul",
      { class: "rows" },
      row("message", "its texts land in the conversation"),
      row("inject", "your agent answers it from inside the sandbox")
    ),
    choice(
      app,
      "hold",
      "Its questions wait for your word",
      friend.hold,
      [
        ["never", "never"],
        ["always", "always"],
        ["first", "until the first is approved"],
        ["over-budget", "beyond the day's allowance"],
        ["unverified", "while it is not verified"]
      ],
      (when) => app.act.command("hold", `${friend.handle} ${when}`, { key: "hold", done: "Kept." })
    )
  )
}

/** @param {NonNullable<Friend["spentToday"]>} spent */
const spentWords = ({ calls, ms, tokens }) =>
  `${calls} calls of the model, ${tokens.toLocaleString("en")} tokens, ${Math.ceil(ms / 1_000)} s`

/** @param {App} app @param {Friend} friend */
const aboutFriend = (app, friend) =>
  section(
    "about",
    "About",
    facts([
      ["Calls itself", friend.lineName === friend.name ? null : peerWords(friend.lineName)],
      ["Short id", code(app, "copy-short", friend.shortId, "the short id")],
      ["Key", code(app, "copy-friend-key", friend.identityKey, "the key")],
      [
        "Connection",
        [
          connection(friend),
          friend.connected || friend.lastSeenMs === null ? null : [", last seen ", when(app, friend.lastSeenMs)],
          friend.lastSeenMs === null ? ", not seen since this node's start" : null
        ]
      ],
      ["Queue", friend.waiting === 0 ? "nothing waits" : `${friend.waiting} of your messages wait`],
      [
        "Lets you",
        friend.allowsUs.length === 0
          ? "nothing"
          : friend.allowsUs.map((one, index) => [index > 0 ? ", " : "", peerWords(one)])
      ],
      ["Spent today", friend.spentToday === null ? null : spentWords(friend.spentToday)],
      ["Friends since", when(app, friend.sinceMs)],
      ["Introduced by", friend.introducedBy === null ? null : peerWords(`@${friend.introducedBy}`)],
      ["Made in", friend.introducedBy === null ? peerWords(friend.channel) : null],
      [
        "Account",
        friend.introducedBy !== null
          ? null
          : ({
              same: "the account that posted it has this name",
              different: "the account that posted it had another name"
            }[friend.evidence] ?? "nobody can tell who posted it")
      ],
      ["Your key", friend.knowsOurKey ? null : badge("warn", "has not seen your new key yet")],
      ["Shut out", friend.bannedUntilMs === null ? null : badge("bad", ["until ", when(app, friend.bannedUntilMs)])],
      [
        "Two machines",
        friend.twoMachinesMs === null
          ? null
          : badge("bad", ["it is alive on two machines, seen ", when(app, friend.twoMachinesMs)])
      ],
      [
        "Your machines",
        friend.saysTwoMachinesMs === null
          ? null
          : badge("bad", ["it sees this identity on two machines, ", when(app, friend.saysTwoMachinesMs), "; stop one"])
      ]
    ])
  )

/** @param {App} app @param {Friend} friend */
const callFriend = (app, friend) =>
  section(
    "called",
    "Name and quiet",
    form(
      app,
      `rename-${friend.peerId}`,
      async (values) => {
        const answer = await app.act.command("name", `${friend.handle} ${values["new-name"] ?? ""}`, {
          key: "rename-go",
          done: "Renamed here; nobody is told."
        })
        return answer?.ok === true
      },
      field("new-name", "Call it here", "input", { required: true, maxlength: "64", placeholder: friend.name }),
      submitButton(app, "rename-go", "Rename", "")
    ),
    element(
      "p",
      { class: "row", "data-key": "mute-row" },
      friend.muted
        ? button(app, "mute", "Unmute", () =>
            app.act.command("unmute", friend.handle, { key: "mute", done: "Its texts are announced again." })
          )
        : button(app, "mute", "Mute", () =>
            app.act.command("mute", friend.handle, {
              key: "mute",
              done: "Its texts go into the conversation without being announced."
            })
          ),
      asked(app, "unfriend", {
        words: "End friendship",
        question: ["End the friendship with ", peerWords(friend.name), ", with everything granted?"],
        yes: "End it",
        press: () => app.act.command("unfriend", friend.handle, { key: "unfriend", done: "The friendship has ended." })
      })
    )
  )

/** Tells this friend and another of each other. @param {App} app @param {Friend} friend */
const introduceFriend = (app, friend) => {
  const others = (app.state.view?.friends ?? []).filter(({ peerId }) => peerId !== friend.peerId)
  if (others.length === 0) return null
  return section(
    "introduce",
    "Introduce",
    form(
      app,
      `introduce-${friend.peerId}`,
      async (values) => {
        const note = values["introduce-note"] ?? ""
        const both = `${friend.handle} ${values["introduce-to"] ?? ""}`
        const answer = await app.act.command("introduce", note === "" ? both : `${both} : ${note}`, {
          key: "introduce-go",
          done: "Both are told of each other; each decides."
        })
        return answer?.ok === true
      },
      field(
        "introduce-to",
        "To",
        "select",
        {},
        others.map(({ handle, name }) => element("option", { value: handle }, peerWords(name)))
      ),
      field("introduce-note", "Why (both read it)", "input", { maxlength: "200" }),
      submitButton(app, "introduce-go", "Introduce", "")
    ),
    element("p", { class: "hint" }, "Each gets the other's key as you know it; you are no part of what they say then.")
  )
}

/** @param {App} app @param {Friend} friend */
const openFriend = (app, friend) => {
  /** @param {"talk" | "about"} aspect @param {string} words */
  const aspect = (aspect, words) =>
    button(app, `aspect-${aspect}`, words, () => app.act.open(friend.peerId, aspect), {
      class: "tab",
      "aria-pressed": String(app.state.aspect === aspect)
    })
  return element(
    "div",
    { class: "friend", "data-key": `friend-${friend.peerId}` },
    element(
      "header",
      { class: "friend-head" },
      button(app, "back", "← Friends", () => app.act.open(null, "talk"), { class: "back" }),
      element("h2", { tabindex: "-1", "data-key": "friend-title" }, peerWords(friend.name)),
      trustBadge(friend),
      connection(friend),
      element(
        "span",
        { class: "tabs", role: "group", "aria-label": "Show" },
        aspect("talk", "Conversation"),
        aspect("about", "Details")
      )
    ),
    app.state.aspect === "talk"
      ? conversationView(app, friend)
      : element(
          "div",
          { class: "stack", "data-key": "details" },
          verificationView(app, friend),
          rights(app, friend),
          aboutFriend(app, friend),
          callFriend(app, friend),
          introduceFriend(app, friend)
        )
  )
}

/** @param {App} app */
export const friendsView = (app) => {
  const friends = [...(app.state.view?.friends ?? [])].sort((a, b) => a.name.localeCompare(b.name))
  const open = friends.find(({ peerId }) => peerId === app.state.friend)
  return element(
    "div",
    { class: open === undefined ? "split" : "split opened", "data-key": "friends" },
    element(
      "div",
      { class: "list", "data-key": "friends-list" },
      friends.length === 0
        ? empty("No friends yet. Make an invite, meet somebody in a topic, or ask somebody in the room.")
        : element(
            "ul",
            { class: "items", "data-key": "items", "aria-label": "Friends" },
            friends.map((friend) => friendItem(app, friend))
          ),
      addFriend(app)
    ),
    open === undefined
      ? element(
          "div",
          { class: "friend none", "data-key": "no-friend" },
          friends.length === 0 ? null : empty("Choose a friend to see the conversation.")
        )
      : openFriend(app, open)
  )
}
