/**
 * The doctor before folders with one fault each: every fault is found by its code, and nothing is found where none is.
 * It never looks for a sentence; a code is what a program can count on, and the command must name this case's path.
 * The healthy folder is a real node's, so that a check which only passes on an invented one is found out.
 */
import { spawnSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { createServer as createHttpServer } from "node:http"
import { createServer, type Server } from "node:net"
import { hostname } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import * as Agent from "../../adapters/docker/Agent.ts"
import * as LocalDht from "../../adapters/hyperswarm/LocalDht.ts"
import type { Describe } from "../../core/index.ts"
import * as NodeFile from "../../plugin/control/NodeFile.ts"
import * as Doctor from "../../plugin/doctor/Doctor.ts"
import type { Examined } from "../../plugin/doctor/Examined.ts"
import { type Code, table } from "../../plugin/doctor/Finding.ts"
import * as Network from "../../plugin/doctor/Network.ts"
import * as Process from "../../plugin/doctor/Process.ts"
import * as Sandbox from "../../plugin/doctor/Sandbox.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { clearPlaces, finish, makePlace, type Place } from "./stage.ts"

let place: Place
let healthy: string
const servers: Array<Server> = []

beforeAll(async () => {
  place = await makePlace()
  healthy = join(place.folder, "healthy")
  const args = [
    "--name",
    "alice",
    "--data",
    healthy,
    "--room",
    place.room,
    "--sandbox",
    "off",
    "--local",
    "--local-port",
    String(place.port)
  ]
  const node = Child.start(args, place.env)
  await node.wait("the start", (told) => told.event === "started")
  node.type("/friend @bob")
  await node.wait("the reply", (told) => told.event === "reply")
  expect(await node.stop()).toBe(0)
}, 60_000)
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
afterAll(clearPlaces)

/** A folder of its own that was healthy. */
const copied = (): string => {
  const folder = mkdtempSync(join(place.folder, "seeded-"))
  rmSync(folder, { recursive: true })
  cpSync(healthy, folder, { recursive: true, preserveTimestamps: true })
  // Copying a folder does not copy its mode.
  for (const one of [folder, join(folder, "audit")]) chmodSync(one, 0o700)
  return folder
}
const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ HOME: join(place.folder, "home"), ...more })
const found = async (folder: string, more: NodeJS.ProcessEnv = {}, offline = true) =>
  (await Doctor.examine({ dataFolder: folder, offline, json: true }, env(more))).findings
const restart = (folder: string, change: Partial<NodeFile.NodeFile>): void => {
  const file = join(folder, "node.json")
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...change }), { mode: 0o600 })
}
/** The same, and what the environment is then. */
const restarted = (folder: string, change: Partial<NodeFile.NodeFile>, more: NodeJS.ProcessEnv): NodeJS.ProcessEnv => {
  restart(folder, change)
  return more
}
const hex = (length: number): string => "0".repeat(length)
const silentEngine = (folder: string): NodeJS.ProcessEnv => ({ WOPR_P2P_DOCKER_SOCKET: join(folder, "no-engine.sock") })

interface Fault {
  readonly code: Code
  /** Plants the fault; gives what the environment is then. */
  readonly plant: (folder: string) => unknown
  /** Other codes that come with it by nature. */
  readonly with?: ReadonlyArray<Code>
  readonly online?: boolean
}

