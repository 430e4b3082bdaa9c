/**
 * Injects on both ends: ours that wait for an answer, theirs that run in the sandbox; and what is shown to the owner.
 * It never runs anything itself and never lets a run begin that is not committed as begun.
 * A request and its answer are shown in the friend's conversation, under ids that follow from stream, number and content.
 */
import { HashMap } from "effect"
import * as Allowance from "../agent/Allowance.ts"
import * as Base64url from "../bytes/Base64url.ts"
import { text, utf8, utf8Length } from "../bytes/Bytes.ts"
import type * as Calls from "../delivery/Calls.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Unshown from "../delivery/Unshown.ts"
import type * as Roster from "../friend/Roster.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Done, Inject, Resume } from "../wire/Message.ts"
import * as Decisions from "./Decisions.ts"
import type { Input, JobResult, Turn, Unspent } from "./Input.ts"
import * as Outcomes from "./Outcomes.ts"
import type { Output } from "./Output.ts"
import * as Sending from "./Sending.ts"
import * as State from "./State.ts"
import * as Trusting from "./Trusting.ts"

/** How a friend's conversation is called on the owner's screen. */
export const label = (friend: Roster.Friend): string => `friend:p2p:${friend.name}(${friend.peerId.slice(0, 6)})`

/**
 * With a part of the content's hash: after both ends went back to older disks a number comes again, and its new text is not
 * the one that is written.
 */
const entryId = (friend: Roster.Friend, stream: string, number: number, content: string, turn: Turn): string => {
  const place = `${friend.peerId.slice(0, 16)}-${stream}-${String(number).padStart(16, "0")}`
  return `${place}-${Base64url.encode(turn.sha256(utf8(content)).subarray(0, 8))}`
}

/** Puts a text into a friend's conversation: stored with the turn, shown after it, asked for again after a crash. */
export const show = (
  state: State.State,
  friend: Roster.Friend,
  stream: string,
  number: number,
  from: string,
  content: string,
  turn: Turn
): State.Stepped => {
  const entry = {
    id: entryId(friend, stream, number, content, turn),
    conversation: friend.peerId,
    label: label(friend),
    atMs: turn.nowMs,
    from,
    text: content
  }
  const event = {
    _tag: "Received" as const,
    peerId: friend.peerId,
    name: friend.name,
    entry,
    bytes: utf8Length(content)
  }
  return [
    State.withDurable(state, { unshown: Unshown.add(state.durable.unshown, entry) }),
    [{ _tag: "Show", entry }, ...(friend.muted === true ? [] : [{ _tag: "Tell" as const, event }])]
  ]
}

/** The conversation log has entries; or it could not take them, and is asked again later. */
export const onShown = (
  state: State.State,
  { shown }: Extract<Input, { _tag: "Shown" }>,
  turn: Turn
): State.Stepped => {
  const confirmed = shown.filter(({ failed }) => !failed)
  const unshown = confirmed.reduce((left, { id }) => Unshown.remove(left, id), state.durable.unshown)
  const settled = State.withDurable(state, { unshown })
  if (confirmed.length === shown.length) return [settled, []]
  // What fails meanwhile waits for the same time: put off by each, it would never come.
  const { showAgainAtMs = turn.nowMs + Limits.retryPauseMs } = settled.passing
  return [State.withPassing(settled, { showAgainAtMs }), []]
}

/** Asks the conversation log again for everything it has not confirmed, when that is due. */
export const showAgain = (state: State.State, turn: Turn): State.Stepped => {
  const { showAgainAtMs } = state.passing
  if (showAgainAtMs === undefined) return [state, []]
  const restMs = showAgainAtMs - turn.nowMs
  // Further away than it was ever set: the clock went back.
  if (restMs > 0 && restMs <= Limits.retryPauseMs) return [state, []]
  return [
    State.withPassing(state, { showAgainAtMs: undefined }),
    Unshown.inOrder(state.durable.unshown).map((entry): Output => ({ _tag: "Show", entry }))
  ]
}

/** Whether anybody could answer now, as the gate is told. */
export const readiness = (state: State.State) => {
  const { code = "sandbox-unavailable", ready, reason } = state.passing.sandbox
  return { unready: ready ? null : code, unreadyReason: reason }
}

/** Whether what a peer may cost suffices for one more turn. */
export const isAffordable = (state: State.State, peerId: PeerId, turn: Turn): boolean => {
  const allowance = allowanceFor(state, peerId, turn)
  return allowance === undefined || Allowance.isEnough(allowance)
}

