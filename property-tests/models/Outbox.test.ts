/**
 * The outbox against lists: what waits for whom, under which number, and what became of everything that ever waited.
 * The lists are numbered by counting at the first sending and know nothing of lanes, keys or sizes kept beside the entries.
 * Crashes are commands here, because an outbox is its records: what was loaded must be what was committed.
 */
import { Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Outbox from "../../core/delivery/Outbox.ts"
import * as Standing from "../../core/delivery/Standing.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, Limits, State } from "../../core/index.ts"
import * as Records from "../../core/node/Records.ts"
import * as Table from "../../core/Table.ts"
import { ids, noonMs } from "../arbitraries/state.ts"
import { commit, loadDisk } from "./Disk.ts"

interface Waiting {
  readonly id: string
  readonly text: string
  place: { readonly stream: string; readonly number: number } | undefined
  withdrawn: "expired" | "cancelled" | undefined
  untilMs: number
  size: number
}
interface Queue {
  /** The streams that were opened, newest last. */
  readonly streams: Array<string>
  next: number
  list: Array<Waiting>
}
interface Model {
  nowMs: number
  made: number
  readonly queues: Map<PeerId, Queue>
  /** id → how it stands or what became of it, in order: the path through the table. */
  readonly paths: Map<string, ReadonlyArray<Standing.Standing | Standing.Outcome>>
  /** Steps of the table that were taken by any entry. */
  readonly stepsTaken: Set<string>
}
interface Real {
  outbox: Outbox.Outbox
  readonly disk: Map<string, string>
}
type Command = fc.Command<Model, Real>

const peers = ["p".repeat(64), "q".repeat(64)].map((one) => one as PeerId)
const queueOf = (model: Model, peer: PeerId): Queue => model.queues.get(peer)!
const bytesOf = (text: string): number => Buffer.byteLength(text)
const dayMs = 86_400_000

const standings: ReadonlyArray<string> = Object.keys(Standing.transitions)

/** An entry goes on: the table must have this step, and an outcome is the last one. */
const goes = (model: Model, id: string, to: Standing.Standing | Standing.Outcome): void => {
  const path = model.paths.get(id) ?? []
  const from = path.at(-1)
  if (from !== undefined) {
    expect(standings, `${id} has an outcome: ${path}`).toContain(from)
    expect(Standing.transitions[from as Standing.Standing], `${id}: ${path} and then ${to}`).toContain(to)
    model.stepsTaken.add(`${from} ${to}`)
  }
  model.paths.set(id, [...path, to])
}

/** What waited is gone with an outcome. */
const ends = (model: Model, queue: Queue, gone: ReadonlyArray<Waiting>, outcome: Standing.Outcome): void => {
  queue.list = queue.list.filter((one) => !gone.includes(one))
  for (const { id } of gone) goes(model, id, outcome)
}

const compare = (model: Model, { outbox }: Real): void => {
  for (const peer of peers) {
    const { list } = queueOf(model, peer)
    const waiting = Outbox.waitingFor(outbox, peer)
    const entries = Outbox.entriesFor(outbox, peer)
    expect(waiting.entries.map(({ order }) => order)).toEqual(
      waiting.entries.map(({ order }) => order).sort((a, b) => a - b)
    )
    expect(waiting.entries).toEqual(Table.values(outbox.entries).filter(({ peerId }) => peerId === peer))
    expect(entries.map(({ id, place }) => [id, place])).toEqual(list.map(({ id, place }) => [id, place]))
    expect(waiting.size).toBe(entries.reduce((bytes, entry) => bytes + bytesOf(entry.body), 0))
    for (const [index, entry] of entries.entries()) {
      const { id, place, text, withdrawn } = list[index]!
      expect(Standing.of(entry)).toBe(model.paths.get(id)?.at(-1))
      expect(entry.withdrawn).toBe(withdrawn)
      // What was given up keeps its place and not its text.
      if (withdrawn !== undefined) {
        expect(entry.body).toBe("")
        continue
      }
      const message = Result.getOrThrow(Codec.decode(Outbox.bodyBytes(entry)))
      expect(message).toEqual({ kind: "Log", ...(place ?? Outbox.unplaced), text })
    }
  }
  expect(outbox.size).toBe(peers.reduce((bytes, peer) => bytes + Outbox.waitingFor(outbox, peer).size, 0))
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

const idsOf = (all: ReadonlyArray<{ readonly id: string }>) => all.map(({ id }) => id)
const short = (peer: PeerId) => peer[0]

const open = (peer: PeerId) =>
  command(`open a stream to ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    const stream = queue.streams.length.toString(16).padStart(32, short(peer) === "p" ? "a" : "b")
    const { gone, outbox } = Outbox.open(real.outbox, peer, stream)
    real.outbox = outbox
    const [newest] = queue.streams.slice(-1)
    // The peer remembers two streams: of what was sent before these nobody can say what became.
    const older = queue.list.filter(({ place }) => place !== undefined && place.stream !== newest)
    expect(idsOf(gone)).toEqual(idsOf(older))
    ends(model, queue, older, "unresolved")
    queue.streams.push(stream)
    queue.next = 1
  })

const enqueue = (peer: PeerId, text: string, lastsMs: number) =>
  command(`enqueue ${text.length} characters for ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    const id = `message ${++model.made}`
    const queued = Outbox.enqueue(real.outbox, peer, {
      id,
      textBytes: bytesOf(text),
      expiresAtMs: model.nowMs + lastsMs,
      make: (place) => ({ kind: "Log", ...place, text })
    })
    expect(Result.isSuccess(queued)).toBe(queue.streams.length > 0)
    if (Result.isFailure(queued)) {
      expect(queued.failure.code).toBe("unknown-peer")
      return
    }
    real.outbox = queued.success.outbox
    const size = bytesOf(queued.success.entry.body)
    queue.list.push({ id, text, place: undefined, withdrawn: undefined, untilMs: model.nowMs + lastsMs, size })
    goes(model, id, "waiting")
  })

const due = (peer: PeerId, underWayPlaces: ReadonlyArray<number>, used: number) =>
  command(`send to ${short(peer)} beside ${underWayPlaces} and ${used} bytes`, (model, real) => {
    const queue = queueOf(model, peer)
    const orders = Outbox.waitingFor(real.outbox, peer).entries.map(({ order }) => order)
    const underWay = new Set(underWayPlaces.flatMap((place) => orders[place] ?? []))
    const { entries, outbox } = Outbox.due(real.outbox, peer, underWay, used, model.nowMs)
    real.outbox = outbox
    const free = queue.list.filter((_, index) => !underWay.has(orders[index]!))
    // The next ones in order, none left out in between.
    const sent = free.slice(0, entries.length)
    expect(idsOf(entries)).toEqual(idsOf(sent))
    expect(entries.length + underWay.size).toBeLessThanOrEqual(Math.max(underWay.size, Limits.sendWindowEntries))
    // A number is given now, by counting, to what has none.
    for (const one of sent) {
      if (one.place !== undefined) continue
      one.place = { stream: queue.streams.at(-1)!, number: queue.next++ }
      goes(model, one.id, "sent")
    }
    const bytes = entries.reduce((sum, entry) => sum + Outbox.sendSize(entry), used)
    if (entries.length > 1 || used > 0) expect(entries.length === 0 || bytes <= Limits.sendWindowBytes).toBe(true)
    // Nothing waits for nothing: with an empty window the first one goes, however large.
    if (underWay.size === 0 && used === 0) expect(entries.length > 0).toBe(queue.list.length > 0)
  })

/** The place of one of those that were sent, or one that nobody has. */
const placeOf = (queue: Queue, index: number) =>
  queue.list.filter(({ place }) => place !== undefined)[index]?.place ?? { stream: ids[0]!, number: 999 }

const take = (peer: PeerId, index: number, rightStream: boolean) =>
  command(`take sent ${index} of ${short(peer)}${rightStream ? "" : " in another stream"}`, (model, real) => {
    const queue = queueOf(model, peer)
    const { number, stream } = placeOf(queue, index)
    const { gone, outbox } = Outbox.take(real.outbox, peer, rightStream ? stream : "another", number)
    real.outbox = outbox
    const meant = queue.list.filter(({ place }) => place?.stream === stream && place.number === number && rightStream)
    expect(idsOf(gone)).toEqual(idsOf(meant))
    ends(model, queue, meant, meant[0]?.withdrawn ?? "refused")
  })

/** The peer says of one that was given up that it never took effect. */
const answerAsked = (peer: PeerId, index: number) =>
  command(`the answer for asked ${index} of ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    const asked = queue.list.filter(({ withdrawn }) => withdrawn !== undefined)
    const meant = asked[index % Math.max(1, asked.length)]
    if (meant?.place === undefined || meant.withdrawn === undefined) return
    const { gone, outbox } = Outbox.take(real.outbox, peer, meant.place.stream, meant.place.number)
    real.outbox = outbox
    expect(idsOf(gone)).toEqual([meant.id])
    ends(model, queue, [meant], meant.withdrawn)
  })

const settle = (peer: PeerId, age: number, mark: number, also: ReadonlyArray<number>) =>
  command(`receipt ${mark} ${also} of ${short(peer)}, stream -${age}`, (model, real) => {
    const queue = queueOf(model, peer)
    const stream = queue.streams.at(-1 - age) ?? "another"
    const { gone, outbox } = Outbox.settle(real.outbox, peer, stream, mark, also)
    real.outbox = outbox
    const confirmed = queue.list.filter(
      ({ place }) => place?.stream === stream && (place.number <= mark || also.includes(place.number))
    )
    expect(idsOf(gone)).toEqual(idsOf(confirmed))
    ends(model, queue, confirmed, "delivered")
    // Cumulative and idempotent: the same receipt again settles nothing.
    expect(Outbox.settle(real.outbox, peer, stream, mark, also).gone).toEqual([])
  })

const withdraw = (peer: PeerId, index: number) =>
  command(`cancel ${index} of ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    const meant = queue.list[index]
    const entry = Outbox.entriesFor(real.outbox, peer)[index]
    expect(entry?.id).toBe(meant?.id)
    if (meant === undefined || entry === undefined || meant.withdrawn !== undefined) return
    const { gone, outbox } = Outbox.withdraw(real.outbox, entry, "cancelled", model.nowMs)
    real.outbox = outbox
    expect(idsOf(gone)).toEqual(meant.place === undefined ? [meant.id] : [])
    if (meant.place === undefined) ends(model, queue, [meant], "cancelled")
    else giveUp(model, meant, "cancelled")
  })

