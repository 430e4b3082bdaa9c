/**
 * A row for each slash command: lines that an owner may type where a friend called carl is, and lines that are mistakes.
 * It never leaves a command out: one without a row here fails the first test of the table.
 * `about` says whose name it takes, so that nobody of that name, and several, are tried for each.
 */

export interface Row {
  readonly good: ReadonlyArray<string>
  readonly bad?: ReadonlyArray<string>
  /** Who is meant by its name; the line with NAME in the place of that. */
  readonly about?: { readonly who: "friend" | "request" | "member" | "nobody"; readonly line: string }
}

const friend = (line: string): NonNullable<Row["about"]> => ({ who: "friend", line })
const onlyAsked = (name: string): Row => ({ good: [`/${name}`] })

export const rows: Readonly<Record<string, Row>> = {
  friend: {
    good: ["/friend @dan", "/friend @dan in attic"],
    bad: ["/friend", "/friend @", "/friend @a @b", "/friend @a|b", "/friend @a#key"]
  },
  accept: {
    good: ["/accept @yan", "/accept yan#kkkk"],
    bad: ["/accept @", "/accept @yan now", "/accept @a|b"],
    about: { who: "request", line: "/accept NAME" }
  },
  deny: {
    good: ["/deny @yan"],
    bad: ["/deny", "/deny @yan now"],
    about: { who: "request", line: "/deny NAME" }
  },
  invite: {
    good: [`/invite for ${"d".repeat(43)} expires 1h`],
    bad: ["/invite everybody", "/invite for carl", "/invite uses 0", "/invite expires soon", "/invite uses 1 uses 2"]
  },
  claim: { good: ["/claim wop3://secret"], bad: ["/claim", "/claim two words"] },
  invites: onlyAsked("invites"),
  uninvite: { good: ["/uninvite 00ff"], bad: ["/uninvite", "/uninvite 0", "/uninvite carl"] },
  introduce: {
    good: ["/introduce @carl @carl"],
    bad: ["/introduce", "/introduce @carl", "/introduce @a|b @carl", `/introduce @carl @carl : ${"x".repeat(281)}`],
    about: friend("/introduce NAME @carl")
  },
  message: {
    good: ["/message @carl hello"],
    bad: ["/message", "/message @a|b hello"],
    about: friend("/message NAME hello")
  },
  inject: {
    good: ["/inject @carl are you there?", "/inject @carl --now quick"],
    bad: ["/inject"],
    about: friend("/inject NAME hello")
  },
  queue: onlyAsked("queue"),
  cancel: { good: ["/cancel 00ff"], bad: ["/cancel", "/cancel 0", "/cancel @carl"] },
  grant: {
    good: ["/grant @carl inject", "/grant carl"],
    bad: ["/grant", "/grant @carl *", "/grant @carl admin", "/grant @carl inject message"],
    about: friend("/grant NAME inject")
  },
  revoke: {
    good: ["/revoke @carl inject"],
    bad: ["/revoke", "/revoke @carl everything"],
    about: friend("/revoke NAME inject")
  },
  hold: {
    good: ["/hold @carl always"],
    bad: ["/hold", "/hold @carl", "/hold @carl often"],
    about: friend("/hold NAME never")
  },
  held: onlyAsked("held"),
  approve: { good: ["/approve 00ff"], bad: ["/approve", "/approve @carl"] },
  refuse: { good: ["/refuse 00ff"], bad: ["/refuse", "/refuse @carl"] },
  name: {
    good: ["/name @carl pal"],
    bad: ["/name", "/name @carl", "/name @carl two words"],
    about: friend("/name NAME pal")
  },
  unfriend: { good: ["/unfriend @carl"], bad: ["/unfriend", "/unfriend @carl now"], about: friend("/unfriend NAME") },
  confirm: { good: ["/confirm @carl"], bad: ["/confirm", "/confirm @carl now"], about: friend("/confirm NAME") },
  verify: {
    good: ["/verify @carl", "/verify @carl yes", "/verify @carl no", "/verify @carl sas", "/verify @carl sas yes"],
    bad: ["/verify", "/verify @carl perhaps", "/verify @carl sas perhaps"],
    about: friend("/verify NAME yes")
  },
  mute: { good: ["/mute @carl"], bad: ["/mute", "/mute @carl now"], about: friend("/mute NAME") },
  unmute: { good: ["/unmute @carl"], bad: ["/unmute"], about: friend("/unmute NAME") },
  unverify: { good: ["/unverify @carl"], bad: ["/unverify"], about: friend("/unverify NAME") },
  require: {
    good: ["/require list", "/require verified for inject"],
    bad: ["/require trusted for inject", "/require verified for all"]
  },
  friends: onlyAsked("friends"),
  requests: onlyAsked("requests"),
  fingerprint: { good: ["/fingerprint @carl", "/fingerprint @bob", "/fingerprint @nobody"], bad: ["/fingerprint"] },
  "auto-accept": {
    good: [
      "/auto-accept",
      "/auto-accept list",
      "/auto-accept add *",
      "/auto-accept add channel:lobby",
      "/auto-accept remove 1"
    ],
    bad: [
      "/auto-accept add",
      "/auto-accept add everybody",
      "/auto-accept add key:short",
      "/auto-accept frob",
      "/auto-accept remove"
    ]
  },
  topic: {
    good: ["/topic list", "/topic join chess", "/topic leave chess", "/topic new-secret chess"],
    bad: ["/topic join", "/topic join @chess", "/topic join two words", "/topic leave chess#short", "/topic frob chess"]
  },
  profile: {
    good: ["/profile", "/profile ada chess,go : plays at night"],
    bad: ["/profile two words here"]
  },
  discovered: { good: ["/discovered", "/discovered chess", "/discovered go"] },
  connect: {
    good: ["/connect @dora", "/connect dora in chess : a game?"],
    bad: ["/connect", `/connect @dora : ${"x".repeat(300)}`],
    about: { who: "member", line: "/connect NAME" }
  },
  rotate: { good: ["/rotate"], bad: ["/rotate bored", "/rotate compromise short"] },
  recovery: { good: ["/recovery"], bad: ["/recovery now"] },
  status: onlyAsked("status"),
  help: onlyAsked("help"),
  quit: onlyAsked("quit")
}
