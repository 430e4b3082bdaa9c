/**
 * Loaded into a node's process before the program (`node --import`): wraps its I/O and puts a script behind injects.
 * It never changes the program, which is the shipped one; only the Docker adapter is another, for want of a container.
 * Everything comes by environment, because the program's own arguments are the program's.
 */
import { registerHooks } from "node:module"
import { wrapDisk } from "./DiskCalls.ts"
import { wrapNetwork } from "./NetworkCalls.ts"
import { trip } from "./trip-of-this-process.ts"

const responder = new URL("./Responder.ts", import.meta.url).href
const docker = /\/adapters\/docker\/(Sandbox|Image|Watch)\.(ts|js)$/

registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context)
    return docker.test(found.url) ? { ...found, url: responder, shortCircuit: true } : found
  }
})
await wrapDisk(trip, process.env["CRASH_ROOT"] ?? "/nowhere")
wrapNetwork(trip)
