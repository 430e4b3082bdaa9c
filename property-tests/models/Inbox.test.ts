/**
 * The inbox against a list of everything that ever took effect; and an outbox and an inbox with a bad line between.
 * The list forgets nothing but what the protocol lets it forget, and computes a mark by counting from one.
 * The bad line loses, doubles, delays and reorders, both ends crash: each text takes effect once or has another end.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Inbox from "../../core/delivery/Inbox.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, type Message, State } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import { crypto, ids, noonMs } from "../arbitraries/state.ts"
import { commit, loadDisk } from "./Disk.ts"

const peer = "p".repeat(64) as PeerId
const reach = 1_024

/** One side's durable half and its disk. */
class Side {
  durable = State.emptyDurable
  readonly disk = new Map<string, string>()

  commit(change: Partial<State.Durable>): void {
    const next = { ...this.durable, ...change }
    commit(this.disk, Records.diff(next))
    this.durable = Records.settled(next)
  }
  crash(): void {
    this.durable = loadDisk(this.disk)
  }
}

interface Model {
  nowMs: number
  /** The streams that are remembered, oldest first: number → outcome. */
  streams: Array<{ readonly name: string; readonly seen: Map<number, { hash: string; code: string | undefined }> }>
}
type Command = fc.Command<Model, Side>

const seenIn = (model: Model, name: string) => model.streams.find((stream) => stream.name === name)?.seen ?? new Map()
const markOf = (seen: ReadonlyMap<number, unknown>): number => {
  let mark = 0
  while (seen.has(mark + 1)) mark++
  return mark
}

const compare = (model: Model, { durable }: Side): void => {
  for (const name of ids) {
    const seen = seenIn(model, name)
    const mark = markOf(seen)
    const above = [...seen.keys()].filter((number) => number > mark).sort((a, b) => a - b)
    const whole = { kind: "Receipt", stream: name, mark, also: above }
    expect(Inbox.receipt(durable.inbox, peer, name, Number.MAX_SAFE_INTEGER)).toEqual(whole)
    // Asked for one number, it says nothing beyond that number.
    for (const upTo of [1, mark, mark + 1, 8]) {
      const bounded = { ...whole, mark: Math.min(mark, upTo), also: above.filter((number) => number <= upTo) }
      expect(Inbox.receipt(durable.inbox, peer, name, upTo)).toEqual(bounded)
    }
  }
  const { outcomes, streams } = durable.inbox
  expect([...streams.entries]).toHaveLength(model.streams.length)
  expect([...outcomes.entries].length).toBeLessThanOrEqual(2 * 2 * reach)
}

const command = (name: string, run: (model: Model, real: Side) => void): Command => ({
  check: () => true,
  run: (model, real) => {
    run(model, real)
    compare(model, real)
  },
  toString: () => name
})

const expected = (model: Model, stream: string, number: number, hash: string): string => {
  const seen = seenIn(model, stream)
  const mark = markOf(seen)
  if (number > mark + reach) return "too-far-ahead"
  const outcome = seen.get(number)
  if (outcome === undefined) return "new"
  // Below its memory of outcomes an inbox knows that a number is done, not with which body.
  if (number <= mark - reach) return "known undefined"
  return outcome.hash === hash ? `known ${outcome.code}` : "sequence-conflict"
}

const sight = (side: Side, stream: string, number: number, hash: string): string => {
  const sighting = Inbox.look(side.durable.inbox, peer, stream, number, hash)
  if (Result.isFailure(sighting)) return sighting.failure.code
  return sighting.success.kind === "new" ? "new" : `known ${sighting.success.code}`
}

const arrive = (stream: string, number: number, hash: string, code: "no-capability" | undefined) =>
  command(`${stream[0]}/${number} ${hash} ${code ?? ""}`, (model, real) => {
    const seen = sight(real, stream, number, hash)
    expect(seen).toBe(expected(model, stream, number, hash))
    if (seen !== "new") return
    const outcome = code === undefined ? { hash } : { hash, code }
    real.commit({ inbox: Inbox.record(real.durable.inbox, peer, stream, number, outcome, model.nowMs) })
    if (!model.streams.some(({ name }) => name === stream)) {
      // Only the newest two are remembered, and the newest is the one that began last, whatever the clock says.
      model.streams = [...model.streams, { name: stream, seen: new Map() }].slice(-2)
    }
    seenIn(model, stream).set(number, { hash, code })
  })

/** Many numbers in a row, to get past what an inbox remembers. */
const stretch = (stream: string, from: number, count: number) =>
  command(`${stream[0]}/${from} and ${count} more`, (model, real) => {
    for (let number = from; number <= from + count; number++) arrive(stream, number, "h", undefined).run(model, real)
  })

