/**
 * A node as an operator may see it: a plain value, for status, screens and dumps.
 * It never holds a secret, a text of a message or a signature; a snapshot test looks at it.
 * Everything shown is derived here, once, so that chat, CLI and panel cannot disagree.
 */
import { HashMap } from "effect"
import type { CryptoShape } from "../../ports/Crypto.ts"
import * as Capability from "../admission/Capability.ts"
import * as Grants from "../admission/Grants.ts"
import * as Allowance from "../agent/Allowance.ts"
import type * as HoldRule from "../agent/HoldRule.ts"
import type { Readiness } from "../agent/Responder.ts"
import { utf8Length } from "../bytes/Bytes.ts"
import * as Jobs from "../delivery/Jobs.ts"
import * as Outbox from "../delivery/Outbox.ts"
import * as Standing from "../delivery/Standing.ts"
import type { Content } from "../discovery/Profile.ts"
import type { Rule } from "../friend/AutoAccept.ts"
import type { Errand } from "../friend/Errand.ts"
import * as Invite from "../friend/Invite.ts"
import * as Roster from "../friend/Roster.ts"
import type * as Sas from "../friend/Sas.ts"
import * as Trust from "../friend/Trust.ts"
import * as Fingerprint from "../identity/Fingerprint.ts"
import type { RemoteIdentityKey } from "../identity/Keys.ts"
import * as PeerId from "../identity/PeerId.ts"
import * as Table from "../Table.ts"
import * as Answering from "./Answering.ts"
import * as Comparing from "./Comparing.ts"
import { discoveredOf, type MemberView, type TopicView, topicsOf } from "./DescribeTopics.ts"
import * as Doubling from "./Doubling.ts"
import * as Guests from "./Guests.ts"
import * as Introduced from "./Introduced.ts"
import * as Outcomes from "./Outcomes.ts"
import type { State } from "./State.ts"
import * as Topics from "./Topics.ts"

export type { MemberView, TopicView } from "./DescribeTopics.ts"

export interface FriendView {
  readonly name: string
  /** What our operator calls it, where that is another name. */
  readonly called?: string
  readonly peerId: PeerId.PeerId
  readonly shortId: string
  readonly identityKey: RemoteIdentityKey
  readonly fingerprint: Fingerprint.Fingerprint
  readonly conversation: string
  readonly channel: string
  readonly evidence: string
  readonly alarmed: boolean
  /** Why the friend's key is in doubt, or null; `alarmed` is whether it is. */
  readonly alarm: "key-fork" | "key-change" | "sas-mismatch" | "second-accept" | null
  /** What our operator has made sure of, and since when; null if never. */
  readonly trust: Trust.State
  readonly trustSinceMs: number | null
  /** Who introduced us, as it was called then: a fact, and no word for the friend's key. */
  readonly introducedBy: string | null
  /** The interactive comparison under way. */
  readonly comparison: ComparisonView | null
  /** Whether the friend has accepted the key we have now. */
  readonly knowsOurKey: boolean
  readonly capabilities: ReadonlyArray<Capability.Capability>
  /** Which of the friend's questions wait for our owner. */
  readonly hold: HoldRule.When | "never"
  /** What the friend's questions have cost today (UTC); null where nothing is counted. */
  readonly spentToday: Allowance.Allowance | null
  /** What the friend has told us we may do. */
  readonly allowsUs: ReadonlyArray<Capability.Capability>
  readonly connected: boolean
  readonly waiting: number
  readonly bannedUntilMs: number | null
  /** Whether its texts go into the conversation without being announced. */
  readonly muted: boolean
  readonly sinceMs: number
  /** When the friend was last seen on two machines, and when it last said so of us; null if not lately. */
  readonly twoMachinesMs: number | null
  readonly saysTwoMachinesMs: number | null
}

/** A comparison as far as it is; the string is there once both sides have given their part. */
export interface ComparisonView {
  readonly stage: Sas.Check["stage"]
  readonly words: string | null
  readonly number: string | null
  readonly expiresAtMs: number
}

