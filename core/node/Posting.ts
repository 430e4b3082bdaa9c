/**
 * Our own friend lines on their way into a channel: wanted, signed, posted, and wanted again after a crash.
 * It never decides who becomes a friend and never sees a line of anybody else.
 * Apart from Friending because it begins where that has decided.
 */
import * as ReplayWindow from "../admission/ReplayWindow.ts"
import type * as Roster from "../friend/Roster.ts"
import * as Rejection from "../Rejection.ts"
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
  // A request that came after ours was decided on lies under the same key: this line does not speak of it.
  const waiting = Table.get(roster.askedBy, key)
  const askedBy = waiting?.acceptedAtMs === undefined ? undefined : waiting
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
      ? askedBy === undefined
        ? state
        : State.withRoster(state, { askedBy: Table.remove(roster.askedBy, key) })
      : asked === undefined
        ? state
        : State.withRoster(state, { asked: Table.set(roster.asked, key, { ...asked, posted: true }) })
  return [next, [{ _tag: "Tell", event: { _tag: "LinePosted", kind, to, channel } }]]
}

/**
 * After a start: lines that were decided on and perhaps not posted are wanted again; a second copy is harmless. Not so one
 * that another key of ours was to sign: posted once under each, it would look like two who answer for one.
 */
export const repost = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    state,
    (current) => giveUpOutdated(current),
    (current) => [current, wantedAgain(current, turn)]
  )

/** The outdated ones are told; a request may still be answered, an acceptance has done what it could. */
const giveUpOutdated = (state: State.State): State.Stepped => {
  const { asked, askedBy } = state.durable.roster
  const isOutdated = (key: string | undefined) => key !== undefined && key !== state.self.identityKey
  const requests = Table.pairs(asked).filter(([, one]) => !one.posted && isOutdated(one.key))
  const accepts = Table.pairs(askedBy).filter(
    ([, one]) => one.acceptedAtMs !== undefined && isOutdated(one.acceptedKey)
  )
  const told = (kind: "request" | "accept", to: string, channel: string): Output => {
    const rejection = Rejection.make("line-outdated")
    return { _tag: "Tell", event: { _tag: "LineNotPosted", kind, to, channel, rejection } }
  }
  return [
    State.withRoster(state, {
      asked: requests.reduce((left, [key, one]) => Table.set(left, key, { ...one, posted: true }), asked),
      askedBy: accepts.reduce((left, [key]) => Table.remove(left, key), askedBy)
    }),
    [
      ...requests.map(([, one]) => told("request", one.to, one.channel)),
      ...accepts.map(([, one]) => told("accept", one.name, one.channel))
    ]
  ]
}

const wantedAgain = (state: State.State, turn: Turn): ReadonlyArray<Output> => {
  const fresh = (tsMs: number) => ReplayWindow.freshness(tsMs, turn.nowMs) === undefined
  const requests = Table.pairs(state.durable.roster.asked)
    .filter(([, asked]) => !asked.posted && fresh(asked.tsMs))
    .map(([key, asked]) => request(key, asked))
  const accepts = Table.pairs(state.durable.roster.askedBy).flatMap(([key, request]) => {
    const { acceptedAtMs } = request
    if (acceptedAtMs === undefined) return []
    return [acceptance(key, { ...request, acceptedAtMs: fresh(acceptedAtMs) ? acceptedAtMs : turn.nowMs })]
  })
  return [...requests, ...accepts]
}
