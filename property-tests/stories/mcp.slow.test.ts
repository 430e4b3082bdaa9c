/**
 * The tools over MCP as an agent's program uses them: the SDK's own client starts ours and calls what it lists.
 * It drives the shipped program from outside, each with a node of its own on a DHT of the story's own on loopback.
 * Everything from the first invite to the answer goes through tools alone; no prompt and no chat room takes part.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { afterEach, describe, expect, it } from "vitest"
import { table } from "../../plugin/host/Tools.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { withEngine } from "../conformance/docker-engine.ts"
import { projectRoot } from "../tidy/Tree.ts"
import { loopback } from "./loopback.ts"

const { bootstrap, folder } = loopback("mcp")
const opened: Array<Client> = []
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close()
})

type Answer = {
  readonly ok: boolean
  readonly data?: Record<string, unknown>
  readonly error?: { readonly code: string }
}

const argsOf = (name: string, more: ReadonlyArray<string> = []) => [
  "mcp",
  "--name",
  name,
  "--data",
  join(folder, name),
  ...bootstrap,
  ...(more.includes("--sandbox") ? [] : ["--sandbox", "off"]),
  ...more
]

/** An agent with our server in its configuration. */
const agent = async (args: ReadonlyArray<string>) => {
  const client = new Client({ name: "an agent", version: "1" })
  const broken: Array<string> = []
  client.onerror = (error) => broken.push(error.message)
  const env = Object.fromEntries(
    Object.entries(process.env).filter((one): one is [string, string] => one[1] !== undefined)
  )
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [Child.program(), ...args], env, stderr: "ignore" })
  )
  opened.push(client)
  const call = async (tool: string, given: Record<string, unknown> = {}): Promise<Answer> => {
    const { content, isError } = (await client.callTool({ name: tool, arguments: given }, undefined, {
      timeout: 60_000
    })) as { readonly content: ReadonlyArray<{ readonly text: string }>; readonly isError: boolean }
    const answer = JSON.parse(content[0]!.text) as Answer
    expect(isError).toBe(!answer.ok)
    return answer
  }
  const read = async (uri: string) => {
    const { contents } = await client.readResource({ uri })
    return JSON.parse((contents[0] as { readonly text: string }).text) as Answer
  }
  return { client, call, read, broken }
}
type Agent = Awaited<ReturnType<typeof agent>>

