/**
 * The IRC adapter at a real server: the suite of its port, and what only a server can do to us.
 * It never waits for a fixed time where it can wait for a line, and never leaves loopback.
 * What arrives is read by a second client that knows nothing of ours: what the server cuts, it sees cut.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { Effect, Redacted } from "effect"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { layer, type Settings } from "../../adapters/irc/ChatChannel.ts"
import { until } from "../stories/stage.ts"
import { hear, refused, type Subject, suite, together } from "./ChatChannel.suite.ts"
import {
  collecting,
  come,
  freeTcpPort,
  quiet,
  type Server,
  type ServerOptions,
  startServer,
  withNgircd
} from "./irc-server.ts"

const host = "127.0.0.1"
const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const serve = async (options: Partial<ServerOptions> = {}): Promise<Server> => {
  const port = options.port ?? (await freeTcpPort())
  const server = await startServer({ limits: ["MaxPenaltyTime = 0"], ...options, port })
  cleanups.push(server.stop)
  return server
}

const node = (port: number, more: Partial<Settings> = {}): Settings => ({
  ...{ host, port, tls: false, nick: "alice", channels: ["#lobby"] },
  ...{ pace: { burst: 1, everyMs: 0 }, settleMs: 20_000, againMs: 100, ...more }
})

const lobby = `irc:${host}/#lobby`
const roomFor = (nick: string, channel: string) =>
  510 - Buffer.byteLength(`:${nick}!~wopr@127.0.0.1 PRIVMSG ${channel} :`)

withNgircd("ChatChannel: irc, at ngircd", () => {
  let shared: Server
  let count = 0
  beforeAll(async () => {
    shared = await startServer({ port: await freeTcpPort(), limits: ["MaxPenaltyTime = 0"] })
  })
  afterAll(() => shared.stop())

  const subject = (): Subject => {
    const name = `#lobby${++count}`
    return {
      channel: `irc:${host}/${name}`,
      vouches: true,
      lineBytesMax: roomFor("alice", name),
      carries: (text) => !/\0|[\t ]$/.test(text),
      join: (nick) => quiet(layer(node(shared.port, { nick, channels: [name] })))
    }
  }
  suite("irc", subject)

  it("posts what others get whole, to the last byte; one more would be cut by the server", async () => {
    const { port } = await serve()
    const bob = await come(port, "bob", "#lobby")
    cleanups.push(bob.leave)
    const fits = "x".repeat(roomFor("alice", "#lobby"))
    await together([quiet(layer(node(port)))], ([alice]) =>
      Effect.gen(function* () {
        expect((yield* refused(alice!.post(lobby, `${fits}x`))).message).toContain(`${fits.length} fit in ${lobby}`)
        yield* alice!.post(lobby, fits)
      })
    )
    const arrived = await bob.sees(/ PRIVMSG #lobby :x/)
    expect(arrived).toBe(`:alice!~wopr@127.0.0.1 PRIVMSG #lobby :${fits}`)
    expect(bob.lines.filter((line) => line.includes("PRIVMSG"))).toHaveLength(1)
    const carol = await come(port, "carol", "#lobby")
    cleanups.push(carol.leave)
    carol.say(`PRIVMSG #lobby :${"y".repeat(490)}`)
    expect(Buffer.byteLength(await bob.sees(/ PRIVMSG #lobby :y/))).toBeLessThanOrEqual(510)
    expect((await bob.sees(/ PRIVMSG #lobby :y/)).endsWith("y".repeat(490))).toBe(false)
  })

  it("goes at the pace of a server that makes it wait, and loses nothing", async () => {
    const { port } = await serve({ limits: [] })
    const bob = await come(port, "bob", "#lobby")
    cleanups.push(bob.leave)
    const lines = Array.from({ length: 12 }, (_, index) => `line ${index} ${"x".repeat(300)}`)
    await together([quiet(layer(node(port)))], ([alice]) =>
      Effect.forEach(lines, (line) => alice!.post(lobby, line), { concurrency: 12, discard: true })
    )
    await bob.sees(/line 11 /)
    const heard = bob.lines.filter((line) => line.includes("PRIVMSG")).map((line) => line.replace(/^.*? :/, ""))
    expect(heard).toEqual(lines)
  })

  it("takes no other nick when its own is in use, says so, and comes in when it is free", async () => {
    const { port } = await serve()
    const impostor = await come(port, "Alice", "#lobby")
    const told: Array<string> = []
    await together([collecting(layer(node(port)), told)], ([alice]) =>
      Effect.gen(function* () {
        expect(yield* alice!.channels).toEqual([])
        const why = yield* refused(alice!.post(lobby, "x"))
        expect(why).toMatchObject({ code: "no-channel" })
        expect(why.message).toMatch(/nick is in use.*--irc-nick/)
        impostor.leave()
        yield* Effect.promise(() => until("alice is in", () => told.some((text) => text.includes("in #lobby"))))
        yield* alice!.post(lobby, "x")
        expect(yield* hear(alice!, 1)).toEqual([{ channel: lobby, author: "alice", text: "x" }])
      })
    )
    expect(told[0]).toMatch(/^irc: 127\.0\.0\.1:\d+: our nick is in use there.*; trying again in 1 s$/)
  })

  it("says that it was kicked, by whom and why, and that it is banned from a channel", async () => {
    const { port } = await serve()
    const operator = await come(port, "op", "#lobby")
    cleanups.push(operator.leave)
    operator.say("MODE #lobby +b alice!*@*")
    await operator.sees(/MODE #lobby \+b/)
    const told: Array<string> = []
    await together([collecting(layer(node(port)), told)], ([alice]) =>
      Effect.gen(function* () {
        expect((yield* refused(alice!.post(lobby, "x"))).message).toMatch(/we are banned.*ask its operators/)
      })
    )
    operator.say("MODE #lobby -b alice!*@*")
    await operator.sees(/MODE #lobby -b/)
    await together([collecting(layer(node(port)), told)], ([alice]) =>
      Effect.gen(function* () {
        yield* alice!.post(lobby, "x")
        operator.say("KICK #lobby alice :\u0002spam\u0007")
        yield* Effect.promise(() => until("the kick", () => told.some((text) => text.includes("kicked"))))
        expect(yield* alice!.channels).toEqual([])
        expect((yield* refused(alice!.post(lobby, "x"))).message).toContain("op kicked us (spam)")
      })
    )
  })

  it("says that a channel takes no lines of ours", async () => {
    const { port } = await serve()
    const operator = await come(port, "op", "#lobby")
    cleanups.push(operator.leave)
    operator.say("MODE #lobby +m")
    await operator.sees(/MODE #lobby \+m/)
    await together([quiet(layer(node(port)))], ([alice]) =>
      Effect.gen(function* () {
        const why = yield* refused(alice!.post(lobby, "x"))
        expect(why).toMatchObject({ code: "unwritable" })
        expect(why.message).toContain("takes no lines of ours")
      })
    )
    expect(operator.lines.some((line) => line.includes("PRIVMSG"))).toBe(false)
  })

  it("says that the server is gone, and is back when the server is", async () => {
    const { port, stop } = await serve()
    const told: Array<string> = []
    await together([collecting(layer(node(port)), told)], ([alice]) =>
      Effect.gen(function* () {
        yield* alice!.post(lobby, "x")
        yield* Effect.promise(stop)
        const isNoticed = () => told.some((text) => text.includes("nobody listens there"))
        yield* Effect.promise(() => until("it is noticed", isNoticed))
        expect((yield* refused(alice!.post(lobby, "x"))).code).toBe("no-channel")
        yield* Effect.promise(() => serve({ port }))
        const isIn = () => told.filter((text) => text.includes("in #lobby")).length === 2
        yield* Effect.promise(() => until("alice is back", isIn, 30_000))
        yield* alice!.post(lobby, "again")
      })
    )
  })

  it("gives a password, says that it is wrong, and repeats it nowhere", async () => {
    const { port } = await serve({ global: ["Password = correct-horse"] })
    const told: Array<string> = []
    await together([collecting(layer(node(port, { password: Redacted.make("battery-staple") })), told)], ([alice]) =>
      Effect.gen(function* () {
        const { message } = yield* refused(alice!.post(lobby, "x"))
        told.push(message)
        expect(message).toMatch(/Bad password.*--irc-password-file/i)
      })
    )
    expect(told.join("\n")).toMatch(/trying again in 300 s/)
    expect(told.join("\n")).not.toContain("battery")
    await together([quiet(layer(node(port, { password: Redacted.make("correct-horse") })))], ([alice]) =>
      alice!.post(lobby, "x")
    )
  })

  it("does not go on without the account it was given, where a server has none", async () => {
    const { port } = await serve()
    const account = { account: "alice", password: Redacted.make("correct-horse") }
    await together([quiet(layer(node(port, account)))], ([alice]) =>
      Effect.gen(function* () {
        expect((yield* refused(alice!.post(lobby, "x"))).message).toMatch(/account alice.*--irc-account/)
      })
    )
  })
})

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0
if (!hasOpenssl) console.warn("SKIPPED: IRC over TLS: there is no openssl to make a certificate with")

withNgircd("ChatChannel: irc over TLS", () => {
  it.skipIf(!hasOpenssl)("trusts no certificate that nobody vouches for, and says how one is named", async () => {
    const folder = mkdtempSync(join(tmpdir(), "ngircd-tls-"))
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")]
    const words = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=localhost",
      "-days",
      "2",
      "-addext",
      "subjectAltName=DNS:localhost"
    ]
    execFileSync("openssl", [...words, "-keyout", key, "-out", certificate], { stdio: "ignore" })
    execFileSync("chmod", ["-R", "a+rX", folder])
    const securePort = await freeTcpPort()
    const tls = ["[SSL]", `CertFile = ${certificate}`, `KeyFile = ${key}`, `Ports = ${securePort}`]
    await serve({ more: tls })
    const said = (settings: Settings): Promise<string> =>
      together([quiet(layer(settings))], ([alice]) =>
        Effect.map(refused(alice!.post(`irc:${settings.host}/#lobby`, "x")), (one) => one.message)
      )
    const secure = node(securePort, { tls: true, host: "localhost" })
    expect(await said(secure)).toMatch(/certificate is not trusted.*NODE_EXTRA_CA_CERTS/)
    const trusted = getCACertificates("default")
    cleanups.push(() => setDefaultCACertificates(trusted))
    setDefaultCACertificates([...trusted, readFileSync(certificate, "utf8")])
    await together([quiet(layer(secure))], ([alice]) => alice!.post("irc:localhost/#lobby", "over TLS"))
    // The same server under a name that its certificate does not have.
    expect(await said({ ...secure, host })).toMatch(/certificate is not trusted/)
  })
})
