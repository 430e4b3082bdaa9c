/**
 * Two ends of one link and the openings between them, played frame by frame through the shipped state machine.
 * It never repairs or retries: a frame goes through a hand that may change it, and each end says what it makes of it.
 * Everything is a value, so a law can go back to the moment before any frame and let something else happen.
 */
import { Result } from "effect"
import fc from "fast-check"
import { Frame, type Keys, Limits, Opening, type Rejection, type Seal } from "../../core/index.ts"
import type { CryptoShape } from "../../ports/Crypto.ts"
import { engines, entropyOf, identityOf, keysOf, sodium } from "./keys.ts"

export const nowMs = 1_700_000_000_000

const swarmKeyOf = (keys: Keys.LocalKeys): Uint8Array => sodium.ed25519PublicKey(keys.swarmSeed)

/** What an end works with, when it meets the holder of other keys on a link. */
export const localOf = (
  crypto: CryptoShape,
  keys: Keys.LocalKeys,
  remote: Keys.LocalKeys,
  entropy: Uint8Array,
  binding = "one link"
): Opening.Local => ({
  crypto,
  keys,
  swarmKey: swarmKeyOf(keys),
  binding: new TextEncoder().encode(binding),
  remoteSwarmKey: swarmKeyOf(remote),
  entropy
})

export interface Pair {
  readonly initiator: Opening.Local
  readonly responder: Opening.Local
}

/** The two ends of a link, with keys and entropy of a seed. */
export const pairOf = (seed: number, forInitiator = sodium, forResponder = sodium): Pair => {
  const [ours, theirs] = [keysOf(2 * seed), keysOf(2 * seed + 1)]
  return {
    initiator: localOf(forInitiator, ours, theirs, entropyOf("initiator", seed)),
    responder: localOf(forResponder, theirs, ours, entropyOf("responder", seed))
  }
}

export const pair: fc.Arbitrary<Pair> = fc
  .tuple(fc.nat(2 ** 20), fc.constantFrom(...engines), fc.constantFrom(...engines))
  .map((drawn) => pairOf(...drawn))

/** Where one end stands: it waits for a frame, has a session, or has refused the link. */
export interface End {
  readonly opening: Opening.Opening | undefined
  readonly reader: Frame.Reader
  readonly session: Seal.Session | undefined
  readonly refusal: Rejection.Rejection | undefined
}

type Side = "initiator" | "responder"

/** Both ends, and the bytes under way, oldest first. */
export interface Moment {
  readonly initiator: End
  readonly responder: End
  readonly underWay: ReadonlyArray<{ readonly to: Side; readonly bytes: Uint8Array }>
}

const waiting = (opening: Opening.Opening | undefined): End => ({
  opening,
  reader: Frame.reader,
  session: undefined,
  refusal: undefined
})

/** The first moment of a link: the initiator has spoken. `expected` is whom it dials; by default the responder. */
export const begin = ({ initiator, responder }: Pair, expected?: Opening.Expected): Moment => {
  const dialled = Result.getOrThrow(Opening.dial(initiator, expected ?? [{ key: identityOf(responder.keys) }]))
  return {
    initiator: waiting(dialled.opening),
    responder: waiting(Opening.accept(responder)),
    underWay: dialled.send.map((frame) => ({ to: "responder", bytes: Frame.encode(frame) }))
  }
}

const take = (end: End, bytes: Uint8Array): readonly [End, ReadonlyArray<Uint8Array>] => {
  if (end.refusal !== undefined || end.opening === undefined) return [end, []]
  const next = Frame.next(Frame.push(end.reader, bytes), Limits.openingFrameBytesMax)
  if (next.rejection !== undefined) return [{ ...end, refusal: next.rejection }, []]
  if (next.frame === undefined) return [{ ...end, reader: next.reader }, []]
  const progress = Opening.receive(end.opening, next.frame, nowMs)
  if (Result.isFailure(progress)) return [{ ...end, refusal: progress.failure }, []]
  const { opening, send, session } = progress.success
  return [{ opening, session, reader: next.reader, refusal: undefined }, send.map(Frame.encode)]
}

/** Delivers the oldest bytes under way, or others in their place. */
export const deliver = (moment: Moment, instead?: Uint8Array): Moment => {
  const [first, ...rest] = moment.underWay
  if (first === undefined) return moment
  const [end, replies] = take(moment[first.to], instead ?? first.bytes)
  const back: Side = first.to === "initiator" ? "responder" : "initiator"
  return { ...moment, [first.to]: end, underWay: [...rest, ...replies.map((bytes) => ({ to: back, bytes }))] }
}

/** Delivers everything until nothing is under way. */
export const settle = (moment: Moment): Moment => (moment.underWay.length === 0 ? moment : settle(deliver(moment)))

/** Every moment of an honest opening: before the preface, message 1, 2 and 3, and after. */
export const momentsOf = (pairOfEnds: Pair): ReadonlyArray<Moment> => {
  const moments = [begin(pairOfEnds)]
  for (let last = moments[0]!; last.underWay.length > 0; moments.push(last)) last = deliver(last)
  return moments
}

/** The sessions of both ends of an opening that succeeded. */
export const sessionsOf = (
  pairOfEnds: Pair
): { readonly initiator: Seal.Session; readonly responder: Seal.Session } => {
  const { initiator, responder } = settle(begin(pairOfEnds))
  if (initiator.session === undefined || responder.session === undefined) throw new Error("the opening did not succeed")
  return { initiator: initiator.session, responder: responder.session }
}
