/**
 * What has been seen since this node's start that no description holds: when friends were last connected, what was refused.
 * It never decides anything and keeps nothing over a restart; the node's records are the truth.
 * Refusals are kept with their sentences, because "why was this refused?" is asked after the event has gone by.
 */
import { type Event, Rejection } from "../../core/index.ts"
import * as Bounds from "./Bounds.ts"
import type { View } from "./Contract.ts"

type Refusal = View["refusals"][number]

export interface Seen {
  readonly note: (told: Event.Event, nowMs: number) => void
  readonly lastSeenMs: (peerId: string) => number | null
  /** What came from outside and was refused, the newest first. */
  readonly refusals: () => ReadonlyArray<Refusal>
  /** How often each kind of event was told. */
  readonly counts: () => ReadonlyMap<string, number>
}

/** What an event says was refused of others, and the words for it. */
const refusalOf = (told: Event.Event): Pick<Refusal, "name" | "kind"> | undefined => {
  switch (told._tag) {
    case "PeerRefused":
      return { name: told.name, kind: told.kind }
    case "LineRefused":
      return { name: told.claimed, kind: "friend line" }
    case "LinkRefused":
      return { name: told.names.join(", "), kind: "link" }
    case "Banned":
      return { name: told.name, kind: "ban" }
    default:
      return undefined
  }
}

/** Nothing seen yet. */
export const make = (): Seen => {
  const lastSeen = new Map<string, number>()
  const counts = new Map<string, number>()
  let refusals: ReadonlyArray<Refusal> = []
  return {
    note: (told, nowMs) => {
      counts.set(told._tag, (counts.get(told._tag) ?? 0) + 1)
      if (told._tag === "Connected" || told._tag === "Disconnected") lastSeen.set(told.peerId, nowMs)
      if (told._tag === "FriendshipEnded") lastSeen.delete(told.peerId)
      const about = refusalOf(told)
      if (about === undefined || !("rejection" in told)) return
      const { rejection } = told
      const why = Rejection.sentence(rejection)
      const one: Refusal = { whose: "theirs", atMs: nowMs, ...about, code: rejection.code, why }
      refusals = [one, ...refusals].slice(0, Bounds.refusalsShownMax)
    },
    lastSeenMs: (peerId) => lastSeen.get(peerId) ?? null,
    refusals: () => refusals,
    counts: () => counts
  }
}
