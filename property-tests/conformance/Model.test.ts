/**
 * The Model suite on the scripted model, and the null object.
 * It never calls a real model: what one says is not repeatable.
 * Adapters that speak to a server run the same suite against a server of their own.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { Effect, Exit, Redacted, Result, Scope, Stream } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { layer, Script } from "../../adapters/memory/Model.ts"
import { begin, next } from "../../adapters/openai/Completion.ts"
import { type Options, layer as openai } from "../../adapters/openai/Model.ts"
import { type Asked, type Answer as ServerAnswer, serve } from "../../adapters/openai/ScriptedServer.ts"
import { Model, type Piece, type Request } from "../../ports/Model.ts"
import { suite } from "./Model.suite.ts"

suite("memory", async (answers) => {
  const script = new Script(answers)
  return { layer: layer(script), requests: () => script.requests, cancelled: () => script.cancelled }
})

const codeOf = (ask: Effect.Effect<unknown, { readonly code: string }, Model>) =>
  Effect.map(Effect.orDie(Effect.flip(ask)), ({ code }) => code)

it("the null object has no model, and a script that has ended refuses", async () => {
  const request = { said: [], tools: [], tokensMax: 1 }
  const ask = Stream.runDrain(Stream.unwrap(Model.useSync((model) => model.complete(request))))
  expect(await Effect.runPromise(codeOf(ask).pipe(Effect.provide(Model.none)))).toBe("no-model")
  expect(await Effect.runPromise(codeOf(ask).pipe(Effect.provide(layer(new Script([])))))).toBe("refused")
})

/** A request's body read back into what the port was asked. */
const requestIn = ({ body }: Asked): Request => {
  const {
    max_tokens,
    messages,
    tools = []
  } = body as {
    readonly messages: ReadonlyArray<Record<string, unknown>>
    readonly tools?: ReadonlyArray<{ readonly function: Record<string, unknown> }>
    readonly max_tokens: number
  }
  const said = messages.map(({ content, role, tool_call_id, tool_calls = [] }) => {
    if (role === "tool") return { role, callId: tool_call_id, text: content }
    if (role !== "assistant") return { role, text: content }
    const calls = (tool_calls as ReadonlyArray<{ id: string; function: { name: string; arguments: string } }>).map(
      (call) => ({ id: call.id, name: call.function.name, input: call.function.arguments })
    )
    return { role, text: content, calls }
  })
  const offered = tools.map(({ function: { description, name, parameters } }) => ({
    name,
    purpose: description,
    input: parameters
  }))
  return { said, tools: offered, tokensMax: max_tokens } as Request
}

