/**
 * Readers of what comes out of a container or from a model's server: lines of the bridge, events, reports, interleaved outputs.
 * Whoever holds the inside of a container writes the first of these; a model's server, or whoever stands before it, the second.
 * None of them may do more than be read: what a line may lead to is decided by the turn, which has laws of its own.
 */

import { looseIn } from "../../adapters/docker/Attestation.ts"
import { demultiplexer } from "../../adapters/docker/Output.ts"
import { begin, next as nextEvent } from "../../adapters/openai/Completion.ts"
import * as BridgeLine from "../../core/agent/BridgeLine.ts"
import { type Reading, refused, type Target, value } from "./Target.ts"

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text))
const text = (input: Uint8Array): string => Buffer.from(input).toString()

const bridge: Target = {
  name: "bridge-line",
  says: "a line of the program in the sandbox, which may be in a friend's hands",
  samples: (luck) =>
    bytes(
      JSON.stringify(
        luck.pick([
          { kind: "ready", version: 1 },
          { kind: "text", text: "hello" },
          { kind: "end" },
          { kind: "failed", why: "because" },
          {
            kind: "ask",
            said: [
              { role: "user", text: "a" },
              { role: "assistant", text: "", calls: [{ id: "c", name: "shell", input: "{}" }] },
              { role: "tool", callId: "c", text: "b" }
            ],
            tools: [{ name: "shell", purpose: "runs", input: { type: "object" } }]
          }
        ])
      )
    ),
  words: [
    "kind",
    "ready",
    "text",
    "ask",
    "end",
    "failed",
    "said",
    "role",
    "system",
    "user",
    "tool",
    "calls",
    "callId",
    "version"
  ],
  read: (input) => {
    const line = BridgeLine.read(text(input))
    return line === undefined ? refused("body-malformed") : value(line)
  }
}

const events: Target = {
  name: "model-event",
  says: "the events of a model's answer, one after the other, a line each",
  samples: (luck) =>
    bytes(
      [
        '{"choices":[{"delta":{"content":"a"}}]}',
        ...luck.pick([
          ['{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"shell","arguments":"{"}}]}}]}'],
          ['{"choices":[],"usage":{"total_tokens":3}}'],
          []
        ]),
        '{"choices":[{"delta":{},"finish_reason":"stop"}]}',
        "[DONE]"
      ].join("\n")
    ),
  words: [
    "choices",
    "delta",
    "content",
    "tool_calls",
    "index",
    "function",
    "arguments",
    "finish_reason",
    "usage",
    "error",
    "null",
    "[DONE]"
  ],
  read: (input) => {
    let state = begin()
    const pieces: Array<unknown> = []
    for (const data of [...text(input).split("\n"), undefined]) {
      const step = nextEvent(state, data)
      if ("why" in step) return refused("model-failed")
      state = step.taken[0]
      pieces.push(...step.taken[1])
    }
    return value(pieces)
  }
}

const report: Target = {
  name: "canary-report",
  says: "what a canary in a sandbox says of its prison",
  samples: (luck) =>
    bytes(
      JSON.stringify({
        uid: 65534,
        capabilities: Array.from({ length: 5 }, () => "0"),
        noNewPrivileges: "1",
        seccomp: luck.pick(["2", "0"]),
        ...{ interfaces: [], routes: [], reached: [], writable: [], sockets: [], mounts: [] },
        executes: false,
        tmpBytes: 1_000,
        processes: 90
      })
    ),
  words: ["uid", "capabilities", "seccomp", "mounts", "true", "65534"],
  read: (input) => value(looseIn(text(input)))
}

const taken = (pieces: ReadonlyArray<Uint8Array>): Reading => {
  const out: Record<string, Array<number>> = { output: [], error: [] }
  const reader = demultiplexer((stream, piece) => out[stream]!.push(...piece))
  for (const piece of pieces) if (!reader.push(piece)) return refused("frame-malformed")
  return value({ ...out, between: reader.between() })
}

const outputs: Target = {
  name: "container-output",
  says: "what an engine carries of a container, both of its outputs in one",
  samples: (luck) => {
    const frame = (stream: number, payload: string) => {
      const head = Buffer.alloc(8)
      head[0] = stream
      head.writeUInt32BE(payload.length, 4)
      return Buffer.concat([head, Buffer.from(payload)])
    }
    return Uint8Array.from(Buffer.concat([frame(1, "out"), frame(luck.pick([1, 2]), "more"), frame(2, "")]))
  },
  words: ["\u0001\u0000\u0000\u0000", "\u0002\u0000\u0000\u0000", "\u0000\u0000\u0000\u0001"],
  read: (input) => taken([input]),
  readPieces: taken
}

export const sandboxTargets: ReadonlyArray<Target> = [bridge, events, report, outputs]
