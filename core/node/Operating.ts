/**
 * What our operator asks for: each command answered at once with an id or a refusal, its effects told later.
 * It never parses what was typed (the plugin does) and is the only way to a grant.
 * Commands change the same tables as peers' messages do, in the same turns, so there is no second truth.
 */
import { HashMap, Option, Result } from "effect"
import * as Grants from "../admission/Grants.ts"
import * as Requirement from "../admission/Requirement.ts"
import * as HoldRule from "../agent/HoldRule.ts"
import { utf8Length } from "../bytes/Bytes.ts"
import * as InjectChain from "../delivery/InjectChain.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Profile from "../discovery/Profile.ts"
import * as Invite from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import * as Name from "../identity/Name.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as Answering from "./Answering.ts"
import * as Comparing from "./Comparing.ts"
import * as Errands from "./Errands.ts"
import * as Farewell from "./Farewell.ts"
import * as Friending from "./Friending.ts"
import * as Holding from "./Holding.ts"
import type { Command, Turn } from "./Input.ts"
import * as Introducing from "./Introducing.ts"
import * as Inviting from "./Inviting.ts"
import * as Meeting from "./Meeting.ts"
import * as Parting from "./Parting.ts"
import * as Rotating from "./Rotating.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Topics from "./Topics.ts"
import * as Wishing from "./Wishing.ts"

type Outcome = Result.Result<State.Stepped, Rejection.Rejection>

/** Carries a command out, or refuses it; either way the operator gets exactly one reply. */
export const operate = (state: State.State, ref: string, command: Command, turn: Turn): State.Stepped => {
  if (command._tag === "CreateInvite") {
    const made = Inviting.create(state, command, turn)
    if (Result.isFailure(made)) return [state, [{ _tag: "Reply", ref, reply: { ok: false, rejection: made.failure } }]]
    const { link, stepped } = made.success
    return [stepped[0], [{ _tag: "Reply", ref, reply: { ok: true, id: Sending.messageId(turn), link } }, ...stepped[1]]]
  }
  const outcome = perform(state, command, turn)
  if (Result.isFailure(outcome)) {
    return [state, [{ _tag: "Reply", ref, reply: { ok: false, rejection: outcome.failure } }]]
  }
  const [next, outputs] = outcome.success
  return [next, [{ _tag: "Reply", ref, reply: { ok: true, id: begun(next, command, turn) } }, ...outputs]]
}

/** The id under which it will be told what came of a command: that of the errand that it began or found, else a new one. */
const begun = ({ durable }: State.State, command: Command, turn: Turn): string => {
  const fresh = Sending.messageId(turn)
  if (command._tag === "ClaimInvite") return Inviting.idOf(command.link, turn) ?? fresh
  if (command._tag !== "Connect" || Table.has(durable.errands, fresh)) return fresh
  const { keyPrefix, name } = command
  const before = Table.values(durable.errands).find(
    (one) =>
      one.kind === "connect" &&
      [one.key, one.current ?? one.key].some((key) =>
        Roster.isMeant({ name: one.name, identityKey: key }, name, keyPrefix)
      )
  )
  return before?.id ?? fresh
}

