/**
 * Attackers on the wire, against whole nodes over real Hyperswarm: impostors, replayers, forgers, floods, silence.
 * The attacker has the source: it speaks through the same transport and uses the shipped session code where it helps.
 * What must hold: it reads nothing, forges nothing, is named, costs a bounded amount, and honest talk goes on.
 */
import { Effect, Exit, Layer, Redacted, Result, Scope, Stream } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type DhtAddress, localTiming, testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import * as Hyperswarm from "../../adapters/hyperswarm/Transport.ts"
import * as Sodium from "../../adapters/sodium/Crypto.ts"
import { Frame, Keys, Limits, Node, Opening, PeerId, Rejection } from "../../core/index.ts"
import { Crypto } from "../../ports/Crypto.ts"
import { type Link, Transport, type TransportShape } from "../../ports/Transport.ts"
import { type Actor, befriend, deliver, makeWorld, pause, says, until } from "../world/World.ts"

const crypto = Effect.runSync(Crypto.pipe(Effect.provide(Sodium.layer)))
const scope = Effect.runSync(Scope.make())
let bootstrap: ReadonlyArray<DhtAddress> = []
beforeAll(async () => {
  bootstrap = await Effect.runPromise(Scope.provide(testnet, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** The real transport of a node, optionally with every link passed through a hand of ours. */
const swarm = (touch: (link: Link) => Link = (link) => link): Layer.Layer<Transport> =>
  Layer.unwrap(
    Effect.map(Node.loadKeys, ({ swarmSeed }) => Hyperswarm.layer({ swarmSeed, bootstrap, ...localTiming }))
  ).pipe(
    (layer) =>
      Layer.effect(
        Transport,
        Effect.map(Transport, (transport) => ({ ...transport, links: Stream.map(transport.links, touch) }))
      ).pipe(Layer.provide(layer)),
    Layer.orDie
  ) as unknown as Layer.Layer<Transport>

/** An attacker's own swarm: sees every link, and every byte on it. */
const attacker = async () => {
  const own = Effect.runSync(Scope.make())
  const seed = Redacted.make(crypto.randomBytes(32))
  const transport: TransportShape = await Effect.runPromise(
    Scope.provide(Hyperswarm.make({ swarmSeed: seed, bootstrap, ...localTiming }), own)
  )
  const links: Array<{ readonly link: Link; readonly received: Array<Uint8Array>; closed: boolean }> = []
  const onLink = (link: Link) => {
    const seen = { link, received: [] as Array<Uint8Array>, closed: false }
    links.push(seen)
    return Stream.runForEach(link.receive, (bytes) => Effect.sync(() => seen.received.push(bytes))).pipe(
      Effect.catch(() => Effect.void),
      Effect.ensuring(
        Effect.sync(() => {
          seen.closed = true
        })
      ),
      Effect.forkDetach
    )
  }
  Effect.runFork(Stream.runForEach(transport.links, onLink))
  return {
    transport,
    links,
    /** Dials a node by its topic and gives the link. */
    dial: async (victim: Actor) => {
      const before = links.length
      await Effect.runPromise(transport.dial({ kind: "topic", topic: await topicOf(victim) }))
      await until("the attacker is connected", () => links.length > before)
      return links[links.length - 1]!
    },
    send: (link: Link, bytes: Uint8Array) => Effect.runPromise(link.send(bytes).pipe(Effect.catch(() => Effect.void))),
    end: () => Effect.runPromise(Scope.close(own, Exit.void))
  }
}
type Attacker = Awaited<ReturnType<typeof attacker>>

const topicOf = async (actor: Actor): Promise<Uint8Array> => {
  const { identityKey } = await actor.describe()
  return PeerId.topicOf(crypto, Keys.keyBytes(identityKey))
}

const framesOf = (bytes: ReadonlyArray<Uint8Array>): ReadonlyArray<Frame.Frame> => {
  let reader = bytes.reduce(Frame.push, Frame.reader)
  const frames: Array<Frame.Frame> = []
  for (;;) {
    const next = Frame.next(reader, Limits.frameBytesMax)
    if (next.frame === undefined) return frames
    frames.push(next.frame)
    reader = next.reader
  }
}

const pairOverSwarm = async (touchAlice?: (link: Link) => Link, touchBob?: (link: Link) => Link) => {
  const world = makeWorld()
  const alice = await world.start("alice", { transport: swarm(touchAlice) })
  const bob = await world.start("bob", { transport: swarm(touchBob) })
  await befriend(alice, bob)
  return { world, alice, bob }
}

/** Answers a dial as a responder would, with keys of the attacker's own; gives what was sent. */
const answerAs = async (mallory: Attacker, seen: Attacker["links"][number], keys: Keys.LocalKeys) => {
  await until("the victim speaks", () => framesOf(seen.received).length >= 2)
  let opening: Opening.Opening | undefined = Opening.accept({
    crypto,
    keys,
    swarmKey: mallory.transport.localKey,
    binding: seen.link.binding,
    remoteSwarmKey: seen.link.remoteKey,
    entropy: crypto.randomBytes(32)
  })
  for (const frame of framesOf(seen.received)) {
    if (opening === undefined) return
    const progress = Opening.receive(opening, frame, Date.now())
    if (Result.isFailure(progress)) return
    opening = progress.success.opening
    for (const reply of progress.success.send) await mallory.send(seen.link, Frame.encode(reply))
  }
}

describe("3 · encryption keeps others out", () => {
  it("an impostor on a friend's topic reads nothing, forges no receipt, and is named", {
    timeout: 40_000
  }, async () => {
    const { alice, bob, world } = await pairOverSwarm()
    const topic = await topicOf(bob)
    await bob.stop()
    const mallory = await attacker()
    await Effect.runPromise(mallory.transport.announce(topic))
    const secret = "for bob's eyes only"
    const reply = await alice.command(says.message("bob", secret))
    await until("alice has dialled the impostor", () => mallory.links.length > 0, 20_000)
    const seen = mallory.links[0]!
    await answerAs(mallory, seen, Keys.generate(crypto, 0))
    const named = await alice.wait("LinkRefused", (event) => event.rejection.code === "impostor", 15_000)
    expect(named.names).toEqual(["bob"])
    expect(named.swarmKey).toBe(Buffer.from(mallory.transport.localKey).toString("base64url"))
    // Nothing but the preface and Noise message 1: no third message, so no identity, and no plaintext.
    expect(framesOf(seen.received).map((frame) => frame.type)).toEqual(["preface", "handshake"])
    const everything = Buffer.concat(mallory.links.flatMap((link) => link.received))
    expect(everything.includes(secret)).toBe(false)
    expect(everything.includes((await alice.describe()).identityKey)).toBe(false)
    expect(alice.events.some((event) => event._tag === "Delivered" && reply.ok && event.id === reply.id)).toBe(false)
    // The friend comes back while the impostor is still there: the message arrives.
    const bob2 = await world.start("bob", { remains: bob.remains, transport: swarm() })
    await alice.wait("Delivered", (event) => reply.ok && event.id === reply.id, 20_000)
    expect(await bob2.shown("alice")).toEqual([secret])
    await mallory.end()
    await world.end()
  })

  it("a whole recorded connection, replayed, opens nothing and shows nothing twice", { timeout: 40_000 }, async () => {
    const recorded: Array<Uint8Array> = []
    const { alice, bob, world } = await pairOverSwarm((link) => ({
      ...link,
      send: (bytes) => {
        recorded.push(bytes.slice())
        return link.send(bytes)
      }
    }))
    await deliver(alice, bob, "only once")
    const mallory = await attacker()
    const seen = await mallory.dial(bob)
    for (const bytes of recorded) await mallory.send(seen.link, bytes)
    const refused = await bob.wait("LinkRefused", () => true, 15_000)
    expect(Rejection.isCode(refused.rejection.code)).toBe(true)
    expect(["handshake-failed", "proof-invalid", "frame-out-of-place"]).toContain(refused.rejection.code)
    expect(await bob.shown("alice")).toEqual(["only once"])
    await mallory.end()
    await world.end()
  })

  it("a frame replayed in a live session ends the session; the friends go on and nothing is doubled", {
    timeout: 40_000
  }, async () => {
    let replay = false
    const { alice, bob, world } = await pairOverSwarm((link) => ({
      ...link,
      send: (bytes) =>
        replay && bytes[4] === 3
          ? link.send(bytes).pipe(
              Effect.andThen(
                Effect.suspend(() => {
                  replay = false
                  return link.send(bytes)
                })
              )
            )
          : link.send(bytes)
    }))
    await deliver(alice, bob, "first")
    replay = true
    await deliver(alice, bob, "second")
    await bob.wait("Disconnected", (event) => event.code === "record-forged")
    await deliver(alice, bob, "third")
    expect(await bob.shown("alice")).toEqual(["first", "second", "third"])
    await world.end()
  })
})

describe("14 · a ban needs repeated violations", () => {
  it("ten forged records within an hour shut a friend out; befriending anew lets it in at once", {
    timeout: 60_000
  }, async () => {
    let replay = true
    // The greeting and one text go through: who breaks every session before that is dialled ever more seldom.
    const { alice, bob, world } = await pairOverSwarm((link) => {
      let records = 0
      return {
        ...link,
        send: (bytes) =>
          replay && bytes[4] === 3 && ++records > 2
            ? link.send(bytes).pipe(Effect.andThen(link.send(bytes)))
            : link.send(bytes)
      }
    })
    for (let index = 0; index < 40 && !bob.events.some((event) => event._tag === "Banned"); index++) {
      const ends = () => bob.events.filter(({ _tag }) => _tag === "Disconnected" || _tag === "Received").length
      const before = ends()
      await alice.command(says.message("bob", `m${index}`))
      await until("it arrived, or the session broke", () => ends() > before, 15_000)
    }
    const banned = await bob.wait("Banned")
    expect(banned.rejection.code).toBe("record-forged")
    expect((await bob.describe()).friends[0]?.bannedUntilMs).toBeGreaterThan(Date.now())
    replay = false
    const during = await alice.command(says.message("bob", "let me in"))
    await pause(1_500)
    expect(alice.events.some((event) => event._tag === "Delivered" && during.ok && event.id === during.id)).toBe(false)
    await bob.command(says.unfriend("alice"))
    await alice.command(says.unfriend("bob"))
    await alice.command(says.friend("bob"))
    await until("asked anew", () => bob.events.filter((event) => event._tag === "RequestReceived").length === 2)
    await bob.command(says.accept("alice"))
    await until("friends anew", () => alice.events.filter((event) => event._tag === "FriendshipMade").length === 2)
    await deliver(alice, bob, "back in")
    await world.end()
  })
})

describe("13 · size limits", () => {
  it("are checked before anything is buffered; half frames, silence and floods cost a bounded amount", {
    timeout: 40_000
  }, async () => {
    const { alice, bob, world } = await pairOverSwarm()
    await deliver(alice, bob, "before")
    const mallory = await attacker()
    const oversize = await mallory.dial(bob)
    await mallory.send(oversize.link, new Uint8Array([0x40, 0, 0, 0, 1]))
    await bob.wait("LinkRefused", (event) => event.rejection.code === "frame-too-large")
    await until("the oversize link is closed", () => oversize.closed)
    const half = await mallory.dial(bob)
    await mallory.send(half.link, new Uint8Array([0, 0, 0x20, 0, 2, 1, 2, 3]))
    await bob.wait("LinkRefused", (event) => event.rejection.code === "opening-timeout", 20_000)
    const flood = await mallory.dial(bob)
    const before = process.memoryUsage().rss
    for (let sent = 0; sent < 200 && !flood.closed; sent++)
      await mallory.send(flood.link, new Uint8Array(65_536).fill(0xff))
    await until("the flood is cut off", () => flood.closed)
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
    await deliver(alice, bob, "after")
    expect(await bob.shown("alice")).toEqual(["before", "after"])
    await mallory.end()
    await world.end()
  })

  it("text cut in the middle of a character by the network arrives whole", { timeout: 20_000 }, async () => {
    const slices = (link: Link): Link => ({
      ...link,
      receive: Stream.flatMap(link.receive, (bytes) =>
        Stream.fromIterable(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)))
      )
    })
    const { alice, bob, world } = await pairOverSwarm(undefined, slices)
    const text = "größer – 🦊 – ελληνικά"
    await deliver(alice, bob, text)
    expect(await bob.shown("alice")).toEqual([text])
    await world.end()
  })
})

describe("15 · answers are authentic", () => {
  it("receipts and answers come only out of the session of the friend who was asked", { timeout: 30_000 }, async () => {
    const { alice, bob, world } = await pairOverSwarm()
    await bob.command(says.grant("alice", "inject"))
    const carol = await world.start("carol", { transport: swarm() })
    await befriend(alice, carol)
    const reply = await alice.command(says.inject("bob", "really you?"))
    const answered = await alice.wait("Answered", (event) => reply.ok && event.id === reply.id)
    const { friends } = await alice.describe()
    expect(answered.peerId).toBe(friends.find((friend) => friend.name === "bob")?.peerId)
    expect(await alice.shown("bob")).toEqual(["you asked: really you?"])
    expect(await alice.shown("carol")).toEqual([])
    await world.end()
  })
})

describe("the former generation", () => {
  it("is recognised and told in its own words that protocol 3 is needed", { timeout: 20_000 }, async () => {
    const { bob, world } = await pairOverSwarm()
    const mallory = await attacker()
    const seen = await mallory.dial(bob)
    await mallory.send(seen.link, new TextEncoder().encode('{"v":2,"type":"hello","from":"MCowBQYDK2Vw"}\n'))
    await bob.wait("LinkRefused", (event) => event.rejection.code === "legacy-peer")
    await until("it was answered", () => seen.received.length > 0)
    const answer = JSON.parse(Buffer.concat(seen.received).toString()) as Record<string, unknown>
    expect(answer["type"]).toBe("reject")
    expect(answer["reason"]).toMatch(/wop\/3/)
    await mallory.end()
    await world.end()
  })
  it("and a sealed record without a handshake is out of place", { timeout: 20_000 }, async () => {
    const { bob, world } = await pairOverSwarm()
    const mallory = await attacker()
    const seen = await mallory.dial(bob)
    await mallory.send(seen.link, Frame.encode({ type: "record", body: new Uint8Array(64) }))
    await bob.wait("LinkRefused", (event) => event.rejection.code === "frame-out-of-place")
    await pause(50)
    expect(seen.received).toEqual([])
    await mallory.end()
    await world.end()
  })
})