/** A server under a scope of its own, which the caller closes. */
const served = async (answerTo: (asked: Asked) => ServerAnswer) => {
  const scope = Effect.runSync(Scope.make())
  const server = await Effect.runPromise(Scope.provide(serve(answerTo), scope))
  return { server, dispose: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

suite("openai", async (answers) => {
  const requests: Array<Request> = []
  const { dispose, server } = await served((asked) => {
    requests.push(requestIn(asked))
    return answers[requests.length - 1] ?? { pieces: [], end: "refused" }
  })
  return {
    layer: openai({ baseUrl: server.baseUrl, model: "scripted", silenceLimitMs: 400 }),
    requests: () => requests,
    cancelled: server.cancelled,
    dispose
  }
}, 15)

describe("a model over HTTP", () => {
  const request: Request = { said: [{ role: "user", text: "x" }], tools: [], tokensMax: 1 }
  const ask = Effect.flatMap(Model, (model) => Effect.result(Stream.runCollect(model.complete(request))))
  const run = (options: Options) => Effect.runPromise(ask.pipe(Effect.provide(openai(options))))
  const key = Redacted.make("sk-very-secret")

  it("sends the key in the header alone, and never tells it, whatever the server says", async () => {
    const seen: Array<Asked> = []
    const http = createServer((incoming, outgoing) => {
      seen.push({ body: incoming.url, authorization: incoming.headers.authorization })
      outgoing.writeHead(401).end(`wrong key: sk-very-secret\u001b[31m, ${"x".repeat(1_000)}`)
    })
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    const { port } = http.address() as AddressInfo
    const result = await run({ baseUrl: `http://127.0.0.1:${port}/v1/`, model: "m", key })
    await new Promise((resolve) => http.close(resolve))
    expect(seen).toEqual([{ body: "/v1/chat/completions", authorization: "Bearer sk-very-secret" }])
    expect(result).toMatchObject({ failure: { code: "refused" } })
    const said = JSON.stringify(result)
    expect(said).toContain("401")
    expect(said).not.toContain("secret")
    expect(said).not.toContain("\\u001b")
    expect(said.length).toBeLessThan(600)
  })
  it("calls the longest answer as the server wants it, once it was told, and asks no third time", async () => {
    const named: Array<string> = []
    let refuses = "max_tokens"
    const http = createServer((incoming, outgoing) => {
      void json(incoming).then((body) => {
        const name = Object.keys(body as object).find((key) => key.startsWith("max_")) ?? ""
        named.push(name)
        if (name !== refuses) outgoing.writeHead(200, { "content-type": "text/event-stream" }).end("data: [DONE]\n\n")
        else outgoing.writeHead(400).end(`Unsupported parameter: '${name}'. Use 'max_completion_tokens' instead.`)
      })
    })
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    const { port } = http.address() as AddressInfo
    const options = { baseUrl: `http://127.0.0.1:${port}`, model: "m" }
    const twice = Effect.andThen(ask, ask).pipe(Effect.provide(openai(options)))
    await Effect.runPromise(twice)
    expect(named.splice(0)).toEqual(["max_tokens", "max_completion_tokens", "max_completion_tokens"])
    refuses = "max_completion_tokens"
    await run(options)
    expect(named.splice(0)).toEqual(["max_tokens"])
    // One that wants neither is asked twice and no more.
    http.removeAllListeners("request")
    http.on("request", (incoming, outgoing) => {
      named.push("asked")
      incoming.resume()
      outgoing.writeHead(400).end("neither max_tokens nor max_completion_tokens")
    })
    expect(await run(options)).toMatchObject({ failure: { code: "refused" } })
    await new Promise((resolve) => http.close(resolve))
    expect(named).toEqual(["asked", "asked"])
  })
  it("follows no redirection, and takes a busy server for one that cannot be reached now", async () => {
    let [status, elsewhere] = [307, 0]
    const http = createServer((incoming, outgoing) => {
      if (incoming.url === "/other") elsewhere++
      outgoing.writeHead(status, { location: "/other" }).end()
    })
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve))
    const { port } = http.address() as AddressInfo
    const options = { baseUrl: `http://127.0.0.1:${port}`, model: "m", key }
    const codes: Array<string> = []
    for (status of [307, 429, 503, 404]) {
      const result = await run(options)
      codes.push(Result.isFailure(result) ? result.failure.code : "answered")
    }
    await new Promise((resolve) => http.close(resolve))
    expect(elsewhere).toBe(0)
    expect(codes).toEqual(["unreachable", "unreachable", "unreachable", "refused"])
    expect(await run(options)).toMatchObject({ failure: { code: "unreachable" } })
  })
  it("is not configured by what cannot be used safely, and says why", async () => {
    const reasons = [
      { baseUrl: "http://model.example.com/v1", model: "m", says: "https" },
      { baseUrl: "https://user:pw@example.com/v1", model: "m", says: "user" },
      { baseUrl: "https://example.com/v1?key=1", model: "m", says: "query" },
      { baseUrl: "ftp://example.com", model: "m", says: "not the address" },
      { baseUrl: "nonsense", model: "m", says: "not the address" },
      { baseUrl: "https://example.com/v1", model: " ", says: "no name" }
    ]
    for (const { says, ...options } of reasons) {
      expect(await run(options)).toMatchObject({
        failure: { code: "no-model", message: expect.stringContaining(says) }
      })
    }
    const status = Effect.map(Model, (model) => model.status)
    const { ready } = await Effect.runPromise(
      status.pipe(Effect.provide(openai({ baseUrl: "http://[::1]:1/v1", model: "m" })))
    )
    expect(ready).toBe(true)
  })
})

describe("the events of a chat completion", () => {
  const read = (events: ReadonlyArray<string>) => {
    const pieces: Array<Piece> = []
    let state = begin()
    for (const data of [...events, undefined]) {
      const step = next(state, data)
      if ("why" in step) return step.code
      state = step.taken[0]
      pieces.push(...step.taken[1])
    }
    return pieces
  }
  it("come to pieces or to a code, whatever they hold", () => {
    const data = fc.oneof(fc.string(), fc.json(), fc.constantFrom("[DONE]", '{"choices":[{"finish_reason":"stop"}]}'))
    fc.assert(
      fc.property(fc.array(data, { maxLength: 6 }), (events) => {
        const outcome = read(events)
        if (typeof outcome === "string") expect(["unreadable", "refused"]).toContain(outcome)
      })
    )
  })
  it("are whole only with a reason to end, or the word for it", () => {
    const text = '{"choices":[{"delta":{"content":"a"}}]}'
    expect(read([text])).toBe("unreadable")
    expect(read([text, "[DONE]"])).toEqual([{ kind: "text", text: "a" }])
    expect(read([text, '{"choices":[{"delta":null,"finish_reason":"length"}],"usage":{"total_tokens":3}}'])).toEqual([
      { kind: "text", text: "a" },
      { kind: "spent", tokens: 3 }
    ])
  })
  it("put calls together by their index, and allow no endless number of them", () => {
    const part = (index: number | undefined, name: string, text: string) =>
      JSON.stringify({ choices: [{ delta: { tool_calls: [{ index, function: { name, arguments: text } }] } }] })
    expect(read([part(1, "b", "{"), part(0, "a", "1"), part(1, "", "}"), "[DONE]"])).toEqual([
      { kind: "call", call: { id: "call-0", name: "a", input: "1" } },
      { kind: "call", call: { id: "call-1", name: "b", input: "{}" } }
    ])
    expect(read(Array.from({ length: 65 }, (_, index) => part(index, "a", "")))).toBe("unreadable")
    expect(read([part(undefined, "a", "1"), part(undefined, "b", "2"), "[DONE]"])).toHaveLength(2)
  })
})
