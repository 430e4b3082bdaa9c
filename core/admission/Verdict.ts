/**
 * The gate: the only place that says yes or no to a peer.
 * It never looks anything up; the rooms lay the facts before it, and it answers with the first reason that applies.
 * One function over a closed union of questions, so that no path can be forgotten and each can be tested exhaustively.
 */

import * as Limits from "../Limits.ts"
import * as Rejection from "../Rejection.ts"
import type { Capability } from "./Capability.ts"

/** How the account that posted a line relates to the name in it (PROTOCOL.md §4). */
export type AuthorEvidence = "same" | "different" | "unproven"

/** Why nobody could answer a question now; the code is what its sender is told. */
export type Unready =
  | "sandbox-unavailable"
  | "sandbox-no-image"
  | "sandbox-image-changed"
  | "sandbox-not-confined"
  | "sandbox-disk"
  | "sandbox-engine"
  | "no-model"

export type Question =
  | {
      /** A friend line that is authentic and addressed to us. */
      readonly kind: "line"
      readonly evidence: AuthorEvidence
      readonly lineWaitMs: number
      /** `retired`: the key is one that its holder has left, or that lost a fork. */
      readonly known: "friend" | "asked" | "asked-by" | "former" | "stranger" | "retired"
      readonly openRequests: number
      readonly openRequestsOfName: number
    }
  | {
      /** An authenticated peer wants a session. */
      readonly kind: "session"
      /** `forked`: a second successor of a key. `entangled`: a history through keys of several peers, or of ours. */
      readonly standing: "friend" | "former" | "stranger" | "retired" | "forked" | "entangled"
      readonly banned: boolean
      /** Whether a former friend has still to be told that it is one. */
      readonly farewell: boolean
      /** Whether we have asked somebody and wait for the acceptance: the stranger may be them. */
      readonly awaitingAcceptance: boolean
      /** Whether we have a reason of our own to let a stranger in as a guest. */
      readonly guest: boolean
    }
  | {
      /** A request to connect, from a session that has proven its key. */
      readonly kind: "connect"
      readonly retired: boolean
      /** Whether the same peer's request is recorded already. */
      readonly again: boolean
      /** Whether it comes from a topic that we are in. */
      readonly inTopic: boolean
      /** Whether a friend has introduced its sender, and our operator has not turned that down. */
      readonly introduced: boolean
      readonly nameValid: boolean
      /** Whether another that leads on from the same introduced key has asked, and waits or was turned down. */
      readonly asksAlready: boolean
      readonly openRequests: number
      readonly openRequestsOfName: number
    }
  | {
      /** A numbered message on the session of a friend. */
      readonly kind: "message"
      readonly needs: Capability | "none"
      readonly granted: boolean
      /** Whether the friend is verified, or need not be for this. */
      readonly trusted: boolean
      readonly conversationKnown: boolean
      readonly bytes: number
      /** Entries that the conversation log has not taken yet, of all peers. */
      readonly unshown: number
      /** Their texts together, UTF-16 code units. */
      readonly unshownCharacters: number
      readonly waitMs: number
    }
  | {
      /** An authenticated identity, friend or not, wants to redeem an invite. */
      readonly kind: "claim"
      readonly waitMs: number
      /** Whether there is such an invite, and the claimer holds its secret. */
      readonly isProven: boolean
      readonly isMeant: boolean
      /** Whether the operator has sent the claimer away since, or its key is in doubt. */
      readonly isBarred: boolean
      /** Whether the claimer's name can be one. */
      readonly isNamed: boolean
      readonly state: "Open" | "Used" | "Expired" | "Revoked"
      /** Whether the claimer has redeemed it before, and whether what came of it lasts. */
      readonly redeemed: "never" | "friend" | "over"
    }
  | {
      /** A friend introduces somebody: may it be put before our operator? */
      readonly kind: "introduction"
      readonly isTimely: boolean
      /** Whether the key that the other was told is one of ours, and none that we left because it was stolen. */
      readonly isOurs: boolean
      /** Whether whom it introduces can be another: a valid key that is neither ours nor the introducer's. */
      readonly isAnother: boolean
      readonly isNamed: boolean
      /** Whether the introducer's own key is in doubt. */
      readonly isDoubtful: boolean
      /** Whether the same friend has introduced the same key before. */
      readonly again: boolean
      readonly hasRoom: boolean
    }
  | {
      /** An inject that passed as a message: may it run now? */
      readonly kind: "run"
      /** Asked again here: one that was held, or approved, was admitted at another time. */
      readonly trusted: boolean
      /** Why nobody could answer, or null; and the reason for the owner. */
      readonly unready: Unready | null
      readonly unreadyReason: string
      readonly jobsOfPeer: number
      readonly jobs: number
      /** Whether what this peer may cost suffices for one more turn. */
      readonly affordable: boolean
      /** Answers of this peer's earlier requests that it has not taken yet. */
      readonly answersWaiting: number
    }
  | {
      /** An inject that passed as a message and waits for the owner: may it wait? */
      readonly kind: "hold"
      readonly unready: Unready | null
      readonly unreadyReason: string
      /** Whether its sender would wait for the owner. */
      readonly mayHold: boolean
      readonly heldOfPeer: number
      readonly held: number
      readonly answersWaiting: number
    }

export type Verdict =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly rejection: Rejection.Rejection }

