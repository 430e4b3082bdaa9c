/// <reference path="../adapters/hyperswarm/hyperswarm.d.ts" />
/**
 * What Hyperswarm alone does between two processes of one machine: the figures that anything built on it is held to.
 * No code of ours is in the path, not even the Transport: a raw swarm, a raw Noise socket, a loopback DHT.
 * Two processes, because in one both ends share an event loop and each would wait for the other.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import HyperDHT, { type Address, type NoiseSocket } from "hyperdht"
import createTestnet from "hyperdht/testnet.js"
import Hyperswarm from "hyperswarm"
import { percentile } from "./Percentile.ts"

const self = fileURLToPath(import.meta.url)
const loopback = "127.0.0.1"
const kibibyte = 1024
const topic = Buffer.alloc(32, 7)

/** What `measure` gives. `p50` and `p95` are percentiles over the samples. */
export interface RawSwarmFigures {
  /** A 1 KiB message there and back, one at a time, milliseconds. */
  readonly echoP50Ms: number
  readonly echoP95Ms: number
  /** 1 KiB messages one way, as many under way as the socket takes, counted at the far end. */
  readonly messagesPerSecond: number
  /** From `swarm.join` of a node that is up to the first byte from the peer it found, milliseconds. */
  readonly joinToFirstByteP50Ms: number
  readonly joinToFirstByteSamples: number
}

/** `firewalled: false`: a DHT this small cannot tell, and the accepting end would give up after the other has opened. */
const openSwarm = (bootstrap: ReadonlyArray<Address>, seed: number): Hyperswarm =>
  new Hyperswarm({
    dht: new HyperDHT({ bootstrap, host: loopback, ephemeral: true, firewalled: false }),
    keyPair: HyperDHT.keyPair(Buffer.alloc(32, seed))
  })

const quiet = (socket: NoiseSocket) => void socket.on("error", () => {})

/** The next whole message: raw sockets keep the boundaries of writes. */
const message = (socket: NoiseSocket): Promise<Buffer> => new Promise((resolve) => socket.once("data", resolve))

const connection = (swarm: Hyperswarm): Promise<NoiseSocket> =>
  new Promise((resolve) => {
    swarm.on("connection", (socket) => {
      quiet(socket)
      resolve(socket)
    })
  })

/** The far process: says a byte at once; then echoes, or counts and reports, as the first byte of a message asks. */
const serve = async (port: number): Promise<void> => {
  const swarm = openSwarm([{ host: loopback, port }], 1)
  swarm.on("connection", (socket) => {
    quiet(socket)
    let counted = 0
    socket.write(Buffer.from([0]))
    socket.on("data", (bytes: Buffer) => {
      if (bytes[0] === 1) return void socket.write(bytes)
      counted++
      if (bytes[0] !== 3) return
      socket.write(Buffer.from(String(counted)))
      counted = 0
    })
  })
  await swarm.join(topic, { server: true, client: false }).flushed()
  process.stdout.write("ready\n")
}

const startServer = async (port: number): Promise<ChildProcess> => {
  const server = spawn(process.execPath, [self, "serve", String(port)], { stdio: ["pipe", "pipe", "inherit"] })
  await new Promise<void>((resolve, reject) => {
    server.stdout?.once("data", () => resolve())
    server.once("exit", (code) => reject(new Error(`the serving process ended with ${code}`)))
  })
  return server
}

/** Milliseconds of `count` echoes of 1 KiB, one after the other. */
export const measureEcho = async (socket: NoiseSocket, count: number): Promise<ReadonlyArray<number>> => {
  const samples: Array<number> = []
  const request = Buffer.alloc(kibibyte, 1)
  for (let sent = 0; sent < count; sent++) {
    const answer = message(socket)
    const startedAt = performance.now()
    socket.write(request)
    await answer
    samples.push(performance.now() - startedAt)
  }
  return samples
}

/** Messages a second of `count` messages of 1 KiB, written as fast as the socket takes them. */
export const measurePipeline = async (socket: NoiseSocket, count: number): Promise<number> => {
  const piece = Buffer.alloc(kibibyte, 2)
  const answer = message(socket)
  const startedAt = performance.now()
  for (let sent = 1; sent < count; sent++) {
    if (!socket.write(piece)) await new Promise((resolve) => socket.once("drain", resolve))
  }
  socket.write(Buffer.alloc(kibibyte, 3))
  const counted = Number((await answer).toString())
  return counted / ((performance.now() - startedAt) / 1000)
}

/** Milliseconds from joining a topic, with a swarm that is up, to the first byte of whom it found. */
export const measureJoin = async (bootstrap: ReadonlyArray<Address>, seed: number): Promise<number> => {
  const swarm = openSwarm(bootstrap, seed)
  await swarm.listen()
  const found = connection(swarm)
  const startedAt = performance.now()
  swarm.join(topic, { server: false, client: true })
  await message(await found)
  const tookMs = performance.now() - startedAt
  await swarm.destroy()
  return tookMs
}

/** All of it: a DHT and a client here, the far end in a process of its own. */
export const measure = async (
  options: { readonly echoes?: number; readonly messages?: number; readonly joins?: number } = {}
): Promise<RawSwarmFigures> => {
  const testnet = await createTestnet(3)
  const port = testnet.bootstrap[0]!.port
  const server = await startServer(port)
  try {
    const joins: Array<number> = []
    for (let seed = 0; seed < (options.joins ?? 15); seed++) joins.push(await measureJoin(testnet.bootstrap, 10 + seed))
    const swarm = openSwarm(testnet.bootstrap, 2)
    await swarm.listen()
    const found = connection(swarm)
    swarm.join(topic, { server: false, client: true })
    const socket = await found
    await message(socket)
    await measureEcho(socket, 500)
    const echoes = await measureEcho(socket, options.echoes ?? 3_000)
    const rates: Array<number> = []
    for (let round = 0; round < 5; round++) rates.push(await measurePipeline(socket, options.messages ?? 20_000))
    await swarm.destroy()
    return {
      echoP50Ms: percentile(echoes, 0.5),
      echoP95Ms: percentile(echoes, 0.95),
      messagesPerSecond: Math.round(percentile(rates, 0.5)),
      joinToFirstByteP50Ms: percentile(joins, 0.5),
      joinToFirstByteSamples: joins.length
    }
  } finally {
    server.kill()
    await testnet.destroy()
  }
}

if (process.argv[1] === self) {
  const [mode, port] = process.argv.slice(2)
  if (mode === "serve") {
    process.stdin.on("end", () => process.exit(0)).resume()
    await serve(Number(port))
  } else console.log(JSON.stringify(await measure(), undefined, 2))
}
