/**
 * All a node knows: the durable tables of the rooms and what is true only while the process lives.
 * It never does anything; the turns of this room change it and `Records` writes the durable half.
 * Durable and passing are kept apart by type, so that nobody has to remember which is which.
 */
import { HashMap, Option, Schema } from "effect"
import type { Grants } from "../admission/Grants.ts"
import type { Budgets, Rates } from "../admission/RateLimit.ts"
import * as RateLimit from "../admission/RateLimit.ts"
import type { ReplayWindow } from "../admission/ReplayWindow.ts"
import type { Requirements } from "../admission/Requirement.ts"
import type { Allowances, Spents } from "../agent/Allowance.ts"
import type { HoldRules } from "../agent/HoldRule.ts"
import type { Readiness } from "../agent/Responder.ts"
import type * as Calls from "../delivery/Calls.ts"
import * as Inbox from "../delivery/Inbox.ts"
import type { Jobs } from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import type { Refusals } from "../delivery/Refusals.ts"
import * as Unshown from "../delivery/Unshown.ts"
import type { Presence } from "../discovery/Presence.ts"
import type { Content } from "../discovery/Profile.ts"
import type { Joined } from "../discovery/Topic.ts"
import type { Errands } from "../friend/Errand.ts"
import type { Introductions } from "../friend/Introduction.ts"
import type { Invites } from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import type { Check } from "../friend/Sas.ts"
import type { RemoteAgreementKey, RemoteIdentityKey, RemoteSwarmKey } from "../identity/Keys.ts"
import type { Reason } from "../identity/Link.ts"
import type { PeerId } from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import type { Decided } from "./Decisions.ts"
import type { Event } from "./Event.ts"
import type { Output } from "./Output.ts"
import type { Exchange, Guest, Later, Leaving, Opened } from "./Visit.ts"

export type { Exchange, Guest, Later, Leaving, Opened } from "./Visit.ts"

/** Who we are, in public. */
export interface Self {
  readonly name: string
  readonly identityKey: RemoteIdentityKey
  readonly agreementKey: RemoteAgreementKey
  /** The keys we have left, oldest first. */
  readonly earlier: ReadonlyArray<OwnKey>
}

/** A key of ours that we have left. */
export interface OwnKey {
  readonly key: RemoteIdentityKey
  readonly leftAtMs: number
  readonly reason: Reason
  readonly byRecoveryKey: boolean
}

/** Whether a key is ours, now or before. */
export const isOwnKey = (self: Self, key: RemoteIdentityKey): boolean =>
  key === self.identityKey || self.earlier.some((left) => left.key === key)

/** A ban: reason and end, both shown to the operator. */
export const Ban = Schema.Struct({ peerId: Schema.String, code: Schema.String, untilMs: Schema.Int })
export type Ban = typeof Ban.Type

const buckets = Schema.optionalKey(Schema.Array(Schema.Struct({ level: Schema.Finite, atMs: Schema.Int })))
/** What of a peer's budgets survives a restart: a restart must not be a way to more. */
export const Budget = Schema.Struct({
  peerId: Schema.String,
  budgets: Schema.Struct({ message: buckets, inject: buckets, violation: buckets })
})
export type Budget = typeof Budget.Type

/** An intent that was carried out or refused (`code`): `reply` is the id that its outcome is told under. */
export const DoneIntent = Schema.Struct({
  id: Schema.String,
  atMs: Schema.Int,
  code: Schema.NullOr(Schema.String),
  reply: Schema.String
})
export type DoneIntent = typeof DoneIntent.Type

export interface Durable {
  /** One entry, `identity`: the identity key whose records these are. */
  readonly owner: Table.Table<string>
  readonly roster: Roster.Roster
  readonly replay: ReplayWindow
  readonly grants: Grants
  readonly bans: Table.Table<Ban>
  readonly budgets: Table.Table<Budget>
  readonly outbox: Outbox.Outbox
  readonly inbox: Inbox.Inbox
  readonly jobs: Jobs
  readonly calls: Calls.Calls
  readonly refusals: Refusals
  /** What each peer's questions have cost today. */
  readonly spents: Spents
  /** Which questions wait for our owner, by peer. */
  readonly holdRules: HoldRules
  /** What every friend has to be for a capability, by capability. */
  readonly requirements: Requirements
  /** What was asked for while the node did not run and has been carried out, by the id of the intent. */
  readonly intents: Table.Table<DoneIntent>
  /** Entries that are accepted but not yet confirmed by the conversation log. */
  readonly unshown: Unshown.Unshown
  /** The topics we are in, by hash. */
  readonly topics: Table.Table<Joined>
  /** Topics that we have left a moment ago: a crash must not keep members from hearing it. */
  readonly left: Table.Table<Joined>
  /** One entry, `own`: what we say of ourselves in topics; absent until the operator says something. */
  readonly profile: Table.Table<Content>
  /** Whom we want to reach who is no friend yet, and what for. */
  readonly errands: Errands
  /** Invites we have made. */
  readonly invites: Invites
  /** Whom friends have introduced to us, by introducer and key. */
  readonly introductions: Introductions
}

