/**
 * The edges of what waits, what arrived and what was remembered: exact bounds, whose it is, and what a record must hold.
 * The laws of delivery and the models are about histories; here each line is about one value.
 * Small faults put into the room by a machine chose these cases: each of them lived before.
 */
import { HashMap, Result, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Base64url from "../../core/bytes/Base64url.ts"
import * as Calls from "../../core/delivery/Calls.ts"
import * as Forgotten from "../../core/delivery/Forgotten.ts"
import * as Inbox from "../../core/delivery/Inbox.ts"
import * as Jobs from "../../core/delivery/Jobs.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import * as Refusals from "../../core/delivery/Refusals.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Limits } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { ids, noonMs } from "../arbitraries/state.ts"

const peer = "p".repeat(64) as PeerId
const other = "q".repeat(64) as PeerId
const [one, two, three] = [ids[0]!, ids[1]!, ids[2]!]

/** A record is read with all its fields, and without any of them it is none. */
const holds = (shape: Schema.Codec<unknown, unknown>, record: Record<string, unknown>, optional = ""): void => {
  const read = Schema.decodeUnknownResult(shape)
  expect(read(record)).toEqual(Result.succeed(record))
  for (const field of Object.keys(record)) {
    const { [field]: _, ...rest } = record
    expect(Result.isSuccess(read(rest)), field).toBe(optional.split(" ").includes(field))
  }
}

describe("records of the room", () => {
  it("are read whole or not at all", () => {
    holds(Inbox.Stream as never, { peerId: peer, stream: one, mark: 1, sparse: [3], sinceMs: 0 })
    holds(Inbox.Outcome as never, { hash: "h", code: "revoked" }, "code")
    holds(
      Outbox.Lane as never,
      { peerId: peer, stream: one, next: 1, previous: two, unanswered: 4, order: 1 },
      "previous unanswered"
    )
    holds(Refusals.Refusal as never, { id: one, peerId: peer, kind: "Log", code: "expired", atMs: 1 })
    const entry = {
      peerId: peer,
      order: 1,
      id: one,
      kind: "Log",
      body: "{}",
      bodyBytes: 2,
      textBytes: 1,
      expiresAtMs: 1
    }
    holds(
      Outbox.Entry as never,
      { ...entry, place: { stream: one, number: 1 }, withdrawn: "expired" },
      "place withdrawn"
    )
    const kinds = ["Log", "Inject", "Cancel", "Done", "Held", "GrantChanged", "Unfriend"]
    for (const kind of kinds) expect(Schema.is(Outbox.Entry)({ ...entry, kind })).toBe(true)
    for (const place of [{}, { stream: one }, { number: 1 }])
      expect(Schema.is(Outbox.Entry)({ ...entry, place })).toBe(false)
    holds(Jobs.Job as never, { peerId: peer, id: one, state: "held", startedAtMs: 1 })
    for (const withdrawn of ["expired", "cancelled"])
      expect(Schema.is(Outbox.Entry)({ ...entry, withdrawn })).toBe(true)
    const held = { peerId: peer, id: one, state: "held", startedAtMs: 1 }
    expect(Schema.is(Jobs.Job)({ ...held, question: { text: "t", stream: one, number: 1, expiresAtMs: 1 } })).toBe(true)
    expect(Schema.is(Jobs.Job)({ ...held, question: {} })).toBe(false)
    for (const state of ["held", "running", "finished", "settled"])
      expect(Schema.is(Jobs.Job)({ peerId: peer, id: one, state, startedAtMs: 1 })).toBe(true)
  })
})