export interface RequestView {
  readonly name: string
  readonly identityKey: RemoteIdentityKey
  readonly fingerprint: Fingerprint.Fingerprint
  readonly channel: string
  readonly author: string | null
  readonly evidence: string
  /** What came with a request to connect; null for a line in a room. */
  readonly note: string | null
  readonly introducedBy: string | null
  readonly receivedAtMs: number
  /** Never verified: who asks is compared as a friend; what was made sure of an earlier friendship shows. */
  readonly trust: Trust.State
}

export interface QueueView {
  readonly id: string
  readonly name: string
  readonly kind: "Log" | "Inject" | "Introduce"
  /** `running`: an inject that arrived and is not answered; `held`: one whose receiver's owner was asked. */
  readonly state: Standing.Standing | "running" | "held"
  readonly bytes: number
}

/** A friend's question that waits for our owner. */
export interface HeldView {
  readonly id: string
  readonly name: string
  /** What our owner has made sure of whoever asks. */
  readonly trust: Trust.State
  readonly bytes: number
  /** Why it waits. The question itself is in the friend's conversation, and in no description. */
  readonly reason: string
  readonly heldAtMs: number
  readonly expiresAtMs: number
}

/** An invite of ours; its link is nowhere. */
export interface InviteView {
  readonly id: string
  readonly state: Invite.State
  /** Whose key it is for, null for whoever holds the link. */
  readonly named: string | null
  readonly capabilities: ReadonlyArray<Capability.Capability>
  readonly uses: number
  readonly usesMax: number
  readonly redeemedBy: ReadonlyArray<string>
  readonly madeAtMs: number
  readonly expiresAtMs: number
}

/** Whom we want to reach who is no friend yet, and what for. */
export interface ErrandView {
  readonly id: string
  readonly kind: Errand["kind"]
  /** What the member calls itself that we asked, or its introducer; null for a claim, whose issuer has no name here yet. */
  readonly name: string | null
  readonly identityKey: RemoteIdentityKey
  readonly madeAtMs: number
  readonly expiresAtMs: number
  /** Whether somebody who holds the key is spoken to now. */
  readonly reached: boolean
}

export interface RefusalView {
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly code: string
  readonly atMs: number
}

const queueViewsMax = 1_000

const trustOf = ({ durable }: State, peerId: string): Trust.State => {
  const record = Table.get(durable.roster.friends, peerId)
  return record === undefined ? "unverified" : Trust.of(record)
}

/** What has no outcome yet: what waits in the outbox, then injects that arrived and are not answered. */
const queueOf = (state: State): ReadonlyArray<QueueView> => {
  const { durable } = state
  const waiting = Table.values(durable.outbox.entries).flatMap((entry): ReadonlyArray<QueueView> => {
    const { id, kind, peerId, textBytes } = entry
    if (!Outbox.isSaid(kind)) return []
    return [{ id, name: Outcomes.nameOf(state, peerId), kind, state: Standing.of(entry), bytes: textBytes }]
  })
  const ids = new Set(waiting.map((one) => one.id))
  const running = Table.values(durable.calls)
    .filter((call) => !ids.has(call.id))
    .map(({ held, id, peerId }): QueueView => {
      const standing = held === true ? "held" : "running"
      return { id, name: Outcomes.nameOf(state, peerId), kind: "Inject", state: standing, bytes: 0 }
    })
  return [...waiting, ...running].slice(0, queueViewsMax)
}

const heldOf = (state: State): ReadonlyArray<HeldView> =>
  Jobs.held(state.durable.jobs)
    .flatMap(({ id, peerId, question, startedAtMs }) =>
      question === undefined
        ? []
        : {
            id,
            name: Outcomes.nameOf(state, peerId),
            trust: trustOf(state, peerId),
            bytes: utf8Length(question.text),
            reason: question.reason ?? "",
            heldAtMs: startedAtMs,
            expiresAtMs: question.expiresAtMs
          }
    )
    .sort((a, b) => a.heldAtMs - b.heldAtMs)

