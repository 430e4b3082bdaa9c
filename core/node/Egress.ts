/**
 * From the inside out: an output becomes a port call, and what comes of it comes back as an input.
 * It never decides and never waits: performing an output returns at once, the work goes on in supervised fibers.
 * This is where our secrets are used: lines are signed here, after the turn that wanted them is stored.
 */
import { Cause, Clock, Deferred, Effect, FiberMap, FiberSet, PubSub, Queue, Result } from "effect"
import type { ChatChannelShape } from "../../ports/ChatChannel.ts"
import type { ConversationLogShape, Entry } from "../../ports/ConversationLog.ts"
import * as Grants from "../admission/Grants.ts"
import type { Allowance } from "../agent/Allowance.ts"
import type { Responder } from "../agent/Responder.ts"
import type { Meter } from "../agent/Turn.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Unshown from "../delivery/Unshown.ts"
import { keyBytes, type RemoteIdentityKey } from "../identity/Keys.ts"
import * as PeerId from "../identity/PeerId.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import * as FriendLine from "../wire/FriendLine.ts"
import { bounded } from "./Confined.ts"
import type { Accounted, Decided } from "./Decisions.ts"
import type { Event } from "./Event.ts"
import * as Finding from "./Finding.ts"
import * as Guests from "./Guests.ts"
import type { World } from "./Ingress.ts"
import type { JobResult } from "./Input.ts"
import type { Output, Reply } from "./Output.ts"
import * as State from "./State.ts"

export interface Ports {
  readonly channel: ChatChannelShape
  readonly log: ConversationLogShape
  readonly responder: Responder
}

/** What egress works with besides the world of ingress. */
export interface Outside extends Ports {
  readonly world: World
  readonly links: Map<string, Effect.Effect<void>>
  readonly replies: Map<string, Deferred.Deferred<Reply>>
  readonly events: PubSub.PubSub<Event>
  /** What the gate decided, for whoever keeps account; numbered, so that what was lost on the way is known. */
  readonly decisions: PubSub.PubSub<Accounted>
  readonly accounted: { count: number }
  readonly shows: Queue.Queue<Entry>
  /** A name for each grant that questions came under: what one leaves in the sandbox is for the next under the same grant alone. */
  readonly reuses: WeakMap<object, string>
  readonly jobs: FiberMap.FiberMap<string>
  readonly work: FiberSet.FiberSet
}

/** Hands on what the gate decided in a turn that is stored. Never waits: where nobody keeps up, it is lost. */
export const account = (outside: Outside, decided: ReadonlyArray<Decided>, atMs: number): void => {
  for (const one of decided) {
    outside.accounted.count++
    PubSub.publishUnsafe(outside.decisions, { ...one, number: outside.accounted.count, atMs })
  }
}

/** How often the responder is asked how it is: one that is not ready may become so any moment. */
const readyCheckMs = 10_000
const unreadyCheckMs = 1_000

/** Starts work that must not hold up the turn. A defect in it is logged, never lost. */
const background = (outside: Outside, work: Effect.Effect<void>) =>
  FiberSet.run(
    outside.work,
    work.pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError("background work failed", cause)
      )
    )
  ).pipe(Effect.asVoid)

