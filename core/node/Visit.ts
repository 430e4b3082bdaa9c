/**
 * What a running node remembers of links on which nobody need be a friend: guests, topics being left, answers that wait.
 * It never survives a restart: what must is a record, and such links are made anew.
 * The shapes alone: `Guests`, `Leaving` and `Members` decide, and `State` holds them.
 */
import type { Joined } from "../discovery/Topic.ts"
import type { Rejection } from "../Rejection.ts"
import type { Message } from "../wire/Message.ts"
import type { Input } from "./Input.ts"

/** The input that a link has authenticated its far end. */
export type Opened = Extract<Input, { readonly _tag: "Opened" }>

/** The session of an identity that is no friend: see `Guests`. */
export interface Guest {
  readonly opened: Opened
  readonly sinceMs: number
  /** When it ends, and what is said then, if anything; never again once we have hung up. */
  readonly leaveByMs: number
  readonly leaving?: Rejection
  /** We have hung up; the link is about to be gone, and nothing on it counts. */
  readonly gone?: true
  /** What it has said so far. */
  readonly messages: number
  readonly bytes: number
  /** Its greeting, for when it becomes a friend: who greets takes us for one. */
  readonly greeting?: Received
}

type Received = Extract<Input, { readonly _tag: "Received" }>

/** A topic that we have left: who is still to be told, and with which last profile. */
export interface Leaving {
  readonly joined: Joined
  readonly wire: string | undefined
  /** Transport keys of members that have not been told yet, and of those that have. */
  readonly keys: ReadonlyArray<string>
  readonly told: ReadonlyArray<string>
  /** When those are dialled again, and when it is over. */
  readonly nextMs: number
  readonly untilMs: number
}

/** How far two ends of a link have told each other of one topic. */
export interface Exchange {
  readonly connection: string
  readonly topic: string
  readonly saidMs: number | undefined
  readonly heardMs: number | undefined
  /** Messages with profiles that came since we said hello. */
  readonly profiles: number
}

/** An answer that leaves at its time, whatever it says. */
export interface Later {
  readonly connection: string
  readonly dueMs: number
  readonly message: Message
}