describe("the inbox", () => {
  const record = (inbox: Inbox.Inbox, who: PeerId, stream: string, number: number, hash = "h", nowMs = noonMs) =>
    Inbox.record(inbox, who, stream, number, { hash }, nowMs)
  const both = record(record(record(Inbox.empty, peer, one, 1), peer, one, 4), other, one, 2)
  it("knows each peer's streams apart, and how far it reaches in each", () => {
    expect(Inbox.marks(both, peer)).toEqual([{ stream: one, mark: 1, top: 4 }])
    expect(Inbox.marks(both, other)).toEqual([{ stream: one, mark: 0, top: 2 }])
    expect(Inbox.marks(record(Inbox.empty, peer, one, 1), peer)).toStrictEqual([{ stream: one, mark: 1 }])
    expect([Inbox.knows(both, peer, one), Inbox.knows(both, peer, two), Inbox.knows(Inbox.empty, peer, one)]).toEqual([
      true,
      false,
      false
    ])
  })
  it("forgets one peer whole, and no other", () => {
    const left = Inbox.forget(both, peer)
    expect(Inbox.marks(left, peer)).toEqual([])
    expect(Inbox.marks(left, other)).toEqual([{ stream: one, mark: 0, top: 2 }])
    expect(Table.size(left.outcomes)).toBe(1)
    expect(Table.size(Inbox.forget(left, other).outcomes)).toBe(0)
  })
  it("keeps two streams of each peer, the newest, with the outcomes of these alone", () => {
    let inbox = record(both, other, one, 1)
    for (const [index, stream] of [one, two, three].entries())
      inbox = record(inbox, peer, stream, 2, "h", noonMs + index)
    expect(
      Inbox.marks(inbox, peer)
        .map(({ stream }) => stream)
        .sort()
    ).toEqual([two, three].sort())
    expect(Inbox.marks(inbox, other)).toHaveLength(1)
    expect(Table.size(inbox.outcomes)).toBe(2 + 2)
    // Another peer's newer streams take no place.
    let crowded = record(record(Inbox.empty, other, ids[3]!, 1, "h", noonMs + 9), other, ids[4]!, 1, "h", noonMs + 10)
    for (const [index, stream] of [one, two, three].entries())
      crowded = record(crowded, peer, stream, 1, "h", noonMs + index)
    expect([Inbox.marks(crowded, peer).length, Inbox.marks(crowded, other).length]).toEqual([2, 2])
    // Another peer's newest stream says nothing about when one of this peer's began.
    const later = record(Inbox.empty, other, one, 1, "h", noonMs + 1_000)
    const mine = record(later, peer, one, 1, "h", noonMs)
    expect(
      Table.values(mine.streams)
        .map(({ sinceMs }) => sinceMs)
        .sort()
    ).toEqual([noonMs, noonMs + 1_000])
  })
  it("takes any body for a number that was given up unseen", () => {
    const skipped = record(Inbox.empty, peer, one, 1, "")
    expect(Inbox.look(skipped, peer, one, 1, "anything")).toEqual(Result.succeed({ kind: "known", code: undefined }))
    const seen = record(Inbox.empty, peer, one, 1, "h")
    expect(Result.isFailure(Inbox.look(seen, peer, one, 1, "anything"))).toBe(true)
  })
  it("says of a number beyond its reach that it may come again, and nothing more", () => {
    const far = Inbox.look(Inbox.empty, peer, one, Limits.inboxAheadMax + 1, "h")
    expect(Result.isFailure(far) && [far.failure.code, far.failure.detail, far.failure.retryAfterMs]).toEqual([
      "too-far-ahead",
      "",
      Limits.retryPauseMs
    ])
  })
  it("drops what a jump of the mark leaves just too far below, and not what lies above", () => {
    const far = 5 + Limits.inboxOutcomesMax
    const sparse = record(record(Inbox.empty, peer, one, 5), peer, one, 6)
    const jumped = Inbox.closeForgotten(sparse, peer, one, 1, far, noonMs)!
    expect(Table.pairs(jumped.outcomes).map(([key]) => Number(key.split("/")[2]))).toEqual([6])
  })
})

