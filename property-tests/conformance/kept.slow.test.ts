/**
 * Containers that stay for a friend's next question, where the owner wants that: what they hold is that friend's alone, and goes.
 * It must never be found by anybody else, nor later than it may, nor by default.
 * The agent's program and the engine are the real ones; what is kept is looked for at the engine too.
 */
import { Effect, ManagedRuntime } from "effect"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer, type Options } from "../../adapters/docker/Sandbox.ts"
import { Sandbox, type SandboxShape } from "../../ports/Sandbox.ts"
import { callOf, question, textOf } from "./agent-question.ts"
import { docker, jobsOf, withEngine } from "./docker-engine.ts"

const ownerId = `kept-${process.pid}`
const keep = { count: 2, idleMs: 60_000, ageMs: 120_000 }

withEngine("a kept container", () => {
  let image = ""
  beforeAll(async () => {
    image = (await Effect.runPromise(assemble(Agent.recipe({})))).imageId
  })
  afterAll(async () => {
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  })

  const paused = () => docker.listContainers({ filters: { label: [`wopr-p2p.owner=${ownerId}`], status: ["paused"] } })
  const until = async (count: number) => {
    for (let tries = 0; tries < 200; tries++) {
      if ((await paused()).length === count && (await Effect.runPromise(jobsOf(ownerId))).length === count) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(await Effect.runPromise(jobsOf(ownerId))).toHaveLength(count)
  }
  const within = async (options: Partial<Options>, use: (sandbox: SandboxShape) => Promise<void>) => {
    const runtime = ManagedRuntime.make(layer({ image, program: Agent.program, ownerId, ...options }))
    try {
      await use(await runtime.runPromise(Effect.flatMap(Sandbox, Effect.succeed)))
    } finally {
      await runtime.dispose()
    }
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  }
  /** What a command of that friend prints, and how the question ended. */
  const ran = async (sandbox: SandboxShape, friend: string, command: string, timeLimitMs?: number) => {
    const told = await question(
      sandbox,
      friend,
      [callOf("a", "shell", { command }), textOf("done")],
      timeLimitMs,
      friend
    )
    return told.outcome === "done" ? told.heard[1]! : `[${told.outcome}]`
  }
  const leave = "echo mine > /tmp/work/mine; echo left"
  const look = "cat /tmp/work/mine 2>/dev/null; echo looked"

  it("holds a friend's files for its next question, and for nobody else's", async () => {
    await within({ keep }, async (sandbox) => {
      expect(await ran(sandbox, "ann", leave)).toContain("left")
      await until(1)
      expect(await ran(sandbox, "ben", look)).not.toContain("mine")
      await until(2)
      expect(await ran(sandbox, "ann", look)).toContain("mine")
      await until(2)
      // A third makes the one that was used longest ago go.
      expect(await ran(sandbox, "cat", look)).not.toContain("mine")
      await until(2)
      expect(await ran(sandbox, "ann", look)).toContain("mine")
      await until(2)
    })
    await within({ keep }, async (sandbox) => expect(await ran(sandbox, "ann", look)).not.toContain("mine"))
  }, 90_000)

  it("is gone by default, when it is idle or old, and when a question did not end well", async () => {
    await within({}, async (sandbox) => {
      await ran(sandbox, "ann", leave)
      await until(0)
      expect(await ran(sandbox, "ann", look)).not.toContain("mine")
      await until(0)
    })
    for (const short of [
      { ...keep, idleMs: 800 },
      { ...keep, ageMs: 3_000 }
    ]) {
      await within({ keep: short }, async (sandbox) => {
        await ran(sandbox, "ann", leave)
        await until(0)
        expect(await ran(sandbox, "ann", look)).not.toContain("mine")
      })
    }
    await within({ keep }, async (sandbox) => {
      await ran(sandbox, "ann", leave)
      await until(1)
      expect(await ran(sandbox, "ann", "echo nonsense > /proc/1/fd/1; sleep 1")).toBe("[sandbox-failed]")
      await until(0)
      expect(await ran(sandbox, "ann", look)).not.toContain("mine")
    })
  }, 120_000)

  it("is not for two questions at once, keeps the limits of each, and does nothing in between", async () => {
    await within({ keep }, async (sandbox) => {
      const both = await Promise.all([
        ran(sandbox, "ann", `sleep 1; ${leave}`),
        ran(sandbox, "ann", `sleep 1; ${look}`)
      ])
      expect(both.join()).not.toContain("mine")
      await until(1)
      // What is left running there gets no time while nobody asks: it counts, and stands still.
      const loop = "while :; do echo x >> /tmp/count; done"
      const apart = `require("child_process").spawn("/bin/sh", ["-c", "${loop}"], { detached: true, stdio: "ignore" }).unref()`
      const counting = `node -e '${apart}'; sleep 0.2`
      expect(await ran(sandbox, "ann", `${leave}; ${counting}`)).toContain("left")
      await until(1)
      const [one] = await paused()
      const used = async () =>
        (await docker.getContainer(one!.Id).stats({ stream: false })).cpu_stats.cpu_usage.total_usage
      const before = await used()
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      expect(await used()).toBe(before)
      const moves = 'a=$(wc -c < /tmp/count); sleep 0.5; [ "$(wc -c < /tmp/count)" -gt "$a" ] && echo it moves'
      expect(await ran(sandbox, "ann", moves)).toContain("it moves")
      await until(1)
      expect(await ran(sandbox, "ann", "sleep 20", 2_000)).toBe("[sandbox-timeout]")
      await until(0)
    })
  }, 90_000)
})