const pass = (ms: number) =>
  command(`${ms} ms pass`, (model) => {
    model.nowMs += ms
  })
const crash = command("crash and load", (_, real) => real.crash())

const stream = fc.constantFrom(...ids)
const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 10 }) },
  { weight: 1, arbitrary: fc.integer({ min: reach - 2, max: reach + 12 }) }
)
const code = fc.constantFrom(undefined, undefined, "no-capability" as const)
const inboxCommands = fc.commands(
  [
    fc.tuple(stream, number, fc.constantFrom("h", "h", "other"), code).map((given) => arrive(...given)),
    fc.tuple(fc.constant(ids[0]!), number, fc.constantFrom("h", "other"), code).map((given) => arrive(...given)),
    fc.constantFrom(1, 60_000, -3_600_000).map(pass),
    fc.constant(crash)
  ],
  { maxCommands: 50, size: "max" }
)

describe("the inbox against a list", () => {
  it("agrees after every arrival: new once, known ever after, another body is a conflict, the far is put off", () => {
    fc.assert(
      fc.property(inboxCommands, (story) =>
        fc.modelRun(() => ({ model: { nowMs: noonMs, streams: [] }, real: new Side() }), story)
      ),
      { numRuns: 150 }
    )
  })
  it("also beyond what it remembers: an old number never takes effect again", () => {
    const model: Model = { nowMs: noonMs, streams: [] }
    const side = new Side()
    stretch(ids[0]!, 1, reach + 40).run(model, side)
    for (const old of [1, 5, 40, 41, 42, reach]) arrive(ids[0]!, old, "other", undefined).run(model, side)
    side.crash()
    for (const old of [1, 42]) arrive(ids[0]!, old, "h", undefined).run(model, side)
  })
})

/** What is on the way: bodies to the receiver, receipts and refusals back. */
interface Wire {
  readonly bodies: Array<Uint8Array>
  readonly answers: Array<
    | { readonly kind: "Receipt"; readonly stream: string; readonly mark: number; readonly also: ReadonlyArray<number> }
    | { readonly kind: "Reject"; readonly stream: string; readonly number: number }
  >
}

/** A sender and a receiver with nothing but their rooms, and what really happened, noted beside them. */
class Pair {
  nowMs = noonMs
  made = 0
  readonly sender = new Side()
  readonly receiver = new Side()
  readonly wire: Wire = { bodies: [], answers: [] }
  /** Effects in order; committed together with the inbox, so a crash keeps or loses both. */
  applied: ReadonlyArray<string> = []
  readonly outcomes = new Map<string, string>()
  /** Those that the sender gave up after they were sent. */
  readonly withdrawn = new Set<string>()

  constructor() {
    this.sender.commit({ outbox: Outbox.open(this.sender.durable.outbox, peer, ids[0]!).outbox })
  }

  private ended(entries: ReadonlyArray<Outbox.Entry>, outcome: string): void {
    for (const { id } of entries) {
      expect(this.outcomes.has(id), `${id} has an outcome already`).toBe(false)
      this.outcomes.set(id, outcome)
    }
  }

  write(refused: boolean, lastsMs: number): void {
    const id = `${refused ? "unwanted" : "wanted"} ${++this.made}`
    const queued = Outbox.enqueue(this.sender.durable.outbox, peer, {
      id,
      textBytes: id.length,
      expiresAtMs: this.nowMs + lastsMs,
      make: (place) => ({ kind: "Log", ...place, text: id })
    })
    this.sender.commit({ outbox: Result.getOrThrow(queued).outbox })
  }

  /** Everything due goes out, again if need be: the sender does not know what arrived. */
  send(): void {
    const { entries, outbox } = Outbox.due(this.sender.durable.outbox, peer, new Set(), 0, this.nowMs)
    this.sender.commit({ outbox })
    this.wire.bodies.push(
      ...entries.map((entry) => {
        const { number, stream } = entry.place
        return entry.withdrawn === undefined
          ? Outbox.bodyBytes(entry)
          : Codec.encode({ kind: "Skip", stream, from: number, to: number })
      })
    )
  }

  cancel(index: number): void {
    const entries = Outbox.entriesFor(this.sender.durable.outbox, peer).filter((one) => one.withdrawn === undefined)
    const entry = entries[index % Math.max(1, entries.length)]
    if (entry === undefined) return
    const { gone, outbox } = Outbox.withdraw(this.sender.durable.outbox, entry, "cancelled", this.nowMs)
    this.sender.commit({ outbox })
    if (gone.length === 0) this.withdrawn.add(entry.id)
    this.ended(gone, "cancelled")
  }