/** Performs one output of a committed turn: at once, or by the effect it gives. */
export const perform = (outside: Outside, output: Output): Effect.Effect<void> | undefined => {
  const { world } = outside
  switch (output._tag) {
    case "Announce":
      return background(outside, announce(world, output.key))
    case "Withdraw":
      return background(outside, world.transport.withdraw(PeerId.topicOf(world.crypto, keyBytes(output.key))))
    case "AnnounceTopic":
      return background(outside, Finding.announce(world, output.topic))
    case "WithdrawTopic":
      return background(outside, Finding.withdraw(world, output.topic))
    case "LookUp":
      return background(outside, Finding.lookUp(world, output.topic))
    case "DialMember":
      return background(outside, Finding.dial(world, output.swarmKey))
    case "SignProfile":
      return background(outside, Finding.sign(world, output))
    case "PostLine":
      return background(outside, postLine(outside, output))
    case "Transmit":
      return transmit(outside, output)
    case "HangUp":
      world.writers.get(output.connection)?.hangUp(output.code)
      return undefined
    case "Dial":
      return background(outside, dial(world, output))
    case "Block":
      return background(outside, world.transport.block(keyBytes(output.swarmKey)))
    case "Unblock":
      return background(outside, world.transport.unblock(keyBytes(output.swarmKey)))
    case "Show":
      Queue.offerUnsafe(outside.shows, output.entry)
      return undefined
    case "Run":
      return FiberMap.run(outside.jobs, output.job, run(outside, output)).pipe(Effect.asVoid)
    case "Stop":
      // Taking a container down takes its time, and the turns must not wait for it.
      return background(outside, FiberMap.remove(outside.jobs, output.job))
    case "Reply":
      return reply(outside, output.ref, output.reply)
    case "Tell":
      // Where somebody has not read for long the oldest must make room first, which takes an effect.
      if (PubSub.publishUnsafe(outside.events, output.event)) return undefined
      return Effect.asVoid(PubSub.publish(outside.events, output.event))
  }
}

/** Announces the topic of a key of ours, trying again until it is announced or not wanted any more. */
const announce = (world: World, key: RemoteIdentityKey): Effect.Effect<void> =>
  Effect.suspend(() =>
    world.state().passing.announced.has(key)
      ? world.transport.announce(PeerId.topicOf(world.crypto, keyBytes(key)))
      : Effect.void
  ).pipe(
    Effect.catch((error) =>
      Effect.logWarning("cannot announce yet", error.message).pipe(
        Effect.andThen(Effect.sleep(Limits.retryPauseMs)),
        Effect.andThen(announce(world, key))
      )
    )
  )

type PostLine = Extract<Output, { _tag: "PostLine" }>

const postLine = Effect.fn("post a line")(function* (outside: Outside, output: PostLine) {
  const { crypto, keys, offer, state } = outside.world
  const { self } = state()
  const common = {
    to: output.to,
    from: self.name,
    pubkey: self.identityKey,
    encryptPub: self.agreementKey,
    tsMs: output.tsMs
  }
  const unsigned: FriendLine.Unsigned =
    output.kind === "request"
      ? { kind: "request", ...common }
      : { kind: "accept", ...common, requestSignature: output.requestSignature }
  const signature = FriendLine.sign(crypto, keys, unsigned)
  yield* offer({ _tag: "LineSigned", kind: output.kind, key: output.key, signature })
  const line = FriendLine.print({ ...unsigned, signature } as FriendLine.FriendLine)
  const rejection = yield* outside.channel.post(output.channel, line).pipe(
    Effect.as(null),
    Effect.catch((error) =>
      Effect.succeed(Rejection.make(error.code === "line-too-long" ? "line-too-long" : "no-channel", error.message))
    )
  )
  yield* offer({ _tag: "LinePosted", kind: output.kind, key: output.key, rejection })
})

const transmit = (
  outside: Outside,
  { connection, messages }: Extract<Output, { _tag: "Transmit" }>
): Effect.Effect<void> | undefined => {
  const writer = outside.world.writers.get(connection)
  if (writer === undefined || writer.send(messages)) return undefined
  return Effect.logWarning("a peer stopped reading; its link is dropped").pipe(
    Effect.andThen(outside.links.get(connection) ?? Effect.void)
  )
}

/**
 * Dials by the transport key the peer had last, where it was met lately and then wherever a lookup finds it, then by its
 * topic; each attempt is bounded by the transport.
 */
