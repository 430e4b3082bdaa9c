/**
 * What a node of one's own is started with: options checked, and what they leave open filled in.
 * It never starts anything; a mistake names the option, the value and what is allowed.
 * The configuration file says the same in its own words, which become options before they are read here.
 */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { Result } from "effect"
import type * as RateLimit from "../../core/admission/RateLimit.ts"
import { Name, Rejection } from "../../core/index.ts"
import * as Budgets from "../Budgets.ts"
import * as DataFolder from "../DataFolder.ts"
import * as IrcSettings from "../IrcSettings.ts"
import * as Layers from "../Layers.ts"
import * as Logs from "../Logs.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as PanelChoice from "./PanelChoice.ts"

export interface Options extends PanelChoice.Chosen {
  readonly name: string
  readonly json: boolean
  /** Whether the node ends with its standard input. */
  readonly attached: boolean
  readonly logs: Logs.Wanted
  readonly settings: Layers.Settings
  /** What friends may do at most, where it is less than the protocol's own bounds. */
  readonly rates: Partial<RateLimit.Rates>
}

/** Options as `parseArgs` gives them, and as the configuration file says them. */
export interface Given extends IrcSettings.Given, PanelChoice.Given {
  readonly name?: string | undefined
  readonly room?: ReadonlyArray<string> | undefined
  readonly local?: boolean | undefined
  readonly "local-port"?: string | undefined
  readonly bootstrap?: ReadonlyArray<string> | undefined
  readonly data?: string | undefined
  readonly sandbox?: string | undefined
  readonly model?: string | undefined
  readonly "model-url"?: string | undefined
  readonly "model-key-file"?: string | undefined
  readonly instructions?: string | undefined
  readonly warm?: string | undefined
  readonly "budget-turn"?: string | undefined
  readonly budget?: string | undefined
  readonly "budget-all"?: string | undefined
  readonly keep?: string | undefined
  readonly "sandbox-runtime"?: string | undefined
  readonly json?: boolean | undefined
  readonly attached?: boolean | undefined
  readonly "log-level"?: string | undefined
  readonly "log-format"?: string | undefined
}

const parsePort = (text: string): number | undefined => {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port < 1 || port > 65_535 ? undefined : port
}

const parseAddress = (text: string): { readonly host: string; readonly port: number } | undefined => {
  const match = /^([^\s:]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(text)
  const port = parsePort(match?.[2] ?? "")
  return match === null || port === undefined ? undefined : { host: match[1]!, port }
}

/** Nodes that share a machine for trying things out get a folder each; a name that is no safe path becomes a hash. */
const localFolder = (folder: string, name: string): string =>
  join(
    folder,
    "local",
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) ? name : createHash("sha256").update(name).digest("hex").slice(0, 16)
  )

/** The model that options name; what they leave open the environment may say. */
const modelIn = (given: Given): ModelSettings.ModelSettings => ({
  ...ModelSettings.fromEnvironment(process.env),
  ...(given.model === undefined ? {} : { model: given.model }),
  ...(given["model-url"] === undefined ? {} : { url: given["model-url"] }),
  ...(given["model-key-file"] === undefined ? {} : { keyFile: given["model-key-file"] }),
  ...(given.instructions === undefined ? {} : { instructionsFile: given.instructions })
})

/** The budgets that options name. */
const budgetsIn = (given: Given): Budgets.Budgets | { readonly mistake: string } => {
  const budgets: { -readonly [Whose in keyof Budgets.Budgets]: Budgets.Budgets[Whose] } = {}
  for (const [option, whose] of [
    ["budget-turn", "turn"],
    ["budget", "day"],
    ["budget-all", "everybody"]
  ] as const) {
    const text = given[option]
    if (text === undefined) continue
    const budget = Budgets.parse(whose, text)
    if (budget === undefined) return { mistake: `--${option} "${text}": ${Budgets.expected} is expected` }
    budgets[whose] = budget
  }
  return budgets
}

/** Checks what was given on the command line; a mistake names the option, the value and what is allowed. */
export const readOptions = (given: Given, rates: Options["rates"] = {}): Options | { readonly mistake: string } => {
  if (given.name === undefined) return { mistake: "--name is needed: how others address you in the room" }
  const name = Name.parse(given.name)
  if (Result.isFailure(name)) return { mistake: `--name "${given.name}": ${Rejection.sentence(name.failure)}` }
  const { bootstrap = [], local = false, sandbox = "agent" } = given
  if (sandbox !== "agent" && sandbox !== "scripted" && sandbox !== "off")
    return { mistake: `--sandbox "${sandbox}": allowed are agent, scripted, off` }
  if (local && bootstrap.length > 0) return { mistake: "--local and --bootstrap exclude each other" }
  const localPort = given["local-port"]
  const port = localPort === undefined ? undefined : parsePort(localPort)
  if (localPort !== undefined && !local) return { mistake: "--local-port means something with --local only" }
  if (localPort !== undefined && port === undefined) {
    return { mistake: `--local-port "${localPort}": a number from 1 to 65535 is expected` }
  }
  const nodes = bootstrap.map(parseAddress)
  if (nodes.includes(undefined)) return { mistake: `--bootstrap "${bootstrap.join(" ")}": HOST:PORT is expected` }
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  const dataFolder = local && given.data === undefined ? localFolder(chosen.folder, name.success) : chosen.folder
  const rooms = (given.room ?? []).map((file, index) => ({ name: index === 0 ? "lobby" : `lobby-${index + 1}`, file }))
  const network: Layers.Settings["network"] = local
    ? port === undefined
      ? { kind: "local" }
      : { kind: "local", port }
    : nodes.length > 0
      ? { kind: "bootstrap", nodes: nodes.filter((node) => node !== undefined) }
      : { kind: "public" }
  const { warm: ahead = "0" } = given
  if (!/^[0-4]$/.test(ahead)) return { mistake: `--warm "${ahead}": a number from 0 to 4 is expected` }
  const warm = Number(ahead)
  const { keep = "0" } = given
  if (!/^\d{1,2}$/.test(keep) || Number(keep) > 60)
    return { mistake: `--keep "${keep}": minutes from 0 to 60 are expected` }
  const budgets = budgetsIn(given)
  if ("mistake" in budgets) return budgets
  const model = modelIn(given)
  const runtime = given["sandbox-runtime"]
  if (runtime !== undefined && !Layers.runtimeName.test(runtime))
    return { mistake: `--sandbox-runtime "${runtime}": the name of a runtime of the engine is expected, such as runsc` }
  const engine = {
    keepMinutes: Number(keep),
    ...(runtime === undefined ? Layers.runtimeIn(process.env) : { runtime }),
    ...Layers.engineSocket(process.env)
  }
  const irc = IrcSettings.read(given, name.success, process.env)
  if (irc !== undefined && "mistake" in irc) return irc
  const channel = irc === undefined ? {} : { irc }
  const settings = { dataFolder, rooms, network, sandbox, model, warm, budgets, ...channel, ...engine } as const
  const logs = Logs.wanted(given["log-level"], given["log-format"])
  if ("mistake" in logs) return logs
  const panel = PanelChoice.read(given)
  if ("mistake" in panel) return panel
  const started = { name: name.success, json: given.json ?? false, attached: given.attached ?? false }
  return { ...started, logs, settings, rates, ...panel }
}
