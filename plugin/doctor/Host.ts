/**
 * What the host has been told of the plugin, as its file says: settings that are wrong, and what they leave open.
 * It never asks the host, which may not run, and repeats no value that may be a secret.
 * A node of one's own, of which the host has been told nothing, is not looked at.
 */
import { shellWord } from "../../adapters/filesystem/Files.ts"
import * as Config from "../Config.ts"
import * as HostConfig from "../HostConfig.ts"
import type { Examined } from "./Examined.ts"
import { all, type Findings, found, none } from "./Finding.ts"

const policy = ({ env }: Examined): Findings => {
  const enforcement = env["WOPR_SECURITY_ENFORCEMENT"] ?? "enforce"
  return enforcement === "enforce"
    ? none
    : found(
        "host-lenient",
        `WOPR_SECURITY_ENFORCEMENT=${enforcement}`,
        "unset WOPR_SECURITY_ENFORCEMENT, and restart the host"
      )
}

/** Looks at the host's configuration. */
export const check = (examined: Examined): Findings => {
  const { dataFolder, env } = examined
  const file = HostConfig.fileOf(env)
  const edit = `vi ${shellWord(file)}`
  let given: unknown
  try {
    given = HostConfig.settings(env)
  } catch {
    return found("host-config-damaged", file, edit)
  }
  if (given === undefined) return none
  const { config, errors, warnings } = Config.read(given)
  // The host's node may live in another folder than the one that was asked about.
  if (config.dataFolder !== undefined && config.dataFolder !== dataFolder) return none
  const owners = Object.values(config.owners ?? {}).flat()
  return all([
    ...errors.map((error) => found("host-config-wrong", error, edit)),
    ...warnings.map((warning) => found("host-config-unknown", warning, edit)),
    errors.length === 0 && owners.length === 0 ? found("owners-missing", file, edit) : none,
    policy(examined)
  ])
}
