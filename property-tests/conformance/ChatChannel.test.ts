/**
 * The ChatChannel suite on every adapter, and what only a shared file can do: be torn, rotated, flooded or gone.
 * It never waits for a fixed time where it can wait for a line.
 * The cutter of lines is tested by itself, fed whole, byte by byte and in between, against a naive one.
 */
import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Fiber } from "effect"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { layer as memoryLayer, Room } from "../../adapters/memory/ChatChannel.ts"
import { layer as terminalLayer } from "../../adapters/terminal/ChatChannel.ts"
import { LineCutter } from "../../adapters/terminal/LineCutter.ts"
import { layer as woprLayer } from "../../adapters/wopr/ChatChannel.ts"
import { Bot, ChatRoom, Daemon } from "../host/Host.ts"
import { hear, refused, type Subject, suite, together } from "./ChatChannel.suite.ts"

const memorySubject = (vouches: boolean) => (): Subject => {
  const room = new Room("lobby")
  const layer = (account: string) => memoryLayer([{ room, account: vouches ? account : null }])
  return { channel: "room:lobby", vouches, lineBytesMax: 2_000, join: layer }
}

const terminalSubject = (): Subject => {
  const root = mkdtempSync(join(tmpdir(), "room-"))
  return {
    channel: "room:lobby",
    vouches: false,
    lineBytesMax: 2_000,
    join: () => terminalLayer({ rooms: [{ name: "lobby", file: join(root, "lobby.txt") }] }),
    dispose: () => rmSync(root, { recursive: true })
  }
}

/** Every node in a daemon of its own, each with a bot in one room of one chat system. */
const hostSubject = (): Subject => {
  const room = new ChatRoom("lobby")
  const join = (account: string) => {
    const daemon = new Daemon()
    const bot = new Bot("probe", room, account)
    daemon.providers.set(bot.id, bot)
    return woprLayer({ host: daemon.context("p2p"), rooms: ["probe:lobby"] })
  }
  return { channel: "probe:lobby", vouches: true, lineBytesMax: 2_000, join }
}

suite("memory", memorySubject(true))
suite("wopr, on a stand-in for the host", hostSubject)
suite("memory, a room that cannot tell who speaks", memorySubject(false))
suite("terminal", terminalSubject)

describe("ChatChannel: memory", () => {
  it("mangles, doubles and drops as the test says", async () => {
    const room = new Room("lobby", {
      carry: (line) => (line.text === "drop" ? [] : [line, { ...line, text: `> ${line.text}` }])
    })
    const heard = await together([memoryLayer([{ room, account: "a" }])], ([node]) =>
      Effect.gen(function* () {
        room.say("eve", "drop")
        yield* node!.post("room:lobby", "x")
        return yield* hear(node!, 2)
      })
    )
    expect(heard.map(({ author, text }) => `${author}: ${text}`)).toEqual(["a: x", "a: > x"])
    expect(room.said.length).toBe(2)
  })
})

const cleanups: Array<() => void> = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const roomFile = (): string => {
  const root = mkdtempSync(join(tmpdir(), "room-"))
  cleanups.push(() => rmSync(root, { recursive: true, force: true }))
  return join(root, "deep", "lobby.txt")
}

const lobby = (file: string, backlogBytes?: number) =>
  terminalLayer({ rooms: [{ name: "lobby", file }], ...(backlogBytes === undefined ? {} : { backlogBytes }) })

/** What one node hears of `count` lines while something is done to the file. */
const heardWhile = (file: string, count: number, act: () => unknown): Promise<ReadonlyArray<string>> =>
  together([lobby(file)], ([node]) =>
    Effect.gen(function* () {
      const listening = yield* Effect.forkChild(hear(node!, count))
      yield* Effect.promise(async () => act())
      return (yield* Fiber.join(listening)).map(({ text }) => text)
    })
  )

/** Long enough for the file to be looked at in its present state. */
const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 400))