/** What was sent is asked after, for as long as a message waits. */
const giveUp = (model: Model, one: Waiting, reason: "expired" | "cancelled"): void => {
  one.withdrawn = reason
  one.untilMs = model.nowMs + 7 * dayMs
  goes(model, one.id, "givenUp")
}

const displace = (peer: PeerId, index: number) =>
  command(`displace ${index} of ${short(peer)}`, (model, real) => {
    const meant = queueOf(model, peer).list[index]
    const entry = Outbox.entriesFor(real.outbox, peer)[index]
    if (meant?.place === undefined || meant.withdrawn !== undefined || entry === undefined) return
    real.outbox = Outbox.displace(real.outbox, entry)
    meant.place = undefined
    goes(model, meant.id, "waiting")
  })

const pass = (ms: number) =>
  command(`${ms} ms pass`, (model, real) => {
    model.nowMs += ms
    const { asked, gone, outbox } = Outbox.expire(real.outbox, model.nowMs)
    real.outbox = outbox
    const late = [...model.queues.values()].flatMap((queue) =>
      queue.list.filter(({ untilMs }) => untilMs <= model.nowMs).map((one) => [queue, one] as const)
    )
    const over = late.filter(([, one]) => one.place === undefined || one.withdrawn !== undefined)
    const left = late.filter((one) => !over.includes(one))
    expect(idsOf(gone).sort()).toEqual(idsOf(over.map(([, one]) => one)).sort())
    expect(idsOf(asked).sort()).toEqual(idsOf(left.map(([, one]) => one)).sort())
    for (const [queue, one] of over) ends(model, queue, [one], one.withdrawn === undefined ? "expired" : "unresolved")
    for (const [, one] of left) giveUp(model, one, "expired")
  })

