/**
 * `npm run bench:sandbox`: what a turn in the sandbox costs, beside a bare run of the same image by the same engine.
 * It measures containers alone: no model, no network, no friend; the program answers at once.
 * Three kinds side by side: bare (no confinement, no checks), cold (a turn as it is), warm (its container was started ahead); each
 * until its answer is there, and until the engine says that its container is gone.
 */
import { parseArgs } from "node:util"
import Docker from "dockerode"
import { Effect, type Layer, Result } from "effect"
import * as Agent from "../adapters/docker/Agent.ts"
import { assemble } from "../adapters/docker/Image.ts"
import { layer } from "../adapters/docker/Sandbox.ts"
import { type Program, Sandbox } from "../ports/Sandbox.ts"
import { percentile } from "./Percentile.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "30" },
    json: { type: "boolean", default: false },
    help: { type: "boolean" }
  }
})
const runs = Number(values.runs)
if (values.help === true || !(runs >= 3 && runs <= 1_000)) {
  process.stdout.write(
    "npm run bench:sandbox -- [--runs N] [--json]    N from 3 to 1000, 30 unless told; needs a Docker engine\n"
  )
  process.exit(values.help === true ? 0 : 2)
}

const docker = new Docker({ socketPath: "/var/run/docker.sock", host: undefined, port: undefined, protocol: "http" })
const ownerId = `bench-${process.pid}`

/** A turn as short as can be: the program is heard to be ready, and the talk is over. */
const hello = ({ hear, say }: Program) =>
  Effect.andThen(say(JSON.stringify({ kind: "turn", version: 1, before: [], text: "" })), hear)

/** How long a turn took: until its answer, and until its container was gone. */
interface Took {
  readonly answer: number
  readonly gone: number
}

/** When the engine said of each container that it is gone. */
const goneAt = new Map<string, number>()
const watch = async (): Promise<void> => {
  const filters = JSON.stringify({ type: ["container"], event: ["destroy"], label: ["wopr-p2p.owner"] })
  const events = await docker.getEvents({ filters })
  let rest = ""
  events.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines.filter((one) => one !== "")) {
      const { Actor } = JSON.parse(line) as { readonly Actor: { readonly ID: string } }
      goneAt.set(Actor.ID, performance.now())
    }
  })
}
const gone = async (containerId: string): Promise<number> => {
  for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 5) {
    const atMs = goneAt.get(containerId)
    if (atMs !== undefined) return atMs
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error("a container was not removed within ten seconds")
}

/** The same program in a container without any flag of ours, until it says that it is ready. */
const bare = async (image: string): Promise<Took> => {
  const startedMs = performance.now()
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: [...Agent.program],
    OpenStdin: true,
    StdinOnce: true,
    NetworkDisabled: true,
    Labels: { "wopr-p2p.owner": ownerId },
    HostConfig: { NetworkMode: "none" }
  })
  const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true })
  stream.on("error", () => undefined)
  const ready = new Promise((resolve) => stream.once("data", resolve))
  await container.start()
  await ready
  const answer = performance.now() - startedMs
  await container.remove({ force: true })
  return { answer, gone: (await gone(container.id)) - startedMs }
}

/** Turns one after the other in one sandbox, with a pause in which the next container can be made. */
const turns = (sandbox: Layer.Layer<Sandbox>, pauseMs: number): Promise<ReadonlyArray<Took>> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const port = yield* Sandbox
      const took: Array<Took> = []
      for (let index = -1; index < runs; index++) {
        yield* Effect.sleep(pauseMs)
        const job = {
          id: `b-${crypto.randomUUID()}`,
          input: new Uint8Array(0),
          timeLimitMs: 20_000,
          outputBytesMax: 10_000
        }
        const startedMs = performance.now()
        const result = yield* Effect.result(port.converse(job, hello))
        const answer = performance.now() - startedMs
        if (Result.isFailure(result)) return yield* Effect.die(result.failure)
        const goneMs = yield* Effect.promise(() => gone(result.success.confinement.containerId))
        // The first opens connections and fills caches.
        if (index >= 0) took.push({ answer, gone: goneMs - startedMs })
      }
      return took
    }).pipe(Effect.provide(sandbox))
  )

const { imageId } = await Effect.runPromise(assemble(Agent.recipe({})))
await watch()
await bare(imageId)
const bareTook: Array<Took> = []
for (let index = 0; index < runs; index++) bareTook.push(await bare(imageId))
const options = { image: imageId, program: Agent.program, ownerId: `${ownerId}-sandbox` }
const coldTook = await turns(layer(options), 0)
const warmTook = await turns(layer({ ...options, warm: 1 }), 700)

const shown = (all: ReadonlyArray<Took>) => {
  const at = (what: keyof Took, part: number) =>
    Math.round(
      percentile(
        all.map((one) => one[what]),
        part
      )
    )
  return {
    answer: { p50: at("answer", 0.5), p95: at("answer", 0.95) },
    gone: { p50: at("gone", 0.5), p95: at("gone", 0.95) }
  }
}
const result = { runs, bare: shown(bareTook), cold: shown(coldTook), warm: shown(warmTook) }
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  const column = ({ p50, p95 }: { readonly p50: number; readonly p95: number }) =>
    `p50 ${String(p50).padStart(5)}   p95 ${String(p95).padStart(5)}`
  process.stdout.write(`${runs} turns each, milliseconds     until the answer          until the container is gone\n`)
  for (const [name, { answer, gone }] of Object.entries({
    "bare run": result.bare,
    "our turn, cold": result.cold,
    "our turn, warm": result.warm
  }))
    process.stdout.write(`  ${name.padEnd(26)}  ${column(answer)}   ${column(gone)}\n`)
  const over = (one: number, other: number) => (one / other).toFixed(2)
  process.stdout.write(
    `  until the answer: cold over bare ${over(result.cold.answer.p50, result.bare.answer.p50)}, ` +
      `warm over cold ${over(result.warm.answer.p50, result.cold.answer.p50)}\n`
  )
}
process.exit(0)
