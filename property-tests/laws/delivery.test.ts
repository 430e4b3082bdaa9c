/**
 * Laws of delivery that are about bounds and single values; what is about histories is in the models beside.
 * It never sends anything; what fits a window or a queue is counted in the bytes a link will count.
 * Texts of several scripts are used throughout, because a character is not a byte.
 */
import { HashMap, Result } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Base64url from "../../core/bytes/Base64url.ts"
import * as Calls from "../../core/delivery/Calls.ts"
import * as Forgotten from "../../core/delivery/Forgotten.ts"
import * as Inbox from "../../core/delivery/Inbox.ts"
import * as Jobs from "../../core/delivery/Jobs.ts"
import * as Outbox from "../../core/delivery/Outbox.ts"
import type { PeerId } from "../../core/identity/PeerId.ts"
import { Codec, Limits } from "../../core/index.ts"
import * as Table from "../../core/Table.ts"
import { ids, noonMs } from "../arbitraries/state.ts"

const peer = "p".repeat(64) as PeerId
const opened = Outbox.open(Outbox.empty, peer, ids[0]!).outbox
const draft = (text: string): Outbox.Draft => ({
  id: "id",
  textBytes: Buffer.byteLength(text),
  expiresAtMs: noonMs,
  make: (place) => ({ kind: "Log", ...place, text })
})
const end = (answerBytes: number): Outbox.Draft => ({
  id: ids[1]!,
  textBytes: answerBytes,
  expiresAtMs: noonMs,
  make: (place) => ({
    kind: "Done",
    ...place,
    id: ids[1]!,
    outcome: "answered",
    length: answerBytes,
    sha256: "A".repeat(43)
  })
})
const codeOf = (result: Result.Result<unknown, { readonly code: string }>) =>
  Result.isFailure(result) ? result.failure.code : "queued"
const queue = (outbox: Outbox.Outbox, one: Outbox.Draft, to = peer): Outbox.Outbox =>
  Result.getOrThrow(Outbox.enqueue(outbox, to, one)).outbox
/** Everything that fits an empty window goes out. */
const send = (outbox: Outbox.Outbox) => Outbox.due(outbox, peer, new Set(), 0, noonMs)

/** Much is counted here one by one; a busy machine may take its time. */
const patient = 120_000

/** Queues drafts until one is refused; gives the outbox before that, the code, and how many went in. */
const fill = (outbox: Outbox.Outbox, make: () => Outbox.Draft, to = peer) => {
  let current = outbox
  for (let count = 0; ; count++) {
    const queued = Outbox.enqueue(current, to, make())
    if (Result.isFailure(queued)) return { outbox: current, code: queued.failure.code, count }
    current = queued.success.outbox
  }
}
const bytesWaiting = (outbox: Outbox.Outbox): number =>
  Table.values(outbox.entries).reduce((bytes, entry) => bytes + Buffer.byteLength(entry.body), 0)

