/**
 * `npm run bench:sandbox`: what a turn in the sandbox costs, beside a bare run of the same image by the same engine.
 * It measures containers alone: no model, no network, no friend; the program answers at once.
 * Three kinds side by side: bare (no confinement, no checks), cold (a turn as it is), warm (its container was started ahead).
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

/** The same program in a container without any flag of ours, until it says that it is ready. */
const bare = async (image: string): Promise<void> => {
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
  await container.remove({ force: true })
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

/** Turns one after the other in one sandbox, with a pause in which the next container can be made. */
const turns = (sandbox: Layer.Layer<Sandbox>, pauseMs: number): Promise<ReadonlyArray<number>> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const port = yield* Sandbox
      const took: Array<number> = []
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
        if (Result.isFailure(result)) return yield* Effect.die(result.failure)
        // The first opens connections and fills caches.
        if (index >= 0) took.push(performance.now() - startedMs)
      }
      return took
    }).pipe(Effect.provide(sandbox))
  )

const { imageId } = await Effect.runPromise(assemble(Agent.recipe({})))
await bare(imageId)
const bareMs: Array<number> = []
for (let index = 0; index < runs; index++) bareMs.push(await timed(() => bare(imageId)))
const options = { image: imageId, program: Agent.program, ownerId: `${ownerId}-sandbox` }
const coldMs = await turns(layer(options), 0)
const warmMs = await turns(layer({ ...options, warm: 1 }), 700)

const shown = (all: ReadonlyArray<number>) => ({
  p50: Math.round(percentile(all, 0.5)),
  p95: Math.round(percentile(all, 0.95))
})
const result = { runs, bare: shown(bareMs), cold: shown(coldMs), warm: shown(warmMs) }
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  process.stdout.write(`${runs} turns each, milliseconds until the program is ready and its container gone\n`)
  for (const [name, { p50, p95 }] of Object.entries({
    "bare run": result.bare,
    "our turn, cold": result.cold,
    "our turn, warm": result.warm
  }))
    process.stdout.write(`  ${name.padEnd(16)} p50 ${String(p50).padStart(5)}   p95 ${String(p95).padStart(5)}\n`)
  process.stdout.write(
    `  cold over bare ${(result.cold.p50 / result.bare.p50).toFixed(2)}, warm over cold ${(result.warm.p50 / result.cold.p50).toFixed(2)}\n`
  )
}
process.exit(0)
