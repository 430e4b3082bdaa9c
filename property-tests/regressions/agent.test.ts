/**
 * A friend's question and what it may cost, between two nodes: answered by an agent, refused without a model, bounded.
 * The container and the model are scripts; that a question is paid for whatever ends it is what is looked at.
 * Limits are tiny here, so that a day's allowance is spent in a few turns.
 */

import type { Layer } from "effect"
import { Effect } from "effect"
import { afterEach, describe, expect, it } from "vitest"
import * as MemoryModel from "../../adapters/memory/Model.ts"
import * as MemorySandbox from "../../adapters/memory/Sandbox.ts"
import type { Allowances } from "../../core/agent/Allowance.ts"
import * as BridgeLine from "../../core/agent/BridgeLine.ts"
import { Model, type Request } from "../../ports/Model.ts"
import type { Sandbox } from "../../ports/Sandbox.ts"
import { type Actor, befriend, makeWorld, says, type World } from "../world/World.ts"

const worlds: Array<World> = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end()
})

const line = (value: unknown): string => JSON.stringify(value)

/** An agent's program that asks the model once, passing on what it was told, and answers what the model says. */
const honest: MemorySandbox.Talker = (_, { print, read }) =>
  Effect.gen(function* () {
    const turn = JSON.parse((yield* read) ?? "") as Extract<BridgeLine.ToProgram, { kind: "turn" }>
    yield* print(line({ kind: "ready", version: BridgeLine.version }))
    const earlier = turn.before.map(({ by, text }) =>
      by === "friend" ? { role: "user", text } : { role: "assistant", text, calls: [] }
    )
    yield* print(line({ kind: "ask", said: [...earlier, { role: "user", text: turn.text }], tools: [] }))
    for (let said = yield* read; said !== undefined; said = yield* read) {
      const heard = JSON.parse(said) as BridgeLine.ToProgram
      if (heard.kind === "over") break
      if (heard.kind === "text") yield* print(line({ kind: "text", text: heard.text }))
    }
    yield* print(line({ kind: "end" }))
  })

const sandboxOf = (talker: MemorySandbox.Talker): Layer.Layer<Sandbox> =>
  MemorySandbox.layer(() => new Uint8Array(0), { talker })
const answers = (count: number, tokens = 10) =>
  new MemoryModel.Script(
    Array.from({ length: count }, (_, index) => ({
      pieces: [
        { kind: "text" as const, text: `answer ${index}` },
        { kind: "spent" as const, tokens }
      ],
      end: "done" as const
    }))
  )
const allowances: Allowances = {
  turn: { calls: 2, tokens: 1_000, ms: 10_000 },
  day: { calls: 4, tokens: 2_000, ms: 3_600_000 }
}

/** Alice may ask bob, whose agent this is. */
const meet = async (script: MemoryModel.Script | undefined, talker = honest, remains?: Actor["remains"]) => {
  const world = makeWorld()
  worlds.push(world)
  const alice = await world.start("alice")
  const bob = await world.start("bob", {
    sandbox: sandboxOf(talker),
    model: script === undefined ? Model.refuse("no model is named here") : MemoryModel.layer(script),
    agent: { instructions: "be bob", allowances },
    ...(remains === undefined ? {} : { remains })
  })
  await befriend(alice, bob)
  await bob.command(says.grant("alice", "inject"))
  /** What becomes of a question: its answer, or the code of its refusal. */
  const ask = async (text: string): Promise<string> => {
    const reply = await alice.command(says.inject("bob", text))
    if (!reply.ok) return reply.rejection.code
    const mine = ({ id }: { readonly id: string }) => id === reply.id
    return Promise.race([
      alice.wait("Answered", mine).then((event) => event.text),
      alice.wait("Refused", mine).then((event) => event.rejection.code)
    ])
  }
  return { world, alice, bob, ask }
}
const textsOf = (request: Request | undefined): ReadonlyArray<string> => request?.said.map(({ text }) => text) ?? []

describe("a friend's question to an agent", () => {
  it("is answered by the model, which hears the owner first, and this conversation's past", async () => {
    const script = answers(2)
    const { ask } = await meet(script)
    expect(await ask("first?")).toBe("answer 0")
    expect(await ask("second?")).toBe("answer 1")
    expect(textsOf(script.requests[0])).toEqual(["be bob", "first?"])
    expect(textsOf(script.requests[1]).at(0)).toBe("be bob")
    expect(textsOf(script.requests[1]).slice(0, 3)).toEqual(["be bob", "first?", "answer 0"])
    expect(script.requests[1]!.said[2]!.role).toBe("assistant")
    expect(textsOf(script.requests[1]).filter((text) => text === "second?")).toHaveLength(1)
  })
  it("is refused, with a reason at the owner's, where no model is configured", async () => {
    const { ask, bob } = await meet(undefined)
    expect(await ask("anybody?")).toBe("no-model")
    const { sandbox } = await bob.describe()
    expect(sandbox).toEqual({ ready: false, code: "no-model", reason: "no model is named here" })
  })
  it("is refused once the day's allowance is spent, and what a turn did not spend is not counted", async () => {
    const script = answers(10)
    const { ask } = await meet(script)
    // Each turn may call twice and calls once: four turns fit four calls a day.
    for (let index = 0; index < 4; index++) expect(await ask(`question ${index}`)).toBe(`answer ${index}`)
    expect(await ask("one more?")).toBe("budget-spent")
    expect(script.requests).toHaveLength(4)
  })
  it("whose model cost more than it was allowed leaves the less for the next", async () => {
    const { ask } = await meet(answers(3, 5_000))
    expect(await ask("how much?")).toBe("answer 0")
    expect(await ask("and now?")).toBe("budget-spent")
  })
  it("that is cancelled is stopped where it runs, and what it did not spend is given back", async () => {
    const waiting: MemorySandbox.Talker = (_, { print, read }) =>
      Effect.gen(function* () {
        yield* read
        yield* print(line({ kind: "ready", version: BridgeLine.version }))
        yield* Effect.never
      })
    const { alice, bob } = await meet(answers(1), waiting)
    // Each takes two of four calls; without being given back the third would be refused.
    for (let index = 0; index < 5; index++) {
      const reply = await alice.command(says.inject("bob", `never mind ${index}`))
      if (!reply.ok) return expect.fail(reply.rejection.code)
      const mine = ({ id }: { readonly id: string }) => id === reply.id
      await bob.wait("JobStarted", mine)
      await alice.command({ _tag: "Cancel", id: reply.id })
      expect((await bob.wait("JobEnded", mine)).code).toBe("cancelled")
    }
  })
  it("that a crash cut off is paid for in full", async () => {
    const waiting: MemorySandbox.Talker = (_, { read }) => Effect.andThen(read, Effect.never)
    const { alice, bob, world } = await meet(answers(1), waiting)
    for (let index = 0; index < 2; index++) {
      const reply = await alice.command(says.inject("bob", `question ${index}`))
      if (!reply.ok) return expect.fail(reply.rejection.code)
      await bob.wait("JobStarted", ({ id }) => id === reply.id)
    }
    await bob.crash()
    const again = await world.start("bob", {
      sandbox: sandboxOf(honest),
      model: MemoryModel.layer(answers(1)),
      agent: { instructions: "be bob", allowances },
      remains: bob.remains
    })
    await again.wait("Connected")
    const reply = await alice.command(says.inject("bob", "and now?"))
    if (!reply.ok) return expect.fail(reply.rejection.code)
    expect((await alice.wait("Refused", ({ id }) => id === reply.id)).rejection.code).toBe("budget-spent")
  })
})
