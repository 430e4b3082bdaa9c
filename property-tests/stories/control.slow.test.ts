/**
 * Another terminal: verbs asked of a node that runs, answered from the files of one that does not, and kept for its start.
 * It must only do what a person can do: run the program, read what it prints, look at files, send signals.
 * What is kept is carried out once, also where the process dies between doing it and saying so.
 */
import { spawn, spawnSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import {
  clearPlaces,
  type Ended,
  finish,
  launch,
  launchOnTerminal,
  makePlace,
  onTerminals,
  type Place,
  until
} from "./stage.ts"

const nodes: Array<Child.Child> = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
})
afterAll(clearPlaces)

const folderOf = (place: Place, name: string): string => join(place.folder, name)
const options = (place: Place, name: string): ReadonlyArray<string> => [
  ...["--name", name, "--data", folderOf(place, name), "--room", place.room, "--sandbox", "off"],
  ...["--local", "--local-port", String(place.port)]
]
const begin = async (place: Place, name: string): Promise<Child.Child> => {
  const node = Child.start(options(place, name), place.env)
  nodes.push(node)
  await node.wait(`${name}'s start`, (told) => told.event === "started")
  return node
}
/** Runs a verb for the folder of a name. */
const run = (place: Place, name: string, ...args: ReadonlyArray<string>): Promise<Ended> =>
  finish([args[0]!, "--data", folderOf(place, name), ...args.slice(1)], place.env)
const json = async (place: Place, name: string, ...args: ReadonlyArray<string>) => {
  const ended = await run(place, name, ...args, "--json")
  return { exit: ended.code, ...(JSON.parse(ended.stdout) as Record<string, unknown>) }
}
const waiting = (place: Place, name: string): ReadonlyArray<string> => {
  const folder = join(folderOf(place, name), "intents")
  return existsSync(folder) ? readdirSync(folder) : []
}
const heard = (place: Place, name: string): string => {
  const folder = join(folderOf(place, name), "conversations")
  if (!existsSync(folder)) return ""
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("")
}
const count = (text: string, part: string): number => text.split(part).length - 1

/** Two friends, made from other terminals alone. */
const befriended = async () => {
  const place = await makePlace()
  const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
  expect(await json(place, "alice", "friend", "@bob")).toMatchObject({ exit: 0, ok: true, running: true })
  await bob.wait("alice's request", (told) => told.event === "request-received")
  expect(await json(place, "bob", "accept", "@alice")).toMatchObject({ exit: 0, ok: true })
  await alice.wait("friendship", (told) => told.event === "friendship")
  return { place, alice, bob }
}

