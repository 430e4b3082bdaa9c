/**
 * Schedules of questions that wait for an owner: two friends as pure states, and a clerk who knows what was decided.
 * The clerk never looks into a node: it hears what the owner types, what the clock says, and what a node wants to run.
 * What must hold is said once, here; the fast and the slow tier only differ in how many schedules they try.
 */
import fc from "fast-check"
import { expect } from "vitest"
import { Limits, type Output } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { person } from "../arbitraries/state.ts"
import { type House, Town } from "./Town.ts"

const alice = person("alice")
const bob = person("bob")
type When = "always" | "first" | "over-budget" | "never"

/** Two questions a day; the third waits for the owner, or is refused. */
const allowances = {
  turn: { calls: 1, tokens: 1_000, ms: 60_000 },
  day: { calls: 2, tokens: 1_000_000, ms: 3_600_000 }
}

/** Two friends, bob's agent granted to alice, as they are before anything was asked. */
const befriended = (): Town => {
  const town = new Town([alice, bob], { allowances })
  const [a, b] = town.houses as [House, House]
  town.command(a, { _tag: "Friend", channel: "open", to: "bob" })
  town.hear(b, town.room.at(-1)!)
  town.command(b, { _tag: "Accept", name: "alice", keyPrefix: "" })
  town.hear(a, town.room.at(-1)!)
  town.command(b, { _tag: "Grant", name: "alice", keyPrefix: "", capability: "inject" })
  return town
}
const before = befriended()

/** What the clerk knows of one question, by its id. */
interface Note {
  approved: boolean
  over: boolean
  runs: number
  heldUntilMs: number | undefined
}

/** A schedule under way. */
export class Desk {
  readonly town: Town
  readonly notes = new Map<string, Note>()
  /** The question that the owner approves in the turn under way. */
  private approving: string | undefined
  private rule: { when: When; approved: boolean } = { when: "never", approved: false }
  private granted = true
  /** Runs that began on a day, days since the epoch: each takes one call of that day's allowance, which none gives back. */
  private readonly begun = new Map<number, number>()
  private asked = 0

  constructor() {
    this.town = new Town([alice, bob], { watch: (house, _, outputs) => this.watch(house, outputs), allowances })
    this.town.houses.forEach((house, index) => {
      const from = before.houses[index]!
      house.state = from.state
      house.disk.clear()
      for (const [key, value] of from.disk) house.disk.set(key, value)
    })
  }

  private get a(): House {
    return this.town.houses[0]!
  }
  private get b(): House {
    return this.town.houses[1]!
  }
  private note(id: string): Note {
    const note = this.notes.get(id) ?? { approved: false, over: false, runs: 0, heldUntilMs: undefined }
    this.notes.set(id, note)
    return note
  }

  /** Everything that bob wants to run must have been allowed, by a rule that does not hold or by the owner in this turn. */
  private watch(house: House, outputs: ReadonlyArray<Output.Output>): void {
    if (house.person !== bob) return
    for (const output of outputs) {
      if (output._tag === "Tell" && output.event._tag === "InjectHeld") {
        expect(this.holds()).toBe(true)
        const note = this.note(output.event.id)
        expect(note.heldUntilMs, "held twice").toBeUndefined()
        note.heldUntilMs = output.event.expiresAtMs
      }
      if (output._tag !== "Run") continue
      const id = output.job.split("/")[1]!
      const note = this.note(id)
      note.runs++
      const isSpent = this.isSpent()
      this.begun.set(this.day(), (this.begun.get(this.day()) ?? 0) + 1)
      expect(note.runs, "run twice").toBe(1)
      expect(this.granted, "run without a grant").toBe(true)
      if (note.heldUntilMs !== undefined) {
        expect(this.approving, "run without the owner's word").toBe(id)
        expect(note.over, "run after its end").toBe(false)
        expect(this.town.nowMs).toBeLessThan(note.heldUntilMs)
      } else {
        const ruled = this.rule.when === "always" || (this.rule.when === "first" && !this.rule.approved)
        expect(ruled, "run though it was to be held").toBe(false)
        expect(isSpent, "run though the day's allowance is spent").toBe(false)
      }
    }
  }

  private holds(): boolean {
    const { approved, when } = this.rule
    return when === "always" || (when === "first" && !approved) || (when === "over-budget" && this.isSpent())
  }

  private day(): number {
    return Math.floor(this.town.nowMs / 86_400_000)
  }

  private isSpent(): boolean {
    return (this.begun.get(this.day()) ?? 0) >= allowances.day.calls
  }

  private held(): ReadonlyArray<string> {
    return Table.values(this.b.state.durable.jobs).flatMap(({ id, state }) => (state === "held" ? [id] : []))
  }

  private end(ids: Iterable<string>): void {
    for (const id of ids) this.note(id).over = true
  }

