/**
 * Side by side in one run: a raw Hyperswarm stream, ours, and what the machine itself allows.
 * It never asserts a figure; speed depends on the machine, so the ratios are what to look at.
 * `node bench/bench.ts --json` ends with one line of figures for a program.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Redacted } from "effect"
import * as Noble from "../adapters/noble/Crypto.ts"
import * as Sodium from "../adapters/sodium/Crypto.ts"
import { Crypto, type CryptoShape } from "../ports/Crypto.ts"
import * as Ours from "./ours.ts"
import * as Raw from "./raw-swarm.ts"

/** Operations a second of a function, over about 300 ms. */
const perSecond = (operation: () => unknown): number => {
  for (let index = 0; index < 5; index++) operation()
  const startedAt = performance.now()
  let count = 0
  while (performance.now() - startedAt < 300) {
    operation()
    count++
  }
  return count / ((performance.now() - startedAt) / 1_000)
}

const cryptoLimits = (crypto: CryptoShape) => {
  const seed = Redacted.make(crypto.randomBytes(32))
  const publicKey = crypto.ed25519PublicKey(seed)
  const message = crypto.randomBytes(1_024)
  const signature = crypto.ed25519Sign(seed, message)
  const key = crypto.randomBytes(32)
  const nonce = new Uint8Array(12)
  return {
    signPerSecond: perSecond(() => crypto.ed25519Sign(seed, message)),
    verifyPerSecond: perSecond(() => crypto.ed25519Verify(publicKey, message, signature)),
    x25519PerSecond: perSecond(() => crypto.x25519(seed, crypto.x25519PublicKey(seed))),
    sealPerSecond: perSecond(() => crypto.aes256GcmSeal(key, nonce, nonce, message)),
    sha256PerSecond: perSecond(() => crypto.sha256(message))
  }
}

/** Appends of 1 KiB a second, each synced. */
const syncsPerSecond = (): number => {
  const folder = mkdtempSync(join(tmpdir(), "wopr-p2p-sync-"))
  const file = openSync(join(folder, "file"), "a", 0o600)
  const bytes = Buffer.alloc(1_024)
  try {
    return perSecond(() => {
      writeSync(file, bytes)
      fdatasyncSync(file)
    })
  } finally {
    closeSync(file)
    rmSync(folder, { recursive: true })
  }
}

const engine = (layer: typeof Sodium.layer) => Effect.runSync(Crypto.pipe(Effect.provide(layer)))
const say = (line: string) => process.stderr.write(`${line}\n`)

say("1/4 what the machine allows …")
const machine = {
  sodium: cryptoLimits(engine(Sodium.layer)),
  noble: cryptoLimits(engine(Noble.layer)),
  syncsPerSecond: syncsPerSecond()
}
say("2/4 a raw Hyperswarm stream between two processes …")
const raw = await Raw.measure()
say("3/4 two whole nodes between two processes, both ends on disk …")
const ours = await Ours.measure()
say("4/4 done\n")

const ratios = {
  sequentialRtt: ours.acknowledgedP50Ms / raw.echoP50Ms,
  pipelinedPerVerify: ours.messagesPerSecond / machine.sodium.verifyPerSecond,
  firstMessage: ours.firstMessageMs / raw.joinToFirstByteP50Ms
}

const show = (value: number, unit: string): string =>
  `${value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 3 : 0 })} ${unit}`.padStart(20)
const row = (name: string, left: string, right: string, note = "") =>
  process.stdout.write(`${name.padEnd(36)}${left}${right}  ${note}\n`)

if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify({ machine, raw, ours, ratios, node: process.version })}\n`)
} else {
  row("1 KiB messages, two processes", "raw Hyperswarm".padStart(20), "ours".padStart(20), "ratio")
  row("round trip, p50", show(raw.echoP50Ms, "ms"), show(ours.acknowledgedP50Ms, "ms"), ratios.sequentialRtt.toFixed(1))
  row("round trip, p95", show(raw.echoP95Ms, "ms"), show(ours.acknowledgedP95Ms, "ms"))
  row(
    "messages a second",
    show(raw.messagesPerSecond, "/s"),
    show(ours.messagesPerSecond, "/s"),
    "ours: acknowledged, on disk"
  )
  row(
    "first message",
    show(raw.joinToFirstByteP50Ms, "ms"),
    show(ours.firstMessageMs, "ms"),
    ratios.firstMessage.toFixed(1)
  )
  process.stdout.write("\n")
  row("the machine, one core, 1 KiB", "sodium".padStart(20), "noble".padStart(20))
  for (const name of [
    "signPerSecond",
    "verifyPerSecond",
    "x25519PerSecond",
    "sealPerSecond",
    "sha256PerSecond"
  ] as const) {
    row(name, show(machine.sodium[name], "/s"), show(machine.noble[name], "/s"))
  }
  row("appends of 1 KiB, each synced", show(machine.syncsPerSecond, "/s"), "")
  process.stdout.write(
    `\nmessages per verification: ${ratios.pipelinedPerVerify.toFixed(2)}; rates of the protocol (30 a minute) configured away for this run\n`
  )
}
process.exit(0)
