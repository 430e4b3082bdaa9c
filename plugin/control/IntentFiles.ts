/**
 * What was asked for while no node ran: a file each in `intents/`, carried out in order at the next start.
 * It never carries anything out itself, never holds more than so many files and bytes, and never writes over one.
 * A file is whole before it has its name, and goes only after the node has stored what came of it: a crash repeats the asking
 * and not the doing, because the node remembers the id.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, statSync, unlinkSync } from "node:fs"
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Result, Schema } from "effect"
import { errnoOf, inWords, replaceFile, syncFolder } from "../../adapters/filesystem/Files.ts"
import type { Intents, Node } from "../../core/index.ts"
import * as Commands from "../Commands.ts"
import * as Bounds from "./Bounds.ts"
import { controlError } from "./ControlError.ts"
import * as Place from "./Place.ts"

const folderName = "intents"

/** What a file holds: the typed line, parsed again when it is carried out. */
const File = Schema.Struct({
  v: Schema.Literal(1),
  id: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)),
  atMs: Schema.Int,
  line: Schema.String
})
export type IntentFile = typeof File.Type
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(File))
const fileRule = /^\d{16}-([0-9a-f]{32})\.json$/

/** The folder of a data folder's intents. */
export const folderOf = (dataFolder: string): string => join(dataFolder, folderName)

/** A new id. */
export const newId = (): string => randomBytes(16).toString("hex")

/** The names of the files that wait, the oldest first. */
export const names = async (dataFolder: string): Promise<ReadonlyArray<string>> =>
  (await readdir(folderOf(dataFolder)).catch(() => [])).filter((name) => fileRule.test(name)).sort()

/** What a file holds; undefined if it is damaged or another's. */
export const read = (dataFolder: string, name: string): IntentFile | undefined => {
  try {
    const path = join(folderOf(dataFolder), name)
    if (statSync(path).size > Bounds.intentBytesMax) return undefined
    const file = decode(readFileSync(path, "utf8"))
    return Result.isSuccess(file) && file.success.id === fileRule.exec(name)?.[1] ? file.success : undefined
  } catch {
    return undefined
  }
}

/**
 * Keeps a line for the next start, durable when it resolves. Gives false if one of that id waits already: asked twice, it is
 * kept once. Rejects with `folder-open`, `intents-full`, `unwritable`.
 */
export const keep = async (dataFolder: string, line: string, id: string, nowMs: number): Promise<boolean> => {
  Place.requireDataFolder(dataFolder)
  const folder = folderOf(dataFolder)
  Place.requireOurs(folder, true)
  const waiting = await names(dataFolder)
  if (waiting.some((name) => fileRule.exec(name)?.[1] === id)) return false
  const text = JSON.stringify({ v: 1, id, atMs: nowMs, line } satisfies IntentFile)
  const bytes = waiting.reduce(
    (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
    0
  )
  if (waiting.length >= Bounds.intentsMax || bytes + Buffer.byteLength(text) > Bounds.intentBytesMax) {
    const why = `${waiting.length} commands wait for a start of the node already; start it, or remove some from ${folder}`
    throw controlError("intents-full", why)
  }
  await replaceFile(folder, `${String(nowMs).padStart(16, "0")}-${id}.json`, `${text}\n`).catch((error: unknown) => {
    throw controlError("unwritable", `${folder} cannot be written: ${inWords(error)}`)
  })
  await syncFolder(dataFolder)
  return true
}

/** What an event may say of a line: the command and the name after it, never a text. */
export const whatOf = (line: string): string => {
  const [command = "", name = ""] = line.trim().split(/\s+/)
  return name.startsWith("@") ? `${command} ${name}` : command
}

const remove = async (dataFolder: string, name: string): Promise<void> => {
  try {
    unlinkSync(join(folderOf(dataFolder), name))
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error
  }
  await syncFolder(folderOf(dataFolder))
}

/** Refusals after which the file stays for the next start. */
const later: ReadonlySet<string> = new Set(["disk-full", "node-ended", "intents-full"])

const applyOne = Effect.fnUntraced(function* (
  dataFolder: string,
  name: string,
  node: Node.Node,
  channel: string | undefined
) {
  const file = read(dataFolder, name)
  if (file === undefined)
    return yield* Effect.logWarning(`${join(folderOf(dataFolder), name)} is damaged; nothing of it was done`)
  const parsed = Commands.parse(file.line, { channel })
  const what = whatOf(file.line)
  if (parsed.kind !== "command") {
    const why = parsed.kind === "mistake" ? parsed.message : "it is no command that can wait"
    yield* Effect.logWarning(`asked for while the node did not run, and not done: ${what}: ${why}`)
  } else {
    const intent: Intents.Intent = { id: file.id, atMs: file.atMs, what }
    const reply = yield* node.command(parsed.command, intent)
    if (!reply.ok && later.has(reply.rejection.code)) return
  }
  yield* Effect.promise(() => remove(dataFolder, name).catch(() => undefined))
})

/** Carries out what waits, in order, each once; what comes of it is told as `IntentDone`. For a node that has just started. */
export const apply = Effect.fnUntraced(function* (dataFolder: string, node: Node.Node, channel: string | undefined) {
  for (const name of yield* Effect.promise(() => names(dataFolder))) yield* applyOne(dataFolder, name, node, channel)
})
