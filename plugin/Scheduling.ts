/**
 * When a fiber that can go on does: at the end of what runs now, not a round of the event loop later.
 * A message passes from fiber to fiber half a dozen times at each end, and each round costs it as much as its signature.
 * It never keeps the event loop from its sockets: after so many in a row one does wait for the next round.
 */
import { Scheduler } from "effect"

/** Dispatches at once before one waits for the loop; each runs all that can go on then. */
const atOnceMax = 32

/** Cancels nothing: what has nothing to do any more when its time comes does nothing. */
const never = () => {}

/** A scheduler of its own for each node, so that no two share a count. */
export const make = (): Scheduler.Scheduler => {
  let atOnce = 0
  const beginRound = () => {
    atOnce = 0
  }
  return new Scheduler.MixedScheduler("async", (run) => {
    if (atOnce < atOnceMax) {
      // The count starts anew with each round, in which sockets and timers have had their turn.
      if (atOnce === 0) setImmediate(beginRound)
      atOnce++
      queueMicrotask(run)
      return never
    }
    const waiting = setImmediate(run)
    return () => clearImmediate(waiting)
  })
}
