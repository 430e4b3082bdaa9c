/**
 * The plugin in a process of its own: what it keeps alive, what it leaves behind, and what it never does to its host.
 * It never waits for a fixed time; a process that does not end is killed and fails the test.
 * The main module is loaded as the host loads it, with a query, so that a second copy is really another module.
 */
import { spawn } from "node:child_process"
import { afterEach, expect, it } from "vitest"
import { makeStage, type Stage } from "./Stage.ts"

let stage: Stage | undefined
afterEach(() => stage?.end())

const play = (ending: string, config: object): Promise<{ readonly code: number | null; readonly printed: string }> =>
  new Promise((resolve) => {
    const script = new URL("./daemon.process.ts", import.meta.url).pathname
    const child = spawn(process.execPath, [script, ending, JSON.stringify(config)])
    let printed = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (printed += String(bytes)))
    const late = setTimeout(() => child.kill("SIGKILL"), 25_000)
    child.on("close", (code) => {
      clearTimeout(late)
      resolve({ code, printed })
    })
  })

const settings = async () => {
  stage = await makeStage()
  return { dataFolder: stage.folder(), bootstrap: stage.bootstrap, sandbox: "off" }
}

it("after shutdown nothing keeps the process alive", async () => {
  expect(await play("shutdown", await settings())).toEqual({ code: 0, printed: '{"healthy":true}\ndone\n' })
})

it("nothing does either where friends would be answered, while the image, the model and the engine are still looked for", async () => {
  const more = { sandbox: "agent", model: "m", modelUrl: "http://127.0.0.1:9", warm: 1 }
  const { code, printed } = await play("shutdown", { ...(await settings()), ...more })
  expect({ code, printed }).toEqual({ code: 0, printed: '{"healthy":true}\ndone\n' })
})

it("a second module copy takes over, and after its shutdown nothing keeps the process alive", async () => {
  const printed = '{"healthy":true}\n[true,{"healthy":true}]\ndone\n'
  expect(await play("second", await settings())).toEqual({ code: 0, printed })
})

it("a host that vanishes without a word leaves a folder in which the next one starts", async () => {
  const config = await settings()
  expect((await play("vanish", config)).printed).toBe('{"healthy":true}\n')
  expect(await play("shutdown", config)).toEqual({ code: 0, printed: '{"healthy":true}\ndone\n' })
})

it("without a network, and with nothing that can be right, the process ends clean all the same", async () => {
  const config = await settings()
  expect(await play("shutdown", { ...config, bootstrap: ["192.0.2.1:9"] })).toMatchObject({ code: 0 })
  const { code, printed } = await play("shutdown", { ...config, dataFolder: "/proc/self/nowhere" })
  expect([code, printed]).toEqual([0, expect.stringContaining('{"healthy":false')])
})
