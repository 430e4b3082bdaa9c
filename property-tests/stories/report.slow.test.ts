/**
 * A bug report's way: a life of real programs, the report of one of them, and the simulator that plays it again.
 * It drives the shipped programs from outside; nothing is taken from a node but what the command prints.
 * What is planted in keys, texts, names, links and settings must be in none of it, nor in logs, spans, numbers or the audit log.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as Report from "../../plugin/report/Report.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { replay } from "../simulation/Replay.ts"
import { projectRoot } from "../tidy/Tree.ts"
import { loopback } from "./loopback.ts"
import { finish } from "./stage.ts"

const { bootstrap, folder } = loopback("report")
const nodes: Array<Child.Child> = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
})

/** A collector of OpenTelemetry, as far as a node can tell. */
const received: Array<{ readonly path: string; readonly body: string }> = []
const collector = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    received.push({ path: request.url ?? "", body: Buffer.concat(chunks).toString() })
    response.setHeader("content-type", "application/json")
    response.end("{}")
  })
})
beforeAll(() => new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve)))
afterAll(() => new Promise<void>((resolve) => collector.close(() => resolve())))

const canaries = {
  message: "canary-text-of-ada",
  answer: "canary-text-of-bob",
  question: "canary-question",
  modelKey: "canary-model-key",
  name: "canary-named-eve"
}
const data = (name: string): string => join(folder, name)

const begin = async (name: string, env: Readonly<Record<string, string>> = {}, more: ReadonlyArray<string> = []) => {
  const room = join(folder, "room.txt")
  const options = ["--name", name, "--data", data(name), "--room", room, "--sandbox", "off", ...bootstrap, ...more]
  const node = Child.start(options, env)
  nodes.push(node)
  await node.wait("it is up", ({ event }) => event === "started", 60_000)
  const ask = async (line: string): Promise<Child.Told> => {
    const after = node.told.length
    node.type(line)
    return node.wait(`the reply to ${line}`, ({ event }) => event === "reply", 30_000, after)
  }
  const hears = (event: string, matches: (told: Child.Told) => boolean = () => true) =>
    node.wait(event, (told) => told.event === event && matches(told), 60_000)
  return { node, ask, hears }
}

const ended = async (from: Awaited<ReturnType<typeof begin>>, line: string) => {
  const { id } = await from.ask(line)
  const isEnd = (told: Child.Told) => told["id"] === id && /^(delivered|refused|answered)$/.test(told.event)
  return from.node.wait(`the end of ${line}`, isEnd, 60_000)
}

const secretsOf = (name: string): ReadonlyArray<string> => {
  const kept = JSON.parse(readFileSync(join(data(name), "identity.json"), "utf8")) as Record<string, unknown>
  return Object.values(kept).filter((value): value is string => typeof value === "string" && value.length > 30)
}