describe("Outbox", () => {
  it("takes a thousand messages for one peer and refuses the next; what ends or changes something is always taken", () => {
    const { code, count, outbox } = fill(opened, () => draft("x"))
    expect([code, count]).toEqual(["outbox-full", Limits.outboxEntriesMax])
    const always: ReadonlyArray<Outbox.Draft["make"]> = [
      end(0).make,
      (place) => ({ kind: "Cancel", ...place, id: ids[1]! }),
      (place) => ({ kind: "GrantChanged", ...place, capabilities: ["message"] }),
      (place) => ({ kind: "Unfriend", ...place, of: [] })
    ]
    for (const make of always) expect(codeOf(Outbox.enqueue(outbox, peer, { ...draft(""), make }))).toBe("queued")
    const taken = Outbox.take(send(outbox).outbox, peer, ids[0]!, 7)
    expect(taken.gone).toHaveLength(1)
    expect(codeOf(Outbox.enqueue(taken.outbox, peer, draft("x")))).toBe("queued")
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
  it("takes no more bytes for all peers together than its bound, and takes more as soon as some are gone", {
    timeout: patient
  }, () => {
    const text = "x".repeat(1_000_000)
    const peers = Array.from({ length: 20 }, (_, index) => `${index}`.padStart(64, "p") as PeerId)
    let outbox = peers.reduce((before, one) => Outbox.open(before, one, ids[0]!).outbox, Outbox.empty)
    const counts = peers.map((one) => {
      const filled = fill(outbox, () => draft(text), one)
      outbox = filled.outbox
      return filled.count
    })
    expect(bytesWaiting(outbox)).toBe(outbox.size)
    expect(outbox.size).toBeLessThanOrEqual(Limits.outboxTotalBytesMax)
    expect(outbox.size).toBeGreaterThan(Limits.outboxTotalBytesMax - 1_048_576)
    expect([counts[0]! > 0, counts.at(-1)]).toEqual([true, 0])
    expect(codeOf(Outbox.enqueue(outbox, peers[19]!, end(0)))).toBe("queued")
    const freed = Outbox.clear(outbox, peers[0]!).outbox
    expect(fill(freed, () => draft(text), peers[19]!).count).toBe(counts[0])
  })
  it("takes a body of exactly the largest size and refuses one byte more, wherever it will be placed", () => {
    const around = Codec.encode({ kind: "Log", ...Outbox.unplaced, text: "" }).length
    const largest = "x".repeat(Limits.bodyBytesMax - around)
    const queued = queue(opened, draft(largest))
    expect(codeOf(Outbox.enqueue(opened, peer, draft(`${largest}x`)))).toBe("body-too-large")
    // A place is as long as any: what was taken can be sent.
    expect(send(queued).entries[0]?.body.length).toBeLessThanOrEqual(Limits.bodyBytesMax)
  })
  it("what is due at once fits the queue of a link, with the first bytes of answers and all that can be asked for", () => {
    const drafts = fc.oneof(
      fc
        .tuple(fc.constantFrom("x", "漢", "😀"), fc.integer({ min: 1, max: 200_000 }))
        .map(([one, n]) => draft(one.repeat(n))),
      fc.integer({ min: 0, max: Limits.answerBytesMax }).map(end)
    )
    fc.assert(
      fc.property(fc.array(drafts, { minLength: 10, maxLength: 40, size: "max" }), (all) => {
        const found = send(all.reduce((before, one) => queue(before, one), opened)).entries
        const ends = found.filter((entry) => entry.kind === "Done").slice(0, Limits.answersWaitingMax)
        const answers = ends.reduce((bytes, entry) => bytes + Math.min(entry.textBytes, Limits.answerCreditBytes), 0)
        const bodies = found.reduce((bytes, entry) => bytes + Buffer.byteLength(entry.body) + 128, 0)
        expect(found.length).toBeGreaterThan(0)
        expect(bodies + Math.ceil((answers * 4) / 3)).toBeLessThanOrEqual(Limits.linkQueueBytesMax)
      }),
      { numRuns: 12 }
    )
  })
  it("also when every text is in a script of three bytes a character", () => {
    const text = "漢".repeat(300_000)
    const outbox = Array.from({ length: 6 }).reduce<Outbox.Outbox>((before) => queue(before, draft(text)), opened)
    expect(send(outbox).entries.map(({ place }) => place.number)).toEqual([1, 2])
  })
  it("a number is given at the first sending, in order, and the body is the same ever after", () => {
    const outbox = ["a", "b", "c"].reduce((before, id) => queue(before, { ...draft(id), id }), opened)
    const [, b] = Outbox.entriesFor(outbox, peer)
    const without = Outbox.withdraw(outbox, b!, "cancelled", noonMs)
    // Never sent, so gone without a trace: the next one takes the number.
    expect(without.gone.map(({ id }) => id)).toEqual(["b"])
    const first = send(without.outbox)
    expect(first.entries.map(({ id, place }) => [id, place.stream, place.number])).toEqual([
      ["a", ids[0], 1],
      ["c", ids[0], 2]
    ])
    const again = Outbox.due(first.outbox, peer, new Set(), 0, noonMs + 1)
    expect(again.entries).toEqual(first.entries)
    expect(again.outbox).toBe(first.outbox)
  })
  it("an inject learns at its first sending how long its caller still waits", () => {
    const make: Outbox.Draft["make"] = (place) => ({ kind: "Inject", ...place, id: ids[1]!, text: "?", timeLimitMs: 9 })
    const inject = queue(opened, { ...draft("?"), id: ids[1]!, expiresAtMs: noonMs + 9, make })
    const limitAt = (nowMs: number) => {
      const [entry] = Outbox.due(inject, peer, new Set(), 0, nowMs).entries
      const message = Result.getOrThrow(Codec.decode(Outbox.bodyBytes(entry!)))
      return message?.kind === "Inject" ? message.timeLimitMs : undefined
    }
    expect([noonMs, noonMs + 8, noonMs + 9, noonMs + 100].map(limitAt)).toEqual([9, 1, 1, 1])
  })
  it("in a new stream what was never sent is numbered, what was sent keeps its place, and what is older is given back", () => {
    const placesOf = (outbox: Outbox.Outbox) =>
      Outbox.entriesFor(outbox, peer).map(({ id, place }) => [id, place?.stream, place?.number])
    const first = send(["a", "b"].reduce((before, id) => queue(before, { ...draft(id), id }), opened)).outbox
    const second = Outbox.open(queue(first, { ...draft("c"), id: "c" }), peer, ids[1]!)
    expect(second.gone).toEqual([])
    const sent = send(second.outbox).outbox
    expect(placesOf(sent)).toEqual([
      ["a", ids[0], 1],
      ["b", ids[0], 2],
      ["c", ids[1], 1]
    ])
    const third = Outbox.open(sent, peer, ids[2]!)
    expect(third.gone.map(({ id }) => id)).toEqual(["a", "b"])
    expect(placesOf(third.outbox)).toEqual([["c", ids[1], 1]])
    expect(codeOf(Outbox.enqueue(Outbox.empty, peer, draft("x")))).toBe("unknown-peer")
  })
  it("says that a peer has forgotten only where the peer had answered for the last number and does not know it now", () => {
    const sent = send(["a", "b", "c"].reduce((before, id) => queue(before, { ...draft(id), id }), opened)).outbox
    const forgotten = (outbox: Outbox.Outbox, mark: number, top = mark) =>
      Forgotten.by(outbox, peer, () => ({ mark, top }))
    const answered = Outbox.settle(sent, peer, ids[0]!, 3, []).outbox
    expect(forgotten(answered, 3)).toEqual([])
    expect(forgotten(answered, 2)).toEqual([{ stream: ids[0], from: 3, to: 3, settled: true }])
    expect(forgotten(answered, 0)).toEqual([{ stream: ids[0], from: 1, to: 3, settled: true }])
    // The third was answered for, the others were given up in the end; what the peer knows, it has not forgotten.
    const third = Outbox.settle(sent, peer, ids[0]!, 0, [3]).outbox
    const asked = Outbox.expire(third, noonMs).outbox
    const given = Outbox.expire(asked, noonMs + Limits.outboxAgeMs).outbox
    expect(forgotten(asked, 0)).toEqual([])
    expect(forgotten(given, 0, 3)).toEqual([{ stream: ids[0], from: 1, to: 3, settled: false }])
    expect(forgotten(given, 0, 0)).toEqual([{ stream: ids[0], from: 1, to: 3, settled: true }])
    // All were given up, or cleared away: nobody knows whether they arrived.
    const nobody = Outbox.expire(Outbox.expire(sent, noonMs).outbox, noonMs + Limits.outboxAgeMs).outbox
    for (const unanswered of [nobody, Outbox.clear(sent, peer).outbox]) {
      expect(forgotten(unanswered, 0)).toEqual([{ stream: ids[0], from: 1, to: 3, settled: false }])
      expect(forgotten(unanswered, 1)).toEqual([{ stream: ids[0], from: 2, to: 3, settled: false }])
    }
  })
})

describe("Inbox", () => {
  const look = (inbox: Inbox.Inbox, number: number, hash = "h") => Inbox.look(inbox, peer, ids[0]!, number, hash)
  const took = (inbox: Inbox.Inbox, number: number, stream = ids[0]!) =>
    Inbox.record(inbox, peer, stream, number, { hash: "h" }, noonMs)
  it("puts off what is too far ahead, to the number, and says when to come back", () => {
    expect(Result.isSuccess(look(Inbox.empty, 1_024))).toBe(true)
    const far = Result.getOrThrow(Result.flip(look(Inbox.empty, 1_025)))
    expect([far.code, far.retryAfterMs > 0]).toEqual(["too-far-ahead", true])
    expect([1_024, 1_025].map((number) => Inbox.isTooFar(Inbox.empty, peer, ids[0]!, number))).toEqual([false, true])
  })
  it("keeps streams of different peers apart", () => {
    const other = "q".repeat(64) as PeerId
    const inbox = took(Inbox.empty, 1)
    expect(Result.getOrThrow(Inbox.look(inbox, other, ids[0]!, 1, "x"))).toEqual({ kind: "new" })
    expect(Inbox.receipt(inbox, other, ids[0]!, 9).mark).toBe(0)
  })
  it("a receipt says nothing beyond the number it answers", () => {
    const inbox = [1, 2, 3, 5, 7].reduce((before, number) => took(before, number), Inbox.empty)
    const said = (upTo: number) => Inbox.receipt(inbox, peer, ids[0]!, upTo)
    expect([2, 4, 5, 9].map((upTo) => [said(upTo).mark, said(upTo).also])).toEqual([
      [2, []],
      [3, []],
      [3, [5]],
      [3, [5, 7]]
    ])
  })
  it("a message costs what it changes, however much lies above a gap", () => {
    let inbox = Inbox.empty
    for (let number = 3; number <= 1_025; number++) inbox = took(inbox, number === 1_025 ? 1 : number)
    const key = `${peer}/${ids[0]}`
    const before = Table.get(inbox.streams, key)!
    let reads = 0
    const get = (numbers: ReadonlyArray<number>, property: string | symbol): unknown => {
      if (typeof property === "string" && /^\d+$/.test(property)) reads++
      return Reflect.get(numbers, property)
    }
    const watched = (mark: number) => {
      const sparse = new Proxy(before.sparse, { get })
      return { ...inbox, streams: Table.set(inbox.streams, key, { ...before, mark, sparse }) }
    }
    const halvings = Math.ceil(Math.log2(before.sparse.length)) + 1
    const cost = (work: () => unknown): number => {
      reads = 0
      work()
      return reads
    }
    expect(before).toMatchObject({ mark: 1, sparse: { length: 1_022 } })
    // The mark passes a number, and everything above stays as it lies.
    expect(cost(() => took(watched(0), 1))).toBeLessThan(4)
    expect(cost(() => look(watched(1), 700))).toBeLessThanOrEqual(2 * halvings)
    expect(cost(() => Inbox.whatBecameOf(watched(1), peer, ids[0]!, 700))).toBeLessThanOrEqual(2 * halvings)
    expect(cost(() => Inbox.marks(watched(1), peer))).toBeLessThan(4)
    expect(cost(() => Inbox.receipt(watched(1), peer, ids[0]!, 5))).toBeLessThanOrEqual(halvings + 4)
  })
  it("its memory is bounded however a peer numbers", () => {
    let inbox = Inbox.empty
    for (let number = 2; number <= 1_024; number++) inbox = took(inbox, number)
    expect(Inbox.receipt(inbox, peer, ids[0]!, 2_000).also).toHaveLength(1_023)
    inbox = took(inbox, 1)
    expect(Inbox.receipt(inbox, peer, ids[0]!, 2_000)).toMatchObject({ mark: 1_024, also: [] })
    for (let number = 1_025; number <= 2_100; number++) inbox = took(inbox, number)
    expect(Table.size(inbox.outcomes)).toBe(Limits.inboxOutcomesMax)
  })
  it("after a million messages it is as small as after a thousand, and still knows the newest", {
    timeout: patient
  }, () => {
    let inbox = Inbox.empty
    const most = 1_000_000
    for (let number = 1; number <= most; number++) {
      inbox = took(inbox, number)
      // A commit after each batch, as the turn loop has it; otherwise every key ever touched waits to be written.
      if (number % 1_000 !== 0) continue
      inbox = { streams: Table.settled(inbox.streams), outcomes: Table.settled(inbox.outcomes) }
      expect(Table.size(inbox.outcomes)).toBeLessThanOrEqual(Limits.inboxOutcomesMax)
    }
    expect([Table.size(inbox.streams), Table.size(inbox.outcomes)]).toEqual([1, Limits.inboxOutcomesMax])
    expect(Table.values(inbox.streams)[0]).toMatchObject({ mark: most, sparse: [] })
    expect(look(inbox, most, "other")._tag).toBe("Failure")
    for (const old of [1, most - 5_000, most]) {
      expect(Result.getOrThrow(look(inbox, old))).toEqual({ kind: "known", code: undefined })
    }
  })
  it("nor does it grow by numbers that a peer says it has forgotten, in known streams or new ones", () => {
    let inbox = Inbox.empty
    for (let round = 0, mark = 0; round < 6; round++) {
      for (const number of [...Array(Limits.inboxOutcomesMax).keys()]) inbox = took(inbox, mark + number + 2)
      const to = mark + 1_000_000
      inbox = Inbox.closeForgotten(inbox, peer, ids[0]!, mark + 1, to, noonMs)!
      expect(Table.size(inbox.outcomes)).toBe(0)
      mark = to
    }
    for (let stream = 1; stream <= 20; stream++) {
      const name = stream.toString(16).padStart(32, "0")
      inbox = Inbox.closeForgotten(inbox, peer, name, 1, 5, noonMs)!
      inbox = took(inbox, 6, name)
    }
    expect(Table.size(inbox.streams)).toBe(Limits.streamsPerPeer)
    expect(Inbox.marks(inbox, peer).map(({ mark }) => mark)).toEqual([6, 6])
    // The newest are those that began last.
    expect(Inbox.marks(inbox, peer).at(-1)?.stream).toBe((20).toString(16).padStart(32, "0"))
  })
  it("closes forgotten numbers only where they follow its mark, and nothing closed is new again", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 14 }),
        fc.nat(8),
        (numbers, from, more) => {
          const inbox = numbers.reduce((before, number) => took(before, number), Inbox.empty)
          let mark = 0
          while (numbers.includes(mark + 1)) mark++
          const to = from + more
          const closed = Inbox.closeForgotten(inbox, peer, ids[0]!, from, to, noonMs)
          expect(closed !== undefined).toBe(from <= mark + 1 && to > mark)
          if (closed === undefined) return
          for (let number = 1; number <= 30; number++) {
            const known = number <= to || numbers.includes(number)
            expect(Inbox.whatBecameOf(closed, peer, ids[0]!, number).kind).toBe(known ? "known" : "new")
          }
        }
      )
    )
  })
})

