/**
 * What became of our messages and injects, and who has spoken, for whoever asks later or waits for it.
 * It never decides anything and keeps nothing over a restart: the node's queue and refusals are what lasts.
 * Bounded in number and in characters, because answers of peers are among it.
 */
import { Effect, Option } from "effect"
import { type Event, Rejection } from "../../core/index.ts"

export type Outcome =
  | { readonly state: "delivered" }
  | { readonly state: "answered"; readonly answer: string }
  /** Somebody whom we asked for it, by an invite or in a topic, is our friend now. */
  | { readonly state: "friends" }
  | { readonly state: "refused"; readonly rejection: Rejection.Rejection }

/** A text of a friend, as its event told it. */
export type Spoken = Extract<Event.Event, { _tag: "Received" }>

export interface Follow {
  readonly note: (event: Event.Event) => void
  readonly outcome: (id: string) => Outcome | undefined
  /** Something new begins under an id that has ended before. */
  readonly forget: (id: string) => void
  /** The end of a message, inject, claim or request to connect of ours, waited for at most so long. */
  readonly end: (id: string, waitMs: number) => Effect.Effect<Outcome | undefined>
  /** The next text of a peer, or of anybody, from now on; waited for at most so long. */
  readonly next: (peerId: string | undefined, waitMs: number) => Effect.Effect<Spoken | undefined>
}

const outcomesMax = 1_000
const charactersMax = 8_388_608

/** What an event ends. That a question was delivered is not its end. */
const endOf = (event: Event.Event): readonly [string, Outcome] | undefined => {
  switch (event._tag) {
    case "Delivered":
      return event.kind === "Log" ? [event.id, { state: "delivered" }] : undefined
    case "Answered":
      return [event.id, { state: "answered", answer: event.text }]
    case "ErrandAnswered":
      return [event.id, { state: "friends" }]
    case "Refused":
    case "ErrandRefused":
      return [event.id, { state: "refused", rejection: event.rejection }]
    default:
      return undefined
  }
}

const sizeOf = (outcome: Outcome): number => (outcome.state === "answered" ? outcome.answer.length : 0)

/** An empty record, for one node. */
export const make = (): Follow => {
  const ends = new Map<string, Outcome>()
  const listeners = new Set<(event: Event.Event) => void>()
  let characters = 0
  const keep = (id: string, outcome: Outcome): void => {
    characters += sizeOf(outcome) - sizeOf(ends.get(id) ?? { state: "delivered" })
    ends.delete(id)
    ends.set(id, outcome)
    for (const [oldest, gone] of ends) {
      if (ends.size <= outcomesMax && characters <= charactersMax) return
      ends.delete(oldest)
      characters -= sizeOf(gone)
    }
  }
  const first = <A>(waitMs: number, pick: (event: Event.Event) => A | undefined): Effect.Effect<A | undefined> =>
    Effect.callback<A>((resume) => {
      const listener = (event: Event.Event) => {
        const picked = pick(event)
        if (picked !== undefined) resume(Effect.succeed(picked))
      }
      listeners.add(listener)
      return Effect.sync(() => listeners.delete(listener))
    }).pipe(Effect.timeoutOption(waitMs), Effect.map(Option.getOrUndefined))
  return {
    note: (event) => {
      const ended = endOf(event)
      if (ended !== undefined) keep(...ended)
      for (const listener of [...listeners]) listener(event)
    },
    outcome: (id) => ends.get(id),
    forget: (id) => {
      characters -= sizeOf(ends.get(id) ?? { state: "delivered" })
      ends.delete(id)
    },
    end: (id, waitMs) =>
      Effect.suspend(() => {
        const known = ends.get(id)
        if (known !== undefined || waitMs <= 0) return Effect.succeed(known)
        return first(waitMs, (event) => {
          const ended = endOf(event)
          return ended?.[0] === id ? ended[1] : undefined
        })
      }),
    next: (peerId, waitMs) =>
      first(waitMs, (event) =>
        event._tag === "Received" && event.entry.ours !== true && (peerId === undefined || event.peerId === peerId)
          ? event
          : undefined
      )
  }
}

/** An end of ours in words. */
export const inWords = (outcome: Outcome): string =>
  outcome.state === "refused" ? Rejection.sentence(outcome.rejection) : outcome.state
