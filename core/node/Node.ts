/**
 * A running node: its keys and records loaded, its doors opened, its turns taken, until the scope ends.
 * It never touches a peer's bytes or the state's tables; Ingress, Egress and the turns do.
 * Everything that runs beside the turns is supervised here: what breaks is logged, never silent.
 */
import {
  Cause,
  Clock,
  Data,
  Deferred,
  Effect,
  FiberMap,
  FiberSet,
  Option,
  PubSub,
  Queue,
  type Redacted,
  Result,
  type Scope,
  Stream
} from "effect"
import { ChatChannel } from "../../ports/ChatChannel.ts"
import { ConversationLog, type Entry } from "../../ports/ConversationLog.ts"
import { Crypto, type CryptoShape } from "../../ports/Crypto.ts"
import { KeyVault } from "../../ports/KeyVault.ts"
import { Model } from "../../ports/Model.ts"
import { RecordStore, type StoredRecord, StoreError } from "../../ports/RecordStore.ts"
import { Sandbox } from "../../ports/Sandbox.ts"
import { type Link, Transport } from "../../ports/Transport.ts"
import * as Openings from "../admission/Openings.ts"
import * as RateLimit from "../admission/RateLimit.ts"
import type { Allowances } from "../agent/Allowance.ts"
import * as Responder from "../agent/Responder.ts"
import * as Base64url from "../bytes/Base64url.ts"
import * as Fingerprint from "../identity/Fingerprint.ts"
import * as KeyHistory from "../identity/KeyHistory.ts"
import * as Keys from "../identity/Keys.ts"
import * as Name from "../identity/Name.ts"
import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import * as Table from "../Table.ts"
import type { Accounted } from "./Decisions.ts"
import * as Describe from "./Describe.ts"
import * as Egress from "./Egress.ts"
import type { Event } from "./Event.ts"
import * as Ingress from "./Ingress.ts"
import type { Command, Input } from "./Input.ts"
import type { Intent } from "./Intents.ts"
import type { Reply } from "./Output.ts"
import * as Records from "./Records.ts"
import * as State from "./State.ts"
import * as TurnLoop from "./TurnLoop.ts"

/** Why a node cannot start. `message` names what to do. */
export class StartError extends Data.TaggedError("StartError")<{
  readonly code: "keys" | "store" | "name" | "records" | "owner"
  readonly message: string
}> {}

/** A running node, for whoever embeds it. */
export interface Node {
  /** Carries out an operator's command; the reply comes when it is stored. With an intent: once, however often it is given. */
  command(command: Command, intent?: Intent): Effect.Effect<Reply>
  /** Everything the node tells, the newest 64 events before the subscription included; 4,096 behind loses the oldest. */
  readonly events: Effect.Effect<PubSub.Subscription<Event>, never, Scope.Scope>
  /**
   * Everything the gate decides, beginning with the first decision of this start unless more than 1,024 came before the
   * subscription; 65,536 behind loses what comes then, which the numbers show.
   */
  readonly decisions: Effect.Effect<PubSub.Subscription<Accounted>, never, Scope.Scope>
  /** The node as an operator may see it now. */
  readonly describe: Effect.Effect<Describe.Description>
  /** Whom a command can mean now; cheaper than a description. */
  readonly acquaintances: Effect.Effect<Describe.Acquaintances>
  /** What to compare with the holder of this identity key. */
  fingerprint(key: Keys.RemoteIdentityKey): Fingerprint.Fingerprint
  /** Ends only when the node can no longer run: the store has failed for good. */
  readonly ended: Effect.Effect<never, StoreError>
}

/** Our own history, verified like anybody's: a damaged one would be refused by every friend. */
const ownHistory = (crypto: CryptoShape, keys: Keys.LocalKeys) =>
  KeyHistory.verify(crypto, keys.history, {
    identityKey: Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey,
    agreementKey: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
    swarmKey: Base64url.encode(Keys.swarmKey(crypto, keys)) as Keys.RemoteSwarmKey
  })
