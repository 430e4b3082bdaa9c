/**
 * What happened, as somebody writes it down who sees both nodes: texts, outcomes, runs, keys, who was up.
 * It never asks a node for anything; it is told what was said to a node, and reads what its turns gave.
 * A turn that a death took back never was, and its outputs never were; one whose outputs were torn off was.
 */
import type { Event, Input } from "../../core/index.ts"
import type { Interval } from "../simulation/Presence.ts"
import type { Taken } from "../simulation/Process.ts"

/** A text that somebody gave a node to send. `id`: the node has stored it. `refused`: it said no at once. */
export interface Written {
  readonly from: string
  readonly kind: "message" | "inject"
  readonly text: string
  readonly atMs: number
  id: string | undefined
  refused: string | undefined
}

/** An end of a message as its sender was told, in which of its lives. */
export interface Outcome {
  readonly tag: "Delivered" | "Refused" | "Answered"
  readonly code: string
  readonly text: string
  readonly atMs: number
  readonly life: number
}

/** New keys, and when the friend followed. */
export interface Turned {
  readonly by: string
  readonly to: string
  readonly atMs: number
  readonly friendAway: boolean
  /** Rotations before it that the friend had not learnt yet; and whether the friend had one that we had not. */
  readonly ahead: number
  readonly crossed: boolean
  learntAtMs: number | undefined
}

type Ending = "stop" | "crash"

/** Events that honest nodes give each other no cause for, whatever the weather. */
const alarming: ReadonlySet<Event.Event["_tag"]> = new Set<Event.Event["_tag"]>([
  "Alarm",
  "AlarmEnded",
  "Banned",
  "DiskOlder",
  "FriendshipEnded",
  "LineNotPosted",
  "LineRefused",
  "LinkRefused",
  "PeerRefused",
  "StorageFailed"
])

export class Ledger {
  readonly written = new Map<string, Written>()
  readonly outcomes = new Map<string, Array<Outcome>>()
  /** How often the responder of a house was called for a text. */
  readonly calls = new Map<string, number>()
  readonly rotations: Array<Turned> = []
  readonly alarms: Array<string> = []
  readonly presence = new Map<string, Array<Interval>>()
  readonly endings = new Map<string, Array<Ending>>()
  readonly counts = { turns: 0, tornTurns: 0, undoneTurns: 0, sessions: 0, interrupted: 0 }

  /** Somebody types a command that sends a text. */
  write(from: string, atMs: number, command: Extract<Input.Command, { readonly text: string }>): string {
    const ref = `w${this.written.size + 1}`
    const kind = command._tag === "Message" ? "message" : "inject"
    this.written.set(ref, { from, kind, text: command.text, atMs, id: undefined, refused: undefined })
    return ref
  }

  call(house: string, text: string): void {
    this.calls.set(`${house}: ${text}`, (this.calls.get(`${house}: ${text}`) ?? 0) + 1)
  }

  up(house: string, atMs: number): void {
    this.presence.set(house, [...(this.presence.get(house) ?? []), { fromMs: atMs, toMs: Number.POSITIVE_INFINITY }])
  }

  down(house: string, atMs: number, ending: Ending): void {
    const intervals = this.presence.get(house) ?? []
    const last = intervals.pop()
    if (last !== undefined) intervals.push({ ...last, toMs: atMs })
    this.endings.set(house, [...(this.endings.get(house) ?? []), ending])
  }

  rotate(by: string, to: string, atMs: number, friendAway: boolean): void {
    const open = this.rotations.filter(({ learntAtMs }) => learntAtMs === undefined)
    const ahead = open.filter((one) => one.by === by).length
    const crossed = open.some((one) => one.by !== by)
    this.rotations.push({ by, to, atMs, friendAway, ahead, crossed, learntAtMs: undefined })
  }

  /** Reads what a turn gave. */
  read(house: string, life: number, atMs: number, { outputs, performed, stored }: Taken): void {
    this.counts.turns++
    if (stored === "never") {
      this.counts.undoneTurns++
      return
    }
    if (performed < outputs.length) this.counts.tornTurns++
    for (const output of outputs) {
      if (output._tag === "Tell") this.#hear(house, life, atMs, output.event)
      const written = output._tag === "Reply" ? this.written.get(output.ref) : undefined
      if (output._tag !== "Reply" || written === undefined) continue
      if (output.reply.ok) written.id = output.reply.id
      else written.refused = output.reply.rejection.code
    }
  }

  #hear(house: string, life: number, atMs: number, event: Event.Event): void {
    // Whoever dies while a link opens leaves the other waiting: that is weather, and says nothing of anybody.
    const isWeather = event._tag === "LinkRefused" && event.rejection.code === "opening-timeout"
    if (alarming.has(event._tag) && !isWeather) this.alarms.push(`${house}: ${JSON.stringify(event)}`)
    switch (event._tag) {
      case "Connected":
        this.counts.sessions++
        return
      case "JobEnded":
        if (event.code === "interrupted") this.counts.interrupted++
        return
      case "KeyRotated":
        if (event.whose === "theirs") this.#learn(house, event.to, atMs)
        return
      case "Answered":
        this.#end(event.id, { tag: "Answered", code: "", text: event.text, atMs, life })
        return
      case "Refused":
        this.#end(event.id, { tag: "Refused", code: event.rejection.code, text: "", atMs, life })
        return
      case "Delivered":
        // That an inject arrived is no end of it.
        if (event.kind === "Log") this.#end(event.id, { tag: "Delivered", code: "", text: "", atMs, life })
        return
    }
  }

  #end(id: string, outcome: Outcome): void {
    this.outcomes.set(id, [...(this.outcomes.get(id) ?? []), outcome])
  }

  /** A history leads through every key, so the newest brings all before it. */
  #learn(house: string, key: string, atMs: number): void {
    const theirs = this.rotations.filter(({ by }) => by !== house)
    const reached = theirs.findIndex(({ to }) => to === key)
    for (const one of theirs.slice(0, reached + 1)) one.learntAtMs ??= atMs
  }
}