  /** One body arrives. `dies`: the receiver's process ends before it could commit. */
  arrive(body: Uint8Array, dies: boolean): void {
    const message = Result.getOrThrow(Codec.decode(body))
    if (message?.kind === "Skip") {
      this.answerSkip(message, dies)
      return
    }
    if (message?.kind !== "Log") throw new Error("the outbox holds something else")
    const { number, stream } = message
    const hash = Buffer.from(crypto.sha256(body)).toString("hex")
    const { inbox } = this.receiver.durable
    // Honest sides never come into conflict, in whatever order their words arrive.
    const sighting = Result.getOrThrow(Inbox.look(inbox, peer, stream, number, hash))
    if (sighting.kind === "new") {
      const unwanted = message.text.startsWith("unwanted")
      const outcome = unwanted ? { hash, code: "no-capability" } : { hash }
      const next = Inbox.record(inbox, peer, stream, number, outcome, this.nowMs)
      if (dies) {
        this.receiver.crash()
        return
      }
      this.receiver.commit({ inbox: next })
      if (!unwanted) this.applied = [...this.applied, message.text]
    }
    this.answerFor(stream, number)
  }

  /** What became of a number that the sender has given up; unseen, it never will take effect. */
  private answerSkip({ from, stream }: Message.Skip, dies: boolean): void {
    const { inbox } = this.receiver.durable
    if (Inbox.whatBecameOf(inbox, peer, stream, from).kind === "new") {
      const next = Inbox.record(inbox, peer, stream, from, { hash: "", code: "withdrawn" }, this.nowMs)
      if (dies) {
        this.receiver.crash()
        return
      }
      this.receiver.commit({ inbox: next })
    }
    this.answerFor(stream, from)
  }

  private answerFor(stream: string, number: number): void {
    const { inbox } = this.receiver.durable
    const became = Inbox.whatBecameOf(inbox, peer, stream, number)
    const refused = became.kind === "known" && became.code !== undefined
    this.wire.answers.push(refused ? { kind: "Reject", stream, number } : Inbox.receipt(inbox, peer, stream, number))
  }

  answer(answer: Wire["answers"][number], dies: boolean): void {
    const { outbox } = this.sender.durable
    if (dies) {
      this.sender.crash()
      return
    }
    if (answer.kind === "Reject") {
      const taken = Outbox.take(outbox, peer, answer.stream, answer.number)
      this.sender.commit({ outbox: taken.outbox })
      this.ended(taken.gone, taken.gone[0]?.withdrawn ?? "refused")
      return
    }
    const settled = Outbox.settle(outbox, peer, answer.stream, answer.mark, answer.also)
    this.sender.commit({ outbox: settled.outbox })
    this.ended(settled.gone, "delivered")
  }

  pass(ms: number): void {
    this.nowMs += ms
    const { asked, gone, outbox } = Outbox.expire(this.sender.durable.outbox, this.nowMs)
    this.sender.commit({ outbox })
    for (const { id } of asked) this.withdrawn.add(id)
    this.ended(gone, "expired")
  }

  /** What must be true at every moment. `strictly`: the line keeps the order, so that no answer overtakes another. */
  check(strictly: boolean): void {
    expect(new Set(this.applied).size, "each takes effect at most once").toBe(this.applied.length)
    for (const [id, outcome] of this.outcomes) {
      // Out of order, a receipt can come before an earlier refusal that was lost, and is then taken for its answer.
      const exact = strictly || (id.startsWith("wanted") && !this.withdrawn.has(id))
      if (outcome !== "delivered") expect(this.applied, `${id} ${outcome}`).not.toContain(id)
      else if (exact) expect(this.applied, `${id} ${outcome}`).toContain(id)
    }
  }

  /** The line works from now on. */
  heal(): void {
    const waiting = () => Outbox.entriesFor(this.sender.durable.outbox, peer)
    for (let round = 0; round < 50 && waiting().length > 0; round++) {
      this.send()
      for (const body of this.wire.bodies.splice(0)) this.arrive(body, false)
      for (const answer of this.wire.answers.splice(0)) this.answer(answer, false)
    }
    expect(waiting()).toEqual([])
    expect(this.outcomes.size).toBe(this.made)
  }
}

type Step = fc.Command<Record<string, never>, Pair>
const step = (name: string, run: (pair: Pair) => void): Step => ({
  check: () => true,
  run: (_, pair) => {
    run(pair)
    pair.check(false)
  },
  toString: () => name
})
/** One of the things on the way, by a number that need not fit. */
const pick = <A>(things: Array<A>, index: number, keep: boolean): A | undefined => {
  if (things.length === 0) return undefined
  const place = index % things.length
  return keep ? things[place] : things.splice(place, 1)[0]
}

