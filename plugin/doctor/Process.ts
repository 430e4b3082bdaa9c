/**
 * The doctor's look at the process: who holds the folder, whether it answers and is found, what waits for its start.
 * It never sends a signal, and asks the node nothing that changes it.
 * A node that is silent is told from none: the first is a fault, the second is not.
 */
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import { shellWord } from "../../adapters/filesystem/Files.ts"
import { ControlError } from "../control/ControlError.ts"
import * as IntentFiles from "../control/IntentFiles.ts"
import * as Place from "../control/Place.ts"
import * as Server from "../control/Server.ts"
import type { Examined } from "./Examined.ts"
import { all, type Findings, found, none } from "./Finding.ts"

const key = async ({ dataFolder }: Examined): Promise<Findings> => {
  try {
    await Place.readKey(dataFolder)
    return none
  } catch (error) {
    const path = join(dataFolder, Place.keyName)
    const mend = `stop the node, then: rm ${shellWord(path)}`
    const isOpen = error instanceof ControlError && error.code === "key-open"
    return found(isOpen ? "control-key-open" : "control-key-damaged", path, mend)
  }
}

const socket = async ({ dataFolder, env, holder }: Examined): Promise<Findings> => {
  try {
    const { path } = Place.socketPath(dataFolder, env)
    if (holder !== undefined || !existsSync(path) || (await Server.isAnswered(path))) return none
    return found("socket-left", path, "start the node")
  } catch {
    return found("socket-path", dataFolder, "export XDG_RUNTIME_DIR=/run/user/$(id -u), or take a shorter --data")
  }
}

const node = ({ holder, running }: Examined): Findings => {
  if (holder !== undefined && (running === undefined || typeof running === "string")) {
    const why = running === undefined ? "no answer" : running
    return found(
      "node-silent",
      `process ${holder.pid} on ${holder.host}: ${why}`,
      `end it and start the node again: kill ${holder.pid}`
    )
  }
  if (running === undefined || typeof running === "string") return none
  return running.keysAnnounced.length > 0
    ? none
    : found("not-listening", `process ${holder?.pid ?? "?"}`, "start the node again")
}

const intents = async ({ dataFolder, holder }: Examined): Promise<Findings> => {
  const names = await IntentFiles.names(dataFolder)
  const path = (name: string) => join(IntentFiles.folderOf(dataFolder), name)
  const damaged = names.filter((name) => IntentFiles.read(dataFolder, name) === undefined)
  const whole = names.length - damaged.length
  return all([
    ...damaged.map((name) => found("intent-damaged", path(name), `rm ${shellWord(path(name))}`)),
    whole === 0 || holder !== undefined ? none : found("intents-waiting", String(whole), "start the node")
  ])
}

/** The former plugin's `security.json` in the host's home, and a second folder with an identity. */
const around = ({ env }: Examined): Findings => {
  const named = env["WOPR_HOME"] ?? ""
  const user = env["HOME"] ?? homedir()
  const home = named === "" ? join(user, ".wopr") : resolve(named)
  // Without WOPR_HOME the former plugin wrote it into a folder of another name than the host's.
  const files = [...new Set([home, ...(named === "" ? [join(user, "wopr")] : [])])].map((one) =>
    join(one, "security.json")
  )
  const left = files.filter((file) => existsSync(file))
  const [shared, own] = ["/data/p2p", join(home, "p2p")]
  const both = [shared, own].every((folder) => existsSync(join(folder, "identity.json")))
  return all([
    ...left.map((file) => found("former-security", file, `mv ${shellWord(file)} ${shellWord(`${file}.former`)}`)),
    both ? found("identities-two", `${shared} and ${own}`, `mv ${shared} ${shared}.other`) : none
  ])
}

/** Looks at the process and around it. */
export const check = async (examined: Examined): Promise<Findings> =>
  all([await key(examined), await socket(examined), node(examined), await intents(examined), around(examined)])
