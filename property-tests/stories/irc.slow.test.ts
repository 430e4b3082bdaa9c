/**
 * Two nodes of one's own at a real IRC server of this machine, started as README.md says: they become friends and talk past it.
 * It must only do what a person can do; the server's port is put into the commands, because its usual one may be in use.
 * Somebody else in the channel writes down what really came: what a node says it did not post, nobody has seen.
 */
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, expect, it } from "vitest"
import * as Child from "../../plugin/standalone/Child.ts"
import { come, freeTcpPort, type Person, type Server, startServer, withNgircd } from "../conformance/irc-server.ts"
import { projectRoot } from "../tidy/Tree.ts"
import { clearPlaces, finish, makePlace, type Place } from "./stage.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(clearPlaces)

/** The commands of the section "On IRC": words after `npm start --`. */
const commands = (): ReadonlyArray<ReadonlyArray<string>> => {
  const section = /### On IRC([\s\S]*?)\n### /.exec(readFileSync(join(projectRoot, "README.md"), "utf8"))?.[1] ?? ""
  const lines = [...section.matchAll(/^npm start -- (.*)$/gm)].map(([, words]) => words!)
  return lines.map((line) => line.split(/\s+/).map((word) => word.replaceAll("'", "")))
}

const serve = async (global: ReadonlyArray<string> = []): Promise<Server> => {
  const server = await startServer({ port: await freeTcpPort(), limits: ["MaxPenaltyTime = 0"], global })
  cleanups.push(server.stop)
  return server
}

const watch = async (port: number, channel: string): Promise<Person> => {
  const person = await come(port, "watcher", channel)
  cleanups.push(person.leave)
  return person
}

/** A node by a command, in a folder of its own and on a network of its own. */
const begin = async (place: Place, words: ReadonlyArray<string>, port: number): Promise<Child.Child> => {
  const name = words[words.indexOf("--name") + 1]!
  const more = ["--data", join(place.folder, name), "--local-port", String(place.port), "--sandbox", "off"]
  const node = Child.start(
    [...words.map((word) => (word === "localhost" ? `localhost:${port}` : word)), ...more],
    place.env
  )
  cleanups.push(() => node.stop("SIGKILL"))
  await node.wait(`${name}'s start`, ({ event }) => event === "started", 40_000)
  return node
}

const ask = (node: Child.Child, line: string): Promise<Child.Told> => {
  const after = node.told.length
  node.type(line)
  return node.wait(`the reply to ${line}`, ({ event }) => event === "reply", 40_000, after)
}

const asked = (told: Child.Told): boolean => told.event === "request-received"
const befriended = (told: Child.Told): boolean => told.event === "friendship"
const delivered = (told: Child.Told): boolean => told.event === "delivered"
const linesIn = ({ lines }: Person, word: string) => lines.filter((line) => line.includes(word))

