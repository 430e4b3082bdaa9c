/**
 * Who is whose friend and who may do what, after any story of lines, commands, waits and crashes: three nodes against
 * a clerk's notebook.
 * The notebook is written from the protocol's sentences alone and never asks the code; it knows lines by their text.
 * Two of the three have the same name, because what a name means is where the former plugin lost friendships.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Grants from "../../core/admission/Grants.ts"
import * as Roster from "../../core/friend/Roster.ts"
import * as PeerId from "../../core/identity/PeerId.ts"
import { Codec, FriendLine, type Input, type Message, Step } from "../../core/index.ts"
import { crypto, openedBy, type Person, person, received, signedLine, turnAt } from "../arbitraries/state.ts"
import { type House, type Posted, Town } from "./Town.ts"

const alice = person("alice")
const bob = person("bob")
const namesake = person("bob")
const mallory = person("mallory")
const people = [alice, bob, namesake]
const everybody = [...people, mallory]

const minuteMs = 60_000
const dayMs = 86_400_000
const freshMs = 5 * minuteMs

type Capability = "message" | "inject"
interface RuleNote {
  readonly id: string
  readonly key?: string
  readonly channel?: string
  readonly author?: string
  readonly unproven: boolean
}
interface FriendNote {
  readonly by: Person
  name: string
  channel: string
  readonly holds: Set<Capability>
  alarmed: boolean
  request: string | undefined
}

/** What one node must know, in a clerk's words. Keys of the maps are spelled out, not hashed. */
class Notebook {
  readonly friends = new Map<Person, FriendNote>()
  /** Friends that were: whom the operator has sent away, and which request they had answered. */
  readonly former = new Map<Person, FriendNote>()
  /** channel, name asked for → the signature of the newest request, and when. */
  readonly asks = new Map<string, { signature: string; name: string; atMs: number }>()
  readonly askedBy = new Map<string, { by: Person; name: string; channel: string; atMs: number }>()
  readonly seen = new Set<string>()
  readonly rules: Array<RuleNote> = []
  readonly me: Person
  constructor(me: Person) {
    this.me = me
  }

  named(name: string): ReadonlyArray<FriendNote> {
    return [...this.friends.values()].filter((note) => note.name === name)
  }

  become(by: Person, name: string, channel: string, request: string | undefined): void {
    this.former.delete(by)
    this.friends.set(by, { by, name, channel, holds: new Set(["message"]), alarmed: false, request })
  }

  end(by: Person): void {
    const note = this.friends.get(by)
    if (note === undefined) return
    this.friends.delete(by)
    this.former.set(by, note)
    for (const [key, asked] of this.askedBy) if (asked.by === by) this.askedBy.delete(key)
    for (const [key, ask] of this.asks) if (ask.name === note.name) this.asks.delete(key)
  }

  private ruleFor(by: Person, channel: string, author: string | null): boolean {
    return this.rules.some((rule) => {
      const provenEnough = author !== null || rule.unproven || rule.key !== undefined
      const wrongKey = rule.key !== undefined && rule.key !== by.self.identityKey
      const wrongChannel = rule.channel !== undefined && rule.channel !== channel
      const wrongAuthor = rule.author !== undefined && rule.author !== author
      return provenEnough && !wrongKey && !wrongChannel && !wrongAuthor
    })
  }

  hear({ author, channel, text }: Posted, nowMs: number): void {
    const field = (name: string) => new RegExp(`${name}:(\\S+)`).exec(text)?.[1] ?? ""
    const by = everybody.find((one) => one.self.identityKey === field("pubkey"))!
    const from = field("from")
    const signature = field(" sig")
    if (field("to") !== this.me.name || by === this.me) return
    if (Math.abs(Number(field("ts")) - nowMs) > freshMs || this.seen.has(signature)) return
    // A copy under another account is no copy of the line: what its author posts is still to come.
    if (author !== null && author !== from) return
    this.seen.add(signature)
    if (text.startsWith("FRIEND_ACCEPT")) this.hearAccept(by, from, channel, field("requestSig"))
    else this.hearRequest(by, from, channel, author, nowMs)
  }

  /** Whether a stranger speaks under the name that a friend has in this room. */
  private isClaim(by: Person, name: string, channel: string): boolean {
    return !this.friends.has(by) && this.named(name).some((note) => note.channel === channel)
  }

