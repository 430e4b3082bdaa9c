/// <reference path="../adapters/hyperswarm/hyperswarm.d.ts" />
/// <reference path="../adapters/sodium/sodium-native.d.ts" />
/**
 * The least that a durable, signed, acknowledged message can cost on this machine: the duties alone, nothing around them.
 * No code of ours is in the path: a raw Noise socket, one append and one flush at each end, one signature, one
 * verification, one cumulative acknowledgement. What waits at one moment is flushed together.
 * It forgives everything: no records, no gate, no duplicates, no order, no restart.
 */
import { spawn } from "node:child_process"
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import HyperDHT, { type Address, type NoiseSocket } from "hyperdht"
import createTestnet from "hyperdht/testnet.js"
import Hyperswarm from "hyperswarm"
import sodium from "sodium-native"
import { percentile } from "./Percentile.ts"

const self = fileURLToPath(import.meta.url)
const topic = Buffer.alloc(32, 8)
const kibibyte = 1_024
const outstandingMax = 640

/** What `measure` gives; as the rows of ours. */
export interface DutyFigures {
  readonly acknowledgedP50Ms: number
  readonly messagesPerSecond: number
}

const keyPair = () => {
  const publicKey = Buffer.alloc(32)
  const secretKey = Buffer.alloc(64)
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.alloc(32, 9))
  return { publicKey, secretKey }
}

const openSwarm = (bootstrap: ReadonlyArray<Address>, seed: number): Hyperswarm =>
  new Hyperswarm({
    dht: new HyperDHT({ bootstrap, host: "127.0.0.1", ephemeral: true, firewalled: false }),
    keyPair: HyperDHT.keyPair(Buffer.alloc(32, seed))
  })

/** Appends what waits and flushes it, once a round of the event loop. */
const journal = (folder: string, name: string, flushed: (count: number) => void) => {
  const file = openSync(join(folder, name), "a", 0o600)
  let waiting: Array<Buffer> = []
  const flush = () => {
    const batch = waiting
    waiting = []
    writeSync(file, batch.length === 1 ? batch[0]! : Buffer.concat(batch))
    fdatasyncSync(file)
    flushed(batch.length)
  }
  return {
    append: (bytes: Buffer) => {
      waiting.push(bytes)
      if (waiting.length === 1) setImmediate(flush)
    },
    close: () => closeSync(file)
  }
}

/** The receiver: verifies each, stores what came together, answers with the number it has stored up to. */
const serve = async (port: number, folder: string): Promise<void> => {
  const swarm = openSwarm([{ host: "127.0.0.1", port }], 3)
  const { publicKey } = keyPair()
  swarm.on("connection", (socket) => {
    socket.on("error", () => {})
    let stored = 0
    const disk = journal(folder, "receiver", (count) => {
      stored += count
      const answer = Buffer.alloc(4)
      answer.writeUInt32BE(stored)
      socket.write(answer)
    })
    socket.on("data", (bytes: Buffer) => {
      for (let offset = 0; offset < bytes.length; offset += 64 + kibibyte) {
        const signature = bytes.subarray(offset, offset + 64)
        const body = bytes.subarray(offset + 64, offset + 64 + kibibyte)
        if (!sodium.crypto_sign_verify_detached(signature, body, publicKey)) throw new Error("a forged message")
        disk.append(Buffer.from(body))
      }
    })
  })
  await swarm.join(topic, { server: true, client: false }).flushed()
  process.stdout.write("ready\n")
}

/** The sender: stores, then signs and sends what was stored together as one write. */
const drive = async (socket: NoiseSocket, folder: string, sequential: number, many: number): Promise<DutyFigures> => {
  const { secretKey } = keyPair()
  const body = Buffer.alloc(kibibyte, 1)
  let acknowledged = 0
  let onAcknowledged = () => {}
  socket.on("data", (bytes: Buffer) => {
    acknowledged = bytes.readUInt32BE(bytes.length - 4)
    onAcknowledged()
  })
  const disk = journal(folder, "sender", (count) => {
    const write = Buffer.alloc(count * (64 + kibibyte))
    for (let index = 0; index < count; index++) {
      const offset = index * (64 + kibibyte)
      body.copy(write, offset + 64)
      sodium.crypto_sign_detached(write.subarray(offset, offset + 64), body, secretKey)
    }
    socket.write(write)
  })
  const reach = (count: number, fill: () => void) =>
    new Promise<void>((resolve) => {
      onAcknowledged = () => (acknowledged >= count ? resolve() : fill())
      fill()
    })
  const samples: Array<number> = []
  for (let index = 1; index <= 500 + sequential; index++) {
    const startedAt = performance.now()
    let sent = false
    await reach(index, () => {
      if (!sent) disk.append(body)
      sent = true
    })
    if (index > 500) samples.push(performance.now() - startedAt)
  }
  const from = 500 + sequential
  let sent = from
  const startedAt = performance.now()
  await reach(from + many, () => {
    for (; sent < from + many && sent - acknowledged < outstandingMax; sent++) disk.append(body)
  })
  const messagesPerSecond = many / ((performance.now() - startedAt) / 1_000)
  disk.close()
  return { acknowledgedP50Ms: percentile(samples, 0.5), messagesPerSecond }
}

/** All of it: a DHT and the sender here, the receiver in a process of its own. */
export const measure = async (): Promise<DutyFigures> => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-duties-"))
  const testnet = await createTestnet(3)
  const server = spawn(process.execPath, [self, "serve", String(testnet.bootstrap[0]!.port), folder], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  try {
    await new Promise((resolve) => server.stdout.once("data", resolve))
    const swarm = openSwarm(testnet.bootstrap, 4)
    await swarm.listen()
    const found = new Promise<NoiseSocket>((resolve) => swarm.on("connection", resolve))
    swarm.join(topic, { server: false, client: true })
    const socket = await found
    socket.on("error", () => {})
    const figures = await drive(socket, folder, 1_000, 20_000)
    await swarm.destroy()
    return figures
  } finally {
    server.kill()
    await testnet.destroy()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === self) {
  const [mode, port, folder = ""] = process.argv.slice(2)
  if (mode === "serve") {
    process.stdin.on("end", () => process.exit(0)).resume()
    await serve(Number(port), folder)
  } else console.log(JSON.stringify(await measure(), undefined, 2))
}
