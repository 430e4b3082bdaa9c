/**
 * Every way the panel's server says no: one closed table of codes, each with its HTTP status and a sentence.
 * It never repeats what was sent: that may be a secret in the wrong place, and a log may keep it.
 * A refusal of the node is no fault; it is an answer with the core's own code.
 */
import { Data } from "effect"

interface Row {
  readonly status: number
  readonly why: string
}

/** code → what it means. */
export const table = {
  malformed: { status: 400, why: "This is no request that a browser or a careful program makes." },
  "wrong-shape": { status: 400, why: "The route takes another shape; GET /api/openapi.json says which." },
  "not-signed-in": {
    status: 401,
    why: "A bearer is needed that this server gave out and still knows: run wopr-p2p panel, or load the host's page again."
  },
  "foreign-host": { status: 403, why: "The request names another host than this server, as a rebound name would." },
  "foreign-origin": {
    status: 403,
    why: "A page of another origin asks. If it is your host's, add its origin to uiOrigins and start again."
  },
  "not-here": { status: 404, why: "There is nothing here; a link is good once and for five minutes." },
  "unknown-peer": { status: 404, why: "No friend has this id; read the view again." },
  method: { status: 405, why: "The route has another method." },
  "too-slow": { status: 408, why: "It took too long; what was asked for may still go on. Ask again with the same id." },
  "id-taken": { status: 409, why: "Another request was made under this id; take a fresh one for each wish." },
  "length-needed": { status: 411, why: "A body needs a Content-Length." },
  "too-large": { status: 413, why: "The request is larger than the route takes." },
  "not-json": { status: 415, why: "A body must be application/json." },
  "too-many": { status: 429, why: "Too many requests; wait and ask again." },
  internal: { status: 500, why: "This is a fault of the program; the node's log says more." },
  "log-failed": { status: 500, why: "The conversation could not be read or changed; run wopr-p2p doctor." },
  busy: { status: 503, why: "Too much is being answered at once; wait and ask again." },
  "no-panel": { status: 503, why: "This build has no panel in it; the API works." }
} as const satisfies Readonly<Record<string, Row>>
export type Code = keyof typeof table

/** A refusal on its way out. */
export class Fault extends Data.TaggedError("Fault")<{ readonly code: Code; readonly retryAfterMs?: number }> {}

/** A fault, with when to come back where that is known. */
export const fault = (code: Code, retryAfterMs?: number): Fault =>
  new Fault(retryAfterMs === undefined ? { code } : { code, retryAfterMs })

/** A fault as it is sent: status, headers, JSON. */
export const written = ({ code, retryAfterMs }: Fault) => ({
  status: table[code].status,
  headers: retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) },
  json: { code, why: table[code].why, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
})