/** The one session of a peer. */
export interface Session {
  readonly connection: string
  readonly initiator: boolean
  readonly swarmKey: RemoteSwarmKey
  /** Of the session's handshake, base64url: what binds something to this session. */
  readonly handshakeHash: string
  readonly openedMs: number
  /** Whether the peer has said how far its memory reaches; before that nothing numbered is sent. */
  readonly greeted: boolean
  /** Places in the queue sent on this session and not settled, and their size. */
  readonly underWay: ReadonlySet<number>
  readonly underWayBytes: number
  /** The first of these places, and since when it has been the first; as the last tick saw it. */
  readonly oldest?: { readonly order: number; readonly sinceMs: number } | undefined
  /**
   * The earliest text of theirs that was refused for now: later ones wait behind it, or order would break. Those of
   * another stream wait until `untilMs` at most.
   */
  readonly held: { readonly stream: string; readonly number: number; readonly untilMs: number } | undefined
  /** With a former friend: when it ends, confirmed or not. */
  readonly leaveByMs?: number
  /** How the link opened: what is bound to a session is bound to its handshake. */
  readonly opened?: Opened
}

/** How we stand with reaching a peer. */
export interface Contact {
  readonly attempt: number
  readonly dialing: boolean
  readonly nextDialMs: number
  /** Dials of this start that it may still cost until a session was good for something. */
  readonly hellosLeft?: number
  /** The peer asked us to pause until then. */
  readonly pausedUntilMs: number
  /** Dials that only brought our new key, and when the next one is due. */
  readonly newsAttempt: number
  readonly nextNewsMs: number
  /** When the operator was last told that a disk is older than it was. */
  readonly olderToldMs: { readonly ours?: number; readonly theirs?: number }
}

/** What was told and what was only counted of one subject since a time. */
export interface Minute {
  readonly sinceMs: number
  readonly told: number
  readonly hidden: number
  readonly subject: Omit<Extract<Event, { readonly _tag: "NotShown" }>, "_tag" | "count">
}

export interface Passing {
  /** Random for each run of the process; all zeros until it has started. */
  readonly run: string
  readonly sessions: HashMap.HashMap<string, Session>
  readonly connections: HashMap.HashMap<string, PeerId>
  readonly contacts: HashMap.HashMap<string, Contact>
  /** What each peer has left of the budgets that a restart forgets. */
  readonly controlBudgets: HashMap.HashMap<string, Budgets>
  readonly lineBudget: Budgets
  /** What an agent's tools have left for injects to all friends together. */
  readonly toolBudget: Budgets
  /** What was told lately, by friend, room and kind. */
  readonly minutes: HashMap.HashMap<string, Minute>
  /** The rates in force; an operator may configure others than the protocol's defaults. */
  readonly rates: Rates
  readonly pieces: Calls.Pieces
  /** When entries that the conversation log could not take are offered to it again; 0 after a start, absent if none. */
  readonly showAgainAtMs: number | undefined
  /** Whether a friend's question could be answered. */
  readonly sandbox: Readiness
  /** What questions may cost; absent where nothing is counted. */
  readonly allowances: Allowances | undefined
  /** Our keys that are announced. */
  readonly announced: ReadonlySet<RemoteIdentityKey>
  /** When it is next looked for friends that have not seen our key. */
  readonly newsDueMs: number
  /** Interactive comparisons under way, by peer: one each. */
  readonly checks: HashMap.HashMap<string, Check>
  /** Sessions of identities that are no friends, by link. */
  readonly guests: HashMap.HashMap<string, Guest>
  /** What we know of each topic we are in, by hash. */
  readonly topics: HashMap.HashMap<string, Presence>
  /** Topics we have left, while members are told. */
  readonly leaving: HashMap.HashMap<string, Leaving>
  /** How far we have told each other of a topic, by link and topic (`exchangeKey`). */
  readonly exchanges: HashMap.HashMap<string, Exchange>
  /** Answers that we never asked for. */
  readonly unasked: number
  /** What the gate decided in the last turn. */
  readonly decided: ReadonlyArray<Decided>
  /** Answers that wait for their time, the first due first. */
  readonly later: ReadonlyArray<Later>
  /** What claims have left, all together and by identity; of an identity that is not listed, everything. */
  readonly claims: { readonly all: Budgets; readonly identities: Readonly<Record<string, Budgets>> }
}

export interface State {
  readonly self: Self
  readonly durable: Durable
  readonly passing: Passing
}

export const emptyDurable: Durable = {
  owner: Table.empty(),
  roster: Roster.empty,
  replay: Table.empty(),
  grants: Table.empty(),
  bans: Table.empty(),
  budgets: Table.empty(),
  outbox: Outbox.empty,
  inbox: Inbox.empty,
  jobs: Table.empty(),
  calls: Table.empty(),
  refusals: Table.empty(),
  spents: Table.empty(),
  holdRules: Table.empty(),
  requirements: Table.empty(),
  intents: Table.empty(),
  unshown: Unshown.empty,
  errands: Table.empty(),
  invites: Table.empty(),
  introductions: Table.empty(),
  topics: Table.empty(),
  left: Table.empty(),
  profile: Table.empty()
}

