/**
 * Two friends who rotate, meet or miss each other, are robbed and recover, against a clerk with a list of keys.
 * The clerk knows keys as names and who signed what; it never verifies, and never sees the code's tables.
 * Both friends are whole nodes as the pure step function, stored and loaded like a disk would, with real keys.
 */
import { Effect, HashMap, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import * as Grants from "../../core/admission/Grants.ts"
import * as Roster from "../../core/friend/Roster.ts"
import * as Authentic from "../../core/identity/Authentic.ts"
import { Base64url, type Input, Keys, type Output, Rotation, State, Statement, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Proof from "../../core/session/Proof.ts"
import * as Table from "../../core/Table.ts"
import { Crypto } from "../../ports/Crypto.ts"

const crypto = Effect.runSync(Crypto.pipe(Effect.provide(Sodium.layer)))
const names = ["alice", "bob"] as const
type Name = (typeof names)[number]
const other = (name: Name): Name => (name === "alice" ? "bob" : "alice")
const keyText = (keys: Keys.LocalKeys) => Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey
const startMs = 1_800_000_000_000

/** What the far end of a link proves, through the code that writes and reads proofs. */
const proofOf = (keys: Keys.LocalKeys): Authentic.Authentic<Proof.Proof> => {
  const hash = new Uint8Array(32)
  const payload = Proof.write(crypto, keys, Keys.swarmKey(crypto, keys), "initiator", hash, undefined)
  return Result.getOrThrow(Proof.read(crypto, "initiator", hash, keys.agreementKey, payload)).proof
}

/** A node without its shell: the step function, and a disk that is written after every turn. */
class House {
  readonly name: Name
  readonly disk = new Map<string, { readonly collection: string; readonly key: string; readonly value: string }>()
  state: State.State
  nowMs = startMs
  constructor(name: Name, keys: Keys.LocalKeys, friend: Roster.Friend) {
    this.name = name
    const roster = { ...Roster.empty, friends: Table.set(Table.empty<Roster.Friend>(), friend.peerId, friend) }
    const grants = Grants.allow(Table.empty(), friend.peerId, Grants.own, "inject", startMs)
    this.state = State.start(selfOf(name, keys), { ...State.emptyDurable, roster, grants })
    this.step({ _tag: "Started" })
  }
  step(input: Input.Input): ReadonlyArray<Output.Output> {
    this.nowMs += 1_000
    const turn = { nowMs: this.nowMs, entropy: crypto.randomBytes(32), sha256: crypto.sha256, pure: crypto }
    const [next, outputs] = Step.step(this.state, input, turn)
    for (const { collection, key, value } of Records.diff(next.durable)) {
      if (value === null) this.disk.delete(`${collection}/${key}`)
      else this.disk.set(`${collection}/${key}`, { collection, key, value })
    }
    this.state = { ...next, durable: Records.settled(next.durable) }
    return outputs
  }
  /** Ends, and starts again on what was stored, with these keys. */
  restart(keys: Keys.LocalKeys): void {
    this.state = State.start(selfOf(this.name, keys), Result.getOrThrow(Records.load([...this.disk.values()])))
    this.step({ _tag: "Started" })
  }
  get friend(): Roster.Friend {
    return Table.values(this.state.durable.roster.friends)[0]!
  }
}

const selfOf = (name: Name, keys: Keys.LocalKeys): State.Self => ({
  name,
  identityKey: keyText(keys),
  agreementKey: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
  earlier: keys.history.map((link) => ({
    key: link.from as Keys.RemoteIdentityKey,
    leftAtMs: link.tsMs,
    reason: link.reason,
    byRecoveryKey: link.recovery !== undefined
  }))
})

/** Keys somebody holds: their whole path, and the places in it that a recovery key has signed, with its name. */
interface Branch {
  readonly keys: Keys.LocalKeys
  readonly path: ReadonlyArray<string>
  readonly signed: ReadonlyArray<{ readonly at: number; readonly recovery: string }>
}

/** The clerk's page about the friend of one house. */
interface Page {
  /** The path that is believed; its last key is the friend's. */
  path: ReadonlyArray<string>
  dead: ReadonlySet<string>
  /** Keys whose successor is decided for ever. */
  decided: ReadonlySet<string>
  doubt: string | undefined
  recovery: string | undefined
}

type Verdict = "admitted" | "key-retired" | "key-fork" | "not-a-friend"

/** What the clerk says when a branch shows up, and what it writes down. */
const judge = (page: Page, branch: Branch): Verdict => {
  const last = branch.path.at(-1)!
  if (page.dead.has(last)) return "key-retired"
  if (page.path.at(-1) === last) return "admitted"
  const common = branch.path.findLastIndex((key) => page.path.includes(key))
  if (common < 0) return "not-a-friend"
  const ahead = branch.path.slice(common + 1)
  // The first signature by the recovery key that is believed decides; what comes after it may name the next one.
  let recovery = page.recovery
  let recovered = false
  for (const { at, recovery: by } of branch.signed) {
    if (at <= common || by !== recovery) continue
    recovered = true
    recovery = `${by}'`
  }
  if (!recovered && ahead.some((key) => page.dead.has(key))) return "key-retired"
  const from = page.path.indexOf(branch.path[common]!)
  const forked = from < page.path.length - 1
  if (forked && !recovered) {
    if (page.decided.has(branch.path[common]!)) return "key-retired"
    page.doubt ??= last
    return "key-fork"
  }
  const path = [...page.path.slice(0, from + 1), ...ahead]
  page.dead = new Set([...page.dead, ...page.path, ...path])
  page.path = path
  page.recovery = recovery
  const alive = new Set(page.dead)
  alive.delete(last)
  page.dead = alive
  if (recovered) {
    page.decided = new Set([...page.decided, ...path.slice(0, -1)])
    page.doubt = undefined
  }
  return "admitted"
}

interface Person {
  branch: Branch
  /** Every state of the keys there has been. */
  readonly past: Array<Branch>
  thief: Branch | undefined
  secret: Rotation.Rotated["recoverySecret"]
  /** The clerk's name of the recovery key there is now. */
  recovery: string | undefined
}

interface Real {
  readonly houses: Record<Name, House>
}
interface Model {
  readonly people: Record<Name, Person>
  readonly pages: Record<Name, Page>
  links: number
}

const extend = (branch: Branch, rotated: Rotation.Rotated, recovery: string | undefined): Branch => ({
  keys: rotated.keys,
  path: [...branch.path, keyText(rotated.keys)],
  signed: recovery === undefined ? branch.signed : [...branch.signed, { at: branch.path.length, recovery }]
})
const rotated = (branch: Branch, secret?: Rotation.Rotated["recoverySecret"]) =>
  Result.getOrThrow(
    Rotation.rotate(crypto, branch.keys, secret === undefined ? "scheduled" : "compromise", startMs, secret)
  )

/** Everything the clerk's page says must be what the house has written down. */
const compare = (model: Model, real: Real): void => {
  for (const name of names) {
    const page = model.pages[other(name)]
    const { friend, state } = real.houses[name]
    expect(friend.identityKey).toBe(page.path.at(-1))
    expect(friend.doubt?.key).toBe(page.doubt)
    expect(Roster.keyState(friend)).toBe(page.doubt === undefined ? "Known" : "Forked")
    expect(friend.topic).toBe(Statement.signerOf(crypto, friend.identityKey).topic)
    expect(Table.size(state.durable.roster.friends)).toBe(1)
    // What a rotation has no business with.
    expect(friend.peerId).toBe(Statement.signerOf(crypto, page.path[0] as Keys.RemoteIdentityKey).peerId)
    expect(friend.name).toBe(other(name))
    expect(Grants.covers(state.durable.grants, friend.peerId, Grants.own, "inject", startMs)).toBe(true)
  }
}

const verdictOf = (outputs: ReadonlyArray<Output.Output>): Verdict | undefined => {
  for (const output of outputs) {
    if (output._tag !== "Tell") continue
    if (output.event._tag === "Connected") return "admitted"
    if (output.event._tag === "PeerRefused") return output.event.rejection.code as Verdict
  }
  return undefined
}

/** A branch of one person's shows up at the other's house. Whose key was retired has its sessions ended. */
const showUp = (model: Model, real: Real, owner: Name, branch: Branch): Verdict => {
  const house = real.houses[other(owner)]
  const expected = judge(model.pages[owner], branch)
  const connection = `link-${++model.links}`
  const before = house.friend
  const open = State.session(house.state, before.peerId)
  const opened = {
    _tag: "Opened" as const,
    connection,
    initiator: false,
    version: 3,
    peer: proofOf(branch.keys),
    handshakeHash: new Uint8Array(32)
  }
  const outputs = house.step(opened)
  expect(verdictOf(outputs)).toBe(expected)
  const moved = house.friend.identityKey !== before.identityKey
  if (open !== undefined && moved) {
    expect(outputs).toContainEqual({ _tag: "HangUp", connection: open.connection, code: null })
    expect(HashMap.has(house.state.passing.connections, open.connection)).toBe(false)
  }
  if (expected === "admitted") {
    expect(State.session(house.state, before.peerId)?.connection).toBe(connection)
  }
  return expected
}

/** Says hello like a peer that has stored what our proof taught it. */
const greet = (house: House, branch: Branch): void => {
  const session = State.session(house.state, house.friend.peerId)
  if (session === undefined) return
  const message = { kind: "Greeting" as const, streams: [], run: "0".repeat(32) }
  house.step({
    _tag: "Received",
    connection: session.connection,
    message: Authentic.map(proofOf(branch.keys), () => message),
    bytes: 1,
    hash: "h"
  })
}

type Command = fc.Command<Model, Real>
const command = (
  label: string,
  ready: (model: Model) => boolean,
  run: (model: Model, real: Real) => void
): Command => ({
  check: ready,
  run: (model, real) => {
    run(model, real)
    compare(model, real)
  },
  toString: () => label
})

const rotates = (who: Name): Command =>
  command(
    `${who} rotates`,
    () => true,
    (model, real) => {
      const person = model.people[who]
      person.past.push(person.branch)
      person.branch = extend(person.branch, rotated(person.branch), undefined)
      real.houses[who].restart(person.branch.keys)
    }
  )
const recovers = (who: Name): Command =>
  command(
    `${who} rotates with the recovery key`,
    (model) => model.people[who].secret !== undefined,
    (model, real) => {
      const person = model.people[who]
      person.past.push(person.branch)
      const result = rotated(person.branch, person.secret)
      person.branch = extend(person.branch, result, person.recovery)
      person.secret = result.recoverySecret
      person.recovery = `${person.recovery}'`
      real.houses[who].restart(person.branch.keys)
    }
  )
const robbed = (who: Name): Command =>
  command(
    `a thief takes ${who}'s keys`,
    () => true,
    (model) => {
      model.people[who].thief = model.people[who].branch
    }
  )
const thiefRotates = (who: Name): Command =>
  command(
    `${who}'s thief rotates`,
    (model) => model.people[who].thief !== undefined,
    (model) => {
      const thief = model.people[who].thief!
      model.people[who].thief = extend(thief, rotated(thief), undefined)
    }
  )
const meet: Command = command(
  "the two meet",
  () => true,
  (model, real) => {
    const verdicts = names.map((name) => showUp(model, real, name, model.people[name].branch))
    if (verdicts.some((verdict) => verdict !== "admitted")) return
    for (const name of names) {
      greet(real.houses[name], model.people[other(name)].branch)
      expect(real.houses[name].friend.knowsKey).toBe(keyText(model.people[name].branch.keys))
      // Nobody needs to find us under an older key any more.
      expect([...real.houses[name].state.passing.announced]).toEqual([keyText(model.people[name].branch.keys)])
    }
  }
)
const thiefComes = (who: Name): Command =>
  command(
    `${who}'s thief comes`,
    (model) => model.people[who].thief !== undefined,
    (model, real) => {
      showUp(model, real, who, model.people[who].thief!)
    }
  )
const oldKeyComes = (who: Name, which: number): Command =>
  command(
    `old keys of ${who} come (${which})`,
    (model) => model.people[who].past.length > 0,
    (model, real) => {
      const { past } = model.people[who]
      showUp(model, real, who, past[which % past.length]!)
    }
  )
const confirms = (who: Name): Command =>
  command(
    `${who} confirms`,
    () => true,
    (model, real) => {
      const page = model.pages[other(who)]
      const outputs = real.houses[who].step({
        _tag: "Operator",
        ref: "1",
        command: { _tag: "Confirm", name: other(who), keyPrefix: "" }
      })
      const reply = outputs.find((output) => output._tag === "Reply")
      expect(reply?.reply.ok).toBe(page.doubt !== undefined)
      if (page.doubt === undefined) return
      page.dead = new Set([...page.dead, page.doubt])
      page.decided = new Set([...page.decided, ...page.path.slice(0, -1)])
      page.doubt = undefined
    }
  )
const restarts = (who: Name): Command =>
  command(
    `${who} restarts`,
    () => true,
    (model, real) => real.houses[who].restart(model.people[who].branch.keys)
  )

const setUp = () => {
  const people = Object.fromEntries(
    names.map((name) => {
      // Bob has a recovery key; alice never made one.
      const recovery = name === "bob" ? Rotation.newRecoveryKey(crypto) : undefined
      const keys = {
        ...Keys.generate(crypto, startMs),
        ...(recovery === undefined ? {} : { recoveryCommitment: recovery.commitment })
      }
      const branch = { keys, path: [keyText(keys)], signed: [] }
      const person: Person = {
        branch,
        past: [],
        thief: undefined,
        secret: recovery?.secret,
        recovery: recovery === undefined ? undefined : "R"
      }
      return [name, person]
    })
  ) as Record<Name, Person>
  const friendRecord = (name: Name): Roster.Friend => {
    const key = people[name].branch.path[0] as Keys.RemoteIdentityKey
    const signer = Statement.signerOf(crypto, key)
    return {
      peerId: signer.peerId,
      name,
      standing: "Friend",
      identityKey: key,
      agreementKey: key,
      topic: signer.topic,
      channel: "room:lobby",
      evidence: "same",
      sinceMs: startMs,
      cameOf: [],
      alarmed: false,
      knowsKey: people[other(name)].branch.path[0]!
    }
  }
  const houses = Object.fromEntries(
    names.map((name) => [name, new House(name, people[name].branch.keys, friendRecord(other(name)))])
  ) as Record<Name, House>
  const pages = Object.fromEntries(
    names.map((name) => [
      name,
      {
        path: people[name].branch.path,
        dead: new Set<string>(),
        decided: new Set<string>(),
        doubt: undefined,
        recovery: people[name].recovery
      } satisfies Page as Page
    ])
  ) as Record<Name, Page>
  const model: Model = { people, pages, links: 0 }
  const real: Real = { houses }
  // The first session of all: it carries the commitments to the recovery keys.
  meet.run(model, real)
  return { model, real }
}

const anyone = fc.constantFrom(...names)
const commands = fc.commands(
  [
    anyone.map(rotates),
    anyone.map(rotates),
    fc.constant(recovers("bob")),
    anyone.map(robbed),
    anyone.map(thiefRotates),
    fc.constant(meet),
    fc.constant(meet),
    anyone.map(thiefComes),
    fc.tuple(anyone, fc.nat({ max: 20 })).map(([who, which]) => oldKeyComes(who, which)),
    anyone.map(confirms),
    anyone.map(restarts)
  ],
  { maxCommands: 40, size: "max" }
)

describe("two friends, their rotations and their thieves", () => {
  it("believe, retire, dispute and settle keys exactly as the clerk does", () => {
    fc.assert(
      fc.property(commands, (list) => {
        const { model, real } = setUp()
        fc.modelRun(() => ({ model, real }), list)
      }),
      { numRuns: 150 }
    )
  })

  it("and so they do where everything happens: a thief is first, is disputed, and loses to the recovery key", () => {
    const { model, real } = setUp()
    const play = (...story: ReadonlyArray<Command>) => {
      for (const one of story) {
        if (!one.check(model)) throw new Error(`${one} cannot happen here`)
        one.run(model, real)
      }
    }
    const { alice } = real.houses
    play(robbed("bob"), thiefRotates("bob"), thiefComes("bob"))
    expect(alice.friend.identityKey).toBe(keyText(model.people.bob.thief!.keys))
    play(rotates("bob"), meet, restarts("alice"))
    expect(alice.friend.doubt).toEqual({ state: "Forked", key: keyText(model.people.bob.branch.keys) })
    play(recovers("bob"), meet, thiefComes("bob"), thiefRotates("bob"), thiefComes("bob"), oldKeyComes("bob", 0))
    expect(alice.friend.doubt).toBe(undefined)
    expect(alice.friend.identityKey).toBe(keyText(model.people.bob.branch.keys))
  })
})