describe("pieces of an answer", () => {
  const piece = fc.uint8Array({ maxLength: 40 })
  const add = (pieces: Calls.Pieces, all: ReadonlyArray<Uint8Array>) =>
    all.reduce<readonly [Calls.Pieces, number]>(
      ([before, offset], bytes) => [Calls.addChunk(before, "id", offset, bytes), offset + bytes.length],
      [pieces, 0]
    )
  it("in order they are the answer; a piece that does not continue what is there changes nothing", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), (parts, gap) => {
        const [pieces, length] = add(HashMap.empty(), parts)
        const whole = parts.flatMap((part) => [...part])
        expect([...Calls.joined(pieces, "id")]).toEqual(whole)
        expect(Calls.lengthOf(pieces, "id")).toBe(length)
        for (const offset of [length + gap, length - gap]) {
          expect(Calls.addChunk(pieces, "id", offset, new Uint8Array(1))).toBe(pieces)
        }
        expect(Calls.joined(pieces, "another")).toHaveLength(0)
        expect(Calls.joined(Calls.drop(pieces, "id"), "id")).toHaveLength(0)
      })
    )
  })
  it("grow to the largest answer and not a byte beyond", () => {
    const most = Calls.addChunk(HashMap.empty(), "id", 0, new Uint8Array(Limits.answerBytesMax))
    expect(Calls.joined(most, "id")).toHaveLength(Limits.answerBytesMax)
    expect(Calls.addChunk(most, "id", Limits.answerBytesMax, new Uint8Array(1))).toBe(most)
  })
})

