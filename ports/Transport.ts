/**
 * Finding peers by topic or key and exchanging bytes with them over reliable, ordered links.
 * A transport never knows who a peer is: it proves at most that the far end holds a transport key.
 * Dialling does not return a link: links simply appear, wanted or not, because that is how rendezvous networks behave.
 */
import { Context, Data, type Effect, type Stream } from "effect"

/** Why a link or the network failed. `message` is for an operator. */
export class TransportError extends Data.TaggedError("TransportError")<{
  readonly code: "closed" | "too-large" | "unreachable" | "timed-out" | "network"
  readonly message: string
}> {}

/**
 * A place in the network where a far end was met: text and number as this transport writes them, not for anybody else to
 * understand. It says nothing of who is there now.
 */
export interface Address {
  readonly host: string
  readonly port: number
}

/** One open connection. Bytes sent arrive in order; boundaries between sends are not preserved. */
export interface Link {
  /** Unique within this transport's lifetime. */
  readonly id: string
  /** Whether our side dialled. Exactly one end of a link is the initiator. */
  readonly initiator: boolean
  /** The far end's transport key (32 bytes). Proven by the transport, bound to no identity. */
  readonly remoteKey: Uint8Array
  /** Topics (32 bytes each) through which this link was found; empty on the accepting side and for dials by key. */
  readonly topics: ReadonlyArray<Uint8Array>
  /** Where the far end was when the link opened; absent if the transport cannot tell. */
  readonly remoteAddress?: Address
  /** Channel binding: bytes both ends share and nobody else can reproduce; empty if the transport has none. */
  readonly binding: Uint8Array
  /** Returns when the bytes are accepted and the far end reads fast enough; fails `closed` once the link is gone. */
  send(bytes: Uint8Array): Effect.Effect<void, TransportError>
  /** What arrives, with back-pressure: nothing is read ahead of the consumer beyond a bounded buffer. Ends on close. */
  readonly receive: Stream.Stream<Uint8Array, TransportError>
  /** Sends what is pending, then closes; bounded in time. Idempotent, never fails. */
  readonly close: Effect.Effect<void>
  /** Drops the link at once. Idempotent, never fails. */
  readonly abort: Effect.Effect<void>
}

/**
 * Whom to dial: whoever announces a topic, or one transport key directly. 32 bytes each. `hints` are addresses where the
 * holder of the key was met, the likeliest first: they are tried without a lookup, and before it. A wrong one costs a
 * bounded time, and never brings a link to another key.
 */
export type DialTarget =
  | { readonly kind: "topic"; readonly topic: Uint8Array }
  | { readonly kind: "key"; readonly key: Uint8Array; readonly hints?: ReadonlyArray<Address> }

/** Keys that one lookup gives at most: whoever floods a topic costs no more. */
export const lookupKeysMax = 1_024

export interface TransportShape {
  /** Our own transport key, 32 bytes. */
  readonly localKey: Uint8Array
  /** Every new link, dialled or accepted, each exactly once. One consumer. When it is slow, new links are shed. */
  readonly links: Stream.Stream<Link>
  /** Makes us findable under a topic until `withdraw`; returns once announced. Announcing twice is announcing once. */
  announce(topic: Uint8Array): Effect.Effect<void, TransportError>
  /** Takes an announcement back. */
  withdraw(topic: Uint8Array): Effect.Effect<void>
  /**
   * Looks a target up and connects to what it finds; returns when this attempt is over, whatever came of it. Links
   * appear in `links`. An existing link to the same transport key is kept, not doubled. Bounded in time.
   */
  dial(target: DialTarget): Effect.Effect<void, TransportError>
  /**
   * The transport keys that announce a topic now, as far as the network tells: unproven, ours not among them, in no order,
   * at most `lookupKeysMax`. Dials nobody. Bounded in time; what was found until then counts. Fails `unreachable` when the
   * network did not answer at all.
   */
  lookup(topic: Uint8Array): Effect.Effect<ReadonlyArray<Uint8Array>, TransportError>
  /** Refuses links with a transport key, both ways, and drops open ones; until `unblock` or the end of the process. */
  block(remoteKey: Uint8Array): Effect.Effect<void>
  /** Takes a block back: the key can connect again at once. */
  unblock(remoteKey: Uint8Array): Effect.Effect<void>
}

export class Transport extends Context.Service<Transport, TransportShape>()("ports/Transport") {}