  setRule(when: When): void {
    this.rule = { when, approved: false }
    this.town.command(this.b, { _tag: "Hold", name: "alice", keyPrefix: "", when })
  }
  ask(): void {
    this.town.command(this.a, {
      _tag: "Inject",
      name: "bob",
      keyPrefix: "",
      text: `question ${++this.asked}`,
      waitMs: 60_000
    })
  }
  decide(index: number, yes: boolean, dies: boolean): void {
    const ids = this.held()
    const id = ids[index % Math.max(1, ids.length)]
    if (id === undefined) return
    this.approving = yes ? id : undefined
    const reply = this.town.command(
      this.b,
      { _tag: yes ? "Approve" : "Refuse", id },
      dies ? "dies after commit" : "performed"
    )
    this.approving = undefined
    const isRefused = reply?.ok === false
    if (yes && !isRefused) this.rule = { ...this.rule, approved: true }
    if (!isRefused) this.end([id])
    if (yes && reply !== undefined) {
      const running = Table.values(this.b.state.durable.jobs).filter(({ state }) => state === "running").length
      // Nothing but a grant that is gone or a full house may stand against the owner's word.
      if (isRefused) expect(!this.granted || running >= Limits.jobsPerPeerMax).toBe(true)
    }
  }
  cancel(index: number): void {
    const ids = [...Table.values(this.a.state.durable.calls)].map(({ id }) => id)
    const id = ids[index % Math.max(1, ids.length)]
    if (id !== undefined) this.town.command(this.a, { _tag: "Cancel", id })
  }
  grant(gives: boolean): void {
    this.granted = gives
    const tag = gives ? "Grant" : "Revoke"
    if (!gives) this.end(this.held())
    this.town.command(this.b, { _tag: tag, name: "alice", keyPrefix: "", capability: "inject" })
    if (!gives) expect(this.held()).toEqual([])
  }
  crash(who: 0 | 1): void {
    this.town.crash(this.town.houses[who]!)
  }
  endRun(ok: boolean): void {
    this.town.endRun(this.b, ok)
  }
  pass(ms: number): void {
    this.town.pass(ms)
    for (const id of this.held())
      expect(this.note(id).heldUntilMs!, "held beyond its end").toBeGreaterThan(this.town.nowMs)
  }
  /** Both meet, and everything under way arrives. */
  meet(): void {
    if (this.town.links.length === 0) this.town.connect(this.a, this.b)
    for (let turns = 0; turns < 400; turns++) {
      const link = this.town.links[0]
      if (link === undefined) return
      const moved = this.town.deliver(link, "responder") || this.town.deliver(link, "initiator")
      if (!moved) return
    }
  }

  /** After three days in which both meet again and again nothing may be left of any question: no orphan. */
  rest(): void {
    for (let day = 0; day < 3; day++) {
      for (let times = 0; times < 4; times++) {
        this.meet()
        while (this.town.endRun(this.b, true)) this.meet()
        this.pass(90_000)
      }
      this.pass(86_400_000)
    }
    this.meet()
    expect(this.held()).toEqual([])
    expect(Table.size(this.a.state.durable.calls), "a question without an outcome").toBe(0)
  }
}

const step: fc.Arbitrary<readonly [string, (desk: Desk) => void]> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<When>("always", "always", "first", "never", "over-budget")
      .map((when) => [`rule ${when}`, (desk: Desk) => desk.setRule(when)] as const)
  },
  { weight: 4, arbitrary: fc.constant(["ask", (desk: Desk) => desk.ask()] as const) },
  { weight: 6, arbitrary: fc.constant(["meet", (desk: Desk) => desk.meet()] as const) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.nat(5), fc.boolean(), fc.boolean())
      .map(
        ([index, yes, dies]) =>
          [
            `${yes ? "approve" : "refuse"} ${index}${dies ? ", dies" : ""}`,
            (desk: Desk) => desk.decide(index, yes, dies)
          ] as const
      )
  },
  { weight: 1, arbitrary: fc.nat(5).map((index) => [`cancel ${index}`, (desk: Desk) => desk.cancel(index)] as const) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((gives) => [gives ? "grant" : "revoke", (desk: Desk) => desk.grant(gives)] as const)
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom<0 | 1>(0, 1).map((who) => [`crash ${who}`, (desk: Desk) => desk.crash(who)] as const)
  },
  { weight: 2, arbitrary: fc.boolean().map((ok) => [`end run ${ok}`, (desk: Desk) => desk.endRun(ok)] as const) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(1_000, 61_000, 3_600_000, 86_399_999, 86_400_000)
      .map((ms) => [`${ms} ms pass`, (desk: Desk) => desk.pass(ms)] as const)
  }
)

/** Tries so many schedules; a failure names the seed and the shrunk schedule. */
export const trySchedules = (numRuns: number): void =>
  fc.assert(
    fc.property(fc.array(step, { minLength: 3, maxLength: 24 }), (story) => {
      const desk = new Desk()
      for (const [, act] of story) act(desk)
      desk.rest()
    }),
    { numRuns }
  )
