/**
 * The event stream: what happened is kept for a while, numbered, and written to everybody who reads.
 * It never waits for a reader: one that does not keep up is told why and dropped, and comes back for what it missed.
 * Positions begin with a word of this server's life, so that a number of an earlier life is a gap and not a wrong place.
 */
import { randomBytes } from "node:crypto"
import type { ServerResponse } from "node:http"
import type { Schema } from "effect"
import type { Event } from "../../core/index.ts"
import * as Present from "../Present.ts"
import * as Bounds from "./Bounds.ts"
import type { StreamEvent } from "./Contract.ts"
import { type Fault, fault } from "./Fault.ts"
import type { Session } from "./Secrets.ts"

type Frame = Schema.Schema.Type<typeof StreamEvent>
type End = Extract<Frame, { kind: "end" }>

/** Why a stream ends, in words for a page. */
export const ends = {
  "too-slow": "this page did not read fast enough; it goes on where it was when it asks again",
  "node-ended": "the node has ended; ask again once it runs"
} as const

interface Kept {
  readonly number: number
  readonly frame: string
}

interface Reader {
  readonly session: Session
  readonly response: ServerResponse
  readonly over: (code: keyof typeof ends) => void
}

export interface Events {
  /** Something happened. */
  readonly note: (told: Event.Event, nowMs: number) => void
  /** Something has changed that no event tells of, such as a grant. */
  readonly changed: (nowMs: number) => void
  /** After which event a snapshot of this moment was taken. */
  readonly position: () => string
  /** Writes to a page from a position on, until either goes. Refused where too many read. */
  readonly attach: (response: ServerResponse, session: Session, after: string | undefined) => Fault | undefined
  readonly readers: () => number
  /** Ends every stream. */
  readonly close: () => void
}

const framed = (kind: string, id: string, body: unknown): string =>
  `id: ${id}\nevent: ${kind}\ndata: ${Present.json(body)}\n\n`

const cut = (text: string): string =>
  text.length <= Bounds.newsCharactersMax ? text : `${text.slice(0, Bounds.newsCharactersMax)}…`

/** An event without the long texts that it may carry: the conversation has them whole. */
const brief = (told: Event.Event): Event.Event => {
  if (told._tag === "Received") return { ...told, entry: { ...told.entry, text: cut(told.entry.text) } }
  return told._tag === "Answered" ? { ...told, text: cut(told.text) } : told
}

/** The frame of an event. The process's number is nobody's business. */
const newsOf = (whole: Event.Event, atMs: number): Frame => {
  const told = brief(whole)
  const { pid: _, ...event } = Present.eventJson(told)
  return { kind: "news", atMs, event, line: Present.event(told) }
}

/** How long a reader that is told to go has to read that. */
const partingMs = 2_000

/** A stream for a server's life. */
export const make = (): Events => {
  const life = randomBytes(6).toString("hex")
  const kept: Array<Kept> = []
  const readers = new Set<Reader>()
  let [newest, characters] = [0, 0]
  const idOf = (number: number) => `${life}-${number}`
  const push = (body: Frame) => {
    newest += 1
    const frame = framed(body.kind, idOf(newest), body)
    kept.push({ number: newest, frame })
    characters += frame.length
    while (kept.length > Bounds.eventsKeptMax || (characters > Bounds.eventsKeptCharactersMax && kept.length > 1)) {
      characters -= kept.shift()!.frame.length
    }
    for (const reader of [...readers]) send(reader, frame)
  }
  const send = ({ over, response }: Reader, text: string) => {
    if (response.writableLength > Bounds.streamWaitingBytesMax) return over("too-slow")
    response.write(text)
  }
  /** What a reader has missed; it begins with a gap where that is not all here. */
  const missed = (after: string | undefined): string => {
    const [word, digits = ""] = (after ?? idOf(newest)).split("-")
    const number = word === life && /^\d{1,15}$/.test(digits) ? Number(digits) : undefined
    const oldest = kept[0]?.number ?? newest + 1
    if (number === undefined || number > newest || number < oldest - 1)
      return framed("gap", idOf(newest), { kind: "gap" })
    return kept.flatMap((one) => (one.number > number ? [one.frame] : [])).join("")
  }
  return {
    note: (told, nowMs) => push(newsOf(told, nowMs)),
    changed: (atMs) => push({ kind: "news", atMs, event: { event: "changed" }, line: { tone: "quiet", text: "" } }),
    position: () => idOf(newest),
    attach: (response, session, after) => {
      const own = [...readers].filter((reader) => reader.session === session).length
      if (readers.size >= Bounds.streamsMax || own >= Bounds.streamsPerSessionMax) return fault("too-many", 5_000)
      const alive = setInterval(() => send(reader, ": alive\n\n"), Bounds.heartbeatMs)
      const gone = () => {
        clearInterval(alive)
        readers.delete(reader)
      }
      const reader: Reader = {
        session,
        response,
        over: (code) => {
          gone()
          const last: End = { kind: "end", code, why: ends[code] }
          response.end(framed("end", idOf(newest), last))
          setTimeout(() => response.destroy(), partingMs).unref()
        }
      }
      readers.add(reader)
      response.on("close", gone).on("error", gone)
      response.writeHead(200, { "content-type": "text/event-stream" })
      send(reader, `: alive\n\n${missed(after)}`)
      return undefined
    },
    readers: () => readers.size,
    close: () => {
      for (const reader of [...readers]) reader.over("node-ended")
    }
  }
}
