/**
 * The server on 127.0.0.1: every request through the door, then to a file, to the API, or onto the event stream.
 * It never listens on another address, and answers nothing but what the door has let in.
 * A refusal closes its connection: what else was sent on it is not read, so nothing can hide behind a first request.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Effect, Result, type Scope } from "effect"
import { errnoOf } from "../../adapters/filesystem/Files.ts"
import type { Assets } from "./Assets.ts"
import * as Bounds from "./Bounds.ts"
import type * as Door from "./Door.ts"
import type { Events } from "./Events.ts"
import { type Fault, fault, written } from "./Fault.ts"
import type { Requests } from "./Metrics.ts"

/** What answers behind the door. */
export interface Behind {
  readonly api: (request: IncomingMessage, response: ServerResponse) => void
  readonly assets: Assets
  readonly events: Events
  readonly requests: Requests
  /** Origins that may frame the page. */
  readonly origins: ReadonlyArray<string>
}

const policy = (origins: ReadonlyArray<string>): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${["'self'", ...origins].join(" ")}`,
    "require-trusted-types-for 'script'"
  ].join("; ")

/** What every answer says: nothing is kept, guessed, embedded or told to other sites. */
const headersOf = (origins: ReadonlyArray<string>): Readonly<Record<string, string>> => ({
  "cache-control": "no-store",
  "content-security-policy": policy(origins),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
})

const refuse = (response: ServerResponse, one: Fault): void => {
  const { headers, json, status } = written(one)
  const body = JSON.stringify(json)
  response.writeHead(status, {
    ...headers,
    connection: "close",
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body)
  })
  response.end(body)
}

const sendFile = (
  response: ServerResponse,
  { assets }: Behind,
  { asset, origin }: Extract<Door.Entry, { kind: "asset" }>
) => {
  const file = assets[asset]
  if (file === undefined) return refuse(response, fault("no-panel"))
  if (asset === "module") response.setHeader("vary", "Origin")
  if (origin !== undefined) {
    response.setHeader("access-control-allow-origin", origin)
    response.setHeader("cross-origin-resource-policy", "cross-origin")
  }
  response.writeHead(200, { "content-type": file.type, "content-length": Buffer.byteLength(file.text) })
  response.end(file.text)
}

/** What is said of a request afterwards: its route and no address, and of the module's nothing. */
const nameOf = (entry: Door.Entry | undefined): string => {
  if (entry === undefined) return "refused"
  return entry.kind === "route" ? entry.name : entry.asset === "module" ? "module" : "page"
}

const makeListener = (door: ReturnType<typeof Door.make>, behind: Behind) => {
  const headers = Object.entries(headersOf(behind.origins))
  let answering = 0
  const admit = (request: IncomingMessage) =>
    door(
      {
        method: request.method ?? "",
        target: request.url ?? "",
        version: request.httpVersion,
        rawHeaders: request.rawHeaders
      },
      Date.now()
    )
  const answer = (entry: Door.Entry, request: IncomingMessage, response: ServerResponse): void => {
    if (entry.kind === "asset") {
      sendFile(response, behind, entry)
      return
    }
    if (entry.name === "events" && entry.session !== undefined) {
      const after = entry.lastEventId ?? entry.query.get("after") ?? undefined
      const refused = behind.events.attach(response, entry.session, after)
      if (refused !== undefined) refuse(response, refused)
      return
    }
    if (answering >= Bounds.answeringMax) {
      refuse(response, fault("busy", 1_000))
      return
    }
    answering += 1
    response.once("close", () => {
      answering -= 1
    })
    behind.api(request, response)
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    request.on("error", () => {})
    response.on("error", () => {})
    for (const [name, value] of headers) response.setHeader(name, value)
    const entry = admit(request)
    const name = nameOf(Result.getOrUndefined(entry))
    response.once("close", () => behind.requests.count(name, response.statusCode))
    if (Result.isFailure(entry)) refuse(response, entry.failure)
    else answer(entry.success, request, response)
  }
}

const listen = (server: Server, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const failed = (error: Error) => resolve(errnoOf(error))
    server.once("error", failed)
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      server.off("error", failed)
      resolve(undefined)
    })
  })

const options = {
  maxHeaderSize: Bounds.headerBytesMax,
  headersTimeout: Bounds.headersMs,
  requestTimeout: Bounds.requestMs,
  connectionsCheckingInterval: Bounds.timesCheckMs,
  keepAliveTimeout: Bounds.idleMs,
  insecureHTTPParser: false,
  requireHostHeader: true,
  joinDuplicateHeaders: false
}

/** What Node's reader of requests calls an error → how it is answered. */
const spoiled: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout"
}

/** Bytes that are no request: a status at most, if nothing was answered on this connection yet, and it is over. */
const onClientError = (error: Error, socket: Socket): void => {
  const status = spoiled[errnoOf(error)] ?? "400 Bad Request"
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy()
    return
  }
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  socket.destroySoon()
}

/** A server that has a port and answers nobody yet. */
export interface Listening {
  readonly port: number
  /** From now on it answers. */
  readonly open: (door: ReturnType<typeof Door.make>, behind: Behind) => void
}

/**
 * Listens for the scope, on a port or, where that is taken, on any. Fails with the system's error name where there is none.
 */
export const start = (port: number): Effect.Effect<Listening, string, Scope.Scope> =>
  Effect.gen(function* () {
    const server = createServer(options)
    server.maxConnections = Bounds.connectionsMax
    server.maxHeadersCount = Bounds.headersMax
    server.maxRequestsPerSocket = Bounds.requestsPerConnectionMax
    server.on("clientError", onClientError)
    // Nobody is spoken to in another protocol, nor through us to others.
    for (const event of ["connect", "upgrade"]) server.on(event, (_: unknown, socket: Socket) => void socket.destroy())
    server.on("checkContinue", (request, response) => void server.emit("request", request, response))
    server.unref()
    yield* Effect.acquireRelease(
      Effect.gen(function* () {
        const failure = yield* Effect.promise(() => listen(server, port))
        if (failure === undefined) return
        const again = port === 0 ? failure : yield* Effect.promise(() => listen(server, 0))
        if (again !== undefined) yield* Effect.fail(again)
      }),
      () =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    return {
      port: (server.address() as AddressInfo).port,
      open: (door, behind) => void server.on("request", makeListener(door, behind))
    }
  })