describe("from another terminal", () => {
  it("a node is asked, changed and waited for; every exit code means what it says", async () => {
    const { alice, place } = await befriended()
    expect((await run(place, "alice", "friends")).stdout).toMatch(
      /^@bob \([0-9a-f]{8}\) may message; you may message; (not )?connected; 0 waiting; unverified\n$/
    )
    const sent = await json(
      place,
      "alice",
      "message",
      "@bob",
      "hello from another terminal",
      "--wait",
      "--timeout",
      "20"
    )
    expect(sent).toMatchObject({ exit: 0, ok: true, outcome: { event: "delivered", name: "bob" } })
    await until("it is in the conversation", () => heard(place, "bob").includes("hello from another terminal"), 20_000)
    const refused = await run(place, "alice", "inject", "@bob", "well?", "--wait")
    expect(refused).toMatchObject({ code: 1, stdout: "" })
    expect(refused.stderr).toContain("no answer from bob: no-capability")
    expect(await json(place, "alice", "message", "@nobody", "x")).toMatchObject({
      exit: 1,
      ok: false,
      code: "unknown-peer"
    })
    expect(await run(place, "alice", "message")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: "usage: /message @name[#key] text\n"
    })
    expect(await run(place, "alice", "friends", "--pigeon")).toMatchObject({ code: 2, stdout: "" })
    const help = await run(place, "alice", "accept", "--help")
    expect(help).toMatchObject({ code: 0, stderr: "" })
    expect(help.stdout).toContain("wopr-p2p accept [@name[#key]]")
    // What is asked at the prompt and what another terminal asks is one answer.
    const after = alice.told.length
    alice.type("/status")
    const prompt = await alice.wait("the prompt's answer", (told) => told.event === "reply", 10_000, after)
    expect((await run(place, "alice", "status")).stdout).toBe(
      `${(prompt["lines"] as ReadonlyArray<string>).join("\n")}\n`
    )
    expect(await run(place, "alice", "quit")).toMatchObject({ code: 0, stdout: "the node ends\n" })
    expect((await alice.over).code).toBe(0)
    expect(readdirSync(folderOf(place, "alice"))).not.toContain("control.sock")
  }, 90_000)

  it("a node that was killed is read from its files, and what is asked of it then is done once, at its next start", async () => {
    const { alice, bob, place } = await befriended()
    await alice.stop("SIGKILL")
    expect(readdirSync(folderOf(place, "alice"))).toContain("control.sock")
    const before = readFileSync(join(folderOf(place, "alice"), "journal.log"))
    const asked = await run(place, "alice", "friends")
    expect(asked.code).toBe(0)
    expect(asked.stdout).toMatch(/^from the files of a node that is not running\n@bob /)
    expect(await json(place, "alice", "status")).toMatchObject({ exit: 0, running: false, name: "alice" })
    expect(readFileSync(join(folderOf(place, "alice"), "journal.log")).equals(before)).toBe(true)
    const kept = await run(place, "alice", "message", "@bob", "asked for while away")
    expect(kept.stdout).toMatch(/^no node is running: kept, and carried out at its next start \([0-9a-f]{8}\)\n$/)
    const id = "0123456789abcdef0123456789abcdef"
    expect(await json(place, "alice", "message", "@bob", "with an id of mine", "--id", id)).toMatchObject({
      kept: id,
      isNew: true
    })
    expect(await json(place, "alice", "message", "@bob", "with an id of mine", "--id", id)).toMatchObject({
      kept: id,
      isNew: false
    })
    expect(waiting(place, "alice")).toHaveLength(2)
    for (const args of [
      ["message", "@bob", "x", "--now"],
      ["message", "@bob", "x", "--wait"],
      ["quit"],
      ["wait", "abcd"],
      ["rotate"]
    ]) {
      expect((await run(place, "alice", ...args)).code, args.join(" ")).toBe(3)
    }
    const again = await begin(place, "alice")
    await again.wait(
      "the first",
      (told) => told.event === "intent-done" && told["what"] === "/message @bob" && told["code"] === null
    )
    await again.wait("the second", (told) => told.event === "intent-done" && told["id"] === id)
    await until("both arrived", () => heard(place, "bob").includes("with an id of mine"), 20_000)
    expect(waiting(place, "alice")).toEqual([])
    expect(count(heard(place, "bob"), "asked for while away")).toBe(1)
    expect(count(heard(place, "bob"), "with an id of mine")).toBe(1)
    await bob.stop()
  }, 120_000)

  it("and once also where the node dies after doing it and before its file is gone", async () => {
    const { alice, bob, place } = await befriended()
    await alice.stop("SIGKILL")
    const id = "fedcba9876543210fedcba9876543210"
    await run(place, "alice", "message", "@bob", "only once, whatever happens", "--id", id)
    const folder = join(folderOf(place, "alice"), "intents")
    const [name] = waiting(place, "alice")
    const file = readFileSync(join(folder, name!))
    for (let time = 0; time < 2; time++) {
      const again = await begin(place, "alice")
      await again.wait("its end", (told) => told.event === "intent-done" && told["id"] === id && told["code"] === null)
      await again.stop("SIGKILL")
      // What a crash before the removal leaves: the very file.
      writeFileSync(join(folder, name!), file, { mode: 0o600 })
    }
    const last = await begin(place, "alice")
    await last.wait("its end", (told) => told.event === "intent-done" && told["id"] === id)
    await until("it arrived", () => heard(place, "bob").includes("only once"), 20_000)
    expect(await json(place, "alice", "message", "@bob", "the one behind it", "--wait")).toMatchObject({ ok: true })
    expect(count(heard(place, "bob"), "only once, whatever happens")).toBe(1)
    await bob.stop()
  }, 120_000)
})

/** A host of the plugin, for as long as it takes: starts it, waits for a line on its standard input, and shuts it down. */
const host = `
import { once } from "node:events"
const { default: plugin } = await import(process.argv[1])
const log = { info: console.log, warn: console.log, error: console.log }
await plugin.init({ log, getConfig: () => ({ name: "hosted", dataFolder: process.argv[2] }) })
await once(process.stdin, "data")
process.stdin.destroy()
await plugin.shutdown()
`