/** Calls until the answer is as wanted: what it needs happens elsewhere. */
const until = async (what: string, ask: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> => {
  let answer = await ask()
  for (const lateMs = performance.now() + 60_000; !holds(answer); answer = await ask()) {
    if (performance.now() > lateMs) throw new Error(`not within a minute: ${what}: ${JSON.stringify(answer)}`)
    await pause(200)
  }
  return answer
}

const befriend = async (alice: Agent, bob: Agent): Promise<void> => {
  const invite = await alice.call("p2p_create_invite")
  expect(invite.ok, JSON.stringify(invite)).toBe(true)
  const claim = await bob.call("p2p_claim_invite", { token: String(invite.data!["link"]), timeoutMs: 20_000 })
  expect(claim.ok, JSON.stringify(claim)).toBe(true)
  for (const [one, name] of [
    [alice, "bob"],
    [bob, "alice"]
  ] as const) {
    await until(
      `a friend ${name}`,
      () => one.call("p2p_friends"),
      ({ data }) => JSON.stringify(data).includes(`"name":"${name}"`)
    )
  }
}

const delivered = async (from: Agent, peer: string, message: string): Promise<void> => {
  const sent = await from.call("p2p_log_message", { peer, message, timeoutMs: 20_000 })
  const id = String(sent.data?.["id"])
  const end = await until(
    "it is delivered",
    () => from.call("p2p_wait", { id, timeoutMs: 5_000 }),
    ({ data }) => data?.["state"] === "delivered"
  )
  expect(end.ok).toBe(true)
}

withEngine("two agents over MCP", () => {
  it("become friends, talk and have each other's agent answer, through the tools alone", {
    timeout: 240_000
  }, async () => {
    const [alice, bob] = await Promise.all([
      agent(argsOf("alice", ["--tools-may-grant"])),
      agent(argsOf("bob", ["--tools-may-grant", "--sandbox", "scripted"]))
    ])
    const { tools } = await alice.client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(table.map(({ name }) => name))
    await befriend(alice, bob)
    await delivered(alice, "bob", "hello bob, over MCP")
    await delivered(bob, "alice", "hello alice, over MCP")
    expect(JSON.stringify(await bob.read("wopr-p2p://inbox"))).toContain("hello bob, over MCP")
    expect(JSON.stringify(await alice.read("wopr-p2p://friends"))).toContain('"name":"bob"')
    expect((await alice.read("wopr-p2p://status")).data).toMatchObject({ state: "on", name: "alice", friends: 1 })

    const refused = await alice.call("p2p_inject_message", {
      peer: "bob",
      message: "what is the date?",
      timeoutMs: 20_000
    })
    expect(refused.error?.code).toBe("no-capability")
    expect((await bob.call("p2p_grant_access", { peerKey: "alice", caps: ["inject"] })).ok).toBe(true)
    await until(
      "bob's sandbox is ready",
      () => bob.call("p2p_status"),
      ({ data }) => data?.["answersFriends"] === true
    )
    const asked = await alice.call("p2p_inject_message", { peer: "bob", message: "what is the date?" })
    const id = String(asked.data?.["id"])
    const answer = await until(
      "an answer",
      () => alice.call("p2p_wait", { id, timeoutMs: 20_000 }),
      ({ data }) => data?.["state"] === "answered"
    )
    expect(String(answer.data!["answer"]).length).toBeGreaterThan(0)
    expect([...alice.broken, ...bob.broken]).toEqual([])
  })
})

describe("a server beside a node that runs", () => {
  it("asks that node, and has one of its own once it has ended; a second server asks the first", {
    timeout: 180_000
  }, async () => {
    const data = ["--data", join(folder, "carol")]
    const node = Child.start(["--name", "carol", "--sandbox", "off", ...data, ...bootstrap])
    const started = await node.wait("it is up", ({ event }) => event === "started", 60_000)
    // Its name is known by then; nothing but the folder has to be said.
    const first = await agent(["mcp", ...data, ...bootstrap])
    const who = async (one: Agent) => (await one.call("p2p_get_identity")).data
    expect(await who(first)).toMatchObject({ name: "carol", identityKey: started["identityKey"] })
    expect((await first.call("p2p_create_invite")).error?.code).toBe("owner-decides")
    // Shown what strangers say of themselves, it sends no more; one whose owner lets it reply is told who is unknown.
    const sends = async (one: Agent) => (await one.call("p2p_log_message", { peer: "x", message: "hi" })).error?.code
    expect(await sends(first)).toBe("unknown-peer")
    await first.call("p2p_discover_peers")
    expect(await sends(first)).toBe("owner-decides")
    const replying = await agent(["mcp", ...data, ...bootstrap, "--tools-may-reply"])
    await replying.call("p2p_discover_peers")
    expect(await sends(replying)).toBe("unknown-peer")
    expect((await replying.call("p2p_join_topic", { topic: "chess" })).error?.code).toBe("owner-decides")
    await replying.client.close()
    expect(await node.stop()).toBe(0)
    const own = await until(
      "a node of its own",
      () => first.call("p2p_get_identity"),
      ({ ok }) => ok
    )
    expect(own.data).toMatchObject({ identityKey: started["identityKey"] })
    expect(await sends(first)).toBe("owner-decides")
    const second = await agent(["mcp", ...data, ...bootstrap])
    expect(await who(second)).toMatchObject({ identityKey: started["identityKey"] })
    await first.client.close()
    const after = await until(
      "the second has taken over",
      () => second.call("p2p_get_identity"),
      ({ ok }) => ok
    )
    expect(after.data).toMatchObject({ identityKey: started["identityKey"] })
  })
})

describe("the program that an agent starts", () => {
  it("says nothing but the protocol on standard output, and ends with standard input", {
    timeout: 120_000
  }, async () => {
    const child = spawn(process.execPath, [Child.program(), ...argsOf("dave"), "--log-level", "debug"])
    let [stdout, stderr] = ["", ""]
    child.stdout.on("data", (piece: Buffer) => {
      stdout += piece.toString()
    })
    child.stderr.on("data", (piece: Buffer) => {
      stderr += piece.toString()
    })
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    const params = { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "x", version: "1" } }
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`)
    child.stdin.write("this is no JSON\n")
    child.stdin.write(
      `${JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "p2p_status" } })}\n`
    )
    for (let tries = 0; tries < 600 && !stdout.includes('"id":2'); tries++) await pause(100)
    child.stdin.end()
    expect(await ended).toBe(0)
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
    expect(lines.map(({ id, jsonrpc }) => [jsonrpc, id])).toEqual([
      ["2.0", 1],
      ["2.0", 2]
    ])
    expect(stderr).toMatch(/^\d{4}-\d\d-\d\dT\S+ INFO {2}a node of its own is up as @dave/m)
  })

  it("is configured by the lines of the README", async () => {
    const readme = readFileSync(join(projectRoot, "README.md"), "utf8")
    const lines = /```json\n(\{ "mcpServers"[\s\S]*?)```/.exec(readme)?.[1] ?? ""
    const { command, args } = JSON.parse(lines).mcpServers.p2p as {
      readonly command: string
      readonly args: Array<string>
    }
    expect(command).toBe("wopr-p2p")
    const { client } = await agent([...args, "--data", join(folder, "readme"), ...bootstrap, "--sandbox", "off"])
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([
      "wopr-p2p://friends",
      "wopr-p2p://inbox",
      "wopr-p2p://status"
    ])
  })
})
