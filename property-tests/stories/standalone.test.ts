/**
 * What a person would try with a node of one's own: two terminals, one file as room, and many mistakes.
 * It must only do what a person can do: type lines, read what is printed, send signals, look at files.
 * Programs are read as JSON where facts count, as prose where a person's eyes do.
 */
import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import type { PeerId } from "../../core/index.ts"
import * as Layers from "../../plugin/Layers.ts"
import * as Present from "../../plugin/Present.ts"
import * as Child from "../../plugin/standalone/Child.ts"
import { withEngine } from "../conformance/docker-engine.ts"
import { clearPlaces, finish, isAlive, isFree, launch, makePlace, type Place, type Running, until } from "./stage.ts"

const nodes: Array<Child.Child> = []
const programs: Array<Running> = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop("SIGKILL")))
  for (const { child } of programs.splice(0)) child.kill("SIGKILL")
})
afterAll(clearPlaces)

const options = (place: Place, name: string, sandbox = "off"): ReadonlyArray<string> => [
  ...["--name", name, "--data", join(place.folder, name), "--room", place.room, "--sandbox", sandbox],
  ...["--local", "--local-port", String(place.port)]
]

const started = (told: Child.Told): boolean => told.event === "started"

/** A node of this place, up. */
const begin = async (place: Place, name: string, sandbox = "off"): Promise<Child.Child> => {
  const node = Child.start(options(place, name, sandbox), place.env)
  nodes.push(node)
  await node.wait(`${name}'s start`, started)
  return node
}

/** A node that prints prose, up. */
const beginProse = async (place: Place, name: string): Promise<Running> => {
  const program = launch(["run", ...options(place, name)], place.env)
  programs.push(program)
  await program.printed(/Ctrl-C ends the node/)
  return program
}

/** Types a line and gives the reply to it. */
const ask = (node: Child.Child, line: string): Promise<Child.Told> => {
  const after = node.told.length
  node.type(line)
  return node.wait(`the reply to ${line}`, (told) => told.event === "reply", 20_000, after)
}

/** Types a line that must be taken. */
const does = async (node: Child.Child, line: string): Promise<Child.Told> => {
  const reply = await ask(node, line)
  expect(reply).toMatchObject({ line, ok: true })
  return reply
}

const linesOf = async (node: Child.Child, question: string): Promise<string> =>
  ((await does(node, question))["lines"] as ReadonlyArray<string>).join("\n")

/** Whether this is what finally became of a message or inject; an inject that has arrived is still to be answered. */
const isFinal = (told: Child.Told): boolean =>
  told.event === "refused" || told.event === "answered" || (told.event === "delivered" && told["kind"] !== "Inject")

const outcome = async (node: Child.Child, line: string): Promise<Child.Told> => {
  const { id } = await does(node, line)
  return node.wait(`the outcome of ${line}`, (told) => told["id"] === id && isFinal(told))
}

const asked = (by: string) => (told: Child.Told) => told.event === "request-received" && told["name"] === by
const befriended = (told: Child.Told): boolean => told.event === "friendship"

/** `from` asks, `to` accepts. */
const befriend = async (from: Child.Child, fromName: string, to: Child.Child, toName: string): Promise<void> => {
  const [atFrom, atTo] = [from.told.length, to.told.length]
  await does(from, `/friend @${toName}`)
  await to.wait(`${fromName}'s request`, asked(fromName), 20_000, atTo)
  await does(to, `/accept @${fromName}`)
  await from.wait("the friendship", befriended, 20_000, atFrom)
  await to.wait("the friendship", befriended, 20_000, atTo)
}

interface Written {
  readonly id: string
  readonly from: string
  readonly text: string
}

/** Everything in a node's conversation files. */
const conversations = (place: Place, name: string): ReadonlyArray<Written> => {
  const folder = join(place.folder, name, "conversations")
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Written)
  )
}

/** Waits until a node's conversation files hold so many entries: they are written after the event is told. */
const written = async (place: Place, name: string, count: number): Promise<ReadonlyArray<Written>> => {
  await until(`${count} entries are written`, () => conversations(place, name).length >= count)
  return conversations(place, name)
}