const runQuestion = (state: State.State, friend: Roster.Friend, affordable: boolean): Decisions.Answer => {
  const { identityKey, peerId } = friend
  const running = Jobs.running(state.durable.jobs)
  return Decisions.decide(state, { key: identityKey, peerId }, "run", {
    kind: "run",
    trusted: Trusting.suffices(state, peerId, "inject"),
    ...readiness(state),
    affordable,
    jobsOfPeer: running.filter((job) => job.peerId === peerId).length,
    jobs: running.length,
    answersWaiting: Jobs.answersWaiting(state.durable.jobs, peerId)
  })
}

/** Whether a run may begin. An id that is known was run before: its repetition is admitted and runs nothing. */
export const mayRun = (state: State.State, friend: Roster.Friend, id: string, turn: Turn): Decisions.Answer =>
  Table.has(state.durable.jobs, Jobs.keyOf(friend.peerId, id))
    ? { state, verdict: { admitted: true } }
    : runQuestion(state, friend, isAffordable(state, friend.peerId, turn))

/** Whether a run may begin that our owner has approved: what it costs is the owner's business then. */
export const mayRunApproved = (state: State.State, friend: Roster.Friend): Decisions.Answer =>
  runQuestion(state, friend, true)

/** What the next question of a peer may cost; undefined where nothing is counted. */
const allowanceFor = (state: State.State, peerId: PeerId, turn: Turn): Allowance.Allowance | undefined =>
  state.passing.allowances && Allowance.left(state.durable.spents, peerId, state.passing.allowances, turn.nowMs)

/** Begins the run of a friend's inject: recorded as running in this very turn, shown, started after the commit. */
export const begin = (state: State.State, friend: Roster.Friend, inject: Inject, turn: Turn): State.Stepped => {
  const known = Table.get(state.durable.jobs, Jobs.keyOf(friend.peerId, inject.id))
  if (known !== undefined) return repeatEnd(state, known, turn)
  return State.chain(
    state,
    (current) => start(current, friend, inject, allowanceFor(state, friend.peerId, turn), turn),
    (current) => show(current, friend, inject.stream, inject.number, friend.name, inject.text, turn)
  )
}

/** Starts a run, with what it may cost taken from the friend's day. */
export const start = (
  state: State.State,
  friend: Roster.Friend,
  inject: Inject,
  left: Allowance.Allowance | undefined,
  turn: Turn
): State.Stepped => {
  const { name, peerId } = friend
  const key = Jobs.keyOf(peerId, inject.id)
  const job: Jobs.Job = { peerId, id: inject.id, state: "running", startedAtMs: turn.nowMs }
  const timeLimitMs = Math.min(inject.timeLimitMs, left?.ms ?? Limits.injectTimeMs)
  const allowance = left && { ...left, ms: timeLimitMs }
  const taken = allowance && Allowance.take(state.durable.spents, peerId, allowance, turn.nowMs)
  const run: Output = {
    _tag: "Run",
    job: key,
    conversation: peerId,
    entryId: entryId(friend, inject.stream, inject.number, inject.text, turn),
    text: inject.text,
    timeLimitMs,
    ...(allowance && taken && { allowance: { day: taken.day, allowance } })
  }
  return [
    State.withDurable(state, {
      jobs: Table.set(state.durable.jobs, key, job),
      ...(taken && { spents: taken.spents })
    }),
    [run, { _tag: "Tell", event: { _tag: "JobStarted", peerId, name, id: inject.id } }]
  ]
}

/**
 * A run has ended: its end is recorded and queued for the caller. Ends of jobs that were stopped are ignored, but what they
 * did not spend is given back like any.
 */
export const onRan = (before: State.State, input: Extract<Input, { _tag: "Ran" }>, turn: Turn): State.Stepped => {
  const job = Table.get(before.durable.jobs, input.job)
  if (job === undefined) return [before, []]
  const state = withUnspent(before, job.peerId, input.unspent)
  if (job.state !== "running") return [state, []]
  // A sandbox that lets more out than it was told to has failed; its output fits no message.
  const tooLong = input.result.ok && input.result.answer.output.length > Limits.answerBytesMax
  return finish(state, job, tooLong ? { ok: false, code: "sandbox-output", detail: "" } : input.result, turn)
}

const withUnspent = (state: State.State, peerId: PeerId, unspent: Unspent | undefined): State.State => {
  if (unspent === undefined) return state
  const spents = Allowance.giveBack(state.durable.spents, peerId, unspent.day, unspent.allowance)
  return State.withDurable(state, { spents })
}

