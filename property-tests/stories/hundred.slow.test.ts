/**
 * A hundred messages queued for a friend who is away, under the limits of the protocol as they are: 30 a minute.
 * It must not configure a limit away or move a clock; a person who waits sees exactly this.
 * It takes as long as the limit makes it take, which is why it is a long story.
 */
import { afterAll, expect, it } from "vitest"
import { befriend, makeWorld, says, until } from "../world/World.ts"

const world = makeWorld()
afterAll(() => world.end())

it("arrive all, once, in order, and nobody is banned for them", async () => {
  const alice = await world.start("alice")
  const bob = await world.start("bob")
  await befriend(alice, bob)
  await bob.stop()
  const texts = Array.from({ length: 100 }, (_, index) => `message ${index}`)
  for (const text of texts) expect((await alice.command(says.message("bob", text))).ok).toBe(true)
  const back = await world.start("bob", { remains: bob.remains })
  await until("all hundred are shown", async () => (await back.shown("alice")).length === 100, 240_000)
  expect(await back.shown("alice")).toEqual(texts)
  await until("all are confirmed", async () => (await alice.describe()).queue.length === 0, 20_000)
  expect(alice.events.filter((event) => event._tag === "Refused")).toEqual([])
  expect(back.events.filter((event) => event._tag === "Banned")).toEqual([])
})