export interface Description {
  readonly name: string
  readonly identityKey: RemoteIdentityKey
  /** The keys of ours we can be found under now, oldest first. */
  readonly keysAnnounced: ReadonlyArray<RemoteIdentityKey>
  readonly friends: ReadonlyArray<FriendView>
  readonly requests: ReadonlyArray<RequestView>
  readonly asked: ReadonlyArray<{ readonly to: string; readonly channel: string; readonly posted: boolean }>
  readonly rules: ReadonlyArray<Rule>
  /** The capabilities that only verified friends may use. */
  readonly verifiedFor: ReadonlyArray<Capability.Capability>
  readonly sandbox: Readiness
  /** Messages and injects of ours that have no outcome yet, in order, at most a thousand. */
  readonly queue: ReadonlyArray<QueueView>
  /** The newest of our messages that were not delivered, and why; what is neither here nor in the queue was delivered. */
  readonly refusals: ReadonlyArray<RefusalView>
  /** Friends' questions that wait for our owner, oldest first. */
  readonly held: ReadonlyArray<HeldView>
  readonly jobsRunning: number
  readonly callsWaiting: number
  readonly errands: ReadonlyArray<ErrandView>
  /** Invites of ours, open ones and those that ended lately, oldest first. */
  readonly invites: ReadonlyArray<InviteView>
  /** Whom friends have introduced, and our operator has still to answer. */
  readonly introductions: ReadonlyArray<Introduced.IntroductionView>
  readonly topics: ReadonlyArray<TopicView>
  readonly profile: Content
  /** Who is known in topics: those met and settled first. */
  readonly discovered: ReadonlyArray<MemberView>
  /** Answers to requests that we never made. */
  readonly unasked: number
  /** Sessions of identities that are no friends. */
  readonly guests: number
}

const alarmOf = ({ alarmed, doubt }: Roster.Friend): FriendView["alarm"] => {
  if (doubt?.state === "Mismatched") return "sas-mismatch"
  return doubt?.state === "Forked"
    ? "key-fork"
    : doubt?.state === "Changed"
      ? "key-change"
      : alarmed
        ? "second-accept"
        : null
}

const comparisonOf = (check: Sas.Check | undefined): ComparisonView | null =>
  check === undefined
    ? null
    : {
        stage: check.stage,
        words: check.short?.words ?? null,
        number: check.short?.number ?? null,
        expiresAtMs: check.expiresAtMs
      }

/** Whom a command can mean: friends, and those who wait for an answer. */
export interface Acquaintances {
  readonly name: string
  readonly friends: ReadonlyArray<Pick<FriendView, "name" | "called" | "identityKey" | "peerId" | "conversation">>
  readonly requests: ReadonlyArray<Pick<RequestView, "name" | "identityKey">>
  readonly introductions: ReadonlyArray<Pick<Introduced.IntroductionView, "name" | "identityKey">>
}

/** These alone, without what is dear to make: a node that sends without pause asks for each message. */
export const acquaintances = (state: State): Acquaintances => {
  const { friends, askedBy } = state.durable.roster
  return {
    name: state.self.name,
    friends: Table.values(friends)
      .filter(({ standing }) => standing === "Friend")
      .map((friend) => ({
        name: friend.name,
        ...(friend.called === undefined ? {} : { called: friend.called }),
        identityKey: friend.identityKey,
        peerId: friend.peerId,
        conversation: Answering.label(friend)
      })),
    requests: Table.values(askedBy)
      .filter(Roster.isOpen)
      .map(({ identityKey, name }) => ({ name, identityKey })),
    introductions: Introduced.waiting(state).map(({ key, name }) => ({ name, identityKey: key }))
  }
}

