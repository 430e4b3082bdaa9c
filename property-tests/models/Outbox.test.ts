/**
 * The outbox against lists: what waits for whom, under which number, and what became of everything that ever waited.
 * The lists are numbered by counting and know nothing of lanes, keys or sizes kept beside the entries.
 * Crashes are commands here, because an outbox is its records: what was loaded must be what was committed.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Outbox from "../../core/delivery/Outbox.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, Limits, State } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import { ids, noonMs } from "../arbitraries/state.ts"
import { commit, loadDisk } from "./Town.ts"

interface Waiting {
  number: number
  readonly id: string
  readonly text: string
  kind: "Log" | "Skip"
  readonly untilMs: number
}
interface Queue {
  stream: string | undefined
  next: number
  list: Array<Waiting>
}
interface Model {
  nowMs: number
  made: number
  readonly queues: Map<PeerId, Queue>
  /** id → what became of it, once. */
  readonly outcomes: Map<string, string>
}
interface Real {
  outbox: Outbox.Outbox
  readonly disk: Map<string, string>
}
type Command = fc.Command<Model, Real>

const peers = ["p".repeat(64), "q".repeat(64)].map((one) => one as PeerId)
const queueOf = (model: Model, peer: PeerId): Queue => model.queues.get(peer)!
const bytesOf = (text: string): number => Buffer.byteLength(text)

/** Notes an outcome; a second one for the same message is what must never happen. */
const ends = (model: Model, id: string, outcome: string): void => {
  expect(model.outcomes.has(id), `${id} had an outcome`).toBe(false)
  model.outcomes.set(id, outcome)
}

const compare = (model: Model, { outbox }: Real): void => {
  for (const peer of peers) {
    const { list, stream } = queueOf(model, peer)
    const waiting = Outbox.waitingFor(outbox, peer)
    expect(waiting.numbers).toEqual(list.map(({ number }) => number))
    const entries = waiting.numbers.map((number) => Outbox.entry(outbox, peer, number)!)
    expect(entries.map(({ id, kind }) => [id, kind])).toEqual(list.map(({ id, kind }) => [id, kind]))
    expect(waiting.size).toBe(entries.reduce((bytes, entry) => bytes + bytesOf(entry.body), 0))
    for (const [index, entry] of entries.entries()) {
      const { kind, number, text } = list[index]!
      const message = Result.getOrThrow(Codec.decode(Outbox.bodyBytes(entry)))
      expect(message).toEqual(kind === "Log" ? { kind, stream, number, text } : { kind, stream, number })
      expect([entry.stream, entry.number]).toEqual([stream, number])
    }
  }
}

const command = (name: string, run: (model: Model, real: Real) => void): Command => ({
  check: () => true,
  run: (model, real) => {
    run(model, real)
    commit(real.disk, Records.diff({ ...State.emptyDurable, outbox: real.outbox }))
    real.outbox = Records.settled({ ...State.emptyDurable, outbox: real.outbox }).outbox
    compare(model, real)
  },
  toString: () => name
})

const short = (peer: PeerId) => peer[0]
const open = (peer: PeerId, stream: string) =>
  command(`open ${stream[0]} to ${short(peer)}`, (model, real) => {
    real.outbox = Outbox.open(real.outbox, peer, stream)
    const queue = queueOf(model, peer)
    queue.stream = stream
    queue.list = queue.list.filter(({ kind }) => kind !== "Skip").map((one, index) => ({ ...one, number: index + 1 }))
    queue.next = queue.list.length + 1
  })