const dial = Effect.fn("dial")(function* (world: World, output: Extract<Output, { _tag: "Dial" }>) {
  const { addresses: hints, identityKey, peerId, swarmKey } = output
  const connected = () => State.session(world.state(), peerId) !== undefined || Guests.isReached(world.state(), peerId)
  const attempt = (target: Parameters<typeof world.transport.dial>[0]) =>
    connected() ? Effect.void : world.transport.dial(target).pipe(Effect.catch(() => Effect.void))
  if (swarmKey !== undefined) yield* attempt({ kind: "key", key: keyBytes(swarmKey), ...(hints && { hints }) })
  yield* Effect.suspend(() => attempt({ kind: "topic", topic: PeerId.topicOf(world.crypto, keyBytes(identityKey)) }))
  // A link that was found still has to open before it is a session.
  for (let waited = 0; waited < 20 && !connected() && world.openings.size > 0; waited++) yield* Effect.sleep(50)
  yield* world.offer({ _tag: "DialEnded", peerId })
})

/**
 * Runs a job and hands its end back; a defect of the responder is a failed run, not a lost one. A run that is cut off tells
 * what it did not spend, too.
 */
const run = Effect.fn("run a question")(function* (outside: Outside, output: Extract<Output, { _tag: "Run" }>) {
  const { offer, state } = outside.world
  const { allowance: taken, conversation, entryId, job, text, timeLimitMs } = output
  const meter: Meter = { calls: 0, tokens: 0 }
  const ran = (result: JobResult): Effect.Effect<void> =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
      offer({
        _tag: "Ran",
        job,
        result,
        ...(taken && { unspent: { day: taken.day, allowance: unspent(taken.allowance, meter, nowMs) } })
      })
    )
  const allowance = taken?.allowance ?? { calls: 0, tokens: 0, ms: timeLimitMs }
  const { durable } = state()
  const unshown = Unshown.inOrder(durable.unshown).filter((entry) => entry.conversation === conversation)
  const place = { id: runName(outside, job), conversation, entryId, unshown, ...reuseOf(outside, conversation) }
  const asked = { ...place, text, timeLimitMs, allowance }
  const result: JobResult = yield* outside.responder.answer(asked, meter).pipe(
    Effect.map(
      ({ confinement, output }): JobResult => ({ ok: true, answer: { output, confinement: bounded(confinement) } })
    ),
    Effect.catch((error) => Effect.succeed<JobResult>({ ok: false, code: error.code, detail: error.message })),
    Effect.catchDefect((defect) =>
      Effect.logError("the sandbox failed", defect).pipe(
        Effect.as<JobResult>({ ok: false, code: "sandbox-failed", detail: "" })
      )
    ),
    Effect.onInterrupt(() =>
      taken === undefined ? Effect.void : ran({ ok: false, code: "cancelled", detail: "cut off" })
    )
  )
  if (!result.ok) yield* Effect.logWarning(`inject run failed: ${result.code}`, result.detail)
  yield* ran(result)
})

/** Under a grant that was withdrawn or changed meanwhile the name is another one, and what was left is found by nobody. */
const reuseOf = ({ reuses, world }: Outside, conversation: string): { readonly reuse?: string } => {
  const grant = Table.get(world.state().durable.grants, Grants.keyOf(conversation as PeerId.PeerId, Grants.own))
  if (grant === undefined) return {}
  const reuse = reuses.get(grant) ?? Base64url.encode(world.crypto.randomBytes(16))
  reuses.set(grant, reuse)
  return { reuse }
}

/** Peer and id together name the job; the sandbox gets a short name of its own that tells neither. */
const runName = ({ world }: Outside, job: string): string =>
  Base64url.encode(world.crypto.sha256(new Uint8Array([...job].map((one) => one.charCodeAt(0)))))
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, 24)

/** Negative where a model cost more than it was allowed: that is paid for as well. */
const unspent = (allowance: Allowance, { calls, startedMs, tokens }: Meter, nowMs: number): Allowance => ({
  calls: allowance.calls - calls,
  tokens: allowance.tokens - tokens,
  ms: allowance.ms - (startedMs === undefined ? 0 : Math.max(0, Math.round(nowMs - startedMs)))
})

