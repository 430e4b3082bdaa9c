/**
 * Questions that wait for the owner: held at once and durably, told to the caller, approved, refused or expired, once each.
 * It never lets time approve anything, nor a question run that was changed, whose grant is gone, or whose friend is doubted.
 * A held question keeps its text, so that what is approved is what was asked.
 */
import { Result } from "effect"
import * as Grants from "../admission/Grants.ts"
import * as HoldRule from "../agent/HoldRule.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Roster from "../friend/Roster.ts"
import * as Trust from "../friend/Trust.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Held, Inject } from "../wire/Message.ts"
import * as Answering from "./Answering.ts"
import * as Decisions from "./Decisions.ts"
import type { Turn } from "./Input.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"

/** Why this question is held, or undefined. One that is known already is not held again. */
export const reason = (state: State.State, peerId: PeerId, id: string, turn: Turn): HoldRule.When | undefined => {
  if (Table.has(state.durable.jobs, Jobs.keyOf(peerId, id))) return undefined
  const friend = Roster.friend(state.durable.roster, peerId)
  const verified = friend !== undefined && Trust.isVerified(friend)
  return HoldRule.reason(state.durable.holdRules, peerId, Answering.isAffordable(state, peerId, turn), verified)
}

/** Whether one more question may be held: somebody must be able to answer it, and no friend may fill the owner's desk. */
export const mayHold = (state: State.State, friend: Roster.Friend, inject: Inject): Decisions.Answer => {
  const { identityKey, peerId } = friend
  const held = Jobs.held(state.durable.jobs)
  return Decisions.decide(state, { key: identityKey, peerId }, "hold", {
    kind: "hold",
    mayHold: inject.mayHold !== false,
    ...Answering.readiness(state),
    heldOfPeer: held.filter((job) => job.peerId === peerId).length,
    held: held.length,
    answersWaiting: Jobs.answersWaiting(state.durable.jobs, peerId)
  })
}

/** Holds a question: recorded, shown, told to the owner and to its caller. */
export const hold = (
  state: State.State,
  friend: Roster.Friend,
  inject: Inject,
  why: HoldRule.When,
  turn: Turn
): State.Stepped => {
  const { name, peerId } = friend
  const { id, number, stream, text } = inject
  const expiresAtMs = turn.nowMs + Limits.holdAgeMs
  const job: Jobs.Job = {
    peerId,
    id,
    state: "held",
    startedAtMs: turn.nowMs,
    question: { text, stream, number, expiresAtMs, reason: why }
  }
  const make = (place: { readonly stream: string; readonly number: number }): Held => ({
    kind: "Held",
    ...place,
    id,
    reason: why,
    expiresAtMs
  })
  const event = { _tag: "InjectHeld" as const, peerId, name, id, reason: why, expiresAtMs }
  return State.chain(
    State.withDurable(state, { jobs: Table.set(state.durable.jobs, Jobs.keyOf(peerId, id), job) }),
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => Sending.tell(current, peerId, make, turn, id),
    (current) => Answering.show(current, friend, stream, number, name, text, turn)
  )
}

/** The one held question whose id begins so. */
const find = (state: State.State, id: string): Result.Result<Jobs.Job, Rejection.Rejection> => {
  const found = Jobs.held(state.durable.jobs).filter((job) => job.id.startsWith(id))
  return id !== "" && found.length === 1 && found[0] !== undefined
    ? Result.succeed(found[0])
    : Result.fail(Rejection.make("unknown-question", id))
}

/** The owner approves: it runs now, with a whole turn's allowance, if everything that a run needs still holds. */
export const approve = (
  state: State.State,
  id: string,
  turn: Turn
): Result.Result<State.Stepped, Rejection.Rejection> =>
  Result.flatMap(find(state, id), (job): Result.Result<State.Stepped, Rejection.Rejection> => {
    const { peerId, question } = job
    const friend = Roster.friend(state.durable.roster, peerId)
    const granted =
      friend !== undefined &&
      !Answering.isStopped(friend) &&
      Grants.covers(state.durable.grants, peerId, Grants.own, "inject", turn.nowMs)
    if (!granted || question === undefined) return Result.fail(Rejection.make("no-capability", "inject"))
    const { state: asked, verdict } = Answering.mayRunApproved(state, friend)
    if (!verdict.admitted) return Result.fail(verdict.rejection)
    const approved = State.withDurable(asked, { holdRules: HoldRule.approve(state.durable.holdRules, peerId) })
    const { number, stream, text } = question
    const inject: Inject = { kind: "Inject", stream, number, id: job.id, text, timeLimitMs: Limits.injectTimeMs }
    const allowance = state.passing.allowances?.turn
    return Result.succeed(Answering.start(approved, friend, inject, allowance, turn))
  })

/** The owner refuses: the caller hears so. */
export const refuse = (state: State.State, id: string, turn: Turn): Result.Result<State.Stepped, Rejection.Rejection> =>
  Result.map(find(state, id), (job) => end(state, job, "approval-refused", turn))

const end = (state: State.State, job: Jobs.Job, code: Rejection.Code, turn: Turn): State.Stepped =>
  Answering.finish(state, job, { ok: false, code, detail: "" }, turn)

/** What nobody has decided in time is refused. */
export const expire = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    state,
    ...Jobs.held(state.durable.jobs)
      .filter(({ question }) => question === undefined || question.expiresAtMs <= turn.nowMs)
      .map((job) => (current: State.State) => end(current, job, "hold-expired", turn))
  )

/** A question of ours is held at the friend: its answer is waited for until the hold's own end, and a run's time beyond. */
export const onHeld = (state: State.State, friend: Roster.Friend, held: Held, turn: Turn): State.Stepped => {
  const call = Table.get(state.durable.calls, held.id)
  if (call === undefined || call.peerId !== friend.peerId) return [state, []]
  const expiresAtMs = Math.min(held.expiresAtMs, turn.nowMs + Limits.holdAgeMs)
  const deadlineMs = Math.max(call.deadlineMs, expiresAtMs + Limits.injectWaitMs)
  const event = {
    _tag: "CallHeld" as const,
    peerId: friend.peerId,
    name: friend.name,
    id: call.id,
    reason: held.reason,
    expiresAtMs
  }
  return [
    State.withDurable(state, { calls: Table.set(state.durable.calls, call.id, { ...call, deadlineMs, held: true }) }),
    [{ _tag: "Tell", event }]
  ]
}
