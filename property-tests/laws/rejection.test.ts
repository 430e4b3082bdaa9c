/**
 * Laws of the one table of refusals: closed, in whole sentences, and kept to by whatever leaves a node.
 * It never judges a wording beyond what a person needs; that a code is right for its case is other laws' business.
 * What a peer may not be told is looked for in everything that is sent, because an oracle is made of small leaks.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Base64url from "../../core/bytes/Base64url.ts"
import { Codec, type Input, type Output, Rejection, State, Step } from "../../core/index.ts"
import * as StorageFailure from "../../core/node/StorageFailure.ts"
import { StoreError } from "../../ports/RecordStore.ts"
import { alice, beginning, bob, crypto, input, noonMs, received, turnAt } from "../arbitraries/state.ts"

const rows = Object.entries(Rejection.table) as ReadonlyArray<
  [Rejection.Code, (typeof Rejection.table)[Rejection.Code]]
>

describe("the table", () => {
  it("has codes of the wire's shape, and one whole sentence for each", () => {
    for (const [code, { sentence }] of rows) {
      expect(code).toMatch(/^[a-z][a-z0-9-]{0,39}$/)
      expect(sentence).toMatch(/^[A-Z].*\.$/)
      expect(sentence.split(" ").length, sentence).toBeGreaterThanOrEqual(4)
      expect(rows.filter(([, other]) => other.sentence === sentence)).toHaveLength(1)
    }
  })
  it("speaks to people: no secret, no code and no name of a type", () => {
    for (const [code, { sentence }] of rows) {
      expect(sentence.replace("MiB", "")).not.toMatch(/seed|scalar|private|undefined|null|[a-z][A-Z]|_|\[object/)
      if (code.includes("-")) expect(sentence).not.toContain(code)
      expect(Rejection.sentence(Rejection.make(code))).toBe(sentence)
      expect(Rejection.sentence(Rejection.make(code, "3 s"))).toBe(`${sentence} (3 s)`)
    }
  })
  it("what counts as a violation is final, and what may succeed later is said", () => {
    for (const [code, row] of rows) {
      if (row.violation) expect(row, code).toMatchObject({ transient: false, tellPeer: true })
      if (row.transient) expect(row.tellPeer, code).toBe(true)
    }
  })
  it("is closed: no other text is a code", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toString", "")), (text) => {
        expect(Rejection.isCode(text)).toBe(rows.some(([code]) => code === text))
      })
    )
  })
})

/** Every code that these outputs let a peer see: in a Reject, in a Close, or as the reason of a hang-up. */
const codesSaid = (outputs: ReadonlyArray<Output.Output>): ReadonlyArray<string> =>
  outputs.flatMap((output) => {
    if (output._tag === "HangUp") return output.code ?? []
    if (output._tag !== "Transmit") return []
    return output.messages.flatMap((one) => {
      if ("stored" in one) return []
      return one.message.kind === "Reject" || one.message.kind === "Close" ? one.message.code : []
    })
  })

const isSayable = (code: string): boolean => Rejection.isCode(code) && Rejection.isTold(code)
const story = fc.array(fc.tuple(input, fc.constantFrom(0, 0, 1, 40, 61_000)), { maxLength: 40 })

/** Plays a story on a fresh node and shows every turn. */
const play = (
  inputs: ReadonlyArray<readonly [Input.Input, number]>,
  each: (input: Input.Input, outputs: ReadonlyArray<Output.Output>) => void
): void => {
  let state = State.start(alice.self, State.emptyDurable)
  let nowMs = noonMs
  for (const [index, [one, pauseMs]] of [...beginning.map((first) => [first, 0] as const), ...inputs].entries()) {
    nowMs += pauseMs
    const [next, outputs] = Step.step(state, one, turnAt(nowMs, index))
    state = next
    each(one, outputs)
  }
}

describe("what a peer may not be told", () => {
  it("is in no Reject, no Close and no hang-up, whatever comes in", () => {
    const said = new Set<string>()
    fc.assert(
      fc.property(story, (inputs) => {
        play(inputs, (one, outputs) => {
          for (const code of codesSaid(outputs)) {
            said.add(code)
            expect(isSayable(code), `${code} after ${one._tag}`).toBe(true)
          }
        })
      }),
      { numRuns: 2_000 }
    )
    // The law is not about silence: refusals of several kinds were said.
    expect(said.size).toBeGreaterThan(4)
  })
  it("is not told by a node that cannot store, nor by one whose turn broke", () => {
    const error = new StoreError({ code: "disk-full", message: "no space left" })
    fc.assert(
      fc.property(input, (one) => {
        const outputs = [...StorageFailure.instead(one, error).outputs, ...StorageFailure.broken(one).outputs]
        for (const code of codesSaid(outputs)) expect(isSayable(code), `${code} for ${one._tag}`).toBe(true)
      }),
      { numRuns: 400 }
    )
  })
  it("a peer whose answer arrived damaged is told, and one whose answer is whole is not hung up on", () => {
    for (const whole of [true, false]) {
      let state = State.start(alice.self, State.emptyDurable)
      for (const [index, one] of beginning.entries()) state = Step.step(state, one, turnAt(noonMs, index))[0]
      const command = { _tag: "Inject", name: "bob", keyPrefix: "", text: "well?", waitMs: 1_000 } as const
      const [asked, replies] = Step.step(state, { _tag: "Operator", ref: "r", command }, turnAt(noonMs, 99))
      const id =
        replies.flatMap((output) => (output._tag === "Reply" && output.reply.ok ? output.reply.id : []))[0] ?? ""
      const empty = new Uint8Array(0)
      const sha256 = Base64url.encode(whole ? crypto.sha256(empty) : crypto.sha256(new Uint8Array(1)))
      const done = {
        kind: "Done",
        stream: "0".repeat(32),
        number: 1,
        id,
        outcome: "answered",
        length: 0,
        sha256
      } as const
      const [, outputs] = Step.step(asked, received(bob, "c0", Codec.encode(done)), turnAt(noonMs, 100))
      expect(codesSaid(outputs)).toEqual(whole ? [] : ["answer-damaged"])
      expect(codesSaid(outputs).every(isSayable)).toBe(true)
    }
  })
  it("a stored body never carries a code of the table that stays with us", () => {
    fc.assert(
      fc.property(story, (inputs) => {
        play(inputs, (_, outputs) => {
          for (const output of outputs) {
            if (output._tag !== "Transmit") continue
            for (const one of output.messages) {
              const decoded = "stored" in one ? Codec.decode(one.stored) : undefined
              const message = decoded?._tag === "Success" ? decoded.success : undefined
              if (message?.kind === "Done" && message.code !== undefined) expect(isSayable(message.code)).toBe(true)
            }
          }
        })
      }),
      { numRuns: 80 }
    )
  })
})