/** Records how a running job ended and queues the end for its caller. */
export const finish = (state: State.State, job: Jobs.Job, result: JobResult, turn: Turn): State.Stepped => {
  const { id, peerId, startedAtMs } = job
  const finished: Jobs.Job = {
    peerId,
    id,
    startedAtMs,
    state: "finished",
    ...(result.ok
      ? { answer: Base64url.encode(result.answer.output), confinement: result.answer.confinement }
      : { code: result.code })
  }
  const recorded = State.withDurable(state, {
    jobs: Table.set(state.durable.jobs, Jobs.keyOf(peerId, id), finished)
  })
  const name = Table.get(state.durable.roster.friends, peerId)?.name ?? ""
  const event = { _tag: "JobEnded" as const, peerId, name, id, code: result.ok ? null : result.code }
  return State.chain(
    recorded,
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => queueEnd(current, finished, result, turn),
    (current) => (result.ok ? showOwn(current, finished, result.answer.output, turn) : [current, []])
  )
}

/**
 * What an agent of ours has answered is part of the conversation: the owner reads it there, and its next turn remembers it.
 * A fixed program has nothing to remember.
 */
const showOwn = (state: State.State, { id, peerId }: Jobs.Job, answer: Uint8Array, turn: Turn): State.Stepped => {
  const friend = Table.get(state.durable.roster.friends, peerId)
  const words = text(answer)
  if (state.passing.allowances === undefined || friend === undefined || words === undefined) return [state, []]
  const entry = {
    id: `${peerId.slice(0, 16)}-${id}-answer`,
    conversation: peerId,
    label: label(friend),
    atMs: turn.nowMs,
    from: state.self.name,
    ours: true as const,
    text: words
  }
  return [State.withDurable(state, { unshown: Unshown.add(state.durable.unshown, entry) }), [{ _tag: "Show", entry }]]
}

const queueEnd = (state: State.State, job: Jobs.Job, result: JobResult, turn: Turn): State.Stepped => {
  const answer = result.ok ? result.answer.output : new Uint8Array(0)
  const make = (place: { readonly stream: string; readonly number: number }): Done => ({
    kind: "Done",
    ...place,
    id: job.id,
    outcome: result.ok ? "answered" : "failed",
    length: answer.length,
    sha256: Base64url.encode(turn.sha256(answer)),
    ...(result.ok ? { confinement: result.answer.confinement } : { code: result.code })
  })
  const draft = { id: job.id, textBytes: answer.length, expiresAtMs: turn.nowMs + Limits.outboxAgeMs, make }
  const queued = Sending.enqueue(state, job.peerId, draft, turn)
  return queued._tag === "Success" ? queued.success : [state, []]
}

/** The caller wants no answer any more: a job that runs is stopped, and its caller told so; any other is left alone. */
export const cancel = (state: State.State, peerId: PeerId, id: string, turn: Turn): State.Stepped => {
  const job = Table.get(state.durable.jobs, Jobs.keyOf(peerId, id))
  if (job === undefined || (job.state !== "running" && job.state !== "held")) return [state, []]
  return State.chain(
    state,
    (current) => [current, stopOf(job)],
    (current) => finish(current, job, { ok: false, code: "cancelled", detail: "" }, turn)
  )
}

/** What runs has to be stopped; what is held does not run yet. */
const stopOf = (job: Jobs.Job): ReadonlyArray<Output> =>
  job.state === "running" ? [{ _tag: "Stop", job: Jobs.keyOf(job.peerId, job.id) }] : []

/** Whether injects are stopped for a peer: it is no friend any more, or the operator has to look at its key first. */
export const isStopped = (friend: Roster.Friend): boolean =>
  friend.standing !== "Friend" || friend.alarmed || Sending.isHeld(friend)

/**
 * The caller asks for bytes of an answer: they go out at once, as many as one credit allows. While injects are stopped for
 * it, none do: whoever asks now may be somebody else than who asked the question.
 */
export const resume = (
  state: State.State,
  friend: Roster.Friend,
  connection: string,
  { id, offset, upTo }: Resume
): ReadonlyArray<Output> => {
  if (isStopped(friend)) return []
  const end = Math.min(upTo, offset + Limits.answerCreditBytes)
  const messages = Jobs.chunks(state.durable.jobs, friend.peerId, id, offset, end)
  return messages.length === 0 ? [] : [{ _tag: "Transmit", connection, messages }]
}

