/**
 * Side by side in one run: a raw Hyperswarm stream, ours, and what the machine itself allows.
 * It never asserts a figure; speed depends on the machine, so the ratios are what to look at.
 * `npm run -s bench -- --json` ends with one line of figures for a program; it fails if what was delivered is not on disk.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Effect, Redacted } from "effect"
import * as Noble from "../adapters/noble/Crypto.ts"
import * as Sodium from "../adapters/sodium/Crypto.ts"
import * as Limits from "../core/Limits.ts"
import { Crypto, type CryptoShape } from "../ports/Crypto.ts"
import * as Duties from "./duties.ts"
import * as Ours from "./ours.ts"
import * as Raw from "./raw-swarm.ts"

const usage = `npm run bench -- [options]

  --json   the last line is {"machine", "raw", "duties", "ours", "limits", "figures", "ratios", "floor", "node"}
`

/** What was asked for; the usage and the end of the program if it was help, or is not understood. */
const readOptions = (): { readonly json: boolean } => {
  const options = { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } } as const
  try {
    const { values } = parseArgs({ options })
    if (!values.help) return values
    process.stdout.write(usage)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exit(2)
  }
}
const { json } = readOptions()

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

say("1/5 what the machine allows …")
const machine = {
  sodium: cryptoLimits(engine(Sodium.layer)),
  noble: cryptoLimits(engine(Noble.layer)),
  syncsPerSecond: syncsPerSecond()
}
say("2/5 a raw Hyperswarm stream between two processes …")
const raw = await Raw.measure()
say("3/5 the duties of a message alone: stored, signed, sent, verified, stored, acknowledged …")
const duties = await Duties.measure()
say("4/5 two whole nodes between two processes, both ends on disk …")
const ours = await Ours.measure()
say("5/5 done\n")

const ratios = {
  sequentialRtt: ours.acknowledgedP50Ms / raw.echoP50Ms,
  pipelinedPerVerify: ours.messagesPerSecond / machine.sodium.verifyPerSecond,
  firstMessage: ours.firstMessageP50Ms / raw.joinToFirstByteP50Ms
}
/** The same two ratios of the duties alone: no code that keeps them can do better on this machine. */
const floor = {
  sequentialRtt: duties.acknowledgedP50Ms / raw.echoP50Ms,
  pipelinedPerVerify: duties.messagesPerSecond / machine.sodium.verifyPerSecond
}
/** The limits that were in force; only the rates of a peer's messages are configured away. */
const limits = {
  messagesPerPeer: "unlimited",
  windowEntries: Limits.sendWindowEntries,
  windowBytes: Limits.sendWindowBytes,
  batchMax: Limits.batchMax,
  inboxAheadMax: Limits.inboxAheadMax
}
const { delivered, flushesPerMessage, onDisk } = ours
const whole = onDisk.sender === delivered && onDisk.receiver === delivered

const show = (value: number, unit: string): string =>
  `${value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 3 : 0 })} ${unit}`.padStart(20)
const row = (name: string, left: string, right: string, note = "") =>
  process.stdout.write(`${name.padEnd(36)}${left}${right}  ${note}\n`)

const printTable = () => {
  const [rtt, verify, first] = [ratios.sequentialRtt, ratios.pipelinedPerVerify, ratios.firstMessage]
  row("1 KiB messages, two processes", "raw Hyperswarm".padStart(20), "ours".padStart(20), "ratio")
  row("round trip, p50", show(raw.echoP50Ms, "ms"), show(ours.acknowledgedP50Ms, "ms"), rtt.toFixed(1))
  row(
    "… of its duties alone",
    show(raw.echoP50Ms, "ms"),
    show(duties.acknowledgedP50Ms, "ms"),
    floor.sequentialRtt.toFixed(1)
  )
  row("round trip, p95", show(raw.echoP95Ms, "ms"), show(ours.acknowledgedP95Ms, "ms"))
  row("messages a second", show(raw.messagesPerSecond, "/s"), show(ours.messagesPerSecond, "/s"), "ours: acknowledged")
  row("… of the duties alone", "", show(duties.messagesPerSecond, "/s").padStart(40), "acknowledged")
  row("first message", show(raw.joinToFirstByteP50Ms, "ms"), show(ours.firstMessageP50Ms, "ms"), first.toFixed(1))
  row("first message of a new process", "", show(ours.coldFirstMessageMs, "ms").padStart(40))
  row("flushes a message, one at a time", "", show(flushesPerMessage.sequential, "").padStart(40), "at the sender")
  row("flushes a message, many at a time", "", show(flushesPerMessage.pipelined, "").padStart(40), "at the sender")
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
  const { batchMax, windowBytes, windowEntries } = limits
  process.stdout.write(`\nmessages per verification: ${verify.toFixed(2)}; of the duties alone: ${floor.pipelinedPerVerify.toFixed(2)}
limits: rates per peer configured away; window ${windowEntries} messages or ${windowBytes} bytes; at most ${batchMax} inputs a commit
both processes killed at the end; of ${delivered} delivered messages ${onDisk.sender} are in the sender's records, ${onDisk.receiver} shown at the receiver
`)
}

if (json) {
  const figures = {
    rawRoundTripMs: raw.echoP50Ms,
    ourRoundTripMs: ours.acknowledgedP50Ms,
    verificationsPerSecond: machine.sodium.verifyPerSecond,
    messagesPerSecond: ours.messagesPerSecond,
    fsyncsPerMessage: flushesPerMessage
  }
  process.stdout.write(
    `${JSON.stringify({ machine, raw, duties, ours, limits, figures, ratios, floor, node: process.version })}\n`
  )
} else printTable()
if (!whole) say("some delivered messages are not on disk: this run is worth nothing")
process.exit(whole ? 0 : 1)
