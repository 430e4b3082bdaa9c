/**
 * `wopr-p2p mcp`: the tools over standard input and output, for an agent that starts this program itself.
 * It never writes anything but the protocol to standard output; logs go to standard error.
 * It ends when standard input does, because that is how an agent lets go of its servers; a node of its own ends with it.
 */
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { Effect } from "effect"
import * as NodeFile from "../control/NodeFile.ts"
import * as DataFolder from "../DataFolder.ts"
import * as Logs from "../Logs.ts"
import * as RunOptions from "../standalone/RunOptions.ts"
import * as Telemetry from "../Telemetry.ts"
import * as Hosting from "./Hosting.ts"
import * as Server from "./Server.ts"

export interface Options extends Hosting.Hosted {
  readonly logs: Logs.Wanted
}

/** Checks what was given; the name of a folder whose node has run before need not be said again. */
export const readOptions = (
  given: RunOptions.Given,
  rates: RunOptions.Options["rates"],
  may: Options["may"]
): Options | { readonly mistake: string } => {
  const chosen = given.local === true ? undefined : DataFolder.choose(DataFolder.machine(), given.data)
  const known = chosen?.ok === true ? NodeFile.read(chosen.folder)?.name : undefined
  const name = given.name ?? known
  const read = RunOptions.readOptions({ ...given, ...(name === undefined ? {} : { name }) }, rates)
  if ("mistake" in read) return read
  return { name: read.name, settings: read.settings, rates: read.rates, logs: read.logs, may }
}

/** Serves until standard input ends or the process is asked to end. Gives the exit code. */
export const mcp = async (options: Options, version: string): Promise<number> => {
  const logs = Logs.layer({ format: "text", ...options.logs }, Logs.onStderr)
  const { call, end } = Hosting.open(options, (effect) =>
    Effect.runFork(effect.pipe(Effect.provide(Telemetry.layer(process.env)), Effect.provide(logs)))
  )
  const server = Server.make(version, call)
  const over = new Promise<void>((resolve) => {
    const done = () => resolve()
    process.stdin.once("end", done).once("close", done).once("error", done)
    process.stdout.once("error", done)
    process.once("SIGINT", done).once("SIGTERM", done).once("SIGHUP", done)
    server.onclose = done
  })
  await server.connect(new StdioServerTransport())
  await over
  await server.close()
  await Effect.runPromise(end)
  process.stdin.unref?.()
  return 0
}
