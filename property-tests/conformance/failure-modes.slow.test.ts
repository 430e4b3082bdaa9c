/**
 * Every way in which a sandbox can fail a question, as the friend who asked hears of it: a code of its own, in time.
 * The engine is a real one, or a real one behind a liar that fails as engines do; nothing runs on when it is over.
 * One table, so that a mode without a code, or two with one, is seen at a glance.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Layer } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import { assemble } from "../../adapters/docker/Image.ts"
import { layer as dockerLayer, type Options } from "../../adapters/docker/Sandbox.ts"
import type { Answer } from "../../adapters/openai/ScriptedServer.ts"
import * as AgentSandbox from "../../plugin/AgentSandbox.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { callOf, question, text } from "./AgentTurn.ts"
import { docker, jobsOf, type Lie, withEngine, withLiar } from "./docker-engine.ts"

const ownerId = `modes-${process.pid}`
let image = ""

const sandbox = (options: Partial<Options> = {}): Layer.Layer<Sandbox> =>
  dockerLayer({ image, program: Agent.program, ownerId, ...options })

const shell = (command: string): Answer => callOf("c", "shell", { command })
const outcomeOf = async (layer: Layer.Layer<Sandbox>, answers: ReadonlyArray<Answer>, timeLimitMs = 20_000) =>
  (await question(layer, answers, { timeLimitMs })).outcome

/** Through an engine that is not quite itself. */
const behind = async (lie: Lie, options: Partial<Options> = {}): Promise<string> => {
  let outcome = ""
  await withLiar(lie, async ({ socketPath }) => {
    outcome = await outcomeOf(sandbox({ socketPath, ...options }), [text("hello")])
  })
  return outcome
}

/** The first container that runs, as soon as there is one. */
const running = async (): Promise<string> => {
  for (let tries = 0; tries < 200; tries++) {
    const [found] = await docker.listContainers({ filters: { label: [`wopr-p2p.owner=${ownerId}`] } })
    if (found !== undefined) return found.Id
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("no container runs")
}

const engineDies = async (): Promise<string> => {
  let outcome = ""
  await withLiar({}, async ({ die, socketPath }) => {
    const asking = outcomeOf(sandbox({ socketPath }), [shell("sleep 15")])
    await running()
    await die()
    outcome = await asking
  })
  // What an engine kept that went away goes when the next layer starts.
  await Effect.runPromise(Effect.provide(Sandbox, sandbox()))
  return outcome
}

const imageChanged = async (): Promise<string> => {
  const dataFolder = mkdtempSync(join(tmpdir(), "modes-"))
  writeFileSync(join(dataFolder, "sandbox.json"), JSON.stringify({ imageId: image, runner: "of another version" }))
  try {
    return await outcomeOf(AgentSandbox.layer({ dataFolder, ownerId }), [text("hello")])
  } finally {
    rmSync(dataFolder, { recursive: true })
  }
}

const killedOutside = async (): Promise<string> => {
  const asking = outcomeOf(sandbox(), [shell("sleep 15")])
  await docker.getContainer(await running()).kill()
  return asking
}

/** A program of the image other than the agent's, which does what a hijacked one might. */
const instead = (script: string): Layer.Layer<Sandbox> => sandbox({ program: ["/bin/sh", "-c", script] })

const flood = `while :; do echo '{"kind":"text","text":"${"x".repeat(400)}"}'; done > /proc/1/fd/1`
/** In a session of its own, so that the end of the command is not its end, and at it again whenever there is room. */
const bombing = `setInterval(() => require("child_process").spawn("sleep", ["600"], { stdio: "ignore" }).on("error", () => {}), 2)`
const bomb = `node -e 'require("child_process").spawn("node", ["-e", process.argv[1]], { detached: true, stdio: "ignore" }).unref()' '${bombing}'; sleep 4`
const noSpace = "mkdir /var/lib/docker/overlay2/x: no space left on device"

/** What fails, what the friend hears, within how many milliseconds, and how it is made to fail. */
const modes: ReadonlyArray<readonly [string, string, number, () => Promise<string>]> = [
  [
    "no engine",
    "sandbox-unavailable",
    3_000,
    () => outcomeOf(sandbox({ socketPath: "/nowhere/engine.sock" }), [text("")])
  ],
  ["an engine that dies in the middle", "sandbox-engine", 12_000, engineDies],
  ["no image", "sandbox-no-image", 3_000, () => outcomeOf(sandbox({ image: "wopr-p2p-nowhere:1" }), [text("")])],
  ["an image that nobody approved", "sandbox-image-changed", 5_000, imageChanged],
  ["an engine that refuses to create", "sandbox-refused", 5_000, () => behind({ refuseCreate: "I would rather not" })],
  [
    "flags that are not applied",
    "sandbox-not-confined",
    5_000,
    () => behind({ create: (body) => Object.assign(body["HostConfig"] as object, { ReadonlyRootfs: false }) })
  ],
  ["a start that hangs", "sandbox-start", 8_000, () => behind({ hangStart: true }, { engineLimitMs: 500 })],
  ["a full disk of the engine", "sandbox-disk", 5_000, () => behind({ refuseCreate: noSpace })],
  ["no answer in time", "sandbox-timeout", 9_000, () => outcomeOf(sandbox(), [{ pieces: [], end: "never" }], 4_000)],
  ["output too long", "sandbox-output", 15_000, () => outcomeOf(sandbox(), [shell(flood)])],
  [
    "out of memory",
    "sandbox-memory",
    10_000,
    () => outcomeOf(instead("exec dd if=/dev/zero of=/dev/null bs=700M count=1"), [])
  ],
  [
    "a fork bomb that outlives its command",
    "sandbox-processes",
    15_000,
    () => outcomeOf(sandbox(), [shell(bomb), ...Array.from({ length: 6 }, () => shell("sleep 1"))])
  ],
  ["a container killed from outside", "sandbox-killed", 10_000, killedOutside],
  ["a program that ends with an error", "sandbox-exit", 5_000, () => outcomeOf(instead("exit 7"), [])],
  [
    "a program that breaks the bridge's rules",
    "sandbox-failed",
    5_000,
    () => outcomeOf(instead("echo nonsense; sleep 9"), [])
  ],
  ["a model that is down", "model-failed", 5_000, () => outcomeOf(sandbox(), [{ pieces: [], end: "unreachable" }])]
]

withEngine("a question whose sandbox fails", () => {
  beforeAll(async () => {
    image = (await Effect.runPromise(assemble(Agent.recipe({})))).imageId
  })
  afterAll(async () => {
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  })

  it.each(modes)("%s: %s, within %i ms, and nothing runs on", async (_, code, boundMs, fail) => {
    const startedMs = performance.now()
    expect(await fail()).toBe(code)
    expect(performance.now() - startedMs).toBeLessThan(boundMs)
    expect(await Effect.runPromise(jobsOf(ownerId))).toEqual([])
  })

  describe("the table", () => {
    it("has a code of its own for each", () => {
      const codes = modes.map(([, code]) => code)
      expect(new Set(codes).size).toBe(codes.length)
    })
  })
})