/** What a node is made of besides its ports. */
export interface Options {
  readonly name: string
  readonly keys: Keys.LocalKeys
  /** Budgets other than the protocol's defaults. */
  readonly rates?: Partial<RateLimit.Rates>
  /**
   * An agent with the `Model` port answers friends, from inside the sandbox. Absent: the sandbox's own program does, and no
   * model is asked.
   */
  readonly agent?: AgentOptions
}

/** What the owner says to the model before anything else, and what questions may cost: Limits' allowances unless told. */
export interface AgentOptions {
  readonly instructions: string
  readonly allowances?: Partial<Allowances>
}

/** What a turn, a friend's day and everybody's day may cost where the owner says nothing. */
export const allowances: Required<Allowances> = {
  turn: { calls: Limits.agentTurnCallsMax, tokens: Limits.agentTurnTokensMax, ms: Limits.injectTimeMs },
  day: { calls: Limits.agentDayCallsMax, tokens: Limits.agentDayTokensMax, ms: Limits.agentDayMs },
  everybody: {
    calls: Limits.agentEverybodyCallsMax,
    tokens: Limits.agentEverybodyTokensMax,
    ms: Limits.agentEverybodyMs
  }
}

/** The keys of a vault's document, with a history that friends will believe. */
const keysIn = (
  crypto: CryptoShape,
  document: Redacted.Redacted<string>
): Result.Result<Keys.LocalKeys, StartError> => {
  const keys = Keys.fromDocument(crypto, document)
  if (keys !== undefined && Result.isSuccess(ownHistory(crypto, keys))) return Result.succeed(keys)
  const message = "the identity file is not one of this program; restore it from a copy"
  return Result.fail(new StartError({ code: "keys", message }))
}

/** The durable state in a store's records, if they are of this identity. */
const durableIn = (
  self: State.Self,
  records: ReadonlyArray<StoredRecord>
): Result.Result<State.Durable, StartError> => {
  const loaded = Records.load(records)
  if (Result.isFailure(loaded)) {
    const { collection, key, message } = loaded.failure
    const where = `record ${JSON.stringify(key)} of ${collection}`
    return Result.fail(new StartError({ code: "records", message: `${where}: ${message}` }))
  }
  const owner = Table.get(loaded.success.owner, "identity") as Keys.RemoteIdentityKey | undefined
  // Records of a key we have left are ours: the vault was saved and the process ended. The first turn adopts them.
  if (records.length === 0 || (owner !== undefined && State.isOwnKey(self, owner)))
    return Result.succeed(loaded.success)
  const message = "the records in the data folder belong to another identity; restore the identity file that made them"
  return Result.fail(new StartError({ code: "owner", message }))
}

/**
 * What a node would start on, given the document of a vault and the records of a store; or the `StartError` it would fail
 * with. For whoever brings both from elsewhere: what cannot start must not be put in place.
 */
export const examine = (
  crypto: CryptoShape,
  document: Redacted.Redacted<string>,
  records: ReadonlyArray<StoredRecord>
): Result.Result<{ readonly keys: Keys.LocalKeys; readonly durable: State.Durable }, StartError> =>
  Result.gen(function* () {
    const keys = yield* keysIn(crypto, document)
    return { keys, durable: yield* durableIn(yield* selfOf("anybody", keys), records) }
  })

/**
 * A node that does not run, as its operator may see it, from the document of its vault and the records of its store. Its
 * name is not in them. Fails as `examine` does; nothing is written.
 */
export const describeAtRest = (
  crypto: CryptoShape,
  name: string,
  document: Redacted.Redacted<string>,
  records: ReadonlyArray<StoredRecord>,
  nowMs: number
): Result.Result<Describe.Description, StartError> =>
  Result.gen(function* () {
    const { durable, keys } = yield* examine(crypto, document, records)
    return Describe.describe(crypto, State.start(yield* selfOf(name, keys), durable), nowMs)
  })

