/**
 * `wopr friend …` and `wopr p2p …` in a process of their own, and the same words of `wopr-p2p`: each with the daemon up and down.
 * It never reaches the node but as a terminal does; what they print is looked at as a person and as a program reads it.
 * A word without a row here fails the first test.
 */
import { spawn } from "node:child_process"
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Groups from "../../plugin/control/Groups.ts"
import { until } from "../world/World.ts"
import { ChatRoom } from "./Host.ts"
import { call, listIn, makeStage, type Resident, type Stage } from "./Stage.ts"

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Expected {
  readonly exit: number
  readonly facts?: Readonly<Record<string, unknown>>
}

interface Row {
  readonly typed: ReadonlyArray<string>
  readonly up: Expected
  readonly down: Expected
}

const done = { exit: 0, facts: { ok: true, running: true } }
const kept = { exit: 0, facts: { ok: true, running: false, kept: expect.any(String) } }
const read = { exit: 0, facts: { ok: true, running: false } }
const usage = { exit: 2, facts: { ok: false, code: "usage" } }
const refused = (code: string) => ({ exit: 1, facts: { ok: false, code } })
const changed = (...typed: ReadonlyArray<string>): Row => ({ typed, up: done, down: kept })
const asked = (...typed: ReadonlyArray<string>): Row => ({ typed, up: done, down: read })
const wrong = (...typed: ReadonlyArray<string>): Row => ({ typed, up: usage, down: usage })
const unknown = (...typed: ReadonlyArray<string>): Row => ({ typed, up: refused("unknown-peer"), down: kept })

const rows: ReadonlyArray<Row> = [
  { ...asked("friend", "list"), up: { exit: 0, facts: { running: true, friends: [{ name: "bob" }] } } },
  asked("friend", "pending"),
  unknown("friend", "accept", "@nobody"),
  {
    typed: ["friend", "accept"],
    up: refused("unknown-peer"),
    down: { exit: 3, facts: { ok: false, code: "not-running" } }
  },
  wrong("friend", "accept", "@bob", "now"),
  unknown("friend", "deny", "nobody"),
  wrong("friend", "deny", "@bob", "now"),
  unknown("friend", "remove", "@nobody"),
  wrong("friend", "remove"),
  changed("friend", "grant", "bob", "inject"),
  unknown("friend", "grant", "@nobody", "inject"),
  wrong("friend", "grant", "@bob", "fly"),
  changed("friend", "revoke", "@bob", "inject"),
  wrong("friend", "revoke", "@bob", "*"),
  asked("friend", "verify", "@bob"),
  unknown("friend", "verify", "@nobody", "yes"),
  wrong("friend", "verify", "@bob", "perhaps"),
  asked("friend", "auto-accept"),
  asked("friend", "auto-accept", "list"),
  changed("friend", "auto-accept", "add", "channel:lobby"),
  { typed: ["friend", "auto-accept", "remove", "nothing"], up: refused("unknown-rule"), down: kept },
  wrong("friend", "auto-accept", "add"),
  asked("p2p", "status"),
  { typed: ["p2p", "doctor", "--offline"], up: { exit: 0 }, down: { exit: 0 } },
  {
    typed: ["p2p", "identity"],
    up: { exit: 0, facts: { identityKey: expect.any(String) } },
    down: { exit: 0, facts: { identityKey: expect.any(String) } }
  },
  {
    typed: ["p2p", "invite", "expires", "1h"],
    up: { exit: 0, facts: { ok: true, link: expect.stringMatching(/^wop3:/) } },
    down: { exit: 3, facts: { ok: false, code: "not-running" } }
  },
  wrong("p2p", "invite", "everybody"),
  { typed: ["p2p", "claim", "wop1://old"], up: refused("invite-legacy"), down: kept },
  wrong("p2p", "claim"),
  asked("p2p", "peers"),
  asked("p2p", "topics"),
  changed("p2p", "topics", "join", "chess"),
  wrong("p2p", "topics", "frobnicate")
]