/** The node at this moment. */
export const describe = (crypto: CryptoShape, state: State, nowMs: number): Description => {
  const { durable, passing, self } = state
  const { roster } = durable
  return {
    name: self.name,
    identityKey: self.identityKey,
    keysAnnounced: [...self.earlier.map((left) => left.key), self.identityKey].filter((key) =>
      passing.announced.has(key)
    ),
    friends: Table.values(roster.friends)
      .filter((friend) => friend.standing === "Friend")
      .map((friend) => ({
        name: friend.name,
        ...(friend.called === undefined ? {} : { called: friend.called }),
        peerId: friend.peerId,
        shortId: PeerId.short(friend.peerId),
        identityKey: friend.identityKey,
        fingerprint: Fingerprint.between(crypto, self.identityKey, friend.identityKey),
        conversation: Answering.label(friend),
        channel: friend.channel,
        evidence: friend.evidence,
        alarmed: alarmOf(friend) !== null,
        alarm: alarmOf(friend),
        trust: Trust.of(friend),
        trustSinceMs: friend.trust?.atMs ?? null,
        introducedBy: friend.introducedBy?.name ?? null,
        comparison: comparisonOf(Comparing.checkOf(state, friend.peerId)),
        knowsOurKey: friend.knowsKey === self.identityKey,
        capabilities: Grants.held(durable.grants, friend.peerId, Grants.own, nowMs),
        hold: Table.get(durable.holdRules, friend.peerId)?.when ?? "never",
        spentToday: passing.allowances === undefined ? null : Allowance.today(durable.spents, friend.peerId, nowMs),
        // A friend's words are free, for what later versions know: only what we know is told.
        allowsUs: (friend.allowsUs ?? ["message"]).flatMap((word) => Capability.parse(word) ?? []),
        connected: HashMap.has(passing.sessions, friend.peerId),
        waiting: Outbox.waitingFor(durable.outbox, friend.peerId).entries.length,
        bannedUntilMs: Table.get(durable.bans, friend.peerId)?.untilMs ?? null,
        muted: friend.muted === true,
        sinceMs: friend.sinceMs,
        twoMachinesMs: Doubling.lastSeenMs(friend, "theirs", nowMs),
        saysTwoMachinesMs: Doubling.lastSeenMs(friend, "ours", nowMs)
      })),
    requests: Table.values(roster.askedBy)
      .filter(Roster.isOpen)
      .map((request) => ({
        name: request.name,
        identityKey: request.identityKey,
        fingerprint: Fingerprint.between(crypto, self.identityKey, request.identityKey),
        channel: request.channel,
        author: request.author,
        evidence: request.evidence,
        note: request.connect?.note ?? null,
        introducedBy: request.introducedBy?.name ?? null,
        receivedAtMs: request.receivedAtMs,
        trust: trustOf(state, request.peerId)
      })),
    asked: Table.values(roster.asked).map(({ channel, posted, to }) => ({ to, channel, posted })),
    rules: Table.values(roster.rules),
    verifiedFor: Table.values(durable.requirements).map(({ capability }) => capability),
    queue: queueOf(state),
    refusals: Table.values(durable.refusals).map(({ peerId, ...refusal }) => ({
      ...refusal,
      name: Outcomes.nameOf(state, peerId)
    })),
    sandbox: passing.sandbox,
    held: heldOf(state),
    jobsRunning: Table.values(durable.jobs).filter((job) => job.state === "running").length,
    callsWaiting: Table.size(durable.calls),
    errands: Table.values(durable.errands).map((errand) => ({
      id: errand.id,
      kind: errand.kind,
      name: errand.kind === "claim" ? null : errand.name,
      identityKey: errand.key,
      madeAtMs: errand.madeAtMs,
      expiresAtMs: errand.expiresAtMs,
      reached: Guests.linksTo(state, errand).length > 0
    })),
    invites: Table.values(durable.invites)
      .map((invite) => ({
        id: invite.id,
        state: Invite.stateAt(invite, nowMs),
        named: invite.named ?? null,
        capabilities: invite.capabilities,
        uses: invite.redemptions.length,
        usesMax: invite.usesMax,
        redeemedBy: invite.redemptions.map(({ peerId }) => Outcomes.nameOf(state, peerId)),
        madeAtMs: invite.madeAtMs,
        expiresAtMs: invite.expiresAtMs
      }))
      .sort((a, b) => a.madeAtMs - b.madeAtMs),
    introductions: Introduced.viewsOf(crypto, state),
    topics: topicsOf(state),
    profile: Topics.contentOf(state),
    discovered: discoveredOf(state),
    unasked: passing.unasked,
    guests: HashMap.size(passing.guests)
  }
}