  private hearRequest(by: Person, name: string, channel: string, author: string | null, atMs: number): void {
    // A friend who asks again is answered at once, and what it asked here before is answered with it.
    if (this.friends.has(by)) {
      this.askedBy.delete(`${channel} ${by.self.identityKey}`)
      return
    }
    const rivals = [...this.askedBy.values()].filter((one) => one.channel === channel && one.name === name)
    if (rivals.length >= 4 && !rivals.some((one) => one.by === by)) return
    // A rule is a decision made in advance about strangers; whom the operator has sent away is not a stranger.
    const decided = !this.former.has(by) && !this.isClaim(by, name, channel)
    if (decided && this.ruleFor(by, channel, author)) {
      this.askedBy.delete(`${channel} ${by.self.identityKey}`)
      this.become(by, name, channel, undefined)
    } else this.askedBy.set(`${channel} ${by.self.identityKey}`, { by, name, channel, atMs })
  }

  private hearAccept(by: Person, name: string, channel: string, request: string): void {
    const key = `${channel} ${name}`
    const ask = this.asks.get(key)
    if (ask?.signature === request) {
      // Nobody becomes a friend under a friend's name by answering: the operator has to look.
      if (this.isClaim(by, name, channel)) return
      this.asks.delete(key)
      this.askedBy.delete(`${channel} ${by.self.identityKey}`)
      const before = this.friends.get(by)
      // Whoever is a friend stays the friend it is known as, with what it holds.
      if (before === undefined) this.become(by, name, channel, request)
      else this.friends.set(by, { ...before, request })
      return
    }
    for (const note of [...this.friends.values(), ...this.former.values()]) {
      const inItsPlace = note.channel === channel && note.name === name && note.by !== by
      if (note.request === request && inItsPlace) note.alarmed = true
    }
  }

  pass(nowMs: number): void {
    for (const [key, one] of this.asks) if (one.atMs + 7 * dayMs <= nowMs) this.asks.delete(key)
    for (const [key, one] of this.askedBy) if (one.atMs + 7 * dayMs <= nowMs) this.askedBy.delete(key)
  }
}

interface Model {
  readonly notebooks: ReadonlyMap<Person, Notebook>
  /** The states that were compared last: what has not changed need not be tried again. */
  readonly compared: Map<Person, unknown>
}

/** Whether a node would take a message of somebody now: tried on the pure state and thrown away. */
const admits = (town: Town, house: House, by: Person, kind: "Log" | "Inject"): boolean => {
  const turn = turnAt(town.nowMs, 0)
  const place = { stream: "f".repeat(32), number: 1 }
  const body: Message.Message =
    kind === "Log" ? { kind, ...place, text: "x" } : { kind, ...place, id: "e".repeat(32), text: "x", timeLimitMs: 1 }
  const [open] = Step.step(house.state, openedBy(by, "probe", false), turn)
  const input = received(by, "probe", Codec.encode(body))
  const [, outputs] = Step.step(open, input ?? { _tag: "Tick" }, turn)
  return outputs.some((output) => output._tag === (kind === "Log" ? "Show" : "Run"))
}

const peerIdOf = (one: Person) => PeerId.of(crypto, one.self.identityKey)

/** The node and the notebook agree, in the records and at the door. */
const compare = (model: Model, town: Town): void => {
  for (const house of town.houses) {
    if (model.compared.get(house.person) === house.state) continue
    model.compared.set(house.person, house.state)
    const notebook = model.notebooks.get(house.person)!
    const { durable } = house.state
    for (const one of everybody) {
      const note = notebook.friends.get(one)
      const record = Roster.friend(durable.roster, peerIdOf(one))
      const held = Grants.held(durable.grants, peerIdOf(one), Grants.own, town.nowMs)
      const noted = note && { name: note.name, channel: note.channel, alarmed: note.alarmed }
      expect(record && { name: record.name, channel: record.channel, alarmed: record.alarmed }).toEqual(noted)
      expect([...held].sort()).toEqual([...(note?.holds ?? [])].sort())
      expect(admits(town, house, one, "Log")).toBe(note !== undefined && note.holds.size > 0)
      // A doubted key stops inject; what makes it doubted is the model of key histories.
      const stopped = note?.alarmed === true || record?.doubt !== undefined
      expect(admits(town, house, one, "Inject")).toBe(note?.holds.has("inject") === true && !stopped)
    }
  }
}

type Command = fc.Command<Model, Town>
const command = (name: string, run: (model: Model, town: Town) => void): Command => ({
  check: () => true,
  run: (model, town) => {
    town.nowMs += 1
    run(model, town)
    compare(model, town)
  },
  toString: () => name
})

const at = (town: Town, who: Person): House => town.houses.find((house) => house.person === who)!
const nameOf = (one: Person) => everybody.indexOf(one)

