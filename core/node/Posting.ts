/**
 * Our own friend lines on their way into a channel: wanted, signed, posted, and wanted again after a crash.
 * It never decides who becomes a friend and never sees a line of anybody else.
 * Apart from Friending because it begins where that has decided.
 */
import * as ReplayWindow from "../admission/ReplayWindow.ts"
import type * as Roster from "../friend/Roster.ts"
import * as Table from "../Table.ts"
import type { Input, Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

/** The wish for the line that tells a requester it was accepted. */
export const acceptance = (key: string, request: Roster.AskedBy & { readonly acceptedAtMs: number }): Output => ({
  _tag: "PostLine",
  kind: "accept",
  key,
  channel: request.channel,
  to: request.name,
  tsMs: request.acceptedAtMs,
  requestSignature: request.signature
})

/** The wish for the line that asks somebody. */
export const request = (key: string, asked: Roster.Asked): Output => ({
  _tag: "PostLine",
  kind: "request",
  key,
  channel: asked.channel,
  to: asked.to,
  tsMs: asked.tsMs,
  requestSignature: ""
})

/** A line of ours has its signature; an acceptance will name it. */
export const onSigned = (state: State.State, input: Extract<Input, { _tag: "LineSigned" }>): State.Stepped => {
  const asked = input.kind === "request" ? Table.get(state.durable.roster.asked, input.key) : undefined
  if (asked === undefined) return [state, []]
  const signed = { ...asked, signature: input.signature, key: state.self.identityKey }
  return [State.withRoster(state, { asked: Table.set(state.durable.roster.asked, input.key, signed) }), []]
}

/** A line of ours is in the channel, or could not be posted: then the record stays and the operator can try again. */
export const onPosted = (state: State.State, input: Extract<Input, { _tag: "LinePosted" }>): State.Stepped => {
  const { roster } = state.durable
  const { key, kind, rejection } = input
  const asked = Table.get(roster.asked, key)
  const askedBy = Table.get(roster.askedBy, key)
  const to = (kind === "request" ? asked?.to : askedBy?.name) ?? ""
  const channel = (kind === "request" ? asked?.channel : askedBy?.channel) ?? ""
  if (rejection !== null) {
    const event = { _tag: "LineNotPosted" as const, kind, to, channel, rejection }
    const left =
      kind === "accept" && askedBy !== undefined
        ? State.withRoster(state, { askedBy: Table.set(roster.askedBy, key, { ...askedBy, notPosted: true }) })
        : state
    return [left, [{ _tag: "Tell", event }]]
  }
  const next =
    kind === "accept"
      ? State.withRoster(state, { askedBy: Table.remove(roster.askedBy, key) })
      : asked === undefined
        ? state
        : State.withRoster(state, { asked: Table.set(roster.asked, key, { ...asked, posted: true }) })
  return [next, [{ _tag: "Tell", event: { _tag: "LinePosted", kind, to, channel } }]]
}

/** After a start: lines that were decided on and perhaps not posted are wanted again; a second copy is harmless. */
export const repost = (state: State.State, turn: Turn): State.Stepped => {
  const fresh = (tsMs: number) => ReplayWindow.freshness(tsMs, turn.nowMs) === undefined
  const requests = Table.pairs(state.durable.roster.asked)
    .filter(([, asked]) => !asked.posted && fresh(asked.tsMs))
    .map(([key, asked]) => request(key, asked))
  const accepts = Table.pairs(state.durable.roster.askedBy).flatMap(([key, request]) => {
    const { acceptedAtMs } = request
    if (acceptedAtMs === undefined) return []
    return [acceptance(key, { ...request, acceptedAtMs: fresh(acceptedAtMs) ? acceptedAtMs : turn.nowMs })]
  })
  return [state, [...requests, ...accepts]]
}