describe("two people with two nodes", () => {
  it("become friends, talk, allow, withdraw and part", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    expect(await linesOf(alice, "/friends")).toMatch(/no friends yet.*\/friend @name/)
    expect(await linesOf(bob, "/requests")).toBe("no open requests")
    await does(alice, "/friend @bob")
    const request = await bob.wait("the request", asked("alice"))
    const key = String(request["identityKey"])
    expect(await linesOf(alice, "/requests")).toBe("you asked @bob in room:lobby")
    expect(await linesOf(bob, "/requests")).toBe(
      `@alice#${key.slice(0, 8)} asked in room:lobby, posted by unknown, unverified: ${request["fingerprint"]}`
    )
    await does(bob, `/accept @alice#${key.slice(0, 4)}`)
    await Promise.all([alice, bob].map((node) => node.wait("the friendship", befriended)))
    // The first line names the other's key; what is compared is the same.
    const compared = (lines: string) => lines.split("\n").slice(1).join("\n")
    const [atAlice, atBob] = [await linesOf(alice, "/fingerprint @bob"), await linesOf(bob, "/fingerprint @alice")]
    expect(compared(atAlice)).toBe(compared(atBob))
    expect(atAlice).toContain(String(request["fingerprint"]))

    expect(await outcome(alice, "/message @bob grüße 👋")).toMatchObject({ event: "delivered", bytes: 12 })
    expect(await written(place, "bob", 1)).toMatchObject([{ from: "alice", text: "grüße 👋" }])
    expect(await linesOf(alice, "/friends")).toMatch(
      /^@bob \([0-9a-f]{8}\) may message; you may message; connected; 0 waiting/
    )
    expect(await linesOf(bob, "/status")).toMatch(/^@bob, key [\w-]{43}\n1 friend, 0 open requests\ninject is off: /)

    expect(await outcome(alice, "/inject @bob hello")).toMatchObject({ event: "refused", code: "no-capability" })
    await does(bob, "/grant @alice inject")
    expect(await linesOf(bob, "/friends")).toMatch(/^@alice \([0-9a-f]{8}\) may message, inject;/)
    expect(await outcome(alice, "/inject @bob hello")).toMatchObject({ event: "refused", code: "sandbox-unavailable" })
    await does(bob, "/revoke @alice message")
    expect(await outcome(alice, "/message @bob ignored")).toMatchObject({ event: "refused", code: "no-capability" })
    await does(bob, "/grant @alice message")
    expect(await outcome(alice, "/message @bob again")).toMatchObject({ event: "delivered" })

    await does(bob, "/unfriend @alice")
    await alice.wait("the end of it", ({ event }) => event === "unfriended")
    expect(await ask(alice, "/message @bob still there?")).toMatchObject({ ok: false, code: "not-a-friend" })
    expect(await linesOf(bob, "/friends")).toMatch(/no friends yet/)
    expect((await written(place, "bob", 2)).map(({ text }) => text)).toEqual(["grüße 👋", "again"])
  })

  it("turn a request down, which is no ban", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await does(alice, "/friend @bob")
    await bob.wait("the request", asked("alice"))
    await does(bob, "/deny @alice")
    expect(await linesOf(bob, "/requests")).toBe("no open requests")
    expect(await ask(bob, "/accept @alice")).toMatchObject({ ok: false, code: "unknown-peer" })
    const after = bob.told.length
    await does(alice, "/friend @bob")
    await bob.wait("the second request", asked("alice"), 20_000, after)
  })

  it("accept by a rule, with nothing but messages, until the rule is removed", async () => {
    const place = await makePlace()
    const [alice, bob, carol] = await Promise.all([begin(place, "alice"), begin(place, "bob"), begin(place, "carol")])
    expect(await linesOf(bob, "/auto-accept list")).toMatch(/^no auto-accept rules/)
    await does(bob, "/auto-accept add * unproven")
    const rule = (await linesOf(bob, "/auto-accept list")).split(" ")[0]!
    expect(await linesOf(bob, "/auto-accept list")).toBe(`${rule}  * unproven`)
    await does(alice, "/friend @bob")
    expect(await bob.wait("the friendship", befriended)).toMatchObject({ name: "alice", by: "rule" })
    await alice.wait("the friendship", befriended)
    expect(await linesOf(bob, "/friends")).toMatch(/^@alice \([0-9a-f]{8}\) may message;/)
    await does(bob, `/auto-accept remove ${rule}`)
    await does(carol, "/friend @bob")
    await bob.wait("carol's request, which asks", asked("carol"))
  })

  it("are asked where a rule lacks `unproven` and the room cannot tell who posted", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await does(bob, "/auto-accept add *")
    await does(alice, "/friend @bob")
    await bob.wait("the request, which asks", asked("alice"))
  })

  withEngine("with a container engine", () => {
    it("get an answer out of the sandbox only while it is granted", async () => {
      const place = await makePlace()
      const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob", "scripted")])
      await befriend(alice, "alice", bob, "bob")
      await does(bob, "/grant @alice")
      const answered = await outcome(alice, "/inject @bob who are you?")
      expect(answered).toMatchObject({
        event: "answered",
        confinement: { containerId: expect.stringMatching(/^[0-9a-f]{64}$/) }
      })
      const report: unknown = JSON.parse(String(answered["text"]))
      expect(report).toMatchObject({ requestText: "who are you?", routes: 0, uid: 65534 })
      await does(bob, "/revoke @alice")
      expect(await outcome(alice, "/inject @bob and now?")).toMatchObject({ event: "refused", code: "no-capability" })
    })
  })
})

