/**
 * Invites against a naive clerk: random lives of an issuer and three claimers, with restarts, partings and time.
 * The clerk keeps a list of names for each invite and knows no states, keys or proofs; who may be a friend follows from it.
 * What must hold is held after every step, on both sides.
 */
import { Redacted } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as Invite from "../../core/friend/Invite.ts"
import { Limits, State, Step } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { holds, Member, Party } from "../arbitraries/party.ts"
import { person } from "../arbitraries/state.ts"

const names = ["bob", "carol", "dave"] as const
type Name = (typeof names)[number]
const people = { alice: person("alice"), bob: person("bob"), carol: person("carol"), dave: person("dave") }

type Doing =
  | {
      readonly do: "make"
      readonly uses: number
      readonly inject: boolean
      readonly hours: number
      readonly named: Name | undefined
    }
  | { readonly do: "claim"; readonly by: Name; readonly which: number }
  | { readonly do: "revoke"; readonly which: number }
  | { readonly do: "unfriend" | "withdraw"; readonly whom: Name }
  | { readonly do: "wait"; readonly hours: number }
  | { readonly do: "restart"; readonly who: Name | "alice" }

const name = fc.constantFrom(...names)
const anyStep: fc.Arbitrary<Doing> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("make" as const),
      uses: fc.integer({ min: 1, max: 3 }),
      inject: fc.boolean(),
      hours: fc.integer({ min: 1, max: 9 }),
      named: fc.option(name, { nil: undefined, freq: 2 })
    })
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("claim" as const), by: name, which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const), which: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("unfriend" as const, "withdraw" as const), whom: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), hours: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("restart" as const), who: fc.constantFrom("alice" as const, ...names) })
  }
)

/** What the clerk has written down of one invite. */
interface Slip {
  readonly link: string
  readonly id: string
  readonly uses: number
  readonly inject: boolean
  readonly named: Name | undefined
  readonly endsMs: number
  readonly usedBy: Array<Name>
  readonly barred: Set<Name>
  /** Who used it and was sent away since. */
  readonly over: Set<Name>
  revoked: boolean
}

class Life {
  readonly party: Party
  constructor(step: typeof Step.step = Step.step) {
    this.party = new Party(step)
  }
  readonly alice = new Member(people.alice)
  readonly others = { bob: new Member(people.bob), carol: new Member(people.carol), dave: new Member(people.dave) }
  readonly slips: Array<Slip> = []
  /** What alice lets each friend do, by the clerk. */
  readonly may = new Map<Name, ReadonlyArray<string>>()

  run(one: Doing): void {
    // A minute between any two: what one may do in a minute is another model's.
    this.party.wait(60_000, this.alice, ...Object.values(this.others))
    if (one.do === "make") this.#make(one)
    if (one.do === "claim") this.#claim(one.by, this.slips[one.which % Math.max(1, this.slips.length)])
    if (one.do === "revoke") this.#revoke(this.slips[one.which % Math.max(1, this.slips.length)])
    if (one.do === "unfriend" || one.do === "withdraw") this.#takeFrom(one.do, one.whom)
    if (one.do === "wait") this.party.wait(one.hours * 3_600_000, this.alice, ...Object.values(this.others))
    if (one.do === "restart") this.party.revive(one.who === "alice" ? this.alice : this.others[one.who])
    this.#check()
  }

  #make({ hours, inject, named, uses }: Extract<Doing, { do: "make" }>): void {
    const lastsMs = hours * 3_600_000
    const key = named === undefined ? {} : { named: people[named].self.identityKey }
    const { id, link } = this.party.invite(this.alice, { inject, uses, lastsMs, ...key })
    const slip = {
      usedBy: [],
      barred: new Set<Name>(),
      over: new Set<Name>(),
      revoked: false,
      endsMs: this.party.nowMs + lastsMs
    }
    this.slips.push({ ...slip, id, link, uses: named === undefined ? uses : 1, inject, named })
  }

  /** What a claim comes to, by the clerk. */
  #expected(by: Name, slip: Slip): string {
    const { nowMs } = this.party
    if (slip.named !== undefined && slip.named !== by) return "invite-for-another"
    if (nowMs >= slip.endsMs + Limits.freshnessMs) return "invite-over"
    if (slip.usedBy.includes(by)) return slip.over.has(by) ? "invite-refused" : ""
    const open = !slip.revoked && nowMs < slip.endsMs && slip.usedBy.length < slip.uses
    return open && !slip.barred.has(by) ? "" : "invite-refused"
  }

  #claim(by: Name, slip: Slip | undefined): void {
    if (slip === undefined) return
    const expected = this.#expected(by, slip)
    expect(this.party.claim(this.others[by], this.alice, slip.link), `${by} claims`).toBe(expected)
    if (expected !== "" || slip.usedBy.includes(by)) return
    slip.usedBy.push(by)
    this.may.set(by, [...new Set([...(this.may.get(by) ?? []), "message", ...(slip.inject ? ["inject"] : [])])].sort())
  }

  #revoke(slip: Slip | undefined): void {
    if (slip === undefined) return
    const reply = this.party.command(this.alice, { _tag: "RevokeInvite", id: slip.id })
    if (reply?.ok === true) slip.revoked = true
  }

  #takeFrom(how: "unfriend" | "withdraw", whom: Name): void {
    if (!this.may.has(whom)) return
    const about = { name: whom, keyPrefix: "" }
    this.party.command(
      this.alice,
      how === "unfriend" ? { _tag: "Unfriend", ...about } : { _tag: "Revoke", ...about, capability: "inject" }
    )
    for (const slip of this.slips) slip.barred.add(whom)
    if (how === "withdraw") this.may.set(whom, ["message"])
    else {
      this.may.delete(whom)
      for (const slip of this.slips) if (slip.usedBy.includes(whom)) slip.over.add(whom)
    }
    // They meet, so that the other side hears of it.
    this.party.close(this.party.meet(this.others[whom], this.alice))
    this.party.settle()
  }

  #check(): void {
    for (const one of names) {
      expect(holds(this.alice, this.others[one]), `alice of ${one}`).toEqual(this.may.get(one))
      expect(holds(this.others[one], this.alice), `${one} of alice`).toEqual(
        this.may.has(one) ? ["message"] : undefined
      )
    }
    for (const slip of this.slips) {
      const invite = Table.get(this.alice.state.durable.invites, slip.id)
      if (invite === undefined) continue
      expect(invite.redemptions).toHaveLength(slip.usedBy.length)
      expect(slip.usedBy.length).toBeLessThanOrEqual(slip.uses)
    }
  }
}

