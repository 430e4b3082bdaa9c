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
      readonly nameValid: boolean
      readonly openRequests: number
      readonly openRequestsOfName: number
    }
  | {
      /** A numbered message on the session of a friend. */
      readonly kind: "message"
      readonly needs: Capability | "none"
      readonly granted: boolean
      readonly conversationKnown: boolean
      readonly bytes: number
      /** Entries that the conversation log has not taken yet, of all peers. */
      readonly unshown: number
      /** Their texts together, UTF-16 code units. */
      readonly unshownCharacters: number
      readonly waitMs: number
    }
  | {
      /** An inject that passed as a message: may it run now? */
      readonly kind: "run"
      /** Why nobody could answer, or null; and the reason for the owner. */
      readonly unready: "sandbox-unavailable" | "no-model" | null
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
      readonly unready: "sandbox-unavailable" | "no-model" | null
      readonly unreadyReason: string
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
      if (question.lineWaitMs > 0) return refuse("line-rate", "", question.lineWaitMs)
      if (question.evidence === "different") return refuse("author-mismatch")
      if (question.known === "retired") return refuse("key-retired")
      if (question.known === "asked-by" || question.known === "friend") return admitted
      if (question.openRequests >= Limits.askedByMax) return refuse("requests-full")
      if (question.openRequestsOfName >= Limits.askedByPerNameMax) return refuse("requests-full", "under one name")
      return admitted
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
      if (!question.inTopic) return refuse("not-a-friend")
      if (!question.nameValid) return refuse("name-invalid")
      if (question.openRequests >= Limits.askedByMax) return refuse("requests-full")
      if (question.openRequestsOfName >= Limits.askedByPerNameMax) return refuse("requests-full", "under one name")
      return admitted
    case "message":
      if (question.bytes > Limits.bodyBytesMax) return refuse("body-too-large")
      if (!question.conversationKnown) return refuse("unknown-conversation")
      if (question.needs !== "none" && !question.granted) return refuse("no-capability", question.needs)
      if (question.unshown >= Limits.unshownMax || question.unshownCharacters >= Limits.unshownCharactersMax)
        return refuse("storage-failed", "", Limits.retryPauseMs)
      if (question.waitMs > 0) return refuse("rate-limited", "", question.waitMs)
      return admitted
    case "run":
      if (question.unready !== null) return refuse(question.unready, question.unreadyReason)
      if (question.jobsOfPeer >= Limits.jobsPerPeerMax || question.jobs >= Limits.jobsMax)
        return refuse("too-many-jobs")
      if (question.answersWaiting >= Limits.answersWaitingMax)
        return refuse("too-many-jobs", "answers wait to be taken")
      if (!question.affordable) return refuse("budget-spent")
      return admitted
    case "hold":
      if (question.unready !== null) return refuse(question.unready, question.unreadyReason)
      if (question.heldOfPeer >= Limits.heldPerPeerMax || question.held >= Limits.heldMax)
        return refuse("too-many-jobs", "too many wait for the owner")
      if (question.answersWaiting >= Limits.answersWaitingMax)
        return refuse("too-many-jobs", "answers wait to be taken")
      return admitted
  }
}
