/**
 * Laws of delivery that are about bounds and single values; what is about histories is in the models beside.
 * It never sends anything; what fits a window or a queue is counted in the bytes a link will count.
 * Texts of several scripts are used throughout, because a character is not a byte.
 */
import { HashMap, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Calls from "../../core/delivery/Calls.ts"
import * as Inbox from "../../core/delivery/Inbox.ts"
import * as Jobs from "../../core/delivery/Jobs.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, Limits } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { ids, noonMs } from "../arbitraries/state.ts"

const peer = "p".repeat(64) as PeerId
const opened = Outbox.open(Outbox.empty, peer, ids[0]!)
const draft = (text: string): Outbox.Draft => ({
  id: "id",
  textBytes: Buffer.byteLength(text),
  expiresAtMs: noonMs,
  make: (stream, number) => ({ kind: "Log", stream, number, text })
})
const end = (answerBytes: number): Outbox.Draft => ({
  id: ids[1]!,
  textBytes: answerBytes,
  expiresAtMs: noonMs,
  make: (stream, number) => ({
    kind: "Done",
    stream,
    number,
    id: ids[1]!,
    outcome: "answered",
    length: answerBytes,
    sha256: "A".repeat(43)
  })
})
const codeOf = (result: Result.Result<unknown, { readonly code: string }>) =>
  Result.isFailure(result) ? result.failure.code : "queued"

/** Queues drafts until one is refused; gives the outbox before that, the code, and how many went in. */
const fill = (outbox: Outbox.Outbox, make: () => Outbox.Draft) => {
  let current = outbox
  for (let count = 0; ; count++) {
    const queued = Outbox.enqueue(current, peer, make())
    if (Result.isFailure(queued)) return { outbox: current, code: queued.failure.code, count }
    current = queued.success.outbox
  }
}
const bytesWaiting = (outbox: Outbox.Outbox): number =>
  Table.values(outbox.entries).reduce((bytes, entry) => bytes + Buffer.byteLength(entry.body), 0)

describe("Outbox", () => {
  it("takes a thousand messages for one peer and refuses the next; the end of an inject is always taken", () => {
    const { code, count, outbox } = fill(opened, () => draft("x"))
    expect([code, count]).toEqual(["outbox-full", Limits.outboxEntriesMax])
    expect(codeOf(Outbox.enqueue(outbox, peer, end(0)))).toBe("queued")
    expect(codeOf(Outbox.enqueue(Outbox.take(outbox, peer, ids[0]!, 7).outbox, peer, draft("x")))).toBe("queued")
  })
  it.each(["x", "漢", "😀"])(
    "takes no more bytes for one peer than its bound, whatever the script: %s",
    (character) => {
      const text = character.repeat(Math.floor(1_000_000 / Buffer.byteLength(character)))
      const { code, outbox } = fill(opened, () => draft(text))
      expect(code).toBe("outbox-full")
      expect(bytesWaiting(outbox)).toBeLessThanOrEqual(Limits.outboxBytesMax)
      expect(bytesWaiting(outbox)).toBeGreaterThan(Limits.outboxBytesMax - 2 * 1_048_576)
    }
  )
  it("takes a body of exactly the largest size and refuses one byte more", () => {
    const around = Codec.encode({ kind: "Log", stream: ids[0]!, number: 1, text: "" }).length
    const largest = "x".repeat(Limits.bodyBytesMax - around)
    expect(codeOf(Outbox.enqueue(opened, peer, draft(largest)))).toBe("queued")
    expect(codeOf(Outbox.enqueue(opened, peer, draft(`${largest}x`)))).toBe("body-too-large")
  })
  it("what is due at once fits the queue of a link, with the answers that precede the ends of injects", () => {
    const drafts = fc.oneof(
      fc
        .tuple(fc.constantFrom("x", "漢", "😀"), fc.integer({ min: 1, max: 200_000 }))
        .map(([one, n]) => draft(one.repeat(n))),
      fc.integer({ min: 0, max: Limits.answerBytesMax }).map(end)
    )
    fc.assert(
      fc.property(fc.array(drafts, { minLength: 10, maxLength: 40, size: "max" }), (all) => {
        const outbox = all.reduce((before, one) => Result.getOrThrow(Outbox.enqueue(before, peer, one)).outbox, opened)
        const found = Outbox.due(outbox, peer, new Set(), 0)
        const onTheLink = found.reduce((bytes, entry) => {
          const chunks = entry.kind === "Done" ? Math.ceil(entry.textBytes / Limits.chunkBytes) : 0
          const answer = entry.kind === "Done" ? Math.ceil((entry.textBytes * 4) / 3) : 0
          return bytes + Buffer.byteLength(entry.body) + answer + 128 * (chunks + 1)
        }, 0)
        expect(found.length).toBeGreaterThan(0)
        expect(onTheLink).toBeLessThanOrEqual(Limits.linkQueueBytesMax)
      }),
      { numRuns: 12 }
    )
  })
  it("also when every text is in a script of three bytes a character", () => {
    const text = "漢".repeat(300_000)
    const outbox = Array.from({ length: 6 }).reduce<Outbox.Outbox>(
      (before) => Result.getOrThrow(Outbox.enqueue(before, peer, draft(text))).outbox,
      opened
    )
    const found = Outbox.due(outbox, peer, new Set(), 0)
    expect(found.map(({ number }) => number)).toEqual([1, 2])
  })
  it("in a new stream numbers what waits anew, in order, and drops what was given up", () => {
    const { outbox } = ["a", "b", "c", "d"].reduce(
      (before, text, index) =>
        Result.getOrThrow(
          Outbox.enqueue(before.outbox, peer, { ...draft(text), id: text, expiresAtMs: noonMs + (index === 1 ? 0 : 1) })
        ),
      { outbox: opened }
    )
    const expired = Outbox.expire(Outbox.take(outbox, peer, ids[0]!, 1).outbox, noonMs).outbox
    const anew = Outbox.open(expired, peer, ids[2]!)
    const waiting = Outbox.waitingFor(anew, peer).numbers.map((number) => Outbox.entry(anew, peer, number)!)
    expect(waiting.map(({ id, number, stream }) => [id, number, stream])).toEqual([
      ["c", 1, ids[2]],
      ["d", 2, ids[2]]
    ])
    const bodies = waiting.map((entry) => Result.getOrThrow(Codec.decode(Outbox.bodyBytes(entry))))
    expect(bodies).toEqual(["c", "d"].map((text, index) => ({ kind: "Log", stream: ids[2], number: index + 1, text })))
    expect(codeOf(Outbox.enqueue(Outbox.empty, peer, draft("x")))).toBe("unknown-peer")
  })
})

describe("Inbox", () => {
  it("puts off what is too far ahead, to the number, and says when to come back", () => {
    const look = (number: number) => Inbox.look(Inbox.empty, peer, ids[0]!, number, "h")
    expect(Result.isSuccess(look(1_024))).toBe(true)
    const far = Result.getOrThrow(Result.flip(look(1_025)))
    expect([far.code, far.retryAfterMs > 0]).toEqual(["too-far-ahead", true])
  })
  it("keeps streams of different peers apart", () => {
    const other = "q".repeat(64) as PeerId
    const inbox = Inbox.record(Inbox.empty, peer, ids[0]!, 1, { hash: "h" }, noonMs)
    expect(Result.getOrThrow(Inbox.look(inbox, other, ids[0]!, 1, "x"))).toEqual({ kind: "new" })
    expect(Inbox.receipt(inbox, other, ids[0]!).mark).toBe(0)
  })
  it("its memory is bounded however a peer numbers", () => {
    let inbox = Inbox.empty
    for (let number = 2; number <= 1_024; number++) {
      inbox = Inbox.record(inbox, peer, ids[0]!, number, { hash: "h" }, noonMs)
    }
    expect(Inbox.receipt(inbox, peer, ids[0]!).also).toHaveLength(1_023)
    inbox = Inbox.record(inbox, peer, ids[0]!, 1, { hash: "h" }, noonMs)
    expect(Inbox.receipt(inbox, peer, ids[0]!)).toMatchObject({ mark: 1_024, also: [] })
    for (let number = 1_025; number <= 2_100; number++) {
      inbox = Inbox.record(inbox, peer, ids[0]!, number, { hash: "h" }, noonMs)
    }
    expect(Table.size(inbox.outcomes)).toBe(Limits.inboxOutcomesMax)
  })
})

describe("pieces of an answer", () => {
  const piece = fc.uint8Array({ maxLength: 40 })
  it("in order they are the answer; out of order there is none; from the start they begin anew", () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.array(piece, { maxLength: 3 }),
        fc.integer({ min: 1, max: 9 }),
        (parts, stale, gap) => {
          const add = (pieces: Calls.Pieces, all: ReadonlyArray<Uint8Array>) =>
            all.reduce<readonly [Calls.Pieces, number]>(
              ([before, offset], bytes) => [Calls.addChunk(before, "id", offset, bytes), offset + bytes.length],
              [pieces, 0]
            )
          const [old] = add(HashMap.empty(), stale)
          const [pieces, length] = add(parts.length === 0 ? HashMap.empty() : old, parts)
          expect([...Calls.joined(pieces, "id")]).toEqual(parts.flatMap((part) => [...part]))
          expect(Calls.joined(Calls.addChunk(pieces, "id", length + gap, new Uint8Array(1)), "id")).toHaveLength(0)
          expect(Calls.joined(pieces, "another")).toHaveLength(0)
        }
      )
    )
  })
  it("grow to the largest answer and not a byte beyond", () => {
    const most = Calls.addChunk(HashMap.empty(), "id", 0, new Uint8Array(Limits.answerBytesMax))
    expect(Calls.joined(most, "id")).toHaveLength(Limits.answerBytesMax)
    expect(HashMap.size(Calls.addChunk(most, "id", Limits.answerBytesMax, new Uint8Array(1)))).toBe(0)
  })
})