const admitted: Verdict = { admitted: true }
const refuse = (code: Rejection.Code, detail = "", retryAfterMs = 0): Verdict => ({
  admitted: false,
  rejection: Rejection.make(code, detail, retryAfterMs)
})

/** Yes, or no with the row of the table that says why. */
export const decide = (question: Question): Verdict => {
  switch (question.kind) {
    case "line":
      return decideLine(question)
    case "session":
      if (question.banned) return refuse("banned")
      if (question.standing === "retired") return refuse("key-retired")
      if (question.standing === "forked") return refuse("key-fork", "", Limits.forkRetryMs)
      if (question.standing === "entangled") return refuse("rotation-refused")
      if (question.standing === "friend" || (question.standing === "former" && question.farewell)) return admitted
      if (question.guest) return admitted
      // A former friend too: it may have accepted, and dial before we have read that.
      if (question.awaitingAcceptance) {
        return refuse("friendship-pending", "", Limits.retryPauseMs)
      }
      return refuse("not-a-friend")
    case "connect":
      if (question.retired) return refuse("key-retired")
      if (question.again) return admitted
      if (!question.inTopic && !question.introduced) return refuse("not-a-friend")
      if (!question.nameValid) return refuse("name-invalid")
      if (question.asksAlready) return refuse("requests-full", "for one introduction")
      if (question.openRequests >= Limits.askedByMax) return refuse("requests-full")
      if (question.openRequestsOfName >= Limits.askedByPerNameMax) return refuse("requests-full", "under one name")
      return admitted
    case "message":
      if (question.bytes > Limits.bodyBytesMax) return refuse("body-too-large")
      if (!question.conversationKnown) return refuse("unknown-conversation")
      if (question.needs !== "none" && !question.granted) return refuse("no-capability", question.needs)
      if (question.needs !== "none" && !question.trusted) return refuse("not-verified", question.needs)
      if (question.unshown >= Limits.unshownMax || question.unshownCharacters >= Limits.unshownCharactersMax)
        return refuse("storage-failed", "", Limits.retryPauseMs)
      if (question.waitMs > 0) return refuse("rate-limited", "", question.waitMs)
      return admitted
    case "claim":
      return decideClaim(question)
    case "introduction":
      return decideIntroduction(question)
    case "run":
      if (!question.trusted) return refuse("not-verified", "inject")
      if (question.unready !== null) return refuse(question.unready, question.unreadyReason)
      if (
        question.jobsOfPeer >= Limits.jobsPerPeerMax ||
        question.jobs >= Limits.jobsMax + (question.jobsOfPeer === 0 ? Limits.jobsReserved : 0)
      )
        return refuse("too-many-jobs")
      if (question.answersWaiting >= Limits.answersWaitingMax)
        return refuse("too-many-jobs", "answers wait to be taken")
      if (!question.affordable) return refuse("budget-spent")
      return admitted
    case "hold":
      if (!question.mayHold) return refuse("approval-required")
      if (question.unready !== null) return refuse(question.unready, question.unreadyReason)
      if (question.heldOfPeer >= Limits.heldPerPeerMax || question.held >= Limits.heldMax)
        return refuse("too-many-jobs", "too many wait for the owner")
      if (question.answersWaiting >= Limits.answersWaitingMax)
        return refuse("too-many-jobs", "answers wait to be taken")
      return admitted
  }
}

/** Whether a claim of an invite redeems it; whoever has redeemed it is told again what it has, which gives nothing. */
const decideClaim = (question: Extract<Question, { kind: "claim" }>): Verdict => {
  if (question.waitMs > 0) return refuse("rate-limited", "claims", question.waitMs)
  if (!question.isProven) return refuse("invite-refused", "no such invite, or not its secret")
  if (!question.isMeant) return refuse("invite-refused", "it is for somebody else")
  // It is told again what it has already, which gives it nothing.
  if (question.redeemed === "friend") return admitted
  if (question.isBarred) return refuse("invite-refused", "sent away since")
  if (!question.isNamed) return refuse("invite-refused", "the name cannot be one")
  if (question.redeemed === "over") return refuse("invite-refused", "used by the same peer, and over")
  if (question.state !== "Open") return refuse("invite-refused", question.state.toLowerCase())
  return admitted
}

/** Whether a friend's introduction becomes a question to our operator. */
const decideIntroduction = (question: Extract<Question, { kind: "introduction" }>): Verdict => {
  if (question.isDoubtful) return refuse("introduction-refused", "the key of whoever introduces is in doubt")
  if (!question.isOurs) return refuse("introduction-refused", "it names no key of ours")
  if (!question.isAnother) return refuse("introduction-refused", "there is nobody else to be introduced")
  if (!question.isNamed) return refuse("introduction-refused", "the name cannot be one")
  if (!question.isTimely) return refuse("introduction-over")
  return question.again || question.hasRoom ? admitted : refuse("introductions-full")
}

/** Whether an authentic friend line, addressed to us, becomes a request, an acceptance or nothing. */
const decideLine = (question: Extract<Question, { kind: "line" }>): Verdict => {
  if (question.lineWaitMs > 0) return refuse("line-rate", "", question.lineWaitMs)
  if (question.evidence === "different") return refuse("author-mismatch")
  if (question.known === "retired") return refuse("key-retired")
  if (question.known === "asked-by" || question.known === "friend") return admitted
  if (question.openRequests >= Limits.askedByMax) return refuse("requests-full")
  if (question.openRequestsOfName >= Limits.askedByPerNameMax) return refuse("requests-full", "under one name")
  return admitted
}