/**
 * An answer on its way: the end that is sent anew on every session, ranges that are asked for, chunks that come back.
 * A step is one thing of one direction arriving, a loss, a doubling, or a cut with everything under way.
 */
describe("an answer that is pulled", () => {
  type Way = "ask" | "chunk" | "lost chunk" | "doubled chunk" | "late chunk" | "cut"
  const way = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<Way>("ask", "chunk", "chunk", "chunk") },
    { weight: 1, arbitrary: fc.constantFrom<Way>("lost chunk", "doubled chunk", "late chunk", "cut") }
  )
  const answerOf = (length: number) => new Uint8Array(length).map((_, index) => (index * 7 + (index >> 8)) & 255)

  class Pull {
    pieces: Calls.Pieces = HashMap.empty()
    asked: Array<{ readonly offset: number; readonly upTo: number }> = []
    chunks: Array<{ readonly offset: number; readonly bytes: string }> = []
    readonly jobs: Jobs.Jobs
    readonly answer: Uint8Array
    constructor(answer: Uint8Array) {
      this.answer = answer
      const job = { peerId: peer, id: "id", state: "finished" as const, startedAtMs: 0 }
      this.jobs = Table.loaded([[Jobs.keyOf(peer, "id"), { ...job, answer: Base64url.encode(answer) }]])
      this.open()
    }
    /** A session begins: the first bytes come unasked, and the end after them. */
    open(): void {
      this.asked = []
      this.chunks = Jobs.chunks(this.jobs, peer, "id", 0, 1).map(({ message }) => message)
      for (const one of this.chunks.splice(0)) this.add(one)
      const done = { kind: "Done", stream: ids[0]!, number: 1, id: "id", outcome: "answered" } as const
      const end = { done: { ...done, length: this.answer.length, sha256: "" }, bytes: 0, hash: "" }
      this.pieces = Calls.expectEnd(this.pieces, "id", end)
      this.askOn()
    }
    private add({ bytes, offset }: { readonly offset: number; readonly bytes: string }): void {
      this.pieces = Calls.addChunk(this.pieces, "id", offset, Base64url.decode(bytes)!)
    }
    private askOn(): void {
      const { pieces, resume } = Calls.askOn(this.pieces, "id")
      this.pieces = pieces
      if (resume === undefined) return
      const arrived = Calls.lengthOf(pieces, "id")
      expect(resume.offset).toBeLessThan(resume.upTo)
      expect(resume.upTo - arrived, "asked ahead").toBeLessThanOrEqual(Limits.answerCreditBytes)
      expect(resume.upTo).toBeLessThanOrEqual(this.answer.length)
      // Nothing is asked for twice on one session.
      for (const one of this.asked) expect(resume.offset).toBeGreaterThanOrEqual(one.upTo)
      this.asked.push(resume)
      this.waiting.push(resume)
    }
    private waiting: Array<{ readonly offset: number; readonly upTo: number }> = []
    take(step: Way): void {
      if (step === "cut") {
        this.waiting = []
        this.open()
        return
      }
      if (step === "ask") {
        const range = this.waiting.shift()
        if (range === undefined) return
        const sent = Jobs.chunks(this.jobs, peer, "id", range.offset, range.upTo).map(({ message }) => message)
        const bytes = sent.reduce((sum, one) => sum + Base64url.decode(one.bytes)!.length, 0)
        expect(bytes).toBeLessThanOrEqual(range.upTo - range.offset)
        this.chunks.push(...sent)
        return
      }
      const chunk = this.chunks.shift()
      if (chunk === undefined || step === "lost chunk") return
      if (step === "late chunk") {
        this.chunks.push(chunk)
        return
      }
      for (let copy = 0; copy < (step === "doubled chunk" ? 2 : 1); copy++) this.add(chunk)
      this.askOn()
    }
    whole(): boolean {
      return Calls.lengthOf(this.pieces, "id") === this.answer.length
    }
  }

  it("arrives whole for any cut and order, and never more is asked for than the credit ahead of what arrived", {
    timeout: patient
  }, () => {
    let cutInTheMiddle = 0
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 0, max: 400_000 }), fc.constantFrom(0, 1, 16_384, 65_536, 65_537, 1_048_576)),
        fc.array(way, { maxLength: 120, size: "max" }),
        (length, steps) => {
          const pull = new Pull(answerOf(length))
          for (const step of steps) {
            if (step === "cut" && !pull.whole() && Calls.lengthOf(pull.pieces, "id") > Limits.chunkBytes) {
              cutInTheMiddle++
            }
            pull.take(step)
          }
          // The line works from now on; what was lost or came out of order is asked for on the next session.
          for (let session = 0; session < 2 && !pull.whole(); session++) {
            for (let round = 0; round < 400 && !pull.whole(); round++) {
              pull.take("ask")
              for (let count = 0; count < 4; count++) pull.take("chunk")
            }
            if (!pull.whole()) pull.take("cut")
          }
          expect(Buffer.compare(Calls.joined(pull.pieces, "id"), pull.answer)).toBe(0)
        }
      ),
      { numRuns: 60 }
    )
    expect(cutInTheMiddle).toBeGreaterThan(5)
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

  it("go forward only: held, running, finished, settled", () => {
    expect(Jobs.transitions).toEqual({
      held: ["running", "finished"],
      running: ["finished"],
      finished: ["settled"],
      settled: []
    })
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
