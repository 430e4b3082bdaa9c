/**
 * The reader of the control socket: bytes of a connection into requests, as the node reads them after both proofs.
 * It never opens a socket: the frames and the requests are the same code without one.
 */
import * as Commands from "../../plugin/Commands.ts"
import * as ControlFrame from "../../plugin/control/ControlFrame.ts"
import * as Proof from "../../plugin/control/Proof.ts"
import * as Request from "../../plugin/control/Request.ts"
import { type Reading, refused, type Target, value } from "./Target.ts"

const frameBytesMax = 4_096

/** What one frame comes to: an opening's values, a request and what its line is parsed to, or nothing. */
const meaning = (said: unknown): unknown => {
  const request = Request.read(said)
  const opening = [Proof.readHello(said), Proof.readWelcome(said), Proof.readAnswer(said)]
  if (request === undefined) return opening
  const line =
    request.kind === "line" ? request.line : request.kind === "command" ? `/${request.name} ${request.rest}` : ""
  return { request, parsed: Commands.parse(line, { channel: "lobby" }).kind, answer: Request.readAnswer(said) }
}

const taken = (pieces: ReadonlyArray<Uint8Array>): Reading => {
  const reader = ControlFrame.makeReader()
  const found: Array<unknown> = []
  for (const piece of pieces) {
    reader.feed(piece)
    for (;;) {
      const frame = reader.next(frameBytesMax)
      if (frame === "too-large") return refused("frame-too-large")
      if (frame === undefined) break
      const decoded = ControlFrame.decode(frame)
      if (decoded === undefined) return refused("body-malformed")
      found.push(meaning(decoded.value))
    }
  }
  return value({ found, held: reader.held() })
}

const control: Target = {
  name: "control",
  says: "what a program of this machine says on the control socket",
  samples: (luck) => {
    const nonce = new Uint8Array(32).fill(luck.whole(0, 255))
    const frames = luck.pick<ReadonlyArray<unknown>>([
      [Proof.hello(nonce), Proof.answer(nonce)],
      [Proof.welcome(nonce, nonce)],
      [{ v: 1, id: 1, kind: "line", line: luck.pick(["/friends", "/message @bob hi", "/auto-accept add key:x"]) }],
      [
        { v: 1, id: 2, kind: "command", name: "grant", rest: "@bob inject", waitMs: 1_000 },
        { v: 1, id: 3, kind: "describe" }
      ],
      [{ v: 1, id: 4, kind: "wait", message: "00ff", waitMs: 5 }],
      [{ v: 1, id: 5, kind: "tool", name: "p2p_log_message", given: { peer: "bob" }, mayGrant: false }]
    ])
    return Uint8Array.from(Buffer.concat(frames.map(ControlFrame.encode)))
  },
  words: [
    "kind",
    "line",
    "command",
    "wait",
    "describe",
    "tool",
    "given",
    "waitMs",
    "message",
    "nonce",
    "proof",
    "/accept @",
    "null",
    "1e999",
    "\u0000\u0000\u0000",
    "__proto__"
  ],
  read: (input) => taken([input]),
  readPieces: taken
}

export const controlTargets: ReadonlyArray<Target> = [control]
