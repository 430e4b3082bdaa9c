/**
 * Agents that meet without a chat: processes on a local DHT that join a topic, read each other's profiles, and connect.
 * It must only do what a person can do: type lines and read what is printed.
 * Everything goes over real Hyperswarm; the room's file stays empty, because nobody posts anything.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { clearPlaces, makePlace, type Place, until } from "./stage.ts"

const nodes: Array<Child.Child> = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
})
afterAll(clearPlaces)

const begin = async (place: Place, name: string): Promise<Child.Child> => {
  const at = ["--name", name, "--data", join(place.folder, name), "--room", place.room, "--sandbox", "off"]
  const node = Child.start([...at, "--local", "--local-port", String(place.port)], place.env)
  nodes.push(node)
  await node.wait(`${name}'s start`, (told) => told.event === "started")
  return node
}

const ask = (node: Child.Child, line: string): Promise<Child.Told> => {
  const after = node.told.length
  node.type(line)
  return node.wait(`the reply to ${line}`, (told) => told.event === "reply", 20_000, after)
}
const does = async (node: Child.Child, line: string): Promise<Child.Told> => {
  const reply = await ask(node, line)
  expect(reply, line).toMatchObject({ ok: true })
  return reply
}
const linesOf = async (node: Child.Child, question: string): Promise<string> =>
  ((await does(node, question))["lines"] as ReadonlyArray<string>).join("\n")
const discovered = (name: string) => (told: Child.Told) => told.event === "discovered" && told["name"] === name
const texts = (place: Place, node: string): string => {
  const folder = join(place.folder, node, "conversations")
  return existsSync(folder) ? folder : ""
}

describe("a topic", () => {
  it("is where two who never met find each other, become friends, write both ways, and part", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await does(bob, "/profile bob chess,go : plays at night")
    await Promise.all([does(alice, "/topic join Chess"), does(bob, "/topic join chess")])
    await alice.wait("bob", discovered("bob"), 15_000)
    await bob.wait("alice", discovered("alice"), 15_000)
    expect(await linesOf(alice, "/discovered chess")).toMatch(/@bob#\S{8} in chess \[chess, go\]: plays at night/)
    expect(await linesOf(alice, "/topic list")).toMatch(/^chess: 1 member known$/)

    await does(alice, "/connect @bob : a game?")
    const asked = await bob.wait("the question", (told) => told.event === "connect-asked")
    expect(asked).toMatchObject({ name: "alice", where: "topic:chess", note: "a game?" })
    expect(asked["fingerprint"]).toMatch(/\w+/)
    await does(bob, "/accept @alice")
    await alice.wait("the friendship", (told) => told.event === "friendship")
    const { id } = await does(alice, "/message @bob hello bob")
    await alice.wait("delivery", (told) => told.event === "delivered" && told["id"] === id)
    const back = await does(bob, "/message @alice hello alice")
    await bob.wait("delivery", (told) => told.event === "delivered" && told["id"] === back["id"])
    expect(await linesOf(bob, "/friends")).toContain("may message;")
    await until("what bob wrote is kept", async () => texts(place, "alice") !== "", 20_000)

    await does(bob, "/topic leave chess")
    await alice.wait("bob's leave", (told) => told.event === "member-left" && told["name"] === "bob", 15_000)
    expect(await linesOf(alice, "/discovered")).not.toContain("bob")
    // They stay friends: that was never the topic's.
    const last = await does(alice, "/message @bob still here")
    await alice.wait("delivery", (told) => told.event === "delivered" && told["id"] === last["id"])
    if (existsSync(place.room)) expect(readFileSync(place.room, "utf8")).toBe("")
  }, 90_000)

  it("that is secret is found by holders of its key alone, survives a restart, and prints its key once", async () => {
    const place = await makePlace()
    const [alice, bob, eve] = await Promise.all([begin(place, "alice"), begin(place, "bob"), begin(place, "eve")])
    const made = (await does(alice, "/topic new-secret chess"))["topic"] as string
    const key = made.split("#")[1]!
    expect(key).toMatch(/^[\w-]{22}$/)
    await does(eve, "/topic join chess")
    await does(eve, `/topic join chess#${"A".repeat(22)}`)
    await does(alice, `/topic join ${made}`)
    await does(bob, `/topic join ${made}`)
    await alice.wait("bob", discovered("bob"), 15_000)
    await bob.stop("SIGKILL")
    const again = await begin(place, "bob")
    await again.wait("alice", discovered("alice"), 45_000)
    expect(await linesOf(again, "/topic list")).toMatch(/^chess \(secret\): \d members? known$/)
    expect(await linesOf(eve, "/discovered")).toBe("nobody is known there yet")
    for (const node of [bob, eve, again]) expect(JSON.stringify(node.told)).not.toContain(key)
    expect(JSON.stringify(alice.told).split(key).length - 1).toBe(1)
  }, 150_000)

  it("makes one friendship of two requests that are made at the same moment", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await Promise.all([does(alice, "/topic join chess"), does(bob, "/topic join chess")])
    await Promise.all([alice.wait("bob", discovered("bob"), 15_000), bob.wait("alice", discovered("alice"), 15_000)])
    await Promise.all([does(alice, "/connect @bob"), does(bob, "/connect @alice")])
    for (const node of [alice, bob]) await node.wait("the friendship", (told) => told.event === "friendship", 30_000)
    await until(
      "both name one friend",
      async () => {
        const lines = await Promise.all([linesOf(alice, "/friends"), linesOf(bob, "/friends")])
        return lines.every((text) => text.split("\n").length === 1 && text.includes("connected"))
      },
      20_000
    )
  }, 90_000)
})