/** Lines that a command made a node post are written down with it. */
const noteAsk = (model: Model, town: Town, who: Person, from: number): void => {
  for (const { channel, text } of town.room.slice(from)) {
    const [, to = "", signature = ""] = /^FRIEND_REQUEST \| to:(\S+).* sig:(\S+)$/.exec(text) ?? []
    if (to !== "") {
      model.notebooks.get(who)!.asks.set(`${channel} ${to}`, { signature, name: to, atMs: town.nowMs })
    }
  }
}

const ask = (who: Person, to: string, channel: string) =>
  command(`${nameOf(who)} asks ${to} in ${channel}`, (model, town) => {
    const before = town.room.length
    const notebook = model.notebooks.get(who)!
    const reply = town.command(at(town, who), { _tag: "Friend", channel, to })
    const friendAlready = notebook.named(to).some((note) => note.channel === channel)
    expect(reply?.ok).toBe(to !== who.name && !friendAlready)
    noteAsk(model, town, who, before)
  })

const accept = (who: Person, whom: Person, byKey: boolean) =>
  command(`${nameOf(who)} accepts ${nameOf(whom)}${byKey ? " by key" : ""}`, (model, town) => {
    const notebook = model.notebooks.get(who)!
    const keyPrefix = byKey ? whom.self.identityKey.slice(0, 12) : ""
    const meant = [...notebook.askedBy].filter(([, one]) => one.name === whom.name && (!byKey || one.by === whom))
    const reply = town.command(at(town, who), { _tag: "Accept", name: whom.name, keyPrefix })
    expect(reply?.ok).toBe(meant.length === 1)
    if (meant.length !== 1) return
    const [key, { by, channel, name }] = meant[0]!
    notebook.askedBy.delete(key)
    const before = notebook.friends.get(by)
    if (before === undefined) notebook.become(by, name, channel, undefined)
    else Object.assign(before, { name, channel, alarmed: false, request: undefined })
  })

const deny = (who: Person, whom: Person) =>
  command(`${nameOf(who)} denies ${nameOf(whom)}`, (model, town) => {
    const notebook = model.notebooks.get(who)!
    const meant = [...notebook.askedBy].filter(([, one]) => one.name === whom.name && one.by === whom)
    const keyPrefix = whom.self.identityKey
    const reply = town.command(at(town, who), { _tag: "Deny", name: whom.name, keyPrefix })
    expect(reply?.ok).toBe(meant.length === 1)
    if (meant.length === 1) notebook.askedBy.delete(meant[0]![0])
  })

/** A command about a friend, by name alone or with the key. */
const aboutFriend = (
  what: string,
  who: Person,
  whom: Person,
  byKey: boolean,
  make: (name: string, keyPrefix: string) => Input.Command,
  note: (notebook: Notebook, friend: FriendNote) => void
) =>
  command(`${nameOf(who)} ${what} ${nameOf(whom)}${byKey ? " by key" : ""}`, (model, town) => {
    const notebook = model.notebooks.get(who)!
    const meant = notebook.named(whom.name).filter((one) => !byKey || one.by === whom)
    const keyPrefix = byKey ? whom.self.identityKey.slice(0, 12) : ""
    const reply = town.command(at(town, who), make(whom.name, keyPrefix))
    expect(reply?.ok).toBe(meant.length === 1)
    if (meant.length === 1) note(notebook, meant[0]!)
  })

const unfriend = (who: Person, whom: Person, byKey: boolean) =>
  aboutFriend(
    "unfriends",
    who,
    whom,
    byKey,
    (name, keyPrefix) => ({ _tag: "Unfriend", name, keyPrefix }),
    (notebook, friend) => notebook.end(friend.by)
  )

const grant = (who: Person, whom: Person, capability: Capability, byKey: boolean) =>
  aboutFriend(
    `grants ${capability} to`,
    who,
    whom,
    byKey,
    (name, keyPrefix) => ({ _tag: "Grant", name, keyPrefix, capability }),
    (_, friend) => friend.holds.add(capability)
  )

const revoke = (who: Person, whom: Person, capability: Capability, byKey: boolean) =>
  aboutFriend(
    `revokes ${capability} of`,
    who,
    whom,
    byKey,
    (name, keyPrefix) => ({ _tag: "Revoke", name, keyPrefix, capability }),
    (_, friend) => {
      // To withdraw `inject` is not to withdraw `message`, which whoever holds `inject` has.
      const talks = friend.holds.size > 0
      friend.holds.clear()
      if (capability === "inject" && talks) friend.holds.add("message")
    }
  )

