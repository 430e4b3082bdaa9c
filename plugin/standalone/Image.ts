/**
 * `wopr-p2p sandbox`: makes and approves the image that agents run in, or shows what is approved and what is there.
 * It makes the image of this machine's own files and fetches nothing, except with --from: then the engine builds on that image,
 * may fetch it where it is missing, and runs one step in it, without a network.
 * A running node goes on in the image it started with; the new one is used from its next start on.
 */
import { Effect, Exit } from "effect"
import * as Agent from "../../adapters/docker/Agent.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Layers from "../Layers.ts"
import * as Present from "../Present.ts"
import * as SandboxImage from "../SandboxImage.ts"

export interface Options {
  readonly verb: "image" | "show"
  readonly dataFolder: string
  readonly json: boolean
  /** The image to build on; absent: this machine's own files. */
  readonly from?: string
}

/** Checks what was given on the command line. */
export const readOptions = (
  [verb, ...more]: ReadonlyArray<string>,
  given: {
    readonly data?: string | undefined
    readonly json?: boolean | undefined
    readonly from?: string | undefined
  }
): Options | { readonly mistake: string } => {
  if ((verb !== "image" && verb !== "show") || more.length > 0) return { mistake: "sandbox needs one of: image, show" }
  if (verb === "show" && given.from !== undefined) return { mistake: "--from goes with sandbox image" }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  const from = given.from === undefined ? {} : { from: given.from }
  return { verb, dataFolder: chosen.folder, json: given.json ?? false, ...from }
}

interface Told {
  readonly facts: Readonly<Record<string, unknown>>
  readonly lines: ReadonlyArray<string>
}

const shown = (dataFolder: string, before: SandboxImage.Approved | undefined): Told => {
  const isToday = before?.runner === Agent.runnerHash()
  const state = isToday
    ? "it holds this version of the program"
    : "it is of another version; approve today's with: wopr-p2p sandbox image"
  return {
    facts: { data: dataFolder, imageId: before?.imageId ?? null, current: isToday },
    lines:
      before === undefined
        ? ["no image is approved yet; the first run of an agent makes it"]
        : [`approved: ${before.imageId}`, state]
  }
}

const laterOn = (dataFolder: string): string =>
  `for ${dataFolder}; a node that runs there uses it from its next start on`

const work = ({ dataFolder, from, verb }: Options): Effect.Effect<Told, SandboxImage.SandboxImageError> => {
  if (verb === "show") return Effect.map(SandboxImage.approved(dataFolder), (before) => shown(dataFolder, before))
  const settings = Layers.engineSocket(process.env)
  const { engineRefused } = settings
  if (engineRefused !== undefined)
    return Effect.fail(new SandboxImage.SandboxImageError({ code: "no-engine", message: engineRefused }))
  const engine = Layers.engineOf(settings)
  if (from !== undefined) {
    return Effect.map(SandboxImage.buildOn(dataFolder, from, engine), ({ imageId }) => ({
      facts: { data: dataFolder, imageId, current: true, from },
      lines: [`built on ${from} and approved: ${imageId}`, laterOn(dataFolder)]
    }))
  }
  return Effect.map(SandboxImage.make(dataFolder, engine), ({ imageId, imported }) => ({
    facts: { data: dataFolder, imageId, current: true, imported },
    lines: [`${imported ? "made and approved" : "there already, and approved"}: ${imageId}`, laterOn(dataFolder)]
  }))
}

/** Runs the command. Gives the exit code. */
export const image = async (options: Options): Promise<number> => {
  const exit = await Effect.runPromiseExit(work(options))
  if (Exit.isSuccess(exit)) {
    const { facts, lines } = exit.value
    process.stdout.write(options.json ? `${Present.json(facts)}\n` : `${lines.join("\n")}\n`)
    return 0
  }
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  process.stderr.write(`${failure?.error.message ?? "the image could not be made"}\n`)
  return 1
}
