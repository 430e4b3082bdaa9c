/**
 * The end of a friendship, whoever ends it: grants, queue, calls and running jobs go, the record stays as Former.
 * It never tells the peer; whoever ends it on our side queues the word, and only that word is left to say.
 * It is apart from Friending because it needs every room that holds something of a friend, and friending does not.
 */
import { HashMap } from "effect"
import * as Grants from "../admission/Grants.ts"
import * as Inbox from "../delivery/Inbox.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Friendship from "../friend/Friendship.ts"
import * as Invite from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import * as Name from "../identity/Name.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Answering from "./Answering.ts"
import * as Errands from "./Errands.ts"
import type { Turn } from "./Input.ts"
import * as Outcomes from "./Outcomes.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

/**
 * The friendship ends here and now, with everything granted, waiting and running. A friend of whom we have to take leave
 * still gets the word: the session stays for it, and lets nothing else in.
 */
export const part = (state: State.State, friend: Roster.Friend, by: "operator" | "peer", turn: Turn): State.Stepped => {
  const { name, peerId } = friend
  const rejection =
    by === "operator" ? Rejection.make("cancelled", "unfriended") : Rejection.make("not-a-friend", "said by the peer")
  const calls = (current: State.State) => Table.values(current.durable.calls).filter((call) => call.peerId === peerId)
  return State.chain(
    state,
    (current) => Answering.stopAll(current, peerId, "revoked", turn),
    (current) => [end(by === "operator" ? barred(current, friend) : current, friend), []],
    (current) => (by === "operator" ? called(current, friend) : [current, []]),
    (current) => Trusting.change(current, peerId, "ends", turn),
    (current) => Sending.onTurnedAway(current, peerId, rejection, turn),
    (current) =>
      State.chain(
        current,
        ...calls(current).map((call) => (before: State.State) => Outcomes.endCall(before, call, rejection, turn))
      ),
    (current) => [current, [{ _tag: "Tell", event: { _tag: "FriendshipEnded", peerId, name, by } }]]
  )
}

/** What we still want of whom the operator sends away: an answer to it would bring them back, and we would go on dialling. */
const called = (state: State.State, { earlier = [], identityKey, peerId }: Roster.Friend): State.Stepped => {
  const keys = new Set([identityKey, ...earlier.map(({ key }) => key)])
  const wanted = Table.values(state.durable.errands).filter((one) => one.peerId === peerId || keys.has(one.key))
  return State.chain(
    state,
    ...wanted.map(
      (one) => (current: State.State) => Errands.end(current, one, Rejection.make("cancelled", "unfriended"))
    )
  )
}

/** Nothing brings back whom the operator sends away but a new word of the operator's: no invite that is open already. */
const barred = (state: State.State, { peerId }: Roster.Friend): State.State => {
  const invites = Invite.barFrom(state.durable.invites, peerId)
  return invites === state.durable.invites ? state : State.withDurable(state, { invites })
}

/**
 * Forgets a former friend for whom there is no room any more, with all that is kept of it, whatever room that is in. A ban
 * stays: it has an end of its own.
 */
export const forget = (state: State.State, former: Roster.Friend | undefined): State.Stepped => {
  if (former === undefined) return [state, []]
  const { peerId } = former
  const { budgets, holdRules, inbox, jobs, outbox, roster, spents } = state.durable
  const { contacts, controlBudgets } = state.passing
  const forgotten = State.withDurable(State.withRoster(state, { friends: Table.remove(roster.friends, peerId) }), {
    budgets: Table.remove(budgets, peerId),
    spents: Table.remove(spents, peerId),
    holdRules: Table.remove(holdRules, peerId),
    inbox: Inbox.forget(inbox, peerId),
    jobs: Table.removeWhere(jobs, (job) => job.peerId === peerId),
    outbox: Outbox.forget(outbox, peerId)
  })
  const session = State.session(state, peerId)
  return [
    State.withPassing(forgotten, {
      contacts: HashMap.remove(contacts, peerId),
      controlBudgets: HashMap.remove(controlBudgets, peerId)
    }),
    session === undefined ? [] : [{ _tag: "HangUp", connection: session.connection, code: null }]
  ]
}

/**
 * The record stays as that of a former friend; grants and open requests go. So do requests of ours under that name: an
 * answer to one of them would bring back whom we have just sent away.
 */
const end = (state: State.State, friend: Roster.Friend): State.State => {
  const { peerId } = friend
  if (Friendship.next("Friend", "weEnd") !== "Former") throw new Error("a friendship cannot end")
  const friends = Table.set(state.durable.roster.friends, peerId, Roster.asFormer(friend))
  const askedBy = Table.removeWhere(state.durable.roster.askedBy, (request) => request.peerId === peerId)
  const asked = Table.removeWhere(state.durable.roster.asked, ({ to }) => Name.fold(to) === Name.fold(friend.name))
  return State.withDurable(State.withRoster(state, { friends, asked, askedBy }), {
    grants: Grants.withdrawAll(state.durable.grants, peerId)
  })
}
