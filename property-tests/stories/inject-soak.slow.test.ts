/**
 * Two hundred questions of five friends, answered by an agent in real containers with a model over HTTP: nothing is left behind.
 * The friends and the network between them are in memory; engine, containers, bridge and HTTP are the real ones.
 * What is left is looked for outside: containers at the engine, sockets of this process, files in the temporary folder, memory.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Scope } from "effect"
import { afterAll, beforeAll, expect, it, vi } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer as dockerLayer } from "../../adapters/docker/Sandbox.ts"
import { layer as openai } from "../../adapters/openai/Model.ts"
import { type Asked, serve } from "../../adapters/openai/ScriptedServer.ts"
import { docker, jobsOf, withEngine } from "../conformance/docker-engine.ts"
import { befriend, makeWorld, says } from "../world/World.ts"

const friends = ["ann", "ben", "cat", "dan", "eve"]
const questionsEach = 40
const ownerId = `soak-${process.pid}`
const large = { calls: 1_000, tokens: 10_000_000, ms: 86_400_000 }

/** A model that has the shell count to three, and then answers with what was asked. */
const model = ({ body }: Asked) => {
  const { messages } = body as { readonly messages: ReadonlyArray<{ readonly role: string; readonly content: string }> }
  const last = messages.at(-1)!
  return last.role === "tool"
    ? {
        pieces: [
          {
            kind: "text" as const,
            text: `${messages.findLast(({ role }) => role === "user")?.content} ${last.content}`
          }
        ],
        end: "done" as const
      }
    : {
        pieces: [
          { kind: "call" as const, call: { id: "c", name: "shell", input: '{"command":"seq 3 | tr -d \'\\\\n\'"}' } }
        ],
        end: "done" as const
      }
}

const openSockets = (): number => process.getActiveResourcesInfo().filter((one) => /TCP|Pipe/.test(one)).length
/** A temporary folder of this story's own: other stories make theirs meanwhile. */
const temporary = mkdtempSync(join(tmpdir(), "wopr-p2p-soak-"))
beforeAll(() => {
  vi.stubEnv("TMPDIR", temporary)
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(temporary, { recursive: true, force: true })
})

withEngine("an agent with five friends", () => {
  it("answers two hundred questions, a few at a time and each friend in its turn, and leaves nothing", async () => {
    const { imageId } = await Effect.runPromise(assemble(Agent.recipe({})))
    const socketsBefore = openSockets()
    const scope = Effect.runSync(Scope.make())
    const server = await Effect.runPromise(Scope.provide(serve(model), scope))
    const world = makeWorld()
    const options = { image: imageId, program: Agent.program, ownerId, concurrency: 4, warm: 2 }
    const bob = await world.start("bob", {
      sandbox: dockerLayer(options),
      model: openai({ baseUrl: server.baseUrl, model: "scripted" }),
      agent: { instructions: "i", allowances: { turn: { calls: 4, tokens: 100_000, ms: 60_000 }, day: large } },
      rates: { inject: [{ capacity: 1_000, windowMs: 60_000 }] }
    })
    let most = 0
    const watching = setInterval(() => {
      docker.listContainers({ filters: { label: [`wopr-p2p.owner=${ownerId}`] } }).then(
        (found) => {
          most = Math.max(most, found.length)
        },
        () => undefined
      )
    }, 200)
    const order: Array<string> = []
    const ask = async (name: string): Promise<void> => {
      const friend = await world.start(name)
      await befriend(friend, bob)
      await bob.command(says.grant(name, "inject"))
      // Two at a time each, so that five friends want more than may run.
      const worker = async (first: number) => {
        for (let index = first; index < questionsEach; index += 2) {
          const reply = await friend.command(says.inject("bob", `${name} asks ${index}`, 120_000))
          if (!reply.ok) return expect.fail(reply.rejection.code)
          const answered = await friend.wait("Answered", ({ id }) => id === reply.id, 120_000)
          expect(answered.text).toBe(`${name} asks ${index} 123\n[exit code 0]`)
          order.push(name)
        }
      }
      await Promise.all([worker(0), worker(1)])
    }
    const half: { heap?: number } = {}
    const memory = setInterval(() => {
      if (half.heap === undefined && order.length >= 100) half.heap = process.memoryUsage().rss
    }, 50)
    await Promise.all(friends.map(ask))
    const grown = process.memoryUsage().rss - half.heap!
    clearInterval(watching)
    clearInterval(memory)
    expect(order).toHaveLength(friends.length * questionsEach)
    // When the first friend is done with all, nobody is far behind.
    const firstDone = friends.map((name) => order.lastIndexOf(name)).sort((a, b) => a - b)[0]!
    for (const name of friends)
      expect(order.slice(0, firstDone + 1).filter((one) => one === name).length).toBeGreaterThan(questionsEach * 0.7)
    expect(most).toBeLessThanOrEqual(4 + 2 + 2)
    expect(grown).toBeLessThan(150 * 1024 * 1024)
    await world.end()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
    expect(tmpdir()).toBe(temporary)
    expect(readdirSync(temporary)).toEqual([])
    expect(openSockets()).toBeLessThanOrEqual(socketsBefore + 4)
  }, 300_000)
})
