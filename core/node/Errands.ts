/**
 * Errands under way: dialled like a friend is, said to whoever answers for the key, and ended once with one outcome.
 * It never knows what a kind of errand wants; its row in the table here says how it is asked and what a refusal ends it as.
 * Nothing is sent twice on one link, and on every new link it is said again: the other side answers alike each time.
 */
import { HashMap, Result } from "effect"
import * as Base64url from "../bytes/Base64url.ts"
import type * as Errand from "../friend/Errand.ts"
import * as Invite from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Message, Reject } from "../wire/Message.ts"
import type { Event } from "./Event.ts"
import * as Guests from "./Guests.ts"
import type { Turn } from "./Input.ts"
import type { Output } from "./Output.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

/** What a kind of errand says on a link that has just opened to whom it is meant for, and how a stranger's end ends it. */
interface Kind<E extends Errand.Errand> {
  readonly words: (state: State.State, errand: E, opened: State.Opened, turn: Turn) => ReadonlyArray<Message>
  /** Null: it does not. The other side may not have heard yet what would let us in, and is asked again. */
  readonly turnedAwayAs: Rejection.Code | null
}
const kinds: { readonly [K in Errand.Errand["kind"]]: Kind<Extract<Errand.Errand, { readonly kind: K }>> } = {
  claim: {
    words: (state, { id, proofKey }, { handshakeHash }, { pure }) => {
      const proof = Base64url.encode(Invite.proof(pure, proofKey, handshakeHash, "claim"))
      return [{ kind: "Claim", id, proof, name: state.self.name }]
    },
    // Whoever has no invite at all any more knows nobody who is no friend.
    turnedAwayAs: "invite-refused"
  },
  connect: {
    words: ({ self }, { id, in: topic, note }) => [
      { kind: "ConnectRequest", id, name: self.name, ...(note === "" ? {} : { note }), topic }
    ],
    turnedAwayAs: "not-a-friend"
  },
  introduced: {
    words: ({ self }, { id }) => [{ kind: "ConnectRequest", id, name: self.name }],
    turnedAwayAs: null
  }
}