const index = fc.nat(40)
const write = fc
  .tuple(fc.boolean(), fc.constantFrom(5, 100_000))
  .map(([refused, lastsMs]) => step(`write ${refused} ${lastsMs}`, (pair) => pair.write(refused, lastsMs)))
const send = fc.constant(step("send", (pair) => pair.send()))
const arrival = fc.tuple(index, fc.boolean(), fc.boolean())
const body = arrival.map(([which, keep, dies]) =>
  step(`body ${which} keep ${keep} dies ${dies}`, (pair) => {
    const found = pick(pair.wire.bodies, which, keep)
    if (found !== undefined) pair.arrive(found, dies)
  })
)
const answer = arrival.map(([which, keep, dies]) =>
  step(`answer ${which} keep ${keep} dies ${dies}`, (pair) => {
    const found = pick(pair.wire.answers, which, keep)
    if (found !== undefined) pair.answer(found, dies)
  })
)
const loss = fc.tuple(index, fc.boolean()).map(([which, back]) =>
  step(`lose ${which} ${back}`, (pair) => {
    pick<unknown>(back ? pair.wire.answers : pair.wire.bodies, which, false)
  })
)
const cancel = index.map((which) => step(`cancel ${which}`, (pair) => pair.cancel(which)))
const time = fc.constantFrom(1, 5, 100).map((ms) => step(`${ms} ms`, (pair) => pair.pass(ms)))
const crashes = fc
  .boolean()
  .map((sender) =>
    step(`${sender ? "sender" : "receiver"} crashes`, (pair) => (sender ? pair.sender : pair.receiver).crash())
  )

describe("an outbox and an inbox with a bad line between", () => {
  it("each text takes effect exactly once or has another end, whatever is lost, doubled, late or reordered", () => {
    const ended = new Map<string, number>()
    fc.assert(
      fc.property(
        fc.commands([write, write, send, body, body, body, answer, answer, loss, time, cancel, crashes], {
          maxCommands: 60,
          size: "max"
        }),
        (story) => {
          const pair = new Pair()
          fc.modelRun(() => ({ model: {}, real: pair }), story)
          pair.heal()
          pair.check(false)
          for (const outcome of pair.outcomes.values()) ended.set(outcome, (ended.get(outcome) ?? 0) + 1)
        }
      ),
      { numRuns: 250 }
    )
    expect([...ended.keys()].sort()).toEqual(["cancelled", "delivered", "expired", "refused"])
  })
  it("a refusal whose answer was lost is told as a refusal, not as a delivery", () => {
    const pair = new Pair()
    for (const refused of [false, true]) pair.write(refused, 100_000)
    pair.send()
    for (const body of pair.wire.bodies.splice(0)) pair.arrive(body, false)
    pair.wire.answers.splice(0)
    pair.heal()
    expect([...pair.outcomes.values()]).toEqual(["delivered", "refused"])
  })
  it("over a line that keeps order but breaks, texts take effect in order and each outcome told is what happened", () => {
    const cut = fc.constant(
      step("cut", (pair) => {
        pair.wire.bodies.splice(0)
        pair.wire.answers.splice(0)
      })
    )
    // A process that dies takes its links with it.
    const first = fc.boolean().map((dies) =>
      step(`next body ${dies}`, (pair) => {
        const found = pair.wire.bodies.shift()
        if (found !== undefined) pair.arrive(found, dies)
        if (dies) pair.wire.bodies.splice(0)
        if (dies) pair.wire.answers.splice(0)
      })
    )
    const back = fc.constant(
      step("next answer", (pair) => {
        const found = pair.wire.answers.shift()
        if (found !== undefined) pair.answer(found, false)
      })
    )
    const told = { delivered: 0, givenUp: 0 }
    fc.assert(
      fc.property(
        fc.commands([write, write, send, first, first, first, back, cut, time, cancel, crashes], {
          maxCommands: 60,
          size: "max"
        }),
        (story) => {
          const pair = new Pair()
          fc.modelRun(() => ({ model: {}, real: pair }), story)
          pair.heal()
          const order = pair.applied.map((text) => Number(text.split(" ")[1]))
          expect(order).toEqual([...order].sort((a, b) => a - b))
          pair.check(true)
          for (const id of pair.withdrawn) told[pair.outcomes.get(id) === "delivered" ? "delivered" : "givenUp"]++
        }
      ),
      { numRuns: 250 }
    )
    // Of those that were asked after, some had arrived and some had not.
    expect(Math.min(told.delivered, told.givenUp)).toBeGreaterThan(5)
  })
})