describe("somebody who mistypes", () => {
  const mistakes: ReadonlyArray<readonly [string, RegExp]> = [
    ["hello", /begin with a slash; \/help lists them/],
    ["/", /\/help/],
    ["/dance", /there is no command \/dance; \/help lists them/],
    ["/friend", /^usage: \/friend @name \[in ROOM\]$/],
    ["/friend @", /^usage: \/friend @name \[in ROOM\]$/],
    ["/friend @bob and @carol", /^usage: \/friend @name \[in ROOM\]$/],
    ["/friend @alice", /your own name/],
    ["/friend @a|b", /usage: \/friend @name/],
    ["/accept", /\/friends and \/requests/],
    ["/accept @bob now", /^usage: \/accept \[@name/],
    ["/accept @nobody", /\/friends and \/requests/],
    ["/deny @nobody", /\/friends and \/requests/],
    ["/message", /^usage: \/message @name/],
    ["/message @bob", /text/],
    ["/message @nobody hello", /\/friends and \/requests/],
    ["/inject @bob", /text/],
    ["/inject @nobody hello", /\/friends and \/requests/],
    ["/grant @nobody", /\/friends and \/requests/],
    ["/grant @bob everything", /"everything" is not a capability; allowed: message, inject/],
    ["/revoke", /^usage: \/revoke @name/],
    ["/unfriend @nobody", /\/friends and \/requests/],
    ["/unfriend @bob now", /^usage: \/unfriend @name/],
    ["/auto-accept add", /^usage: \/auto-accept/],
    ["/auto-accept add key:short", /a key has 43 characters/],
    ["/auto-accept remove 12", /no auto-accept rule of that number; see \/auto-accept list/],
    ["/fingerprint", /^usage: \/fingerprint @name/]
  ]

  it("is told what to do instead, and the node goes on", async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    for (const [line, why] of mistakes) {
      const reply = await ask(alice, line)
      const expected = { line, ok: false, why: expect.stringMatching(why) }
      expect.soft({ line, ok: reply["ok"], why: reply["why"] }).toEqual(expected)
    }
    expect(await linesOf(alice, "/fingerprint @nobody")).toMatch(/nobody called @nobody; see \/friends and \/requests/)
    const help = await linesOf(alice, "/help")
    for (const word of ["friend", "accept", "deny", "message", "inject", "grant", "revoke", "unfriend", "quit"]) {
      expect(help).toMatch(new RegExp(`^ {2}/${word} .*\\s{2,}\\S`, "m"))
    }
    alice.type("")
    alice.type("   ")
    expect(await linesOf(alice, "/status")).toMatch(/^@alice/)
  })

  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["no command", [], /no command was given/],
    ["an unknown command", ["dance"], /no command "dance"/],
    ["no name", ["run"], /--name is needed/],
    ["a bad name", ["run", "--name", "a b"], /--name "a b": /],
    ["an unknown option", ["run", "--name", "alice", "--volume", "11"], /--volume/],
    ["an unknown option of the demo", ["demo", "--loud"], /--loud/],
    ["words that are no option", ["run", "alice"], /alice/],
    ["an option without its value", ["run", "--name"], /--name/],
    ["a bad DHT address", ["run", "--name", "alice", "--bootstrap", "nonsense"], /--bootstrap "nonsense": HOST:PORT/],
    ["a bad port", ["run", "--name", "alice", "--bootstrap", "host:99999"], /HOST:PORT/],
    ["two networks", ["run", "--name", "alice", "--local", "--bootstrap", "a:1"], /exclude each other/],
    ["a bad local port", ["run", "--name", "alice", "--local", "--local-port", "0"], /--local-port "0": a number/],
    ["a local port for no local network", ["run", "--name", "alice", "--local-port", "4000"], /--local only/],
    ["no verb of sandbox", ["sandbox"], /sandbox needs one of: image, show/],
    ["an unknown verb of sandbox", ["sandbox", "destroy"], /sandbox needs one of: image, show/],
    ["too many warm containers", ["run", "--name", "alice", "--warm", "9"], /--warm "9": a number from 0 to 4/],
    [
      "a bad sandbox",
      ["run", "--name", "alice", "--sandbox", "open"],
      /--sandbox "open": allowed are agent, scripted, off/
    ]
  ]
  it.each(wrong)("at the command line is told the next step: %s", async (_, args, why) => {
    const place = await makePlace()
    const ended = await finish(args, place.env)
    expect(ended).toMatchObject({ code: 2, stdout: "" })
    expect(ended.stderr).toMatch(why)
    expect(ended.stderr).toMatch(/"wopr-p2p help" lists commands and options/)
    expect(ended.stderr).not.toMatch(/^\s+at /m)
    expect(readdirSync(join(place.folder, "home"))).toEqual([])
  })

  const helps: ReadonlyArray<readonly [string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
    ...["help", "--help", "-h"].map(
      (args) => [args, ["--name", "--room", "--local-port", "--require-sandbox"], []] as const
    ),
    ["run --help", ["wopr-p2p run", "--name", "--room", "--irc HOST"], ["--require-sandbox"]],
    ["demo --help", ["wopr-p2p demo", "--require-sandbox"], ["--room"]]
  ]
  it.each(helps)("finds help with %s, about that and in lines of 100 columns", async (args, there, missing) => {
    const ended = await finish(args.split(" "), (await makePlace()).env)
    expect(ended).toMatchObject({ code: 0, stderr: "" })
    for (const option of [...there, "WOPR_P2P_DOCKER_SOCKET", "Exit codes"]) expect(ended.stdout).toContain(option)
    for (const option of missing) expect(ended.stdout).not.toContain(option)
    expect(ended.stdout.split("\n").filter((line) => line.length > 100)).toEqual([])
  })

  /** A start that must fail in one sentence. */
  const failing = async (place: Place, args: ReadonlyArray<string>): Promise<string> => {
    const local = ["--local", "--local-port", String(place.port)]
    const ended = await finish(["run", "--name", "alice", ...local, ...args], place.env)
    expect(ended.code).toBe(1)
    expect(ended.stderr.trimEnd()).not.toContain("\n")
    return ended.stderr
  }

  // Whoever runs the tests may be root, whom permissions do not stop: so these are paths that cannot exist.
  const unusable: ReadonlyArray<readonly [string, (folder: string) => readonly [string, ReadonlyArray<string>]]> = [
    ["a room that is a folder", (at) => [`${at}/home`, ["--data", `${at}/a`, "--room", `${at}/home`]]],
    ["a room below a file", (at) => [`${at}/file/room`, ["--data", `${at}/a`, "--room", `${at}/file/room`]]],
    ["a room where none can be made", (at) => ["/proc/no", ["--data", `${at}/a`, "--room", "/proc/no/where/room"]]],
    ["data in a file", (at) => [`${at}/file`, ["--data", `${at}/file`]]],
    ["data below a file", (at) => [`${at}/file/data`, ["--data", `${at}/file/data`]]],
    ["data where none can be written", () => ["/proc/nowhere", ["--data", "/proc/nowhere"]]]
  ]
  it.each(unusable)("a path is told which one it is: %s", async (_, of) => {
    const place = await makePlace()
    writeFileSync(join(place.folder, "file"), "")
    const [path, args] = of(place.folder)
    expect(await failing(place, [...args, "--sandbox", "off"])).toContain(path)
  })

  it("a port is told that something else holds it", async () => {
    const place = await makePlace()
    const socket = createSocket("udp4")
    await new Promise<void>((resolve) => socket.bind(place.port, "127.0.0.1", resolve))
    const why = await failing(place, ["--data", join(place.folder, "alice"), "--sandbox", "off"])
    expect(why).toContain(`UDP port ${place.port} of 127.0.0.1 is held by something that is no DHT node`)
    socket.close()
  })

  it("is told when the identity file is not one", async () => {
    const place = await makePlace()
    const data = join(place.folder, "alice")
    mkdirSync(data, { mode: 0o700 })
    writeFileSync(join(data, "identity.json"), "{}", { mode: 0o600 })
    expect(await failing(place, ["--data", data, "--sandbox", "off"])).toMatch(/identity/)
  })
})