const faults: Array<Fault> = [
  { code: "folder-missing", plant: (folder) => rmSync(folder, { recursive: true }) },
  { code: "folder-open", plant: (folder) => chmodSync(folder, 0o755), with: ["identity-damaged"] },
  { code: "identity-missing", plant: (folder) => rmSync(join(folder, "identity.json")) },
  { code: "identity-open", plant: (folder) => chmodSync(join(folder, "identity.json"), 0o644) },
  { code: "identity-damaged", plant: (folder) => writeFileSync(join(folder, "identity.json"), "{}") },
  { code: "file-open", plant: (folder) => chmodSync(join(folder, "journal.log"), 0o640) },
  { code: "journal-missing", plant: (folder) => rmSync(join(folder, "journal.log")) },
  {
    code: "journal-damaged",
    plant: (folder) => {
      const path = join(folder, "journal.log")
      const bytes = readFileSync(path)
      bytes[70] = bytes[70]! ^ 1
      writeFileSync(path, bytes)
    }
  },
  {
    code: "journal-torn",
    plant: (folder) => appendFileSync(join(folder, "journal.log"), Buffer.from([0, 0x77, 0x6f, 0x70, 0]))
  },
  {
    code: "records-damaged",
    plant: (folder) => {
      // Records of one identity beside the keys of another.
      const other = JSON.parse(readFileSync(join(folder, "identity.json"), "utf8"))
      writeFileSync(join(folder, "identity.json"), JSON.stringify({ ...other, identitySeed: other.agreementScalar }))
    }
  },
  {
    code: "conversation-damaged",
    plant: (folder) => {
      mkdirSync(join(folder, "conversations"), { mode: 0o700, recursive: true })
      writeFileSync(join(folder, "conversations", "bob.jsonl"), "not an entry\n", { mode: 0o600 })
    }
  },
  {
    code: "drafts-left",
    plant: (folder) => writeFileSync(join(folder, `.friends.json.${hex(12)}.new`), "", { mode: 0o600 })
  },
  {
    code: "lock-left",
    plant: (folder) =>
      writeFileSync(
        join(folder, `lock.999999.${hex(12)}`),
        JSON.stringify({ pid: 999_999, host: hostname(), since: "then" }),
        { mode: 0o600 }
      )
  },
  {
    code: "socket-left",
    plant: (folder) => {
      const program = `require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`
      spawnSync(process.execPath, ["-e", program, join(folder, "control.sock")])
      chmodSync(join(folder, "control.sock"), 0o600)
    }
  },
  { code: "control-key-open", plant: (folder) => chmodSync(join(folder, "control.key"), 0o644) },
  { code: "control-key-damaged", plant: (folder) => writeFileSync(join(folder, "control.key"), "short") },
  {
    code: "intents-waiting",
    plant: async (folder) => {
      await finish(["message", "@bob", "later", "--data", folder], place.env)
    }
  },
  {
    code: "intent-damaged",
    plant: (folder) => {
      mkdirSync(join(folder, "intents"), { mode: 0o700 })
      writeFileSync(join(folder, "intents", `${hex(16)}-${hex(32)}.json`), "{", { mode: 0o600 })
    }
  },
  {
    code: "clock-behind",
    plant: (folder) => utimesSync(join(folder, "journal.log"), new Date(), new Date(Date.now() + 3_600_000))
  },
  {
    code: "former-files",
    plant: (folder) => {
      const text = JSON.stringify({
        publicKey: `MCowBQYDK2VwAyEA${hex(43)}=`,
        privateKey: "x",
        encryptPub: "x",
        encryptPriv: "x",
        created: 1
      })
      writeFileSync(join(folder, "identity.json"), text, { mode: 0o600 })
    }
  },
  {
    code: "former-security",
    plant: (folder) => {
      mkdirSync(join(folder, "conversations"), { recursive: true, mode: 0o700 })
      const home = mkdtempSync(join(place.folder, "host-"))
      writeFileSync(join(home, "security.json"), "{}")
      return { WOPR_HOME: home }
    }
  },
  {
    code: "engine-refused",
    plant: (folder) => restarted(folder, { sandbox: "scripted" }, { DOCKER_HOST: "tcp://10.0.0.1:2375" })
  },
  { code: "engine-missing", plant: (folder) => restarted(folder, { sandbox: "scripted" }, silentEngine(folder)) },
  {
    code: "model-missing",
    plant: (folder) => restarted(folder, { sandbox: "agent" }, silentEngine(folder)),
    with: ["engine-missing"]
  },
  {
    code: "model-key-unusable",
    plant: (folder) => {
      const file = join(place.folder, "model.key")
      writeFileSync(file, "secret", { mode: 0o644 })
      restart(folder, { sandbox: "agent", model: "m", modelUrl: "http://127.0.0.1:1/v1", modelKeyFile: file })
      return silentEngine(folder)
    },
    with: ["engine-missing"]
  },
  {
    code: "model-unreachable",
    plant: (folder) =>
      restarted(folder, { sandbox: "agent", model: "m", modelUrl: "http://127.0.0.1:1/v1" }, silentEngine(folder)),
    with: ["engine-missing"],
    online: true
  },
  {
    code: "dht-unreachable",
    plant: (folder) => restart(folder, { network: { kind: "bootstrap", nodes: [{ host: "127.0.0.1", port: 9 }] } }),
    online: true
  },
  {
    code: "node-silent",
    plant: async (folder) => {
      const holder = { pid: process.pid, host: hostname(), since: "now" }
      writeFileSync(join(folder, `lock.${process.pid}.${hex(12)}`), JSON.stringify(holder), { mode: 0o600 })
      const server = createServer(() => {})
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(join(folder, "control.sock"), resolve))
    }
  },
  {
    code: "socket-path",
    plant: () => ({ XDG_RUNTIME_DIR: `/${"x".repeat(120)}` })
  }
]

