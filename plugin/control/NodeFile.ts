/**
 * `node.json`: what a node was last started as, for whoever asks about it while it does not run.
 * It never holds a secret, and is never read by a node: what a start is given counts.
 * Without it nobody could tell a folder's name, nor whether the sandbox is off on purpose.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Result, Schema } from "effect"
import { replaceFile } from "../../adapters/filesystem/Files.ts"
import type * as Layers from "../Layers.ts"

const optional = Schema.optionalKey(Schema.String)

/** The name and the settings of the last start. */
export const NodeFile = Schema.Struct({
  name: Schema.String,
  startedAtMs: Schema.Int,
  channel: optional,
  network: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("public") }),
    Schema.Struct({
      kind: Schema.Literal("bootstrap"),
      nodes: Schema.Array(Schema.Struct({ host: Schema.String, port: Schema.Int }))
    }),
    Schema.Struct({ kind: Schema.Literal("local"), port: Schema.optionalKey(Schema.Int) })
  ]),
  sandbox: Schema.Literals(["agent", "scripted", "off"]),
  model: optional,
  modelUrl: optional,
  modelKeyFile: optional,
  engineSocket: optional
})
export type NodeFile = typeof NodeFile.Type

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(NodeFile))
const fileName = "node.json"

/** What a folder's node was last started as; undefined if that is not known. */
export const read = (dataFolder: string): NodeFile | undefined => {
  try {
    const read = decode(readFileSync(join(dataFolder, fileName), "utf8"))
    return Result.isSuccess(read) ? read.success : undefined
  } catch {
    return undefined
  }
}

/** An address without what somebody may have put before the host, which is a secret. */
const withoutSecret = (url: string): string | undefined => {
  try {
    const { password, username } = new URL(url)
    return password === "" && username === "" ? url : undefined
  } catch {
    return undefined
  }
}

/** Remembers what a node is started as. A failure costs nothing but the memory. */
export const write = (
  name: string,
  channel: string | undefined,
  settings: Layers.Settings,
  nowMs: number
): Effect.Effect<void> => {
  const { keyFile, model, url } = settings.model ?? {}
  const modelUrl = url === undefined ? undefined : withoutSecret(url)
  const file: NodeFile = {
    name,
    startedAtMs: nowMs,
    network: settings.network,
    sandbox: settings.sandbox,
    ...(channel === undefined ? {} : { channel }),
    ...(model === undefined ? {} : { model }),
    ...(modelUrl === undefined ? {} : { modelUrl }),
    ...(keyFile === undefined ? {} : { modelKeyFile: keyFile }),
    ...(settings.engineSocket === undefined ? {} : { engineSocket: settings.engineSocket })
  }
  return Effect.ignore(Effect.tryPromise(() => replaceFile(settings.dataFolder, fileName, `${JSON.stringify(file)}\n`)))
}
