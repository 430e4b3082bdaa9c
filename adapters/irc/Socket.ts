/**
 * Lines over TCP or TLS, as irc-framework wants them carried.
 * It never holds more than one line of a server, and no line, however spoiled, throws out of it.
 * The library's own carrier collects bytes without an end, and a line that its readers trip over ends the process.
 */
import { EventEmitter } from "node:events"
import { connect, isIP, type Socket as TcpSocket } from "node:net"
import { connect as connectSecurely } from "node:tls"
import type { Carrier } from "irc-framework"

export interface Place {
  readonly host: string
  readonly port: number
  /** Whether the server must prove its name, and nobody on the way can read. */
  readonly tls: boolean
}

/** Tags (8,191 bytes) and a line. More without a line's end is no IRC. */
const heldBytesMax = 16_384
const connectLimitMs = 20_000
const newline = 0x0a

class Socket extends EventEmitter implements Carrier {
  readonly #place: Place
  #socket: TcpSocket | undefined
  #held = Buffer.alloc(0)
  #why: Error | undefined

  constructor(place: Place) {
    super()
    this.#place = place
  }

  connect(): void {
    const { host, port, tls } = this.#place
    const name = isIP(host) === 0 ? { servername: host } : {}
    const socket = tls ? connectSecurely({ host, port, ...name }) : connect({ host, port })
    this.#socket = socket
    socket.setTimeout(connectLimitMs, () => socket.destroy(new Error(`no answer within ${connectLimitMs / 1_000} s`)))
    socket.once(tls ? "secureConnect" : "connect", () => {
      // From here on the library's pings tell whether the server is there.
      socket.setTimeout(0)
      this.emit("open")
    })
    socket.on("data", (bytes: Buffer) => this.#feed(bytes))
    socket.on("error", (error) => {
      this.#why = error
    })
    socket.once("close", () => this.emit("close", this.#why ?? false))
  }

  #feed(bytes: Buffer): void {
    this.#held = Buffer.concat([this.#held, bytes])
    for (let end = this.#held.indexOf(newline); end !== -1; end = this.#held.indexOf(newline)) {
      const line = this.#held.subarray(0, end)
      this.#held = this.#held.subarray(end + 1)
      this.#tell(line.toString("utf8").replace(/\r$/, ""))
    }
    if (this.#held.length > heldBytesMax) this.#socket?.destroy(new Error("the server sent a line without end"))
  }

  #tell(line: string): void {
    try {
      this.emit("line", line)
    } catch {
      // A line that its reader cannot read is no line; the next one may be.
    }
  }

  writeLine(line: string, done?: () => void): void {
    if (this.#socket?.writable === true) this.#socket.write(`${line}\r\n`, () => done?.())
    else if (done !== undefined) process.nextTick(done)
  }

  close(force = false): void {
    if (force || this.#socket?.connecting === true) this.#socket?.destroy()
    else this.#socket?.end()
  }

  disposeSocket(): void {
    this.#socket?.destroy()
  }

  /** Everything is UTF-8. */
  setEncoding(): boolean {
    return true
  }
}

/** A carrier to one place, as a class that the library makes itself. */
export const carrierTo = (place: Place): (new () => Carrier) =>
  class extends Socket {
    constructor() {
      super(place)
    }
  }
