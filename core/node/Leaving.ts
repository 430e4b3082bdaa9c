/**
 * The last words in a topic that we have left: signed, and said to whoever we can still reach, for a minute.
 * It never keeps us in the topic: nobody finds us there any more, and what members say there is not heard.
 * It is kept over a crash, because a member that nobody told goes on believing us there for as long as our profile lasts.
 */
import { HashMap, Option } from "effect"
import type { Profile } from "../discovery/Profile.ts"
import type * as Topic from "../discovery/Topic.ts"
import type { RemoteSwarmKey } from "../identity/Keys.ts"
import * as Limits from "../Limits.ts"
import * as Table from "../Table.ts"
import * as Guests from "./Guests.ts"
import type { Turn } from "./Input.ts"
import * as Members from "./Members.ts"
import type { Output } from "./Output.ts"
import * as State from "./State.ts"

const at = (state: State.State, hash: string): State.Leaving | undefined =>
  Option.getOrUndefined(HashMap.get(state.passing.leaving, hash))

const withLeaving = (state: State.State, next: State.Leaving): State.State =>
  State.withPassing(state, { leaving: HashMap.set(state.passing.leaving, next.joined.hash, next) })

/** Begins to tell: the last profile is to be signed, and members that we do not know of are looked for. */
export const begin = (
  state: State.State,
  joined: Topic.Joined,
  known: ReadonlyArray<string>,
  turn: Turn
): State.Stepped => {
  const last = { ...joined, version: Math.max(turn.nowMs, joined.version + 1) }
  const leaving: State.Leaving = {
    joined: last,
    wire: undefined,
    keys: known.slice(0, Limits.topicLeaveToldMax),
    told: [],
    nextMs: turn.nowMs + Limits.topicFarewellAgainMs,
    untilMs: turn.nowMs + Limits.topicFarewellMs
  }
  const left = Table.set(state.durable.left, last.hash, last)
  return [
    withLeaving(State.withDurable(state, { left }), leaving),
    [
      { _tag: "SignProfile", joined: last, content: null, issuedMs: turn.nowMs },
      { _tag: "LookUp", topic: last.hash }
    ]
  ]
}

/** Nobody is told any more: it is long enough, or we are back. */
export const end = (state: State.State, hash: string): State.State =>
  at(state, hash) === undefined && !Table.has(state.durable.left, hash)
    ? state
    : State.withPassing(State.withDurable(state, { left: Table.remove(state.durable.left, hash) }), {
        leaving: HashMap.remove(state.passing.leaving, hash)
      })

/** Tells these: on the link there is, also a friend's, or by a dial. */
const tellAll = (state: State.State, topic: string, keys: ReadonlyArray<string>): State.Stepped =>
  State.chain(
    state,
    ...keys.map((key) => (current: State.State): State.Stepped => {
      const connection = Members.linkTo(current, key)
      const dial: Output = { _tag: "DialMember", swarmKey: key as RemoteSwarmKey }
      return connection === undefined ? [current, [dial]] : sayOn(current, connection, topic)
    })
  )

/** The last profile is signed: everybody linked in the topic hears it, and the others are dialled. */
export const onSigned = (state: State.State, { topic, wire }: Profile): State.Stepped => {
  const leaving = at(state, topic)
  if (leaving === undefined) return [state, []]
  return State.chain(
    withLeaving(state, { ...leaving, wire }),
    ...Members.linksIn(state, topic).map((connection) => (current: State.State) => sayOn(current, connection, topic)),
    (current) => tellAll(current, topic, at(current, topic)?.keys ?? [])
  )
}

/** More members were found who do not know yet. */
export const onFound = (state: State.State, topic: string, keys: ReadonlyArray<string>): State.Stepped => {
  const leaving = at(state, topic)
  if (leaving === undefined) return [state, []]
  const { told, wire } = leaving
  const room = Math.max(0, Limits.topicLeaveToldMax - told.length - leaving.keys.length)
  const fresh = keys.filter((key) => !told.includes(key) && !leaving.keys.includes(key)).slice(0, room)
  const more = withLeaving(state, { ...leaving, keys: [...leaving.keys, ...fresh] })
  return wire === undefined ? [more, []] : tellAll(more, topic, fresh)
}

/** Says on a link that we have left; whoever is on it need not be told again. */
const sayOn = (state: State.State, connection: string, topic: string): State.Stepped => {
  const leaving = at(state, topic)
  const swarmKey = Guests.openedAt(state, connection)?.peer.value.swarmKey as string | undefined
  if (leaving?.wire === undefined || swarmKey === undefined) return [state, []]
  const { keys, told, wire } = leaving
  const next = { ...leaving, keys: keys.filter((key) => key !== swarmKey), told: [...told, swarmKey] }
  return Members.sayLeft(withLeaving(state, next), connection, topic, wire)
}

/** A link has opened to somebody who is to be told. */
export const onOpened = (state: State.State, opened: State.Opened): State.Stepped => {
  const swarmKey = opened.peer.value.swarmKey as string
  const topics = [...state.passing.leaving].filter(([, { keys }]) => keys.includes(swarmKey)).map(([hash]) => hash)
  return State.chain(
    state,
    ...topics.sort().map((hash) => (current: State.State) => sayOn(current, opened.connection, hash))
  )
}

/** What time brings about: whoever was not reached is dialled again, until it is long enough. */
export const tick = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    state,
    ...[...HashMap.values(state.passing.leaving)]
      .sort((a, b) => (a.joined.hash < b.joined.hash ? -1 : 1))
      .map((leaving) => (current: State.State): State.Stepped => {
        if (leaving.untilMs <= turn.nowMs) return [end(current, leaving.joined.hash), []]
        if (leaving.nextMs > turn.nowMs || leaving.wire === undefined) return [current, []]
        const next = { ...leaving, nextMs: turn.nowMs + Limits.topicFarewellAgainMs }
        return tellAll(withLeaving(current, next), leaving.joined.hash, leaving.keys)
      })
  )

/** When something of this is due; never if we have left nothing lately. */
export const nextMs = (state: State.State): number => {
  let next = Number.POSITIVE_INFINITY
  for (const leaving of HashMap.values(state.passing.leaving)) {
    next = Math.min(next, leaving.untilMs, leaving.wire === undefined ? next : leaving.nextMs)
  }
  return next
}
