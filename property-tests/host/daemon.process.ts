/**
 * A daemon of the stand-in in a process of its own: loads the package's main module and does with it what it is told.
 * It never keeps itself alive: what keeps this process is the plugin, and that is what is looked at from outside.
 * Like the real host it ends with code 1 at an unhandled rejection.
 */
import { Daemon } from "./Host.ts"
import { loadable } from "./Stage.ts"

process.on("unhandledRejection", (reason) => {
  process.stderr.write(`unhandled: ${String(reason)}\n`)
  process.exit(1)
})

const [ending = "", config = "{}"] = process.argv.slice(2)
const main = new URL("../../plugin/entry.js", import.meta.url).href
const daemon = new Daemon({ p2p: JSON.parse(config) })
const { default: plugin } = await import(`${main}?t=1`)
await daemon.load("p2p", loadable(plugin))
/** Up, or known not to be. */
const settled = async (one: typeof plugin) => {
  for (
    const untilMs = Date.now() + 8_000;
    Date.now() < untilMs;
    await new Promise((resolve) => setTimeout(resolve, 20))
  ) {
    const { healthy, message } = await one.healthCheck()
    if (healthy || message !== "it is starting") return
  }
}
await settled(plugin)
process.stdout.write(`${JSON.stringify(await plugin.healthCheck())}\n`)
if (ending === "second") {
  const { default: second } = await import(`${main}?t=2`)
  await daemon.load("p2p", loadable(second))
  await plugin.shutdown()
  await settled(second)
  process.stdout.write(`${JSON.stringify([second !== plugin, await second.healthCheck()])}\n`)
  await daemon.unload("p2p", loadable(second))
}
if (ending === "shutdown") await daemon.unload("p2p", loadable(plugin))
if (ending === "vanish") process.exit(0)
// Like the real host, it is gone at a SIGTERM before anybody is asked to shut down.
if (ending === "stay") await new Promise(() => {})
process.stdout.write("done\n")
