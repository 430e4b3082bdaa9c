/**
 * A node whose event loop stands still for a minute, as a laptop's does that sleeps: two real programs, SIGSTOP, SIGCONT.
 * It never helps the connection along; what is waited for is what the two print.
 * The DHT lies in this process, so that freezing a node freezes nothing but the node.
 */
import { setTimeout as pause } from "node:timers/promises"
import { Effect, Exit, Scope } from "effect"
import { afterAll, expect, it } from "vitest"
import { testnet } from "../../adapters/hyperswarm/LocalDht.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { clearPlaces, makePlace } from "./stage.ts"

const frozenMs = 61_000
/** A dead far end is noticed after 12 to 18 seconds. */
const noticedMs = 25_000

const nodes: Array<Child.Child> = []
const scope = Effect.runSync(Scope.make())
afterAll(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  clearPlaces()
})

const texts = (node: Child.Child): ReadonlyArray<string> =>
  node.told.filter(({ event }) => event === "received").map((told) => (told["entry"] as { readonly text: string }).text)

it("two friends talk on after either was frozen for a minute; the other notices, and nothing is lost or doubled", async () => {
  const place = await makePlace()
  const [dht] = await Effect.runPromise(Scope.provide(testnet, scope))
  const begin = async (name: string): Promise<Child.Child> => {
    const common = ["--data", `${place.folder}/${name}`, "--room", place.room, "--sandbox", "off"]
    const node = Child.start(["--name", name, ...common, "--bootstrap", `127.0.0.1:${dht!.port}`], place.env)
    nodes.push(node)
    await node.wait(`${name} is up`, ({ event }) => event === "started")
    return node
  }
  const [alice, bob] = [await begin("alice"), await begin("bob")]
  alice.type("/friend @bob")
  await bob.wait("a request", ({ event }) => event === "request-received")
  bob.type("/accept @alice")
  await alice.wait("friends", ({ event }) => event === "friendship")
  const say = async (from: Child.Child, name: string, text: string, limitMs = 20_000) => {
    const after = from.told.length
    from.type(`/message @${name} ${text}`)
    await from.wait(`"${text}" is delivered`, ({ event }) => event === "delivered", limitMs, after)
  }
  await say(alice, "bob", "before")
  for (const [frozen, other, name] of [
    [bob, alice, "bob"],
    [alice, bob, "alice"]
  ] as const) {
    const after = other.told.length
    process.kill(frozen.pid, "SIGSTOP")
    const thawed = pause(frozenMs)
    const delivered = say(other, name, `while ${name} stands still`, frozenMs + 60_000)
    await other.wait("the link is dead", ({ event }) => event === "disconnected", noticedMs, after)
    await thawed
    process.kill(frozen.pid, "SIGCONT")
    await delivered
    await say(frozen, name === "bob" ? "alice" : "bob", `${name} is back`, 60_000)
  }
  expect(texts(bob)).toEqual(["before", "while bob stands still", "alice is back"])
  expect(texts(alice)).toEqual(["bob is back", "while alice stands still"])
  for (const node of [alice, bob]) expect(await node.stop()).toBe(0)
}, 240_000)