/** Our keys from the vault, made and stored on the first start. */
export const loadKeys: Effect.Effect<Keys.LocalKeys, StartError, Crypto | KeyVault> = Effect.gen(function* () {
  const crypto = yield* Crypto
  const vault = yield* KeyVault
  const failed = (error: { readonly message: string }) =>
    Effect.fail(new StartError({ code: "keys", message: error.message }))
  const document = yield* vault.load.pipe(Effect.catch(failed))
  if (Option.isSome(document)) {
    return yield* Effect.fromResult(keysIn(crypto, document.value))
  }
  const keys = Keys.generate(crypto, yield* Clock.currentTimeMillis)
  yield* vault.save(Keys.toDocument(keys)).pipe(Effect.catch(failed))
  return keys
})

const loadState = Effect.fnUntraced(function* (self: State.Self, options: Options) {
  const store = yield* RecordStore
  const records = yield* store.load.pipe(
    Effect.catch((error) => Effect.fail(new StartError({ code: "store", message: error.message })))
  )
  const durable = yield* Effect.fromResult(durableIn(self, records))
  const counted = options.agent && { ...allowances, ...options.agent.allowances }
  return State.start(self, durable, { ...RateLimit.rates, ...options.rates }, counted)
})

const selfOf = (name: string, keys: Keys.LocalKeys): Result.Result<State.Self, StartError> =>
  Result.mapBoth(Name.parse(name), {
    onFailure: () =>
      new StartError({ code: "name", message: `"${name}" cannot be a name: 1 to 64 visible characters` }),
    onSuccess: (valid) => ({
      name: valid,
      identityKey: Base64url.encode(keys.identityKey) as Keys.RemoteIdentityKey,
      agreementKey: Base64url.encode(keys.agreementKey) as Keys.RemoteAgreementKey,
      earlier: keys.history.map(({ from, reason, recovery, tsMs }) => ({
        key: from as Keys.RemoteIdentityKey,
        leftAtMs: tsMs,
        reason,
        byRecoveryKey: recovery !== undefined
      }))
    })
  })

/** Work that lasts as long as the node. Should it break, the log says so: silence would look like peace. */
const supervise = <A>(what: string, work: Effect.Effect<A>) =>
  Effect.forkScoped(
    work.pipe(
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`${what} broke`, cause)
      )
    )
  )

const over: Reply = { ok: false, rejection: Rejection.make("node-ended") }

/** What an embedder holds of a running node: commands go in as inputs, everything else only looks. */
const nodeOf = (outside: Egress.Outside, inputs: Queue.Queue<Input>, ended: Node["ended"]): Node => {
  const { crypto, state } = outside.world
  let refs = 0
  return {
    command: (command, intent) =>
      Effect.suspend(() => {
        const ref = String(++refs)
        const deferred = Deferred.makeUnsafe<Reply>()
        outside.replies.set(ref, deferred)
        // Once the node has ended the queue takes nothing more.
        return Effect.flatMap(
          Queue.offer(
            inputs,
            intent === undefined ? { _tag: "Operator", ref, command } : { _tag: "Operator", ref, command, intent }
          ),
          (taken) => (taken ? Deferred.await(deferred) : Effect.succeed(over))
        )
      }),
    events: PubSub.subscribe(outside.events),
    decisions: PubSub.subscribe(outside.decisions),
    describe: Effect.map(Clock.currentTimeMillis, (nowMs) => Describe.describe(crypto, state(), nowMs)),
    acquaintances: Effect.sync(() => Describe.acquaintances(state())),
    fingerprint: (key) => Fingerprint.between(crypto, state().self.identityKey, key),
    ended
  }
}

/** No input is taken any more, and every command that waits for its reply is told so. */
const refuseAll = Effect.fnUntraced(function* (outside: Egress.Outside, inputs: Queue.Queue<Input>) {
  yield* Queue.shutdown(inputs)
  const waiting = [...outside.replies.values()]
  outside.replies.clear()
  yield* Effect.forEach(waiting, (deferred) => Deferred.succeed(deferred, over), { discard: true })
})