const perform = (state: State.State, command: Exclude<Command, { _tag: "CreateInvite" }>, turn: Turn): Outcome => {
  switch (command._tag) {
    case "Friend":
      return ask(state, command.channel, command.to, turn)
    case "Accept":
      return accept(state, command.name, command.keyPrefix, turn)
    case "Deny":
      return deny(state, command.name, command.keyPrefix)
    case "Unfriend":
      return unfriend(state, command.name, command.keyPrefix, turn)
    case "Confirm":
      return Result.flatMap(Roster.findFriend(state.durable.roster, command.name, command.keyPrefix), (friend) =>
        Rotating.confirm(state, friend, turn)
      )
    case "Verify":
    case "Unverify":
    case "Compare":
    case "Compared":
      return Result.flatMap(Roster.findFriend(state.durable.roster, command.name, command.keyPrefix), (friend) =>
        makeSure(state, friend, command, turn)
      )
    case "Require":
      return demand(state, command)
    case "Grant":
    case "Revoke":
      return changeGrant(state, command, turn)
    case "Message":
      return message(state, command, turn)
    case "Inject":
      return inject(state, command, turn)
    case "Cancel":
      return cancel(state, command.id, turn)
    case "Hold":
      return hold(state, command)
    case "Name":
      return call(state, command)
    case "Mute":
      return mute(state, command)
    case "Approve":
    case "Refuse":
      return (command._tag === "Approve" ? Holding.approve : Holding.refuse)(state, command.id, turn)
    case "ClaimInvite":
      return Inviting.claim(state, command.link, turn)
    case "RevokeInvite":
      return Inviting.revoke(state, command.id)
    case "JoinTopic":
      return Topics.join(state, command.topic, turn)
    case "LeaveTopic":
      return Topics.leave(state, command.topic, turn)
    case "SetProfile":
      return Result.map(Profile.parseContent(command.content), (content) => Topics.setProfile(state, content, turn))
    case "Connect":
      return Wishing.connect(state, command, turn)
    case "Introduce":
      return Introducing.introduce(state, command, turn)
    case "AddRule":
      return addRule(state, command.rule, turn)
    case "RemoveRule":
      return removeRule(state, command.id)
  }
}

const hold = (state: State.State, command: Extract<Command, { _tag: "Hold" }>): Outcome =>
  Result.map(Roster.findFriend(state.durable.roster, command.name, command.keyPrefix), ({ peerId }) => [
    State.withDurable(state, { holdRules: HoldRule.set(state.durable.holdRules, peerId, command.when) }),
    []
  ])

const makeSure = (
  state: State.State,
  friend: Roster.Friend,
  command: Extract<Command, { _tag: "Verify" | "Unverify" | "Compare" | "Compared" }>,
  turn: Turn
): Outcome => {
  switch (command._tag) {
    case "Verify":
      return Result.succeed(Comparing.fingerprints(state, friend, command.same, turn))
    case "Unverify":
      return Comparing.takeBack(state, friend, turn)
    case "Compare":
      return Comparing.begin(state, friend, turn)
    case "Compared":
      return Comparing.compared(state, friend, command.same, turn)
  }
}

const ask = (state: State.State, channel: string, to: string, turn: Turn): Outcome => {
  const name = Name.parse(to)
  return Result.isFailure(name) ? Result.fail(name.failure) : Friending.ask(state, channel, name.success, turn)
}

const demand = (state: State.State, { capability, trust }: Extract<Command, { _tag: "Require" }>): Outcome =>
  Result.succeed([
    State.withDurable(state, { requirements: Requirement.set(state.durable.requirements, capability, trust) }),
    []
  ])

const call = (state: State.State, command: Extract<Command, { _tag: "Name" }>): Outcome => {
  const { roster } = state.durable
  const called = Name.parse(command.called)
  if (Result.isFailure(called)) return Result.fail(called.failure)
  const friend = Roster.findFriend(roster, command.name, command.keyPrefix)
  return Result.map(
    Result.flatMap(friend, (found) => Roster.call(roster, found, called.success)),
    (named) => [State.withRoster(state, { friends: Table.set(roster.friends, named.peerId, named) }), []]
  )
}

const mute = (state: State.State, { keyPrefix, muted, name }: Extract<Command, { _tag: "Mute" }>): Outcome =>
  Result.map(Roster.findFriend(state.durable.roster, name, keyPrefix), ({ muted: _, ...friend }) => {
    const friends = Table.set(state.durable.roster.friends, friend.peerId, { ...friend, ...(muted ? { muted } : {}) })
    return [State.withRoster(state, { friends }), []]
  })

const accept = (state: State.State, name: string, keyPrefix: string, turn: Turn): Outcome =>
  Result.flatMap(
    Introducing.meant(state, name, keyPrefix, Roster.findAskedBy(state.durable.roster, name, keyPrefix, true)),
    ({ introductions: [introduced], request }) => {
      if (request !== undefined) {
        const key = Roster.askedByKey(request.channel, request.peerId)
        const room = request.connect === undefined ? Friending : Meeting
        return room.accept(state, key, request, "operator", turn)
      }
      return introduced === undefined
        ? Result.fail(Rejection.make("unknown-peer", name))
        : Introducing.accept(state, introduced, turn)
    }
  )