/** An engine as far as the doctor asks one: who it is, which images and containers it has. */
const engine = async (folder: string, containers: ReadonlyArray<string>): Promise<NodeJS.ProcessEnv> => {
  const path = join(folder, "engine.sock")
  const server = createHttpServer((request, response) => {
    const url = request.url ?? ""
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" })
      response.end(JSON.stringify(body))
    }
    if (url.includes("/version")) return answer(200, { Version: "20.10.24" })
    if (url.includes("/info")) return answer(200, { SecurityOptions: [] })
    if (url.includes("/containers/json"))
      return answer(
        200,
        containers.map((Id) => ({ Id }))
      )
    return answer(404, { message: "no such image" })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o600)
  return { WOPR_P2P_DOCKER_SOCKET: path }
}
const approve = (folder: string, text: string): void =>
  writeFileSync(join(folder, "sandbox.json"), text, { mode: 0o600 })
const withModel = (folder: string): void => {
  restart(folder, { sandbox: "agent", model: "m", modelUrl: "http://127.0.0.1:1/v1" })
}

faults.push(
  {
    code: "image-record-damaged",
    plant: (folder) => {
      withModel(folder)
      approve(folder, "{")
      return engine(folder, [])
    }
  },
  {
    code: "image-outdated",
    plant: (folder) => {
      withModel(folder)
      approve(folder, JSON.stringify({ imageId: "sha256:1", runner: "yesterday's" }))
      return engine(folder, [])
    }
  },
  {
    code: "image-missing",
    plant: (folder) => {
      withModel(folder)
      approve(folder, JSON.stringify({ imageId: "sha256:1", runner: Agent.runnerHash() }))
      return engine(folder, [])
    }
  },
  {
    code: "containers-left",
    plant: (folder) => {
      restart(folder, { sandbox: "scripted" })
      writeFileSync(join(folder, "folder.id"), `${"ab".repeat(12)}\n`, { mode: 0o600 })
      return engine(folder, ["0123456789abcdef"])
    }
  }
)

/** What a check is given of a node that runs. */
const running = (change: Partial<Describe.Description>): Examined => ({
  dataFolder: healthy,
  env: env(),
  nowMs: Date.now(),
  offline: true,
  node: undefined,
  model: {},
  holder: { pid: process.pid, host: hostname() },
  running: {
    sandbox: { ready: true, reason: "" },
    keysAnnounced: ["key"],
    ...change
  } as unknown as Describe.Description
})

describe("of a node that runs, the doctor", () => {
  it("finds that it announces nothing", async () => {
    expect((await Process.check(running({ keysAnnounced: [] }))).findings).toMatchObject([{ code: "not-listening" }])
    expect((await Process.check(running({}))).findings).toEqual([])
  })
  it("finds that its canary was not tight", async () => {
    const folder = copied()
    restart(folder, { sandbox: "scripted" })
    const node = NodeFile.read(folder)
    const more = await engine(folder, [])
    const loose = running({
      sandbox: { ready: false, reason: "the canary reached the network" } as Describe.Description["sandbox"]
    })
    const { findings } = await Effect.runPromise(Sandbox.check({ ...loose, node, env: more }))
    expect(findings).toMatchObject([{ code: "canary-failed", detail: "the canary reached the network" }])
    expect((await Effect.runPromise(Sandbox.check({ ...running({}), node, env: more }))).findings).toEqual([])
  })
  it("asks the DHT of the last start, and finds nothing where one of it answers", async () => {
    const program = Effect.gen(function* () {
      const nodes = yield* LocalDht.testnet
      return yield* Network.check({
        ...running({}),
        offline: false,
        node: { network: { kind: "bootstrap", nodes } } as unknown as NodeFile.NodeFile
      })
    })
    expect((await Effect.runPromise(Effect.scoped(program))).findings).toEqual([])
  }, 30_000)
})

