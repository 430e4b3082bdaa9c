/**
 * The doctor's look at the sandbox and the model: engine, approved image, canary, leftovers; key file and server.
 * It never runs a container, never sends a word to a model, and never prints a key.
 * What the last start was told counts: a sandbox that is off on purpose is no fault.
 */
import { Effect, Result } from "effect"
import * as Agent from "../../adapters/docker/Agent.ts"
import * as Engine from "../../adapters/docker/Engine.ts"
import { ownerLabel } from "../../adapters/docker/Lifetime.ts"
import { shellWord } from "../../adapters/filesystem/Files.ts"
import * as FolderId from "../../adapters/filesystem/FolderId.ts"
import * as PrivateFile from "../../adapters/filesystem/PrivateFile.ts"
import * as Layers from "../Layers.ts"
import * as SandboxImage from "../SandboxImage.ts"
import type { Examined } from "./Examined.ts"
import { all, type Findings, found, none, unknown } from "./Finding.ts"

const limitMs = 4_000

const approved = (dataFolder: string, socket: string) =>
  Effect.gen(function* () {
    const mend = `wopr-p2p sandbox image --data ${shellWord(dataFolder)}`
    const read = yield* Effect.result(SandboxImage.approved(dataFolder))
    if (Result.isFailure(read)) return found("image-record-damaged", read.failure.message, mend)
    if (read.success === undefined)
      return unknown("the image of the sandbox", "none is approved yet; the first start makes it")
    const { imageId, runner } = read.success
    if (runner !== Agent.runnerHash()) return found("image-outdated", imageId, mend)
    const docker = yield* Engine.connect(socket)
    const there = yield* Effect.result(Engine.imagePresent(docker, socket, imageId, limitMs))
    return Result.isSuccess(there) ? none : found("image-missing", imageId, mend)
  })

const leftContainers = ({ dataFolder, holder }: Examined, socket: string) =>
  Effect.gen(function* () {
    if (holder !== undefined) return none
    const docker = yield* Engine.connect(socket)
    const ownerId = yield* Effect.orElseSucceed(FolderId.existing(dataFolder), () => undefined)
    if (ownerId === undefined) return none
    const filters = { label: [`${ownerLabel}=${ownerId}`] }
    const list = Effect.tryPromise(() => docker.listContainers({ all: true, filters }))
    const left = yield* Effect.result(Effect.timeout(list, limitMs))
    if (Result.isFailure(left) || left.success.length === 0) return none
    const ids = left.success.map(({ Id }) => Id.slice(0, 12))
    return found("containers-left", ids.join(", "), `docker rm -f ${ids.join(" ")}`)
  })

const engine = (examined: Examined) =>
  Effect.gen(function* () {
    const { dataFolder, env, node } = examined
    const { engineRefused, engineSocket } = Layers.engineSocket(env)
    if (engineRefused !== undefined) return found("engine-refused", "see DOCKER_HOST", "unset DOCKER_HOST")
    const socket = engineSocket ?? node?.engineSocket ?? Engine.defaultSocketPath
    const docker = yield* Engine.connect(socket)
    const facts = yield* Effect.result(Engine.facts(docker, socket, limitMs))
    if (Result.isFailure(facts)) return found("engine-missing", facts.failure.message, "sudo systemctl start docker")
    const image = node?.sandbox === "scripted" ? none : yield* approved(dataFolder, socket)
    return all([image, yield* leftContainers(examined, socket), canary(examined)])
  })

/** What the running node's own canary has found. */
const canary = ({ node, running }: Examined): Findings => {
  if (running === undefined || typeof running === "string") {
    return unknown("whether the sandbox is tight", "its canary runs in the node, and none is running")
  }
  const { ready, reason } = running.sandbox
  if (ready || node?.sandbox === "off" || /model/.test(reason)) return none
  return found("canary-failed", reason, "wopr-p2p status, and start the node again")
}

const model = ({ dataFolder, model: { key, keyFile, model: name, url }, offline }: Examined) =>
  Effect.gen(function* () {
    if (name === undefined || url === undefined) {
      return found(
        "model-missing",
        "",
        `wopr-p2p run --name NAME --data ${shellWord(dataFolder)} --model NAME --model-url URL`
      )
    }
    const file = keyFile
    const read =
      file === undefined
        ? undefined
        : yield* Effect.result(PrivateFile.readWhole(file, { bytesMax: 4_096, isPrivate: true }))
    if (file !== undefined && read !== undefined && Result.isFailure(read)) {
      return found("model-key-unusable", read.failure.message, `chmod 600 ${shellWord(file)}`)
    }
    const keyless = key === undefined && file === undefined
    if (offline) return unknown("whether the model's server answers", "--offline")
    const asked = Effect.tryPromise((signal) => fetch(url, { method: "HEAD", redirect: "manual", signal }))
    const answered = yield* Effect.result(Effect.timeout(asked, limitMs))
    if (Result.isFailure(answered))
      return found("model-unreachable", URL.parse(url)?.host ?? url, `curl -I ${shellWord(url)}`)
    return unknown(
      "whether the model answers",
      keyless ? "its server does; no key is configured" : "its server does; asking the model would cost"
    )
  })

/** Looks at the sandbox and the model, as far as the last start wanted them. */
export const check = (examined: Examined): Effect.Effect<Findings> => {
  if (examined.node === undefined)
    return Effect.succeed(unknown("sandbox and model", "no node has started here with this version"))
  if (examined.node.sandbox === "off") return Effect.succeed(none)
  const withModel = examined.node.sandbox === "agent" ? model(examined) : Effect.succeed(none)
  return Effect.map(Effect.all([engine(examined), withModel]), all)
}