const deny = (state: State.State, name: string, keyPrefix: string): Outcome =>
  Result.map(
    Introducing.meant(state, name, keyPrefix, Roster.findAskedBy(state.durable.roster, name, keyPrefix)),
    ({ introductions, request }): State.Stepped => {
      const denied = Introducing.deny(state, introductions)
      if (request === undefined) return [denied, []]
      if (request.connect !== undefined) return Meeting.deny(denied, request)
      const askedBy = Table.remove(denied.durable.roster.askedBy, Roster.askedByKey(request.channel, request.peerId))
      return [State.withRoster(denied, { askedBy }), []]
    }
  )

const unfriend = (state: State.State, name: string, keyPrefix: string, turn: Turn): Outcome =>
  Result.map(Roster.findFriend(state.durable.roster, name, keyPrefix), (friend) =>
    State.chain(
      state,
      (current) => Parting.part(current, friend, "operator", turn),
      (current) => [Farewell.begin(current, friend.peerId, turn), []],
      (current) =>
        Sending.tell(current, friend.peerId, (place) => ({ kind: "Unfriend", ...place, of: friend.cameOf }), turn)
    )
  )

/** A message, inject or errand of ours, by its id or the beginning of it: given up, or its run at the peer stopped. */
const cancel = (state: State.State, id: string, turn: Turn): Outcome => {
  const entries = Table.values(state.durable.outbox.entries).filter(
    (entry) => Outbox.isSaid(entry.kind) && entry.id.startsWith(id)
  )
  const calls = Table.values(state.durable.calls).filter((call) => call.id.startsWith(id))
  const errands = Table.values(state.durable.errands).filter((errand) => errand.id.startsWith(id))
  const ids = new Set([...entries, ...calls, ...errands].map((one) => one.id))
  if (id === "" || ids.size !== 1) return Result.fail(Rejection.make("unknown-message", id))
  const errand = errands[0]
  if (errand !== undefined) return Result.succeed(Errands.end(state, errand, Rejection.make("cancelled")))
  // An introduction is two messages of one id.
  const waiting = entries.filter(({ withdrawn }) => withdrawn === undefined)
  if (entries.length > 0) {
    const withdrawals = waiting.map((entry) => (current: State.State) => Sending.withdraw(current, entry, turn))
    return Result.succeed(State.chain(state, ...withdrawals))
  }
  const call = calls[0]!
  const asked = (place: { readonly stream: string; readonly number: number }) =>
    ({ kind: "Cancel", ...place, id: call.id }) as const
  const peerId = call.peerId as PeerId
  // The friend is asked once, however often the operator says so while it is away.
  const isAsked = Outbox.entriesFor(state.durable.outbox, peerId).some(
    (one) => one.kind === "Cancel" && one.id === call.id
  )
  return Result.succeed(isAsked ? [state, []] : Sending.tell(state, peerId, asked, turn, call.id))
}

const changeGrant = (
  state: State.State,
  command: Extract<Command, { _tag: "Grant" | "Revoke" }>,
  turn: Turn
): Outcome =>
  Result.map(Roster.findFriend(state.durable.roster, command.name, command.keyPrefix), ({ peerId }) => {
    const { grants } = state.durable
    const { capability } = command
    const granting = command._tag === "Grant"
    const changed = granting
      ? Grants.allow(grants, peerId, Grants.own, capability, turn.nowMs)
      : Grants.withdraw(grants, peerId, Grants.own, capability)
    const capabilities = Grants.held(changed, peerId, Grants.own, turn.nowMs)
    const invites = granting ? state.durable.invites : Invite.barFrom(state.durable.invites, peerId)
    return State.chain(
      State.withDurable(state, { grants: changed, invites }),
      // Whatever is withdrawn, `inject` is gone with it: nothing of this peer may go on running, or be answered.
      (current) => (granting ? [current, []] : Answering.stopAll(current, peerId, "revoked", turn)),
      (current) => (granting ? [current, []] : Answering.takeBackAll(current, peerId, "revoked", turn)),
      (current) => Sending.tellGrants(current, peerId, capabilities, turn)
    )
  })

