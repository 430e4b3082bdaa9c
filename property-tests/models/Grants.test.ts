/**
 * Grants against sets of words on a sheet of paper, one per peer and conversation.
 * The sheet never derives anything: `inject` implies `message` when it is read, not when it is written.
 * Ends in time come with records only, as no command sets one yet; they are written here as a store would bring them.
 */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type * as Capability from "../../core/admission/Capability.ts"
import * as Grants from "../../core/admission/Grants.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import * as Table from "../../core/Table.ts"
import { noonMs } from "../arbitraries/state.ts"

interface Sheet {
  readonly words: Set<Capability.Capability>
  untilMs: number
}
interface Model {
  nowMs: number
  readonly sheets: Map<string, Sheet>
}
interface Real {
  grants: Grants.Grants
}
type Command = fc.Command<Model, Real>

const peers = ["peer one", "peer two"].map((one) => one as PeerId)
const conversations = [Grants.own, "f".repeat(32)]
const everywhere = peers.flatMap((peer) => conversations.map((conversation) => ({ peer, conversation })))

const compare = ({ nowMs, sheets }: Model, { grants }: Real): void => {
  for (const { conversation, peer } of everywhere) {
    const sheet = sheets.get(`${peer} ${conversation}`)
    const live = sheet !== undefined && nowMs < sheet.untilMs ? sheet.words : new Set()
    expect([...Grants.held(grants, peer, conversation, nowMs)].sort()).toEqual([...live].sort())
    expect(Grants.covers(grants, peer, conversation, "inject", nowMs)).toBe(live.has("inject"))
    expect(Grants.covers(grants, peer, conversation, "message", nowMs)).toBe(live.size > 0)
  }
}

const command = (name: string, run: (model: Model, real: Real) => void): Command => ({
  check: () => true,
  run: (model, real) => {
    run(model, real)
    compare(model, real)
  },
  toString: () => name
})

type Place = (typeof everywhere)[number]
const sheetOf = (model: Model, { conversation, peer }: Place): Sheet | undefined =>
  model.sheets.get(`${peer} ${conversation}`)

const allow = (place: Place, capability: Capability.Capability) =>
  command(`allow ${capability} ${place.peer} ${place.conversation}`, (model, real) => {
    real.grants = Grants.allow(real.grants, place.peer, place.conversation, capability, model.nowMs)
    const before = sheetOf(model, place)
    const words = new Set(before !== undefined && model.nowMs < before.untilMs ? before.words : [])
    // What the operator allows now has no end, and nothing whose end has come is allowed with it.
    model.sheets.set(`${place.peer} ${place.conversation}`, { words: words.add(capability), untilMs: Infinity })
  })

const withdraw = (place: Place, capability: Capability.Capability) =>
  command(`withdraw ${capability} ${place.peer} ${place.conversation}`, (model, real) => {
    real.grants = Grants.withdraw(real.grants, place.peer, place.conversation, capability)
    const words = sheetOf(model, place)?.words
    if (words === undefined) return
    // To withdraw `inject` is not to withdraw `message`, which whoever holds `inject` has.
    const talks = words.size > 0
    words.clear()
    if (capability === "inject" && talks) words.add("message")
  })

const withdrawAll = (peer: PeerId) =>
  command(`withdraw all of ${peer}`, (model, real) => {
    real.grants = Grants.withdrawAll(real.grants, peer)
    for (const conversation of conversations) model.sheets.delete(`${peer} ${conversation}`)
  })

const load = (place: Place, capabilities: ReadonlyArray<Capability.Capability>, inMs: number) =>
  command(`load ${capabilities} ${place.peer} ${place.conversation} for ${inMs} ms`, (model, real) => {
    const { conversation, peer: peerId } = place
    const expiresAtMs = model.nowMs + inMs
    real.grants = Table.set(real.grants, Grants.keyOf(peerId, conversation), {
      peerId,
      conversation,
      capabilities,
      expiresAtMs
    })
    model.sheets.set(`${peerId} ${conversation}`, { words: new Set(capabilities), untilMs: expiresAtMs })
  })

const pass = (ms: number) =>
  command(`${ms} ms pass`, (model) => {
    model.nowMs += ms
  })

const place = fc.constantFrom(...everywhere)
const capability = fc.constantFrom<Capability.Capability>("message", "inject")
const commands = fc.commands(
  [
    fc.tuple(place, capability).map((given) => allow(...given)),
    fc.tuple(place, capability).map((given) => withdraw(...given)),
    fc.constantFrom(...peers).map(withdrawAll),
    fc
      .tuple(place, fc.subarray<Capability.Capability>(["message", "inject"]), fc.constantFrom(1, 1_000))
      .map((given) => load(...given)),
    fc.constantFrom(1, 999, 1_000).map(pass)
  ],
  { maxCommands: 40, size: "max" }
)

describe("grants against sheets of paper", () => {
  it("agree after every command: only allowing adds, withdrawing and time take away at once", () => {
    fc.assert(
      fc.property(commands, (story) =>
        fc.modelRun(
          () => ({ model: { nowMs: noonMs, sheets: new Map() }, real: { grants: Table.empty<Grants.Grant>() } }),
          story
        )
      ),
      { numRuns: 300 }
    )
  })
})