describe("what a peer has forgotten", () => {
  const draft = (text: string): Outbox.Draft => ({
    id: text,
    textBytes: 1,
    expiresAtMs: noonMs + 1,
    make: (place) => ({ kind: "Log", ...place, text })
  })
  const queue = (outbox: Outbox.Outbox, ...texts: ReadonlyArray<string>) =>
    texts.reduce((left, text) => Result.getOrThrow(Outbox.enqueue(left, peer, draft(text))).outbox, outbox)
  const send = (outbox: Outbox.Outbox) => Outbox.due(outbox, peer, new Set(), 0, noonMs).outbox
  const nothing = () => ({ mark: 0, top: 0 })
  it("is nothing where there is no stream, where nothing was settled, and of what was never sent", () => {
    expect(Forgotten.by(Outbox.empty, peer, nothing)).toEqual([])
    const opened = Outbox.open(Outbox.empty, peer, one).outbox
    expect(Forgotten.by(opened, peer, nothing)).toEqual([])
    expect(Forgotten.by(queue(opened, "a"), peer, nothing)).toEqual([])
  })
  it("is all below what waits, in either stream, and says of the present one alone whether it was answered for", () => {
    const first = send(queue(Outbox.open(Outbox.empty, peer, one).outbox, "a", "b", "c"))
    const settled = Outbox.settle(first, peer, one, 2, []).outbox
    const moved = send(queue(Outbox.open(settled, peer, two).outbox, "d", "e"))
    const now = Outbox.take(moved, peer, two, 1).outbox
    expect(Forgotten.by(now, peer, nothing)).toEqual([
      { stream: one, from: 1, to: 2 },
      { stream: two, from: 1, to: 1, settled: true }
    ])
    expect(
      Forgotten.by(now, peer, (stream) => ({ mark: stream === one ? 2 : 0, top: stream === one ? 2 : 1 }))
    ).toEqual([{ stream: two, from: 1, to: 1, settled: false }])
  })
  it("is not what was given up unanswered; and a stream before that is empty says nothing", () => {
    const first = send(queue(Outbox.open(Outbox.empty, peer, one).outbox, "a"))
    const cleared = Outbox.clear(first, peer).outbox
    expect(Table.get(cleared.lanes, peer)?.unanswered).toBe(1)
    expect(Forgotten.by(cleared, peer, nothing)).toEqual([{ stream: one, from: 1, to: 1, settled: false }])
    const reopened = Outbox.open(Outbox.settle(first, peer, one, 1, []).outbox, peer, two).outbox
    expect(Table.get(reopened.lanes, peer)).toMatchObject({ stream: two, previous: one, next: 1 })
    expect(Forgotten.by(reopened, peer, nothing)).toEqual([])
    const further = Outbox.settle(send(queue(reopened, "b", "c")), peer, two, 2, []).outbox
    expect(Forgotten.by(further, peer, nothing)).toEqual([{ stream: two, from: 1, to: 2, settled: true }])
  })

  describe("the outbox", () => {
    it("leaves nothing behind for a peer for whom nothing waits, and changes nothing where nothing changes", () => {
      const opened = Outbox.open(Outbox.empty, peer, one).outbox
      const sent = send(queue(opened, "a"))
      expect(HashMap.has(sent.waiting, peer)).toBe(true)
      expect(HashMap.has(Outbox.settle(sent, peer, one, 1, []).outbox.waiting, peer)).toBe(false)
      expect(Outbox.takeOut(sent, peer, [])).toBe(sent)
      expect(Outbox.expire(sent, noonMs).outbox).toBe(sent)
    })
    it("remembers as unanswered the highest of what it gave up in the present stream, and nothing else", () => {
      const opened = Outbox.open(Outbox.empty, peer, one).outbox
      expect(Table.get(Outbox.clear(queue(opened, "a"), peer).outbox.lanes, peer)?.unanswered).toBeUndefined()
      const sent = send(queue(opened, "a", "b", "c"))
      expect(Table.get(Outbox.clear(sent, peer).outbox.lanes, peer)?.unanswered).toBe(3)
      const moved = Outbox.open(sent, peer, two).outbox
      expect(Table.get(Outbox.clear(moved, peer).outbox.lanes, peer)?.unanswered).toBeUndefined()
      const again = Outbox.open(moved, peer, three)
      expect([again.gone.length, Outbox.entriesFor(again.outbox, peer).length]).toEqual([3, 0])
    })
    it("takes to the byte what fits for one peer and for all, and says how long what does not fit is", () => {
      const opened = Outbox.open(Outbox.empty, peer, one).outbox
      const bytes = Outbox.entriesFor(queue(opened, "a"), peer)[0]!.bodyBytes
      const taken = (outbox: Outbox.Outbox) => Result.isSuccess(Outbox.enqueue(outbox, peer, draft("a")))
      expect(taken({ ...opened, size: Limits.outboxTotalBytesMax - bytes })).toBe(true)
      expect(taken({ ...opened, size: Limits.outboxTotalBytesMax - bytes + 1 })).toBe(false)
      const waiting = (size: number) => ({
        ...opened,
        waiting: HashMap.set(opened.waiting, peer, { entries: [], size })
      })
      expect(taken(waiting(Limits.outboxBytesMax - bytes))).toBe(true)
      expect(taken(waiting(Limits.outboxBytesMax - bytes + 1))).toBe(false)
      const inject: Outbox.Draft = {
        ...draft("a"),
        make: (place) => ({ kind: "Inject", ...place, id: one, text: "a", timeLimitMs: 1 })
      }
      expect(Result.isFailure(Outbox.enqueue(waiting(Limits.outboxBytesMax), peer, inject))).toBe(true)
      const long = Outbox.enqueue(opened, peer, draft("x".repeat(Limits.bodyBytesMax)))
      expect(Result.isFailure(long) && long.failure.detail).toBe(`${Limits.bodyBytesMax + bytes - 1} bytes`)
    })
    it("sends as many as the window has room for, to the entry and to the byte", () => {
      const opened = Outbox.open(Outbox.empty, peer, one).outbox
      const many = queue(opened, ...Array.from({ length: Limits.sendWindowEntries + 20 }, () => "a"))
      const due = (underWay: number) =>
        Outbox.due(many, peer, new Set(Array.from({ length: underWay }, (_, index) => index + 1)), 1, noonMs).entries
          .length
      expect([due(0), due(500), due(511), due(512)]).toEqual([512, 12, 1, 0])
      const waiting = queue(opened, "a")
      const bytes = Outbox.entriesFor(waiting, peer)[0]!.bodyBytes
      const within = (used: number) => Outbox.due(waiting, peer, new Set(), used, noonMs).entries.length
      expect(within(Limits.sendWindowBytes - bytes)).toBe(1)
      expect(within(Limits.sendWindowBytes - bytes + 1)).toBe(0)
    })
    it("counts a question about what was given up as a small message", () => {
      const sent = send(queue(Outbox.open(Outbox.empty, peer, one).outbox, "x".repeat(1_000)))
      const entry = Outbox.entriesFor(sent, peer)[0]!
      expect(Outbox.sendSize(entry)).toBe(entry.bodyBytes)
      const asked = Outbox.withdraw(sent, entry, "cancelled", noonMs).outbox
      expect(Outbox.sendSize(Outbox.entriesFor(asked, peer)[0]!)).toBe(128)
    })
  })
})

