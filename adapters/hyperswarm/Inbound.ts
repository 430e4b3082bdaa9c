/**
 * The reading half of a link: what arrived and was not taken yet, and who waits for it.
 * It never holds more than the window, and never trusts the far end to keep to it.
 * What was taken is credited back in halves of the window: seldom enough to be cheap, soon enough never to stop a sender.
 */
import { Cause, Effect } from "effect"
import { messageCost, windowCost } from "./Flow.ts"

export interface Inbound {
  /** Takes what arrived; `false` if that is more than we allowed. */
  take(payload: Uint8Array): boolean
  /** Nothing more will arrive; what is buffered can still be pulled. */
  end(): void
  /** Nobody will pull any more: drops what is there and what still comes. */
  discard(): void
  /** What arrived, in one piece; waits if nothing did. One consumer. */
  readonly pull: Effect.Effect<readonly [Uint8Array], Cause.Done>
}

/** Joins payloads into bytes of our own: each is a window on a 64 KiB slab, which it would keep alive. */
const joined = (payloads: ReadonlyArray<Uint8Array>): Uint8Array => {
  let length = 0
  for (const payload of payloads) length += payload.length
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const payload of payloads) {
    bytes.set(payload, offset)
    offset += payload.length
  }
  return bytes
}

/** `credit` is told, from time to time, how much cost has been taken. */
export const makeInbound = (credit: (cost: number) => void): Inbound => {
  let payloads: Array<Uint8Array> = []
  let bufferedCost = 0
  let owedCost = 0
  let ended = false
  let discarding = false
  let wake: (() => void) | undefined

  const awaken = () => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  const settle = () => {
    owedCost += bufferedCost
    bufferedCost = 0
    payloads = []
    if (owedCost < windowCost / 2) return
    credit(owedCost)
    owedCost = 0
  }
  const take = (payload: Uint8Array): boolean => {
    bufferedCost += messageCost(payload.length)
    if (bufferedCost + owedCost > windowCost) return false
    if (discarding) settle()
    else {
      payloads.push(payload)
      awaken()
    }
    return true
  }
  const end = () => {
    ended = true
    awaken()
  }
  const discard = () => {
    discarding = true
    settle()
    end()
  }
  const arrival = Effect.callback<void>((resume) => {
    wake = () => resume(Effect.void)
    return Effect.sync(() => {
      wake = undefined
    })
  })
  const pull: Inbound["pull"] = Effect.suspend(() => {
    if (payloads.length > 0) {
      const bytes = joined(payloads)
      settle()
      return Effect.succeed([bytes] as const)
    }
    return ended ? Cause.done() : Effect.andThen(arrival, pull)
  })
  return { take, end, discard, pull }
}