withNgircd("two nodes of one's own at an IRC server", () => {
  it("become friends by the commands of the README, and talk on when the server is gone", async () => {
    const place = await makePlace()
    const server = await serve()
    const watcher = await watch(server.port, "#lobby")
    const [first, second, ...more] = commands()
    expect(more).toEqual([])
    const [alice, bob] = await Promise.all([begin(place, first!, server.port), begin(place, second!, server.port)])
    expect(await ask(alice, "/friend @bob")).toMatchObject({ ok: true })
    const request = await bob.wait("the request", asked, 40_000)
    expect(request).toMatchObject({ name: "alice", channel: "irc:localhost/#lobby", evidence: "same" })
    expect(await ask(bob, "/accept @alice")).toMatchObject({ ok: true })
    await Promise.all([alice, bob].map((node) => node.wait("the friendship", befriended, 40_000)))
    expect(await watcher.sees(/FRIEND_ACCEPT/)).toMatch(/^:bob!\S+ PRIVMSG #lobby :FRIEND_ACCEPT \| to:alice /)
    await server.stop()
    expect(await ask(alice, "/message @bob past the server")).toMatchObject({ ok: true })
    await alice.wait("the delivery", delivered, 40_000)
    expect(linesIn(watcher, "past the server")).toEqual([])
    const { why } = await ask(alice, "/friend @carol")
    const refusal = why ?? (await alice.wait("the refusal", ({ code }) => code === "no-channel", 40_000))["why"]
    expect(String(refusal)).toMatch(/not in irc:localhost\/#lobby: (it closed|nobody listens|the connection)/)
  })

  it("are told that an accept does not fit, and what does; nothing of it is posted, and an invite helps", async () => {
    const place = await makePlace()
    const { port } = await serve()
    const channel = `#${"c".repeat(45)}`
    const watcher = await watch(port, channel)
    const names = ["a".repeat(31), "b".repeat(31)] as const
    const words = (name: string) => ["--name", name, "--local", "--irc", "localhost", "--irc-channel", channel]
    const [alice, bob] = await Promise.all(names.map((name) => begin(place, words(name), port)))
    await ask(alice!, `/friend @${names[1]}`)
    await bob!.wait("the request", asked, 40_000)
    await watcher.sees(/FRIEND_REQUEST/)
    const from = bob!.told.length
    const reply = await ask(bob!, `/accept @${names[0]}`)
    const isRefusal = ({ code }: Child.Told): boolean => code === "line-too-long"
    const refusal = isRefusal(reply) ? reply : await bob!.wait("the refusal", isRefusal, 40_000, from)
    const fit = 510 - Buffer.byteLength(`:${names[1]}!~wopr@127.0.0.1 PRIVMSG ${channel} :`)
    expect(String(refusal["why"])).toContain(`${fit} fit in irc:localhost/${channel}`)
    // What README.md says of the length, so that a person can choose names.
    expect(Number(/has (\d+) bytes/.exec(String(refusal["why"]))?.[1])).toBe(349 + 31 + 31)
    expect(linesIn(watcher, "FRIEND_ACCEPT")).toEqual([])
    const { link } = await ask(bob!, "/invite")
    await ask(alice!, `/claim ${String(link)}`)
    await Promise.all([alice!, bob!].map((node) => node.wait("the friendship", befriended, 60_000)))
  })

  it("are refused a request under a name so long that no line holds it", async () => {
    const place = await makePlace()
    const { port } = await serve()
    const watcher = await watch(port, "#lobby")
    const name = "友".repeat(64)
    const node = await begin(
      place,
      ["--name", name, "--irc-nick", "carol", "--local", "--irc", "localhost", "--irc-channel", "#lobby"],
      port
    )
    const from = node.told.length
    const reply = await ask(node, `/friend @${name.slice(1)}`)
    const isRefusal = ({ code }: Child.Told): boolean => code === "line-too-long"
    const refusal = isRefusal(reply) ? reply : await node.wait("the refusal", isRefusal, 40_000, from)
    expect(String(refusal["why"])).toMatch(/the line has \d+ bytes; \d+ fit in irc:localhost\/#lobby: a shorter name/)
    expect(linesIn(watcher, "FRIEND_")).toEqual([])
  })

  it("are in a room file and a channel at once, and ask where they are told to", async () => {
    const place = await makePlace()
    const { port } = await serve()
    const irc = ["--irc", "localhost", "--irc-channel", "#lobby"]
    const [alice, bob, carol] = await Promise.all([
      begin(place, ["--name", "alice", "--local", "--room", place.room, ...irc], port),
      begin(place, ["--name", "bob", "--local", ...irc], port),
      begin(place, ["--name", "carol", "--local", "--room", place.room], port)
    ])
    await ask(alice, "/friend @carol")
    expect(await carol.wait("the request", asked, 40_000)).toMatchObject({
      channel: "room:lobby",
      evidence: "unproven"
    })
    await ask(alice, "/friend @bob in irc:localhost/#lobby")
    expect(await bob.wait("the request", asked, 40_000)).toMatchObject({
      channel: "irc:localhost/#lobby",
      evidence: "same"
    })
  })

  it("are let in with a password out of a file that is theirs alone, and it is in nothing that is printed or kept", async () => {
    const place = await makePlace()
    const { port } = await serve(["Password = canary-horse"])
    const file = join(place.folder, "password")
    writeFileSync(file, "canary-horse\n", { mode: 0o644 })
    chmodSync(file, 0o644)
    const words = [
      "--name",
      "alice",
      "--local",
      "--irc",
      "localhost",
      "--irc-channel",
      "#lobby",
      "--irc-password-file",
      file
    ]
    const data = ["--data", join(place.folder, "alice"), "--local-port", String(place.port)]
    const open = await finish(
      ["run", ...words.map((word) => (word === "localhost" ? `localhost:${port}` : word)), ...data],
      place.env
    )
    expect([open.code, open.stderr]).toEqual([1, expect.stringContaining(`chmod 600`)])
    chmodSync(file, 0o600)
    const alice = await begin(place, words, port)
    expect(await ask(alice, "/friend @bob")).toMatchObject({ ok: true })
    await ask(alice, "/status")
    await alice.stop()
    const printed = [
      ...alice.told.map((told) => JSON.stringify(told)),
      ...alice.muttered,
      open.stdout,
      open.stderr
    ].join("\n")
    const kept = ["node.json", "journal", "friends.json"].map((name) => {
      try {
        return readFileSync(join(place.folder, "alice", name), "latin1")
      } catch {
        return ""
      }
    })
    expect(kept[0]).toContain("alice")
    expect([printed, ...kept].join("\n")).not.toContain("canary-horse")
  })
})