/** The host's configuration with this in it for the plugin, and the environment in which that host is found. */
const hosted = (folder: string, settings: object | string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => {
  const home = mkdtempSync(join(place.folder, "host-"))
  const text = typeof settings === "string" ? settings : JSON.stringify({ plugins: { data: { p2p: settings } } })
  writeFileSync(join(home, "config.json"), text)
  return { WOPR_HOME: home, WOPR_P2P_HOME: folder, ...more }
}
const owned = { owners: { discord: ["me"] } }

faults.push(
  { code: "host-config-damaged", plant: (folder) => hosted(folder, "{") },
  { code: "host-config-wrong", plant: (folder) => hosted(folder, { ...owned, sandbox: "of" }) },
  { code: "host-config-unknown", plant: (folder) => hosted(folder, { ...owned, owner: "me" }) },
  { code: "owners-missing", plant: (folder) => hosted(folder, { owners: { discord: [] } }) },
  {
    code: "host-lenient",
    plant: (folder) => hosted(folder, owned, { WOPR_SECURITY_ENFORCEMENT: "warn" })
  }
)

describe("the doctor", () => {
  it("finds nothing wrong with what the host was told, and looks away where that is about another folder", async () => {
    expect(await found(copied(), hosted("", owned))).toEqual([])
    expect(await found(copied(), hosted("", { dataFolder: "/elsewhere" }))).toEqual([])
    expect(await found(copied(), hosted("", { other: 1, dataFolder: "/elsewhere" }))).toEqual([])
  })
  it("finds nothing where nothing is wrong, and says what it could not look at", async () => {
    const { findings, unknown } = await Doctor.examine({ dataFolder: copied(), offline: true, json: true }, env())
    expect(findings).toEqual([])
    expect(unknown.map(({ what }) => what)).toContain("whether the clock is right")
  })
  it.each(faults.map((fault) => [fault.code, fault] as const))(
    "finds %s",
    async (code, fault) => {
      let folder = copied()
      if (code === "socket-path") {
        const deep = join(folder, "..", "deep".repeat(25))
        cpSync(folder, deep, { recursive: true, preserveTimestamps: true })
        for (const one of [deep, join(deep, "audit")]) chmodSync(one, 0o700)
        folder = deep
      }
      const more = ((await fault.plant(folder)) as NodeJS.ProcessEnv | undefined) ?? {}
      const findings = await found(folder, more, fault.online !== true)
      expect(findings.map((one) => one.code).sort()).toEqual([code, ...(fault.with ?? [])].sort())
      for (const { mend } of findings) expect(mend.length).toBeGreaterThan(5)
    },
    30_000
  )
  it("has twenty faults and more planted before it", () => {
    expect(new Set(faults.map(({ code }) => code)).size).toBeGreaterThanOrEqual(20)
    for (const { code } of faults) expect(table).toHaveProperty(code)
  })
  it("ends with 1 for what is broken, 0 for a notice, and prints no secret", async () => {
    const folder = copied()
    const well = await finish(["doctor", "--data", folder, "--offline"], place.env)
    expect(well).toMatchObject({ code: 0, stderr: "" })
    expect(well.stdout).toContain("nothing is wrong")
    writeFileSync(join(folder, `.friends.json.${hex(12)}.new`), "", { mode: 0o600 })
    expect((await finish(["doctor", "--data", folder, "--offline"], place.env)).code).toBe(0)
    chmodSync(join(folder, "control.key"), 0o644)
    const ill = await finish(["doctor", "--data", folder, "--offline", "--json"], place.env)
    expect(ill.code).toBe(1)
    const told = JSON.parse(ill.stdout)
    expect(told).toMatchObject({
      ok: false,
      findings: [
        { code: "drafts-left", level: "notice" },
        { code: "control-key-open", level: "broken" }
      ]
    })
    const { agreementScalar, identitySeed } = JSON.parse(readFileSync(join(folder, "identity.json"), "utf8"))
    const key = readFileSync(join(folder, "control.key"))
    for (const secret of [identitySeed, agreementScalar, key.toString("hex"), key.toString("base64url")]) {
      expect(ill.stdout).not.toContain(secret)
    }
  }, 60_000)
  it("says each of its codes in a sentence and with a command, as a person reads them", () => {
    const findings = (Object.keys(table) as Array<Code>).map((code) => ({
      code,
      detail: "of this case",
      mend: "a command"
    }))
    const lines = Doctor.inWords({
      findings,
      unknown: [{ what: "whether the clock is right", why: "no peer's is known" }]
    })
    expect(lines.map(({ text }) => text).join("\n")).toMatchSnapshot()
    expect(Doctor.inWords({ findings: [], unknown: [] })).toEqual([{ tone: "good", text: "nothing is wrong" }])
  })
  it("its commands mend what they are for: modes, and what a person would paste", async () => {
    const folder = copied()
    chmodSync(join(folder, "journal.log"), 0o666)
    chmodSync(folder, 0o777)
    const [first] = await found(folder)
    spawnSync("sh", ["-c", first!.mend])
    for (const { mend } of await found(folder)) spawnSync("sh", ["-c", mend])
    expect(await found(folder)).toEqual([])
  })
})
