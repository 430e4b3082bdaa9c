/**
 * Laws of what was asked for while the node did not run: once, whatever dies in between; never too late; bounded.
 * It never touches a file: the files are the plugin's, and a crash between the two is a story of its own.
 * Doing a thing twice because a file was still there is the mistake that the memory of intents exists for.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Input, type Intents, Limits, type Output, State, Step } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { alice, beginning, noonMs, turnAt } from "../arbitraries/state.ts"

const grown = (): State.State => {
  let state = State.start(alice.self, State.emptyDurable)
  for (const [index, one] of beginning.entries()) state = Step.step(state, one, turnAt(noonMs, index))[0]
  return state
}
const id = (number: number): string => number.toString(16).padStart(32, "0")
const intent = (number: number, atMs = noonMs): Intents.Intent => ({ id: id(number), atMs, what: "/message @bob" })
const say = (text: string): Input.Command => ({ _tag: "Message", name: "bob", keyPrefix: "", text })
const give = (state: State.State, command: Input.Command, of: Intents.Intent, atMs = noonMs, luck = 50) =>
  Step.step(state, { _tag: "Operator", ref: "r", command, intent: of }, turnAt(atMs, luck))
const replies = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Reply" ? [output.reply] : []))
const told = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) => (output._tag === "Tell" && output.event._tag === "IntentDone" ? [output.event] : []))
const queued = (state: State.State): number => Table.size(state.durable.outbox.entries)
/** The same node after a crash and a start: only what was stored is left. */
const restarted = (state: State.State): State.State => {
  const records = Records.diff(state.durable).flatMap(({ collection, key, value }) =>
    value === null ? [] : [{ collection, key, value }]
  )
  const loaded = Records.load(records)
  if (loaded._tag === "Failure") throw new Error(loaded.failure.message)
  return State.start(alice.self, loaded.success)
}

describe("an intent", () => {
  it("does what the command does, once, and gives the same reply and event every time", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.boolean(), (times, crash) => {
        const before = grown()
        let [state, outputs] = give(before, say("hello"), intent(1))
        const first = { reply: replies(outputs), told: told(outputs) }
        expect(first.reply).toMatchObject([{ ok: true }])
        expect(first.told).toMatchObject([{ id: id(1), code: null, what: "/message @bob" }])
        expect(queued(state)).toBe(queued(before) + 1)
        const stored = state
        for (let time = 0; time < times; time++) {
          if (crash) state = restarted(stored)
          ;[state, outputs] = give(state, say("hello"), intent(1), noonMs + time, 60 + time)
          expect({ reply: replies(outputs), told: told(outputs) }).toEqual(first)
          expect(queued(state)).toBe(queued(before) + 1)
        }
      }),
      { numRuns: 30 }
    )
  })
  it("that is refused stays refused, though it would be taken now", () => {
    const [state, outputs] = give(State.start(alice.self, State.emptyDurable), say("hello"), intent(2))
    expect(replies(outputs)).toMatchObject([{ ok: false, rejection: { code: "unknown-peer" } }])
    const later = { ...grown(), durable: { ...grown().durable, intents: state.durable.intents } }
    const [after, again] = give(later, say("hello"), intent(2))
    expect(replies(again)).toMatchObject([{ ok: false, rejection: { code: "unknown-peer" } }])
    expect(queued(after)).toBe(queued(later))
  })
  it("is carried out for a week, and for as long as that its memory stays", () => {
    const before = grown()
    const last = noonMs + Limits.intentAgeMs
    const [, inTime] = give(before, say("hello"), intent(3), last)
    expect(replies(inTime)).toMatchObject([{ ok: true }])
    const [untouched, late] = give(before, say("hello"), intent(3), last + 1)
    expect(replies(late)).toMatchObject([{ ok: false, rejection: { code: "intent-expired" } }])
    expect(told(late)).toMatchObject([{ code: "intent-expired" }])
    expect(queued(untouched)).toBe(queued(before))
    // Done at once, its file found again at the last moment: still remembered. A moment later it is refused by its age.
    const [done] = give(before, say("hello"), intent(3))
    const [other] = give(done, say("other"), intent(4, last), last)
    expect(Table.has(other.durable.intents, id(3))).toBe(true)
    const [swept] = give(other, say("more"), intent(5, last + 1), last + 1)
    expect(Table.has(swept.durable.intents, id(3))).toBe(false)
  })
  it("is bounded in number: beyond it nothing is done and nothing forgotten", () => {
    let intents = Table.empty<State.DoneIntent>()
    for (let number = 0; number < Limits.intentsRememberedMax; number++) {
      intents = Table.set(intents, id(number), { id: id(number), atMs: noonMs, code: null, reply: "" })
    }
    const full = State.withDurable(grown(), { intents })
    const [after, outputs] = give(full, say("hello"), intent(9_999))
    expect(replies(outputs)).toMatchObject([{ ok: false, rejection: { code: "intents-full" } }])
    expect(told(outputs)).toEqual([])
    expect(after).toBe(full)
  })
})