describe("nodes that come and go", () => {
  it("give the shared network on when its host is killed, and newcomers find who stayed", async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    const bob = await begin(place, "bob")
    await befriend(alice, "alice", bob, "bob")
    expect((await outcome(alice, "/message @bob one")).event).toBe("delivered")
    await alice.stop("SIGKILL")
    // Nobody but bob is left who could hold the port.
    await until("somebody hosts the network", async () => !(await isFree(place.port)), 5_000)
    const carol = await begin(place, "carol")
    await befriend(carol, "carol", bob, "bob")
    expect((await outcome(carol, "/message @bob two")).event).toBe("delivered")
    expect((await outcome(bob, "/message @carol three")).event).toBe("delivered")
    const again = await begin(place, "alice")
    expect((await outcome(again, "/message @bob four")).event).toBe("delivered")
    const texts = (await written(place, "bob", 3)).map(({ from, text }) => `${from}: ${text}`)
    expect(texts.toSorted()).toEqual(["alice: four", "alice: one", "carol: two"])
  })

  it("bring what was queued while the friend was away, in order, although both were restarted", async () => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await befriend(alice, "alice", bob, "bob")
    expect(await bob.stop()).toBe(0)
    const texts = Array.from({ length: 12 }, (_, index) => `number ${index + 1}`)
    for (const text of texts) await does(alice, `/message @bob ${text}`)
    expect(await linesOf(alice, "/friends")).toMatch(/not connected; 12 waiting/)
    expect(await alice.stop()).toBe(0)
    const back = await begin(place, "alice")
    expect(await linesOf(back, "/friends")).toMatch(/not connected; 12 waiting/)
    const bobBack = await begin(place, "bob")
    for (const text of texts) {
      await bobBack.wait(text, (told) => told.event === "received" && (told["entry"] as Written).text === text)
    }
    expect((await written(place, "bob", texts.length)).map(({ text }) => text)).toEqual(texts)
  })

  it("hold their folder alone: a second process is told who has it, and the first does not notice", async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    const ended = await finish(["run", ...options(place, "alice")], place.env)
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain(String(alice.pid))
    expect(ended.stderr).toContain(join(place.folder, "alice"))
    expect(ended.stderr.trimEnd()).not.toContain("\n")
    expect(await linesOf(alice, "/status")).toMatch(/^@alice/)
    // Once the holder is gone, even without a farewell, the folder is free at once.
    await alice.stop("SIGKILL")
    await begin(place, "alice")
  })

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("end cleanly on %s", async (signal) => {
    const place = await makePlace()
    const [alice, bob] = await Promise.all([begin(place, "alice"), begin(place, "bob")])
    await befriend(alice, "alice", bob, "bob")
    await outcome(alice, "/message @bob hello")
    expect(await alice.stop(signal)).toBe(0)
    expect(alice.told.at(-1)).toMatchObject({ event: "ended", pid: alice.pid })
    expect(readdirSync(join(place.folder, "alice")).filter((name) => name.startsWith("lock"))).toEqual([])
    await bob.wait("alice is gone", (told) => told.event === "disconnected")
  })

  it.each([250, 400, 550, 700])("end cleanly also %d ms into their start", async (waitMs) => {
    const place = await makePlace()
    const program = launch(["run", "--json", ...options(place, "alice")], place.env)
    programs.push(program)
    const timer = setTimeout(() => program.child.kill("SIGINT"), waitMs)
    const ended = await program.ended
    clearTimeout(timer)
    // Before the program can listen to signals, the system ends it.
    expect([0, null]).toContain(ended.code)
    expect(ended.stderr).toBe("")
    await begin(place, "alice")
  })

  it("carry out what was piped in, outlive its end, and end with /quit", async () => {
    const place = await makePlace()
    const piped = await beginProse(place, "alice")
    piped.child.stdin?.end("/friend @bob\n/status")
    await piped.printed(/asked @bob in room:lobby/)
    await piped.printed(/@alice, key/)
    const bob = await begin(place, "bob")
    await bob.wait("the request", asked("alice"))
    expect(isAlive(piped.pid)).toBe(true)
    piped.child.kill("SIGTERM")
    expect((await piped.ended).code).toBe(0)
    const quit = await beginProse(place, "alice")
    quit.child.stdin?.write("/quit\n")
    expect(await quit.ended).toMatchObject({ code: 0, stderr: "" })
  })

  it("end when nobody reads what they print any more, without a stack trace", async () => {
    const place = await makePlace()
    const alice = await beginProse(place, "alice")
    alice.child.stdout?.destroy()
    alice.child.stdin?.write("/status\n")
    expect(await alice.ended).toMatchObject({ code: 0, stderr: "" })
  })
})

