/**
 * The IRC adapter at a server that follows a script: accounts, cloaks and spoiled lines, which ngircd has none of.
 * It never leaves loopback; the script answers what a client says, and says the rest when a test wants it.
 * What a line can hold is a law by itself: whatever fits is exactly what a relayed line of 512 bytes leaves.
 */
import { createServer, type Socket } from "node:net"
import { Effect, Fiber, Redacted, Stream } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { layer, type Settings } from "../../adapters/irc/ChatChannel.ts"
import * as Wire from "../../adapters/irc/Wire.ts"
import { until } from "../stories/stage.ts"
import { hear, refused, together } from "./ChatChannel.suite.ts"
import { collecting, quiet } from "./irc-server.ts"

const cleanups: Array<() => unknown> = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const mask = "alice!~wopr@host.example"

interface Script {
  /** Capabilities that are offered. */
  readonly caps?: string
  /** Lines after the welcome. */
  readonly welcome?: ReadonlyArray<string>
  /** The account that the right password opens. */
  readonly account?: string
  /** Whether it never says that it took a line. */
  readonly confirmsNothing?: boolean
}

/** What the script answers to one line. */
const answersTo = (line: string, script: Script): ReadonlyArray<string> => {
  const { account = "", caps = "", confirmsNothing = false, welcome = [] } = script
  const [command = "", first = ""] = line.split(" ")
  switch (command) {
    case "CAP":
      return first === "LS"
        ? [`CAP * LS :${caps}`]
        : first === "REQ"
          ? [`CAP * ACK ${line.slice(8)}`]
          : ["001 alice :hi", ...welcome]
    case "AUTHENTICATE": {
      if (first === "PLAIN") return ["AUTHENTICATE +"]
      const isRight = Buffer.from(first, "base64").toString() === `${account}\0${account}\0secret`
      return isRight ? [`900 alice ${mask} ${account} :logged in`, "903 alice :done"] : ["904 alice :SASL failed"]
    }
    case "JOIN":
      return [`:${mask} JOIN ${first}`]
    case "PING":
      return confirmsNothing ? [] : [`:irc.example PONG irc.example :${first}`]
    default:
      return []
  }
}

interface Scripted {
  readonly settings: Settings
  /** Every line of the client. */
  readonly heard: ReadonlyArray<string>
  readonly say: (...lines: ReadonlyArray<string>) => void
  /** Bytes as they are. */
  readonly flood: (text: string) => void
  readonly end: () => void
}