/** A line of the room reaches somebody: in its channel or another, under its account or another; any number of times. */
const hear = (who: Person, index: number, channel: string | undefined, author: string | null | undefined) =>
  command(`${nameOf(who)} hears line -${index} ${channel ?? ""} ${author ?? ""}`, (model, town) => {
    const line = town.room.at(-1 - (index % Math.max(1, town.room.length)))
    if (line === undefined) return
    const posted = { ...line, channel: channel ?? line.channel, author: author === undefined ? line.author : author }
    model.notebooks.get(who)!.hear(posted, town.nowMs)
    town.hear(at(town, who), posted)
  })

/** Somebody without a node posts a line under any name: a request, or an answer to a request of the room. */
const forge = (from: string, to: string, channel: string, author: string | null, answers: number | undefined) =>
  command(`mallory posts as ${from} to ${to} in ${channel} by ${author} re ${answers}`, (_, town) => {
    const requests = town.room.flatMap(({ text }) => /^FRIEND_REQUEST.* sig:(\S+)$/.exec(text)?.[1] ?? [])
    const requestSignature = answers === undefined ? undefined : requests.at(-1 - answers)
    const options = { from, ...(requestSignature === undefined ? {} : { requestSignature }) }
    const { value } = signedLine(mallory, to, town.nowMs, options)
    town.room.push({ channel, author, text: FriendLine.print(value) })
  })

const addRule = (who: Person, rule: Omit<RuleNote, "id">) =>
  command(`${nameOf(who)} adds rule ${JSON.stringify(rule)}`, (model, town) => {
    town.command(at(town, who), { _tag: "AddRule", rule })
    const known = new Set(model.notebooks.get(who)!.rules.map(({ id }) => id))
    for (const [id] of at(town, who).state.durable.roster.rules.entries) {
      if (!known.has(id)) model.notebooks.get(who)!.rules.push({ ...rule, id })
    }
  })

const removeRule = (who: Person) =>
  command(`${nameOf(who)} removes a rule`, (model, town) => {
    const gone = model.notebooks.get(who)!.rules.shift()
    const reply = town.command(at(town, who), { _tag: "RemoveRule", id: gone?.id ?? "none" })
    expect(reply?.ok).toBe(gone !== undefined)
  })

const pass = (ms: number) =>
  command(`${ms} ms pass`, (model, town) => {
    town.pass(ms)
    for (const notebook of model.notebooks.values()) notebook.pass(town.nowMs)
  })

const crash = (who: Person) => command(`${nameOf(who)} crashes`, (_, town) => town.crash(at(town, who)))

const channels = ["open", "proven"]
const who = fc.constantFrom(...people)
const whom = fc.constantFrom(...everybody)
const channel = fc.constantFrom(...channels)
const name = fc.constantFrom("alice", "bob", "mallory")
const capability = fc.constantFrom<Capability>("message", "inject")
const author = fc.constantFrom(null, "alice", "bob", "mallory")
const rarely = <A>(value: fc.Arbitrary<A>) => fc.option(value, { nil: undefined, freq: 1 })
const rule = fc
  .record({
    key: fc.option(fc.constantFrom(...everybody.map((one) => one.self.identityKey as string)), { nil: undefined }),
    channel: fc.option(channel, { nil: undefined }),
    author: fc.option(name, { nil: undefined }),
    unproven: fc.boolean()
  })
  .map(({ author, channel, key, unproven }) => ({
    unproven,
    ...(key === undefined ? {} : { key }),
    ...(channel === undefined ? {} : { channel }),
    ...(author === undefined ? {} : { author })
  }))
/** The newest lines most often; a third of them elsewhere or under another account. */
const heard = fc.tuple(who, fc.nat(3), fc.option(channel, { nil: undefined, freq: 1 }), rarely(author))
const plainly = fc.tuple(who, fc.nat(2)).map(([one, index]) => hear(one, index, undefined, undefined))

/** Several commands as one, so that random stories get past their beginnings. */
const together = (...steps: ReadonlyArray<Command>): Command => ({
  check: () => true,
  run: (model, town) => {
    for (const step of steps) step.run(model, town)
  },
  toString: () => steps.join("; ")
})
const newest = (one: Person) => hear(one, 0, undefined, undefined)
/** Any prefix of the story that makes two friends. */
const courting = fc
  .tuple(fc.shuffledSubarray(people, { minLength: 2, maxLength: 2 }), channel, fc.integer({ min: 2, max: 4 }))
  .map(([[one, other], where, steps]) => {
    const story = [ask(one!, other!.name, where), newest(other!), accept(other!, one!, true), newest(one!)]
    return together(...story.slice(0, steps))
  })