const run = (program: "wopr" | "wopr-p2p", typed: ReadonlyArray<string>, env: NodeJS.ProcessEnv): Promise<Ended> =>
  new Promise((resolve) => {
    const script = program === "wopr" ? "./cli.process.ts" : "../../plugin/wopr-p2p.js"
    const child = spawn(process.execPath, [new URL(script, import.meta.url).pathname, ...typed], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let [stdout, stderr] = ["", ""]
    child.stdout.on("data", (bytes) => (stdout += String(bytes)))
    child.stderr.on("data", (bytes) => (stderr += String(bytes)))
    const late = setTimeout(() => child.kill("SIGKILL"), 60_000)
    child.on("close", (code) => {
      clearTimeout(late)
      resolve({ code, stdout, stderr })
    })
  })

let stage: Stage
let ada: Resident
/** `wopr` finds the folder in the host's configuration, the program is told. */
let env: Record<"wopr" | "wopr-p2p", NodeJS.ProcessEnv>

beforeAll(async () => {
  stage = await makeStage()
  const room = new ChatRoom("lobby")
  ada = await stage.resident("ada", room)
  const bob = await stage.resident("bob", room)
  const friends = async ({ daemon }: Resident) => listIn(await call(daemon, "p2p_friends"), "friends").length
  for (const { daemon } of [ada, bob]) {
    await until("it is up", async () => (await call(daemon, "p2p_status")).data?.["state"] === "on", 30_000)
  }
  await room.say("owner-of-ada", "/friend @bob")
  await until("bob is asked", () => bob.daemon.logs.some((line) => line.includes("asks to be friends")), 30_000)
  await room.say("owner-of-bob", "/accept @ada")
  await until("they are friends", async () => (await friends(ada)) === 1, 30_000)
  const woprHome = stage.folder()
  mkdirSync(woprHome, { recursive: true })
  const data = { "@wopr-network/wopr-plugin-p2p": { dataFolder: ada.folder }, other: { dataFolder: "/nowhere" } }
  writeFileSync(join(woprHome, "config.json"), JSON.stringify({ plugins: { data } }))
  env = { wopr: { WOPR_HOME: woprHome, WOPR_P2P_HOME: "" }, "wopr-p2p": { WOPR_P2P_HOME: ada.folder } }
}, 120_000)
afterAll(async () => {
  await stage.end()
})

/** A row tried with both programs: its exit code, its JSON, and that a person is told something. */
const tried = async ({ typed }: Row, { exit, facts }: Expected) => {
  const jsons = (["wopr", "wopr-p2p"] as const).map(async (program) => {
    const { code, stderr, stdout } = await run(program, [...typed, "--json"], env[program])
    const lines = stdout.trimEnd().split("\n")
    expect([program, code, lines.length], stderr).toEqual([program, exit, program === "wopr" ? 2 : 1])
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject(facts ?? {})
  })
  await Promise.all(jsons)
  const { code, stderr, stdout } = await run("wopr", typed, env.wopr)
  const said = `${stdout.replace("[plugins] loaded p2p\n", "")}${stderr}`
  expect([code, said.trim() === "", said.includes("{")]).toEqual([exit, false, false])
}

it("every word has a good row and, where it can be misspelt, a bad one", () => {
  const words = Object.entries(Groups.groups).flatMap(([group, all]) => all.map(({ word }) => `${group} ${word}`))
  expect([...new Set(rows.map(({ typed: [group, word] }) => `${group} ${word}`))].sort()).toEqual(words.sort())
})

describe("while the daemon runs", () => {
  it.each(rows.map((row) => [row.typed.join(" "), row] as const))("%s", (_, row) => tried(row, row.up))
})

describe("while no daemon runs", () => {
  beforeAll(async () => {
    await ada.plugin.shutdown()
  }, 60_000)

  it.each(rows.map((row) => [row.typed.join(" "), row] as const))("%s", async (_, row) => {
    await tried(row, row.down)
    // What was kept is taken away: every row begins alike.
    rmSync(join(ada.folder, "intents"), { recursive: true, force: true })
  })

  it("a change is kept as a file, carried out at the next start, and said to have been", async () => {
    const { code, stdout } = await run("wopr", ["friend", "grant", "@bob", "inject"], env.wopr)
    expect([code, stdout]).toEqual([0, expect.stringContaining("carried out at its next start")])
    expect(readdirSync(join(ada.folder, "intents"))).toHaveLength(1)
    await ada.plugin.init(ada.daemon.context("p2p") as never)
    await until(
      "it is done",
      async () => {
        const grants = await call(ada.daemon, "p2p_list_grants")
        return grants.ok && listIn<{ readonly caps: ReadonlyArray<string> }>(grants, "grants")[0]?.caps.length === 2
      },
      30_000
    )
    expect(readdirSync(join(ada.folder, "intents"))).toEqual([])
  })
})

describe("in any case", () => {
  it.each(["friend", "p2p"] as const)(
    "%s alone and with help lists its words, as a person reads them",
    async (group) => {
      for (const program of ["wopr", "wopr-p2p"] as const) {
        const [alone, help] = [
          await run(program, [group], env[program]),
          await run(program, [group, "help"], env[program])
        ]
        expect([alone.code, help.stdout]).toEqual([0, alone.stdout])
        expect(alone.stdout.replace("[plugins] loaded p2p\n", "")).toBe(Groups.help(group, program))
      }
      expect(Groups.help(group, "wopr")).toMatchSnapshot()
    }
  )

  it("a word that nobody knows ends with code 2 and what there is", async () => {
    for (const group of ["friend", "p2p"]) {
      const { code, stderr } = await run("wopr", [group, "frobnicate"], env.wopr)
      expect([code, stderr]).toEqual([2, expect.stringContaining(`there is no command "frobnicate" of ${group}`)])
    }
    expect((await run("wopr-p2p", ["friend", "frobnicate"], env["wopr-p2p"])).code).toBe(2)
  })
})