describe("ChatChannel: terminal", () => {
  it("makes the file for its owner and group, as far as the umask allows", async () => {
    for (const [umask, mode] of [
      [0o022, 0o640],
      [0o002, 0o660]
    ] as const) {
      const before = process.umask(umask)
      cleanups.push(() => process.umask(before))
      const file = roomFile()
      await together([lobby(file)], () => Effect.void)
      expect(statSync(file).mode & 0o777).toBe(mode)
    }
  })

  it("delivers a line only when its newline has come, and reads CR/LF, empty and spoiled lines", async () => {
    const file = roomFile()
    const heard = await heardWhile(file, 4, async () => {
      appendFileSync(file, "first ha")
      await look()
      appendFileSync(file, "lf\r\n\n\r\nsecond\n")
      appendFileSync(file, Uint8Array.of(0x61, 0xff, 0x62, 0x0a))
      appendFileSync(file, Buffer.from("é\n").subarray(0, 1))
      await look()
      appendFileSync(file, Buffer.from("é\n").subarray(1))
    })
    expect(heard).toEqual(["first half", "second", "a\ufffdb", "é"])
  })

  it("skips a line that is too long and hears the next", async () => {
    const file = roomFile()
    const heard = await heardWhile(file, 2, () => {
      appendFileSync(file, `before\n${"x".repeat(3_000_000)}\nafter\n`)
    })
    expect(heard).toEqual(["before", "after"])
  })

  it("starts again in a file that was cut, replaced or made anew", async () => {
    const file = roomFile()
    const heard = await heardWhile(file, 4, async () => {
      appendFileSync(file, "a long first line\n")
      await look()
      truncateSync(file, 0)
      appendFileSync(file, "cut\n")
      await look()
      renameSync(file, `${file}.1`)
      writeFileSync(file, "a replaced one that is longer\n")
      await look()
      unlinkSync(file)
      await look()
      writeFileSync(file, "anew\n")
    })
    expect(heard).toEqual(["a long first line", "cut", "a replaced one that is longer", "anew"])
  })

  it("hears what was said before it came, from the first whole line of the last 64 KiB", async () => {
    const file = roomFile()
    await together([lobby(file)], () => Effect.void)
    const lines = Array.from({ length: 2_000 }, (_, index) => `${index} ${"x".repeat(90)}`)
    writeFileSync(file, `${lines.join("\n")}\n`)
    const kept = Math.floor(65_536 / (lines[1_999]!.length + 1))
    const heard = await heardWhile(file, kept + 1, () => appendFileSync(file, "new\n"))
    expect(heard).toEqual([...lines.slice(-kept), "new"])
  })

  it("hears exactly as much of the past as it is told to", async () => {
    const file = roomFile()
    await together([lobby(file)], () => Effect.void)
    writeFileSync(file, "one\ntwo\n")
    for (const [backlogBytes, expected] of [
      [0, []],
      [3, []],
      [4, ["two"]],
      [7, ["two"]],
      [8, ["one", "two"]],
      [Number.POSITIVE_INFINITY, ["one", "two"]]
    ] as const) {
      const heard = await together([lobby(file, backlogBytes)], ([node]) =>
        Effect.gen(function* () {
          yield* node!.post("room:lobby", "end")
          return yield* hear(node!, expected.length + 1)
        })
      )
      expect(
        heard.map(({ text }) => text),
        `${backlogBytes}`
      ).toEqual([...expected, "end"])
      writeFileSync(file, "one\ntwo\n")
    }
  })

  it("starts on a fresh line when somebody left half a one", async () => {
    const file = roomFile()
    await heardWhile(file, 1, () => appendFileSync(file, "x\nhalf"))
    const heard = await together([lobby(file, 0)], ([node]) =>
      Effect.andThen(node!.post("room:lobby", "whole"), hear(node!, 1))
    )
    expect(heard.map(({ text }) => text)).toEqual(["whole"])
    expect(readFileSync(file, "utf8")).toBe("x\nhalf\nwhole\n")
  })

  it("does not mix with another process's lines", async () => {
    const file = roomFile()
    const script = 'i=0; while [ $i -lt 300 ]; do echo "shell $i" >> "$0"; i=$((i+1)); done'
    const heard = await heardWhile(file, 300, () => execFileSync("sh", ["-c", script, file]))
    expect(heard).toEqual(Array.from({ length: 300 }, (_, index) => `shell ${index}`))
  })

  it("makes a room again that was deleted, and refuses what is no file", async ({ skip }) => {
    const file = roomFile()
    await together([lobby(file)], ([node]) =>
      Effect.gen(function* () {
        unlinkSync(file)
        yield* node!.post("room:lobby", "again")
        expect((yield* hear(node!, 1))[0]?.text).toBe("again")
      })
    )
    expect(existsSync(file)).toBe(true)
    if (process.platform === "win32") skip("there are no named pipes in folders here")
    unlinkSync(file)
    execFileSync("mkfifo", [file])
    const outcome = await together([lobby(file)], () => Effect.void).then(
      () => "opened",
      (error: { readonly code: string }) => error.code
    )
    expect(outcome).toBe("unwritable")
  })

  it("makes the folders that lead to a room", async () => {
    const file = join(roomFile(), "..", "a", "b", "lobby.txt")
    await together([lobby(file)], ([node]) =>
      Effect.gen(function* () {
        yield* node!.post("room:lobby", "here")
        expect((yield* hear(node!, 1))[0]?.text).toBe("here")
      })
    )
  })

  it("keeps the rooms of one node apart", async () => {
    const root = join(roomFile(), "..")
    const rooms = ["a", "b"].map((name) => ({ name, file: join(root, `${name}.txt`) }))
    await together([terminalLayer({ rooms })], ([node]) =>
      Effect.gen(function* () {
        yield* node!.post("room:b", "to b")
        expect(yield* hear(node!, 1)).toEqual([{ channel: "room:b", author: null, text: "to b" }])
        expect((yield* refused(node!.post("room:c", "x"))).message).toContain("room:a, room:b")
      })
    )
  })

  it("delivers within 100 ms as a rule", async () => {
    const file = roomFile()
    const delays = await together([lobby(file), lobby(file)], ([alice, bob]) =>
      Effect.forEach(Array.from({ length: 21 }), (_, index) =>
        Effect.gen(function* () {
          const start = performance.now()
          yield* alice!.post("room:lobby", `${index}`)
          yield* hear(bob!, 1)
          return performance.now() - start
        })
      )
    )
    expect(delays.sort((a, b) => a - b)[10]).toBeLessThan(100)
  })
})

describe("LineCutter", () => {
  it("gives the same lines however the bytes are cut up, and those are the naive one's", () => {
    const pieces = fc.array(fc.constantFrom("\n", "\r\n", "\r", "a", "é", "💥", "0123456789", "\ufeff"), {
      maxLength: 40
    })
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 }), (parts, sizes) => {
        const bytes = Buffer.from(parts.join(""))
        const naive = parts
          .join("")
          .split("\n")
          .slice(0, -1)
          .map((line) => line.replace(/\r$/, ""))
        const expected = naive.filter((line) => line !== "" && Buffer.byteLength(line) <= 12)
        for (const lengths of [[Number.MAX_SAFE_INTEGER], [1], sizes]) {
          const cutter = new LineCutter(12)
          const lines: Array<string> = []
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const length = lengths[turn % lengths.length]!
            lines.push(...cutter.feed(bytes.subarray(at, at + length)))
            at += length
          }
          expect(lines).toEqual(expected)
        }
      }),
      { numRuns: 500 }
    )
  })
})
