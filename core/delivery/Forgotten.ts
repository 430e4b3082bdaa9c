/**
 * What a peer has forgotten of what it had confirmed, as its greeting shows: its disk is older than it was.
 * It never takes a number that nobody answered for as a proof; one that was given up may never have arrived.
 * Apart from the outbox, because it is about what has left it.
 */
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import type { Skip } from "../wire/Message.ts"
import * as Outbox from "./Outbox.ts"

/** How far a peer says that its memory of a stream reaches: all up to the mark, and the highest number it knows at all. */
export interface Reach {
  readonly mark: number
  readonly top: number
}

/**
 * The numbers that are settled here and lie above the marks a peer names. `settled`: the peer has answered for the last of
 * them and does not know it any more, so its disk is older than it was; if not, they may have been given up unseen. Of the
 * stream before this one only those matter that something sent and not settled lies above, and their answers are not told
 * apart any more.
 */
export const by = (
  outbox: Outbox.Outbox,
  peerId: PeerId,
  reachOf: (stream: string) => Reach
): ReadonlyArray<Omit<Skip, "kind">> => {
  const lane = Table.get(outbox.lanes, peerId)
  if (lane === undefined) return []
  const places = Outbox.entriesFor(outbox, peerId).flatMap((entry) => entry.place ?? [])
  const settledUpTo = (stream: string): number => {
    const unsettled = places.flatMap((one) => (one.stream === stream ? one.number : []))
    if (unsettled.length > 0) return Math.min(...unsettled) - 1
    return stream === lane.stream ? lane.next - 1 : 0
  }
  return [lane.previous, lane.stream].flatMap((stream) => {
    if (stream === undefined) return []
    const [{ mark, top }, to] = [reachOf(stream), settledUpTo(stream)]
    if (mark >= to) return []
    const settled = stream === lane.stream ? { settled: to > Math.max(top, lane.unanswered ?? 0) } : {}
    return [{ stream, from: mark + 1, to, ...settled }]
  })
}