type Invites = State.Durable["invites"]
const withInvites = (state: State.State, invites: Invites): State.State => State.withDurable(state, { invites })
const changed = (state: State.State, change: (invite: Invite.Invite) => Invite.Invite): State.State =>
  withInvites(
    state,
    Table.values(state.durable.invites).reduce((all, one) => Table.set(all, one.id, change(one)), state.durable.invites)
  )

/** Steps with a mistake each, as one could be made. */
const mistakes: Readonly<Record<string, typeof Step.step>> = {
  "forgets that an invite was used": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    return input._tag === "Received" ? [withInvites(next, state.durable.invites), outputs] : [next, outputs]
  },
  "does not take an invite back": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const revoked = input._tag === "Operator" && input.command._tag === "RevokeInvite"
    return [revoked ? state : next, outputs]
  },
  "never lets an invite expire": (state, input, turn) =>
    Step.step(
      changed(state, (invite) => ({ ...invite, expiresAtMs: turn.nowMs + 1 })),
      input,
      turn
    ),
  "gives inject with every invite": (state, input, turn) => {
    const wide = input._tag === "Operator" && input.command._tag === "CreateInvite"
    return Step.step(state, wide ? { ...input, command: { ...input.command, inject: true } as never } : input, turn)
  },
  "lets back in whom its operator sent away": (state, input, turn) =>
    Step.step(
      changed(state, (invite) => ({ ...invite, barred: [] })),
      input,
      turn
    ),
  "lets a repeat cost a use": (state, input, turn) =>
    Step.step(
      changed(state, ({ redemptions, ...invite }) => ({
        ...invite,
        redemptions: redemptions.map((one) => ({ ...one, peerId: "somebody" }))
      })),
      input,
      turn
    ),
  "answers and makes no friend": (state, input, turn) => {
    const [next, outputs] = Step.step(state, input, turn)
    const isClaim = input._tag === "Received" && input.message.value.kind === "Claim"
    return [isClaim ? withInvites(state, next.durable.invites) : next, outputs]
  }
}

describe("invites and a clerk with a list", () => {
  it("agree on who is whose friend and what each may, whatever is made, claimed, taken back and restarted", {
    timeout: 120_000
  }, () => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 5, maxLength: 30 }), (steps) => {
        const life = new Life()
        for (const one of steps) life.run(one)
      }),
      { numRuns: 60 }
    )
  })
  it.each(Object.entries(mistakes))("would find a node that %s", { timeout: 120_000 }, (_, step) => {
    const found = fc.check(
      fc.property(fc.array(anyStep, { minLength: 5, maxLength: 30 }), (steps) => {
        const life = new Life(step)
        for (const one of steps) life.run(one)
      }),
      { numRuns: 400, seed: 1, endOnFailure: true }
    )
    expect(found.failed).toBe(true)
  })
  it("a claim that is never answered ends, and one that is claimed twice is one claim", () => {
    const life = new Life()
    life.run({ do: "make", uses: 1, inject: false, hours: 1, named: undefined })
    const link = Redacted.make(life.slips[0]!.link)
    expect(life.party.command(life.others.bob, { _tag: "ClaimInvite", link })).toMatchObject({ ok: true })
    expect(life.party.command(life.others.bob, { _tag: "ClaimInvite", link })).toMatchObject({ ok: false })
    life.party.wait(3_600_000 + Limits.freshnessMs, life.others.bob)
    expect(life.others.bob.told.at(-1)).toMatchObject({ _tag: "ErrandRefused", rejection: { code: "errand-expired" } })
  })
})