const message = (state: State.State, command: Extract<Command, { _tag: "Message" }>, turn: Turn): Outcome => {
  const { text } = command
  if (text.trim() === "") return Result.fail(Rejection.make("text-empty"))
  const friend = Roster.findFriend(state.durable.roster, command.name, command.keyPrefix)
  if (Result.isFailure(friend)) return Result.fail(friend.failure)
  const draft: Outbox.Draft = {
    id: Sending.messageId(turn),
    textBytes: utf8Length(text),
    expiresAtMs: turn.nowMs + Limits.outboxAgeMs,
    make: (place) => ({ kind: "Log", ...place, text })
  }
  return Sending.enqueue(state, friend.success.peerId, draft, turn)
}

/** The state after a tool has made one inject to this peer, or why it may not. */
const drawForTool = (
  state: State.State,
  peerId: PeerId,
  turn: Turn
): Result.Result<State.State, Rejection.Rejection> => {
  const { controlBudgets, rates, toolBudget } = state.passing
  const left = { ofPeer: Option.getOrElse(HashMap.get(controlBudgets, peerId), () => ({})), ofAll: toolBudget }
  return Result.map(InjectChain.admit(state.durable.jobs, peerId, left, turn.nowMs, rates), ({ ofAll, ofPeer }) =>
    State.withPassing(state, { controlBudgets: HashMap.set(controlBudgets, peerId, ofPeer), toolBudget: ofAll })
  )
}

const inject = (state: State.State, command: Extract<Command, { _tag: "Inject" }>, turn: Turn): Outcome => {
  const { text } = command
  if (text.trim() === "") return Result.fail(Rejection.make("text-empty"))
  const friend = Roster.findFriend(state.durable.roster, command.name, command.keyPrefix)
  if (Result.isFailure(friend)) return Result.fail(friend.failure)
  if (Sending.isHeld(friend.success)) return Result.fail(Rejection.make("key-doubtful", command.name))
  const { peerId } = friend.success
  const allowed = command.byTool === true ? drawForTool(state, peerId, turn) : Result.succeed(state)
  if (Result.isFailure(allowed)) return Result.fail(allowed.failure)
  const id = Sending.messageId(turn)
  // What a tool was given may be no number at all; a message carries a whole one, and who names none waits the longest.
  const askedMs = Number.isNaN(command.waitMs) ? Limits.injectWaitMs : command.waitMs
  const waitMs = Math.ceil(Math.min(Math.max(1, askedMs), Limits.injectWaitMs))
  const deadlineMs = turn.nowMs + waitMs
  const mayHold = command.mayHold === undefined ? {} : { mayHold: command.mayHold }
  const draft: Outbox.Draft = {
    id,
    textBytes: utf8Length(text),
    expiresAtMs: deadlineMs,
    make: (place) => ({ kind: "Inject", ...place, id, text, timeLimitMs: waitMs, ...mayHold })
  }
  const call = { id, peerId, askedAtMs: turn.nowMs, deadlineMs }
  const waiting = State.withDurable(allowed.success, { calls: Table.set(state.durable.calls, id, call) })
  return Sending.enqueue(waiting, peerId, draft, turn)
}

const addRule = (state: State.State, rule: Extract<Command, { _tag: "AddRule" }>["rule"], turn: Turn): Outcome => {
  const { rules } = state.durable.roster
  if (Table.size(rules) >= Limits.autoAcceptRulesMax) return Result.fail(Rejection.make("rules-full"))
  const id = Sending.messageId(turn).slice(0, 8)
  return Result.succeed([State.withRoster(state, { rules: Table.set(rules, id, { ...rule, id }) }), []])
}

const removeRule = (state: State.State, id: string): Outcome => {
  const { rules } = state.durable.roster
  return Table.has(rules, id)
    ? Result.succeed([State.withRoster(state, { rules: Table.remove(rules, id) }), []])
    : Result.fail(Rejection.make("unknown-rule"))
}