const reply = (outside: Outside, ref: string, answer: Reply): undefined => {
  const deferred = outside.replies.get(ref)
  outside.replies.delete(ref)
  if (deferred !== undefined) Deferred.doneUnsafe(deferred, Effect.succeed(answer))
}

/** What showing works with. */
export interface Shower extends Pick<Outside, "log" | "shows"> {
  readonly world: Pick<World, "state" | "offer">
}

/** The first entry of each conversation that the log could not take: until it is there, what follows it waits. */
type Missing = Map<string, string>

/** Appends what waits to the conversation log, in the order in which it was accepted; what waits together goes together. */
export const showing = (outside: Shower): Effect.Effect<never> =>
  Effect.suspend(() => {
    const missing: Missing = new Map()
    return Queue.takeAll(outside.shows).pipe(
      Effect.flatMap((entries) => showAll(outside, stillWaiting(outside, entries, missing), missing)),
      Effect.flatMap((shown) => outside.world.offer({ _tag: "Shown", shown })),
      Effect.andThen(Effect.sleep(Limits.showPauseMs)),
      Effect.forever
    )
  })

/**
 * The entries that are not confirmed yet: one that is offered anew may stand here twice, and its second copy must neither
 * begin a conversation anew that its owner has removed, nor hold up the others when it fails.
 */
const stillWaiting = (outside: Shower, entries: ReadonlyArray<Entry>, missing: Missing): ReadonlyArray<Entry> => {
  const { unshown } = outside.world.state().durable
  for (const [conversation, id] of missing) if (!Table.has(unshown, id)) missing.delete(conversation)
  return entries.filter(({ id }) => Table.has(unshown, id))
}

/**
 * All at once; or, if that fails, each alone, so that one that does not fit does not take other conversations with it.
 * Behind one that failed the rest of its conversation waits, also what comes later: order first.
 */
const showAll = Effect.fnUntraced(function* (outside: Shower, entries: ReadonlyArray<Entry>, missing: Missing) {
  const taken = new Set<string>()
  const alone = Effect.fnUntraced(function* (entry: Entry) {
    const { conversation, id } = entry
    const first = missing.get(conversation) ?? id
    if (first !== id) return
    if (Result.isFailure(yield* Effect.result(outside.log.append([entry])))) missing.set(conversation, id)
    else {
      missing.delete(conversation)
      taken.add(id)
    }
  })
  for (const entry of entries) if (missing.get(entry.conversation) === entry.id) yield* alone(entry)
  const open = entries.filter(({ conversation, id }) => !missing.has(conversation) && !taken.has(id))
  const together = open.length === 0 ? undefined : yield* Effect.result(outside.log.append(open))
  if (together !== undefined && Result.isFailure(together)) {
    yield* Effect.logError(`the conversation log failed with ${open.length} entries`, together.failure.message)
    for (const entry of open) yield* alone(entry)
  } else for (const { id } of open) taken.add(id)
  return entries.map(({ id }) => ({ id, failed: !taken.has(id) }))
})

/** Asks the responder how it is, again and again, so that a refusal can say why before anything is promised. */
export const watchSandbox = (outside: Outside): Effect.Effect<never> =>
  Effect.suspend(() => Effect.sleep(outside.world.state().passing.sandbox.ready ? readyCheckMs : unreadyCheckMs)).pipe(
    Effect.andThen(outside.responder.status),
    Effect.flatMap((now) => {
      const before = outside.world.state().passing.sandbox
      const changed = before.ready !== now.ready || before.reason !== now.reason || before.code !== now.code
      return changed ? outside.world.offer({ _tag: "SandboxStatus", ...now }) : Effect.void
    }),
    Effect.forever
  )