/** Lets the world in: links and lines become inputs, entries are shown, the sandbox is watched, until the scope ends. */
const openDoors = Effect.fnUntraced(function* (outside: Egress.Outside) {
  const serve = (link: Link) =>
    Effect.suspend(() => {
      outside.links.set(link.id, link.abort)
      return Ingress.serveLink(outside.world, link)
    }).pipe(
      Effect.catchCause((cause) => Effect.logError("a link failed", cause)),
      Effect.ensuring(Effect.sync(() => outside.links.delete(link.id)))
    )
  const { links } = outside.world.transport
  yield* supervise("the conversation log", Egress.showing(outside))
  yield* supervise("the sandbox's watch", Egress.watchSandbox(outside))
  yield* supervise(
    "accepting links",
    Stream.runForEach(links, (link) => FiberSet.run(outside.work, serve(link)).pipe(Effect.asVoid))
  )
  yield* supervise(
    "reading channels",
    Stream.runForEach(outside.channel.lines, (line) => Ingress.onLine(outside.world, line))
  )
})

/** Starts a node on the ports in context; it ends with the scope. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const crypto = yield* Crypto
  const transport = yield* Transport
  const store = yield* RecordStore
  const [log, sandbox, model] = [yield* ConversationLog, yield* Sandbox, yield* Model]
  const { agent } = options
  const responder =
    agent === undefined ? Responder.program(sandbox) : Responder.agent(sandbox, { ...agent, model, log })
  const ports = { channel: yield* ChatChannel, log, responder }
  const self = yield* Effect.fromResult(selfOf(options.name, options.keys))
  let state = yield* loadState(self, options)
  const inputs = yield* Queue.bounded<Input>(Limits.inputsWaitingMax)
  const offer = (input: Input) => Effect.asVoid(Queue.offer(inputs, input))
  const offerAll = (several: ReadonlyArray<Input>) => Effect.asVoid(Queue.offerAll(inputs, several))
  let openings = Openings.none
  const admitLink = (source: Openings.Source, nowMs: number) => {
    const asked = Openings.admit(openings, source, nowMs)
    openings = asked.openings
    return asked.admitted
  }
  const outside: Egress.Outside = {
    ...ports,
    world: {
      crypto,
      keys: options.keys,
      transport,
      state: () => state,
      offer,
      offerAll,
      writers: new Map(),
      openings: new Set(),
      admitLink
    },
    links: new Map(),
    replies: new Map(),
    events: yield* PubSub.sliding<Event>({ capacity: Limits.eventsWaitingMax, replay: 64 }),
    decisions: yield* PubSub.dropping<Accounted>({ capacity: Limits.decisionsWaitingMax, replay: 1_024 }),
    accounted: { count: 0 },
    shows: yield* Queue.unbounded<Entry>(),
    reuses: new WeakMap(),
    jobs: yield* FiberMap.make<string>(),
    work: yield* FiberSet.make()
  }
  const turns = yield* TurnLoop.make(outside, store, inputs, (next) => {
    state = next
  })
  const readiness = yield* responder.status
  yield* turns
    .first([{ _tag: "SandboxStatus", ...readiness }, { _tag: "Started" }])
    .pipe(Effect.catch((error) => Effect.fail(new StartError({ code: "store", message: error.message }))))
  const ended = yield* Deferred.make<never, StoreError>()
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Deferred.fail(ended, new StoreError({ code: "closed", message: "the node has ended" })),
      refuseAll(outside, inputs)
    )
  )
  const failed = (cause: Cause.Cause<StoreError>) =>
    Effect.andThen(Deferred.failCause(ended, cause), refuseAll(outside, inputs))
  yield* Effect.forkScoped(turns.loop.pipe(Effect.catchCause(failed)))
  yield* openDoors(outside)
  return nodeOf(outside, inputs, Deferred.await(ended))
})
