/**
 * Every route of the panel's API in one table: method, path, who may ask, what it takes, what it answers.
 * It never answers anything and knows no HTTP library: `Http.ts` makes routes and OpenAPI of it, `Answers.ts` answers.
 * What is not in this table and no asset of the page does not exist, for anybody.
 */
import { Schema } from "effect"
import * as Bounds from "./Bounds.ts"
import * as Contract from "./Contract.ts"

/**
 * Who may ask. `segment`: whoever knows the segment in the path. `bearer`: a page that has traded one. `scraper`: a page, or
 * a program that read the scrape key in the data folder.
 */
export type Who = "segment" | "bearer" | "scraper"

export interface Route {
  readonly method: "GET" | "POST" | "DELETE"
  /** `:name` stands for one part of the path. */
  readonly path: `/${string}`
  readonly who: Who
  readonly says: string
  readonly query?: Schema.Struct<Schema.Struct.Fields>
  /** A body of JSON, and how long it may be. */
  readonly body?: Schema.Constraint
  readonly bodyBytesMax?: number
  /** JSON of this shape; `text` and `stream` are bytes of the named type. */
  readonly answer: Schema.Constraint | { readonly kind: "text" | "stream"; readonly type: string }
}

const nothing = Schema.Struct({})

/** Name → route. A new route is a row, and its answer in `Answers.ts`, which the compiler then asks for. */
export const table = {
  session: {
    method: "POST",
    path: "/m/:segment/session",
    who: "segment",
    says: "Trades the segment of the module's address for a bearer. A one-use link's segment is good for one trade.",
    body: nothing,
    bodyBytesMax: Bounds.sessionBytesMax,
    answer: Contract.Session
  },
  view: {
    method: "GET",
    path: "/api/view",
    who: "bearer",
    says: "The node at this moment.",
    answer: Contract.View
  },
  commands: {
    method: "GET",
    path: "/api/commands",
    who: "bearer",
    says: "The table of commands.",
    answer: Contract.Commands
  },
  command: {
    method: "POST",
    path: "/api/command",
    who: "bearer",
    says: "Carries out a command, or answers a question, as the prompt does. The same id again gives the same answer.",
    body: Contract.Command,
    answer: Contract.Answer
  },
  invite: {
    method: "POST",
    path: "/api/invites",
    who: "bearer",
    says: "Makes an invite. Its link is shown this once; the same id again gives the same link for ten minutes.",
    body: Contract.InviteWish,
    answer: Contract.InviteMade
  },
  qr: {
    method: "POST",
    path: "/api/qr",
    who: "bearer",
    says: "A text as a QR code.",
    body: Contract.QrWish,
    answer: Contract.Qr
  },
  conversation: {
    method: "GET",
    path: "/api/conversations/:friend",
    who: "bearer",
    says: "A page of the conversation with a friend, named by its peerId; with `search`, of the texts that contain it.",
    query: Contract.ConversationQuery,
    answer: Contract.Conversation
  },
  forget: {
    method: "DELETE",
    path: "/api/conversations/:friend",
    who: "bearer",
    says: "Deletes the conversation with a friend here. The friend keeps its own.",
    answer: Contract.Done
  },
  export: {
    method: "GET",
    path: "/api/conversations/:friend/export",
    who: "bearer",
    says: "The conversation as a file: one JSON object a line, or text.",
    query: Contract.ExportQuery,
    answer: { kind: "text", type: "text/plain; charset=utf-8" }
  },
  doctor: {
    method: "GET",
    path: "/api/doctor",
    who: "bearer",
    says: "Looks for what is wrong now, without asking the network.",
    answer: Contract.Doctor
  },
  events: {
    method: "GET",
    path: "/api/events",
    who: "bearer",
    says: "What happens from now on, or after the id in `after` or Last-Event-ID, as Server-Sent Events.",
    query: Contract.EventsQuery,
    answer: { kind: "stream", type: "text/event-stream" }
  },
  openapi: {
    method: "GET",
    path: "/api/openapi.json",
    who: "bearer",
    says: "This description.",
    answer: { kind: "text", type: "application/json" }
  },
  health: {
    method: "GET",
    path: "/health",
    who: "scraper",
    says: "Whether the node is up.",
    answer: Contract.Health
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    who: "scraper",
    says: "Numbers for Prometheus.",
    answer: { kind: "text", type: "text/plain; version=0.0.4; charset=utf-8" }
  }
} as const satisfies Readonly<Record<string, Route>>

export type Name = keyof typeof table
