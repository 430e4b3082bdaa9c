/**
 * What every Transport must do, as tests that run against any adapter: finding, carrying bytes, ending, refusing.
 * It never looks behind the port; what only one technology promises is tested beside its own table entry.
 * Half of it is the adversary's: the reader that stops, the second announcer of a topic, the peer that is gone.
 */
import { createHash } from "node:crypto"
import { Context, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Link, Transport, type TransportError, type TransportShape } from "../../ports/Transport.ts"

/** A network of its own for one test. */
export interface World {
  /** The layer of node `n`. The same number is the same transport key, also when it is built a second time. */
  node(n: number): Layer.Layer<Transport, TransportError>
  /** From now on nobody answers a lookup. */
  readonly endLookups: Effect.Effect<void>
}

/** What a test may expect of an adapter. Times in milliseconds. */
export interface Traits {
  /** What should happen happens within this. */
  readonly settleMs: number
  /** What has not happened within this does not happen. */
  readonly quietMs: number
  /** More bytes than this are never accepted for a reader that does not read. */
  readonly unreadBytesMax: number
  /** A dial that finds nobody is over within this. */
  readonly dialLimitMs: number
}

/** A running node with its links as they appear. */
export interface Node {
  readonly transport: TransportShape
  readonly links: Queue.Dequeue<Link>
  /** Every link that ever appeared. */
  readonly seen: ReadonlyArray<Link>
  readonly stop: Effect.Effect<void>
}

/** Builds a node that lives until it is stopped or the test ends. */
export const start = (
  layer: Layer.Layer<Transport, TransportError>
): Effect.Effect<Node, TransportError, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Scope.Scope)
    const transport = Context.get(yield* Layer.buildWithScope(Layer.fresh(layer), scope), Transport)
    const links = yield* Queue.unbounded<Link>()
    const seen: Array<Link> = []
    yield* transport.links.pipe(
      Stream.runForEach((link) => {
        seen.push(link)
        return Queue.offer(links, link)
      }),
      Effect.forkIn(scope)
    )
    return { transport, links, seen, stop: Scope.close(scope, Exit.void) }
  })

/** 32 equal bytes: a topic. */
export const topic = (n: number): Uint8Array => new Uint8Array(32).fill(n)

const isOver = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<boolean> =>
  effect.pipe(
    Effect.exit,
    Effect.map(() => true)
  )

/** Reads `length` bytes, or all there are if the link ends before. */
export const read = (link: Link, length: number): Effect.Effect<Uint8Array, TransportError> => {
  const parts: Array<Uint8Array> = []
  let bytes = 0
  return link.receive.pipe(
    Stream.takeUntil((part) => {
      parts.push(part)
      bytes += part.length
      return bytes >= length
    }),
    Stream.runDrain,
    Effect.map(() => new Uint8Array(Buffer.concat(parts)))
  )
}

const pattern = (length: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + seed * 7 + (index >> 8)) & 0xff
  return bytes
}

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

const sameKey = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

