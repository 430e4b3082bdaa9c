/**
 * What two whole nodes do between two processes of one machine: real files, real Hyperswarm, both ends durable.
 * It measures nothing itself: it starts the two, kills both, and then looks at what their disks hold.
 * The rates of the protocol are for people; here they are configured away, and the figures say so.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Effect, Exit, Layer, Scope } from "effect"
import * as FileConversationLog from "../adapters/filesystem/ConversationLog.ts"
import * as FileRecordStore from "../adapters/filesystem/RecordStore.ts"
import { testnet } from "../adapters/hyperswarm/LocalDht.ts"
import { ConversationLog } from "../ports/ConversationLog.ts"
import { RecordStore } from "../ports/RecordStore.ts"
import type { Driven } from "./peer.ts"

const peer = fileURLToPath(new URL("peer.ts", import.meta.url))

export interface OurFigures extends Omit<Driven, "sequential" | "pipelined"> {
  /** Flushes at the sender for each message, one at a time and many at a time. */
  readonly flushesPerMessage: { readonly sequential: number; readonly pipelined: number }
  /** What the disks held after both processes were killed: queued at the sender and shown at the receiver, of `delivered`. */
  readonly onDisk: { readonly sender: number; readonly receiver: number }
}

interface Child {
  readonly process: ChildProcess
  /** The next line it says, as JSON. */
  readonly said: () => Promise<unknown>
}

const start = (...args: ReadonlyArray<string>): Child => {
  const child = spawn(process.execPath, [peer, ...args], { stdio: ["pipe", "pipe", "inherit"] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const said = async () => {
    const { done, value } = await lines.next()
    if (done === true) throw new Error(`the ${args[0]} process ended by itself`)
    return JSON.parse(value)
  }
  return { process: child, said }
}

const kill = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** The records and conversations of a folder whose process is gone, read as its next start would read them. */
const leftIn = (folder: string) => {
  const program = Effect.gen(function* () {
    const records = yield* (yield* RecordStore).load
    const of = (collection: string) => records.filter((one) => one.collection === collection)
    const log = yield* ConversationLog
    const shown = new Set(of("unshown").map(({ key }) => key))
    for (const { key } of of("friends")) {
      for (const { id } of yield* log.read(key, Number.MAX_SAFE_INTEGER)) shown.add(id)
    }
    const [lane] = of("lanes").map(({ value }) => JSON.parse(value) as { readonly next: number })
    return { sent: (lane?.next ?? 1) - 1, shown: shown.size }
  })
  const layers = Layer.mergeAll(FileRecordStore.layer({ folder }), FileConversationLog.layer({ folder }))
  return Effect.runPromise(Effect.provide(program, layers))
}

/** All of it: a DHT here, alice and bob in processes of their own, folders in the system's temporary place. */
export const measure = async (options: { readonly scale?: number } = {}): Promise<OurFigures> => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-bench-"))
  const scope = Effect.runSync(Scope.make())
  const dht = await Effect.runPromise(Scope.provide(testnet, scope))
  const port = String(dht[0]!.port)
  const bob = start("serve", folder, port)
  let alice: Child | undefined
  try {
    await bob.said()
    alice = start("drive", folder, port, String(options.scale ?? 1))
    const { pipelined, sequential, ...figures } = (await alice.said()) as Driven
    await Promise.all([kill(alice.process), kill(bob.process)])
    const [sender, receiver] = [await leftIn(join(folder, "alice")), await leftIn(join(folder, "bob"))]
    return {
      ...figures,
      flushesPerMessage: {
        sequential: sequential.flushes / sequential.messages,
        pipelined: pipelined.flushes / pipelined.messages
      },
      onDisk: { sender: sender.sent, receiver: receiver.shown }
    }
  } finally {
    await Promise.all([bob, ...(alice === undefined ? [] : [alice])].map((child) => kill(child.process)))
    await Effect.runPromise(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  }
}
