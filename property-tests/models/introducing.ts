/**
 * The clerk of the models of introductions: random lives of an introducer and three others, with restarts, partings and time.
 * The clerk keeps for each ordered pair what one was asked about the other and what it said; it knows no keys, errands or
 * sessions. Who may be whose friend follows from that, and must hold after every step.
 */
import fc from "fast-check"
import { expect } from "vitest"
import * as Grants from "../../core/admission/Grants.ts"
import { Describe, Limits, State, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { crypto, person } from "../arbitraries/state.ts"

const names = ["alice", "bob", "dave"] as const
export type Name = (typeof names)[number]
const people = { alice: person("alice"), bob: person("bob"), dave: person("dave"), carol: person("carol") }

export type Doing =
  | { readonly do: "introduce" | "meet"; readonly one: Name; readonly other: Name }
  | { readonly do: "accept" | "deny"; readonly one: Name; readonly other: Name }
  | { readonly do: "part" | "befriend"; readonly one: Name }
  | { readonly do: "restart"; readonly one: Name }
  | { readonly do: "wait"; readonly hours: number }

const name = fc.constantFrom(...names)
const pair = fc.tuple(name, name).filter(([one, other]) => one !== other)
const between = <Do extends "introduce" | "meet" | "accept" | "deny">(...what: ReadonlyArray<Do>) =>
  fc.tuple(fc.constantFrom(...what), pair).map(([done, [one, other]]): Doing => ({ do: done, one, other }))
const anyStep: fc.Arbitrary<Doing> = fc.oneof(
  { weight: 5, arbitrary: between("introduce") },
  { weight: 8, arbitrary: between("accept", "accept", "accept", "deny") },
  { weight: 6, arbitrary: between("meet") },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("part" as const, "befriend" as const), one: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), one: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), hours: fc.constantFrom(1, 50, 100) }) }
)

/** What one has been asked about another by carol: when that ends, what it said, and whether the other has come for it. */
interface Slip {
  readonly endsMs: number
  readonly said: "nothing" | "yes" | "no"
  readonly hasCome: boolean
}

export class Life {
  readonly party: Party
  readonly carol = new Member(people.carol)
  readonly others = { alice: new Member(people.alice), bob: new Member(people.bob), dave: new Member(people.dave) }
  readonly slips = new Map<string, Slip>()
  /** Who counts whom as a friend, and who is carol's friend, by the clerk. */
  readonly friends = new Set<string>()
  readonly carols = new Set<Name>(names)

  constructor(step: typeof Step.step = Step.step) {
    this.party = new Party(step)
    for (const one of [this.carol, ...Object.values(this.others)]) this.party.revive(one)
    for (const one of names) this.#join(one)
  }

  #join(one: Name): void {
    expect(this.party.claim(this.others[one], this.carol, this.party.invite(this.carol).link)).toBe("")
  }

  run(one: Doing): void {
    // Long enough for every budget to be full again.
    this.#wait(3 * 60_000)
    if (one.do === "introduce") this.#introduce(one.one, one.other)
    if (one.do === "accept" || one.do === "deny") this.#answer(one.do, one.one, one.other)
    if (one.do === "meet") this.#meet(one.one, one.other)
    if (one.do === "part") this.#part(one.one)
    if (one.do === "befriend" && !this.carols.has(one.one)) {
      this.#join(one.one)
      this.carols.add(one.one)
    }
    if (one.do === "restart") this.party.revive(this.others[one.one])
    if (one.do === "wait") this.#wait(one.hours * 3_600_000)
    this.#check()
  }

  #wait(ms: number): void {
    this.party.wait(ms, this.carol, ...Object.values(this.others))
    for (const [key, { endsMs }] of this.slips) if (endsMs <= this.party.nowMs) this.slips.delete(key)
  }

  #introduce(one: Name, other: Name): void {
    const named = (who: Name) => ({ name: who, keyPrefix: "" })
    const command = { _tag: "Introduce", one: named(one), other: named(other), note: "" } as const
    const reply = this.party.command(this.carol, command)
    const may = this.carols.has(one) && this.carols.has(other)
    expect(reply?.ok, `carol introduces ${one} and ${other}`).toBe(may)
    if (!may) return
    const endsMs = this.party.nowMs + Limits.requestAgeMs
    for (const [who, whom] of [
      [one, other],
      [other, one]
    ] as const) {
      this.party.close(this.party.meet(this.carol, this.others[who]))
      this.party.settle()
      const key = `${who} ${whom}`
      const slip = this.slips.get(key)
      if (this.friends.has(key)) continue
      if (slip === undefined) this.slips.set(key, { endsMs, said: "nothing", hasCome: false })
      // The request that has come because of it keeps the end it had.
      else if (slip.said === "nothing" && !slip.hasCome) this.slips.set(key, { ...slip, endsMs })
    }
  }

  #answer(what: "accept" | "deny", one: Name, other: Name): void {
    const key = `${one} ${other}`
    const slip = this.slips.get(key)
    const isAsked = slip?.said === "nothing"
    const tag = what === "accept" ? "Accept" : "Deny"
    const reply = this.party.command(this.others[one], { _tag: tag, name: other, keyPrefix: "" })
    expect(reply?.ok, `${one} says ${what} to ${other}`).toBe(isAsked)
    if (slip === undefined || !isAsked) return
    if (what === "deny") this.slips.set(key, { ...slip, said: "no" })
    // Who has come is waiting for nothing but this yes.
    else if (slip.hasCome) this.#became(one, other)
    else this.slips.set(key, { ...slip, said: "yes" })
  }

  #became(one: Name, other: Name): void {
    this.friends.add(`${one} ${other}`)
    this.slips.delete(`${one} ${other}`)
  }

  #meet(one: Name, other: Name): void {
    this.party.close(this.party.meet(this.others[one], this.others[other]))
    this.party.settle()
    const [here, there] = [`${one} ${other}`, `${other} ${one}`]
    const wants = (key: string) => this.slips.get(key)?.said === "yes"
    const agrees = (key: string) => wants(key) || this.friends.has(key)
    if (agrees(here) && agrees(there)) {
      this.#became(one, other)
      this.#became(other, one)
      return
    }
    for (const [asker, asked] of [
      [here, there],
      [there, here]
    ] as const) {
      const slip = this.slips.get(asked)
      if (wants(asker) && slip?.said === "nothing") this.slips.set(asked, { ...slip, hasCome: true })
    }
  }

  #part(one: Name): void {
    if (!this.carols.delete(one)) return
    this.party.command(this.others[one], { _tag: "Unfriend", name: "carol", keyPrefix: "" })
    for (const key of [...this.slips.keys()]) if (key.startsWith(`${one} `)) this.slips.delete(key)
    this.party.close(this.party.meet(this.others[one], this.carol))
    this.party.settle()
  }

  #check(): void {
    for (const one of names) {
      const { friends, introductions, requests } = Describe.describe(crypto, this.others[one].state, this.party.nowMs)
      const asked = names.filter((other) => this.slips.get(`${one} ${other}`)?.said === "nothing")
      const come = asked.filter((other) => this.slips.get(`${one} ${other}`)?.hasCome)
      expect(introductions.map((it) => it.name).sort(), `${one} is asked`).toEqual(
        asked.filter((it) => !come.includes(it))
      )
      expect(requests.map((it) => it.name).sort(), `who has come to ${one}`).toEqual(come)
      for (const other of names.filter((it) => it !== one)) {
        const isFriend = this.friends.has(`${one} ${other}`)
        expect(holds(this.others[one], this.others[other]), `${one} of ${other}`).toEqual(
          isFriend ? ["message"] : undefined
        )
        const seen = friends.find((it) => it.name === other)
        if (isFriend) expect(seen).toMatchObject({ trust: "unverified", introducedBy: "carol" })
      }
    }
  }
}

