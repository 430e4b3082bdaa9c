/**
 * What bounds the control socket: sizes, numbers and times, each with its reason.
 * It never bounds a peer: those bounds are in `core/Limits.ts`; here it is about programs of our own machine.
 * Before a far end has proven the key it gets next to nothing, because anything may have connected.
 */
import { Limits } from "../../core/index.ts"

/** A frame before the key is proven: two nonces and a proof fit in it several times. */
export const openingBytesMax = 1_024
/** A request: the longest text a message carries, every character of it escaped. */
export const requestBytesMax = 6 * Limits.bodyBytesMax + 4_096
/** An answer: everything a node with as many friends as it can have says of itself. */
export const answerBytesMax = 64 * 1_048_576
/** How long both proofs may take in all. */
export const openingMs = 2_000
/** How long a connection may be silent between requests, or not read an answer. */
export const idleMs = 60_000
/** How long one request may wait for an outcome: longer than an inject may take. */
export const waitMsMax = Limits.injectWaitMs + 300_000
/** Connections at one time; of these, how many may not have proven the key yet. */
export const connectionsMax = 32
export const openingsMax = 8
/** Requests on one connection. */
export const requestsMax = 1_000
/** Bytes of a socket's path that every Unix takes. */
export const pathBytesMax = 100
/** Intents that wait for a start, and the bytes of all of them. */
export const intentsMax = 64
export const intentBytesMax = 16 * 1_048_576

/** What must hold between the bounds, each with its reason. */
export const relations: ReadonlyArray<{ readonly holds: boolean; readonly why: string }> = [
  { holds: openingsMax < connectionsMax, why: "who has not proven the key cannot take every place" },
  { holds: openingBytesMax * openingsMax < 65_536, why: "who has not proven the key costs less than a page of text" },
  { holds: requestBytesMax < answerBytesMax, why: "a request that is said again in an answer fits it" },
  { holds: intentBytesMax > requestBytesMax, why: "the longest text can wait for a start" },
  { holds: intentsMax < Limits.intentsRememberedMax, why: "all that waits for one start is remembered after it" },
  { holds: waitMsMax > Limits.injectWaitMs, why: "who waits for an answer outwaits the node" }
]
