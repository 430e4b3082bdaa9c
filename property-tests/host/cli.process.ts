/**
 * The host's CLI in a process of its own: `wopr WORD …` for a word that is a plugin's, with its surprises.
 * It never starts the plugin: the module is loaded, its command is called, and a timer of the host's keeps the process.
 * Lines of the host's log come first on standard output, and an empty argument is lost on the way.
 */
import { Daemon } from "./Host.ts"

const [word = "", ...typed] = process.argv.slice(2)
const main = new URL("../../plugin/entry.js", import.meta.url).href
const { default: plugin } = (await import(main)) as {
  readonly default: {
    readonly commands: ReadonlyArray<{
      readonly name: string
      readonly handler: (context: unknown, args: ReadonlyArray<string>) => Promise<void>
    }>
  }
}
setInterval(() => {}, 60_000)
process.stdout.write("[plugins] loaded p2p\n")
const command = plugin.commands.find(({ name }) => name === word)
if (command === undefined) process.exit(99)
await command.handler(
  new Daemon().context("@wopr-network/wopr-plugin-p2p"),
  typed.filter((one) => one !== "")
)