/** Somebody without a node asks or answers, and is heard at once. */
const interloping = fc
  .tuple(who, name, channel, rarely(fc.nat(1)))
  .map(([one, from, where, answers]) => together(forge(from, one.name, where, null, answers), newest(one)))

const commands = fc.commands(
  [
    courting,
    courting,
    courting,
    interloping,
    interloping,
    fc.tuple(who, name, channel).map((given) => ask(...given)),
    plainly,
    plainly,
    plainly,
    heard.map((given) => hear(...given)),
    fc.tuple(who, whom, fc.boolean()).map((given) => accept(...given)),
    fc.tuple(who, whom, fc.boolean()).map((given) => accept(...given)),
    fc.tuple(who, whom).map((given) => deny(...given)),
    fc.tuple(who, whom, fc.boolean()).map((given) => unfriend(...given)),
    fc.tuple(who, whom, capability, fc.boolean()).map((given) => grant(...given)),
    fc.tuple(who, whom, capability, fc.boolean()).map((given) => revoke(...given)),
    fc.tuple(name, name, channel, author, rarely(fc.nat(2))).map((given) => forge(...given)),
    fc.tuple(who, rule).map((given) => addRule(...given)),
    who.map(removeRule),
    fc.constantFrom(1, minuteMs, freshMs + 1, 7 * dayMs).map(pass),
    who.map(crash)
  ],
  { maxCommands: 60, size: "max" }
)

const start = (): { model: Model; real: Town } => ({
  model: { notebooks: new Map(people.map((one) => [one, new Notebook(one)])), compared: new Map() },
  real: new Town(people, {
    accountOf: (one, channel) => (channel === "open" ? null : one === namesake ? "mallory" : one.name)
  })
})

describe("friendships and grants against a clerk's notebook", () => {
  it("agree after every command, in the records and at the door", () => {
    fc.assert(
      fc.property(commands, (story) => fc.modelRun(start, story)),
      { numRuns: 150, endOnFailure: false }
    )
  })
})

/** A story told as commands, for cases that the random ones met once and that deserve a name. */
const tell = (...story: ReadonlyArray<Command>): Model => {
  const { model, real } = start()
  for (const one of story) one.run(model, real)
  return model
}
const friendsOf = (model: Model, who: Person) => [...model.notebooks.get(who)!.friends.keys()]

describe("friendship stories", () => {
  it("one asks, the other accepts: both are friends", () => {
    const model = tell(
      ask(alice, "bob", "open"),
      hear(bob, 0, undefined, undefined),
      accept(bob, alice, false),
      hear(alice, 0, undefined, undefined)
    )
    expect([friendsOf(model, alice), friendsOf(model, bob)]).toEqual([[bob], [alice]])
  })
  it("who held `inject` alone may still talk once it is withdrawn", () => {
    const model = tell(
      ask(alice, "bob", "open"),
      hear(bob, 0, undefined, undefined),
      accept(bob, alice, false),
      revoke(bob, alice, "message", false),
      grant(bob, alice, "inject", false),
      revoke(bob, alice, "inject", false)
    )
    expect([...model.notebooks.get(bob)!.friends.get(alice)!.holds]).toEqual(["message"])
  })
  it("an answer to a request from before the end of the friendship brings nobody back", () => {
    const model = tell(
      ask(alice, "bob", "open"),
      ask(bob, "alice", "open"),
      hear(alice, 0, undefined, undefined),
      hear(bob, 1, undefined, undefined),
      accept(alice, bob, false),
      unfriend(alice, bob, false),
      accept(bob, alice, false),
      hear(alice, 0, undefined, undefined)
    )
    expect(friendsOf(model, alice)).toEqual([])
  })
  it("whom the operator has sent away, no rule brings back", () => {
    const model = tell(
      addRule(alice, { unproven: true }),
      ask(bob, "alice", "open"),
      hear(alice, 0, undefined, undefined),
      unfriend(alice, bob, false),
      ask(bob, "alice", "open"),
      hear(alice, 0, undefined, undefined)
    )
    expect(friendsOf(model, alice)).toEqual([])
  })
  it("who answers in somebody's place and at once asks anew does not escape the alarm", () => {
    const model = tell(
      ask(alice, "bob", "open"),
      forge("bob", "alice", "open", null, 0),
      hear(alice, 0, undefined, undefined),
      forge("bob", "alice", "open", null, undefined),
      hear(alice, 0, undefined, undefined),
      hear(bob, 3, undefined, undefined),
      accept(bob, alice, false),
      hear(alice, 0, undefined, undefined)
    )
    expect(model.notebooks.get(alice)!.friends.get(mallory)?.alarmed).toBe(true)
  })
})