/** Runs the acceptance suite of the Transport port against one adapter. */
export const suite = (name: string, makeWorld: Effect.Effect<World, never, Scope.Scope>, traits: Traits): void => {
  const soon = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E | Error> =>
    effect.pipe(
      Effect.timeoutOrElse({
        duration: traits.settleMs,
        orElse: () => Effect.fail(new Error(`${what}: not within ${traits.settleMs} ms`))
      })
    )
  const nextLink = (node: Node, what: string) => soon(what, Queue.take(node.links))
  /** Dials until a link appears, as the core would: a dial is one attempt. */
  const dialUntilLinked = (node: Node, target: Parameters<TransportShape["dial"]>[0], what: string) =>
    soon(
      what,
      Effect.raceFirst(
        Queue.take(node.links),
        Effect.forever(Effect.andThen(Effect.ignore(node.transport.dial(target)), Effect.sleep(200)))
      )
    )
  const meet = (a: Node, b: Node) =>
    Effect.gen(function* () {
      const ofB = yield* dialUntilLinked(b, { kind: "key", key: a.transport.localKey }, "a dial by key")
      const ofA = yield* nextLink(a, "the accepted link")
      return [ofA, ofB] as const
    })
  /** Exactly one link is alive between two nodes, with an initiator at one end, and it carries bytes both ways. */
  const expectOneLink = (a: Node, b: Node) =>
    Effect.gen(function* () {
      yield* Effect.sleep(traits.quietMs)
      const alive = (node: Node) =>
        Effect.filter(node.seen, (link) => Effect.isSuccess(link.send(new Uint8Array([42]))), { concurrency: 1 })
      const [ofA, ofB] = [yield* alive(a), yield* alive(b)]
      expect([ofA.length, ofB.length]).toEqual([1, 1])
      expect(ofA[0]!.initiator).not.toBe(ofB[0]!.initiator)
      expect([...(yield* soon("a byte", read(ofA[0]!, 1)))]).toEqual([42])
      expect([...(yield* soon("a byte", read(ofB[0]!, 1)))]).toEqual([42])
    })
  const check = (what: string, body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    it(what, () => Effect.runPromise(Effect.scoped(Effect.flatMap(makeWorld, body))))
  const pair = (what: string, body: (a: Node, b: Node, world: World) => Effect.Effect<void, unknown, Scope.Scope>) =>
    check(what, (world) =>
      Effect.gen(function* () {
        yield* body(yield* start(world.node(1)), yield* start(world.node(2)), world)
      })
    )

  describe(`Transport: ${name}`, () => {
    pair("a topic that is announced is found, and the link says through which", (a, b) =>
      Effect.gen(function* () {
        yield* a.transport.announce(topic(7))
        yield* b.transport.dial({ kind: "topic", topic: topic(7) })
        const ofB = yield* nextLink(b, "the dialled link")
        const ofA = yield* nextLink(a, "the accepted link")
        expect([ofB.initiator, ofA.initiator]).toEqual([true, false])
        expect(ofB.topics.map(digest)).toEqual([digest(topic(7))])
        expect(ofA.topics).toEqual([])
        expect(sameKey(ofA.remoteKey, b.transport.localKey)).toBe(true)
        expect(sameKey(ofB.remoteKey, a.transport.localKey)).toBe(true)
        expect(digest(ofA.binding)).toBe(digest(ofB.binding))
        expect(a.transport.localKey.length).toBe(32)
      })
    )

    pair("a key that was never announced can be dialled, and its link names no topic", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        expect([ofA.initiator, ofB.initiator]).toEqual([false, true])
        expect([ofA.topics, ofB.topics]).toEqual([[], []])
        expect(digest(ofA.binding)).toBe(digest(ofB.binding))
      })
    )

    pair("bytes arrive in order, whatever the sizes of the writes", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const mebibyte = 1024 * 1024
        const sizes = fc.array(fc.oneof(fc.constantFrom(0, 1, 65_535, 65_536, 65_537, mebibyte), fc.nat(3_000)), {
          maxLength: 6
        })
        const carry = (from: Link, to: Link, lengths: ReadonlyArray<number>) =>
          Effect.gen(function* () {
            const writes = [...lengths, 1].map((length, index) => pattern(length, index))
            const total = writes.reduce((sum, write) => sum + write.length, 0)
            const reading = yield* Effect.forkChild(read(to, total))
            yield* Effect.forEach(writes, (write) => from.send(write), { discard: true })
            expect(digest(yield* Fiber.join(reading))).toBe(digest(Buffer.concat(writes)))
          })
        yield* Effect.promise(() =>
          fc.assert(
            fc.asyncProperty(sizes, sizes, (there, back) =>
              Effect.runPromise(
                soon("both ways", Effect.all([carry(ofB, ofA, there), carry(ofA, ofB, back)], { concurrency: 2 }))
              ).then(() => {})
            ),
            {
              numRuns: 12,
              examples: [
                [
                  [mebibyte, 1, mebibyte],
                  [1, 1, 1]
                ]
              ]
            }
          )
        )
      })
    )

    pair("an interrupted send leaves no half of itself behind", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const word = 100_000
        // Nobody reads yet: some of these are interrupted before they begin, some in the middle.
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, index) => index),
          (index) => ofB.send(new Uint8Array(word).fill(index)).pipe(Effect.timeoutOption(10)),
          { discard: true }
        )
        yield* Effect.forkChild(Effect.ignore(ofB.send(new Uint8Array(word).fill(255))))
        const words: Array<number> = []
        let run = 0
        let last = -1
        yield* soon(
          "the last word",
          ofA.receive.pipe(
            Stream.takeUntil((part) => {
              for (const byte of part) {
                if (byte !== last || run === word) {
                  expect(run === 0 || run === word).toBe(true)
                  run = 0
                  last = byte
                  words.push(byte)
                }
                run++
              }
              return last === 255 && run === word
            }),
            Stream.runDrain
          )
        )
        expect(words).toEqual([...words].sort((x, y) => x - y))
        expect(words.length).toBeGreaterThan(1)
      })
    )

    pair("two that dial each other at once end up with one link, which works", (a, b) =>
      Effect.gen(function* () {
        const both = Effect.all(
          [
            a.transport.dial({ kind: "key", key: b.transport.localKey }),
            b.transport.dial({ kind: "key", key: a.transport.localKey })
          ],
          { concurrency: 2 }
        )
        yield* both
        yield* Effect.sleep(traits.quietMs)
        yield* both
        yield* expectOneLink(a, b)
      })
    )

    for (const apartMs of [0, 20, 100]) {
      pair(`two that announce and look for each other ${apartMs} ms apart end up with one link`, (a, b) =>
        Effect.gen(function* () {
          const seek = (node: Node, own: number, other: number) =>
            Effect.gen(function* () {
              yield* node.transport.announce(topic(own))
              for (let tries = 0; tries < 8 && node.seen.length === 0; tries++) {
                yield* node.transport.dial({ kind: "topic", topic: topic(other) })
                yield* Effect.sleep(50)
              }
            })
          yield* Effect.all([seek(a, 7, 8), Effect.andThen(Effect.sleep(apartMs), seek(b, 8, 7))], { concurrency: 2 })
          yield* expectOneLink(a, b)
        })
      )
    }

    pair("a link that exists is kept, not doubled", (a, b) =>
      Effect.gen(function* () {
        yield* a.transport.announce(topic(7))
        const [ofA, ofB] = yield* meet(a, b)
        yield* b.transport.dial({ kind: "key", key: a.transport.localKey })
        yield* b.transport.dial({ kind: "topic", topic: topic(7) })
        yield* a.transport.dial({ kind: "key", key: b.transport.localKey })
        yield* Effect.sleep(traits.quietMs)
        expect([a.seen.length, b.seen.length]).toEqual([1, 1])
        yield* ofB.send(new Uint8Array([1, 2]))
        expect([...(yield* soon("bytes", read(ofA, 2)))]).toEqual([1, 2])
      })
    )

    pair("a reader that stops stops its sender; when it reads again all of it arrives", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const piece = pattern(64 * 1024, 3)
        const count = 2 * Math.ceil(traits.unreadBytesMax / piece.length)
        let accepted = 0
        const sending = yield* Effect.forkChild(
          Effect.forEach(
            Array.from({ length: count }),
            () =>
              Effect.tap(ofB.send(piece), () =>
                Effect.sync(() => {
                  accepted += piece.length
                })
              ),
            { discard: true }
          )
        )
        yield* Effect.sleep(4 * traits.quietMs)
        const unread = accepted
        expect(unread).toBeLessThanOrEqual(traits.unreadBytesMax)
        yield* Effect.sleep(traits.quietMs)
        expect(accepted).toBe(unread)
        const whole = yield* soon("everything", read(ofA, count * piece.length))
        yield* soon("the sender", Fiber.join(sending))
        expect(digest(whole)).toBe(digest(Buffer.concat(Array.from({ length: count }, () => piece))))
      })
    )

    pair("closing delivers everything first, and ends the link at both ends", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const whole = pattern(1024 * 1024, 5)
        const reading = yield* Effect.forkChild(read(ofA, Number.POSITIVE_INFINITY))
        yield* ofB.send(whole)
        const startedAtMs = performance.now()
        yield* soon("close", Effect.all([ofB.close, ofB.close], { concurrency: 2 }))
        // Answered by the far end, not cut off by the bound.
        expect(performance.now() - startedAtMs).toBeLessThan(1_500)
        expect(digest(yield* soon("the end", Fiber.join(reading)))).toBe(digest(whole))
        expect((yield* Effect.flip(ofB.send(topic(1)))).code).toBe("closed")
        expect(yield* soon("our end", read(ofB, 1))).toEqual(new Uint8Array(0))
        yield* Effect.sleep(traits.quietMs)
        expect((yield* Effect.flip(ofA.send(topic(1)))).code).toBe("closed")
        yield* soon("close again", Effect.andThen(ofB.close, ofA.close))
      })
    )

    pair("aborting ends the link at both ends, at once", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const reading = yield* Effect.forkChild(isOver(read(ofA, Number.POSITIVE_INFINITY)))
        yield* ofB.abort
        yield* ofB.abort
        expect((yield* Effect.flip(ofB.send(topic(1)))).code).toBe("closed")
        expect(yield* soon("the far end", Fiber.join(reading))).toBe(true)
        expect((yield* Effect.flip(ofA.send(topic(1)))).code).toBe("closed")
      })
    )

    pair("a node that goes takes its links along: reading ends, and a waiting send fails", (a, b) =>
      Effect.gen(function* () {
        const [ofA] = yield* meet(a, b)
        const sending = yield* Effect.forkChild(Effect.flip(Effect.forever(ofA.send(new Uint8Array(65_536)))))
        const reading = yield* Effect.forkChild(isOver(read(ofA, Number.POSITIVE_INFINITY)))
        yield* soon("the stop", b.stop)
        expect(yield* soon("reading", Fiber.join(reading))).toBe(true)
        expect((yield* soon("sending", Fiber.join(sending))).code).toBe("closed")
      })
    )

    pair("what is withdrawn is not found, though it was announced twice", (a, b, world) =>
      Effect.gen(function* () {
        yield* a.transport.announce(topic(7))
        yield* a.transport.announce(topic(7))
        yield* a.transport.announce(topic(8))
        yield* a.transport.withdraw(topic(7))
        yield* b.transport.dial({ kind: "topic", topic: topic(7) })
        yield* Effect.sleep(traits.quietMs)
        expect(b.seen.length).toBe(0)
        const fresh = yield* start(world.node(3))
        yield* fresh.transport.dial({ kind: "topic", topic: topic(7) })
        yield* fresh.transport.dial({ kind: "topic", topic: topic(8) })
        expect((yield* nextLink(fresh, "the other topic")).topics.map(digest)).toEqual([digest(topic(8))])
        yield* a.transport.announce(topic(7))
        yield* b.transport.dial({ kind: "topic", topic: topic(7) })
        yield* nextLink(b, "the topic announced again")
      })
    )

    pair("a blocked key is dropped and refused both ways, and connects at once when it is unblocked", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const reading = yield* Effect.forkChild(isOver(read(ofB, 1)))
        yield* a.transport.block(b.transport.localKey)
        expect(yield* soon("the blocked end", Fiber.join(reading))).toBe(true)
        expect((yield* Effect.flip(ofA.send(topic(1)))).code).toBe("closed")
        yield* b.transport.dial({ kind: "key", key: a.transport.localKey }).pipe(Effect.timeoutOption(traits.quietMs))
        yield* a.transport.dial({ kind: "key", key: b.transport.localKey })
        yield* Effect.sleep(traits.quietMs)
        expect([a.seen.length, b.seen.length]).toEqual([1, 1])
        yield* a.transport.unblock(b.transport.localKey)
        yield* b.transport.dial({ kind: "key", key: a.transport.localKey })
        const again = yield* nextLink(b, "the returning peer")
        yield* again.send(new Uint8Array([9]))
        expect([...(yield* soon("a byte", read(yield* nextLink(a, "its link"), 1)))]).toEqual([9])
      })
    )

    pair("a node that restarted is reached again, by key and by topic", (a, b, world) =>
      Effect.gen(function* () {
        yield* b.transport.announce(topic(7))
        const key = b.transport.localKey
        yield* meet(b, a)
        yield* b.stop
        const again = yield* start(world.node(2))
        expect(sameKey(again.transport.localKey, key)).toBe(true)
        const link = yield* dialUntilLinked(a, { kind: "key", key }, "the restarted node")
        yield* link.send(new Uint8Array([1]))
        expect([...(yield* soon("a byte", read(yield* nextLink(again, "its link"), 1)))]).toEqual([1])
        yield* again.transport.announce(topic(7))
        const third = yield* start(world.node(3))
        yield* dialUntilLinked(third, { kind: "topic", topic: topic(7) }, "its topic")
      })
    )

    pair(
      "with nobody to look up, a key is dialled where it was met last, also after either node restarted",
      (a, b, world) =>
        Effect.gen(function* () {
          const [keyOfA, keyOfB] = [a.transport.localKey, b.transport.localKey]
          const [ofA, ofB] = yield* meet(a, b)
          const [placeOfA, placeOfB] = [ofB.remoteAddress, ofA.remoteAddress]
          if (placeOfA === undefined || placeOfB === undefined) throw new Error("a link must say where its far end is")
          const part = (link: Link) => Effect.andThen(link.abort, Effect.sleep(traits.quietMs))
          yield* part(ofB)
          yield* world.endLookups
          const lost = [
            b.transport.dial({ kind: "key", key: keyOfA }),
            b.transport.dial({ kind: "topic", topic: topic(7) })
          ]
          const over = (dial: Effect.Effect<void, TransportError>) =>
            Effect.timeoutOption(isOver(dial), traits.dialLimitMs)
          yield* Effect.forEach(lost, over, { concurrency: 2 })
          expect([a.seen.length, b.seen.length]).toEqual([1, 1])
          const dead = { host: placeOfA.host, port: 9 }
          const again = yield* dialUntilLinked(
            b,
            { kind: "key", key: keyOfA, hints: [dead, placeOfA] },
            "a dial by hint"
          )
          expect(sameKey(again.remoteKey, keyOfA)).toBe(true)
          yield* part(again)
          yield* b.stop
          const reborn = yield* start(world.node(2))
          const third = yield* dialUntilLinked(
            reborn,
            { kind: "key", key: keyOfA, hints: [placeOfA] },
            "a restarted node's dial"
          )
          yield* part(third)
          yield* a.stop
          const other = yield* start(world.node(1))
          const last = yield* dialUntilLinked(other, { kind: "key", key: keyOfB, hints: [placeOfB] }, "both restarted")
          expect(sameKey(last.remoteKey, keyOfB)).toBe(true)
          yield* last.send(new Uint8Array([3]))
          expect([...(yield* soon("a byte", read(yield* nextLink(reborn, "the last link"), 1)))]).toEqual([3])
        })
    )

    pair("a wrong hint costs a bounded time, leads to nobody else, and the lookup goes on", (a, b, world) =>
      Effect.gen(function* () {
        const c = yield* start(world.node(3))
        const [, ofB] = yield* meet(c, b)
        const placeOfC = ofB.remoteAddress
        if (placeOfC === undefined) throw new Error("a link must say where its far end is")
        const nonsense = [
          { host: "", port: 0 },
          { host: "no.such.host.invalid", port: 70_000 },
          { host: placeOfC.host, port: 0.5 },
          { host: placeOfC.host, port: -1 }
        ]
        const key = a.transport.localKey
        yield* b.transport.dial({ kind: "key", key, hints: [placeOfC, { host: placeOfC.host, port: 9 }, ...nonsense] })
        expect(sameKey((yield* nextLink(b, "the one who was meant")).remoteKey, key)).toBe(true)
        yield* nextLink(a, "its link")
        // Only places that lead elsewhere, and nobody to find: over in time, with nothing to show.
        const many = Array.from({ length: 2_000 }, (_, index) => ({ host: placeOfC.host, port: 10 + index }))
        for (const hints of [[placeOfC, ...many], nonsense]) {
          const dial = isOver(b.transport.dial({ kind: "key", key: topic(201), hints }))
          yield* soon("a dial that leads nowhere", dial.pipe(Effect.timeoutOption(traits.dialLimitMs)))
        }
        yield* Effect.sleep(traits.quietMs)
        expect([a.seen.length, b.seen.length, c.seen.length]).toEqual([1, 2, 1])
      })
    )

    pair("however often a dial failed, the next one connects when the peer is there", (a, b, world) =>
      Effect.gen(function* () {
        const key = b.transport.localKey
        yield* b.stop
        for (let tries = 0; tries < 6; tries++) {
          yield* a.transport.dial({ kind: "key", key }).pipe(Effect.timeoutOption(traits.quietMs))
        }
        expect(a.seen.length).toBe(0)
        yield* start(world.node(2))
        yield* a.transport.dial({ kind: "key", key })
        yield* nextLink(a, "the peer that came at last")
      })
    )

    check("a lookup names who announces a topic, and dials nobody; oneself is not named", (world) =>
      Effect.gen(function* () {
        const [a, b, c] = [yield* start(world.node(1)), yield* start(world.node(2)), yield* start(world.node(3))]
        yield* Effect.all([a.transport.announce(topic(7)), b.transport.announce(topic(7))], { concurrency: 2 })
        yield* c.transport.announce(topic(8))
        const names = (node: Node, of: number) =>
          Effect.map(soon("a lookup", node.transport.lookup(topic(of))), (keys) => keys.map(digest).sort())
        const [ofA, ofB] = [digest(a.transport.localKey), digest(b.transport.localKey)]
        expect(yield* names(c, 7)).toEqual([ofA, ofB].sort())
        expect(yield* names(a, 7)).toEqual([ofB])
        expect(yield* names(c, 9)).toEqual([])
        yield* Effect.sleep(traits.quietMs)
        expect([a, b, c].map((node) => node.seen.length)).toEqual([0, 0, 0])
      })
    )

    check("what is withdrawn no lookup names any more, and the other topics of the same node stay", (world) =>
      Effect.gen(function* () {
        const [a, b] = [yield* start(world.node(1)), yield* start(world.node(2))]
        yield* a.transport.announce(topic(7))
        yield* a.transport.announce(topic(8))
        expect((yield* b.transport.lookup(topic(7))).length).toBe(1)
        yield* a.transport.withdraw(topic(7))
        expect(yield* b.transport.lookup(topic(7))).toEqual([])
        expect((yield* b.transport.lookup(topic(8))).length).toBe(1)
        // Withdrawn while it was still being announced: the later word counts.
        yield* Effect.all(
          [a.transport.announce(topic(9)), Effect.andThen(Effect.sleep(1), a.transport.withdraw(topic(9)))],
          {
            concurrency: 2
          }
        ).pipe(Effect.ignore)
        yield* Effect.sleep(traits.quietMs)
        expect(yield* b.transport.lookup(topic(9))).toEqual([])
      })
    )

    check("two that announce within 100 ms of each other find each other within five seconds", (world) =>
      Effect.gen(function* () {
        const [a, b] = [yield* start(world.node(1)), yield* start(world.node(2))]
        const seek = (node: Node) =>
          Effect.gen(function* () {
            yield* Effect.forkChild(Effect.ignore(node.transport.announce(topic(7))))
            for (const pauseMs of [0, 300, 700, 1_500, 1_500]) {
              yield* Effect.sleep(pauseMs)
              if ((yield* node.transport.lookup(topic(7))).length > 0) return
            }
            return yield* Effect.fail(new Error("nobody was found"))
          })
        yield* Effect.all([seek(a), Effect.andThen(Effect.sleep(60), seek(b))], { concurrency: 2 }).pipe(
          Effect.timeoutOrElse({ duration: 5_000, orElse: () => Effect.fail(new Error("not within five seconds")) })
        )
      })
    )

    check("two topics live on one transport, each with its own finder", (world) =>
      Effect.gen(function* () {
        const [a, b, c] = [yield* start(world.node(1)), yield* start(world.node(2)), yield* start(world.node(3))]
        yield* Effect.all([a.transport.announce(topic(7)), a.transport.announce(topic(8))], { concurrency: 2 })
        yield* b.transport.dial({ kind: "topic", topic: topic(7) })
        yield* c.transport.dial({ kind: "topic", topic: topic(8) })
        const [ofB, ofC] = [yield* nextLink(b, "the first"), yield* nextLink(c, "the second")]
        expect([...ofB.topics, ...ofC.topics].map(digest)).toEqual([digest(topic(7)), digest(topic(8))])
        const keys = [yield* nextLink(a, "one"), yield* nextLink(a, "other")].map((link) => digest(link.remoteKey))
        expect(new Set(keys)).toEqual(new Set([digest(b.transport.localKey), digest(c.transport.localKey)]))
      })
    )

    check(
      "whoever announces a foreign topic is found too, under its own key, and is not taken for the other",
      (world) =>
        Effect.gen(function* () {
          const [a, mallory, b] = [
            yield* start(world.node(1)),
            yield* start(world.node(66)),
            yield* start(world.node(2))
          ]
          yield* a.transport.announce(topic(7))
          yield* mallory.transport.announce(topic(7))
          yield* b.transport.dial({ kind: "topic", topic: topic(7) })
          const found = [yield* nextLink(b, "one"), yield* nextLink(b, "other")]
          const keys = [a, mallory].map((node) => digest(node.transport.localKey))
          expect(new Set(found.map((link) => digest(link.remoteKey)))).toEqual(new Set(keys))
          for (const link of found) expect(link.topics.map(digest)).toEqual([digest(topic(7))])
          expect(new Set(found.map((link) => link.id)).size).toBe(2)
        })
    )

    pair("dialling nobody is over in time and brings nothing; nor does dialling oneself", (a, b) =>
      Effect.gen(function* () {
        const bounded = (dial: Effect.Effect<void, TransportError>) =>
          isOver(dial).pipe(
            Effect.timeoutOrElse({
              duration: traits.dialLimitMs,
              orElse: () => Effect.fail(new Error("the dial did not end"))
            })
          )
        yield* b.transport.announce(topic(9))
        yield* bounded(a.transport.dial({ kind: "topic", topic: topic(200) }))
        yield* bounded(a.transport.dial({ kind: "key", key: topic(201) }))
        yield* bounded(a.transport.dial({ kind: "key", key: a.transport.localKey }))
        yield* bounded(b.transport.dial({ kind: "topic", topic: topic(9) }))
        yield* Effect.sleep(traits.quietMs)
        expect([a.seen.length, b.seen.length]).toEqual([0, 0])
      })
    )

    pair("too much in one send is refused, and the link lives on", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        expect((yield* Effect.flip(ofB.send(new Uint8Array(4 * 1024 * 1024 + 1)))).code).toBe("too-large")
        yield* ofB.send(new Uint8Array([5]))
        expect([...(yield* soon("a byte", read(ofA, 1)))]).toEqual([5])
      })
    )

    pair("the sender may reuse its bytes as soon as send returned, or was interrupted", (a, b) =>
      Effect.gen(function* () {
        const [ofA, ofB] = yield* meet(a, b)
        const bytes = pattern(50_000, 1)
        const expected = digest(Buffer.concat([bytes, bytes]))
        yield* ofB.send(bytes)
        yield* ofB.send(bytes)
        bytes.fill(0)
        expect(digest(yield* soon("both", read(ofA, 100_000)))).toBe(expected)
        const long = pattern(3 * 1024 * 1024, 2)
        const whole = digest(long)
        yield* ofB.send(long).pipe(Effect.timeoutOption(traits.quietMs))
        long.fill(0)
        expect(digest(yield* soon("the rest of an interrupted send", read(ofA, long.length)))).toBe(whole)
      })
    )

    pair("a node that was closed is not reachable any more", (a, b, world) =>
      Effect.gen(function* () {
        const key = a.transport.localKey
        yield* a.transport.announce(topic(7))
        yield* soon("the stop", a.stop)
        const dials = [b.transport.dial({ kind: "key", key }), b.transport.dial({ kind: "topic", topic: topic(7) })]
        yield* Effect.forEach(dials, (dial) => Effect.timeoutOption(isOver(dial), 2 * traits.quietMs), {
          concurrency: 2
        })
        expect(b.seen.length).toBe(0)
        const fresh = yield* start(world.node(3))
        yield* fresh.transport.dial({ kind: "topic", topic: topic(7) })
        expect(fresh.seen.length).toBe(0)
      })
    )
  })
}
