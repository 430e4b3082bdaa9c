/**
 * The configuration file of a node of one's own: each key does what its option does, and each mistake is named.
 * It never starts a node; what options lead to is told by the stories.
 * Every key is tried with a good value and with bad ones, so that a row nobody reads cannot stay.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, describe, expect, it } from "vitest"
import * as ConfigFile from "../../plugin/standalone/ConfigFile.ts"
import * as RunOptions from "../../plugin/standalone/RunOptions.ts"

const folder = mkdtempSync(join(tmpdir(), "config-file-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type KeyName = keyof typeof ConfigFile.keys

/** A good value of each key, and bad ones. */
const values: Readonly<Record<KeyName, { readonly good: unknown; readonly bad: ReadonlyArray<unknown> }>> = {
  name: { good: "alice", bad: ["a b", 7, ""] },
  dataFolder: { good: "/srv/p2p", bad: ["p2p", 1] },
  bootstrap: { good: ["dht.example.org:49737"], bad: [[], "x:1", ["x"], ["x:70000"]] },
  limits: {
    good: { messagesPerMinute: 5 },
    bad: [{ messagesPerMinute: 0 }, { perMinute: 5 }, { messagesPerMinute: 1e9 }]
  },
  sandbox: { good: "scripted", bad: ["on", true] },
  model: { good: "m", bad: [1, " "] },
  modelUrl: { good: "https://api.example.org/v1", bad: [1] },
  modelKeyFile: { good: "/srv/key", bad: ["key", 1] },
  instructionsFile: { good: "/srv/words", bad: ["words"] },
  warm: { good: 2, bad: [5, -1, 1.5, "2"] },
  keepMinutes: { good: 10, bad: [61, "10"] },
  sandboxRuntime: { good: "runsc", bad: ["a b"] },
  budgetTurn: { good: "calls=3", bad: ["3", "calls=x"] },
  budget: { good: "calls=3", bad: ["3"] },
  budgetAll: { good: "calls=3", bad: ["3"] },
  room: { good: "/srv/room.txt", bad: ["room.txt"] },
  rooms: { good: ["/srv/a.txt", "/srv/b.txt"], bad: ["/srv/a.txt", [], ["a.txt"]] },
  local: { good: true, bad: ["yes", 1] },
  localPort: { good: 45_000, bad: [0, 65_536, "1"] },
  ircServer: { good: "irc.example.org", bad: [1, ["a"]] },
  ircChannels: { good: ["#lobby"], bad: ["#lobby", []] },
  ircNick: { good: "alice", bad: [1] },
  ircAccount: { good: "alice", bad: [1] },
  ircPasswordFile: { good: "/srv/password", bad: ["password"] },
  ircPlain: { good: true, bad: ["true"] },
  panel: { good: true, bad: ["yes"] },
  uiPort: { good: 7_400, bad: [65_536, "1"] },
  json: { good: true, bad: [0] }
}
const names = Object.keys(ConfigFile.keys) as ReadonlyArray<KeyName>
const empty = ConfigFile.parse("{}")

