/**
 * The event stream over real sockets: what is kept, where a reader goes on, and what becomes of one that does not read.
 * It never waits for a reader that it has made slow; whoever is told of that is the reader itself.
 * Events are told here faster than any node would, because a bound that is never met says nothing.
 */
import { once } from "node:events"
import { createServer, get, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import fc from "fast-check"
import { afterEach, beforeEach, expect, it } from "vitest"
import type { Event, PeerId } from "../../core/index.ts"
import * as Bounds from "../../plugin/web/Bounds.ts"
import * as Events from "../../plugin/web/Events.ts"
import { until } from "./Stage.ts"

const received = (text: string): Event.Event => ({
  _tag: "Received",
  peerId: "p" as PeerId.PeerId,
  name: "bob",
  bytes: text.length,
  entry: { id: "i", conversation: "c", label: "l", atMs: 1, from: "bob", text }
})

let events: Events.Events
let refused: ReadonlyArray<string> = []
let port = 0
const server = createServer((request, response) => {
  const [session, after] = new URL(request.url!, "http://x").pathname.slice(1).split("/")
  const no = events.attach(response, sessions[Number(session)]!, after || undefined)
  if (no === undefined) return
  refused = [...refused, no.code]
  response.writeHead(429).end()
})
const sessions = Array.from({ length: 8 }, (_, id) => ({ id }))
beforeEach(async () => {
  events = Events.make()
  refused = []
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  events.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const open = async (session = 0, after = ""): Promise<IncomingMessage> => {
  const request = get({ port, host: "127.0.0.1", path: `/${session}/${after}`, agent: false }).on("error", () => {})
  const [response] = (await once(request, "response")) as [IncomingMessage]
  return response.on("error", () => {})
}

/** Everything a reader is given, as it comes. */
const gathered = (response: IncomingMessage) => {
  let text = ""
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk
  })
  return {
    text: () => text,
    numbers: () => [...text.matchAll(/^id: [0-9a-f]{12}-(\d+)$/gm)].map(([, one]) => Number(one))
  }
}

it("whoever comes back gets exactly what it missed, or a gap if that is not kept any more", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 1_300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (count, part) => {
        events = Events.make()
        const life = events.position().split("-")[0]!
        for (let told = 0; told < count; told++) events.note(received(`text ${told}`), told)
        const after = Math.floor(count * part)
        const response = await open(0, `${life}-${after}`)
        const { numbers, text } = gathered(response)
        const isKept = after >= count - Bounds.eventsKeptMax
        const expected = isKept ? Array.from({ length: count - after }, (_, index) => after + index + 1) : [count]
        await until("it has come", () => numbers().length >= expected.length && text().length > 0, 10_000)
        expect(numbers()).toEqual(expected)
        expect(text().includes("event: gap")).toBe(!isKept)
        response.destroy()
      }
    ),
    { numRuns: 25 }
  )
})

it("whoever does not read is dropped and told why, at a bounded cost, while another reads on and misses nothing", async () => {
  const slow = (await open(0)).pause()
  const fast = gathered(await open(1))
  const text = "x".repeat(Bounds.newsCharactersMax + 50)
  let told = 0
  await until(
    "the slow one is out",
    async () => {
      for (let more = 0; more < 300; more++) events.note(received(text), ++told)
      await until("the fast one has it", () => fast.numbers().length === told, 20_000)
      return events.readers() === 1
    },
    60_000
  )
  expect(fast.numbers()).toEqual(Array.from({ length: told }, (_, index) => index + 1))
  const late = gathered(slow)
  slow.resume()
  await until("it reads its last words", () => late.text().includes("event: end"), 10_000)
  expect(late.text()).toContain('"code":"too-slow"')
  expect(late.numbers().length).toBeLessThan(told)
})

it("a page has so many streams at most, and all pages have", async () => {
  for (const { id } of sessions) for (let more = 0; more < 5; more++) await open(id)
  expect(events.readers()).toBe(Bounds.streamsMax)
  expect(refused).toHaveLength(sessions.length * 5 - Bounds.streamsMax)
  expect(new Set(refused)).toEqual(new Set(["too-many"]))
})

it("a friend's long text is cut, and no text of a friend can end a frame", async () => {
  const { text } = gathered(await open())
  events.note(received(`a\n\nevent: end\ndata: {}\n\n\r\u2028${"y".repeat(10_000)}`), 1)
  await until("it has come", () => text().includes("yyy"), 10_000)
  expect(text().match(/^event: /gm)).toHaveLength(1)
  expect(text().length).toBeLessThan(3 * Bounds.newsCharactersMax + 1_000)
})

it("the bounds hold together", () => {
  for (const { holds, why } of Bounds.relations) expect(holds, why).toBe(true)
})