describe("the container engine that the environment names", () => {
  const named = (env: Readonly<Record<string, string>>) => Layers.engineSocket(env)

  it("is the socket of our own variable, else that of DOCKER_HOST, else the usual one", () => {
    expect(named({ WOPR_P2P_DOCKER_SOCKET: "/ours.sock", DOCKER_HOST: "unix:///theirs.sock" })).toEqual({
      engineSocket: "/ours.sock"
    })
    expect(named({ WOPR_P2P_DOCKER_SOCKET: "", DOCKER_HOST: "unix:///run/user/1000/docker.sock" })).toEqual({
      engineSocket: "/run/user/1000/docker.sock"
    })
    expect(named({ DOCKER_HOST: "" })).toEqual({})
  })
  it.each([
    "tcp://127.0.0.1:2375",
    "tcp://engine:2376",
    "ssh://me@engine",
    "unix://relative.sock",
    "unix://",
    "engine:2375"
  ])("is none at all if DOCKER_HOST is %s: no other stands in for it", (host) => {
    expect(named({ DOCKER_HOST: host })).toEqual({
      engineRefused: expect.stringMatching(/^DOCKER_HOST names .*unset it/)
    })
    expect(named({ DOCKER_HOST: host, WOPR_P2P_DOCKER_SOCKET: "/ours.sock" })).toEqual({ engineSocket: "/ours.sock" })
  })
  it.each([
    ["tcp://127.0.0.1:2375", /inject is off: DOCKER_HOST names an engine that is no socket/],
    ["unix:///nowhere/engine.sock", /inject is off: no container engine answers at \/nowhere\/engine\.sock/]
  ])("is the one that a node asks: DOCKER_HOST=%s", async (host, said) => {
    const place = await makePlace()
    const program = launch(["run", ...options(place, "alice"), "--sandbox", "scripted"], {
      ...place.env,
      DOCKER_HOST: host
    })
    programs.push(program)
    await program.printed(/@alice is up/)
    program.child.stdin?.write("/status\n/quit\n")
    expect((await program.ended).stdout.split("@alice, key")[1]).toMatch(said)
  })
})