describe("a life, and what is told of it", () => {
  it("comes again in the simulator; and no secret, text or name is in report, logs, spans, numbers or audit log", {
    timeout: 240_000
  }, async () => {
    mkdirSync(data("ada"), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, "model-key"), canaries.modelKey, { mode: 0o600 })
    const telemetry = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_BLRP_SCHEDULE_DELAY: "200",
      OTEL_METRIC_EXPORT_INTERVAL: "500"
    }
    const logs = ["--log-format", "json", "--log-level", "debug"]
    const model = ["--model-key-file", join(folder, "model-key")]
    const ada = await begin("ada", telemetry, [...logs, ...model])
    const eve = await begin(canaries.name)
    const link = String((await ada.ask("/invite"))["link"])
    await eve.ask(`/friend @ada`)
    await ada.hears("request-received")
    await ada.ask(`/accept @${canaries.name}`)
    await eve.hears("friendship")
    expect((await ended(eve, `/message @ada ${canaries.message}`)).event).toBe("delivered")
    expect((await ended(ada, `/message @${canaries.name} ${canaries.answer}`)).event).toBe("delivered")
    expect(await ended(eve, `/inject @ada ${canaries.question}`)).toMatchObject({ code: "no-capability" })
    await ada.ask(`/grant @${canaries.name} inject`)
    expect(await ended(eve, `/inject @ada ${canaries.question}`)).toMatchObject({ event: "refused" })
    await ada.ask(`/revoke @${canaries.name} message`)
    expect(await ended(eve, `/message @ada ${canaries.message}`)).toMatchObject({ code: "no-capability" })

    const file = join(folder, "report.json")
    const made = await finish(["bugreport", file, "--data", data("ada")], {})
    expect(made, made.stderr).toMatchObject({ code: 0 })
    expect((await finish(["bugreport", file, "--data", data("ada")], {})).code).toBe(1)
    const asked = await finish(["bugreport", "--data", data("ada")], {})
    expect(await ada.node.stop()).toBe(0)
    const atRest = await finish(["bugreport", "--data", data("ada")], {})
    const texts = [readFileSync(file, "utf8"), asked.stdout, atRest.stdout]
    const reports = texts.map(Report.read)
    expect(reports.map((one) => one?.running)).toEqual([true, true, false])
    expect(reports[0]!.audit).toEqual({ ok: true, codes: [] })
    // Another salt for each: nobody can lay two reports beside each other.
    expect(reports[0]!.friends[0]!.who).not.toBe(reports[1]!.friends[0]!.who)
    expect(reports[0]!.story.some(({ who }) => who === reports[0]!.friends[0]!.who)).toBe(true)

    const played = replay(reports[2]!, 7)
    expect(played.told).toBeGreaterThan(6)
    expect(played.missing, JSON.stringify(played)).toEqual([])
    const program = spawnSync("npm", ["run", "--silent", "simulate", "--", "--report", file, "--seed", "3", "--json"], {
      cwd: projectRoot,
      encoding: "utf8"
    })
    expect(program.status, program.stdout + program.stderr).toBe(0)
    expect(JSON.parse(program.stdout.trim().split("\n").at(-1)!)).toMatchObject({ missing: [] })

    const paths = new Set(received.map(({ path }) => path))
    expect([...paths].sort()).toEqual(["/v1/logs", "/v1/metrics", "/v1/traces"])
    const exported = received.map(({ body }) => body).join("\n")
    expect(exported).toContain("wopr_p2p_decisions")
    expect(exported).toContain("no-capability")
    expect(exported).toContain('"name":"command"')
    const muttered = ada.node.muttered.join("\n")
    const records = ada.node.muttered.map((line) => JSON.parse(line) as Record<string, string>)
    expect(records.map(({ event }) => event)).toContain("Received")
    expect(new Set(records.map(({ level }) => level))).toContain("info")
    const { stdout: audited } = await finish(["audit", "verify", "--data", data("ada"), "--json"], {})
    expect(JSON.parse(audited)).toMatchObject({ ok: true, unsigned: 0 })
    const audit = readFileSync(join(data("ada"), "audit", "000000000001.jsonl"), "utf8")

    const secrets = [
      ...secretsOf("ada"),
      ...secretsOf(canaries.name),
      link.slice(-60),
      readFileSync(join(data("ada"), "control.key"), "latin1")
    ]
    expect(secrets.length).toBeGreaterThan(5)
    const { name, ...words } = canaries
    const told = { report: texts.join(), exported, muttered, audit, audited }
    for (const [where, text] of Object.entries(told)) {
      for (const canary of [...Object.values(words), ...secrets]) expect(text.includes(canary), where).toBe(false)
    }
    // A friend's name is what its owner's own log is about; it is in nothing else.
    for (const where of ["report", "audit", "audited"] as const) expect(told[where]).not.toContain(name)
    for (const { body, path } of received) if (path !== "/v1/logs") expect(body, path).not.toContain(name)
  })
})