const clear = (peer: PeerId) =>
  command(`clear ${short(peer)}`, (model, real) => {
    const { gone, outbox } = Outbox.clear(real.outbox, peer)
    real.outbox = outbox
    const queue = queueOf(model, peer)
    expect(idsOf(gone)).toEqual(idsOf(queue.list))
    ends(model, queue, queue.list, "refused")
  })

const forget = (peer: PeerId) =>
  command(`forget ${short(peer)}`, (model, real) => {
    const queue = queueOf(model, peer)
    real.outbox = Outbox.forget(real.outbox, peer)
    ends(model, queue, queue.list, "refused")
    queue.streams.splice(0)
  })

/** A whole life as one command, because random ones seldom get so far: written, sent, cancelled, and answered or not. */
const regret = (peer: PeerId, answered: boolean): Command => ({
  check: () => true,
  run: (model, real) => {
    enqueue(peer, "a regret", 60_000).run(model, real)
    due(peer, [], 0).run(model, real)
    withdraw(peer, queueOf(model, peer).list.length - 1).run(model, real)
    const asked = queueOf(model, peer).list.filter(({ withdrawn }) => withdrawn !== undefined)
    if (answered) answerAsked(peer, asked.length - 1).run(model, real)
  },
  toString: () => `${short(peer)} regrets${answered ? " and is answered" : ""}`
})