describe("what a friend's text can do to a screen", () => {
  const hostile = "\u001b]0;pwned\u0007\u001b[2J\u001b[31mred\u001b[0m \u202egnp.exe \u009b1A\u0000\u0008\u200bend"
  const harmless = "\ufffd]0;pwned\ufffd\ufffd[2J\ufffd[31mred\ufffd[0m \ufffdgnp.exe \ufffd1A\ufffd\ufffd\ufffdend"

  it("is nothing: escapes, direction marks and invisible characters are shown as what they are", async () => {
    const place = await makePlace()
    const [alice, bob] = [await begin(place, "alice"), await beginProse(place, "bob")]
    await does(alice, "/friend @bob")
    await bob.printed(/asks to be friends/)
    bob.child.stdin?.write("/accept @alice\n")
    await alice.wait("the friendship", befriended)
    expect((await outcome(alice, `/message @bob ${hostile}`)).event).toBe("delivered")
    await bob.printed(/alice: .*end/)
    const shown = bob.stdout()
    expect(shown).toContain(`alice: ${harmless}\n`)
    // Besides, the program itself prints no control character but line ends.
    expect([...shown].filter((one) => one !== "\n" && /[\p{Cc}\p{Cf}]/u.test(one))).toEqual([])
    // The text itself is kept as it was sent.
    expect(await written(place, "bob", 1)).toMatchObject([{ text: hostile }])
  })

  it("is nothing in JSON either: whatever is not plainly visible is escaped, and reads as the same text", () => {
    const named = "\u009b\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\u{e0041}\u3164"
    const texts = fc.oneof(fc.string({ unit: "binary" }), fc.constant(`${hostile}${named}`))
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 4 }), (parts) => {
        const line = Present.json({ text: parts, [parts.join("")]: 1 })
        expect(JSON.parse(line)).toEqual({ text: parts, [parts.join("")]: 1 })
        expect(
          Array.from(line).filter((one) => /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.test(one))
        ).toEqual([])
      })
    )
    const told = Present.json({ text: named })
    expect(told).toBe(
      '{"text":"\\u009b\\u200b\\u200e\\u200f\\u2028\\u2029\\u202a\\u202e\\u2066\\u2069\\ufeff\\udb40\\udc41\\u3164"}'
    )
    expect(Present.json({ text: "grüße, 漢字 😀" })).toBe('{"text":"grüße, 漢字 😀"}')
  })

  it("is nothing in what a program prints as JSON", async () => {
    const place = await makePlace()
    const alice = await begin(place, "alice")
    const bob = launch(["run", "--json", ...options(place, "bob")], place.env)
    programs.push(bob)
    await bob.printed(/"event":"started"/)
    await does(alice, "/friend @bob")
    await bob.printed(/"event":"request-received"/)
    bob.child.stdin?.write("/accept @alice\n")
    await alice.wait("the friendship", befriended)
    expect((await outcome(alice, `/message @bob ${hostile}`)).event).toBe("delivered")
    await bob.printed(/"event":"received".*end/)
    expect([...bob.stdout()].filter((one) => one !== "\n" && /[\p{Cc}\p{Cf}]/u.test(one))).toEqual([])
  })

  it("is no line of its own: whatever follows a line break is marked as the friend's", () => {
    const peer = { peerId: "0".repeat(64) as PeerId.PeerId, name: "bob" }
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 5 }), (parts) => {
        const text = parts.join("\n")
        const entry = { id: "1", conversation: "c", label: "l", atMs: 0, from: "bob", text }
        const answered = { _tag: "Answered", ...peer, id: "1", text, bytes: 1, confinement: undefined } as const
        const shown = [Present.event({ _tag: "Received", ...peer, entry, bytes: 1 }), Present.event(answered)]
        for (const [first, ...others] of shown.map((line) => line.text.split("\n"))) {
          expect(first).toMatch(/^bob( answers)?: /)
          expect(others.filter((line) => !line.startsWith("  | "))).toEqual([])
        }
        const all = shown.map((line) => line.text).join("\n")
        expect(Array.from(all).filter((one) => one !== "\n" && /\p{C}/u.test(one))).toEqual([])
      })
    )
  })
})

