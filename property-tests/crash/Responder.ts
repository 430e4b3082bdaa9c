/**
 * What stands in place of the Docker adapter: a script that answers, and writes down each time it is called.
 * It never answers a call before the note of it is on the disk, so that "called twice" can be counted after any crash.
 * What an inject asks for says what it gets: `short`, `long` (several hundred KiB), or `never`.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs"
import { Effect, Layer } from "effect"
import { type Answer, type Job, Sandbox, SandboxError } from "../../ports/Sandbox.ts"
import * as Script from "./Script.ts"
import { trip } from "./trip-of-this-process.ts"

const noteCall = (asked: string): void => {
  const file = openSync(process.env["CRASH_RESPONDER"] ?? "/dev/null", "a", 0o600)
  writeSync(file, `${JSON.stringify(asked)}\n`)
  fsyncSync(file)
  closeSync(file)
}

const confinement = (id: string): Answer["confinement"] => ({
  engine: "script",
  containerId: id,
  user: "nobody",
  network: "none",
  readOnlyRoot: true,
  memoryBytes: 1,
  pids: 1,
  cpus: 1
})

const run = ({ id, input }: Job): Effect.Effect<Answer, SandboxError> =>
  Effect.suspend(() => {
    const asked = new TextDecoder().decode(input)
    const mode = trip.enter("call(responder)", false)
    if (mode === "before") trip.die()
    noteCall(asked)
    const answer = Script.answerTo(asked)
    if (mode !== undefined) trip.die()
    return answer === undefined
      ? Effect.never
      : Effect.succeed({ output: new TextEncoder().encode(answer), confinement: confinement(id) })
  })

const converse = () =>
  Effect.fail(new SandboxError({ code: "create-refused", message: "the script is not talked with" }))

const status = Effect.succeed({ ready: true, engine: "script", reason: "runs a script" })

/** As the Docker adapter's `layer`. */
export const layer = (_options: unknown): Layer.Layer<Sandbox> => Layer.succeed(Sandbox, { status, run, converse })

/** As `Image.assemble`: there is nothing to make. */
export const assemble = (_recipe: unknown): Effect.Effect<void> => Effect.void

/** As `Image.defaultCommands`: what an image would take along. */
export const defaultCommands: ReadonlyArray<string> = []

/** As `Image.ImageError`: nothing is made, so nothing fails. */
export class ImageError extends Error {}

/** As `Watch.watch`, which only the demo asks. */
export const watch = (_owner: string): Effect.Effect<ReadonlyArray<never>> => Effect.succeed([])
