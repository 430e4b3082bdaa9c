/**
 * Which image the agent runs in: the one that was approved for a data folder, by its id, and no other.
 * It never runs in an image that only has the right name, and never approves one by itself where one was approved before.
 * The first image is approved by making it, of this machine's own files; one built on another image, only when a person asks.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Data, Effect, Result, Schema } from "effect"
import * as Agent from "../adapters/docker/Agent.ts"
import * as Build from "../adapters/docker/Build.ts"
import * as Image from "../adapters/docker/Image.ts"
import type { SandboxCode } from "../ports/Sandbox.ts"

/** Why there is no image to run in; the sentence names what to do. */
export class SandboxImageError extends Data.TaggedError("SandboxImageError")<{
  readonly code: SandboxCode
  readonly message: string
}> {}

/**
 * What was approved: the image's id, and which program is in it. `made` are images that were imported for this folder, the
 * approved one among them if it was: those before it may go.
 */
const Approved = Schema.Struct({
  imageId: Schema.String,
  runner: Schema.String,
  made: Schema.optionalKey(Schema.Array(Schema.String))
})
export type Approved = typeof Approved.Type
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Approved))

/** Images of earlier approvals that are remembered because they could not be removed. */
const madeMax = 16

const fileIn = (dataFolder: string): string => join(dataFolder, "sandbox.json")
const approve = "approve today's with: wopr-p2p sandbox image"

/** What was approved for a data folder; undefined if nothing was yet. */
export const approved = (dataFolder: string): Effect.Effect<Approved | undefined, SandboxImageError> =>
  Effect.suspend(() => {
    const file = fileIn(dataFolder)
    let text: string
    try {
      text = readFileSync(file, "utf8")
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return Effect.succeed(undefined)
      return Effect.fail(
        new SandboxImageError({ code: "image-changed", message: `${file} cannot be read; ${approve}` })
      )
    }
    const read = decode(text)
    return Result.isSuccess(read)
      ? Effect.succeed(read.success)
      : Effect.fail(new SandboxImageError({ code: "image-changed", message: `${file} is damaged; ${approve}` }))
  })

const write = (dataFolder: string, value: Approved): void => {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 })
  const file = fileIn(dataFolder)
  writeFileSync(`${file}.new`, `${JSON.stringify(value)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/**
 * Approves an image of today's program, however it was made, and removes those that were made for this folder before it. One that
 * somebody uses stays and is tried again at the next approval; one that was there already was not made for this folder.
 */
const approving = <Made extends { readonly imageId: string; readonly imported: boolean }>(
  dataFolder: string,
  socketPath: string | undefined,
  making: Effect.Effect<Made, Image.ImageError>
): Effect.Effect<Made, SandboxImageError> =>
  making.pipe(
    Effect.mapError(({ code, message }) => new SandboxImageError({ code, message })),
    Effect.tap(({ imageId, imported }) =>
      Effect.gen(function* () {
        // A damaged record names nothing, and is about to be replaced.
        const before = yield* Effect.catch(approved(dataFolder), () => Effect.succeed(undefined))
        const earlier = (before?.made ?? []).filter((one) => one !== imageId)
        const ours = imported || before?.made?.includes(imageId) === true ? [imageId] : []
        const approval = { imageId, runner: Agent.runnerHash() }
        // Written before anything is removed: a crash must not leave an approval of an image that is gone.
        yield* Effect.sync(() => write(dataFolder, { ...approval, made: [...earlier, ...ours] }))
        const kept = yield* Effect.filter(earlier, (one) =>
          Image.dropped(one, Agent.runnerLabel, socketPath).pipe(Effect.map((gone) => !gone))
        )
        yield* Effect.sync(() => write(dataFolder, { ...approval, made: [...kept.slice(-madeMax), ...ours] }))
      })
    )
  )

/** Makes the image of today's program out of this machine's files, and approves it. A few seconds. */
export const make = (dataFolder: string, engine: Image.Engine): Effect.Effect<Image.Assembled, SandboxImageError> =>
  approving(dataFolder, engine.socketPath, Image.assemble(Agent.recipe(engine)))

/** Builds the image of today's program on one that the owner names, and approves it. */
export const buildOn = (
  dataFolder: string,
  base: string,
  { socketPath }: Image.Engine
): Effect.Effect<{ readonly imageId: string }, SandboxImageError> =>
  approving(
    dataFolder,
    socketPath,
    Effect.map(Build.build(base, socketPath), (imageId) => ({ imageId, imported: true }))
  )

/** The image to run in: the approved one, if it holds today's program; made and approved where none was. */
export const forRuns = (dataFolder: string, engine: Image.Engine): Effect.Effect<string, SandboxImageError> =>
  Effect.flatMap(approved(dataFolder), (before) => {
    if (before === undefined) return Effect.map(make(dataFolder, engine), ({ imageId }) => imageId)
    return before.runner === Agent.runnerHash()
      ? Effect.succeed(before.imageId)
      : Effect.fail(
          new SandboxImageError({
            code: "image-changed",
            message: `the sandbox's image was approved for another version of this program; ${approve}`
          })
        )
  })
