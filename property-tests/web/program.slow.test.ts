/**
 * The panel as people come by it: a program's option and a link, and a plugin in its host.
 * It must only do what a person can do: run the program, read what it prints, open what it is given.
 * Nothing that was printed or logged may let a second person in.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { ChatRoom } from "../host/Host.ts"
import { loadable, makeStage, type Stage } from "../host/Stage.ts"
import { clearPlaces, finish, makePlace, type Place } from "../stories/stage.ts"
import { ask, segmentOf, signIn, until } from "./Stage.ts"

const nodes: Array<Child.Child> = []
let stage: Stage | undefined
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
  await stage?.end()
  stage = undefined
})
afterAll(clearPlaces)

const begin = async (place: Place, ...more: ReadonlyArray<string>): Promise<Child.Child> => {
  const folder = join(place.folder, "ada")
  const network = ["--local", "--local-port", String(place.port), "--sandbox", "off"]
  const node = Child.start(["--name", "ada", "--data", folder, ...network, ...more], place.env)
  nodes.push(node)
  await node.wait("its start", ({ event }) => event === "started")
  return node
}
const panel = async (place: Place, ...more: ReadonlyArray<string>) => {
  const ended = await finish(["panel", "--data", join(place.folder, "ada"), "--json", ...more], place.env)
  return { exit: ended.code, ...JSON.parse(ended.stdout) }
}
const portIn = (folder: string): number => JSON.parse(readFileSync(join(folder, "panel.json"), "utf8")).port

describe("a node of one's own", () => {
  it("prints a link that opens one page, and says it nowhere else", async () => {
    const place = await makePlace()
    const node = await begin(place, "--panel", "--panel-port", "0")
    const folder = join(place.folder, "ada")
    await until("the panel is up", () => existsSync(join(folder, "panel.json")))
    const told = await panel(place)
    expect(told).toMatchObject({
      exit: 0,
      ok: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/#[A-Za-z0-9_-]{22}$/)
    })
    expect(Number(new URL(told.url).port)).toBe(portIn(folder))
    const life = { port: portIn(folder) }
    expect((await ask(life, "/")).text).toContain('<main id="panel">')
    const page = await signIn(life, segmentOf(told.url))
    expect((await page.view()).identity.name).toBe("ada")
    await expect(signIn(life, segmentOf(told.url))).rejects.toThrow("404")
    expect((await page.command("/topic join chess")).json.ok).toBe(true)
    expect((await panel(place)).url).not.toBe(told.url)
    const printed = JSON.stringify(node.told) + node.muttered.join()
    for (const secret of [segmentOf(told.url), page.bearer]) expect(printed).not.toContain(secret)
    expect(await node.stop()).toBe(0)
    expect(existsSync(join(folder, "panel.json"))).toBe(false)
    expect(await panel(place)).toMatchObject({ exit: 3, ok: false, code: "not-running" })
  }, 90_000)

  it("without a panel says how there will be one, and a wrong port is named", async () => {
    const place = await makePlace()
    await begin(place)
    expect(await panel(place)).toMatchObject({ exit: 1, code: "no-panel", why: expect.stringContaining("--panel") })
    const wrong = await finish(["run", "--name", "ada", "--panel-port", "65536"], place.env)
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--panel-port")])
  }, 60_000)
})

describe("in the host", () => {
  it("is among the settings and has a page of its own, in no log, and goes with the plugin", async () => {
    stage = await makeStage()
    const ada = await stage.resident("ada", new ChatRoom("lobby"), { uiPort: 0 })
    await until("it is offered", () => ada.daemon.components.size === 1 && ada.daemon.pages.size === 1)
    const component = ada.daemon.components.get("p2p")!
    const page = ada.daemon.pages.get("p2p")!
    expect(component).toMatchObject({
      slot: "settings",
      moduleUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/m\//)
    })
    const life = { port: portIn(ada.folder) }
    const module = await ask(life, new URL(component.moduleUrl).pathname, {
      headers: { origin: "http://127.0.0.1:3000" }
    })
    // 503 says that this build has no panel in it.
    expect([200, 503]).toContain(module.status)
    expect(
      (await ask(life, new URL(component.moduleUrl).pathname, { headers: { origin: "http://127.0.0.1:8080" } })).status
    ).toBe(403)
    for (const url of [component.moduleUrl, page.url]) {
      expect((await (await signIn(life, segmentOf(url))).view()).identity.name).toBe("ada")
      expect(ada.daemon.logs.join("\n")).not.toContain(segmentOf(url))
    }
    await ada.daemon.unload("p2p", loadable(ada.plugin))
    expect([ada.daemon.components.size, ada.daemon.pages.size]).toEqual([0, 0])
    await expect(ask(life, "/")).rejects.toThrow()
  }, 60_000)

  it("is not served where the configuration says so", async () => {
    stage = await makeStage()
    const ada = await stage.resident("ada", new ChatRoom("lobby"), { panel: false })
    await until("the node is up", () => ada.daemon.logs.some((line) => line.includes("p2p is up")))
    expect([ada.daemon.components.size, existsSync(join(ada.folder, "panel.json"))]).toEqual([0, false])
  }, 60_000)
})
