/**
 * The audit log of real nodes: what is decided while friends talk, over a kill and a restart, checked by the shipped command.
 * It drives the programs from outside, and changes their files as somebody with an editor would.
 * The command is asked beside a running node too, because that is when an owner asks.
 */
import { appendFileSync, cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { loopback } from "./loopback.ts"
import { type Ended, finish } from "./stage.ts"

const { bootstrap, folder } = loopback("audit")
const nodes: Array<Child.Child> = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
})

const data = (name: string): string => join(folder, name)
const begin = async (name: string): Promise<Child.Child> => {
  const room = ["--room", join(folder, "room.txt")]
  const node = Child.start(["--name", name, "--data", data(name), "--sandbox", "off", ...room, ...bootstrap])
  nodes.push(node)
  await node.wait("it is up", ({ event }) => event === "started", 60_000)
  return node
}
const does = async (node: Child.Child, line: string): Promise<void> => {
  const after = node.told.length
  node.type(line)
  const reply = await node.wait(`the reply to ${line}`, ({ event }) => event === "reply", 30_000, after)
  expect(reply, line).toMatchObject({ ok: true })
}
const hears = (node: Child.Child, event: string) => node.wait(event, (told) => told.event === event, 60_000)
const verify = async (where: string, ...more: ReadonlyArray<string>) => {
  const ended: Ended = await finish(["audit", "verify", "--data", where, "--json", ...more], {})
  const found = JSON.parse(ended.stdout) as {
    readonly ok: boolean
    readonly last: number
    readonly unsigned: number
    readonly findings: ReadonlyArray<{ readonly code: string }>
  }
  expect(ended.code).toBe(found.ok ? 0 : 1)
  return { ...found, codes: found.findings.map(({ code }) => code) }
}
const fileOf = (where: string): string => {
  const [name = ""] = readdirSync(join(where, "audit")).filter((one) => one.endsWith(".jsonl"))
  return join(where, "audit", name)
}

describe("the audit log of a node", () => {
  it("holds beside the node, over a kill and a restart, and as a copy; what is changed in it is found", {
    timeout: 240_000
  }, async () => {
    const [ada, bob] = [await begin("ada"), await begin("bob")]
    await does(ada, "/friend @bob")
    await hears(bob, "request-received")
    await does(bob, "/accept @ada")
    await hears(ada, "friendship")
    for (let count = 0; count < 8; count++) await does(ada, `/message @bob text ${count}`)
    await ada.wait("the last is delivered", ({ event, id }) => event === "delivered" && id !== undefined, 60_000)
    const beside = await verify(data("bob"))
    expect(beside).toMatchObject({ ok: true })
    // Killed in the middle of a life: what was written is whole, or its torn end is found and then cut.
    expect(await bob.stop("SIGKILL")).toBeNull()
    const killed = await verify(data("bob"))
    expect(killed.codes.every((code) => code === "torn-end")).toBe(true)
    appendFileSync(fileOf(data("bob")), '{"hash":"half a li')
    expect((await verify(data("bob"))).codes).toContain("torn-end")
    const again = await begin("bob")
    expect(await verify(data("bob"))).toMatchObject({ ok: true })
    expect(await again.stop()).toBe(0)
    const after = await verify(data("bob"))
    expect(after).toMatchObject({ ok: true, unsigned: 0 })
    expect(after.last).toBeGreaterThan(killed.last)
    const words = readFileSync(fileOf(data("bob")), "utf8")
    expect(words).toContain('"note":"cut"')
    expect(words).toContain('"asked":"owner Accept"')
    expect(words).toContain('"asked":"message Log"')

    const copy = join(folder, "copy")
    cpSync(join(data("bob"), "audit"), join(copy, "audit"), { recursive: true })
    const key = String(again.told.find(({ event }) => event === "started")?.["identityKey"])
    const other = String(ada.told.find(({ event }) => event === "started")?.["identityKey"])
    expect(await verify(copy, "--key", key)).toMatchObject({ ok: true })
    expect((await verify(copy, "--key", other)).codes).toContain("key-unknown")
    const lines = words.split("\n")
    writeFileSync(fileOf(copy), words.replace("admitted", "admitteD"))
    expect((await verify(copy, "--key", key)).codes).toContain("line-damaged")
    writeFileSync(
      fileOf(copy),
      lines
        .slice(0, -4)
        .map((line) => `${line}\n`)
        .join("")
    )
    expect((await verify(copy, "--key", key)).codes).toContain("end-missing")
    const prose = await finish(["audit", "verify", "--data", copy, "--key", key], {})
    expect(prose.stdout).toContain("the audit log is not as it was written")
  })
})
