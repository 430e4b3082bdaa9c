/**
 * A Transport in a process of its own, for tests that kill processes: says on standard output what happens to it.
 * It must never outlive its parent: it ends when standard input does.
 * `peer <dht port> <n> <announced topic> <dialled topic>`, `patient` likewise but slow to take a peer for dead,
 * `local <udp port> <n> <announced topic> <dialled topic>`, `brief <dht port> <n>`.
 */
import { Effect, Layer, Redacted, Stream } from "effect"
import { layerLocal, localTiming } from "../../adapters/hyperswarm/LocalDht.ts"
import { layer } from "../../adapters/hyperswarm/Transport.ts"
import { Transport } from "../../ports/Transport.ts"

const [mode = "", port = "0", ...numbers] = process.argv.slice(2)
const [n = 0, announced = 0, dialled = 0] = numbers.map(Number)

const bytes = (value: number) => new Uint8Array(32).fill(value)
const say = (line: string) => Effect.sync(() => void process.stdout.write(`${line}\n`))

const swarmSeed = Redacted.make(bytes(n))
const chosen =
  mode === "local"
    ? layerLocal({ swarmSeed, port: Number(port) })
    : layer({
        swarmSeed,
        bootstrap: [{ host: "127.0.0.1", port: Number(port) }],
        ...localTiming,
        ...(mode === "patient" ? { keepAliveMs: 5_000, deadAfterMs: 12_000 } : {})
      })

/** Announces, reports links, echoes what they bring, and goes on dialling if it has whom. */
const stay = Effect.gen(function* () {
  const transport = yield* Transport
  yield* Effect.forkChild(
    Stream.runForEach(transport.links, (link) =>
      Effect.andThen(
        say(`link ${Buffer.from(link.remoteKey).toString("hex")}`),
        Effect.forkChild(Effect.ignore(Stream.runForEach(link.receive, (part) => link.send(part))))
      )
    )
  )
  yield* Effect.retry(transport.announce(bytes(announced)), { times: 5 })
  yield* say("ready")
  if (dialled === 0) return yield* Effect.never
  const dial = Effect.ignore(transport.dial({ kind: "topic", topic: bytes(dialled) }))
  return yield* Effect.forever(Effect.andThen(dial, Effect.sleep(300)))
})

/** Announces, then closes everything: the process must end by itself, although standard input stays open. */
const brief = Effect.gen(function* () {
  const transport = yield* Transport
  yield* transport.announce(bytes(1))
  yield* transport.dial({ kind: "topic", topic: bytes(2) })
  yield* say("ready")
})

if (mode === "brief") {
  await Effect.runPromise(Effect.provide(brief, chosen))
  process.stdout.write("closed\n")
} else {
  process.stdin.on("end", () => process.exit(0)).resume()
  await Effect.runPromise(Effect.provide(stay, Layer.fresh(chosen)))
}