/** A node as it is right after its records were loaded: no sessions, nothing under way. */
export const start = (
  self: Self,
  durable: Durable,
  rates: Rates = RateLimit.rates,
  allowances: Allowances | undefined = undefined
): State => ({
  self,
  durable,
  passing: {
    run: "0".repeat(32),
    sessions: HashMap.empty(),
    connections: HashMap.empty(),
    contacts: HashMap.empty(),
    controlBudgets: HashMap.empty(),
    lineBudget: {},
    toolBudget: {},
    minutes: HashMap.empty(),
    rates,
    allowances,
    pieces: HashMap.empty(),
    showAgainAtMs: 0,
    sandbox: { ready: false, reason: "the sandbox has not reported yet" },
    announced: new Set(),
    newsDueMs: 0,
    checks: HashMap.empty(),
    guests: HashMap.empty(),
    later: [],
    claims: { all: {}, identities: {} },
    topics: HashMap.empty(),
    leaving: HashMap.empty(),
    exchanges: HashMap.empty(),
    unasked: 0,
    decided: []
  }
})

/** What every turn gives: the next state and what is wanted from the world. */
export type Stepped = readonly [State, ReadonlyArray<Output>]

/** The state with durable tables replaced. */
export const withDurable = (state: State, change: Partial<Durable>): State => ({
  ...state,
  durable: { ...state.durable, ...change }
})

/** The state with tables of the friend room replaced. */
export const withRoster = (state: State, change: Partial<Roster.Roster>): State =>
  withDurable(state, { roster: { ...state.durable.roster, ...change } })

/** The state with something passing replaced; no record is written for it. */
export const withPassing = (state: State, change: Partial<Passing>): State => ({
  ...state,
  passing: { ...state.passing, ...change }
})

/** The open session of a peer. */
export const session = (state: State, peerId: PeerId): Session | undefined =>
  Option.getOrUndefined(HashMap.get(state.passing.sessions, peerId))

/** The state with this as the one session of a peer. */
export const withSession = (state: State, peerId: PeerId, next: Session): State =>
  withPassing(state, { sessions: HashMap.set(state.passing.sessions, peerId, next) })

const idle: Contact = {
  attempt: 0,
  dialing: false,
  nextDialMs: 0,
  pausedUntilMs: 0,
  newsAttempt: 0,
  nextNewsMs: 0,
  olderToldMs: {}
}

/** How we stand with reaching a peer; idle until somebody wanted to. */
export const contact = (state: State, peerId: PeerId): Contact =>
  Option.getOrElse(HashMap.get(state.passing.contacts, peerId), () => idle)

/** The state with some of that changed. */
export const withContact = (state: State, peerId: PeerId, change: Partial<Contact>): State =>
  withPassing(state, {
    contacts: HashMap.set(state.passing.contacts, peerId, { ...contact(state, peerId), ...change })
  })

/** Whether a peer is shut out now. */
export const isBanned = (state: State, peerId: PeerId, nowMs: number): boolean =>
  (Table.get(state.durable.bans, peerId)?.untilMs ?? 0) > nowMs

/** Draws one from a peer's lasting budget: the state after it, and how long to wait if there was none left. */
export const draw = (state: State, peerId: PeerId, budget: keyof Budget["budgets"], nowMs: number) => {
  const before = Table.get(state.durable.budgets, peerId)?.budgets ?? {}
  const { budgets, waitMs } = RateLimit.draw(before, budget, nowMs, state.passing.rates)
  if (waitMs > 0) return { state, waitMs }
  return {
    state: withDurable(state, { budgets: Table.set(state.durable.budgets, peerId, { peerId, budgets }) }),
    waitMs
  }
}

/**
 * Draws one from a budget of a peer that is not kept over a restart: `control`, from which every message draws,
 * `stream`, from which each that it begins does, `older`, how often it may say that our disk is older, or `sas` and
 * `sasOffer`, how often our operator may compare with it and it may offer to.
 */
export const drawPassing = (
  state: State,
  peerId: PeerId,
  budget: "control" | "stream" | "older" | "sas" | "sasOffer",
  nowMs: number
) => {
  const before = Option.getOrElse(HashMap.get(state.passing.controlBudgets, peerId), (): Budgets => ({}))
  const { budgets, waitMs } = RateLimit.draw(before, budget, nowMs, state.passing.rates)
  const controlBudgets = HashMap.set(state.passing.controlBudgets, peerId, budgets)
  return { state: withPassing(state, { controlBudgets }), waitMs }
}

/** Runs turns one after the other on the state, and joins their outputs. */
export const chain = (state: State, ...turns: ReadonlyArray<(state: State) => Stepped>): Stepped => {
  let current = state
  const outputs: Array<Output> = []
  for (const turn of turns) {
    const [next, wanted] = turn(current)
    current = next
    outputs.push(...wanted)
  }
  return [current, outputs]
}
