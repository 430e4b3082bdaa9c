/**
 * What a simulation knows and no node does: who wrote what to whom, what every operator allowed, whose disk went back.
 * It never judges; the checkers compare it with what the nodes did.
 * It follows committed turns only, and goes back with a disk that goes back: what was forgotten was never promised.
 */
import { type Event, type Input, Limits, type Output } from "../../core/index.ts"
import type { House } from "./House.ts"
import type { Taken } from "./Process.ts"

/** A text that somebody wrote: unique in the whole run. */
export interface Text {
  readonly text: string
  readonly from: string
  readonly to: string
  readonly kind: "message" | "inject"
  readonly order: number
  readonly atMs: number
  /** How long the answer may be waited for; longer once the friend's owner has to decide. */
  waitMs: number
  id: string | undefined
  refused: string | undefined
  readonly outcomes: Array<{
    readonly tag: "Delivered" | "Refused" | "Answered"
    readonly code: string
    readonly atMs: number
  }>
}

/** What one operator has decided, as its node has committed it. */
export interface Decisions {
  /** Names of friends by peer: who came back under another key may be there twice. */
  readonly friends: Map<string, string>
  readonly granted: Set<string>
  /** Peers whose key the operator has compared and not had a reason to doubt since. */
  readonly verified: Set<string>
  /** Capabilities for which it demands that. */
  readonly demands: Set<string>
}

/** A disk that was put back. */
export interface Rollback {
  readonly house: string
  /** From when it was. */
  readonly fromMs: number
  readonly atMs: number
  /** Friends with whom something numbered was exchanged in between, and is forgotten. */
  readonly forgot: ReadonlyArray<string>
}

/** An event, and who told it when. */
export interface Told {
  readonly house: string
  readonly atMs: number
  readonly event: Event.Event
}

const kept: ReadonlySet<Event.Event["_tag"]> = new Set([
  "DiskOlder",
  "Banned",
  "Alarm",
  "AlarmEnded",
  "FriendshipEnded"
])

/** Alarms that are about a friend's key; others are about ours, or about numbers. */
const doubtful: ReadonlySet<string> = new Set(["key-change", "key-fork", "second-accept", "sas-mismatch"])

/** What marks a text of ours wherever it appears: no name, key or code contains it. */
export const mark = "§text "

export class Truth {
  readonly texts = new Map<string, Text>()
  readonly #refs = new Map<string, Text>()
  readonly #ids = new Map<string, Text>()
  readonly #calls = new Map<string, Array<Text>>()
  readonly #dials = new Map<string, Array<number>>()
  readonly decisions = new Map<string, Decisions>()
  /** Every identity key a house ever had. */
  readonly keys = new Map<string, Set<string>>()
  /** How often a responder was called for a text, `house\ntext`. */
  readonly calls = new Map<string, number>()
  readonly rollbacks: Array<Rollback> = []
  readonly told: Array<Told> = []
  /** Houses that have lied to their friends. */
  readonly turned = new Set<string>()

  of(house: string): Decisions {
    const known = this.decisions.get(house)
    if (known !== undefined) return known
    const fresh: Decisions = { friends: new Map(), granted: new Set(), verified: new Set(), demands: new Set() }
    this.decisions.set(house, fresh)
    return fresh
  }

  /** Decisions as they are now, for the day on which the disk goes back to them. */
  copyOf(house: string): Decisions {
    const { demands, friends, granted, verified } = this.of(house)
    return {
      friends: new Map(friends),
      granted: new Set(granted),
      verified: new Set(verified),
      demands: new Set(demands)
    }
  }

  /** Somebody writes. */
  write(from: string, to: string, kind: Text["kind"], atMs: number, waitMs: number): Text {
    const order = this.texts.size + 1
    const text = `${mark}${order} of ${from} for ${to}`
    const written: Text = { text, from, to, kind, order, atMs, waitMs, id: undefined, refused: undefined, outcomes: [] }
    this.texts.set(text, written)
    this.#refs.set(`${from} ${order}`, written)
    return written
  }