/** An inject that is known: what there is of its end is told again, unless it waits to be told or runs still. */
const repeatEnd = (state: State.State, job: Jobs.Job, turn: Turn): State.Stepped => {
  const waits = Outbox.entriesFor(state.durable.outbox, job.peerId).some(
    (entry) => entry.kind === "Done" && entry.id === job.id
  )
  if (job.state === "running" || job.state === "held" || waits) return [state, []]
  return queueEnd(state, job, { ok: false, code: "answer-gone", detail: "" }, turn)
}

/** Every job of a peer that runs or is held now is stopped, with a code its caller may see. */
export const stopAll = (state: State.State, peerId: PeerId, code: Rejection.Code, turn: Turn): State.Stepped => {
  const { jobs } = state.durable
  const mine = [...Jobs.running(jobs), ...Jobs.held(jobs)].filter((job) => job.peerId === peerId)
  return State.chain(
    state,
    ...mine.map(
      (job) => (current: State.State) =>
        State.chain(
          current,
          (before) => [before, stopOf(job)],
          (before) => finish(before, job, { ok: false, code, detail: "" }, turn)
        )
    )
  )
}

/** Answers of a peer that it has not confirmed yet are taken back: it hears the code instead, whatever of them has left. */
export const takeBackAll = (state: State.State, peerId: PeerId, code: Rejection.Code, turn: Turn): State.Stepped => {
  const mine = Table.values(state.durable.jobs).filter(
    (job) => job.peerId === peerId && job.state === "finished" && job.answer !== undefined
  )
  return State.chain(state, ...mine.map((job) => (current: State.State) => takeBack(current, job, code, turn)))
}

const takeBack = (state: State.State, job: Jobs.Job, code: Rejection.Code, turn: Turn): State.Stepped => {
  const { id, peerId, startedAtMs } = job
  const ends = Outbox.entriesFor(state.durable.outbox, peerId).filter(
    (entry) => entry.kind === "Done" && entry.id === id && entry.withdrawn === undefined
  )
  const without: Jobs.Job = { peerId, id, startedAtMs, state: "finished", code }
  return State.chain(
    State.withDurable(state, { jobs: Table.set(state.durable.jobs, Jobs.keyOf(peerId, id), without) }),
    ...ends.map((entry) => (current: State.State) => Sending.withdraw(current, entry, turn)),
    (current) => queueEnd(current, without, { ok: false, code, detail: "" }, turn)
  )
}

/** After a crash: what was running is over, and is not run again. */
export const interruptAll = (state: State.State, turn: Turn): State.Stepped =>
  State.chain(
    state,
    ...Jobs.running(state.durable.jobs).map(
      (job) => (current: State.State) => finish(current, job, { ok: false, code: "interrupted", detail: "" }, turn)
    )
  )

/** The end of an inject of ours: the answer is shown, or the reason why there is none is told. */
export const end = (
  state: State.State,
  friend: Roster.Friend,
  call: Calls.Call,
  done: Done,
  answer: Uint8Array,
  turn: Turn
): State.Stepped => {
  const code = Rejection.isCode(done.code ?? "") ? (done.code as Rejection.Code) : "sandbox-failed"
  if (done.outcome !== "answered") return Outcomes.endCall(state, call, Rejection.make(code, "said by the peer"), turn)
  const words = text(answer)
  if (words === undefined)
    return Outcomes.endCall(state, call, Rejection.make("answer-damaged", "not UTF-8 text"), turn)
  const ended = State.withPassing(State.withDurable(state, { calls: Table.remove(state.durable.calls, call.id) }), {
    pieces: HashMap.remove(state.passing.pieces, call.id)
  })
  const event = {
    _tag: "Answered" as const,
    peerId: friend.peerId,
    name: friend.name,
    id: call.id,
    text: words,
    bytes: answer.length,
    confinement: done.confinement
  }
  return State.chain(
    ended,
    (current) => [current, [{ _tag: "Tell", event }]],
    (current) => showAnswer(current, friend, done, words, turn)
  )
}

/** The answer goes into the conversation too; its own event says that it is one. */
const showAnswer = (
  state: State.State,
  friend: Roster.Friend,
  done: Done,
  words: string,
  turn: Turn
): State.Stepped => {
  const [shown, outputs] = show(state, friend, done.stream, done.number, friend.name, words, turn)
  return [shown, outputs.filter((output) => output._tag === "Show")]
}