type Stepped = ReturnType<typeof Step.step>
const without = (state: State.State, isGone: (one: { readonly state: string }) => boolean): State.State =>
  State.withDurable(state, { introductions: Table.removeWhere(state.durable.introductions, isGone) })
const accepting = (state: State.State, turn: Parameters<typeof Step.step>[2]): Stepped => {
  const [open] = Table.values(state.durable.introductions).filter((one) => one.state === "Open")
  if (open === undefined) return [state, []]
  const command = { _tag: "Accept", name: open.name, keyPrefix: open.key } as const
  return Step.step(state, { _tag: "Operator", ref: "nobody", command }, turn)
}

/** Steps with a mistake each, as one could be made. */
export const mistakes: Readonly<Record<string, typeof Step.step>> = {
  "says yes by itself": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const isAsked = input._tag === "Received" && input.message.value.kind === "Introduce"
    return isAsked ? [accepting(next, turn)[0], outputs] : [next, outputs]
  },
  "forgets a no": (state, input, turn) =>
    Step.step(
      without(state, (one) => one.state === "Denied"),
      input,
      turn
    ),
  "forgets everything at a restart": (state, input, turn) =>
    Step.step(input._tag === "Started" ? without(state, () => true) : state, input, turn),
  "forgets what it was asked for at a restart": (state, input, turn) => {
    const errands = Table.removeWhere(state.durable.errands, ({ kind }) => kind === "introduced")
    return Step.step(input._tag === "Started" ? State.withDurable(state, { errands }) : state, input, turn)
  },
  "never lets one end": (state, input, turn) => {
    const { introductions } = state.durable
    const longer = Table.values(introductions).reduce(
      (all, one) => Table.set(all, `${one.by.peerId}/${one.key}`, { ...one, expiresAtMs: turn.nowMs + 1 }),
      introductions
    )
    return Step.step(
      Table.size(introductions) === 0 ? state : State.withDurable(state, { introductions: longer }),
      input,
      turn
    )
  },
  "keeps what an unfriended introducer said": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const isParting = input._tag === "Operator" && input.command._tag === "Unfriend"
    if (!isParting) return [next, outputs]
    const { errands, introductions } = state.durable
    const friends = Table.values(next.durable.roster.friends).map((one) =>
      one.name === "carol" ? { ...one, standing: "Friend" as const } : one
    )
    const kept = friends.reduce((all, one) => Table.set(all, one.peerId, one), next.durable.roster.friends)
    return [State.withRoster(State.withDurable(next, { errands, introductions }), { friends: kept }), outputs]
  },
  "gives inject to whoever was introduced": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const grants = outputs.reduce(
      (all, output) =>
        output._tag === "Tell" && output.event._tag === "FriendshipMade" && output.event.introducedBy !== undefined
          ? Grants.allow(all, output.event.peerId, Grants.own, "inject", turn.nowMs)
          : all,
      next.durable.grants
    )
    return [State.withDurable(next, { grants }), outputs]
  },
  "answers and makes no friend": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const isRequest = input._tag === "Received" && input.message.value.kind === "ConnectRequest"
    return [isRequest ? State.withRoster(next, { friends: state.durable.roster.friends }) : next, outputs]
  }
}

/** Plays a life from its beginning; with another step than the true one, to show that a mistake in it is found. */
export const live = (steps: ReadonlyArray<Doing>, step?: typeof Step.step): void => {
  const life = new Life(step)
  for (const one of steps) life.run(one)
}
export const anyLife = fc.array(anyStep, { minLength: 5, maxLength: 30 })