const tmuxPresent = spawnSync("tmux", ["-V"]).status === 0
if (!tmuxPresent) console.warn("SKIPPED: the prompt on a screen: there is no tmux")

describe.skipIf(!tmuxPresent)("the prompt on a screen", () => {
  const sockets: Array<string> = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) spawnSync("tmux", ["-S", socket, "kill-server"])
  })

  /** A node at a screen of 60 by 20 characters. */
  const screen = (place: Place, name: string) => {
    const socket = join(place.temporary, `screen-${name}`)
    sockets.push(socket)
    const env = { ...process.env, ...place.env, TERM: "xterm-256color", LANG: "C.UTF-8" }
    const tmux = (...words: ReadonlyArray<string>) =>
      spawnSync("tmux", ["-S", socket, "-f", "/dev/null", ...words], { env })
    const command = [process.execPath, Child.program(), "run", ...options(place, name)].map((word) => `'${word}'`)
    tmux("new-session", "-d", "-x", "60", "-y", "20", `${command.join(" ")}; echo "code $?"; sleep 60`)
    const rows = (): ReadonlyArray<string> => tmux("capture-pane", "-p").stdout.toString().trimEnd().split("\n")
    const shows = (what: RegExp): Promise<void> =>
      until(`the screen shows ${what}`, () => what.test(rows().join("\n")), 20_000).catch((error: Error) => {
        throw new Error(`${error.message}\n${rows().join("\n")}`)
      })
    return {
      rows,
      shows,
      type: (text: string) => tmux("send-keys", "-l", text),
      press: (...keys: ReadonlyArray<string>) => tmux("send-keys", ...keys)
    }
  }

  it("stays as it is while events come in, also when what is typed takes several rows", async () => {
    const place = await makePlace()
    const [alice, bob] = [screen(place, "alice"), await begin(place, "bob")]
    await alice.shows(/^alice> *$/m)
    const typed = `/friend @bob ${"x".repeat(100)}`
    // Key by key, as a person does: readline itself shows a line twice that comes in one piece over several rows.
    for (let end = 1; end <= typed.length; end++) {
      alice.type(typed.slice(end - 1, end))
      const sofar = `alice> ${typed.slice(0, end)}`.trimEnd()
      await until("the key is on the screen", () => alice.rows().join("").endsWith(sofar))
    }
    await does(bob, "/friend @alice")
    await alice.shows(/compare on another channel/)
    await until("the typed line is back", () => alice.rows().slice(-2).join("") === `alice> ${typed}`)
    // It stands once; and no line above it was eaten.
    const all = alice.rows().join("\n")
    expect(all.split("alice> ")).toHaveLength(2)
    expect(all).toMatch(/@alice is up/)
    expect(all).toMatch(/\/help lists the commands, Ctrl-C ends the node\nbob asks to be friends/)
    // Corrected with the keys, it still means what the screen says.
    alice.press(...Array.from({ length: 101 }, () => "BSpace"), "Enter")
    await alice.shows(/asked @bob in room:lobby/)
    alice.type("/acc")
    alice.press("Tab")
    alice.type(" @bob")
    alice.press("Enter")
    await alice.shows(/bob is your friend now/)
    await bob.wait("the friendship", befriended)
    alice.press("Up", "Up")
    await alice.shows(/^alice> \/friend @bob$/m)
    alice.press("C-c")
    await alice.shows(/^code 0$/m)
  })
})