const serve = async (script: Script = {}, more: Partial<Settings> = {}): Promise<Scripted> => {
  const heard: Array<string> = []
  const sockets = new Set<Socket>()
  const write = (socket: Socket, line: string): void =>
    void socket.write(`${/^(AUTHENTICATE|ERROR|:|@)/.test(line) ? "" : ":irc.example "}${line}\r\n`)
  const server = createServer((socket) => {
    sockets.add(socket)
    let held = ""
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      const lines = (held + bytes.toString()).split("\r\n")
      held = lines.pop() ?? ""
      for (const line of lines) {
        heard.push(line)
        for (const answer of answersTo(line, script)) write(socket, answer)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { readonly port: number }
  const settings: Settings = {
    ...{ host: "127.0.0.1", port, tls: false, nick: "alice", channels: ["#lobby"], settleMs: 10_000, againMs: 100 },
    ...more
  }
  return {
    settings,
    heard,
    say: (...lines) => {
      for (const socket of sockets) for (const line of lines) write(socket, line)
    },
    flood: (text) => {
      for (const socket of sockets) socket.write(text)
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
    }
  }
}

const lobby = "irc:127.0.0.1/#lobby"
const room = (shown: string) => 510 - Buffer.byteLength(`:${shown} PRIVMSG #lobby :`)

describe("ChatChannel: irc, at a scripted server", () => {
  it("takes an account for the author where the server tells accounts, and nobody for one without", async () => {
    const { heard, say, settings } = await serve(
      { caps: "sasl account-tag message-tags", account: "alice" },
      { account: "alice", password: Redacted.make("secret") }
    )
    await together([quiet(layer(settings))], ([alice]) =>
      Effect.gen(function* () {
        say(
          "@account=bob :bob_!u@h PRIVMSG #Lobby :one",
          ":bob!u@h PRIVMSG #lobby :two",
          ":irc.example PRIVMSG #lobby :three"
        )
        const authors = (yield* hear(alice!, 3)).map(({ author, text }) => [text, author])
        expect(authors).toEqual([
          ["one", "bob"],
          ["two", null],
          ["three", null]
        ])
        yield* alice!.post(lobby, "x")
        expect(yield* hear(alice!, 1)).toEqual([{ channel: lobby, author: "alice", text: "x" }])
      })
    )
    expect(heard.some((line) => line.startsWith("PASS"))).toBe(false)
    await until("it leaves in order", () => heard.at(-1)?.startsWith("QUIT") === true)
  })

  it("takes the nick where it tells none, and hears neither commands to programs nor what goes to others", async () => {
    const { say, settings } = await serve()
    await together([quiet(layer(settings))], ([alice]) =>
      Effect.gen(function* () {
        say(
          ":eve!u@h PRIVMSG alice :private",
          ":eve!u@h PRIVMSG #other :x",
          ":eve!u@h PRIVMSG #lobby :\u0001VERSION\u0001"
        )
        say(":eve!u@h NOTICE #lobby :x", ":eve!u@h PRIVMSG #LOBBY :heard")
        expect(yield* hear(alice!, 1)).toEqual([{ channel: lobby, author: "eve", text: "heard" }])
      })
    )
  })

  it("does not go on when its account is refused, and repeats no password", async () => {
    const password = Redacted.make("wrong-secret")
    const { heard, settings } = await serve({ caps: "sasl", account: "alice" }, { account: "alice", password })
    const told: Array<string> = []
    await together([collecting(layer(settings), told)], ([alice]) =>
      Effect.gen(function* () {
        const { code, message } = yield* refused(alice!.post(lobby, "x"))
        expect([code, message]).toEqual(["no-channel", expect.stringContaining("did not take the account alice")])
        told.push(message)
      })
    )
    expect(heard.some((line) => line.startsWith("JOIN"))).toBe(false)
    expect(told.join()).not.toContain("wrong-secret")
  })

  it("knows its room for a line from how the server shows us now, and from the length that it announces", async () => {
    const { say, settings } = await serve({ caps: "chghost" })
    await together([quiet(layer(settings))], ([alice]) =>
      Effect.gen(function* () {
        const fits = Effect.map(refused(alice!.post(lobby, "x".repeat(9_000))), ({ message }) =>
          Number(/(\d+) fit in/.exec(message)?.[1])
        )
        const becomes = (bytes: number) =>
          Effect.promise(() => until(`${bytes} fit`, async () => (await Effect.runPromise(fits)) === bytes))
        expect(yield* fits).toBe(room(mask))
        say("396 alice cloaked.example.org :is now your host")
        yield* becomes(room("alice!~wopr@cloaked.example.org"))
        say(`:alice!~wopr@cloaked.example.org CHGHOST me ${"h".repeat(60)}`)
        yield* becomes(room(`alice!me@${"h".repeat(60)}`))
        say("005 alice LINELEN=2048 :are supported")
        yield* becomes(room(`alice!me@${"h".repeat(60)}`) + 2_048 - 512)
      })
    )
  })

  it("posts nothing under a nick that it did not ask for", async () => {
    for (const change of ["NICK Guest7", "001"]) {
      const { heard, say, settings } = await serve({ welcome: change === "001" ? ["001 alic :hi"] : [] })
      await together([quiet(layer(settings))], ([alice]) =>
        Effect.gen(function* () {
          if (change !== "001") say(`:${mask} ${change}`)
          const isOut = async () => (await Effect.runPromise(alice!.channels)).length === 0
          if (change === "001") expect(yield* Effect.promise(isOut)).toBe(true)
          else yield* Effect.promise(() => until("it is out", () => heard.some((line) => line.startsWith("QUIT"))))
          expect(heard.some((line) => line.startsWith("PRIVMSG"))).toBe(false)
        })
      )
    }
  })

  it("outlives a server whose lines are spoiled, and drops one that sends no line's end", async () => {
    const { flood, say, settings } = await serve()
    const told: Array<string> = []
    const spoiled = [
      "PRIVMSG",
      "CAP",
      "005",
      "JOIN",
      "KICK",
      "900",
      "PONG",
      "PING",
      ": ",
      "@",
      "BATCH",
      "366",
      "\u0000",
      "NICK",
      "MODE"
    ]
    await together([collecting(layer(settings), told)], ([alice]) =>
      Effect.gen(function* () {
        say(...spoiled, ...spoiled.map((line) => `:${line}`), ...spoiled.map((line) => `@;=;a=\\ :x ${line} :`))
        say(":bob!u@h PRIVMSG #lobby :still there")
        expect((yield* hear(alice!, 1))[0]?.text).toBe("still there")
        flood("x".repeat(40_000))
        yield* Effect.promise(() => until("it ends", () => told.some((text) => text.includes("without end"))))
      })
    )
  })

  it("outlives whatever a server says: it hears on, or says why it went", async () => {
    const from = fc.constantFrom("", ":a!b@c ", `:${mask} `, "@a=b;account=z :q!w@e ")
    const words =
      "001 005 433 404 474 900 904 353 396 CAP AUTHENTICATE JOIN KICK PART NICK PING PONG ERROR PRIVMSG CHGHOST BATCH"
    const command = fc.oneof(fc.constantFrom(...words.split(" ")), fc.nat(999).map(String))
    const part = fc.oneof(
      fc.constantFrom("alice", "#lobby", "*", "LS", "ACK", ":", "+"),
      fc.string({ unit: "grapheme" })
    )
    const line = fc
      .tuple(from, command, fc.array(part, { maxLength: 4 }))
      .map(([who, what, parts]) => `${who}${what} ${parts.join(" ")}`)
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 40 }), async (lines) => {
        const { say, settings } = await serve({ caps: "account-tag sasl" }, { againMs: 60_000 })
        const told: Array<string> = []
        await together([collecting(layer(settings), told)], ([alice]) =>
          Effect.gen(function* () {
            const texts: Array<string> = []
            yield* Effect.forkChild(Stream.runForEach(alice!.lines, ({ text }) => Effect.sync(() => texts.push(text))))
            say(...lines, ":bob!u@h PRIVMSG #lobby :the end")
            const isOver = () => texts.includes("the end") || told.some((text) => text.includes("trying again"))
            yield* Effect.promise(() => until("it hears on, or says why not", isOver))
          })
        )
      }),
      { numRuns: 40 }
    )
  })

  it("waits once for each room, however often the server refuses it or takes us out", async () => {
    const whatever = fc.constantFrom(
      ...["474 alice #lobby :banned", "473 alice #lobby :invite only", "471 alice #lobby :full"],
      ...[`:${mask} PART #lobby`, ":op!o@h KICK #lobby alice :go"]
    )
    const timers = () => process.getActiveResourcesInfo().filter((one) => one === "Timeout").length
    await fc.assert(
      fc.asyncProperty(fc.array(whatever, { minLength: 100, maxLength: 100 }), async (lines) => {
        const { say, settings } = await serve({}, { againMs: 60_000 })
        const told: Array<string> = []
        await together([collecting(layer(settings), told)], ([alice]) =>
          Effect.gen(function* () {
            const texts: Array<string> = []
            yield* Effect.forkChild(Stream.runForEach(alice!.lines, ({ text }) => Effect.sync(() => texts.push(text))))
            const before = timers()
            say(":op!o@h KICK #lobby alice :first", ...lines, ":bob!u@h PRIVMSG #lobby :the end")
            yield* Effect.promise(() => until("it has read all", () => texts.includes("the end")))
            expect(timers() - before).toBeLessThan(20)
            expect(told.filter((text) => text.includes("trying again"))).toHaveLength(1)
          })
        )
      }),
      { numRuns: 5 }
    )
  })

  it("says of a line that was sent before the server went that nobody knows, and refuses the next", async () => {
    const { end, heard, settings } = await serve({ confirmsNothing: true }, { againMs: 60_000 })
    await together([quiet(layer(settings))], ([alice]) =>
      Effect.gen(function* () {
        const posting = yield* Effect.forkChild(refused(alice!.post(lobby, "x")))
        yield* Effect.promise(() => until("it is sent", () => heard.some((line) => line.startsWith("PRIVMSG"))))
        end()
        const first = yield* Fiber.join(posting)
        expect(first).toMatchObject({ code: "unwritable", message: expect.stringContaining("is not known") })
        expect((yield* refused(alice!.post(lobby, "x"))).code).toBe("no-channel")
      })
    )
  })
})

describe("what an IRC line can hold", () => {
  const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
  it("is what a relayed line leaves", () => {
    fc.assert(
      fc.property(names, names, names, names, (nick, user, host, channel) => {
        const bytes = Wire.textBytesMax({ nick, user, host }, channel)
        const relayed = `:${nick}!${user}@${host} PRIVMSG ${channel} :${"x".repeat(bytes)}\r\n`
        expect(bytes === 0 ? 512 : Buffer.byteLength(relayed)).toBe(512)
      })
    )
  })

  it("is 512 bytes unless a server says more, within reason", () => {
    for (const [said, bytes] of [
      [undefined, 512],
      [true, 512],
      ["100", 512],
      ["512", 512],
      ["2048", 2_048],
      ["99999", 512],
      ["1e9", 512]
    ] as const)
      expect(Wire.lineBytesOf(said), String(said)).toBe(bytes)
  })
})
