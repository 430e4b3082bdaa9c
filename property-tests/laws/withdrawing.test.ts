/**
 * Laws of giving a message up, on both ends of a session: what is asked, what is answered, what is told.
 * It never lets the two ends meet: each is a whole state that is spoken to by hand, so that every answer can be given.
 * That both ends together never tell a lie is the models' business; here each answer has its one meaning.
 */
import { describe, expect, it } from "vitest"
import { Codec, type Input, Limits, type Message, type Output, State, Step } from "../../core/index.ts"
import { alice, beginning, bob, greeted, ids, noonMs, openedBy, received, turnAt } from "../arbitraries/state.ts"

/** alice with bob as friend, who may inject, is connected and has greeted. */
const conversation = () => {
  let state = State.start(alice.self, State.emptyDurable)
  let turns = 0
  const feed = (one: Input.Input, atMs = noonMs): ReadonlyArray<Output.Output> => {
    const [next, outputs] = Step.step(state, one, turnAt(atMs, ++turns))
    state = next
    return outputs
  }
  for (const one of beginning) feed(one)
  const operate = (command: Input.Command, atMs = noonMs) => feed({ _tag: "Operator", ref: "r", command }, atMs)
  const hear = (message: Message.Message, connection = "c0", atMs = noonMs) =>
    feed(received(bob, connection, Codec.encode(message)), atMs)
  return { feed, operate, hear }
}

const said = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) =>
    output._tag === "Transmit" ? output.messages.flatMap((one) => ("message" in one ? one.message : [])) : []
  )
const placesSent = (outputs: ReadonlyArray<Output.Output>) =>
  outputs.flatMap((output) =>
    output._tag === "Transmit"
      ? output.messages.flatMap((one) => ("stored" in one ? [{ stream: one.stream, number: one.number }] : []))
      : []
  )
const idOf = (outputs: ReadonlyArray<Output.Output>): string =>
  outputs.flatMap((output) => (output._tag === "Reply" && output.reply.ok ? output.reply.id : []))[0] ?? "refused"
const ends = (outputs: ReadonlyArray<Output.Output>, id: string) =>
  outputs.flatMap((output) => {
    if (output._tag !== "Tell") return []
    const { event } = output
    if (event._tag === "Delivered" && event.id === id) return "delivered"
    return event._tag === "Refused" && event.id === id ? event.rejection.code : []
  })

const say: Input.Command = { _tag: "Message", name: "bob", keyPrefix: "", text: "a slip" }
const ask: Input.Command = { _tag: "Inject", name: "bob", keyPrefix: "", text: "a slip?", waitMs: 5_000 }
const commands: ReadonlyArray<Input.Command> = [say, ask]

describe("who gives a message up", () => {
  const answers = (place: { readonly stream: string; readonly number: number }) =>
    ({
      "it is unseen": { kind: "Reject", code: "withdrawn", ...place },
      "it was refused": { kind: "Reject", code: "no-capability", ...place },
      "it took effect": { kind: "Receipt", stream: place.stream, mark: place.number, also: [] }
    }) as const satisfies Record<string, Message.Message>

  it.each(["it is unseen", "it was refused", "it took effect"] as const)("is told what happened: %s", (answer) => {
    for (const reason of ["cancelled", "expired"] as const) {
      for (const command of commands) {
        // An inject that expires has timed out for its caller already, and is told so at once.
        if (command === ask && reason === "expired") continue
        const { feed, hear, operate } = conversation()
        const written = operate(command)
        const [id, [place]] = [idOf(written), placesSent(written)]
        const lateMs = reason === "cancelled" ? noonMs : noonMs + Limits.outboxAgeMs
        const asked = reason === "cancelled" ? operate({ _tag: "Cancel", id }) : feed({ _tag: "Tick" }, lateMs)
        expect(ends(asked, id)).toEqual([])
        const questions = reason === "cancelled" ? asked : [...asked, ...feed({ _tag: "Tick" }, lateMs + 1)]
        const skip = { kind: "Skip", stream: place!.stream, from: place!.number, to: place!.number }
        expect(said(questions)).toContainEqual(skip)
        const told = hear(answers(place!)[answer], "c0", lateMs)
        expect(ends(told, id)).toEqual([answer === "it took effect" ? "delivered" : reason])
        // Told once, whatever the peer goes on to say.
        for (const again of Object.values(answers(place!))) expect(ends(hear(again, "c0", lateMs), id)).toEqual([])
      }
    }
  })
  it("is told at once where nothing was sent, and that nobody knows where no answer comes", () => {
    const { feed, operate } = conversation()
    const sent = idOf(operate(say))
    feed({ _tag: "Closed", connection: "c0", rejection: null })
    const kept = idOf(operate(say))
    expect(ends(operate({ _tag: "Cancel", id: kept }), kept)).toEqual(["cancelled"])
    expect(ends(operate({ _tag: "Cancel", id: sent }), sent)).toEqual([])
    expect(ends(feed({ _tag: "Tick" }, noonMs + Limits.outboxAgeMs - 1), sent)).toEqual([])
    expect(ends(feed({ _tag: "Tick" }, noonMs + Limits.outboxAgeMs), sent)).toEqual(["unresolved"])
  })
  it("has an inject that had arrived stopped where it runs, and nothing else", () => {
    for (const command of commands) {
      const { hear, operate } = conversation()
      const written = operate(command)
      const [id, [place]] = [idOf(written), placesSent(written)]
      operate({ _tag: "Cancel", id })
      const outputs = hear({ kind: "Receipt", stream: place!.stream, mark: place!.number, also: [] })
      const kinds = outputs.flatMap((output) =>
        output._tag === "Transmit" ? output.messages.flatMap((one) => ("stored" in one ? [one] : [])) : []
      )
      expect(kinds.map(({ kind }) => kind)).toEqual(command === ask ? ["Cancel"] : [])
      const body = kinds[0] && Codec.decode(kinds[0].stored)
      if (command === ask) expect(body).toMatchObject({ success: { kind: "Cancel", id } })
    }
  })
  it("asks on every session until it is answered, and never sends the text again", () => {
    const { feed, operate } = conversation()
    const written = operate(say)
    const [place] = placesSent(written)
    operate({ _tag: "Cancel", id: idOf(written) })
    for (const connection of ["c1", "c2"]) {
      feed(openedBy(bob, connection, false))
      const outputs = feed(greeted(bob, connection))
      expect(placesSent(outputs)).not.toContainEqual(place)
      expect(said(outputs).filter((one) => one.kind === "Skip")).toHaveLength(1)
    }
  })
})