/** Adds an errand; it is dialled in the same turn. Refused with `errands-full`. */
export const add = (
  state: State.State,
  errand: Errand.Errand,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> => {
  const { errands } = state.durable
  if (Table.size(errands) >= Limits.errandsMax) return Result.fail(Rejection.make("errands-full"))
  const added = State.withDurable(state, { errands: Table.set(errands, errand.id, errand) })
  return Result.succeed(
    State.chain(
      added,
      ...Guests.linksTo(added, errand).map(
        (connection) => (current: State.State) => say(current, connection, [errand], turn)
      ),
      (current) => dialIfDue(current, errand, turn)
    )
  )
}

/** Says errands on a link. */
const say = (
  state: State.State,
  connection: string,
  errands: ReadonlyArray<Errand.Errand>,
  turn: Turn
): State.Stepped => {
  const opened = Guests.openedAt(state, connection)
  if (opened === undefined) return [state, []]
  const messages = errands
    .flatMap((errand) => (kinds[errand.kind] as Kind<Errand.Errand>).words(state, errand, opened, turn))
    .map((message) => ({ message }))
  return [state, messages.length === 0 ? [] : [{ _tag: "Transmit", connection, messages }]]
}

/** A link has opened: if it is one that stays, whatever we want of its far end is said. */
export const onOpened = (state: State.State, opened: State.Opened, turn: Turn): State.Stepped => {
  const { connection } = opened
  const current = Guests.openedAt(state, connection)
  if (current === undefined) return [state, []]
  const errands = Guests.errandsOf(state, current)
  return say(errands.reduce(followed(current), state), connection, errands, turn)
}

/** A member that we ask has another key now: asking it under that one is the same request. */
const followed =
  ({ peer }: State.Opened) =>
  (state: State.State, errand: Errand.Errand): State.State =>
    errand.kind !== "connect" || (errand.current ?? errand.key) === peer.signer.key
      ? state
      : State.withDurable(state, {
          errands: Table.set(state.durable.errands, errand.id, { ...errand, current: peer.signer.key })
        })

/** The far end refuses the whole session. What passes is tried again, like with a friend; the rest ends the errand. */
export const onReject = (state: State.State, opened: State.Opened, reject: Reject, turn: Turn): State.Stepped => {
  const over = reject.code === "not-a-friend"
  return State.chain(
    state,
    ...Guests.errandsOf(state, opened).map((errand) => (current: State.State) => {
      const { turnedAwayAs } = kinds[errand.kind]
      if (over && turnedAwayAs === null) return Sending.pause(current, errand.peerId, Limits.connectAgainMs, turn)
      if (over && turnedAwayAs !== null) {
        return end(current, errand, Rejection.make(turnedAwayAs, "said by the peer"))
      }
      return Sending.pause(current, errand.peerId, reject.retryAfterMs ?? Limits.dialPauseMaxMs, turn)
    })
  )
}

/** The one outcome of an errand: null is that it was answered. A second one changes nothing. */
export const end = (
  state: State.State,
  errand: Errand.Errand,
  rejection: Rejection.Rejection | null
): State.Stepped => {
  const { id, key, kind, peerId } = errand
  if (!Table.has(state.durable.errands, id)) return [state, []]
  const ended = State.withDurable(state, { errands: Table.remove(state.durable.errands, id) })
  const needed =
    Table.has(state.durable.roster.friends, peerId) ||
    Table.values(ended.durable.errands).some((other) => other.peerId === peerId)
  const contacts = needed ? state.passing.contacts : HashMap.remove(state.passing.contacts, peerId)
  const wanted = { id, kind, key }
  const event: Event =
    rejection === null ? { _tag: "ErrandAnswered", ...wanted } : { _tag: "ErrandRefused", ...wanted, rejection }
  return [State.withPassing(ended, { contacts }), [{ _tag: "Tell", event }]]
}

/** What time brings about: errands that were not answered in time end, the others are dialled when that is due. */
export const tick = (state: State.State, turn: Turn): State.Stepped => {
  if (Table.size(state.durable.errands) === 0) return [state, []]
  return State.chain(
    state,
    ...Table.values(state.durable.errands).map((errand) => (current: State.State) => {
      if (errand.expiresAtMs <= turn.nowMs) return end(current, errand, Rejection.make("errand-expired"))
      return dialIfDue(current, errand, turn)
    })
  )
}

/** Dials the holder of a key, as the friend it is or was, or as a stranger, unless a link leads there already. */
const dialIfDue = (state: State.State, errand: Errand.Errand, turn: Turn): State.Stepped => {
  if (Guests.linksTo(state, errand).length > 0) return [state, []]
  const { key, peerId } = errand
  const contact = State.contact(state, peerId)
  if (contact.dialing || turn.nowMs < Math.max(contact.nextDialMs, contact.pausedUntilMs)) return [state, []]
  const swarmKey = Roster.byKey(state.durable.roster, key)?.swarmKey
  const dial: Output = { _tag: "Dial", peerId, identityKey: key, swarmKey }
  return [State.withContact(state, peerId, { dialing: true }), [dial]]
}

/** When the next errand is to be dialled, or ends; never if there is none. */
export const nextMs = (state: State.State): number => {
  let next = Number.POSITIVE_INFINITY
  for (const errand of HashMap.values(state.durable.errands.entries)) {
    const { dialing, nextDialMs, pausedUntilMs } = State.contact(state, errand.peerId)
    const isReached = dialing || Guests.linksTo(state, errand).length > 0
    next = Math.min(next, errand.expiresAtMs, isReached ? next : Math.max(nextDialMs, pausedUntilMs))
  }
  return next
}
