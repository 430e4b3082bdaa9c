/**
 * `wopr-p2p doctor`: what is wrong with a node, as a code, a sentence and the command that mends it.
 * It never mends anything itself, and prints no secret.
 * Exit code 1 only for what is broken; what it could not look at it says, so that silence means health.
 */
import { Effect } from "effect"
import type { Describe } from "../../core/index.ts"
import * as AtRest from "../control/AtRest.ts"
import * as Client from "../control/Client.ts"
import { ControlError } from "../control/ControlError.ts"
import * as NodeFile from "../control/NodeFile.ts"
import { waiting } from "../control/Spinner.ts"
import * as DataFolder from "../DataFolder.ts"
import * as ModelSettings from "../ModelSettings.ts"
import * as Present from "../Present.ts"
import type { Examined } from "./Examined.ts"
import { all, type Findings, table } from "./Finding.ts"
import * as Folder from "./Folder.ts"
import * as Host from "./Host.ts"
import * as Network from "./Network.ts"
import * as Process from "./Process.ts"
import * as Sandbox from "./Sandbox.ts"

export interface Options {
  readonly dataFolder: string
  readonly offline: boolean
  readonly json: boolean
}

/** Checks what was given on the command line. */
export const readOptions = (given: {
  readonly data?: string | undefined
  readonly offline?: boolean | undefined
  readonly json?: boolean | undefined
}): Options | { readonly mistake: string } => {
  const chosen = DataFolder.choose(DataFolder.machine(), given.data)
  if (!chosen.ok) return { mistake: chosen.message }
  return { dataFolder: chosen.folder, offline: given.offline ?? false, json: given.json ?? false }
}

/** What the node that holds the folder says of itself, or why it does not. */
const described = async (dataFolder: string): Promise<Describe.Description | string | undefined> => {
  try {
    const client = await Client.reach(dataFolder)
    try {
      const { facts, ok } = await client.ask({ kind: "describe" })
      return ok ? (facts as unknown as Describe.Description) : "it refused to describe itself"
    } finally {
      client.close()
    }
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return error.code === "not-running" ? undefined : error.message
  }
}

/** The model of the last start, with what the environment says where that said nothing. */
const modelOf = (node: NodeFile.NodeFile | undefined, env: NodeJS.ProcessEnv): ModelSettings.ModelSettings => {
  const { model, modelKeyFile: keyFile, modelUrl: url } = node ?? {}
  return {
    ...ModelSettings.fromEnvironment(env),
    ...(model === undefined ? {} : { model }),
    ...(url === undefined ? {} : { url }),
    ...(keyFile === undefined ? {} : { keyFile })
  }
}

/** Everything that is found. */
export const examine = async (
  { dataFolder, offline }: Options,
  env: NodeJS.ProcessEnv = process.env,
  nowMs = Date.now()
): Promise<Findings> => {
  const node = NodeFile.read(dataFolder)
  const holder = await AtRest.holder(dataFolder)
  const running = holder === undefined ? undefined : await described(dataFolder)
  const examined: Examined = { dataFolder, env, nowMs, offline, node, model: modelOf(node, env), holder, running }
  const folder = await Effect.runPromise(Folder.check(examined))
  // Where there is nothing yet, nothing can be wrong with the rest of it.
  if (folder.findings.some(({ code }) => code === "folder-missing")) return folder
  return all([
    folder,
    await Process.check(examined),
    await Effect.runPromise(Network.check(examined)),
    await Effect.runPromise(Sandbox.check(examined)),
    Host.check(examined)
  ])
}

/** Findings in words. */
export const inWords = ({ findings, unknown }: Findings): ReadonlyArray<Present.Line> => [
  ...findings.flatMap(
    ({ code, detail, mend }): ReadonlyArray<Present.Line> => [
      {
        tone: table[code].level === "broken" ? "alarm" : "quiet",
        text: `${table[code].level === "broken" ? "BROKEN" : "notice"}  ${code}: ${table[code].sentence}${detail === "" ? "" : ` (${Present.harmless(detail)})`}`
      },
      { tone: "plain", text: `        ${Present.harmless(mend)}` }
    ]
  ),
  ...unknown.map(
    ({ what, why }): Present.Line => ({ tone: "quiet", text: `not known: ${what}: ${Present.harmless(why)}` })
  ),
  ...(findings.length === 0 ? [{ tone: "good", text: "nothing is wrong" } as const] : [])
]

/** Runs the command. Gives the exit code. */
export const doctor = async (options: Options): Promise<number> => {
  const found = await waiting(examine(options), options.json)
  const broken = found.findings.some(({ code }) => table[code].level === "broken")
  if (options.json) {
    const findings = found.findings.map((one) => ({ ...one, ...table[one.code] }))
    process.stdout.write(
      `${Present.json({ ok: !broken, data: options.dataFolder, findings, unknown: found.unknown })}\n`
    )
  } else {
    const colour = process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === ""
    for (const line of inWords(found)) process.stdout.write(`${Present.paint(line, colour)}\n`)
  }
  return broken ? 1 : 0
}
