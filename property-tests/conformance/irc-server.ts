/**
 * A real IRC server for tests: ngircd of Debian, one process per test, on loopback.
 * It must never be reachable from elsewhere, nor outlive the test.
 * A second client that speaks the bare protocol stands for everybody else: operators who kick, and readers of what arrives.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { Layer, Logger } from "effect"
import { describe, expect, it } from "vitest"
import type { ChannelLayer } from "./ChatChannel.suite.ts"

const program = ["/usr/sbin/ngircd", "ngircd"].find((path) => spawnSync(path, ["--version"]).status === 0)

/** Runs `tests` where ngircd is; elsewhere says that it is not, or fails if `REQUIRE_NGIRCD=1`. */
export const withNgircd = (name: string, tests: () => void): void => {
  if (program !== undefined) {
    describe(name, tests)
  } else if (process.env["REQUIRE_NGIRCD"] === "1") {
    describe(name, () => {
      it("finds ngircd", () => expect.fail("REQUIRE_NGIRCD=1 and there is no ngircd; apt-get install ngircd"))
    })
  } else {
    console.warn(`SKIPPED: ${name}: there is no ngircd (apt-get install ngircd); REQUIRE_NGIRCD=1 makes that fail`)
    describe.skip(name, tests)
  }
}

/** A free TCP port of 127.0.0.1. */
export const freeTcpPort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

export interface ServerOptions {
  readonly port: number
  /** Lines of the sections of ngircd.conf. */
  readonly global?: ReadonlyArray<string>
  readonly limits?: ReadonlyArray<string>
  readonly more?: ReadonlyArray<string>
}

const configuration = ({ global = [], limits = [], more = [], port }: ServerOptions): string =>
  [
    ...[
      "[Global]",
      "Name = irc.test.local",
      "Listen = 127.0.0.1",
      `Ports = ${port}`,
      "MotdPhrase = welcome",
      "Info = test"
    ],
    ...["ServerUID = 65534", "ServerGID = 65534", ...global],
    ...["[Limits]", "MaxConnectionsIP = 0", "MaxNickLength = 31", ...limits],
    ...["[Options]", "DNS = no", "Ident = no", "PAM = no", "SyslogFacility = local1"],
    ...["[Operator]", "Name = god", "Password = pass"],
    ...more
  ].join("\n")

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

export interface Server {
  readonly port: number
  readonly stop: () => Promise<void>
}

const stopped = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once("exit", resolve))
  child.kill("SIGKILL")
  await gone
}

/** Starts a server, up when it resolves. */
export const startServer = async (options: ServerOptions): Promise<Server> => {
  const folder = mkdtempSync(join(tmpdir(), "ngircd-"))
  // The server becomes nobody before it reads its files again.
  chmodSync(folder, 0o755)
  const file = join(folder, "ngircd.conf")
  writeFileSync(file, `${configuration(options)}\n`, { mode: 0o644 })
  const child = spawn(program ?? "ngircd", ["--nodaemon", "--config", file], { stdio: ["ignore", "pipe", "pipe"] })
  const printed: Array<string> = []
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => printed.push(String(bytes)))
  const stop = async () => {
    await stopped(child)
    rmSync(folder, { recursive: true, force: true })
  }
  for (const untilMs = performance.now() + 20_000; !(await answers(options.port)); await pause(20)) {
    if (child.exitCode === null && performance.now() < untilMs) continue
    await stop()
    throw new Error(`ngircd does not answer at ${options.port}:\n${printed.join("")}`)
  }
  return { port: options.port, stop }
}

/** Somebody at the server who types what the protocol says. */
export interface Person {
  /** Every line of the server so far. */
  readonly lines: ReadonlyArray<string>
  readonly say: (line: string) => void
  /** The first line that matches, from line `after` on. */
  readonly sees: (pattern: RegExp, after?: number) => Promise<string>
  readonly leave: () => void
}

const personOn = (socket: Socket): Person => {
  const lines: Array<string> = []
  let held = Buffer.alloc(0)
  const say = (line: string): void => void socket.write(`${line}\r\n`)
  socket.on("error", () => {})
  socket.on("data", (bytes: Buffer) => {
    held = Buffer.concat([held, bytes])
    for (let end = held.indexOf("\r\n"); end !== -1; end = held.indexOf("\r\n")) {
      const line = held.subarray(0, end).toString("utf8")
      held = held.subarray(end + 2)
      lines.push(line)
      if (line.startsWith("PING ")) say(`PONG ${line.slice(5)}`)
    }
  })
  const sees = async (pattern: RegExp, after = 0): Promise<string> => {
    for (const untilMs = performance.now() + 20_000; ; await pause(10)) {
      const found = lines.slice(after).find((line) => pattern.test(line))
      if (found !== undefined) return found
      if (performance.now() > untilMs) throw new Error(`nothing like ${pattern} in:\n${lines.join("\n")}`)
    }
  }
  return { lines, say, sees, leave: () => socket.destroy() }
}

/** Comes to a server under a nick, and into a channel. */
export const come = async (port: number, nick: string, channel: string): Promise<Person> => {
  const person = personOn(connect(port, "127.0.0.1"))
  person.say(`NICK ${nick}`)
  person.say(`USER ${nick} 0 * :${nick}`)
  await person.sees(/ 001 /)
  person.say(`JOIN ${channel}`)
  await person.sees(/ 366 /)
  return person
}

/** A node's layer with what it logs put into `told`. */
export const collecting = (layer: ChannelLayer, told: Array<string>): ChannelLayer => {
  const logger = Logger.make<unknown, void>(({ message }) => {
    told.push((Array.isArray(message) ? message : [message]).join(" "))
  })
  return Layer.provide(layer, Logger.layer([logger]))
}

/** A node's layer that logs nothing. */
export const quiet = (layer: ChannelLayer): ChannelLayer => collecting(layer, [])