/** The plugin uses the public network, and a test must not: it runs where there is none, which Linux can make. */
const apart = ["unshare", "-rn"]
const canBeApart = spawnSync(apart[0]!, [...apart.slice(1), "true"]).status === 0
if (!canBeApart) console.warn("SKIPPED: the host's node: no network namespace can be made here")

describe.skipIf(!canBeApart)("the host's node", () => {
  it("answers the same, is not ended from outside, and takes its socket away with it; nothing keeps the process", async () => {
    const place = await makePlace()
    const folder = folderOf(place, "hosted")
    const entry = join(import.meta.dirname, "../../plugin/entry.js")
    const args = [...apart.slice(1), process.execPath, "--input-type=module", "-e", host, entry, folder]
    const child = spawn(apart[0]!, args, { env: { ...process.env, ...place.env } })
    const over = new Promise<number | null>((resolve) => child.once("close", resolve))
    try {
      await until("its socket", () => existsSync(join(folder, "control.sock")), 25_000)
      const status = await run(place, "hosted", "status")
      expect(status).toMatchObject({ code: 0, stderr: "" })
      expect(status.stdout).toMatch(/^@hosted, key /)
      expect(await json(place, "hosted", "quit")).toMatchObject({ exit: 1, code: "at-the-node" })
      child.stdin.write("\n")
      expect(await over).toBe(0)
      expect(existsSync(join(folder, "control.sock"))).toBe(false)
    } finally {
      child.kill("SIGKILL")
    }
  }, 60_000)
})

describe("what another terminal refuses", () => {
  it("a folder that is open to others, with the command that closes it; nothing is written there", async () => {
    const place = await makePlace()
    const folder = folderOf(place, "alice")
    mkdirSync(folder)
    chmodSync(folder, 0o755)
    const ended = await run(place, "alice", "message", "@bob", "x")
    expect(ended).toMatchObject({ code: 1, stdout: "" })
    expect(ended.stderr).toBe(`${folder} is open to other users (mode 0755): chmod 700 '${folder}'\n`)
    expect(readdirSync(folder)).toEqual([])
  })
  it("a folder where no node ever was: questions end with the code for that", async () => {
    const place = await makePlace()
    const ended = await run(place, "nobody", "friends")
    expect(ended).toMatchObject({ code: 3, stdout: "" })
    expect(ended.stderr).toMatch(/there is no folder|there is no identity/)
    expect(existsSync(folderOf(place, "nobody"))).toBe(false)
  })
  it("a text on standard input is taken for the last word", async () => {
    const place = await makePlace()
    mkdirSync(folderOf(place, "alice"), { mode: 0o700 })
    const running = launch(["message", "@bob", "-", "--data", folderOf(place, "alice")], place.env)
    running.child.stdin?.end("two lines\nthat no list of processes shows\n")
    expect((await running.ended).code).toBe(0)
    const [name] = waiting(place, "alice")
    const kept = JSON.parse(readFileSync(join(folderOf(place, "alice"), "intents", name!), "utf8"))
    expect(kept.line).toBe("/message @bob two lines\nthat no list of processes shows")
  })
})

onTerminals(
  "on a terminal what is refused is coloured, and what takes longer than a second shows that it goes on",
  async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    const refused = await launchOnTerminal(["message", "@nobody", "x", "--data", folderOf(place, "alice")], place.env)
      .ended
    expect(refused.stdout).toContain("\u001b[33mNobody of that name")
    expect(await alice.stop()).toBe(0)
    // A process that holds the folder and answers nobody: it might be starting, and is waited for.
    const holder = { pid: process.pid, host: hostname(), since: "now" }
    writeFileSync(join(folderOf(place, "alice"), `lock.${process.pid}.${"0".repeat(12)}`), JSON.stringify(holder))
    const args = ["friends", "--data", folderOf(place, "alice")]
    const slow = await launchOnTerminal(args, place.env).ended
    expect(slow.code).toBe(3)
    expect(slow.stdout).toMatch(/\r[|/\\-] [1-4] s /)
    expect(slow.stdout).toContain("\r\u001b[K")
    expect(slow.stdout).toContain(`process ${process.pid} on ${hostname()} holds`)
    const piped = await finish(args, place.env)
    expect(piped).toMatchObject({ code: 3, stdout: "" })
    expect(piped.stderr).not.toContain("\r")
  }
)
