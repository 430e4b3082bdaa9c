/**
 * Promises of the former plugin that its words in the host's CLI broke, each named after the promise.
 * It never reads what is printed closely; each word is tried in `host/cli.slow.test.ts`.
 * The CLI is a process of its own that the host's own timer would keep for ever.
 */
import { execFile, spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterEach, describe, expect, it } from "vitest"
import { ChatRoom } from "../host/Host.ts"
import { call, listIn, makeStage, type Stage } from "../host/Stage.ts"
import { until } from "../world/World.ts"

let stage: Stage | undefined
afterEach(() => stage?.end())

const script = new URL("../host/cli.process.ts", import.meta.url).pathname

/** `wopr …` of whoever has this home: what it printed. Fails unless it ends by itself with 0. */
const wopr = async (home: string, ...typed: ReadonlyArray<string>): Promise<string> => {
  const env = { ...process.env, WOPR_HOME: home, WOPR_P2P_HOME: "" }
  return (await promisify(execFile)(process.execPath, [script, ...typed], { env, timeout: 25_000 })).stdout
}

describe("19 · CLI", () => {
  it("prints something, ends by itself, and works on the daemon's own state", async () => {
    stage = await makeStage()
    const { daemon, folder } = await stage.resident("ada", new ChatRoom("lobby"))
    await until("it is up", async () => (await call(daemon, "p2p_status")).data?.["state"] === "on", 20_000)
    const home = stage.folder()
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, "config.json"), JSON.stringify({ plugins: { data: { p2p: { dataFolder: folder } } } }))
    expect(await wopr(home, "p2p", "topics", "join", "chess")).toContain("done")
    const topics = listIn<{ readonly topic: string }>(await call(daemon, "p2p_list_topics"), "topics")
    expect(topics.map(({ topic }) => topic)).toEqual(["chess"])
    await call(daemon, "p2p_join_topic", { topic: "go" })
    const listed = await wopr(home, "p2p", "topics")
    for (const topic of ["chess", "go"]) expect(listed).toContain(topic)
  })
})

describe("a reader that has read enough", () => {
  it("ends the program quietly", async () => {
    const program = new URL("../../plugin/wopr-p2p.js", import.meta.url).pathname
    const child = spawn(process.execPath, [program, "completion", "bash"], { stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.destroy()
    let said = ""
    child.stderr.on("data", (chunk) => {
      said += chunk
    })
    const code = await new Promise((resolve) => child.on("close", resolve))
    expect([code, said]).toEqual([0, ""])
  }, 20_000)
})