describe("Jobs", () => {
  const job = (id: string, state: Jobs.Job["state"], startedAtMs = noonMs): Jobs.Job => ({
    peerId: peer,
    id,
    state,
    startedAtMs,
    ...(state === "finished" ? { answer: "YQ" } : {})
  })
  const table = (all: ReadonlyArray<Jobs.Job>): Jobs.Jobs =>
    Table.loaded(all.map((one) => [Jobs.keyOf(peer, one.id), one] as const))

  it("go forward only: running, finished, settled", () => {
    expect(Jobs.transitions).toEqual({ running: ["finished"], finished: ["settled"], settled: [] })
    const all = table([job("r", "running"), job("f", "finished"), job("s", "settled")])
    for (const id of ["r", "s", "none"]) expect(Jobs.settle(all, peer, id)).toBe(all)
    const settled = Table.get(Jobs.settle(all, peer, "f"), Jobs.keyOf(peer, "f"))
    expect(settled).toEqual(job("f", "settled"))
    expect(Jobs.settle(all, "q".repeat(64) as PeerId, "f")).toBe(all)
  })
  it("remember the newest ids of a peer that are settled, and every one that is not", () => {
    const many = Array.from({ length: Limits.jobsRememberedMax + 5 }, (_, index) => job(`s${index}`, "settled", index))
    const all = table([...many, job("r", "running", -1), job("w", "finished", -1), job("f", "finished", 1_000)])
    const left = Table.values(Jobs.settle(all, peer, "f"))
    expect(left.filter(({ state }) => state === "settled")).toHaveLength(Limits.jobsRememberedMax)
    expect(left.map(({ id }) => id)).toEqual(expect.arrayContaining(["r", "w", "f", "s68"]))
    expect(left.map(({ id }) => id)).not.toContain("s0")
    expect(Jobs.answersWaiting(all, peer)).toBe(2)
    expect(Jobs.running(all).map(({ id }) => id)).toEqual(["r"])
  })
})
