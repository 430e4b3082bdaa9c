/**
 * Friends who find each other while no DHT node is left to ask: real programs, killed and started again on their folders.
 * It never tells a node where the other is; what they remember of each other is all they have.
 * The other half is the reverse: what they remember is wrong and held by somebody who is silent, and a lookup has to do.
 */
import { createSocket } from "node:dgram"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, describe, expect, it } from "vitest"
import { usualPort } from "../../adapters/hyperswarm/Hints.ts"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { clearPlaces, isFree, makePlace, type Place } from "./stage.ts"

/** From a program's start, with nobody to look anything up: two seconds of waiting for the DHT, and a dial or two. */
const arrivesMs = 20_000

const nodes: Array<Child.Child> = []
const scope = Effect.runSync(Scope.make())
afterAll(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  clearPlaces()
})

/** A DHT of a story's own, and its end. */
const makeDht = async () => {
  const own = await Effect.runPromise(Scope.fork(scope))
  const dht = await Effect.runPromise(Scope.provide(testnet, own))
  const end = async () => {
    await Effect.runPromise(Scope.close(own, Exit.void))
    expect(await isFree(dht[0]!.port)).toBe(true)
  }
  return { bootstrap: dht.flatMap(({ host, port }) => ["--bootstrap", `${host}:${port}`]), end }
}

const begin = async (place: Place, name: string, bootstrap: ReadonlyArray<string>): Promise<Child.Child> => {
  const common = ["--data", join(place.folder, name), "--room", place.room, "--sandbox", "off"]
  const node = Child.start(["--name", name, ...common, ...bootstrap], place.env)
  nodes.push(node)
  await node.wait(`${name} is up`, ({ event }) => event === "started")
  return node
}

const say = async (from: Child.Child, name: string, text: string, limitMs = arrivesMs) => {
  const after = from.told.length
  from.type(`/message @${name} ${text}`)
  await from.wait(`"${text}" is delivered`, ({ event }) => event === "delivered", limitMs, after)
}

const texts = (...runs: ReadonlyArray<Child.Child>): ReadonlyArray<string> =>
  runs
    .flatMap(({ told }) => told.filter(({ event }) => event === "received"))
    .map((told) => (told["entry"] as { readonly text: string }).text)

const befriend = async (alice: Child.Child, bob: Child.Child) => {
  alice.type("/friend @bob")
  await bob.wait("a request", ({ event }) => event === "request-received")
  bob.type("/accept @alice")
  await alice.wait("friends", ({ event }) => event === "friendship")
}

/** What a node that has ended in order has on disk of its one friend. */
const remembered = (place: Place, name: string) => {
  const found: Array<{
    readonly swarmKey: string
    readonly addresses?: ReadonlyArray<{ host: string; port: number }>
  }> = []
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    if ("swarmKey" in value && "peerId" in value) found.push(value as (typeof found)[number])
    else for (const one of Object.values(value)) look(one)
  }
  look(JSON.parse(readFileSync(join(place.folder, name, "friends.json"), "utf8")))
  return found[0]!
}

/** Takes UDP ports and answers nothing; frees them when called. */
const hold = async (ports: ReadonlyArray<number>): Promise<() => void> => {
  const sockets = await Promise.all(
    ports.map(
      (port) =>
        new Promise<ReturnType<typeof createSocket>>((resolve, reject) => {
          const socket = createSocket("udp4")
          socket.once("error", reject)
          socket.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(socket))
        })
    )
  )
  return () => {
    for (const socket of sockets) socket.close()
  }
}

describe.concurrent("friends who know where the other was", () => {
  it("talk on when every DHT node is gone: after one was killed, and after both were", {
    timeout: 120_000
  }, async () => {
    const place = await makePlace()
    const { bootstrap, end } = await makeDht()
    let [alice, bob] = [await begin(place, "alice", bootstrap), await begin(place, "bob", bootstrap)]
    const [firstAlice, firstBob] = [alice, bob]
    await befriend(alice, bob)
    await say(alice, "bob", "while there is a DHT")
    await end()

    await bob.stop("SIGKILL")
    bob = await begin(place, "bob", bootstrap)
    await say(bob, "alice", "I was killed")
    await say(alice, "bob", "welcome back")

    await Promise.all([alice.stop("SIGKILL"), bob.stop("SIGKILL")])
    const secondBob = bob
    ;[alice, bob] = await Promise.all([begin(place, "alice", bootstrap), begin(place, "bob", bootstrap)])
    await say(alice, "bob", "both of us were")
    await say(bob, "alice", "and here we are")

    expect(texts(firstBob, secondBob, bob)).toEqual(["while there is a DHT", "welcome back", "both of us were"])
    expect(texts(firstAlice, alice)).toEqual(["I was killed", "and here we are"])
    for (const node of [alice, bob]) expect(await node.stop()).toBe(0)
  })

  it("are not misled by what they know: others have the places now and are silent, and a lookup finds the friend", {
    timeout: 120_000
  }, async () => {
    const place = await makePlace()
    const { bootstrap } = await makeDht()
    let [alice, bob] = [await begin(place, "alice", bootstrap), await begin(place, "bob", bootstrap)]
    await befriend(alice, bob)
    await say(alice, "bob", "here I am")
    for (const node of [alice, bob]) expect(await node.stop()).toBe(0)

    const { addresses = [], swarmKey } = remembered(place, "alice")
    expect(addresses.length).toBeGreaterThan(0)
    const usual = usualPort(Buffer.from(swarmKey, "base64url"))
    const ports = new Set([...addresses.map(({ port }) => port), ...[0, 1, 2, 3, 4].map((more) => usual + more)])
    const free = await hold([...ports])
    try {
      ;[bob, alice] = [await begin(place, "bob", bootstrap), await begin(place, "alice", bootstrap)]
      await say(alice, "bob", "where did you go?")
      expect(texts(bob)).toEqual(["where did you go?"])
      for (const node of [alice, bob]) expect(await node.stop()).toBe(0)
      // And where bob is now is known.
      const [newest] = remembered(place, "alice").addresses ?? []
      expect(ports.has(newest!.port)).toBe(false)
    } finally {
      free()
    }
  })
})
