/**
 * The host's configuration file, read where no host runs: by its CLI's process and by the doctor.
 * It never writes there, and decides nothing; what the settings mean is in Config.ts.
 * The host keeps a plugin's settings under the name it was installed by, so whatever name can be ours is looked for.
 */
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"

/** Where the host keeps it. */
export const fileOf = (env: NodeJS.ProcessEnv): string =>
  join(env["WOPR_HOME"] || join(env["HOME"] || homedir(), "wopr"), "config.json")

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const textOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return undefined
  }
}

/** What stands there for this plugin, under whatever name it is installed; undefined if nothing does. Throws what is no JSON. */
export const settings = (env: NodeJS.ProcessEnv): unknown => {
  const text = textOf(fileOf(env))
  if (text === undefined) return undefined
  const all: unknown = JSON.parse(text)
  const plugins = isRecord(all) && isRecord(all["plugins"]) ? all["plugins"]["data"] : undefined
  if (!isRecord(plugins)) return undefined
  const ours = Object.keys(plugins).filter((name) => name === "p2p" || name.endsWith("plugin-p2p"))
  // As the plugin itself: what stands under the installed name counts before what stands under p2p.
  const [name] = ours.sort((a, b) => Number(a === "p2p") - Number(b === "p2p"))
  return name === undefined ? undefined : plugins[name]
}