describe("the configuration file", () => {
  it.each(names)("takes a good %s and does something with it", (name) => {
    const read = ConfigFile.parse(JSON.stringify({ [name]: values[name].good }))
    expect(read).not.toHaveProperty("mistake")
    expect(read).not.toEqual(empty)
  })

  it.each(names)("refuses a bad %s, naming key, value and what is allowed", (name) => {
    for (const value of values[name].bad.filter((one) => one !== "")) {
      const read = ConfigFile.parse(JSON.stringify({ [name]: value }))
      const said = /File$/.test(name) && name !== "instructionsFile" ? "(not repeated here)" : JSON.stringify(value)
      expect(read).toEqual({ mistake: `${name} is ${said}; allowed is ${ConfigFile.keys[name].allowed}` })
    }
  })

  it("names every mistake at once, and a key that is none", () => {
    const read = ConfigFile.parse(JSON.stringify({ warm: 9, ircPassword: "hunter2", local: 1 }))
    expect((read as { readonly mistake: string }).mistake.split("\n")).toEqual([
      expect.stringMatching(/^warm is 9; allowed is /),
      expect.stringMatching(/^local is 1; allowed is /),
      expect.stringMatching(/^"ircPassword" is no key of this file; there are: name, .*ircPasswordFile/)
    ])
    expect(JSON.stringify(read)).not.toContain("hunter2")
  })

  it("says where it is no JSON, and repeats nothing of it", () => {
    expect(ConfigFile.parse('{\n  "name": "alice",\n  ircPassword: "hunter2"\n}')).toEqual({
      mistake: "it is not JSON: look at line 3, column 3"
    })
    expect(ConfigFile.parse('{ "name": ')).toEqual({ mistake: expect.stringContaining("it is not JSON") })
    for (const text of ["[]", "null", "7"]) expect(ConfigFile.parse(text)).toHaveProperty("mistake")
  })

  it("is a value whatever it holds", () => {
    fc.assert(fc.property(fc.json(), (text) => typeof ConfigFile.parse(text) === "object"))
    fc.assert(fc.property(fc.string(), (text) => typeof ConfigFile.parse(text) === "object"))
  })

  it("gives way to the command line, option by option, and is read as one with it", async () => {
    const file = join(folder, "node.json")
    const said = {
      name: "alice",
      sandbox: "off",
      local: true,
      room: "/srv/a.txt",
      warm: 2,
      limits: { injectsPerHour: 3 }
    }
    writeFileSync(file, JSON.stringify(said))
    const merged = await ConfigFile.merged({ config: file, name: "bob", room: undefined, data: folder })
    if ("mistake" in merged) throw new Error(merged.mistake)
    expect(RunOptions.readOptions(merged.given, merged.rates)).toMatchObject({
      name: "bob",
      settings: {
        dataFolder: folder,
        rooms: [{ name: "lobby", file: "/srv/a.txt" }],
        network: { kind: "local" },
        warm: 2
      },
      rates: { inject: [expect.anything(), { capacity: 3 }] }
    })
    const clash = await ConfigFile.merged({ config: file, bootstrap: ["127.0.0.1:1"] })
    if ("mistake" in clash) throw new Error(clash.mistake)
    expect(RunOptions.readOptions(clash.given)).toMatchObject({
      mistake: expect.stringContaining("exclude each other")
    })
  })

  it("says what is wrong with the file itself", async () => {
    const missing = await ConfigFile.merged({ config: join(folder, "missing.json") })
    expect(missing).toMatchObject({ mistake: expect.stringMatching(/^--config: .*missing\.json cannot be read/) })
    const long = join(folder, "long.json")
    writeFileSync(long, " ".repeat(70_000))
    chmodSync(long, 0o644)
    expect(await ConfigFile.merged({ config: long })).toMatchObject({ mistake: expect.stringContaining("65536 bytes") })
  })
})

describe("an IRC server of the options", () => {
  const read = (more: RunOptions.Given, name = "alice") => RunOptions.readOptions({ name, data: folder, ...more })
  const irc = { irc: "irc.example.org", "irc-channel": ["#lobby"] }

  it("is spoken to over TLS, unless it is of this machine or said to have none", () => {
    for (const [server, plain, host, port, tls] of [
      ["irc.example.org", undefined, "irc.example.org", 6_697, true],
      ["irc.example.org:7000", undefined, "irc.example.org", 7_000, true],
      ["irc.example.org", true, "irc.example.org", 6_667, false],
      ["localhost", undefined, "localhost", 6_667, false],
      ["127.0.0.1:6697", undefined, "127.0.0.1", 6_697, true],
      ["[::1]:7000", undefined, "::1", 7_000, false],
      ["[2001:db8::1]", undefined, "2001:db8::1", 6_697, true]
    ] as const) {
      const options = read({ ...irc, irc: server, "irc-plain": plain })
      expect(options, server).toMatchObject({ settings: { irc: { host, port, tls, nick: "alice" } } })
    }
  })

  it("has each mistake named", () => {
    const nowhere: RunOptions.Given = { "irc-nick": "x" }
    for (const [more, mistake] of [
      [{ irc: "a b", "irc-channel": ["#a"] }, /--irc "a b": HOST or HOST:PORT/],
      [{ irc: "a:0", "irc-channel": ["#a"] }, /--irc "a:0"/],
      [{ irc: "a" }, /--irc needs a channel: --irc-channel/],
      [{ irc: "a", "irc-channel": ["lobby"] }, /--irc-channel "lobby": a name such as '#lobby'/],
      [{ ...irc, "irc-nick": "7up" }, /--irc-nick "7up": 1 to 64 characters/],
      [nowhere, /--irc-nick means something with --irc HOST\[:PORT\] only/],
      [
        { ...irc, "irc-account": "alice" },
        /--irc-account "alice" needs a password: --irc-password-file FILE or WOPR_P2P_IRC_PASSWORD/
      ],
      [{ ...irc, "irc-plain": true, "irc-password-file": "/srv/p" }, /everybody on the way could read it/]
    ] as ReadonlyArray<readonly [RunOptions.Given, RegExp]>)
      expect(read(more)).toEqual({ mistake: expect.stringMatching(mistake) })
  })
})