const crash = command("crash and load", (_, real) => {
  real.outbox = loadDisk(real.disk).outbox
})

const peer = fc.constantFrom(...peers)
const place = fc.nat(6)
const text = fc.constantFrom("a", "hello", "漢".repeat(90), "😀 and \ud800", "x".repeat(20_000))
const lasts = fc.constantFrom(1, 1_000, 60_000)
const writing = fc.tuple(peer, text, lasts).map((given) => enqueue(...given))
const sending = fc
  .tuple(peer, fc.uniqueArray(place, { maxLength: 3 }), fc.constantFrom(0, 0, 1, Limits.sendWindowBytes - 100))
  .map((given) => due(...given))
const commands = fc.commands(
  [
    peer.map(open),
    writing,
    writing,
    writing,
    sending,
    sending,
    fc.tuple(peer, place, fc.boolean()).map((given) => take(...given)),
    fc
      .tuple(peer, fc.nat(2), fc.nat(5), fc.array(fc.integer({ min: 1, max: 14 }), { maxLength: 3 }))
      .map((given) => settle(...given)),
    fc.tuple(peer, place).map((given) => withdraw(...given)),
    fc.tuple(peer, place).map((given) => answerAsked(...given)),
    fc.tuple(peer, fc.boolean()).map((given) => regret(...given)),
    fc.tuple(peer, place).map((given) => displace(...given)),
    fc.constantFrom(1, 999, 60_000, 7 * dayMs).map(pass),
    peer.map(clear),
    peer.map(forget),
    fc.constant(crash)
  ],
  { maxCommands: 60, size: "max" }
)

const begin = (stepsTaken: Set<string>): { model: Model; real: Real } => {
  const queues = new Map(peers.map((one) => [one, { streams: [], next: 1, list: [] } as Queue]))
  const real: Real = { outbox: Outbox.empty, disk: new Map() }
  const model: Model = { nowMs: noonMs, made: 0, queues, paths: new Map(), stepsTaken }
  for (const one of peers) open(one).run(model, real)
  return { model, real }
}

describe("the outbox against lists", () => {
  it("agrees after every command: in order, nothing lost, by the table, one outcome each", () => {
    const stepsTaken = new Set<string>()
    fc.assert(
      fc.property(commands, (story) => {
        const { model, real } = begin(stepsTaken)
        fc.modelRun(() => ({ model, real }), story)
        // Whatever time it takes, everything comes to its one end.
        for (let weeks = 0; weeks < 2; weeks++) pass(7 * dayMs).run(model, real)
        expect(model.paths.size).toBeLessThanOrEqual(model.made)
        for (const [id, path] of model.paths) {
          expect(
            path.filter((one) => !standings.includes(one)),
            id
          ).toHaveLength(1)
        }
      }),
      { numRuns: 300 }
    )
    // The table has no row that never happens.
    const rows = Object.entries(Standing.transitions).flatMap(([from, to]) => to.map((one) => `${from} ${one}`))
    expect(rows.filter((row) => !stepsTaken.has(row))).toEqual([])
  })
})