describe("answers under way", () => {
  const none: Calls.Pieces = HashMap.empty()
  const end = (length: number): Calls.End => ({
    done: { kind: "Done", stream: one, number: 1, id: one, outcome: "answered", length, sha256: "A".repeat(43) },
    bytes: 1,
    hash: "h"
  })
  const credit = Limits.answerCreditBytes
  it("take no empty piece, and tell the end that waits for the rest", () => {
    expect(Calls.addChunk(none, one, 0, new Uint8Array(0))).toBe(none)
    expect(Calls.endOf(none, one)).toBeUndefined()
    expect(Calls.endOf(Calls.expectEnd(none, one, end(3)), one)).toEqual(end(3))
    expect(Calls.askOn(none, one).resume).toBeUndefined()
  })
  it("are asked on once half of what was asked for has come, not before", () => {
    const asked = Calls.askOn(Calls.expectEnd(none, one, end(10 * credit)), one)
    expect(asked.resume).toEqual({ offset: 0, upTo: credit })
    const askedAfter = (bytes: number) =>
      Calls.askOn(Calls.addChunk(asked.pieces, one, 0, new Uint8Array(bytes)), one).resume
    expect(askedAfter(credit / 2 - 1)).toBeUndefined()
    expect(askedAfter(credit / 2)).toEqual({ offset: credit, upTo: credit / 2 + credit })
  })
})

