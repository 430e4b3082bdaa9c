/**
 * A model's server that follows a script: for the demo, for measurements and for tests, on this machine only.
 * It must never be reachable from elsewhere, and no model is behind it: what it says was written down before.
 * It speaks real HTTP, so that everything between the sandbox and a model is the real thing but the model.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { Effect, type Scope } from "effect"
import type { ModelError, Piece } from "../../ports/Model.ts"

/** A request as it came: the JSON of its body, and its `authorization`. */
export interface Asked {
  readonly body: unknown
  readonly authorization: string | undefined
}

/** What is said: pieces, a pause before each in milliseconds, then the end, a failure, or silence for ever. */
export interface Answer {
  readonly pieces: ReadonlyArray<Piece>
  readonly end: "done" | "never" | ModelError["code"]
  readonly pauseMs?: number
}

export interface Server {
  /** What to give the adapter as its base URL. */
  readonly baseUrl: string
  /** How many answers were cut off by their reader. */
  readonly cancelled: () => number
}

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
const choice = (delta: unknown, finish: string | null = null): string =>
  event({ choices: [{ index: 0, delta, finish_reason: finish }] })

/** One piece as a server would send it: a call in two bits, because servers do that. */
const written = (piece: Piece, index: number): string => {
  if (piece.kind === "text") return choice({ content: piece.text })
  if (piece.kind === "spent") return event({ choices: [], usage: { total_tokens: piece.tokens } })
  const { id, input, name } = piece.call
  const half = Math.floor(input.length / 2)
  const part = (text: string, more: object) =>
    choice({ tool_calls: [{ index, ...more, function: { ...more, arguments: text } }] })
  return part(input.slice(0, half), { id, type: "function", name }) + part(input.slice(half), {})
}

const follow = async ({ end, pauseMs = 0, pieces }: Answer, response: ServerResponse): Promise<void> => {
  if (end === "refused" && pieces.length === 0) {
    response.writeHead(400, { "content-type": "application/json" }).end('{"error":{"message":"the script refuses"}}')
    return
  }
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
  for (const [index, piece] of pieces.entries()) {
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    response.write(written(piece, index))
  }
  if (end === "never" || end === "timed-out") return
  if (end === "unreachable") return void response.destroy()
  if (end === "unreadable") return void response.end()
  if (end === "refused") return void response.end(event({ error: { message: "the script refuses" } }))
  response.end(`${choice({}, pieces.some(({ kind }) => kind === "call") ? "tool_calls" : "stop")}data: [DONE]\n\n`)
}

/** A server on a free port of 127.0.0.1 until the scope closes; `answerTo` is asked for each request. */
export const serve = (answerTo: (asked: Asked) => Answer): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function* () {
    let cancelled = 0
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      response.on("error", () => undefined)
      response.on("close", () => {
        if (!response.writableFinished) cancelled++
      })
      if (request.method !== "POST" || request.url?.endsWith("/chat/completions") !== true) {
        response.writeHead(404).end()
        return
      }
      const body = await json(request)
      await follow(answerTo({ body, authorization: request.headers.authorization }), response)
    }
    const server = createServer((request, response) => {
      answer(request, response).catch(() => response.destroy())
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () =>
        Effect.promise(() => {
          server.closeAllConnections()
          return new Promise<void>((resolve) => server.close(() => resolve()))
        })
    )
    const { port } = server.address() as AddressInfo
    return { baseUrl: `http://127.0.0.1:${port}/v1`, cancelled: () => cancelled }
  })
