/**
 * What `wopr friend` and `wopr p2p` do: the host calls them in a process of its own, in which no node runs.
 * They never touch keys or records of a running node: they are the program `wopr-p2p`, asked on the daemon's data folder.
 * That process does not end by itself, because the host keeps a timer there; so these end it, once what they print is out.
 */
import * as Config from "../Config.ts"
import { dispatch } from "../cli.ts"
import * as Groups from "../control/Groups.ts"
import * as HostConfig from "../HostConfig.ts"

/** The data folder that the daemon's configuration names for this plugin; in that process the host has not read it. */
const configuredFolder = (env: NodeJS.ProcessEnv = process.env): string | undefined => {
  try {
    return Config.read(HostConfig.settings(env)).config.dataFolder
  } catch {
    return undefined
  }
}

/** Carries out what was typed behind one of our words. Gives the exit code. */
const run = async (group: Groups.Group, typed: ReadonlyArray<string>): Promise<number> => {
  const words = Groups.meaning(group, typed)
  if (words === undefined) {
    const [first] = typed
    const isHelp = first === undefined || first === "help" || first === "--help" || first === "-h"
    const stream = isHelp ? process.stdout : process.stderr
    stream.write(`${isHelp ? "" : `there is no command "${first}" of ${group}\n\n`}${Groups.help(group, "wopr")}`)
    return isHelp ? 0 : 2
  }
  const folder = typed.some((word) => word === "--data" || word.startsWith("--data=")) ? undefined : configuredFolder()
  const [verb = "", ...rest] = words
  return dispatch([verb, ...(folder === undefined ? [] : ["--data", folder]), ...rest])
}

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write("", () => resolve()))

const one = (name: Groups.Group, description: string) => ({
  name,
  description,
  usage: `wopr ${name} WORD …, see wopr ${name} help`,
  handler: async (_context?: unknown, args: ReadonlyArray<string> = []): Promise<void> => {
    let code = 1
    try {
      code = await run(name, args)
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    }
    await Promise.all([flushed(process.stdout), flushed(process.stderr)])
    process.exit(code)
  }
})

/** The words of the host's CLI that are ours. */
export const commands = () => [
  one("friend", "Friends between agents: list, pending, accept, deny, remove, grant, revoke, verify, auto-accept"),
  one("p2p", "The peer-to-peer node: status, doctor, identity, invite, claim, peers, topics")
]
