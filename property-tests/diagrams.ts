/**
 * The diagrams of core/README.md, made from the core's own tables and from an opening that is really played.
 * It never draws anything by hand: what has no table, or cannot be run, has no diagram.
 * `node property-tests/diagrams.ts --write` puts them into the page; a test fails when the page is behind the code.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Result } from "effect"
import { layerSeeded } from "../adapters/memory/Crypto.ts"
import * as Noble from "../adapters/noble/Crypto.ts"
import * as Jobs from "../core/delivery/Jobs.ts"
import * as Standing from "../core/delivery/Standing.ts"
import * as Friendship from "../core/friend/Friendship.ts"
import * as Introduction from "../core/friend/Introduction.ts"
import * as Invite from "../core/friend/Invite.ts"
import * as PeerKey from "../core/friend/PeerKey.ts"
import * as Sas from "../core/friend/Sas.ts"
import * as Trust from "../core/friend/Trust.ts"
import { Handshake, Keys, Opening, Rejection } from "../core/index.ts"
import { Crypto, type CryptoShape } from "../ports/Crypto.ts"

/** The command that brings the page up to date. */
export const command = "node property-tests/diagrams.ts --write"

const page = join(import.meta.dirname, "../core/README.md")

/** A machine whose table says what each state can become; a state without a row, or with an empty one, is an end. */
const machine = (first: string, table: Readonly<Record<string, ReadonlyArray<string>>>): string => {
  const states = new Set(Object.entries(table).flatMap(([from, to]) => [from, ...to]))
  const rows = [...states].flatMap((from) => {
    const to = table[from] ?? []
    return to.length === 0 ? [`  ${from} --> [*]`] : to.map((next) => `  ${from} --> ${next}`)
  })
  return ["stateDiagram-v2", `  [*] --> ${first}`, ...rows].join("\n")
}

/** A machine whose table says what each event brings each state to; a state without a row is an end. */
const labelled = (first: string, table: Readonly<Record<string, Readonly<Record<string, string>>>>): string => {
  const rows = Object.entries(table).flatMap(([from, row]) => {
    const steps = Object.entries(row).map(([event, to]) => `  ${from} --> ${to}: ${event}`)
    return steps.length === 0 ? [`  ${from} --> [*]`] : steps
  })
  return ["stateDiagram-v2", `  [*] --> ${first}`, ...rows].join("\n")
}

/** One side of an opening: where it stands, and who it is in the diagram. */
interface Side {
  readonly name: "Dialled" | "Accepted"
  opening: Opening.Opening | undefined
}

type Frame = Opening.Progress["send"][number]

const proceed = (result: Result.Result<Opening.Progress, Rejection.Rejection>): Opening.Progress => {
  if (Result.isFailure(result)) throw new Error(`the opening failed: ${Rejection.sentence(result.failure)}`)
  return result.success
}

const locals = (crypto: CryptoShape): readonly [Opening.Local, Opening.Local] => {
  const [ours, theirs] = [crypto.randomBytes(32), crypto.randomBytes(32)]
  const local = (swarmKey: Uint8Array, remoteSwarmKey: Uint8Array): Opening.Local => ({
    crypto,
    keys: Keys.generate(crypto, 0),
    swarmKey,
    binding: new Uint8Array(0),
    remoteSwarmKey,
    entropy: crypto.randomBytes(32)
  })
  return [local(ours, theirs), local(theirs, ours)]
}

/** An opening, played between two sides until both have a session; what they sent and where they stood, line by line. */
const opening = (): string => {
  const engine = Layer.provide(layerSeeded("diagrams"), Noble.layer)
  const crypto = Effect.runSync(Crypto.useSync((found) => found).pipe(Effect.provide(engine)))
  const [dialling, accepting] = locals(crypto)
  const first = proceed(Opening.dial(dialling, []))
  const dialled: Side = { name: "Dialled", opening: first.opening }
  const accepted: Side = { name: "Accepted", opening: Opening.accept(accepting) }
  const drawn = ["sequenceDiagram", `  Note over Accepted: ${accepted.opening?.stage}`]
  let message = 0
  const label = ({ type }: Frame): string =>
    type === "handshake" ? `handshake: ${Handshake.pattern[message++]?.join(", ")}` : type
  const deliver = (from: Side, to: Side, progress: Opening.Progress): void => {
    for (const frame of progress.send) drawn.push(`  ${from.name}->>${to.name}: ${label(frame)}`)
    drawn.push(`  Note over ${from.name}: ${progress.session === undefined ? progress.opening?.stage : "session"}`)
    for (const frame of progress.send) {
      if (to.opening === undefined) throw new Error("a frame after the session")
      const next = proceed(Opening.receive(to.opening, frame, 0))
      to.opening = next.opening
      if (next.send.length > 0 || next.session !== undefined) deliver(to, from, next)
    }
  }
  deliver(dialled, accepted, first)
  return drawn.join("\n")
}

/** Every diagram by the name under which the page asks for it. */
export const diagrams = (): Readonly<Record<string, string>> => ({
  friendship: Friendship.diagram(),
  peerkey: PeerKey.diagram(),
  trust: Trust.diagram(),
  sas: Sas.diagram(),
  invites: Invite.diagram(),
  introductions: labelled("Open", Introduction.transitions),
  opening: opening(),
  jobs: machine("running", Jobs.transitions),
  outbox: machine("waiting", Standing.transitions)
})

const place = /<!-- diagram: (\w+) -->[\s\S]*?<!-- end -->/g

/** The page with every diagram as the code has it now. A place for a diagram that nobody draws is a mistake. */
export const render = (text: string): string => {
  const drawn = diagrams()
  return text.replace(place, (_, name: string) => {
    if (!Object.hasOwn(drawn, name)) throw new Error(`there is no diagram called ${name}`)
    return `<!-- diagram: ${name} -->\n\`\`\`mermaid\n${drawn[name]}\n\`\`\`\n<!-- end -->`
  })
}

/** The names of the diagrams that a page has a place for. */
export const places = (text: string): ReadonlyArray<string> => [...text.matchAll(place)].map((match) => match[1] ?? "")

if (import.meta.main) {
  const before = readFileSync(page, "utf8")
  const after = render(before)
  if (process.argv.includes("--write")) writeFileSync(page, after)
  else if (before !== after) {
    console.error(`core/README.md is behind the code; bring it up to date with: ${command}`)
    process.exitCode = 1
  }
}