  /** Notes a dial; gives how many of them there were within an hour. */
  dial(house: string, peerId: string, atMs: number): number {
    const key = `${house}\n${peerId}`
    // In place: a node that never rests dials tens of thousands of times an hour.
    const lately = this.#dials.get(key) ?? []
    this.#dials.set(key, lately)
    lately.push(atMs)
    while (lately[0]! <= atMs - 3_600_000) lately.shift()
    return lately.length
  }

  call(house: string, text: string): void {
    const key = `${house}\n${text}`
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1)
  }

  /** Questions of a house that were taken on and have no end yet. */
  openCalls(house: string): ReadonlyArray<Text> {
    const open = (this.#calls.get(house) ?? []).filter(({ outcomes }) => outcomes.length === 0)
    this.#calls.set(house, open)
    return open
  }

  /** Whether a house's disk has gone back since a time. */
  forgotSince(house: string, ms: number): boolean {
    return this.rollbacks.some((one) => one.house === house && one.atMs >= ms)
  }

  hasForgotten(house: string): boolean {
    return this.rollbacks.some((one) => one.house === house)
  }

  /** Reads a turn that was committed. */
  read(house: House, { inputs, outputs, stored }: Taken, atMs: number): void {
    if (stored === "never") return
    // Replies come in the order of their commands, one each; several of one turn may have one ref.
    const commands = inputs.flatMap((input) => (input._tag === "Operator" ? [input.command] : []))
    for (const output of outputs) {
      if (output._tag === "Reply") this.#reply(house.name, output, commands.shift())
      if (output._tag === "Tell") this.#hear(house.name, output.event, atMs)
    }
  }

  #reply(house: string, { ref, reply }: Extract<Output.Output, { _tag: "Reply" }>, command?: Input.Command): void {
    const text = this.#refs.get(ref)
    if (text !== undefined && reply.ok) {
      text.id = reply.id
      this.#ids.set(reply.id, text)
      if (text.kind === "inject") this.#calls.set(house, [...(this.#calls.get(house) ?? []), text])
    }
    if (text !== undefined && !reply.ok) text.refused = reply.rejection.code
    if (!reply.ok || command === undefined) return
    const { demands, friends, granted, verified } = this.of(house)
    if (command._tag === "Require" && command.trust === "verified") demands.add(command.capability)
    if (command._tag === "Require" && command.trust === "nothing") demands.delete(command.capability)
    for (const [peerId, name] of friends) {
      if (!("name" in command) || command.name !== name) continue
      if (command._tag === "Grant" && command.capability === "inject") granted.add(peerId)
      if (command._tag === "Revoke") granted.delete(peerId)
      if (command._tag === "Verify" && command.same) verified.add(peerId)
      if (command._tag === "Unverify") verified.delete(peerId)
    }
  }

  #hear(house: string, event: Event.Event, atMs: number): void {
    if (kept.has(event._tag)) this.told.push({ house, atMs, event })
    const { friends, granted, verified } = this.of(house)
    switch (event._tag) {
      case "Alarm":
        if (doubtful.has(event.rejection.code)) verified.delete(event.peerId)
        return
      case "KeyRotated":
        if (event.peerId !== null && event.reason === "compromise") verified.delete(event.peerId)
        return
      case "SasEnded":
        if (event.code === null) verified.add(event.peerId)
        return
      case "FriendshipMade":
        friends.set(event.peerId, event.name)
        return
      case "FriendshipEnded":
        friends.delete(event.peerId)
        granted.delete(event.peerId)
        verified.delete(event.peerId)
        return
      case "Answered":
        this.#ids.get(event.id)?.outcomes.push({ tag: "Answered", code: "", atMs })
        return
      case "CallHeld": {
        const held = this.#ids.get(event.id)
        if (held !== undefined) held.waitMs = event.expiresAtMs + Limits.injectWaitMs - held.atMs
        return
      }
      case "Refused":
        this.#ids.get(event.id)?.outcomes.push({ tag: "Refused", code: event.rejection.code, atMs })
        return
      case "Delivered":
        if (event.kind === "Log") this.#ids.get(event.id)?.outcomes.push({ tag: "Delivered", code: "", atMs })
        return
    }
  }
}