describe("who is asked what became of a message", () => {
  const log: Message.Message = { kind: "Log", stream: ids[0]!, number: 1, text: "text" }
  const inject: Message.Message = { ...log, kind: "Inject", id: ids[1]!, timeLimitMs: 1_000 }
  const skip: Message.Message = { kind: "Skip", stream: ids[0]!, from: 1, to: 1 }
  const deeds = (outputs: ReadonlyArray<Output.Output>) =>
    outputs.filter((output) => output._tag === "Show" || output._tag === "Run" || output._tag === "HangUp")

  it.each([log, inject])("and had not seen it says so, and never lets it take effect: $kind", (late) => {
    const { feed, hear } = conversation()
    const withdrawn = { kind: "Reject", code: "withdrawn", stream: ids[0]!, number: 1 }
    expect(said(hear(skip))).toEqual([withdrawn])
    // The text comes after all, over an older link; and the question once more.
    feed(openedBy(bob, "c1", false))
    const outputs = hear(late, "c1")
    expect([said(outputs), deeds(outputs)]).toEqual([[withdrawn], []])
    expect(said(hear(skip))).toEqual([withdrawn])
    // The number is dealt with: what follows does not wait for it.
    expect(said(hear({ ...log, number: 2 }, "c1"))).toEqual([{ kind: "Receipt", stream: ids[0]!, mark: 2, also: [] }])
  })
  it.each([log, inject])("and had taken it says that, and does nothing twice: $kind", (early) => {
    const { hear } = conversation()
    expect(deeds(hear(early)).length).toBeGreaterThan(0)
    const outputs = hear(skip)
    expect([said(outputs), deeds(outputs)]).toEqual([[{ kind: "Receipt", stream: ids[0]!, mark: 1, also: [] }], []])
  })
  it("and had refused it says why", () => {
    const { hear, operate } = conversation()
    operate({ _tag: "Revoke", name: "bob", keyPrefix: "", capability: "message" })
    hear(log)
    expect(said(hear(skip))).toEqual([{ kind: "Reject", code: "no-capability", stream: ids[0]!, number: 1 }])
  })
  it("says that its disk is older once in a while only, however often the sender claims it", () => {
    const { hear } = conversation()
    const claim = (number: number, atMs: number) => {
      const outputs = hear({ kind: "Skip", stream: ids[0]!, from: number, to: number, settled: true }, "c0", atMs)
      return outputs.filter((output) => output._tag === "Tell" && output.event._tag === "DiskOlder").length
    }
    const count = (atMs: number, from: number) =>
      Array.from({ length: 50 }, (_, index) => claim(from + index, atMs)).reduce((sum, one) => sum + one, 0)
    expect(count(noonMs, 1)).toBe(1)
    expect(count(noonMs + Limits.olderAgainMs - 1, 51)).toBe(0)
    expect(count(noonMs + Limits.olderAgainMs, 101)).toBe(1)
  })
})
