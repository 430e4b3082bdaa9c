/**
 * A node that nobody sits at: under a service's rules, by a configuration file, out of a tarball by npx, by npm start.
 * It never starts a service of this machine; what systemd would do, the test does: no input, SIGTERM at the end.
 * npx is the one thing here that asks the package registry, as any installation does; where none answers that is said.
 */
import { spawn, spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { program } from "../../plugin/standalone/Child.ts"
import * as ConfigFile from "../../plugin/standalone/ConfigFile.ts"
import { copy, printed, run, scratch } from "../tidy/Copy.ts"
import { projectRoot } from "../tidy/Tree.ts"
import { clearPlaces, finish, makePlace, until } from "./stage.ts"

afterAll(clearPlaces)

const unit = join(projectRoot, "plugin/standalone/wopr-p2p.service")
const readme = readFileSync(join(projectRoot, "README.md"), "utf8")

it("README.md names every key of the configuration file, and its example is one", () => {
  for (const key of Object.keys(ConfigFile.keys)) expect(readme, key).toContain(`\`${key}\``)
  const example = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? ""
  const read = ConfigFile.parse(example)
  expect(read).toMatchObject({ given: { name: "alice", irc: "irc.example.org", "irc-channel": ["#agents"] } })
})

const hasAnalyze = spawnSync("systemd-analyze", ["--version"]).status === 0
if (!hasAnalyze) console.warn("SKIPPED: the service file is not verified: there is no systemd-analyze")
it.skipIf(!hasAnalyze)("the service file is one that systemd takes", () => {
  const folder = scratch("unit")
  const verify = (file: string) => {
    const env = { ...process.env, XDG_RUNTIME_DIR: folder }
    const { status, stderr, stdout } = spawnSync("systemd-analyze", ["verify", "--user", file], {
      encoding: "utf8",
      env
    })
    return [status, `${stdout}${stderr}`.trim()]
  }
  expect(verify(unit)).toEqual([0, ""])
  const spoiled = join(folder, "wopr-p2p.service")
  writeFileSync(spoiled, readFileSync(unit, "utf8").replace("/usr/bin/env", "/usr/bin/none"))
  expect(verify(spoiled)[0]).not.toBe(0)
})

it("the service's command runs a node by its file, that other terminals reach and SIGTERM ends in order", async () => {
  const place = await makePlace()
  const [home, data] = [place.env["HOME"]!, join(place.folder, "data")]
  mkdirSync(join(home, ".config/wopr-p2p"), { recursive: true })
  const said = {
    name: "alice",
    dataFolder: data,
    local: true,
    localPort: place.port,
    rooms: [place.room],
    sandbox: "off"
  }
  writeFileSync(join(home, ".config/wopr-p2p/node.json"), JSON.stringify(said))
  const bin = join(place.folder, "bin")
  mkdirSync(bin)
  symlinkSync(program(), join(bin, "wopr-p2p"))
  const command = /^ExecStart=(.*)$/m.exec(readFileSync(unit, "utf8"))![1]!.replaceAll("%h", home).split(" ")
  const env = {
    ...process.env,
    ...place.env,
    PATH: [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter)
  }
  const node = spawn(command[0]!, command.slice(1), { env, stdio: ["ignore", "pipe", "pipe"] })
  const output: Array<string> = []
  for (const stream of [node.stdout, node.stderr]) stream.on("data", (bytes) => output.push(String(bytes)))
  const over = new Promise((resolve) => node.once("exit", (code) => resolve(code)))
  try {
    await until("it is up", () => output.join("").includes("@alice is up"), 40_000)
    const status = await finish(["status", "--data", data, "--json"], place.env)
    expect(JSON.parse(status.stdout)).toMatchObject({ running: true })
    node.kill("SIGTERM")
    expect(await over).toBe(0)
  } finally {
    node.kill("SIGKILL")
  }
})

it("a mistake in the file ends the start, and names the file, the key and what is allowed", async () => {
  const place = await makePlace()
  const file = join(place.folder, "node.json")
  writeFileSync(file, JSON.stringify({ name: "alice", warm: 9 }))
  const ended = await finish(["run", "--config", file], place.env)
  expect(ended).toMatchObject({ code: 2, stdout: "" })
  expect(ended.stderr).toContain(`--config ${file}: warm is 9; allowed is a whole number from 0 to 4`)
})

it("npm start passes options on", () => {
  const folder = copy("start", false)
  const help = run(folder, "npm", "start", "--silent", "--", "--help")
  expect(help.status, printed(help)).toBe(0)
  expect(help.stdout).toContain("wopr-p2p run --name NAME")
})

const registry = spawnSync("npm", ["ping", "--silent"], { timeout: 20_000 }).status === 0
if (!registry) console.warn("SKIPPED: npx of the tarball: no package registry answers")
it.skipIf(!registry)("npx runs the packed tarball", () => {
  const packed = copy("pack", false)
  const made = run(packed, "npm", "pack", "--json")
  expect(made.status, printed(made)).toBe(0)
  const [{ filename }] = JSON.parse(made.stdout.slice(made.stdout.indexOf("[\n"))) as [{ readonly filename: string }]
  const folder = scratch("npx")
  copyFileSync(join(packed, filename), join(folder, filename))
  const { stderr, stdout, status } = spawnSync("npx", ["--yes", `./${filename}`, "run", "--help"], {
    ...{ cwd: folder, encoding: "utf8", timeout: 400_000 },
    env: { ...process.env, NO_COLOR: "1", PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter) }
  })
  expect(status, stderr).toBe(0)
  expect(stdout).toContain("wopr-p2p run --name NAME")
})