describe("jobs", () => {
  const job = (who: PeerId, id: string, state: Jobs.Job["state"], answer = ""): readonly [string, Jobs.Job] => [
    Jobs.keyOf(who, id),
    { peerId: who, id, state, startedAtMs: noonMs, ...(answer === "" ? {} : { answer }) }
  ]
  it("give an answer's bytes in chunks, exactly those asked for that are there", () => {
    const bytes = Uint8Array.from({ length: 2 * Limits.chunkBytes + 10 }, (_, index) => (index * 7) % 251)
    const jobs = Table.loaded([job(peer, one, "finished", Base64url.encode(bytes)), job(peer, two, "running")])
    const given = (offset: number, upTo: number) =>
      Jobs.chunks(jobs, peer, one, offset, upTo).map(({ message }) => message)
    const all = given(0, 10 * Limits.chunkBytes)
    expect(all.map(({ kind, offset }) => [kind, offset])).toEqual([
      ["Chunk", 0],
      ["Chunk", Limits.chunkBytes],
      ["Chunk", 2 * Limits.chunkBytes]
    ])
    expect(Buffer.concat(all.map((chunk) => Base64url.decode(chunk.bytes)!)).equals(bytes)).toBe(true)
    const some = given(7, 12)
    expect(some).toHaveLength(1)
    // What is asked for up to somewhere comes in whole chunks, and no more of them.
    expect(Base64url.decode(some[0]!.bytes)!.slice(0, 5)).toEqual(bytes.slice(7, 12))
    for (const id of [two, three]) expect(Jobs.chunks(jobs, peer, id, 0, 100)).toEqual([])
  })
  it("are counted and forgotten for each peer apart", () => {
    const many = Array.from({ length: Limits.jobsRememberedMax }, (_, index) => job(other, `s${index}`, "settled"))
    const [key, mine] = job(peer, one, "finished", "YQ")
    const oldest = [key, { ...mine, startedAtMs: noonMs - 1 }] as const
    const jobs = Table.loaded([...many, oldest, job(other, one, "finished", "YQ")])
    expect([Jobs.answersWaiting(jobs, peer), Jobs.answersWaiting(jobs, other)]).toEqual([1, 1])
    const settled = Jobs.settle(jobs, peer, one)
    expect(Table.size(settled)).toBe(Limits.jobsRememberedMax + 2)
  })
})

describe("what was not delivered", () => {
  const refusal = (id: string, atMs: number): Refusals.Refusal => ({
    id,
    peerId: peer,
    kind: "Log",
    code: "expired",
    atMs
  })
  it("is kept newest, as many as there is room for, by time and not by how a time is spelled", () => {
    let all: Refusals.Refusals = Table.empty()
    for (let index = 0; index < Limits.refusalsRememberedMax; index++)
      all = Refusals.add(all, refusal(`r${index}`, 9 + index))
    expect(Table.size(all)).toBe(Limits.refusalsRememberedMax)
    all = Refusals.add(Refusals.add(all, refusal("late", 100_000)), refusal("later", 100_000))
    const times = Table.values(all).map(({ atMs }) => atMs)
    expect(Table.size(all)).toBe(Limits.refusalsRememberedMax)
    expect(Math.min(...times)).toBe(11)
    expect(times.filter((atMs) => atMs === 100_000)).toHaveLength(2)
  })
})
