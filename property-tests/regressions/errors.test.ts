/**
 * Errors of an inject as its caller meets them: a code, told once, never a text; and the time it asked to wait.
 * It never waits itself: time is an argument, and what the far end says is said by hand.
 * The caller here is one pure node, so that the moment before its deadline can be looked at as well as the moment itself.
 */
import { describe, expect, it } from "vitest"
import { Codec, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import { alice, beginning, bob, noonMs, received, turnAt } from "../arbitraries/state.ts"

/** Alice, who asks bob over the link that is there. */
const caller = () => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const feed = (input: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, input, turnAt(atMs, ++turns))
    state = next
    return outputs
  }
  for (const one of beginning) feed(one)
  const ask = (waitMs: number) =>
    feed({ _tag: "Operator", ref: "r", command: { _tag: "Inject", name: "bob", keyPrefix: "", text: "?", waitMs } })
  const hear = (message: Message.Message) => feed(received(bob, "c0", Codec.encode(message)))
  return { ask, hear, tick: (atMs: number) => feed({ _tag: "Tick" }, atMs) }
}

/** The inject that went out. */
const injectIn = (outputs: ReadonlyArray<Output.Output>): Message.Inject => {
  const stored = outputs.flatMap((output) =>
    output._tag === "Transmit" ? output.messages.flatMap((one) => ("stored" in one ? [one.stored] : [])) : []
  )
  const [message] = stored
    .map((body) => Codec.decode(body))
    .flatMap((one) => (one._tag === "Success" ? one.success : []))
  if (message?.kind !== "Inject") throw new Error("no inject went out")
  return message
}

/** What the operator is told of it: the kind of event, and the code if there is one. */
const told = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs
    .flatMap((output) => (output._tag === "Tell" ? [output.event] : []))
    .filter(({ _tag }) => _tag === "Refused" || _tag === "Answered")
    .map((event) => ("rejection" in event ? event.rejection.code : event._tag))

describe("28 · errors are errors", () => {
  it.each([
    ["a refusal by the gate", "no-capability"],
    ["a refusal of the run", "too-many-jobs"],
    ["a code that only a later version knows", "from-tomorrow"]
  ])("%s is no answer: a code is told, once, and nothing is shown", (_, code) => {
    const { ask, hear, tick } = caller()
    const { number, stream } = injectIn(ask(5_000))
    const outputs = hear({ kind: "Reject", code, stream, number })
    expect(told(outputs)).toEqual([code === "from-tomorrow" ? "unsupported-kind" : code])
    const later = tick(noonMs + 5_000)
    expect(told(later)).toEqual([])
    expect([...outputs, ...later].filter(({ _tag }) => _tag === "Show")).toEqual([])
  })

  it.each(["failed", "refused"] as const)("an end that says %s is no answer either", (outcome) => {
    const { ask, hear } = caller()
    const { id, number, stream } = injectIn(ask(5_000))
    hear({ kind: "Receipt", stream, mark: number, also: [] })
    const end = { stream: "9".repeat(32), number: 1, id, outcome, code: "sandbox-exit", length: 0 }
    const outputs = hear({ kind: "Done", ...end, sha256: "A".repeat(43) })
    expect(told(outputs)).toEqual(["sandbox-exit"])
    expect(outputs.filter(({ _tag }) => _tag === "Show")).toEqual([])
  })

  it.each([1, 1_000, 59_999, Limits.injectWaitMs])(
    "a caller who asks for %d ms waits so long and no longer",
    (waitMs) => {
      const { ask, tick } = caller()
      expect(injectIn(ask(waitMs)).timeLimitMs).toBe(waitMs)
      expect(told(tick(noonMs + waitMs - 1))).toEqual([])
      expect(told(tick(noonMs + waitMs))).toEqual(["timed-out"])
      expect(told(tick(noonMs + Limits.injectWaitMs))).toEqual([])
    }
  )

  it("nobody waits longer than five minutes", () => {
    const { ask, tick } = caller()
    expect(injectIn(ask(3_600_000)).timeLimitMs).toBe(Limits.injectWaitMs)
    expect(told(tick(noonMs + Limits.injectWaitMs))).toEqual(["timed-out"])
  })
})