const enqueue = (peer: PeerId, text: string, lastsMs: number) =>
  command(`enqueue ${text.length} characters for ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    const id = `message ${++model.made}`
    const queued = Outbox.enqueue(real.outbox, peer, {
      id,
      textBytes: bytesOf(text),
      expiresAtMs: model.nowMs + lastsMs,
      make: (stream, number) => ({ kind: "Log", stream, number, text })
    })
    expect(Result.isSuccess(queued)).toBe(queue.stream !== undefined)
    if (Result.isFailure(queued)) {
      expect(queued.failure.code).toBe("unknown-peer")
      return
    }
    real.outbox = queued.success.outbox
    queue.list.push({ number: queue.next++, id, text, kind: "Log", untilMs: model.nowMs + lastsMs })
  })

const take = (peer: PeerId, place: number, rightStream: boolean) =>
  command(`take ${place} of ${short(peer)}${rightStream ? "" : " in another stream"}`, (model, real) => {
    const queue = queueOf(model, peer)
    const meant = queue.list[place]
    const number = meant?.number ?? 999
    const taken = Outbox.take(real.outbox, peer, rightStream ? (queue.stream ?? "") : "another", number)
    real.outbox = taken.outbox
    const expected = rightStream ? meant : undefined
    expect(taken.entry?.id).toBe(expected?.id)
    if (expected === undefined) return
    queue.list = queue.list.filter((one) => one !== expected)
    if (expected.kind === "Log") ends(model, expected.id, "refused")
  })

const settle = (peer: PeerId, mark: number, also: ReadonlyArray<number>, rightStream: boolean) =>
  command(`receipt ${mark} ${also} of ${short(peer)}${rightStream ? "" : " of another stream"}`, (model, real) => {
    const queue = queueOf(model, peer)
    const receipt = [peer, rightStream ? (queue.stream ?? "") : "another", mark, also] as const
    const settled = Outbox.settle(real.outbox, ...receipt)
    real.outbox = settled.outbox
    const confirmed = rightStream ? queue.list.filter(({ number }) => number <= mark || also.includes(number)) : []
    expect(settled.settled.map(({ id }) => id)).toEqual(confirmed.map(({ id }) => id))
    queue.list = queue.list.filter((one) => !confirmed.includes(one))
    for (const { id, kind } of confirmed) if (kind === "Log") ends(model, id, "delivered")
    // Cumulative and idempotent: the same receipt again settles nothing.
    expect(Outbox.settle(real.outbox, ...receipt).settled).toEqual([])
  })

const pass = (ms: number) =>
  command(`${ms} ms pass`, (model, real) => {
    model.nowMs += ms
    const { expired, outbox } = Outbox.expire(real.outbox, model.nowMs)
    real.outbox = outbox
    const late = [...model.queues.values()].flatMap(({ list }) =>
      list.filter(({ kind, untilMs }) => kind === "Log" && untilMs <= model.nowMs)
    )
    expect(expired.map(({ id }) => id).sort()).toEqual(late.map(({ id }) => id).sort())
    // The number is not given back: it becomes a Skip, so that the other side's mark can pass it.
    for (const one of late) {
      one.kind = "Skip"
      ends(model, one.id, "expired")
    }
  })

const clear = (peer: PeerId) =>
  command(`clear ${short(peer)}`, (model, real) => {
    const { dropped, outbox } = Outbox.clear(real.outbox, peer)
    real.outbox = outbox
    const queue = queueOf(model, peer)
    expect(dropped.map(({ id }) => id)).toEqual(queue.list.map(({ id }) => id))
    for (const { id, kind } of queue.list) if (kind === "Log") ends(model, id, "cancelled")
    queue.list = []
  })

const due = (peer: PeerId, underWayPlaces: ReadonlyArray<number>, used: number) =>
  command(`due for ${short(peer)} beside ${underWayPlaces} and ${used} bytes`, (model, real) => {
    const { list } = queueOf(model, peer)
    const underWay = new Set(underWayPlaces.flatMap((place) => list[place]?.number ?? []))
    const found = Outbox.due(real.outbox, peer, underWay, used)
    const free = list.filter(({ number }) => !underWay.has(number))
    // The next ones in order, none left out in between.
    expect(found.map(({ id }) => id)).toEqual(free.slice(0, found.length).map(({ id }) => id))
    expect(found.length + underWay.size).toBeLessThanOrEqual(Math.max(underWay.size, Limits.sendWindowEntries))
    const bytes = found.reduce((sum, entry) => sum + bytesOf(entry.body), used)
    if (found.length > 1 || used > 0) expect(found.length === 0 || bytes <= Limits.sendWindowBytes).toBe(true)
    // Nothing waits for nothing: with an empty window the first one goes, however large.
    if (underWay.size === 0 && used === 0) expect(found.length > 0).toBe(list.length > 0)
  })

const crash = command("crash and load", (_, real) => {
  real.outbox = loadDisk(real.disk).outbox
})

const peer = fc.constantFrom(...peers)
const place = fc.nat(6)
const text = fc.constantFrom("a", "hello", "漢".repeat(90), "😀 and \ud800", "x".repeat(20_000))
const lasts = fc.constantFrom(1, 1_000, 60_000)
const commands = fc.commands(
  [
    fc.tuple(peer, fc.constantFrom(...ids)).map((given) => open(...given)),
    fc.tuple(peer, text, lasts).map((given) => enqueue(...given)),
    fc.tuple(peer, text, lasts).map((given) => enqueue(...given)),
    fc.tuple(peer, text, lasts).map((given) => enqueue(...given)),
    fc.tuple(peer, place, fc.boolean()).map((given) => take(...given)),
    fc
      .tuple(peer, fc.nat(12), fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 3 }), fc.boolean())
      .map((given) => settle(...given)),
    fc.constantFrom(1, 999, 60_000).map(pass),
    peer.map(clear),
    fc
      .tuple(peer, fc.uniqueArray(place, { maxLength: 4 }), fc.constantFrom(0, 1, Limits.sendWindowBytes - 100))
      .map((given) => due(...given)),
    fc.constant(crash)
  ],
  { maxCommands: 60, size: "max" }
)

describe("the outbox against lists", () => {
  it("agrees after every command: in order, nothing lost, one outcome each", () => {
    fc.assert(
      fc.property(commands, (story) =>
        fc.modelRun(
          () => ({
            model: {
              nowMs: noonMs,
              made: 0,
              queues: new Map(peers.map((one) => [one, { stream: undefined, next: 1, list: [] } as Queue])),
              outcomes: new Map()
            },
            real: { outbox: Outbox.empty, disk: new Map() }
          }),
          story
        )
      ),
      { numRuns: 150 }
    )
  })
})
